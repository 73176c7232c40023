//! Reads a finished file back and says whether it keeps what [`assemble`](super::assemble) promises.
//!
//! Part of `verify`. It looks at every directory and at both ends of every block, not at pixels. The file
//! is untrusted: any bytes give an answer, none a panic, and memory does not grow with what a header claims
//! because the tile index is read in pieces. All violations are listed, those of blocks summed up by kind,
//! so that a wholly broken file gives a page, not a gigabyte.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use super::layout::GHOST_AREA;
use super::sample::SampleType;
use super::shape::{BLOCK, LevelShape};
use crate::io::tiff::decode::code;
use crate::io::tiff::directory::{Directory, Entry, ReadAt, Tiff, kind, tag, uint};

/// Most directories we follow. Sides of 32 bits need 24 levels.
const MAX_LEVELS: usize = 32;

/// Blocks whose places are read at once: 64 kB of BigTIFF tile index.
const INDEX_PIECE: u64 = 4096;

/// Describes a file whose layout is as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutReport {
    /// Cells from top to bottom, at full resolution.
    pub rows: u64,
    /// Cells from left to right, at full resolution.
    pub cols: u64,
    /// Type of the cells.
    pub sample: SampleType,
    /// Value of TIFF tag 259, which [`BlockDecoder::new`](super::BlockDecoder::new) takes.
    pub compression_code: u16,
    /// Sizes of all levels, the native one first.
    pub levels: Vec<LevelShape>,
    /// Tells BigTIFF from classic TIFF.
    pub big: bool,
}

/// Says whether a layout is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayoutVerdict {
    /// The layout is as it should be.
    Valid(LayoutReport),
    /// What is wrong: one sentence each, at least one.
    Broken(Vec<String>),
}

/// Checks the layout of the GeoTIFF at `path`.
///
/// Header and ghost area; directories in order, with the shape each level must have; 512 × 512 blocks; every
/// block present, inside the file, in the order of the file, framed by its length and its last four bytes;
/// nothing after the last block.
///
/// # Errors
/// Those of opening and reading the file. Malformed content is no error but [`LayoutVerdict::Broken`].
/// # Cost
/// Two reads of a few bytes for each block; constant memory.
/// # Source
/// TIFF 6.0; BigTIFF; GDAL COG driver documentation, "File format details".
pub fn check_layout(path: &Path) -> io::Result<LayoutVerdict> {
    check_source(&File::open(path)?)
}

pub(super) fn check_source<S: ReadAt + ?Sized>(source: &S) -> io::Result<LayoutVerdict> {
    let mut violations = Vec::new();
    let report =
        inspect(source, &mut violations).or_else(|error| note(error, &mut violations).map(|()| None))?;
    Ok(match report {
        Some(report) if violations.is_empty() => LayoutVerdict::Valid(report),
        _ => LayoutVerdict::Broken(violations),
    })
}

/// Turns malformed bytes into a violation and leaves failures of the disk what they are.
fn note(error: io::Error, violations: &mut Vec<String>) -> io::Result<()> {
    if error.kind() != io::ErrorKind::InvalidData {
        return Err(error);
    }
    violations.push(error.to_string());
    Ok(())
}

/// Looks at the whole file. None, or an error, if there is no saying what the file is; then there is a violation.
fn inspect<S: ReadAt + ?Sized>(source: &S, violations: &mut Vec<String>) -> io::Result<Option<LayoutReport>> {
    let tiff = Tiff::open(source)?;
    check_ghost_area(&tiff, violations)?;
    let directories = read_directories(&tiff, violations)?;
    let mut levels = Vec::new();
    for (number, directory) in directories.iter().enumerate() {
        levels.push(read_level(&tiff, number, directory, violations)?);
    }
    check_shapes(&levels, violations);
    check_blocks(&tiff, &directories, &levels, violations)?;
    let Some(native) = levels.first() else { return Ok(None) };
    Ok(native.sample.zip(u16::try_from(native.compression).ok()).map(|(sample, compression_code)| {
        LayoutReport {
            rows: native.shape.rows,
            cols: native.shape.cols,
            sample,
            compression_code,
            levels: levels.iter().map(|level| level.shape).collect(),
            big: tiff.big,
        }
    }))
}

