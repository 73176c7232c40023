//! Comparability: whether the maps of one place at two times may be held against each other.
//!
//! Makers of maps say that some must not be compared: a new baseline, another sensor, another edition. A rule holds such a
//! sentence; the first rule that holds for two maps decides, and where none does nobody knows.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::epoch::Epoch;
use super::legend::Status;
use crate::error::{Error, Result};

/// What a rule says of two maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// They may be compared.
    Comparable,
    /// Only the makers' own change product tells what changed between them.
    ChangeProductOnly,
    /// They must not be compared.
    NotComparable,
}

/// Whether two maps may be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A rule says so.
    Yes,
    /// A rule forbids it.
    No,
    /// No rule is about them.
    Unknown,
    /// Their makers' change map stands in for the difference of the maps.
    Official,
}

impl Verdict {
    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
            Self::Official => "official",
        }
    }
}

/// One name or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// One.
    One(String),
    /// Any of these.
    Many(Vec<String>),
}

impl Names {
    /// The names.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }

    /// Whether a name is among them, in capitals or not.
    fn hold(&self, name: &str) -> bool {
        self.all().iter().any(|known| known.to_lowercase() == name.to_lowercase())
    }
}

/// How a property of two maps must differ for a rule to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Contrast {
    /// In any way.
    Any(DifferWord),
    /// One map has the one, the other map the other.
    Between([String; 2]),
}

/// The word `differ`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DifferWord {
    /// Any two words that are not the same.
    Differ,
}

impl Contrast {
    /// What a map does not declare contrasts with nothing.
    fn holds(&self, from: Option<&str>, to: Option<&str>) -> bool {
        let (Some(from), Some(to)) = (from, to) else { return false };
        match self {
            Self::Any(DifferWord::Differ) => from != to,
            Self::Between([one, other]) => (from == one && to == other) || (from == other && to == one),
        }
    }
}

/// A sentence on which maps may be compared, and under which conditions it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparabilityRule {
    /// A word for messages.
    pub id: String,
    /// Country of both maps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Names>,
    /// Section of both maps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<Names>,
    /// Legends that both maps must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legends: Option<Vec<String>>,
    /// Size of the cells of both maps, in metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution_m: Option<f64>,
    /// The two mapped years, in any order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub years: Option<[Epoch; 2]>,
    /// How the editions differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editions: Option<Contrast>,
    /// How the sensors differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensors: Option<Contrast>,
    /// How the methods differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Contrast>,
    /// What it says.
    pub verdict: Judgement,
    /// Why, in a sentence.
    pub reason: String,
    /// Who says so.
    pub source: String,
    /// Whether the source says so or this project infers it.
    pub status: Status,
}

/// What rules ask of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct MapFacts<'a> {
    /// Mapped year.
    pub year: Epoch,
    /// Section of its source.
    pub section: &'a str,
    /// Country of its source, where the job names it.
    pub country: Option<&'a str>,
    /// Identifier of its legend.
    pub legend: &'a str,
    /// Sizes of the cells of its files, in metres.
    pub cells_m: Vec<f64>,
    /// Edition, where declared.
    pub edition: Option<&'a str>,
    /// Sensor, where declared.
    pub sensor: Option<&'a str>,
    /// Method, where declared.
    pub method: Option<&'a str>,
}

/// A file of rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    #[serde(default, rename = "rule")]
    rules: Vec<ComparabilityRule>,
}

impl ComparabilityRule {
    /// Reads the rules of a file.
    ///
    /// # Errors
    /// Usage: it cannot be read, two rules have one name, or a rule gives no reason or asks for nothing.
    pub fn all_from_toml(text: &str, place: &str) -> Result<Vec<Self>> {
        let file: RulesFile = toml::from_str(text).map_err(|e| {
            Error::usage("a file of comparability rules cannot be read")
                .at(place)
                .found(e.to_string().trim_end())
        })?;
        let (mut violations, mut ids) = (Vec::new(), BTreeSet::new());
        for rule in &file.rules {
            if !ids.insert(&rule.id) {
                violations.push(format!("two rules have the id `{}`", rule.id));
            }
            if rule.reason.trim().is_empty() || rule.source.trim().is_empty() {
                violations.push(format!("rule `{}` gives no reason or no source", rule.id));
            }
            if !rule.asks_for_anything() {
                violations
                    .push(format!("rule `{}` has no condition: it would decide every comparison", rule.id));
            }
        }
        if violations.is_empty() {
            return Ok(file.rules);
        }
        Err(Error::usage("a file of comparability rules contradicts itself").at(place).found_all(violations))
    }

