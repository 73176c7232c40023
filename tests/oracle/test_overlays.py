"""Coast and edits against numpy and rasterio.features: land and edits by cell centre, the fringe by looking around."""

import json
import unittest

from support import Case, needs_rasterio, np, rasterio

try:
    from rasterio.features import rasterize
    from rasterio.transform import from_origin
    from rasterio.warp import transform_geom
except ImportError:
    rasterize = from_origin = transform_geom = None

ROWS, COLS, CELL = 1150, 1400, 30
WEST, NORTH = -20_000, 1_600_000
YEARS = (2010, 2015, 2020)
WATER = 18

# Corners by their share of the grid's width and height, beyond the edges too. The second lies in the bay of the first.
LAND = [
    [(-0.1, 0.15), (0.55, 0.03), (0.71, 0.4), (0.45, 0.52), (0.68, 0.71), (0.4, 1.05), (-0.1, 0.9)],
    [(0.6, 0.5), (0.64, 0.49), (0.63, 0.55)],
    [(0.8, -0.09), (0.99, -0.004), (0.83, -0.004)],
]
LAKES = [[(0.1, 0.2), (0.3, 0.25), (0.2, 0.5)]]
BURNT = [[(0.3, 0.3), (0.75, 0.35), (0.5, 0.6)], [(0.4, 0.3), (0.5, 0.32), (0.45, 0.5)]]
CLOUDS = [[(0.05, 0.65), (0.25, 0.68), (0.12, 0.95)]]

JOB = """
name = "m"
output = "out"
[grid]
crs = "EPSG:5070"
origin = [-20000, 1600000]
cell_size_m = 30
shape = [1150, 1400]
extent = "full"
[[source]]
id = "a"
legend = "madmex"
epochs = { 2010 = "m_2010.tif", 2015 = "m_2015.tif", 2020 = "m_2020.tif" }
[coast]
land = "land.geojson"
fringe_cells = 7
great_lakes = "lakes.geojson"
[[edits]]
id = "burnt"
path = "burnt.geojson"
from_code = "*"
to_code = 16
epochs = [2015, 2020]
author = "A"
date = "2026-05-01"
reason = "r"
[[edits]]
id = "clouds"
path = "clouds.geojson"
from_code = "nodata"
to_code = 15
epochs = "all"
author = "B"
date = "2026-05-01"
reason = "r"
[compute]
task_cells = 512
"""


def place(share):
    return [WEST + share[0] * COLS * CELL, NORTH - share[1] * ROWS * CELL]


def densified(ring, pieces=400):
    points = []
    for (x0, y0), (x1, y1) in zip(ring, ring[1:]):
        points += [[x0 + (x1 - x0) * i / pieces, y0 + (y1 - y0) * i / pieces] for i in range(pieces)]
    return points + [ring[-1]]


