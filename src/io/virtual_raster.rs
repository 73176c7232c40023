//! Reads a mosaic in GDAL's virtual format (VRT) before GDAL does, and lets pass only what is one: a grid, and windows of
//! files that are laid on it.
//!
//! A VRT can do far more: call Python and pixel functions, warp, name hosts and raw bytes of any file. All of that is
//! refused by knowing nothing but the elements and attributes that `gdalbuildvrt` and `gdal_translate` write. The two
//! readers must not differ in what they see; so names of files are read only in the plainest spelling, and GDAL, which
//! takes elements in any case and attributes as elements, finds none of those here.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::sidecar::names_files;

/// Largest VRT, in bytes.
pub const LARGEST_VRT: u64 = 16 << 20;

/// Most windows of files in a VRT.
pub const MOST_MEMBERS: usize = 16_384;

/// Elements and their attributes. Source: GDAL VRT driver, `gdalvrt.xsd`.
const KNOWN: [(&str, &[&str]); 39] = [
    ("VRTDataset", &["rasterXSize", "rasterYSize"]),
    ("SRS", &["dataAxisToSRSAxisMapping", "coordinateEpoch"]),
    ("GeoTransform", &[]),
    ("Metadata", &["domain"]),
    ("MDI", &["key"]),
    ("BlockXSize", &[]),
    ("BlockYSize", &[]),
    ("VRTRasterBand", &["dataType", "band", "blockXSize", "blockYSize"]),
    ("NoDataValue", &[]),
    ("HideNoDataValue", &[]),
    ("ColorInterp", &[]),
    ("Description", &[]),
    ("UnitType", &[]),
    ("Offset", &[]),
    ("Scale", &[]),
    ("ColorTable", &[]),
    ("Entry", &["c1", "c2", "c3", "c4"]),
    ("CategoryNames", &[]),
    ("Category", &[]),
    ("Histograms", &[]),
    ("HistItem", &[]),
    ("HistMin", &[]),
    ("HistMax", &[]),
    ("BucketCount", &[]),
    ("IncludeOutOfRange", &[]),
    ("Approximate", &[]),
    ("HistCounts", &[]),
    ("GDALRasterAttributeTable", &["tableType", "Row0Min", "BinSize"]),
    ("FieldDefn", &["index"]),
    ("Name", &[]),
    ("Type", &["typeAsString"]),
    ("Usage", &["usageAsString"]),
    ("Row", &["index"]),
    ("F", &[]),
    ("SimpleSource", &["resampling"]),
    ("ComplexSource", &["resampling"]),
    ("SourceFilename", &["relativeToVRT", "shared"]),
    ("SourceBand", &[]),
    ("SourceProperties", &["RasterXSize", "RasterYSize", "DataType", "BlockXSize", "BlockYSize"]),
];

/// Elements of a source that hold numbers only.
const NUMBERS: [(&str, &[&str]); 6] = [
    ("SrcRect", &["xOff", "yOff", "xSize", "ySize"]),
    ("DstRect", &["xOff", "yOff", "xSize", "ySize"]),
    ("NODATA", &[]),
    ("LUT", &[]),
    ("ScaleOffset", &[]),
    ("ScaleRatio", &[]),
];

/// Deepest nesting: a field of a row of a table of a band.
const DEEPEST: usize = 8;

/// A file of which a VRT shows a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, as written.
    pub name: String,
    /// Whether the name is one from the folder of the VRT on.
    pub relative: bool,
    /// Rows and columns, where the VRT says so.
    pub sides: Option<(u64, u64)>,
}

/// Reads the text of a VRT and gives its members, each once.
///
/// # Errors
/// What it holds that is not let pass, in words.
/// # Cost
/// Time and memory in proportion to the text.
pub fn members(text: &[u8]) -> Result<Vec<Member>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "text that is no UTF-8".to_owned())?;
    if super::sidecar::names_overviews(text.as_bytes()) {
        return Err("metadata that name another file, as its overviews".into());
    }
    refuse_odd_declaration(text)?;
    let mut reader = Reader::from_str(text);
    let mut scan = Scan::default();
    let mut is_first = true;
    loop {
        match reader.read_event().map_err(|e| format!("text that is no XML: {e}"))? {
            Event::Start(start) => scan.open(&start, false)?,
            Event::Empty(start) => scan.open(&start, true)?,
            Event::End(_) => scan.close()?,
            Event::Text(words) => scan.text(&words),
            Event::GeneralRef(name) => {
                let plain = match &*name {
                    "amp" => "&",
                    "lt" => "<",
                    "gt" => ">",
                    "apos" => "'",
                    "quot" => "\"",
                    other if scan.path.last().is_some_and(|name| name == "SourceFilename") => {
                        return Err(format!("the reference &{other}; in the name of a file"));
                    }
                    _ => " ",
                };
                scan.text(plain);
            }
            Event::Decl(_) if is_first => {}
            Event::Decl(_) => return Err("a second declaration".into()),
            Event::Eof => break,
            Event::Comment(_) => return Err("a comment".into()),
            Event::CData(_) | Event::DocType(_) | Event::PI(_) => {
                return Err("a document type, a processing instruction or raw text".into());
            }
        }
        is_first = false;
    }
    scan.finish()
}

