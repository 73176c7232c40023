//! Areas of cells that differ in size, worked out anew by other formulas than those they were made with.
//!
//! Between two parallels the ellipsoid's surface is integrated numerically. On the plane of a projection a cell is
//! measured on the authalic sphere, on which every piece of the ellipsoid has its area. One part in ten million is all
//! that is asked: no way of making maps knows an area better.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, s};

use super::findings::Findings;
use crate::io::gdal::geographic_base;
use crate::io::proj::{Direction, Operation};
use crate::model::area::LARGEST_CELL_M2;
use crate::model::ellipsoid::Ellipsoid;
use crate::model::grid::{Affine, Crs};
use crate::model::window::Window;

/// Relative difference up to which an area that was worked out anew is the one that is told.
const WORKED_OUT: f64 = 1e-7;

/// Relative difference up to which a sum of areas as tables tell them is the sum as they tell it.
const ADDED_UP: f64 = 1e-12;

/// What a sum of rounded numbers may differ by at least, in m².
const LAST_DIGIT_M2: f64 = 1e-5;

/// Half the distance on the plane over which a cell is measured, in metres: where the earth's image ends it matters.
const STEP_M: f64 = 100.0;

/// Of two steps of which one is longer by this factor, that one leads over a tear of the plane.
const TORN: f64 = 1.1;

/// The longest distance of nodes that areas are interpolated between, in metres.
const NODES_M: f64 = 4000.0;

/// Areas are interpolated where they differ by no more than this factor between all nodes in use.
const SMOOTH: f64 = 1.02;

/// Cells longer than this are the mean of four places, in metres.
const LONG_CELL_M: f64 = 1000.0;

