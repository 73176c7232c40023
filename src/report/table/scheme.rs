//! What the rows of a table are told by: the classes of the legend, or groups of these by one of its roll-ups.

use std::collections::BTreeMap;

use super::Context;
use crate::io::table::Column;
use crate::model::area::Amount;
use crate::model::legend::ClassCode;
use crate::report::zones::ZoneCounts;

/// Classes as a table tells them.
pub struct Scheme {
    /// The roll-up; `None` for the legend itself.
    rollup: Option<String>,
    /// Code and name of each.
    pub classes: Vec<(String, String)>,
    /// The class of the scheme that each class of the legend is in, by position.
    places: BTreeMap<ClassCode, usize>,
}

/// Counts by class of a scheme, by position.
pub type SchemeCounts = BTreeMap<(Option<usize>, Option<usize>), Amount>;

impl Scheme {
    /// The legend's own classes.
    pub fn of_legend(context: &Context) -> Self {
        let classes = context.codes.iter().map(|&code| (code.to_string(), context.name(code))).collect();
        let places = context.codes.iter().enumerate().map(|(place, &code)| (code, place)).collect();
        Self { rollup: None, classes, places }
    }

    /// The groups of every roll-up.
    pub fn of_rollups(context: &Context) -> Vec<Self> {
        let rollups = context.plan.job.target.rollups.iter();
        rollups
            .map(|rollup| {
                let groups = || rollup.groups.iter();
                let name = |names: &crate::model::legend::Names| names.get(context.language()).to_string();
                let members = groups()
                    .enumerate()
                    .flat_map(|(place, group)| group.members.iter().map(move |&m| (m, place)));
                Self {
                    rollup: Some(rollup.id.clone()),
                    classes: groups().map(|group| (group.id.clone(), name(&group.name))).collect(),
                    places: members.collect(),
                }
            })
            .collect()
    }

    /// Counts by class of the legend, by class of the scheme.
    pub fn counts(&self, counts: &ZoneCounts) -> SchemeCounts {
        let place = |code: Option<ClassCode>| code.and_then(|code| self.places.get(&code).copied());
        let mut sums = SchemeCounts::new();
        for (&(from, to), &amount) in counts {
            *sums.entry((place(from), place(to))).or_default() += amount;
        }
        sums
    }

    /// The first cells of a row: the roll-up.
    pub fn cells(&self) -> impl Iterator<Item = String> + '_ {
        self.rollup.iter().cloned()
    }

    /// The columns of [`Scheme::cells`] in tables of roll-ups.
    pub fn columns() -> Vec<Column> {
        vec![Column::new("rollup", "coarser legend, of which codes and names are groups")]
    }
}
