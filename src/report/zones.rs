//! Zones: the whole, the sections, the countries, the job's own layers and those crossed with each other.

use std::collections::{BTreeMap, BTreeSet};

use super::rates::Spans;
use super::totals::Totals;
use crate::config::job::Source;
use crate::config::zones::Member;
use crate::kernel::combine::{NO_ZONE, ZoneNumber};
use crate::kernel::tabulate::{Joint, JointCounts};
use crate::model::area::Amount;
use crate::model::comparability::Verdict;
use crate::model::date::Span;
use crate::model::epoch::{Epoch, Interval};
use crate::model::source::{NO_SOURCE, Role, SourceIndex};
use crate::plan::comparability::{PairComparability, reason_words};
use crate::plan::zones::CountedLayer;
use crate::plan::{JobPlan, OUTSIDE};

/// One zone of one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Name of the layer.
    pub layer: String,
    /// Identifier, as text.
    pub id: String,
    /// Name.
    pub name: String,
    is_all: bool,
}

impl Zone {
    /// Whether it is the whole area.
    pub fn is_all(&self) -> bool {
        self.is_all
    }
}

/// Joint counts of one zone: (class at `from`, class at `to`) to cells with their area.
pub type ZoneCounts = BTreeMap<(Option<i32>, Option<i32>), Amount>;

/// What is known of a pair of years, whatever its cells are.
pub struct PairFacts<'a> {
    /// Which of its maps may be compared.
    pub comparability: &'a PairComparability,
    /// The true time between its maps.
    pub spans: Spans,
}

impl<'a> PairFacts<'a> {
    /// What a plan knows of each of its pairs.
    pub fn all_of(plan: &'a JobPlan) -> Vec<Self> {
        let of = |comparability: &'a PairComparability| Self {
            spans: Spans::of(&plan.job, comparability.pair),
            comparability,
        };
        plan.comparability.iter().map(of).collect()
    }

    /// The years.
    pub fn pair(&self) -> Interval {
        self.comparability.pair
    }
}

/// What a zone holds.
#[derive(Debug, Clone, Default)]
pub struct ZoneTotals {
    /// Its counts, of cells that are compared or have no class in one of the years.
    pub counts: ZoneCounts,
    /// Counts of cells that have a class in both years and must not be compared.
    pub left_out: ZoneCounts,
    /// Cells that are compared by what is known of them: yes, no, unknown.
    compared: BTreeMap<Verdict, u64>,
    /// Sources of which cells must not be compared, whether they were left out or not.
    forbidden: BTreeSet<(SourceIndex, SourceIndex)>,
    /// Why they must not.
    reasons: BTreeSet<String>,
    /// Cells that are compared by the true time between their maps.
    spans: BTreeMap<Span, u64>,
    /// Sources that decided its cells at `from`.
    from_sources: BTreeSet<SourceIndex>,
    /// Sources that decided its cells at `to`.
    to_sources: BTreeSet<SourceIndex>,
}

impl ZoneTotals {
    /// True dates of its maps: one date, or the earliest and the latest.
    pub fn dates(&self, plan: &JobPlan, from: Epoch, to: Epoch) -> (String, String) {
        (dates(plan, &self.from_sources, from), dates(plan, &self.to_sources, to))
    }

    /// The true time between the maps of all cells that are compared, where there is one and it leads forward.
    pub fn only_span(&self) -> Option<Span> {
        let (span, _) = self.spans.first_key_value().filter(|_| self.spans.len() == 1)?;
        Some(*span).filter(|span| span.is_positive())
    }

    /// Whether the makers of its maps let them be compared, in the word of the tables.
    pub fn comparable(&self) -> &'static str {
        let any = |verdict: Verdict| self.compared.get(&verdict).is_some_and(|cells| *cells > 0);
        // Of several verdicts the one that promises least.
        if any(Verdict::No) {
            "no"
        } else if !self.left_out.is_empty() {
            "partial"
        } else if any(Verdict::Unknown) {
            "unknown"
        } else if any(Verdict::Official) {
            "official"
        } else if any(Verdict::Yes) {
            "yes"
        } else {
            "unknown"
        }
    }

    /// Why cells of it must not be compared; empty where all may be.
    pub fn reasons(&self) -> String {
        self.reasons.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
    }

    /// Sorts a count in. This is the one place where what may be compared parts from what may not.
    fn add(&mut self, joint: &Joint, amount: Amount, pair: Option<&PairFacts>) {
        if let (Some(PairFacts { comparability, spans }), Some(_), Some(_)) = (pair, joint.from, joint.to) {
            let (from, to) = (joint.from_source, joint.to_source);
            let verdict = comparability.verdict(from, to);
            if verdict == Verdict::No && self.forbidden.insert((from, to)) {
                self.reasons.extend(comparability.rule(from, to).map(reason_words));
            }
            if comparability.leaves_out(from, to) {
                *self.left_out.entry((joint.from, joint.to)).or_default() += amount;
                return;
            }
            *self.compared.entry(verdict).or_default() += amount.pixels;
            *self.spans.entry(spans.between(from, to)).or_default() += amount.pixels;
        }
        *self.counts.entry((joint.from, joint.to)).or_default() += amount;
        self.from_sources.extend((joint.from_source != NO_SOURCE).then_some(joint.from_source));
        self.to_sources.extend((joint.to_source != NO_SOURCE).then_some(joint.to_source));
    }
}

