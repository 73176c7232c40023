//! What one source does with each of its values: legend, nodata and crosswalk compiled into one table.
//!
//! Reclass writes the *rule* that a cell fell under, not yet its class. So the engine can count afterwards, on
//! the cells that really end up in the mosaic, which rule took how many, which rest on proposed rows, which fell
//! to a default and which value no rule explains.

use std::collections::BTreeMap;

use super::crosswalk::{Crosswalk, Target};
use super::legend::{Absence, ClassCode, Legend, Status};
use super::provenance::{BY_CROSSWALK, NO_OBSERVATION, OUTSIDE, Origin};

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
    /// Value of the stratum, for conditional rows.
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
    ByStratum { stratum: usize, rules: Vec<RuleIndex> },
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
}

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
                Target::ByStratum(by) => {
                    let fallback = match row.default {
                        Some(default) if take_default => (Outcome::Class(default), true),
                        _ => (Outcome::NoStratum, false),
                    };
                    let layer = strata.iter().position(|s| row.stratum.as_ref() == Some(&s.name));
                    let values = layer.map_or(&[][..], |i| &strata[i].values);
                    table.by_stratum(class.code, layer.unwrap_or(usize::MAX), values, by, fallback, proposed);
                }
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
        }
    }

    /// Whether the rule of a value depends on a stratum.
    pub fn is_conditional(&self, value: ClassCode) -> bool {
        matches!(self.entry(value), Some(Entry::ByStratum { .. }))
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

    fn by_stratum(
        &mut self,
        from: ClassCode,
        stratum: usize,
        values: &[String],
        targets: &BTreeMap<String, ClassCode>,
        (fallback, default_taken): (Outcome, bool),
        proposed: bool,
    ) {
        let mut rules =
            vec![self.push(Rule { from, stratum: None, outcome: fallback, proposed, default_taken })];
        for value in values {
            rules.push(match targets.get(value) {
                Some(to) => self.push(Rule {
                    from,
                    stratum: Some(value.clone()),
                    outcome: Outcome::Class(*to),
                    proposed,
                    default_taken: false,
                }),
                None => rules[0],
            });
        }
        self.entries.insert(from, Entry::ByStratum { stratum, rules });
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
