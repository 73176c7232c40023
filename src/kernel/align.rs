//! Align: which source cell lies under each target cell.
//!
//! Cells on one lattice are copied by the caller; this module is the nearest-neighbour warp. It follows
//! `gdalwarp -r near -et 0` to the last bit: the target cell's centre is taken to source coordinates and the
//! source cell that holds it wins. Every target cell is computed from its place on the whole target grid, so the
//! result does not depend on how the work is cut.

use ndarray::{Array2, ArrayView2};

use crate::model::grid::{Affine, Grid};
use crate::model::window::Window;

/// Guard against centres that fall a rounding error below a cell edge; the constant is GDAL's.
const EDGE_GUARD_CELLS: f64 = 1e-10;

/// The source cell under each cell of a target window.
#[derive(Debug, Clone)]
pub struct SourceCells {
    /// (row, column) in the source, or `None` outside it.
    cells: Array2<Option<(u32, u32)>>,
    /// The smallest window of the source that holds them all.
    pub bounds: Window,
}

/// The centres of a window's cells, in the target's CRS, row by row.
pub fn cell_centres(target: &Grid, window: &Window) -> (Vec<f64>, Vec<f64>) {
    let mut xs = Vec::with_capacity(window.rows * window.cols);
    let mut ys = Vec::with_capacity(window.rows * window.cols);
    for row in window.row..window.row_end() {
        for col in window.col..window.col_end() {
            let (x, y) = target.affine.apply(col as f64 + 0.5, row as f64 + 0.5);
            xs.push(x);
            ys.push(y);
        }
    }
    (xs, ys)
}

/// Takes longitudes to the turn of a geographic source that begins at `west`: 190 and -170 are one meridian.
pub fn wrap_longitudes(xs: &mut [f64], west: f64) {
    for x in xs.iter_mut().filter(|x| x.is_finite()) {
        if *x < west || *x >= west + 360.0 {
            *x -= ((*x - west) / 360.0).floor() * 360.0;
        }
    }
}

/// Finds the source cell under each point; points are the centres of `window`, already in the source's CRS.
///
/// Points that the transform could not carry are infinite or NaN and lie outside.
pub fn source_cells(
    window: &Window,
    xs: &[f64],
    ys: &[f64],
    to_cell: &Affine,
    rows: usize,
    cols: usize,
) -> SourceCells {
    let mut bounds = Window::whole(0, 0);
    let locate = |x: f64, y: f64| {
        let (col, row) = to_cell.apply(x, y);
        let place = |at: f64, size: usize| {
            let inside = at >= 0.0 && at + EDGE_GUARD_CELLS <= size as f64;
            // A centre on the far edge belongs to the last cell.
            inside.then(|| ((at + EDGE_GUARD_CELLS).floor() as u32).min(size.saturating_sub(1) as u32))
        };
        Some((place(row, rows)?, place(col, cols)?))
    };
    let (mut row_min, mut row_max, mut col_min, mut col_max) = (u32::MAX, 0, u32::MAX, 0);
    let cells: Vec<_> = xs
        .iter()
        .zip(ys)
        .map(|(&x, &y)| {
            let cell = locate(x, y);
            if let Some((row, col)) = cell {
                (row_min, row_max) = (row_min.min(row), row_max.max(row));
                (col_min, col_max) = (col_min.min(col), col_max.max(col));
                bounds = Window { row: 0, col: 0, rows: 1, cols: 1 };
            }
            cell
        })
        .collect();
    if !bounds.is_empty() {
        bounds =
            Window::between(row_min.into(), col_min.into(), i64::from(row_max) + 1, i64::from(col_max) + 1);
    }
    let mut grid = Array2::from_elem((window.rows, window.cols), None);
    for (slot, cell) in grid.iter_mut().zip(cells) {
        *slot = cell;
    }
    SourceCells { cells: grid, bounds }
}

/// Takes what each target cell gets (a rule, a zone) from the source cell under it; `outside` where there is none.
///
/// # Shape
/// `values` covers `cells.bounds`; the result has the shape of the target window.
pub fn nearest<T: Copy>(values: ArrayView2<T>, cells: &SourceCells, outside: T) -> Array2<T> {
    let (row0, col0) = (cells.bounds.row, cells.bounds.col);
    cells.cells.map(|cell| match cell {
        Some((row, col)) => values[((i64::from(*row) - row0) as usize, (i64::from(*col) - col0) as usize)],
        None => outside,
    })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::model::rule::NOT_COVERED;

    #[test]
    fn a_target_of_half_cells_repeats_each_source_cell() {
        // Source: 2 x 2 cells of 2 m from (0, 4); target: 4 x 4 cells of 1 m, one row and column beyond it.
        let target = Grid {
            crs: None,
            affine: Affine::north_up(1.0, 4.0, 1.0, 1.0),
            rows: 4,
            cols: 4,
            lattice: (0, 0),
        };
        let source = Affine::north_up(0.0, 4.0, 2.0, 2.0);
        let window = target.window();
        let (xs, ys) = cell_centres(&target, &window);
        let cells = source_cells(&window, &xs, &ys, &source.inverse().unwrap(), 2, 2);
        assert_eq!(cells.bounds, Window::whole(2, 2));
        let n = NOT_COVERED;
        assert_eq!(
            nearest(array![[1, 2], [3, 4]].view(), &cells, n),
            array![[1, 2, 2, n], [1, 2, 2, n], [3, 4, 4, n], [3, 4, 4, n]]
        );
    }

    #[test]
    fn points_that_no_transform_reaches_lie_outside() {
        let window = Window::whole(1, 3);
        let identity = Affine([0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        let cells =
            source_cells(&window, &[f64::INFINITY, f64::NAN, -0.1], &[0.5, 0.5, 0.5], &identity, 9, 9);
        assert!(cells.bounds.is_empty());
    }

    #[test]
    fn longitudes_are_taken_to_the_turn_of_the_source() {
        let mut xs = [-170.0, 190.0, 175.0, 240.0, -180.0, f64::INFINITY];
        wrap_longitudes(&mut xs, 170.0);
        assert_eq!(xs, [190.0, 190.0, 175.0, 240.0, 180.0, f64::INFINITY]);
    }
}
