"""What the peers on rasterio and numba share: the loops, the temporary files, the way to a COG."""
import numba
import numpy as np
import rasterio.shutil
from rasterio.windows import Window

CHANGE_NODATA = 65535
# The cheapest file that GDAL writes fast and reads fast: it is read once and deleted.
TEMPORARY = dict(driver="GTiff", tiled=True, blockxsize=512, blockysize=512, compress="zstd", zstd_level=1,
                 bigtiff="if_safer")


@numba.njit(nogil=True, cache=True)
def both(x, y, counts, codes):
    """Counts pairs of classes and writes from*100+to, 0 where the class stayed; 0 in either map is nodata."""
    for i in range(x.size):
        a, b = x[i], y[i]
        counts[(np.int64(a) << 8) | b] += 1
        if a == 0 or b == 0:
            codes[i] = CHANGE_NODATA
        elif a == b:
            codes[i] = 0
        else:
            codes[i] = np.uint16(a) * 100 + b


@numba.njit(nogil=True, cache=True)
def look_up(cells, table):
    for i in range(cells.size):
        cells[i] = table[cells[i]]


def strips(raster):
    for top in range(0, raster.height, 512):
        yield Window(0, top, raster.width, min(512, raster.height - top))


def matrix_of(counts, path):
    with open(path, "w") as file:
        file.write("from,to,cells\n")
        for i in np.nonzero(counts)[0]:
            file.write(f"{i >> 8},{i & 255},{counts[i]}\n")


def cog(source, target, threads):
    """GDAL's COG driver at its default level, overviews by mode."""
    rasterio.shutil.copy(source, target, driver="COG", compress="DEFLATE", overview_resampling="MODE",
                         bigtiff="IF_SAFER", num_threads=str(threads))
