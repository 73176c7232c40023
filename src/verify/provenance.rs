//! Sixth group, fourth part: where cells come from, by raster and by table, and what took the place of slivers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::areas::Closeness;
use super::edits::Overruled;
use super::findings::Findings;
use super::manifest::{Manifest, OriginRecord};
use super::rows::open_csv;
use super::survey::Facts;
use super::tables::{CLASS_AREA, Tables, Zone, percent, same, told};
use crate::model::epoch::Epoch;

const ACCOUNT: &str = "tables/nodata_account.csv";
const SLIVERS: &str = "tables/slivers.csv";

/// Codes of cells with a class.
const MAPPED: [&str; 3] = ["mapped", "filled", "fringe"];

/// The rows of a table, each by the names of its columns.
pub fn rows_of(
    output: &Path,
    table: &str,
    columns: &[&str],
) -> Result<Vec<BTreeMap<String, String>>, String> {
    let unreadable = |e: csv::Error| format!("cannot be read: {e}");
    let mut csv = open_csv(&output.join(table))?;
    let header: Vec<String> = csv.headers().map_err(unreadable)?.iter().map(String::from).collect();
    let lacking: Vec<&str> = columns.iter().copied().filter(|c| !header.iter().any(|h| h == c)).collect();
    if !lacking.is_empty() {
        return Err(format!("lacks the columns {}", lacking.join(", ")));
    }
    let row =
        |record: csv::StringRecord| header.iter().cloned().zip(record.iter().map(String::from)).collect();
    csv.records().map(|record| record.map(row).map_err(unreadable)).collect()
}

/// Compares the account of provenance with the rasters and the areas of the classes; says how many numbers.
pub fn check(
    output: &Path,
    facts: &Facts,
    tables: &Tables,
    manifest: &Manifest,
    findings: &mut Findings,
) -> String {
    if manifest.job.provenance.is_empty() {
        return String::new();
    }
    let wanted = [
        "zone_layer",
        "zone_id",
        "year",
        "code",
        "status",
        "section",
        "source",
        "date",
        "pixels",
        "area_m2",
        "pct",
    ];
    let rows = match rows_of(output, ACCOUNT, &wanted) {
        Ok(rows) => rows,
        Err(problem) => {
            findings.add(ACCOUNT, "reading", || problem);
            return String::new();
        }
    };
    let mut account =
        Account { manifest, findings, cells: BTreeMap::new(), areas: BTreeMap::new(), shares: Vec::new() };
    rows.iter().for_each(|row| account.row(row));
    account.shares();
    account.zones();
    account.rasters(facts);
    account.sections(tables);
    format!(", provenance of {} zones, years and codes", account.cells.len())
}

type Key = (Zone, Epoch, i32);

struct Account<'a> {
    manifest: &'a Manifest,
    findings: &'a mut Findings,
    cells: BTreeMap<Key, u64>,
    areas: BTreeMap<Key, f64>,
    shares: Vec<(Key, Option<f64>)>,
}

