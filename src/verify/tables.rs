//! The long tables, as the groups that compare them want them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::findings::close;
use crate::model::epoch::{Epoch, Interval};
use crate::model::legend::ClassCode;

/// The long tables.
pub const CHANGE_MATRIX: &str = "tables/change_matrix.csv";
/// Class areas.
pub const CLASS_AREA: &str = "tables/class_area.csv";
/// Cells that no matrix holds.
pub const EXCLUDED: &str = "tables/excluded.csv";
/// How much of each zone was compared.
pub const COVERAGE: &str = "tables/coverage.csv";
/// Statistics.
pub const NET_CHANGE: &str = "tables/net_change.csv";
/// Changes per year.
pub const ANNUAL_CHANGE: &str = "tables/annual_change.csv";
/// Cells that published change maps decided.
pub const OFFICIAL: &str = "tables/official_disagreement.csv";
/// Cells by crosswalk rule.
pub const RULE_COVERAGE: &str = "tables/rule_coverage.csv";
/// The legend.
pub const CLASSES: &str = "tables/classes.csv";

/// A zone of a layer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zone {
    /// The layer: all, section, country, or the job's own.
    pub layer: String,
    /// Its identifier.
    pub id: String,
}

impl Zone {
    /// The whole area.
    pub fn all() -> Self {
        Self { layer: "all".into(), id: "all".into() }
    }

    /// Whether it is of the layer that holds the whole area.
    pub fn is_all(&self) -> bool {
        self.layer == "all"
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() { write!(f, "all") } else { write!(f, "{} `{}`", self.layer, self.id) }
    }
}

/// The areas that a row tells; `None` is an empty cell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Areas {
    /// In m².
    pub m2: Option<f64>,
    /// On the ellipsoid, where that is told beside a sphere's own; in m².
    pub ellipsoidal_m2: Option<f64>,
}

/// A number of cells and the shares that a row states of it.
#[derive(Debug, Clone)]
pub struct Cells<const N: usize> {
    /// Cells.
    pub pixels: u64,
    /// Their areas, as the row tells them.
    pub areas: Areas,
    /// Shares in per cent; `None` is an empty cell.
    pub percent: [Option<f64>; N],
}

/// The change matrix of a zone and a pair.
#[derive(Debug, Clone, Default)]
pub struct Matrix {
    /// Cells from class to class; shares of the row, the column and the whole.
    pub cells: BTreeMap<(ClassCode, ClassCode), Cells<3>>,
    /// True dates of the maps.
    pub dates: [String; 2],
    /// Whether the maps may be compared.
    pub comparable: String,
}

impl Matrix {
    /// Cells from class to class.
    pub fn pixels(&self) -> BTreeMap<(ClassCode, ClassCode), u64> {
        self.cells.iter().map(|(codes, cells)| (*codes, cells.pixels)).collect()
    }
}

/// Which year of a pair excluded cells have a class in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The first.
    From,
    /// The second.
    To,
}

/// A row of the statistics.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Cells, where it counts cells.
    pub pixels: Option<i128>,
    /// The same in hectares.
    pub area_ha: Option<f64>,
    /// Per cent a year, where it is a rate.
    pub rate: Option<f64>,
}

/// The statistics of a zone and a pair.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// By class (`None` is all of them) and name of the statistic.
    pub rows: BTreeMap<(Option<ClassCode>, String), Figure>,
    /// True dates of the maps.
    pub dates: [String; 2],
}

/// What cells that a published change map decided have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfficialCell {
    /// The section whose change map it is.
    pub section: String,
    /// Classes of the maps at both years.
    pub maps: [Option<ClassCode>; 2],
    /// Classes of the change map.
    pub official: [ClassCode; 2],
}

/// Cells that published change maps decided, and their area in m².
pub type OfficialCells = BTreeMap<OfficialCell, (u64, f64)>;

/// Changes per year of a class or of all.
#[derive(Debug, Clone)]
pub struct Rate {
    /// Shortest and longest interval in years.
    pub interval: [Option<f64>; 2],
    /// Cells with an interval.
    pub pixels: u64,
    /// Cells without one.
    pub without: u64,
    /// Gain, loss and net change in cells per year.
    pub px: [Option<f64>; 3],
    /// The same in hectares per year.
    pub ha: [Option<f64>; 3],
}

/// Changes per year by class (`None` is all of them).
pub type Rates = BTreeMap<Option<ClassCode>, Rate>;

/// A class of the legend.
#[derive(Debug, Clone)]
pub struct Class {
    /// Its name in the job's first language.
    pub name: String,
    /// Its colour, where it has one.
    pub colour: Option<[u8; 3]>,
}

/// The long tables of an output.
#[derive(Debug, Default)]
pub struct Tables {
    /// Classes in the order of the legend; `None` where classes have no names.
    pub classes: Option<BTreeMap<ClassCode, Class>>,
    /// Cells of each class by zone and year; share of the zone.
    pub areas: BTreeMap<(Zone, Epoch), BTreeMap<ClassCode, Cells<1>>>,
    /// Change matrices by zone and pair.
    pub matrices: BTreeMap<(Zone, Interval), Matrix>,
    /// Excluded cells by zone and pair, class and side, whatever the reason.
    pub excluded: BTreeMap<(Zone, Interval), BTreeMap<(ClassCode, Side), u64>>,
    /// Their areas in m².
    pub excluded_m2: BTreeMap<(Zone, Interval), BTreeMap<(ClassCode, Side), f64>>,
    /// Those of them that have a class in both years and must not be compared.
    pub not_comparable: BTreeMap<(Zone, Interval), BTreeMap<(ClassCode, Side), u64>>,
    /// Statistics by zone and pair.
    pub figures: BTreeMap<(Zone, Interval), Figures>,
    /// Changes per year by zone and pair.
    pub rates: BTreeMap<(Zone, Interval), Rates>,
    /// Cells that published change maps decided, by zone and pair.
    pub official: BTreeMap<(Zone, Interval), OfficialCells>,
    /// Tables that could not be read throughout.
    pub unread: BTreeSet<&'static str>,
    /// Rows read.
    pub rows: u64,
    /// Tables read.
    pub tables: u64,
    /// Rows whose areas were worked out anew.
    pub areas_checked: u64,
}

