//! Eighth group: the tables of the roll-ups are the long tables, with the classes of each group added up.
//!
//! Rows of one zone stand together, so that one zone is held at a time, however many there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use csv::StringRecord;

use super::areas::Closeness;
use super::findings::Findings;
use super::manifest::{Manifest, RollUpRecord};
use super::rows::open_csv;
use super::tables::{Areas, CHANGE_MATRIX, CLASS_AREA, Tables, Zone, percent, same};
use crate::model::epoch::{Epoch, Interval};
use crate::model::legend::ClassCode;

/// Compares the tables of all roll-ups with the long ones; says what was compared.
pub fn check(output: &Path, tables: &Tables, manifest: &Manifest, findings: &mut Findings) -> String {
    let rollups = &manifest.job.rollups;
    let mut compared = 0;
    for kind in [Kind::Area, Kind::Matrix] {
        if rollups.is_empty() || !tables.has(kind.source()) {
            continue;
        }
        let mut comparison = Comparison { kind, tables, manifest, findings, met: BTreeSet::new() };
        match comparison.read(output) {
            Ok(rows) => compared += rows,
            Err(problem) => findings.add(kind.table(), "reading", || problem),
        }
    }
    format!("{compared} rows of {} roll-ups compared with the classes of their groups", rollups.len())
}

/// Which of the two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Area,
    Matrix,
}

impl Kind {
    fn table(self) -> &'static str {
        match self {
            Self::Area => "tables/rollup_area.csv",
            Self::Matrix => "tables/rollup_matrix.csv",
        }
    }

    /// The long table that it is made from.
    fn source(self) -> &'static str {
        match self {
            Self::Area => CLASS_AREA,
            Self::Matrix => CHANGE_MATRIX,
        }
    }

    fn years(self) -> &'static [&'static str] {
        match self {
            Self::Area => &["year"],
            Self::Matrix => &["year_from", "year_to"],
        }
    }

    fn groups(self) -> &'static [&'static str] {
        match self {
            Self::Area => &["code"],
            Self::Matrix => &["from_code", "to_code"],
        }
    }

    fn dates(self) -> &'static [&'static str] {
        match self {
            Self::Area => &[],
            Self::Matrix => &["date_from", "date_to"],
        }
    }

    fn shares(self) -> &'static [&'static str] {
        match self {
            Self::Area => &["pct"],
            Self::Matrix => &["pct_of_from", "pct_of_to", "pct_of_total"],
        }
    }
}

/// The rows of a zone: roll-up, zone, years.
type Place = (String, Zone, Vec<Epoch>);

/// What the classes of a group come to, in one year or two.
#[derive(Debug, Clone, Default)]
struct Sum {
    pixels: u64,
    m2: f64,
    ellipsoidal_m2: f64,
    percent: Vec<Option<f64>>,
}

/// What a row of the table says.
struct Row {
    pixels: u64,
    /// In m², hectares and km².
    areas: [Option<f64>; 3],
    ellipsoidal_km2: Option<f64>,
    percent: Vec<Option<f64>>,
    dates: Vec<String>,
}

/// Sums by group, or by group and group.
type Sums = BTreeMap<Vec<String>, Sum>;

/// Rows by the same.
type Rows = BTreeMap<Vec<String>, Row>;

struct Comparison<'a> {
    kind: Kind,
    tables: &'a Tables,
    manifest: &'a Manifest,
    findings: &'a mut Findings,
    met: BTreeSet<Place>,
}