impl Account<'_> {
    fn meaning(&self, code: i32) -> Option<&OriginRecord> {
        self.manifest.job.provenance.iter().find(|origin| i32::from(origin.code) == code)
    }

    fn row(&mut self, row: &BTreeMap<String, String>) {
        let text = |column: &str| row.get(column).map(String::as_str).unwrap_or_default();
        let zone = Zone { layer: text("zone_layer").into(), id: text("zone_id").into() };
        let numbers = (text("year").parse(), text("code").parse(), text("pixels").parse::<u64>());
        let (Ok(year), Ok(code), Ok(pixels)) = numbers else {
            self.findings.add(ACCOUNT, "rows", || format!("{zone}: year, code or pixels are no numbers"));
            return;
        };
        let place = format!("{zone}, {year}, code {code}");
        let known = self.meaning(code).is_some_and(|meaning| {
            let (section, source) = (meaning.section.as_deref(), meaning.source.as_deref());
            meaning.status == text("status")
                && section.unwrap_or_default() == text("section")
                && source.unwrap_or_default() == text("source")
                && self.manifest.dates_of(meaning, year) == text("date")
        });
        self.findings
            .that(known, ACCOUNT, "codes", || format!("{place}: is not what run.json says of the code"));
        let area = text("area_m2").parse::<f64>().ok();
        if let Some(m2) = self.manifest.cell_area_m2 {
            let expected = Some(pixels as f64 * m2);
            self.findings.that(same(area, expected), ACCOUNT, "areas", || {
                format!("{place}: area_m2 is {}; expected {}", told(area), told(expected))
            });
            for (column, unit) in [("area_ha", 1e4), ("area_km2", 1e6)] {
                let (found, expected) = (text(column).parse().ok(), Some(pixels as f64 * m2 / unit));
                self.findings.that(same(found, expected), ACCOUNT, "areas", || {
                    format!("{place}: {column} is {}; expected {}", told(found), told(expected))
                });
            }
        }
        let key = (zone, year, code);
        let twice = self.cells.insert(key.clone(), pixels).is_some();
        self.findings.that(!twice, ACCOUNT, "rows", || format!("{place}: stands twice"));
        self.areas.extend(area.map(|area| (key.clone(), area)));
        self.shares.push((key, text("pct").parse().ok()));
    }

    fn shares(&mut self) {
        let mut wholes: BTreeMap<(&Zone, Epoch), u64> = BTreeMap::new();
        for ((zone, year, _), cells) in &self.cells {
            let whole = wholes.entry((zone, *year)).or_default();
            *whole = whole.saturating_add(*cells);
        }
        for (key, found) in &self.shares {
            let cells = self.cells.get(key).copied().unwrap_or(0);
            let whole = wholes.get(&(&key.0, key.1)).copied().unwrap_or(0);
            let expected = percent(cells, whole);
            self.findings.that(same(*found, expected), ACCOUNT, "pct", || {
                format!(
                    "{}, {}, code {}: pct is {}; expected {}",
                    key.0,
                    key.1,
                    key.2,
                    told(*found),
                    told(expected)
                )
            });
        }
    }

    /// The zones of every layer add up to the whole.
    fn zones(&mut self) {
        let all = Zone::all();
        let layers: BTreeSet<String> =
            self.manifest.zone_layers().into_iter().map(String::from).chain(self.layers()).collect();
        for layer in layers.iter().filter(|layer| **layer != all.layer) {
            let (mut sums, mut whole) = (BTreeMap::new(), BTreeMap::new());
            for ((zone, year, code), cells) in &self.cells {
                let sum: Option<&mut u64> = if zone.is_all() {
                    Some(whole.entry((*year, *code)).or_default())
                } else if zone.layer == *layer {
                    Some(sums.entry((*year, *code)).or_default())
                } else {
                    None
                };
                if let Some(sum) = sum {
                    *sum = sum.saturating_add(*cells);
                }
            }
            self.findings.compare(ACCOUNT, "sums over zones", &sums, &whole, |(year, code)| {
                format!("code {code} in {year}, all zones of layer {layer} together")
            });
        }
    }

    fn layers(&self) -> Vec<String> {
        self.cells.keys().map(|(zone, ..)| zone.layer.clone()).collect()
    }

    /// The whole area is what the rasters hold; a cell has a class where it comes from a map, and only there.
    fn rasters(&mut self, facts: &Facts) {
        let all = Zone::all();
        for (year, joints) in &facts.origins {
            let mut counts: BTreeMap<i32, u64> = BTreeMap::new();
            for ((origin, class), cells) in joints {
                *counts.entry(*origin).or_default() += cells;
                let is_map =
                    self.meaning(*origin).is_some_and(|meaning| MAPPED.contains(&meaning.status.as_str()));
                self.findings.that(*cells == 0 || is_map == class.is_some(), ACCOUNT, "classes", || {
                    format!("{cells} cells of {year} have the class {class:?} and the code {origin}")
                });
            }
            let stated = self.cells.iter().filter(|((zone, of, _), _)| zone.is_all() && of == year);
            let stated: BTreeMap<i32, u64> = stated.map(|((_, _, code), cells)| (*code, *cells)).collect();
            self.findings.compare(ACCOUNT, "raster", &stated, &counts, |code| {
                format!("code {code} in {year}, against the raster")
            });
            let Some(measured) = facts.origin_areas.get(year) else { continue };
            for (code, m2) in measured {
                let found = self.areas.get(&(all.clone(), *year, *code)).copied().unwrap_or(0.0);
                self.findings.that(Closeness::AddedUp.holds(found, *m2), ACCOUNT, "areas", || {
                    format!("code {code} in {year}: area_m2 is {found}; expected {m2}")
                });
            }
        }
    }

    /// The cells of a section are those of its maps and of those that stand in with its name.
    fn sections(&mut self, tables: &Tables) {
        if !tables.has(CLASS_AREA) {
            return;
        }
        for year in self.manifest.epochs() {
            let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
            for origin in &self.manifest.job.provenance {
                if let Some(section) = origin.section.as_deref() {
                    let key = (Zone::all(), year, i32::from(origin.code));
                    *sums.entry(section).or_default() += self.cells.get(&key).copied().unwrap_or(0);
                }
            }
            let areas: BTreeMap<&str, u64> = sums
                .keys()
                .map(|section| {
                    let zone = Zone { layer: "section".into(), id: (*section).into() };
                    (*section, tables.class_counts(&zone, year).values().sum())
                })
                .collect();
            self.findings.compare(ACCOUNT, "sections", &sums, &areas, |section| {
                format!("section {section} in {year}: its codes are not its cells in {CLASS_AREA}")
            });
        }
    }
}

/// Notes the classes that cells of slivers got, if the job has such a table.
pub fn slivers(output: &Path, manifest: &Manifest, overruled: &mut Overruled, findings: &mut Findings) {
    if !manifest.outputs.contains_key(SLIVERS) {
        return;
    }
    overruled.tables.push(SLIVERS);
    let rows =
        match rows_of(output, SLIVERS, &["year", "domain", "source", "taken", "code", "pixels", "area_m2"]) {
            Ok(rows) => rows,
            Err(problem) => {
                findings.add(SLIVERS, "reading", || problem);
                return;
            }
        };
    let mut met = BTreeSet::new();
    for row in &rows {
        let text = |column: &str| row.get(column).map(String::as_str).unwrap_or_default();
        let numbers = (text("year").parse(), text("code").parse(), text("pixels").parse::<u64>());
        let (Ok(year), Ok(code), Ok(pixels)) = numbers else {
            findings.add(SLIVERS, "rows", || "year, code or pixels are no numbers");
            continue;
        };
        let key = ["year", "domain", "source", "taken", "code"].map(|column| text(column).to_string());
        findings
            .that(met.insert(key.clone()), SLIVERS, "rows", || format!("{}: stands twice", key.join(", ")));
        if let Some(m2) = manifest.cell_area_m2 {
            for (column, unit) in [("area_m2", 1.0), ("area_ha", 1e4), ("area_km2", 1e6)] {
                let (found, expected) = (text(column).parse().ok(), Some(pixels as f64 * m2 / unit));
                findings.that(same(found, expected), SLIVERS, "areas", || {
                    format!("{}: {column} is {}; expected {}", key.join(", "), told(found), told(expected))
                });
            }
        }
        overruled.note(year, None, Some(code), pixels);
    }
}
