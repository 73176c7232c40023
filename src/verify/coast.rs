//! Sixth group, fifth part: what the coast overrules and where water lies, as their tables tell it, fits the areas of the
//! classes.
//!
//! Where the coast runs cannot be seen in an output; what the fringe decides is a section of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::edits::Overruled;
use super::findings::Findings;
use super::manifest::{CoastRecord, Manifest};
use super::records::{Record, rows};
use super::tables::{CLASS_AREA, Tables, Zone};
use crate::model::epoch::Epoch;
use crate::model::legend::ClassCode;

const COAST: &str = "tables/coast.csv";
const WATER: &str = "tables/water.csv";

/// The layer in which the fringe is a zone, and the zone.
const SECTION: &str = "section";
const FRINGE: &str = "fringe";

/// Compares both tables, if the job has a coast; notes what they overrule and says what was compared.
pub fn check(
    output: &Path,
    tables: &Tables,
    manifest: &Manifest,
    overruled: &mut Overruled,
    findings: &mut Findings,
) -> String {
    let Some(coast) = &manifest.job.coast else { return String::new() };
    overruled.tables.push(COAST);
    let mut check = Check { tables, manifest, coast, compared: 0 };
    check.overruled(output, overruled, findings);
    if let Some(water) = coast.water_code {
        check.water(output, water, findings);
    }
    format!(", {} rows of the coast and its water", check.compared)
}

struct Check<'a> {
    tables: &'a Tables,
    manifest: &'a Manifest,
    coast: &'a CoastRecord,
    compared: u64,
}

/// Cells by part of the water.
type Parts = BTreeMap<String, u64>;