@needs_rasterio
class CoastAndEditsInAnotherCrs(Case):
    def layer(self, name, shapes):
        """Writes polygons in longitude and latitude; gives back what they are on the grid.

        Their edges are so short that nobody needs to cut them: both programs burn the same points.
        """
        to_degrees = lambda ring: transform_geom("EPSG:5070", "EPSG:4326", {"type": "Polygon", "coordinates": [ring]})
        rings = [densified(to_degrees([place(p) for p in shape + shape[:1]])["coordinates"][0]) for shape in shapes]
        features = [{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}} for ring in rings]
        (self.folder / name).write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return [transform_geom("EPSG:4326", "EPSG:5070", feature["geometry"]) for feature in features]

    def test_maps_and_tables_equal_numpy_to_the_cell(self):
        transform = from_origin(WEST, NORTH, CELL, CELL)
        patches = lambda seed: np.random.default_rng(seed).integers(0, 7, (ROWS // 10 + 1, COLS // 10 + 1))
        codes = np.array([1, 2, 28, 29, 98, 0, 6], "uint8")
        maps = {year: codes[np.kron(patches(year), np.ones((10, 10), int))[:ROWS, :COLS]] for year in YEARS}
        for year, cells in maps.items():
            profile = dict(driver="GTiff", height=ROWS, width=COLS, count=1, dtype="uint8", crs="EPSG:5070", transform=transform,
                           tiled=True)
            with rasterio.open(self.folder / f"m_{year}.tif", "w", **profile) as raster:
                raster.write(cells, 1)
        width = 7
        land_shapes = self.layer("land.geojson", LAND)
        around = (ROWS + 2 * width, COLS + 2 * width)
        wider = from_origin(WEST - width * CELL, NORTH + width * CELL, CELL, CELL)
        land_around = rasterize(land_shapes, out_shape=around, transform=wider).astype(bool)
        near = np.zeros((ROWS, COLS), bool)
        for row in range(2 * width + 1):
            for col in range(2 * width + 1):
                near |= land_around[row:row + ROWS, col:col + COLS]
        land = land_around[width:width + ROWS, width:width + COLS]
        fringe = near & ~land
        burn = lambda name, shapes: rasterize(self.layer(name, shapes), out_shape=(ROWS, COLS), transform=transform).astype(bool)
        lakes, burnt, clouds = burn("lakes.geojson", LAKES), burn("burnt.geojson", BURNT), burn("clouds.geojson", CLOUDS)
        self.job(JOB)
        self.nalcms("verify", "out")
        # MAD-Mex by the crosswalk that ships; 98 is shadow, seen without a class, 0 is outside.
        table = np.zeros(256, "uint8")
        for code, to in {1: 1, 2: 5, 28: 15, 29: 18, 6: 8}.items():
            table[code] = to
        edits, coast, water = self.table("out/tables/edits.csv"), self.table("out/tables/coast.csv"), self.table("out/tables/water.csv")
        code = lambda text: int(text or 0)
        for year, cells in maps.items():
            said, decided = table[cells], cells != 0
            self.assertGreater(np.count_nonzero(fringe & (said == 0)), 100)
            expected_coast = {}
            for part, mask in (("fringe", fringe), ("masked", ~near & (said != 0))):
                for value, n in zip(*np.unique(said[mask], return_counts=True)):
                    expected_coast[part, int(value)] = int(n)
            found = {(r["part"], code(r["before_code"])): int(r["pixels"]) for r in coast if r["year"] == str(year)}
            self.assertEqual(found, expected_coast)
            final = np.where(land, said, np.where(fringe, WATER, 0))
            decided = np.where(land, decided, fringe)
            expected_edits = {}
            for name, mask, to, means in (("burnt", burnt if year > 2010 else burnt & False, 16, final != 0),
                                          ("clouds", clouds, 15, final == 0)):
                after = np.where(mask & means & decided, to, final)
                pairs, counts = np.unique(np.stack([final[mask], after[mask]]), axis=1, return_counts=True)
                expected_edits |= {(name, int(b), int(a)): int(n) for (b, a), n in zip(pairs.T, counts)}
                final = after
            found = {(r["edit"], code(r["before_code"]), code(r["after_code"])): int(r["pixels"]) for r in edits
                     if r["year"] == str(year)}
            self.assertEqual(found, expected_edits)
            self.assertIn(("clouds", 0, 15), found)
            np.testing.assert_array_equal(self.cells(f"out/landcover/m_landcover_{year}_30m.tif"), final)
            is_water = final == WATER
            parts = {"fringe": is_water & fringe, "great_lakes": is_water & land & lakes, "inland": is_water & land & ~lakes}
            found = {r["part"]: int(r["pixels"]) for r in water if r["zone_layer"] == "all" and r["year"] == str(year)}
            self.assertEqual(found, {part: int(np.count_nonzero(mask)) for part, mask in parts.items()})
            self.assertTrue(all(found.values()))


if __name__ == "__main__":
    unittest.main()
