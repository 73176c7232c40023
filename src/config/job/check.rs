//! Contradictions of a job file, collected to be told all at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Source;
use crate::config::file::{DomainFile, JobFile, PairRule, Pairs};
use crate::config::official::OfficialMap;
use crate::error::{Error, Result};
use crate::io::place;
use crate::model::crosswalk::Crosswalk;
use crate::model::epoch::{Epoch, Interval};
use crate::model::legend::Legend;
use crate::model::source::Role;
use crate::model::window::BLOCK;

/// The widest slivers, in cells: what is wider is a gap.
const WIDEST_SLIVER: usize = 64;

/// What is wrong with a name that becomes part of file names, if anything is.
pub(in crate::config) fn slug_violation(key: &str, name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let sound = !name.is_empty() && name.len() <= 100 && name.chars().all(allowed) && !name.starts_with('.');
    (!sound).then(|| {
        format!("{key} `{name}` may hold only letters, digits, `.`, `_` and `-`, and not start with `.`")
    })
}

/// Collects contradictions, to tell them all at once.
#[derive(Default)]
pub(super) struct Check {
    /// In the order found, each once.
    pub violations: Vec<String>,
}

impl Check {
    pub fn found(&mut self, violation: String) {
        if !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }

    pub fn that(&mut self, holds: bool, violation: impl FnOnce() -> String) {
        if !holds {
            self.found(violation());
        }
    }

    /// A map needs files, each once.
    pub fn files(&mut self, at: &str, files: &[PathBuf]) {
        self.that(!files.is_empty(), || format!("{at}: `files` is empty"));
        let mut seen = BTreeSet::new();
        for file in files {
            let one = file.canonicalize().unwrap_or_else(|_| file.clone());
            self.that(seen.insert(one), || format!("{at}: {} is named twice", file.display()));
        }
    }

    /// The place that a key names, if it names one.
    pub fn place(&mut self, key: &str, folder: &Path, name: &Path) -> PathBuf {
        place::beside(folder, name).unwrap_or_else(|violation| {
            self.found(format!("{key}: {violation}"));
            PathBuf::new()
        })
    }

    pub fn domain(&mut self, domain: Option<&DomainFile>) {
        let Some(domain) = domain else { return };
        self.that(domain.sliver_cells <= WIDEST_SLIVER, || {
            format!(
                "domain.sliver_cells is {}; what is wider than {WIDEST_SLIVER} cells is a gap, no sliver",
                domain.sliver_cells
            )
        });
    }

    /// Shares are of what a source holds in a cell; what is cut, filled or put together knows one class a cell.
    pub fn cut_or_filled(&mut self, file: &JobFile, sources: &[Source]) {
        let made = sources
            .iter()
            .any(|source| source.role != Role::Maps || source.maps.values().any(|map| map.update.is_some()));
        self.that(!(file.fractions && (file.domain.is_some() || made)), || {
            "fractions = true: shares are not told of maps with [domain], fill_from or method = \"update\""
                .into()
        });
        self.that(!(file.legend == "raw" && (file.provenance || file.domain.is_some() || made)), || {
            "provenance, [domain], fill_from and updates need a legend: `raw` has no classes".into()
        });
    }

    /// What a job writes is not among what it reads.
    pub fn output_apart(&mut self, output: &Path, sources: &[Source], official: &[OfficialMap]) {
        let Ok(output) = output.canonicalize() else { return };
        let maps = sources.iter().flat_map(|s| s.maps.values()).flat_map(|m| &m.files);
        for file in maps.chain(official.iter().flat_map(|map| &map.files)) {
            let inside = file.canonicalize().is_ok_and(|file| file.starts_with(&output));
            self.that(!inside, || format!("the input {} lies in the output folder", file.display()));
        }
    }

    pub fn slug(&mut self, key: &str, name: &str) {
        slug_violation(key, name).into_iter().for_each(|violation| self.found(violation));
    }

    pub fn task_cells(&mut self, cells: usize) {
        self.that(
            cells.is_multiple_of(BLOCK) && (cells / BLOCK).is_power_of_two() && cells <= 32_768,
            || format!("compute.task_cells is {cells}; it must be 512, 1024, 2048, … up to 32768"),
        );
    }

    pub fn pairs(&mut self, pairs: &Pairs, epochs: &[Epoch]) -> Vec<Interval> {
        let pair = |from: &Epoch, to: &Epoch| Interval { from: *from, to: *to };
        match pairs {
            Pairs::Rule(PairRule::Consecutive) => epochs.windows(2).map(|w| pair(&w[0], &w[1])).collect(),
            Pairs::Rule(PairRule::FirstLast) => match (epochs.first(), epochs.last()) {
                (Some(first), Some(last)) if first != last => vec![pair(first, last)],
                _ => Vec::new(),
            },
            Pairs::Rule(PairRule::All) => {
                let later = |i: usize| epochs[i + 1..].iter();
                (0..epochs.len())
                    .flat_map(|i| later(i).map(move |to| (i, to)))
                    .map(|(i, to)| pair(&epochs[i], to))
                    .collect()
            }
            Pairs::Listed(listed) => {
                let mut seen = BTreeSet::new();
                for [from, to] in listed {
                    for year in [from, to] {
                        self.that(epochs.contains(year), || {
                            format!("change.pairs names {year}, which no source maps")
                        });
                    }
                    self.that(from != to, || format!("change.pairs compares {from} with itself"));
                    self.that(seen.insert((from, to)), || format!("change.pairs names [{from}, {to}] twice"));
                }
                listed.iter().map(|[from, to]| pair(from, to)).collect()
            }
        }
    }

    pub fn crosswalk(&mut self, at: &str, crosswalk: &Crosswalk, from: &Legend, to: &Legend) {
        if crosswalk.from != from.id || crosswalk.to != to.id {
            self.found(format!(
                "{at}: crosswalk `{}` leads from `{}` to `{}`, but the source's legend is `{}` and the product's `{}`; \
                 maps of one year must share a legend",
                crosswalk.id, crosswalk.from, crosswalk.to, from.id, to.id
            ));
            return;
        }
        for violation in crosswalk.findings(from, to).violations {
            self.found(format!("crosswalk `{}`: {violation}", crosswalk.id));
        }
    }

    pub fn finish(self) -> Result<()> {
        if self.violations.is_empty() {
            return Ok(());
        }
        Err(Error::usage("a job contradicts itself").found_all(self.violations))
    }
}
