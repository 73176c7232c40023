//! As `io::gdal`, without GDAL.

#[path = "../../../src/io/gdal/wkb.rs"]
pub mod wkb;
