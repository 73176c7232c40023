//! Sixth group, fourth part: where cells come from, by raster and by table, and what took the place of slivers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::areas::Closeness;
use super::edits::Overruled;
use super::facts::Facts;
use super::findings::Findings;
use super::manifest::{Manifest, OriginRecord};
use super::records::{Record, rows};
use super::tables::{CLASS_AREA, Tables, Zone, percent, same, told};
use crate::model::epoch::Epoch;

const ACCOUNT: &str = "tables/nodata_account.csv";
const SLIVERS: &str = "tables/slivers.csv";

/// Codes of cells with a class.
const MAPPED: [&str; 3] = ["mapped", "filled", "fringe"];

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
    let columns =
        ["zone_layer", "zone_id", "year", "code", "status", "section", "source", "date", "pixels", "pct"];
    let areas = ["area_m2", "area_ha", "area_km2"];
    let mut account =
        Account { manifest, cells: BTreeMap::new(), areas: BTreeMap::new(), shares: Vec::new() };
    if !rows(output, ACCOUNT, &[&columns[..], &areas].concat(), findings, |row, findings| {
        account.row(row, findings);
    }) {
        return String::new();
    }
    account.shares(findings);
    account.zones(findings);
    account.rasters(facts, findings);
    account.sections(tables, findings);
    format!(", provenance of {} zones, years and codes", account.cells.len())
}

type Key = (Zone, Epoch, i32);

struct Account<'a> {
    manifest: &'a Manifest,
    cells: BTreeMap<Key, u64>,
    areas: BTreeMap<Key, f64>,
    shares: Vec<(Key, Option<f64>)>,
}

impl Account<'_> {
    fn meaning(&self, code: i32) -> Option<&OriginRecord> {
        self.manifest.job.provenance.iter().find(|origin| i32::from(origin.code) == code)
    }

    fn row(&mut self, row: &Record, findings: &mut Findings) {
        let zone = row.zone();
        let year = row.whole("year", findings);
        let (Some(year), Some(code)) = (year, row.whole("code", findings)) else { return };
        let Some(pixels) = row.pixels(self.manifest, findings) else { return };
        let place = format!("{zone}, {year}, code {code}");
        let known = self.meaning(code).is_some_and(|meaning| {
            let (section, source) = (meaning.section.as_deref(), meaning.source.as_deref());
            meaning.status == row.text("status")
                && section.unwrap_or_default() == row.text("section")
                && source.unwrap_or_default() == row.text("source")
                && self.manifest.dates_of(meaning, year) == row.text("date")
        });
        findings.that(known, ACCOUNT, "codes", || format!("{place}: is not what run.json says of the code"));
        let key = (zone, year, code);
        let twice = self.cells.insert(key.clone(), pixels).is_some();
        findings.that(!twice, ACCOUNT, "rows", || format!("{place}: stands twice"));
        self.areas.extend(row.parsed("area_m2").map(|area: f64| (key.clone(), area)));
        self.shares.push((key, row.parsed("pct")));
    }

    fn shares(&self, findings: &mut Findings) {
        let mut wholes: BTreeMap<(&Zone, Epoch), u64> = BTreeMap::new();
        for ((zone, year, _), cells) in &self.cells {
            let whole = wholes.entry((zone, *year)).or_default();
            *whole = whole.saturating_add(*cells);
        }
        for (key, found) in &self.shares {
            let cells = self.cells.get(key).copied().unwrap_or(0);
            let whole = wholes.get(&(&key.0, key.1)).copied().unwrap_or(0);
            let expected = percent(cells, whole);
            findings.that(same(*found, expected), ACCOUNT, "pct", || {
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
    fn zones(&self, findings: &mut Findings) {
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
            findings.compare(ACCOUNT, "sums over zones", &sums, &whole, |(year, code)| {
                format!("code {code} in {year}, all zones of layer {layer} together")
            });
        }
    }

    fn layers(&self) -> Vec<String> {
        self.cells.keys().map(|(zone, ..)| zone.layer.clone()).collect()
    }

    /// The whole area is what the rasters hold; a cell has a class where it comes from a map, and only there.
    fn rasters(&self, facts: &Facts, findings: &mut Findings) {
        let all = Zone::all();
        for (year, joints) in &facts.origins {
            let mut counts: BTreeMap<i32, u64> = BTreeMap::new();
            for ((origin, class), cells) in joints {
                *counts.entry(*origin).or_default() += cells;
                let is_map =
                    self.meaning(*origin).is_some_and(|meaning| MAPPED.contains(&meaning.status.as_str()));
                findings.that(*cells == 0 || is_map == class.is_some(), ACCOUNT, "classes", || {
                    format!("{cells} cells of {year} have the class {class:?} and the code {origin}")
                });
            }
            let stated = self.cells.iter().filter(|((zone, of, _), _)| zone.is_all() && of == year);
            let stated: BTreeMap<i32, u64> = stated.map(|((_, _, code), cells)| (*code, *cells)).collect();
            findings.compare(ACCOUNT, "raster", &stated, &counts, |code| {
                format!("code {code} in {year}, against the raster")
            });
            let Some(measured) = facts.origin_areas.get(year) else { continue };
            for (code, m2) in measured {
                let found = self.areas.get(&(all.clone(), *year, *code)).copied().unwrap_or(0.0);
                findings.that(Closeness::AddedUp.holds(found, *m2), ACCOUNT, "areas", || {
                    format!("code {code} in {year}: area_m2 is {found}; expected {m2}")
                });
            }
        }
    }

    /// The cells of a section are those of its maps and of those that stand in with its name.
    fn sections(&self, tables: &Tables, findings: &mut Findings) {
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
            findings.compare(ACCOUNT, "sections", &sums, &areas, |section| {
                format!("section {section} in {year}: its codes are not its cells in {CLASS_AREA}")
            });
        }
    }
}

/// Notes the classes that cells of slivers got, if the job has such a table.
pub fn slivers(
    output: &Path,
    tables: &Tables,
    manifest: &Manifest,
    overruled: &mut Overruled,
    findings: &mut Findings,
) {
    if !manifest.outputs.contains_key(SLIVERS) {
        return;
    }
    overruled.tables.push(SLIVERS);
    let keys = ["year", "domain", "source", "taken", "code"];
    let others = ["name", "pixels", "area_m2", "area_ha", "area_km2"];
    let mut met = BTreeSet::new();
    rows(output, SLIVERS, &[keys, others].concat(), findings, |row, findings| {
        let key = keys.map(|column| row.text(column).to_string());
        let twice = !met.insert(key.clone());
        findings.that(!twice, SLIVERS, "rows", || format!("{}: stands twice", key.join(", ")));
        let (year, class) = (row.whole("year", findings), row.class(("code", "name"), tables, findings));
        if let (Some(year), Ok(class), Some(pixels)) = (year, class, row.pixels(manifest, findings)) {
            overruled.note(year, None, class, pixels);
        }
    });
}
