//! What would a plausible land cover map show here, in this year?
//!
//! Tests, benchmarks and the `synth` verb need maps that look like land cover and of which any window can be made
//! at any time. A [`Landscape`] is one world on one plane: every grid, projection and tiling that samples it sees the
//! same lakes, fields and fires. It is built of value noise (coast, relief, moisture, lakes) in several octaves, of
//! parcels with straight edges, of settlements and reservoirs that grow, and of burns and cuts that grow over.
//!
//! It deliberately knows no raster, legend or projection: callers bring coordinates in metres.
//!
//! Rejected: painting a raster patch by patch. That looks better, but a window would depend on its neighbours.
//!
//! # Determinism
//! Integer hashes and IEEE-754 `+ - * /`, comparison and `floor` on `f64` only, never fused, never a function
//! of the mathematics library: the same seed gives the same bytes on every machine.

const OUTSIDE: u8 = 0;
const NEEDLELEAF: u8 = 1;
const TAIGA: u8 = 2;
const TROPICAL_EVERGREEN: u8 = 3;
const TROPICAL_DECIDUOUS: u8 = 4;
const DECIDUOUS: u8 = 5;
const MIXED_FOREST: u8 = 6;
const TROPICAL_SHRUB: u8 = 7;
const SHRUB: u8 = 8;
const TROPICAL_GRASS: u8 = 9;
const GRASS: u8 = 10;
const LICHEN_SHRUB: u8 = 11;
const LICHEN_GRASS: u8 = 12;
const LICHEN_BARREN: u8 = 13;
const WETLAND: u8 = 14;
const CROP: u8 = 15;
const BARREN: u8 = 16;
const URBAN: u8 = 17;
const WATER: u8 = 18;
const SNOW: u8 = 19;

/// Latitude-like coordinate, in 1000 km north of the plane's origin, below which the climate is tropical.
const TROPICAL_BELOW: f64 = -2.1;
/// The same, above which the climate is polar.
const POLAR_ABOVE: f64 = 1.6;
/// Years from one disturbance of a place to the next.
const RETURN_YEARS: i32 = 160;

/// How much of the plane is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// About 40 % lies outside: 25 to 55 % of any square window of 2000 cells or more.
    Continental,
    /// About 2 % lies outside: 0 to 5 % of any such window.
    Interior,
}

/// The climate zone of a place, the stratum of conditional crosswalk rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Climate {
    /// The south; the only zone of classes 3, 4, 7 and 9.
    Tropical,
    /// The middle; the only zone of classes 5, 6, 8 and 10.
    Temperate,
    /// The north; the only zone of classes 2, 11, 12 and 13.
    Polar,
}

/// A synthetic world of land cover: a class for every point of a plane in every year.
///
/// # Unit
/// Metres on one plane; the climate zones assume the Lambert azimuthal equal-area plane centred on 45° N 100° W.
/// # Nodata
/// 0 is outside the mapped area; it is the same in every year.
/// # Determinism
/// A value depends on seed, cell size, profile, point and year, not on the raster it is asked for.
/// # Source
/// Legend: NALCMS level 2, classes 1 to 19. All shares and wavelengths are ours, chosen by measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Landscape {
    seed: u64,
    cell_m: f64,
    profile: Profile,
}

impl Landscape {
    /// Makes a world whose finest features are about as large as a cell of `cell_m` metres.
    ///
    /// Every wavelength but those of the climate is a multiple of `cell_m`. A size that is not positive gives a
    /// meaningless world, but no panic.
    pub fn new(seed: u64, cell_m: f64, profile: Profile) -> Self {
        Self { seed, cell_m, profile }
    }

    /// Returns the class, 1 to 19, or 0 outside the mapped area, at a point in a year.
    ///
    /// Between two years 5 apart, 2 to 4 % of the mapped area changes, in patches. Urban stays urban. Years
    /// before 1900 and after 2100 look like those.
    /// # Cost
    /// Some 20 lattice cells are hashed for a single point; use [`Self::fill_row`] or [`Self::fill`] for many.
    pub fn class_at(&self, x_m: f64, y_m: f64, year: i32) -> u8 {
        Sampler::new(self, year).class(x_m, y_m)
    }

