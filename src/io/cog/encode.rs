//! Turns the raw bytes of one block into the bytes of one TIFF tile.
//!
//! Workers encode while they compute, so that the merge only copies bytes. A worker owns one
//! [`BlockEncoder`]: the codec state is allocated once, not once a block.
//!
//! No predictor: class codes are names, not quantities, and the difference of two neighbouring codes is
//! no shorter to write than the codes (DEFLATE 6: 4.13 MB without, 4.58 MB with, on a synthetic map).

use std::io;

use libdeflater::{CompressionLvl, Compressor};
use serde::{Deserialize, Serialize};
use weezl::BitOrder;

use crate::io::tiff::decode::code;

/// Level of zstd. Source: the default of GDAL's GTiff and COG drivers (`ZSTD_LEVEL`).
const ZSTD_LEVEL: i32 = 9;

/// Width in bits of the symbols LZW reads. Source: TIFF 6.0, section 13.
const LZW_SYMBOL_BITS: u8 = 8;

/// Names how the blocks of a raster are compressed.
///
/// The first three are all DEFLATE, which every TIFF reader knows, and differ in effort only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// DEFLATE, level 3 of libdeflate.
    Fast,
    /// DEFLATE, level 6 of libdeflate.
    #[default]
    Balanced,
    /// DEFLATE, level 7 of libdeflate.
    Small,
    /// Zstandard, level 9; older software cannot read it.
    Zstd,
    /// LZW as TIFF 6.0 defines it; the most widely read of all.
    Lzw,
    /// Raw bytes.
    None,
}

impl Compression {
    /// Gives the value of TIFF tag 259.
    ///
    /// # Source
    /// TIFF 6.0 (1, 5); Adobe TIFF Technical Notes 2002 (8); libtiff `COMPRESSION_ZSTD` (50000).
    pub const fn tiff_code(self) -> u16 {
        match self {
            Self::Fast | Self::Balanced | Self::Small => code::DEFLATE,
            Self::Zstd => code::ZSTD,
            Self::Lzw => code::LZW,
            Self::None => code::NONE,
        }
    }
}

/// Compresses blocks, one after the other.
///
/// # Determinism
/// The bytes of a block depend on its raw bytes, the [`Compression`] and the versions of the codec
/// libraries, never on the blocks encoded before it.
pub struct BlockEncoder(Encoder);

enum Encoder {
    Deflate(Compressor),
    Zstd(zstd::bulk::Compressor<'static>),
    Lzw(weezl::encode::Encoder),
    Raw,
}

impl BlockEncoder {
    /// Allocates the state of the codec.
    ///
    /// # Errors
    /// [`io::ErrorKind::Other`] or [`io::ErrorKind::OutOfMemory`] if the codec library cannot be set up.
    pub fn new(compression: Compression) -> io::Result<Self> {
        Ok(Self(match compression {
            Compression::Fast => deflate(3)?,
            Compression::Balanced => deflate(6)?,
            Compression::Small => deflate(7)?,
            Compression::Zstd => Encoder::Zstd(zstd::bulk::Compressor::new(ZSTD_LEVEL)?),
            Compression::Lzw => {
                Encoder::Lzw(weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, LZW_SYMBOL_BITS))
            }
            Compression::None => Encoder::Raw,
        }))
    }

    /// Replaces the content of `out` by the compressed bytes of `raw`.
    ///
    /// # Errors
    /// [`io::ErrorKind::Other`] if the codec library fails.
    /// # Cost
    /// One pass; `out` keeps its capacity, so that a worker that reuses it allocates once.
    pub fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        out.clear();
        match &mut self.0 {
            Encoder::Deflate(compressor) => {
                out.resize(compressor.zlib_compress_bound(raw.len()), 0);
                let written = compressor.zlib_compress(raw, out).map_err(|error| {
                    io::Error::other(format!("libdeflate cannot compress a block: {error}"))
                })?;
                out.truncate(written);
            }
            Encoder::Zstd(compressor) => {
                out.reserve(zstd::zstd_safe::compress_bound(raw.len()));
                compressor.compress_to_buffer(raw, out)?;
            }
            Encoder::Lzw(encoder) => {
                encoder.reset();
                encoder.into_vec(out).encode_all(raw).status.map_err(io::Error::other)?;
            }
            Encoder::Raw => out.extend_from_slice(raw),
        }
        Ok(())
    }
}

