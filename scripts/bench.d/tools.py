"""Every program of the bench: how it is called, what it leaves, why it cannot run."""
import csv
import glob
import json
import os
import re
import shutil

import inputs
import measure

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(HERE, "peers")
YEAR_FROM, YEAR_TO = inputs.YEARS


class Tool:
    """One row of a table: a command, and where its results are."""

    def __init__(self, job, name, threads, command, matrix, *, rasters=None, keep=(), environment=None, ours=False,
                 missing=None, limit=False, prepare=None):
        self.job, self.name, self.threads = job, name, threads
        self.command = command  # folder -> argv
        self.matrix = matrix  # folder -> {(from, to): cells}
        self.rasters = rasters  # folder -> [from, to, change]
        self.keep = keep  # names or patterns of the files that are the product
        self.environment = environment or {}
        self.ours, self.missing, self.limit = ours, missing, limit
        self.prepare = prepare or (lambda folder: None)

    def output_bytes(self, folder):
        return sum(inputs.size_of(path) for pattern in self.keep for path in glob.glob(os.path.join(folder, pattern)))


# How each program writes a matrix. Nodata (0) is left out: not all tell it.


def valid(cells):
    return {pair: n for pair, n in cells.items() if 0 not in pair and n}


def matrix_of_nalcms(folder):
    cells = {}
    with open(os.path.join(folder, "out/tables/change_matrix.csv"), newline="") as file:
        for row in csv.DictReader(file):
            if row["zone_layer"] == "all" and row["from_code"].isdigit() and row["to_code"].isdigit():
                cells[int(row["from_code"]), int(row["to_code"])] = int(row["pixels"])
    return valid(cells)


def matrix_of_triples(folder):
    """from, to, cells on each line, with commas or blanks between, numbers only or with a head."""
    cells = {}
    for path in glob.glob(os.path.join(folder, "matrix.*")):
        with open(path) as file:
            for line in file:
                words = re.split(r"[,\s]+", line.strip().replace('"', ""))
                if len(words) == 3 and all(re.fullmatch(r"\d+(\.0*)?(e\+\d+)?", word) for word in words):
                    cells[int(float(words[0])), int(float(words[1]))] = int(float(words[2]))
    return valid(cells)


def matrix_of_zonal_stats(folder):
    cells = {}
    with open(os.path.join(folder, "matrix.json")) as file:
        for feature in json.load(file)["features"]:
            row = feature["properties"]
            for code, share in zip(row["unique"], row["frac"]):
                cells[int(row["value"]), int(code)] = round(share * row["count"])
    return valid(cells)


def matrix_of_otb(folder):
    """A head that names the codes, then rows of cells."""
    heads, rows = {}, []
    with open(os.path.join(folder, "matrix.csv")) as file:
        for line in file:
            if line.startswith("#"):
                which, _, codes = line.partition(":")
                heads["from" if "eference" in which else "to"] = [int(code) for code in codes.split(",")]
            elif line.strip():
                rows.append([int(float(cell)) for cell in line.split(",")])
    return valid({(f, t): n for f, row in zip(heads["from"], rows) for t, n in zip(heads["to"], row)})