fn dates(plan: &JobPlan, sources: &BTreeSet<SourceIndex>, year: Epoch) -> String {
    let date = |source: &SourceIndex| {
        // The fringe of the coast is no map of any date.
        let source =
            plan.job.sources.get(usize::from(*source)).filter(|source| source.role != Role::Fringe)?;
        let map = source.maps.get(&year)?;
        Some(map.date.clone().unwrap_or_else(|| year.to_string()))
    };
    let dates: BTreeSet<String> = sources.iter().filter_map(date).collect();
    match (dates.first(), dates.last()) {
        (Some(first), Some(last)) if first == last => first.clone(),
        (Some(first), Some(last)) => format!("{first}/{last}"),
        _ => year.to_string(),
    }
}

/// Sorts joint counts into the zones of every layer. Counts of a pair of years come with what is known of it: cells that must
/// not be compared stand apart.
pub fn by_zone<'a>(
    plan: &'a JobPlan,
    totals: &'a Totals,
    joints: &'a JointCounts,
    pair: Option<&'a PairFacts<'a>>,
) -> impl Iterator<Item = (Zone, ZoneTotals)> + 'a {
    let add = move |zone: &mut ZoneTotals, joint: &Joint, amount| zone.add(joint, amount, pair);
    sorted(plan, totals, joints, |joint| joint, add)
}

/// Sorts counts into the zones of every layer, layer by layer: those of one layer are held at a time. The whole area comes
/// first and is always there. `joint` says where what is counted lies and who decided it, `add` what a zone makes of it.
pub fn sorted<'a, K, Z: Default + 'a>(
    plan: &'a JobPlan,
    totals: &'a Totals,
    counts: &'a BTreeMap<K, Amount>,
    joint: fn(&K) -> &Joint,
    add: impl Fn(&mut Z, &K, Amount) + Copy + 'a,
) -> impl Iterator<Item = (Zone, Z)> + 'a {
    let mut whole = Z::default();
    counts.iter().for_each(|(counted, amount)| add(&mut whole, counted, *amount));
    let all = Zone { layer: "all".into(), id: "all".into(), name: String::new(), is_all: true };
    let zones_of = move |layer: Layer<'a>| {
        let mut zones: BTreeMap<Vec<Place>, Z> = BTreeMap::new();
        for (counted, &amount) in counts {
            add(zones.entry(layer.places(joint(counted), totals)).or_default(), counted, amount);
        }
        zones.into_iter().map(move |(places, totals)| (layer.zone(&places), totals))
    };
    std::iter::once((all, whole)).chain(Layer::all_of(plan).into_iter().flat_map(zones_of))
}

/// What makes a layer: one of the job's or of this program's own, or several that are crossed.
struct Layer<'a> {
    id: &'a str,
    members: Vec<Places<'a>>,
}

/// Where a zone stands among those of its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A source's position, a zone's number.
    At(u32),
    /// It changed hands between the years.
    Mixed,
    /// In no zone.
    Nowhere,
}

