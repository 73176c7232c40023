//! Class rasters: opened, and read by windows of cells.

mod codes;
mod header;

use std::cell::{OnceCell, RefCell};
use std::path::Path;

use gdal::{Dataset, DatasetOptions, GdalOpenFlags};
use ndarray::Array2;

use super::admission::{admit, admit_remote, refuse_files_elsewhere};
use super::blocks::BlockReader;
use super::doors::{open_format, watched};
use super::formats::RasterFormat;
use super::remote;
use crate::error::{Error, ErrorKind, Result};
use crate::io::place;
use crate::io::seen;
use crate::io::tiff::{BlockCoding, LARGEST_BLOCK_BYTES};
use crate::model::window::Window;
use codes::{refuse_undeclared_minimum, whole_numbers};
pub(super) use header::files_of;
pub use header::{RasterHeader, SampleKind};
use header::{affine_of, file_list, read_header, sample_of};

/// Cells of a window, as the file stores them.
#[derive(Debug, Clone)]
pub enum Pixels {
    /// Unsigned bytes.
    Bytes(Array2<u8>),
    /// Every other type, as whole numbers; NaN is [`crate::model::rule::NAN_VALUE`].
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

/// What a file that cannot be opened is: a wrong input; of one that is remote, perhaps only out of reach.
pub(super) fn kind_of_failure(path: &Path) -> ErrorKind {
    if place::is_remote(path) { ErrorKind::Unreadable } else { ErrorKind::Input }
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

fn wrong_shape(_: ndarray::ShapeError) -> Error {
    Error::bug("a window of another shape was read")
}

/// Neither we nor GDAL can read cells.
pub(super) fn cells_unreadable(place: String, found: String) -> Error {
    Error::new(ErrorKind::Unreadable, "cells cannot be read")
        .at(place)
        .found(found)
        .help("the file may be damaged or cut short; compare its size and checksum with the publisher's")
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