impl Tables {
    /// Whether a table could be read throughout; comparing with half a table tells nothing.
    pub fn has(&self, table: &'static str) -> bool {
        !self.unread.contains(table)
    }

    /// What was compared.
    pub fn compared(&self) -> String {
        format!(
            "{} rows of {} long tables read, {} areas worked out anew",
            self.rows, self.tables, self.areas_checked
        )
    }

    /// Class codes: those of the legend; those of the class areas, where there is none.
    pub fn codes(&self) -> BTreeSet<ClassCode> {
        match &self.classes {
            Some(classes) => classes.keys().copied().collect(),
            None => {
                let whole = self.areas.iter().filter(|((zone, _), _)| zone.is_all());
                whole.flat_map(|(_, classes)| classes.keys().copied()).collect()
            }
        }
    }

    /// Class areas of a zone and year.
    pub fn class_counts(&self, zone: &Zone, year: Epoch) -> BTreeMap<ClassCode, u64> {
        let classes = self.areas.get(&(zone.clone(), year)).into_iter().flatten();
        classes.map(|(code, cells)| (*code, cells.pixels)).collect()
    }

    /// The change matrix of a zone and pair.
    pub fn matrix(&self, zone: &Zone, pair: Interval) -> BTreeMap<(ClassCode, ClassCode), u64> {
        self.matrices.get(&(zone.clone(), pair)).map(Matrix::pixels).unwrap_or_default()
    }

    /// Excluded cells of a zone and pair.
    pub fn excluded(&self, zone: &Zone, pair: Interval) -> BTreeMap<(ClassCode, Side), u64> {
        self.excluded.get(&(zone.clone(), pair)).cloned().unwrap_or_default()
    }

    /// Cells of a zone and pair that must not be compared, by the side that they stand on.
    pub fn not_comparable(&self, zone: &Zone, pair: Interval, side: Side) -> u64 {
        let cells = self.not_comparable.get(&(zone.clone(), pair)).into_iter().flatten();
        let of_side = cells.filter(|((_, s), _)| *s == side);
        of_side.fold(0, |sum, (_, cells)| sum.saturating_add(*cells))
    }

    /// Areas of the classes of a zone and year, in m²; `of` says which of those that a row tells.
    pub fn class_areas(&self, zone: &Zone, year: Epoch, of: OfAreas) -> BTreeMap<ClassCode, f64> {
        let classes = self.areas.get(&(zone.clone(), year)).into_iter().flatten();
        classes.map(|(code, cells)| (*code, of(&cells.areas).unwrap_or(0.0))).collect()
    }

    /// Areas from class to class of a zone and pair, in m².
    pub fn matrix_areas(
        &self,
        zone: &Zone,
        pair: Interval,
        of: OfAreas,
    ) -> BTreeMap<(ClassCode, ClassCode), f64> {
        let cells = self.matrices.get(&(zone.clone(), pair)).into_iter().flat_map(|matrix| &matrix.cells);
        cells.map(|(codes, cells)| (*codes, of(&cells.areas).unwrap_or(0.0))).collect()
    }

    /// Areas of the excluded cells of a zone and pair, in m².
    pub fn excluded_areas(&self, zone: &Zone, pair: Interval) -> BTreeMap<(ClassCode, Side), f64> {
        self.excluded_m2.get(&(zone.clone(), pair)).cloned().unwrap_or_default()
    }

    /// Cells of a zone and pair that published change maps decided.
    pub fn official(&self, zone: &Zone, pair: Interval) -> impl Iterator<Item = (&OfficialCell, u64, f64)> {
        let cells = self.official.get(&(zone.clone(), pair)).into_iter().flatten();
        cells.map(|(cell, (pixels, m2))| (cell, *pixels, *m2))
    }

    /// All zones that any table names.
    pub fn zones(&self) -> BTreeSet<&Zone> {
        let by_year = self.areas.keys().map(|(zone, _)| zone);
        let by_pair = self.matrices.keys().chain(self.excluded.keys()).chain(self.figures.keys());
        by_year.chain(by_pair.map(|(zone, _)| zone)).collect()
    }
}

/// Which of the areas that a row tells.
pub type OfAreas = fn(&Areas) -> Option<f64>;

/// Those of the grid.
pub const OWN: OfAreas = |areas| areas.m2;

/// Those on the ellipsoid, beside a sphere's own.
pub const ELLIPSOIDAL: OfAreas = |areas| areas.ellipsoidal_m2;

/// An area in m² as whole mm², as they were added up.
pub fn in_mm2(m2: f64) -> i128 {
    (m2 * 1e6).round() as i128
}

/// A share in per cent; none where the whole is nothing.
pub fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

/// Whether two cells hold the same number, or none.
pub fn same(found: Option<f64>, expected: Option<f64>) -> bool {
    match (found, expected) {
        (Some(found), Some(expected)) => close(found, expected),
        (found, expected) => found.is_none() && expected.is_none(),
    }
}

/// A cell in words.
pub fn told(value: Option<f64>) -> String {
    value.map_or("empty".into(), |value| value.to_string())
}
