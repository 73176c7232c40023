"""What the maps and tables of the continent must be, worked out with numpy from the files that continent_world.py made.

One function a step, whole rasters at a time, no code shared with the program. Sources are numbered as their cells need it:
declared ones first, then maps that stand in, the fringe, and what change maps decided.
"""

import tomllib
from datetime import date, timedelta

import continent_world as world
from continent_world import (
    CELL, COLS, CONTROL_CELLS, CRS, DATES, EDITIONS, FRINGE_CELLS, NORTH, PAIRS, ROWS, SLIVER_CELLS, WEST, YEARS,
)
from support import REPOSITORY, np

try:
    import pyproj
except ImportError:
    pyproj = None

OUTSIDE, CLASS, NO_OBSERVATION, WITHHELD = range(4)
NOBODY = -1
NO_OBSERVATION_CODE, BY_CROSSWALK_CODE, GAP_CODE, MASKED_CODE = 251, 252, 253, 254
CLASSES = range(1, 20)


def located(crs, transform, shape, x, y):
    """Row and column of the cell of a raster under each centre of the target grid, and whether there is one."""
    lon, lat = pyproj.Proj(CRS)(x, y, inverse=True)
    geographic = pyproj.CRS(crs).is_geographic
    if geographic:
        lon = np.where(lon < transform.c, lon + 360, lon)
        lon = np.where(lon >= transform.c + 360, lon - 360, lon)
    u, v = (lon, lat) if geographic else pyproj.Proj(crs)(lon, lat)
    col, row = (np.asarray(u) - transform.c) / transform.a, (np.asarray(v) - transform.f) / transform.e
    row, col = (np.where(np.isfinite(at), at, -1) for at in (row, col))
    inside = (row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1])
    # A centre on an edge would be a matter of taste.
    nearest = min(abs(at[inside] - np.round(at[inside])).min() for at in (row, col))
    assert nearest > 1e-8, nearest
    return np.where(inside, np.floor(row), 0).astype(int), np.where(inside, np.floor(col), 0).astype(int), inside


def rows_of(path):
    return tomllib.loads(path.read_text())["row"]


class Reclass:
    """What becomes of the codes of a section: class, kind and rule under each cell of its own grid."""

    def __init__(self, section, folder):
        file = folder / "alaska.toml" if section.id == "alaska" else REPOSITORY / f"configs/crosswalks/{section.legend}-nalcms.toml"
        legend = tomllib.loads((REPOSITORY / f"configs/legends/{section.legend}.toml").read_text())
        self.rows = rows_of(file)
        self.absent = {0: OUTSIDE}
        self.absent |= {n["value"]: NO_OBSERVATION if n["meaning"] == "no-observation" else OUTSIDE for n in legend["nodata"]}
        self.section = section
        # (from_code, stratum, to_code, default taken)
        self.rules = []

    def rule(self, *rule):
        if rule not in self.rules:
            self.rules.append(rule)
        return self.rules.index(rule)

    def __call__(self, cells, names):
        """Class, kind and rule of each cell of a map; `names` are the values of each stratum by number."""
        classes, kinds = np.zeros(cells.shape, "uint8"), np.zeros(cells.shape, "uint8")
        rules = np.full(cells.shape, -1, "int16")
        explained = np.zeros(cells.shape, bool)
        for value, kind in self.absent.items():
            held = cells == value
            kinds[held], explained[held] = kind, True
            if kind == NO_OBSERVATION:
                rules[held] = self.rule(value, "", None, "no")

        def take(held, code, stratum, default):
            explained[held] = True
            to = None if code == "nodata" else code
            classes[held], kinds[held] = to or 0, WITHHELD if to is None else CLASS
            rules[held] = self.rule(int(row["from"]), stratum, to, default)

        for row in self.rows:
            held = cells == row["from"]
            layers = row.get("strata") or [row[key] for key in ("stratum",) if key in row]
            if not held.any():
                continue
            if not layers:
                take(held, row["to"], "", "no")
                continue
            planes = [self.section.strata[layer] for layer in layers]
            lacking = held & np.any([plane == 0 for plane in planes], axis=0)
            if lacking.any():
                take(lacking, row["default"], "", "yes")
            for numbers in np.ndindex(*(len(names[layer]) - 1 for layer in layers)):
                here = held & np.all([plane == n + 1 for plane, n in zip(planes, numbers)], axis=0)
                values = [names[layer][n + 1] for layer, n in zip(layers, numbers)]
                if here.any():
                    take(here, self.meant(row["to"], values), "+".join(values), "no")
        assert explained.all(), np.unique(cells[~explained])
        return classes, kinds, rules

    @staticmethod
    def meant(keys, values):
        """The class of the key that matches with the fewest stars."""
        found = []
        for key, code in keys.items():
            parts = key.split("+")
            if all(part in ("*", value) for part, value in zip(parts, values)):
                found.append((parts.count("*"), code))
        return min(found)[1]


