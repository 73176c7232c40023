//! Which comparisons a job makes, and what the rules say of each: by pair of years and pair of sources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::inputs::InputHeader;
use crate::config::job::{Job, Source};
use crate::error::{Error, Result, did_you_mean};
use crate::model::comparability::{ComparabilityRule, MapFacts, Verdict, forbidden_elsewhere, judge};
use crate::model::epoch::{Epoch, Interval};
use crate::model::source::{Role, SourceIndex};

/// What is known of a source at the first and a source at the second year of a pair.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Source of the first map.
    pub from: SourceIndex,
    /// Source of the second map; mostly the same.
    pub to: SourceIndex,
    /// The rule that decides; `None` where no rule is about them.
    pub rule: Option<Arc<ComparabilityRule>>,
    /// Whether a published change map decides in their place; no rule is asked then.
    pub is_official: bool,
}

impl Judged {
    /// Whether they may be compared.
    pub fn verdict(&self) -> Verdict {
        match &self.rule {
            _ if self.is_official => Verdict::Official,
            Some(rule) => rule.verdict(),
            None => Verdict::Unknown,
        }
    }
}

/// Everything that is known of a pair of years. Sources of different sections of which no rule speaks are unknown.
#[derive(Debug, Clone)]
pub struct PairComparability {
    /// The years.
    pub pair: Interval,
    /// The sources of one section, and all of which a rule speaks.
    pub judged: Vec<Judged>,
    places: BTreeMap<(SourceIndex, SourceIndex), usize>,
    /// The fringes of coasts.
    fringes: BTreeSet<SourceIndex>,
    is_allowed: bool,
    /// Whether rules forbid anything: asked for every block.
    forbids_any: bool,
    /// Whether rules forbid everything that could be compared.
    forbids_all: bool,
}

impl PairComparability {
    /// What the rules of a job say of each of its pairs; headers tell how large cells are.
    pub fn of_job(job: &Job, headers: &[Vec<InputHeader>]) -> Vec<Self> {
        let cells = cell_sizes(headers);
        let facts = |source: usize, year: Epoch| facts(job, source, year, &cells);
        job.pairs.iter().map(|pair| Self::of_pair(job, *pair, facts)).collect()
    }

