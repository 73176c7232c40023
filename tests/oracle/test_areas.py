"""Areas of classes against polygons on the ellipsoid, measured by GeographicLib through pyproj."""

import unittest

from support import Case, needs_rasterio, np, rasterio

if rasterio is not None:
    import rasterio.transform

try:
    import pyproj
except ImportError:
    pyproj = None

PATCH = 10
POINTS = 8  # on each edge of a patch


def patch_areas(crs, transform, rows, cols):
    """Areas of the patches of a grid in m2: polygons whose edges are straight on the plane of the grid.

    Edges are cut into pieces whose ends are joined by geodesics; two distances between the ends are extrapolated to none.
    """
    base = crs.geodetic_crs
    geod = base.get_geod()
    to_base = pyproj.Transformer.from_crs(crs, base, always_xy=True)

    def measured(points):
        share = np.arange(points) / points
        ring_c = np.concatenate([share, np.ones(points), 1 - share, np.zeros(points)]) * PATCH
        ring_r = np.concatenate([np.zeros(points), share, np.ones(points), 1 - share]) * PATCH
        areas = np.empty((rows // PATCH, cols // PATCH))
        for r, c in np.ndindex(areas.shape):
            x = transform.c + transform.a * (ring_c + c * PATCH)
            y = transform.f + transform.e * (ring_r + r * PATCH)
            lon, lat = to_base.transform(x, y)
            areas[r, c] = abs(geod.polygon_area_perimeter(lon, lat)[0])
        return areas

    coarse, fine = measured(POINTS), measured(2 * POINTS)
    return (4 * fine - coarse) / 3


@needs_rasterio
@unittest.skipIf(pyproj is None, "SKIPPED: pyproj is not installed")
class AreasOfPolygons(Case):
    def compare(self, crs, west, north, cell, rows=600, cols=620):
        """Two maps of patches; every class of every year, every change has the area of its patches' polygons."""
        crs = pyproj.CRS(crs)
        transform = rasterio.transform.from_origin(west, north, cell, cell)
        draw = np.random.default_rng(2015)
        maps = {}
        for year in (2010, 2015):
            maps[year] = draw.choice(np.array([0, 1, 5, 8, 14, 18], np.uint8), (rows // PATCH, cols // PATCH))
            profile = dict(driver="GTiff", height=rows, width=cols, count=1, dtype="uint8", transform=transform)
            with rasterio.open(self.folder / f"{year}.tif", "w", crs=crs.to_wkt(), **profile) as raster:
                raster.write(np.kron(maps[year], np.ones((PATCH, PATCH), np.uint8)), 1)
        flags = ["--years", 2010, 2015, "--legend", "nalcms", "-o", "out"]
        self.nalcms("change", "2010.tif", "2015.tif", *flags, "--task-cells", "512")
        self.assertIn("sums of areas", self.nalcms("verify", "out").stdout)
        areas = patch_areas(crs, transform, rows, cols)
        worst = 0.0
        told = [row for row in self.table("out/tables/class_area.csv") if row["zone_layer"] == "all" and row["pixels"] != "0"]
        self.assertEqual(len(told), 10)
        for row in told:
            expected = areas[maps[int(row["year"])] == int(row["code"])].sum()
            worst = max(worst, abs(float(row["area_m2"]) / expected - 1))
        told = [row for row in self.table("out/tables/change_matrix.csv") if row["zone_layer"] == "all" and row["pixels"] != "0"]
        self.assertEqual(len(told), 25)
        for row in told:
            expected = areas[(maps[2010] == int(row["from_code"])) & (maps[2015] == int(row["to_code"]))].sum()
            worst = max(worst, abs(float(row["area_km2"]) * 1e6 / expected - 1))
        print(f"{crs.name}: areas differ by {worst:.1e} at most")
        self.assertLess(worst, 1e-7)

    def test_longitudes_and_latitudes_of_wgs_84(self):
        self.compare("EPSG:4326", -100, 52, 0.01)

    def test_longitudes_and_latitudes_of_nad_27(self):
        self.compare("EPSG:4267", -75, 47, 1 / 1200)

    def test_the_lambert_conformal_conic_of_canada(self):
        self.compare("EPSG:3979", -400_000, 900_000, 30)

    def test_the_same_in_cells_of_two_kilometres(self):
        self.compare("EPSG:3979", -700_000, 1_500_000, 2000)

    def test_utm(self):
        self.compare("EPSG:32618", 300_000, 5_100_000, 30)

    def test_a_web_map(self):
        self.compare("EPSG:3857", -9_000_000, 7_000_000, 250)


if __name__ == "__main__":
    unittest.main()
