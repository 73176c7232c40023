"""The whole job in one process: rasterio reads both mosaics (VRTs) once, numba reclassifies, counts and codes, GDAL
makes the COGs.

usage: job_fused.py THREADS FROM.vrt TO.vrt LUT.json OUT_FOLDER
"""
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import rasterio

from kernels import CHANGE_NODATA, TEMPORARY, both, cog, look_up, matrix_of, np, strips

threads, paths, lut, out = int(sys.argv[1]), sys.argv[2:4], sys.argv[4], sys.argv[5]
NAMES = ("from", "to", "change")


def finish(name):
    """A COG in a process of its own: GDAL's threads do not survive a fork."""
    here = os.path.dirname(os.path.abspath(__file__))
    subprocess.run([sys.executable, f"{here}/rio_cog.py", f"{out}/{name}.tmp", f"{out}/{name}.tif", "1"], check=True)
    os.remove(f"{out}/{name}.tmp")


def main():
    table = np.zeros(256, np.uint8)
    with open(lut) as file:
        for code, to in json.load(file).items():
            table[int(code)] = to
    counts = np.zeros(65536, np.int64)
    with rasterio.open(paths[0]) as first, rasterio.open(paths[1]) as second:
        profile = dict(crs=first.crs, transform=first.transform, width=first.width, height=first.height, count=1)
        targets = [
            rasterio.open(f"{out}/{name}.tmp", "w", **profile, **TEMPORARY,
                          dtype="uint16" if name == "change" else "uint8",
                          nodata=CHANGE_NODATA if name == "change" else 0)
            for name in NAMES
        ]
        for window in strips(first):
            x, y = first.read(1, window=window), second.read(1, window=window)
            look_up(x.reshape(-1), table)
            look_up(y.reshape(-1), table)
            codes = np.empty(x.shape, np.uint16)
            both(x.ravel(), y.ravel(), counts, codes.reshape(-1))
            for target, cells in zip(targets, (x, y, codes)):
                target.write(cells, 1, window=window)
        for target in targets:
            target.close()
    matrix_of(counts, f"{out}/matrix.csv")
    if threads == 1:
        for name in NAMES:
            cog(f"{out}/{name}.tmp", f"{out}/{name}.tif", 1)
            os.remove(f"{out}/{name}.tmp")
    else:
        # Whole files side by side leave no core idle; NUM_THREADS inside one file does.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(finish, NAMES))


if __name__ == "__main__":
    main()
