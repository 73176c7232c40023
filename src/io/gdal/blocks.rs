//! Cells of a raster, block by block: past GDAL where the file is plain, by GDAL's block reads elsewhere.
//!
//! GDAL has the last word on a block that was never written or that our decoders do not understand, so that both read
//! the same. But where a checksum says that a DEFLATE block is damaged it is refused: some versions of GDAL hand out
//! the cells before the damage and after them what happens to stand in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use gdal::Dataset;

use super::raster::{RasterHeader, cells_unreadable, gdal_text};
use super::remote;
use crate::error::{Error, ErrorKind, Result};
use crate::io::place;
use crate::io::tiff::{BlockCoding, BlockDecoder, ExpectedShape, PlainBlocks, index_bytes};
use crate::model::window::{BLOCK, Window};

/// Bytes of decoded blocks that an open raster keeps: those which the last windows cut. Three rows of the ten blocks of 512
/// bytes that a row of windows cuts, where a task has eight in a row and lies askew.
const BLOCK_CACHE_BYTES: usize = 8 << 20;

/// Blocks wider than this, in cells, are strips that many windows of a row cut.
const WIDE: usize = 4 * BLOCK;

/// Most bytes that are kept of strips.
const LARGEST_BAND: usize = 256 << 20;

/// Bytes that an open raster may hold: decoded blocks, and where each of its blocks stands.
pub fn open_bytes(header: &RasterHeader) -> usize {
    let (rows, cols) = header.block;
    let blocks = header.grid.rows.div_ceil(rows.max(1)) * header.grid.cols.div_ceil(cols.max(1));
    cache_bytes(header) + index_bytes(blocks)
}

/// Bytes of decoded blocks that an open raster may keep: a few, and of strips all that a row of blocks of the map cuts,
/// so that each is decoded once.
fn cache_bytes(header: &RasterHeader) -> usize {
    let (rows, cols) = header.block;
    // The first and the last strip may be cut.
    let band_rows = (BLOCK.div_ceil(rows.max(1)) + 1) * rows;
    let band = band_rows.saturating_mul(cols).saturating_mul(header.sample.bytes() as usize);
    if cols > WIDE && band <= LARGEST_BAND { band.max(BLOCK_CACHE_BYTES) } else { BLOCK_CACHE_BYTES }
}

/// Touched blocks, in bytes, that fit in GDAL's own cache beside those of other threads.
const GDAL_CACHE_SHARE: u64 = 32 << 20;

/// Row and column of a block among the blocks of a raster.
type Place = (usize, usize);

/// Reads blocks of one band and keeps those that will be asked for again.
pub(super) struct BlockReader {
    rows: usize,
    cols: usize,
    block: (usize, usize),
    cell_bytes: usize,
    path: PathBuf,
    band: usize,
    plain: Option<(PlainBlocks, BlockDecoder)>,
    compressed: Vec<u8>,
    scratch: Vec<u8>,
    cache: BlockCache,
}

impl std::fmt::Debug for BlockReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockReader").field("block", &self.block).finish_non_exhaustive()
    }
}

impl BlockReader {
    /// None if GDAL alone reads the raster: several bands, cells that are no whole numbers of 32 bits with sign.
    pub(super) fn new(header: &RasterHeader) -> Option<Self> {
        let (cell_bytes, signed) = header.sample.whole_number()?;
        let (grid, block) = (&header.grid, header.block);
        if header.bands != 1 || block.0 == 0 || block.1 == 0 {
            return None;
        }
        let expected = ExpectedShape { rows: grid.rows, cols: grid.cols, block, cell_bytes, signed };
        let plain = (header.format == "GTiff" && !place::is_remote(&header.path))
            .then(|| PlainBlocks::open(&header.path, &expected))
            .flatten()
            .and_then(|blocks| blocks.decoder().ok().map(|decoder| (blocks, decoder)));
        Some(Self {
            rows: grid.rows,
            cols: grid.cols,
            block,
            cell_bytes,
            path: header.path.clone(),
            band: header.band,
            plain,
            compressed: Vec::new(),
            scratch: Vec::new(),
            cache: BlockCache::of(cache_bytes(header)),
        })
    }

