//! What no change matrix of two DEFLATE maps can go below: decoding their blocks and counting pairs, one core, no more.
//!
//! `limit FROM.tif TO.tif [MATRIX.csv]`, both tiled alike, codes 0 to 31. Prints processor seconds of one pass
//! over both maps: decoding with libdeflate, counting. `scripts/bench` runs it between the other programs.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark that cannot set itself up should fail loudly"
)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use libdeflater::Decompressor;
use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// Bits of a code.
const BITS: usize = 5;
/// Counters side by side, so that equal neighbours do not wait for each other.
const LANES: usize = 4;
/// Passes are repeated until they took this long together.
const LEAST_SECONDS: f64 = 0.5;

struct Blocks {
    file: File,
    places: Vec<(u64, usize)>,
    shape: [u64; 4],
}

impl Blocks {
    fn of(path: &str) -> Self {
        let file = File::open(path).unwrap();
        let mut decoder = Decoder::new(file.try_clone().unwrap()).unwrap();
        let mut one = |tag| decoder.get_tag_u64(tag).unwrap();
        assert!([8, 32_946].contains(&one(Tag::Compression)), "{path} is not DEFLATE");
        let shape = [Tag::ImageWidth, Tag::ImageLength, Tag::TileWidth, Tag::TileLength].map(&mut one);
        let mut many = |tag| decoder.get_tag_u64_vec(tag).unwrap();
        let (offsets, counts) = (many(Tag::TileOffsets), many(Tag::TileByteCounts));
        let places = offsets.into_iter().zip(counts.into_iter().map(|n| n as usize)).collect();
        Self { file, places, shape }
    }

    /// Decodes a block; one that the file leaves out is empty.
    fn decode(&self, block: usize, codec: &mut Decompressor, packed: &mut Vec<u8>, cells: &mut [u8]) {
        let (place, length) = self.places[block];
        if length == 0 {
            cells.fill(0);
            return;
        }
        packed.resize(length, 0);
        self.file.read_exact_at(packed, place).unwrap();
        assert_eq!(codec.zlib_decompress(packed, cells).unwrap(), cells.len());
    }
}

#[derive(Clone)]
struct Counts(Vec<u64>);

impl Counts {
    /// Counts pairs; eight equal cells in a row at once, which is what maps are made of.
    fn add(&mut self, from: &[u8], to: &[u8]) {
        let mut lanes = [[0u32; 1 << (2 * BITS)]; LANES];
        let at = |from: u8, to: u8| (usize::from(from & 31) << BITS) | usize::from(to & 31);
        let mut seen = 0;
        for (from, to) in from.chunks_exact(8).zip(to.chunks_exact(8)) {
            let word = |cells: &[u8]| u64::from_ne_bytes(cells.try_into().unwrap());
            let (a, b) = (word(from), word(to));
            seen |= a | b;
            if a == u64::from(from[0]) * 0x0101_0101_0101_0101
                && b == u64::from(to[0]) * 0x0101_0101_0101_0101
            {
                lanes[0][at(from[0], to[0])] += 8;
            } else {
                for (i, (from, to)) in from.iter().zip(to).enumerate() {
                    lanes[i % LANES][at(*from, *to)] += 1;
                }
            }
        }
        assert_eq!(seen & 0xe0e0_e0e0_e0e0_e0e0, 0, "a code above 31");
        for lane in &lanes {
            for (sum, n) in self.0.iter_mut().zip(lane) {
                *sum += u64::from(*n);
            }
        }
    }
}

/// Seconds this process spent on a core; wall time where the system does not tell.
fn processor_seconds(start: Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let spent = text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    spent.map_or_else(|| start.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

/// Sets the cells of a block beyond the edges of the map to 0.
fn crop(cells: &mut [u8], block: usize, [width, height, tile_width, tile_height]: [u64; 4]) {
    let across = width.div_ceil(tile_width);
    let (col, row) = (block as u64 % across * tile_width, block as u64 / across * tile_height);
    let (cols, rows) = ((width - col).min(tile_width) as usize, (height - row).min(tile_height) as usize);
    for (i, line) in cells.chunks_exact_mut(tile_width as usize).enumerate() {
        line[if i < rows { cols } else { 0 }..].fill(0);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let maps = [&arguments[0], &arguments[1]].map(|path| Blocks::of(path));
    assert_eq!(maps[0].shape, maps[1].shape, "two maps tiled differently");
    let [width, height, tile_width, tile_height] = maps[0].shape;
    let blocks = maps[0].places.len();
    let start = Instant::now();
    let (mut codec, mut packed) = (Decompressor::new(), Vec::new());
    let mut cells = [(); 2].map(|()| vec![0u8; (tile_width * tile_height) as usize]);
    let mut counts = Counts(vec![0; 1 << (2 * BITS)]);
    let mut pass = |counting: bool| {
        counts.0.fill(0);
        for block in 0..blocks {
            for (map, cells) in maps.iter().zip(&mut cells) {
                map.decode(block, &mut codec, &mut packed, cells);
            }
            if counting {
                cells.iter_mut().for_each(|cells| crop(cells, block, maps[0].shape));
                counts.add(&cells[0], &cells[1]);
            }
        }
    };
    let mut mean = |counting: bool| {
        let before = processor_seconds(start);
        for passes in 1.. {
            pass(counting);
            let spent = processor_seconds(start) - before;
            if spent > LEAST_SECONDS {
                return spent / f64::from(passes);
            }
        }
        0.0
    };
    let decode = mean(false);
    let whole = mean(true);
    let mpx = (width * height) as f64 / 1e6;
    println!("decode_s {decode:.4}");
    println!("count_s {:.4}", (whole - decode).max(0.0));
    println!("mpx {mpx:.3}");
    if let Some(path) = arguments.get(2) {
        let cell = |i: usize, n: u64| format!("{},{},{n}\n", i >> BITS, i & 31);
        let lines = counts.0.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, n)| cell(i, *n));
        std::fs::write(path, format!("from,to,cells\n{}", lines.collect::<String>())).unwrap();
    }
}
