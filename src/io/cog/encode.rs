//! Turns the raw bytes of one block into the bytes of one TIFF tile.
//!
//! Workers encode while they compute, so that the merge only copies bytes. A worker owns one
//! [`BlockEncoder`]: the codec state is allocated once, not once a block.
//!
//! The usual DEFLATE is our own, made for class maps (`classmap/`); a block that is none goes to libdeflate. Which
//! of the two encodes a block follows from the block alone.
//!
//! No predictor: class codes are names, not quantities, and the difference of two neighbouring codes is
//! no shorter to write than the codes (DEFLATE 6: 4.13 MB without, 4.58 MB with, on a synthetic map).

use std::io;

use libdeflater::{CompressionLvl, Compressor};
use serde::{Deserialize, Serialize};
use weezl::BitOrder;

use crate::io::tiff::decode::code;

use super::classmap::{ClassMapEncoder, Effort};
use super::sample::SampleType;
use super::shape::BLOCK;

/// Level of zstd. Source: the default of GDAL's GTiff and COG drivers (`ZSTD_LEVEL`).
const ZSTD_LEVEL: i32 = 9;

/// Width in bits of the symbols LZW reads. Source: TIFF 6.0, section 13.
const LZW_SYMBOL_BITS: u8 = 8;

/// Names how the blocks of a raster are compressed.
///
/// The first three are all DEFLATE, which every TIFF reader knows, and differ in effort only. They are made for class
/// maps; on those they are smaller than libdeflate and, the first two, several times faster. Its levels are named for
/// blocks that are no class maps (noise, measured values).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// DEFLATE for class maps, quick; level 3 of libdeflate for other blocks.
    Fast,
    /// DEFLATE for class maps, smaller; level 6 of libdeflate for other blocks.
    #[default]
    Balanced,
    /// DEFLATE for class maps, smallest and some three and a half times as slow as `Balanced`; level 7 of libdeflate for other blocks.
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
    ClassMap { class_map: Box<ClassMapEncoder>, other: Compressor },
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
            Compression::Fast => class_map(Effort::Fast, 3)?,
            Compression::Balanced => class_map(Effort::Balanced, 6)?,
            Compression::Small => class_map(Effort::Small, 7)?,
            Compression::Zstd => Encoder::Zstd(zstd::bulk::Compressor::new(ZSTD_LEVEL)?),
            Compression::Lzw => {
                Encoder::Lzw(weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, LZW_SYMBOL_BITS))
            }
            Compression::None => Encoder::Raw,
        }))
    }

    /// Replaces the content of `out` by the compressed bytes of `raw`, the cells of a block of `sample`s.
    ///
    /// # Errors
    /// [`io::ErrorKind::Other`] if the codec library fails.
    /// # Cost
    /// One pass; `out` keeps its capacity, so that a worker that reuses it allocates once.
    pub fn encode(&mut self, sample: SampleType, raw: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        out.clear();
        match &mut self.0 {
            Encoder::ClassMap { class_map, other } => {
                let unit = usize::from(sample.bits() / 8);
                if !class_map.encode(raw, BLOCK as usize * unit, unit, out) {
                    deflate(other, raw, out)?;
                }
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

fn class_map(effort: Effort, other_level: i32) -> io::Result<Encoder> {
    Ok(Encoder::ClassMap {
        class_map: Box::new(ClassMapEncoder::new(effort)),
        other: libdeflate(other_level)?,
    })
}

fn libdeflate(level: i32) -> io::Result<Compressor> {
    let level = CompressionLvl::new(level)
        .map_err(|error| io::Error::other(format!("libdeflate refuses level {level}: {error:?}")))?;
    Ok(Compressor::new(level))
}

/// Replaces the content of `out` by what libdeflate makes of `raw`.
fn deflate(compressor: &mut Compressor, raw: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    out.resize(compressor.zlib_compress_bound(raw.len()), 0);
    let written = compressor
        .zlib_compress(raw, out)
        .map_err(|error| io::Error::other(format!("libdeflate cannot compress a block: {error}")))?;
    out.truncate(written);
    Ok(())
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
        let raws = [
            (SampleType::U8, noise(512 * 512)),
            (SampleType::U8, vec![17; 512 * 512]),
            (SampleType::U16, change_codes(512 * 512)),
            (SampleType::I32, vec![255; 4 * 512 * 512]),
            (SampleType::I8, noise(1)),
        ];
        for compression in ALL {
            let mut encoder = BlockEncoder::new(compression).unwrap();
            let mut decoder = BlockDecoder::new(compression.tiff_code()).unwrap();
            let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
            for (sample, raw) in &raws {
                encoder.encode(*sample, raw, &mut encoded).unwrap();
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
            BlockEncoder::new(compression).unwrap().encode(SampleType::U16, &raw, &mut fresh).unwrap();
            let mut used = BlockEncoder::new(compression).unwrap();
            let mut reused = noise(9);
            used.encode(SampleType::U8, &change_codes(70_000), &mut reused).unwrap();
            used.encode(SampleType::U16, &raw, &mut reused).unwrap();
            assert!(fresh == reused, "{compression:?}");
        }
    }

    #[test]
    fn noise_goes_to_libdeflate_and_class_maps_do_not() {
        for (compression, level) in
            [(Compression::Fast, 3), (Compression::Balanced, 6), (Compression::Small, 7)]
        {
            for (sample, raw, same) in [
                (SampleType::U8, noise(512 * 512), true),
                (SampleType::U16, noise(2 * 512 * 512), true),
                (SampleType::U16, change_codes(512 * 512), false),
            ] {
                let (mut found, mut general) = (Vec::new(), Vec::new());
                BlockEncoder::new(compression).unwrap().encode(sample, &raw, &mut found).unwrap();
                deflate(&mut libdeflate(level).unwrap(), &raw, &mut general).unwrap();
                assert_eq!(found == general, same, "{compression:?}, {sample:?}");
                // Codes that repeat after a fixed number of cells, as in no map, level 7 writes shorter.
                let may_be_larger = compression == Compression::Small && !same;
                assert!(may_be_larger || found.len() <= general.len(), "{compression:?}, {sample:?}");
            }
        }
    }

    #[test]
    fn a_block_of_another_length_than_expected_is_refused() {
        for compression in ALL {
            let mut encoded = Vec::new();
            BlockEncoder::new(compression)
                .unwrap()
                .encode(SampleType::U8, &noise(1000), &mut encoded)
                .unwrap();
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
            BlockEncoder::new(compression)
                .unwrap()
                .encode(SampleType::U16, &change_codes(4000), &mut encoded)
                .unwrap();
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