fn deflate(level: i32) -> io::Result<Encoder> {
    let level = CompressionLvl::new(level)
        .map_err(|error| io::Error::other(format!("libdeflate refuses level {level}: {error:?}")))?;
    Ok(Encoder::Deflate(Compressor::new(level)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::io::tiff::BlockDecoder;

    const ALL: [Compression; 6] = [
        Compression::Fast,
        Compression::Balanced,
        Compression::Small,
        Compression::Zstd,
        Compression::Lzw,
        Compression::None,
    ];

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .take(len)
        .collect()
    }

    fn change_codes(cells: usize) -> Vec<u8> {
        (0..cells).flat_map(|cell| ((cell / 700 % 19 * 100 + cell / 90 % 19) as u16).to_le_bytes()).collect()
    }

    #[test]
    fn every_codec_gives_back_noise_constants_and_16_bit_codes() {
        let raws = [noise(512 * 512), vec![17; 512 * 512], change_codes(512 * 512), noise(1)];
        for compression in ALL {
            let mut encoder = BlockEncoder::new(compression).unwrap();
            let mut decoder = BlockDecoder::new(compression.tiff_code()).unwrap();
            let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
            for raw in &raws {
                encoder.encode(raw, &mut encoded).unwrap();
                decoder.decode(&encoded, raw.len(), &mut decoded).unwrap();
                assert!(&decoded == raw, "{compression:?}, {} bytes", raw.len());
            }
        }
    }

    #[test]
    fn a_block_does_not_depend_on_the_blocks_before_it() {
        for compression in ALL {
            let raw = change_codes(512 * 512);
            let mut fresh = Vec::new();
            BlockEncoder::new(compression).unwrap().encode(&raw, &mut fresh).unwrap();
            let mut used = BlockEncoder::new(compression).unwrap();
            let mut reused = noise(9);
            used.encode(&noise(100_000), &mut reused).unwrap();
            used.encode(&raw, &mut reused).unwrap();
            assert!(fresh == reused, "{compression:?}");
        }
    }

    #[test]
    fn a_block_of_another_length_than_expected_is_refused() {
        for compression in ALL {
            let mut encoded = Vec::new();
            BlockEncoder::new(compression).unwrap().encode(&noise(1000), &mut encoded).unwrap();
            for expected in [0, 999, 1001, 100_000] {
                let mut decoder = BlockDecoder::new(compression.tiff_code()).unwrap();
                let error = decoder.decode(&encoded, expected, &mut Vec::new()).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{compression:?}, {expected}");
            }
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_decoded_but_never_panic() {
        for compression in ALL {
            let mut encoded = Vec::new();
            BlockEncoder::new(compression).unwrap().encode(&change_codes(4000), &mut encoded).unwrap();
            let mut decoder = BlockDecoder::new(compression.tiff_code()).unwrap();
            let mut out = Vec::new();
            for cut in 0..encoded.len().min(300) {
                let _ = decoder.decode(&encoded[..cut], 8000, &mut out);
                let mut flipped = encoded.clone();
                flipped[cut] ^= 0x5a;
                let _ = decoder.decode(&flipped, 8000, &mut out);
            }
            let _ = decoder.decode(&noise(5000), 8000, &mut out);
            decoder.decode(&encoded, 8000, &mut out).unwrap();
        }
    }

    #[test]
    fn an_unknown_compression_code_is_refused() {
        assert!(BlockDecoder::new(7).is_err());
    }

    #[test]
    fn compressions_are_written_in_lower_case() {
        let read = |name: &str| -> Result<Compression, serde::de::value::Error> {
            Compression::deserialize(serde::de::IntoDeserializer::into_deserializer(name))
        };
        assert_eq!(read("balanced"), Ok(Compression::Balanced));
        assert_eq!(read("lzw"), Ok(Compression::Lzw));
        assert!(read("jpeg").is_err());
    }
}
