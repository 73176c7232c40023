"""Change matrix of two maps: rasterio reads strips of blocks, numba or numpy counts.

usage: rio_matrix.py numba|numpy THREADS FROM TO MATRIX.csv
"""
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import rasterio
from rasterio.windows import Window

kernel, threads, paths, out = sys.argv[1], int(sys.argv[2]), sys.argv[3:5], sys.argv[5]

if kernel == "numba":
    import numba

    @numba.njit(nogil=True, cache=True)
    def count(x, y, counts):
        for i in range(x.size):
            counts[(np.int64(x[i]) << 8) | y[i]] += 1
else:

    def count(x, y, counts):
        counts += np.bincount((x.astype(np.uint16) << 8) | y, minlength=65536)


class Worker(threading.local):
    """Its own handles, buffers and counts."""

    def __init__(self):
        self.maps = [rasterio.open(path) for path in paths]
        self.cells = [np.empty((512, m.width), np.uint8) for m in self.maps]
        self.counts = np.zeros(65536, np.int64)
        everyone.append(self.counts)

    def strip(self, top):
        rows = min(512, self.maps[0].height - top)
        window = Window(0, top, self.maps[0].width, rows)
        x, y = (m.read(1, window=window, out=c[:rows]).ravel() for m, c in zip(self.maps, self.cells))
        count(x, y, self.counts)


everyone = []
with rasterio.open(paths[0]) as first:
    tops = range(0, first.height, 512)
worker = Worker()
if threads == 1:
    for top in tops:
        worker.strip(top)
else:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda top: worker.strip(top), tops))
counts = sum(everyone)
with open(out, "w") as file:
    file.write("from,to,cells\n")
    for i in np.nonzero(counts)[0]:
        file.write(f"{i >> 8},{i & 255},{counts[i]}\n")
