"""Zones against rasterio.features: by cell centre, the first polygon in file order wins."""

import json
import unittest

from support import Case, crosstab, needs_rasterio, np, rasterio, real

try:
    import rasterio.transform
    import rasterio.warp
    from rasterio.features import rasterize
    from rasterio.warp import transform_geom
except ImportError:
    rasterize = transform_geom = None

# Keys are text: leading zeros and points must survive. The third overlaps the first two.
ZONES = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "properties": {"code": code, "label": label}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        for code, label, ring in [
            ("0402", "west", [[-72.76, 42.30], [-72.67, 42.40], [-72.70, 42.26], [-72.76, 42.30]]),
            ("09", "east", [[-72.66, 42.30], [-72.58, 42.38], [-72.60, 42.27], [-72.66, 42.30]]),
            ("8.10", "across", [[-72.72, 42.32], [-72.60, 42.34], [-72.60, 42.31], [-72.72, 42.29], [-72.72, 42.32]]),
        ]
    ],
}


def densified(geometry, pieces=500):
    """The same polygon with every edge cut: edges are straight in the layer's own CRS, not in the raster's."""
    ring = geometry["coordinates"][0]
    points = []
    for (x0, y0), (x1, y1) in zip(ring, ring[1:]):
        points += [[x0 + (x1 - x0) * i / pieces, y0 + (y1 - y0) * i / pieces] for i in range(pieces)]
    return {"type": "Polygon", "coordinates": [points + [ring[-1]]]}


