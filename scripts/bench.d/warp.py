"""One map in another CRS taken to the continent's grids, by nalcms and by gdalwarp, in turn."""
import json
import os
import statistics
import subprocess

import inputs
import measure

# Albers of the United States (EPSG:5070), the CRS of NLCD; the map's upper left corner, some way off the middle of the
# continent's grids, so that their rows are turned against its own.
CRS, ORIGIN = "EPSG:5070", "0,2100000"
LEGEND = "nlcd"
BLOCKS = ["-co", "TILED=YES", "-co", "BLOCKXSIZE=512", "-co", "BLOCKYSIZE=512", "-co", "BIGTIFF=YES"]
CLOUD = ["-of", "COG", "-co", "BLOCKSIZE=512", "-co", "OVERVIEW_RESAMPLING=MODE", "-co", "BIGTIFF=YES"]


def counted(python, ours, theirs):
    """Cells, and cells that differ, of two rasters of one shape and place."""
    code = ("import sys, rasterio, numpy as np\n"
            "a, b = (rasterio.open(p) for p in sys.argv[1:])\n"
            "assert a.shape == b.shape and tuple(a.transform) == tuple(b.transform), 'another place'\n"
            "x, y = a.read(1), b.read(1)\nprint(x.size, int((x != y).sum()))")
    return [int(n) for n in subprocess.run([python, "-B", "-c", code, ours, theirs], check=True, capture_output=True,
                                           text=True).stdout.split()]


def place_of(path):
    """What gdalwarp must be told so that it makes cells at the same place: its own choice differs between versions."""
    told = json.loads(measure.said("gdalinfo", "-json", path))
    (x, width, _, y, _, height), (cols, rows) = told["geoTransform"], told["size"]
    wkt = path + ".wkt"
    with open(wkt, "w") as file:
        file.write(measure.said("gdalsrsinfo", "-o", "wkt2_2019", path))
    return ["-t_srs", wkt, "-te", *map(repr, (x, y + rows * height, x + cols * width, y)), "-ts", str(cols), str(rows)]


def bench(options, log, say):
    """The part of the report about alignment."""
    side = inputs.SIDES[options.size]
    folder = os.path.join(options.work, "inputs", f"albers-{options.size}-{options.seed}")
    source = os.path.join(folder, f"{LEGEND}_2015.tif")
    if not os.path.isdir(folder):
        unfinished = measure.fresh(folder + ".unfinished")
        subprocess.run([options.nalcms, "synth", "-o", unfinished, "--legend", LEGEND, "--years", "2015", "--profile",
                        "interior", "--crs", CRS, "--cell-size", "30", "--origin", ORIGIN, "--size", f"{side}x{side}",
                        "--seed", str(options.seed), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        os.rename(unfinished, folder)
    run = os.path.join(options.work, "run")
    ours = [options.nalcms, "align", source, "--legend", LEGEND, "--threads", "1", "--quiet", "-o", f"{run}/out.tif"]
    parts = []
    for title, grid, resampling, gdal in [
        ("Nearest neighbour, 30 m to 30 m", "nalcms-30m", "nearest", "near"),
        ("Mode, 30 m to 250 m", "nalcms-250m", "mode", "mode"),
    ]:
        reference = os.path.join(options.work, f"{gdal}.tif")
        command = [*ours, "--grid", grid, "--resampling", resampling]
        if os.path.exists(reference):
            os.remove(reference)
        subprocess.run([reference if word == f"{run}/out.tif" else word for word in command], check=True,
                       stdout=subprocess.DEVNULL)
        place = place_of(reference)
        warp = ["gdalwarp", "-q", "-overwrite", "-r", gdal, "-ovr", "NONE", *place, "-dstnodata", "0", "-wm", "256"]
        rows = [("nalcms, DEFLATE, overviews by mode", command),
                ("gdalwarp -et 0.125, DEFLATE, no overviews",
                 [*warp, "-et", "0.125", *BLOCKS, "-co", "COMPRESS=DEFLATE", source, f"{run}/out.tif"]),
                ("gdalwarp -et 0.125, uncompressed, no overviews",
                 [*warp, "-et", "0.125", *BLOCKS, source, f"{run}/out.tif"]),
                ("gdalwarp -et 0.125 to a COG, DEFLATE, overviews by mode",
                 [*warp, "-et", "0.125", *CLOUD, "-co", "COMPRESS=DEFLATE", source, f"{run}/out.tif"])]
        if gdal == "near":
            rows.append(("gdalwarp -et 0, DEFLATE, no overviews",
                         [*warp, "-et", "0", *BLOCKS, "-co", "COMPRESS=DEFLATE", source, f"{run}/out.tif"]))
        results, differing, size = {}, {}, {}
        for number in range(options.runs + 1):
            for name, command in rows:
                # Without approximation gdalwarp takes minutes a round and tells the same each time.
                if number > 1 and "-et 0," in name:
                    continue
                measure.fresh(run)
                os.sync()
                done = measure.run(command, os.path.join(options.work, "last.log"), options.limit_seconds)
                trouble = done.trouble(options.limit_seconds)
                if trouble:
                    raise SystemExit(f"scripts/bench: {name}: {trouble}")
                size[name] = os.path.getsize(f"{run}/out.tif")
                if number == 0:
                    cells, differing[name] = counted(options.peer_python, reference, f"{run}/out.tif")
                    if name.startswith("nalcms") and differing[name]:
                        raise SystemExit("scripts/bench: WRONG RESULT: nalcms gave other cells than before")
                    if "-et 0," in name and differing[name]:
                        raise SystemExit(f"scripts/bench: WRONG RESULT: {differing[name]} cells are not those of {name}")
                    if "-et 0," not in name:
                        continue
                results.setdefault(name, []).append(done)
                say(f"{title}: round {number}, {name}: CPU {done.cpu:.2f} s")
                log.write(json.dumps({"align": title, "tool": name, "wall_s": done.wall, "cpu_s": done.cpu,
                                      "peak_mib": done.peak_mib}) + "\n")
        middle = {name: statistics.median(run.cpu for run in runs) for name, runs in results.items()}
        first = middle[rows[0][0]]
        lines = ["| tool, one thread | runs | CPU s | Mpx of the grid per CPU s | peak MiB | output MB | cells unlike ours | CPU, nalcms = 1 |",
                 "|---|--:|--:|--:|--:|--:|--:|--:|"]
        for name, runs in results.items():
            peak = statistics.median(run.peak_mib for run in runs)
            share = f"{100 * differing[name] / cells:.3f} %" if not name.startswith("nalcms") else ""
            lines.append(f"| {name} | {len(runs)} | {middle[name]:.2f} | {cells / 1e6 / middle[name]:.1f} | {peak:.0f} | "
                         f"{size[name] / 1e6:.1f} | {share} | {middle[name] / first:.2f} |")
        parts.append(f"### {title}\n\n" + "\n".join(lines))
    return (f"## Alignment, {side} x {side} cells of 30 m\n\nA map in {CRS} with NLCD codes, blocks of 512, DEFLATE, taken to the "
            "continent's grids. gdalwarp reads no overviews and is told the place; what it makes is compared cell by cell.\n\n"
            + "\n\n".join(parts))