impl Check<'_> {
    fn year(&self, row: &Record, findings: &mut Findings) -> Option<Epoch> {
        let year = row.whole("year", findings)?;
        if !self.manifest.epochs().contains(&year) {
            row.told(findings, "years", || format!("{year} is no year of the job"));
        }
        Some(year)
    }

    /// What the sources said of cells off land.
    fn overruled(&mut self, output: &Path, overruled: &mut Overruled, findings: &mut Findings) {
        let fringe_class = self.coast.fringe_class();
        let (mut met, mut of_fringe) = (BTreeSet::new(), BTreeMap::<Epoch, u64>::new());
        let columns = ["year", "part", "before_code", "before_name", "after_code", "after_name", "pixels"];
        let areas = ["area_m2", "area_ha", "area_km2"];
        let read = rows(output, COAST, &[&columns[..], &areas].concat(), findings, |row, findings| {
            self.compared += 1;
            let Some(year) = self.year(row, findings) else { return };
            let before = row.class(("before_code", "before_name"), self.tables, findings);
            let after = row.class(("after_code", "after_name"), self.tables, findings);
            let (Ok(before), Ok(after), Some(pixels)) = (before, after, row.pixels(self.manifest, findings))
            else {
                return;
            };
            let part = row.text("part");
            let expected = match part {
                "fringe" => fringe_class,
                "masked" => None,
                _ => {
                    return row
                        .told(findings, "words", || format!("part is `{part}`; expected fringe or masked"));
                }
            };
            if after != expected || (before.is_none() && after.is_none()) {
                row.told(findings, "classes", || format!("{before:?} to {after:?}; expected {expected:?}"));
            }
            if !met.insert((year, part.to_string(), before)) {
                row.told(findings, "rows", || format!("{year}, {part}, {before:?} stands twice"));
            }
            if part == "fringe" {
                let cells = of_fringe.entry(year).or_default();
                *cells = cells.saturating_add(pixels);
            }
            overruled.note(year, before, after, pixels);
        });
        if !read || fringe_class.is_none() || !self.tables.has(CLASS_AREA) {
            return;
        }
        let zone = Zone { layer: SECTION.into(), id: FRINGE.into() };
        let decided = |year: Epoch| {
            let classes = self.tables.class_counts(&zone, year);
            (year, classes.values().fold(0u64, |sum, cells| sum.saturating_add(*cells)))
        };
        let expected = self.manifest.epochs().into_iter().map(decided).collect();
        findings.compare(COAST, "cells of the fringe", &of_fringe, &expected, |year| {
            format!("cells of the fringe in {year}, against {zone} of {CLASS_AREA}")
        });
    }

    /// Water is split, nothing of it lost, zone by zone; the fringe is what its section holds.
    fn water(&mut self, output: &Path, water: ClassCode, findings: &mut Findings) {
        let mut places: BTreeMap<(Zone, Epoch), Parts> = BTreeMap::new();
        let mut names: BTreeMap<Zone, String> = BTreeMap::new();
        let known = self.coast.parts();
        let columns = ["zone_layer", "zone_id", "zone_name", "year", "code", "name", "part", "pixels"];
        let areas = ["area_m2", "area_ha", "area_km2"];
        let read = rows(output, WATER, &[&columns[..], &areas].concat(), findings, |row, findings| {
            self.compared += 1;
            let (zone, part) = (row.zone(), row.text("part").to_string());
            let Some(year) = self.year(row, findings) else { return };
            let class = row.class(("code", "name"), self.tables, findings);
            if class != Ok(Some(water)) {
                row.told(findings, "classes", || format!("{class:?} is not water, which is {water}"));
            }
            let Some(pixels) = row.pixels(self.manifest, findings) else { return };
            if !known.contains(&part.as_str()) || (pixels == 0 && !zone.is_all()) {
                row.told(findings, "rows", || format!("{pixels} cells of part `{part}`; expected {known:?}"));
            }
            let name = names.entry(zone.clone()).or_insert_with(|| row.text("zone_name").into());
            if name != row.text("zone_name") {
                row.told(findings, "names", || {
                    format!("{zone} is named `{}`, and `{name}` before", row.text("zone_name"))
                });
            }
            if places.entry((zone.clone(), year)).or_default().insert(part.clone(), pixels).is_some() {
                row.told(findings, "rows", || format!("{zone}, {year}, {part} stands twice"));
            }
        });
        if !read {
            return;
        }
        let all = Zone::all();
        for year in self.manifest.epochs() {
            let whole = places.get(&(all.clone(), year)).cloned().unwrap_or_default();
            findings.that(whole.len() == known.len(), WATER, "completeness", || {
                format!("the whole area has {:?} in {year}; expected {known:?}", whole.keys())
            });
            for layer in self.manifest.zone_layers() {
                let mut sum = Parts::new();
                let zones = places.iter().filter(|((zone, y), _)| zone.layer == layer && *y == year);
                for (part, cells) in zones.flat_map(|(_, parts)| parts) {
                    let total = sum.entry(part.clone()).or_default();
                    *total = total.saturating_add(*cells);
                }
                findings.compare(WATER, "sums over zones", &sum, &whole, |part| {
                    format!("{part} in {year}, all zones of layer {layer} together")
                });
            }
        }
        for ((zone, year), parts) in places.iter().filter(|((zone, _), _)| zone.layer == SECTION) {
            let agrees = parts.keys().all(|part| (part == FRINGE) == (zone.id == FRINGE));
            findings.that(agrees, WATER, "sections", || {
                format!("{zone}, {year}: has {:?}; the fringe is a section of its own", parts.keys())
            });
        }
        if self.tables.has(CLASS_AREA) {
            self.against_areas(&places, water, findings);
        }
    }

    fn against_areas(
        &self,
        places: &BTreeMap<(Zone, Epoch), Parts>,
        water: ClassCode,
        findings: &mut Findings,
    ) {
        let sum = |parts: &Parts| parts.values().fold(0u64, |sum, cells| sum.saturating_add(*cells));
        let found: BTreeMap<(Zone, Epoch), u64> =
            places.iter().map(|(place, parts)| (place.clone(), sum(parts))).collect();
        let expected = self.tables.areas.iter().filter_map(|(place, classes)| {
            Some((place.clone(), classes.get(&water).map(|cells| cells.pixels)?))
        });
        findings.compare(WATER, "class areas", &found, &expected.collect(), |(zone, year)| {
            format!("{zone}, {year}: all parts together, against {CLASS_AREA}")
        });
    }
}
