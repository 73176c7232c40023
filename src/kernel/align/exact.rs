//! The plain way to locate cells: every centre is carried.

use super::{Frame, Located, NONE};
use crate::model::grid::Grid;
use crate::model::window::Window;

/// Guard against centres that fall a rounding error below a cell edge; the constant is GDAL's.
const EDGE_GUARD_CELLS: f64 = 1e-10;

/// The centres of a window's cells, in the grid's CRS, row by row.
pub fn cell_centres(grid: &Grid, window: &Window) -> (Vec<f64>, Vec<f64>) {
    let cells = (window.row..window.row_end())
        .flat_map(|row| (window.col..window.col_end()).map(move |col| (row, col)));
    centres(grid, cells)
}

fn centres(grid: &Grid, cells: impl Iterator<Item = (i64, i64)>) -> (Vec<f64>, Vec<f64>) {
    cells.map(|(row, col)| grid.affine.apply(col as f64 + 0.5, row as f64 + 0.5)).unzip()
}

/// Takes longitudes to the turn that begins at `west`: 190 and -170 are one meridian.
pub fn wrap_longitudes(xs: &mut [f64], west: f64) {
    for x in xs.iter_mut().filter(|x| x.is_finite()) {
        if *x < west || *x >= west + 360.0 {
            *x -= ((*x - west) / 360.0).floor() * 360.0;
        }
    }
}

/// Finds the cell of a raster under each cell of a window as [`super::locate`] does, carrying every centre.
///
/// # Errors
/// Those of `carry`.
pub fn locate_exactly<E>(
    grid: &Grid,
    window: &Window,
    frame: &Frame,
    mut carry: impl FnMut(&mut [f64], &mut [f64]) -> Result<(), E>,
) -> Result<Located, E> {
    let cells = (window.row..window.row_end())
        .flat_map(|row| (window.col..window.col_end()).map(move |col| (row, col)));
    let (rows, cols) = cells_at(grid, frame, cells, &mut carry)?.unzip();
    Ok(Located::new(window, frame, rows, cols))
}

/// The row and column of the raster under some cells of a grid; [`NONE`] outside it.
pub(super) fn cells_at<E>(
    grid: &Grid,
    frame: &Frame,
    cells: impl Iterator<Item = (i64, i64)>,
    carry: &mut impl FnMut(&mut [f64], &mut [f64]) -> Result<(), E>,
) -> Result<impl Iterator<Item = (i32, i32)>, E> {
    let (xs, ys) = carried(frame, centres(grid, cells), carry)?;
    let (rows, cols) = (frame.rows, frame.cols);
    Ok(xs.into_iter().zip(ys).map(move |(col, row)| match (place(row, rows), place(col, cols)) {
        (Some(row), Some(col)) => (row, col),
        _ => (NONE, NONE),
    }))
}

/// Takes points to the (column, row) of a raster.
pub(super) fn carried<E>(
    frame: &Frame,
    (mut xs, mut ys): (Vec<f64>, Vec<f64>),
    carry: &mut impl FnMut(&mut [f64], &mut [f64]) -> Result<(), E>,
) -> Result<(Vec<f64>, Vec<f64>), E> {
    carry(&mut xs, &mut ys)?;
    if let Some(west) = frame.west {
        wrap_longitudes(&mut xs, west);
    }
    for (x, y) in xs.iter_mut().zip(&mut ys) {
        (*x, *y) = frame.to_cell.apply(*x, *y);
    }
    Ok((xs, ys))
}

/// The row or column that holds a point.
fn place(at: f64, size: usize) -> Option<i32> {
    let inside = at >= 0.0 && at + EDGE_GUARD_CELLS <= size as f64;
    // A centre on the far edge belongs to the last cell.
    inside.then(|| ((at + EDGE_GUARD_CELLS).floor() as i32).min(size.saturating_sub(1) as i32))
}
