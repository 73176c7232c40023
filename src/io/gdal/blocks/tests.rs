#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail loudly"
)]
#![allow(clippy::print_stderr, reason = "a test that skips says so")]

use std::path::{Path, PathBuf};

use gdal::DriverManager;
use gdal::raster::{Buffer, GdalType, RasterCreationOptions};

use super::{BLOCK_CACHE_BYTES, ExpectedShape, PlainBlocks};
use crate::error::ErrorKind;
use crate::io::gdal::raster::{Pixels, RasterFile, open_raster, reopen_raster};
use crate::model::window::Window;

/// A cell of a made-up map: patches, with a few single cells in them.
fn class(row: usize, col: usize) -> usize {
    let patch = (row / 9 * 31 + col / 13 * 17) % 19 + 1;
    if (row * 7919 + col * 104_729).is_multiple_of(23) { (row + col) % 19 } else { patch }
}

/// Has GDAL write a map of `rows` x `cols` cells; only its upper half if it may be sparse.
fn draw<T: GdalType + Copy>(
    path: &Path,
    (rows, cols): (usize, usize),
    options: &[&str],
    cell: impl Fn(usize) -> T,
) {
    let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
    let mut creation = RasterCreationOptions::new();
    options
        .iter()
        .filter(|o| !o.starts_with("NODATA"))
        .for_each(|option| creation.add_string(option).unwrap());
    let mut dataset =
        driver.create_with_band_type_with_options::<T, _>(path, cols, rows, 1, &creation).unwrap();
    dataset.set_geo_transform(&[0.0, 30.0, 0.0, 0.0, 0.0, -30.0]).unwrap();
    let mut band = dataset.rasterband(1).unwrap();
    if let Some(nodata) = options.iter().find_map(|o| o.strip_prefix("NODATA=")) {
        band.set_no_data_value(Some(nodata.parse().unwrap())).unwrap();
    }
    let drawn = if options.contains(&"SPARSE_OK=TRUE") { rows / 2 } else { rows };
    let cells = (0..drawn * cols).map(|i| cell(class(i / cols, i % cols))).collect();
    band.write((0, 0), (cols, drawn), &mut Buffer::new((cols, drawn), cells)).unwrap();
    dataset.close().unwrap();
}

fn values(pixels: Pixels) -> (bool, Vec<i32>) {
    match pixels {
        Pixels::Bytes(cells) => (true, cells.iter().map(|v| i32::from(*v)).collect()),
        Pixels::Codes(cells) => (false, cells.iter().copied().collect()),
    }
}

/// Windows of all kinds: the whole, strips that cut blocks, corners, a cell.
fn windows(rows: usize, cols: usize) -> Vec<Window> {
    let whole = Window::whole(rows, cols);
    let strips = (0..rows).step_by(37).map(|row| Window { row: row as i64, col: 0, rows: 37, cols });
    let squares = whole.squares(61);
    let odd = [
        Window { row: rows as i64 / 2, col: cols as i64 / 3, rows: 20, cols: 50 },
        Window { row: rows as i64 - 1, col: cols as i64 - 1, rows: 1, cols: 1 },
        Window { row: 0, col: 5, rows, cols: 1 },
    ];
    let all = [whole].into_iter().chain(strips).chain(squares).chain(odd);
    all.map(|window| window.intersect(&whole)).filter(|window| !window.is_empty()).collect()
}

/// Reads every window by blocks and by GDAL alone.
fn assert_read_alike(file: &RasterFile, what: &str) {
    let grid = &file.header.grid;
    for window in windows(grid.rows, grid.cols) {
        match (file.read(&window), file.read_by_window(&window)) {
            (Ok(found), Ok(expected)) => {
                let (found, expected) = (values(found), values(expected));
                let cell = found.1.iter().zip(&expected.1).position(|(a, b)| a != b);
                assert!(found == expected, "{what}: {window}: cell {cell:?} differs");
            }
            (Err(_), Err(_)) => {}
            // GDAL makes nothing of a checksum that is wrong.
            (Err(_), Ok(_)) if file.header.compression.as_deref() == Some("DEFLATE") => {}
            (found, expected) => panic!("{what}: {window}: {found:?} by blocks, {expected:?} by GDAL"),
        }
    }
}

