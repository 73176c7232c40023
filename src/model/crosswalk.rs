//! Crosswalks: what each class of one legend is in another.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::legend::{ClassCode, Legend, Status, check_ranges};
use super::stratum_key::StratumKeys;
use crate::error::{Error, Result};

/// Where a class goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// To one class.
    Class(ClassCode),
    /// To a word; the only one is `nodata`.
    Word(NodataWord),
    /// To a class that depends on the values of the row's strata; see [`super::stratum_key`].
    ByStratum(BTreeMap<String, ClassCode>),
}

/// The word `nodata` as a target: seen by the map's makers, but of no class of the target legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodataWord {
    /// The cell becomes nodata.
    Nodata,
}

/// One row: a class of the `from` legend and its target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrosswalkRow {
    /// Code in the `from` legend.
    pub from: ClassCode,
    /// Last code, when the row stands for a whole range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<ClassCode>,
    /// The ancillary layer that a conditional row depends on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stratum: Option<String>,
    /// The ancillary layers, where it depends on several; keys of `to` join a value of each, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strata: Vec<String>,
    /// Where the class goes.
    pub to: Target,
    /// What a conditional row does without its layer, when the job says `missing_stratum = "default"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ClassCode>,
    /// Whether the row is published.
    pub status: Status,
    /// Other defensible targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<ClassCode>,
    /// Remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the row comes from.
    pub source: String,
}

impl CrosswalkRow {
    /// Every class that the row can lead to.
    pub fn targets(&self) -> Vec<ClassCode> {
        let mut targets = match &self.to {
            Target::Class(code) => vec![*code],
            Target::Word(_) => Vec::new(),
            Target::ByStratum(by) => by.values().copied().collect(),
        };
        targets.extend(self.default);
        targets
    }

    /// The layers that it depends on, in the order of its keys; none of an unconditional row.
    pub fn layers(&self) -> &[String] {
        if self.strata.is_empty() { self.stratum.as_slice() } else { &self.strata }
    }

    /// The same in a word: `climate`, `climate+treeline`; `None` of an unconditional row.
    pub fn layer_words(&self) -> Option<String> {
        (!self.layers().is_empty()).then(|| self.layers().join("+"))
    }

    /// Its keys, if it is conditional.
    pub fn keys(&self) -> Option<StratumKeys> {
        match &self.to {
            Target::ByStratum(by) if !self.layers().is_empty() => {
                Some(StratumKeys::of(by, self.layers().len()))
            }
            _ => None,
        }
    }

    /// What is wrong with its strata and keys, in words.
    fn condition_violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        let by_stratum = matches!(self.to, Target::ByStratum(_));
        if self.stratum.is_some() && !self.strata.is_empty() {
            violations.push("a row has `stratum`, for one, or `strata`, for several, not both".into());
        } else if by_stratum == self.layers().is_empty() {
            violations.push("a row needs `stratum` exactly when its `to` is a table of strata".into());
        }
        let distinct: BTreeSet<&String> = self.strata.iter().collect();
        if distinct.len() < self.strata.len() {
            violations.push("`strata` names a stratum twice".into());
        }
        violations.extend(self.keys().map(|keys| keys.violations(self.layers())).unwrap_or_default());
        if self.default.is_some() && !by_stratum {
            violations.push("only a conditional row has a `default`".into());
        }
        violations
    }
}

/// A map from the classes of one legend to those of another. Absent means error, never pass-through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crosswalk {
    /// Identifier, `<from>-<to>`.
    pub id: String,
    /// Legend of the source.
    pub from: String,
    /// Legend of the target.
    pub to: String,
    /// Where it comes from.
    pub source: String,
    /// Its rows; ranges expanded.
    #[serde(default, rename = "row")]
    pub rows: Vec<CrosswalkRow>,
}

/// What a look at a crosswalk found, beside outright violations.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CrosswalkFindings {
    /// What makes it unusable.
    pub violations: Vec<String>,
    /// Classes of the source legend without a row.
    pub orphans: Vec<ClassCode>,
    /// Classes of the target legend that no row leads to.
    pub unreached: Vec<ClassCode>,
    /// Codes of rows that are proposed, not published.
    pub proposed: Vec<ClassCode>,
    /// Codes of rows that depend on a stratum, with its name; once for each stratum of the row.
    pub conditional: Vec<(ClassCode, String)>,
}

