//! Which code of provenance each source's cells have, and what the codes mean.

use crate::config::job::{Job, Source};
use crate::model::provenance::{LAST_MAP, OUTSIDE, Origin};
use crate::model::source::{Role, SourceIndex};

/// The codes of provenance of a job: sections in the order of their first source, then each map that stands in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    of_source: Vec<Origin>,
    /// What the codes from 1 on mean.
    pub meanings: Vec<Meaning>,
}

/// What a code of provenance means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// A word for the kind: mapped, filled, fringe.
    pub kind: &'static str,
    /// Section of the cells.
    pub section: String,
    /// The source, where it is one alone.
    pub source: Option<String>,
}

impl Origins {
    /// Numbers the sources of a job. Beyond [`LAST_MAP`] codes are shared by all that are left; [`Origins::violation`] says so.
    pub fn of(job: &Job) -> Self {
        let mut origins = Self::default();
        for source in &job.sources {
            let meaning = Meaning::of(source);
            let known =
                meaning.as_ref().and_then(|meaning| origins.meanings.iter().position(|m| m == meaning));
            let place = match (known, meaning) {
                (Some(place), _) => place + 1,
                (None, Some(meaning)) => {
                    origins.meanings.push(meaning);
                    origins.meanings.len()
                }
                (None, None) => usize::from(OUTSIDE),
            };
            origins.of_source.push(place.min(usize::from(LAST_MAP)) as Origin);
        }
        origins
    }

    /// The code of a source's cells.
    pub fn code(&self, source: SourceIndex) -> Origin {
        self.of_source.get(usize::from(source)).copied().unwrap_or(OUTSIDE)
    }

    /// What a code means; `None` for those that say why a cell has no class.
    pub fn meaning(&self, code: Origin) -> Option<&Meaning> {
        self.meanings.get(usize::from(code).checked_sub(1)?)
    }

    /// What is wrong if there are more sections and maps that stand in than codes.
    pub fn violation(&self) -> Option<String> {
        (self.meanings.len() > usize::from(LAST_MAP)).then(|| {
            format!(
                "provenance = true: {} sections and maps that stand in; one byte tells {LAST_MAP} apart",
                self.meanings.len()
            )
        })
    }
}

impl Meaning {
    fn of(source: &Source) -> Option<Self> {
        let (kind, named) = match source.role {
            Role::Maps => ("mapped", false),
            Role::Fill(..) => ("filled", true),
            Role::Fringe => ("fringe", false),
            Role::Official => return None,
        };
        Some(Self { kind, section: source.section.clone(), source: named.then(|| source.id.clone()) })
    }

    /// The meaning in words.
    pub fn words(&self) -> String {
        match &self.source {
            Some(source) => format!("{} ({} from {source})", self.section, self.kind),
            None => self.section.clone(),
        }
    }
}