    fn of_pair<'a>(
        job: &'a Job,
        pair: Interval,
        facts: impl Fn(usize, Epoch) -> Option<MapFacts<'a>>,
    ) -> Self {
        let maps = |year: Epoch| -> Vec<(usize, MapFacts<'a>)> {
            // Where a published change map decides, no maps are compared.
            let own = (0..job.sources.len()).filter(|source| job.sources[*source].role != Role::Official);
            own.filter_map(|source| Some((source, facts(source, year)?))).collect()
        };
        let (from_maps, to_maps) = (maps(pair.from), maps(pair.to));
        let mut judged = Vec::new();
        for (from, from_map) in &from_maps {
            let grid = job.sources[*from].grid;
            for (to, to_map) in to_maps.iter().filter(|(to, _)| job.sources[*to].grid == grid) {
                // A map and the one that it updates are one map but for what changed: there is nothing to forbid.
                let is_update = from == to && is_update(&job.sources[*from], pair);
                let rule = judge(&job.comparability, from_map, to_map).filter(|_| !is_update);
                if rule.is_some() || from_map.section == to_map.section {
                    let rule = rule.map(|at| job.comparability[at].clone());
                    let (from, to) = (*from as SourceIndex, *to as SourceIndex);
                    judged.push(Judged { from, to, rule, is_official: false });
                }
            }
        }
        judged.extend(official(job, pair));
        let told: BTreeSet<SourceIndex> = judged.iter().flat_map(|j| [j.from, j.to]).collect();
        // A source that no other map is of the section of can still be compared with its neighbours.
        let untold = from_maps.iter().chain(&to_maps).any(|(at, _)| !told.contains(&(*at as SourceIndex)));
        let forbids_all =
            !judged.is_empty() && !untold && judged.iter().all(|judged| judged.verdict() == Verdict::No);
        Self::new(pair, judged, fringes(job), job.allow_incomparable, forbids_all)
    }

    fn new(
        pair: Interval,
        judged: Vec<Judged>,
        fringes: BTreeSet<SourceIndex>,
        is_allowed: bool,
        forbids_all: bool,
    ) -> Self {
        let places = judged.iter().enumerate().map(|(place, judged)| ((judged.from, judged.to), place));
        let forbids_any = judged.iter().any(|judged| judged.verdict() == Verdict::No);
        Self { pair, places: places.collect(), judged, fringes, is_allowed, forbids_any, forbids_all }
    }

    /// The same for the sources of one grid.
    pub fn on_grid(&self, job: &Job, grid: usize) -> Self {
        let here = |judged: &&Judged| job.sources[usize::from(judged.from)].grid == grid;
        let judged = self.judged.iter().filter(here).cloned().collect();
        Self::new(self.pair, judged, self.fringes.clone(), self.is_allowed, self.forbids_all)
    }

    fn get(&self, from: SourceIndex, to: SourceIndex) -> Option<&Judged> {
        self.places.get(&(from, to)).map(|place| &self.judged[*place])
    }

    /// Whether cells may be compared that the one source decided at the first and the other at the second year.
    pub fn verdict(&self, from: SourceIndex, to: SourceIndex) -> Verdict {
        if self.fringes.contains(&from) && self.fringes.contains(&to) {
            return Verdict::Yes;
        }
        self.get(from, to).map_or(Verdict::Unknown, Judged::verdict)
    }

    /// The rule that decides on them.
    pub fn rule(&self, from: SourceIndex, to: SourceIndex) -> Option<&ComparabilityRule> {
        self.get(from, to)?.rule.as_deref()
    }

    /// Whether such cells are left out of every comparison.
    pub fn leaves_out(&self, from: SourceIndex, to: SourceIndex) -> bool {
        !self.is_allowed && self.verdict(from, to) == Verdict::No
    }

    /// The sources that rules forbid to compare.
    pub fn forbidden(&self) -> impl Iterator<Item = &Judged> {
        self.judged.iter().filter(|judged| judged.verdict() == Verdict::No)
    }

    /// The sources whose cells are left out.
    pub fn left_out(&self) -> impl Iterator<Item = (SourceIndex, SourceIndex)> {
        let is_allowed = self.is_allowed;
        self.forbidden().filter(move |_| !is_allowed).map(|judged| (judged.from, judged.to))
    }

    /// Whether published change maps decide of some cells.
    pub fn is_told_officially(&self) -> bool {
        self.judged.iter().any(|judged| judged.is_official)
    }

    /// Whether the cells of some sources are left out.
    pub fn leaves_anything_out(&self) -> bool {
        self.forbids_any && !self.is_allowed
    }

    /// Whether something is compared that rules forbid, as the user allowed it.
    pub fn compares_forbidden(&self) -> bool {
        self.forbids_any && self.is_allowed
    }

    /// What the user should know of it.
    fn warnings(&self, job: &Job) -> Vec<String> {
        let what = if self.is_allowed { "compared all the same, and stamped" } else { "left out" };
        let about = |judged: &Judged| {
            let rule = judged.rule.as_deref()?;
            Some(format!("{}, {}: {what}: {}", self.pair, sources_words(job, judged), reason_words(rule)))
        };
        self.forbidden().filter_map(about).collect()
    }
}

/// Whether one of a source's maps of two years updates the other, or both update the same.
fn is_update(source: &Source, pair: Interval) -> bool {
    let base = |year: Epoch| source.maps.get(&year).and_then(|map| map.layers().last()).map(|base| base.year);
    let is_made = |year: Epoch| source.maps.get(&year).is_some_and(|map| map.update.is_some());
    (is_made(pair.from) || is_made(pair.to)) && base(pair.from).is_some() && base(pair.from) == base(pair.to)
}

/// The sources that stand for the water along the coast.
fn fringes(job: &Job) -> BTreeSet<SourceIndex> {
    let fringe = |(at, source): (usize, &Source)| (source.role == Role::Fringe).then_some(at as SourceIndex);
    job.sources.iter().enumerate().filter_map(fringe).collect()
}

/// What published change maps decide of a pair: whatever sources of their section decided at both years.
fn official(job: &Job, pair: Interval) -> Vec<Judged> {
    let mut judged = Vec::new();
    for map in job.official.iter().filter(|map| map.pair == pair) {
        let of = |year: Epoch| {
            map.twins.values().copied().filter(move |twin| {
                job.sources.get(usize::from(*twin)).is_some_and(|source| source.maps.contains_key(&year))
            })
        };
        for from in of(pair.from) {
            judged.extend(of(pair.to).map(|to| Judged { from, to, rule: None, is_official: true }));
        }
    }
    judged
}

/// The sizes of the cells of each map, in metres.
type CellSizes = BTreeMap<(usize, Epoch), Vec<f64>>;

