//! What one source does with each of the 256 values of a byte, where its strata say the same of all cells.

use super::legend::{Absence, ClassCode};
use super::rule::{Outcome, Rule, RuleTable};
use super::source::{NO_SOURCE, SourceIndex};

/// The rule of every byte. With it whole blocks are looked up, and counted by their own values before any rule is
/// asked.
#[derive(Debug, Clone)]
pub struct ByteRules {
    source: SourceIndex,
    rules: Vec<Rule>,
}

impl ByteRules {
    /// The rules of a source, given what each stratum of its crosswalk says (position of the value + 1, 0 for none).
    pub fn of(table: &RuleTable, source: SourceIndex, strata: &[u8]) -> Self {
        let rule =
            |value: u8| match table.find(value.into(), |stratum| strata.get(stratum).copied().unwrap_or(0)) {
                Some(index) => table.rules()[usize::from(index)].clone(),
                None => table.unknown_rule(value.into()),
            };
        Self { source, rules: (0..=u8::MAX).map(rule).collect() }
    }

    /// The source whose rules they are.
    pub fn source(&self) -> SourceIndex {
        self.source
    }

    /// The rule of a value.
    pub fn rule(&self, value: u8) -> &Rule {
        &self.rules[usize::from(value)]
    }

    /// A value that says that nothing was mapped.
    pub fn outside(&self) -> Option<u8> {
        (0..=u8::MAX).find(|&value| self.rule(value).outcome == Outcome::Absent(Absence::Outside))
    }

    /// The class of a value; `None` where it has none.
    pub fn class(&self, value: u8) -> Option<ClassCode> {
        match self.rule(value).outcome {
            Outcome::Class(code) => Some(code),
            _ => None,
        }
    }

    /// Who decides a cell with this value: the source, or nobody where it maps nothing.
    pub fn decider(&self, value: u8) -> SourceIndex {
        match self.rule(value).outcome {
            Outcome::Absent(Absence::Outside) => NO_SOURCE,
            _ => self.source,
        }
    }
}
