//! Class rasters: headers and windows of cells.

use std::cell::{OnceCell, RefCell};
use std::path::{Path, PathBuf};

use gdal::raster::{GdalDataType, RasterBand};
use gdal::{Dataset, DatasetOptions, GdalOpenFlags, Metadata};
use ndarray::Array2;
use serde::Serialize;

use super::admission::{admit, admit_remote, refuse_files_elsewhere};
use super::blocks::BlockReader;
use super::crs::describe;
use super::doors::{open_format, watched};
use super::formats::RasterFormat;
use super::remote;
use crate::error::{Error, ErrorKind, Result};
use crate::io::place;
use crate::io::seen;
use crate::io::tiff::{BlockCoding, LARGEST_BLOCK_BYTES, LARGEST_SIDE, MOST_BLOCKS};
use crate::model::grid::{Affine, Grid};
use crate::model::rule::NAN_VALUE;
use crate::model::window::Window;

/// Coordinates beyond this, in any unit, are no place on Earth.
const LARGEST_COORDINATE: f64 = 1e12;

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
    pub(super) fn whole_number(self) -> Option<(usize, bool)> {
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

/// Cells of a window, as the file stores them.
#[derive(Debug, Clone)]
pub enum Pixels {
    /// Unsigned bytes.
    Bytes(Array2<u8>),
    /// Every other type, as whole numbers; NaN is [`NAN_VALUE`].
    Codes(Array2<i32>),
}

/// An open raster.
#[derive(Debug)]
pub struct RasterFile {
    dataset: Dataset,
    /// Set up when the first cells are asked for; within, none if GDAL alone reads the raster.
    blocks: OnceCell<Option<RefCell<BlockReader>>>,
    /// What its header says.
    pub header: RasterHeader,
}

/// Opens a GeoTIFF or an Erdas Imagine file and checks its header before anything is decoded.
///
/// # Errors
/// Input: no such file, no raster of these formats, several bands and none chosen, a header that contradicts itself.
/// Limit: sizes out of bounds.
pub fn open_raster(path: &Path, band: Option<usize>) -> Result<RasterFile> {
    open_raster_as(path, band, &RasterFormat::DEFAULT)
}

/// Does what [`open_raster`] does with the formats that a job names. A file of another format, a VRT with a .tif name say,
/// is refused.
///
/// # Errors
/// Those of [`open_raster`]. Unsupported: the installed GDAL lacks a format.
pub fn open_raster_as(path: &Path, band: Option<usize>, formats: &[RasterFormat]) -> Result<RasterFile> {
    let open = || {
        let dataset = open_dataset(path, formats)?;
        let header = read_header(path, &dataset, band).map_err(|e| e.at(path.display()))?;
        Ok((dataset, header))
    };
    let (dataset, header) = remote::patiently(path, || watched(path, open))?;
    Ok(RasterFile { dataset, blocks: OnceCell::new(), header })
}

/// Opens a raster whose header is known, as [`open_raster`] does, but for its CRS, which takes most of the time: how a
/// CRS is worded may differ from one opening to the next, and where the cells lie is told by the rest.
///
/// # Errors
/// Those of [`open_raster`]. Transient: its cells are others than the header says.
pub fn reopen_raster(header: &RasterHeader) -> Result<RasterFile> {
    let format = RasterFormat::of_driver(&header.format)
        .ok_or_else(|| Error::bug(format!("a raster of the format {}", header.format)))?;
    let dataset = remote::patiently(&header.path, || open_dataset(&header.path, &[format]))?;
    let known = (header.grid.cols, header.grid.rows) == dataset.raster_size()
        && header.grid.affine == affine_of(&dataset)
        && dataset.rasterband(header.band).is_ok_and(|band| {
            sample_of(&band).is_ok_and(|sample| sample == header.sample)
                && band.block_size() == (header.block.1, header.block.0)
        });
    if !known {
        return Err(Error::new(ErrorKind::Transient, "an input changed since the plan was made")
            .at(header.path.display())
            .help("run again"));
    }
    Ok(RasterFile { dataset, blocks: OnceCell::new(), header: header.clone() })
}

fn open_dataset(path: &Path, formats: &[RasterFormat]) -> Result<Dataset> {
    let place = path.display();
    let name = place::gdal_name(path)?;
    let admitted = if place::is_remote(path) {
        // What the server says now is what all that is read later must be of.
        remote::first_stamp(path)?;
        admit_remote(path, formats)?
    } else {
        seen::note(path);
        admit(path, formats)?
    };
    admitted.iter().try_for_each(|format| open_format(*format)).map_err(|e| e.at(&place))?;
    let drivers: Vec<&str> = admitted.iter().map(|format| format.driver()).collect();
    let options = DatasetOptions {
        open_flags: GdalOpenFlags::GDAL_OF_RASTER
            | GdalOpenFlags::GDAL_OF_READONLY
            | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
        allowed_drivers: Some(&drivers),
        ..DatasetOptions::default()
    };
    let dataset = Dataset::open_ex(name, options).map_err(|e| {
        if gdal_text(&e).contains("Too many open files") {
            return Error::new(ErrorKind::Io, "too many files are open")
                .at(&place)
                .help("raise the limit: ulimit -n");
        }
        Error::new(kind_of_failure(path), "a file is no raster that can be read")
            .at(&place)
            .found(gdal_text(&e))
            .expected(format!("a sound file in the format {}", drivers.join(" or ")))
    })?;
    if dataset.driver().short_name() == "HFA" {
        refuse_files_elsewhere(path, &file_list(&dataset))?;
    }
    Ok(dataset)
}

/// What a file that cannot be opened is: a wrong input; of one whose server gave it before, perhaps only out of reach.
pub(super) fn kind_of_failure(path: &Path) -> ErrorKind {
    if place::is_remote(path) { ErrorKind::Unreadable } else { ErrorKind::Input }
}

fn read_header(path: &Path, dataset: &Dataset, wanted: Option<usize>) -> Result<RasterHeader> {
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
    if block_bytes > LARGEST_BLOCK_BYTES {
        return Err(Error::new(ErrorKind::Limit, "one block of a raster would fill the memory")
            .found(format!("blocks of {block_rows} x {block_cols} cells, {block_bytes} bytes each"))
            .expected(format!("at most {LARGEST_BLOCK_BYTES} bytes a block"))
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
        compression: dataset.metadata_item("COMPRESSION", "IMAGE_STRUCTURE"),
        palette: band.color_table().is_some(),
        overviews: band.overview_count().unwrap_or(0).max(0) as usize,
        cog: dataset.metadata_item("LAYOUT", "IMAGE_STRUCTURE").is_some_and(|l| l == "COG"),
    })
}

fn sample_of(band: &RasterBand) -> Result<SampleKind> {
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
fn affine_of(dataset: &Dataset) -> Affine {
    Affine(dataset.geo_transform().unwrap_or([0.0, 1.0, 0.0, 0.0, 0.0, -1.0]))
}

impl RasterFile {
    /// Reads a window of cells.
    ///
    /// # Shape
    /// The window lies inside the raster; the result has its shape.
    /// # Errors
    /// Io: the cells cannot be read or decoded. Input: a class value that is no whole number, with its place.
    pub fn read(&self, window: &Window) -> Result<Pixels> {
        if self.header.sample == SampleKind::U8 {
            return self.read_bytes(window, Vec::new()).map(Pixels::Bytes);
        }
        match self.blocks_for(window) {
            Some(blocks) => self.read_by_blocks(&mut blocks.borrow_mut(), window),
            None => self.read_by_window(window),
        }
    }

    /// Does what [`Self::read`] does with a raster of unsigned bytes; `memory` is used for the cells.
    ///
    /// # Errors
    /// Those of [`Self::read`]. Bug: the raster has cells of another type.
    pub fn read_bytes(&self, window: &Window, memory: Vec<u8>) -> Result<Array2<u8>> {
        let mut cells = memory;
        // Every cell will be written: what stands there need not be cleared.
        cells.resize(window.rows * window.cols, 0);
        self.visit_bytes(window, |row, col, line| {
            cells[row * window.cols + col..][..line.len()].copy_from_slice(line);
        })?;
        Array2::from_shape_vec((window.rows, window.cols), cells).map_err(wrong_shape)
    }

    /// Hands out the cells of a window of a raster of unsigned bytes, a line of a block at a time, from where they were
    /// decoded to: the line's row and column in the window, and its bytes.
    ///
    /// # Shape
    /// The window lies in the raster; every cell of it is handed out once.
    /// # Errors
    /// Those of [`Self::read_bytes`].
    pub fn visit_bytes(&self, window: &Window, mut line: impl FnMut(usize, usize, &[u8])) -> Result<()> {
        let other_type = || Error::bug("a raster of other cells was read as bytes");
        if self.header.sample != SampleKind::U8 {
            return Err(other_type());
        }
        if let Some(blocks) = self.blocks_for(window) {
            return blocks.borrow_mut().visit(&self.dataset, window, line);
        }
        let Pixels::Bytes(cells) = self.read_by_window(window)? else { return Err(other_type()) };
        for (row, cells) in cells.outer_iter().enumerate() {
            line(row, 0, cells.to_slice().unwrap_or_default());
        }
        Ok(())
    }

    /// The reader of whole blocks, where it pays to read a window by them.
    fn blocks_for(&self, window: &Window) -> Option<&RefCell<BlockReader>> {
        let inside = Window::whole(self.header.grid.rows, self.header.grid.cols).contains(window);
        self.blocks().filter(|blocks| inside && !window.is_empty() && blocks.borrow().pays(window))
    }

    /// Replaces the content of `out` by the cells of a block whose bytes [`Self::compressed_block`] has read.
    ///
    /// # Shape
    /// Row by row, [`SampleKind::bytes`] a cell in the machine's byte order: all rows and columns of the block, also
    /// those beyond the edge of the raster, whose cells mean nothing; the last strip of an untiled file may lack them.
    /// # Errors
    /// Unreadable: the block cannot be decoded. Bug: the raster has no such block.
    pub fn decode_block(&self, row: usize, col: usize, stored: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let blocks = self.blocks().ok_or_else(|| Error::bug("a raster has no blocks to hand out"))?;
        blocks.borrow_mut().decode(&self.dataset, (row, col), stored, out)
    }

    /// Replaces the content of `out` by the bytes of a block as they stand in the file, and says how they become cells.
    ///
    /// Blocks of equal bytes and equal coding hold equal cells. None if the bytes cannot be had: another file format, a
    /// codec or layout that GDAL alone reads, a block that was never written or that is damaged.
    pub fn compressed_block(&self, row: usize, col: usize, out: &mut Vec<u8>) -> Option<BlockCoding> {
        self.blocks()?.borrow().compressed((row, col), out)
    }

    pub(super) fn blocks(&self) -> Option<&RefCell<BlockReader>> {
        self.blocks.get_or_init(|| BlockReader::new(&self.header).map(RefCell::new)).as_ref()
    }

    fn read_by_blocks(&self, blocks: &mut BlockReader, window: &Window) -> Result<Pixels> {
        let (shape, cols) = ((window.rows, window.cols), window.cols);
        let dataset = &self.dataset;
        let mut codes = vec![0_i32; window.rows * cols];
        macro_rules! fill {
            ($type:ty) => {
                blocks.visit(dataset, window, |row, col, line| {
                    let (cells, _) = line.as_chunks();
                    for (code, cell) in codes[row * cols + col..].iter_mut().zip(cells) {
                        *code = <$type>::from_ne_bytes(*cell).into();
                    }
                })?
            };
        }
        match self.header.sample {
            SampleKind::I8 => fill!(i8),
            SampleKind::U16 => fill!(u16),
            SampleKind::I16 => fill!(i16),
            SampleKind::I32 => {
                fill!(i32);
                let place = || self.place_of(window);
                refuse_undeclared_minimum(&codes, window, self.header.nodata_tag)
                    .map_err(|e| e.at(place()))?;
            }
            SampleKind::U8 | SampleKind::U32 | SampleKind::F32 | SampleKind::F64 => {
                return Err(Error::bug("cells of a type that is not read by blocks"));
            }
        }
        Array2::from_shape_vec(shape, codes).map(Pixels::Codes).map_err(wrong_shape)
    }

    fn place_of(&self, window: &Window) -> String {
        format!("{}, band {}, {window}", self.header.path.display(), self.header.band)
    }

    /// Has GDAL read a window, through its own cache of blocks.
    pub(super) fn read_by_window(&self, window: &Window) -> Result<Pixels> {
        remote::patiently(&self.header.path, || self.window_by_gdal(window))
    }

    fn window_by_gdal(&self, window: &Window) -> Result<Pixels> {
        let header = &self.header;
        let place = || self.place_of(window);
        let failed = |e: &gdal::errors::GdalError| cells_unreadable(place(), gdal_text(e));
        let band = self.dataset.rasterband(header.band).map_err(|e| failed(&e))?;
        let (at, size) = ((window.col as isize, window.row as isize), (window.cols, window.rows));
        let shape = (window.rows, window.cols);
        macro_rules! cells {
            ($type:ty) => {{
                let (_, values) =
                    band.read_as::<$type>(at, size, size, None).map_err(|e| failed(&e))?.into_shape_and_vec();
                values
            }};
        }
        let array = |values: Vec<i32>| Array2::from_shape_vec(shape, values).map_err(wrong_shape);
        Ok(match header.sample {
            SampleKind::U8 => Pixels::Bytes(Array2::from_shape_vec(shape, cells!(u8)).map_err(wrong_shape)?),
            // GDAL before 3.7 hands signed bytes out as unsigned ones: same bits, other meaning.
            SampleKind::I8 => {
                Pixels::Codes(array(cells!(u8).into_iter().map(|v| i32::from(v as i8)).collect())?)
            }
            SampleKind::U16 | SampleKind::I16 => Pixels::Codes(array(cells!(i32))?),
            SampleKind::I32 => {
                let codes = cells!(i32);
                refuse_undeclared_minimum(&codes, window, header.nodata_tag).map_err(|e| e.at(place()))?;
                Pixels::Codes(array(codes)?)
            }
            SampleKind::U32 | SampleKind::F32 | SampleKind::F64 => {
                let values = cells!(f64);
                let codes = whole_numbers(&values, window, header.nodata_tag).map_err(|e| e.at(place()))?;
                Pixels::Codes(array(codes)?)
            }
        })
    }

    /// Reads a window of an overview as it is stored; level 1 is the first below the native cells.
    ///
    /// # Shape
    /// The window lies inside that level; the result has its shape.
    /// # Errors
    /// Input: there is no such level, or the window leaves it. Limit: one of its blocks would fill the memory. Io: the
    /// cells cannot be read or decoded.
    pub fn read_overview(&self, level: u32, window: &Window) -> Result<Array2<i32>> {
        remote::patiently(&self.header.path, || self.overview_by_gdal(level, window))
    }

    fn overview_by_gdal(&self, level: u32, window: &Window) -> Result<Array2<i32>> {
        let header = &self.header;
        let place = || format!("{}, overview level {level}, {window}", header.path.display());
        let failed = |e: gdal::errors::GdalError| {
            Error::new(ErrorKind::Io, "overview cells cannot be read").at(place()).found(gdal_text(&e))
        };
        let missing = || Error::input("a raster lacks an overview").at(place());
        let index = level.checked_sub(1).filter(|i| (*i as usize) < header.overviews).ok_or_else(missing)?;
        let band = self.dataset.rasterband(header.band).map_err(failed)?;
        let overview = band.overview(index as usize).map_err(failed)?;
        let (cols, rows) = overview.size();
        if !Window::whole(rows, cols).contains(window) {
            return Err(missing().found(format!("{rows} rows x {cols} columns at that level")));
        }
        // The check of the header saw the native blocks only.
        let (block_cols, block_rows) = overview.block_size();
        if (block_rows as u64).saturating_mul(block_cols as u64) > LARGEST_BLOCK_BYTES / header.sample.bytes()
        {
            return Err(Error::new(ErrorKind::Limit, "one block of an overview would fill the memory")
                .at(place())
                .found(format!("blocks of {block_rows} x {block_cols} cells")));
        }
        let (at, size) = ((window.col as isize, window.row as isize), (window.cols, window.rows));
        let values = match header.sample {
            // As in `read`: signed bytes come as unsigned ones.
            SampleKind::I8 => {
                let (_, bytes) =
                    overview.read_as::<u8>(at, size, size, None).map_err(failed)?.into_shape_and_vec();
                bytes.into_iter().map(|v| i32::from(v as i8)).collect()
            }
            _ => overview.read_as::<i32>(at, size, size, None).map_err(failed)?.into_shape_and_vec().1,
        };
        Array2::from_shape_vec((window.rows, window.cols), values).map_err(wrong_shape)
    }

    /// The palette, as RGB per code.
    pub fn palette(&self) -> Vec<[u8; 3]> {
        let Ok(band) = self.dataset.rasterband(self.header.band) else { return Vec::new() };
        let Some(table) = band.color_table() else { return Vec::new() };
        (0..table.entry_count())
            .filter_map(|i| table.entry_as_rgb(i))
            .map(|c| [c.r as u8, c.g as u8, c.b as u8])
            .collect()
    }
}

/// The least 32-bit number stands for "no data" inside the program; a file that does not mean that must not hold it.
fn refuse_undeclared_minimum(codes: &[i32], window: &Window, tag: Option<f64>) -> Result<()> {
    if tag == Some(f64::from(NAN_VALUE)) {
        return Ok(());
    }
    match codes.iter().position(|code| *code == NAN_VALUE) {
        None => Ok(()),
        Some(i) => Err(Error::input(format!("the value {NAN_VALUE} is no class code"))
            .found(place_in(window, i))
            .expected("class codes, or the file's nodata tag set to this value")
            .help(format!(
                "if it means no data, say so in the file: gdal_edit.py -a_nodata {NAN_VALUE} FILE"
            ))),
    }
}

fn wrong_shape(_: ndarray::ShapeError) -> Error {
    Error::bug("a window of another shape was read")
}

fn place_in(window: &Window, i: usize) -> String {
    let (row, col) = (window.row + (i / window.cols) as i64, window.col + (i % window.cols) as i64);
    format!("row {row}, column {col}")
}

/// Neither we nor GDAL can read cells.
pub(super) fn cells_unreadable(place: String, found: String) -> Error {
    Error::new(ErrorKind::Unreadable, "cells cannot be read")
        .at(place)
        .found(found)
        .help("the file may be damaged or cut short; compare its size and checksum with the publisher's")
}

fn whole_numbers(values: &[f64], window: &Window, tag: Option<f64>) -> Result<Vec<i32>> {
    values
        .iter()
        .enumerate()
        .map(|(i, &value)| {
            if value.fract() == 0.0 && value > f64::from(i32::MIN) && value <= f64::from(i32::MAX) {
                return Ok(value as i32);
            }
            // No class is so large or fractional; as a declared nodata value it is welcome.
            if value.is_nan() || Some(value) == tag {
                return Ok(NAN_VALUE);
            }
            let found = format!("{value} at {}", place_in(window, i));
            Err(if value.fract() == 0.0 {
                Error::input("a value is no class code: it is too large")
                    .found(found)
                    .expected(
                        "class codes within 32 bits, signed; larger values only as the file's nodata tag",
                    )
                    .help("if it means no data, say so in the file: gdal_edit.py -a_nodata VALUE FILE")
            } else {
                Error::input("a class value is no whole number")
                    .found(found)
                    .expected("class codes; NaN counts as nodata")
                    .help("this looks like a continuous raster; classify it first")
            })
        })
        .collect()
}

/// The files of a dataset whose bytes are data. Statistics and overviews that programs leave beside a file when they
/// look at it are not; what of them is understood (CRS, nodata) stands in the header.
pub(super) fn files_of(dataset: &Dataset, path: &Path) -> Vec<PathBuf> {
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
fn file_list(dataset: &Dataset) -> Vec<PathBuf> {
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

/// GDAL's own words, without the crate's wrapping.
pub(super) fn gdal_text(error: &gdal::errors::GdalError) -> String {
    use gdal::errors::GdalError;
    match error {
        GdalError::NullPointer { msg, .. } | GdalError::CplError { msg, .. } if !msg.is_empty() => {
            msg.trim().to_string()
        }
        other => other.to_string(),
    }
}