    /// Whether the blocks that a window touches are worth decoding whole.
    ///
    /// Blocks that are cut are if they can be kept for the windows that take the rest. They are not if GDAL's cache holds
    /// more of them than this one: GDAL would decode them once, and this several times.
    pub(super) fn pays(&self, window: &Window) -> bool {
        let (block_rows, block_cols) = self.block;
        let down = places(window.row, window.rows, block_rows);
        let across = places(window.col, window.cols, block_cols);
        let corner = |row: usize, col: usize| ((row * block_rows) as i64, (col * block_cols) as i64);
        let (first, end) = (corner(down.start, across.start), corner(down.end, across.end));
        let touched = Window::between(first.0, first.1, end.0, end.1);
        if touched.intersect(&Window::whole(self.rows, self.cols)) == *window {
            return true;
        }
        let block_bytes = block_rows * block_cols * self.cell_bytes;
        let bytes = touched.cells().saturating_mul(self.cell_bytes as u64);
        bytes <= self.cache.room as u64
            || (block_bytes <= self.cache.room / 4
                && (touched.cells() <= 2 * window.cells() || bytes > GDAL_CACHE_SHARE))
    }

    /// Hands out the cells of a window, a line of a block at a time: its row and column in the window, its bytes.
    ///
    /// # Shape
    /// The window lies in the raster; every cell of it is handed out once.
    /// # Errors
    /// Unreadable: a block cannot be read.
    pub(super) fn visit(
        &mut self,
        dataset: &Dataset,
        window: &Window,
        mut line: impl FnMut(usize, usize, &[u8]),
    ) -> Result<()> {
        let (block_rows, block_cols) = self.block;
        let line_bytes = block_cols * self.cell_bytes;
        let raster = Window::whole(self.rows, self.cols);
        for row in places(window.row, window.rows, block_rows) {
            for col in places(window.col, window.cols, block_cols) {
                let origin = ((row * block_rows) as i64, (col * block_cols) as i64);
                let block = Window { row: origin.0, col: origin.1, rows: block_rows, cols: block_cols };
                let wanted = block.intersect(window);
                // What a window takes whole no other will ask for soon.
                let is_cut = wanted != block.intersect(&raster);
                let kept;
                let bytes = if is_cut {
                    kept = self.kept(dataset, (row, col))?;
                    kept.as_slice()
                } else {
                    let mut scratch = std::mem::take(&mut self.scratch);
                    let read = self.read(dataset, (row, col), &mut scratch);
                    self.scratch = scratch;
                    read?;
                    self.scratch.as_slice()
                };
                let skipped = ((wanted.row - origin.0) as usize, (wanted.col - origin.1) as usize);
                let (first, len) = (skipped.1 * self.cell_bytes, wanted.cols * self.cell_bytes);
                let at = ((wanted.row - window.row) as usize, (wanted.col - window.col) as usize);
                for (i, cells) in bytes.chunks_exact(line_bytes).skip(skipped.0).take(wanted.rows).enumerate()
                {
                    line(at.0 + i, at.1, &cells[first..first + len]);
                }
            }
        }
        Ok(())
    }

    /// The cells of a block that is kept, or from now on is.
    fn kept(&mut self, dataset: &Dataset, place: Place) -> Result<Arc<Vec<u8>>> {
        if let Some(known) = self.cache.get(place) {
            return Ok(known);
        }
        let mut bytes = self.cache.spare.take().unwrap_or_default();
        self.read(dataset, place, &mut bytes)?;
        let bytes = Arc::new(bytes);
        self.cache.keep(place, bytes.clone());
        Ok(bytes)
    }

    /// Replaces the content of `out` by the compressed bytes of a block; none if the file is not plain, or the block
    /// absent or damaged.
    pub(super) fn compressed(&self, (row, col): Place, out: &mut Vec<u8>) -> Option<BlockCoding> {
        let (blocks, _) = self.plain.as_ref()?;
        blocks.read_compressed(&blocks.place(row, col)?, out).ok()?;
        Some(blocks.coding())
    }

    /// Replaces the content of `out` by the cells of a block, row by row in the machine's byte order: all rows and
    /// columns of the block, also those beyond the edge of the raster, but for what a last strip lacks.
    ///
    /// # Errors
    /// Unreadable: it is damaged, or neither our decoders nor GDAL can read it. Bug: there is no such block.
    pub(super) fn read(&mut self, dataset: &Dataset, (row, col): Place, out: &mut Vec<u8>) -> Result<()> {
        let past_gdal = match &mut self.plain {
            Some((blocks, decoder)) => {
                blocks.place(row, col).map(|place| blocks.read(&place, decoder, &mut self.compressed, out))
            }
            None => None,
        };
        self.settle(past_gdal, dataset, (row, col), out)
    }