/// The ghost area stands right after the header, and the first directory at the next even byte.
fn check_ghost_area<S: ReadAt + ?Sized>(tiff: &Tiff<S>, violations: &mut Vec<String>) -> io::Result<()> {
    let header_len = if tiff.big { 16 } else { 8 };
    let ghost_len = GHOST_AREA.len() as u64;
    let found = tiff.read(header_len, ghost_len)?;
    if found != GHOST_AREA {
        let found = String::from_utf8_lossy(&found);
        violations.push(if found.contains("KNOWN_INCOMPATIBLE_EDITION=YES") {
            "the ghost area says that another program has edited the file; expected the file as it was written".to_owned()
        } else if found.starts_with("GDAL_STRUCTURAL_METADATA_SIZE=") {
            format!("the ghost area is {found:?}; expected {:?}", String::from_utf8_lossy(GHOST_AREA))
        } else {
            "the ghost area is missing; expected the promises of GDAL's COG layout after the header".to_owned()
        });
    }
    let expected = (header_len + ghost_len).next_multiple_of(2);
    if tiff.first_directory != expected {
        violations.push(format!(
            "the first directory is at byte {}; expected {expected}, right after the ghost area",
            tiff.first_directory
        ));
    }
    Ok(())
}

/// Follows the chain of directories, which must run towards the end of the file: that also ends a cycle.
fn read_directories<S: ReadAt + ?Sized>(
    tiff: &Tiff<S>,
    violations: &mut Vec<String>,
) -> io::Result<Vec<Directory>> {
    let mut directories: Vec<Directory> = Vec::new();
    let mut offset = tiff.first_directory;
    while offset != 0 {
        if let Some(previous) = directories.last().map(|directory| directory.end).filter(|end| offset < *end)
        {
            violations.push(format!(
                "directory {} is at byte {offset}; expected after the one before it, which ends at byte {previous}",
                directories.len()
            ));
            break;
        }
        if directories.len() == MAX_LEVELS {
            violations.push(format!("more than {MAX_LEVELS} directories; expected one for each level"));
            break;
        }
        let directory = match tiff.directory(offset) {
            Ok(directory) => directory,
            Err(error) => {
                note(error, violations)?;
                break;
            }
        };
        offset = directory.next;
        directories.push(directory);
    }
    Ok(directories)
}

/// What the directory of one level says.
struct Level {
    shape: LevelShape,
    sample: Option<SampleType>,
    compression: u64,
    offsets: Option<Entry>,
    byte_counts: Option<Entry>,
}

/// Reads the directory of level `number` and checks what can be checked without the others and the blocks.
fn read_level<S: ReadAt + ?Sized>(
    tiff: &Tiff<S>,
    number: usize,
    directory: &Directory,
    violations: &mut Vec<String>,
) -> io::Result<Level> {
    let mut ids = directory.entries.iter().map(|entry| entry.id);
    if !ids.clone().is_sorted_by(|a, b| a < b) {
        violations.push(format!("level {number}: the tags are not in ascending order, each once"));
    }
    let palette = ids.any(|id| id == tag::COLOR_MAP);
    let find = |id: u16| directory.entries.iter().find(|entry| entry.id == id);
    // A tag that is absent has the default of TIFF 6.0, or 0 where there is none; 0 is then refused below.
    let mut scalar = |id: u16, default: u64| -> io::Result<u64> {
        let Some(entry) = find(id) else { return Ok(default) };
        match tiff.uints(entry, 0, 1) {
            Ok(values) if entry.count == 1 => Ok(values.first().copied().unwrap_or(default)),
            Ok(_) => {
                violations.push(format!("level {number}: tag {id} has {} values; expected 1", entry.count));
                Ok(default)
            }
            Err(error) => note(error, violations).map(|()| default),
        }
    };
    let cols = scalar(tag::IMAGE_WIDTH, 0)?;
    let rows = scalar(tag::IMAGE_LENGTH, 0)?;
    let bits = scalar(tag::BITS_PER_SAMPLE, 1)?;
    let sample_format = scalar(tag::SAMPLE_FORMAT, 1)?;
    let compression = scalar(tag::COMPRESSION, 1)?;
    let fixed = [
        ("NewSubfileType", scalar(tag::NEW_SUBFILE_TYPE, 0)?, u64::from(number > 0)),
        ("PhotometricInterpretation", scalar(tag::PHOTOMETRIC, 0)?, if palette { 3 } else { 1 }),
        ("SamplesPerPixel", scalar(tag::SAMPLES_PER_PIXEL, 1)?, 1),
        ("PlanarConfiguration", scalar(tag::PLANAR_CONFIG, 1)?, 1),
        ("Predictor", scalar(tag::PREDICTOR, 1)?, 1),
        ("TileWidth", scalar(tag::TILE_WIDTH, 0)?, BLOCK),
        ("TileLength", scalar(tag::TILE_LENGTH, 0)?, BLOCK),
    ];
    for (name, found, expected) in fixed {
        if found != expected {
            violations.push(format!("level {number}: {name} is {found}; expected {expected}"));
        }
    }
    let sample = SampleType::from_tiff(bits, sample_format);
    if sample.is_none() {
        violations.push(format!(
            "level {number}: cells of {bits} bits and sample format {sample_format}; expected 8, 16 or 32 bits and format 1 or 2"
        ));
    }
    if ![code::NONE, code::LZW, code::DEFLATE, code::ZSTD].map(u64::from).contains(&compression) {
        violations.push(format!("level {number}: compression code {compression}; expected 1, 5, 8 or 50000"));
    }
    let mut level =
        Level { shape: LevelShape { rows, cols }, sample, compression, offsets: None, byte_counts: None };
    let sides = 1..=u64::from(u32::MAX);
    if sides.contains(&rows) && sides.contains(&cols) {
        let blocks = level.shape.blocks();
        level.offsets = tile_index(tiff, number, "TileOffsets", find(tag::TILE_OFFSETS), blocks, violations);
        level.byte_counts =
            tile_index(tiff, number, "TileByteCounts", find(tag::TILE_BYTE_COUNTS), blocks, violations);
    } else {
        violations.push(format!(
            "level {number}: {rows} rows and {cols} columns; expected 1 to {} of each",
            u32::MAX
        ));
    }
    Ok(level)
}

