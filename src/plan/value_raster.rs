//! A raster whose value at each cell of some grid is looked up: zones, strata, and whatever else comes cell by cell.

use std::path::Path;

use super::alignment::{Alignment, middle};
use super::misfit::{no_crs, no_place};
use super::scene::footprint;
use super::sphere::SphereGrid;
use crate::error::{Error, Result};
use crate::io::gdal::{RasterHeader, open_raster};
use crate::io::proj::Operation;
use crate::model::grid::{Crs, Grid};
use crate::model::rule::NAN_VALUE;
use crate::model::window::Window;

/// What the cells of a raster are, for the message that refuses one of real numbers.
#[derive(Debug, Clone, Copy)]
pub struct Meaning {
    /// What it is called: `zone raster`.
    pub what: &'static str,
    /// What a value says: `a cell's value is the key of its zone`.
    pub of_values: &'static str,
}

/// A raster of whole numbers, and how it reaches a grid.
#[derive(Debug)]
pub struct ValueRaster {
    /// What the file says.
    pub header: RasterHeader,
    /// How its cells reach the grid: the cell under a grid cell's centre tells the value there.
    pub alignment: Alignment,
    /// Cells of the grid that it may cover.
    pub footprint: Window,
}

impl ValueRaster {
    /// Reads a header and judges whether it can be one of values.
    ///
    /// # Errors
    /// Those of [`open_raster`]. Input: its cells hold real numbers.
    pub fn header(path: &Path, band: Option<usize>, meaning: Meaning) -> Result<RasterHeader> {
        let header = open_raster(path, band)?.header;
        if header.sample.is_float() {
            return Err(Error::input(format!("a {} must hold whole numbers", meaning.what))
                .found(header.sample.word())
                .expected(format!("an integer type of at most 32 bits: {}", meaning.of_values))
                .help("convert it, if its values are whole numbers: gdal_translate -ot Int32 IN OUT"));
        }
        Ok(header)
    }

    /// Takes a raster to a grid that has a CRS, by an operation that `choose` gives for the raster's CRS, that of the grid and
    /// the middle of the raster, where it needs one.
    ///
    /// # Errors
    /// Input: it has no CRS or no place; no way between the two CRSs.
    pub fn place_by(
        mut header: RasterHeader,
        grid: &Grid,
        warnings: &mut Vec<String>,
        choose: impl FnOnce(&Crs, &Crs, (f64, f64)) -> Result<Operation>,
    ) -> Result<Self> {
        let said = SphereGrid::load()?.take(&mut header.grid, grid.crs.as_ref(), false)?;
        warnings.extend(said.map(|words| format!("{}: {words}", header.path.display())));
        if header.grid.crs.is_none() {
            return Err(no_crs());
        }
        if !header.georeferenced {
            return Err(no_place());
        }
        let alignment = Alignment::by(&header.grid, grid, |from, to| choose(from, to, middle(&header.grid)))?;
        let footprint = footprint(grid, &header.grid, &alignment)?;
        Ok(Self { header, alignment, footprint })
    }

    /// The same by the best operation.
    ///
    /// # Errors
    /// As [`Self::place_by`].
    pub fn place(header: RasterHeader, grid: &Grid, warnings: &mut Vec<String>) -> Result<Self> {
        Self::place_by(header, grid, warnings, |from, to, (x, y)| Operation::choose(from, to, x, y))
    }

    /// A value as read; `None` for the file's nodata value.
    pub fn value(&self, read: i32) -> Option<i32> {
        (read != NAN_VALUE && self.header.nodata_tag != Some(f64::from(read))).then_some(read)
    }
}
