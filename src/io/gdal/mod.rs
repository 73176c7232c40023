//! The only user of GDAL: rasters and vectors in, tags for our own writer out.

mod admission;
mod blocks;
mod burn;
mod crs;
mod doors;
mod edges;
mod formats;
mod raster;
pub mod remote;
pub mod store;
mod template;
mod vector;
mod vsi;
pub mod wkb;
mod write;

pub use blocks::open_bytes;
pub use burn::{BurnedZones, CellKeys};
pub use crs::{crs_from_wkt, geographic_base, same_crs};
pub use formats::RasterFormat;
pub use raster::{Pixels, RasterFile, RasterHeader, SampleKind, open_raster, open_raster_as, reopen_raster};
pub use template::{ProductTags, template_tags};
pub use vector::{Feature, FeatureLayer, field_names, open_features, open_shapes};
pub use write::write_tiled;

use std::sync::OnceLock;

use crate::error::{Error, Result};

/// GDAL's block cache, in MiB; strips that are cut by a window are not decoded twice.
const CACHE_MIB: u32 = 64;

/// Sets GDAL up for untrusted files and reproducible results: nothing to reach but the disk and what a job names
/// ([`remote`]), few formats, no Python in VRTs, no messages on stderr (errors carry them). Once; later calls do nothing.
///
/// # Errors
/// Bug: GDAL refuses a configuration option.
pub fn init() -> Result<()> {
    static DONE: OnceLock<Result<()>> = OnceLock::new();
    DONE.get_or_init(set_up).clone()
}

#[expect(unsafe_code, reason = "PROJ's network switch has no safe wrapper")]
fn set_up() -> Result<()> {
    let options = [
        ("GDAL_VRT_ENABLE_PYTHON", "NO".to_string()),
        ("GDAL_CACHEMAX", CACHE_MIB.to_string()),
        // A layer of polygons is a database, whose views are programs: none of them reaches a file or runs code of the library.
        ("SPATIALITE_LOAD", "NO".to_string()),
        ("OGR_SQLITE_PRAGMA", "trusted_schema=OFF".to_string()),
        // Companions are found by their names as they are known here, not by a list of the folder in any spelling.
        ("GDAL_DISABLE_READDIR_ON_OPEN", "TRUE".to_string()),
    ];
    for (key, value) in options {
        gdal::config::set_config_option(key, &value).map_err(|e| Error::bug(e.to_string()))?;
    }
    gdal::config::set_error_handler(|_, _, _| {});
    remote::init()?;
    // SAFETY: the function takes a flag by value and touches GDAL's own state only.
    unsafe { gdal_sys::OSRSetPROJEnableNetwork(0) };
    doors::shut()
}

/// The version of GDAL that the program was compiled against.
pub const BUILT_WITH: &str = env!("GDAL_BUILT_WITH");

/// The formats that the program reads and writes, as GDAL calls its drivers.
pub const NEEDED_FORMATS: [&str; 7] =
    ["GTiff", "HFA", "MEM", "GPKG", "GeoJSON", "ESRI Shapefile", "FlatGeobuf"];

/// Those of them that this GDAL lacks.
pub fn missing_formats() -> Vec<&'static str> {
    let lacks = |name: &&&str| gdal::DriverManager::get_driver_by_name(name).is_err();
    NEEDED_FORMATS.iter().filter(lacks).copied().collect()
}

/// Whether a CRS is known by its name, such as `EPSG:5070`.
pub fn knows_crs(name: &str) -> bool {
    gdal::spatial_ref::SpatialRef::from_definition(name).is_ok()
}

/// GDAL's version at run time, such as "3.6.2".
pub fn version() -> String {
    gdal::version::version_info("RELEASE_NAME")
}
