"""Looks at cells with rasterio, so that no result is believed.

usage: check.py facts FROM TO        shares of nodata, change and equal blocks, as JSON
       check.py equal A B [A B …]    exit 1 and the first difference unless all cells are equal
"""
import json
import os
import sys

os.environ.setdefault("GDAL_CACHEMAX", "64")
import numpy as np  # noqa: E402
import rasterio  # noqa: E402
from rasterio.windows import Window  # noqa: E402

BLOCK = 512


def strips(raster):
    for top in range(0, raster.height, BLOCK):
        yield Window(0, top, raster.width, min(BLOCK, raster.height - top))


def facts(paths):
    nodata = changed = cells = same = same_mapped = mapped_blocks = blocks = 0
    with rasterio.open(paths[0]) as first, rasterio.open(paths[1]) as second:
        for window in strips(first):
            x, y = first.read(1, window=window), second.read(1, window=window)
            cells += x.size
            nodata += int(np.count_nonzero(x == 0))
            differs = x != y
            changed += int(np.count_nonzero(differs))
            for left in range(0, x.shape[1], BLOCK):
                equal = not differs[:, left : left + BLOCK].any()
                mapped = bool(x[:, left : left + BLOCK].any())
                blocks, mapped_blocks = blocks + 1, mapped_blocks + mapped
                same, same_mapped = same + equal, same_mapped + (equal and mapped)
    print(json.dumps({
        "nodata": nodata / cells, "changed_of_all": changed / cells, "changed_of_mapped": changed / max(1, cells - nodata),
        "equal_blocks": same / blocks, "equal_mapped_blocks": same_mapped / max(1, mapped_blocks),
        "empty_blocks": (blocks - mapped_blocks) / blocks,
        "packed": [cells / os.path.getsize(path) for path in paths],
    }))


def equal(ours, theirs):
    with rasterio.open(ours) as a, rasterio.open(theirs) as b:
        for what, x, y in (("size", a.shape, b.shape), ("type", a.dtypes, b.dtypes),
                           ("place", tuple(a.transform), tuple(b.transform))):
            if x != y:
                sys.exit(f"{what} differs: {x} in {ours}, {y} in {theirs}")
        for window in strips(a):
            x, y = a.read(1, window=window), b.read(1, window=window)
            if not np.array_equal(x, y):
                row, col = (int(i[0]) for i in np.nonzero(x != y))
                sys.exit(f"{np.count_nonzero(x != y)} cells differ below row {window.row_off}, the first at row "
                         f"{row + window.row_off}, column {col}: {x[row, col]} in {ours}, {y[row, col]} in {theirs}")


if sys.argv[1] == "facts":
    facts(sys.argv[2:4])
else:
    for pair in zip(sys.argv[2::2], sys.argv[3::2]):
        equal(*pair)
