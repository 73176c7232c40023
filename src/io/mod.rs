//! The outside world: the only module that opens files. It decides nothing.

pub mod atomic;
pub mod cog;
pub mod digest;
pub mod disk;
pub mod gdal;
pub mod imagine;
pub mod machine;
pub mod pam;
pub mod part;
pub mod place;
pub mod progress;
pub mod proj;
pub mod quicklook;
pub mod seen;
pub mod sidecar;
pub mod stop;
pub mod table;
pub mod talk;
pub mod tiff;
pub mod virtual_raster;
