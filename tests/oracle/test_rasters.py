"""Rasters as other programs see them: COG validators, overviews by numpy, attribute tables by GDAL."""

import json
import shutil
import subprocess
import sys
import unittest
import xml.etree.ElementTree as ElementTree

from support import Case, needs_rasterio, np, rasterio, real

try:
    from rio_cogeo import cog_validate
except ImportError:
    cog_validate = None


def gdal_validator():
    """GDAL's own validator needs GDAL's Python module, which Debian ships for its own Python."""
    for python in (sys.executable, "/usr/bin/python3"):
        probe = [python, "-c", "import osgeo_utils.samples.validate_cloud_optimized_geotiff"]
        if shutil.which(python) and subprocess.run(probe, capture_output=True).returncode == 0:
            return [python, "-m", "osgeo_utils.samples.validate_cloud_optimized_geotiff", "--full-check=yes"]
    return None


def is_mode(native, nodata, level, overview):
    """Checks every overview cell by brute force: a mode of its native cells, nodata when under half is valid."""
    side = 2**level
    rows, cols = -(-native.shape[0] // side), -(-native.shape[1] // side)
    assert overview.shape == (rows, cols), (overview.shape, rows, cols)
    cell = (np.arange(native.shape[0])[:, None] // side) * cols + np.arange(native.shape[1])[None, :] // side
    codes, index = np.unique(native, return_inverse=True)
    counts = np.bincount(cell.ravel() * len(codes) + index.ravel(), minlength=rows * cols * len(codes))
    counts = counts.reshape(rows * cols, len(codes))
    total = counts.sum(1)
    counts[:, codes == nodata] = 0
    valid, most = counts.sum(1), counts.max(1)
    got = overview.ravel()
    empty = (valid == 0) | (valid * 2 < total)
    assert (got[empty] == nodata).all(), "a cell with less than half valid must be nodata"
    place = np.searchsorted(codes, got[~empty])
    assert (codes[place] == got[~empty]).all(), "an overview invented a class"
    assert (counts[~empty, place] == most[~empty]).all(), "an overview cell is no mode of its native cells"
    return int((~empty).sum())


@needs_rasterio
class RealMosaic(Case):
    def setUp(self):
        super().setUp()
        # A real map at 30 m with many classes, large enough for several levels.
        source = real("nalcms/canada2020*/clearwater_lake_land_cover.tif")
        self.job(
            f"""
            name = "lake"
            output = "out"
            language = ["en", "es", "fr"]
            [grid]
            preset = "nalcms-30m"
            [[source]]
            id = "ca"
            legend = "nrcan"
            epochs = {{ 2015 = "{source}", 2020 = "{source}" }}
            [change]
            unchanged = "identity"
            [compute]
            task_cells = 512
            """
        )
        self.rasters = sorted((self.folder / "out").glob("*/*.tif"))

    def test_every_raster_is_a_valid_cog(self):
        self.assertEqual(len(self.rasters), 3)
        if cog_validate is None:
            self.skipTest("SKIPPED: rio-cogeo is not installed")
        for raster in self.rasters:
            valid, errors, warnings = cog_validate(raster, strict=True, quiet=True)
            self.assertTrue(valid, (raster.name, errors, warnings))

    def test_gdals_validator_agrees(self):
        validator = gdal_validator()
        if validator is None:
            self.skipTest("SKIPPED: GDAL's Python module is not installed")
        for raster in self.rasters:
            run = subprocess.run([*validator, str(raster)], capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            self.assertIn("is a valid cloud optimized GeoTIFF", run.stdout)

    def test_every_overview_cell_is_a_mode_of_its_native_cells(self):
        for raster in self.rasters:
            with rasterio.open(raster) as opened:
                native, nodata, factors = opened.read(1), opened.nodata, opened.overviews(1)
            self.assertGreaterEqual(len(factors), 2)
            checked = 0
            for level in range(1, len(factors) + 1):
                checked += is_mode(native, nodata, level, self.cells(raster, level - 1))
            self.assertGreater(checked, 100_000)

    def test_gdal_reads_names_counts_and_colours(self):
        if shutil.which("gdalinfo") is None:
            self.skipTest("SKIPPED: gdalinfo is not installed")
        path = self.folder / "out/landcover/lake_landcover_2020_30m.tif"
        info = json.loads(subprocess.run(["gdalinfo", "-json", str(path)], capture_output=True, check=True).stdout)
        self.assertEqual(info["bands"][0]["noDataValue"], 0)
        rat = ElementTree.parse(f"{path}.aux.xml").find(".//GDALRasterAttributeTable")
        names = [field.find("Name").text for field in rat.iter("FieldDefn")]
        self.assertEqual(names[:3], ["Value", "Count", "Class"])
        self.assertIn("Class_fr", names)
        cells = self.cells(path)
        for row in rat.iter("Row"):
            values = [f.text for f in row.iter("F")]
            self.assertEqual(int(float(values[1])), int((cells == int(values[0])).sum()), values)
        with rasterio.open(path) as raster:
            self.assertEqual(raster.colormap(1)[18][:3], (76, 112, 163))  # the CEC's blue of water
            self.assertEqual(raster.descriptions[0], "land_cover_2020")

    def test_the_change_raster_has_its_own_table(self):
        path = self.folder / "out/change/lake_change_2015_2020_30m.tif"
        cells = self.cells(path)
        rat = ElementTree.parse(f"{path}.aux.xml").find(".//GDALRasterAttributeTable")
        rows = {int(r[0].text): int(float(r[1].text)) for r in rat.iter("Row")}
        codes, counts = np.unique(cells[cells != 65535], return_counts=True)
        self.assertEqual(rows, dict(zip(codes.tolist(), counts.tolist())))
        self.assertTrue(all(code // 100 == code % 100 for code in rows))


if __name__ == "__main__":
    unittest.main()
