//! Areas of cells on the plane of a projection.
//!
//! A cell is as large as the plane's unit square is where the cell lies: the length of the cross product of the two
//! tangents ∂P/∂x and ∂P/∂y, P the place on the ellipsoid in Cartesian coordinates. This is |a·e| divided by the areal
//! scale of the projection, and it has neither poles nor seams nor units of the plane to mind. The tangents are central
//! differences of what the projection's inverse gives.
//!
//! Inverse projections are dear, so areas are worked out at few places and interpolated by cubic polynomials. The places
//! belong to patches at fixed places of the lattice, whatever block is asked for. A patch is interpolated where that
//! holds to [`TOLERANCE`] at five places between its nodes; else each quarter of it is tried, and the smallest patches
//! are worked out cell by cell. So a pole of a conic projection or the edge of the world costs time, not digits.

use ndarray::{Array2, ArrayViewMut2, s};

use super::{BlockAreas, rounded};
use crate::error::Result;
use crate::model::ellipsoid::Ellipsoid;
use crate::model::grid::Grid;
use crate::model::window::{BLOCK, Window};

/// Carries points of the plane to longitudes and latitudes in degrees, in place; those that have none become infinite.
pub type ToEarth<'a> = dyn Fn(&mut [f64], &mut [f64]) -> Result<()> + 'a;

/// Half the distance over which tangents are taken, in metres: errors of the chord stay below 2e-10, and those of
/// coordinates in 64 bits below 1e-10.
const STEP_M: f64 = 100.0;

/// Two neighbouring steps of which one is longer by this factor lead over a tear: the line behind the pole of a conic
/// projection, on whose sides are two meridians.
const TORN: f64 = 1.1;

/// Largest relative error of an interpolated area at the places where it is checked.
const TOLERANCE: f64 = 1e-9;

/// The longest side of a patch on the ground, in metres.
const LONGEST_PATCH_M: f64 = 64_000.0;

/// A patch none of whose nodes has a place on earth has none either, if it is no longer than this, in metres.
const EMPTY_PATCH_M: f64 = 16_000.0;

/// Patches up to this side, in cells, are worked out cell by cell: for them that is about as cheap.
const SMALLEST_PATCH: usize = 8;

/// Cells longer than this are taken at four places, in metres: across one of a kilometre the areal scale is straight to
/// some 1e-9.
const LONG_CELL_M: f64 = 1000.0;

/// Nodes of a patch along a side, in sides from its first cell.
const NODES: [f64; 4] = [-1.0, 0.0, 1.0, 2.0];

/// Where interpolation is checked, in sides from the first cell: row and column.
const CHECKS: [(f64, f64); 5] = [(0.5, 0.5), (0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)];

/// The areas of the cells of a window of a grid on the plane of a projection; `unit_m` is the unit of the plane.
///
/// # Unit
/// mm², rounded to the nearest; cells that have no place on earth have none.
/// # Errors
/// Those of `to_earth`.
pub fn on_a_plane(
    grid: &Grid,
    window: &Window,
    ellipsoid: &Ellipsoid,
    unit_m: f64,
    to_earth: &ToEarth,
) -> Result<BlockAreas> {
    let [_, a, b, _, d, e] = grid.affine.0;
    let cell_m = {
        let (width, height) = grid.cell();
        width.max(height) * unit_m
    };
    let plane = Plane {
        grid,
        ellipsoid,
        step: STEP_M / unit_m,
        plane_cell: (a * e - b * d).abs(),
        four: cell_m > LONG_CELL_M,
        cell_m,
        to_earth,
    };
    let side = plane.longest_patch();
    let mut sums = Array2::zeros((window.rows, window.cols + 1));
    // Patches lie on the lattice, of which the grid is a part.
    let on_lattice = window.shift(grid.lattice.0, grid.lattice.1);
    let first = |at: i64| at.div_euclid(side as i64) * side as i64;
    for row in (first(on_lattice.row)..on_lattice.row_end()).step_by(side) {
        for col in (first(on_lattice.col)..on_lattice.col_end()).step_by(side) {
            let patch = Window { row, col, rows: side, cols: side };
            plane.fill(&patch, &on_lattice, &mut sums.slice_mut(s![.., 1..]))?;
        }
    }
    for mut row in sums.rows_mut() {
        let mut sum = 0u64;
        for area in &mut row {
            sum = sum.wrapping_add(*area);
            *area = sum;
        }
    }
    Ok(BlockAreas::Cells(sums))
}

