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

/// Most items and domains of metadata that GDAL is given to read: it takes the square of their number.
pub const MOST_ITEMS: usize = 8192;

/// Items and domains of metadata.
pub fn items(xml: &[u8]) -> usize {
    let text = plain_text(&String::from_utf8_lossy(xml));
    ["<ITEM", "<MDI", "<METADATA"].map(|start| text.matches(start).count()).iter().sum()
}

/// Whether the CRS of metadata names files: PROJ and GDAL open what stands there.
pub fn crs_names_files(xml: &[u8]) -> bool {
    let text = plain_text(&String::from_utf8_lossy(xml));
    text.split("<SRS").skip(1).any(|rest| {
        let crs = rest.split_once('>').map_or("", |(_, value)| value.split('<').next().unwrap_or(value));
        names_files(crs)
    })
}

/// Whether a CRS, in any of its forms, names files.
pub fn names_files(crs: &str) -> bool {
    let crs = crs.to_ascii_uppercase().replace("&QUOT;", "\"");
    let grids = || crs.split("GRIDS=").skip(1).any(names_a_path);
    let lists =
        || crs.split("INIT=").skip(1).any(|list| !AUTHORITIES.iter().any(|known| list.starts_with(known)));
    crs.trim_start().starts_with("DICT:") || crs.contains("PARAMETERFILE") || lists() || grids()
}

/// Lists of CRSs that PROJ has within, though old PROJ strings name them as files: `+init=epsg:3978`.
const AUTHORITIES: [&str; 2] = ["EPSG:", "ESRI:"];

/// Whether a list of grids, at the beginning of a text, holds more than their names.
fn names_a_path(text: &str) -> bool {
    let text = text.trim_start_matches(['"', '\'']);
    text.split([' ', '"']).next().is_some_and(|names| names.contains(['/', '\\']))
}

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
    let written = text.to_ascii_uppercase();
    if written.matches(ITEM).count() != plain_text(&text).matches(ITEM).count() {
        return Some("a name in references to characters".into());
    }
    written.split(ITEM).skip(1).find_map(|rest| {
        // After the name of the item its value, and nothing else: `<MDI key="OVERVIEW_FILE">:::BASE:::a.rrd</MDI>`.
        let value = rest.strip_prefix("\">").and_then(|value| value.split_once('<'));
        let value = value.map_or(rest, |(value, _)| value.trim());
        let beside = value.strip_prefix(BESIDE).is_some_and(|name| !name.contains('&') && known(name));
        (!beside).then(|| value.chars().take(200).collect())
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
    fn a_crs_that_names_files_is_told_in_any_form() {
        for crs in [
            "DICT:a.txt,1",
            " dict:/tmp/x,2",
            "+proj=utm +zone=14 +nadgrids=/tmp/x +type=crs",
            "+proj=utm +nadgrids=\"/tmp/x\"",
            "+proj=utm +geoidgrids=&quot;/tmp/x&quot;",
            "+init=/tmp/x:1",
            "BOUNDCRS[PARAMETERFILE[\"x\",\"/tmp/x\"]]",
        ] {
            assert!(names_files(crs), "{crs}");
            assert!(
                crs_names_files(format!("<PAMDataset><SRS a=\"1\">{crs}</SRS></PAMDataset>").as_bytes()),
                "{crs}"
            );
        }
        for crs in [
            "EPSG:3978",
            "+init=epsg:3978 +no_defs",
            "+proj=longlat +nadgrids=conus,alaska +type=crs",
            "PROJCS[\"a/b\",GEOGCS[]]",
        ] {
            assert!(!names_files(crs), "{crs}");
        }
        assert!(!crs_names_files(b"<PAMDataset/>"));
    }

    #[test]
    fn references_to_characters_hide_nothing() {
        let hidden = item("/etc/a").replace("OVERVIEW", "&#79;v&#x65;rview");
        assert!(names_overviews(hidden.as_bytes()));
        assert!(foreign_overviews(hidden.as_bytes(), &[]).is_some());
        let companions = ["m.rrd".to_string(), "m.rrd<".to_string()];
        for odd in [
            item(":::BASE:::m.rrd&#60;/../x.tif"),
            item(":::BASE:::m.rrd").replace("FILE\">", "FILE\" x.tif=\">"),
            item(":::BASE:::m.rrd").replace("FILE\">", "FILE\" >"),
        ] {
            assert!(foreign_overviews(odd.as_bytes(), &companions).is_some(), "{odd}");
        }
        assert_eq!(foreign_overviews(item(":::BASE:::m.rrd").as_bytes(), &companions), None);
        assert!(!names_overviews("a & b &amp; &#233; &#xe9; &é;".as_bytes()));
        for odd in ["&#x000000000004F;", "&#10000079;", "&#x10000004F;", "&#;", "&#xzz;", "&#079;", "&#79"] {
            assert!(names_overviews(odd.as_bytes()), "{odd}");
            assert!(foreign_overviews(odd.as_bytes(), &[]).is_some(), "{odd}");
        }
    }
}
