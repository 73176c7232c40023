//! Releases: what nobody with authority published must be accepted by name before it goes out.

use std::collections::BTreeSet;

use super::job::Source;
use crate::model::crosswalk::Crosswalk;
use crate::model::legend::{ClassCode, Status};

/// Whether a product is a release, and which proposed rows its makers accept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// Whether proposed rows that decide cells and were not accepted are refused.
    pub demanded: bool,
    accepted: Vec<Accepted>,
}

/// A crosswalk whose proposed rows are accepted: all of them, or that of one code.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Accepted {
    crosswalk: String,
    code: Option<ClassCode>,
}

impl Release {
    /// Reads names such as `nlcd-nalcms` and `nlcd-nalcms:41`; what in them is no proposed row of the job's is told beside.
    pub fn resolve(names: &[String], sources: &[Source]) -> (Self, Vec<String>) {
        let maps = sources.iter().flat_map(|source| source.maps.values());
        let crosswalks: Vec<&Crosswalk> = maps.filter_map(|map| map.crosswalk.as_deref()).collect();
        let known: BTreeSet<&str> = crosswalks.iter().map(|crosswalk| crosswalk.id.as_str()).collect();
        let (mut accepted, mut violations) = (Vec::new(), Vec::new());
        for name in names {
            let (id, code) = match name.split_once(':') {
                Some((id, code)) => (id, Some(code)),
                None => (name.as_str(), None),
            };
            let Some(crosswalk) = crosswalks.iter().find(|crosswalk| crosswalk.id == id) else {
                let known = known.iter().copied().collect::<Vec<_>>().join(", ");
                violations
                    .push(format!("accept_proposed: `{id}` is no crosswalk of the job, which has {known}"));
                continue;
            };
            let proposed =
                |code: ClassCode| crosswalk.row(code).is_some_and(|row| row.status == Status::Proposed);
            match code.map(str::parse::<ClassCode>) {
                None => accepted.push(Accepted { crosswalk: id.into(), code: None }),
                Some(Ok(code)) if proposed(code) => {
                    accepted.push(Accepted { crosswalk: id.into(), code: Some(code) });
                }
                Some(_) => {
                    violations.push(format!("accept_proposed: `{name}` names no proposed row of `{id}`"))
                }
            }
        }
        (Self { demanded: false, accepted }, violations)
    }

    /// Whether the proposed row of a code is accepted.
    pub fn accepts(&self, crosswalk: &str, code: ClassCode) -> bool {
        let holds =
            |row: &Accepted| row.crosswalk == crosswalk && row.code.is_none_or(|accepted| accepted == code);
        self.accepted.iter().any(holds)
    }

    /// The accepted rows as they were named.
    pub fn names(&self) -> Vec<String> {
        let name = |row: &Accepted| match row.code {
            Some(code) => format!("{}:{code}", row.crosswalk),
            None => row.crosswalk.clone(),
        };
        self.accepted.iter().map(name).collect()
    }
}
