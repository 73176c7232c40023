//! Any cells through our own DEFLATE: another reader gets them back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::io::cog::{BlockEncoder, Compression, SampleType};

const EFFORTS: [Compression; 3] = [Compression::Fast, Compression::Balanced, Compression::Small];

/// Cells as maps have them: each byte pair is a class and how often it comes, so that few bytes make a long block.
fn runs(pairs: &[u8]) -> Vec<u8> {
    pairs.chunks_exact(2).flat_map(|pair| vec![pair[0]; usize::from(pair[1]) * 4 + 1]).take(1 << 18).collect()
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    let raw = if choice & 1 == 0 { runs(rest) } else { rest.to_vec() };
    let choice = usize::from(choice >> 1);
    let (sample, compression) = (SampleType::ALL[choice / 3 % 6], EFFORTS[choice % 3]);
    let unit = usize::from(sample.bits() / 8);
    let raw = &raw[..raw.len() / unit * unit];
    let mut encoder = BlockEncoder::new(compression).unwrap();
    let mut out = Vec::new();
    encoder.encode(sample, raw, &mut out).unwrap();
    assert!(miniz_oxide::inflate::decompress_to_vec_zlib(&out).unwrap() == raw);
    // What other blocks leave behind changes nothing.
    let (mut other, mut again) = (Vec::new(), Vec::new());
    encoder.encode(sample, &raw[raw.len() / unit / 3 * unit..], &mut other).unwrap();
    encoder.encode(sample, raw, &mut again).unwrap();
    assert!(again == out);
});
