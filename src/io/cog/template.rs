//! Reads TIFF directories, and takes from a small GeoTIFF the tags that say what a raster is.
//!
//! GDAL knows how a CRS, a palette and metadata become TIFF tags, and knows it better than we should want
//! to. So GDAL writes a tiny GeoTIFF with the CRS, geotransform, nodata value, palette and metadata of the
//! product; [`TemplateTags`] lifts those tags from it and the assembler repeats them byte for byte.
//! Rejected: encoding GeoKeys here.
//!
//! The reader below is the only one of this module and shares nothing with the writer in `layout.rs`, so
//! that `check.rs`, which uses it too, does not confirm a mistake by repeating it. It allocates nothing a
//! header asks for before it knows that the file is long enough.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Tag numbers. Source: TIFF 6.0; Adobe PageMaker 6.0 TIFF notes; OGC GeoTIFF 1.1 (19-008r4); GDAL GTiff driver.
pub(super) mod tag {
    pub const NEW_SUBFILE_TYPE: u16 = 254;
    pub const IMAGE_WIDTH: u16 = 256;
    pub const IMAGE_LENGTH: u16 = 257;
    pub const BITS_PER_SAMPLE: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const IMAGE_DESCRIPTION: u16 = 270;
    pub const SAMPLES_PER_PIXEL: u16 = 277;
    pub const PLANAR_CONFIG: u16 = 284;
    pub const SOFTWARE: u16 = 305;
    pub const DATE_TIME: u16 = 306;
    pub const ARTIST: u16 = 315;
    pub const PREDICTOR: u16 = 317;
    pub const COLOR_MAP: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_LENGTH: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTE_COUNTS: u16 = 325;
    pub const SAMPLE_FORMAT: u16 = 339;
    pub const COPYRIGHT: u16 = 33432;
    pub const MODEL_PIXEL_SCALE: u16 = 33550;
    pub const MODEL_TIEPOINT: u16 = 33922;
    pub const MODEL_TRANSFORMATION: u16 = 34264;
    pub const GEO_KEY_DIRECTORY: u16 = 34735;
    pub const GEO_DOUBLE_PARAMS: u16 = 34736;
    pub const GEO_ASCII_PARAMS: u16 = 34737;
    pub const GDAL_METADATA: u16 = 42112;
    pub const GDAL_NODATA: u16 = 42113;
}

/// Value types of TIFF. Source: TIFF 6.0, section 2; BigTIFF (16).
pub(super) mod kind {
    pub const SHORT: u16 = 3;
    pub const LONG: u16 = 4;
    pub const LONG8: u16 = 16;
}

/// Tags a product takes from its template; all others describe pixels, which the template does not have.
const KEPT: [u16; 14] = [
    tag::IMAGE_DESCRIPTION,
    tag::SOFTWARE,
    tag::DATE_TIME,
    tag::ARTIST,
    tag::COLOR_MAP,
    tag::COPYRIGHT,
    tag::MODEL_PIXEL_SCALE,
    tag::MODEL_TIEPOINT,
    tag::MODEL_TRANSFORMATION,
    tag::GEO_KEY_DIRECTORY,
    tag::GEO_DOUBLE_PARAMS,
    tag::GEO_ASCII_PARAMS,
    tag::GDAL_METADATA,
    tag::GDAL_NODATA,
];

/// Tags that overviews repeat, as those of GDAL's COG driver do.
const KEPT_IN_OVERVIEWS: [u16; 2] = [tag::COLOR_MAP, tag::GDAL_NODATA];

/// Most bytes a directory may take. A directory we or GDAL write has some thirty entries, under 1 kB.
const MAX_DIRECTORY_BYTES: u64 = 1 << 20;

/// Holds one TIFF tag with its value, as it stands in a little-endian file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Tag number, such as 320 for the palette.
    pub id: u16,
    /// TIFF value type, such as 3 for 16-bit unsigned.
    pub kind: u16,
    /// Number of values, not of bytes.
    pub count: u64,
    /// Values, little endian.
    pub bytes: Vec<u8>,
}

/// Holds what a raster's tags say about it beyond its pixels: CRS, geotransform, nodata value, palette, metadata.
///
/// # Shape
/// In ascending order of tag number, no number twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateTags(Vec<Tag>);

impl TemplateTags {
    /// Takes the tags from the first directory of a GeoTIFF, of which `bytes` is the whole file.
    ///
    /// Keeps 270, 305, 306, 315, 320, 33432, 33550, 33922, 34264, 34735, 34736, 34737, 42112 and 42113.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if `bytes` are no little-endian TIFF, classic or BigTIFF, or a kept tag is damaged.
    /// # Source
    /// TIFF 6.0; OGC GeoTIFF 1.1 (19-008r4); GDAL GTiff driver for 42112 and 42113.
    pub fn from_geotiff(bytes: &[u8]) -> io::Result<Self> {
        let tiff = Tiff::open(bytes)?;
        let directory = tiff.directory(tiff.first_directory)?;
        let mut tags = directory
            .entries
            .iter()
            .filter(|entry| KEPT.contains(&entry.id))
            .map(|entry| {
                Ok(Tag { id: entry.id, kind: entry.kind, count: entry.count, bytes: tiff.bytes(entry)? })
            })
            .collect::<io::Result<Vec<Tag>>>()?;
        tags.sort_by_key(|tag| tag.id);
        if let Some(twice) = tags.windows(2).find_map(|pair| match pair {
            [a, b] if a.id == b.id => Some(a.id),
            _ => None,
        }) {
            return Err(malformed(format!("tag {twice} stands twice in the template; expected once")));
        }
        Ok(Self(tags))
    }