    /// Returns the climate zone at a point: by `y_m`, with wavy borders.
    pub fn climate_at(&self, x_m: f64, y_m: f64) -> Climate {
        climate(Sampler::new(self, 0).north(x_m, y_m))
    }

    /// Fills a row of cells: `out[i]` is [`Self::class_at`] the point `x0_m + i · dx_m`, `y_m`.
    ///
    /// # Cost
    /// 10 to 20 million cells a second and core where `dx_m` is about the cell size.
    pub fn fill_row(&self, x0_m: f64, dx_m: f64, y_m: f64, year: i32, out: &mut [u8]) {
        self.fill((0..out.len()).map(|i| (x0_m + i as f64 * dx_m, y_m)), year, out);
    }

    /// Fills cells with [`Self::class_at`] of each point, fast if neighbours follow each other (a reprojected row).
    ///
    /// # Shape
    /// Stops at the shorter of `points` and `out`.
    pub fn fill(&self, points: impl IntoIterator<Item = (f64, f64)>, year: i32, out: &mut [u8]) {
        let mut sampler = Sampler::new(self, year);
        for (cell, (x, y)) in out.iter_mut().zip(points) {
            *cell = sampler.class(x, y);
        }
    }
}

fn climate(north: f64) -> Climate {
    if north < TROPICAL_BELOW {
        Climate::Tropical
    } else if north > POLAR_ABOVE {
        Climate::Polar
    } else {
        Climate::Temperate
    }
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn hash(salt: u64, col: f64, row: f64) -> u64 {
    mix(mix(salt ^ (col as i64 as u64)) ^ (row as i64 as u64))
}

/// Four numbers in 0..1 from one hash.
fn draws(hash: u64) -> [f64; 4] {
    [0, 16, 32, 48].map(|shift| ((hash >> shift) & 0xffff) as f64 / 65536.0)
}

fn smooth(t: f64) -> f64 {
    t * t * (3.0 - 2.0 * t)
}

/// One octave of value noise, remembering the lattice cell and row it was last asked for.
struct Octave {
    salt: u64,
    per_m: f64,
    /// Every 2 × 2 block of lattice points holds one value of each quarter of 0..1, so that shares vary little.
    stratified: bool,
    col: f64,
    row: f64,
    corners: [f64; 4],
    y: f64,
    left: f64,
    right: f64,
}

impl Octave {
    fn new(salt: u64, wavelength_m: f64) -> Self {
        let (per_m, nan) = (1.0 / wavelength_m, f64::NAN);
        Self {
            salt,
            per_m,
            stratified: false,
            col: nan,
            row: nan,
            corners: [0.0; 4],
            y: nan,
            left: 0.0,
            right: 0.0,
        }
    }

    fn at(&mut self, x: f64, y: f64) -> f64 {
        let mut u = x * self.per_m - self.col;
        if y != self.y || !(0.0..1.0).contains(&u) {
            u = self.seek(x, y);
        }
        self.left + (self.right - self.left) * smooth(u)
    }

    fn seek(&mut self, x: f64, y: f64) -> f64 {
        let (u, v) = (x * self.per_m, y * self.per_m);
        let (col, row) = (u.floor(), v.floor());
        if (col, row) != (self.col, self.row) {
            let [_, _, se, ne] = self.corners;
            let (sw, nw) = match (col, row) == (self.col + 1.0, self.row) {
                true => (se, ne),
                false => (self.knot(col, row), self.knot(col, row + 1.0)),
            };
            self.corners = [sw, nw, self.knot(col + 1.0, row), self.knot(col + 1.0, row + 1.0)];
            (self.col, self.row) = (col, row);
        }
        let [sw, nw, se, ne] = self.corners;
        let t = smooth(v - row);
        (self.left, self.right, self.y) = (sw + (nw - sw) * t, se + (ne - se) * t, y);
        u - col
    }

    fn knot(&self, col: f64, row: f64) -> f64 {
        let own = hash(self.salt, col, row);
        let value = (own >> 11) as f64 / (1u64 << 53) as f64;
        if !self.stratified {
            return value;
        }
        let (c, r) = ((col / 2.0).floor() * 2.0, (row / 2.0).floor() * 2.0);
        let block = [(c, r), (c + 1.0, r), (c, r + 1.0), (c + 1.0, r + 1.0)];
        let rank = block.iter().filter(|(i, j)| hash(self.salt, *i, *j) < own).count();
        (rank as f64 + draws(mix(own))[0]) / 4.0
    }
}

/// Octaves of value noise, added with weights that sum to 1; values in 0..1, mean 0.5.
struct Field<const N: usize>([(f64, Octave); N]);

impl<const N: usize> Field<N> {
    fn new(salt: u64, cell_m: f64, octaves: [(f64, f64); N]) -> Self {
        let mut salt = salt;
        Self(octaves.map(|(weight, cells)| {
            salt = mix(salt);
            (weight, Octave::new(salt, cells * cell_m))
        }))
    }

    fn at(&mut self, x: f64, y: f64) -> f64 {
        self.0.iter_mut().map(|(weight, octave)| *weight * octave.at(x, y)).sum()
    }
}

/// Square cells with a hash each, remembering the last.
struct Mesh {
    salt: u64,
    per_m: f64,
    col: f64,
    row: f64,
    hash: u64,
}

impl Mesh {
    fn new(salt: u64, size_m: f64) -> Self {
        Self { salt, per_m: 1.0 / size_m, col: f64::NAN, row: f64::NAN, hash: 0 }
    }

    /// Goes to the cell of a point and returns where in it (0..1) the point lies.
    fn locate(&mut self, x: f64, y: f64) -> (f64, f64) {
        let (u, v) = (x * self.per_m, y * self.per_m);
        let inside = (0.0..1.0).contains(&(u - self.col)) && (0.0..1.0).contains(&(v - self.row));
        if !inside {
            (self.col, self.row) = (u.floor(), v.floor());
            self.hash = hash(self.salt, self.col, self.row);
        }
        (u - self.col, v - self.row)
    }
}

/// Fields with straight edges, in districts of one orientation each; a field is one use throughout.
struct Parcels {
    districts: Mesh,
    blocks: Mesh,
    farming: Octave,
    id: u64,
    crop_from: f64,
    pasture: bool,
}

impl Parcels {
    /// Goes to the parcel of a point: sets the year of its first crop and whether it is pasture instead.
    fn locate(&mut self, x: f64, y: f64) {
        self.districts.locate(x, y);
        // Pythagorean triples: exact enough rotations without sine and cosine.
        let (cos, sin) = match self.districts.hash % 4 {
            0 => (12.0 / 13.0, 5.0 / 13.0),
            1 => (0.8, 0.6),
            _ => (1.0, 0.0),
        };
        let (u, v) = self.blocks.locate(cos * x + sin * y, cos * y - sin * x);
        let [cut_u, cut_v, ..] = draws(self.blocks.hash);
        // A cut outside 0..1 leaves the block whole in that direction.
        let (cut_u, cut_v) = (0.2 + cut_u, 0.2 + cut_v);
        let part = u64::from(u > cut_u) + 2 * u64::from(v > cut_v);
        let id = mix(self.blocks.hash ^ part ^ (self.districts.hash % 4) << 2);
        if id != self.id {
            self.id = id;
            let side = |past: bool, cut: f64| if past { (cut + 1.0) / 2.0 } else { cut.min(1.0) / 2.0 };
            let p = (self.blocks.col + side(u > cut_u, cut_u)) / self.blocks.per_m;
            let q = (self.blocks.row + side(v > cut_v, cut_v)) / self.blocks.per_m;
            let [chance, pasture, ..] = draws(id);
            let suitability = self.farming.at(cos * p - sin * q, sin * p + cos * q) + 0.3 * (chance - 0.5);
            self.crop_from = 2000.0 + (0.58 - suitability) / 0.0008;
            self.pasture = pasture < 0.25;
        }
    }
}

/// One landscape in one year, with the noise of the last point at hand for the next.
struct Sampler {
    year: i32,
    sea_level: f64,
    coast: Field<3>,
    border: Field<2>,
    relief: Field<3>,
    moisture: Field<4>,
    lakes: Field<2>,
    grain: Octave,
    speckle: Mesh,
    sites: Mesh,
    burns: [Mesh; 2],
    parcels: Parcels,
}

impl Sampler {
    fn new(landscape: &Landscape, year: i32) -> Self {
        let cell = landscape.cell_m;
        let salt = |n: u64| mix(landscape.seed ^ mix(n));
        let mut coast = Field::new(salt(1), cell, [(0.74, 400.0), (0.19, 90.0), (0.07, 21.0)]);
        if let Some((_, octave)) = coast.0.first_mut() {
            octave.stratified = true;
        }
        Self {
            year: year.clamp(1900, 2100),
            sea_level: match landscape.profile {
                Profile::Continental => 0.457,
                Profile::Interior => 0.19,
            },
            coast,
            border: Field::new(salt(2), 1.0, [(0.7, 700e3), (0.3, 90e3)]),
            relief: Field::new(salt(3), cell, [(0.55, 640.0), (0.28, 150.0), (0.17, 34.0)]),
            moisture: Field::new(
                salt(4),
                cell,
                [(0.2, 1.1e6 / cell), (0.4, 430.0), (0.25, 100.0), (0.15, 23.0)],
            ),
            lakes: Field::new(salt(5), cell, [(0.7, 72.0), (0.3, 15.0)]),
            grain: Octave::new(salt(6), 6.0 * cell),
            speckle: Mesh::new(salt(7), 2.0 * cell),
            sites: Mesh::new(salt(8), 310.0 * cell),
            burns: [Mesh::new(salt(9), 52.0 * cell), Mesh::new(salt(10), 120.0 * cell)],
            parcels: Parcels {
                districts: Mesh::new(salt(11), 900.0 * cell),
                blocks: Mesh::new(salt(12), 40.0 * cell),
                farming: Octave::new(salt(13), 260.0 * cell),
                id: 0,
                crop_from: f64::INFINITY,
                pasture: false,
            },
        }
    }

    /// How far north a point lies, in 1000 km, as far as the climate is concerned.
    fn north(&mut self, x: f64, y: f64) -> f64 {
        y / 1e6 + 0.8 * (self.border.at(x, y) - 0.5)
    }

    fn class(&mut self, x: f64, y: f64) -> u8 {
        let above_sea = self.coast.at(x, y) - self.sea_level;
        if above_sea < 0.0 {
            return OUTSIDE;
        }
        let grain = self.grain.at(x, y) - 0.5;
        let relief = self.relief.at(x, y) + 0.08 * grain;
        let north = self.north(x, y);
        let polar = climate(north) == Climate::Polar;
        let lake = self.lakes.at(x, y) + 0.07 * grain + if polar { 0.05 } else { 0.0 } - 0.3 * (relief - 0.5);
        if lake > 0.78 || above_sea < 0.012 {
            return WATER;
        }
        if let Some(site) = self.site(x, y, grain, polar) {
            return site;
        }
        if lake > 0.73 && relief < 0.62 {
            return WETLAND;
        }
        self.speckle.locate(x, y);
        let odd = if self.speckle.hash.is_multiple_of(32) { 0.15 } else { 0.0 };
        let moisture = self.moisture.at(x, y) + 0.19 * grain + odd;
        let natural = natural(north, relief, moisture);
        let tame = relief < 0.6 && !polar && (0.36..0.68).contains(&moisture);
        if tame && natural != BARREN {
            self.parcels.locate(x, y);
            if f64::from(self.year) >= self.parcels.crop_from {
                return if self.parcels.pasture { cover(north).2 } else { CROP };
            }
        }
        self.disturbed(x, y, grain, north, natural)
    }

    /// The settlement or reservoir of a point, at most one in a cell of the mesh, so that neither takes the other.
    fn site(&mut self, x: f64, y: f64, grain: f64, polar: bool) -> Option<u8> {
        let (u, v) = self.sites.locate(x, y);
        let [kind, size, east, south] = draws(self.sites.hash);
        let (du, dv) = (u - 0.35 - 0.3 * east, v - 0.35 - 0.3 * south);
        let years = f64::from(self.year - 1900);
        let (class, radius) = if kind < 0.08 {
            // A dam is closed in some year of 1900..2100 and the reservoir is full at once.
            (WATER, if years >= 200.0 * size { 0.16 } else { 0.0 })
        } else if kind < 0.7 {
            let town = 0.03 + 0.13 * size * size * size;
            (URBAN, town * (0.4 + 0.006 * years) * if polar { 0.3 } else { 1.0 })
        } else {
            return None;
        };
        (du * du + dv * dv < radius * radius * (1.0 + 1.5 * grain)).then_some(class)
    }

    /// What grows at a point after the last burn or cut, or `natural` if that was long ago.
    fn disturbed(&mut self, x: f64, y: f64, grain: f64, north: f64, natural: u8) -> u8 {
        let (barren, shrub, grass) = cover(north);
        let mut class = natural;
        for (mesh, patches) in self.burns.iter_mut().enumerate() {
            let (u, v) = patches.locate(x, y);
            let [phase, size, east, south] = draws(patches.hash);
            let age = (self.year - (phase * f64::from(RETURN_YEARS)) as i32).rem_euclid(RETURN_YEARS);
            if age >= 24 {
                continue;
            }
            let (du, dv, radius) = (u - 0.4 - 0.2 * east, v - 0.4 - 0.2 * south, 0.18 + 0.2 * size);
            let cut = mesh == 0 && patches.hash.is_multiple_of(2);
            let hit = if cut {
                du.max(-du) < radius && dv.max(-dv) < 0.7 * radius
            } else {
                du * du + dv * dv < radius * radius * (1.0 + 1.5 * grain)
            };
            if hit {
                class = match (natural, age) {
                    (1..=6, 0..10) => grass,
                    (1..=6, _) => shrub,
                    (_, 0..14) if natural == shrub => grass,
                    (_, 0..14) if natural == grass => shrub,
                    (_, 0..14) if natural == barren => grass,
                    _ => class,
                };
            }
        }
        class
    }
}

/// The barren, shrub and grass classes of the climate.
fn cover(north: f64) -> (u8, u8, u8) {
    match climate(north) {
        Climate::Tropical => (BARREN, TROPICAL_SHRUB, TROPICAL_GRASS),
        Climate::Temperate => (BARREN, SHRUB, GRASS),
        Climate::Polar => (LICHEN_BARREN, LICHEN_SHRUB, LICHEN_GRASS),
    }
}

/// The class that relief and moisture give a place nobody and no fire has touched.
fn natural(north: f64, relief: f64, moisture: f64) -> u8 {
    let (barren, shrub, grass) = cover(north);
    // The snow line falls by 0.04 per 1000 km northward.
    let snow_line = 0.85 - 0.04 * north;
    if relief > snow_line {
        return SNOW;
    }
    if relief > snow_line - 0.04 {
        return BARREN;
    }
    // Trees end where shrub begins; the tree line wants more moisture the further north.
    let trees = match climate(north) {
        Climate::Polar => 0.40 + 0.08 * (north - POLAR_ABOVE),
        _ => 0.47,
    };
    if moisture < trees - 0.17 {
        barren
    } else if moisture < trees - 0.1 {
        grass
    } else if moisture < trees {
        shrub
    } else {
        match climate(north) {
            Climate::Polar if relief > 0.6 => NEEDLELEAF,
            Climate::Polar => TAIGA,
            _ if relief > 0.58 => NEEDLELEAF,
            Climate::Tropical if moisture > 0.55 => TROPICAL_EVERGREEN,
            Climate::Tropical => TROPICAL_DECIDUOUS,
            Climate::Temperate if relief > 0.5 => MIXED_FOREST,
            Climate::Temperate => DECIDUOUS,
        }
    }
}
