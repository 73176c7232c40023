//! What one source does with each of its values: legend, nodata and crosswalk compiled into one table.
//!
//! Reclass writes the *rule* that a cell fell under, not yet its class. So the engine can count afterwards, on
//! the cells that really end up in the mosaic, which rule took how many, which rest on proposed rows, which fell
//! to a default and which value no rule explains.

use std::collections::BTreeMap;

use super::crosswalk::{Crosswalk, CrosswalkRow, Target};
use super::legend::{Absence, ClassCode, Legend, Status};
use super::provenance::{BY_CROSSWALK, NO_OBSERVATION, OUTSIDE, Origin};
use super::stratum_key::joined;

/// Position of a rule in its table; values that no rule explains get positions behind the table's end.
pub type RuleIndex = u16;

/// Marks cells that the source does not cover at all.
pub const NOT_COVERED: RuleIndex = RuleIndex::MAX;

/// The value that stands for NaN in a float raster.
pub const NAN_VALUE: ClassCode = ClassCode::MIN;

/// What becomes of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It gets this class of the target legend.
    Class(ClassCode),
    /// It has no class.
    Absent(Absence),
    /// A crosswalk row says that it has no class.
    Withheld,
    /// Nothing says what the value is: an error.
    Unmapped,
    /// The row is conditional and its layer has no value here: an error.
    NoStratum,
}

impl Outcome {
    /// Where a cell with this outcome comes from; `map` is the code of the map that decides it.
    pub fn origin(self, map: Origin) -> Origin {
        match self {
            Self::Class(_) => map,
            Self::Absent(Absence::Outside) => OUTSIDE,
            Self::Absent(Absence::NoObservation) | Self::Unmapped | Self::NoStratum => NO_OBSERVATION,
            Self::Withheld => BY_CROSSWALK,
        }
    }
}

/// One rule: a value of the source (in a stratum) and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Value in the source.
    pub from: ClassCode,
    /// Value of the stratum, for conditional rows; of several strata their values, joined by `+`.
    pub stratum: Option<String>,
    /// What becomes of the cell.
    pub outcome: Outcome,
    /// Whether the crosswalk row is proposed, not published.
    pub proposed: bool,
    /// Whether a conditional row fell to its default for want of the layer's value.
    pub default_taken: bool,
}

#[derive(Debug, Clone)]
enum Entry {
    Unknown,
    Always(RuleIndex),
    ByStratum {
        stratum: usize,
        rules: Vec<RuleIndex>,
    },
    /// Rules of every combination of positions, the last stratum running fastest, behind the one for want of a value.
    ByStrata {
        strata: Vec<Positions>,
        rules: Vec<RuleIndex>,
    },
}

/// A stratum that a row on several depends on.
#[derive(Debug, Clone, Copy)]
struct Positions {
    stratum: usize,
    /// Number of its positions.
    count: usize,
}

/// The position in each of several strata of a place among all their combinations, the last running fastest.
fn positions_of(place: usize, counts: &[usize]) -> impl Iterator<Item = usize> {
    (0..counts.len()).map(move |stratum| {
        let faster: usize = counts[stratum + 1..].iter().product();
        place / faster.max(1) % counts[stratum].max(1)
    })
}

/// What to do with a value that no rule explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unknown {
    /// It is an error.
    Unmapped,
    /// It is its own class: rasters without a legend.
    Itself,
}

/// All rules of one source.
#[derive(Debug, Clone)]
pub struct RuleTable {
    rules: Vec<Rule>,
    first: ClassCode,
    entries: Vec<Entry>,
    /// Values far from all classes, such as a nodata value of 2147483647.
    far: BTreeMap<ClassCode, Entry>,
    unknown: Unknown,
}

/// Values that are looked up by position; others go through a tree.
const NEAR: std::ops::RangeInclusive<ClassCode> = -256..=65_535;