/// Gives the entry back if it holds one unsigned integer for each block and lies in the file.
fn tile_index<S: ReadAt + ?Sized>(
    tiff: &Tiff<S>,
    number: usize,
    name: &str,
    entry: Option<&Entry>,
    blocks: u64,
    violations: &mut Vec<String>,
) -> Option<Entry> {
    let Some(entry) = entry else {
        violations.push(format!("level {number}: {name} is missing"));
        return None;
    };
    let integers = matches!(entry.kind, kind::SHORT | kind::LONG | kind::LONG8);
    if entry.count != blocks || !integers {
        violations.push(format!(
            "level {number}: {name} has {} values of type {}; expected {blocks} unsigned integers",
            entry.count, entry.kind
        ));
        return None;
    }
    let end = value_end(entry);
    if end.is_none_or(|end| end > tiff.len) {
        violations
            .push(format!("level {number}: {name} at byte {} runs past the end of the file", entry.value_at));
        return None;
    }
    Some(*entry)
}

fn value_end(entry: &Entry) -> Option<u64> {
    entry.value_at.checked_add(entry.bytes()?)
}

/// Level k has the native sides divided by 2^k, rounded up, and only the last fits in one block.
fn check_shapes(levels: &[Level], violations: &mut Vec<String>) {
    let Some(native) = levels.first() else {
        violations.push("the file has no directory; expected one for each level".to_owned());
        return;
    };
    for (number, level) in levels.iter().enumerate() {
        let divided = |side: u64| side.div_ceil(1 << number);
        let (rows, cols) = (divided(native.shape.rows), divided(native.shape.cols));
        if (level.shape.rows, level.shape.cols) != (rows, cols) {
            violations.push(format!(
                "level {number}: {} rows and {} columns; expected {rows} and {cols}",
                level.shape.rows, level.shape.cols
            ));
        }
        let is_last = number + 1 == levels.len();
        if is_last != (rows <= BLOCK && cols <= BLOCK) {
            violations.push(format!(
                "level {number} of {rows} rows and {cols} columns is {}the last; expected the last, and no other, to have both sides within {BLOCK}",
                if is_last { "" } else { "not " }
            ));
        }
        if level.sample != native.sample || level.compression != native.compression {
            violations.push(format!("level {number}: cell type or compression differs from that of level 0"));
        }
    }
}

/// What can be wrong with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Missing,
    Outside,
    Order,
    Leader,
    Trailer,
    RawLength,
}

/// Faults of one level by kind: the first, in words, and how many there are.
#[derive(Default)]
struct Faults(BTreeMap<Fault, (String, u64)>);

