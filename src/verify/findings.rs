//! Differences, gathered by file and kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Differences of one kind in one file that are told; the others are counted.
const LISTED: usize = 20;

/// The longest difference told, in characters: what stands in a file may be of any length.
const LONGEST: usize = 300;

/// Differences found, each kind in each file told up to a limit and counted beyond it.
#[derive(Debug, Clone, Default)]
pub struct Findings(BTreeMap<(String, &'static str), Kind>);

/// Differences of one kind in one file.
#[derive(Debug, Clone, Default)]
struct Kind {
    listed: Vec<String>,
    more: u64,
}

impl Findings {
    /// Adds a difference. It is put into words only when it is told.
    pub fn add<D: Display>(&mut self, file: &str, kind: &'static str, describe: impl FnOnce() -> D) {
        let found = self.0.entry((printable(file), kind)).or_default();
        if found.listed.len() < LISTED {
            found.listed.push(printable(&describe().to_string()));
        } else {
            found.more += 1;
        }
    }

    /// Adds a difference unless something holds; says whether it does.
    pub fn that<D: Display>(
        &mut self,
        holds: bool,
        file: &str,
        kind: &'static str,
        describe: impl FnOnce() -> D,
    ) -> bool {
        if !holds {
            self.add(file, kind, describe);
        }
        holds
    }

    /// Compares counts key by key, where an absent one is 0; gives the number of comparisons.
    pub fn compare<K: Ord>(
        &mut self,
        file: &str,
        kind: &'static str,
        found: &BTreeMap<K, u64>,
        expected: &BTreeMap<K, u64>,
        describe: impl Fn(&K) -> String,
    ) -> u64 {
        let keys: BTreeSet<&K> = found.keys().chain(expected.keys()).collect();
        for key in &keys {
            let of = |counts: &BTreeMap<K, u64>| counts.get(key).copied().unwrap_or(0);
            let (found, expected) = (of(found), of(expected));
            self.that(found == expected, file, kind, || {
                format!("{}: {found}; expected {expected}", describe(key))
            });
        }
        keys.len() as u64
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: Self) {
        for (key, kind) in other.0 {
            let own = self.0.entry(key).or_default();
            own.more += kind.more;
            for line in kind.listed {
                if own.listed.len() < LISTED {
                    own.listed.push(line);
                } else {
                    own.more += 1;
                }
            }
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are, told or not.
    pub fn count(&self) -> u64 {
        self.0.values().map(|kind| kind.listed.len() as u64 + kind.more).sum()
    }

    /// One line each: the file and what differs; then how many more there are of a kind.
    pub fn lines(&self) -> Vec<String> {
        let of_kind = |((file, name), kind): (&(String, &'static str), &Kind)| {
            let listed = kind.listed.iter().map(|line| format!("{file}: {line}"));
            let more = (kind.more > 0).then(|| format!("{file}: and {} more: {name}", kind.more));
            listed.chain(more).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_kind).collect()
    }
}

/// One line without control characters: a file's content must not steer the terminal.
fn printable(text: &str) -> String {
    let mut line = String::new();
    for (position, c) in text.chars().enumerate() {
        if position == LONGEST {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

/// Whether two numbers are the same but for the last digits.
///
/// Four units in the last place: `run.json` may lose one when it is read back, a product of two numbers read from it
/// loses two more. A single cell is 2^-53 of a total only beyond 9e15 cells.
pub fn close(found: f64, expected: f64) -> bool {
    found == expected || (found - expected).abs() <= 4.0 * f64::EPSILON * found.abs().max(expected.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_differences_is_counted_and_text_is_made_harmless() {
        let mut findings = Findings::default();
        (0..25).for_each(|i| findings.add("a.tif", "cells", || format!("cell {i}\n\u{1b}[2J")));
        let mut other = findings.clone();
        other.add("b.csv", "rows", || "x".repeat(10_000));
        findings.merge(other);
        let lines = findings.lines();
        assert_eq!(findings.count(), 51);
        assert_eq!(lines[0], "a.tif: cell 0  [2J");
        assert_eq!(lines[20], "a.tif: and 30 more: cells");
        assert_eq!(lines[21].chars().count(), LONGEST + 1 + "b.csv: ".len());
    }

    #[test]
    fn numbers_are_close_when_only_the_last_digits_differ() {
        assert!(close(0.1 + 0.2, 0.3) && close(0.0, 0.0));
        assert!(!close(1e15, 1e15 + 1.0) && !close(0.0, 1e-300));
    }
}
