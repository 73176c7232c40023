//! The only user of GDAL: rasters and vectors in, tags for our own writer out.

mod blocks;
mod burn;
mod crs;
mod edges;
mod raster;
pub mod remote;
pub mod store;
mod template;
mod vector;
mod vsi;
mod wkb;
mod write;

pub use blocks::open_bytes;
pub use burn::{BurnedZones, CellKeys};
pub use crs::{crs_from_wkt, geographic_base, same_crs};
pub use raster::{Pixels, RasterFile, RasterHeader, SampleKind, open_raster, reopen_raster};
pub use template::{ProductTags, template_tags};
pub use vector::{Feature, FeatureLayer, field_names, open_features, open_shapes};
pub use write::write_tiled;

use crate::error::{Error, Result};

/// GDAL's block cache, in MiB; strips that are cut by a window are not decoded twice.
const CACHE_MIB: u32 = 64;

/// Sets GDAL up for untrusted files and reproducible results: no network but for what a job names ([`remote`]), no Python
/// in VRTs, no messages on stderr (errors carry them).
///
/// # Errors
/// Bug: GDAL refuses a configuration option.
#[expect(unsafe_code, reason = "PROJ's network switch has no safe wrapper")]
pub fn init() -> Result<()> {
    let options = [("GDAL_VRT_ENABLE_PYTHON", "NO".to_string()), ("GDAL_CACHEMAX", CACHE_MIB.to_string())];
    for (key, value) in options {
        gdal::config::set_config_option(key, &value).map_err(|e| Error::bug(e.to_string()))?;
    }
    gdal::config::set_error_handler(|_, _, _| {});
    remote::init()?;
    // SAFETY: the function takes a flag by value and touches GDAL's own state only.
    unsafe { gdal_sys::OSRSetPROJEnableNetwork(0) };
    Ok(())
}

/// GDAL's version at run time, such as "3.6.2".
pub fn version() -> String {
    gdal::version::version_info("RELEASE_NAME")
}
