//! Sections by number: those of the job's sources, in the order of their first source.

use crate::config::job::Job;
use crate::model::source::{Role, SourceIndex};

/// The sections of a job. A band of water along the coast is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sections {
    /// In order.
    names: Vec<String>,
    /// Of each source, by position.
    of_sources: Vec<Option<u8>>,
}

impl Sections {
    /// The sections of a job.
    pub fn of(job: &Job) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut of_sources = Vec::new();
        for source in &job.sources {
            if source.role == Role::Fringe {
                of_sources.push(None);
                continue;
            }
            let known = names.iter().position(|name| *name == source.section);
            let number = known.unwrap_or_else(|| {
                names.push(source.section.clone());
                names.len() - 1
            });
            // There are fewer than 255 sources.
            of_sources.push(u8::try_from(number).ok());
        }
        Self { names, of_sources }
    }

    /// The number of a source's section, from 0; `None` where it has none, or nobody decides.
    pub fn number(&self, source: SourceIndex) -> Option<u8> {
        self.of_sources.get(usize::from(source)).copied().flatten()
    }

    /// The name of a section; empty where there is no such.
    pub fn name(&self, number: u8) -> &str {
        self.names.get(usize::from(number)).map_or("", String::as_str)
    }

    /// All names, by number.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of each source's section, by position of the source.
    pub fn of_sources(&self) -> &[Option<u8>] {
        &self.of_sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::JobFile;
    use crate::model::source::NO_SOURCE;

    #[test]
    fn sections_are_numbered_as_their_first_sources_stand_and_the_fringe_is_none() {
        let source = |id: &str, section: &str| {
            format!(
                "[[source]]\nid = \"{id}\"\nsection = \"{section}\"\nlegend = \"nalcms\"\nepochs = {{ 2010 = \"{id}.tif\" }}\n"
            )
        };
        let text = format!(
            "name = \"j\"\noutput = \"o\"\n[grid]\npreset = \"nalcms-30m\"\n{}{}{}{}",
            source("z", "south"),
            source("a", "north"),
            source("fringe", "fringe"),
            source("b", "south")
        );
        let file: JobFile = toml::from_str(&text).unwrap();
        let mut job = Job::resolve(file, std::path::Path::new("")).unwrap();
        job.sources[2].role = Role::Fringe;
        let sections = Sections::of(&job);
        assert_eq!(
            [0, 1, 2, 3, 4].map(|source| sections.number(source)),
            [Some(0), Some(1), None, Some(0), None]
        );
        assert_eq!(sections.number(NO_SOURCE), None);
        assert_eq!((sections.name(0), sections.name(1), sections.name(2)), ("south", "north", ""));
        assert_eq!(sections.names(), ["south", "north"]);
    }
}
