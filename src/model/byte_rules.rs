//! What one source does with each of the 256 values of a byte, where no stratum has a say.

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
    /// The rules of a source whose crosswalk looks at no stratum (or lacks all its layers).
    pub fn of(table: &RuleTable, source: SourceIndex) -> Self {
        let rule = |value: u8| match table.find(value.into(), |_| 0) {
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