/// Abscissas and weights of the quadrature of Gauss with five nodes on -1..1 (Abramowitz & Stegun 1964, table 25.4).
const GAUSS: [(f64, f64); 5] = [
    (0.0, 0.568_888_888_888_888_9),
    (-0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (-0.906_179_845_938_664, 0.236_926_885_056_189_1),
    (0.906_179_845_938_664, 0.236_926_885_056_189_1),
];

/// How large the cells of a grid are.
#[derive(Debug, Clone)]
pub struct CellAreas {
    affine: Affine,
    ellipsoid: Ellipsoid,
    /// Metres per unit of the plane; on a grid of longitudes and latitudes, per degree of the equator.
    unit_m: f64,
    /// What carries a point of the plane to longitude and latitude.
    to_base: Option<Operation>,
    /// Whether rows lie between two parallels.
    on_parallels: bool,
}

impl CellAreas {
    /// How large the cells of a grid are on the ellipsoid of its CRS, or on WGS 84 where asked; `None` where that is
    /// not said.
    pub fn of(crs: &Crs, affine: Affine, (rows, cols): (usize, usize), on_wgs_84: bool) -> Option<Self> {
        let base = geographic_base(crs).ok()?;
        let ellipsoid = if on_wgs_84 { Ellipsoid::WGS_84 } else { crs.figure };
        let unit_m = if crs.geographic { ellipsoid.semi_major_m.to_radians() } else { crs.unit_m };
        let [_, a, b, _, d, e] = affine.0;
        if (a * e - b * d).abs() * unit_m * unit_m > LARGEST_CELL_M2 {
            return None;
        }
        let (x, y) = affine.apply(cols as f64 / 2.0, rows as f64 / 2.0);
        let to_base = if crs.geographic { None } else { Some(Operation::choose(crs, &base, x, y).ok()?) };
        Some(Self {
            affine,
            ellipsoid,
            unit_m,
            to_base,
            on_parallels: crs.geographic && b == 0.0 && d == 0.0,
        })
    }

    /// The areas of the cells of a window, in m².
    pub fn of_window(&self, window: &Window) -> Array2<f64> {
        let mut areas = Array2::zeros((window.rows, window.cols));
        if self.on_parallels {
            for (row, mut line) in (window.row..).zip(areas.rows_mut()) {
                line.fill(self.between_parallels(row));
            }
            return areas;
        }
        let [_, a, b, _, d, e] = self.affine.0;
        let cell_m = a.hypot(d).max(b.hypot(e)) * self.unit_m;
        let mut side = 1;
        while 2 * side <= 64 && (2 * side) as f64 * cell_m <= NODES_M {
            side *= 2;
        }
        for patch in window.squares(side) {
            let (row, col) = ((patch.row - window.row) as usize, (patch.col - window.col) as usize);
            let mut slot = areas.slice_mut(s![row..row + patch.rows, col..col + patch.cols]);
            slot.assign(&self.of_patch(&patch, side, cell_m > LONG_CELL_M));
        }
        areas
    }

    /// The surface between the parallels of a row over its width: the integral of both radii of curvature.
    fn between_parallels(&self, row: i64) -> f64 {
        let latitude = |row: i64| self.affine.apply(0.0, row as f64).1.clamp(-90.0, 90.0).to_radians();
        let (north, south) = (latitude(row), latitude(row + 1));
        let (middle, half) = ((north + south) / 2.0, (north - south).abs() / 2.0);
        let (a, e2) = (self.ellipsoid.semi_major_m, self.ellipsoid.eccentricity_squared);
        let surface = |latitude: f64| {
            let w = 1.0 - e2 * latitude.sin().powi(2);
            a * a * (1.0 - e2) * latitude.cos() / (w * w)
        };
        let integral: f64 = GAUSS.iter().map(|(at, weight)| weight * surface(middle + at * half)).sum();
        integral * half * self.affine.0[1].abs().to_radians()
    }

    /// The areas of the cells of a square, interpolated where they hardly differ.
    fn of_patch(&self, patch: &Window, side: usize, four: bool) -> Array2<f64> {
        let place = |row: f64, col: f64| (patch.row as f64 + row, patch.col as f64 + col);
        if side > 1 {
            let step = side as f64;
            let nodes: Vec<_> = (0..16)
                .map(|i| place((f64::from(i / 4) - 1.0) * step, (f64::from(i % 4) - 1.0) * step))
                .collect();
            let nodes = self.cells(&nodes, four);
            let known: Option<Vec<f64>> = nodes.into_iter().collect();
            let extreme =
                |nodes: &[f64]| nodes.iter().fold((f64::MAX, 0f64), |(l, m), &n| (l.min(n), m.max(n)));
            if let Some(nodes) = known.filter(|nodes| extreme(nodes).1 <= SMOOTH * extreme(nodes).0) {
                return Array2::from_shape_fn((patch.rows, patch.cols), |(row, col)| {
                    let (down, right) = (lagrange(row as f64 / step), lagrange(col as f64 / step));
                    (0..16).map(|i| nodes[i] * down[i / 4] * right[i % 4]).sum()
                });
            }
        }
        let cells: Vec<_> = (0..patch.rows * patch.cols)
            .map(|i| place((i / patch.cols) as f64, (i % patch.cols) as f64))
            .collect();
        let areas = self.cells(&cells, four).into_iter().map(Option::unwrap_or_default).collect();
        Array2::from_shape_vec((patch.rows, patch.cols), areas).unwrap_or_default()
    }

    /// The areas of cells by row and column of their upper left corner; none where no place on earth is found.
    fn cells(&self, cells: &[(f64, f64)], four: bool) -> Vec<Option<f64>> {
        let near = 0.5 - 0.75f64.sqrt() / 3.0;
        let inner = if four { vec![near, 1.0 - near] } else { vec![0.5] };
        let parts: Vec<(f64, f64)> = inner.iter().flat_map(|&r| inner.iter().map(move |&c| (r, c))).collect();
        let step = STEP_M / self.unit_m;
        let around = [(0.0, 0.0), (step, 0.0), (0.0, step), (-step, 0.0), (0.0, -step)];
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = cells
            .iter()
            .flat_map(|&(row, col)| parts.iter().map(move |(r, c)| (row + r, col + c)))
            .map(|(row, col)| self.affine.apply(col, row))
            .flat_map(|(x, y)| around.iter().map(move |(dx, dy)| (x + dx, y + dy)))
            .unzip();
        if self.to_base.as_ref().is_some_and(|o| o.transform(Direction::Forward, &mut xs, &mut ys).is_err()) {
            return vec![None; cells.len()];
        }
        let [_, a, b, _, d, e] = self.affine.0;
        let plane = (a * e - b * d).abs();
        let sphere = Authalic::of(&self.ellipsoid);
        let places: Vec<Option<[f64; 3]>> = xs.iter().zip(&ys).map(|(&x, &y)| sphere.place(x, y)).collect();
        let size = |place: &[Option<[f64; 3]>; 5]| {
            let at = place[0]?;
            let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
            let tangent = |ahead: Option<[f64; 3]>, behind: Option<[f64; 3]>| {
                let step_to =
                    |place: [f64; 3], sign: f64| [0, 1, 2].map(|i| sign * (place[i] - at[i]) / step);
                let mut steps: Vec<[f64; 3]> =
                    [ahead.map(|p| step_to(p, 1.0)), behind.map(|p| step_to(p, -1.0))]
                        .into_iter()
                        .flatten()
                        .collect();
                steps.sort_by(|a, b| dot(*a, *a).total_cmp(&dot(*b, *b)));
                if let [near, far] = steps[..] {
                    let torn = dot(far, far) > TORN * TORN * dot(near, near);
                    return Some(if torn { near } else { [0, 1, 2].map(|i| (near[i] + far[i]) / 2.0) });
                }
                steps.pop()
            };
            let (u, v) = (tangent(place[1], place[3])?, tangent(place[2], place[4])?);
            // Lagrange's identity: |u × v|² = |u|² |v|² - (u · v)².
            Some(plane * (dot(u, u) * dot(v, v) - dot(u, v).powi(2)).max(0.0).sqrt())
        };
        let sizes: Vec<Option<f64>> = places.as_chunks().0.iter().map(size).collect();
        let mean = |parts: &[Option<f64>]| {
            let known = parts.iter().flatten().count();
            (known > 0).then(|| parts.iter().flatten().sum::<f64>() / parts.len() as f64)
        };
        sizes.chunks(parts.len()).map(mean).collect()
    }
}

/// The sphere on which every piece of an ellipsoid has its area.
///
/// Source: Snyder (1987), USGS Professional Paper 1395, eq. 3-11 to 3-13.
struct Authalic {
    e2: f64,
    q_pole: f64,
    radius_m: f64,
}

impl Authalic {
    fn of(ellipsoid: &Ellipsoid) -> Self {
        let e2 = ellipsoid.eccentricity_squared;
        let q_pole = q(1.0, e2);
        Self { e2, q_pole, radius_m: ellipsoid.semi_major_m * (q_pole / 2.0).sqrt() }
    }

    fn place(&self, longitude: f64, latitude: f64) -> Option<[f64; 3]> {
        if !longitude.is_finite() || !latitude.is_finite() || latitude.abs() > 90.0 {
            return None;
        }
        let sin = q(latitude.to_radians().sin(), self.e2) / self.q_pole;
        let cos = ((1.0 - sin) * (1.0 + sin)).max(0.0).sqrt();
        let (east, north) = longitude.to_radians().sin_cos();
        Some([cos * north, cos * east, sin].map(|v| v * self.radius_m))
    }
}

fn q(sin: f64, e2: f64) -> f64 {
    if e2 == 0.0 {
        return 2.0 * sin;
    }
    let e = e2.sqrt();
    let (x, squared) = (e * sin, e2 * sin * sin);
    (1.0 - e2) * (sin / (1.0 - squared) - ((1.0 - x) / (1.0 + x)).ln() / (2.0 * e))
}

/// The shares of nodes at -1, 0, 1 and 2 in the cubic through them.
fn lagrange(t: f64) -> [f64; 4] {
    let nodes = [-1.0, 0.0, 1.0, 2.0];
    nodes.map(|own| {
        nodes.iter().filter(|&&other| other != own).map(|other| (t - other) / (own - other)).product()
    })
}

/// How close areas must be.
#[derive(Debug, Clone, Copy)]
pub enum Closeness {
    /// Worked out anew from rasters.
    WorkedOut,
    /// Added up from tables.
    AddedUp,
}

impl Closeness {
    /// Whether two areas in m² agree.
    pub fn holds(self, found: f64, expected: f64) -> bool {
        let share = match self {
            Self::WorkedOut => WORKED_OUT,
            Self::AddedUp => ADDED_UP,
        };
        (found - expected).abs() <= share * found.abs().max(expected.abs()) + LAST_DIGIT_M2
    }
}

/// Compares areas key by key, in m², where an absent one is 0; gives the number of comparisons.
pub fn compare<K: Ord>(
    findings: &mut Findings,
    file: &str,
    closeness: Closeness,
    found: &BTreeMap<K, f64>,
    expected: &BTreeMap<K, f64>,
    describe: impl Fn(&K) -> String,
) -> u64 {
    let keys: BTreeSet<&K> = found.keys().chain(expected.keys()).collect();
    for key in &keys {
        let of = |areas: &BTreeMap<K, f64>| areas.get(key).copied().unwrap_or(0.0);
        let (found, expected) = (of(found), of(expected));
        findings.that(closeness.holds(found, expected), file, "areas", || {
            format!("{}: {found} m2; expected {expected}", describe(key))
        });
    }
    keys.len() as u64
}
