//! Seventh group: the wide matrices are the long one of the whole area, drawn as a square.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use csv::StringRecord;

use super::areas::Closeness;
use super::findings::Findings;
use super::manifest::Manifest;
use super::rows::open_csv;
use super::tables::{CHANGE_MATRIX, OWN, Tables, Zone, in_mm2, same, told};
use crate::model::legend::ClassCode;

/// The columns before and after those of the classes, and the rows after those of the classes.
const HEAD: [&str; 2] = ["from", "from_name"];
const TAIL: [&str; 3] = ["total", "persistence", "loss"];
const FOOT: [&str; 3] = ["total", "persistence", "gain"];

/// Compares the wide matrices of all pairs, in cells and in hectares, with the long one.
pub fn check(output: &Path, tables: &Tables, manifest: &Manifest, findings: &mut Findings) -> String {
    let (mut matrices, mut compared) = (0u64, 0u64);
    for &pair in manifest.job.pairs.iter().filter(|_| tables.has(CHANGE_MATRIX)) {
        let cells = tables.matrix(&Zone::all(), pair);
        let cells = Square::of(tables, cells.into_iter().map(|(codes, n)| (codes, n.into())).collect());
        let areas = manifest.adds_areas_up().then(|| {
            let areas = tables.matrix_areas(&Zone::all(), pair, OWN);
            let mm2 = |m2| u128::try_from(in_mm2(m2)).unwrap_or(0);
            Square::of(tables, areas.into_iter().map(|(codes, m2)| (codes, mm2(m2))).collect())
        });
        for unit in ["px", "ha"] {
            let name = format!("tables/change_matrix_{}_{}_{unit}.csv", pair.from, pair.to);
            let expected = areas.as_ref().filter(|_| unit == "ha").unwrap_or(&cells);
            let wide = Wide { name: &name, expected, hectares: unit == "ha", manifest };
            match wide.check(output, tables, findings) {
                Ok(cells) => {
                    matrices += 1;
                    compared += cells;
                }
                Err(problem) => findings.add(&name, "reading", || problem),
            }
        }
    }
    format!("{compared} cells of {matrices} wide matrices compared with the long one")
}

/// The long matrix of the whole area with its totals: of cells, or of mm² where areas were added up.
struct Square {
    codes: BTreeSet<ClassCode>,
    cells: BTreeMap<(ClassCode, ClassCode), u128>,
    rows: BTreeMap<ClassCode, u128>,
    columns: BTreeMap<ClassCode, u128>,
    total: u128,
    persistence: u128,
}

impl Square {
    fn of(tables: &Tables, cells: BTreeMap<(ClassCode, ClassCode), u128>) -> Self {
        let (mut rows, mut columns): (BTreeMap<_, u128>, BTreeMap<_, u128>) = Default::default();
        let (mut total, mut persistence) = (0u128, 0u128);
        for (&(from, to), &n) in &cells {
            for sum in [rows.entry(from).or_default(), columns.entry(to).or_default(), &mut total] {
                *sum = sum.saturating_add(n);
            }
            persistence = persistence.saturating_add(if from == to { n } else { 0 });
        }
        Self { codes: tables.codes(), cells, rows, columns, total, persistence }
    }

    fn cell(&self, from: ClassCode, to: ClassCode) -> u128 {
        self.cells.get(&(from, to)).copied().unwrap_or(0)
    }

    /// The cells of a class's row after its name.
    fn row(&self, from: ClassCode, columns: &[ClassCode]) -> Vec<Option<u128>> {
        let total = self.rows.get(&from).copied().unwrap_or(0);
        let kept = self.cell(from, from);
        let tail = [total, kept, total.saturating_sub(kept)];
        columns.iter().map(|to| self.cell(from, *to)).chain(tail).map(Some).collect()
    }

    /// The cells of a row of totals after its name.
    fn foot(&self, label: &str, columns: &[ClassCode]) -> Vec<Option<u128>> {
        let total = |code: &ClassCode| self.columns.get(code).copied().unwrap_or(0);
        let kept = |code: &ClassCode| self.cell(*code, *code);
        let of = |code: &ClassCode| match label {
            "total" => total(code),
            "persistence" => kept(code),
            _ => total(code).saturating_sub(kept(code)),
        };
        let tail = match label {
            "total" => [self.total, self.persistence, self.total.saturating_sub(self.persistence)].map(Some),
            _ => [None; 3],
        };
        columns.iter().map(of).map(Some).chain(tail).collect()
    }
}

