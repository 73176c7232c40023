//! Judges the directories of a TIFF before any other program reads it: a walk over headers that allocates nothing they ask
//! for, so that a file of a few bytes cannot take the memory or the time of whoever opens it.
//!
//! Both byte orders, classic and BigTIFF. Tags that nobody reads may say what they like, as long as it lies in the file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;

use super::directory::{ReadAt, malformed, tag};

/// Most directories: native cells, overviews and masks of all bands.
const MOST_DIRECTORIES: usize = 256;

/// Most entries of a directory. Writers make some thirty.
const MOST_ENTRIES: u64 = 1024;

/// Most bytes of a value that is no list of blocks: palettes, names, metadata; and of all metadata of a file together.
const LARGEST_VALUE: u64 = 16 << 20;

/// Most blocks of a directory: 128 MiB in a reader that holds where each stands.
pub const MOST_BLOCKS: u64 = 1 << 23;

/// Largest block, decoded, in bytes: two maps whose every block is so large are compared in 320 MiB.
pub const LARGEST_BLOCK_BYTES: u64 = 128 << 20;

/// Largest side, in cells.
pub const LARGEST_SIDE: u64 = 1 << 20;

/// Sides of the native cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TiffSides {
    /// Cells from top to bottom.
    pub rows: u64,
    /// Cells from left to right.
    pub cols: u64,
    /// Whether it is one strip of plain cells larger than a block may be, which readers cut into rows, or ought to.
    pub is_to_be_cut: bool,
}

/// Why a file is not handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderFault {
    /// It is no TIFF.
    NoTiff,
    /// It contradicts itself.
    Damaged(String),
    /// It asks for more than is given.
    TooLarge(String),
}

/// Judges the file at `path`.
///
/// # Errors
/// Those of opening and reading the file; within, the fault.
/// # Cost
/// A read or two for each directory; memory of one value, 16 MiB, at most.
/// # Source
/// TIFF 6.0; BigTIFF; GDAL GTiff driver for tag 42112.
pub fn judge_file(path: &Path) -> io::Result<Result<TiffSides, HeaderFault>> {
    judge_source(&File::open(path)?)
}

/// Judges the bytes of a whole file.
///
/// # Errors
/// As [`judge_file`].
pub fn judge_bytes(bytes: &[u8]) -> io::Result<Result<TiffSides, HeaderFault>> {
    judge_source(bytes)
}

fn judge_source<S: ReadAt + ?Sized>(source: &S) -> io::Result<Result<TiffSides, HeaderFault>> {
    let len = source.size()?;
    match (Walk { source, len, big_endian: false, wide: false, metadata_bytes: 0 }).judge() {
        Ok(sides) => Ok(Ok(sides)),
        Err(Stop::Fault(fault)) => Ok(Err(fault)),
        Err(Stop::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Ok(Err(HeaderFault::Damaged(error.to_string())))
        }
        Err(Stop::Io(error)) => Err(error),
    }
}

/// What ends a walk early.
enum Stop {
    Fault(HeaderFault),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn damaged(words: String) -> Stop {
    Stop::Fault(HeaderFault::Damaged(words))
}

fn too_large(words: String) -> Stop {
    Stop::Fault(HeaderFault::TooLarge(words))
}

struct Walk<'a, S: ReadAt + ?Sized> {
    source: &'a S,
    len: u64,
    big_endian: bool,
    /// BigTIFF.
    wide: bool,
    /// Bytes of metadata that were read.
    metadata_bytes: u64,
}

/// One entry: where its value stands, and how much it is.
struct Entry {
    kind: u16,
    count: u64,
    bytes: u64,
    at: u64,
}

/// The entries of a directory that say how large it is; defaults of TIFF 6.0 where there is none.
struct Image {
    compression: u64,
    cols: u64,
    rows: u64,
    block_cols: Option<u64>,
    block_rows: Option<u64>,
    strip_rows: u64,
    bits: u64,
    samples: u64,
    planes: u64,
    /// Where directories below this one stand: of overviews, for those who put them there.
    below: Vec<u64>,
    /// Tags that were read.
    read: BTreeSet<u16>,
}

