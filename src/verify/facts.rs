//! What the cells of an output's rasters come to: counts and areas, added up square by square.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::Array2;

use super::rasters::{Kind, change_code};
use crate::kernel::change::Unchanged;
use crate::model::epoch::{Epoch, Interval};
use crate::model::legend::ClassCode;

/// Cells of a raster by value.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Cells of each value but nodata.
    pub values: BTreeMap<ClassCode, u64>,
    /// Cells without data.
    pub nodata: u64,
}

/// The class of a cell in the first and in the second map of a pair; `None` is nodata.
pub type Joint = (Option<ClassCode>, Option<ClassCode>);

/// Cells by class in the first and in the second map of a pair.
pub type JointCounts = BTreeMap<Joint, u64>;

/// Cells by class in both maps and by the value of the change raster.
pub type CodedCounts = BTreeMap<(Joint, i32), u64>;

/// What the rasters hold. A raster that could not be read throughout is not in it.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Counts of each map.
    pub maps: BTreeMap<Epoch, Counts>,
    /// Counts of each change raster.
    pub changes: BTreeMap<Interval, Counts>,
    /// Joint counts of each pair of maps.
    pub joints: BTreeMap<Interval, JointCounts>,
    /// Of these, cells that the change raster leaves out, though both maps have a class.
    pub left_out: BTreeMap<Interval, JointCounts>,
    /// Cells by joint count and value of the change raster, of pairs of which published change maps decide.
    pub coded: BTreeMap<Interval, CodedCounts>,
    /// Areas of the classes of each map in m², where areas are added up cell by cell.
    pub map_areas: BTreeMap<Epoch, BTreeMap<ClassCode, f64>>,
    /// Areas of the joint counts in m², where areas are added up cell by cell; without cells that are left out.
    pub joint_areas: BTreeMap<Interval, BTreeMap<Joint, f64>>,
    /// Areas of the cells that are left out.
    pub left_out_areas: BTreeMap<Interval, BTreeMap<Joint, f64>>,
    /// Cells by where they come from and by class, of each map.
    pub origins: BTreeMap<Epoch, BTreeMap<(i32, Option<ClassCode>), u64>>,
    /// Areas by where cells come from in m², where areas are added up cell by cell.
    pub origin_areas: BTreeMap<Epoch, BTreeMap<i32, f64>>,
    /// Counts of each raster that says where cells come from.
    pub provenance: BTreeMap<Epoch, Counts>,
    /// Cells read.
    pub cells: u64,
    /// Cells of change rasters worked out anew.
    pub recomputed: u64,
    /// Overview cells worked out anew.
    pub overview_cells: u64,
    /// Cells of maps whose shares were added up.
    pub shared: u64,
    /// Rasters that could not be read throughout.
    pub unread: BTreeSet<Kind>,
}

/// What the rasters of an output hold.
#[derive(Debug, Default)]
pub struct Surveyed {
    /// Grid by grid.
    pub grids: Vec<Facts>,
    /// On all grids together; what one of them lacks is not in it.
    pub whole: Facts,
}

