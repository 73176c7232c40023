//! Totals: the partial tables of all parts, added up.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::io::part::{CoastCount, EditCount, PartTables, RuleCount};
use crate::kernel::combine::Combinations;
use crate::kernel::mosaic::Overlap;
use crate::kernel::official::{OfficialCounts, OfficialJoint};
use crate::kernel::tabulate::{Joint, JointCounts, ZoneIndex};
use crate::model::area::Amount;
use crate::model::comparability::Verdict;
use crate::model::gap::Gaps;
use crate::model::seam::SeamCounts;
use crate::plan::comparability::PairComparability;

/// Sums over all tasks; integers, so that no order of adding changes a digit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Class counts of each epoch (both classes of a joint count are the same).
    pub areas: Vec<JointCounts>,
    /// Joint counts of each pair.
    pub pairs: Vec<JointCounts>,
    /// Overlaps of each epoch.
    pub overlaps: Vec<BTreeMap<Overlap, Amount>>,
    /// Cells decided by each rule, by epoch.
    pub rules: Vec<BTreeMap<RuleCount, Amount>>,
    /// Cells of slivers of each epoch: by owner, source, class and whether the source maps the cell.
    pub slivers: Vec<BTreeMap<(u8, u8, i32, bool), Amount>>,
    /// Codes of provenance of each epoch (in the place of both classes).
    pub origins: Vec<JointCounts>,
    /// Cells that published change maps decided, by pair.
    pub official: Vec<OfficialCounts>,
    /// Combinations of zones that cells of the grid lie in; joint counts go by their numbers.
    pub zones: Combinations,
    /// For each zone layer the cells whose centre lies in more than one of its zones.
    pub zone_overlaps: Vec<u64>,
    /// Cells that edits hold, by epoch.
    pub edits: Vec<BTreeMap<EditCount, Amount>>,
    /// Cells off land, by epoch.
    pub coast: Vec<BTreeMap<CoastCount, Amount>>,
    /// What lies between sources, grid by grid.
    pub between: Vec<Between>,
    /// Tasks that are missing, in words; their cells are counted as nodata.
    pub missing: Vec<String>,
}

/// What lies between the sources of a grid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Between {
    /// Pairs of neighbours along boundaries of sections, by epoch.
    pub seams: Vec<SeamCounts>,
    /// Gaps, by epoch; none where the job does not list them.
    pub gaps: Vec<Gaps>,
}

impl Totals {
    /// Nothing yet, for a number of epochs, pairs and zone layers.
    pub fn new(epochs: usize, pairs: usize, layers: usize) -> Self {
        Self {
            areas: vec![JointCounts::new(); epochs],
            pairs: vec![JointCounts::new(); pairs],
            overlaps: vec![BTreeMap::new(); epochs],
            rules: vec![BTreeMap::new(); epochs],
            slivers: vec![BTreeMap::new(); epochs],
            origins: vec![JointCounts::new(); epochs],
            official: vec![OfficialCounts::new(); pairs],
            zones: Combinations::new(layers),
            zone_overlaps: vec![0; layers],
            edits: vec![BTreeMap::new(); epochs],
            coast: vec![BTreeMap::new(); epochs],
            between: vec![Between { seams: vec![SeamCounts::new(); epochs], gaps: Vec::new() }],
            missing: Vec::new(),
        }
    }

