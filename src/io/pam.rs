//! Writes the `.tif.aux.xml` file beside a raster: names, counts and colours of its classes.
//!
//! GDAL, QGIS, ArcGIS and terra read class names from this raster attribute table (RAT) and from nowhere in
//! the GeoTIFF itself. The order of the columns is part of the contract: readers take the first column of a
//! usage, and the first text column as the label.
//!
//! `<CategoryNames>` is left out on purpose: terra prefers it to the table and then shows a level for nodata.
//! The text is assembled by hand, indented as GDAL does it, because a table is three kinds of element deep;
//! only the escaping is left to a library.

use std::borrow::Cow;
use std::fmt::Write;

use quick_xml::escape::partial_escape;

/// Holds the attribute table of one band.
///
/// # Nodata
/// Give no row for the nodata value: readers would list it as a class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rat {
    /// Columns beyond those every table has.
    pub columns: RatColumns,
    /// One row for each value, in the order they are to be listed.
    pub rows: Vec<RatRow>,
}

/// Names the columns that differ from table to table; value, count and colours are always named alike.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RatColumns {
    /// Columns of class names, one for each language, such as `Class`, `Class_es`; the first is the label.
    pub names: Vec<String>,
    /// Columns at the end of the table.
    pub extra: Vec<RatColumn>,
}

/// Names an extra column and says what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatColumn {
    /// Header, with the unit if there is one, such as `Area_ha`.
    pub name: String,
    /// Type of its cells.
    pub kind: RatKind,
}

/// Types a column can have.
///
/// # Source
/// GDAL `GDALRATFieldType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RatKind {
    /// 32-bit signed integer, `GFT_Integer`.
    Integer,
    /// 64-bit floating point, `GFT_Real`.
    Real,
    /// Text, `GFT_String`.
    Text,
}

/// Holds one row: a value of the raster and what is said about it.
///
/// # Shape
/// `names` and `extra` go with the columns of the same place in [`RatColumns`]; a cell too few is written
/// empty, a cell too many is not written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RatRow {
    /// Value in the raster; readers take it as a 32-bit integer.
    pub value: i64,
    /// Pixels that have it; exact below 2^53.
    pub count: u64,
    /// Names, one for each language.
    pub names: Vec<String>,
    /// Red, green and blue. If no row has a colour there are no colour columns; if some have, a row without
    /// one is transparent.
    pub rgb: Option<[u8; 3]>,
    /// Cells of the extra columns, numbers with a decimal point and no separators.
    pub extra: Vec<String>,
}

/// What a reader may use a column for.
///
/// # Source
/// GDAL `GDALRATFieldUsage`; the numbers compared with a table GDAL 3.6.2 wrote.
#[derive(Clone, Copy)]
enum Usage {
    Generic = 0,
    PixelCount = 1,
    Name = 2,
    MinMax = 5,
    Red = 6,
    Green = 7,
    Blue = 8,
    Alpha = 9,
}

/// Gives the text of the sidecar of a raster whose first band has this table.
///
/// Columns, in this order: `Value`, `Count`, the label, `Red`, `Green`, `Blue`, `Alpha`, the names in other
/// languages, the extra columns.
///
/// # Determinism
/// The text depends on the table only; it ends with a newline.
/// # Source
/// Persistent auxiliary metadata as GDAL 3.6.2 writes it.
pub fn pam_xml(table: &Rat) -> String {
    let coloured = table.rows.iter().any(|row| row.rgb.is_some());
    let mut xml = String::from(
        "<PAMDataset>\n  <PAMRasterBand band=\"1\">\n    <GDALRasterAttributeTable tableType=\"thematic\">\n",
    );
    for (index, (name, kind, usage)) in columns(&table.columns, coloured).into_iter().enumerate() {
        let (name, kind, usage) = (text(name), kind_code(kind), usage as u8);
        line(
            &mut xml,
            format_args!(
                "      <FieldDefn index=\"{index}\">\n        <Name>{name}</Name>\n        <Type>{kind}</Type>\n        <Usage>{usage}</Usage>\n      </FieldDefn>"
            ),
        );
    }
    for (index, row) in table.rows.iter().enumerate() {
        line(&mut xml, format_args!("      <Row index=\"{index}\">"));
        for cell in cells(row, &table.columns, coloured) {
            line(&mut xml, format_args!("        <F>{}</F>", text(&cell)));
        }
        line(&mut xml, format_args!("      </Row>"));
    }
    xml.push_str("    </GDALRasterAttributeTable>\n  </PAMRasterBand>\n</PAMDataset>\n");
    xml
}

