//! Quicklooks: small pictures of a map, for people.

use std::path::Path;

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
    let shown = (0..rows as usize).flat_map(|row| &codes[row * stride..][..cols as usize]);
    let pixels: Vec<u8> = shown.copied().collect();
    let png = encode(&pixels, (rows, cols), palette, nodata)
        .map_err(|e| Error::bug(format!("a PNG cannot be encoded: {e}")))?;
    write_bytes(path, &png)
}

/// A PNG whose palette has an entry for every byte, so that codes are its indexes.
fn encode(
    pixels: &[u8],
    (rows, cols): (u32, u32),
    palette: &[[u8; 3]],
    nodata: Option<u8>,
) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let mut colours = [[0; 3]; 256];
    let mut opacity = [0; 256];
    for (code, colour) in (0..=u8::MAX).zip(palette).filter(|(code, _)| Some(*code) != nodata) {
        colours[usize::from(code)] = *colour;
        opacity[usize::from(code)] = 255;
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, cols, rows);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(colours.as_flattened());
    encoder.set_trns(opacity.as_slice());
    // Differences of codes mean nothing.
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_their_colours_and_the_rest_is_transparent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.png");
        let palette = [[9, 9, 9], [0, 61, 0], [148, 156, 112], [1, 2, 3]];
        // Three cells of each row are shown; 0 is nodata, 200 has no colour.
        write_quicklook(&path, &[1, 2, 0, 3, 200, 3, 1, 1], 4, (2, 3), &palette, Some(0)).unwrap();

        let mut decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&path).unwrap()));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![7; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((frame.width, frame.height, frame.color_type), (3, 2, png::ColorType::Rgba));
        assert_eq!(
            pixels,
            [[0, 61, 0, 255], [148, 156, 112, 255], [0; 4], [0; 4], [1, 2, 3, 255], [0, 61, 0, 255]].concat()
        );
    }
}