impl CrosswalkFindings {
    /// Whether every class of the source legend has a row.
    pub fn is_total(&self) -> bool {
        self.orphans.is_empty()
    }
}

impl Crosswalk {
    /// Reads a crosswalk file; [`Crosswalk::findings`] judges it against its legends.
    ///
    /// # Errors
    /// Usage: not TOML of this form.
    pub fn from_toml(text: &str, place: &str) -> Result<Self> {
        let mut crosswalk: Self = toml::from_str(text).map_err(|e| {
            Error::usage("a crosswalk file cannot be read").at(place).found(e.to_string().trim_end())
        })?;
        check_ranges(crosswalk.rows.iter().map(|row| (row.from, row.through))).map_err(|e| e.at(place))?;
        crosswalk.rows = crosswalk
            .rows
            .into_iter()
            .flat_map(|row| {
                (row.from..=row.through.unwrap_or(row.from)).map(move |from| CrosswalkRow {
                    from,
                    through: None,
                    ..row.clone()
                })
            })
            .collect();
        Ok(crosswalk)
    }

    /// The row of a code.
    pub fn row(&self, code: ClassCode) -> Option<&CrosswalkRow> {
        self.rows.iter().find(|row| row.from == code)
    }

    /// Judges it: total? orphans? double parents? targets that nothing reaches?
    pub fn findings(&self, from: &Legend, to: &Legend) -> CrosswalkFindings {
        let mut findings = CrosswalkFindings::default();
        let mut seen = BTreeSet::new();
        let mut reached = BTreeSet::new();
        for row in &self.rows {
            if !seen.insert(row.from) {
                findings.violations.push(format!("code {} has two parents (stands in two rows)", row.from));
            }
            if from.class(row.from).is_none() {
                let why = if from.absence(row.from).is_some() { "is nodata" } else { "is no class" };
                findings.violations.push(format!("code {} {why} in legend {}", row.from, from.id));
            }
            for target in row.targets() {
                if to.class(target).is_none() {
                    findings
                        .violations
                        .push(format!("code {}: target {target} is no class of {}", row.from, to.id));
                }
                reached.insert(target);
            }
            let wrong = row.condition_violations().into_iter();
            findings.violations.extend(wrong.map(|violation| format!("code {}: {violation}", row.from)));
            if row.status == Status::Proposed {
                findings.proposed.push(row.from);
            }
            findings.conditional.extend(row.layers().iter().map(|stratum| (row.from, stratum.clone())));
        }
        findings.orphans = from.codes().into_iter().filter(|code| !seen.contains(code)).collect();
        findings.unreached = to.codes().into_iter().filter(|code| !reached.contains(code)).collect();
        findings
    }

    /// The names of the strata that its rows depend on.
    pub fn strata(&self) -> BTreeSet<&str> {
        self.rows.iter().flat_map(CrosswalkRow::layers).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::legend::{LegendClass, Names};

    fn legend(id: &str, codes: &[ClassCode]) -> Legend {
        let classes = codes.iter().map(|&code| LegendClass {
            code,
            through: None,
            key: None,
            name: Names::same(format!("class {code}")),
            colour: None,
            status: Status::Published,
            proposed_names: Vec::new(),
            note: None,
            source: "test".into(),
        });
        Legend { id: id.into(), classes: classes.collect(), ..Legend::raw() }
    }

    #[test]
    fn findings_name_orphans_double_parents_unknown_and_unreached_targets() -> Result<()> {
        let text = r#"
            id = "a-b"
            from = "a"
            to = "b"
            source = "test"
            [[row]]
            from = 1
            to = 10
            status = "published"
            source = "test"
            [[row]]
            from = 1
            to = "nodata"
            status = "proposed"
            source = "test"
            [[row]]
            from = 2
            stratum = "climate"
            to = { polar = 10, tropical = 99 }
            status = "proposed"
            source = "test"
        "#;
        let crosswalk = Crosswalk::from_toml(text, "a-b.toml")?;
        let findings = crosswalk.findings(&legend("a", &[1, 2, 3]), &legend("b", &[10, 11]));
        assert_eq!(findings.orphans, [3]);
        assert_eq!(findings.unreached, [11]);
        assert_eq!(findings.conditional, [(2, "climate".to_string())]);
        assert_eq!(
            findings.violations,
            ["code 1 has two parents (stands in two rows)", "code 2: target 99 is no class of b"]
        );
        Ok(())
    }
}
