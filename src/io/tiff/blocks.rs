//! Blocks of GeoTIFFs whose cells lie plainly in the file.
//!
//! A file is plain if there is one way only to read it. Whatever has a second reading, or one that few files need, is
//! left to GDAL by not opening it here: several bands, predictors, big-endian files, bits in reverse, other codecs. So
//! nothing here has to know how GDAL bends a rule.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::decode::{BlockDecoder, Refusal, code};
use super::directory::{Directory, Tiff, tag};
use crate::error::{Error, ErrorKind, Result};

/// Most blocks whose places are held: 12 MiB of them. A continent at 30 m has 130 000 blocks of 512 x 512 cells.
const MOST_BLOCKS: u64 = 1 << 20;

/// Bytes that the places of so many blocks take.
pub fn index_bytes(blocks: usize) -> usize {
    let held = if blocks as u64 > MOST_BLOCKS { 0 } else { blocks };
    held * (size_of::<u64>() + size_of::<u32>())
}

/// What any writer may add to the bytes of a block that do not compress: a head, a checksum, a code now and then.
const CODEC_EXTRA_BYTES: u64 = 4096;

/// What GDAL says a raster is, which the directory must say too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedShape {
    /// Rows of the raster.
    pub rows: usize,
    /// Columns of the raster.
    pub cols: usize,
    /// Rows and columns of a block.
    pub block: (usize, usize),
    /// Bytes of a cell: 1, 2 or 4.
    pub cell_bytes: usize,
    /// Whether cells are signed whole numbers; else they are unsigned ones.
    pub signed: bool,
}

/// How the bytes of a block become cells. Equal bytes of blocks of equal coding are equal cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockCoding {
    /// Value of TIFF tag 259, of two numbers of one codec the younger.
    pub compression: u16,
    /// Rows and columns of a block.
    pub block: (usize, usize),
    /// Bytes of a cell.
    pub cell_bytes: usize,
    /// Whether cells are signed.
    pub signed: bool,
}

/// Where the bytes of a block stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockPlace {
    /// Row of blocks, from 0.
    pub row: usize,
    /// Column of blocks, from 0.
    pub col: usize,
    /// First byte in the file.
    pub offset: u64,
    /// Number of bytes.
    pub length: u32,
}

/// Blocks of a GeoTIFF whose cells lie plainly in it: one band, tiles or strips, a codec we decode ourselves.
#[derive(Debug)]
pub struct PlainBlocks {
    path: PathBuf,
    file: File,
    file_len: u64,
    shape: ExpectedShape,
    compression: u16,
    tiled: bool,
    /// By block, row-major: where it begins, 0 if it is absent.
    offsets: Vec<u64>,
    /// By block, row-major: its compressed bytes, 0 if it is absent.
    lengths: Vec<u32>,
}

impl PlainBlocks {
    /// Opens a file past GDAL; none if GDAL should read it, or if it cannot be opened, which GDAL then tells.
    ///
    /// # Cost
    /// One read for each of header, directory, offsets and lengths; 12 bytes a block are kept.
    /// # Source
    /// TIFF 6.0; BigTIFF.
    pub fn open(path: &Path, expected: &ExpectedShape) -> Option<Self> {
        // The cells of a block are handed out as they lie in the file, which is little-endian.
        if cfg!(target_endian = "big") {
            return None;
        }
        let file = File::open(path).ok()?;
        let tiff = Tiff::open(&file).ok()?;
        let directory = tiff.directory(tiff.first_directory).ok()?;
        let Index { compression, tiled, offsets, lengths } = read_index(&tiff, &directory, expected)?;
        let file_len = tiff.len;
        let path = path.to_path_buf();
        Some(Self { path, file, file_len, shape: *expected, compression, tiled, offsets, lengths })
    }

    /// How bytes become cells.
    pub fn coding(&self) -> BlockCoding {
        let ExpectedShape { block, cell_bytes, signed, .. } = self.shape;
        BlockCoding { compression: self.compression, block, cell_bytes, signed }
    }

    /// A decoder for these blocks.
    ///
    /// # Errors
    /// Bug: the codec cannot be set up.
    pub fn decoder(&self) -> Result<BlockDecoder> {
        BlockDecoder::new(self.compression).map_err(|e| Error::bug(e.to_string()))
    }

