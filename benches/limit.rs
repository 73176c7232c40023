//! What no change matrix of two DEFLATE maps can go below: decoding their blocks with libdeflate and counting pairs with
//! the program's own kernel, one core, no more.
//!
//! `limit FROM.tif TO.tif [MATRIX.csv]`, both tiled alike. Prints processor seconds of one pass
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
use nalcms::kernel::histogram::PairCounts;
use processor::processor_seconds;
use tiff::decoder::Decoder;
use tiff::tags::Tag;

mod processor;

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
    let mut counts = PairCounts::new();
    let mut pass = |counting: bool| {
        counts.drain(|_, _, _| ());
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
        let mut lines = String::from("from,to,cells\n");
        counts.drain(|from, to, n| lines += &format!("{from},{to},{n}\n"));
        std::fs::write(path, lines).unwrap();
    }
}