    /// Replaces the content of `out` by the cells of a block whose bytes were read before.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn decode(
        &mut self,
        dataset: &Dataset,
        (row, col): Place,
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let past_gdal = match &mut self.plain {
            Some((blocks, decoder)) => {
                blocks.place(row, col).map(|place| blocks.decode(&place, decoder, stored, out))
            }
            None => None,
        };
        self.settle(past_gdal, dataset, (row, col), out)
    }

    /// What was read past GDAL stands, damage included; GDAL reads what our decoders do not understand.
    fn settle(
        &self,
        past_gdal: Option<Result<()>>,
        dataset: &Dataset,
        place: Place,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match past_gdal {
            Some(Ok(())) => Ok(()),
            Some(Err(damaged)) if damaged.kind() == ErrorKind::Unreadable => Err(damaged),
            _ => self.read_by_gdal(dataset, place, out),
        }
    }

    fn read_by_gdal(&self, dataset: &Dataset, place: Place, out: &mut Vec<u8>) -> Result<()> {
        remote::patiently(&self.path, || self.block_by_gdal(dataset, place, out))
    }

    #[expect(unsafe_code, reason = "reading a block as bytes, whatever its type, has no safe wrapper")]
    fn block_by_gdal(&self, dataset: &Dataset, (row, col): Place, out: &mut Vec<u8>) -> Result<()> {
        let failed = |words: String| {
            let path = self.path.display();
            let place = format!("{path}, band {}, block in row {row}, column {col} of its blocks", self.band);
            cells_unreadable(place, words)
        };
        if row >= self.rows.div_ceil(self.block.0) || col >= self.cols.div_ceil(self.block.1) {
            return Err(Error::bug(format!("block in row {row}, column {col} lies outside its raster")));
        }
        let band = dataset.rasterband(self.band).map_err(|e| failed(gdal_text(&e)))?;
        let (Ok(x), Ok(y)) = (i32::try_from(col), i32::try_from(row)) else {
            return Err(Error::bug("a block has an impossible place"));
        };
        if band.block_size() != (self.block.1, self.block.0)
            || band.band_type().bytes() as usize != self.cell_bytes
        {
            return Err(Error::bug("a raster has other blocks than its header says"));
        }
        out.clear();
        out.resize(self.block.0 * self.block.1 * self.cell_bytes, 0);
        // SAFETY: the band lives through the call, the block exists, and `out` holds one whole block of the band's type,
        // which is what GDAL writes; the message is copied at once.
        let answer = unsafe {
            gdal_sys::CPLErrorReset();
            gdal_sys::GDALReadBlock(band.c_rasterband(), x, y, out.as_mut_ptr().cast())
        };
        if answer == gdal_sys::CPLErr::CE_None {
            return Ok(());
        }
        Err(failed(remote::last_words()))
    }
}

/// Blocks that a stretch of cells touches, along one side.
fn places(from: i64, cells: usize, block: usize) -> std::ops::Range<usize> {
    let from = usize::try_from(from).unwrap_or(0);
    if cells == 0 { 0..0 } else { from / block..(from + cells).div_ceil(block) }
}

/// Decoded blocks, those used last.
struct BlockCache {
    /// When each was used last, and its cells.
    blocks: BTreeMap<Place, (u64, Arc<Vec<u8>>)>,
    used: u64,
    bytes: usize,
    /// Most bytes that are kept.
    room: usize,
    /// Memory of a block that was let go: warm, and not cleared again.
    spare: Option<Vec<u8>>,
}

impl BlockCache {
    fn of(room: usize) -> Self {
        Self { blocks: BTreeMap::new(), used: 0, bytes: 0, room, spare: None }
    }

    fn get(&mut self, place: Place) -> Option<Arc<Vec<u8>>> {
        let (last_use, bytes) = self.blocks.get_mut(&place)?;
        self.used += 1;
        *last_use = self.used;
        Some(bytes.clone())
    }

    /// Keeps a block that is not known yet, and lets those go that were not used for longest.
    fn keep(&mut self, place: Place, bytes: Arc<Vec<u8>>) {
        self.used += 1;
        self.bytes += bytes.capacity();
        self.blocks.insert(place, (self.used, bytes));
        while self.bytes > self.room
            && let Some((&oldest, _)) = self.blocks.iter().min_by_key(|(_, (last_use, _))| last_use)
        {
            let Some((_, bytes)) = self.blocks.remove(&oldest) else { continue };
            self.bytes -= bytes.capacity();
            self.spare = Arc::try_unwrap(bytes).ok();
        }
    }
}

#[cfg(test)]
mod tests;