    /// Lists the tags of the full resolution, in ascending order.
    pub fn tags(&self) -> &[Tag] {
        &self.0
    }

    /// Finds a tag by its number.
    pub fn get(&self, id: u16) -> Option<&Tag> {
        self.0.iter().find(|tag| tag.id == id)
    }

    /// Lists the tags that level `level` carries: all of them at level 0, palette and nodata above.
    pub(super) fn of_level(&self, level: usize) -> impl Iterator<Item = &Tag> {
        self.0.iter().filter(move |tag| level == 0 || KEPT_IN_OVERVIEWS.contains(&tag.id))
    }
}

/// Reads bytes at a position; a file or a slice.
pub(super) trait ReadAt {
    /// Gives the length, in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Fills `out` from `offset`. The caller has checked that the bytes exist.
    fn fill(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn fill(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(out, offset)
    }
}

impl ReadAt for [u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn fill(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let found = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(out.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }
}

/// Opens a little-endian TIFF for reading its directories.
pub(super) struct Tiff<'a, S: ReadAt + ?Sized> {
    source: &'a S,
    /// Length of the file, bytes.
    pub len: u64,
    /// Tells BigTIFF from classic TIFF.
    pub big: bool,
    /// Position of the first directory.
    pub first_directory: u64,
}

/// One directory: entries in file order, where it ends, where the next one is (0 = none).
pub(super) struct Directory {
    pub entries: Vec<Entry>,
    pub next: u64,
    /// Position after the directory itself, values elsewhere not counted.
    pub end: u64,
}

/// One entry of a directory: what it holds and where its value stands, inline or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub id: u16,
    pub kind: u16,
    pub count: u64,
    pub value_at: u64,
}

impl<'a, S: ReadAt + ?Sized> Tiff<'a, S> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if the source is no little-endian TIFF; other kinds if it cannot be read.
    pub fn open(source: &'a S) -> io::Result<Self> {
        let mut tiff = Self { source, len: source.size()?, big: false, first_directory: 0 };
        let [b0, b1, b2, b3, rest @ ..] = tiff.read_array::<8>(0)?;
        match [b0, b1, b2, b3] {
            [b'I', b'I', 42, 0] => tiff.first_directory = uint(&rest),
            [b'I', b'I', 43, 0] if rest == [8, 0, 0, 0] => {
                tiff.big = true;
                tiff.first_directory = uint(&tiff.read_array::<8>(8)?);
            }
            found => {
                return Err(malformed(format!(
                    "the file begins with bytes {found:02x?}; expected a little-endian TIFF ([49, 49, 2a, 00]) or BigTIFF ([49, 49, 2b, 00])"
                )));
            }
        }
        Ok(tiff)
    }

    /// Reads the directory at `offset`.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if it does not lie in the file or claims more than a megabyte.
    pub fn directory(&self, offset: u64) -> io::Result<Directory> {
        let (count_bytes, entry_bytes, pointer_bytes) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let count = uint(&self.read(offset, count_bytes)?);
        let entries_len =
            count.checked_mul(entry_bytes).filter(|len| *len <= MAX_DIRECTORY_BYTES).ok_or_else(|| {
                malformed(format!(
                    "the directory at byte {offset} claims {count} entries; expected some thirty"
                ))
            })?;
        let entries_at = offset + count_bytes;
        let entries = self
            .read(entries_at, entries_len)?
            .chunks_exact(entry_bytes as usize)
            .zip(0..)
            .map(|(bytes, index)| self.entry(bytes, entries_at + index * entry_bytes))
            .collect();
        let next_at = entries_at + entries_len;
        let next = uint(&self.read(next_at, pointer_bytes)?);
        Ok(Directory { entries, next, end: next_at + pointer_bytes })
    }

    /// Reads one entry: number, type, count, then the value itself if it fits, else its position.
    fn entry(&self, bytes: &[u8], at: u64) -> Entry {
        let (id, rest) = bytes.split_at(2);
        let (kind, rest) = rest.split_at(2);
        let (count, value) = rest.split_at(rest.len() / 2);
        let mut entry =
            Entry { id: uint(id) as u16, kind: uint(kind) as u16, count: uint(count), value_at: 0 };
        let inline = entry.bytes().is_some_and(|len| len <= value.len() as u64);
        entry.value_at = if inline { at + 4 + count.len() as u64 } else { uint(value) };
        entry
    }

    /// Reads the whole value of an entry.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if its type is unknown or the value does not lie in the file.
    pub fn bytes(&self, entry: &Entry) -> io::Result<Vec<u8>> {
        let len = entry.bytes().ok_or_else(|| entry.malformed())?;
        self.read(entry.value_at, len)
    }

    /// Reads `count` unsigned integers of an entry, from the one with number `first` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if the entry holds no unsigned integers, or fewer, or does not lie in the file.
    pub fn uints(&self, entry: &Entry, first: u64, count: u64) -> io::Result<Vec<u64>> {
        let width = match entry.kind {
            kind::SHORT => 2,
            kind::LONG => 4,
            kind::LONG8 => 8,
            _ => return Err(entry.malformed()),
        };
        let end =
            first.checked_add(count).filter(|end| *end <= entry.count).ok_or_else(|| entry.malformed())?;
        let position =
            |index: u64| index.checked_mul(width).and_then(|skip| entry.value_at.checked_add(skip));
        let (Some(from), Some(to)) = (position(first), position(end)) else {
            return Err(entry.malformed());
        };
        Ok(self.read(from, to - from)?.chunks_exact(width as usize).map(uint).collect())
    }

    /// Reads `len` bytes at `offset`, after checking that the file has them.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if it has not.
    pub fn read(&self, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let past_end = || {
            malformed(format!(
                "{len} bytes are expected at byte {offset}, but the file has {} bytes",
                self.len
            ))
        };
        offset.checked_add(len).filter(|end| *end <= self.len).ok_or_else(past_end)?;
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| past_end())?];
        self.source.fill(offset, &mut bytes)?;
        Ok(bytes)
    }

    fn read_array<const N: usize>(&self, offset: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.read(offset, N as u64)?);
        Ok(bytes)
    }
}

