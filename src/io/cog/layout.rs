//! Says where every byte of a cloud-optimised GeoTIFF goes, before the first one is written.
//!
//! The lengths of all blocks are known, so the whole head of the file — header, ghost area, directories,
//! tile index — is computed here in memory and the file is then written from its first byte to its last,
//! without seeking. Rejected: writing blocks first and patching offsets, which a stream cannot do and a
//! killed run leaves half done.
//!
//! Order, as GDAL's COG driver has it:
//!
//! ```text
//! header · ghost area · directory 0 and its values · directory 1 and its values · …
//! · tile offsets and byte counts of all directories · blocks of the smallest overview · … · native blocks
//! ```
//!
//! The tile index stands after all directories: a continental file's index takes megabytes, and a reader on
//! the network still gets every directory with its first request.

use std::io;
use std::iter;

use super::encode::Compression;
use super::sample::SampleType;
use super::shape::{BLOCK, LevelShape, level_shapes};
use super::template::{Tag, TemplateTags};
use crate::io::tiff::directory::{kind, tag};

/// Largest classic TIFF we write, in bytes: the limit GDAL's `BIGTIFF=IF_NEEDED` has, 95 MB below the 4 GiB
/// that 32-bit offsets can reach.
pub(super) const CLASSIC_LIMIT: u64 = 4_200_000_000;

/// What a block carries besides its own bytes: four before it, four after it.
pub(super) const BLOCK_EXTRA_BYTES: u64 = 8;

/// Promises GDAL makes to readers of its COGs, and that we keep; between the header and the first directory.
///
/// # Source
/// GDAL COG driver documentation, "Header ghost area"; bytes compared with a file of GDAL 3.6.2.
pub(super) const GHOST_AREA: &[u8] = b"GDAL_STRUCTURAL_METADATA_SIZE=000140 bytes\n\
LAYOUT=IFDS_BEFORE_DATA\n\
BLOCK_ORDER=ROW_MAJOR\n\
BLOCK_LEADER=SIZE_AS_UINT4\n\
BLOCK_TRAILER=LAST_4_BYTES_REPEATED\n\
KNOWN_INCOMPATIBLE_EDITION=NO\n\x20";

/// Describes a raster to assemble.
#[derive(Debug, Clone)]
pub struct CogSpec {
    /// Cells from top to bottom, at full resolution.
    pub rows: u64,
    /// Cells from left to right, at full resolution.
    pub cols: u64,
    /// Type of the cells.
    pub sample: SampleType,
    /// How the blocks have been compressed.
    pub compression: Compression,
    /// CRS, geotransform, nodata value, palette and metadata.
    pub tags: TemplateTags,
    /// Sizes of all levels, the native one first.
    pub levels: Vec<LevelShape>,
}

impl CogSpec {
    /// Derives the levels from the size of the raster.
    pub fn new(
        rows: u64,
        cols: u64,
        sample: SampleType,
        compression: Compression,
        tags: TemplateTags,
    ) -> Self {
        Self { rows, cols, sample, compression, tags, levels: level_shapes(rows, cols) }
    }

    /// Checks that the fields agree with one another and that a TIFF can express them.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if a side is 0 or beyond 32 bits, the levels are not those of
    /// [`CogSpec::new`], or the palette does not fit the sample type.
    pub fn check(&self) -> io::Result<()> {
        let sides = 1..=u64::from(u32::MAX);
        if !sides.contains(&self.rows) || !sides.contains(&self.cols) {
            return Err(unusable(format!(
                "a raster of {} rows and {} columns; expected 1 to {} of each",
                self.rows,
                self.cols,
                u32::MAX
            )));
        }
        let expected = level_shapes(self.rows, self.cols);
        if self.levels != expected {
            return Err(unusable(format!("levels {:?}; expected {expected:?}", self.levels)));
        }
        // A palette lists red, green and blue of every value a cell can take. Source: TIFF 6.0, tag 320.
        let entries = 3 << self.sample.bits().min(16);
        match self.tags.get(tag::COLOR_MAP) {
            Some(palette) if palette.count != entries || self.sample.bits() > 16 => Err(unusable(format!(
                "a palette of {} numbers for {} bits a cell; expected {entries}, and no palette above 16 bits",
                palette.count,
                self.sample.bits()
            ))),
            _ => Ok(()),
        }
    }

