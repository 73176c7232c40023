//! Sixth group: the sums that must agree between the long tables, and the shares that follow from them.

use std::collections::{BTreeMap, BTreeSet};

use super::edits::Overruled;
use super::findings::Findings;
use super::manifest::{MANIFEST, Manifest};
use super::tables::{CHANGE_MATRIX, CLASS_AREA, EXCLUDED, OFFICIAL, Side, Tables, Zone, percent, same, told};
use crate::model::epoch::Epoch;
use crate::model::legend::ClassCode;

/// Adds the long tables up in every way that must agree; says how many numbers were compared.
pub fn check(tables: &Tables, manifest: &Manifest, overruled: &Overruled, findings: &mut Findings) -> String {
    let mut sums = Sums { tables, manifest, findings, compared: 0 };
    sums.completeness();
    sums.layers();
    sums.identities();
    sums.rules(overruled);
    let sums_compared = std::mem::take(&mut sums.compared);
    sums.shares();
    let shares = sums.compared;
    let layers: BTreeSet<&str> = tables.zones().into_iter().map(|zone| zone.layer.as_str()).collect();
    format!(
        "{sums_compared} sums and {shares} shares over {} zones ({}) and {} pairs of years",
        tables.zones().len(),
        layers.into_iter().collect::<Vec<_>>().join(", "),
        manifest.job.pairs.len()
    )
}

struct Sums<'a> {
    tables: &'a Tables,
    manifest: &'a Manifest,
    findings: &'a mut Findings,
    compared: u64,
}

/// Adds cells to a sum that no count, however forged, makes overflow.
fn add<K: Ord>(sums: &mut BTreeMap<K, u64>, key: K, cells: u64) {
    let sum = sums.entry(key).or_default();
    *sum = sum.saturating_add(cells);
}

