"""Alignment by mode against counts of cell centres in numpy; three nations' maps in one mosaic against gdalwarp."""

import shutil
import subprocess
import unittest

from support import Case, needs_gdalwarp, needs_rasterio, np, rasterio, real
from votes import counts_of_centres


@needs_rasterio
class ModeAgainstNumpy(Case):
    def check(self, source, grid, legend, nodata, *flags):
        self.nalcms("align", source, "-o", "ours.tif", "--grid", grid, "--legend", legend, "--resampling", "mode", *flags)
        with rasterio.open(self.folder / "ours.tif") as ours:
            cells = ours.read(1)
            counts = counts_of_centres(source, ours, nodata)
        every, classes = counts.sum(axis=2), counts[:, :, 1:]
        valid, most = classes.sum(axis=2), classes.max(axis=2)
        expected = (valid > 0) & (2 * valid >= every)
        self.assertGreater(int(expected.sum()), 1000)
        self.assertTrue(((cells != 0) == expected).all())
        won = np.take_along_axis(counts, cells[:, :, None].astype(int), axis=2)[:, :, 0]
        self.assertTrue((won == most)[expected].all())
        ties = ((classes == most[:, :, None]).sum(axis=2) > 1) & expected
        # The smaller code must not always win.
        self.assertGreater(int(ties.sum()), 0)
        first = classes.argmax(axis=2) + 1
        self.assertGreater(int((cells != first)[ties].sum()), 0)

    def test_canada_from_30_m_utm_onto_the_250_m_sphere(self):
        self.check(real("nalcms/canada2020*/clearwater_lake_land_cover.tif"), "nalcms-250m", "nrcan", 255)

    def test_nlcd_from_albers_onto_a_grid_of_km(self):
        source = real("nlcd/northampton_ma/NLCD_2001_*.tiff")
        (self.folder / "km.toml").write_text(
            """id = "km"\ntitle = "t"\nsource = "t"\norigin = [1000000, 1000000]\ncell_size_m = 700
               shape = [4000, 4000]\ncrs = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"\n"""
        )
        with rasterio.open(source) as raster:
            cells = raster.read(1)
        # Its own nodata, written as 0 for the count.
        self.assertFalse(((cells == 0) & (cells == 127)).any())
        self.check_nlcd(source, "./km.toml")

    def check_nlcd(self, source, grid):
        self.nalcms("align", source, "-o", "ours.tif", "--grid", grid, "--legend", "nlcd", "--resampling", "mode")
        with rasterio.open(self.folder / "ours.tif") as ours, rasterio.open(source) as raster:
            cells, codes = ours.read(1), raster.read(1)
            absent = [c for c in np.unique(codes) if c not in NLCD]
            fill = int(absent[0]) if absent else 0
            counts = counts_of_centres(source, ours, fill)
        counts[:, :, 0] += sum(counts[:, :, c] for c in absent if c != 0)
        for c in absent:
            counts[:, :, c] *= c == 0
        every, classes = counts.sum(axis=2), counts[:, :, 1:]
        valid, most = classes.sum(axis=2), classes.max(axis=2)
        expected = (valid > 0) & (2 * valid >= every)
        self.assertGreater(int(expected.sum()), 100)
        self.assertTrue(((cells != 0) == expected).all())
        won = np.take_along_axis(counts, cells[:, :, None].astype(int), axis=2)[:, :, 0]
        self.assertTrue((won == most)[expected].all())

    def test_tiles_vote_together_where_they_meet_and_tasks_do_not_matter(self):
        source = real("nalcms/canada2020*/clearwater_lake_land_cover.tif")
        with rasterio.open(source) as raster:
            cells, profile = raster.read(1), raster.profile
        height, width = cells.shape
        names = []
        for r, (top, bottom) in enumerate([(0, height // 2 + 3), (height // 2 - 5, height)]):
            for c, (left, right) in enumerate([(0, width // 3), (width // 3, width)]):
                corner, cell = (profile["transform"].c, profile["transform"].f), profile["transform"]
                transform = rasterio.Affine(cell.a, 0, corner[0] + left * cell.a, 0, cell.e, corner[1] + top * cell.e)
                part = {**profile, "height": bottom - top, "width": right - left, "transform": transform}
                names.append(f"tile{r}{c}.tif")
                with rasterio.open(self.folder / names[-1], "w", **part) as tile:
                    tile.write(cells[top:bottom, left:right], 1)
        job = """
            name = "map"
            output = "{name}"
            legend = "nrcan"
            [grid]
            preset = "nalcms-250m"
            [[source]]
            id = "ca"
            legend = "nrcan"
            resampling = "mode"
            epochs = {{ 2020 = {files} }}
            [compute]
            task_cells = {task}
            threads = {threads}
            """
        maps = []
        for name, files, task, threads in [
            ("whole", [str(source)], 4096, 1), ("tiles", names, 4096, 2), ("cut", names, 512, 1),
        ]:
            listed = "[" + ", ".join(f'"{f}"' for f in files) + "]"
            self.job(job.format(name=name, files=listed, task=task, threads=threads))
            maps.append((self.folder / f"{name}/landcover/map_landcover_2020_250m.tif").read_bytes())
            self.nalcms("verify", name)
        self.assertEqual(len(set(maps)), 1)


#: Classes of NLCD, as its publisher lists them; all else is no class.
NLCD = {11, 12, 21, 22, 23, 24, 31, 41, 42, 43, 51, 52, 71, 72, 73, 74, 81, 82, 90, 95}


@needs_rasterio
@needs_gdalwarp
class ThreeNationsAgainstGdalwarp(Case):
    def test_three_sources_of_three_crs_in_one_mosaic_at_3_km(self):
        northampton = real("nlcd/northampton_ma/NLCD_2001_*.tiff")
        clearwater = real("nalcms/canada2020*/clearwater_lake_land_cover.tif")
        mexico = real("nalcms/mexico_3km*/image_nocolormap.tif")
        for name, file in [("us", northampton), ("ca", clearwater), ("mx", mexico)]:
            shutil.copy(file, self.folder / f"{name}.tif")
        laea = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m +no_defs"
        self.job(
            f"""
            name = "three"
            output = "three"
            [grid]
            crs = "{laea}"
            origin = [-4410000, 4310000]
            cell_size_m = 3000
            shape = [2550, 2590]
            extent = "full"
            outside_grid = "drop"
            [[source]]
            id = "us"
            legend = "nlcd"
            missing_stratum = "default"
            epochs = {{ 2010 = "us.tif" }}
            [[source]]
            id = "ca"
            legend = "nrcan"
            epochs = {{ 2010 = "ca.tif" }}
            [[source]]
            id = "mx"
            legend = "nalcms"
            resampling = "nearest"
            epochs = {{ 2010 = "mx.tif" }}
            """
        )
        ours = self.cells("three/landcover/three_landcover_2010_3000m.tif")
        # Each source reclassified alone, then warped by GDAL without approximation.
        for name, crosswalk in [("us", "nlcd-nalcms"), ("ca", "nrcan-nalcms")]:
            flags = ["--missing-stratum", "default"] if name == "us" else []
            self.nalcms("reclass", f"{name}.tif", "-o", f"{name}19.tif", "--crosswalk", crosswalk, *flags)
        shutil.copy(self.folder / "mx.tif", self.folder / "mx19.tif")
        expected = np.zeros_like(ours)
        for name in ["us", "ca", "mx"]:
            subprocess.run(
                ["gdalwarp", "-q", "-r", "near", "-et", "0", "-ovr", "NONE", "-t_srs", laea, "-te", "-4410000", "-3340000", "3360000",
                 "4310000", "-tr", "3000", "3000", "-dstnodata", "0", f"{name}19.tif", f"{name}w.tif"],
                cwd=self.folder, check=True,
            )
            layer = self.cells(f"{name}w.tif")
            self.assertGreater(int((layer != 0).sum()), 30, name)
            expected = np.where(expected == 0, layer, expected)
        self.assertEqual(int((ours != expected).sum()), 0)


if __name__ == "__main__":
    unittest.main()