def all_tools(maps, options):
    """The tools of both jobs, those that cannot run with the reason."""
    wheel = options.wheel_gdal
    no_python = None if wheel else "no Python with rasterio and numba"
    no_gdal = None if shutil.which("gdalbuildvrt") else "GDAL's programs are not installed (gdal-bin)"
    no_algorithms = no_python
    if wheel and tuple(map(int, wheel.split(".")[:2])) < (3, 12):
        no_algorithms = f"the GDAL in rasterio's wheel is {wheel}; `gdal raster` needs 3.12 (a newer Python gets it)"

    def absent(program, package):
        return None if shutil.which(program) else f"not installed ({package}; --install-peers)"

    first, second = maps.whole
    python, wheel_gdal = options.peer_python, [options.peer_python, "-B", f"{PEERS}/gdal_of_wheel.py"]
    found = []
    for threads in options.threads:
        found += ours(maps, options, threads)
        common = dict(threads=threads, environment={"GDAL_NUM_THREADS": str(threads)})
        for kernel in ("numba", "numpy"):
            found.append(Tool(
                "matrix", f"rasterio + {kernel}", command=lambda out, kernel=kernel, threads=threads: [
                    python, f"{PEERS}/rio_matrix.py", kernel, str(threads), first, second, f"{out}/matrix.csv"],
                matrix=matrix_of_triples, keep=["matrix.*"], missing=no_python, **common))
        found.append(Tool(
            "matrix", "OTB ComputeConfusionMatrix", threads, lambda out: [
                "otbcli_ComputeConfusionMatrix", "-in", second, "-out", f"{out}/matrix.csv", "-format", "confusionmatrix",
                "-ref", "raster", "-ref.raster.in", first, "-ref.raster.nodata", "0", "-nodatalabel", "0"],
            matrix_of_otb, keep=["matrix.*"], missing=absent("otbcli_ComputeConfusionMatrix", "otb-bin"),
            environment={"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": str(threads)}))
        job = dict(matrix=matrix_of_triples, rasters=lambda out: [f"{out}/{n}.tif" for n in ("from", "to", "change")],
                   keep=["*.tif", "matrix.*"], **common)
        for way, name, missing in (
            ("cli", "gdal_translate (LUT in VRT) + numba", no_gdal or no_python),
            ("wheel", "rasterio.shutil.copy (LUT in VRT) + numba", no_gdal or no_python),
            ("pipeline", "gdal raster pipeline + numba", no_algorithms),
        ):
            found.append(Tool(
                "job", name, command=lambda out, way=way, threads=threads: [
                    f"{PEERS}/job_gdal.sh", way, str(threads), *maps.tiles, options.lut, options.lut_pairs, out],
                missing=missing, **job))
        found.append(Tool(
            "job", "rasterio + numba, fused", command=lambda out, threads=threads: [
                f"{PEERS}/job_fused.sh", str(threads), *maps.tiles, options.lut, out],
            missing=no_gdal or no_python, **job))
        if threads != options.threads[0]:
            continue
        # Those that know one thread only.
        found.append(Tool("matrix", "limit: libdeflate, histogram", 1,
                          lambda out: [options.limit_program, first, second, f"{out}/matrix.csv"], matrix_of_triples,
                          keep=["matrix.*"], limit=True))
        found.append(Tool("matrix", "gdal raster zonal-stats", 1, lambda out: [
            *wheel_gdal, "raster", "zonal-stats", "--zones", first, "--stat", "unique", "--stat", "frac", "--stat", "count",
            "-f", "GeoJSON", second, f"{out}/matrix.json"], matrix_of_zonal_stats, keep=["matrix.*"], missing=no_algorithms))
        found.append(Tool("matrix", "GDAL's programs", 1, None, None, missing=no_gdal or (
            "none of them cross-tabulates before `gdal raster zonal-stats` of 3.12")))
        found.append(Tool("matrix", "GRASS r.stats", 1,
                          lambda out: [f"{PEERS}/grass.sh", first, second, f"{out}/matrix.txt"], matrix_of_triples,
                          keep=["matrix.*"], missing=absent("grass", "grass-core")))
        found.append(Tool("matrix", "terra crosstab", 1,
                          lambda out: ["Rscript", f"{PEERS}/terra.R", first, second, f"{out}/matrix.csv"],
                          matrix_of_triples, keep=["matrix.*"], missing=no_terra()))
    return found


def no_terra():
    installed = measure.said("Rscript", "-e", "suppressMessages(library(terra))") is not None
    return None if installed else "not installed (r-cran-terra; --install-peers)"


def ours(maps, options, threads):
    """The rows of nalcms; the first of each job is the one that ratios refer to."""
    def change(out):
        return [options.nalcms, "change", *maps.whole, "--years", str(YEAR_FROM), str(YEAR_TO), "--legend", "nalcms",
                "--tables-only", "--threads", str(threads), "--quiet", "-o", f"{out}/out"]

    def rasters(out):
        names = [f"landcover/*_{YEAR_FROM}_*.tif", f"landcover/*_{YEAR_TO}_*.tif", "change/*.tif"]
        return [glob.glob(f"{out}/out/{name}")[0] for name in names]

    rows = [Tool("matrix", "nalcms", threads, change, matrix_of_nalcms, keep=["out/tables"], ours=True)]
    for compression in ("balanced", "small", "fast"):
        def prepare(out, compression=compression):
            write_job(f"{out}/job.toml", f"{out}/out", [f"{folder}/*.tif" for folder in maps.tiles], compression)

        rows.append(Tool("job", f"nalcms, {compression}", threads,
                         lambda out: [options.nalcms, "run", f"{out}/job.toml", "--threads", str(threads), "--quiet"],
                         matrix_of_nalcms, rasters=rasters, prepare=prepare, ours=True,
                         keep=["out/landcover/*.tif", "out/change/*.tif", "out/tables"]))
    return rows


def write_job(path, output, patterns, compression):
    with open(path, "w") as file:
        file.write(f"""name   = "bench"
output = "{output}"

[grid]
preset = "nalcms-30m"

[[source]]
id      = "us"
country = "US"
legend  = "{inputs.TILE_LEGEND}"
missing_stratum = "default"
[source.epochs]
{YEAR_FROM} = "{patterns[0]}"
{YEAR_TO} = "{patterns[1]}"

[compute]
compression = "{compression}"
""")
