//! Turns the bytes of one block of a TIFF file into its raw bytes.

use std::io;

use libdeflater::{DecompressionError, Decompressor};

use super::directory::malformed;
use super::lzw::{self, ImpossibleCode, LzwDecoder};

/// Values of TIFF tag 259.
///
/// # Source
/// TIFF 6.0 (1, 5); Adobe TIFF Technical Notes 2002 (8; 32946 is its older number); libtiff `COMPRESSION_ZSTD` (50000).
pub(in crate::io) mod code {
    pub const NONE: u16 = 1;
    pub const LZW: u16 = 5;
    pub const DEFLATE: u16 = 8;
    pub const OLD_DEFLATE: u16 = 32946;
    pub const ZSTD: u16 = 50000;
}

/// Decompresses blocks, one after the other.
pub struct BlockDecoder(Decoder);

enum Decoder {
    Deflate(Decompressor),
    Zstd(zstd::bulk::Decompressor<'static>),
    Lzw(LzwDecoder),
    Raw,
}

impl BlockDecoder {
    /// Allocates the state of the codec that TIFF tag 259 names.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if `tiff_code` is none of 1, 5, 8, 32946 and 50000.
    pub fn new(tiff_code: u16) -> io::Result<Self> {
        Ok(Self(match tiff_code {
            code::DEFLATE | code::OLD_DEFLATE => Decoder::Deflate(Decompressor::new()),
            code::ZSTD => Decoder::Zstd(zstd::bulk::Decompressor::new()?),
            code::LZW => Decoder::Lzw(LzwDecoder::new()),
            code::NONE => Decoder::Raw,
            other => {
                return Err(malformed(format!("compression code {other}; expected 1, 5, 8, 32946 or 50000")));
            }
        }))
    }

    /// Replaces the content of `out` by the `expected_len` raw bytes of a block.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if the bytes are damaged or hold more or fewer raw bytes than expected; `out` is
    /// empty then.
    /// # Cost
    /// Memory `expected_len` and a few bytes more, whatever the compressed bytes claim. A buffer that comes back from a
    /// block of the same length is not cleared again.
    pub fn decode(&mut self, bytes: &[u8], expected_len: usize, out: &mut Vec<u8>) -> io::Result<()> {
        self.try_decode(bytes, expected_len, out).map_err(|refusal| match refusal {
            Refusal::Damaged(words) | Refusal::Doubtful(words) => malformed(words),
        })
    }

    /// Does what [`Self::decode`] does, and says how sure it is that a block it refuses is damaged.
    pub(super) fn try_decode(
        &mut self,
        bytes: &[u8],
        expected_len: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let decoded = self.fill(bytes, expected_len, out).and_then(|found| {
            if found == expected_len {
                return Ok(());
            }
            let holds = |found: &str| format!("a block holds {found} raw bytes; expected {expected_len}");
            let words = if found > expected_len { holds("more") } else { holds(&found.to_string()) };
            match self.0 {
                Decoder::Deflate(_) => Err(Refusal::Damaged(words)),
                _ => Err(Refusal::Doubtful(words)),
            }
        });
        // Beyond the expected bytes stand scratch bytes.
        out.truncate(if decoded.is_ok() { expected_len } else { 0 });
        decoded
    }

    /// Decodes into `out`, which becomes longer than `expected_len`, and gives the number of bytes decoded.
    fn fill(&mut self, bytes: &[u8], expected_len: usize, out: &mut Vec<u8>) -> Result<usize, Refusal> {
        // The spare byte tells a block that is too long from one that fits.
        let room = expected_len.saturating_add(1);
        if let Decoder::Raw = self.0 {
            out.clear();
            out.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            return Ok(out.len());
        }
        let scratch = if matches!(self.0, Decoder::Lzw(_)) { lzw::SLACK } else { 0 };
        out.resize(room.saturating_add(scratch), 0);
        match &mut self.0 {
            Decoder::Deflate(decompressor) => match decompressor.zlib_decompress(bytes, out) {
                Ok(found) => Ok(found),
                Err(DecompressionError::InsufficientSpace) => Ok(room),
                Err(error) => Err(Refusal::Damaged(format!("a DEFLATE block cannot be decoded: {error}"))),
            },
            Decoder::Zstd(decompressor) => decompressor
                .decompress_to_buffer(bytes, out.as_mut_slice())
                .map_err(|error| Refusal::Doubtful(format!("a ZSTD block cannot be decoded: {error}"))),
            Decoder::Lzw(decoder) => decoder.decode(bytes, out).map_err(|ImpossibleCode| {
                Refusal::Doubtful("an LZW block holds a code that cannot be there".to_owned())
            }),
            Decoder::Raw => Ok(out.len()),
        }
    }
}

/// Why a block is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is damaged: its checksum says so, or it ends elsewhere than its cells.
    Damaged(String),
    /// It is damaged, or written in a way that is not read here, as streams are that go on after the last cell.
    Doubtful(String),
}
