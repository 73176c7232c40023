//! The cells of a window that a mask holds.

use std::rc::Rc;

use ndarray::Array2;

use super::zones::zones_of;
use crate::error::Result;
use crate::io::gdal::{CellKeys, RasterFile};
use crate::kernel::combine::BlockZones;
use crate::model::grid::Grid;
use crate::model::window::Window;
use crate::plan::mask::Mask;
use crate::plan::zones::{ZoneCells, ZoneRaster};

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

/// Reads a mask, window after window.
pub struct MaskReader<'a> {
    grid: &'a Grid,
    mask: &'a Mask,
    /// Of a raster, once it was needed.
    file: Option<RasterFile>,
    /// What was asked for last: every year asks for the same block.
    known: Option<(Window, Rc<Held>)>,
}

impl<'a> MaskReader<'a> {
    /// Nothing read yet.
    pub fn new(grid: &'a Grid, mask: &'a Mask) -> Self {
        Self { grid, mask, file: None, known: None }
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
        if let Some((of, held)) = &self.known
            && of == window
        {
            return Ok(held.clone());
        }
        let held = Rc::new(self.read(window)?);
        self.known = Some((*window, held.clone()));
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
                Ok(match zones_of(raster, &mut self.file, field, &place)? {
                    BlockZones::One(zone) if ZoneRaster::is_held(zone) => Held::All,
                    BlockZones::One(_) => Held::None,
                    BlockZones::Many(zones) => Held::of(zones.mapv(ZoneRaster::is_held)),
                })
            }
        }
    }
}
