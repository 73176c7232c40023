//! Masks: polygons without a key, or a raster of whole numbers, that hold some cells of a grid and others not.

use std::path::{Path, PathBuf};

use super::value_raster::{Meaning, ValueRaster};
use super::zones::{ZoneCells, no_grid_crs, raster};
use crate::config::zones::is_raster;
use crate::error::Result;
use crate::io::gdal::open_shapes;
use crate::io::proj::Operation;
use crate::model::grid::Grid;
use crate::model::window::Window;

/// Cells that the polygons of a layer hold by their centre, or in which a raster is neither 0 nor nodata.
#[derive(Debug)]
pub struct Mask {
    /// The file.
    pub path: PathBuf,
    /// What says which cells it holds; a raster's reach [`Mask::field`].
    pub cells: ZoneCells,
    /// The grid and a margin around it: what lies beyond an edge of the grid may matter.
    pub field: Grid,
    /// Cells of that margin.
    pub margin: usize,
}

impl Mask {
    /// Opens a mask and takes it to a grid with so many cells around it; `what` it is, in words.
    ///
    /// # Errors
    /// Input, Unsupported: the file cannot be used, with the reason.
    pub fn open(
        path: &Path,
        band: Option<usize>,
        grid: &Grid,
        margin: usize,
        what: &'static str,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let field = grid.part(&grid.window().grown(margin));
        let cells = if is_raster(path) {
            let meaning = Meaning { what, of_values: "0 or nodata where it does not hold a cell" };
            let raster = raster(path, band, &field, meaning, warnings).map_err(|e| e.at(path.display()))?;
            ZoneCells::Raster(Box::new(raster))
        } else {
            let Some(crs) = &grid.crs else { return Err(no_grid_crs(what).at(path.display())) };
            ZoneCells::Polygons(Box::new(open_shapes(path, crs, grid.cell_m())?))
        };
        Ok(Self { path: path.to_path_buf(), cells, field, margin })
    }

    /// All files that hold it.
    pub fn files(&self) -> &[PathBuf] {
        match &self.cells {
            ZoneCells::Polygons(polygons) => &polygons.files,
            ZoneCells::Raster(raster) => &raster.header.files,
        }
    }

    /// The raster, where it is one.
    pub fn raster(&self) -> Option<&ValueRaster> {
        match &self.cells {
            ZoneCells::Polygons(_) => None,
            ZoneCells::Raster(raster) => Some(raster),
        }
    }

    /// Whether a polygon's envelope, or the raster, comes into a window of the grid.
    pub fn comes_near(&self, grid: &Grid, window: &Window) -> bool {
        match &self.cells {
            ZoneCells::Polygons(polygons) => polygons.near(grid.part(window).bounds()).next().is_some(),
            ZoneCells::Raster(raster) => !raster.footprint.intersect(&self.in_field(window)).is_empty(),
        }
    }

    /// Where a window of the grid lies in [`Mask::field`].
    pub fn in_field(&self, window: &Window) -> Window {
        window.shift(self.margin as i64, self.margin as i64)
    }

    /// What carries its points or cells to the grid, if it lies in another CRS.
    pub fn operation(&self) -> Option<&Operation> {
        match &self.cells {
            ZoneCells::Polygons(polygons) => polygons.operation.as_ref(),
            ZoneCells::Raster(raster) => raster.alignment.operation(),
        }
    }

    /// What it is, in words.
    pub fn words(&self) -> String {
        match &self.cells {
            ZoneCells::Polygons(polygons) => format!(
                "{} polygons from {}{}",
                polygons.features.len(),
                polygons.crs.name,
                self.operation().map_or(String::new(), |operation| format!(" by {}", operation.words()))
            ),
            ZoneCells::Raster(raster) => format!(
                "a raster of {} x {} {}; {}",
                raster.header.grid.rows,
                raster.header.grid.cols,
                raster.header.sample.word(),
                raster.alignment.words()
            ),
        }
    }
}
