"""The report: a table a job, and all that is needed to judge or repeat it."""
import os
import re
import shlex
import statistics

import measure


def machine():
    """CPU model, cores, memory, system."""
    def first(path, pattern):
        try:
            with open(path) as file:
                return (re.search(pattern, file.read()) or [None, "unknown"])[1].strip()
        except OSError:
            return "unknown"

    memory = first("/proc/meminfo", r"MemTotal:\s*(\d+)")
    gib = f"{int(memory) / 2**20:.0f} GiB" if memory.isdigit() else memory
    system = os.uname()
    model = first("/proc/cpuinfo", r"model name\s*:(.*)")
    return (f"{model}, {os.cpu_count()} cores, {gib}, {system.sysname} "
            f"{system.release} {system.machine}")


def versions(options):
    """Name and version of all that takes part."""
    def python(code):
        return measure.said(options.peer_python, "-c", code) if options.wheel_gdal else None

    def after(pattern, text):
        return (re.search(pattern, text) or [None, None])[1] if text else None

    with open(os.path.join(options.root, "Cargo.lock")) as file:
        libdeflate = after(r'name = "libdeflate-sys"\nversion = "([^"]+)"', file.read())
    commit = measure.said("git", "-C", options.root, "describe", "--always", "--dirty")
    bundled = python("import glob, os, rasterio; print(' '.join(sorted(os.path.basename(p) for p in glob.glob(os.path.join("
                     "os.path.dirname(os.path.dirname(rasterio.__file__)), 'rasterio.libs', '*')) if "
                     "os.path.basename(p).startswith(('libdeflate', 'libtiff')))))")
    found = {
        "nalcms": f"{after('nalcms (.*)', measure.said(options.nalcms, '--version'))} ({commit})",
        "rustc": after(r"rustc (\S+)", measure.said("rustc", "--version")),
        "libdeflate of nalcms": libdeflate,
        "GDAL of nalcms and of the programs": after(r"GDAL ([^,]+)", measure.said("gdalinfo", "--version")),
        "Python": python("import platform; print(platform.python_version())"),
        "rasterio": python("import rasterio; print(rasterio.__version__)"),
        "GDAL in rasterio's wheel": options.wheel_gdal,
        "beside it": bundled,
        "numba": python("import numba; print(numba.__version__)"),
        "numpy": python("import numpy; print(numpy.__version__)"),
        "GRASS": after(r"GRASS(?: GIS)? ([\d.]+)", measure.said("sh", "-c", "grass --version 2>&1")),
        "terra": measure.said("Rscript", "-e", "cat(as.character(packageVersion('terra')))"),
        "OTB": measure.said("dpkg-query", "-W", "-f", "${Version}", "otb-bin"),
    }
    return {name: version for name, version in found.items() if version}


def percent(share):
    return f"{100 * share:.1f} %"


def about_inputs(maps, facts):
    lines = [f"{maps.side} x {maps.side} cells a year ({maps.cells / 1e6:.0f} Mpx), profile `{maps.profile}`; tiles: 64 a "
             f"year of {maps.tile} cells a side, 16 more to the right and below, NLCD codes; whole files: NALCMS codes; all "
             "DEFLATE, blocks of 512."]
    if facts:
        packed = " and ".join(f"{ratio:.1f}" for ratio in facts["packed"])
        lines.append(
            f"Nodata {percent(facts['nodata'])}. Changed: {percent(facts['changed_of_mapped'])} of the mapped cells. Blocks "
            f"equal in both years: {percent(facts['equal_blocks'])}, of those with any mapped cell "
            f"{percent(facts['equal_mapped_blocks'])}; empty blocks {percent(facts['empty_blocks'])}. Files are {packed} times "
            "smaller than their cells.")
    return "\n".join(lines)


def row_of(tool, runs, reference, cells):
    """One line of a table; `runs` are measures, `reference` the medians of nalcms with as many threads."""
    if tool.limit:
        decode, count = (statistics.median(float(re.search(part + r" (\S+)", run.said)[1]) for run in runs)
                         for part in ("decode_s", "count_s"))
        cpu = decode + count
        ratio = f"{cpu / reference['cpu']:.2f}" if reference else ""
        return (f"| {tool.name}: {decode:.2f} + {count:.2f} s | 1 | {len(runs)} | | {cpu:.2f} | {cells / 1e6 / cpu:.0f} | | | "
                f"{ratio} | |")
    middle = medians(runs)
    walls = [run.wall for run in runs]
    ratios = [f"{middle[key] / reference[key]:.2f}" if reference else "" for key in ("cpu", "wall")]
    output = tool.bytes_left / 1e6
    return (f"| {tool.name} | {tool.threads} | {len(runs)} | {middle['wall']:.2f} ({min(walls):.2f}–{max(walls):.2f}) | "
            f"{middle['cpu']:.2f} | {cells / 1e6 / middle['cpu']:.0f} | {middle['peak_mib']:.0f} | {output:.2f} | "
            f"{ratios[0]} | {ratios[1]} |")


def medians(runs):
    return {key: statistics.median(getattr(run, key) for run in runs) for key in ("wall", "cpu", "peak_mib")}


HEAD = """| tool | threads | runs | wall s (min–max) | CPU s | Mpx per CPU s | peak MiB | output MB | CPU / ours | wall / ours |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""


def table(tools, results, cells):
    references = {}
    for tool in tools:
        if tool.ours and tool in results:
            references.setdefault(tool.threads, medians(results[tool]))
    rows = [row_of(tool, results[tool], references.get(tool.threads), cells)
            for tool in sorted(tools, key=lambda t: t.threads) if tool in results]
    return "\n".join([HEAD, *rows])


def commands(tools, results, shorten):
    lines = []
    for tool in tools:
        if tool in results:
            words = [f"{key}={value}" for key, value in tool.environment.items()]
            lines.append(f"# {tool.name}, {tool.threads}\n{shorten(shlex.join([*words, *tool.command('OUT')]))}")
    return "```sh\n" + "\n".join(lines) + "\n```"
