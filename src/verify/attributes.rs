//! Attribute tables: what `.tif.aux.xml` says of the values of a raster.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::areas::Closeness;
use super::facts::Counts;
use super::findings::Findings;
use super::manifest::Manifest;
use super::rasters::{Kind, change_code};
use super::tables::{OWN, Tables, Zone, same, told};

/// The largest attribute table that is read.
pub const LARGEST: u64 = 16 << 20;

/// A raster attribute table as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttributeTable {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Cells of each row.
    pub rows: Vec<Vec<String>>,
}

impl AttributeTable {
    /// Reads the text of a `.aux.xml` file.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let xml = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8".to_string())?;
        let mut reader = Reader::from_str(xml);
        let (mut table, mut text, mut in_field) = (Self::default(), String::new(), false);
        loop {
            match reader.read_event().map_err(|e| format!("is no XML: {e}"))? {
                Event::Start(start) => {
                    text.clear();
                    match start.local_name().into_inner() {
                        "FieldDefn" => in_field = true,
                        "Row" => table.rows.push(Vec::new()),
                        _ => {}
                    }
                }
                Event::Text(content) => text.push_str(&content.xml10_content()),
                Event::GeneralRef(entity) => match entity.resolve_char_ref() {
                    Ok(Some(c)) => text.push(c),
                    _ => text.push_str(resolve_predefined_entity(&entity.xml10_content()).unwrap_or("?")),
                },
                Event::End(end) => match end.local_name().into_inner() {
                    "FieldDefn" => in_field = false,
                    "Name" if in_field => table.columns.push(std::mem::take(&mut text)),
                    "F" => table.cell(std::mem::take(&mut text)),
                    _ => {}
                },
                Event::Empty(empty) if empty.local_name().into_inner() == "F" => table.cell(String::new()),
                Event::Eof => return Ok(table),
                _ => {}
            }
        }
    }

    fn cell(&mut self, text: String) {
        if let Some(row) = self.rows.last_mut() {
            row.push(text);
        }
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

/// What the areas of an attribute table must be.
pub enum RowAreas {
    /// So many m² for each cell.
    ByCells(f64),
    /// These by value, in m².
    ByValue(BTreeMap<i64, f64>, Closeness),
    /// Nobody can say.
    Unknown,
}

/// Compares an attribute table with the cells of its raster; gives the number of rows.
pub fn check(
    file: &str,
    table: &AttributeTable,
    (kind, counts, areas): (Kind, &Counts, &RowAreas),
    tables: &Tables,
    manifest: &Manifest,
    findings: &mut Findings,
) -> u64 {
    let (Some(value_at), Some(count_at)) = (table.column("Value"), table.column("Count")) else {
        findings
            .add(file, "columns", || format!("has columns {:?}; expected Value and Count", table.columns));
        return 0;
    };
    let (area_at, label_at) = (table.column("Area_ha"), table.column("Class"));
    let transition_at = table.column("From").zip(table.column("To"));
    let mut told_counts = BTreeMap::new();
    for (number, row) in (0u64..).zip(&table.rows) {
        let text = |at: usize| row.get(at).map(String::as_str).unwrap_or_default();
        let (Ok(value), Ok(count)) = (text(value_at).parse::<i32>(), text(count_at).parse::<u64>()) else {
            findings.add(file, "rows", || {
                format!("row {number}: Value is `{}`, Count is `{}`", text(value_at), text(count_at))
            });
            continue;
        };
        if told_counts.insert(value, count).is_some() {
            findings.add(file, "rows", || format!("value {value} has several rows"));
        }
        let found = area_at.and_then(|at| text(at).parse::<f64>().ok());
        let (agrees, expected) = match areas {
            RowAreas::ByValue(areas, closeness) => {
                let m2 = areas.get(&i64::from(value)).copied().unwrap_or(0.0);
                (found.is_some_and(|ha| closeness.holds(ha * 1e4, m2)), Some(m2 / 1e4))
            }
            RowAreas::ByCells(m2) => {
                let expected = Some(count as f64 * m2 / 1e4);
                (same(found, expected), expected)
            }
            RowAreas::Unknown => (true, None),
        };
        findings.that(agrees || area_at.is_none(), file, "areas", || {
            let found = area_at.map_or("", text);
            format!("value {value}: Area_ha is `{found}`; expected {}", told(expected))
        });
        match kind {
            Kind::Map(_) => {
                let class = tables.classes.as_ref().and_then(|classes| classes.get(&value));
                if let (Some(at), Some(class)) = (label_at, class) {
                    findings.that(text(at) == class.name, file, "names", || {
                        format!("value {value} is named `{}`; expected `{}`", text(at), class.name)
                    });
                }
            }
            Kind::Change(_) => {
                let codes = transition_at.and_then(|(from, to)| {
                    Some((text(from).parse::<i32>().ok()?, text(to).parse::<i32>().ok()?))
                });
                if let Some((from, to)) = codes {
                    let expected = change_code(Some(from), Some(to), manifest.job.unchanged);
                    findings.that(i64::from(value) == expected, file, "transitions", || {
                        format!("value {value} stands for {from} to {to}, which is {expected}")
                    });
                }
            }
            Kind::Fraction(..) | Kind::Provenance(_) => {}
        }
    }
    if let (Kind::Map(_), Some(classes)) = (kind, &tables.classes) {
        for code in classes.keys().filter(|code| !told_counts.contains_key(code)) {
            findings.add(file, "rows", || format!("class {code} has no row"));
        }
    }
    findings.compare(file, "counts", &told_counts, &counts.values, |value| format!("count of value {value}"));
    table.rows.len() as u64
}

/// What the long tables say of the area of each value of a raster, in m², where it is the only one of its kind.
pub fn areas_in_tables(kind: Kind, tables: &Tables, manifest: &Manifest) -> BTreeMap<i64, f64> {
    let mut areas = BTreeMap::new();
    match kind {
        Kind::Map(year) => {
            for (code, m2) in tables.class_areas(&Zone::all(), year, OWN) {
                areas.insert(code.into(), m2);
            }
        }
        Kind::Change(pair) => {
            for ((from, to), m2) in tables.matrix_areas(&Zone::all(), pair, OWN) {
                *areas.entry(change_code(Some(from), Some(to), manifest.job.unchanged)).or_default() += m2;
            }
        }
        Kind::Fraction(..) | Kind::Provenance(_) => {}
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::pam::{Rat, RatColumns, RatRow, pam_xml};

    #[test]
    fn a_table_reads_back_as_it_was_written() {
        let row =
            RatRow { value: 3, count: 7, names: vec!["<Forêt> & \"taïga\"".into()], ..RatRow::default() };
        let columns = RatColumns { names: vec!["Class".into()], extra: Vec::new() };
        let table = AttributeTable::parse(pam_xml(&Rat { columns, rows: vec![row] }).as_bytes());
        let cells = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = AttributeTable {
            columns: cells(&["Value", "Count", "Class"]),
            rows: vec![cells(&["3", "7", "<Forêt> & \"taïga\""])],
        };
        assert_eq!(table, Ok(expected));
    }

    #[test]
    fn any_bytes_give_an_answer() {
        let whole = pam_xml(&Rat { rows: vec![RatRow::default()], ..Rat::default() }).into_bytes();
        for at in 0..whole.len() {
            let _ = AttributeTable::parse(&whole[..at]);
            for byte in [0, b'<', b'&', 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                let _ = AttributeTable::parse(&bytes);
            }
        }
    }
}