impl Sums<'_> {
    /// The whole area has a row for every class and every pair of classes; the legend's classes are those.
    fn completeness(&mut self) {
        let (tables, codes, all) = (self.tables, self.tables.codes(), Zone::all());
        if tables.has(CLASS_AREA) {
            for year in self.manifest.epochs() {
                let found: BTreeSet<ClassCode> = tables.class_counts(&all, year).into_keys().collect();
                self.compared += codes.len() as u64;
                self.findings.that(found == codes, CLASS_AREA, "classes", || {
                    format!("the whole area has classes {found:?} in {year}; expected {codes:?}")
                });
            }
        }
        // Rasters without a legend may hold thousands of codes: only pairs that occur have rows.
        if tables.has(CHANGE_MATRIX) && !self.manifest.is_raw() {
            for &pair in &self.manifest.job.pairs {
                let found = tables.matrix(&all, pair);
                let mut wanted = codes.iter().flat_map(|from| codes.iter().map(move |to| (*from, *to)));
                // As many as there can be are all there are: foreign codes have been told with the rows.
                let missing = (codes.len() as u64).pow(2).saturating_sub(found.len() as u64);
                self.compared += found.len() as u64;
                if let Some((from, to)) = wanted.find(|codes| missing > 0 && !found.contains_key(codes)) {
                    self.findings.add(CHANGE_MATRIX, "completeness", || {
                        format!(
                            "the whole area lacks {missing} rows in {pair}, the first from {from} to {to}; \
                             zeros have rows too"
                        )
                    });
                }
            }
        }
    }

    /// The zones of every layer add up to the whole area.
    fn layers(&mut self) {
        let tables = self.tables;
        // Those that the job has, and those that a table has beside them.
        let mut layers = self.manifest.zone_layers();
        layers
            .extend(tables.zones().into_iter().filter(|zone| !zone.is_all()).map(|zone| zone.layer.as_str()));
        let all = Zone::all();
        for layer in layers {
            for year in self.manifest.epochs().into_iter().filter(|_| tables.has(CLASS_AREA)) {
                let mut sum = BTreeMap::new();
                let zones = tables.areas.iter().filter(|((zone, y), _)| zone.layer == layer && *y == year);
                for (code, cells) in zones.flat_map(|(_, classes)| classes) {
                    add(&mut sum, *code, cells.pixels);
                }
                let whole = tables.class_counts(&all, year);
                self.compared += self.findings.compare(CLASS_AREA, "sums over zones", &sum, &whole, |code| {
                    format!("class {code} in {year}, all zones of layer {layer} together")
                });
            }
            for &pair in &self.manifest.job.pairs {
                if tables.has(CHANGE_MATRIX) {
                    let mut sum = BTreeMap::new();
                    let zones =
                        tables.matrices.iter().filter(|((zone, p), _)| zone.layer == layer && *p == pair);
                    for (codes, cells) in zones.flat_map(|(_, matrix)| &matrix.cells) {
                        add(&mut sum, *codes, cells.pixels);
                    }
                    let whole = tables.matrix(&all, pair);
                    self.compared += self.findings.compare(
                        CHANGE_MATRIX,
                        "sums over zones",
                        &sum,
                        &whole,
                        |(from, to)| format!("{from} to {to} in {pair}, all zones of layer {layer} together"),
                    );
                }
                if self.manifest.is_official(pair) && tables.has(OFFICIAL) {
                    let mut sum = BTreeMap::new();
                    let zones =
                        tables.official.iter().filter(|((zone, p), _)| zone.layer == layer && *p == pair);
                    for (cell, (pixels, _)) in zones.flat_map(|(_, cells)| cells) {
                        add(&mut sum, cell.clone(), *pixels);
                    }
                    let whole = tables.official(&all, pair).map(|(cell, pixels, _)| (cell.clone(), pixels));
                    self.compared +=
                        self.findings.compare(OFFICIAL, "sums over zones", &sum, &whole.collect(), |cell| {
                            format!("{cell:?} in {pair}, all zones of layer {layer} together")
                        });
                }
                if tables.has(EXCLUDED) {
                    let mut sum = BTreeMap::new();
                    let zones =
                        tables.excluded.iter().filter(|((zone, p), _)| zone.layer == layer && *p == pair);
                    for (key, cells) in zones.flat_map(|(_, excluded)| excluded) {
                        add(&mut sum, *key, *cells);
                    }
                    let whole = tables.excluded(&all, pair);
                    self.compared +=
                        self.findings.compare(EXCLUDED, "sums over zones", &sum, &whole, |(code, side)| {
                            format!(
                                "class {code}, side {side:?}, {pair}, all zones of layer {layer} together"
                            )
                        });
                }
            }
        }
    }

    /// Row + excluded = class area at the first year, column + excluded = at the second, where zones stay the same.
    fn identities(&mut self) {
        let tables = self.tables;
        if ![CHANGE_MATRIX, CLASS_AREA, EXCLUDED].iter().all(|table| tables.has(table)) {
            return;
        }
        let stays = |zone: &&Zone| !self.manifest.moves_with_sources(&zone.layer);
        for zone in tables.zones().into_iter().filter(stays) {
            for &pair in &self.manifest.job.pairs {
                let (mut rows, mut columns) = (BTreeMap::new(), BTreeMap::new());
                for ((from, to), cells) in tables.matrix(zone, pair) {
                    add(&mut rows, from, cells);
                    add(&mut columns, to, cells);
                }
                for ((code, side), cells) in tables.excluded(zone, pair) {
                    add(if side == Side::From { &mut rows } else { &mut columns }, code, cells);
                }
                // Where a change map decides, its classes stand in the matrix in place of those of the maps.
                for (cell, pixels, _) in tables.official(zone, pair) {
                    for (sums, side) in [(&mut rows, 0), (&mut columns, 1)] {
                        cell.maps[side].into_iter().for_each(|code| add(sums, code, pixels));
                        let sum = sums.entry(cell.official[side]).or_default();
                        *sum = sum.saturating_sub(pixels);
                    }
                }
                for (sums, year, word) in [(rows, pair.from, "row"), (columns, pair.to, "column")] {
                    let areas = tables.class_counts(zone, year);
                    self.compared += self.findings.compare(CHANGE_MATRIX, "identities", &sums, &areas, |code| {
                        format!(
                            "{zone}, {pair}: {word} of class {code} + excluded.csv is not class_area.csv at {year}"
                        )
                    });
                }
            }
        }
    }

    /// The cells that crosswalk rules decided, class by class, and those that were overruled since, are the areas of the
    /// classes.
    fn rules(&mut self, overruled: &Overruled) {
        let tables = self.tables;
        if !tables.has(CLASS_AREA) || self.manifest.is_raw() {
            return;
        }
        for year in self.manifest.epochs() {
            let mut sums = BTreeMap::new();
            for rule in self.manifest.rules.iter().filter(|rule| rule.year == year) {
                if let Some(class) = rule.to {
                    add(&mut sums, class, rule.pixels);
                }
            }
            let mut areas = tables.class_counts(&Zone::all(), year);
            let of_year =
                |((y, class), cells): (&(Epoch, ClassCode), &u64)| (*y == year).then_some((*class, *cells));
            overruled
                .gained
                .iter()
                .filter_map(of_year)
                .for_each(|(class, cells)| add(&mut sums, class, cells));
            overruled
                .lost
                .iter()
                .filter_map(of_year)
                .for_each(|(class, cells)| add(&mut areas, class, cells));
            let since = match overruled.tables.as_slice() {
                [] => String::new(),
                tables => format!(", as overruled by {},", tables.join(" and ")),
            };
            self.compared += self.findings.compare(MANIFEST, "rules", &sums, &areas, |class| {
                format!("class {class} in {year}: cells by rule{since} are not those of {CLASS_AREA}")
            });
        }
    }

    /// Every share follows from the counts of its zone.
    fn shares(&mut self) {
        let tables = self.tables;
        for ((zone, year), classes) in &tables.areas {
            let whole = classes.values().fold(0u64, |sum, cells| sum.saturating_add(cells.pixels));
            for (code, cells) in classes {
                self.share(CLASS_AREA, "pct", cells.percent[0], percent(cells.pixels, whole), || {
                    format!("{zone}, {year}, class {code}")
                });
            }
        }
        for ((zone, pair), matrix) in &tables.matrices {
            let (mut rows, mut columns, mut whole) = (BTreeMap::new(), BTreeMap::new(), 0u64);
            for ((from, to), cells) in &matrix.cells {
                add(&mut rows, from, cells.pixels);
                add(&mut columns, to, cells.pixels);
                whole = whole.saturating_add(cells.pixels);
            }
            for ((from, to), cells) in &matrix.cells {
                let of = |sums: &BTreeMap<&ClassCode, u64>, code| sums.get(code).copied().unwrap_or(0);
                let wholes = [of(&rows, from), of(&columns, to), whole];
                let names = ["pct_of_from", "pct_of_to", "pct_of_total"];
                for ((name, found), whole) in names.into_iter().zip(cells.percent).zip(wholes) {
                    self.share(CHANGE_MATRIX, name, found, percent(cells.pixels, whole), || {
                        format!("{zone}, {pair}, {from} to {to}")
                    });
                }
            }
        }
    }

    fn share(
        &mut self,
        table: &str,
        column: &'static str,
        found: Option<f64>,
        expected: Option<f64>,
        place: impl FnOnce() -> String,
    ) {
        self.compared += 1;
        self.findings.that(same(found, expected), table, column, || {
            format!("{}: {column} is {}; expected {}", place(), told(found), told(expected))
        });
    }
}
