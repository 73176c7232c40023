//! Sixth group, third part: what was compared and what was left out, told by `coverage.csv`, is what the other tables hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use csv::StringRecord;

use super::areas::Closeness;
use super::findings::Findings;
use super::manifest::Manifest;
use super::rows::open_csv;
use super::tables::{CHANGE_MATRIX, COVERAGE, EXCLUDED, OWN, Side, Tables, Zone, percent, same, told};
use crate::model::epoch::Interval;

/// Cells with a class in both years, those compared, those left out.
const PIXELS: [&str; 3] = ["pixels", "compared_pixels", "not_comparable_pixels"];
const AREAS: [&str; 3] = ["area_m2", "compared_area_m2", "not_comparable_area_m2"];

/// Compares every row of the table with the matrices and the excluded cells; says how many.
pub fn check(output: &Path, tables: &Tables, manifest: &Manifest, findings: &mut Findings) -> String {
    if ![CHANGE_MATRIX, EXCLUDED].iter().all(|table| tables.has(table)) {
        return String::new();
    }
    let mut check = Check { tables, manifest, findings, met: BTreeSet::new() };
    if let Err(problem) = check.rows(output) {
        check.findings.add(COVERAGE, "reading", || problem);
        return String::new();
    }
    check.sides();
    check.miss();
    format!(", coverage of {} zones and pairs", check.met.len())
}

struct Check<'a> {
    tables: &'a Tables,
    manifest: &'a Manifest,
    findings: &'a mut Findings,
    met: BTreeSet<(Zone, Interval)>,
}

impl Check<'_> {
    fn rows(&mut self, output: &Path) -> Result<(), String> {
        let unreadable = |e: csv::Error| format!("cannot be read: {e}");
        let mut csv = open_csv(&output.join(COVERAGE))?;
        let header = csv.headers().map_err(unreadable)?;
        let places: BTreeMap<String, usize> =
            header.iter().enumerate().map(|(at, name)| (name.to_string(), at)).collect();
        let others =
            ["zone_layer", "zone_id", "year_from", "year_to", "pct_compared", "comparable", "reasons"];
        let lacking: Vec<&str> = others
            .iter()
            .chain(&PIXELS)
            .chain(&AREAS)
            .copied()
            .filter(|c| !places.contains_key(*c))
            .collect();
        if !lacking.is_empty() {
            return Err(format!("lacks the columns {}", lacking.join(", ")));
        }
        let mut record = StringRecord::new();
        while csv.read_record(&mut record).map_err(unreadable)? {
            let text = |column: &str| {
                places.get(column).and_then(|at| record.get(*at)).unwrap_or_default().to_string()
            };
            self.row(&text);
        }
        Ok(())
    }

    fn row(&mut self, text: &dyn Fn(&str) -> String) {
        let zone = Zone { layer: text("zone_layer"), id: text("zone_id") };
        let years = ["year_from", "year_to"].map(|column| text(column).parse().unwrap_or(0));
        let pair = Interval { from: years[0], to: years[1] };
        let known = self.manifest.job.pairs.contains(&pair);
        self.findings.that(known, COVERAGE, "years", || format!("{zone}: {pair} is no pair of the job"));
        let (tables, place) = (self.tables, format!("{zone}, {pair}"));
        let compared = tables.matrix(&zone, pair).values().fold(0u64, |sum, n| sum.saturating_add(*n));
        let left_out = tables.not_comparable(&zone, pair, Side::From);
        let whole = compared.saturating_add(left_out);
        for (column, expected) in PIXELS.iter().zip([whole, compared, left_out]) {
            let found = text(column);
            self.findings.that(found.parse() == Ok(expected), COVERAGE, "pixels", || {
                format!("{place}: {column} is `{found}`; expected {expected}, by matrix and excluded cells")
            });
        }
        let (share, expected) = (text("pct_compared").parse().ok(), percent(compared, whole));
        self.findings.that(same(share, expected), COVERAGE, "shares", || {
            format!("{place}: pct_compared is {}; expected {}", told(share), told(expected))
        });
        self.areas(&zone, pair, [whole, compared, left_out], text);
        self.words(&zone, pair, left_out, text);
        let twice = !self.met.insert((zone, pair));
        self.findings.that(!twice, COVERAGE, "rows", || format!("{place}: stands twice"));
    }

    fn areas(&mut self, zone: &Zone, pair: Interval, pixels: [u64; 3], text: &dyn Fn(&str) -> String) {
        let found = AREAS.map(|column| text(column).parse::<f64>().ok());
        let agrees = match self.manifest.cell_area_m2 {
            Some(m2) => found.iter().zip(pixels).all(|(found, n)| same(*found, Some(n as f64 * m2))),
            // Each part is a sum of its own, but for what is left out, which stands by class and reason elsewhere.
            None if self.manifest.adds_areas_up() => {
                let compared: f64 = self.tables.matrix_areas(zone, pair, OWN).values().sum();
                let [Some(whole), Some(part), Some(rest)] = found else {
                    return self.area_differs(zone, pair);
                };
                Closeness::AddedUp.holds(part, compared) && Closeness::AddedUp.holds(part + rest, whole)
            }
            None => found.iter().all(Option::is_none),
        };
        if !agrees {
            self.area_differs(zone, pair);
        }
    }

    fn area_differs(&mut self, zone: &Zone, pair: Interval) {
        self.findings.add(COVERAGE, "areas", || format!("{zone}, {pair}: areas are not those of the cells"));
    }

    /// What was left out makes a zone partial and has a reason; what was compared against a rule has one too.
    fn words(&mut self, zone: &Zone, pair: Interval, left_out: u64, text: &dyn Fn(&str) -> String) {
        let (word, reasons) = (text("comparable"), text("reasons"));
        let agrees = (word == "partial") == (left_out > 0)
            && reasons.is_empty() != ["partial", "no"].contains(&word.as_str());
        self.findings.that(agrees, COVERAGE, "words", || {
            format!("{zone}, {pair}: comparable is `{word}` with reasons `{reasons}` and {left_out} cells left out")
        });
        let decides = self.tables.official.get(&(zone.clone(), pair)).is_some_and(|cells| !cells.is_empty());
        self.findings.that(word != "official" || decides, COVERAGE, "words", || {
            format!("{zone}, {pair}: comparable is `official`, and no change map decides there")
        });
        let matrix =
            self.tables.matrices.get(&(zone.clone(), pair)).filter(|matrix| !matrix.cells.is_empty());
        if let Some(matrix) = matrix {
            self.findings.that(matrix.comparable == word, COVERAGE, "words", || {
                format!("{zone}, {pair}: comparable is `{word}`; {CHANGE_MATRIX} has `{}`", matrix.comparable)
            });
        }
    }

    /// Cells that must not be compared have a class in both years: they stand on both sides.
    fn sides(&mut self) {
        for (zone, pair) in self.tables.not_comparable.keys() {
            let sides = [Side::From, Side::To].map(|side| self.tables.not_comparable(zone, *pair, side));
            self.findings.that(sides[0] == sides[1], EXCLUDED, "sides", || {
                format!(
                    "{zone}, {pair}: {} cells are not comparable on side from, {} on side to",
                    sides[0], sides[1]
                )
            });
        }
    }

    /// Zones that other tables have.
    fn miss(&mut self) {
        for (zone, pair) in self.tables.matrices.keys().chain(self.tables.excluded.keys()) {
            let there = self.met.contains(&(zone.clone(), *pair));
            self.findings.that(there, COVERAGE, "rows", || format!("{zone}, {pair}: no row"));
        }
    }
}
