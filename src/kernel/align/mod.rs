//! Align: which cell of another raster lies under each cell of a window.
//!
//! It follows `gdalwarp -r near -et 0`: a cell's centre is taken to the other raster's coordinates, and the cell that
//! holds it wins. Carrying every centre from one CRS to another would be the dearest step of all (`exact.rs` does it, and is
//! the plain reference). So centres are carried exactly at nodes of the lattice and interpolated between them
//! (`patch.rs`); what lies nearer to a cell's edge than interpolation may be wrong is carried exactly too. The cell found is
//! the same in either way, and depends on nothing but its place: nodes stand at fixed places of the lattice.
//!
//! Along the lines of a patch, places are found where the row or the column changes (`cut.rs`), from edge to edge of the other
//! raster's cells (`crossings.rs`): the runs of smaller cells that a cell holds (`runs.rs`), the spans of cells that are
//! neighbours in both (`spans.rs`). Elsewhere, and on lines with a doubtful cell, each cell is placed (`line.rs`).
//!
//! Cells on one lattice are copied by the caller.

mod crossings;
mod cut;
mod exact;
mod line;
mod patch;
mod runs;
mod scrutiny;
mod spans;
mod vote;

use std::borrow::Cow;

use ndarray::{Array2, ArrayView2};

pub use exact::{locate_exactly, wrap_longitudes};
pub use patch::Mesh;
pub use runs::{Run, runs};
pub use spans::Cell;
pub use vote::{MOST_SLOTS, NO_RULE, Slot, Votes};

use spans::Span;

use crate::model::grid::{Affine, Grid};
use crate::model::window::Window;

/// A raster in which cells are located.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// From (x, y) in its CRS to its (column, row).
    pub to_cell: Affine,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Where the turn of longitudes begins that its columns count in; `None` where x is no longitude.
    pub west: Option<f64>,
    /// The shorter side of a cell, in metres.
    pub cell_m: f64,
}

impl Frame {
    /// The frame of a grid; `None` if its geotransform cannot be inverted.
    pub fn of(grid: &Grid) -> Option<Self> {
        let geographic = grid.crs.as_ref().is_some_and(|crs| crs.geographic);
        Some(Self {
            to_cell: grid.affine.inverse()?,
            rows: grid.rows,
            cols: grid.cols,
            west: geographic.then(|| grid.bounds()[0]),
            cell_m: grid.cell_m(),
        })
    }
}

/// Row and column of a cell that lies in no cell of the other raster.
const NONE: i32 = -1;

/// The cell of a raster under each cell of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    shape: (usize, usize),
    places: Places,
    /// The smallest window of the raster that holds them all.
    pub bounds: Window,
    /// Whether every cell lies in the raster.
    pub whole: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Places {
    /// Cell by cell, row by row.
    Each {
        /// Row of each cell, or [`NONE`].
        rows: Vec<i32>,
        /// Column of each cell; of no meaning where the row is [`NONE`].
        cols: Vec<i32>,
    },
    /// Cells that lie in the raster, each in one span.
    Spans(Vec<Span>),
}

impl Located {
    /// Cells that were located, inside the raster or not; where not, rows become [`NONE`].
    fn new(window: &Window, frame: &Frame, mut rows: Vec<i32>, cols: Vec<i32>) -> Self {
        let range = |values: &[i32]| {
            values.iter().fold((i32::MAX, i32::MIN), |(least, most), &v| (least.min(v), most.max(v)))
        };
        let (mut row_range, mut col_range) = (range(&rows), range(&cols));
        let in_rows = |row: i32| row >= 0 && (row as usize) < frame.rows;
        let in_cols = |col: i32| col >= 0 && (col as usize) < frame.cols;
        let whole = !rows.is_empty()
            && in_rows(row_range.0)
            && in_rows(row_range.1)
            && in_cols(col_range.0)
            && in_cols(col_range.1);
        if !whole {
            (row_range, col_range) = ((i32::MAX, i32::MIN), (i32::MAX, i32::MIN));
            for (row, &col) in rows.iter_mut().zip(&cols) {
                if in_rows(*row) && in_cols(col) {
                    row_range = (row_range.0.min(*row), row_range.1.max(*row));
                    col_range = (col_range.0.min(col), col_range.1.max(col));
                } else {
                    *row = NONE;
                }
            }
        }
        let shape = (window.rows, window.cols);
        Self { shape, places: Places::Each { rows, cols }, bounds: between(row_range, col_range), whole }
    }

    /// Cells that were located span by span, inside the raster or not; what lies outside is dropped.
    fn of_spans(window: &Window, frame: &Frame, mut spans: Vec<Span>) -> Self {
        let (mut row_range, mut col_range) = ((i32::MAX, i32::MIN), (i32::MAX, i32::MIN));
        let mut inside = 0;
        spans.retain_mut(|span| {
            let before = (-i64::from(span.col)).clamp(0, span.cells.into());
            let beyond = (i64::from(span.col) + i64::from(span.cells) - frame.cols as i64).max(0);
            let within = i64::from(span.cells) - before - beyond;
            if span.row < 0 || span.row as usize >= frame.rows || within <= 0 {
                return false;
            }
            (span.first, span.col) = (span.first + before as u32, span.col + before as i32);
            span.cells = within as u32;
            row_range = (row_range.0.min(span.row), row_range.1.max(span.row));
            col_range = (col_range.0.min(span.col), col_range.1.max(span.col + within as i32 - 1));
            inside += within as u64;
            true
        });
        let whole = inside > 0 && inside == window.cells();
        let shape = (window.rows, window.cols);
        Self { shape, places: Places::Spans(spans), bounds: between(row_range, col_range), whole }
    }

