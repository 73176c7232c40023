//! What the header of a raster says, held to limits before anything is decoded.

use std::path::{Path, PathBuf};

use gdal::raster::{GdalDataType, RasterBand};
use gdal::{Dataset, Metadata};
use serde::Serialize;

use super::gdal_text;
use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::crs::describe;
use crate::io::place;
use crate::io::tiff::{LARGEST_BLOCK_BYTES, LARGEST_SIDE, MOST_BLOCKS};
use crate::model::grid::{Affine, Grid};

/// Coordinates beyond this, in any unit, are no place on Earth.
const LARGEST_COORDINATE: f64 = 1e12;

/// Codecs whose blocks are decoded in about their own size, as GDAL calls them.
const PLAIN_CODECS: [&str; 6] = ["DEFLATE", "LZW", "ZSTD", "PACKBITS", "NONE", "RLE"];

/// What others (LERC, PixarLog, JPEG…) need beside a block, as a share of the largest.
const OTHER_CODECS_SHARE: u64 = 4;

/// Data type of a band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SampleKind {
    /// Unsigned, 8 bits.
    U8,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 16 bits.
    U16,
    /// Signed, 16 bits.
    I16,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 32 bits.
    I32,
    /// Floating point, 32 bits.
    F32,
    /// Floating point, 64 bits.
    F64,
}

impl SampleKind {
    /// The word users know.
    pub fn word(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// Bytes of a sample.
    pub fn bytes(self) -> u64 {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Smallest and largest whole number it holds.
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::U8 => (0.0, 255.0),
            Self::I8 => (-128.0, 127.0),
            Self::U16 => (0.0, 65_535.0),
            Self::I16 => (-32_768.0, 32_767.0),
            Self::U32 => (0.0, f64::from(u32::MAX)),
            Self::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
            Self::F32 | Self::F64 => (f64::MIN, f64::MAX),
        }
    }

    /// Bytes of a sample, and whether it has a sign; none if not all its values are whole numbers of 32 bits with sign.
    pub(in crate::io::gdal) fn whole_number(self) -> Option<(usize, bool)> {
        match self {
            Self::U8 => Some((1, false)),
            Self::I8 => Some((1, true)),
            Self::U16 => Some((2, false)),
            Self::I16 => Some((2, true)),
            Self::I32 => Some((4, true)),
            Self::U32 | Self::F32 | Self::F64 => None,
        }
    }

    /// Whether it is a floating point type.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
}

/// What the header of a raster says.
#[derive(Debug, Clone, Serialize)]
pub struct RasterHeader {
    /// The file.
    pub path: PathBuf,
    /// All files that hold its cells: itself, and companions such as an .ige.
    pub files: Vec<PathBuf>,
    /// GDAL's format name.
    pub format: String,
    /// Number of bands.
    pub bands: usize,
    /// The band in use, from 1.
    pub band: usize,
    /// Data type of that band.
    pub sample: SampleKind,
    /// Where its cells lie.
    pub grid: Grid,
    /// Whether the file places its cells at all.
    pub georeferenced: bool,
    /// Declared nodata value.
    pub nodata_tag: Option<f64>,
    /// Rows and columns of a block.
    pub block: (usize, usize),
    /// Compression, as GDAL names it; `None` is none.
    pub compression: Option<String>,
    /// Whether it has a palette.
    pub palette: bool,
    /// Number of overviews.
    pub overviews: usize,
    /// Whether it is laid out as a cloud-optimised GeoTIFF.
    pub cog: bool,
}