impl Faults {
    fn add(&mut self, fault: Fault, describe: impl FnOnce() -> String) {
        self.0.entry(fault).or_insert_with(|| (describe(), 0)).1 += 1;
    }

    fn report(self, level: usize, violations: &mut Vec<String>) {
        violations.extend(self.0.into_values().map(|(first, count)| match count - 1 {
            0 => format!("level {level}: {first}"),
            others => format!("level {level}: {first}; so it is with {others} more"),
        }));
    }
}

/// Walks all blocks in the order they must have in the file: smallest level first, row-major in a level.
fn check_blocks<S: ReadAt + ?Sized>(
    tiff: &Tiff<S>,
    directories: &[Directory],
    levels: &[Level],
    violations: &mut Vec<String>,
) -> io::Result<()> {
    let mut walk = Walk { tiff, previous_end: head_end(directories) };
    let mut complete = true;
    for (number, level) in levels.iter().enumerate().rev() {
        let (Some(offsets), Some(byte_counts)) = (level.offsets, level.byte_counts) else {
            complete = false;
            continue;
        };
        let mut faults = Faults::default();
        let blocks = level.shape.blocks();
        for first in (0..blocks).step_by(INDEX_PIECE as usize) {
            let count = INDEX_PIECE.min(blocks - first);
            let places = tiff.uints(&offsets, first, count)?.into_iter().zip(tiff.uints(
                &byte_counts,
                first,
                count,
            )?);
            for (index, (offset, len)) in (first..).zip(places) {
                walk.block(index, offset, len, level, &mut faults)?;
            }
        }
        complete &= faults.0.is_empty();
        faults.report(number, violations);
    }
    if complete && walk.previous_end != tiff.len {
        violations.push(format!(
            "the last block ends at byte {}; expected the end of the file, byte {}",
            walk.previous_end, tiff.len
        ));
    }
    Ok(())
}

/// Gives the end of the last directory or value: blocks must begin after it.
fn head_end(directories: &[Directory]) -> u64 {
    let values = directories.iter().flat_map(|directory| &directory.entries).filter_map(value_end);
    values.chain(directories.iter().map(|directory| directory.end)).max().unwrap_or(0)
}

/// Where the walk over the blocks has come.
struct Walk<'a, 's, S: ReadAt + ?Sized> {
    tiff: &'a Tiff<'s, S>,
    /// End of the block before, its trailer counted.
    previous_end: u64,
}

impl<S: ReadAt + ?Sized> Walk<'_, '_, S> {
    fn block(
        &mut self,
        index: u64,
        offset: u64,
        len: u64,
        level: &Level,
        faults: &mut Faults,
    ) -> io::Result<()> {
        if offset == 0 || len == 0 {
            faults.add(Fault::Missing, || format!("block {index} is missing"));
            return Ok(());
        }
        let end = offset.checked_add(len).and_then(|end| end.checked_add(4));
        let (Some(leader_at), Some(end)) = (offset.checked_sub(4), end.filter(|end| *end <= self.tiff.len))
        else {
            faults.add(Fault::Outside, || {
                format!(
                    "block {index} of {len} bytes at byte {offset} does not lie in the file with its frame"
                )
            });
            return Ok(());
        };
        if leader_at < self.previous_end {
            let previous_end = self.previous_end;
            faults.add(Fault::Order, || {
                format!("block {index} begins at byte {leader_at}; expected {previous_end} or after")
            });
        }
        self.previous_end = end;
        let leader = uint(&self.tiff.read(leader_at, 4)?);
        if leader != len {
            faults.add(Fault::Leader, || {
                format!("block {index} has {len} bytes, but its leader says {leader}")
            });
        }
        // A block of fewer than four bytes takes part of its leader for its end: refused like a wrong trailer.
        let last = self.tiff.read(end - 8, 8)?;
        let (own, repeated) = last.split_at(4);
        if len < 4 || own != repeated {
            faults.add(Fault::Trailer, || {
                format!("block {index} ends with bytes {own:02x?}, but its trailer is {repeated:02x?}")
            });
        }
        let raw_len = level.sample.map_or(len, |sample| sample.block_bytes() as u64);
        if level.compression == u64::from(code::NONE) && len != raw_len {
            faults.add(Fault::RawLength, || format!("block {index} has {len} raw bytes; expected {raw_len}"));
        }
        Ok(())
    }
}