/// Whether blocks are read past GDAL.
fn is_plain(file: &RasterFile) -> bool {
    file.compressed_block(0, 0, &mut Vec::new()).is_some()
}

/// Rows and columns of a block; none if cells are not read by blocks.
fn layout(file: &RasterFile) -> Option<(usize, usize)> {
    file.blocks().map(|_| file.header.block)
}

/// The cells of a block, through its stored bytes where it has some.
fn block(file: &RasterFile, row: usize, col: usize, out: &mut Vec<u8>) -> crate::error::Result<()> {
    let mut stored = Vec::new();
    file.compressed_block(row, col, &mut stored);
    file.decode_block(row, col, &stored, out)
}

/// Creation options, and whether the file is plain.
const LAYOUTS: [(&[&str], bool); 32] = [
    (&[], true),
    (&["COMPRESS=DEFLATE"], true),
    (&["COMPRESS=LZW"], true),
    (&["COMPRESS=ZSTD"], true),
    (&["COMPRESS=LZW", "BLOCKYSIZE=1"], true),
    (&["COMPRESS=DEFLATE", "BLOCKYSIZE=40"], true),
    (&["COMPRESS=ZSTD", "BLOCKYSIZE=1000"], true),
    (&["BLOCKYSIZE=7"], true),
    (&["TILED=YES"], true),
    (&["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"], true),
    (&["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=32", "COMPRESS=DEFLATE"], true),
    (&["TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=64", "COMPRESS=LZW"], true),
    (&["TILED=YES", "BLOCKXSIZE=48", "BLOCKYSIZE=48", "COMPRESS=ZSTD"], true),
    (&["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=LZW"], true),
    (&["TILED=YES", "COMPRESS=LZW", "BIGTIFF=YES"], true),
    (&["COMPRESS=DEFLATE", "BIGTIFF=YES", "BLOCKYSIZE=16"], true),
    (&["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16", "COMPRESS=LZW", "SPARSE_OK=TRUE"], true),
    (&["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16", "SPARSE_OK=TRUE", "NODATA=9"], true),
    (&["COMPRESS=DEFLATE", "BLOCKYSIZE=4", "SPARSE_OK=TRUE", "NODATA=200"], true),
    (&["COMPRESS=DEFLATE", "BLOCKYSIZE=4", "SPARSE_OK=TRUE", "NODATA=-3"], true),
    (&["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16", "SPARSE_OK=TRUE", "NODATA=100000"], true),
    (&["INTERLEAVE=BAND", "TILED=YES", "COMPRESS=LZW"], true),
    (&["PHOTOMETRIC=MINISWHITE", "COMPRESS=LZW"], true),
    (&["COPY_SRC_OVERVIEWS=YES", "COMPRESS=ZSTD", "ZSTD_LEVEL=1"], true),
    (&["COMPRESS=LZW", "PREDICTOR=2"], false),
    (&["COMPRESS=DEFLATE", "PREDICTOR=2", "TILED=YES"], false),
    (&["COMPRESS=ZSTD", "PREDICTOR=2"], false),
    (&["COMPRESS=PACKBITS"], false),
    (&["COMPRESS=LZMA"], false),
    (&["COMPRESS=LZW", "ENDIANNESS=BIG"], false),
    (&["ENDIANNESS=BIG", "TILED=YES"], false),
    (&["COMPRESS=LERC_DEFLATE"], false),
];

/// Draws a layout, reads it both ways.
fn check<T: GdalType + Copy>(options: &[&str], plain: bool, cell: impl Fn(usize) -> T + Copy) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    for size in [(101, 203), (64, 64), (1, 1)] {
        draw(&path, size, options, cell);
        let file = open_raster(&path, None).unwrap();
        let what = format!("{:?} {size:?} {options:?}", file.header.sample);
        assert_eq!(is_plain(&file) && size.0 > 1, plain && size.0 > 1, "{what}");
        assert_read_alike(&file, &what);
    }
}

#[test]
fn every_layout_reads_the_same_past_gdal_and_by_gdal() {
    for (options, plain) in LAYOUTS {
        check(options, plain, |class| class as u8);
        check(options, plain, |class| (class * 1000) as u16);
        check(options, plain, |class| class as i16 * 1000 - 9000);
        check(options, plain, |class| class as i32 * 100_000_000 - 1_000_000_000);
        let signed = [options, &["PIXELTYPE=SIGNEDBYTE"]].concat();
        check(&signed, plain, |class| (class * 13) as u8);
    }
}

