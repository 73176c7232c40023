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
