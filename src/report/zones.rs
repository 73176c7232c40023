//! Zones: the whole, the sections, the countries, and the job's own layer.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::tabulate::{Joint, JointCounts};
use crate::model::area::Amount;
use crate::model::epoch::Epoch;
use crate::model::source::{NO_SOURCE, SourceIndex};
use crate::plan::{OUTSIDE, Plan};

/// One zone of one layer; ordered as tables are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zone {
    /// Position of the layer: all, section, country, the job's own.
    layer_order: usize,
    /// Position in the layer.
    order: usize,
    /// Name of the layer.
    pub layer: String,
    /// Identifier, as text.
    pub id: String,
    /// Name.
    pub name: String,
}

impl Zone {
    /// Whether it is the whole area.
    pub fn is_all(&self) -> bool {
        self.layer_order == 0
    }
}

/// Joint counts of one zone: (class at `from`, class at `to`) to cells with their area.
pub type ZoneCounts = BTreeMap<(Option<i32>, Option<i32>), Amount>;

/// What a zone holds.
#[derive(Debug, Clone, Default)]
pub struct ZoneTotals {
    /// Its counts.
    pub counts: ZoneCounts,
    /// Sources that decided its cells at `from`.
    from_sources: BTreeSet<SourceIndex>,
    /// Sources that decided its cells at `to`.
    to_sources: BTreeSet<SourceIndex>,
}

impl ZoneTotals {
    /// True dates of its maps: one date, or the earliest and the latest.
    pub fn dates(&self, plan: &Plan, from: Epoch, to: Epoch) -> (String, String) {
        (dates(plan, &self.from_sources, from), dates(plan, &self.to_sources, to))
    }
}

fn dates(plan: &Plan, sources: &BTreeSet<SourceIndex>, year: Epoch) -> String {
    let date = |source: &SourceIndex| {
        let map = plan.job.sources.get(usize::from(*source))?.maps.get(&year)?;
        Some(map.date.clone().unwrap_or_else(|| year.to_string()))
    };
    let dates: BTreeSet<String> = sources.iter().filter_map(date).collect();
    match (dates.first(), dates.last()) {
        (Some(first), Some(last)) if first == last => first.clone(),
        (Some(first), Some(last)) => format!("{first}/{last}"),
        _ => year.to_string(),
    }
}

/// Sorts joint counts into the zones of every layer. The whole area is always there.
pub fn by_zone(plan: &Plan, joints: &JointCounts) -> BTreeMap<Zone, ZoneTotals> {
    let mut zones: BTreeMap<Zone, ZoneTotals> = BTreeMap::from([(all(), ZoneTotals::default())]);
    for (joint, &amount) in joints {
        for zone in zones_of(plan, joint) {
            let totals = zones.entry(zone).or_default();
            *totals.counts.entry((joint.from, joint.to)).or_default() += amount;
            totals.from_sources.extend((joint.from_source != NO_SOURCE).then_some(joint.from_source));
            totals.to_sources.extend((joint.to_source != NO_SOURCE).then_some(joint.to_source));
        }
    }
    zones
}

fn all() -> Zone {
    Zone { layer_order: 0, order: 0, layer: "all".into(), id: "all".into(), name: String::new() }
}

fn zones_of(plan: &Plan, joint: &Joint) -> Vec<Zone> {
    let mut zones = vec![all()];
    zones.push(by_source(plan, joint, 1, "section", |source| Some(&source.section)));
    if plan.job.sources.iter().any(|source| source.country.is_some()) {
        zones.push(by_source(plan, joint, 2, "country", |source| source.country.as_ref()));
    }
    if let (Some(layer), Some(polygons)) = (&plan.job.zones, &plan.zones) {
        let outside = (usize::MAX, OUTSIDE.to_string(), String::new());
        let (order, id, name) = match joint.zone.checked_sub(1).and_then(|z| polygons.keys.get(z as usize)) {
            Some((id, name)) => (joint.zone as usize, id.clone(), name.clone()),
            None => outside,
        };
        zones.push(Zone { layer_order: 3, order, layer: layer.id.clone(), id, name });
    }
    zones
}

/// The zone of a cell by its deciding sources; one that changes hands between the years is `mixed`.
fn by_source<'a>(
    plan: &'a Plan,
    joint: &Joint,
    layer_order: usize,
    layer: &str,
    key: impl Fn(&'a crate::config::job::Source) -> Option<&'a String>,
) -> Zone {
    let of = |source: SourceIndex| plan.job.sources.get(usize::from(source)).map(&key);
    // Where one year has no source, the other year's decides.
    let (from, to) = match (of(joint.from_source), of(joint.to_source)) {
        (Some(from), Some(to)) => (from, to),
        (Some(one), None) | (None, Some(one)) => (one, one),
        (None, None) => (None, None),
    };
    let (order, id) = match (from, to) {
        (Some(from), Some(to)) if from == to => {
            let order = plan.job.sources.iter().position(|s| key(s) == Some(from)).unwrap_or(0);
            (order, from.clone())
        }
        (None, None) => (usize::MAX, "none".into()),
        _ => (usize::MAX - 1, "mixed".into()),
    };
    Zone { layer_order, order, layer: layer.into(), id, name: String::new() }
}
