//! Reads TIFF directories: which tags there are, and where their values stand.
//!
//! The reader shares nothing with the writer in `io::cog`, so that the check of a finished file, which uses it too, does
//! not confirm a mistake by repeating it. It allocates nothing a header asks for before it knows that the file is long
//! enough.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Tag numbers. Source: TIFF 6.0; Adobe PageMaker 6.0 TIFF notes; OGC GeoTIFF 1.1 (19-008r4); GDAL GTiff driver.
pub(in crate::io) mod tag {
    pub const NEW_SUBFILE_TYPE: u16 = 254;
    pub const IMAGE_WIDTH: u16 = 256;
    pub const IMAGE_LENGTH: u16 = 257;
    pub const BITS_PER_SAMPLE: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const IMAGE_DESCRIPTION: u16 = 270;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const SAMPLES_PER_PIXEL: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_BYTE_COUNTS: u16 = 279;
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
    pub const SUB_DIRECTORIES: u16 = 330;
    pub const SAMPLE_FORMAT: u16 = 339;
    pub const JPEG_TABLES: u16 = 347;
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
pub(in crate::io) mod kind {
    pub const SHORT: u16 = 3;
    pub const LONG: u16 = 4;
    pub const LONG8: u16 = 16;
}

/// Most bytes a directory may take. A directory we or GDAL write has some thirty entries, under 1 kB.
const MAX_DIRECTORY_BYTES: u64 = 1 << 20;

/// Reads bytes at a position; a file or a slice.
pub(in crate::io) trait ReadAt {
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
pub(in crate::io) struct Tiff<'a, S: ReadAt + ?Sized> {
    source: &'a S,
    /// Length of the file, bytes.
    pub len: u64,
    /// Tells BigTIFF from classic TIFF.
    pub big: bool,
    /// Position of the first directory.
    pub first_directory: u64,
}

/// One directory: entries in file order, where it ends, where the next one is (0 = none).
pub(in crate::io) struct Directory {
    pub entries: Vec<Entry>,
    pub next: u64,
    /// Position after the directory itself, values elsewhere not counted.
    pub end: u64,
}

/// One entry of a directory: what it holds and where its value stands, inline or not.
#[derive(Debug, Clone, Copy)]
pub(in crate::io) struct Entry {
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
pub(in crate::io) fn uint(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

pub(in crate::io) fn malformed(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
