//! Tags of a product, as GDAL writes them: CRS, georeference, palette, nodata and metadata.
//!
//! GDAL writes a raster of one block in memory and our own writer copies its tags, so that how a CRS becomes
//! GeoKeys stays GDAL's business.

use gdal::DriverManager;
use gdal::Metadata;
use gdal::raster::{ColorEntry, ColorTable, PaletteInterpretation, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;

use super::raster::gdal_text;
use crate::error::{Error, Result};
use crate::io::cog::{SampleType, TemplateTags};
use crate::model::grid::Grid;

/// What the tags of a product say.
#[derive(Debug, Clone)]
pub struct ProductTags {
    /// Data type.
    pub sample: SampleType,
    /// Nodata value.
    pub nodata: Option<i64>,
    /// What a value of 1 stands for, where that is not 1.
    pub scale: Option<f64>,
    /// RGB by code; empty for no palette.
    pub palette: Vec<[u8; 3]>,
    /// Name of the band.
    pub band_name: String,
    /// Metadata items.
    pub metadata: Vec<(String, String)>,
}

/// Has GDAL write the tags of a product on a grid.
///
/// # Errors
/// Bug: GDAL cannot write a raster in memory.
pub fn template_tags(grid: &Grid, product: &ProductTags) -> Result<TemplateTags> {
    let name = format!("/vsimem/template-{:?}.tif", std::thread::current().id());
    let failed =
        |e: gdal::errors::GdalError| Error::bug(format!("GDAL cannot write a template: {}", gdal_text(&e)));
    write_template(&name, grid, product).map_err(failed)?;
    let bytes = gdal::vsi::get_vsi_mem_file_bytes_owned(&name).map_err(failed)?;
    TemplateTags::from_geotiff(&bytes).map_err(|e| Error::bug(format!("GDAL's template cannot be read: {e}")))
}

fn write_template(name: &str, grid: &Grid, product: &ProductTags) -> gdal::errors::Result<()> {
    let driver = DriverManager::get_driver_by_name("GTiff")?;
    let mut options = RasterCreationOptions::new();
    if product.sample == SampleType::I8 {
        options.add_string("PIXELTYPE=SIGNEDBYTE")?;
    }
    let size = (16, 16);
    let mut dataset = match product.sample {
        SampleType::U8 | SampleType::I8 => {
            driver.create_with_band_type_with_options::<u8, _>(name, size.0, size.1, 1, &options)?
        }
        SampleType::U16 => {
            driver.create_with_band_type_with_options::<u16, _>(name, size.0, size.1, 1, &options)?
        }
        SampleType::I16 => {
            driver.create_with_band_type_with_options::<i16, _>(name, size.0, size.1, 1, &options)?
        }
        SampleType::U32 => {
            driver.create_with_band_type_with_options::<u32, _>(name, size.0, size.1, 1, &options)?
        }
        SampleType::I32 => {
            driver.create_with_band_type_with_options::<i32, _>(name, size.0, size.1, 1, &options)?
        }
    };
    if let Some(crs) = &grid.crs {
        dataset.set_spatial_ref(&SpatialRef::from_definition(&crs.wkt)?)?;
    }
    dataset.set_geo_transform(&grid.affine.0)?;
    dataset.set_metadata_item("AREA_OR_POINT", "Area", "")?;
    for (key, value) in &product.metadata {
        dataset.set_metadata_item(key, value, "")?;
    }
    let mut band = dataset.rasterband(1)?;
    band.set_description(&product.band_name)?;
    if let Some(nodata) = product.nodata {
        band.set_no_data_value(Some(nodata as f64))?;
    }
    if let Some(scale) = product.scale {
        band.set_scale(scale)?;
    }
    if !product.palette.is_empty() {
        let mut table = ColorTable::new(PaletteInterpretation::Rgba);
        for (code, [r, g, b]) in product.palette.iter().enumerate() {
            let alpha = if product.nodata == Some(code as i64) { 0 } else { 255 };
            table.set_color_entry(
                code as u16,
                &ColorEntry::rgba((*r).into(), (*g).into(), (*b).into(), alpha),
            );
        }
        band.set_color_table(&table);
    }
    dataset.close()
}