    /// Lists the tags of one directory, in ascending order.
    fn directory(&self, level: usize, shape: LevelShape, flavour: Flavour, index: &LevelIndex) -> Vec<Tag> {
        let short =
            |id, value: u16| Tag { id, kind: kind::SHORT, count: 1, bytes: value.to_le_bytes().into() };
        let long =
            |id, value: u64| Tag { id, kind: kind::LONG, count: 1, bytes: little_endian(value, 4).collect() };
        let palette = self.tags.get(tag::COLOR_MAP).is_some();
        let mut tags = vec![
            long(tag::IMAGE_WIDTH, shape.cols),
            long(tag::IMAGE_LENGTH, shape.rows),
            short(tag::BITS_PER_SAMPLE, self.sample.bits()),
            short(tag::COMPRESSION, self.compression.tiff_code()),
            short(tag::PHOTOMETRIC, if palette { 3 } else { 1 }),
            short(tag::SAMPLES_PER_PIXEL, 1),
            short(tag::PLANAR_CONFIG, 1),
            short(tag::TILE_WIDTH, BLOCK as u16),
            short(tag::TILE_LENGTH, BLOCK as u16),
            Tag {
                id: tag::TILE_OFFSETS,
                kind: flavour.offset_kind(),
                count: shape.blocks(),
                bytes: index.offsets.clone(),
            },
            Tag {
                id: tag::TILE_BYTE_COUNTS,
                kind: kind::LONG,
                count: shape.blocks(),
                bytes: index.byte_counts.clone(),
            },
            short(tag::SAMPLE_FORMAT, self.sample.sample_format()),
        ];
        if level > 0 {
            tags.push(long(tag::NEW_SUBFILE_TYPE, 1));
        }
        tags.extend(self.tags.of_level(level).cloned());
        tags.sort_by_key(|tag| tag.id);
        tags
    }
}

/// Holds everything before the first block, and how long the file will be.
pub(super) struct Layout {
    /// Bytes of the file up to the leader of the first block.
    pub head: Vec<u8>,
    /// Length of the file, bytes.
    pub file_len: u64,
}

impl Layout {
    /// Lays out a file whose block `i` of level `k` takes `lengths[k][i]` bytes.
    ///
    /// Classic TIFF if the file is no longer than `classic_limit` bytes, else BigTIFF: the decision looks at
    /// the actual length, so it is the same in every run.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if the lengths are not those of the spec's blocks.
    /// # Cost
    /// Memory: under 60 bytes a block, the index being held as tags and as bytes.
    pub fn plan(spec: &CogSpec, lengths: &[Vec<u32>], classic_limit: u64) -> io::Result<Self> {
        let given: Vec<u64> = lengths.iter().map(|level| level.len() as u64).collect();
        let expected: Vec<u64> = spec.levels.iter().map(|level| level.blocks()).collect();
        if given != expected {
            return Err(unusable(format!("{given:?} blocks in the levels; expected {expected:?}")));
        }
        let data_len: u64 =
            lengths.iter().flatten().map(|length| u64::from(*length) + BLOCK_EXTRA_BYTES).sum();
        let classic = Self::with_flavour(spec, lengths, data_len, Flavour::Classic);
        Ok(if classic.file_len <= classic_limit {
            classic
        } else {
            Self::with_flavour(spec, lengths, data_len, Flavour::Big)
        })
    }

    /// Writes the head twice: its length does not depend on the offsets it holds, so the first pass tells
    /// where the blocks begin and the second has the right offsets.
    fn with_flavour(spec: &CogSpec, lengths: &[Vec<u32>], data_len: u64, flavour: Flavour) -> Self {
        let data_start = head(spec, lengths, flavour, 0).len() as u64;
        Self { head: head(spec, lengths, flavour, data_start), file_len: data_start + data_len }
    }
}

/// Writes everything before the first block, given where the first block's leader will stand.
fn head(spec: &CogSpec, lengths: &[Vec<u32>], flavour: Flavour, data_start: u64) -> Vec<u8> {
    let indexes = level_indexes(lengths, flavour, data_start);
    let directories: Vec<Vec<Tag>> = spec
        .levels
        .iter()
        .zip(&indexes)
        .enumerate()
        .map(|(level, (shape, index))| spec.directory(level, *shape, flavour, index))
        .collect();
    let mut head = flavour.prologue();
    let near_len: u64 =
        directories.iter().map(|tags| flavour.directory_len(tags) + flavour.near_len(tags)).sum();
    let mut late_at = head.len() as u64 + near_len;
    for (level, tags) in directories.iter().enumerate() {
        let mut near_at = head.len() as u64 + flavour.directory_len(tags);
        let next = if level + 1 < directories.len() { near_at + flavour.near_len(tags) } else { 0 };
        head.extend(little_endian(tags.len() as u64, flavour.entry_count_bytes()));
        for tag in tags {
            head.extend(tag.id.to_le_bytes());
            head.extend(tag.kind.to_le_bytes());
            head.extend(little_endian(tag.count, flavour.word()));
            if flavour.is_inline(tag) {
                head.extend(tag.bytes.iter().copied().chain(iter::repeat(0)).take(flavour.word()));
            } else {
                let cursor = if is_tile_index(tag) { &mut late_at } else { &mut near_at };
                head.extend(little_endian(*cursor, flavour.word()));
                *cursor += padded_len(tag);
            }
        }
        head.extend(little_endian(next, flavour.word()));
        let near = tags.iter().filter(|tag| !flavour.is_inline(tag) && !is_tile_index(tag));
        near.for_each(|tag| push_padded(&mut head, tag));
    }
    let late = directories.iter().flatten().filter(|tag| !flavour.is_inline(tag) && is_tile_index(tag));
    late.for_each(|tag| push_padded(&mut head, tag));
    head
}

