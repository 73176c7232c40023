"""A small continent with everything that a continental job can ask for: the files of tests/oracle/test_continent.py.

Four national sections in four CRSs and three legends, cut from one synthetic world. What real maps are made of is laid into
them by hand: margins that overlap, borders that miss each other, a hole, clouds, an update, a change map of the makers, edits,
a coast. Nothing here knows how the program treats any of it; continent_model.py does.
"""

import json
from dataclasses import dataclass, field

from support import np, rasterio

try:
    import pyproj
    import rasterio.features
    import rasterio.transform
except ImportError:  # test_continent.py says so
    pyproj = None

YEARS = (2010, 2015, 2020)
PAIRS = ((2010, 2015), (2010, 2020), (2015, 2020))
CRS = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
CELL = 7000
ROWS, COLS = 1110, 1093
WEST, NORTH = -4_410_000, 4_310_000
# Squares of cells of which the outlines of land, domains and lakes are made.
BRICK = 8
SLIVER_CELLS = 3
SEED, DETAIL = 7, 14_000


@dataclass
class Section:
    """One nation's maps."""

    id: str
    region: str
    country: str
    legend: str
    crs: str
    cell: float
    origin: tuple
    shape: tuple
    # The part of the 45 N 100 W plane that it maps: xmin, ymin, xmax, ymax.
    within: tuple
    priority: int = 0
    transform: object = None
    # Legend codes by year, on its own grid.
    maps: dict = field(default_factory=dict)
    # Values of each stratum under its cells, by number: 0 is none.
    strata: dict = field(default_factory=dict)


DATES = {
    "alaska": {2010: "2001", 2020: "2016-07"},
    "canada": {2015: "2015-06"},
    "conus": {2010: "2011", 2015: "2016", 2020: "2019-07-15"},
    "mexico": {2015: "2014"},
}
EDITIONS = {"alaska": {2010: "a", 2015: "a", 2020: "b"}}
FRINGE_CELLS, CONTROL_CELLS = 5, 8


def sections():
    """The nations, in the order of the job. Their grids lie at odd places, so that no centre of a cell of the target lies near an
    edge of theirs by design."""
    west, south, east, north = WEST, NORTH - ROWS * CELL, WEST + COLS * CELL, NORTH
    border = -1_500_000
    mexico = "+proj=lcc +lat_0=12 +lon_0=-102 +lat_1=17.5 +lat_2=29.5 +x_0=2500000 +y_0=0 +datum=WGS84 +units=m"
    return [
        Section("alaska", "north", "US", "nlcd", "EPSG:3338", 7100, (-1796013.7, 2969011.3), (592, 567),
                (west, 900_000, border + 50_000, north - 60_000)),
        Section("canada", "north", "CA", "nrcan", "EPSG:3979", 6500, (-1897013.7, 3981011.3), (718, 754),
                (border - 50_000, south, east - 50_000, north - 40_000)),
        Section("conus", "middle", "US", "nlcd", "EPSG:5070", 6100, (-4860013.7, 3334011.3), (543, 1246),
                (west, south, east, north), priority=1),
        Section("mexico", "south", "MX", "madmex", mexico, 5600, (-1752013.7, 2375011.3), (455, 1369),
                (west + 30_000, south + 90_000, east, north)),
    ]


def centres(shape, transform):
    """x and y of the centres of a grid's cells."""
    rows, cols = shape
    x = transform.c + (np.arange(cols) + 0.5) * transform.a
    y = transform.f + (np.arange(rows) + 0.5) * transform.e
    return np.meshgrid(x, y)


def target_transform():
    return rasterio.transform.from_origin(WEST, NORTH, CELL, CELL)


def lonlat(crs, x, y):
    """Longitude and latitude, as they are on the CRS's own datum; longitudes go on beyond -180."""
    lon, lat = pyproj.Proj(crs)(x, y, inverse=True)
    lon = np.asarray(lon)
    return np.where(lon > 80, lon - 360, lon), np.asarray(lat)


def write(path, cells, crs, transform, nodata=None):
    profile = dict(driver="GTiff", width=cells.shape[1], height=cells.shape[0], count=1, dtype=cells.dtype, crs=crs,
                   transform=transform, nodata=nodata, compress="deflate")
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(cells, 1)