/// The values of a stratum layer in use by a crosswalk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StratumValues {
    /// Name of the layer.
    pub name: String,
    /// Its values, in order; a stratum plane holds position + 1, and 0 where the layer has none.
    pub values: Vec<String>,
    /// Whether cells may hold what is no value of the layer, which is an error where a row asks for it. A plane holds
    /// number of values + 1 there.
    pub open: bool,
}

impl StratumValues {
    /// Number of positions that a plane can tell apart, beside the lack of a value.
    pub fn positions(&self) -> usize {
        self.values.len() + usize::from(self.open)
    }
}

/// The most rules that the conditional rows of a crosswalk may make: half of what can be numbered.
pub const MOST_CONDITIONAL_RULES: usize = 1 << 15;

impl RuleTable {
    /// Compiles legend, crosswalk (none: the classes are kept) and nodata.
    ///
    /// `tag` is the declared nodata value, given only where it can be true (see [`super::nodata`]). `strata`
    /// lists the layers at hand; conditional rows whose layer is missing become [`Outcome::NoStratum`], or their
    /// default where `take_default`.
    pub fn compile(
        legend: &Legend,
        crosswalk: Option<&Crosswalk>,
        tag: Option<ClassCode>,
        strata: &[StratumValues],
        take_default: bool,
    ) -> Self {
        let mut table = Builder::default();
        table.absent(NAN_VALUE, Absence::Outside);
        for row in &legend.nodata {
            table.absent(row.value, row.meaning);
        }
        if !legend.is_raw() {
            table.absent(legend.fill, legend.absence(legend.fill).unwrap_or(Absence::Outside));
        }
        if let Some(tag) = tag {
            table.absent(tag, legend.absence(tag).unwrap_or(Absence::Outside));
        }
        for class in &legend.classes {
            let Some(crosswalk) = crosswalk else {
                table.always(class.code, Outcome::Class(class.code), false);
                continue;
            };
            let Some(row) = crosswalk.row(class.code) else { continue };
            let proposed = row.status == Status::Proposed;
            match &row.to {
                Target::Class(to) => table.always(class.code, Outcome::Class(*to), proposed),
                Target::Word(_) => table.always(class.code, Outcome::Withheld, proposed),
                Target::ByStratum(_) => table.conditional(row, strata, take_default),
            }
        }
        let unknown = if legend.is_raw() { Unknown::Itself } else { Unknown::Unmapped };
        table.finish(unknown)
    }

    /// The rules that are known beforehand; unknown values get positions behind them.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule for a value, given what the strata say at the cell (position + 1, 0 for none).
    ///
    /// `None` for a value that no rule explains.
    #[inline]
    pub fn find(&self, value: ClassCode, stratum_at: impl Fn(usize) -> u8) -> Option<RuleIndex> {
        match self.entry(value) {
            _ if value == NAN_VALUE => Some(0),
            None | Some(Entry::Unknown) => None,
            Some(Entry::Always(rule)) => Some(*rule),
            Some(Entry::ByStratum { stratum, rules }) => {
                let at = if *stratum == usize::MAX { 0 } else { stratum_at(*stratum) };
                rules.get(usize::from(at)).or(rules.first()).copied()
            }
            Some(Entry::ByStrata { strata, rules }) => {
                let place = strata.iter().try_fold(0, |place, Positions { stratum, count }| {
                    let at = usize::from(stratum_at(*stratum)).checked_sub(1)?;
                    (at < *count).then_some(place * count + at)
                });
                place.and_then(|place| rules.get(place + 1)).or(rules.first()).copied()
            }
        }
    }

    /// Whether the rule of a value depends on a stratum.
    pub fn is_conditional(&self, value: ClassCode) -> bool {
        matches!(self.entry(value), Some(Entry::ByStratum { .. } | Entry::ByStrata { .. }))
    }

    #[inline]
    fn entry(&self, value: ClassCode) -> Option<&Entry> {
        let position = usize::try_from(i64::from(value) - i64::from(self.first)).ok();
        position.and_then(|p| self.entries.get(p)).or_else(|| self.far.get(&value))
    }

