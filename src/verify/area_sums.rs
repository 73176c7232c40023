//! Sixth group, second part: areas that were added up cell by cell must add up as cells do.

use std::collections::{BTreeMap, BTreeSet};

use super::areas::{Closeness, compare};
use super::findings::Findings;
use super::manifest::Manifest;
use super::tables::{
    CHANGE_MATRIX, CLASS_AREA, ELLIPSOIDAL, EXCLUDED, OFFICIAL, OWN, OfAreas, OfficialCell, Side, Tables,
    Zone,
};

/// Adds the areas of the long tables up in every way that must agree; says how many were compared, if any.
pub fn check(tables: &Tables, manifest: &Manifest, findings: &mut Findings) -> String {
    let mut sums = AreaSums { tables, manifest, findings, compared: 0 };
    if manifest.adds_areas_up() {
        sums.layers(OWN);
        sums.excluded_layers();
        sums.identities();
    }
    if manifest.job.ellipsoidal {
        sums.layers(ELLIPSOIDAL);
    }
    if sums.compared == 0 { String::new() } else { format!(", {} sums of areas", sums.compared) }
}

struct AreaSums<'a> {
    tables: &'a Tables,
    manifest: &'a Manifest,
    findings: &'a mut Findings,
    compared: u64,
}

impl<'a> AreaSums<'a> {
    /// The layers that divide the whole area, those of the job and those that a table has beside them, each with its zones.
    fn zones_by_layer(&self) -> BTreeMap<&'a str, BTreeSet<&'a Zone>> {
        let layers = self.manifest.zone_layers().into_iter().map(|layer| (layer, BTreeSet::new()));
        let mut layers: BTreeMap<&str, BTreeSet<&Zone>> = layers.collect();
        for zone in self.tables.zones().into_iter().filter(|zone| !zone.is_all()) {
            layers.entry(&zone.layer).or_default().insert(zone);
        }
        layers
    }

    /// The zones of every layer add up to the whole area.
    fn layers(&mut self, of: OfAreas) {
        let (tables, all) = (self.tables, Zone::all());
        for (layer, zones) in self.zones_by_layer() {
            for year in self.manifest.epochs().into_iter().filter(|_| tables.has(CLASS_AREA)) {
                let sum = total(zones.iter().map(|zone| tables.class_areas(zone, year, of)));
                let whole = tables.class_areas(&all, year, of);
                self.compare(CLASS_AREA, &sum, &whole, |code| {
                    format!("class {code} in {year}, all zones of layer {layer} together")
                });
            }
            for &pair in self.manifest.job.pairs.iter().filter(|_| tables.has(CHANGE_MATRIX)) {
                let sum = total(zones.iter().map(|zone| tables.matrix_areas(zone, pair, of)));
                let whole = tables.matrix_areas(&all, pair, of);
                self.compare(CHANGE_MATRIX, &sum, &whole, |(from, to)| {
                    format!("{from} to {to} in {pair}, all zones of layer {layer} together")
                });
            }
        }
    }

    /// So do their excluded cells, and those that published change maps decided.
    fn excluded_layers(&mut self) {
        let (tables, all) = (self.tables, Zone::all());
        for (layer, zones) in self.zones_by_layer() {
            for &pair in self.manifest.job.pairs.iter().filter(|pair| self.manifest.is_official(**pair)) {
                let areas = |zone: &Zone| -> BTreeMap<OfficialCell, f64> {
                    tables.official(zone, pair).map(|(cell, _, m2)| (cell.clone(), m2)).collect()
                };
                let sum = total(zones.iter().map(|zone| areas(zone)));
                self.compare(OFFICIAL, &sum, &areas(&all), |cell| {
                    format!("{cell:?} in {pair}, all zones of layer {layer} together")
                });
            }
            for &pair in self.manifest.job.pairs.iter().filter(|_| tables.has(EXCLUDED)) {
                let sum = total(zones.iter().map(|zone| tables.excluded_areas(zone, pair)));
                self.compare(EXCLUDED, &sum, &tables.excluded_areas(&all, pair), |(code, side)| {
                    format!("class {code}, side {side:?}, {pair}, all zones of layer {layer} together")
                });
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
                for ((from, to), m2) in tables.matrix_areas(zone, pair, OWN) {
                    *rows.entry(from).or_default() += m2;
                    *columns.entry(to).or_default() += m2;
                }
                for ((code, side), m2) in tables.excluded_areas(zone, pair) {
                    let sums = if side == Side::From { &mut rows } else { &mut columns };
                    *sums.entry(code).or_default() += m2;
                }
                for (cell, _, m2) in tables.official(zone, pair) {
                    for (sums, side) in [(&mut rows, 0), (&mut columns, 1)] {
                        cell.maps[side].into_iter().for_each(|code| *sums.entry(code).or_default() += m2);
                        *sums.entry(cell.official[side]).or_default() -= m2;
                    }
                }
                for (sums, year, word) in [(rows, pair.from, "row"), (columns, pair.to, "column")] {
                    let whole = tables.class_areas(zone, year, OWN);
                    self.compare(CHANGE_MATRIX, &sums, &whole, |code| {
                        format!("{zone}, {pair}: {word} of class {code} + excluded.csv is not class_area.csv at {year}")
                    });
                }
            }
        }
    }

    fn compare<K: Ord>(
        &mut self,
        table: &str,
        sums: &BTreeMap<K, f64>,
        whole: &BTreeMap<K, f64>,
        describe: impl Fn(&K) -> String,
    ) {
        self.compared += compare(self.findings, table, Closeness::AddedUp, sums, whole, describe);
    }
}

/// Areas added up key by key.
fn total<K: Ord>(parts: impl Iterator<Item = BTreeMap<K, f64>>) -> BTreeMap<K, f64> {
    let mut sums = BTreeMap::new();
    for (key, m2) in parts.flatten() {
        *sums.entry(key).or_default() += m2;
    }
    sums
}
