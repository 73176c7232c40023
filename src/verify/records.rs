//! Rows of tables that one group alone looks at, handed out one by one.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use csv::StringRecord;

use super::findings::Findings;
use super::manifest::Manifest;
use super::rows::open_csv;
use super::tables::{Tables, Zone, same, told};
use crate::model::legend::ClassCode;

/// A row of a table.
pub struct Record<'a> {
    table: &'static str,
    /// Its number, from 1.
    pub number: u64,
    record: &'a StringRecord,
    columns: &'a BTreeMap<String, usize>,
}

/// Hands out the rows of a table that must have some columns; gives their number.
///
/// # Errors
/// In words: the table cannot be read, or lacks columns.
pub fn each(
    output: &Path,
    table: &'static str,
    columns: &[&str],
    mut each: impl FnMut(&Record),
) -> Result<u64, String> {
    let unreadable = |e: csv::Error| format!("cannot be read: {e}");
    let mut csv = open_csv(&output.join(table))?;
    let header = csv.headers().map_err(unreadable)?;
    let places: BTreeMap<String, usize> =
        header.iter().enumerate().map(|(at, name)| (name.to_string(), at)).collect();
    let lacking: Vec<&str> = columns.iter().copied().filter(|c| !places.contains_key(*c)).collect();
    if !lacking.is_empty() {
        return Err(format!("lacks the columns {}", lacking.join(", ")));
    }
    let (mut record, mut number) = (StringRecord::new(), 0);
    while csv.read_record(&mut record).map_err(unreadable)? {
        number += 1;
        each(&Record { table, number, record: &record, columns: &places });
    }
    Ok(number)
}

/// The same with findings at hand, which are told if the table cannot be read; says whether it could be throughout.
pub fn rows(
    output: &Path,
    table: &'static str,
    columns: &[&str],
    findings: &mut Findings,
    mut row: impl FnMut(&Record, &mut Findings),
) -> bool {
    let read = each(output, table, columns, |record| row(record, findings));
    let problem = read.err();
    let sound = problem.is_none();
    problem.into_iter().for_each(|problem| findings.add(table, "reading", || problem));
    sound
}

impl<'a> Record<'a> {
    /// The text of a cell; empty where there is no such column.
    pub fn text(&self, column: &str) -> &'a str {
        self.columns.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default()
    }

    /// A cell as a value, if it is one.
    pub fn parsed<T: FromStr>(&self, column: &str) -> Option<T> {
        self.text(column).parse().ok()
    }

    /// Tells what is wrong with the row.
    pub fn told(&self, findings: &mut Findings, kind: &'static str, problem: impl FnOnce() -> String) {
        findings.add(self.table, kind, || format!("row {}: {}", self.number, problem()));
    }

    /// A whole number.
    pub fn whole<T: FromStr>(&self, column: &str, findings: &mut Findings) -> Option<T> {
        let text = self.text(column);
        let number = text.parse().ok();
        if number.is_none() {
            self.told(findings, "numbers", || format!("{column} is `{text}`; expected a whole number"));
        }
        number
    }

    /// The zone.
    pub fn zone(&self) -> Zone {
        Zone { layer: self.text("zone_layer").into(), id: self.text("zone_id").into() }
    }

    /// A class of the legend by its code and name, or none where both are empty.
    ///
    /// # Errors
    /// The code is no number, or of no class.
    pub fn class(
        &self,
        (code, name): (&str, &str),
        tables: &Tables,
        findings: &mut Findings,
    ) -> Result<Option<ClassCode>, ()> {
        let found = self.text(name);
        if self.text(code).is_empty() {
            if !found.is_empty() {
                self.told(findings, "names", || format!("{name} is `{found}` and {code} is empty"));
            }
            return Ok(None);
        }
        let number = self.whole::<ClassCode>(code, findings).ok_or(())?;
        if let Some(classes) = &tables.classes {
            let Some(class) = classes.get(&number) else {
                self.told(findings, "classes", || format!("{code} {number} is no class of the legend"));
                return Err(());
            };
            if class.name != found {
                self.told(findings, "names", || {
                    format!("{name} of class {number} is `{found}`; expected `{}`", class.name)
                });
            }
        }
        Ok(Some(number))
    }

    /// The cells of a row, once its areas have been compared with them and with each other.
    pub fn pixels(&self, manifest: &Manifest, findings: &mut Findings) -> Option<u64> {
        let pixels: u64 = self.whole("pixels", findings)?;
        let [m2, ha, km2] = ["area_m2", "area_ha", "area_km2"].map(|column| self.text(column).parse().ok());
        let own = match manifest.cell_area_m2 {
            Some(area) => same(m2, Some(pixels as f64 * area)),
            None if manifest.adds_areas_up() => m2.is_some_and(|m2| (m2 > 0.0) == (pixels > 0)),
            None => m2.is_none(),
        };
        let others = same(ha, m2.map(|m2| m2 / 1e4)) && same(km2, m2.map(|m2| m2 / 1e6));
        if !(own && others) {
            let found = [m2, ha, km2].map(told).join(", ");
            self.told(findings, "areas", || format!("areas are {found} for {pixels} cells"));
        }
        Some(pixels)
    }
}