@needs_rasterio
class ZonesInAnotherCrs(Case):
    def test_tables_by_zone_equal_rasterio_to_the_cell(self):
        years = (2001, 2006)
        maps = [real(f"nlcd/northampton_ma/NLCD_{y}_*.tiff") for y in years]
        (self.folder / "zones.geojson").write_text(json.dumps(ZONES))
        self.nalcms("change", *maps, "--years", *years, "--legend", "nlcd", "-o", "out", "--zones", "zones.geojson",
                    "--zone-key", "code", "--zone-name", "label", "--task-cells", "512")
        with rasterio.open(maps[0]) as raster:
            a, crs, transform = raster.read(1), raster.crs, raster.transform
        b = rasterio.open(maps[1]).read(1)
        polygons = [transform_geom("EPSG:4326", crs, densified(f["geometry"])) for f in ZONES["features"]]
        # rasterio burns later shapes over earlier ones, so the last goes first.
        order = list(zip(polygons, range(1, len(polygons) + 1)))[::-1]
        zones = rasterize(order, out_shape=a.shape, transform=transform)
        valid = (a != 0) & (b != 0)
        names = [f["properties"]["code"] for f in ZONES["features"]]
        for number, name in [(0, "outside"), *enumerate(names, 1)]:
            expected = crosstab(a, b, valid & (zones == number))
            self.assertGreater(len(expected), 10)
            self.assertEqual(self.matrix("out/tables/change_matrix.csv", zone_layer="zones", zone_id=name), expected)
        coverage = sum(rasterize([p], out_shape=a.shape, transform=transform) for p in polygons)
        self.assertEqual(self.run_json("out")["zone_overlap_pixels"], int((coverage > 1).sum()))
        self.assertGreater(int((coverage > 1).sum()), 0)
        labels = {r["zone_id"]: r["zone_name"] for r in self.table("out/tables/class_area.csv") if r["zone_layer"] == "zones"}
        self.assertEqual(labels, {"0402": "west", "09": "east", "8.10": "across", "outside": ""})

    def test_several_layers_in_other_crss_equal_rasterio_to_the_cell(self):
        # 3 x 3 blocks and a bit; polygons in longitude and latitude, a raster in UTM and one in longitude and latitude.
        rng = np.random.default_rng(3)
        rows, cols, cell, (west, north) = 1100, 1200, 30, (-20_000, 20_000)
        laea = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
        transform = rasterio.transform.from_origin(west, north, cell, cell)

        def write(name, cells, crs, place, nodata=None):
            with rasterio.open(self.folder / name, "w", driver="GTiff", width=cells.shape[1], height=cells.shape[0],
                               count=1, dtype=cells.dtype, crs=crs, transform=place, nodata=nodata) as raster:
                raster.write(cells, 1)

        lon, lat = (np.array(v) for v in rasterio.warp.transform(laea, "EPSG:4326", [west, west + cols * cell],
                                                                [north - rows * cell, north]))
        # Polygons that reach over the map and over each other; the first in the file wins.
        polygons = []
        for number in range(40):
            x, y = rng.uniform(*lon), rng.uniform(*lat)
            angles, radii = np.sort(rng.uniform(0, 2 * np.pi, 9)), rng.uniform(0.01, 0.08, 9)
            ring = [[x + r * np.cos(a), y + r * np.sin(a)] for a, r in zip(angles, radii)]
            polygons.append((f"{number % 25:02}", {"type": "Polygon", "coordinates": [ring + ring[:1]]}))
        layer = {"type": "FeatureCollection", "features": [
            {"type": "Feature", "properties": {"code": key}, "geometry": shape} for key, shape in polygons]}
        (self.folder / "parks.geojson").write_text(json.dumps(layer))
        shapes = [(key, transform_geom("EPSG:4326", laea, densified(shape))) for key, shape in polygons]
        keys = sorted({key for key, _ in shapes})

        def burned(dx=0.0, dy=0.0):
            """The first polygon in file order that holds each centre, of a grid shifted by parts of a cell."""
            order = [(shape, 1 + keys.index(key)) for key, shape in shapes][::-1]
            place = rasterio.transform.from_origin(west + dx * cell, north + dy * cell, cell, cell)
            return rasterize(order, out_shape=(rows, cols), transform=place)

        # Chords stand for the edges of polygons; a centre within a thousandth of a cell from an edge is left out.
        park = burned()
        unsure = np.any([burned(dx, dy) != park for dx in (-1e-3, 1e-3) for dy in (-1e-3, 1e-3)], axis=0)
        soils, (x0, y0) = rng.integers(-3, 12, (700, 800)).astype("int16"), (
            v[0] for v in rasterio.warp.transform("EPSG:4326", "EPSG:32614", [lon[0]], [lat[1]]))
        write("soils.tif", soils, "EPSG:32614", rasterio.transform.from_origin(x0 + 1000, y0 - 500, 45, 45), nodata=-3)
        basins = rng.integers(100, 140, (60, 70)).astype("uint8")
        write("basins.tif", basins, "EPSG:4326", rasterio.transform.from_origin(lon[0] - 0.02, lat[1] + 0.02, 0.006, 0.006))
        # The centre of each cell carried by rasterio, the cell of the zone raster that holds it; PROJ's releases differ by
        # some micrometres, so centres within a ten-thousandth of a cell from the edge of another are left out.
        xs, ys = np.meshgrid(west + (np.arange(cols) + 0.5) * cell, north - (np.arange(rows) + 0.5) * cell)

        def under(name, values):
            with rasterio.open(self.folder / name) as raster:
                x, y = rasterio.warp.transform(laea, raster.crs, xs.ravel(), ys.ravel())
                places = [np.reshape(v, xs.shape) for v in ~raster.transform * (np.array(x), np.array(y))]
                col, row = (np.floor(v).astype(int) for v in places)
                inside = (row >= 0) & (row < raster.height) & (col >= 0) & (col < raster.width)
                cells = values[np.clip(row, 0, raster.height - 1), np.clip(col, 0, raster.width - 1)].astype(int)
                close = np.any([np.abs(v - np.round(v)) < 1e-4 for v in places], axis=0)
                return cells, inside & (cells != raster.nodata if raster.nodata is not None else True), close

        (soil, has_soil, soil_close), (basin, has_basin, basin_close) = under("soils.tif", soils), under("basins.tif", basins)
        unsure |= soil_close | basin_close
        self.assertLess(int(unsure.sum()), rows * cols // 500)
        maps = [np.where(unsure, 0, rng.choice([0, 1, 2, 5, 14], (rows, cols))).astype("uint8") for _ in range(2)]
        for year, cells in zip((2010, 2015), maps):
            write(f"m_{year}.tif", cells, laea, transform)
        self.job("""
            name = "z"
            output = "out"
            [grid]
            crs = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
            origin = [-20000, 20000]
            cell_size_m = 30
            shape = [1100, 1200]
            [[source]]
            id = "s"
            country = "US"
            legend = "nalcms"
            epochs = { 2010 = "m_2010.tif", 2015 = "m_2015.tif" }
            [[zones]]
            id = "parks"
            path = "parks.geojson"
            key = "code"
            [[zones]]
            id = "soils"
            path = "soils.tif"
            [[zones]]
            id = "basins"
            path = "basins.tif"
            [[zones]]
            id = "three"
            by = ["country", "basins", "soils"]
            [compute]
            task_cells = 512
        """)
        self.nalcms("verify", "out")
        valid = (maps[0] != 0) & (maps[1] != 0)

        def compare(layer, planes):
            """Every zone of a layer against masks: by key, where each cell lies in it."""
            expected, rest = {}, valid.copy()
            for key, mask in planes:
                rest &= ~mask
                expected[key] = crosstab(*maps, valid & mask)
            expected["outside"] = crosstab(*maps, rest)
            found = {key: {} for key in expected}
            for row in self.table("out/tables/change_matrix.csv"):
                if row["zone_layer"] == layer:
                    found[row["zone_id"]][int(row["from_code"]), int(row["to_code"])] = int(row["pixels"])
            self.assertEqual(found, expected)
            self.assertGreater(sum(1 for counts in expected.values() if counts), 10)
            self.assertGreater(int(rest.sum()), 0)

        compare("parks", [(key, park == 1 + number) for number, key in enumerate(keys)])
        several = sum((rasterize([s for k, s in shapes if k == key], out_shape=valid.shape, transform=transform) > 0).astype(int)
                      for key in keys)
        facts = {layer["id"]: layer for layer in self.run_json("out")["layers"]}
        self.assertAlmostEqual(facts["parks"]["overlap_pixels"], int((several > 1).sum()), delta=int(unsure.sum()))
        self.assertGreater(int((several > 1).sum()), 100 * int(unsure.sum()))

        compare("soils", [(str(k), has_soil & (soil == k)) for k in range(-2, 12)])
        compare("basins", [(str(k), has_basin & (basin == k)) for k in range(100, 140)])
        both = has_soil & has_basin
        compare("three", [(f"US|{b}|{s}", both & (basin == b) & (soil == s)) for b in range(100, 140) for s in range(-2, 12)])

    def test_a_border_along_a_parallel_follows_the_parallel(self):
        # Four corners, edges of 45 degrees: as chords they would stray hundreds of kilometres from 49 N.
        box = {"type": "Polygon", "coordinates": [[[-125, 49], [-80, 49], [-80, 60], [-125, 60], [-125, 49]]]}
        layer = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"k": "north"}, "geometry": box}]}
        (self.folder / "zones.geojson").write_text(json.dumps(layer))
        laea = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
        size, cell = 400, 10_000
        transform = rasterio.transform.from_origin(-size / 2 * cell, size / 2 * cell, cell, cell)
        with rasterio.open(self.folder / "a.tif", "w", driver="GTiff", width=size, height=size, count=1, dtype="uint8",
                           crs=laea, transform=transform) as raster:
            raster.write(np.ones((size, size), "uint8"), 1)
        self.nalcms("change", "a.tif", "a.tif", "--years", 1, 2, "--legend", "nalcms", "-o", "out", "--zones",
                    "zones.geojson", "--zone-key", "k")
        centres = (np.arange(size) + 0.5 - size / 2) * cell
        xs, ys = np.meshgrid(centres, -centres)
        lon, lat = (np.array(v) for v in rasterio.warp.transform(laea, "EPSG:4326", xs.ravel(), ys.ravel()))
        inside = int(((lat >= 49) & (lat <= 60) & (lon >= -125) & (lon <= -80)).sum())
        rows = [r for r in self.table("out/tables/class_area.csv") if r["zone_id"] == "north" and r["year"] == "1"]
        self.assertEqual(sum(int(r["pixels"]) for r in rows), inside)

    def test_holes_parts_that_overlap_and_open_rings_are_held_as_they_are_burned(self):
        # On a grid of 3 x 3 blocks, with edges far from most cells: inside and outside whole blocks alike.
        def square(low, high):
            return [[low, low], [high, low], [high, high], [low, high], [low, low]]

        def layer(geometry):
            feature = {"type": "Feature", "properties": {"k": "z"}, "geometry": geometry}
            crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::5070"}}
            return {"type": "FeatureCollection", "crs": crs, "features": [feature]}

        size, cell = 1536, 30
        transform = rasterio.transform.from_origin(0, size * cell, cell, cell)
        with rasterio.open(self.folder / "a.tif", "w", driver="GTiff", width=size, height=size, count=1, dtype="uint8",
                           crs="EPSG:5070", transform=transform) as raster:
            raster.write(np.ones((size, size), "uint8"), 1)
        shapes = {
            "hole": {"type": "Polygon", "coordinates": [square(-90_000, 130_000), square(10_007, 40_003)]},
            "overlap": {"type": "MultiPolygon", "coordinates": [[square(-90_000, 130_000)], [square(-80_000, 120_000)]]},
            "partly": {"type": "MultiPolygon", "coordinates": [[square(-90_000, 30_011)], [square(9_001, 120_000)]]},
            "open": {"type": "Polygon", "coordinates": [[[-50_000, -50_000], [150_000, -50_000], [-50_000, 150_000]]]},
        }
        for name, shape in shapes.items():
            (self.folder / "zones.geojson").write_text(json.dumps(layer(shape)))
            self.nalcms("change", "a.tif", "a.tif", "--years", 1, 2, "--legend", "nalcms", "-o", name, "--zones",
                        "zones.geojson", "--zone-key", "k", "--tables-only")
            burned = np.zeros((size, size), bool)
            parts = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
            for rings in parts:
                closed = [ring if ring[0] == ring[-1] else ring + ring[:1] for ring in rings]
                polygon = {"type": "Polygon", "coordinates": closed}
                burned |= rasterize([polygon], out_shape=burned.shape, transform=transform).astype(bool)
            rows = [r for r in self.table(f"{name}/tables/class_area.csv") if r["zone_id"] == "z" and r["year"] == "1"]
            self.assertEqual(sum(int(r["pixels"]) for r in rows), int(burned.sum()), name)
            self.assertGreater(int(burned.sum()), 0)

    def test_real_ecoregions(self):
        maps = [real(f"other_multiyear/esa_cci_newguinea*/landcover{y}s.tif") for y in (2001, 2015)]
        layer = real("other_multiyear/esa_cci_newguinea*/ecoregionss.gpkg")
        self.nalcms("change", *maps, "--years", 2001, 2015, "--legend", "raw", "--tables-only", "-o", "out",
                    "--zones", layer, "--zone-key", "ECO_NAME")
        a, b = (rasterio.open(m).read(1, masked=True) for m in maps)
        valid = ~(np.ma.getmaskarray(a) | np.ma.getmaskarray(b))
        valid &= ~(np.isnan(a.data.astype(float)) | np.isnan(b.data.astype(float)))
        total = crosstab(a.data, b.data, valid)
        self.assertEqual(self.matrix("out/tables/change_matrix.csv", zone_layer="all"), total)
        rows = [r for r in self.table("out/tables/change_matrix.csv") if r["zone_layer"] == "zones"]
        self.assertEqual(sum(int(r["pixels"]) for r in rows), sum(total.values()))


if __name__ == "__main__":
    unittest.main()