    /// Adds the tables of one part. Where grids differ in the size of their cells and those of the part's are alike,
    /// `cell_mm2` is the area that goes with each.
    ///
    /// # Errors
    /// Bug: the part counts cells of a combination of zones that it does not list.
    pub fn add(&mut self, part: &PartTables, cell_mm2: Option<u64>) -> Result<()> {
        let sized = |amount: Amount| match cell_mm2 {
            Some(mm2) => Amount { area_mm2: u128::from(amount.pixels) * u128::from(mm2), ..amount },
            None => amount,
        };
        let numbers: Vec<ZoneIndex> =
            part.zones.iter().map(|combination| self.zones.number(combination)).collect();
        let joints = self.areas.iter_mut().zip(&part.areas).chain(self.pairs.iter_mut().zip(&part.pairs));
        for (totals, rows) in joints.chain(self.origins.iter_mut().zip(&part.origins)) {
            for &(zone, from_source, to_source, from, to, amount) in rows {
                let zone = *numbers
                    .get(zone as usize)
                    .ok_or_else(|| Error::bug("a part counts cells of zones that it does not list"))?;
                *totals.entry(Joint { zone, from_source, to_source, from, to }).or_default() += sized(amount);
            }
        }
        for (totals, rows) in self.official.iter_mut().zip(&part.official) {
            for &((zone, from_source, to_source, from, to, amount), map_from, map_to) in rows {
                let zone = *numbers
                    .get(zone as usize)
                    .ok_or_else(|| Error::bug("a part counts cells of zones that it does not list"))?;
                let joint = Joint { zone, from_source, to_source, from, to };
                *totals.entry(OfficialJoint { joint, map_from, map_to }).or_default() += sized(amount);
            }
        }
        for (totals, rows) in self.overlaps.iter_mut().zip(&part.overlaps) {
            for &(winner, loser, winner_code, loser_code, amount) in rows {
                *totals.entry(Overlap { winner, loser, winner_code, loser_code }).or_default() +=
                    sized(amount);
            }
        }
        for (totals, rows) in self.rules.iter_mut().zip(&part.rules) {
            for row in rows {
                *totals.entry(RuleCount { amount: Amount::default(), ..row.clone() }).or_default() +=
                    sized(row.amount);
            }
        }
        for (totals, rows) in self.slivers.iter_mut().zip(&part.slivers) {
            for &(owner, source, code, is_mapped, amount) in rows {
                *totals.entry((owner, source, code, is_mapped)).or_default() += sized(amount);
            }
        }
        for (totals, rows) in self.edits.iter_mut().zip(&part.edits) {
            for (count, amount) in rows {
                *totals.entry(count.clone()).or_default() += sized(*amount);
            }
        }
        for (totals, rows) in self.coast.iter_mut().zip(&part.coast) {
            for (count, amount) in rows {
                *totals.entry(*count).or_default() += sized(*amount);
            }
        }
        for (total, cells) in self.zone_overlaps.iter_mut().zip(&part.zone_overlaps) {
            *total += cells;
        }
        for (totals, pairs) in self.between[0].seams.iter_mut().zip(&part.seams) {
            pairs.iter().for_each(|(pair, n)| *totals.entry(*pair).or_default() += n);
        }
        Ok(())
    }

    /// Adds the sums over the tasks of another grid, of the same epochs, pairs and zone layers.
    pub fn merge(&mut self, other: Self) {
        let numbers: Vec<ZoneIndex> =
            other.zones.iter().map(|combination| self.zones.number(combination)).collect();
        let joints = self.areas.iter_mut().zip(other.areas).chain(self.pairs.iter_mut().zip(other.pairs));
        for (totals, joints) in joints.chain(self.origins.iter_mut().zip(other.origins)) {
            for (joint, amount) in joints {
                let zone = numbers[joint.zone as usize];
                *totals.entry(Joint { zone, ..joint }).or_default() += amount;
            }
        }
        for (totals, counts) in self.official.iter_mut().zip(other.official) {
            for (counted, amount) in counts {
                let joint = Joint { zone: numbers[counted.joint.zone as usize], ..counted.joint };
                *totals.entry(OfficialJoint { joint, ..counted }).or_default() += amount;
            }
        }
        for (totals, overlaps) in self.overlaps.iter_mut().zip(other.overlaps) {
            overlaps.into_iter().for_each(|(overlap, amount)| *totals.entry(overlap).or_default() += amount);
        }
        for (totals, rules) in self.rules.iter_mut().zip(other.rules) {
            rules.into_iter().for_each(|(rule, amount)| *totals.entry(rule).or_default() += amount);
        }
        for (totals, slivers) in self.slivers.iter_mut().zip(other.slivers) {
            slivers.into_iter().for_each(|(sliver, amount)| *totals.entry(sliver).or_default() += amount);
        }
        for (totals, edits) in self.edits.iter_mut().zip(other.edits) {
            edits.into_iter().for_each(|(count, amount)| *totals.entry(count).or_default() += amount);
        }
        for (totals, coast) in self.coast.iter_mut().zip(other.coast) {
            coast.into_iter().for_each(|(count, amount)| *totals.entry(count).or_default() += amount);
        }
        for (total, cells) in self.zone_overlaps.iter_mut().zip(other.zone_overlaps) {
            *total += cells;
        }
        self.between.extend(other.between);
        self.missing.extend(other.missing);
    }

    /// Whether a pair has cells with a class in both years that must not be compared, left out or not.
    pub fn hold_forbidden(&self, pair: usize, comparability: &PairComparability) -> bool {
        let mut both = self.pairs[pair].keys().filter(|joint| joint.from.is_some() && joint.to.is_some());
        both.any(|joint| comparability.verdict(joint.from_source, joint.to_source) == Verdict::No)
    }

    /// Cells of each class in an epoch.
    pub fn class_counts(&self, epoch: usize) -> BTreeMap<i32, Amount> {
        let mut counts: BTreeMap<i32, Amount> = BTreeMap::new();
        for (joint, amount) in &self.areas[epoch] {
            if let Some(code) = joint.from {
                *counts.entry(code).or_default() += *amount;
            }
        }
        counts
    }
}
