"""Conditional rows on several strata against numpy: layers in three CRSs sampled at the centres of the source's cells, a source
in a fourth, carried by rasterio."""

import itertools
import json
import unittest

from support import Case, needs_rasterio, np, rasterio

try:
    import rasterio.transform
    import rasterio.warp
except ImportError:
    pass

LAEA = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
UTM = "EPSG:32614"

CLIMATE = {1: "polar", 2: "temperate", 3: "tropical", 4: "tropical"}
TREELINE = {-5: "above", 7: "below"}
COASTS = ["far", "near"]

# Of the keys that match, that with the fewest stars wins; none of these collide.
FOREST = {"*+*+*": 6, "polar+*+*": 2, "temperate+below+*": 5, "tropical+*+near": 3, "polar+above+far": 11, "tropical+below+near": 4}
SHRUB = {"above+*": 12, "below+near": 8, "*+far": 7, "above+far": 11}
GRASS = {"polar": 12, "*": 10}

ROWS = f"""
id = "own"
from = "nlcd"
to = "nalcms"
source = "this test"
[[row]]
from = 41
strata = ["climate", "treeline", "coast"]
to = {{ {", ".join(f'"{key}" = {code}' for key, code in FOREST.items())} }}
default = 1
status = "proposed"
source = "this test"
[[row]]
from = 52
strata = ["treeline", "coast"]
to = {{ {", ".join(f'"{key}" = {code}' for key, code in SHRUB.items())} }}
default = 9
status = "proposed"
source = "this test"
[[row]]
from = 71
stratum = "climate"
to = {{ {", ".join(f'"{key}" = {code}' for key, code in GRASS.items())} }}
default = 16
status = "proposed"
source = "this test"
[[row]]
from = 11
to = 18
status = "published"
source = "this test"
"""


def class_of(keys, values, default):
    """By the rule in words: a default where a value is missing, else the key with the fewest stars that matches."""
    if None in values:
        return default
    matching = [key for key in keys if all(part in ("*", value) for part, value in zip(key.split("+"), values))]
    least = min(key.count("*") for key in matching)
    (code,) = {keys[key] for key in matching if key.count("*") == least}
    return code