struct Plane<'a> {
    grid: &'a Grid,
    ellipsoid: &'a Ellipsoid,
    /// [`STEP_M`] in units of the plane.
    step: f64,
    /// Area of a cell on the plane, in its units.
    plane_cell: f64,
    /// Whether a cell is taken at four places.
    four: bool,
    cell_m: f64,
    to_earth: &'a ToEarth<'a>,
}

impl Plane<'_> {
    /// The side of the patches that are tried first, in cells: a power of two.
    fn longest_patch(&self) -> usize {
        let mut side = BLOCK;
        while side > SMALLEST_PATCH && side as f64 * self.cell_m > LONGEST_PATCH_M {
            side /= 2;
        }
        side
    }

    /// Fills in the cells of a patch that a window holds, both on the lattice.
    fn fill(&self, patch: &Window, window: &Window, areas: &mut ArrayViewMut2<u64>) -> Result<()> {
        let seen = patch.intersect(window);
        if seen.is_empty() {
            return Ok(());
        }
        let side = patch.rows;
        let (row, col) = ((seen.row - window.row) as usize, (seen.col - window.col) as usize);
        let mut areas_seen = areas.slice_mut(s![row..row + seen.rows, col..col + seen.cols]);
        if side <= SMALLEST_PATCH {
            let cells = (seen.row..seen.row_end())
                .flat_map(|row| (seen.col..seen.col_end()).map(move |col| (row as f64, col as f64)));
            let worked_out = self.cells(&cells.collect::<Vec<_>>())?;
            for (area, worked_out) in areas_seen.iter_mut().zip(worked_out) {
                *area = rounded(worked_out.iter().flatten().sum::<f64>() / worked_out.len() as f64);
            }
            return Ok(());
        }
        let at =
            |(r, c): (f64, f64)| (patch.row as f64 + r * side as f64, patch.col as f64 + c * side as f64);
        let nodes = NODES.iter().flat_map(|&r| NODES.iter().map(move |&c| (r, c)));
        let places: Vec<_> = nodes.chain(CHECKS).map(at).collect();
        let worked_out = self.cells(&places)?;
        if side as f64 * self.cell_m <= EMPTY_PATCH_M && worked_out.iter().flatten().all(Option::is_none) {
            return Ok(());
        }
        if let Some(cubic) = Cubic::through(&worked_out) {
            cubic.fill(side, &seen.shift(-patch.row, -patch.col), &mut areas_seen);
            return Ok(());
        }
        for quarter in patch.squares(side / 2) {
            self.fill(&quarter, window, areas)?;
        }
        Ok(())
    }

    /// The areas of cells of the lattice, in m², by row and column of their upper left corner: at their centre, or at
    /// four places of which each stands for a quarter (the two nodes of Gauss along each side).
    fn cells(&self, cells: &[(f64, f64)]) -> Result<Vec<Vec<Option<f64>>>> {
        let inner = 0.5 / 3f64.sqrt();
        let parts: &[(f64, f64)] = if self.four {
            &[
                (0.5 - inner, 0.5 - inner),
                (0.5 - inner, 0.5 + inner),
                (0.5 + inner, 0.5 - inner),
                (0.5 + inner, 0.5 + inner),
            ]
        } else {
            &[(0.5, 0.5)]
        };
        let (row0, col0) = (self.grid.lattice.0 as f64, self.grid.lattice.1 as f64);
        let places = cells
            .iter()
            .flat_map(|(row, col)| parts.iter().map(move |(r, c)| (row - row0 + r, col - col0 + c)));
        // The place itself, then those to its right, left, above and below.
        let steps = [(0.0, 0.0), (self.step, 0.0), (-self.step, 0.0), (0.0, self.step), (0.0, -self.step)];
        let (mut xs, mut ys): (Vec<f64>, Vec<f64>) = places
            .map(|(row, col)| self.grid.affine.apply(col, row))
            .flat_map(|(x, y)| steps.iter().map(move |(dx, dy)| (x + dx, y + dy)))
            .unzip();
        (self.to_earth)(&mut xs, &mut ys)?;
        let on_earth = |x: f64, y: f64| {
            (x.is_finite() && y.is_finite() && y.abs() <= 90.0).then(|| self.ellipsoid.place(x, y))
        };
        let area = |(xs, ys): (&[f64; 5], &[f64; 5])| {
            let [at, right, left, above, below] = std::array::from_fn(|i| on_earth(xs[i], ys[i]));
            let (along_x, along_y) = (self.tangent(at?, right, left)?, self.tangent(at?, above, below)?);
            Some(length(cross(along_x, along_y)) * self.plane_cell)
        };
        let areas: Vec<_> = xs.as_chunks().0.iter().zip(ys.as_chunks().0).map(area).collect();
        Ok(areas.chunks(parts.len()).map(<[_]>::to_vec).collect())
    }

    /// How far a place moves for each unit of the plane; from one side alone where the world ends or the plane is torn on
    /// the other.
    fn tangent(&self, at: [f64; 3], ahead: Option<[f64; 3]>, behind: Option<[f64; 3]>) -> Option<[f64; 3]> {
        let moved = |to: [f64; 3], from: [f64; 3], steps: f64| {
            std::array::from_fn(|i| (to[i] - from[i]) / (steps * self.step))
        };
        let halves = (ahead.map(|to| moved(to, at, 1.0)), behind.map(|from| moved(at, from, 1.0)));
        match halves {
            (Some(forth), Some(back)) => {
                let (far, near) = (length(forth).max(length(back)), length(forth).min(length(back)));
                if far <= TORN * near {
                    return Some(moved(ahead?, behind?, 2.0));
                }
                Some(if length(forth) == near { forth } else { back })
            }
            (one, other) => one.or(other),
        }
    }
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn length(v: [f64; 3]) -> f64 {
    (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt()
}

/// A surface through the nodes of a patch, cubic along rows and columns.
struct Cubic([[f64; 4]; 4]);

impl Cubic {
    /// The surface through the nodes, if it also meets the places where it is checked.
    fn through(worked_out: &[Vec<Option<f64>>]) -> Option<Self> {
        let mean = |parts: &Vec<Option<f64>>| {
            let parts: Option<Vec<f64>> = parts.iter().copied().collect();
            parts.map(|parts| parts.iter().sum::<f64>() / parts.len() as f64)
        };
        let areas: Vec<f64> = worked_out.iter().map(mean).collect::<Option<_>>()?;
        let (nodes, checks) =
            areas.as_chunks::<4>().0.split_first_chunk::<4>().map(|(nodes, _)| (*nodes, &areas[16..]))?;
        let surface = Self(nodes);
        let meets =
            |(&(r, c), &area): (&(f64, f64), &f64)| (surface.at(r, c) - area).abs() <= TOLERANCE * area;
        CHECKS.iter().zip(checks).all(meets).then_some(surface)
    }

    /// Its height at a row and a column, in sides from the first cell.
    fn at(&self, row: f64, col: f64) -> f64 {
        horner(self.along_row(row), col)
    }

    /// The cubic of one row, by powers of the column.
    fn along_row(&self, row: f64) -> [f64; 4] {
        powers(std::array::from_fn(|col| horner(powers(std::array::from_fn(|node| self.0[node][col])), row)))
    }

    /// Fills in the cells of a window of the patch.
    fn fill(&self, side: usize, window: &Window, areas: &mut ArrayViewMut2<u64>) {
        let place = |at: i64| at as f64 / side as f64;
        let cols: Vec<f64> = (window.col..window.col_end()).map(place).collect();
        let fits = self.0.as_flattened().iter().all(|&m2| m2 < LARGEST_IN_MANTISSA_M2);
        for (row, mut areas) in (window.row..window.row_end()).zip(areas.rows_mut()) {
            let along = self.along_row(place(row));
            match areas.as_slice_mut().filter(|_| fits) {
                Some(areas) => {
                    let along_mm2 = along.map(|coefficient| coefficient * 1e6);
                    for (area, &col) in areas.iter_mut().zip(&cols) {
                        *area = nearest(horner(along_mm2, col));
                    }
                }
                None => {
                    for (area, &col) in areas.iter_mut().zip(&cols) {
                        *area = rounded(horner(along, col));
                    }
                }
            }
        }
    }
}

/// Areas of nodes below this leave whole mm² of what is interpolated between them in the mantissa of an `f64`.
const LARGEST_IN_MANTISSA_M2: f64 = 2e9;

/// The nearest whole number of one from 0 to 2^52, for many at a time: the lowest digit of a sum with 2^52 is a one.
#[inline]
fn nearest(number: f64) -> u64 {
    const TWO_TO_52: f64 = 4_503_599_627_370_496.0;
    (number + TWO_TO_52).to_bits() & (TWO_TO_52 as u64 - 1)
}

/// The powers of the cubic with these values at -1, 0, 1 and 2 (Lagrange).
fn powers([before, at, after, far]: [f64; 4]) -> [f64; 4] {
    [
        at,
        after - before / 3.0 - at / 2.0 - far / 6.0,
        (before + after) / 2.0 - at,
        (far - before) / 6.0 + (at - after) / 2.0,
    ]
}

#[inline]
fn horner([p0, p1, p2, p3]: [f64; 4], t: f64) -> f64 {
    ((p3 * t + p2) * t + p1) * t + p0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::weigh::CellSizes;
    use crate::model::grid::Affine;

    const R: f64 = 6_370_997.0;
    const SPHERE: Ellipsoid = Ellipsoid { semi_major_m: R, eccentricity_squared: 0.0 };

    fn grid(x: f64, y: f64, cell: f64, rows: usize, cols: usize, lattice: (i64, i64)) -> Grid {
        Grid { crs: None, affine: Affine::north_up(x, y, cell, cell), rows, cols, lattice }
    }

    /// Mercator back to the sphere. Snyder (1987), eq. 7-4 and 7-5.
    fn mercator(xs: &mut [f64], ys: &mut [f64]) -> Result<()> {
        for (x, y) in xs.iter_mut().zip(ys) {
            (*x, *y) = ((*x / R).to_degrees(), (*y / R).sinh().atan().to_degrees());
        }
        Ok(())
    }

    /// Orthographic, from above the north pole; what is beyond the limb has no place. Snyder (1987), eq. 20-14 to 20-18.
    fn orthographic(xs: &mut [f64], ys: &mut [f64]) -> Result<()> {
        for (x, y) in xs.iter_mut().zip(ys) {
            let distance = x.hypot(*y) / R;
            (*x, *y) = if distance > 1.0 {
                (f64::INFINITY, f64::INFINITY)
            } else {
                (x.atan2(-*y).to_degrees(), distance.acos().to_degrees())
            };
        }
        Ok(())
    }

    /// Whether cells have the area that the areal scale of a projection at their centre says.
    fn assert_scaled(grid: &Grid, areas: &BlockAreas, tolerance: f64, scale: impl Fn(f64, f64) -> f64) {
        let plane = grid.affine.0[1] * -grid.affine.0[5];
        for (row, col) in
            (0..grid.rows).step_by(37).flat_map(|r| (0..grid.cols).step_by(41).map(move |c| (r, c)))
        {
            let (x, y) = grid.affine.apply(col as f64 + 0.5, row as f64 + 0.5);
            let (found, expected) = (areas.area_mm2(row, col) as f64 / 1e6, plane / scale(x, y));
            assert!((found / expected - 1.0).abs() < tolerance, "{row} {col}: {found}, {expected}");
        }
    }

    #[test]
    fn cells_of_a_mercator_map_shrink_by_its_areal_scale() {
        // k = h = sec φ = cosh(y / R).
        let scale = |_, y: f64| (y / R).cosh().powi(2);
        for cell in [30.0, 250.0] {
            let grid = grid(-8e6, 9e6, cell, 700, 900, (0, 0));
            let areas = on_a_plane(&grid, &grid.window(), &SPHERE, 1.0, &mercator).unwrap();
            assert_scaled(&grid, &areas, 3e-9, scale);
        }
    }

    #[test]
    fn the_unit_of_the_plane_does_not_matter() {
        let foot = 0.3048;
        let in_feet = |xs: &mut [f64], ys: &mut [f64]| {
            xs.iter_mut().chain(ys.iter_mut()).for_each(|v| *v *= foot);
            mercator(xs, ys)
        };
        let (metres, feet) =
            (grid(0.0, 5e6, 30.0, 40, 40, (0, 0)), grid(0.0, 5e6 / foot, 30.0 / foot, 40, 40, (0, 0)));
        let [metres, feet] = [
            on_a_plane(&metres, &metres.window(), &SPHERE, 1.0, &mercator),
            on_a_plane(&feet, &feet.window(), &SPHERE, foot, &in_feet),
        ]
        .map(|areas| areas.unwrap().row(7).between(0, 40) as f64);
        assert!((metres / feet - 1.0).abs() < 1e-9, "{metres} {feet}");
    }

    #[test]
    fn an_area_depends_on_the_place_alone_not_on_the_block_it_is_asked_for() {
        let whole = grid(-8e6, 9e6, 30.0, 1300, 1400, (77, -41));
        let areas = on_a_plane(&whole, &whole.window(), &SPHERE, 1.0, &mercator).unwrap();
        for window in
            [Window { row: 500, col: 3, rows: 90, cols: 700 }, Window { row: 1299, col: 0, rows: 1, cols: 1 }]
        {
            let part = on_a_plane(&whole, &window, &SPHERE, 1.0, &mercator).unwrap();
            // The same cells as a grid of their own, on the same lattice.
            let own = whole.part(&window);
            assert_eq!(part, on_a_plane(&own, &own.window(), &SPHERE, 1.0, &mercator).unwrap());
            for (row, col) in (0..window.rows).flat_map(|r| (0..window.cols).map(move |c| (r, c))) {
                let (r, c) = (window.row as usize + row, window.col as usize + col);
                assert_eq!((&part).area_mm2(row, col), (&areas).area_mm2(r, c), "{r} {c}");
            }
        }
    }

    #[test]
    fn a_tear_of_the_plane_is_no_area() {
        // What is left of x = 0 lies a quarter of the earth away.
        let torn = |xs: &mut [f64], ys: &mut [f64]| {
            let left: Vec<bool> = xs.iter().map(|&x| x < 0.0).collect();
            mercator(xs, ys)?;
            xs.iter_mut().zip(left).filter(|(_, left)| *left).for_each(|(x, _)| *x += 90.0);
            Ok(())
        };
        let grid = grid(-500.0, 6e6, 10.0, 100, 100, (0, 0));
        let areas = on_a_plane(&grid, &grid.window(), &SPHERE, 1.0, &torn).unwrap();
        for (row, col) in [(0, 0), (3, 48), (50, 49), (50, 50), (99, 51), (7, 62)] {
            let y = 6e6 - 10.0 * (row as f64 + 0.5);
            let (found, expected) =
                ((&areas).area_mm2(row, col) as f64 / 1e6, 100.0 / (y / R).cosh().powi(2));
            assert!((found / expected - 1.0).abs() < 1e-7, "{row} {col}: {found}, {expected}");
        }
    }

    #[test]
    fn a_hemisphere_has_its_area_and_nothing_beyond_the_limb_has_any() {
        // Areal scale cos c: infinitely large cells at the limb, which no interpolation meets.
        let side = 400;
        let cell = 2.2 * R / side as f64;
        let grid = grid(-1.1 * R, 1.1 * R, cell, side, side, (0, 0));
        let areas = on_a_plane(&grid, &grid.window(), &SPHERE, 1.0, &orthographic).unwrap();
        let middle = side / 2;
        assert_eq!(areas.row(0).between(0, side), 0);
        assert_eq!((&areas).area_mm2(middle, 3), 0);
        let pole = (&areas).area_mm2(middle, middle) as f64 / 1e6;
        // 1 / cos c is 1 + c²/2 + … there; the mean of c² over the cell beside the pole is 2/3 (cell / R)².
        let expected = cell * cell * (1.0 + (cell / R).powi(2) / 3.0);
        assert!((pole / expected - 1.0).abs() < 1e-8, "{pole} {expected}");
        let sum: u128 = (0..side).map(|row| areas.row(row).between(0, side)).sum();
        let hemisphere = std::f64::consts::TAU * R * R;
        // Cells across the limb are taken at four places each.
        assert!((sum as f64 / 1e6 / hemisphere - 1.0).abs() < 0.01, "{sum}");
    }
}