class Layer:
    """A map of one source on the target grid."""

    def __init__(self, classes, kinds, rules, book):
        self.classes, self.kinds, self.rules, self.book = classes, kinds, rules, book


class Year:
    """The mosaic of one year."""

    def __init__(self):
        self.classes = np.zeros((ROWS, COLS), "uint8")
        self.winners = np.full((ROWS, COLS), NOBODY, "int16")
        self.origins = np.zeros((ROWS, COLS), "uint8")


class Model:
    def __init__(self, made):
        self.world, self.folder = made, made.folder
        self.owner = made.owner
        sections = made.sections
        self.sources = [{"id": s.id, "section": s.id, "country": s.country, "role": "maps"} for s in sections]
        self.fills = self.declare_fills()
        self.sources.append({"id": "fringe", "section": "fringe", "country": None, "role": "fringe"})
        # Codes of provenance: sections, then what stands in, then the fringe.
        for number, source in enumerate(self.sources):
            source["origin"] = number + 1
        self.layers = self.warp()
        self.order = sorted(range(len(sections)), key=lambda at: (-sections[at].priority, at))
        # Tables, each a mapping from what a row is about to its cells.
        self.rule_coverage, self.overlaps, self.slivers, self.coast, self.edits = {}, {}, {}, {}, {}
        self.edited = self.edited_cells()
        self.change_says = self.warp_official()
        self.years = {year: self.compose(year) for year in YEARS}

    # ----- sources -----

    def number(self, name):
        return next(at for at, source in enumerate(self.sources) if source["id"] == name)

    def declare_fills(self):
        """By year: who receives, which source it is then, whose map of which year it is."""
        fills = {year: [] for year in YEARS}
        for section in self.world.sections:
            for year, donors in FILLS.get(section.id, {}).items():
                for donor, donor_year in donors:
                    name = f"{donor}@{donor_year}" + ("" if donor == section.id else f" for {section.id}")
                    if name not in [source["id"] for source in self.sources]:
                        giver = self.sources[self.number(donor)]
                        self.sources.append({"id": name, "section": giver["section"], "country": giver["country"], "role": "fill"})
                    fills[year].append((self.number(section.id), self.number(name), donor, donor_year))
        return fills

    def warp(self):
        """Each section's maps on the target grid, by nearest."""
        layers = {}
        names = {"climate": self.world.climate, "treeline": self.world.treeline}
        for section in self.world.sections:
            rows, cols, inside = located(section.crs, section.transform, section.shape, self.world.x, self.world.y)
            book = Reclass(section, self.folder)
            maps = dict(section.maps)
            if section.id == "mexico":
                maps[2020] = section.update
            for year, cells in maps.items():
                planes = book(cells, names)
                classes, kinds, rules = (np.where(inside, plane[rows, cols], fill) for plane, fill in zip(planes, (0, OUTSIDE, -1)))
                layers[section.id, year] = Layer(classes, kinds, rules, book)
        return layers

    # ----- mosaic -----

    def compose(self, year):
        map = Year()
        self.lay(year, map)
        self.fill(year, map)
        unmapped = map.winners == NOBODY
        map.origins[unmapped] = np.where(self.owner[unmapped] == 0, MASKED_CODE, GAP_CODE)
        self.dispute(year, map)
        self.fill_slivers(year, map)
        self.lay_coast(year, map)
        for edit in self.world.edits:
            if year in edit["epochs"]:
                self.edit(year, map, edit)
        return map

    def lay(self, year, map):
        """Each section decides in its own domain."""
        for at, section in enumerate(self.world.sections):
            layer = self.layers[section.id, year]
            held = (self.owner == at + 1) & (layer.kinds != OUTSIDE)
            map.winners[held] = at
            map.classes[held] = layer.classes[held]
            origins = np.array([0, self.sources[at]["origin"], NO_OBSERVATION_CODE, BY_CROSSWALK_CODE])
            map.origins[held] = origins[layer.kinds[held]]
            self.count_rules(year, at, layer, held)

    def fill(self, year, map):
        """What was not seen takes the class of the first map that stands in and has one."""
        for receiver, source, donor, donor_year in self.fills[year]:
            layer = self.layers[donor, donor_year]
            held = (map.winners == receiver) & (map.origins == NO_OBSERVATION_CODE) & (layer.kinds == CLASS)
            map.winners[held], map.classes[held], map.origins[held] = source, layer.classes[held], self.sources[source]["origin"]
            self.count_rules(year, source, layer, held)

    def count_rules(self, year, source, layer, held):
        numbers, counts = np.unique(layer.rules[held], return_counts=True)
        for number, n in zip(numbers, counts):
            if number >= 0:
                key = (year, self.sources[source]["id"], *layer.book.rules[number])
                self.rule_coverage[key] = self.rule_coverage.get(key, 0) + int(n)

    def dispute(self, year, map):
        """Where others' maps have a class in a domain: who decided, who did not, with which classes."""
        for at, section in enumerate(self.world.sections):
            layer = self.layers[section.id, year]
            held = (self.owner != at + 1) & (map.classes != 0) & (layer.kinds == CLASS)
            for (winner, mine, other), n in counted(held, map.winners, map.classes, layer.classes).items():
                key = (year, self.sources[winner]["id"], section.id, mine, other)
                self.overlaps[key] = self.overlaps.get(key, 0) + n

    def fill_slivers(self, year, map):
        """Strips that no open square of one cell more than the widest fits over."""
        open = (self.owner > 0) & (map.winners == NOBODY)
        narrow = open & ~opened(open, SLIVER_CELLS + 1)
        classes, winners = map.classes.copy(), map.winners.copy()
        near = sorted(
            (dr * dr + dc * dc, dr, dc)
            for dr in range(-SLIVER_CELLS, SLIVER_CELLS + 1) for dc in range(-SLIVER_CELLS, SLIVER_CELLS + 1)
            if dr * dr + dc * dc <= SLIVER_CELLS ** 2
        )
        taken = {}
        for row, col in np.argwhere(narrow):
            found = None
            for at in self.order:
                layer = self.layers[self.world.sections[at].id, year]
                if layer.kinds[row, col] == CLASS:
                    found = (at, int(layer.classes[row, col]), "mapped")
                    break
            if found is None:
                for _, dr, dc in near:
                    r, c = row + dr, col + dc
                    if 0 <= r < ROWS and 0 <= c < COLS and classes[r, c] != 0:
                        found = (int(winners[r, c]), int(classes[r, c]), "nearest")
                        break
            if found is None:
                continue
            source, code, how = found
            map.winners[row, col], map.classes[row, col], map.origins[row, col] = source, code, self.sources[source]["origin"]
            key = (year, self.world.sections[self.owner[row, col] - 1].id, self.sources[source]["id"], how, code)
            self.slivers[key] = self.slivers.get(key, 0) + 1

    def lay_coast(self, year, map):
        """Land is kept; around it a king's walk of water; further out nothing."""
        land, fringe = self.world.land, world.grown(self.world.land, FRINGE_CELLS) & ~self.world.land
        sea = ~land & ~fringe
        source = self.number("fringe")
        for part, held, after in (("fringe", fringe, 18), ("masked", sea & (map.classes != 0), "")):
            for (before,), n in counted(held, map.classes).items():
                self.coast[year, part, before or "", after] = n
        map.classes[fringe], map.winners[fringe], map.origins[fringe] = 18, source, self.sources[source]["origin"]
        map.classes[sea], map.winners[sea], map.origins[sea] = 0, NOBODY, MASKED_CODE

    def edited_cells(self):
        """Cells that each layer of edits holds."""
        clouds, transform = self.world.clouds
        rows, cols, inside = located("EPSG:4326", transform, clouds.shape, self.world.x, self.world.y)
        values = np.where(inside, clouds[rows, cols], 0)
        return self.world.edited | {"clouds": (values != 0) & (values != 255)}

    def edit(self, year, map, edit):
        """Another class for the cells that are meant; who decided them stays."""
        held, before = self.edited[edit["id"]], map.classes.copy()
        meant = {"*": before != 0, "nodata": before == 0}.get(edit["from"], before == edit["from"])
        meant &= held & (map.winners != NOBODY)
        map.classes[meant] = edit["to"]
        unseen = meant & (before == 0)
        map.origins[unseen] = np.array([source["origin"] for source in self.sources])[map.winners[unseen]]
        for (one, two), n in counted(held, before, map.classes).items():
            self.edits[edit["id"], year, one or "", two or "", "no" if one == two else "yes"] = n

    # ----- published change -----

    def warp_official(self):
        """What Mexico's change map says of each cell: -1 is nothing."""
        values, transform = self.world.official
        section = self.world.section("mexico")
        rows, cols, inside = located(section.crs, transform, values.shape, self.world.x, self.world.y)
        says = np.where(inside, values[rows, cols].astype(int), -1)
        return np.where((says == 65_535) | (says == 60_000), -1, says)

    def lay_official(self, pair, from_, to):
        """The classes of a pair where its makers' change map decides, and where that is."""
        one, two = from_.classes.copy(), to.classes.copy()
        decided = np.zeros((ROWS, COLS), bool)
        if pair == OFFICIAL_PAIR:
            of = np.array([s["section"] == "mexico" for s in self.sources] + [False])
            told = (self.change_says >= 0) & of[from_.winners] & of[to.winners]
            decided = told & ((self.change_says > 0) | (to.classes != 0))
            changed = decided & (self.change_says > 0)
            one[decided] = to.classes[decided]
            one[changed], two[changed] = self.change_says[changed] // 100, self.change_says[changed] % 100
        return one, two, decided

    # ----- comparability -----

    def verdict(self, pair, source, other):
        """yes, no or unknown; sources by number, at the first and at the second year."""
        fringe = [self.sources[number]["role"] == "fringe" for number in (source, other)]
        if any(fringe):
            return "yes" if all(fringe) else "unknown"
        one, two = self.facts(source, pair[0]), self.facts(other, pair[1])
        if source == other and {pair[0], pair[1]} == {2015, 2020} and self.sources[source]["id"] == "mexico":
            return "unknown"  # an update and its base are one map
        if one["country"] == two["country"] == "MX" and {one["year"], two["year"]} in ({2010, 2015}, {2010, 2020}):
            return "no"
        if one["section"] == two["section"] == "conus":
            return "yes"
        editions = one["edition"], two["edition"]
        if one["section"] == two["section"] and None not in editions and editions[0] != editions[1]:
            return "no"
        return "unknown"

    def facts(self, number, year):
        source = self.sources[number]
        if source["role"] == "fill":
            donor, _, donor_year = source["id"].split(" ")[0].rpartition("@")
            section, year = self.world.section(donor), int(donor_year)
        else:
            section = self.world.section(source["id"])
        return {"year": year, "section": section.id, "country": section.country, "edition": EDITIONS.get(section.id, {}).get(year)}

    # ----- zones -----

    def zones(self, first, second):
        """Every layer of zones for cells that these sources decided: layer to (number of each cell, names)."""
        layers = {"all": (np.zeros((ROWS, COLS), "int16"), ["all"])}
        for layer, key in (("section", "section"), ("country", "country")):
            names = sorted({source[key] for source in self.sources if source[key]})
            # Of a cell that nobody decided the other year tells; a source without a country is of none.
            of = np.array([names.index(s[key]) if s[key] else -1 for s in self.sources] + [-2])
            one, two = of[first], of[second]
            one, two = np.where(one == -2, two, one), np.where(two == -2, one, two)
            place = np.where(one == two, one, len(names))
            layers[layer] = (np.where(place < 0, len(names) + 1, place), [*names, "mixed", "none"])
        parks = np.where(self.world.parks == 0, len(self.world.park_keys) - 1, self.world.parks.astype(int) - 1)
        layers["parks"] = (parks, [*self.world.park_keys[1:], "outside"])
        (country, countries) = layers["country"]
        crossed = [f"{c}|{p}" for c in countries[:-1] for p in self.world.park_keys[1:]]
        keys = len(self.world.park_keys) - 1
        outside = (country == len(countries) - 1) | (self.world.parks == 0)
        layers["country-x-parks"] = (np.where(outside, len(crossed), country * keys + parks), [*crossed, "outside"])
        return layers

    # ----- seams and gaps -----

    def sections_of(self, map):
        """The number of each cell's section; -1 where it has none."""
        names = [section.id for section in self.world.sections]
        of = np.array([names.index(s["section"]) if s["section"] in names else -1 for s in self.sources] + [-1])
        return names, of[map.winners]

    def seam(self):
        """Neighbours of two sections, class by class, and such behind them."""
        table = {}
        for year, map in self.years.items():
            names, section = self.sections_of(map)
            # Along columns the same as along rows of the raster turned.
            for classes, section in ((map.classes, section), (map.classes.T, section.T)):
                has = (classes != 0) & (section >= 0)
                faces = has[:, :-1] & has[:, 1:] & (section[:, :-1] != section[:, 1:])
                for row, col in np.argwhere(faces):
                    ends = sorted([(section[row, col], col, -1), (section[row, col + 1], col + 1, 1)])
                    (a, first, _), (b, second, _) = ends
                    lines = {"seam": (first, second)}
                    for line, (own, at, step) in zip(("control_a", "control_b"), ends):
                        near, far = at + step * CONTROL_CELLS, at + step * (CONTROL_CELLS + 1)
                        if 0 <= far < classes.shape[1] and all(section[row, c] == own and classes[row, c] for c in (near, far)):
                            lines[line] = (near, far)
                    for line, (one, two) in lines.items():
                        key = (year, names[a], names[b], line, int(classes[row, one]), int(classes[row, two]))
                        table[key] = table.get(key, 0) + 1
        return table

    def gaps(self):
        """Pieces of cells that a section should have mapped and did not, the largest first: cells and bounds."""
        table = {}
        for year, map in self.years.items():
            pieces = connected(map.origins == GAP_CODE)
            pieces.sort(key=lambda piece: (-piece[0], piece[1]))
            for number, (pixels, _, top, bottom, left, right) in enumerate(pieces, 1):
                edges = WEST + left * CELL, NORTH - (bottom + 1) * CELL, WEST + (right + 1) * CELL, NORTH - top * CELL
                table[year, number] = (pixels, 1, top, bottom, left, right, *edges)
        return table

    # ----- tables -----

    def water(self):
        """Water of every zone by where it lies."""
        table = {}
        for year, map in self.years.items():
            fringe = map.winners == self.number("fringe")
            part = np.where(fringe, 0, np.where(self.world.lakes, 1, 2))
            for layer, (zone, names) in self.zones(map.winners, map.winners).items():
                for (z, p), n in counted(map.classes == 18, zone, part).items():
                    table[layer, names[z], year, 18, ("fringe", "great_lakes", "inland")[p]] = n
        return table

    def class_area(self):
        table = {}
        for year, map in self.years.items():
            for layer, (zone, names) in self.zones(map.winners, map.winners).items():
                for (z, code), n in counted(map.classes != 0, zone, map.classes).items():
                    table[layer, names[z], year, code] = n
        return table

    def nodata_account(self):
        table = {}
        for year, map in self.years.items():
            for layer, (zone, names) in self.zones(map.winners, map.winners).items():
                for (z, code), n in counted(True, zone, map.origins).items():
                    table[layer, names[z], year, code] = n
        return table

    def compared(self, pair):
        """Classes of a pair as compared, and what is known of each cell with a class in both years: no, yes, unknown, official."""
        from_, to = (self.years[year] for year in pair)
        one, two, decided = self.lay_official(pair, from_, to)
        both = (one != 0) & (two != 0)
        verdicts = np.full((len(self.sources) + 1, len(self.sources) + 1), "unknown", "U8")
        for (source, other), _ in counted(both, from_.winners, to.winners).items():
            verdicts[source, other] = self.verdict(pair, source, other)
        verdict = verdicts[from_.winners, to.winners]
        verdict[decided] = "official"
        return one, two, both, verdict, decided

    def pair_tables(self):
        """change_matrix, excluded, coverage, official_disagreement, annual_change, and the true dates of each zone's maps."""
        tables = matrix, excluded, coverage, official, annual, dates = {}, {}, {}, {}, {}, {}
        for pair in PAIRS:
            from_, to = (self.years[year] for year in pair)
            one, two, both, verdict, decided = self.compared(pair)
            forbidden = both & (verdict == "no")
            valid = both & ~forbidden
            span = self.spans(pair)
            for layer, (zone, names) in self.zones(from_.winners, to.winners).items():
                def add(table, key, mask, *planes):
                    for (z, *values), n in counted(mask, zone, *planes).items():
                        table[(layer, names[z], *pair, *key(values))] = n

                add(matrix, lambda v: v, valid, one, two)
                add(excluded, lambda v: (*v, "from", "not_comparable"), forbidden, one)
                add(excluded, lambda v: (*v, "to", "not_comparable"), forbidden, two)
                add(excluded, lambda v: (*v, "from", "nodata_to"), (one != 0) & (two == 0), one)
                add(excluded, lambda v: (*v, "to", "nodata_from"), (one == 0) & (two != 0), two)
                add(official, lambda v: ("mexico", *(code or "" for code in v)), decided, from_.classes, to.classes, one, two)
                words = ["no", "official", "yes", "unknown"]
                place = np.select([verdict == word for word in words], range(4))
                found = {}
                for (z, word), n in counted(both, zone, place).items():
                    found.setdefault(z, {})[words[word]] = n
                for z, cells in found.items():
                    left_out, whole = cells.get("no", 0), sum(cells.values())
                    coverage[layer, names[z], *pair] = (whole, whole - left_out, left_out, self.comparable(cells))
                self.annual(annual, (layer, names, pair), counted(valid, zone, span, one, two))
                told = {}
                for (z, *sources), _ in counted(((one != 0) | (two != 0)) & ~forbidden, zone, from_.winners, to.winners).items():
                    sides = told.setdefault(z, (set(), set()))
                    for side, source, year in zip(sides, sources, pair):
                        if source != NOBODY and self.sources[source]["role"] != "fringe":
                            side.add(self.date(source, year))
                for z, sides in told.items():
                    words = [str(year) if not side else "/".join(sorted({min(side), max(side)})) for side, year in zip(sides, pair)]
                    dates[layer, names[z], *pair] = tuple(words)
        return tables

    def spans(self, pair):
        """Of each cell the time between its maps, in thousandths of half a day; a large negative number where nobody decides."""
        sources = range(len(self.sources))
        table = np.array([[between(self.date(one, pair[0]), self.date(two, pair[1])) for two in sources] for one in sources])
        from_, to = (self.years[year].winners for year in pair)
        return table[np.maximum(from_, 0), np.maximum(to, 0)]

    def date(self, number, year):
        source = self.sources[number]
        if source["role"] == "fringe":
            return str(year)
        donor, _, donor_year = source["id"].split(" ")[0].rpartition("@")
        section, year = (donor, int(donor_year)) if donor else (source["id"], year)
        return DATES.get(section, {}).get(year, str(year))

    @staticmethod
    def annual(table, place, counts):
        """Gain and loss per year of every class of each zone: each interval's cells by their own."""
        layer, names, pair = place
        flows = {}
        for (z, span, one, two), n in counts.items():
            # Of each class the cells that have it before or after, those that come to it, those that leave it.
            moved = {"total": (n, n, n), one: (n, 0, n), two: (n, n, 0)} if one != two else {"total": (n, 0, 0), one: (n, 0, 0)}
            for code, flow in moved.items():
                groups = flows.setdefault((layer, names[z], *pair, code), {})
                groups[span] = tuple(a + b for a, b in zip(groups.get(span, (0, 0, 0)), flow))
        for key, groups in flows.items():
            dated = {span: flow for span, flow in sorted(groups.items()) if span > 0}
            without = sum(flow[0] for span, flow in groups.items() if span <= 0)
            rate = lambda part: sum(flow[part] * YEAR / span for span, flow in dated.items())
            gain, loss = (rate(1), rate(2)) if dated else (None, None)
            spans = [span / YEAR for span in dated] or [None]
            touched = sum(flow[0] for flow in dated.values())
            table[key] = (touched, without, spans[0], spans[-1], gain, loss)

    @staticmethod
    def comparable(cells):
        if cells.get("no"):
            return "partial"
        if cells.get("unknown"):
            return "unknown"
        return "official" if cells.get("official") else "yes"

    def change_raster(self, pair):
        one, two, both, verdict, _ = self.compared(pair)
        codes = np.where(one == two, 0, one.astype("uint16") * 100 + two)
        return np.where(both & (verdict != "no"), codes, 65535)