    /// The rule for a value that [`RuleTable::find`] does not explain.
    pub fn unknown_rule(&self, value: ClassCode) -> Rule {
        let outcome = match self.unknown {
            Unknown::Unmapped => Outcome::Unmapped,
            Unknown::Itself => Outcome::Class(value),
        };
        Rule { from: value, stratum: None, outcome, proposed: false, default_taken: false }
    }
}

#[derive(Default)]
struct Builder {
    rules: Vec<Rule>,
    entries: BTreeMap<ClassCode, Entry>,
}

impl Builder {
    fn push(&mut self, rule: Rule) -> RuleIndex {
        self.rules.push(rule);
        (self.rules.len() - 1) as RuleIndex
    }

    fn always(&mut self, from: ClassCode, outcome: Outcome, proposed: bool) {
        if self.entries.contains_key(&from) {
            return;
        }
        let rule = self.push(Rule { from, stratum: None, outcome, proposed, default_taken: false });
        self.entries.insert(from, Entry::Always(rule));
    }

    fn absent(&mut self, value: ClassCode, meaning: Absence) {
        self.always(value, Outcome::Absent(meaning), false);
    }

    /// The rules of a conditional row, given the layers at hand.
    fn conditional(&mut self, row: &CrosswalkRow, strata: &[StratumValues], take_default: bool) {
        let proposed = row.status == Status::Proposed;
        let rule = |stratum, outcome, default_taken| Rule {
            from: row.from,
            stratum,
            outcome,
            proposed,
            default_taken,
        };
        let fallback = match row.default {
            Some(default) if take_default => rule(None, Outcome::Class(default), true),
            _ => rule(None, Outcome::NoStratum, false),
        };
        let mut rules = vec![self.push(fallback.clone())];
        let named = row.layers().iter();
        let layers: Option<Vec<usize>> =
            named.map(|name| strata.iter().position(|layer| layer.name == *name)).collect();
        let keys = row.keys().unwrap_or_default();
        let Some(layers) = layers.filter(|layers| !layers.is_empty()) else {
            self.entries.insert(row.from, Entry::ByStratum { stratum: usize::MAX, rules });
            return;
        };
        let counts: Vec<usize> = layers.iter().map(|&layer| strata[layer].positions()).collect();
        let mut unlisted = None;
        for place in 0..counts.iter().product() {
            let values: Option<Vec<&str>> = positions_of(place, &counts)
                .zip(&layers)
                .map(|(position, &layer)| strata[layer].values.get(position).map(String::as_str))
                .collect();
            let next = match &values {
                Some(values) => match keys.class_of(values) {
                    Some(to) => self.push(rule(Some(joined(values)), Outcome::Class(to), false)),
                    None => rules[0],
                },
                // What the layer should not hold takes no default.
                None if fallback.outcome == Outcome::NoStratum => rules[0],
                None => *unlisted.get_or_insert_with(|| self.push(rule(None, Outcome::NoStratum, false))),
            };
            rules.push(next);
        }
        let entry = match layers[..] {
            [stratum] => Entry::ByStratum { stratum, rules },
            _ => {
                let strata = layers.iter().zip(&counts);
                let strata = strata.map(|(&stratum, &count)| Positions { stratum, count }).collect();
                Entry::ByStrata { strata, rules }
            }
        };
        self.entries.insert(row.from, entry);
    }