@needs_rasterio
class StrataAgainstNumpy(Case):
    def write(self, name, cells, crs, transform, nodata=None):
        with rasterio.open(self.folder / name, "w", driver="GTiff", width=cells.shape[1], height=cells.shape[0], count=1,
                           dtype=cells.dtype, crs=crs, transform=transform, nodata=nodata, tiled=True) as raster:
            raster.write(cells, 1)

    def test_cells_take_the_strata_under_the_centres_of_the_source(self):
        rng = np.random.default_rng(11)
        # The source: patches, so that some blocks lie in one value of each stratum and others do not.
        side, cell, west, north = 1150, 30, 419_000, 4_985_500
        place = rasterio.transform.from_origin(west, north, cell, cell)
        xs, ys = np.meshgrid(west + (np.arange(side) + 0.5) * cell, north - (np.arange(side) + 0.5) * cell)
        codes = np.kron(rng.choice([41, 41, 52, 71, 11, 0], (230, 230)), np.ones((5, 5), int))

        def under(crs, transform, cells):
            x, y = rasterio.warp.transform(UTM, crs, xs.ravel(), ys.ravel())
            places = [np.reshape(v, xs.shape) for v in ~transform * (np.array(x), np.array(y))]
            col, row = (np.floor(v).astype(int) for v in places)
            inside = (row >= 0) & (row < cells.shape[0]) & (col >= 0) & (col < cells.shape[1])
            found = cells[np.clip(row, 0, cells.shape[0] - 1), np.clip(col, 0, cells.shape[1] - 1)].astype(int)
            close = np.any([np.abs(v - np.round(v)) < 1e-4 for v in places], axis=0)
            return found, inside, close

        # Climates in Web Mercator, bytes without a nodata value, that leave the east of the map out.
        (x0,), (y0,) = rasterio.warp.transform(UTM, "EPSG:3857", [west - 2000], [north + 2000])
        climate_at = rasterio.transform.from_origin(x0, y0, 9_000, 9_000)
        climate = rng.choice(list(CLIMATE), (8, 5)).astype("uint8")
        self.write("climate.tif", climate, "EPSG:3857", climate_at)
        # Treelines in longitude and latitude, fine in the south and all below in the north, with holes.
        treeline_at = rasterio.transform.from_origin(-100.5, 45.2, 0.0015, 0.0015)
        treeline = rng.choice([-5, 7, 7, -9999], (500, 900), p=[0.4, 0.4, 0.15, 0.05]).astype("int16")
        treeline[:200, :480] = 7
        self.write("treeline.tif", treeline, "EPSG:4326", treeline_at, nodata=-9999)
        # Coasts in polygons, parted along meridians and a parallel.
        edges = [-100.6, -99.9, -99.75, -99.62, -99.0]
        boxes = [
            {"type": "Feature", "properties": {"k": COASTS[i % 2]}, "geometry": {"type": "Polygon", "coordinates": [
                [[a, 44.72], [b, 44.72], [b, 45.3], [a, 45.3], [a, 44.72]]]}}
            for i, (a, b) in enumerate(itertools.pairwise(edges))
        ]
        (self.folder / "coast.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": boxes}))
        lon, lat = (np.reshape(v, xs.shape) for v in rasterio.warp.transform(UTM, "EPSG:4326", xs.ravel(), ys.ravel()))
        strip = np.digitize(lon, edges) - 1
        coast = np.where(lat > 44.72, strip % 2, -1)
        # Edges are cut so finely that what is left of their bow is far below a metre.
        unsure = np.any([np.abs(lon - edge) < 1e-5 for edge in edges] + [np.abs(lat - 44.72) < 1e-5], axis=0)

        number, covered, close = under("EPSG:3857", climate_at, climate)
        climates = np.select([covered & (number == n) for n in CLIMATE], [1 + n for n in range(len(CLIMATE))], 0)
        unsure |= close
        height, covered, close = under("EPSG:4326", treeline_at, treeline)
        treelines = np.select([covered & (height == n) for n in TREELINE], [1, 2], 0)
        unsure |= close
        self.assertLess(int(unsure.sum()), 20_000)
        codes[unsure & (codes != 0)] = 11

        words = [[None, *CLIMATE.values()], [None, *TREELINE.values()], [*COASTS, None]]
        planes = [climates, treelines, coast]
        expected = np.select([codes == 11], [18], 0)
        for code, keys, default, layers in [(41, FOREST, 1, (0, 1, 2)), (52, SHRUB, 9, (1, 2)), (71, GRASS, 16, (0,))]:
            for numbers in itertools.product(*(range(len(words[layer])) for layer in layers)):
                here = codes == code
                for layer, n in zip(layers, numbers):
                    here = here & (planes[layer] == (n if layer < 2 or n < 2 else -1))
                values = [words[layer][n] for layer, n in zip(layers, numbers)]
                expected[here] = class_of(keys, values, default)
        self.assertEqual(set(np.unique(expected)), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, 18})

        # The map on a grid of its own CRS, cell by cell, and on one in another, by its centres.
        (self.folder / "own.toml").write_text(ROWS)
        rows, cols = 1000, 1100
        tx, ty = np.meshgrid((np.arange(cols) + 0.5) * 30, -(np.arange(rows) + 0.5) * 30)
        x, y = rasterio.warp.transform(LAEA, UTM, tx.ravel(), ty.ravel())
        places = [np.reshape(v, tx.shape) for v in ~place * (np.array(x), np.array(y))]
        col, row = (np.floor(v).astype(int) for v in places)
        inside = (row >= 0) & (row < side) & (col >= 0) & (col < side)
        sure = np.all([np.abs(v - np.round(v)) > 1e-4 for v in places], axis=0)
        carried = np.where(inside, expected[np.clip(row, 0, side - 1), np.clip(col, 0, side - 1)], 0)
        grids = {
            "own": (f'crs = "{UTM}"\norigin = [{west}, {north}]\nshape = [{side}, {side}]', expected, np.ones_like(expected, bool)),
            "other": (f'crs = "{LAEA}"\norigin = [0, 0]\nshape = [{rows}, {cols}]', carried, sure),
        }
        for dtype, (grid, (text, wanted, compared)), task in itertools.product(("uint8", "uint16"), grids.items(), (512, 4096)):
            self.write("map.tif", codes.astype(dtype), UTM, place)
            out = f"{grid}_{dtype}_{task}"
            self.job(f"""
                name = "s"
                output = "{out}"
                [grid]
                {text}
                cell_size_m = 30
                extent = "full"
                outside_grid = "drop"
                [[source]]
                id = "us"
                legend = "nlcd"
                crosswalk = "./own.toml"
                missing_stratum = "default"
                epochs = {{ 2010 = "map.tif" }}
                [strata.climate]
                path = "climate.tif"
                values = {{ {", ".join(f'{n} = "{word}"' for n, word in CLIMATE.items())} }}
                [strata.treeline]
                path = "treeline.tif"
                values = {{ {", ".join(f'"{n}" = "{word}"' for n, word in TREELINE.items())} }}
                [strata.coast]
                path = "coast.geojson"
                key = "k"
                [compute]
                task_cells = {task}
            """)
            found = self.cells(f"{out}/landcover/s_landcover_2010_30m.tif")
            self.assertEqual(int(((found != wanted) & compared).sum()), 0, out)
            self.assertLess(int((~compared).sum()), compared.size // 500)
            if grid == "own":
                counted = {}
                for line in self.table(f"{out}/tables/rule_coverage.csv"):
                    code = int(line["to_code"])
                    counted[code] = counted.get(code, 0) + int(line["pixels"])
                codes_found, pixels = np.unique(wanted[wanted != 0], return_counts=True)
                self.assertEqual({k: n for k, n in counted.items() if n}, dict(zip(codes_found.tolist(), pixels.tolist())))
        sums = {(self.folder / f"{grid}_{dtype}_{task}" / "SHA256SUMS").read_text() for grid in ["other"]
                for dtype in ("uint8", "uint16") for task in (512, 4096)}
        self.assertEqual(len(sums), 1)
        self.nalcms("verify", "other_uint8_512")


if __name__ == "__main__":
    unittest.main()