    /// Row and column of each cell, row by row; `None` outside the raster.
    pub fn cells(&self) -> impl Iterator<Item = Option<(usize, usize)>> {
        let (rows, cols) = self.each();
        let cell = |row: i32, col: i32| (row != NONE).then_some((row as usize, col as usize));
        (0..self.shape.0 * self.shape.1).map(move |at| cell(rows[at], cols[at]))
    }

    fn each(&self) -> (Cow<'_, [i32]>, Cow<'_, [i32]>) {
        let spans = match &self.places {
            Places::Each { rows, cols } => return (Cow::Borrowed(rows), Cow::Borrowed(cols)),
            Places::Spans(spans) => spans,
        };
        let cells = self.shape.0 * self.shape.1;
        let (mut rows, mut cols) = (vec![NONE; cells], vec![NONE; cells]);
        for span in spans {
            let place = span.first as usize..(span.first + span.cells) as usize;
            rows[place.clone()].fill(span.row);
            (span.col..).zip(&mut cols[place]).for_each(|(at, col)| *col = at);
        }
        (Cow::Owned(rows), Cow::Owned(cols))
    }
}

/// The window between the first and the last row and column; empty where there are none.
fn between(rows: (i32, i32), cols: (i32, i32)) -> Window {
    if rows.0 > rows.1 {
        return Window::whole(0, 0);
    }
    Window::between(rows.0.into(), cols.0.into(), i64::from(rows.1) + 1, i64::from(cols.1) + 1)
}

/// Finds the cell of a raster under each cell of a window; `carry` takes points from the CRS of `grid` to that of the
/// raster and makes those infinite that it cannot carry.
///
/// # Errors
/// Those of `carry`.
/// # Cost
/// Some hundred points are carried for a window of 512 x 512 cells, and about one in two thousand of its cells.
pub fn locate<E>(
    grid: &Grid,
    window: &Window,
    frame: &Frame,
    mut carry: impl FnMut(&mut [f64], &mut [f64]) -> Result<(), E>,
) -> Result<Located, E> {
    if window.cells() < patch::LEAST_CELLS {
        return locate_exactly(grid, window, frame, carry);
    }
    let mesh = Mesh::over(grid, window, frame, &mut carry)?;
    if mesh.is_parallel() {
        return Ok(Located::of_spans(window, frame, spans::spans(&mesh, window, &mut carry)?));
    }
    let mut rows = vec![NONE; window.rows * window.cols];
    let mut cols = vec![NONE; window.rows * window.cols];
    let doubtful = patch::interpolate(&mesh, window, &mut rows, &mut cols);
    let place = |at: usize| (window.row + (at / window.cols) as i64, window.col + (at % window.cols) as i64);
    let found = exact::cells_at(grid, frame, doubtful.iter().map(|&at| place(at as usize)), &mut carry)?;
    for (&at, (row, col)) in doubtful.iter().zip(found) {
        (rows[at as usize], cols[at as usize]) = (row, col);
    }
    Ok(Located::new(window, frame, rows, cols))
}

/// Takes the value of the located cell under each cell, `outside` where there is none.
///
/// # Shape
/// `values` covers `located.bounds`; the result has the shape of the window.
pub fn nearest<T: Cell>(values: ArrayView2<T>, located: &Located, outside: T) -> Array2<T> {
    nearest_in(values, located, outside, Vec::new())
}

/// Does what [`nearest`] does; `memory` is used for the values.
///
/// # Shape
/// As [`nearest`].
pub fn nearest_in<T: Cell>(
    values: ArrayView2<T>,
    located: &Located,
    outside: T,
    memory: Vec<T>,
) -> Array2<T> {
    let (row0, col0) = (located.bounds.row as i32, located.bounds.col as i32);
    let width = values.ncols();
    let standard = values.as_standard_layout();
    let values = standard.as_slice().unwrap_or_default();
    let at = |row: i32, col: i32| (row - row0) as usize * width + (col - col0) as usize;
    let mut out = memory;
    match &located.places {
        Places::Each { rows, cols } => {
            let places = rows.iter().zip(cols);
            out.clear();
            if located.whole {
                out.extend(places.map(|(&row, &col)| values[at(row, col)]));
            } else {
                let value = |row: i32, col: i32| if row == NONE { outside } else { values[at(row, col)] };
                out.extend(places.map(|(&row, &col)| value(row, col)));
            }
        }
        Places::Spans(spans) => {
            // Where every cell is taken, what stands there need not be cleared.
            if !located.whole {
                out.clear();
            }
            out.resize(located.shape.0 * located.shape.1, outside);
            let part = |span: &Span| (at(span.row, span.col), span.first as usize, span.cells as usize);
            T::copy(spans.iter().map(part), values, &mut out);
        }
    }
    Array2::from_shape_vec(located.shape, out).unwrap_or_else(|_| Array2::from_elem(located.shape, outside))
}

#[cfg(test)]
mod tests;
