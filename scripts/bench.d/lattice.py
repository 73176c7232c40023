"""Two years of the whole continental grid, 66 Gpx each, made of a pool of blocks that `nalcms synth` encoded.

Generating 2 x 66 Gpx would take hours; writing blocks that are compressed already takes a minute. The land is a pool of
16 x 16 blocks of the profile `interior`, laid like tiles on a floor in a blob of 36 % of the blocks; around it nothing is
mapped, as in the continental files. The pool's cells are counted here in plain Python, so the change matrix of the whole is
known without any program of the bench, and both results are held against it.
"""
import collections
import json
import math
import os
import shutil
import struct
import subprocess
import zlib

import inputs
import measure
import tools

BLOCK = 512
POOL_BLOCKS = 16
LAND = 0.36
# Upper left corner of the grid nalcms-30m.
ORIGIN = (-4410000.0, 4310000.0)
# What the job may leave beside its inputs: parts and results of three rasters, each at most half as large again.
ROOM = 3.0
LIMIT_SECONDS = 6 * 3600

WIDTH, HEIGHT, TILE_OFFSETS, TILE_SIZES, TIE_POINT = 256, 257, 324, 325, 33922
SIZE_OF_TYPE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 12: 8, 16: 8}
LONG8 = 16


class Tiff:
    """The first directory of a little-endian classic TIFF, as raw bytes by tag, and its blocks."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        order, magic, at = struct.unpack_from("<2sHI", self.data)
        if (order, magic) != (b"II", 42):
            raise SystemExit(f"{path} is no little-endian classic TIFF")
        self.tags = {}
        (number,) = struct.unpack_from("<H", self.data, at)
        for entry in range(at + 2, at + 2 + 12 * number, 12):
            tag, kind, count = struct.unpack_from("<HHI", self.data, entry)
            size = SIZE_OF_TYPE[kind] * count
            place = entry + 8 if size <= 4 else struct.unpack_from("<I", self.data, entry + 8)[0]
            self.tags[tag] = (kind, count, self.data[place : place + size])

    def numbers(self, tag):
        kind, count, raw = self.tags[tag]
        return struct.unpack(f"<{count}{ {3: 'H', 4: 'I', 12: 'd'}[kind]}", raw)

    def blocks(self):
        places = zip(self.numbers(TILE_OFFSETS), self.numbers(TILE_SIZES))
        return [self.data[at : at + size] for at, size in places]


def land(rows, cols):
    """Which blocks are mapped: LAND of them, one blob with an uneven coast that no edge touches."""
    def far(row, col):
        v, u = 2 * (row + 0.5) / rows - 1, 2 * (col + 0.5) / cols - 1
        edge = row in (0, rows - 1) or col in (0, cols - 1)
        return math.inf if edge else math.hypot(u, v) * (1 + 0.2 * math.sin(5 * u + 1) * math.cos(4 * v))

    distances = [[far(row, col) for col in range(cols)] for row in range(rows)]
    coast = sorted(distance for line in distances for distance in line)[int(LAND * rows * cols)]
    return [[distance < coast for distance in line] for line in distances]


def write(path, pool, size, mapped, sparse):
    """A BigTIFF: blocks row by row, then the directory."""
    blocks = pool.blocks()
    empty = b"" if sparse else zlib.compress(bytes(BLOCK * BLOCK), 6)
    offsets, sizes = [], []
    with open(path + ".tmp", "wb", buffering=1 << 22) as file:
        file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
        at = 16
        for row, line in enumerate(mapped):
            for col, is_land in enumerate(line):
                block = blocks[row % POOL_BLOCKS * POOL_BLOCKS + col % POOL_BLOCKS] if is_land else empty
                offsets.append(at if block else 0)
                sizes.append(len(block))
                file.write(block)
                at += len(block)
        tie_point = [*pool.numbers(TIE_POINT)[:3], *ORIGIN, 0.0]
        tags = {
            **pool.tags,
            WIDTH: (4, 1, struct.pack("<I", size[1])),
            HEIGHT: (4, 1, struct.pack("<I", size[0])),
            TILE_OFFSETS: (LONG8, len(offsets), struct.pack(f"<{len(offsets)}Q", *offsets)),
            TILE_SIZES: (LONG8, len(sizes), struct.pack(f"<{len(sizes)}Q", *sizes)),
            TIE_POINT: (12, 6, struct.pack("<6d", *tie_point)),
        }
        directory, values = struct.pack("<Q", len(tags)), b""
        start = at + (-at % 8)
        after = start + 8 + 20 * len(tags) + 8
        for tag, (kind, count, raw) in sorted(tags.items()):
            if len(raw) <= 8:
                value = raw.ljust(8, b"\0")
            else:
                value = struct.pack("<Q", after + len(values))
                values += raw + b"\0" * (-len(raw) % 8)
            directory += struct.pack("<HHQ", tag, kind, count) + value
        file.write(b"\0" * (start - at) + directory + struct.pack("<Q", 0) + values)
        file.seek(8)
        file.write(struct.pack("<Q", start))
    os.rename(path + ".tmp", path)


def expected(pools, mapped, sides):
    """Cells by pair of codes, nodata included, counted in plain Python."""
    repeats = collections.Counter(row % POOL_BLOCKS * POOL_BLOCKS + col % POOL_BLOCKS
                                  for row, line in enumerate(mapped) for col, is_land in enumerate(line) if is_land)
    blocks = [pool.blocks() for pool in pools]
    cells = collections.Counter()
    for number, times in repeats.items():
        first, second = (zlib.decompress(some[number]) for some in blocks)
        for pair, n in collections.Counter(zip(first, second)).items():
            cells[pair] += n * times
    cells[0, 0] += sides[0] * sides[1] - sum(cells.values())
    return cells


def bench(options, log, say):
    """The part of the report about the full lattice."""
    rows, cols = (int(side) for side in options.full_lattice_size.split("x"))
    threads = max(options.threads)
    folder = os.path.join(options.work, "inputs", f"lattice-{rows}x{cols}{'-sparse' if options.sparse else ''}-{options.seed}")
    pool_folder = os.path.join(options.work, "inputs", f"pool-{options.seed}")
    if not os.path.isdir(pool_folder):
        side = POOL_BLOCKS * BLOCK
        unfinished = measure.fresh(pool_folder + ".unfinished")
        subprocess.run([options.nalcms, "synth", "-o", unfinished, "--legend", inputs.TILE_LEGEND, "--years",
                        *map(str, inputs.YEARS), "--size", f"{side}x{side}", "--profile", "interior", "--seed",
                        str(options.seed), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        os.rename(unfinished, pool_folder)
    pools = [Tiff(os.path.join(pool_folder, f"{inputs.TILE_LEGEND}_{year}.tif")) for year in inputs.YEARS]
    mapped = land(-(-rows // BLOCK), -(-cols // BLOCK))
    share = sum(map(sum, mapped)) / (len(mapped) * len(mapped[0]))
    # The mean block may be off by the part of the pool that the coast cuts.
    size = sum(len(pool.data) for pool in pools) / POOL_BLOCKS**2 * sum(map(sum, mapped))
    paths = [os.path.join(folder, f"{inputs.TILE_LEGEND}_{year}.tif") for year in inputs.YEARS]
    missing = [path for path in paths if not os.path.exists(path)]
    need, free = size * (ROOM + len(missing) / 2), shutil.disk_usage(options.work).free
    if need > free:
        raise SystemExit(f"scripts/bench: the full lattice needs some {need / 1e9:.0f} GB, {free / 1e9:.0f} GB are free "
                         f"below {options.work}; name another --work")
    os.makedirs(folder, exist_ok=True)
    for path, pool in zip(paths, pools):
        if path in missing:
            say(f"writing {path}")
            write(path, pool, (rows, cols), mapped, options.sparse)
    say("counting the pool")
    truth = expected(pools, mapped, (rows, cols))
    table = {0: 0, **inputs.look_up_table(options.nalcms)}
    classes = collections.Counter()
    for (first, second), n in truth.items():
        classes[table[first], table[second]] += n
    valid = sum(tools.valid(truth).values())

    run = os.path.join(options.work, "run")
    year_from, year_to = inputs.YEARS
    change = tools.Tool("matrix", "change", threads, lambda out: [
        options.nalcms, "change", *paths, "--years", str(year_from), str(year_to), "--legend", inputs.TILE_LEGEND,
        "--tables-only", "--threads", str(threads), "--quiet", "-o", f"{out}/out"], tools.matrix_of_nalcms, keep=["out/tables"])
    kept = ["out/landcover/*.tif", "out/change/*.tif", "out/tables"]
    jobs = [(change, truth)]
    for compression in ("balanced",):
        jobs.append((tools.Tool(
            "job", f"run, {compression}", threads,
            lambda out: [options.nalcms, "run", f"{out}/job.toml", "--threads", str(threads), "--quiet"],
            tools.matrix_of_nalcms, keep=kept,
            prepare=lambda out, compression=compression: tools.write_job(f"{out}/job.toml", f"{out}/out", paths, compression),
        ), classes))
    cells = rows * cols
    lines = ["| job | threads | wall s | CPU s | Mpx/s | of mapped cells | Mpx per CPU s | peak MiB | output MB |",
             "|---|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for tool, counts in jobs:
        say(f"{tool.name}, {threads} thread(s)")
        measure.fresh(run)
        tool.prepare(run)
        os.sync()
        done = measure.run(tool.command(run), os.path.join(options.work, "last.log"), LIMIT_SECONDS)
        trouble = done.trouble(LIMIT_SECONDS)
        if trouble:
            raise SystemExit(f"scripts/bench: {tool.name}: {trouble}")
        if tool.matrix(run) != tools.valid(counts):
            raise SystemExit(f"scripts/bench: WRONG RESULT: the matrix of `{tool.name}` is not what the pool holds")
        output = tool.output_bytes(run)
        lines.append(f"| {tool.name} | {threads} | {done.wall:.1f} | {done.cpu:.1f} | {cells / 1e6 / done.wall:.0f} | "
                     f"{valid / 1e6 / done.wall:.0f} | {cells / 1e6 / done.cpu:.0f} | {done.peak_mib:.0f} | {output / 1e6:.0f} |")
        log.write(json.dumps({"lattice": [rows, cols], "job": tool.name, "threads": threads, "wall_s": done.wall,
                              "cpu_s": done.cpu, "peak_mib": done.peak_mib, "bytes": output}) + "\n")
    shutil.rmtree(run, ignore_errors=True)
    sizes = " and ".join(f"{os.path.getsize(path) / 1e9:.2f} GB" for path in paths)
    changed = sum(n for (a, b), n in tools.valid(truth).items() if a != b)
    table_text = "\n".join(lines)
    return f"""## {rows} x {cols} cells, two years

NLCD codes, one file a year of {sizes}, a pool of {POOL_BLOCKS} x {POOL_BLOCKS} blocks repeated; {100 * share:.1f} % of the
blocks are land, the others {'are left out' if options.sparse else 'hold nodata'}; mapped in both years
{100 * valid / cells:.1f} %, of those {100 * changed / valid:.2f} % changed. Files just written may lie in the page cache. Each
job ran once; its matrix is the one counted in the pool, its rasters were not compared.

{table_text}"""