    fn finish(mut self, unknown: Unknown) -> RuleTable {
        // NaN's stand-in would stretch the dense table over the whole range of i32; it is rule 0 by construction.
        self.entries.remove(&NAN_VALUE);
        let (near, far): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.entries.into_iter().partition(|(code, _)| NEAR.contains(code));
        let first = near.keys().next().copied().unwrap_or(0);
        let last = near.keys().next_back().copied().unwrap_or(first);
        let mut entries = vec![Entry::Unknown; (last - first + 1) as usize];
        for (code, entry) in near {
            entries[(code - first) as usize] = entry;
        }
        RuleTable { rules: self.rules, first, entries, far, unknown }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A legend with the class 1 and a crosswalk with one row for it, on these strata.
    fn table(names: &[&str], to: &str, strata: &[StratumValues], take_default: bool) -> RuleTable {
        let legend = "id = \"a\"\ntitle = \"a\"\nsource = \"t\"\nfill = 0\n[[class]]\ncode = 1\n\
                      name = { en = \"one\" }\nstatus = \"published\"\nsource = \"t\"\n";
        let row = format!(
            "id = \"a-b\"\nfrom = \"a\"\nto = \"b\"\nsource = \"t\"\n[[row]]\nfrom = 1\nstrata = {names:?}\n\
             to = {{ {to} }}\ndefault = 99\nstatus = \"proposed\"\nsource = \"t\"\n"
        );
        let crosswalk = Crosswalk::from_toml(&row, "a-b").unwrap();
        RuleTable::compile(
            &Legend::from_toml(legend, "a").unwrap(),
            Some(&crosswalk),
            None,
            strata,
            take_default,
        )
    }

    fn layer(name: &str, values: usize, open: bool) -> StratumValues {
        StratumValues { name: name.into(), values: (0..values).map(|v| format!("{name}{v}")).collect(), open }
    }

    proptest! {
        /// The rule of a combination is that of its own key, wherever its layers stand among those at hand; where one has
        /// no value it is the default, and where one holds what is no value of it there is none.
        #[test]
        fn every_combination_of_several_strata_finds_its_own_rule(
            counts in prop::collection::vec(1usize..5, 3),
            open in prop::collection::vec(any::<bool>(), 3),
            at in prop::collection::vec(0u8..6, 3),
            take_default in any::<bool>(),
        ) {
            let names = ["p", "q", "r"];
            let layers: Vec<StratumValues> =
                (0..3).map(|i| layer(names[i], counts[i], open[i])).collect();
            // The class of a combination tells its positions; rows name the layers in another order than they stand.
            let mut keys = Vec::new();
            for (p, q, r) in (0..counts[0]).flat_map(|p| (0..counts[1]).flat_map(move |q| (0..4).map(move |r| (p, q, r)))) {
                keys.push(format!("\"r{r}+p{p}+q{q}\" = {}", 100 + p * 16 + q * 4 + r));
            }
            let rules = table(&["r", "p", "q"], &keys.join(", "), &layers, take_default);
            let found = rules.find(1, |stratum| at[stratum]).unwrap();
            let rule = &rules.rules()[usize::from(found)];
            let known = |i: usize| usize::from(at[i]) >= 1 && usize::from(at[i]) <= counts[i];
            if (0..3).all(known) {
                let [p, q, r] = [0, 1, 2].map(|i| usize::from(at[i]) - 1);
                prop_assert_eq!(rule.outcome, Outcome::Class((100 + p * 16 + q * 4 + r) as ClassCode));
                prop_assert_eq!(rule.stratum.clone(), Some(format!("r{r}+p{p}+q{q}")));
                prop_assert!(!rule.default_taken);
            } else {
                let is_open = |i: usize| open[i] && usize::from(at[i]) == counts[i] + 1;
                let none = (0..3).any(|i| !known(i) && !is_open(i));
                let expected = if none && take_default { Outcome::Class(99) } else { Outcome::NoStratum };
                prop_assert_eq!((rule.outcome, rule.default_taken), (expected, expected != Outcome::NoStratum));
            }
        }
    }

    #[test]
    fn a_row_whose_layers_are_not_all_at_hand_has_its_default_alone() {
        let rules = table(&["p", "q"], "\"*+*\" = 5", &[layer("p", 2, false)], true);
        let found = rules.find(1, |_| 1).unwrap();
        assert_eq!(rules.rules()[usize::from(found)].outcome, Outcome::Class(99));
    }
}