    /// Finds a block by its row and column among the blocks; none if it is absent from the file, as blocks that were
    /// never written are, or outside the raster.
    pub fn place(&self, row: usize, col: usize) -> Option<BlockPlace> {
        let across = self.shape.cols.div_ceil(self.shape.block.1);
        let index = row.checked_mul(across)?.checked_add(col).filter(|_| col < across)?;
        let (&offset, &length) = self.offsets.get(index).zip(self.lengths.get(index))?;
        (offset > 0 && length > 0).then_some(BlockPlace { row, col, offset, length })
    }

    /// Bytes of the cells of a block, whatever the codec: all its rows and columns, also those beyond the edge of the
    /// raster; of strips the last holds the rows there are.
    fn raw_len(&self, row: usize) -> usize {
        let (block_rows, block_cols) = self.shape.block;
        let rows = match self.tiled {
            true => block_rows,
            false => block_rows.min(self.shape.rows.saturating_sub(row.saturating_mul(block_rows))),
        };
        rows.saturating_mul(block_cols).saturating_mul(self.shape.cell_bytes)
    }

    /// Replaces the content of `out` by the bytes of a block as they stand in the file.
    ///
    /// # Errors
    /// What `out` holds then means nothing. Unreadable: it has a length that no codec makes.
    /// Unsupported: the block does not lie in the file, or has a length that is not understood here. Io: it cannot be
    /// read.
    pub fn read_compressed(&self, place: &BlockPlace, out: &mut Vec<u8>) -> Result<()> {
        let length = u64::from(place.length);
        let raw = self.raw_len(place.row) as u64;
        let possible = match self.compression {
            code::NONE => length == raw,
            _ => length <= raw.saturating_mul(2).saturating_add(CODEC_EXTRA_BYTES),
        };
        // No codec makes so much of it, and whoever reads it anyway reads all of that into memory.
        if !possible && self.compression != code::NONE {
            return Err(Error::new(ErrorKind::Unreadable, "cells cannot be read")
                .at(self.words(place))
                .found(format!("{length} bytes, for {raw} bytes of cells"))
                .help("the file may be damaged; compare its size and checksum with the publisher's"));
        }
        if !possible {
            return Err(self.doubtful(place, format!("{length} bytes, for {raw} bytes of cells")));
        }
        if place.offset.checked_add(length).is_none_or(|end| end > self.file_len) {
            let words = format!("{length} bytes from byte {} on, in {}", place.offset, self.file_len);
            return Err(self.doubtful(place, words));
        }
        // Not cleared before: what a buffer held already need not be set to zero.
        out.resize(place.length as usize, 0);
        self.file.read_exact_at(out, place.offset).map_err(|e| {
            out.clear();
            Error::io("a block cannot be read", &e).at(self.words(place))
        })
    }

    /// Replaces the content of `out` by the cells of a block, little endian, row by row: all rows and columns of the
    /// block, of the last strip those there are.
    ///
    /// # Errors
    /// Unreadable: the bytes are damaged. Unsupported: they are damaged, or cells in a form that is not read here.
    pub fn decode(
        &self,
        place: &BlockPlace,
        decoder: &mut BlockDecoder,
        compressed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let (raw, whole) = (self.raw_len(place.row), self.raw_len(0));
        let mut decoded = decoder.try_decode(compressed, raw, out);
        // Some writers fill the last strip up to its full height.
        if decoded.is_err() && raw < whole && decoder.try_decode(compressed, whole, out).is_ok() {
            out.truncate(raw);
            decoded = Ok(());
        }
        decoded.map_err(|refusal| match refusal {
            Refusal::Damaged(words) => Error::new(ErrorKind::Unreadable, "cells cannot be read")
                .at(self.words(place))
                .found(words)
                .help("the file may be damaged; compare its size and checksum with the publisher's"),
            Refusal::Doubtful(words) => self.doubtful(place, words),
        })
    }

    /// Reads and decodes a block in one go; `compressed` is scratch.
    ///
    /// # Errors
    /// Those of [`Self::read_compressed`] and [`Self::decode`].
    pub fn read(
        &self,
        place: &BlockPlace,
        decoder: &mut BlockDecoder,
        compressed: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if self.compression == code::NONE {
            return self.read_compressed(place, out);
        }
        self.read_compressed(place, compressed)?;
        self.decode(place, decoder, compressed, out)
    }

