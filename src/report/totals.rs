//! Totals: the partial tables of all parts, added up.

use std::collections::BTreeMap;

use crate::io::part::{PartTables, RuleCount};
use crate::kernel::mosaic::Overlap;
use crate::kernel::tabulate::{Joint, JointCounts};
use crate::model::area::Amount;

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
    /// Cells whose centre lies in more than one zone.
    pub zone_overlaps: u64,
}

impl Totals {
    /// Nothing yet, for a number of epochs and pairs.
    pub fn new(epochs: usize, pairs: usize) -> Self {
        Self {
            areas: vec![JointCounts::new(); epochs],
            pairs: vec![JointCounts::new(); pairs],
            overlaps: vec![BTreeMap::new(); epochs],
            rules: vec![BTreeMap::new(); epochs],
            zone_overlaps: 0,
        }
    }

    /// Adds the tables of one part.
    pub fn add(&mut self, part: &PartTables) {
        for (totals, rows) in
            self.areas.iter_mut().zip(&part.areas).chain(self.pairs.iter_mut().zip(&part.pairs))
        {
            for &(zone, from_source, to_source, from, to, amount) in rows {
                *totals.entry(Joint { zone, from_source, to_source, from, to }).or_default() += amount;
            }
        }
        for (totals, rows) in self.overlaps.iter_mut().zip(&part.overlaps) {
            for &(winner, loser, winner_code, loser_code, amount) in rows {
                *totals.entry(Overlap { winner, loser, winner_code, loser_code }).or_default() += amount;
            }
        }
        for (totals, rows) in self.rules.iter_mut().zip(&part.rules) {
            for row in rows {
                *totals.entry(RuleCount { amount: Amount::default(), ..row.clone() }).or_default() +=
                    row.amount;
            }
        }
        self.zone_overlaps += part.zone_overlaps;
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