/// GDAL takes a declaration for an element, which ends at the first `>`, and reads on where others still read the declaration.
fn refuse_odd_declaration(text: &str) -> Result<(), String> {
    let Some(rest) = text.trim_start_matches('\u{feff}').strip_prefix("<?xml") else { return Ok(()) };
    match rest.split_once("?>") {
        Some((inside, _)) if !inside.contains(['<', '>', '/', '?']) => Ok(()),
        _ => Err("a declaration that readers of XML understand differently".into()),
    }
}

/// Where the reading has come.
#[derive(Default)]
struct Scan {
    path: Vec<String>,
    words: String,
    relative: bool,
    /// The source being read: name, relative, rows and columns.
    name: Option<(String, bool)>,
    sides: Option<(u64, u64)>,
    sources: usize,
    found: BTreeMap<(String, bool), Option<(u64, u64)>>,
    seen_root: bool,
}

impl Scan {
    fn open(&mut self, start: &BytesStart, empty: bool) -> Result<(), String> {
        let name = start.name().as_ref().to_owned();
        let known = KNOWN.iter().chain(&NUMBERS).find(|(known, _)| *known == name);
        let Some((_, attributes)) = known else { return Err(format!("the element <{name}>")) };
        match (self.path.len(), name == "VRTDataset") {
            (0, true) if !self.seen_root => self.seen_root = true,
            (0, _) | (_, true) => return Err(format!("<{name}> where one <VRTDataset> is expected")),
            _ => {}
        }
        if self.path.len() >= DEEPEST {
            return Err("elements nested too deeply".into());
        }
        self.relative = false;
        let (mut rows, mut cols) = (None, None);
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| format!("an attribute of <{name}>: {e}"))?;
            let key = attribute.key.as_ref().to_owned();
            let value = attribute.value.into_owned();
            if !attributes.contains(&key.as_str()) {
                return Err(format!("the attribute `{key}` of <{name}>"));
            }
            match key.as_str() {
                "relativeToVRT" => {
                    self.relative = match value.as_str() {
                        "1" => true,
                        "0" => false,
                        _ => return Err(format!("relativeToVRT=\"{value}\"; expected 0 or 1")),
                    }
                }
                "resampling" if !["near", "nearest"].contains(&value.to_ascii_lowercase().as_str()) => {
                    return Err(format!("resampling=\"{value}\": classes are not interpolated"));
                }
                "RasterXSize" => cols = value.parse().ok(),
                "RasterYSize" => rows = value.parse().ok(),
                _ => {}
            }
        }
        match name.as_str() {
            "SimpleSource" | "ComplexSource" => {
                (self.name, self.sides) = (None, None);
                if self.path.last().is_none_or(|above| above != "VRTRasterBand") {
                    return Err(format!("<{name}> outside a band"));
                }
                self.sources += 1;
                if self.sources > MOST_MEMBERS {
                    return Err(format!("more than {MOST_MEMBERS} windows of files"));
                }
            }
            "SourceFilename" if self.name.is_some() || !self.in_source() => {
                return Err("a <SourceFilename> of no source, or a second one".into());
            }
            "SourceProperties" => self.sides = rows.zip(cols),
            _ => {}
        }
        self.words.clear();
        self.path.push(name);
        if empty { self.close() } else { Ok(()) }
    }

    fn in_source(&self) -> bool {
        self.path.last().is_some_and(|above| above == "SimpleSource" || above == "ComplexSource")
    }

    fn text(&mut self, words: &str) {
        self.words.push_str(words);
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(name) = self.path.pop() else { return Err("an end without a beginning".into()) };
        match name.as_str() {
            "SourceFilename" => {
                let file = std::mem::take(&mut self.words);
                if file.is_empty() || file.trim() != file || file.contains(char::is_control) {
                    return Err(format!("{file:?} as the name of a file"));
                }
                self.name = Some((file, self.relative));
            }
            // PROJ opens what these name.
            "SRS" if names_files(&self.words) => {
                return Err("a CRS that names files".into());
            }
            "SourceBand" if self.words.is_empty() || !self.words.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(format!("the band {:?}", self.words));
            }
            "SimpleSource" | "ComplexSource" => {
                let Some(file) = self.name.take() else { return Err("a source without a file".into()) };
                let sides = self.sides.take();
                let known = *self.found.entry(file.clone()).or_insert(sides);
                if sides.is_some() && known != sides {
                    return Err(format!("two sizes of {}", file.0));
                }
            }
            _ => {}
        }
        self.words.clear();
        Ok(())
    }

    fn finish(self) -> Result<Vec<Member>, String> {
        if !self.seen_root || !self.path.is_empty() {
            return Err("text that ends too early".into());
        }
        if self.found.is_empty() {
            return Err("no file at all".into());
        }
        Ok(self.found.into_iter().map(|((name, relative), sides)| Member { name, relative, sides }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "<SimpleSource><SourceFilename relativeToVRT=\"1\">a&amp;b.tif</SourceFilename>\
        <SourceBand>1</SourceBand><SourceProperties RasterXSize=\"4\" RasterYSize=\"3\" DataType=\"Byte\"/>\
        <SrcRect xOff=\"0\" yOff=\"0\" xSize=\"4\" ySize=\"3\"/></SimpleSource>";

    fn around(source: &str) -> String {
        format!(
            "<VRTDataset rasterXSize=\"4\" rasterYSize=\"3\"><SRS dataAxisToSRSAxisMapping=\"1,2\">EPSG:3978</SRS>\
             <VRTRasterBand dataType=\"Byte\" band=\"1\"><ColorInterp>Gray</ColorInterp>{source}</VRTRasterBand></VRTDataset>"
        )
    }

    #[test]
    fn a_mosaic_gives_its_members_once_each() {
        let found = members(around(&[SOURCE, SOURCE].concat()).as_bytes());
        let member = Member { name: "a&b.tif".into(), relative: true, sides: Some((3, 4)) };
        assert_eq!(found, Ok(vec![member]));
    }

    #[test]
    fn what_newer_versions_and_options_write_is_let_pass() {
        let table = "<GDALRasterAttributeTable><FieldDefn index=\"0\"><Name>V</Name><Type typeAsString=\"Integer\">0</Type>\
            <Usage usageAsString=\"Generic\">0</Usage></FieldDefn></GDALRasterAttributeTable>";
        let near = SOURCE.replace("<SimpleSource>", "<SimpleSource resampling=\"near\">");
        let mercator = around(&[table, &near].concat())
            .replace("EPSG:3978", "EXTENSION[\"PROJ4\",\"+proj=merc +nadgrids=@null +wktext\"]");
        assert_eq!(
            members(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{mercator}").as_bytes())
                .map(|m| m.len()),
            Ok(1)
        );
    }

    #[test]
    fn what_is_more_than_a_mosaic_is_refused_and_named() {
        let file = |name: &str| around(&SOURCE.replace("a&amp;b.tif", name));
        let cases = [
            (around("<PixelFunctionType>sum</PixelFunctionType>"), "PixelFunctionType"),
            (
                around(SOURCE).replace("band=\"1\"", "band=\"1\" subClass=\"VRTDerivedRasterBand\""),
                "subClass",
            ),
            (around(SOURCE).replace("<SRS ", "<subClass>VRTWarpedDataset</subClass><SRS "), "subClass"),
            (around(SOURCE).replace("SourceFilename", "sourcefilename"), "sourcefilename"),
            (around("<SourceFilename>a.tif</SourceFilename>"), "SourceFilename"),
            (
                around(&SOURCE.replace("<SourceBand>", "<SourceFilename>b.tif</SourceFilename><SourceBand>")),
                "second",
            ),
            (around(&SOURCE.replace("<SourceBand>1", "<SourceBand>mask,1")), "mask,1"),
            (
                around(&SOURCE.replace("<SimpleSource>", "<SimpleSource resampling=\"cubic\">")),
                "interpolated",
            ),
            (around(&SOURCE.replace("SimpleSource", "KernelFilteredSource")), "KernelFilteredSource"),
            (around(&SOURCE.replace("<SourceBand>", "<OpenOptions/><SourceBand>")), "OpenOptions"),
            (file("&#47;etc/a.tif"), "reference"),
            (file(" a.tif"), "name of a file"),
            (file("a<!-- -->.tif"), "comment"),
            (file("<![CDATA[a.tif]]>"), "raw text"),
            (format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{}", around(SOURCE)), "document type"),
            (around(SOURCE).replace("</VRTDataset>", ""), "too early"),
            (around(&around(SOURCE)), "VRTDataset"),
            (around(""), "no file"),
            (around(&[SOURCE, &SOURCE.replace("YSize=\"3\"", "YSize=\"5\"")].concat()), "two sizes"),
            (
                around(SOURCE).replace(
                    "<SRS ",
                    "<Metadata domain=\"OVERVIEWS\"><MDI key=\"overview_file\">a</MDI></Metadata><SRS ",
                ),
                "overviews",
            ),
            (around(&SOURCE.repeat(MOST_MEMBERS + 1)), "more than"),
            // GDAL reads the first of two.
            (format!("<?xml />{} ?>{}", around(SOURCE), around(SOURCE)), "declaration"),
            (format!("<?xml version=\"1.0\"?><?xml ?>{}", around(SOURCE)), "declaration"),
            (format!("<!-- a -->{}", around(SOURCE)), "comment"),
            (around(SOURCE).replace("EPSG:3978", "+init=/tmp/a:1"), "CRS"),
            (around(SOURCE).replace("EPSG:3978", "+proj=utm +nadgrids=a.gsb,../b.gsb +zone=1"), "CRS"),
        ];
        for (text, word) in cases {
            let found = members(text.as_bytes()).unwrap_err();
            assert!(found.contains(word), "{word}: {found}");
        }
    }
}