struct Wide<'a> {
    name: &'a str,
    expected: &'a Square,
    hectares: bool,
    manifest: &'a Manifest,
}

impl Wide<'_> {
    fn check(&self, output: &Path, tables: &Tables, findings: &mut Findings) -> Result<u64, String> {
        let unreadable = |e: csv::Error| format!("cannot be read: {e}");
        let mut csv = open_csv(&output.join(self.name))?;
        let header = csv.headers().map_err(unreadable)?.clone();
        let columns = class_columns(&header).ok_or_else(|| {
            format!("has columns {header:?}; expected from, from_name, a column per class, total, persistence, loss")
        })?;
        let known: BTreeSet<ClassCode> = columns.iter().copied().collect();
        findings.that(
            known == self.expected.codes && known.len() == columns.len(),
            self.name,
            "columns",
            || format!("has columns for the classes {columns:?}; expected {:?}", self.expected.codes),
        );
        let (mut record, mut compared) = (StringRecord::new(), 0);
        let codes = columns.iter().map(ToString::to_string);
        for label in codes.chain(FOOT.map(String::from)) {
            if !csv.read_record(&mut record).map_err(unreadable)? {
                findings.add(self.name, "rows", || format!("lacks the row {label} and those after it"));
                return Ok(compared);
            }
            let found = record.get(0).unwrap_or_default();
            if !findings.that(found == label, self.name, "rows", || {
                format!("row `{found}` stands where {label} is expected")
            }) {
                return Ok(compared);
            }
            let code = label.parse::<ClassCode>().ok();
            let class = code.zip(tables.classes.as_ref()).and_then(|(code, classes)| classes.get(&code));
            let named = record.get(1).unwrap_or_default();
            findings.that(class.is_none_or(|class| class.name == named), self.name, "names", || {
                format!("class {label} is named `{named}`")
            });
            let expected = match code {
                Some(code) => self.expected.row(code, &columns),
                None => self.expected.foot(&label, &columns),
            };
            for ((column, found), pixels) in header.iter().zip(&record).skip(HEAD.len()).zip(expected) {
                compared += 1;
                self.cell(&label, column, found, pixels, findings);
            }
        }
        if csv.read_record(&mut record).map_err(unreadable)? {
            findings.add(self.name, "rows", || format!("goes on after the row gain with `{record:?}`"));
        }
        Ok(compared)
    }

    fn cell(&self, row: &str, column: &str, found: &str, entry: Option<u128>, findings: &mut Findings) {
        if self.hectares && self.manifest.adds_areas_up() {
            let m2 = found.parse::<f64>().ok().map(|ha| ha * 1e4);
            let expected = entry.map(|mm2| mm2 as f64 / 1e6);
            let agrees = match (m2, expected) {
                (Some(found), Some(expected)) => Closeness::AddedUp.holds(found, expected),
                (m2, expected) => m2.is_none() && expected.is_none() && found.is_empty(),
            };
            findings.that(agrees, self.name, "cells", || {
                format!(
                    "row {row}, column {column} is `{found}`; expected {}",
                    told(expected.map(|m2| m2 / 1e4))
                )
            });
            return;
        }
        let pixels = entry;
        let expected = match (self.hectares, self.manifest.cell_area_m2) {
            (false, _) => {
                let expected = pixels.map(|n| n.to_string()).unwrap_or_default();
                findings.that(found == expected, self.name, "cells", || {
                    format!("row {row}, column {column} is `{found}`; expected `{expected}`")
                });
                return;
            }
            (true, Some(m2)) => pixels.map(|n| n as f64 * m2 / 1e4),
            // Where cells differ in size their areas cannot be told from their number; nothing stays nothing.
            (true, None) if pixels != Some(0) => return,
            (true, None) => found.parse().ok().map(|_: f64| 0.0),
        };
        let value = found.parse().ok();
        findings.that(
            same(value, expected) && value.is_some() != found.is_empty(),
            self.name,
            "cells",
            || format!("row {row}, column {column} is `{found}`; expected {}", told(expected)),
        );
    }
}

/// The classes of the columns, if the header is that of a wide matrix.
fn class_columns(header: &StringRecord) -> Option<Vec<ClassCode>> {
    let columns: Vec<&str> = header.iter().collect();
    let rest = columns.strip_prefix(&HEAD)?.strip_suffix(&TAIL)?;
    rest.iter().map(|column| column.parse().ok()).collect()
}