# The pair that Mexico's change map is of.
OFFICIAL_PAIR = (2010, 2015)

# What stands in where a section saw nothing: by section and year (source, year).
FILLS = {"mexico": {2015: [("mexico", 2010), ("conus", 2015)], 2020: [("mexico", 2010)]}}


# A year of 365.2425 days in thousandths of half a day.
YEAR = 730_485


def between(first, second):
    """The time between two true dates, in thousandths of half a day: of years alone by years, else from middle to middle."""
    def middle(text):
        parts = [int(part) for part in text.split("-")]
        begin = date(*parts, *[1] * (3 - len(parts)))
        if len(parts) == 1:
            end = date(parts[0] + 1, 1, 1)
        elif len(parts) == 2:
            end = date(parts[0] + parts[1] // 12, parts[1] % 12 + 1, 1)
        else:
            end = begin + timedelta(days=1)
        return begin.toordinal() + end.toordinal()

    if len(first) == len(second) == 4:
        return (int(second) - int(first)) * YEAR
    return (middle(second) - middle(first)) * 1000


def counted(mask, *planes):
    """Cells where the mask holds, by the values of some planes."""
    mask = np.broadcast_to(mask, (ROWS, COLS))
    values = [plane[mask].astype(np.int64) for plane in planes]
    if not values[0].size:
        return {}
    key, bases = np.zeros_like(values[0]), []
    for plane in values:
        low, size = plane.min(), int(plane.max() - plane.min()) + 1
        key = key * size + (plane - low)
        bases.append((int(low), size))
    keys, counts = np.unique(key, return_counts=True)
    table = {}
    for key, n in zip(keys.tolist(), counts.tolist()):
        entry = []
        for low, size in reversed(bases):
            key, rest = divmod(key, size)
            entry.append(rest + low)
        table[tuple(reversed(entry))] = n
    return table


def opened(cells, side):
    """What squares of so many cells a side, all of which hold, cover."""
    whole = np.lib.stride_tricks.sliding_window_view(cells, (side, side)).all(axis=(2, 3))
    out = np.zeros_like(cells)
    for row in range(side):
        for col in range(side):
            out[row:row + whole.shape[0], col:col + whole.shape[1]] |= whole
    return out


def connected(cells):
    """Pieces of cells that share edges: cells, first of them, first and last row, first and last column. By filling."""
    left = {(int(row), int(col)) for row, col in np.argwhere(cells)}
    pieces = []
    for first in sorted(left):
        if first not in left:
            continue
        left.remove(first)
        piece, front = [first], [first]
        while front:
            row, col = front.pop()
            for cell in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
                if cell in left:
                    left.remove(cell)
                    piece.append(cell)
                    front.append(cell)
        rows, cols = zip(*piece)
        pieces.append((len(piece), first, min(rows), max(rows), min(cols), max(cols)))
    return pieces
