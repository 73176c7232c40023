"""Counts of cell centres in larger cells, by numpy and rasterio."""

from support import np, rasterio

if rasterio is not None:
    import rasterio.transform
    import rasterio.warp

#: Centres beyond a raster that are counted as cells without data.
BEYOND = 40


def counts_of_centres(source, target, nodata):
    """Counts by target cell and code, of all centres of the source's lattice; code 0 is no data."""
    with rasterio.open(source) as raster:
        cells, transform, crs = raster.read(1), raster.transform, raster.crs
    cells = np.pad(cells, BEYOND, constant_values=nodata)
    rows, cols = np.indices(cells.shape)
    xs, ys = rasterio.transform.xy(transform, rows.ravel() - BEYOND, cols.ravel() - BEYOND)
    xs, ys = (np.array(v) for v in rasterio.warp.transform(crs, target.crs, xs, ys))
    left, width, _, top, _, height = target.transform.to_gdal()
    row, col = np.floor((ys - top) / height).astype(int), np.floor((xs - left) / width).astype(int)
    inside = (row >= 0) & (row < target.height) & (col >= 0) & (col < target.width)
    codes = np.where(cells.ravel() == nodata, 0, cells.ravel())
    counts = np.zeros((target.height, target.width, 256), dtype=int)
    np.add.at(counts, (row[inside], col[inside], codes[inside]), 1)
    return counts
