//! Maps made from other maps: updates, which are a base map where nothing changed, and sources that stand in where others
//! saw nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{EpochFile, Resampling, SourceFile};
use super::job::{Source, SourceMap, expand_patterns};
use crate::error::Result;
use crate::model::epoch::Epoch;
use crate::model::source::{NO_SOURCE, Role, SourceIndex};

/// The word of a map that updates another.
const UPDATE: &str = "update";

/// What a map updates.
#[derive(Debug, Clone)]
pub struct Update {
    /// The map that holds where nothing changed.
    pub base: Arc<SourceMap>,
    /// Rasters that say where something changed: not 0. None: wherever the labels hold something.
    pub mask: Vec<PathBuf>,
}

/// The epochs of a source in the job file, with their year.
fn epochs(file: &SourceFile) -> impl Iterator<Item = (Epoch, &EpochFile)> {
    file.epochs.iter().filter_map(|(year, epoch)| Some((year.parse().ok()?, epoch)))
}

/// Tells maps that update others what they update. The list says what contradicts itself.
///
/// # Errors
/// Input: a mask's pattern matches no file.
pub fn resolve_updates(files: &[SourceFile], sources: &mut [Source], folder: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for (file, source) in files.iter().zip(sources) {
        let mut waiting: Vec<(Epoch, Epoch, &EpochFile)> = Vec::new();
        for (year, epoch) in epochs(file) {
            let at = format!("source `{}`, {year}", source.id);
            match (epoch.method.as_deref() == Some(UPDATE), epoch.base) {
                (true, Some(base)) if source.maps.contains_key(&base) => waiting.push((year, base, epoch)),
                (true, Some(base)) => {
                    violations.push(format!("{at}: base = {base}, and the source has no map of that year"));
                }
                (true, None) => violations.push(format!(
                    "{at}: method = \"update\" needs `base`, the year of the map that holds where nothing changed"
                )),
                (false, None) if epoch.mask.is_empty() => {}
                (false, _) => {
                    violations.push(format!("{at}: `base` and `mask` belong to a map with method = \"update\""));
                }
            }
        }
        // A base may be an update itself: those whose base is known go first.
        while !waiting.is_empty() {
            let is_open = |year: Epoch| waiting.iter().any(|(other, ..)| *other == year);
            let Some(next) = waiting.iter().position(|(_, base, _)| !is_open(*base)) else {
                let years: Vec<String> = waiting.iter().map(|(year, ..)| year.to_string()).collect();
                violations.push(format!(
                    "source `{}`: the updates {} rest on each other",
                    source.id,
                    years.join(", ")
                ));
                break;
            };
            let (year, base, epoch) = waiting.remove(next);
            let mask = expand_patterns(&epoch.mask, folder)?;
            let base = Arc::new(source.maps[&base].clone());
            let Some(map) = source.maps.get_mut(&year) else { continue };
            if [map.resampling, base.resampling].contains(&Some(Resampling::Mode)) {
                violations.push(format!(
                    "source `{}`, {year}: an update cannot vote (resampling = \"mode\"): what changed and what did not would be \
                     counted apart; make the map whole first, or take its cells by \"nearest\"",
                    source.id
                ));
            }
            map.update = Some(Update { base, mask });
        }
    }
    Ok(violations)
}

/// Adds a source for each map that stands in for another, behind the declared ones. The list says what contradicts itself.
pub fn add_fills(files: &[SourceFile], sources: &mut Vec<Source>) -> Vec<String> {
    let mut violations = Vec::new();
    for (receiver, file) in files.iter().enumerate() {
        for (year, epoch) in epochs(file) {
            let at = format!("source `{}`, {year}", file.id);
            let mut named = BTreeSet::new();
            for (rank, text) in epoch.fill_from.iter().enumerate() {
                let parts =
                    text.rsplit_once('@').and_then(|(id, year)| Some((id, year.parse::<Epoch>().ok()?)));
                let Some((id, donor_year)) = parts else {
                    violations.push(format!("{at}: fill_from names `{text}`; write <source>@<year>"));
                    continue;
                };
                let donor = files.iter().position(|file| file.id == id).map(|donor| sources[donor].clone());
                let map = donor.as_ref().and_then(|donor| donor.maps.get(&donor_year));
                let (Some(donor), Some(map)) = (&donor, map) else {
                    violations.push(format!("{at}: fill_from names `{text}`, and there is no such map"));
                    continue;
                };
                if !named.insert(text) {
                    violations.push(format!("{at}: fill_from names `{text}` twice"));
                }
                if id == file.id && donor_year == year {
                    violations.push(format!("{at}: fill_from names the map itself"));
                }
                if donor.grid != sources[receiver].grid {
                    violations.push(format!("{at}: fill_from names `{text}`, which lies on another grid"));
                }
                let date = map.date.clone().unwrap_or_else(|| donor_year.to_string());
                let map = SourceMap { date: Some(date), rank, ..map.clone() };
                let role = Role::Fill(receiver as SourceIndex, donor_year);
                let id = if id == file.id { text.clone() } else { format!("{text} for {}", file.id) };
                match sources.iter_mut().find(|known| known.id == id) {
                    Some(known) => known.maps.extend([(year, map)]),
                    None => sources.push(Source { id, role, maps: [(year, map)].into(), ..donor.clone() }),
                }
            }
        }
    }
    if sources.len() >= usize::from(NO_SOURCE) {
        violations.push(format!("sources and maps that stand in are more than {}", NO_SOURCE - 1));
    }
    violations
}
