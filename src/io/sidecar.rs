//! What GDAL would follow in the metadata of a raster: the name of another file, as its overviews.
//!
//! GDAL keeps metadata in XML, in a tag of a GeoTIFF and in the `.aux.xml` beside a raster, and opens whatever stands
//! under `OVERVIEW_FILE`: any file, in any of its formats. Programs write there a file beside the raster, in one form.

/// The item that names overviews.
const ITEM: &str = "OVERVIEW_FILE";

/// How programs name overviews beside a raster. Source: GDAL `GDALDefaultOverviews`.
const BESIDE: &str = ":::BASE:::";

/// Largest `.aux.xml` that GDAL is given to read, in bytes.
pub const LARGEST_SIDECAR: u64 = 16 << 20;

/// Whether metadata speak of overviews in another file.
pub fn names_overviews(xml: &[u8]) -> bool {
    plain_text(xml).contains(ITEM)
}

/// The overviews that metadata name, unless all of them lie beside the raster.
pub fn foreign_overviews(xml: &[u8]) -> Option<String> {
    let text = plain_text(xml);
    text.split(ITEM).skip(1).find_map(|rest| {
        // After the name of the item its value: `<MDI key="OVERVIEW_FILE">:::BASE:::a.rrd</MDI>`.
        let value =
            rest.split_once('>').map_or("", |(_, value)| value.split('<').next().unwrap_or(value)).trim();
        let beside = value.strip_prefix(BESIDE).is_some_and(is_file_name);
        (!beside).then(|| value.to_string())
    })
}

/// Whether text names a file in the same folder.
fn is_file_name(text: &str) -> bool {
    !text.is_empty() && text != ".." && !text.contains(['/', '\\', ':'])
}

/// Text with references to characters resolved, in upper case, as GDAL compares names: it must not hide what GDAL sees.
fn plain_text(xml: &[u8]) -> String {
    let text = String::from_utf8_lossy(xml);
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let end = after.char_indices().take(12).find(|(_, c)| *c == ';').map(|(at, _)| at);
        let resolved = end.and_then(|end| Some((character(after.get(..end)?)?, after.get(end + 1..)?)));
        match resolved {
            Some((character, after)) => {
                plain.push(character);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain.make_ascii_uppercase();
    plain
}

fn character(reference: &str) -> Option<char> {
    let number = match reference.strip_prefix('#')? {
        hexadecimal if hexadecimal.starts_with(['x', 'X']) => u32::from_str_radix(&hexadecimal[1..], 16),
        decimal => decimal.parse(),
    };
    char::from_u32(number.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(value: &str) -> String {
        format!(
            "<PAMDataset><Metadata domain=\"OVERVIEWS\"><MDI key=\"OVERVIEW_FILE\">{value}</MDI></Metadata></PAMDataset>"
        )
    }

    #[test]
    fn overviews_beside_a_raster_are_let_pass_and_all_others_told() {
        assert_eq!(foreign_overviews(b"<PAMDataset/>"), None);
        assert_eq!(foreign_overviews(item(":::BASE:::map.rrd").as_bytes()), None);
        for foreign in
            ["/VSICURL/HTTP://HOST/X", "/TMP/A.TIF", ":::BASE:::../A.TIF", "A.TIF", ":::BASE:::", ""]
        {
            let found = foreign_overviews(item(foreign).as_bytes());
            assert_eq!(found.as_deref(), Some(foreign));
        }
        assert!(foreign_overviews(b"OVERVIEW_FILE").is_some());
    }

    #[test]
    fn references_to_characters_hide_nothing() {
        let hidden = item("/etc/a").replace("OVERVIEW", "&#79;v&#x65;rview");
        assert!(names_overviews(hidden.as_bytes()));
        assert_eq!(foreign_overviews(hidden.as_bytes()).as_deref(), Some("/ETC/A"));
        assert!(!names_overviews("a & b &amp; &#; &#xzz; &é;".as_bytes()));
    }
}
