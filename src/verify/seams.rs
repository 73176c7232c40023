//! Tenth group: the pairs of cells along boundaries of sections, and what their summary says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::findings::Findings;
use super::manifest::Manifest;
use super::records::{Record, each};
use super::tables::{CLASSES, Tables, percent, same, told};
use crate::model::epoch::Epoch;
use crate::model::legend::ClassCode;

const SEAM: &str = "tables/seam.csv";
const SUMMARY: &str = "tables/seam_summary.csv";

/// Where the cells of a pair lie, in the order of the summary.
const LINES: [&str; 3] = ["seam", "control_a", "control_b"];

/// A boundary: grid, year, positions of its two sections.
type Boundary = (usize, Epoch, usize, usize);

/// Pairs and those of two classes, by line.
type Counts = BTreeMap<&'static str, (u64, u64)>;

/// Compares the rows with the job and the legend, and the summary with the rows; says how many.
pub fn check(output: &Path, tables: &Tables, manifest: &Manifest, findings: &mut Findings) -> String {
    let mut check = Check { tables, manifest, findings, boundaries: BTreeMap::new() };
    let pairs = check.pairs(output);
    let boundaries = check.summary(output);
    match (pairs, boundaries) {
        (Ok(pairs), Ok(boundaries)) => {
            format!("{pairs} kinds of pairs added up along {boundaries} boundaries")
        }
        (pairs, boundaries) => {
            for (table, problem) in [(SEAM, pairs.err()), (SUMMARY, boundaries.err())] {
                problem.into_iter().for_each(|problem| check.findings.add(table, "reading", || problem));
            }
            "not compared: tables cannot be read".into()
        }
    }
}

struct Check<'a> {
    tables: &'a Tables,
    manifest: &'a Manifest,
    findings: &'a mut Findings,
    /// What the rows of the long table add up to.
    boundaries: BTreeMap<Boundary, Counts>,
}