impl Counts {
    /// Counts more cells.
    pub fn add(&mut self, cells: &Array2<i32>, nodata: Option<i32>) {
        for line in cells.rows() {
            let mut rest = line.iter().copied().peekable();
            while let Some(value) = rest.next() {
                let mut run = 1;
                while rest.next_if_eq(&value).is_some() {
                    run += 1;
                }
                if Some(value) == nodata {
                    self.nodata += run;
                } else {
                    *self.values.entry(value).or_default() += run;
                }
            }
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.nodata += other.nodata;
        add_all(&mut self.values, other.values);
    }
}

/// Adds the areas of cells up by what they show; cells that show nothing are left out.
pub fn add_areas<K: Ord + Copy>(
    sums: &mut BTreeMap<K, f64>,
    shown: impl Iterator<Item = Option<K>>,
    areas: &Array2<f64>,
) {
    let mut run: Option<(K, f64)> = None;
    for (key, area) in shown.zip(areas) {
        match (&mut run, key) {
            (Some((last, sum)), Some(key)) if *last == key => *sum += area,
            (held, key) => {
                if let Some((key, sum)) = std::mem::replace(held, key.map(|key| (key, *area))) {
                    *sums.entry(key).or_default() += sum;
                }
            }
        }
    }
    if let Some((key, sum)) = run {
        *sums.entry(key).or_default() += sum;
    }
}

/// Adds counts to those of the same keys.
pub fn add_all<K: Ord>(sums: &mut BTreeMap<K, u64>, counts: BTreeMap<K, u64>) {
    for (key, cells) in counts {
        *sums.entry(key).or_default() += cells;
    }
}

impl Facts {
    /// Adds what was found elsewhere.
    pub fn merge(&mut self, other: Self) {
        for (year, counts) in other.maps {
            self.maps.entry(year).or_default().merge(counts);
        }
        for (pair, counts) in other.changes {
            self.changes.entry(pair).or_default().merge(counts);
        }
        for (pair, joints) in other.joints {
            add_all(self.joints.entry(pair).or_default(), joints);
        }
        for (pair, joints) in other.left_out {
            add_all(self.left_out.entry(pair).or_default(), joints);
        }
        for (pair, coded) in other.coded {
            add_all(self.coded.entry(pair).or_default(), coded);
        }
        for (pair, areas) in other.left_out_areas {
            let sums = self.left_out_areas.entry(pair).or_default();
            areas.into_iter().for_each(|(joint, m2)| *sums.entry(joint).or_default() += m2);
        }
        for (year, areas) in other.map_areas {
            let sums = self.map_areas.entry(year).or_default();
            areas.into_iter().for_each(|(class, m2)| *sums.entry(class).or_default() += m2);
        }
        for (pair, areas) in other.joint_areas {
            let sums = self.joint_areas.entry(pair).or_default();
            areas.into_iter().for_each(|(joint, m2)| *sums.entry(joint).or_default() += m2);
        }
        for (year, counts) in other.origins {
            add_all(self.origins.entry(year).or_default(), counts);
        }
        for (year, counts) in other.provenance {
            self.provenance.entry(year).or_default().merge(counts);
        }
        for (year, areas) in other.origin_areas {
            let sums = self.origin_areas.entry(year).or_default();
            areas.into_iter().for_each(|(origin, m2)| *sums.entry(origin).or_default() += m2);
        }
        self.cells += other.cells;
        self.recomputed += other.recomputed;
        self.overview_cells += other.overview_cells;
        self.shared += other.shared;
        self.unread.extend(other.unread);
    }

    /// Counts of a map or a change raster.
    pub fn counts(&self, kind: Kind) -> Option<&Counts> {
        match kind {
            Kind::Map(year) => self.maps.get(&year),
            Kind::Change(pair) => self.changes.get(&pair),
            Kind::Fraction(..) => None,
            Kind::Provenance(year) => self.provenance.get(&year),
        }
    }

    /// Areas of the values of a raster in m², as the maps of its grid have them; `None` where these were not measured.
    pub fn areas_of_values(&self, kind: Kind, unchanged: Unchanged) -> Option<BTreeMap<i64, f64>> {
        let mut areas = BTreeMap::new();
        match kind {
            Kind::Map(year) => {
                areas.extend(self.map_areas.get(&year)?.iter().map(|(class, m2)| (i64::from(*class), *m2)));
            }
            Kind::Change(pair) => {
                for (&(from, to), m2) in self.joint_areas.get(&pair)? {
                    *areas.entry(change_code(from, to, unchanged)).or_default() += m2;
                }
            }
            Kind::Fraction(..) => return None,
            Kind::Provenance(year) => {
                areas.extend(self.origin_areas.get(&year)?.iter().map(|(code, m2)| (i64::from(*code), *m2)));
            }
        }
        Some(areas)
    }

    /// Leaves out what rests on rasters that could not be read throughout: half a count agrees with nothing.
    pub fn forget_unread(&mut self) {
        for kind in &self.unread {
            match kind {
                Kind::Map(year) => {
                    self.maps.remove(year);
                    self.map_areas.remove(year);
                    self.joints.retain(|pair, _| pair.from != *year && pair.to != *year);
                    self.joint_areas.retain(|pair, _| pair.from != *year && pair.to != *year);
                    self.coded.retain(|pair, _| pair.from != *year && pair.to != *year);
                }
                Kind::Change(pair) => {
                    self.changes.remove(pair);
                    self.coded.remove(pair);
                }
                Kind::Fraction(..) => {}
                Kind::Provenance(year) => {
                    self.origins.remove(year);
                    self.provenance.remove(year);
                    self.origin_areas.remove(year);
                }
            }
        }
    }
}
