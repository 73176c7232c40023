//! The value of a raster at each cell of a window of a grid.

use ndarray::{Array2, s};

use super::locate::source_cells;
use crate::error::Result;
use crate::io::gdal::{Pixels, RasterFile};
use crate::kernel::align::{Cell, nearest};
use crate::model::grid::Grid;
use crate::model::window::{BLOCK, Window};
use crate::plan::WARP_CELLS;
use crate::plan::alignment::Alignment;
use crate::plan::value_raster::ValueRaster;

/// What a raster says of each cell of a window of the grid that it was placed on: what `tell` makes of the number under the
/// cell's centre as it was read, `outside` where the raster has no cell. `None` where it has none in all of the window, and
/// then the file is not asked for.
///
/// # Shape
/// The window's.
/// # Errors
/// Those of `file`. Unreadable, Input: cells of the raster that cannot be read. Bug: PROJ lost an operation.
pub fn values_under<'f, T: Cell>(
    raster: &ValueRaster,
    file: impl FnOnce() -> Result<&'f RasterFile>,
    (grid, window): (&Grid, &Window),
    outside: T,
    tell: impl Fn(i32) -> T,
) -> Result<Option<Array2<T>>> {
    let covered = window.intersect(&raster.footprint);
    if covered.is_empty() {
        return Ok(None);
    }
    let mut out = Array2::from_elem((window.rows, window.cols), outside);
    let mut lookup = Lookup { raster, file: file()?, grid, window, outside, tell, out: &mut out };
    match raster.alignment {
        Alignment::Copy { row, col } => lookup.copy(&covered, (row, col))?,
        Alignment::Nearest { .. } | Alignment::Mode { .. } => {
            for piece in covered.squares(BLOCK) {
                lookup.warp(&piece)?;
            }
        }
    }
    Ok(Some(out))
}

/// A window that is being filled in.
struct Lookup<'l, T, F> {
    raster: &'l ValueRaster,
    file: &'l RasterFile,
    grid: &'l Grid,
    window: &'l Window,
    outside: T,
    tell: F,
    out: &'l mut Array2<T>,
}

impl<T: Cell, F: Fn(i32) -> T> Lookup<'_, T, F> {
    /// Fills a piece of the window from a raster on the lattice, whose first cell lies at this place of the grid.
    fn copy(&mut self, piece: &Window, (row, col): (i64, i64)) -> Result<()> {
        let read = self.told(&piece.shift(-row, -col))?;
        self.assign(piece, &read);
        Ok(())
    }

    /// Fills a piece of the window by nearest neighbour; a piece over too many cells of the raster is quartered.
    fn warp(&mut self, piece: &Window) -> Result<()> {
        let cells = source_cells(&self.raster.alignment, self.grid, piece)?;
        if cells.bounds.is_empty() {
            return Ok(());
        }
        let side = piece.rows.max(piece.cols);
        if cells.bounds.cells() > WARP_CELLS && side > 1 {
            for quarter in piece.squares(side.div_ceil(2)) {
                self.warp(&quarter)?;
            }
            return Ok(());
        }
        let read = self.told(&cells.bounds)?;
        self.assign(piece, &nearest(read.view(), &cells, self.outside));
        Ok(())
    }

    /// What is told of a window of the raster's own cells.
    fn told(&self, window: &Window) -> Result<Array2<T>> {
        Ok(match self.file.read(window)? {
            Pixels::Bytes(values) => values.mapv(|value| (self.tell)(value.into())),
            Pixels::Codes(values) => values.mapv(&self.tell),
        })
    }

    fn assign(&mut self, piece: &Window, told: &Array2<T>) {
        let row = (piece.row - self.window.row) as usize;
        let col = (piece.col - self.window.col) as usize;
        self.out.slice_mut(s![row..row + piece.rows, col..col + piece.cols]).assign(told);
    }
}
