//! Third group, fourth part: cells that published change maps decide.
//!
//! Which these are is not to be seen in the maps. What `official_disagreement.csv` says of the whole area must explain the
//! change raster: cells by the classes of both maps and by the value of the raster are those that the change maps decided so,
//! and the others are as the maps say, or left out.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{CodedCounts, Facts, Joint, JointCounts};
use super::findings::Findings;
use super::manifest::Manifest;
use super::rasters::change_code;
use super::tables::{OFFICIAL, Tables, Zone};
use crate::model::epoch::Interval;
use crate::model::legend::ClassCode;

/// The value of a change raster without data.
const NO_CHANGE: i64 = 65_535;

/// What is left of a pair to the maps, and what change maps decide.
#[derive(Debug, Default)]
pub struct Shares {
    /// Joint counts of cells that no change map decides.
    pub joints: JointCounts,
    /// Those of them that the change raster leaves out.
    pub left_out: JointCounts,
    /// Cells that change maps decide, by their classes.
    pub official: BTreeMap<(ClassCode, ClassCode), u64>,
}

/// Parts the cells of a pair and compares the change raster with both; `None` where a table or a raster is lacking.
pub fn shares(
    facts: &Facts,
    pair: Interval,
    tables: &Tables,
    manifest: &Manifest,
    findings: &mut Findings,
) -> Option<Shares> {
    let coded = facts.coded.get(&pair).filter(|_| tables.has(OFFICIAL))?;
    let unchanged = manifest.job.unchanged;
    let mut shares = Shares::default();
    // By the classes of the maps and the value of the raster.
    let mut told: BTreeMap<(Joint, i64), u64> = BTreeMap::new();
    for (cell, pixels, _) in tables.official(&Zone::all(), pair) {
        let [from, to] = cell.official;
        let code = change_code(Some(from), Some(to), unchanged);
        for sum in [
            told.entry(((cell.maps[0], cell.maps[1]), code)).or_default(),
            shares.official.entry((from, to)).or_default(),
        ] {
            *sum = sum.saturating_add(pixels);
        }
    }
    let joints: BTreeSet<Joint> =
        coded.keys().map(|(joint, _)| *joint).chain(told.keys().map(|(joint, _)| *joint)).collect();
    for joint in joints {
        let own = own_cells((joint, pair), coded, &told, manifest, findings);
        let kept_code = change_code(joint.0, joint.1, unchanged);
        shares.joints.insert(joint, own.values().fold(0, |sum, n| sum.saturating_add(*n)));
        if joint.0.is_some() && joint.1.is_some() && kept_code != NO_CHANGE {
            shares.left_out.insert(joint, own.get(&NO_CHANGE).copied().unwrap_or(0));
        }
    }
    Some(shares)
}

/// Cells of a joint count by value of the change raster, without those that change maps decide. Such a value is what the maps
/// make, or no data.
fn own_cells(
    (joint, pair): (Joint, Interval),
    coded: &CodedCounts,
    told: &BTreeMap<(Joint, i64), u64>,
    manifest: &Manifest,
    findings: &mut Findings,
) -> BTreeMap<i64, u64> {
    let kept = change_code(joint.0, joint.1, manifest.job.unchanged);
    let mut found: BTreeMap<i64, u64> = BTreeMap::new();
    for ((_, code), cells) in coded.iter().filter(|((of, _), _)| *of == joint) {
        *found.entry(i64::from(*code)).or_default() += cells;
    }
    let decided = told.iter().filter(|((of, _), _)| *of == joint).map(|((_, code), cells)| (*code, *cells));
    let decided: BTreeMap<i64, u64> = decided.collect();
    let codes: BTreeSet<i64> = found.keys().chain(decided.keys()).copied().collect();
    let mut own = BTreeMap::new();
    for code in codes {
        let of = |counts: &BTreeMap<i64, u64>| counts.get(&code).copied().unwrap_or(0);
        let (shown, official) = (of(&found), of(&decided));
        let may_be_own = code == kept || (code == NO_CHANGE && manifest.leaves_out(pair));
        let agrees = if may_be_own { shown >= official } else { shown == official };
        findings.that(agrees, OFFICIAL, "change codes", || {
            format!(
                "{pair}, {:?} to {:?} by the maps: the change raster has {shown} cells of code {code}; change maps decide \
                 {official} of them",
                joint.0, joint.1
            )
        });
        own.insert(code, shown.saturating_sub(official));
    }
    own
}
