//! Which map would an agency deliver of the synthetic world?
//!
//! [`crate::kernel::landscape`] knows one plane and the 19 classes of NALCMS. Here a national grid is laid on that
//! plane, the part a nation maps is cut out, and each class is written as the nation would write it. Borders of
//! climate zones and some zones to tabulate by come as polygons.
//!
//! It deliberately writes no file: rasters go through [`crate::io::gdal::write_tiled`], polygons come as text.
//!
//! Rejected: reprojecting a finished mosaic. Every grid would inherit its cells; here each samples the world anew, as
//! national maps do, and neighbours disagree at their border for honest reasons.

pub mod climate;
pub mod codes;
pub mod geojson;
pub mod region;
pub mod zones;

use ndarray::Array2;
use rayon::prelude::*;

use crate::config::shipped;
use crate::error::{Error, Result};
use crate::io::gdal::same_crs;
use crate::io::proj::{Direction, Operation};
use crate::kernel::landscape::Landscape;
use crate::model::grid::{Crs, Grid};
use crate::model::window::Window;
use codes::NationalCodes;
use region::Area;

/// Side of the patches that share one of several equivalent codes, in finest features.
const PATCH_FEATURES: f64 = 24.0;
/// Side of the squares that hold one cloud at most, in finest features.
const CLOUD_FEATURES: f64 = 48.0;
/// Share of such a square under the average cloud and its shadow: pi (0.2² + 0.2·0.13 + 0.13²/3) times about 1.6.
const CLOUD_COVER: f64 = 0.36;

/// The plane of the synthetic world: Lambert azimuthal equal area, 45° N 100° W, on WGS 84.
///
/// # Errors
/// Input: GDAL does not understand the shipped CRS.
pub fn plane_crs() -> Result<Crs> {
    shipped::grid("nalcms-30m", std::path::Path::new(""))?
        .grid()?
        .crs
        .ok_or_else(|| Error::bug("a shipped grid has no CRS"))
}

/// The way from a grid's CRS to the plane of the synthetic world.
#[derive(Debug, Clone)]
pub struct Way(Option<Operation>);

impl Way {
    /// Chooses the way for a grid.
    ///
    /// # Errors
    /// Usage: the grid has no CRS. Input: PROJ knows no way.
    pub fn of(grid: &Grid) -> Result<Self> {
        let crs = grid.crs.as_ref().ok_or_else(|| Error::usage("a synthetic map needs a CRS"))?;
        let plane = plane_crs()?;
        if same_crs(crs, &plane)? {
            return Ok(Self(None));
        }
        let (x, y) = grid.affine.apply(grid.cols as f64 / 2.0, grid.rows as f64 / 2.0);
        Ok(Self(Some(Operation::choose(crs, &plane, x, y)?)))
    }

    /// Takes points to the plane, in place; those that have no place there become infinite.
    ///
    /// # Errors
    /// Bug: PROJ lost its operation.
    pub fn follow(&self, xs: &mut [f64], ys: &mut [f64]) -> Result<()> {
        match &self.0 {
            Some(operation) => operation.transform(Direction::Forward, xs, ys),
            None => Ok(()),
        }
    }
}

/// One map series of the synthetic world: a legend on a grid over a part of the plane.
#[derive(Debug, Clone)]
pub struct Series {
    /// The world.
    pub landscape: Landscape,
    /// Size of its finest features.
    pub detail_m: f64,
    /// How the series writes classes.
    pub codes: NationalCodes,
    /// What it maps.
    pub area: Area,
    /// Share of the mapped cells under clouds, 0 to 0.3.
    pub no_observation: f64,
    /// Its grid.
    pub grid: Grid,
    /// From there to the plane.
    pub way: Way,
    /// Decides among equivalent codes, and where clouds are.
    pub seed: u64,
}

impl Series {
    /// The cells of a window of the grid in a year.
    ///
    /// # Determinism
    /// A cell depends on its absolute row and column, never on the window.
    /// # Errors
    /// Bug: PROJ lost its operation.
    pub fn cells(&self, window: &Window, year: i32) -> Result<Array2<u8>> {
        let mut cells = vec![0u8; window.rows * window.cols];
        if !cells.is_empty() {
            let rows = cells.par_chunks_mut(window.cols).enumerate();
            rows.map(|(i, row)| self.row(window.row + i as i64, window.col, year, row))
                .collect::<Result<Vec<()>>>()?;
        }
        Array2::from_shape_vec((window.rows, window.cols), cells).map_err(|e| Error::bug(e.to_string()))
    }

    fn row(&self, row: i64, first_col: i64, year: i32, out: &mut [u8]) -> Result<()> {
        let centre = |i: usize| self.grid.affine.apply((first_col + i as i64) as f64 + 0.5, row as f64 + 0.5);
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = (0..out.len()).map(centre).unzip();
        self.way.follow(&mut xs, &mut ys)?;
        self.landscape.fill(xs.iter().copied().zip(ys.iter().copied()), year, out);
        for ((cell, &x), &y) in out.iter_mut().zip(&xs).zip(&ys) {
            *cell = if *cell == 0 || !self.area.holds(x, y) {
                self.codes.fill
            } else if let Some(code) = self.cloud(x, y, year) {
                code
            } else {
                let climate = || self.landscape.climate_at(x, y);
                let (col, row) = square(x, y, PATCH_FEATURES * self.detail_m);
                self.codes
                    .pick(*cell, climate, |class| mix(self.seed ^ mix(u64::from(class)) ^ lattice(col, row)))
            };
        }
        Ok(())
    }

    /// The code of a cloud or its shadow at a point of the plane.
    fn cloud(&self, x: f64, y: f64, year: i32) -> Option<u8> {
        let (first, last) = (self.codes.no_observation.first()?, self.codes.no_observation.last()?);
        if self.no_observation <= 0.0 {
            return None;
        }
        let side = CLOUD_FEATURES * self.detail_m;
        let (col, row) = square(x, y, side);
        let hash = mix(self.seed ^ mix(year as u64) ^ mix(lattice(col, row)));
        let draw = |shift: u32| ((hash >> shift) & 0xffff) as f64 / 65_536.0;
        if draw(0) >= self.no_observation / CLOUD_COVER {
            return None;
        }
        let (u, v, radius) = (x / side - col, y / side - row, 0.2 + 0.13 * draw(16));
        let within = |u0: f64, v0: f64| (u - u0) * (u - u0) + (v - v0) * (v - v0) < radius * radius;
        if within(0.4, 0.6) { Some(*first) } else { within(0.6, 0.4).then_some(*last) }
    }
}

/// Column and row of the square of a side that holds a point.
fn square(x: f64, y: f64, side: f64) -> (f64, f64) {
    ((x / side).floor(), (y / side).floor())
}

/// A hash of a square's place.
fn lattice(col: f64, row: f64) -> u64 {
    mix(mix(col as i64 as u64) ^ (row as i64 as u64))
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
