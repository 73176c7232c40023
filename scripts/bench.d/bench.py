"""The driver of scripts/bench, which says what it is for. Python's standard library only."""
import argparse
import fnmatch
import json
import os
import subprocess
import sys
import time

import inputs
import lattice
import measure
import report
import tools
import warp

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# A tool slower than both is run once: more rounds would tell nothing new and take all the time.
SLOW_SECONDS, SLOW_TIMES = 60, 20


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0],
                                     epilog="The head of scripts/bench says what the numbers mean.")
    parser.add_argument("--size", type=int, choices=sorted(inputs.SIDES), default=64, help="Mpx a year")
    parser.add_argument("--profile", nargs="+", choices=inputs.PROFILES, default=["continental"])
    parser.add_argument("--runs", type=int, default=3, help="timed rounds")
    parser.add_argument("--jobs", nargs="+", choices=["matrix", "job"], default=["matrix", "job"])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="tools, with * and ?")
    parser.add_argument("--threads", default="1,2", help="list with commas")
    parser.add_argument("--work", default=os.path.join(ROOT, "out", "bench"), help="folder for inputs and results")
    parser.add_argument("--out", metavar="FILE.md", help="write the report there too")
    parser.add_argument("--seed", type=int, default=2020)
    parser.add_argument("--cache-mib", type=int, default=256, help="GDAL_CACHEMAX of the peers")
    parser.add_argument("--limit-seconds", type=float, default=1800, help="longest time for one process")
    parser.add_argument("--install-peers", action="store_true", help="with GRASS, R terra and OTB from apt")
    parser.add_argument("--full-lattice", action="store_true", help="nalcms alone on the whole 30 m grid, once")
    parser.add_argument("--align", action="store_true", help="alignment from another CRS, beside gdalwarp")
    parser.add_argument("--full-lattice-size", default="255000x259000", metavar="ROWSxCOLS",
                        help="a smaller lattice, to try it")
    parser.add_argument("--sparse", action="store_true", help="full lattice: leave empty blocks out of the files")
    options = parser.parse_args()
    options.threads = [int(n) for n in options.threads.split(",")]
    options.work = os.path.abspath(options.work)
    options.root = ROOT
    options.nalcms, options.limit_program = os.environ["NALCMS"], os.environ["LIMIT"]
    options.peer_python = os.environ["PEER_PYTHON"]
    options.wheel_gdal = measure.said(options.peer_python, "-c", "import numba, rasterio; print(rasterio.__gdal_version__)")
    os.environ.update(GDAL_CACHEMAX=str(options.cache_mib), NUMBA_CACHE_DIR=os.path.join(options.work, "numba"),
                      PYTHONDONTWRITEBYTECODE="1", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", LC_ALL="C.UTF-8")
    return options


def once(tool, options, folder):
    """One run in an empty folder, with no writes of the run before still under way."""
    measure.fresh(folder)
    tool.prepare(folder)
    os.sync()
    done = measure.run(tool.command(folder), os.path.join(options.work, "last.log"), options.limit_seconds,
                       **tool.environment)
    tool.bytes_left = tool.output_bytes(folder)
    return done


def wrong(text):
    sys.exit(f"scripts/bench: WRONG RESULT: {text}")


def compare(tool, folder, reference, ref_folder, options):
    """Ends the bench if a result is not that of nalcms."""
    ours, theirs = reference.matrix(ref_folder), tool.matrix(folder)
    if not ours:
        wrong(f"the matrix of {reference.name} is empty")
    if ours != theirs:
        pairs = sorted(pair for pair in ours.keys() | theirs.keys() if ours.get(pair) != theirs.get(pair))
        some = "; ".join(f"{f} to {t}: {ours.get((f, t), 0)} and {theirs.get((f, t), 0)}" for f, t in pairs[:5])
        wrong(f"{len(pairs)} cells of the matrix differ between {reference.name} and {tool.name}: {some}")
    if tool.rasters:
        pairs = [path for both in zip(reference.rasters(ref_folder), tool.rasters(folder)) for path in both]
        done = subprocess.run([options.peer_python, "-B", f"{HERE}/check.py", "equal", *pairs], capture_output=True, text=True)
        if done.returncode:
            wrong(f"{reference.name} and {tool.name}: {done.stderr.strip()}")


def warm_up(rows, options, not_run):
    """The round before timing: drops what fails, compares what does not.

    What takes very long is not run again: its time from this round counts, as `slow` returns it.
    """
    reference, ref_folder = rows[0], os.path.join(options.work, "reference")
    sums, running, slow = {}, [], {}
    longest = None
    for tool in rows:
        folder = ref_folder if tool is reference else os.path.join(options.work, "run")
        say(f"{tool.job}: {tool.name}, {tool.threads} thread(s), not timed")
        done = once(tool, options, folder)
        trouble = done.trouble(options.limit_seconds)
        if trouble and tool.ours:
            sys.exit(f"scripts/bench: {tool.name}: {trouble}")
        if trouble:
            not_run.append((tool, trouble))
            say(f"  {trouble}")
            continue
        if tool.ours:
            with open(f"{folder}/out/SHA256SUMS") as file:
                text = file.read()
            if sums.setdefault(tool.name, text) != text:
                wrong(f"{tool.name} wrote other bytes with {tool.threads} thread(s)")
            if measure.said(options.nalcms, "verify", f"{folder}/out") is None:
                wrong(f"nalcms verify finds fault with {folder}/out")
        if tool is not reference:
            compare(tool, folder, reference, ref_folder, options)
        longest = longest or max(SLOW_SECONDS, SLOW_TIMES * done.wall)
        if done.wall > longest:
            slow[tool] = [done]
        running.append(tool)
    return running, slow


def timed(running, slow, options, log, **what):
    results = {tool: list(slow.get(tool, [])) for tool in running}
    for number in range(options.runs):
        for tool in running:
            if tool in slow:
                continue
            done = once(tool, options, os.path.join(options.work, "run"))
            trouble = done.trouble(options.limit_seconds)
            if trouble:
                sys.exit(f"scripts/bench: {tool.name} ran before and now {trouble}")
            results[tool].append(done)
            say(f"{tool.job}: round {number + 1}, {tool.name}, {tool.threads}: {done.wall:.2f} s, CPU {done.cpu:.2f} s")
            log.write(json.dumps({**what, "job": tool.job, "tool": tool.name, "threads": tool.threads, "wall_s": done.wall,
                                  "cpu_s": done.cpu, "peak_mib": done.peak_mib, "bytes": tool.bytes_left}) + "\n")
            log.flush()
    return results


def bench(options, profile, log):
    """The part of the report about one profile."""
    maps = inputs.Inputs(os.path.join(options.work, "inputs"), options.nalcms, options.size, profile, options.seed)
    maps.make(say)
    facts = maps.facts(options.peer_python, f"{HERE}/check.py")
    table = inputs.look_up_table(options.nalcms)
    options.lut_pairs = ";".join(f"{code}={to}" for code, to in {0: 0, **table}.items())
    options.lut = os.path.join(options.work, "lut.json")
    with open(options.lut, "w") as file:
        json.dump(table, file)
    wanted = [tool for tool in tools.all_tools(maps, options) if tool.job in options.jobs and (
        tool.ours or not options.only or any(fnmatch.fnmatch(tool.name, name) for name in options.only))]
    sections = [f"## {options.size} Mpx, {profile}\n\n{report.about_inputs(maps, facts)}"]
    not_run, shown = [], {}
    for job in options.jobs:
        rows = [tool for tool in wanted if tool.job == job]
        not_run += [(tool, tool.missing) for tool in rows if tool.missing]
        running, slow = warm_up([tool for tool in rows if not tool.missing], options, not_run)
        results = timed(running, slow, options, log, size=options.size, profile=profile)
        shown.update(results)
        sections.append(f"### {job}\n\n{report.table(running, results, maps.cells)}")
    reasons = {}
    for tool, reason in not_run:
        reasons.setdefault((tool.job, tool.name, reason), []).append(str(tool.threads))
    if reasons:
        lines = [f"- {job}, {name}, {' and '.join(threads)} thread(s): {reason}"
                 for (job, name, reason), threads in reasons.items()]
        sections.append("### Not run\n\n" + "\n".join(lines))

    def shorten(text):
        for path, name in ((options.peer_python, "python"), (maps.folder, "INPUTS"), (options.work, "WORK"), (ROOT, "."),
                           (os.path.dirname(options.nalcms) + "/", "")):
            text = text.replace(path, name)
        return text

    made = "\n".join(shorten(" ".join(command)) for command in maps.commands)
    sections.append(f"<details><summary>Commands</summary>\n\n```sh\n{made}\n```\n\n"
                    f"{report.commands(wanted, shown, shorten)}\n\nLUT: {options.lut_pairs}\n\n</details>")
    return "\n\n".join(sections)


def main():
    options = arguments()
    os.makedirs(options.work, exist_ok=True)
    load_before, start = os.getloadavg(), time.monotonic()
    with open(os.path.join(options.work, "runs.jsonl"), "a") as log:
        if options.full_lattice:
            parts = [lattice.bench(options, log, say)]
        elif options.align:
            parts = [warp.bench(options, log, say)]
        else:
            parts = [bench(options, profile, log) for profile in options.profile]
    load = [" ".join(f"{n:.1f}" for n in loads) for loads in (load_before, os.getloadavg())]
    versions = ", ".join(f"{name} {version}" for name, version in report.versions(options).items())
    head = f"""# scripts/bench {' '.join(sys.argv[1:])}

- Machine: {report.machine()}. Load average before: {load[0]}; after: {load[1]}. Took {time.monotonic() - start:.0f} s.
- Versions: {versions}.
- GDAL_CACHEMAX: {options.cache_mib} MiB for peers, 64 MiB inside nalcms, which sets it itself.
- Before timing, every row's results were found equal to those of nalcms: all cells of all maps at full resolution, all
  cells of the matrix between classes. Overviews were not compared: GDAL's are modes of modes.
- Medians; tools took turns. What takes over {SLOW_SECONDS} s and {SLOW_TIMES} times as long as nalcms ran once, in the round that
  checks. Ratios refer to the first row of nalcms with as many threads: above 1 is slower than nalcms."""
    if options.full_lattice or options.align:
        head = head[: head.index("- Before timing")].rstrip()
    text = "\n\n".join([head, *parts]) + "\n"
    print(text)
    if options.out:
        with open(options.out, "w") as file:
            file.write(text)


main()