#[test]
fn cells_of_odd_types_stay_with_gdal() {
    for options in [&["TILED=YES"][..], &["COMPRESS=LZW"]] {
        check(options, false, |class| class as u32);
        check(options, false, |class| class as f32);
        check(options, false, |class| class as f64);
    }
    check(&["NBITS=5"], false, |class| class as u8);
    check(&["NBITS=12", "COMPRESS=LZW"], false, |class| class as u16);
}

#[test]
fn one_band_of_several_stays_with_gdal() {
    let folder = tempfile::tempdir().unwrap();
    for (i, interleave) in ["INTERLEAVE=PIXEL", "INTERLEAVE=BAND"].into_iter().enumerate() {
        let path = folder.path().join(format!("{i}.tif"));
        let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
        let mut creation = RasterCreationOptions::new();
        creation.add_string(interleave).unwrap();
        let mut dataset =
            driver.create_with_band_type_with_options::<u8, _>(&path, 50, 40, 2, &creation).unwrap();
        dataset.set_geo_transform(&[0.0, 30.0, 0.0, 0.0, 0.0, -30.0]).unwrap();
        for number in 1..=2 {
            let cells = (0..2000).map(|i| (class(i / 50, i % 50) * number) as u8).collect();
            let mut band = dataset.rasterband(number).unwrap();
            band.write((0, 0), (50, 40), &mut Buffer::new((50, 40), cells)).unwrap();
        }
        dataset.close().unwrap();
        let file = open_raster(&path, Some(2)).unwrap();
        assert_eq!((is_plain(&file), layout(&file)), (false, None));
        assert_read_alike(&file, interleave);
    }
}

#[test]
fn a_block_is_handed_out_as_it_is_drawn_and_equal_bytes_are_equal_cells() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    for codec in ["COMPRESS=LZW", "COMPRESS=DEFLATE", "COMPRESS=ZSTD", "COMPRESS=NONE", "COMPRESS=PACKBITS"] {
        draw(&path, (100, 90), &["TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=16", codec], |class| class as u16);
        let file = open_raster(&path, None).unwrap();
        assert_eq!(layout(&file), Some((16, 32)));
        let mut bytes = Vec::new();
        block(&file, 6, 2, &mut bytes).unwrap();
        assert_eq!(bytes.len(), 16 * 32 * 2);
        for (row, col) in [(96, 64), (99, 89)] {
            let at = ((row - 96) * 32 + col - 64) * 2;
            assert_eq!(
                usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]])),
                class(row, col),
                "{codec}"
            );
        }
        assert!(block(&file, 7, 0, &mut bytes).is_err() && block(&file, 0, 3, &mut bytes).is_err());
        let again = open_raster(&path, None).unwrap();
        let (mut here, mut there) = (Vec::new(), Vec::new());
        let codings = (file.compressed_block(3, 1, &mut here), again.compressed_block(3, 1, &mut there));
        assert_eq!((codings.0.is_some(), here == there), (codec != "COMPRESS=PACKBITS", true), "{codec}");
        assert_eq!(codings.0, codings.1);
        assert_eq!(file.compressed_block(7, 0, &mut here), None);
    }
}

#[test]
fn blocks_that_were_never_written_have_no_bytes_and_gdals_cells() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    let options = ["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16", "SPARSE_OK=TRUE", "NODATA=7"];
    draw(&path, (64, 64), &options, |class| class as u8);
    let file = open_raster(&path, None).unwrap();
    let mut bytes = Vec::new();
    assert!(file.compressed_block(1, 1, &mut bytes).is_some());
    assert!(file.compressed_block(2, 0, &mut bytes).is_none());
    block(&file, 2, 0, &mut bytes).unwrap();
    assert_eq!(bytes, vec![7; 256]);
}

