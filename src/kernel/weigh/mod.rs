//! Weigh: how large each cell of a block is on the ground.
//!
//! Where the cells of a grid differ, their areas are added up with them. The area of a cell is a whole number of mm² that
//! depends on its place on the grid alone, so that a sum of them depends on nothing else. Kernels that add cells up are
//! written once for both kinds of grid: [`CellSizes`] is what they ask, [`Alike`] and a block's [`BlockAreas`] answer.

mod plane;

use std::ops::AddAssign;

use ndarray::Array2;

use crate::model::area::Amount;
use crate::model::ellipsoid::Ellipsoid;
use crate::model::grid::Grid;
use crate::model::window::Window;

pub use plane::{ToEarth, on_a_plane};

/// What the cells of a block add up to.
pub trait CellSizes: Copy {
    /// A sum of cells.
    type Sum: Copy + Default + AddAssign + Into<Amount>;

    /// Whether cells differ.
    const DIFFER: bool;

    /// One cell of the block.
    fn cell(self, row: usize, col: usize) -> Self::Sum;

    /// The area of one cell in mm²; 0 where cells do not differ.
    fn area_mm2(self, row: usize, col: usize) -> u64;
}

/// All cells are alike: they are counted.
#[derive(Debug, Clone, Copy)]
pub struct Alike;

impl CellSizes for Alike {
    type Sum = u64;

    const DIFFER: bool = false;

    #[inline]
    fn cell(self, _: usize, _: usize) -> u64 {
        1
    }

    #[inline]
    fn area_mm2(self, _: usize, _: usize) -> u64 {
        0
    }
}

/// The area of each cell of a block.
///
/// # Unit
/// mm²; 0 for a cell whose centre has no place on earth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockAreas {
    /// One for all cells of a row.
    Rows(Vec<u64>),
    /// Sums from the left: entry `c` of a row is the area of its first `c` cells. What is beyond 64 bits wraps round;
    /// differences hold as long as a stretch of one row has less than 2^64 mm², more than all of Russia.
    Cells(Array2<u64>),
}

/// The areas of the cells of one row of a block.
#[derive(Debug, Clone, Copy)]
pub enum RowAreas<'a> {
    /// One for all.
    Alike(u64),
    /// Sums from the left.
    Sums(&'a [u64]),
}

impl RowAreas<'_> {
    /// The area of the cells from one column to another, which is not among them.
    #[inline]
    pub fn between(self, from: usize, to: usize) -> u128 {
        match self {
            Self::Alike(area) => u128::from(area) * (to - from) as u128,
            Self::Sums(sums) => sums[to].wrapping_sub(sums[from]).into(),
        }
    }
}

impl BlockAreas {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Cells(sums) => sums.nrows(),
        }
    }

    /// The areas of one row.
    pub fn row(&self, row: usize) -> RowAreas<'_> {
        match self {
            Self::Rows(rows) => RowAreas::Alike(rows[row]),
            Self::Cells(sums) => RowAreas::Sums(sums.row(row).to_slice().unwrap_or_default()),
        }
    }
}

impl CellSizes for &BlockAreas {
    type Sum = Amount;

    const DIFFER: bool = true;

    #[inline]
    fn cell(self, row: usize, col: usize) -> Amount {
        Amount { pixels: 1, area_mm2: self.area_mm2(row, col).into() }
    }

    #[inline]
    fn area_mm2(self, row: usize, col: usize) -> u64 {
        match self {
            BlockAreas::Rows(rows) => rows[row],
            BlockAreas::Cells(sums) => sums[[row, col + 1]].wrapping_sub(sums[[row, col]]),
        }
    }
}

/// The areas of the cells of a window of a north-up grid of longitudes and latitudes.
///
/// # Unit
/// mm², rounded to the nearest; cells beyond a pole have none.
/// # Source
/// [`Ellipsoid::zone_m2_per_radian`] between the parallels of the row, times the width in longitude.
pub fn on_parallels(grid: &Grid, window: &Window, ellipsoid: &Ellipsoid) -> BlockAreas {
    let width = grid.affine.0[1].abs().to_radians();
    let latitude = |row: i64| grid.affine.apply(0.0, row as f64).1;
    let area = |row: i64| rounded(width * ellipsoid.zone_m2_per_radian(latitude(row), latitude(row + 1)));
    BlockAreas::Rows((window.row..window.row_end()).map(area).collect())
}