/// Lists the columns of a table in the order of the file.
fn columns(own: &RatColumns, coloured: bool) -> Vec<(&str, RatKind, Usage)> {
    let mut columns =
        vec![("Value", RatKind::Integer, Usage::MinMax), ("Count", RatKind::Real, Usage::PixelCount)];
    let mut names = own.names.iter();
    columns.extend(names.next().map(|label| (label.as_str(), RatKind::Text, Usage::Name)));
    if coloured {
        columns.extend([
            ("Red", RatKind::Integer, Usage::Red),
            ("Green", RatKind::Integer, Usage::Green),
            ("Blue", RatKind::Integer, Usage::Blue),
            ("Alpha", RatKind::Integer, Usage::Alpha),
        ]);
    }
    columns.extend(names.map(|name| (name.as_str(), RatKind::Text, Usage::Generic)));
    columns.extend(own.extra.iter().map(|column| (column.name.as_str(), column.kind, Usage::Generic)));
    columns
}

/// Lists the cells of a row in the order of [`columns`].
fn cells<'a>(row: &'a RatRow, own: &RatColumns, coloured: bool) -> Vec<Cow<'a, str>> {
    let filled = |cells: &'a [String], len: usize| {
        cells.iter().map(|cell| Cow::from(cell.as_str())).chain(std::iter::repeat(Cow::from(""))).take(len)
    };
    let mut names = filled(&row.names, own.names.len());
    let mut cells = vec![row.value.to_string().into(), row.count.to_string().into()];
    cells.extend(names.next());
    if coloured {
        let [red, green, blue] = row.rgb.unwrap_or_default();
        let alpha = if row.rgb.is_some() { u8::MAX } else { 0 };
        cells.extend([red, green, blue, alpha].map(|channel| channel.to_string().into()));
    }
    cells.extend(names);
    cells.extend(filled(&row.extra, own.extra.len()));
    cells
}

const fn kind_code(kind: RatKind) -> u8 {
    match kind {
        RatKind::Integer => 0,
        RatKind::Real => 1,
        RatKind::Text => 2,
    }
}

/// Escapes text, after replacing control characters, which XML 1.0 cannot hold in any form.
fn text(raw: &str) -> String {
    let printable: String =
        raw.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    partial_escape(printable).into_owned()
}

fn line(xml: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail: there is no error to hand on.
    let _ = writeln!(xml, "{content}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn two_classes() -> Rat {
        let names = |en: &str, fr: &str| vec![en.to_owned(), fr.to_owned()];
        Rat {
            columns: RatColumns {
                names: names("Class", "Class_fr"),
                extra: vec![RatColumn { name: "Area_ha".to_owned(), kind: RatKind::Real }],
            },
            rows: vec![
                RatRow {
                    value: 1,
                    count: 24_000_000_000,
                    names: names("Needleleaf <forest> & \"taiga\"", "Forêt"),
                    rgb: Some([0, 61, 0]),
                    extra: vec!["2160000000.09".to_owned()],
                },
                RatRow { value: 15, count: 0, names: names("Cropland", "Cultures"), ..RatRow::default() },
            ],
        }
    }

    #[test]
    fn the_label_stands_before_the_colours_and_other_languages_after() {
        let names: Vec<(String, u8)> = columns(&two_classes().columns, true)
            .into_iter()
            .map(|(name, _, usage)| (name.to_owned(), usage as u8))
            .collect();
        let expected = [
            ("Value", 5),
            ("Count", 1),
            ("Class", 2),
            ("Red", 6),
            ("Green", 7),
            ("Blue", 8),
            ("Alpha", 9),
            ("Class_fr", 0),
            ("Area_ha", 0),
        ];
        assert_eq!(names, expected.map(|(name, usage)| (name.to_owned(), usage)));
    }

    #[test]
    fn a_table_is_written_as_gdal_writes_it() {
        let mut table = two_classes();
        table.columns.names.truncate(1);
        table.columns.extra.clear();
        table.rows.truncate(1);
        table.rows[0].rgb = None;
        let expected = "<PAMDataset>
  <PAMRasterBand band=\"1\">
    <GDALRasterAttributeTable tableType=\"thematic\">
      <FieldDefn index=\"0\">
        <Name>Value</Name>
        <Type>0</Type>
        <Usage>5</Usage>
      </FieldDefn>
      <FieldDefn index=\"1\">
        <Name>Count</Name>
        <Type>1</Type>
        <Usage>1</Usage>
      </FieldDefn>
      <FieldDefn index=\"2\">
        <Name>Class</Name>
        <Type>2</Type>
        <Usage>2</Usage>
      </FieldDefn>
      <Row index=\"0\">
        <F>1</F>
        <F>24000000000</F>
        <F>Needleleaf &lt;forest&gt; &amp; \"taiga\"</F>
      </Row>
    </GDALRasterAttributeTable>
  </PAMRasterBand>
</PAMDataset>
";
        assert_eq!(pam_xml(&table), expected);
    }

    #[test]
    fn a_row_has_a_cell_for_every_column_whatever_it_was_given() {
        let table = two_classes();
        assert_eq!(
            cells(&table.rows[1], &table.columns, true),
            ["15", "0", "Cropland", "0", "0", "0", "0", "Cultures", ""]
        );
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(text("a\u{0}\u{b}b"), "a\u{fffd}\u{fffd}b");
    }
}