fn cell_sizes(headers: &[Vec<InputHeader>]) -> CellSizes {
    let mut cells = CellSizes::new();
    for input in headers.iter().flatten() {
        let sizes = cells.entry((input.source, input.year)).or_default();
        let size = input.header.grid.cell_m();
        // Thousands of tiles have a few sizes.
        if !sizes.contains(&size) {
            sizes.push(size);
        }
    }
    cells
}

/// What rules ask of the map of a source at a year; `None` where it has none, or is the fringe of the coast: no map that
/// somebody made, and the same in all years.
fn facts<'a>(job: &'a Job, source: usize, year: Epoch, cells: &CellSizes) -> Option<MapFacts<'a>> {
    let series = &job.sources[source];
    let map = series.maps.get(&year).filter(|_| series.role != Role::Fringe)?;
    Some(MapFacts {
        year: map.year,
        section: &series.section,
        country: series.country.as_deref(),
        legend: &map.legend.id,
        cells_m: cells.get(&(source, year)).cloned().unwrap_or_default(),
        edition: map.edition.as_deref(),
        sensor: map.sensor.as_deref(),
        method: map.method.as_deref(),
    })
}

/// What the user should know of all pairs, with the sources of which it is not clear whether a rule is about them.
pub fn warnings(job: &Job, pairs: &[PairComparability], headers: &[Vec<InputHeader>]) -> Vec<String> {
    let mut warnings: Vec<String> = pairs.iter().flat_map(|pair| pair.warnings(job)).collect();
    warnings.extend(misspelt_countries(job));
    let cells = cell_sizes(headers);
    for PairComparability { pair, judged, .. } in pairs {
        for judged in judged.iter().filter(|judged| judged.verdict() == Verdict::Unknown) {
            let from = facts(job, usize::from(judged.from), pair.from, &cells);
            let to = facts(job, usize::from(judged.to), pair.to, &cells);
            let (Some(from), Some(to)) = (from, to) else { continue };
            if let Some(rule) = forbidden_elsewhere(&job.comparability, &from, &to) {
                let country = rule.country.as_ref().and_then(|names| names.all().first());
                warnings.push(format!(
                    "{pair}, {}: names no country; where it maps {}, a rule forbids to compare the two: {}",
                    sources_words(job, judged),
                    country.map_or("", String::as_str),
                    reason_words(rule)
                ));
            }
        }
    }
    warnings
}

/// Countries that no rule names, but for a slip of the pen.
fn misspelt_countries(job: &Job) -> Vec<String> {
    let rules = job.comparability.iter().filter_map(|rule| rule.country.as_ref());
    let known: Vec<&str> = rules.flat_map(|names| names.all()).map(String::as_str).collect();
    let misspelt = |source: &Source| {
        let country = source.country.as_deref()?;
        let is_known = known.iter().any(|known| known.to_lowercase() == country.to_lowercase());
        // Two letters are near any other two.
        let long = known.iter().copied().filter(|known| known.chars().count() > 3);
        let near = did_you_mean(country, long).filter(|_| !is_known)?;
        Some(format!(
            "source `{}`: no rule on comparisons names the country `{country}`; did you mean `{near}`?",
            source.id
        ))
    };
    job.sources.iter().filter_map(misspelt).collect()
}

/// The sources of a comparison, with their section.
pub fn sources_words(job: &Job, judged: &Judged) -> String {
    let (from, to) = (&job.sources[usize::from(judged.from)], &job.sources[usize::from(judged.to)]);
    if from.id == to.id {
        return format!("section `{}` (source `{}`)", from.section, from.id);
    }
    format!(
        "section `{}` (source `{}`) to section `{}` (source `{}`)",
        from.section, from.id, to.section, to.id
    )
}

/// Why a rule says what it says, and who says so.
pub fn reason_words(rule: &ComparabilityRule) -> String {
    format!("{} [{}]", rule.reason, rule.source)
}

/// A pair of which nothing is left is refused: a matrix of nothing answers no question.
///
/// # Errors
/// Input: rules forbid everything that could be compared, with their reasons.
pub fn refuse_nothing_left(job: &Job, pairs: &[PairComparability]) -> Result<()> {
    let empty = || pairs.iter().filter(|pair| pair.forbids_all && !pair.is_allowed);
    if empty().next().is_none() {
        return Ok(());
    }
    let names: Vec<String> = empty().map(|pair| pair.pair.to_string()).collect();
    Err(Error::input(format!("nothing is left to compare from {}", names.join(", ")))
        .found_all(empty().flat_map(|pair| pair.warnings(job)))
        .expected("at least one section whose maps may be compared")
        .help(
            "leave the pair out of change.pairs; --allow-incomparable computes and stamps it; rules of your own: \
             comparability = \"./mine.toml\"",
        ))
}