    fn doubtful(&self, place: &BlockPlace, found: String) -> Error {
        Error::new(ErrorKind::Unsupported, "a block is not understood").at(self.words(place)).found(found)
    }

    fn words(&self, place: &BlockPlace) -> String {
        format!("{}, block in row {}, column {} of its blocks", self.path.display(), place.row, place.col)
    }
}

/// What the directory says beyond what was expected of it.
struct Index {
    compression: u16,
    tiled: bool,
    offsets: Vec<u64>,
    lengths: Vec<u32>,
}

/// Reads the directory of the full resolution; none if anything in it is out of the ordinary.
fn read_index(tiff: &Tiff<File>, directory: &Directory, expected: &ExpectedShape) -> Option<Index> {
    let mut known = BTreeSet::new();
    if !directory.entries.iter().all(|entry| known.insert(entry.id)) {
        return None;
    }
    let find = |id: u16| directory.entries.iter().find(|entry| entry.id == id);
    // A tag that is absent has its default; one that is no single number makes the file odd.
    let scalar = |id: u16, default: u64| match find(id) {
        None => Some(default),
        Some(entry) if entry.count == 1 => tiff.uints(entry, 0, 1).ok()?.first().copied(),
        Some(_) => None,
    };
    let (rows, cols) = (expected.rows as u64, expected.cols as u64);
    let (block_rows, block_cols) = (expected.block.0 as u64, expected.block.1 as u64);
    let tiled = find(tag::TILE_WIDTH).is_some();
    let (found_block, offsets, lengths) = match tiled {
        true => {
            let block = (scalar(tag::TILE_LENGTH, 0)?, scalar(tag::TILE_WIDTH, 0)?);
            (block, find(tag::TILE_OFFSETS)?, find(tag::TILE_BYTE_COUNTS)?)
        }
        false => {
            let block = (scalar(tag::ROWS_PER_STRIP, u64::MAX)?.min(rows), cols);
            (block, find(tag::STRIP_OFFSETS)?, find(tag::STRIP_BYTE_COUNTS)?)
        }
    };
    let plain = [
        (tag::NEW_SUBFILE_TYPE, 0, 0),
        (tag::IMAGE_WIDTH, 0, cols),
        (tag::IMAGE_LENGTH, 0, rows),
        (tag::BITS_PER_SAMPLE, 1, expected.cell_bytes as u64 * 8),
        (tag::FILL_ORDER, 1, 1),
        (tag::SAMPLES_PER_PIXEL, 1, 1),
        (tag::PREDICTOR, 1, 1),
        (tag::SAMPLE_FORMAT, 1, if expected.signed { 2 } else { 1 }),
    ];
    for (id, default, wanted) in plain {
        scalar(id, default).filter(|found| *found == wanted)?;
    }
    // Bands apart or together: there is one.
    scalar(tag::PLANAR_CONFIG, 1).filter(|bands| matches!(bands, 1 | 2))?;
    // White or black at zero, or a palette: GDAL hands out the same codes. Other colours it may convert.
    scalar(tag::PHOTOMETRIC, 1).filter(|colours| matches!(colours, 0 | 1 | 3))?;
    let possible = found_block == (block_rows, block_cols) && block_rows > 0 && block_cols > 0;
    if !possible || find(tag::JPEG_TABLES).is_some() || (tiled && find(tag::STRIP_OFFSETS).is_some()) {
        return None;
    }
    let compression = match u16::try_from(scalar(tag::COMPRESSION, 1)?).ok()? {
        code::OLD_DEFLATE => code::DEFLATE,
        known @ (code::NONE | code::LZW | code::DEFLATE | code::ZSTD) => known,
        _ => return None,
    };
    let blocks = rows.div_ceil(block_rows).checked_mul(cols.div_ceil(block_cols))?;
    if blocks > MOST_BLOCKS || offsets.count != blocks || lengths.count != blocks {
        return None;
    }
    let offsets = tiff.uints(offsets, 0, blocks).ok()?;
    let lengths = tiff.uints(lengths, 0, blocks).ok()?;
    let lengths = lengths.into_iter().map(|length| u32::try_from(length).ok()).collect::<Option<_>>()?;
    Some(Index { compression, tiled, offsets, lengths })
}
