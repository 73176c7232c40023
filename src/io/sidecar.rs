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

/// Whether metadata speak of overviews in another file, or may.
pub fn names_overviews(xml: &[u8]) -> bool {
    let text = String::from_utf8_lossy(xml);
    has_odd_reference(&text) || plain_text(&text).contains(ITEM)
}

/// The overviews that metadata name, unless they are among the names of companions of the raster, which are judged by themselves.
pub fn foreign_overviews(xml: &[u8], companions: &[String]) -> Option<String> {
    let text = String::from_utf8_lossy(xml);
    if has_odd_reference(&text) {
        return Some("a name in numbers of characters".into());
    }
    let known = |name: &str| companions.iter().any(|companion| companion.eq_ignore_ascii_case(name));
    plain_text(&text).split(ITEM).skip(1).find_map(|rest| {
        // After the name of the item its value: `<MDI key="OVERVIEW_FILE">:::BASE:::a.rrd</MDI>`.
        let value =
            rest.split_once('>').map_or("", |(_, value)| value.split('<').next().unwrap_or(value)).trim();
        let beside = value.strip_prefix(BESIDE).is_some_and(known);
        (!beside).then(|| value.to_string())
    })
}

/// Whether a reference to a character by its number is written as programs never do: readers take long numbers, zeros in front and
/// numbers beyond all characters each in their own way.
fn has_odd_reference(text: &str) -> bool {
    text.split("&#").skip(1).any(|rest| {
        let number = rest.split_once(';').map_or("", |(number, _)| number);
        let digits = number.strip_prefix('x').unwrap_or(number);
        digits.len() > 6 || digits.starts_with('0') || character(number).is_none()
    })
}

/// Text with references to characters resolved, in upper case, as GDAL compares names: it must not hide what GDAL sees.
fn plain_text(text: &str) -> String {
    let mut pieces = text.split("&#");
    let mut plain = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let resolved = piece.split_once(';').and_then(|(number, after)| Some((character(number)?, after)));
        let (sign, after) = resolved.unwrap_or(('&', piece));
        plain.push(sign);
        plain.push_str(after);
    }
    plain.make_ascii_uppercase();
    plain
}

/// The character that a reference such as `79` or `x4F` means.
fn character(number: &str) -> Option<char> {
    let value = match number.strip_prefix('x') {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
        None => number.parse(),
    };
    char::from_u32(value.ok()?)
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
        let companions = ["Map.rrd".to_string()];
        assert_eq!(foreign_overviews(b"<PAMDataset/>", &companions), None);
        assert_eq!(foreign_overviews(item(":::BASE:::map.rrd").as_bytes(), &companions), None);
        for foreign in [
            "/VSICURL/HTTP://HOST/X",
            "/TMP/A.TIF",
            ":::BASE:::../MAP.RRD",
            "MAP.RRD",
            ":::BASE:::A.RRD",
            ":::BASE:::",
            "",
        ] {
            let found = foreign_overviews(item(foreign).as_bytes(), &companions);
            assert_eq!(found.as_deref(), Some(foreign));
        }
        assert!(foreign_overviews(b"OVERVIEW_FILE", &companions).is_some());
    }

    #[test]
    fn references_to_characters_hide_nothing() {
        let hidden = item("/etc/a").replace("OVERVIEW", "&#79;v&#x65;rview");
        assert!(names_overviews(hidden.as_bytes()));
        assert_eq!(foreign_overviews(hidden.as_bytes(), &[]).as_deref(), Some("/ETC/A"));
        assert!(!names_overviews("a & b &amp; &#233; &#xe9; &é;".as_bytes()));
        for odd in ["&#x000000000004F;", "&#10000079;", "&#x10000004F;", "&#;", "&#xzz;", "&#079;", "&#79"] {
            assert!(names_overviews(odd.as_bytes()), "{odd}");
            assert!(foreign_overviews(odd.as_bytes(), &[]).is_some(), "{odd}");
        }
    }
}