def outlines(mask, brick=BRICK):
    """Polygons of the bricks that hold: rings along the edges of cells of the target grid, in its CRS."""
    transform = rasterio.transform.from_origin(WEST, NORTH, CELL * brick, CELL * brick)
    shapes = rasterio.features.shapes(mask.astype("uint8"), mask=mask, transform=transform)
    return [shape["coordinates"] for shape, _ in shapes]


def densified(ring, step):
    """The ring with every edge cut into pieces no longer than a step."""
    points = []
    for (x0, y0), (x1, y1) in zip(ring, ring[1:]):
        pieces = max(1, int(np.ceil(np.hypot(x1 - x0, y1 - y0) / step)))
        points += [(x0 + (x1 - x0) * i / pieces, y0 + (y1 - y0) * i / pieces) for i in range(pieces)]
    return points + [ring[-1]]


def in_degrees(rings):
    """Rings of the target's CRS in longitude and latitude, cut so fine that nobody's straight edges matter."""
    out = []
    for ring in rings:
        x, y = np.array(densified(ring, CELL)).T
        out.append(np.stack(lonlat(CRS, x, y), axis=1).tolist())
    return out


def write_polygons(path, features):
    """GeoJSON of (properties, rings in degrees)."""
    features = [
        {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": rings}}
        for properties, rings in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def burned(polygons, shape, transform):
    """Cells whose centre lies in one of some polygons."""
    geometries = [{"type": "Polygon", "coordinates": rings} for rings in polygons]
    if not geometries:
        return np.zeros(shape, bool)
    return rasterio.features.rasterize(geometries, out_shape=shape, transform=transform).astype(bool)


def brick_share(cells):
    """The share of each brick's cells that hold."""
    rows, cols = -(-ROWS // BRICK), -(-COLS // BRICK)
    whole = np.zeros((rows * BRICK, cols * BRICK))
    whole[:ROWS, :COLS] = cells
    return whole.reshape(rows, BRICK, cols, BRICK).mean(axis=(1, 3))


def cells_of(mask):
    """Cells of the target grid that bricks hold."""
    return np.kron(mask, np.ones((BRICK, BRICK), bool))[:ROWS, :COLS]


def grown(mask, by=1):
    out = np.zeros_like(mask)
    padded = np.pad(mask, by)
    for row in range(2 * by + 1):
        for col in range(2 * by + 1):
            out |= padded[row:row + mask.shape[0], col:col + mask.shape[1]]
    return out


class World:
    """The files of the job, and what they were made from."""

    def __init__(self, case):
        self.case, self.folder = case, case.folder
        self.transform = target_transform()
        self.x, self.y = centres((ROWS, COLS), self.transform)
        self.lon, self.lat = lonlat(CRS, self.x, self.y)
        self.rng = np.random.default_rng(20)
        self.truth = self.synth_target("truth", "--climate", "climate.geojson")
        self.sections = sections()
        for section in self.sections:
            self.synth(section)
        self.make_domains()
        self.make_holes()
        self.make_mexico()
        self.make_strata()
        self.make_zones()
        self.make_edits()
        self.make_coast()
        self.make_official()
        for section in self.sections:
            for year, cells in section.maps.items():
                write(self.folder / f"{section.id}_{year}.tif", cells, section.crs, section.transform, 0)

    def section(self, name):
        return next(section for section in self.sections if section.id == name)

    # ----- national maps -----

    def synth_target(self, name, *options):
        """The world of 2010 on the target grid."""
        self.case.nalcms("synth", "-o", name, "--seed", SEED, "--detail", DETAIL, "--years", 2010, "--legend", "nalcms", "--crs", CRS,
                         "--cell-size", CELL, f"--origin={WEST},{NORTH}", "--size", f"{ROWS}x{COLS}", "--quiet", *options)
        return self.case.cells(f"{name}/nalcms_2010.tif")

    def synth(self, section):
        """A section's maps on a grid of its own."""
        (left, top), (rows, cols) = section.origin, section.shape
        self.case.nalcms("synth", "-o", section.id, "--seed", SEED, "--detail", DETAIL, "--years", *YEARS, "--legend", section.legend,
                         "--crs", section.crs, "--cell-size", section.cell, f"--origin={left},{top}", "--size", f"{rows}x{cols}",
                         "--region", section.region, "--margin", 45_000, "--within=" + ",".join(map(str, section.within)), "--quiet")
        section.transform = rasterio.transform.from_origin(left, top, section.cell, section.cell)
        section.maps = {year: self.case.cells(f"{section.id}/{section.legend}_{year}.tif").astype("uint8") for year in YEARS}
        section.lon, section.lat = lonlat(section.crs, *centres((rows, cols), section.transform))
        section.x, section.y = pyproj.Proj(CRS)(section.lon, section.lat)

    def make_holes(self):
        """What nobody maps: wide, narrow, in one year alone."""
        def cut(name, xmin, ymin, width, height, years=YEARS):
            section = self.section(name)
            hole = (section.x >= xmin) & (section.x < xmin + width) & (section.y >= ymin) & (section.y < ymin + height)
            for year in years:
                assert (section.maps[year][hole] != 0).any(), (name, xmin)
                section.maps[year][hole] = 0

        cut("canada", -900_000, 1_200_000, 280_000, 240_000)
        cut("canada", 100_000, 900_000, 130_000, 150_000, [2015])
        # Strips narrower than the widest sliver; the last lies where the neighbour maps too.
        cut("canada", -1_000_000, 2_000_000, 900_000, 15_000)
        cut("conus", -2_000_000, -400_000, 18_000, 500_000, [2010, 2020])
        cut("alaska", -1_525_000, 1_500_000, 17_000, 700_000)
        cut("mexico", -3_000_000, -2_500_000, 120_000, 120_000)

    def make_mexico(self):
        """Clouds of 2010 and 2015, some of them over the border; 2020 as an update of 2015."""
        section = self.section("mexico")
        maps = section.maps
        box = lambda xmin, ymin, xmax, ymax: (section.x >= xmin) & (section.x < xmax) & (section.y >= ymin) & (section.y < ymax)
        maps[2015][box(-2_700_000, -1_500_000, -2_200_000, -1_100_000) & (maps[2015] != 0)] = 99
        maps[2010][box(-2_500_000, -1_420_000, -2_350_000, -1_100_000) & (maps[2010] != 0)] = 98
        new, base = maps.pop(2020), maps[2015]
        mask = (new != base) & (new != 0)
        mask[box(-3_300_000, -2_000_000, -3_100_000, -1_800_000)] = True
        mask &= ~box(-2_700_000, -1_350_000, -2_200_000, -1_100_000)
        labels = np.where(new == 0, 0, new)
        # Labels beside the mask do not count; some under it saw nothing.
        labels[~mask & (base != 0) & (self.rng.random(mask.shape) < 0.3)] = 29
        labels[mask & box(-3_200_000, -2_000_000, -3_100_000, -1_900_000) & (labels != 0)] = 98
        assert not (mask & (labels == 0) & (base != 0)).any()
        self.update_labels, self.update_mask = labels, mask
        write(self.folder / "mexico_labels.tif", labels, section.crs, section.transform, 0)
        write(self.folder / "mexico_mask.tif", mask.astype("uint8") * 3, section.crs, section.transform)
        section.update = np.where(mask, labels, base)

    # ----- layers -----

    def make_domains(self):
        """A domain for each section, of bricks, so that it goes beyond what the section maps here and falls short there."""
        share = {region: self.synth_target(region, "--region", region) != 0 for region in ("north", "middle", "south")}
        west = (self.x < -1_500_000) & (self.y > 900_000)
        shares = [share["north"] & west, share["north"] & ~west, share["middle"], share["south"]]
        shares = np.stack([brick_share(cells) for cells in shares])
        self.owner = np.zeros((ROWS, COLS), "uint8")
        features = []
        # The sea of a brick of which little is land is in no domain; nor is a corner of another nation's.
        decided = shares.sum(axis=0) >= 0.35
        for position, section in enumerate(self.sections):
            mask = decided & (shares.argmax(axis=0) == position)
            if section.id == "conus":
                foreign = np.zeros_like(mask)
                foreign[84:88, 60:64] = True
                mask, foreign = mask & ~foreign, mask & foreign
                features += [({"section": "elsewhere"}, in_degrees(rings)) for rings in outlines(foreign)]
                assert foreign.any()
            self.owner[cells_of(mask)] = position + 1
            features += [({"section": section.id}, in_degrees(rings)) for rings in outlines(mask)]
        write_polygons(self.folder / "sections.geojson", features)

    def make_strata(self):
        """Climate by polygons, the line of trees by a raster; cells so near a border that it is a matter of taste become water."""
        layer = json.loads((self.folder / "climate.geojson").read_text())
        self.climate = ["", "tropical", "temperate", "polar"]
        polygons = [(self.climate.index(f["properties"]["zone"]), f["geometry"]["coordinates"]) for f in layer["features"]]
        # A raster of a fifth of a degree; 0 is nodata.
        west, north, step = -200.1, 85.05, 0.2
        shape = (400, 800)
        self.treeline = ["", "above", "below"]
        lon, lat = np.meshgrid(west + (np.arange(shape[1]) + 0.5) * step, north - (np.arange(shape[0]) + 0.5) * step)
        trees = np.where(lat > 61 + 3 * np.sin(lon / 5), 1, 2).astype("uint8")
        trees[(np.sin(lon) + np.cos(lat * 2)) > 1.6] = 0
        write(self.folder / "treeline.tif", trees, "EPSG:4326", rasterio.transform.from_origin(west, north, step, step), 0)
        for section in self.sections:
            if section.legend != "nlcd":
                continue
            own = [(value, [list(zip(*pyproj.Proj(section.crs)(*np.array(densified(ring, 0.05)).T))) for ring in rings])
                   for value, rings in polygons]
            shapes = [({"type": "Polygon", "coordinates": rings}, value) for value, rings in own][::-1]
            burn = lambda dx, dy: rasterio.features.rasterize(
                shapes, out_shape=section.shape, transform=rasterio.transform.Affine.translation(dx, dy) * section.transform)
            look = lambda dlon, dlat: trees[((north - section.lat - dlat) // step).astype(int), ((section.lon + dlon - west) // step).astype(int)]
            climate, line = burn(0, 0), look(0, 0)
            unsure = np.zeros(section.shape, bool)
            for dx, dy in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
                unsure |= (burn(4 * dx, 4 * dy) != climate) | (look(2e-4 * dx, 5e-5 * dy) != line)
            for cells in section.maps.values():
                cells[unsure & (cells != 0)] = 11
            section.strata = {"climate": climate, "treeline": line}
            assert unsure.sum() < unsure.size / 200, unsure.sum()

    def make_zones(self):
        """Boxes of longitude and latitude, in another CRS than the grid: the second overlaps the first."""
        self.parks = np.zeros((ROWS, COLS), "uint8")
        self.park_keys, features = ["outside"], []
        for key, (west, south, east, north) in {
            "0402": (-131, 41, -111, 57), "8.10": (-114, 48, -90, 63), "south": (-125, 14, -84, 33), "09": (-88, 34, -68, 52),
        }.items():
            west, east = (self.clear(self.lon, v, self.lat, south, north, True) for v in (west, east))
            south, north = (self.clear(self.lat, v, self.lon, west, east, False) for v in (south, north))
            held = (self.lon > west) & (self.lon < east) & (self.lat > south) & (self.lat < north)
            self.park_keys.append(key)
            self.parks[held & (self.parks == 0)] = len(self.park_keys) - 1
            ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
            features.append(({"code": key}, [ring]))
        write_polygons(self.folder / "parks.geojson", features)

    def clear(self, values, wanted, along, low, high, is_lon):
        """A value near the wanted one that no cell's centre along an edge comes within some metres of."""
        near = (abs(values - wanted) < 0.5) & (along > low - 1) & (along < high + 1)
        metres = 111_000 * (np.cos(np.radians(self.lat[near])) if is_lon else 1)
        for offset in np.arange(0, 0.4, 0.001):
            if (abs(values[near] - wanted - offset) * metres).min() > 8:
                return round(float(wanted + offset), 6)
        raise AssertionError(f"no room near {wanted}")

    def brick_rings(self, rows, cols):
        """A polygon of whole bricks, by first and last + 1."""
        (top, bottom), (left, right) = ([BRICK * CELL * at for at in span] for span in (rows, cols))
        corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        return [[(WEST + x, NORTH - y) for x, y in corners]]

    def held(self, polygons):
        """Cells of the target whose centre polygons of its CRS hold; no centre may come near an edge."""
        cells = burned(polygons, (ROWS, COLS), self.transform)
        for dx, dy in ((-5, -5), (-5, 5), (5, -5), (5, 5)):
            moved = rasterio.transform.Affine.translation(dx, dy) * self.transform
            assert (burned(polygons, (ROWS, COLS), moved) == cells).all()
        return cells

    def make_edits(self):
        """Three layers: polygons over bricks and across them, a raster of degrees over clouds, polygons that ask for a class."""
        self.ice = {
            "forest": self.brick_rings((12, 15), (80, 83)),
            "border": self.brick_rings((53, 55), (61, 64)),
            "plain": self.brick_rings((88, 91), (38, 41)),
            "across": [[(-500_123, -300_456), (-200_789, -350_321), (-350_777, -650_999), (-500_123, -300_456)]],
        }
        self.edits = [
            {"id": "ice", "path": "ice.geojson", "from": "*", "to": 15, "epochs": [2015, 2020]},
            {"id": "clouds", "path": "clouds.tif", "from": "nodata", "to": 16, "epochs": list(YEARS)},
            {"id": "needles", "path": "needles.geojson", "from": 1, "to": 10, "epochs": [2010]},
        ]
        needles = [self.brick_rings((88, 96), (39, 44))]
        self.write_ice()
        write_polygons(self.folder / "needles.geojson", [({}, in_degrees(rings)) for rings in needles])
        west, north, step = -140.03, 45.02, 0.2
        lon, lat = np.meshgrid(west + (np.arange(220) + 0.5) * step, north - (np.arange(140) + 0.5) * step)
        x, y = pyproj.Proj(CRS)(lon, lat)
        clouds = np.where((x > -2_550_000) & (x < -2_390_000) & (y > -1_480_000) & (y < -1_150_000), 7, 0).astype("uint8")
        clouds[(lon * 10).astype(int) % 17 == 0] = 255
        self.clouds = (clouds, rasterio.transform.from_origin(west, north, step, step))
        write(self.folder / "clouds.tif", clouds, "EPSG:4326", self.clouds[1], 255)
        self.edited = {"ice": self.held(self.ice.values()), "needles": self.held(needles)}

    def write_ice(self, but=()):
        polygons = [({"who": name}, in_degrees(rings)) for name, rings in self.ice.items() if name not in but]
        write_polygons(self.folder / "ice.geojson", polygons)

    def make_coast(self):
        """Land: bricks that are mostly mapped, so that it goes beyond domains here and falls short there. Lakes: bricks of water."""
        mapped = brick_share(self.truth != 0) >= 0.6
        lakes = brick_share(self.truth == 18) >= 0.95
        self.land, self.lakes = cells_of(mapped), cells_of(lakes)
        for name, mask in (("land", mapped), ("lakes", lakes)):
            write_polygons(self.folder / f"{name}.geojson", [({}, in_degrees(rings)) for rings in outlines(mask)])

    def make_official(self):
        """What Mexico says changed from 2010 to 2015, on cells of its own."""
        section, cell = self.section("mexico"), 7777
        rows, cols = (int(n * section.cell / cell) for n in section.shape)
        pick = lambda: self.rng.choice([1, 3, 4, 7, 8, 9, 10, 14, 15, 17, 18], (rows, cols))
        one, two, kind = pick(), pick(), self.rng.random((rows, cols))
        values = np.select([kind < 0.5, kind < 0.7, kind < 0.8, kind < 0.9], [0, one * 100 + two, one * 101, 65_535], 60_000)
        left, top = section.origin
        self.official = (values.astype("uint16"), rasterio.transform.from_origin(left + 1234.5, top - 2345.6, cell, cell))
        write(self.folder / "mexico_change.tif", self.official[0], section.crs, self.official[1], 60_000)
