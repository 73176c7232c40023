//! Remote rasters, read from a server on loopback that notes every request: few of them, and none for what nobody named.
//!
//! A program of its own: a process that opens a file on disk before any remote one is named shuts the network for good.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot set itself up should fail loudly"
)]

#[allow(dead_code, reason = "most of it is for the other tests")]
#[path = "program/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use gdal::DriverManager;
use gdal::raster::{Buffer, RasterCreationOptions};
use nalcms::io::gdal::{Pixels, open_raster};
use nalcms::model::window::Window;
use support::Scratch;

/// Cells of a side of the test's map.
const SIDE: usize = 4096;

/// The cell of a map in which no two blocks of 512 are alike, and few cells compress.
fn cell(row: usize, col: usize) -> u8 {
    let seed = (row * SIDE + col / 2) as u64;
    let mixed = (seed ^ (seed << 21)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 59) as u8
}

/// The bytes of a tiled GeoTIFF of some four megabytes.
fn map(scratch: &Scratch) -> Vec<u8> {
    let path = scratch.path("map.tif");
    let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
    let options = RasterCreationOptions::from_iter([
        "TILED=YES",
        "BLOCKXSIZE=512",
        "BLOCKYSIZE=512",
        "COMPRESS=DEFLATE",
    ]);
    let mut dataset =
        driver.create_with_band_type_with_options::<u8, _>(&path, SIDE, SIDE, 1, &options).unwrap();
    dataset.set_geo_transform(&[0.0, 30.0, 0.0, 0.0, 0.0, -30.0]).unwrap();
    let cells: Vec<u8> = (0..SIDE * SIDE).map(|i| cell(i / SIDE, i % SIDE)).collect();
    let mut buffer = Buffer::new((SIDE, SIDE), cells);
    dataset.rasterband(1).unwrap().write((0, 0), (SIDE, SIDE), &mut buffer).unwrap();
    dataset.close().unwrap();
    std::fs::read(path).unwrap()
}

/// As cells of a window come out of an open raster.
fn read(url: &str, window: &Window) -> Vec<u8> {
    match open_raster(Path::new(url), None).unwrap().read(window).unwrap() {
        Pixels::Bytes(cells) => cells.into_raw_vec_and_offset().0,
        Pixels::Codes(_) => panic!("bytes were written"),
    }
}

#[test]
fn a_window_takes_few_requests_and_none_for_companions() {
    nalcms::io::gdal::init().unwrap();
    let content = map(&Scratch::new());
    assert!(content.len() > 3 << 20, "{} bytes", content.len());
    let server = Server::of(content);
    for (row, col) in [(2000, 2000), (3, 5)] {
        let window = Window { row, col, rows: 64, cols: 64 };
        let expected: Vec<u8> =
            (0..64 * 64).map(|i| cell(row as usize + i / 64, col as usize + i % 64)).collect();
        assert_eq!(read(&server.url, &window), expected);
        let requests = server.requests();
        // Of the second window all may have come with the header.
        assert!(requests.len() <= 6 && (row < 10 || !requests.is_empty()), "{requests:#?}");
        assert!(requests.iter().all(|request| request.contains(" /map.tif ")), "{requests:#?}");
    }
}

#[test]
fn nothing_is_asked_for_that_a_job_does_not_name() {
    let server = Server::of(vec![0; 100]);
    let scratch = Scratch::new();
    for name in [
        format!("/vsizip//vsicurl/{}", server.url),
        format!("/vsicurl_streaming/{}", server.url),
        server.url.replace("http://", "ftp://"),
        server.url.replace("http://", "http://me:secret@"),
        server.url.replace(".tif", ".txt"),
    ] {
        let run = scratch.nalcms(&["info", &name]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(!run.stderr.contains("secret"), "{}", run.stderr);
    }
    // What a file on disk refers to is not asked for either.
    scratch.write("list.vrt", &format!(
        "<VRTDataset rasterXSize=\"5\" rasterYSize=\"5\"><VRTRasterBand dataType=\"Byte\" band=\"1\"><SimpleSource>\
         <SourceFilename>/vsicurl/{}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>",
        server.url
    ));
    std::fs::copy(scratch.path("list.vrt"), scratch.path("list.tif")).unwrap();
    for name in ["list.vrt", "list.tif"] {
        assert_eq!(scratch.nalcms(&["info", "--counts", name]).code, 3);
    }
    assert_eq!(server.requests(), [""; 0]);
    // The server itself is there.
    assert_eq!(scratch.nalcms(&["info", &server.url]).code, 3);
    assert!(!server.requests().is_empty());
}

/// Serves one file under `/map.tif`, with ranges and an entity tag.
struct Server {
    url: String,
    /// Method, path and range of each request.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn of(content: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/map.tif", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (content, noted) = (Arc::new(content), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (content, noted) = (content.clone(), noted.clone());
                std::thread::spawn(move || answer_all(stream, &content, &noted));
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn answer_all(mut stream: TcpStream, content: &[u8], noted: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    loop {
        let request = lines.next()?.ok()?;
        let mut range = None;
        for line in lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()) {
            if let Some((first, last)) = line.strip_prefix("Range: bytes=").and_then(|r| r.split_once('-')) {
                let last = last.parse().map_or(content.len() - 1, |last: usize| last.min(content.len() - 1));
                range = Some((first.parse::<usize>().ok()?, last));
            }
        }
        noted.lock().unwrap().push(format!("{request} {range:?}"));
        let (method, path) = request.split_once(' ')?;
        if !path.starts_with("/map.tif ") {
            stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n").ok()?;
            continue;
        }
        let (first, last) = range.unwrap_or((0, content.len() - 1));
        let mut head = format!("HTTP/1.1 {}\r\n", if range.is_some() { "206 Part" } else { "200 All" });
        head += &format!("ETag: \"one\"\r\nAccept-Ranges: bytes\r\nContent-Length: {}\r\n", last + 1 - first);
        if range.is_some() {
            head += &format!("Content-Range: bytes {first}-{last}/{}\r\n", content.len());
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
        if method != "HEAD" {
            stream.write_all(&content[first..=last]).ok()?;
        }
    }
}
