"""Matrix and change raster of two maps in one pass: rasterio + numba; GDAL makes the COG.

usage: pair.py THREADS FROM TO MATRIX.csv CHANGE.tif
"""
import os
import sys

import rasterio

from kernels import CHANGE_NODATA, TEMPORARY, both, cog, matrix_of, np, strips

threads, paths, matrix, out = int(sys.argv[1]), sys.argv[2:4], sys.argv[4], sys.argv[5]
temporary = out + ".tmp"
counts = np.zeros(65536, np.int64)
with rasterio.open(paths[0]) as first, rasterio.open(paths[1]) as second:
    profile = dict(crs=first.crs, transform=first.transform, width=first.width, height=first.height, count=1)
    with rasterio.open(temporary, "w", **profile, **TEMPORARY, dtype="uint16", nodata=CHANGE_NODATA) as change:
        for window in strips(first):
            x, y = first.read(1, window=window), second.read(1, window=window)
            codes = np.empty(x.shape, np.uint16)
            both(x.ravel(), y.ravel(), counts, codes.reshape(-1))
            change.write(codes, 1, window=window)
matrix_of(counts, matrix)
cog(temporary, out, threads)
os.remove(temporary)
