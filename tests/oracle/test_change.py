"""Change matrices, areas and statistics against numpy."""

import unittest

from support import Case, crosstab, needs_rasterio, np, rasterio, real

NORTHAMPTON = "nlcd/northampton_ma/NLCD_{}_*.tiff"


@needs_rasterio
class ChangeOfRealMaps(Case):
    def test_northampton_in_its_own_grid_gives_the_exact_counts(self):
        for years in [(2001, 2006), (2006, 2011), (2001, 2011)]:
            maps = [real(NORTHAMPTON.format(y)) for y in years]
            self.nalcms("change", *maps, "--years", *years, "--legend", "nlcd", "-o", f"out{years}")
            a, b = (rasterio.open(m).read(1) for m in maps)
            expected = crosstab(a, b, (a != 0) & (b != 0))
            self.assertEqual(self.matrix(f"out{years}/tables/change_matrix.csv", zone_layer="all"), expected)
            raster = self.cells(f"out{years}/change/nlcd_change_{years[0]}_{years[1]}_30m.tif")
            coded = np.where((a == 0) | (b == 0), 65535, np.where(a == b, 0, a.astype(int) * 100 + b))
            self.assertTrue((raster == coded).all())

    def test_lcmap_without_a_legend(self):
        a = real("lcmap/CU_001004_1999/*LCPRI.tif")
        self.nalcms("change", a, a, "--years", 1999, 2000, "--legend", "raw", "--tables-only", "-o", "out")
        cells = rasterio.open(a).read(1)
        expected = crosstab(cells, cells, cells != rasterio.open(a).nodata)
        self.assertEqual(self.matrix("out/tables/change_matrix.csv", zone_layer="all"), expected)

    def test_other_legends_count_what_numpy_counts(self):
        a, b = (real(f"other_multiyear/pie_ma_lulcc/lu_pie_{y}.tif") for y in (1985, 1999))
        self.nalcms("change", a, b, "--years", 1985, 1999, "--legend", "raw", "--tables-only", "-o", "out")
        with rasterio.open(a) as ra, rasterio.open(b) as rb:
            x, y = ra.read(1, masked=True), rb.read(1, masked=True)
            valid = ~(np.ma.getmaskarray(x) | np.ma.getmaskarray(y))
            valid &= ~(np.isnan(x.data.astype(float)) | np.isnan(y.data.astype(float)))
            expected = crosstab(x.data.astype(int), y.data.astype(int), valid)
        self.assertEqual(self.matrix("out/tables/change_matrix.csv", zone_layer="all"), expected)


@needs_rasterio
class MainJobOnNorthampton(Case):
    def setUp(self):
        super().setUp()
        maps = "\n".join(f'{y} = "{real(NORTHAMPTON.format(y))}"' for y in (2001, 2006, 2011))
        self.job(
            f"""
            name = "northampton"
            output = "out"
            [grid]
            preset = "nalcms-30m"
            [[source]]
            id = "us"
            country = "US"
            legend = "nlcd"
            missing_stratum = "default"
            [source.epochs]
            {maps}
            """
        )

    def test_tables_agree_with_the_mosaics(self):
        maps = {y: self.cells(f"out/landcover/northampton_landcover_{y}_30m.tif") for y in (2001, 2006, 2011)}
        for y1, y2 in [(2001, 2006), (2006, 2011)]:
            a, b = maps[y1], maps[y2]
            valid = (a != 0) & (b != 0)
            where = {"zone_layer": "all", "year_from": y1}
            self.assertEqual(self.matrix("out/tables/change_matrix.csv", **where), crosstab(a, b, valid))
            rows = [r for r in self.table("out/tables/change_matrix.csv") if r["zone_layer"] == "all" and r["year_from"] == str(y1)]
            self.assertEqual(len(rows), 361)
            for row in rows:
                self.assertEqual(float(row["area_m2"]), int(row["pixels"]) * 900.0)
                self.assertEqual(float(row["area_ha"]), int(row["pixels"]) * 900.0 / 10_000)
        for row in self.table("out/tables/class_area.csv"):
            if row["zone_layer"] == "all":
                self.assertEqual(int(row["pixels"]), int((maps[int(row["year"])] == int(row["code"])).sum()))

    def test_net_change_is_what_the_matrix_says(self):
        counts = self.matrix("out/tables/change_matrix.csv", zone_layer="all", year_from=2001)
        matrix = np.zeros((20, 20), dtype=np.int64)
        for (f, t), n in counts.items():
            matrix[f, t] = n
        gain = matrix.sum(0) - np.diag(matrix)
        loss = matrix.sum(1) - np.diag(matrix)
        exchange = 2 * (np.minimum(matrix, matrix.T).sum(1) - np.diag(matrix))
        expected = {
            "gain": gain, "loss": loss, "persistence": np.diag(matrix), "net_change": gain - loss,
            "gross_change": gain + loss, "quantity": abs(gain - loss), "exchange": exchange,
            "shift": gain + loss - abs(gain - loss) - exchange, "from_total": matrix.sum(1), "to_total": matrix.sum(0),
        }
        rates = 0
        for row in self.table("out/tables/net_change.csv"):
            if row["zone_layer"] != "all" or row["year_from"] != "2001" or row["code"] == "total":
                continue
            code = int(row["code"])
            if row["statistic"] in expected:
                self.assertEqual(int(row["pixels"]), int(expected[row["statistic"]][code]), row)
            elif row["pct_per_year"]:
                rate = np.log(matrix[:, code].sum() / matrix[code].sum()) * 100 / 5
                self.assertAlmostEqual(float(row["pct_per_year"]), rate, places=9)
                rates += 1
        self.assertGreater(rates, 5)

    def test_verify_agrees(self):
        self.nalcms("verify", "out")

    def test_run_json_says_what_rests_on_proposed_rows(self):
        self.assertTrue(all(y["proposed_pixels"] > 0 for y in self.run_json("out")["rests_on"]))


if __name__ == "__main__":
    unittest.main()
