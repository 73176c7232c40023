//! As `io` of the crate, without what needs GDAL or PROJ.

#[path = "../../../src/io/atomic.rs"]
pub mod atomic;
#[path = "../../../src/io/cog/mod.rs"]
pub mod cog;
#[path = "../../../src/io/digest.rs"]
pub mod digest;
#[path = "gdal.rs"]
pub mod gdal;
#[path = "../../../src/io/imagine.rs"]
pub mod imagine;
#[path = "../../../src/io/part.rs"]
pub mod part;
#[path = "../../../src/io/sidecar.rs"]
pub mod sidecar;
#[path = "../../../src/io/stop.rs"]
pub mod stop;
#[path = "../../../src/io/tiff/mod.rs"]
pub mod tiff;
#[path = "../../../src/io/virtual_raster.rs"]
pub mod virtual_raster;