    /// What it says, in the words of tables.
    pub fn verdict(&self) -> Verdict {
        match self.verdict {
            Judgement::Comparable => Verdict::Yes,
            Judgement::ChangeProductOnly | Judgement::NotComparable => Verdict::No,
        }
    }

    fn asks_for_anything(&self) -> bool {
        self.names_a_place()
            || self.legends.is_some()
            || self.resolution_m.is_some()
            || self.years.is_some()
            || [&self.editions, &self.sensors, &self.methods].iter().any(|contrast| contrast.is_some())
    }

    fn names_a_place(&self) -> bool {
        self.country.is_some() || self.section.is_some()
    }

    /// Whether it is about these two maps. A rule that names a place is about all maps of it; one that names none is about
    /// one section and itself, as maps of different sections differ anyway.
    fn holds(&self, from: &MapFacts, to: &MapFacts) -> bool {
        let of_place = |names: &Option<Names>, of: &dyn Fn(&MapFacts) -> Option<String>| {
            let held = |map: &MapFacts, names: &Names| of(map).is_some_and(|name| names.hold(&name));
            names.as_ref().is_none_or(|names| held(from, names) && held(to, names))
        };
        (self.names_a_place() || from.section == to.section)
            && of_place(&self.country, &|map| map.country.map(String::from))
            && of_place(&self.section, &|map| Some(map.section.to_string()))
            && self.holds_anywhere(from, to)
    }

    /// Whether it is about these two maps, wherever they lie.
    fn holds_anywhere(&self, from: &MapFacts, to: &MapFacts) -> bool {
        let maps = [from, to];
        let known = |legends: &Vec<String>| maps.iter().all(|map| legends.iter().any(|l| l == map.legend));
        let about = |wanted: f64| {
            maps.iter()
                .all(|map| map.cells_m.iter().any(|cell| (cell / wanted - 1.0).abs() <= CELL_TOLERANCE))
        };
        let both = |years: [Epoch; 2]| years == [from.year, to.year] || years == [to.year, from.year];
        let contrast = |contrast: &Option<Contrast>, from: Option<&str>, to: Option<&str>| {
            contrast.as_ref().is_none_or(|contrast| contrast.holds(from, to))
        };
        self.legends.as_ref().is_none_or(known)
            && self.resolution_m.is_none_or(about)
            && self.years.is_none_or(both)
            && contrast(&self.editions, from.edition, to.edition)
            && contrast(&self.sensors, from.sensor, to.sensor)
            && contrast(&self.methods, from.method, to.method)
    }
}

/// How far the size of cells may be from that of a rule: cells in degrees are only nearly as large as those in metres.
const CELL_TOLERANCE: f64 = 0.2;

/// The position of the first rule that is about two maps.
pub fn judge(rules: &[impl AsRef<ComparabilityRule>], from: &MapFacts, to: &MapFacts) -> Option<usize> {
    rules.iter().position(|rule| rule.as_ref().holds(from, to))
}

/// The first rule that forbids two maps of one section if these are of its country; asked where nobody says what that is.
pub fn forbidden_elsewhere<'a, R: AsRef<ComparabilityRule>>(
    rules: &'a [R],
    from: &MapFacts,
    to: &MapFacts,
) -> Option<&'a ComparabilityRule> {
    let unplaced = from.section == to.section && from.country.is_none() && to.country.is_none();
    let forbids = |rule: &&ComparabilityRule| {
        rule.verdict() == Verdict::No && rule.country.is_some() && rule.holds_anywhere(from, to)
    };
    rules.iter().map(AsRef::as_ref).find(|rule| unplaced && forbids(rule))
}

impl AsRef<Self> for ComparabilityRule {
    fn as_ref(&self) -> &Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
[[rule]]
id = "mexico"
country = ["MX", "México"]
legends = ["nalcms"]
resolution_m = 30
years = [2010, 2015]
verdict = "change-product-only"
reason = "New baseline."
source = "maker"
status = "published"
[[rule]]
id = "told"
section = "south"
editions = ["2", "3"]
verdict = "comparable"
reason = "Only names were changed."
source = "maker"
status = "published"
[[rule]]
id = "editions"
editions = "differ"
verdict = "not-comparable"
reason = "Revised."
source = "us"
status = "proposed"
[[rule]]
id = "sensors"
sensors = "differ"
verdict = "not-comparable"
reason = "Seen otherwise."
source = "us"
status = "proposed"
"#;

