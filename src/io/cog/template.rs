//! Takes from a small GeoTIFF the tags that say what a raster is.
//!
//! GDAL knows how a CRS, a palette and metadata become TIFF tags, and knows it better than we should want
//! to. So GDAL writes a tiny GeoTIFF with the CRS, geotransform, nodata value, palette and metadata of the
//! product; [`TemplateTags`] lifts those tags from it and the assembler repeats them byte for byte.
//! Rejected: encoding GeoKeys here.

use std::io;

use crate::io::tiff::directory::{Tiff, malformed, tag};

/// Tags a product takes from its template; all others describe pixels, which the template does not have.
const KEPT: [u16; 14] = [
    tag::IMAGE_DESCRIPTION,
    tag::SOFTWARE,
    tag::DATE_TIME,
    tag::ARTIST,
    tag::COLOR_MAP,
    tag::COPYRIGHT,
    tag::MODEL_PIXEL_SCALE,
    tag::MODEL_TIEPOINT,
    tag::MODEL_TRANSFORMATION,
    tag::GEO_KEY_DIRECTORY,
    tag::GEO_DOUBLE_PARAMS,
    tag::GEO_ASCII_PARAMS,
    tag::GDAL_METADATA,
    tag::GDAL_NODATA,
];

/// Tags that overviews repeat, as those of GDAL's COG driver do.
const KEPT_IN_OVERVIEWS: [u16; 2] = [tag::COLOR_MAP, tag::GDAL_NODATA];

/// Holds one TIFF tag with its value, as it stands in a little-endian file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Tag number, such as 320 for the palette.
    pub id: u16,
    /// TIFF value type, such as 3 for 16-bit unsigned.
    pub kind: u16,
    /// Number of values, not of bytes.
    pub count: u64,
    /// Values, little endian.
    pub bytes: Vec<u8>,
}

/// Holds what a raster's tags say about it beyond its pixels: CRS, geotransform, nodata value, palette, metadata.
///
/// # Shape
/// In ascending order of tag number, no number twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateTags(Vec<Tag>);

impl TemplateTags {
    /// Takes the tags from the first directory of a GeoTIFF, of which `bytes` is the whole file.
    ///
    /// Keeps 270, 305, 306, 315, 320, 33432, 33550, 33922, 34264, 34735, 34736, 34737, 42112 and 42113.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if `bytes` are no little-endian TIFF, classic or BigTIFF, or a kept tag is damaged.
    /// # Source
    /// TIFF 6.0; OGC GeoTIFF 1.1 (19-008r4); GDAL GTiff driver for 42112 and 42113.
    pub fn from_geotiff(bytes: &[u8]) -> io::Result<Self> {
        let tiff = Tiff::open(bytes)?;
        let directory = tiff.directory(tiff.first_directory)?;
        let mut tags = directory
            .entries
            .iter()
            .filter(|entry| KEPT.contains(&entry.id))
            .map(|entry| {
                Ok(Tag { id: entry.id, kind: entry.kind, count: entry.count, bytes: tiff.bytes(entry)? })
            })
            .collect::<io::Result<Vec<Tag>>>()?;
        tags.sort_by_key(|tag| tag.id);
        if let Some(twice) = tags.windows(2).find_map(|pair| match pair {
            [a, b] if a.id == b.id => Some(a.id),
            _ => None,
        }) {
            return Err(malformed(format!("tag {twice} stands twice in the template; expected once")));
        }
        Ok(Self(tags))
    }

    /// Lists the tags of the full resolution, in ascending order.
    pub fn tags(&self) -> &[Tag] {
        &self.0
    }

    /// Finds a tag by its number.
    pub fn get(&self, id: u16) -> Option<&Tag> {
        self.0.iter().find(|tag| tag.id == id)
    }

    /// Lists the tags that level `level` carries: all of them at level 0, palette and nodata above.
    pub(super) fn of_level(&self, level: usize) -> impl Iterator<Item = &Tag> {
        self.0.iter().filter(move |tag| level == 0 || KEPT_IN_OVERVIEWS.contains(&tag.id))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    /// A classic TIFF of one directory: a copyright of 3 characters (inline), a width, a description (not inline).
    fn classic() -> Vec<u8> {
        let mut file = b"II\x2a\0\x08\0\0\0\x03\0".to_vec();
        file.extend([0x98, 0x82, 2, 0, 4, 0, 0, 0, b'c', b'e', b'c', 0]);
        file.extend([0x00, 0x01, 3, 0, 1, 0, 0, 0, 7, 0, 0, 0]);
        file.extend([0x0e, 0x01, 2, 0, 5, 0, 0, 0, 50, 0, 0, 0]);
        file.extend([0, 0, 0, 0]);
        file.extend(b"land\0");
        file
    }

    #[test]
    fn kept_tags_are_sorted_and_the_others_left_out() {
        let tags = TemplateTags::from_geotiff(&classic()).unwrap();
        let description = Tag { id: 270, kind: 2, count: 5, bytes: b"land\0".to_vec() };
        let copyright = Tag { id: 33432, kind: 2, count: 4, bytes: b"cec\0".to_vec() };
        assert_eq!(tags.tags(), [description, copyright]);
        assert_eq!(tags.get(33432).unwrap().count, 4);
        assert_eq!(tags.of_level(1).count(), 0);
    }

    #[test]
    fn big_tiff_is_read_like_classic_tiff() {
        let mut file = b"II\x2b\0\x08\0\0\0".to_vec();
        file.extend(16_u64.to_le_bytes());
        file.extend(1_u64.to_le_bytes());
        file.extend(42113_u16.to_le_bytes());
        file.extend(2_u16.to_le_bytes());
        file.extend(6_u64.to_le_bytes());
        file.extend(b"65535\0\0\0");
        file.extend(0_u64.to_le_bytes());
        let tags = TemplateTags::from_geotiff(&file).unwrap();
        assert_eq!(tags.tags(), [Tag { id: 42113, kind: 2, count: 6, bytes: b"65535\0".to_vec() }]);
        assert_eq!(tags.of_level(3).count(), 1);
    }

    #[test]
    fn a_cut_file_is_refused() {
        let file = classic();
        for len in 0..file.len() {
            let error = TemplateTags::from_geotiff(&file[..len]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{len} bytes");
        }
    }

    #[test]
    fn a_value_longer_than_the_file_is_refused_without_reserving_it() {
        let mut file = classic();
        file[38..42].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = TemplateTags::from_geotiff(&file).unwrap_err();
        assert!(error.to_string().starts_with("4294967295 bytes are expected"), "{error}");
    }

    #[test]
    fn a_tag_that_stands_twice_is_refused() {
        let mut file = classic();
        file[22..24].copy_from_slice(&33432_u16.to_le_bytes());
        assert!(TemplateTags::from_geotiff(&file).is_err());
    }
}
