"""Alignment against gdalwarp -r near -et 0, cell for cell; mosaics and reclassification against real pairs."""

import hashlib
import os
import subprocess
import unittest
from pathlib import Path

from support import NALCMS, Case, needs_gdalwarp, needs_rasterio, np, rasterio, real

try:
    import pyproj
except ImportError:  # the decorator below says so
    pyproj = None

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


@unittest.skipIf(pyproj is None, "SKIPPED: pyproj is not installed")
@needs_rasterio
class GridsOfShifts(Case):
    """A datum whose best operation reads a grid of shifts, made here under the name that PROJ looks for."""

    NAME = "ca_nrc_ntv2_0.tif"
    WEST, NORTH, ACROSS, DOWN = -100.05, 55.03, 0.0004, 0.0003

    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(1)
        self.map = rng.integers(1, 20, (200, 300)).astype("uint8")
        with rasterio.open(self.folder / "map.tif", "w", driver="GTiff", width=300, height=200, count=1, dtype="uint8", crs="EPSG:4267",
                           transform=rasterio.transform.from_origin(self.WEST, self.NORTH, self.ACROSS, self.DOWN), nodata=0) as raster:
            raster.write(self.map, 1)
        (self.folder / "grids").mkdir()
        (self.folder / "job.toml").write_text(
            """
            name = "datum"
            output = "out"
            [grid]
            preset = "nalcms-30m"
            extent = [-6000, 1104000, 6000, 1116000]
            outside_grid = "drop"
            [compute]
            task_cells = 512
            [[source]]
            id = "s"
            legend = "nalcms"
            epochs = { 2010 = "map.tif" }
            """
        )
        database = Path(pyproj.datadir.get_data_dir())  # of another PROJ: its grid folder is added to the program's own
        installed = next((p for p in map(Path, ("/usr/share/proj", "/usr/local/share/proj", "/opt/homebrew/share/proj"))
                          if (p / "proj.db").exists()), database)
        self.environment = {**os.environ, "PROJ_LIB": f"{self.folder / 'grids'}:{installed}"}

    def install(self, seconds):
        """Shifts of so many seconds of arc to the north and the east, everywhere."""
        with rasterio.open(self.folder / "grids" / self.NAME, "w", driver="GTiff", width=70, height=30, count=2, dtype="float32", crs="EPSG:4267",
                           transform=rasterio.transform.from_origin(-131.5, 70.5, 1, 1)) as grid:
            grid.update_tags(TYPE="HORIZONTAL_OFFSET", AREA_OR_POINT="Point")
            grid.write(np.full((2, 30, 70), seconds, "float32"))
            for band, (name, towards) in enumerate((("latitude_offset", "north"), ("longitude_offset", "east")), 1):
                grid.set_band_description(band, name)
                grid.update_tags(band, positive_value=towards)
            grid.units = ("arc-second", "arc-second")

    def nalcms(self, *arguments):
        run = subprocess.run([NALCMS, *arguments], cwd=self.folder, capture_output=True, text=True, env=self.environment)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def expected(self):
        """By pyproj with the operation of run.json: the cell of the map that holds the centre of each cell of the product."""
        operation = self.run_json("out")["inputs"][0]["proj"]
        pyproj.datadir.append_data_dir(str(self.folder / "grids"))
        way = pyproj.Transformer.from_pipeline(operation)
        with rasterio.open(self.folder / "out/landcover/datum_landcover_2010_30m.tif") as ours:
            rows, cols = np.indices(ours.shape)
            x, y = rasterio.transform.xy(ours.transform, rows.ravel(), cols.ravel())
            cells = ours.read(1)
        lat, lon = (np.array(degrees).reshape(cells.shape) for degrees in way.transform(x, y, direction="INVERSE"))
        col, row = np.floor((lon - self.WEST) / self.ACROSS).astype(int), np.floor((self.NORTH - lat) / self.DOWN).astype(int)
        inside = (row >= 0) & (row < 200) & (col >= 0) & (col < 300)
        return cells, np.where(inside, self.map[np.clip(row, 0, 199), np.clip(col, 0, 299)], 0), operation

    def test_a_grid_that_comes_or_changes_redoes_the_tasks_that_rest_on_it(self):
        seen = []
        for seconds in (None, 36, 37):
            if seconds:
                self.install(seconds)
            if seen:
                told = self.nalcms("status", "job.toml")
                self.assertIn("1 stale", told)
                self.assertIn("the place of map.tif (source `s`, 2010) changed", told)
            self.assertIn("1 of 1 tasks computed", self.nalcms("run", "job.toml"))
            cells, expected, operation = self.expected()
            self.assertEqual(self.NAME in operation, bool(seconds), operation)
            if seconds:
                content = (self.folder / "grids" / self.NAME).read_bytes()
                told = self.run_json("out")["inputs"][0]["shift_grids"]
                self.assertEqual(told, [{"name": self.NAME, "sha256": hashlib.sha256(content).hexdigest()}])
            self.assertGreater(int((cells != 0).sum()), 50_000)
            self.assertEqual(int((cells != expected).sum()), 0)
            seen.append(cells)
        self.assertGreater(int((seen[0] != seen[1]).sum()), 30_000)
        self.assertGreater(int((seen[1] != seen[2]).sum()), 30_000)
        self.assertIn("0 of 1 tasks computed", self.nalcms("run", "job.toml"))


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
