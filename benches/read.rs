//! A class map read from disk, by codec: past GDAL, and by GDAL's windows: `cargo bench --bench read`.
//!
//! Each reading opens the file anew, so that GDAL's cache of blocks holds nothing of the reading before.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot set itself up should fail loudly"
)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gdal::DriverManager;
use gdal::raster::{Buffer, RasterCreationOptions};
use nalcms::io::cog::{BlockDecoder, BlockEncoder, Compression, SampleType};
use nalcms::io::gdal::open_raster;
use nalcms::kernel::landscape::{Landscape, Profile};
use nalcms::model::window::{BLOCK, Window};

/// Side of the map, in cells.
const SIDE: usize = 4 * BLOCK;

fn map() -> Vec<u8> {
    let landscape = Landscape::new(1, 30.0, Profile::Interior);
    let mut cells = vec![0; SIDE * SIDE];
    for (row, line) in cells.chunks_mut(SIDE).enumerate() {
        landscape.fill_row(-300_000.0, 30.0, 100_000.0 - row as f64 * 30.0, 2010, line);
    }
    cells
}

fn draw(path: &Path, cells: &[u8], options: &[&str]) {
    let mut creation = RasterCreationOptions::new();
    options.iter().for_each(|option| creation.add_string(option).unwrap());
    let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
    let mut dataset =
        driver.create_with_band_type_with_options::<u8, _>(path, SIDE, SIDE, 1, &creation).unwrap();
    dataset.set_geo_transform(&[0.0, 30.0, 0.0, 0.0, 0.0, -30.0]).unwrap();
    let mut buffer = Buffer::new((SIDE, SIDE), cells.to_vec());
    dataset.rasterband(1).unwrap().write((0, 0), (SIDE, SIDE), &mut buffer).unwrap();
    dataset.close().unwrap();
}

/// Strips of a map, as tasks read them; `shift` rows off the blocks.
fn strips(shift: usize) -> impl Iterator<Item = Window> {
    let edges = [0].into_iter().chain((1..=SIDE / BLOCK).map(move |i| i * BLOCK - shift)).chain([SIDE]);
    let edges: Vec<usize> = edges.collect();
    let strip = |pair: &[usize]| Window { row: pair[0] as i64, col: 0, rows: pair[1] - pair[0], cols: SIDE };
    edges.windows(2).map(strip).filter(|strip| strip.rows > 0).collect::<Vec<_>>().into_iter()
}

fn reading(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let cells = map();
    let tiled = ["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512"];
    for codec in ["NONE", "DEFLATE", "LZW", "ZSTD"] {
        let compress = format!("COMPRESS={codec}");
        for (layout, options, shift) in
            [("tiles", &tiled[..], 0), ("cut tiles", &tiled[..], 100), ("strips", &["BLOCKYSIZE=16"][..], 0)]
        {
            let path = folder.path().join("map.tif");
            draw(&path, &cells, &[options, &[&compress]].concat());
            let mut group = criterion.benchmark_group(format!("{codec}, {layout}"));
            group.throughput(Throughput::Elements((SIDE * SIDE) as u64));
            group.bench_function("past GDAL", |b| {
                b.iter(|| {
                    let file = open_raster(&path, None).unwrap();
                    strips(shift).for_each(|strip| drop(black_box(file.read(&strip).unwrap())));
                });
            });
            group.bench_function("by GDAL", |b| {
                b.iter(|| {
                    let file = gdal::Dataset::open(&path).unwrap();
                    let band = file.rasterband(1).unwrap();
                    for strip in strips(shift) {
                        let (at, size) = ((0, strip.row as isize), (SIDE, strip.rows));
                        black_box(band.read_as::<u8>(at, size, size, None).unwrap());
                    }
                });
            });
        }
    }
}

fn decoding(criterion: &mut Criterion) {
    let cells = map();
    let raw: Vec<u8> = cells.chunks(SIDE).take(BLOCK).flat_map(|line| &line[..BLOCK]).copied().collect();
    let mut group = criterion.benchmark_group("decode a block");
    group.throughput(Throughput::Elements(raw.len() as u64));
    for (name, compression) in [
        ("DEFLATE", Compression::Balanced),
        ("LZW", Compression::Lzw),
        ("ZSTD", Compression::Zstd),
        ("NONE", Compression::None),
    ] {
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        BlockEncoder::new(compression).unwrap().encode(SampleType::U8, &raw, &mut bytes).unwrap();
        let mut decoder = BlockDecoder::new(compression.tiff_code()).unwrap();
        group.bench_function(name, |b| {
            b.iter(|| decoder.decode(black_box(&bytes), raw.len(), &mut out).unwrap());
        });
        if compression == Compression::Lzw {
            group.bench_function("LZW by weezl", |b| {
                let mut weezl = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
                b.iter(|| {
                    weezl.reset();
                    out.clear();
                    weezl.into_vec(&mut out).decode_all(black_box(&bytes)).status.unwrap();
                });
            });
        }
    }
}

criterion_group!(benches, reading, decoding);
criterion_main!(benches);