#[test]
fn damaged_files_are_read_alike_or_refused_alike() {
    crate::io::gdal::init().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (whole, damaged) = (folder.path().join("whole.tif"), folder.path().join("damaged.tif"));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    for codec in ["COMPRESS=LZW", "COMPRESS=DEFLATE", "COMPRESS=ZSTD", "COMPRESS=NONE"] {
        for layout in [&["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16"][..], &["BLOCKYSIZE=5"]] {
            draw(&whole, (50, 70), &[layout, &[codec]].concat(), |class| class as u8);
            let bytes = std::fs::read(&whole).unwrap();
            for round in 0..60 {
                let mut bytes = bytes.clone();
                let head = bytes.len().min(400);
                match round % 3 {
                    0 => bytes.truncate(random(bytes.len())),
                    1 => bytes[random(head)] = random(256) as u8,
                    _ => {
                        let at = random(bytes.len());
                        bytes[at] ^= 1 << random(8);
                    }
                }
                std::fs::write(&damaged, &bytes).unwrap();
                let Ok(file) = open_raster(&damaged, None) else { continue };
                let _ = file.read(&Window::whole(1, 1));
                // What GDAL makes of damaged files that are not plain is its own affair.
                if is_plain(&file) && file.header.grid.rows * file.header.grid.cols <= 1 << 20 {
                    assert_read_alike(&file, &format!("{codec} {layout:?} round {round}"));
                }
            }
        }
    }
}

#[test]
fn no_bytes_make_the_opening_of_blocks_panic() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, damaged) = (folder.path().join("whole.tif"), folder.path().join("damaged.tif"));
    let expected = ExpectedShape { rows: 40, cols: 50, block: (16, 16), cell_bytes: 1, signed: false };
    for big in ["BIGTIFF=YES", "BIGTIFF=NO"] {
        let options = ["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16", "COMPRESS=LZW", big];
        draw(&whole, (40, 50), &options, |class| class as u8);
        let bytes = std::fs::read(&whole).unwrap();
        assert!(PlainBlocks::open(&whole, &expected).is_some());
        let other = ExpectedShape { cols: 51, ..expected };
        assert!(PlainBlocks::open(&whole, &other).is_none());
        let read_all = |bytes: &[u8]| {
            std::fs::write(&damaged, bytes).unwrap();
            let Some(blocks) = PlainBlocks::open(&damaged, &expected) else { return };
            let mut decoder = blocks.decoder().unwrap();
            let (mut compressed, mut cells) = (Vec::new(), Vec::new());
            for place in (0..12).filter_map(|i| blocks.place(i / 4, i % 4)) {
                if blocks.read_compressed(&place, &mut compressed).is_ok()
                    && blocks.decode(&place, &mut decoder, &compressed, &mut cells).is_ok()
                {
                    assert_eq!(cells.len(), 256);
                }
            }
        };
        for at in 0..bytes.len().min(500) {
            read_all(&bytes[..at]);
            for byte in [0, 1, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = byte;
                read_all(&bytes);
                let end = bytes.len().min(at + 8);
                bytes[at..end].fill(byte);
                read_all(&bytes);
            }
        }
    }
}

#[test]
fn what_pays_is_read_by_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    let pays = |window: &Window| {
        super::BlockReader::new(&open_raster(&path, None).unwrap().header).unwrap().pays(window)
    };
    draw(&path, (4000, 4000), &["TILED=YES", "BLOCKXSIZE=2048", "BLOCKYSIZE=2048", "COMPRESS=LZW"], |_| 1_u8);
    assert!(pays(&Window { row: 0, col: 0, rows: 2048, cols: 4000 }), "blocks that are taken whole");
    assert!(!pays(&Window { row: 2000, col: 2000, rows: 512, cols: 512 }), "large blocks that are cut");
    draw(&path, (600, 10_000), &["BLOCKYSIZE=1", "COMPRESS=LZW"], |_| 1_u8);
    assert!(pays(&Window { row: 0, col: 0, rows: 512, cols: 9000 }));
    assert!(pays(&Window { row: 40, col: 1000, rows: 512, cols: 512 }), "strips that can be kept");
    draw(&path, (2400, 2048), &["BLOCKYSIZE=1200", "COMPRESS=LZW"], |_| 1_u16);
    assert!(!pays(&Window { row: 800, col: 0, rows: 1200, cols: 40 }), "strips that cannot be kept");
}

