"""Shares of classes in larger cells against counts of cell centres in numpy."""

import unittest

from support import Case, needs_rasterio, np, rasterio, real
from votes import counts_of_centres

#: A share of 1, as rasters of fractions hold it.
WHOLE = 10_000


@needs_rasterio
class FractionAgainstNumpy(Case):
    def test_canada_from_30_m_utm_onto_the_250_m_sphere(self):
        source = real("nalcms/canada2020*/clearwater_lake_land_cover.tif")
        self.job(
            f"""
            name = "map"
            output = "out"
            legend = "nrcan"
            fractions = true
            [grid]
            preset = "nalcms-250m"
            [[source]]
            id = "ca"
            legend = "nrcan"
            resampling = "mode"
            epochs = {{ 2020 = "{source}" }}
            """
        )
        with rasterio.open(self.folder / "out/landcover/map_landcover_2020_250m.tif") as raster:
            cover = raster.read(1)
            counts = counts_of_centres(source, raster, 255)
        # Codes that the legend does not list would have ended the job; 0 and 255 are outside of Canada.
        self.assertEqual(int(counts[:, :, 255].sum()), 0)
        every, mapped = counts.sum(axis=2), counts[:, :, 1:].sum(axis=2)
        told = mapped > 0
        self.assertGreater(int(told.sum()), 1000)
        exact = counts / np.maximum(every, 1)[:, :, None] * WHOLE
        total = np.zeros(cover.shape, dtype=int)
        for path in sorted((self.folder / "out/fraction").glob("*_fraction_*.tif")):
            of = path.name.split("_")[2]
            with rasterio.open(path) as raster:
                self.assertEqual((raster.scales, raster.nodata), ((1 / WHOLE,), 65535))
                shares = raster.read(1).astype(int)
            self.assertTrue(((shares == 65535) == ~told).all(), of)
            total += shares
            expected = {"nodata": np.zeros(cover.shape), "outside": exact[:, :, 0]}.get(of)
            expected = exact[:, :, int(of)] if expected is None else expected
            self.assertLess(float(np.abs(shares - expected)[told].max()), 1, of)
        self.assertTrue((total[told] == WHOLE).all())
        with rasterio.open(self.folder / "out/fraction/map_purity_2020_250m.tif") as raster:
            purity = raster.read(1)
        own = np.take_along_axis(exact, cover[:, :, None].astype(int), axis=2)[:, :, 0]
        self.assertTrue(((purity == 65535) == (cover == 0)).all())
        self.assertLess(float(np.abs(purity.astype(float) - own)[cover != 0].max()), 1)
        self.nalcms("verify", "out")


if __name__ == "__main__":
    unittest.main()