impl Comparison<'_> {
    /// Reads the table and compares its rows, zone after zone; gives their number.
    fn read(&mut self, output: &Path) -> Result<u64, String> {
        let unreadable = |e: csv::Error| format!("cannot be read: {e}");
        let mut csv = open_csv(&output.join(self.kind.table()))?;
        let header = csv.headers().map_err(unreadable)?.clone();
        let at = |name: &str| {
            header.iter().position(|column| column == name).ok_or(format!("lacks the column {name}"))
        };
        let all = |names: &[&str]| names.iter().map(|name| at(name)).collect::<Result<Vec<_>, _>>();
        let (rollup, layer, zone) = (at("rollup")?, at("zone_layer")?, at("zone_id")?);
        let (pixels, areas) = (at("pixels")?, all(&["area_m2", "area_ha", "area_km2"])?);
        let ellipsoidal = self.manifest.job.ellipsoidal.then(|| at("ellipsoidal_area_km2")).transpose()?;
        let dates = all(self.kind.dates())?;
        let (years, groups, shares) =
            (all(self.kind.years())?, all(self.kind.groups())?, all(self.kind.shares())?);
        let (mut rows, mut record, mut current) = (0, StringRecord::new(), None::<(Place, Rows)>);
        while csv.read_record(&mut record).map_err(unreadable)? {
            rows += 1;
            let text = |at: usize| record.get(at).unwrap_or_default();
            let wrong = |at: usize| format!("row {rows}: `{}` is no whole number", text(at));
            let year = |&at: &usize| text(at).parse::<Epoch>().map_err(|_| wrong(at));
            let years = years.iter().map(year).collect::<Result<Vec<_>, _>>()?;
            let place =
                (text(rollup).into(), Zone { layer: text(layer).into(), id: text(zone).into() }, years);
            let number = |at: usize| text(at).parse::<f64>().ok();
            let row = Row {
                pixels: text(pixels).parse().map_err(|_| wrong(pixels))?,
                areas: [number(areas[0]), number(areas[1]), number(areas[2])],
                ellipsoidal_km2: ellipsoidal.and_then(number),
                percent: shares.iter().map(|&at| number(at)).collect(),
                dates: dates.iter().map(|&at| text(at).to_string()).collect(),
            };
            let groups: Vec<String> = groups.iter().map(|&at| text(at).to_string()).collect();
            match &mut current {
                Some((known, of_zone)) if *known == place => {
                    if of_zone.insert(groups.clone(), row).is_some() {
                        return Err(format!("row {rows}: {} stands twice", groups.join(" to ")));
                    }
                }
                _ => {
                    let before = current.replace((place, Rows::from([(groups, row)])));
                    before.into_iter().for_each(|(place, rows)| self.compare(place, &rows));
                }
            }
        }
        current.into_iter().for_each(|(place, rows)| self.compare(place, &rows));
        self.miss();
        Ok(rows)
    }

    /// Compares the rows of a zone with what the long tables come to.
    fn compare(&mut self, place: Place, found: &Rows) {
        let table = self.kind.table();
        let words = |groups: &[String]| {
            let (rollup, zone, years) = &place;
            format!("{rollup}, {zone}, {years:?}, {}", groups.join(" to "))
        };
        if self.met.contains(&place) {
            self.findings.add(table, "rows", || format!("{}: stands at two places", words(&[])));
        }
        let (expected, dates) = (self.expected(&place), self.dates(&place));
        // Zeros have rows too where the whole area is told; elsewhere they have none.
        let lacking = |groups: &&Vec<String>| !found.contains_key(*groups);
        let wanted = expected.iter().filter(|(_, sum)| sum.pixels > 0 || place.1.is_all());
        for groups in wanted.map(|(groups, _)| groups).filter(lacking) {
            let pixels = expected[groups].pixels;
            self.findings
                .add(table, "rows", || format!("{}: no row; expected {pixels} cells", words(groups)));
        }
        for (groups, row) in found {
            let Some(sum) = expected.get(groups).filter(|sum| sum.pixels > 0 || place.1.is_all()) else {
                self.findings.add(table, "rows", || format!("{}: there is no such row", words(groups)));
                continue;
            };
            self.findings.that(row.pixels == sum.pixels, table, "cells", || {
                format!("{}: {} cells; expected {}", words(groups), row.pixels, sum.pixels)
            });
            self.findings.that(self.areas_agree(row, sum), table, "areas", || {
                format!("{}: areas are {:?}; expected {} m2", words(groups), row.areas, sum.m2)
            });
            let same_shares = row.percent.iter().zip(&sum.percent).all(|(a, b)| same(*a, *b));
            self.findings.that(same_shares, table, "shares", || {
                format!("{}: shares are {:?}; expected {:?}", words(groups), row.percent, sum.percent)
            });
            self.findings.that(row.dates == dates, table, "dates", || {
                format!("{}: dates are {:?}; expected {dates:?}", words(groups), row.dates)
            });
        }
        self.met.insert(place);
    }

    /// Whether the areas of a row follow from its cells, or from those of its classes where cells differ in size.
    fn areas_agree(&self, row: &Row, sum: &Sum) -> bool {
        let [m2, ha, km2] = row.areas;
        let own = match (self.manifest.cell_area_m2, m2) {
            (Some(area), _) => same(m2, Some(sum.pixels as f64 * area)),
            (None, Some(m2)) => Closeness::AddedUp.holds(m2, sum.m2),
            (None, None) => !self.manifest.adds_areas_up(),
        };
        let other = |found: Option<f64>, unit: f64| same(found, m2.map(|m2| m2 / unit));
        let ellipsoidal = match row.ellipsoidal_km2 {
            Some(km2) => Closeness::AddedUp.holds(km2 * 1e6, sum.ellipsoidal_m2),
            None => !self.manifest.job.ellipsoidal,
        };
        own && other(ha, 1e4) && other(km2, 1e6) && ellipsoidal
    }

    /// The true dates of the maps that a zone's long matrix tells; areas have none.
    fn dates(&self, (_, zone, years): &Place) -> Vec<String> {
        let &[from, to] = years.as_slice() else { return Vec::new() };
        let matrix = self.tables.matrices.get(&(zone.clone(), Interval { from, to }));
        matrix.map(|matrix| matrix.dates.to_vec()).unwrap_or_default()
    }

    /// Zones that have cells and no row.
    fn miss(&mut self) {
        let zones: Vec<(Zone, Vec<Epoch>)> = match self.kind {
            Kind::Area => self.tables.areas.keys().map(|(zone, year)| (zone.clone(), vec![*year])).collect(),
            Kind::Matrix => {
                let pairs = self.tables.matrices.keys();
                pairs.map(|(zone, pair)| (zone.clone(), vec![pair.from, pair.to])).collect()
            }
        };
        for rollup in &self.manifest.job.rollups {
            for (zone, years) in &zones {
                let place = (rollup.id.clone(), zone.clone(), years.clone());
                self.findings.that(self.met.contains(&place), self.kind.table(), "rows", || {
                    format!("{}, {zone}, {years:?}: no row", rollup.id)
                });
            }
        }
    }

    /// Of every group, or pair of groups.
    fn expected(&self, (rollup, zone, years): &Place) -> Sums {
        let rollups = &self.manifest.job.rollups;
        let Some(rollup) = rollups.iter().find(|known| known.id == *rollup) else { return Sums::new() };
        match (self.kind, years.as_slice()) {
            (Kind::Area, &[year]) => self.areas(rollup, zone, year),
            (Kind::Matrix, &[from, to]) => self.matrix(rollup, zone, Interval { from, to }),
            _ => Sums::new(),
        }
    }

    fn areas(&self, rollup: &RollUpRecord, zone: &Zone, year: Epoch) -> Sums {
        let Some(classes) = self.tables.areas.get(&(zone.clone(), year)) else { return Sums::new() };
        let ids = rollup.groups.iter().map(|group| vec![group.id.clone()]);
        let mut sums: Sums = ids.map(|id| (id, Sum::default())).collect();
        let groups = groups_of(rollup);
        for (code, cells) in classes {
            let Some(group) = groups.get(code) else { continue };
            sums.entry(vec![(*group).to_string()]).or_default().add(cells.pixels, &cells.areas);
        }
        let whole = classes.values().map(|cells| cells.pixels).fold(0, u64::saturating_add);
        sums.values_mut().for_each(|sum| sum.percent = vec![percent(sum.pixels, whole)]);
        sums
    }

    fn matrix(&self, rollup: &RollUpRecord, zone: &Zone, pair: Interval) -> Sums {
        let Some(matrix) = self.tables.matrices.get(&(zone.clone(), pair)) else { return Sums::new() };
        let ids = || rollup.groups.iter().map(|group| group.id.clone());
        let pairs = ids().flat_map(|from| ids().map(move |to| vec![from.clone(), to]));
        let mut sums: Sums = pairs.map(|pair| (pair, Sum::default())).collect();
        let (groups, mut rows, mut columns, mut whole) =
            (groups_of(rollup), BTreeMap::new(), BTreeMap::new(), 0u64);
        for ((from, to), cells) in &matrix.cells {
            let (Some(from), Some(to)) = (groups.get(from), groups.get(to)) else { continue };
            let key = vec![(*from).to_string(), (*to).to_string()];
            sums.entry(key).or_default().add(cells.pixels, &cells.areas);
            for sum in [rows.entry(*from).or_default(), columns.entry(*to).or_default(), &mut whole] {
                *sum = sum.saturating_add(cells.pixels);
            }
        }
        let of = |sums: &BTreeMap<&str, u64>, group: &String| sums.get(group.as_str()).copied().unwrap_or(0);
        for (groups, sum) in &mut sums {
            let wholes = [of(&rows, &groups[0]), of(&columns, &groups[1]), whole];
            sum.percent = wholes.map(|whole| percent(sum.pixels, whole)).to_vec();
        }
        sums
    }
}

impl Sum {
    fn add(&mut self, pixels: u64, areas: &Areas) {
        self.pixels = self.pixels.saturating_add(pixels);
        self.m2 += areas.m2.unwrap_or(0.0);
        self.ellipsoidal_m2 += areas.ellipsoidal_m2.unwrap_or(0.0);
    }
}

/// Which group each class is in.
fn groups_of(rollup: &RollUpRecord) -> BTreeMap<ClassCode, &str> {
    let groups = rollup.groups.iter();
    groups.flat_map(|group| group.members.iter().map(|member| (*member, &*group.id))).collect()
}
