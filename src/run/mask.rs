//! The cells of a window that a mask holds.

use std::collections::BTreeMap;
use std::rc::Rc;

use ndarray::{Array2, s};

use super::values::values_under;
use crate::error::Result;
use crate::io::gdal::{CellKeys, RasterFile, reopen_raster};
use crate::model::grid::Grid;
use crate::model::window::{BLOCK, Window};
use crate::plan::mask::Mask;
use crate::plan::zones::ZoneCells;

/// Which cells of a window a mask holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// None of them.
    None,
    /// All of them.
    All,
    /// Some.
    Each(Array2<bool>),
}

impl Held {
    fn of(cells: Array2<bool>) -> Self {
        match (cells.iter().any(|held| *held), cells.iter().any(|held| !held)) {
            (false, _) => Self::None,
            (true, false) => Self::All,
            (true, true) => Self::Each(cells),
        }
    }
}

/// Blocks that are kept at a time, a bound on memory: a quarter of a MiB each, if they are neither held wholly nor not at all.
const MOST_BLOCKS: usize = 64;

/// Reads a mask, window after window.
///
/// Polygons are burned, and rasters read, block by block at fixed places of the grid; windows that reach over their block into
/// others find these again, row after row.
pub struct MaskReader<'a> {
    grid: &'a Grid,
    mask: &'a Mask,
    /// Of a raster, once it was needed.
    file: Option<RasterFile>,
    /// Blocks by their upper left cell.
    blocks: BTreeMap<(i64, i64), Rc<Held>>,
}

impl<'a> MaskReader<'a> {
    /// Nothing read yet.
    pub fn new(grid: &'a Grid, mask: &'a Mask) -> Self {
        Self { grid, mask, file: None, blocks: BTreeMap::new() }
    }

    /// Whether all cells of a window are held, or none, where that can be told without burning or reading.
    ///
    /// # Errors
    /// Bug: a polygon cannot be read.
    pub fn alike(&self, window: &Window) -> Result<Option<bool>> {
        match &self.mask.cells {
            ZoneCells::Polygons(polygons) => Ok(polygons.one_key(self.grid, window)?.map(|key| key != 0)),
            ZoneCells::Raster(_) => Ok((!self.mask.comes_near(self.grid, window)).then_some(false)),
        }
    }

    /// Which cells of a window are held, whether they lie on the grid or in the mask's margin.
    ///
    /// # Errors
    /// Unreadable, Input: cells of a raster that cannot be read. Bug: GDAL cannot burn in memory.
    pub fn held(&mut self, window: &Window) -> Result<Rc<Held>> {
        let side = BLOCK as i64;
        let first = |at: i64| at.div_euclid(side) * side;
        let aligned =
            Window::between(first(window.row), first(window.col), window.row_end(), window.col_end());
        let blocks: Vec<Window> =
            aligned.squares(BLOCK).map(|square| Window { rows: BLOCK, cols: BLOCK, ..square }).collect();
        if let [block] = blocks[..]
            && block == *window
        {
            return self.block(&block);
        }
        let mut cells = Array2::from_elem((window.rows, window.cols), false);
        for block in blocks {
            let wanted = block.intersect(window);
            let within = |origin: &Window| {
                let (row, col) = ((wanted.row - origin.row) as usize, (wanted.col - origin.col) as usize);
                s![row..row + wanted.rows, col..col + wanted.cols]
            };
            let known = self.blocks.contains_key(&(block.row, block.col));
            // An edge in a block may be far from the part of it that is asked for.
            let held = match self.alike(&wanted)?.filter(|_| !known) {
                Some(true) => Rc::new(Held::All),
                Some(false) => Rc::new(Held::None),
                None => self.block(&block)?,
            };
            match &*held {
                Held::None => {}
                Held::All => cells.slice_mut(within(window)).fill(true),
                Held::Each(of_block) => {
                    cells.slice_mut(within(window)).assign(&of_block.slice(within(&block)));
                }
            }
        }
        Ok(Rc::new(Held::of(cells)))
    }

    /// A block at its fixed place.
    fn block(&mut self, block: &Window) -> Result<Rc<Held>> {
        let place = (block.row, block.col);
        if let Some(held) = self.blocks.get(&place) {
            return Ok(held.clone());
        }
        let held = Rc::new(self.read(block)?);
        // Blocks are asked for row by row: those further up are not needed again.
        while self.blocks.len() >= MOST_BLOCKS {
            self.blocks.pop_first();
        }
        self.blocks.insert(place, held.clone());
        Ok(held)
    }

    fn read(&mut self, window: &Window) -> Result<Held> {
        match &self.mask.cells {
            ZoneCells::Polygons(polygons) => Ok(match polygons.burn(self.grid, window)?.cells {
                CellKeys::One(0) => Held::None,
                CellKeys::One(_) => Held::All,
                CellKeys::Each(keys) => Held::of(keys.mapv(|key| key != 0)),
            }),
            ZoneCells::Raster(raster) => {
                let (field, place) = (&self.mask.field, self.mask.in_field(window));
                let known = &mut self.file;
                let file = move || match known {
                    Some(file) => Ok(&*file),
                    closed => Ok(&*closed.insert(reopen_raster(&raster.header)?)),
                };
                let holds = |read: i32| u8::from(raster.value(read).is_some_and(|value| value != 0));
                let said = values_under(raster, file, (field, &place), 0, holds)?;
                Ok(said.map_or(Held::None, |said| Held::of(said.mapv(|holds| holds != 0))))
            }
        }
    }
}
