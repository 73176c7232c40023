//! Plain tiled GeoTIFFs, the form in which national tiles are delivered: what `synth` and tests make.

use std::path::Path;

use gdal::DriverManager;
use gdal::raster::{Buffer, ColorEntry, ColorTable, PaletteInterpretation, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;
use ndarray::Array2;

use super::raster::gdal_text;
use crate::error::{Error, ErrorKind, Result};
use crate::io::atomic::AtomicPath;
use crate::model::grid::Grid;
use crate::model::window::{BLOCK, Window};

/// Closes a dataset and tells what went wrong while it was flushed: before 3.7 GDAL's close always succeeds, a full
/// disk included.
#[expect(unsafe_code, reason = "GDAL's last error has no safe wrapper")]
fn close(dataset: gdal::Dataset) -> gdal::errors::Result<()> {
    // SAFETY: both calls touch the calling thread's error state only; the message is copied at once.
    unsafe { gdal_sys::CPLErrorReset() };
    dataset.close()?;
    let class = unsafe { gdal_sys::CPLGetLastErrorType() };
    if class < gdal_sys::CPLErr::CE_Failure {
        return Ok(());
    }
    // SAFETY: as above.
    let msg =
        unsafe { std::ffi::CStr::from_ptr(gdal_sys::CPLGetLastErrorMsg()).to_string_lossy().into_owned() };
    Err(gdal::errors::GdalError::CplError { class, number: 0, msg })
}

/// Writes a tiled, DEFLATE-compressed uint8 GeoTIFF row of blocks by row of blocks.
///
/// `rows_of` yields the cells of a window as wide as the grid and at most one block high. `nodata` is what the file
/// declares, true or not: tags that no cell can hold are met in the field.
///
/// # Errors
/// Io: the disk refuses. Whatever `rows_of` returns.
pub fn write_tiled(
    path: &Path,
    grid: &Grid,
    nodata: Option<f64>,
    palette: &[[u8; 3]],
    mut rows_of: impl FnMut(&Window) -> Result<Array2<u8>>,
) -> Result<()> {
    let place = path.display().to_string();
    let failed = |e: gdal::errors::GdalError| {
        Error::new(ErrorKind::Io, "a raster cannot be written").at(&place).found(gdal_text(&e))
    };
    let target = AtomicPath::beside(path)?;
    let driver = DriverManager::get_driver_by_name("GTiff").map_err(failed)?;
    let mut options = RasterCreationOptions::new();
    for option in ["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER"] {
        options.add_string(option).map_err(failed)?;
    }
    let mut dataset = driver
        .create_with_band_type_with_options::<u8, _>(target.path(), grid.cols, grid.rows, 1, &options)
        .map_err(failed)?;
    if let Some(crs) = &grid.crs {
        let reference = SpatialRef::from_definition(&crs.wkt).map_err(failed)?;
        dataset.set_spatial_ref(&reference).map_err(failed)?;
    }
    dataset.set_geo_transform(&grid.affine.0).map_err(failed)?;
    let mut band = dataset.rasterband(1).map_err(failed)?;
    if nodata.is_some() {
        band.set_no_data_value(nodata).map_err(failed)?;
    }
    if !palette.is_empty() {
        let mut table = ColorTable::new(PaletteInterpretation::Rgba);
        for (code, [r, g, b]) in palette.iter().enumerate() {
            table.set_color_entry(code as u16, &ColorEntry::rgba((*r).into(), (*g).into(), (*b).into(), 255));
        }
        band.set_color_table(&table);
    }
    for top in (0..grid.rows).step_by(BLOCK) {
        let window = Window { row: top as i64, col: 0, rows: BLOCK.min(grid.rows - top), cols: grid.cols };
        let cells = rows_of(&window)?;
        let (values, _) = cells.into_raw_vec_and_offset();
        let mut buffer = Buffer::new((window.cols, window.rows), values);
        band.write((0, top as isize), (window.cols, window.rows), &mut buffer).map_err(failed)?;
    }
    close(dataset).map_err(failed)?;
    target.commit()
}
