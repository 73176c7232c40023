"""Alignment against gdalwarp -r near -et 0, cell for cell; mosaics and reclassification against real pairs."""

import subprocess
import unittest

from support import Case, needs_gdalwarp, needs_rasterio, np, rasterio, real

if rasterio is not None:
    import rasterio.transform
    import rasterio.warp


@needs_rasterio
@needs_gdalwarp
class AlignAgainstGdalwarp(Case):
    def compare(self, source, legend, grid, cell, *flags):
        """Aligns a map with both programs; the extent is ours, so that GDAL's own choice does not matter."""
        self.nalcms("align", source, "-o", "ours.tif", "--grid", grid, "--legend", legend, *flags)
        with rasterio.open(self.folder / "ours.tif") as ours:
            bounds, cells = ours.bounds, ours.read(1)
            (self.folder / "target.wkt").write_text(ours.crs.to_wkt(version="WKT2_2019"))
        subprocess.run(
            ["gdalwarp", "-q", "-r", "near", "-et", "0", "-t_srs", "target.wkt", "-te", *map(str, bounds),
             "-tr", str(cell), str(cell), "-dstnodata", "0", str(source), "theirs.tif"],
            cwd=self.folder, check=True,
        )
        theirs = self.cells("theirs.tif")
        self.assertEqual(cells.shape, theirs.shape)
        self.assertGreater((cells != 0).sum(), cells.size // 20)
        self.assertEqual(int((cells != theirs).sum()), 0)

    def test_nlcd_from_albers_onto_the_30_m_grid(self):
        self.compare(real("nlcd/northampton_ma/NLCD_2001_*.tiff"), "nlcd", "nalcms-30m", 30)

    def test_canada_from_utm_onto_the_30_m_grid(self):
        self.compare(real("nalcms/canada2020*/clearwater_lake_land_cover.tif"), "nrcan", "nalcms-30m", 30)

    def test_mexico_from_laea_with_non_square_cells_onto_the_sphere(self):
        source = real("nalcms/mexico_3km*/image_colormap.tif")
        window = ("--extent=-500000,-3000000,300000,-2500000", "--outside-grid", "drop")
        self.compare(source, "nalcms", "nalcms-250m", 250, *window)

    def test_mexico_onto_the_30_m_grid_in_the_same_crs_needs_a_word(self):
        source = real("nalcms/mexico_3km*/image_nocolormap.tif")
        refusal = self.nalcms("align", source, "-o", "o.tif", "--grid", "nalcms-30m", "--legend", "nalcms", code=3)
        self.assertIn("3002.26", refusal.stderr)
        (self.folder / "job.toml").write_text(
            f"""
            name = "mexico"
            output = "out"
            [grid]
            preset = "nalcms-30m"
            extent = [-800000, -2000000, -760000, -1970000]
            outside_grid = "drop"
            [[source]]
            id = "mx"
            legend = "nalcms"
            resampling = "nearest"
            epochs = {{ 2010 = "{source}" }}
            """
        )
        self.nalcms("run", "job.toml")
        with rasterio.open(self.folder / "out/landcover/mexico_landcover_2010_30m.tif") as ours:
            bounds, cells = ours.bounds, ours.read(1)
            (self.folder / "target.wkt").write_text(ours.crs.to_wkt(version="WKT2_2019"))
        subprocess.run(
            ["gdalwarp", "-q", "-r", "near", "-et", "0", "-t_srs", "target.wkt", "-te", *map(str, bounds),
             "-tr", "30", "30", "-dstnodata", "0", str(source), "theirs.tif"],
            cwd=self.folder, check=True,
        )
        self.assertEqual(int((cells != self.cells("theirs.tif")).sum()), 0)

    def geographic(self, west, cols, crosses):
        """A geographic source whose longitudes leave -180..180, onto a coarse grid of the continent."""
        rng = np.random.default_rng(7)
        cells = rng.integers(1, 20, (200, cols)).astype("uint8")
        transform = rasterio.transform.from_origin(west, 75, 0.2, 0.2)
        with rasterio.open(self.folder / "globe.tif", "w", driver="GTiff", width=cols, height=200, count=1,
                           dtype="uint8", crs="EPSG:4326", transform=transform, nodata=0) as raster:
            raster.write(cells, 1)
        grid = """id = "coarse"\ntitle = "t"\nsource = "t"\norigin = [-4410000, 4310000]\ncell_size_m = 30000
                  shape = [255, 259]\ncrs = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"\n"""
        (self.folder / "coarse.toml").write_text(grid)
        self.nalcms("align", "globe.tif", "-o", "ours.tif", "--grid", "./coarse.toml", "--legend", "nalcms",
                    "--extent", "full", "--outside-grid", "drop")
        ours = self.cells("ours.tif")
        # Independent of any warper: each centre's longitude and latitude, then the cell of the source that holds it.
        x = -4410000 + (np.arange(259) + 0.5) * 30000
        y = 4310000 - (np.arange(255) + 0.5) * 30000
        xs, ys = np.meshgrid(x, y)
        laea = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
        lon, lat = (np.array(v).reshape(xs.shape) for v in rasterio.warp.transform(laea, "EPSG:4326", xs.ravel(), ys.ravel()))
        col = np.floor(((lon - west) % 360) / 0.2).astype(int)
        row = np.floor((75 - lat) / 0.2).astype(int)
        inside = (row >= 0) & (row < 200) & (col >= 0) & (col < cols)
        expected = np.where(inside, cells[np.clip(row, 0, 199), np.clip(col, 0, cols - 1)], 0)
        self.assertGreater(int(inside.sum()), crosses)
        self.assertEqual(int((ours != expected).sum()), 0)

    def test_longitudes_from_0_to_360(self):
        self.geographic(200, 400, 10_000)

    def test_a_tile_across_the_antimeridian(self):
        self.geographic(165, 250, 1_000)

    def test_a_source_that_goes_round_the_globe(self):
        self.geographic(-180, 1800, 20_000)

    def test_any_task_size_gives_the_same_bytes(self):
        source = real("nalcms/canada2020*/clearwater_lake_land_cover.tif")
        outputs = []
        for task in (512, 1024, 4096):
            name = f"o{task}.tif"
            self.nalcms("align", source, "-o", name, "--grid", "nalcms-30m", "--legend", "nrcan", "--task-cells", task)
            outputs.append((self.folder / name).read_bytes())
        self.assertEqual(len(set(outputs)), 1)


@needs_rasterio
class MosaicAndReclassOfRealMaps(Case):
    def test_four_cdl_tiles_make_the_published_mosaic_exactly(self):
        whole = real("mosaic/cdl_cultivated_2021_tiles/2021_cultivated_layer.tif")
        tiles = sorted(whole.parent.glob("2021_cultivated_layer_*.tif"))
        self.assertEqual(len(tiles), 4)
        self.nalcms("mosaic", *tiles, "-o", "out.tif", "--legend", "raw")
        with rasterio.open(self.folder / "out.tif") as ours, rasterio.open(whole) as theirs:
            self.assertEqual(ours.transform, theirs.transform)
            self.assertTrue((ours.read(1) == theirs.read(1)).all())

    def test_tiles_of_other_cells_and_crs_are_refused_with_the_reason(self):
        tiles = sorted(real("mosaic/overlap_rio-tiler/mosaic_value_1.tif").parent.glob("*.tif"))
        refusal = self.nalcms("mosaic", *tiles, "-o", "out.tif", "--legend", "raw", "--band", 1, code=3)
        for word in ("300.0386", "300.0382", "another CRS: WGS 84 instead of WGS 84 / UTM zone 18N"):
            self.assertIn(word, refusal.stderr)
        self.assertFalse((self.folder / "out.tif").exists())
        bands = self.nalcms("mosaic", *tiles, "-o", "out.tif", "--legend", "raw", code=3)
        self.assertIn("several bands", bands.stderr)

    def test_zion_reclassified_equals_its_published_reclassification(self):
        source = real("nlcd/zion_reclass_pair*/nlcd2011.tif")
        published = source.with_name("nlcd.tif")
        with rasterio.open(source) as s, rasterio.open(published) as p:
            codes, levels = s.read(1), p.read(1)
            valid = codes != 255
        # The published pair defines its own crosswalk; it must be a function of the code for this test to mean anything.
        crosswalk = {int(c): np.unique(levels[valid & (codes == c)]) for c in np.unique(codes[valid])}
        self.assertTrue(all(len(targets) == 1 for targets in crosswalk.values()))
        # The publisher numbers NLCD's level I (the first digit; Anderson system) from 1 without gaps.
        levels_of = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 7: 6, 8: 7, 9: 8}
        self.assertEqual({c: levels_of[c // 10] for c in crosswalk}, {c: int(t[0]) for c, t in crosswalk.items()})
        row = "[[row]]\nfrom = {}\nto = {}\nstatus = 'proposed'\nsource = 'first digit'\n"
        level = "[[class]]\ncode = {0}\nname = {{ en = 'level {0}' }}\nstatus = 'proposed'\nsource = 't'\n"
        rows = "".join(row.format(code, levels_of[code // 10]) for code in crosswalk)
        head = "id = 'nlcd-levels'\nfrom = 'nlcd'\nto = 'levels'\nsource = 't'\n"
        (self.folder / "cw.toml").write_text(head + rows)
        head = "id = 'levels'\ntitle = 't'\nsource = 't'\nfill = 0\n"
        (self.folder / "levels.toml").write_text(head + "".join(level.format(i) for i in range(1, 9)))
        self.nalcms("reclass", source, "-o", "out.tif", "--crosswalk", "./cw.toml", "--target-legend", "./levels.toml")
        ours = self.cells("out.tif")
        self.assertTrue((ours[valid] == levels[valid]).all())
        self.assertTrue((ours[~valid] == 0).all())


if __name__ == "__main__":
    unittest.main()