pub(super) fn read_header(path: &Path, dataset: &Dataset, wanted: Option<usize>) -> Result<RasterHeader> {
    let bands = dataset.raster_count();
    let band_number = match wanted {
        Some(n) if (1..=bands).contains(&n) => n,
        Some(n) => return Err(Error::input(format!("there is no band {n}")).found(format!("{bands} bands"))),
        None if bands == 1 => 1,
        None => {
            return Err(Error::input("a raster has several bands and none was chosen")
                .found(format!("{bands} bands"))
                .expected("one band of class codes")
                .help("choose one: band = N in the job file, --band N on the command line"));
        }
    };
    let (cols, rows) = dataset.raster_size();
    if rows as u64 > LARGEST_SIDE || cols as u64 > LARGEST_SIDE {
        return Err(Error::new(ErrorKind::Limit, "a raster is larger than any this program accepts")
            .found(format!("{rows} rows x {cols} columns"))
            .expected(format!("at most {LARGEST_SIDE} a side")));
    }
    let band = dataset.rasterband(band_number).map_err(|e| Error::input(gdal_text(&e)))?;
    let sample = sample_of(&band)?;
    let (block_cols, block_rows) = band.block_size();
    let blocks =
        (rows.div_ceil(block_rows.max(1)) as u64).saturating_mul(cols.div_ceil(block_cols.max(1)) as u64);
    if blocks > MOST_BLOCKS {
        return Err(Error::new(ErrorKind::Limit, "a raster has more blocks than any this program accepts")
            .found(format!("{blocks} blocks of {block_rows} x {block_cols} cells"))
            .expected(format!("at most {MOST_BLOCKS}")));
    }
    let interleaved = dataset.metadata_item("INTERLEAVE", "IMAGE_STRUCTURE").is_some_and(|i| i == "PIXEL");
    let block_bytes = (block_rows as u64)
        .saturating_mul(block_cols as u64)
        .saturating_mul(sample.bytes())
        .saturating_mul(if interleaved { bands as u64 } else { 1 });
    let compression = dataset.metadata_item("COMPRESSION", "IMAGE_STRUCTURE");
    let is_plain = compression.as_deref().is_none_or(|codec| PLAIN_CODECS.contains(&codec));
    let most = if is_plain { LARGEST_BLOCK_BYTES } else { LARGEST_BLOCK_BYTES / OTHER_CODECS_SHARE };
    if block_bytes > most {
        return Err(Error::new(ErrorKind::Limit, "one block of a raster would fill the memory")
            .found(format!("blocks of {block_rows} x {block_cols} cells, {block_bytes} bytes each"))
            .expected(format!("at most {most} bytes a block"))
            .help("re-tile it: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE IN OUT"));
    }
    let crs = match dataset.spatial_ref() {
        // One of a drawing board has no place on Earth, and is as good as none.
        Ok(reference) if reference.is_local() => None,
        Ok(reference) => Some(describe(&reference)?),
        Err(_) => None,
    };
    let affine = affine_of(dataset);
    if affine.inverse().is_none() || affine.0.iter().any(|v| !v.is_finite() || v.abs() > LARGEST_COORDINATE) {
        return Err(Error::input("a raster's geotransform is impossible").found(format!("{:?}", affine.0)));
    }
    Ok(RasterHeader {
        path: path.to_path_buf(),
        files: files_of(dataset, path),
        format: dataset.driver().short_name(),
        bands,
        band: band_number,
        sample,
        grid: Grid { crs, affine, rows, cols, lattice: (0, 0) },
        georeferenced: dataset.geo_transform().is_ok(),
        nodata_tag: band.no_data_value(),
        block: (block_rows, block_cols),
        compression,
        palette: band.color_table().is_some(),
        overviews: band.overview_count().unwrap_or(0).max(0) as usize,
        cog: dataset.metadata_item("LAYOUT", "IMAGE_STRUCTURE").is_some_and(|l| l == "COG"),
    })
}

pub(super) fn sample_of(band: &RasterBand) -> Result<SampleKind> {
    let signed = band.metadata_item("PIXELTYPE", "IMAGE_STRUCTURE").is_some_and(|p| p == "SIGNEDBYTE");
    Ok(match band.band_type() {
        GdalDataType::UInt8 if signed => SampleKind::I8,
        GdalDataType::UInt8 => SampleKind::U8,
        GdalDataType::UInt16 => SampleKind::U16,
        GdalDataType::Int16 => SampleKind::I16,
        GdalDataType::UInt32 => SampleKind::U32,
        GdalDataType::Int32 => SampleKind::I32,
        GdalDataType::Float32 => SampleKind::F32,
        GdalDataType::Float64 => SampleKind::F64,
        other => {
            return Err(Error::input("a data type that holds no class codes")
                .found(format!("{other:?}"))
                .expected("an integer type of at most 32 bits, or float32/float64 with whole numbers"));
        }
    })
}

/// Where the cells lie; rows downwards from the origin where the file does not say.
pub(super) fn affine_of(dataset: &Dataset) -> Affine {
    Affine(dataset.geo_transform().unwrap_or([0.0, 1.0, 0.0, 0.0, 0.0, -1.0]))
}

/// The files of a dataset whose bytes are data. Statistics and overviews that programs leave beside a file when they
/// look at it are not; what of them is understood (CRS, nodata) stands in the header.
pub(in crate::io::gdal) fn files_of(dataset: &Dataset, path: &Path) -> Vec<PathBuf> {
    let left_behind = |name: &Path| {
        let name = name.to_string_lossy();
        [".aux.xml", ".ovr", ".msk", ".rrd", ".aux"].iter().any(|end| name.ends_with(end))
    };
    let names = file_list(dataset).into_iter().filter(|name| !left_behind(name));
    let mut files: Vec<PathBuf> = names.map(|name| place::of_gdal_name(&name.to_string_lossy())).collect();
    files.retain(|file| place::is_remote(file) || file.is_file());
    if !files.iter().any(|file| file == path) {
        files.push(path.to_path_buf());
    }
    files.sort();
    files
}

/// All files that GDAL knows of.
#[expect(unsafe_code, reason = "the list of files has no safe wrapper")]
pub(super) fn file_list(dataset: &Dataset) -> Vec<PathBuf> {
    // SAFETY: the dataset lives through the call; GDAL hands over a null-terminated list that we free.
    unsafe {
        let list = gdal_sys::GDALGetFileList(dataset.c_dataset());
        let mut names = Vec::new();
        let mut entry = list;
        while !entry.is_null() && !(*entry).is_null() {
            names.push(PathBuf::from(std::ffi::CStr::from_ptr(*entry).to_string_lossy().into_owned()));
            entry = entry.add(1);
        }
        gdal_sys::CSLDestroy(list);
        names
    }
}