    fn rules() -> Vec<ComparabilityRule> {
        ComparabilityRule::all_from_toml(RULES, "test").unwrap()
    }

    fn map(year: Epoch) -> MapFacts<'static> {
        MapFacts {
            year,
            section: "south",
            country: Some("MX"),
            legend: "nalcms",
            cells_m: vec![30.0],
            edition: None,
            sensor: None,
            method: None,
        }
    }

    fn rule(from: &MapFacts, to: &MapFacts) -> Option<String> {
        judge(&rules(), from, to).map(|at| rules()[at].id.clone())
    }

    #[test]
    fn a_rule_holds_where_all_its_conditions_do_and_years_have_no_order() {
        let mexico = Some("mexico".to_string());
        assert_eq!(rule(&map(2010), &map(2015)), mexico);
        assert_eq!(rule(&map(2015), &map(2010)), mexico);
        assert_eq!(rule(&map(2015), &map(2020)), None);
        let with = |change: &dyn Fn(&mut MapFacts<'static>)| {
            let mut to = map(2015);
            change(&mut to);
            rule(&map(2010), &to)
        };
        assert_eq!(with(&|map| map.country = Some("méxico")), mexico);
        assert_eq!(with(&|map| map.section = "another"), mexico);
        assert_eq!(with(&|map| map.cells_m = vec![250.0, 27.0]), mexico);
        assert_eq!(with(&|map| map.country = Some("US")), None);
        assert_eq!(with(&|map| map.country = None), None);
        assert_eq!(with(&|map| map.legend = "madmex"), None);
        assert_eq!(with(&|map| map.cells_m = vec![250.0]), None);
    }

    #[test]
    fn what_is_not_declared_contrasts_with_nothing_and_the_first_rule_decides() {
        let of = |edition: Option<&'static str>, sensor: Option<&'static str>| MapFacts {
            edition,
            sensor,
            ..map(2005)
        };
        assert_eq!(rule(&of(Some("1"), None), &of(None, None)), None);
        assert_eq!(rule(&of(Some("1"), None), &of(Some("1"), None)), None);
        assert_eq!(rule(&of(Some("1"), None), &of(Some("2"), None)), Some("editions".into()));
        assert_eq!(rule(&of(Some("3"), None), &of(Some("2"), None)), Some("told".into()));
        assert_eq!(rule(&of(Some("3"), Some("a")), &of(Some("3"), Some("b"))), Some("sensors".into()));
        // Maps of two sections differ in edition as a matter of course.
        let elsewhere = MapFacts { section: "north", ..of(Some("2"), None) };
        assert_eq!(rule(&of(Some("1"), None), &elsewhere), None);
    }

    #[test]
    fn a_map_of_no_named_country_is_told_which_rule_may_be_meant() {
        let nowhere = |year| MapFacts { country: None, ..map(year) };
        let rules = rules();
        let found = |from: &MapFacts, to: &MapFacts| {
            forbidden_elsewhere(&rules, from, to).map(|rule| rule.id.clone())
        };
        assert_eq!(found(&nowhere(2010), &nowhere(2015)), Some("mexico".into()));
        assert_eq!(found(&nowhere(2010), &nowhere(2020)), None);
        assert_eq!(found(&nowhere(2010), &map(2015)), None);
    }

    #[test]
    fn rules_that_ask_for_nothing_or_say_no_reason_are_refused() {
        let refused = |text: &str, words: &str| {
            let error = ComparabilityRule::all_from_toml(text, "mine.toml").unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("mine.toml"), "{error}");
        };
        let rest = "verdict = \"comparable\"\nsource = \"s\"\nstatus = \"proposed\"\n";
        refused(&format!("[[rule]]\nid = \"a\"\nreason = \"r\"\n{rest}"), "`a` has no condition");
        refused(&format!("[[rule]]\nid = \"a\"\nyears = [1, 2]\nreason = \"\"\n{rest}"), "gives no reason");
        let one = format!("[[rule]]\nid = \"a\"\nyears = [1, 2]\nreason = \"r\"\n{rest}");
        refused(&format!("{one}{one}"), "two rules have the id `a`");
        refused(&one.replace("years", "yeers"), "yeers");
    }
}
