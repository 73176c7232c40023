//! `[[change.official]]`: published change maps that take the place of the difference of two maps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::file::OneOrMany;
use super::job::{Source, SourceMap, expand_patterns};
use crate::error::Result;
use crate::kernel::official::Coding;
use crate::model::epoch::{Epoch, Interval};
use crate::model::source::{NO_SOURCE, Role, SourceIndex};

/// A published change map, as the job file names it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OfficialFile {
    /// Section whose change it tells.
    pub section: String,
    /// The pair of years.
    pub pair: [Epoch; 2],
    /// Its files: paths or patterns.
    pub path: OneOrMany<String>,
    /// How it writes what happened.
    pub coding: Coding,
    /// Band with the codes, from 1.
    pub band: Option<usize>,
}

/// A published change map.
#[derive(Debug, Clone)]
pub struct OfficialMap {
    /// Section whose change it tells.
    pub section: String,
    /// The pair of years.
    pub pair: Interval,
    /// Its files; the first that says something of a cell decides it.
    pub files: Vec<PathBuf>,
    /// How it writes what happened.
    pub coding: Coding,
    /// Band with the codes, from 1.
    pub band: Option<usize>,
    /// For each source of the section the one that stands for it where the change map decides: of the same section, country
    /// and dates.
    pub twins: BTreeMap<SourceIndex, SourceIndex>,
}

/// Works out the published change maps of a job, and adds their sources behind the others; what contradicts the rest is told
/// beside.
///
/// # Errors
/// Input: a pattern matches no file.
pub fn resolve(
    files: &[OfficialFile],
    folder: &Path,
    pairs: &[Interval],
    sources: &mut Vec<Source>,
    violations: &mut Vec<String>,
) -> Result<Vec<OfficialMap>> {
    let mut seen = BTreeSet::new();
    let mut twins_of: BTreeMap<SourceIndex, SourceIndex> = BTreeMap::new();
    let mut maps = Vec::new();
    for file in files {
        let OfficialFile { section, pair: [from, to], coding, band, .. } = file;
        let at = format!("change.official of section `{section}`, {from} to {to}");
        let pair = Interval { from: *from, to: *to };
        if !pairs.contains(&pair) {
            let told: Vec<String> = pairs.iter().map(ToString::to_string).collect();
            violations.push(format!("{at}: the job compares {}", told.join(", ")));
        }
        if !seen.insert((section, pair)) {
            violations.push(format!(
                "{at}: stands twice; one change map may have several files: path = [\"…\", \"…\"]"
            ));
        }
        let has_maps = |source: &Source| {
            let decides = matches!(source.role, Role::Maps | Role::Fill(..)) && source.section == *section;
            decides && (source.maps.contains_key(from) || source.maps.contains_key(to))
        };
        let of_section: Vec<usize> =
            (0..sources.len()).filter(|position| has_maps(&sources[*position])).collect();
        for year in [from, to] {
            if !of_section.iter().any(|position| sources[*position].maps.contains_key(year)) {
                violations.push(format!("{at}: no source of the section maps {year}"));
            }
        }
        let mut twins = BTreeMap::new();
        for position in of_section {
            let twin = *twins_of.entry(position as SourceIndex).or_insert_with(|| {
                let base = &sources[position];
                let id = format!("official:{}", base.id);
                sources.push(Source { id, role: Role::Official, maps: BTreeMap::new(), ..base.clone() });
                (sources.len() - 1).min(usize::from(NO_SOURCE)) as SourceIndex
            });
            for year in [from, to] {
                let Some(map) = sources[position].maps.get(year) else { continue };
                let map = SourceMap { files: Vec::new(), update: None, ..map.clone() };
                if let Some(twin) = sources.get_mut(usize::from(twin)) {
                    twin.maps.insert(*year, map);
                }
            }
            twins.insert(position as SourceIndex, twin);
        }
        let files = expand_patterns(&file.path.to_vec(), folder).map_err(|e| e.at(&at))?;
        if files.is_empty() {
            violations.push(format!("{at}: `path` is empty"));
        }
        maps.push(OfficialMap { section: section.clone(), pair, files, coding: *coding, band: *band, twins });
    }
    if sources.len() >= usize::from(NO_SOURCE) {
        violations.push("there are more than 254 sources, those of official change maps included".into());
    }
    Ok(maps)
}
