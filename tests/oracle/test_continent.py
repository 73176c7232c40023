"""A continent of four sections with everything on, against numpy: every cell and every row."""

import json
import shutil
import tempfile
import unittest
from pathlib import Path

from support import Case, REPOSITORY, needs_rasterio, np

try:
    import pyproj
except ImportError:
    pyproj = None

import continent_model
import continent_world as world
from continent_world import CELL, PAIRS, YEARS

needs_pyproj = unittest.skipIf(pyproj is None, "SKIPPED: pyproj is not installed")

RULES = """
[[rule]]
id = "mexico-2010"
country = "MX"
years = [2010, 2015]
verdict = "change-product-only"
reason = "a new baseline"
source = "t"
status = "proposed"
[[rule]]
id = "mexico-2020"
country = "MX"
years = [2010, 2020]
verdict = "not-comparable"
reason = "made from the new baseline"
source = "t"
status = "proposed"
[[rule]]
id = "conus"
section = "conus"
verdict = "comparable"
reason = "one series"
source = "t"
status = "proposed"
"""


def integer(text):
    """A whole number, however it is written; else the text."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number == int(number) else number


def quoted(values):
    return ", ".join(f'"{value}"' for value in values)


def job(made, output, compute=""):
    """The job file."""
    text = f"""
        name = "continent"
        output = "{output}"
        provenance = true
        seams = {{ control_cells = {world.CONTROL_CELLS} }}
        gaps = true
        comparability = "./rules.toml"
        [grid]
        crs = "{world.CRS}"
        origin = [{world.WEST}, {world.NORTH}]
        cell_size_m = {CELL}
        shape = [{world.ROWS}, {world.COLS}]
        extent = "full"
        outside_grid = "drop"
        [change]
        pairs = "all"
        [domain]
        path = "sections.geojson"
        key = "section"
        sliver_cells = {world.SLIVER_CELLS}
        [strata.climate]
        path = "climate.geojson"
        key = "zone"
        [strata.treeline]
        path = "treeline.tif"
        values = {{ 1 = "above", 2 = "below" }}
        [coast]
        land = "land.geojson"
        fringe_cells = {world.FRINGE_CELLS}
        great_lakes = "lakes.geojson"
        [[change.official]]
        section = "mexico"
        pair = [2010, 2015]
        path = "mexico_change.tif"
        coding = "from100to"
        [[zones]]
        id = "parks"
        path = "parks.geojson"
        key = "code"
        [[zones]]
        id = "country-x-parks"
        by = ["country", "parks"]
        [compute]
        {compute}
    """
    for edit in made.edits:
        from_code = edit["from"] if isinstance(edit["from"], int) else f'"{edit["from"]}"'
        text += f"""
        [[edits]]
        id = "{edit["id"]}"
        path = "{edit["path"]}"
        from_code = {from_code}
        to_code = {edit["to"]}
        epochs = {edit["epochs"]}
        author = "J. Doe"
        date = "2026-05-01"
        reason = "seen on an image"
        """
    for section in made.sections:
        text += f"""
        [[source]]
        id = "{section.id}"
        section = "{section.id}"
        country = "{section.country}"
        legend = "{section.legend}"
        priority = {section.priority}
        datum = "null"
        missing_stratum = "default"
        """
        if section.id == "alaska":
            text += 'crosswalk = "./alaska.toml"\n'
        text += "[source.epochs]\n"
        for year in YEARS:
            facts = [f'files = "{section.id}_{year}.tif"']
            if (section.id, year) == ("mexico", 2020):
                facts = ['method = "update"', "base = 2015", 'files = "mexico_labels.tif"', 'mask = "mexico_mask.tif"']
            for key, told in (("date", world.DATES), ("edition", world.EDITIONS)):
                if year in told.get(section.id, {}):
                    facts.append(f'{key} = "{told[section.id][year]}"')
            donors = continent_model.FILLS.get(section.id, {}).get(year)
            if donors:
                facts.append(f'fill_from = [{quoted(f"{donor}@{of}" for donor, of in donors)}]')
            text += f"{year} = {{ {', '.join(facts)} }}\n"
    return text


def crosswalk():
    """The shipped crosswalk of NLCD, but for rows on two layers, on a raster alone, and one that gives no class."""
    text = 'id = "alaska-nalcms"\nfrom = "nlcd"\nto = "nalcms"\nsource = "t"\n'
    for row in continent_model.rows_of(REPOSITORY / "configs/crosswalks/nlcd-nalcms.toml"):
        kept = {key: row[key] for key in ("from", "to", "stratum", "default", "status", "source") if key in row}
        if row["from"] == 42:
            del kept["stratum"]
            kept |= {"strata": ["climate", "treeline"], "to": {"polar+above": 13, "polar+*": 2, "*+*": 1}}
        if row["from"] == 72:
            kept |= {"stratum": "treeline", "to": {"above": 12, "below": 10}, "default": 11}
        if row["from"] == 74:
            kept["to"] = "nodata"
        text += "[[row]]\n"
        for key, value in kept.items():
            if isinstance(value, dict):
                text += f"{key} = {{ " + ", ".join(f'"{k}" = {v}' for k, v in value.items()) + " }\n"
            else:
                text += f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
    return text


@needs_rasterio
@needs_pyproj
class Continent(Case):
    """One run, compared by every test; those that run anew do so elsewhere."""

    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        (cls.folder / "rules.toml").write_text(RULES)
        (cls.folder / "alaska.toml").write_text(crosswalk())
        cls.made = world.World(cls())
        cls.sums = cls().run_job("out", "task_cells = 512\nthreads = 1")
        cls.model = continent_model.Model(cls.made)

    def setUp(self):
        """The folder is that of all tests."""

    def run_job(self, output, compute):
        (self.folder / f"{output}.toml").write_text(job(self.made, output, compute))
        self.nalcms("run", f"{output}.toml")
        return (self.folder / output / "SHA256SUMS").read_text()

    def test_the_world_has_all_that_is_compared(self):
        for year, map in self.model.years.items():
            filled = {2010: set(), 2015: {5, 6}, 2020: {5}}[year]
            self.assertEqual(set(np.unique(map.origins).tolist()), {1, 2, 3, 4, 7, 252, 253, 254} | filled | self.unseen(map))
            self.assertEqual({key[3] for key in self.model.slivers if key[0] == year}, {"mapped", "nearest"})
            self.assertGreater(len([key for key in self.model.gaps() if key[0] == year]), 3)
        words = {value[3] for value in self.model.pair_tables()[2].values()}
        self.assertLessEqual({"yes", "unknown", "partial"}, words)
        self.assertEqual({key[5] for key in self.model.rule_coverage}, {"yes", "no"})
        self.assertLessEqual({"", "polar", "polar+above", "polar+below", "temperate+below", "tropical", "above"}, {k[3] for k in self.model.rule_coverage})
        self.assertEqual({key[4] for key in self.model.edits}, {"yes", "no"})

    def unseen(self, map):
        return {251} if (map.origins == 251).any() else set()

    def test_verify_agrees(self):
        self.nalcms("verify", "out")

    def test_the_same_bytes_however_the_work_is_cut(self):
        self.assertEqual(self.run_job("other", "task_cells = 1024\nthreads = 2"), self.sums)

    def test_an_edit_of_one_polygon_redoes_the_task_that_it_touches_and_undone_gives_the_same_bytes(self):
        shutil.copytree(self.folder / "out", self.folder / "edited")
        self.addCleanup(self.made.write_ice)
        text = job(self.made, "edited", "task_cells = 512")
        (self.folder / "edited.toml").write_text(text)
        said = lambda verb: json.loads(self.nalcms(verb, "edited.toml", "--json").stdout)
        before = said("status")
        self.assertEqual((before["done"], before["tasks"]), (9, 9))
        self.made.write_ice(but=["plain"])
        status = said("status")
        self.assertEqual((status["done"], status["stale"]), (8, 1))
        window = status["open"][0]["window"]
        self.assertEqual((window["row"], window["col"]), (512, 0))
        run = said("run")
        self.assertEqual((run["computed"], run["kept"]), (1, 8))
        held = world.burned([self.made.ice["plain"]], (world.ROWS, world.COLS), self.made.transform)
        for year in YEARS:
            name = f"landcover/continent_landcover_{year}_7000m.tif"
            differ = self.cells(f"out/{name}") != self.cells(f"edited/{name}")
            self.assertFalse((differ & ~held).any())
            self.assertEqual(bool(differ.any()), year in (2015, 2020))
        self.made.write_ice()
        run = said("run")
        self.assertEqual((run["computed"], run["kept"]), (1, 8))
        self.assertEqual((self.folder / "edited" / "SHA256SUMS").read_text(), self.sums)

    # ----- comparisons -----

    def same_cells(self, name, expected):
        found = self.cells(f"out/{name}")
        differ = found != expected
        if differ.any():
            at = tuple(np.argwhere(differ)[0])
            self.fail(f"{name}: {int(differ.sum())} cells differ, the first at {at}: {found[at]} instead of {expected[at]}")
        return found

    def test_every_cell(self):
        model = self.model
        for year, map in model.years.items():
            self.same_cells(f"landcover/continent_landcover_{year}_7000m.tif", map.classes)
            self.same_cells(f"provenance/continent_source_{year}_7000m.tif", map.origins)
        for pair in PAIRS:
            self.same_cells(f"change/continent_change_{pair[0]}_{pair[1]}_7000m.tif", model.change_raster(pair))

    def same_rows(self, name, keys, expected, values=("pixels",), area="area_m2"):
        """Every row with cells of a table, by what it is about; areas are those of the cells."""
        found = {}
        for row in self.table(f"out/tables/{name}.csv"):
            if area in row:
                self.assertEqual(float(row[area]), int(row["pixels"]) * CELL**2, (name, row))
            value = tuple(integer(row[v]) for v in values)
            if value[0] == 0:
                continue
            key = tuple(int(row[k]) if k in NUMBERS and row[k].isdigit() else row[k] for k in keys)
            self.assertNotIn(key, found, name)
            found[key] = value if len(values) > 1 else value[0]
        wrong = {key: (found.get(key), expected.get(key)) for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)}
        self.assertFalse(wrong, f"{name}: {len(wrong)} rows differ (found, expected): {dict(list(wrong.items())[:10])}")
        self.assertTrue(found, f"{name} has no rows")
        return found

    def test_every_row(self):
        model = self.model
        zone = ("zone_layer", "zone_id")
        matrix, excluded, coverage, official, annual, dates = model.pair_tables()
        self.same_rows("class_area", (*zone, "year", "code"), model.class_area())
        self.same_rows("change_matrix", (*zone, "year_from", "year_to", "from_code", "to_code"), matrix)
        for row in self.table("out/tables/change_matrix.csv"):
            key = row["zone_layer"], row["zone_id"], int(row["year_from"]), int(row["year_to"])
            self.assertEqual((row["date_from"], row["date_to"], row["comparable"]), (*dates[key], coverage[key][3]), row)
        self.same_rows("excluded", (*zone, "year_from", "year_to", "code", "side", "reason"), excluded)
        self.same_rows("coverage", (*zone, "year_from", "year_to"), coverage,
                       ("pixels", "compared_pixels", "not_comparable_pixels", "comparable"))
        self.same_rows("nodata_account", (*zone, "year", "code"), model.nodata_account())
        self.same_rows("official_disagreement", (*zone, "year_from", "year_to", "section", "map_from", "map_to", "official_from",
                                                 "official_to"), official)
        self.compare_rates(annual)
        self.same_rows("coast", ("year", "part", "before_code", "after_code"), model.coast)
        self.same_rows("water", (*zone, "year", "code", "part"), model.water())
        self.same_rows("edits", ("edit", "year", "before_code", "after_code", "edited"), model.edits)
        self.same_rows("seam", ("year", "section_a", "section_b", "line", "code_a", "code_b"), model.seam(), ("pairs",))
        self.same_rows("gaps", ("year", "gap"), model.gaps(), ("pixels", "gaps", "first_row", "last_row", "first_col", "last_col", "xmin",
                                                              "ymin", "xmax", "ymax"))
        self.same_rows("slivers", ("year", "domain", "source", "taken", "code"), model.slivers)
        rules = {(year, source, code, stratum, "" if to is None else to, default): n
                 for (year, source, code, stratum, to, default), n in model.rule_coverage.items()}
        self.same_rows("rule_coverage", ("year", "source", "from_code", "stratum", "to_code", "default_taken"), rules)
        whole = {}
        for (year, winner, loser, _, _), n in model.overlaps.items():
            whole[year, winner, loser] = whole.get((year, winner, loser), 0) + n
        overlaps = {key: (n, whole[key[:3]]) for key, n in model.overlaps.items() if key[3] != key[4]}
        self.same_rows("overlap_disagreement", ("year", "winner", "loser", "winner_code", "loser_code"), overlaps,
                       ("pixels", "overlap_pixels"))

    def compare_rates(self, expected):
        """Every rate, to the ninth digit."""
        seen = set()
        for row in self.table("out/tables/annual_change.csv"):
            code = row["code"] if row["code"] == "total" else int(row["code"])
            key = (row["zone_layer"], row["zone_id"], int(row["year_from"]), int(row["year_to"]), code)
            found = {k: float(v) if v else None for k, v in row.items() if k.startswith(("interval", "pixels", "gain", "loss", "net"))}
            if key not in expected:
                self.assertFalse(found["pixels"] or found["pixels_without_interval"], row)
                continue
            seen.add(key)
            pixels, without, shortest, longest, gain, loss = expected[key]
            self.assertEqual((found["pixels"], found["pixels_without_interval"]), (pixels, without), row)
            wanted = {"interval_min": shortest, "interval_max": longest, "gain_px_per_year": gain, "loss_px_per_year": loss}
            wanted["net_px_per_year"] = None if gain is None else gain - loss
            for name, value in list(wanted.items())[2:]:
                wanted[name.replace("px", "ha")] = None if value is None else value * CELL**2 / 10_000
            for name, value in wanted.items():
                if value is None:
                    self.assertIsNone(found[name], (name, row))
                else:
                    self.assertAlmostEqual(found[name], value, delta=1e-9 * max(1, abs(gain or 0) * CELL**2), msg=(name, row))
        self.assertEqual(seen, set(expected))


NUMBERS = {"map_from", "map_to", "official_from", "official_to", "before_code", "after_code", "code_a", "code_b", "gap",
           "year", "code", "year_from", "year_to", "from_code", "to_code", "winner_code", "loser_code"}


if __name__ == "__main__":
    unittest.main()