/// Tags whose values are read here.
const READ: [u16; 12] = [
    tag::IMAGE_WIDTH,
    tag::IMAGE_LENGTH,
    tag::TILE_WIDTH,
    tag::TILE_LENGTH,
    tag::ROWS_PER_STRIP,
    tag::BITS_PER_SAMPLE,
    tag::SAMPLES_PER_PIXEL,
    tag::PLANAR_CONFIG,
    tag::COMPRESSION,
    tag::SUB_DIRECTORIES,
    tag::GEO_ASCII_PARAMS,
    tag::GDAL_METADATA,
];

/// Bytes of a value of a type of TIFF 6.0 or BigTIFF.
fn width_of(kind: u16) -> Option<u64> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16 | 17 | 18 => Some(8),
        _ => None,
    }
}

impl<S: ReadAt + ?Sized> Walk<'_, S> {
    fn judge(mut self) -> Result<TiffSides, Stop> {
        let mut first = self.open()?;
        if first == 0 {
            return Err(damaged("it has no directory".into()));
        }
        let (mut seen, mut native, mut below) = (BTreeSet::new(), None, Vec::new());
        while first != 0 {
            if !seen.insert(first) {
                return Err(damaged(format!("the directories run in a circle: byte {first} comes again")));
            }
            if seen.len() + below.len() > MOST_DIRECTORIES {
                return Err(too_large(format!("more than {MOST_DIRECTORIES} directories")));
            }
            let (sides, next) = self.directory(first, seen.len(), &mut below)?;
            native.get_or_insert(sides);
            first = if next == 0 { below.pop().unwrap_or(0) } else { next };
        }
        native.ok_or_else(|| damaged("it has no directory".into()))
    }

    /// Reads the header and gives the place of the first directory.
    fn open(&mut self) -> Result<u64, Stop> {
        let none = || Stop::Fault(HeaderFault::NoTiff);
        if self.len < 4 {
            return Err(none());
        }
        let magic = self.read(0, 4)?;
        self.big_endian = match magic.as_slice() {
            [b'I', b'I', ..] => false,
            [b'M', b'M', ..] => true,
            _ => return Err(none()),
        };
        match self.number(magic.get(2..).unwrap_or_default()) {
            42 => {}
            43 => self.wide = true,
            _ => return Err(none()),
        }
        if !self.wide {
            return Ok(self.uint(4, 4)?);
        }
        if self.uint(4, 4)? != self.number(if self.big_endian { &[0, 8, 0, 0] } else { &[8, 0, 0, 0] }) {
            return Err(damaged("a BigTIFF whose offsets have no 8 bytes".into()));
        }
        Ok(self.uint(8, 8)?)
    }

    fn directory(&mut self, at: u64, number: usize, below: &mut Vec<u64>) -> Result<(TiffSides, u64), Stop> {
        let (count_bytes, entry_bytes, pointer) = if self.wide { (8, 20, 8) } else { (2, 12, 4) };
        let count = self.uint(at, count_bytes)?;
        if count > MOST_ENTRIES {
            return Err(too_large(format!(
                "directory {number} claims {count} entries; expected some thirty"
            )));
        }
        let entries_at = at.saturating_add(count_bytes);
        let bytes = self.read(entries_at, count * entry_bytes)?;
        let mut image = Image {
            compression: 1,
            cols: 0,
            rows: 0,
            block_cols: None,
            block_rows: None,
            strip_rows: u64::MAX,
            bits: 1,
            samples: 1,
            planes: 1,
            below: Vec::new(),
            read: BTreeSet::new(),
        };
        for (index, raw) in (0..).zip(bytes.chunks_exact(entry_bytes as usize)) {
            self.entry(raw, entries_at + index * entry_bytes, number, &mut image)?;
        }
        let next = self.uint(entries_at + count * entry_bytes, pointer)?;
        let sides = image.judge().map_err(|words| too_large(format!("directory {number}: {words}")))?;
        below.extend(image.below);
        Ok((sides, next))
    }

    /// Judges an entry and notes what it says of the size of the image.
    fn entry(&mut self, raw: &[u8], at: u64, number: usize, image: &mut Image) -> Result<(), Stop> {
        let (id, rest) = raw.split_at(2);
        let (kind, rest) = rest.split_at(2);
        let (count, value) = rest.split_at(rest.len() / 2);
        let (id, kind, count) = (self.number(id) as u16, self.number(kind) as u16, self.number(count));
        // Readers skip types that they do not know.
        let Some(width) = width_of(kind) else { return Ok(()) };
        let claims = || format!("directory {number}: tag {id} claims {count} values");
        let bytes = count.checked_mul(width).ok_or_else(|| damaged(claims()))?;
        let at = match bytes <= value.len() as u64 {
            true => at + 4 + value.len() as u64,
            false => self.number(value),
        };
        if at.checked_add(bytes).is_none_or(|end| end > self.len) {
            return Err(damaged(format!("{} at byte {at}, in a file of {} bytes", claims(), self.len)));
        }
        let blocks = [tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS, tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS]
            .contains(&id);
        if blocks && count > MOST_BLOCKS {
            return Err(too_large(format!("{}; expected at most {MOST_BLOCKS}", claims())));
        }
        if !blocks && bytes > LARGEST_VALUE {
            return Err(too_large(format!("{}; expected at most {LARGEST_VALUE} bytes", claims())));
        }
        if !READ.contains(&id) {
            return Ok(());
        }
        // Some readers take the first of two, some the last.
        if !image.read.insert(id) {
            return Err(damaged(format!("directory {number}: tag {id} twice")));
        }
        let entry = Entry { kind, count, bytes, at };
        self.note(id, &entry, image).map_err(|stop| match stop {
            Stop::Fault(HeaderFault::Damaged(words)) => {
                damaged(format!("directory {number}: tag {id} {words}"))
            }
            stop => stop,
        })
    }

    fn note(&mut self, id: u16, entry: &Entry, image: &mut Image) -> Result<(), Stop> {
        match id {
            tag::COMPRESSION => image.compression = self.first(entry)?,
            tag::IMAGE_WIDTH => image.cols = self.first(entry)?,
            tag::IMAGE_LENGTH => image.rows = self.first(entry)?,
            tag::TILE_WIDTH => image.block_cols = Some(self.first(entry)?),
            tag::TILE_LENGTH => image.block_rows = Some(self.first(entry)?),
            tag::ROWS_PER_STRIP => image.strip_rows = self.first(entry)?,
            tag::BITS_PER_SAMPLE => image.bits = self.first(entry)?,
            tag::SAMPLES_PER_PIXEL => image.samples = self.first(entry)?,
            tag::PLANAR_CONFIG => image.planes = self.first(entry)?,
            tag::SUB_DIRECTORIES => {
                let width = width_of(entry.kind).filter(|width| [4, 8].contains(width));
                let width = width.ok_or_else(|| damaged("holds no places of directories".into()))?;
                if entry.count > MOST_DIRECTORIES as u64 {
                    return Err(too_large(format!("more than {MOST_DIRECTORIES} directories")));
                }
                let places = (0..entry.count).map(|index| self.uint(entry.at + index * width, width));
                image.below = places.collect::<io::Result<_>>()?;
                image.below.retain(|place| *place != 0);
            }
            // A citation may be a whole CRS in the words of ESRI.
            tag::GEO_ASCII_PARAMS => {
                let text = self.read(entry.at, entry.bytes)?;
                if crate::io::sidecar::names_files(&String::from_utf8_lossy(&text)) {
                    return Err(damaged("has a CRS that names files, or may".into()));
                }
            }
            tag::GDAL_METADATA => {
                // Numbers of more bytes are cut down to one each by readers, behind whatever a scan of these bytes saw.
                if ![1, 2, 6, 7].contains(&entry.kind) {
                    return Err(damaged("(metadata of GDAL) holds no text".into()));
                }
                self.metadata_bytes += entry.bytes;
                if self.metadata_bytes > LARGEST_VALUE {
                    return Err(too_large(format!(
                        "more than {LARGEST_VALUE} bytes of metadata (tag 42112)"
                    )));
                }
                let text = self.read(entry.at, entry.bytes)?;
                if crate::io::sidecar::items(&text) > crate::io::sidecar::MOST_ITEMS {
                    return Err(too_large(
                        "more items of metadata than any program writes (tag 42112)".into(),
                    ));
                }
                if crate::io::sidecar::names_overviews(&text) {
                    return Err(damaged(
                        "(metadata of GDAL) names another file, as its overviews, or may; no program writes that".into(),
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The first value of an entry. One below zero is taken for one beyond all bounds.
    fn first(&self, entry: &Entry) -> Result<u64, Stop> {
        let whole = [1, 3, 4, 6, 8, 9, 16, 17].contains(&entry.kind);
        let width = width_of(entry.kind).filter(|_| whole && entry.count > 0);
        let width = width.ok_or_else(|| damaged("holds no whole number".into()))?;
        let value = self.uint(entry.at, width)?;
        let is_signed = [6, 8, 9, 17].contains(&entry.kind);
        Ok(if is_signed && value >> (8 * width - 1) == 1 { u64::MAX } else { value })
    }

    fn uint(&self, at: u64, width: u64) -> io::Result<u64> {
        Ok(self.number(&self.read(at, width)?))
    }

    fn number(&self, bytes: &[u8]) -> u64 {
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }

    fn read(&self, at: u64, len: u64) -> io::Result<Vec<u8>> {
        let inside = at.checked_add(len).is_some_and(|end| end <= self.len);
        match usize::try_from(len) {
            Ok(len) if inside => {
                let mut bytes = vec![0; len];
                self.source.fill(at, &mut bytes)?;
                Ok(bytes)
            }
            _ => {
                let file = self.len;
                Err(malformed(format!(
                    "{len} bytes are expected at byte {at}, but the file has {file} bytes"
                )))
            }
        }
    }
}

impl Image {
    /// Whether a reader can hold its blocks, and where they stand.
    fn judge(&self) -> Result<TiffSides, String> {
        let Self { cols, rows, .. } = *self;
        if cols > LARGEST_SIDE || rows > LARGEST_SIDE {
            return Err(format!("{rows} rows x {cols} columns; expected at most {LARGEST_SIDE} a side"));
        }
        let block_cols = self.block_cols.unwrap_or(cols).max(1);
        let block_rows = self.block_rows.unwrap_or_else(|| self.strip_rows.min(rows)).max(1);
        let together = if self.planes == 2 { 1 } else { self.samples.max(1) };
        let bits = block_cols
            .checked_mul(block_rows)
            // Fewer bits than a byte are one when they are decoded.
            .and_then(|cells| cells.checked_mul(self.bits.max(8)))
            .and_then(|bits| bits.checked_mul(together));
        // Readers cut a single strip of plain cells into rows; the blocks that GDAL makes of it are judged when it is open.
        let is_cut = self.compression == 1 && self.block_cols.is_none() && block_rows >= rows;
        let is_too_large = bits.is_none_or(|bits| bits / 8 > LARGEST_BLOCK_BYTES);
        if is_too_large && !is_cut {
            return Err(format!(
                "blocks of {block_rows} x {block_cols} cells of {} bits would fill the memory; expected at most \
                 {LARGEST_BLOCK_BYTES} bytes a block",
                self.bits.saturating_mul(together)
            ));
        }
        let planes = if self.planes == 2 { self.samples.max(1) } else { 1 };
        let blocks =
            cols.div_ceil(block_cols).saturating_mul(rows.div_ceil(block_rows)).saturating_mul(planes);
        if blocks > MOST_BLOCKS {
            return Err(format!("{blocks} blocks; expected at most {MOST_BLOCKS}"));
        }
        Ok(TiffSides { rows, cols, is_to_be_cut: is_too_large })
    }
}
