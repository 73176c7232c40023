//! What reads bytes in the crate, under the same names.

#[path = "../../../src/error.rs"]
pub mod error;
#[path = "../../../src/model/mod.rs"]
pub mod model;

/// As `io` of the crate, without what needs GDAL or PROJ.
pub mod io {
    #[path = "../../../../src/io/atomic.rs"]
    pub mod atomic;
    #[path = "../../../../src/io/cog/mod.rs"]
    pub mod cog;
    #[path = "../../../../src/io/part.rs"]
    pub mod part;
    #[path = "../../../../src/io/sidecar.rs"]
    pub mod sidecar;
    #[path = "../../../../src/io/tiff/mod.rs"]
    pub mod tiff;
    #[path = "../../../../src/io/virtual_raster.rs"]
    pub mod virtual_raster;

    /// As `io::gdal`, without GDAL.
    pub mod gdal {
        #[path = "../../../../../src/io/gdal/wkb.rs"]
        pub mod wkb;
    }
}