/// m² as whole mm².
#[inline]
fn rounded(m2: f64) -> u64 {
    // Areas are not negative; the cast is that to the nearest below.
    (m2 * 1e6 + 0.5) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::grid::Affine;

    const CLARKE_1866: (f64, f64) = (6_378_206.4, 6_356_583.8);
    const WGS_84: (f64, f64) = (6_378_137.0, 6_356_752.314_245_179);
    const SPHERE: (f64, f64) = (6_370_997.0, 6_370_997.0);

    /// Semi-axes in metres, latitude of the lower edge, height and width in degrees, area in m².
    type Polygon = ((f64, f64), f64, f64, f64, f64);

    /// Areas of polygons with edges along the parallels, by geographiclib 2.1 (`Geodesic(a, f).Polygon()`): 50 and 100
    /// points along each parallel, extrapolated to none between them, `(4 A(100) - A(50)) / 3`, as geodesics are no
    /// parallels.
    const POLYGONS: [Polygon; 12] = [
        (WGS_84, 0.0, 0.25, 0.25, 769_314_629.206_389),
        (WGS_84, 19.4, 1.0 / 120.0, 1.0 / 120.0, 807_435.730_574),
        (WGS_84, 45.0, 1.0, 1.0, 8_686_494_956.670_668),
        (WGS_84, 60.0, 0.25, 0.25, 387_090_711.096_664),
        (WGS_84, 83.0, 1.0 / 120.0, 1.0 / 120.0, 105_498.764_823),
        (WGS_84, -41.5, 0.5, 0.5, 2_327_130_669.168_754),
        (WGS_84, 89.0, 1.0, 1.0, 108_866_681.636_293),
        (CLARKE_1866, 45.0, 1.0, 1.0, 8_686_693_102.229_969),
        (CLARKE_1866, -41.5, 0.5, 0.5, 2_327_158_017.710_104),
        (SPHERE, 19.4, 1.0 / 120.0, 1.0 / 120.0, 809_860.365_759),
        (SPHERE, 60.0, 0.25, 0.25, 384_923_103.928_411),
        (SPHERE, 89.0, 1.0, 1.0, 107_896_133.976_698),
    ];

    fn grid(west: f64, north: f64, width: f64, height: f64, rows: usize, cols: usize) -> Grid {
        Grid { crs: None, affine: Affine::north_up(west, north, width, height), rows, cols, lattice: (0, 0) }
    }

    #[test]
    fn cells_between_parallels_are_as_large_as_their_polygons() {
        for ((major, minor), south, height, width, expected) in POLYGONS {
            let grid = grid(-100.0, south + height, width, height, 1, 1);
            let areas = on_parallels(&grid, &grid.window(), &Ellipsoid::of_axes(major, minor));
            let found = (&areas).area_mm2(0, 0) as f64 / 1e6;
            assert!((found / expected - 1.0).abs() < 1e-9, "{south} {height}: {found}, {expected}");
        }
    }

    #[test]
    fn a_cell_of_a_quarter_thousandth_of_a_degree_keeps_its_digits() {
        // The integral of both radii of curvature over the zone, by mpmath 1.3 with 40 digits.
        for (south, expected) in
            [(0.0, 769.317_004_953_553_4), (45.0, 547.648_129_230_450_8), (83.0, 95.003_447_790_325_07)]
        {
            let grid = grid(0.0, south + 0.000_25, 0.000_25, 0.000_25, 1, 1);
            let areas = on_parallels(&grid, &grid.window(), &Ellipsoid::WGS_84);
            let found = areas.row(0).between(0, 1);
            assert!(found.abs_diff((expected * 1e6f64).round() as u128) <= 1, "{found}, {expected}");
        }
    }

    #[test]
    fn rows_beyond_a_pole_have_no_area_and_the_turn_of_the_earth_does_not_matter() {
        let areas =
            on_parallels(&grid(170.0, 92.0, 1.0, 1.0, 3, 400), &Window::whole(3, 400), &Ellipsoid::WGS_84);
        assert_eq!((areas.row(0).between(0, 400), areas.row(1).between(0, 400)), (0, 0));
        assert!(areas.row(2).between(0, 400) == 400 * areas.row(2).between(7, 8) && areas.rows() == 3);
    }
}