/// Holds the tile offsets and byte counts of one level, little endian.
#[derive(Default, Clone)]
struct LevelIndex {
    offsets: Vec<u8>,
    byte_counts: Vec<u8>,
}

/// Gives every block its place: the smallest level first, row-major within a level.
fn level_indexes(lengths: &[Vec<u32>], flavour: Flavour, data_start: u64) -> Vec<LevelIndex> {
    let mut leader_at = data_start;
    let mut indexes: Vec<LevelIndex> = lengths
        .iter()
        .rev()
        .map(|level| {
            let mut index = LevelIndex::default();
            for length in level {
                index.offsets.extend(little_endian(leader_at + 4, flavour.word()));
                index.byte_counts.extend(length.to_le_bytes());
                leader_at += u64::from(*length) + BLOCK_EXTRA_BYTES;
            }
            index
        })
        .collect();
    indexes.reverse();
    indexes
}

/// Tells TIFF with 32-bit offsets from TIFF with 64-bit offsets.
///
/// # Source
/// TIFF 6.0, section 2; the BigTIFF file format, libtiff.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Classic,
    Big,
}

impl Flavour {
    /// Width of an offset, of a count of values and of an inline value, in bytes.
    const fn word(self) -> usize {
        match self {
            Self::Classic => 4,
            Self::Big => 8,
        }
    }

    /// Width of the number of entries a directory begins with, in bytes.
    const fn entry_count_bytes(self) -> usize {
        match self {
            Self::Classic => 2,
            Self::Big => 8,
        }
    }

    const fn offset_kind(self) -> u16 {
        match self {
            Self::Classic => kind::LONG,
            Self::Big => kind::LONG8,
        }
    }

    /// Header and ghost area; the first directory begins at the next even byte, where GDAL looks for it.
    fn prologue(self) -> Vec<u8> {
        let (signature, header_len): (&[u8], usize) = match self {
            Self::Classic => (b"II\x2a\0", 8),
            Self::Big => (b"II\x2b\0\x08\0\0\0", 16),
        };
        let first_directory = (header_len + GHOST_AREA.len()).next_multiple_of(2);
        let mut prologue = signature.to_vec();
        prologue.extend(little_endian(first_directory as u64, self.word()));
        prologue.extend(GHOST_AREA);
        prologue.resize(first_directory, 0);
        prologue
    }

    fn directory_len(self, tags: &[Tag]) -> u64 {
        let entry_bytes = 4 + 2 * self.word();
        (self.entry_count_bytes() + tags.len() * entry_bytes + self.word()) as u64
    }

    /// Length of the values that directly follow their directory.
    fn near_len(self, tags: &[Tag]) -> u64 {
        tags.iter().filter(|tag| !self.is_inline(tag) && !is_tile_index(tag)).map(padded_len).sum()
    }

    fn is_inline(self, tag: &Tag) -> bool {
        tag.bytes.len() <= self.word()
    }
}

fn is_tile_index(tag: &Tag) -> bool {
    matches!(tag.id, tag::TILE_OFFSETS | tag::TILE_BYTE_COUNTS)
}

/// Values begin at even bytes. Source: TIFF 6.0, section 2.
fn padded_len(tag: &Tag) -> u64 {
    (tag.bytes.len() as u64).next_multiple_of(2)
}

fn push_padded(head: &mut Vec<u8>, tag: &Tag) {
    head.extend(&tag.bytes);
    head.resize(head.len().next_multiple_of(2), 0);
}

/// Gives the `width` low bytes of `value`, lowest first.
fn little_endian(value: u64, width: usize) -> impl Iterator<Item = u8> {
    value.to_le_bytes().into_iter().take(width)
}

