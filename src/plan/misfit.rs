//! Why a raster does not lie on a grid, in words.

use crate::error::Error;
use crate::model::grid::{Fit, Grid};

/// Why a grid of the same CRS does not lie on a lattice.
pub fn misfit_words(lattice: &Grid, grid: &Grid, misfit: Fit) -> String {
    match misfit {
        Fit::Shifted { rows, cols } => format!(
            "its cells are shifted by {:.4} rows and {:.4} columns of a cell",
            rows - rows.floor(),
            cols - cols.floor()
        ),
        _ if !grid.affine.is_north_up() => {
            "its rows do not run north to south, or it is rotated or mirrored".into()
        }
        _ => {
            let ((w, h), (lw, lh)) = (grid.cell(), lattice.cell());
            format!("its cells are {w} x {h} instead of {lw} x {lh}")
        }
    }
}

/// The error for a raster with a CRS and no place in it.
pub fn no_place() -> Error {
    Error::input("a raster has a CRS but no geotransform, so its place is unknown")
        .expected("an origin and a cell size in the file")
        .help("give it its corners: gdal_translate -a_ullr XMIN YMAX XMAX YMIN IN OUT")
}

/// The error for a raster that cannot be placed.
pub fn no_crs() -> Error {
    Error::input("a raster has no CRS, so its place on the grid is unknown")
        .expected("a CRS in the file")
        .help("assign the right one: gdal_edit.py -a_srs EPSG:… FILE, or gdal_translate -a_srs")
}