/// Zones of a layer that crosses no others.
enum Places<'a> {
    /// By the deciding source.
    BySource { sources: &'a [Source], key: fn(&Source) -> Option<&str> },
    /// By the combination, the layer's position in it.
    Counted { position: usize, layer: &'a CountedLayer },
}

impl<'a> Layer<'a> {
    /// Every layer but the whole, in the order of the tables.
    fn all_of(plan: &'a JobPlan) -> Vec<Self> {
        let has_countries = plan.job.sources.iter().any(|source| source.country.is_some());
        let own = [Member::Section, Member::Country];
        let own = own.into_iter().filter(|member| has_countries || *member != Member::Country);
        let own = own.map(|member| (member.id(&[]), vec![member]));
        let told = plan.job.zones.iter().enumerate().filter(|(_, layer)| layer.is_told());
        let of_job = told.map(|(position, layer)| {
            let members = match layer.members() {
                [] => vec![Member::Layer(position)],
                members => members.to_vec(),
            };
            (layer.id.as_str(), members)
        });
        own.chain(of_job)
            .map(|(id, members)| Self {
                id,
                members: members.into_iter().filter_map(|member| Places::of(plan, member)).collect(),
            })
            .collect()
    }

    /// The zone that a count lies in.
    fn places(&self, joint: &Joint, totals: &Totals) -> Vec<Place> {
        let combination = totals.zones.get(joint.zone);
        let places: Vec<Place> = self.members.iter().map(|m| m.place(joint, combination)).collect();
        // What one of the layers does not cover lies outside what they cover together.
        if places.contains(&Place::Nowhere) { vec![Place::Nowhere] } else { places }
    }

    fn zone(&self, places: &[Place]) -> Zone {
        let (id, name) = match (places, self.members.as_slice()) {
            ([Place::Nowhere], [member]) => (member.nowhere().to_string(), String::new()),
            ([Place::Nowhere], _) => (OUTSIDE.to_string(), String::new()),
            ([place], [member]) => member.named(*place),
            _ => {
                let named = self.members.iter().zip(places).map(|(member, place)| member.named(*place));
                join(&named.collect::<Vec<_>>())
            }
        };
        Zone { layer: self.id.to_string(), id, name, is_all: false }
    }
}

impl<'a> Places<'a> {
    fn of(plan: &'a JobPlan, member: Member) -> Option<Self> {
        let sources = plan.job.sources.as_slice();
        Some(match member {
            Member::Section => Self::BySource { sources, key: |source| Some(&source.section) },
            Member::Country => Self::BySource { sources, key: |source| source.country.as_deref() },
            Member::Layer(layer) => {
                let position = plan.zones().iter().position(|counted| counted.layer == layer)?;
                Self::Counted { position, layer: &plan.zones()[position] }
            }
        })
    }

    fn place(&self, joint: &Joint, combination: &[ZoneNumber]) -> Place {
        match self {
            Self::BySource { sources, key } => {
                let of = |source: SourceIndex| sources.get(usize::from(source)).map(key);
                // Where one year has no source, the other year's decides.
                let (from, to) = match (of(joint.from_source), of(joint.to_source)) {
                    (Some(from), Some(to)) => (from, to),
                    (Some(one), None) | (None, Some(one)) => (one, one),
                    (None, None) => (None, None),
                };
                match (from, to) {
                    (None, None) => Place::Nowhere,
                    (from, to) if from == to => {
                        let first = sources.iter().position(|source| key(source) == from);
                        first.map_or(Place::Nowhere, |position| Place::At(position as u32))
                    }
                    _ => Place::Mixed,
                }
            }
            Self::Counted { position, .. } => match combination.get(*position) {
                None | Some(&NO_ZONE) => Place::Nowhere,
                Some(&number) => Place::At(number),
            },
        }
    }

    /// The word for what no zone of the layer holds.
    fn nowhere(&self) -> &'static str {
        match self {
            Self::BySource { .. } => "none",
            Self::Counted { .. } => OUTSIDE,
        }
    }

    /// Identifier and name of a zone.
    fn named(&self, place: Place) -> (String, String) {
        match (self, place) {
            (_, Place::Nowhere) => (self.nowhere().into(), String::new()),
            (_, Place::Mixed) => ("mixed".into(), String::new()),
            (Self::BySource { sources, key }, Place::At(position)) => {
                let id = sources.get(position as usize).and_then(key).unwrap_or_default();
                (id.to_string(), String::new())
            }
            (Self::Counted { layer, .. }, Place::At(number)) => match layer.zone(number) {
                Some((id, name)) => (id.into_owned(), name.to_string()),
                None => (OUTSIDE.into(), String::new()),
            },
        }
    }
}

/// Identifier and name of a zone of crossed layers from those of its members. Names are joined where one has a name;
/// an identifier stands for a name that is lacking.
fn join(named: &[(String, String)]) -> (String, String) {
    let ids: Vec<String> = named.iter().map(|(id, _)| escaped(id)).collect();
    if named.iter().all(|(_, name)| name.is_empty()) {
        return (ids.join(SEPARATOR), String::new());
    }
    let names = named.iter().map(|(id, name)| escaped(if name.is_empty() { id } else { name }));
    (ids.join(SEPARATOR), names.collect::<Vec<_>>().join(SEPARATOR))
}

/// Stands between the identifiers of crossed zones.
const SEPARATOR: &str = "|";

/// A part of a joined identifier: a separator in it is marked, so that no two zones get one identifier.
fn escaped(part: &str) -> String {
    part.replace('\\', "\\\\").replace(SEPARATOR, "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossed_zones_are_named_by_their_members_and_never_alike() {
        let zone = |id: &str, name: &str| (id.to_string(), name.to_string());
        let joined = |a: (&str, &str), b: (&str, &str)| join(&[zone(a.0, a.1), zone(b.0, b.1)]);
        assert_eq!(joined(("CA", ""), ("8.1", "")), zone("CA|8.1", ""));
        assert_eq!(joined(("CA", ""), ("8.1", "Plains")), zone("CA|8.1", "CA|Plains"));
        assert_eq!(joined(("a|", ""), ("b", "")), zone(r"a\||b", ""));
        assert_eq!(joined(("a", ""), ("|b", "")), zone(r"a|\|b", ""));
        assert_eq!(joined((r"a\", ""), ("b", "")), zone(r"a\\|b", ""));
        let keys = ["a", "a|", "|a", r"a\", r"\|a", r"\", "|", r"\\|"];
        let ids: BTreeSet<String> =
            keys.iter().flat_map(|a| keys.map(|b| joined((a, ""), (b, "")).0)).collect();
        assert_eq!(ids.len(), keys.len() * keys.len());
    }
}