impl Entry {
    /// Gives the length of the value in bytes; none if the type is unknown or the length beyond 64 bits.
    pub fn bytes(&self) -> Option<u64> {
        let width = match self.kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 | 17 | 18 => 8,
            _ => return None,
        };
        self.count.checked_mul(width)
    }

    fn malformed(&self) -> io::Error {
        malformed(format!(
            "tag {} has {} values of type {}, which it cannot have",
            self.id, self.count, self.kind
        ))
    }
}

/// Reads an unsigned integer of up to eight bytes, little endian.
pub(super) fn uint(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn malformed(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    /// A classic TIFF of one directory: a copyright of 3 characters (inline), a width, a description (not inline).
    fn classic() -> Vec<u8> {
        let mut file = b"II\x2a\0\x08\0\0\0\x03\0".to_vec();
        file.extend([0x98, 0x82, 2, 0, 4, 0, 0, 0, b'c', b'e', b'c', 0]);
        file.extend([0x00, 0x01, 3, 0, 1, 0, 0, 0, 7, 0, 0, 0]);
        file.extend([0x0e, 0x01, 2, 0, 5, 0, 0, 0, 50, 0, 0, 0]);
        file.extend([0, 0, 0, 0]);
        file.extend(b"land\0");
        file
    }

    #[test]
    fn kept_tags_are_sorted_and_the_others_left_out() {
        let tags = TemplateTags::from_geotiff(&classic()).unwrap();
        let description = Tag { id: 270, kind: 2, count: 5, bytes: b"land\0".to_vec() };
        let copyright = Tag { id: 33432, kind: 2, count: 4, bytes: b"cec\0".to_vec() };
        assert_eq!(tags.tags(), [description, copyright]);
        assert_eq!(tags.get(33432).unwrap().count, 4);
        assert_eq!(tags.of_level(1).count(), 0);
    }

    #[test]
    fn big_tiff_is_read_like_classic_tiff() {
        let mut file = b"II\x2b\0\x08\0\0\0".to_vec();
        file.extend(16_u64.to_le_bytes());
        file.extend(1_u64.to_le_bytes());
        file.extend(42113_u16.to_le_bytes());
        file.extend(2_u16.to_le_bytes());
        file.extend(6_u64.to_le_bytes());
        file.extend(b"65535\0\0\0");
        file.extend(0_u64.to_le_bytes());
        let tags = TemplateTags::from_geotiff(&file).unwrap();
        assert_eq!(tags.tags(), [Tag { id: 42113, kind: 2, count: 6, bytes: b"65535\0".to_vec() }]);
        assert_eq!(tags.of_level(3).count(), 1);
    }

    #[test]
    fn a_cut_file_is_refused() {
        let file = classic();
        for len in 0..file.len() {
            let error = TemplateTags::from_geotiff(&file[..len]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{len} bytes");
        }
    }

    #[test]
    fn a_value_longer_than_the_file_is_refused_without_reserving_it() {
        let mut file = classic();
        file[38..42].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = TemplateTags::from_geotiff(&file).unwrap_err();
        assert!(error.to_string().starts_with("4294967295 bytes are expected"), "{error}");
    }

    #[test]
    fn a_tag_that_stands_twice_is_refused() {
        let mut file = classic();
        file[22..24].copy_from_slice(&33432_u16.to_le_bytes());
        assert!(TemplateTags::from_geotiff(&file).is_err());
    }
}