impl Check<'_> {
    fn pairs(&mut self, output: &Path) -> Result<u64, String> {
        let columns =
            ["year", "section_a", "section_b", "line", "code_a", "name_a", "code_b", "name_b", "pairs"];
        let mut met = BTreeSet::new();
        each(output, SEAM, &columns, |row| {
            let Some(boundary) = self.boundary(SEAM, row) else { return };
            let line = LINES.into_iter().find(|line| *line == row.text("line"));
            let codes =
                [("code_a", "name_a"), ("code_b", "name_b")].map(|(code, name)| self.class(row, code, name));
            let pairs = row.parsed::<u64>("pairs").filter(|pairs| *pairs > 0);
            let (Some(line), [Some(a), Some(b)], Some(pairs)) = (line, codes, pairs) else {
                self.findings.add(SEAM, "words", || {
                    format!("row {}: line, codes or pairs are none, or pairs are 0", row.number)
                });
                return;
            };
            let twice = !met.insert((boundary, line, a, b));
            self.findings.that(!twice, SEAM, "rows", || format!("row {}: the pair stands twice", row.number));
            let (all, differ) = self.boundaries.entry(boundary).or_default().entry(line).or_default();
            *all = all.saturating_add(pairs);
            *differ = differ.saturating_add(if a == b { 0 } else { pairs });
        })
    }

    /// Where a row is about; the first section comes first in the job.
    fn boundary(&mut self, table: &str, row: &Record) -> Option<Boundary> {
        let grid = self.manifest.grid_named(row.text("grid"));
        let year = row.parsed("year").filter(|year| self.manifest.epochs().contains(year));
        let sections = self.manifest.sections();
        let section = |column: &str| sections.iter().position(|section| *section == row.text(column));
        let sections = section("section_a").zip(section("section_b")).filter(|(a, b)| a < b);
        let place = grid.zip(year).zip(sections);
        if place.is_none() {
            self.findings.add(table, "places", || {
                let of = |column: &str| row.text(column).to_string();
                format!(
                    "row {}: `{}` `{}` `{}` is no year and two sections in the order of the job",
                    row.number,
                    of("year"),
                    of("section_a"),
                    of("section_b")
                )
            });
        }
        place.map(|((grid, year), (a, b))| (grid, year, a, b))
    }

    /// A class code, whose name must be that of the legend.
    fn class(&mut self, row: &Record, code: &str, name: &str) -> Option<ClassCode> {
        let code: ClassCode = row.parsed(code)?;
        let expected = match &self.tables.classes {
            Some(classes) => classes.get(&code).map(|class| class.name.clone()),
            None => self.manifest.is_raw().then(|| code.to_string()),
        };
        // Without a legend that can be read nothing is known of names.
        let known = expected.is_some() || (self.tables.classes.is_none() && !self.manifest.is_raw());
        let agrees = expected.as_deref().is_none_or(|expected| expected == row.text(name));
        self.findings.that(known && agrees, SEAM, "classes", || {
            format!("row {}: class {code} is no class of {CLASSES} named `{}`", row.number, row.text(name))
        });
        Some(code)
    }

    fn summary(&mut self, output: &Path) -> Result<u64, String> {
        let counts =
            LINES.map(|line| ["pairs", "disagreeing", "pct"].map(|column| format!("{line}_{column}")));
        let counts: Vec<&str> = counts.iter().flatten().map(String::as_str).collect();
        let others = ["year", "section_a", "section_b", "control_pct", "excess", "boundary_m"];
        let mut met = BTreeSet::new();
        let rows = each(output, SUMMARY, &[&others[..], &counts].concat(), |row| {
            let Some(boundary) = self.boundary(SUMMARY, row) else { return };
            let twice = !met.insert(boundary);
            self.findings.that(!twice, SUMMARY, "rows", || format!("row {}: stands twice", row.number));
            self.sums(boundary, row);
        })?;
        for (_, year, a, b) in self.boundaries.keys().filter(|boundary| !met.contains(boundary)) {
            let sections = self.manifest.sections();
            self.findings.add(SUMMARY, "rows", || {
                format!("{year}, {} and {}: no row, though {SEAM} has some", sections[*a], sections[*b])
            });
        }
        Ok(rows)
    }

    /// Compares a row of the summary with what the long table adds up to.
    fn sums(&mut self, boundary: Boundary, row: &Record) {
        let counts = self.boundaries.get(&boundary).cloned().unwrap_or_default();
        let [seam, control_a, control_b] = LINES.map(|line| counts.get(line).copied().unwrap_or_default());
        let mut number = |column: &str, expected: Option<f64>| {
            let found = row.parsed::<f64>(column);
            // An empty cell is no number; anything else that is none differs from all.
            let sound = found.is_some() || row.text(column).is_empty();
            self.findings.that(sound && same(found, expected), SUMMARY, "sums", || {
                format!(
                    "row {}: {column} is `{}`; expected {}, by {SEAM}",
                    row.number,
                    row.text(column),
                    told(expected)
                )
            });
        };
        for (line, (pairs, differ)) in LINES.into_iter().zip([seam, control_a, control_b]) {
            number(&format!("{line}_pairs"), Some(pairs as f64));
            number(&format!("{line}_disagreeing"), Some(differ as f64));
            number(&format!("{line}_pct"), percent(differ, pairs));
        }
        let control = (control_a.0.saturating_add(control_b.0), control_a.1.saturating_add(control_b.1));
        let shares = [seam, control].map(|(pairs, differ)| percent(differ, pairs));
        number("control_pct", shares[1]);
        number("excess", shares[0].zip(shares[1]).map(|(seam, control)| seam - control));
        let side_m = self.manifest.grids[boundary.0].cell_side_m();
        number("boundary_m", side_m.map(|side| seam.0 as f64 * side));
        // Each pair across the boundary has one behind it in either section, at most, and no others have.
        let most = control_a.0.max(control_b.0);
        self.findings.that(most <= seam.0, SUMMARY, "controls", || {
            format!(
                "row {}: {most} control pairs in one section for {} across the boundary",
                row.number, seam.0
            )
        });
    }
}
