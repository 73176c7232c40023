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
use super::tables::{CHANGE_MATRIX, CLASS_AREA, OWN, Tables, Zone, percent, same, told};
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
        let mut comparison = Comparison { kind, tables, rollups, findings, met: BTreeSet::new() };
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
    m2: Option<f64>,
    percent: Vec<Option<f64>>,
}

/// Sums by group, or by group and group.
type Sums = BTreeMap<Vec<String>, Sum>;

struct Comparison<'a> {
    kind: Kind,
    tables: &'a Tables,
    rollups: &'a [RollUpRecord],
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
        let (pixels, m2) = (at("pixels")?, at("area_m2")?);
        let (years, groups, shares) =
            (all(self.kind.years())?, all(self.kind.groups())?, all(self.kind.shares())?);
        let (mut rows, mut record, mut current) = (0, StringRecord::new(), None::<(Place, Sums)>);
        while csv.read_record(&mut record).map_err(unreadable)? {
            rows += 1;
            let text = |at: usize| record.get(at).unwrap_or_default();
            let wrong = |at: usize| format!("row {rows}: `{}` is no whole number", text(at));
            let year = |&at: &usize| text(at).parse::<Epoch>().map_err(|_| wrong(at));
            let years = years.iter().map(year).collect::<Result<Vec<_>, _>>()?;
            let place =
                (text(rollup).into(), Zone { layer: text(layer).into(), id: text(zone).into() }, years);
            let number = |at: &usize| text(*at).parse::<f64>().ok();
            let sum = Sum {
                pixels: text(pixels).parse().map_err(|_| wrong(pixels))?,
                m2: number(&m2),
                percent: shares.iter().map(number).collect(),
            };
            let groups: Vec<String> = groups.iter().map(|&at| text(at).to_string()).collect();
            match &mut current {
                Some((known, sums)) if *known == place => {
                    if sums.insert(groups.clone(), sum).is_some() {
                        return Err(format!("row {rows}: {} stands twice", groups.join(" to ")));
                    }
                }
                _ => {
                    let before = current.replace((place, Sums::from([(groups, sum)])));
                    before.into_iter().for_each(|(place, sums)| self.compare(place, &sums));
                }
            }
        }
        current.into_iter().for_each(|(place, sums)| self.compare(place, &sums));
        self.miss();
        Ok(rows)
    }

    /// Compares the rows of a zone with what the long tables come to.
    fn compare(&mut self, place: Place, found: &Sums) {
        let table = self.kind.table();
        let words = |groups: &[String]| {
            let (rollup, zone, years) = &place;
            format!("{rollup}, {zone}, {years:?}, {}", groups.join(" to "))
        };
        if self.met.contains(&place) {
            self.findings.add(table, "rows", || format!("{}: stands at two places", words(&[])));
        }
        let expected = self.expected(&place);
        for (groups, sum) in
            expected.iter().filter(|(groups, sum)| sum.pixels > 0 && !found.contains_key(*groups))
        {
            self.findings
                .add(table, "rows", || format!("{}: no row; expected {} cells", words(groups), sum.pixels));
        }
        let nothing = Sum::default();
        for (groups, row) in found {
            let expected = expected.get(groups).unwrap_or(&nothing);
            self.findings.that(row.pixels == expected.pixels, table, "cells", || {
                format!("{}: {} cells; expected {}", words(groups), row.pixels, expected.pixels)
            });
            let same_area = match (row.m2, expected.m2) {
                (Some(found), Some(expected)) => Closeness::AddedUp.holds(found, expected),
                (found, expected) => found.unwrap_or(0.0) == expected.unwrap_or(0.0),
            };
            self.findings.that(same_area, table, "areas", || {
                format!("{}: {} m2; expected {}", words(groups), told(row.m2), told(expected.m2))
            });
            // Of what has no cells the share is 0, or none where its whole has none either.
            let same_shares = row.percent.iter().zip(&expected.percent).all(|(a, b)| same(*a, *b));
            self.findings.that(same_shares, table, "shares", || {
                format!("{}: shares are {:?}; expected {:?}", words(groups), row.percent, expected.percent)
            });
        }
        self.met.insert(place);
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
        for rollup in self.rollups {
            for (zone, years) in &zones {
                let place = (rollup.id.clone(), zone.clone(), years.clone());
                self.findings.that(self.met.contains(&place), self.kind.table(), "rows", || {
                    format!("{}, {zone}, {years:?}: no row", rollup.id)
                });
            }
        }
    }

    fn expected(&self, (rollup, zone, years): &Place) -> Sums {
        let Some(rollup) = self.rollups.iter().find(|known| known.id == *rollup) else { return Sums::new() };
        match (self.kind, years.as_slice()) {
            (Kind::Area, &[year]) => self.areas(rollup, zone, year),
            (Kind::Matrix, &[from, to]) => self.matrix(rollup, zone, Interval { from, to }),
            _ => Sums::new(),
        }
    }

    fn areas(&self, rollup: &RollUpRecord, zone: &Zone, year: Epoch) -> Sums {
        let groups = groups_of(rollup);
        let mut sums = Sums::new();
        let classes = || self.tables.areas.get(&(zone.clone(), year)).into_iter().flatten();
        for (code, cells) in classes() {
            let Some(group) = groups.get(code) else { continue };
            sums.entry(vec![(*group).to_string()]).or_default().add(cells.pixels, OWN(&cells.areas));
        }
        let whole = classes().map(|(_, cells)| cells.pixels).fold(0, u64::saturating_add);
        sums.values_mut().for_each(|sum| sum.percent = vec![percent(sum.pixels, whole)]);
        sums
    }

    fn matrix(&self, rollup: &RollUpRecord, zone: &Zone, pair: Interval) -> Sums {
        let groups = groups_of(rollup);
        let (mut sums, mut rows, mut columns, mut whole) =
            (Sums::new(), BTreeMap::new(), BTreeMap::new(), 0u64);
        let cells =
            self.tables.matrices.get(&(zone.clone(), pair)).into_iter().flat_map(|matrix| &matrix.cells);
        for ((from, to), cells) in cells {
            let (Some(from), Some(to)) = (groups.get(from), groups.get(to)) else { continue };
            let key = vec![(*from).to_string(), (*to).to_string()];
            sums.entry(key).or_default().add(cells.pixels, OWN(&cells.areas));
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
    fn add(&mut self, pixels: u64, m2: Option<f64>) {
        self.pixels = self.pixels.saturating_add(pixels);
        self.m2 = m2.map(|m2| self.m2.unwrap_or(0.0) + m2);
    }
}

/// Which group each class is in.
fn groups_of(rollup: &RollUpRecord) -> BTreeMap<ClassCode, &str> {
    let groups = rollup.groups.iter();
    groups.flat_map(|group| group.members.iter().map(|member| (*member, &*group.id))).collect()
}