#[test]
fn a_file_that_became_another_is_not_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    let tiled = ["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64"];
    draw(&path, (100, 90), &tiled, |_| 1_u8);
    let header = open_raster(&path, None).unwrap().header;
    assert!(reopen_raster(&header).is_ok());
    let refused = || reopen_raster(&header).unwrap_err().kind() == ErrorKind::Transient;
    draw(&path, (90, 100), &tiled, |_| 1_u8);
    assert!(refused(), "another shape");
    draw(&path, (100, 90), &tiled, |_| 1_u16);
    assert!(refused(), "another type");
    draw(&path, (100, 90), &[], |_| 1_u8);
    assert!(refused(), "other blocks");
}

#[test]
fn a_last_strip_that_is_filled_up_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    for codec in ["COMPRESS=LZW", "COMPRESS=DEFLATE", "COMPRESS=ZSTD", "COMPRESS=NONE"] {
        draw(&path, (64, 70), &["BLOCKYSIZE=16", codec], |class| class as u8);
        // The rows of the raster, tag 257, become fewer; its strips stay as they are.
        let mut bytes = std::fs::read(&path).unwrap();
        let directory = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let entry =
            (directory + 2..).step_by(12).find(|at| bytes[*at..at + 2] == 257_u16.to_le_bytes()).unwrap();
        bytes[entry + 8] = 50;
        std::fs::write(&path, bytes).unwrap();
        let file = open_raster(&path, None).unwrap();
        assert_eq!((file.header.grid.rows, is_plain(&file)), (50, true));
        // Not held against GDAL, of which some versions lose the last cells of such a DEFLATE strip.
        let (_, found) = values(file.read(&Window::whole(50, 70)).unwrap());
        let expected: Vec<i32> = (0..50 * 70).map(|i| class(i / 70, i % 70) as i32).collect();
        assert!(found == expected, "{codec}");
    }
}

#[test]
fn strips_that_cut_blocks_decode_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.tif");
    draw(&path, (256, 256), &["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64", "COMPRESS=LZW"], |class| {
        class as u8
    });
    let file = open_raster(&path, None).unwrap();
    let read = |row: i64| file.read(&Window { row, col: 0, rows: 50, cols: 256 }).unwrap();
    read(0);
    // The bytes of the first row of blocks are gone; its cells are kept.
    let mut bytes = std::fs::read(&path).unwrap();
    let first = file.compressed_block(0, 0, &mut Vec::new()).unwrap();
    assert_eq!(first.block, (64, 64));
    let end = bytes.len();
    bytes[1000..end].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let (_, found) = values(file.read(&Window { row: 50, col: 0, rows: 14, cols: 256 }).unwrap());
    let expected: Vec<i32> = (50 * 256..64 * 256).map(|i| class(i / 256, i % 256) as i32).collect();
    assert!(found == expected);
}

#[test]
fn what_is_kept_is_bounded() {
    let mut cache = super::BlockCache::of(BLOCK_CACHE_BYTES);
    let block = || std::sync::Arc::new(vec![0; BLOCK_CACHE_BYTES / 4]);
    for col in 0..6 {
        cache.keep((0, col), block());
        assert!(cache.bytes <= BLOCK_CACHE_BYTES);
        assert!(cache.get((0, 0)).is_some() || col > 3, "block 0 is in use");
    }
    assert!(cache.get((0, 1)).is_none() && cache.get((0, 5)).is_some());
    assert_eq!(cache.blocks.len(), 4);
    cache.keep((9, 9), std::sync::Arc::new(vec![0; BLOCK_CACHE_BYTES + 1]));
    assert_eq!((cache.blocks.len(), cache.bytes), (0, 0));
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

#[test]
fn real_maps_read_the_same_past_gdal_and_by_gdal() {
    let Some(folder) = std::env::var_os("NALCMS_REAL_DATA").filter(|folder| Path::new(folder).is_dir())
    else {
        eprintln!("SKIPPED: no real maps in NALCMS_REAL_DATA");
        return;
    };
    crate::io::gdal::init().unwrap();
    let mut files = Vec::new();
    files_below(Path::new(&folder), &mut files);
    files.sort();
    let (mut read, mut plain) = (0, 0);
    for path in files {
        let Ok(file) = open_raster(&path, Some(1)) else { continue };
        assert_read_alike(&file, &path.display().to_string());
        read += 1;
        plain += usize::from(is_plain(&file));
    }
    eprintln!("{read} real rasters, {plain} of them past GDAL");
    assert!(plain > 0);
}
