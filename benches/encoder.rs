//! How small and how fast the encoder of class maps is beside libdeflate, on any maps of bytes: `encoder MAP.tif…`.
//!
//! Blocks of 512 x 512 cells, those at the edges filled up with zeros, are encoded in turn by every encoder, so that what
//! else the machine does hits all alike; every stream is decoded by libdeflate and compared. Prints a table: bytes and
//! cells per processor second, and the medians of both over the maps, libdeflate's level 7 being 1.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::panic,
    missing_docs,
    reason = "a benchmark that cannot set itself up should fail loudly"
)]

use std::path::Path;
use std::time::Instant;

use libdeflater::{CompressionLvl, Compressor, Decompressor};
use nalcms::io::cog::{BlockEncoder, Compression, SampleType};
use nalcms::io::gdal::{Pixels, open_raster};
use nalcms::model::window::{BLOCK, Window};
use processor::processor_seconds;

mod processor;

/// Blocks of a map that are encoded, spread over it.
const MOST_BLOCKS: usize = 256;

/// Rounds in which the encoders take turns; the median counts.
const ROUNDS: usize = 5;

/// An encoder repeats a map in a round until it took this long.
const LEAST_SECONDS: f64 = 0.1;

fn blocks_of(path: &Path) -> Vec<Vec<u8>> {
    let file = open_raster(path, Some(1)).unwrap();
    let squares: Vec<Window> =
        Window::whole(file.header.grid.rows, file.header.grid.cols).squares(BLOCK).collect();
    let step = squares.len().div_ceil(MOST_BLOCKS);
    let block = |square: &Window| {
        let Pixels::Bytes(cells) = file.read(square).unwrap() else {
            panic!("{} holds no bytes", path.display())
        };
        let mut bytes = vec![0; BLOCK * BLOCK];
        for (row, cells) in bytes.chunks_mut(BLOCK).zip(cells.outer_iter()) {
            row[..square.cols].copy_from_slice(cells.as_slice().unwrap());
        }
        bytes
    };
    squares.iter().step_by(step).map(block).collect()
}

/// Encoders under test: replace the content of a buffer by a zlib stream of the bytes.
type Encode = Box<dyn FnMut(&[u8], &mut Vec<u8>)>;

fn own(compression: Compression) -> Encode {
    let mut encoder = BlockEncoder::new(compression).unwrap();
    Box::new(move |raw, out| encoder.encode(SampleType::U8, raw, out).unwrap())
}

fn libdeflate(level: i32) -> Encode {
    let mut encoder = Compressor::new(CompressionLvl::new(level).unwrap());
    Box::new(move |raw, out| {
        out.resize(encoder.zlib_compress_bound(raw.len()), 0);
        let length = encoder.zlib_compress(raw, out).unwrap();
        out.truncate(length);
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}

fn main() {
    let names = ["libdeflate 7", "libdeflate 6", "small", "balanced", "fast"];
    let [small, balanced, fast] = [Compression::Small, Compression::Balanced, Compression::Fast].map(own);
    let mut encoders = [libdeflate(7), libdeflate(6), small, balanced, fast];
    let start = Instant::now();
    let (mut out, mut decoded, mut decoder) = (Vec::new(), vec![0; BLOCK * BLOCK], Decompressor::new());
    // By encoder: bytes and speed of each map, level 7 being 1.
    let mut relative = names.map(|_| (Vec::new(), Vec::new()));
    println!("| map | blocks | {} |\n|---|--:|{}", names.join(" | "), "--:|".repeat(names.len()));
    for path in std::env::args().skip(1) {
        let blocks = blocks_of(Path::new(&path));
        let mut bytes = names.map(|_| 0);
        for block in &blocks {
            for (position, encode) in encoders.iter_mut().enumerate() {
                encode(block, &mut out);
                bytes[position] += out.len();
                assert_eq!(decoder.zlib_decompress(&out, &mut decoded).unwrap(), block.len());
                assert!(decoded == *block, "{path} does not come back from {}", names[position]);
            }
        }
        let mut rounds = names.map(|_| Vec::new());
        for _ in 0..ROUNDS {
            for (encode, rounds) in encoders.iter_mut().zip(&mut rounds) {
                let before = processor_seconds(start);
                for passes in 1.. {
                    blocks.iter().for_each(|block| encode(block, &mut out));
                    let spent = processor_seconds(start) - before;
                    if spent > LEAST_SECONDS {
                        rounds.push(spent / f64::from(passes));
                        break;
                    }
                }
            }
        }
        let seconds = rounds.map(median);
        let cells = (blocks.len() * BLOCK * BLOCK) as f64;
        let cell = |(bytes, seconds)| format!("{bytes} B, {:.0} Mpx/s", cells / seconds / 1e6);
        let row: Vec<String> = bytes.into_iter().zip(seconds).map(cell).collect();
        let name = path.rsplit('/').take(2).collect::<Vec<_>>().join(" of ");
        println!("| {name} | {} | {} |", blocks.len(), row.join(" | "));
        for (i, (sizes, speeds)) in relative.iter_mut().enumerate() {
            sizes.push(bytes[i] as f64 / bytes[0] as f64);
            speeds.push(seconds[0] / seconds[i]);
        }
    }
    let medians = relative.map(|(sizes, speeds)| format!("{:.3}, {:.2}x", median(sizes), median(speeds)));
    println!("| median: bytes, speed | | {} |", medians.join(" | "));
}