fn unusable(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::io::tiff::directory::{Directory, Tiff};

    fn plan(rows: u64, cols: u64, block_len: u32, classic_limit: u64) -> io::Result<Layout> {
        let spec = CogSpec::new(rows, cols, SampleType::U8, Compression::Fast, TemplateTags::default());
        let lengths: Vec<Vec<u32>> =
            spec.levels.iter().map(|level| vec![block_len; level.blocks() as usize]).collect();
        Layout::plan(&spec, &lengths, classic_limit)
    }

    #[test]
    fn each_level_halves_the_one_before_rounded_up() {
        let spec = CogSpec::new(1500, 701, SampleType::U8, Compression::Fast, TemplateTags::default());
        let shapes: Vec<(u64, u64)> = spec.levels.iter().map(|level| (level.rows, level.cols)).collect();
        assert_eq!(shapes, [(1500, 701), (750, 351), (375, 176)]);
        assert_eq!(
            (spec.levels[0].block_rows(), spec.levels[0].block_cols(), spec.levels[0].blocks()),
            (3, 2, 6)
        );
    }

    #[test]
    fn the_ghost_area_states_its_own_length() {
        let text = std::str::from_utf8(GHOST_AREA).unwrap();
        let (first, rest) = text.split_at(text.find('\n').unwrap() + 1);
        assert_eq!(first.len(), 43);
        assert_eq!(first, format!("GDAL_STRUCTURAL_METADATA_SIZE={:06} bytes\n", rest.len()));
    }

    #[test]
    fn the_smallest_classic_head_is_this() {
        let layout = plan(1, 1, 100, CLASSIC_LIMIT).unwrap();
        let mut expected = b"II\x2a\0\xc0\0\0\0".to_vec();
        expected.extend(GHOST_AREA);
        expected.extend([0, 12, 0]);
        for (id, kind, value) in [
            (256_u16, 4_u16, 1_u32),
            (257, 4, 1),
            (258, 3, 8),
            (259, 3, 8),
            (262, 3, 1),
            (277, 3, 1),
            (284, 3, 1),
            (322, 3, 512),
            (323, 3, 512),
            (324, 4, 192 + 2 + 12 * 12 + 4 + 4),
            (325, 4, 100),
            (339, 3, 1),
        ] {
            expected.extend(id.to_le_bytes());
            expected.extend(kind.to_le_bytes());
            expected.extend(1_u32.to_le_bytes());
            expected.extend(value.to_le_bytes());
        }
        expected.extend([0; 4]);
        assert_eq!(layout.head, expected);
        assert_eq!(layout.file_len, expected.len() as u64 + 108);
    }

    #[test]
    fn big_tiff_is_chosen_by_the_actual_length_of_the_file() {
        let classic = plan(1500, 700, 1000, CLASSIC_LIMIT).unwrap();
        assert_eq!(plan(1500, 700, 1000, classic.file_len).unwrap().head[2], 42);
        let big = plan(1500, 700, 1000, classic.file_len - 1).unwrap();
        assert_eq!(big.head[..16], *b"II\x2b\0\x08\0\0\0\xc8\0\0\0\0\0\0\0");
        assert!(big.file_len > classic.file_len);
    }

    #[test]
    fn a_continent_beyond_4_gib_has_64_bit_offsets_up_to_its_end() {
        let layout = plan(259_000, 255_000, 100_000, CLASSIC_LIMIT).unwrap();
        assert_eq!(layout.head[2], 43);
        let last_offset = layout.file_len - 4 - 100_000;
        assert!(last_offset > u64::from(u32::MAX));
        assert!(layout.head.windows(8).any(|bytes| bytes == last_offset.to_le_bytes()));
    }

    #[test]
    fn directories_stand_at_the_start_however_long_the_tile_index_is() {
        let head = plan(259_000, 255_000, 100_000, CLASSIC_LIMIT).unwrap().head;
        assert!(head.len() > 3_000_000);
        let tiff = Tiff::open(head.as_slice()).unwrap();
        let directories: Vec<Directory> =
            iter::successors(tiff.directory(tiff.first_directory).ok(), |directory| {
                (directory.next != 0).then(|| tiff.directory(directory.next).unwrap())
            })
            .collect();
        assert_eq!(directories.len(), 10);
        assert!(directories.iter().all(|directory| directory.end < 4096));
    }

    #[test]
    fn a_spec_that_contradicts_itself_is_refused() {
        let good = CogSpec::new(600, 600, SampleType::U8, Compression::Fast, TemplateTags::default());
        let lengths = [vec![9; 4], vec![9]];
        assert!(Layout::plan(&good, &lengths, CLASSIC_LIMIT).is_ok());
        assert!(Layout::plan(&good, &lengths[..1], CLASSIC_LIMIT).is_err());
        assert!(good.check().is_ok());
        let mut no_overview = good.clone();
        no_overview.levels.pop();
        assert!(no_overview.check().is_err());
        for (rows, cols) in [(0, 5), (1, 1 << 32)] {
            let spec = CogSpec::new(rows, cols, SampleType::U8, Compression::Fast, TemplateTags::default());
            assert!(spec.check().is_err());
        }
    }
}
