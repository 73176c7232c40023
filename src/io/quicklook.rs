//! Quicklooks: small pictures of a map, for people.

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, Rgba, RgbaImage};

use super::atomic::write_bytes;
use crate::error::{Error, Result};

/// Writes a PNG with one pixel per cell; cells whose code is `nodata` or has no colour are transparent.
///
/// # Shape
/// `codes` is row-major, `stride` cells a row, of which the first `cols` are shown.
/// # Errors
/// Io: the disk refuses.
pub fn write_quicklook(
    path: &Path,
    codes: &[u8],
    stride: usize,
    (rows, cols): (u32, u32),
    palette: &[[u8; 3]],
    nodata: Option<u8>,
) -> Result<()> {
    let picture = RgbaImage::from_fn(cols, rows, |col, row| {
        let code = codes[row as usize * stride + col as usize];
        match palette.get(usize::from(code)) {
            Some([r, g, b]) if Some(code) != nodata => Rgba([*r, *g, *b, 255]),
            _ => Rgba([0, 0, 0, 0]),
        }
    });
    let mut png = Cursor::new(Vec::new());
    picture
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|e| Error::bug(format!("a PNG cannot be encoded: {e}")))?;
    write_bytes(path, png.get_ref())
}
