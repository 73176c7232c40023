//! A job as it is meant: defaults filled, data loaded, contradictions told all at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::coast::{self, Coast};
use super::comparability;
use super::derived::{self, Update};
use super::edits::{self, Edit};
use super::file::{
    ComputeFile, DomainFile, EpochFile, JobFile, MissingStratum, PairRule, Pairs, Resampling, SourceFile,
    SourceKeys,
};
use super::grids::{self, JobGrid};
use super::official::{self, OfficialMap};
use super::release::Release;
use super::shipped;
use super::strata::{self, Stratum};
use super::zones::{self, ZoneLayer};
use crate::error::{Error, Result};
use crate::io::gdal::RasterFormat;
use crate::io::gdal::remote::matching;
use crate::io::place;
use crate::io::proj::Datum;
use crate::kernel::change::{LARGEST_CODE, Unchanged};
use crate::kernel::pyramid::Tie;
use crate::model::comparability::ComparabilityRule;
use crate::model::crosswalk::Crosswalk;
use crate::model::date::MapDate;
use crate::model::epoch::{Epoch, Interval};
use crate::model::legend::{ClassCode, Language, Legend};
use crate::model::source::{NO_SOURCE, Role};
use crate::model::window::BLOCK;

/// How far behind a boundary control lines may lie, in cells: blocks look as far around themselves.
const MOST_CONTROL_CELLS: usize = 64;

/// A job, checked as far as that goes without opening a raster.
#[derive(Debug, Clone)]
pub struct Job {
    /// Name of the product.
    pub name: String,
    /// Output folder; of an output in a store, the folder in which it is made.
    pub output: PathBuf,
    /// The place in a store that the product goes to.
    pub store: Option<PathBuf>,
    /// Languages of names; the first is the default.
    pub languages: Vec<Language>,
    /// Legend of the product.
    pub target: Arc<Legend>,
    /// Where the product's cells lie: at least one grid.
    pub grids: Vec<JobGrid>,
    /// Series of maps, in the order of the file.
    pub sources: Vec<Source>,
    /// Mapped years, ascending.
    pub epochs: Vec<Epoch>,
    /// Pairs to compare, in the order asked for.
    pub pairs: Vec<Interval>,
    /// Published change maps, in the order of the file.
    pub official: Vec<OfficialMap>,
    /// Rules on which maps may be compared; the first that holds decides.
    pub comparability: Vec<Arc<ComparabilityRule>>,
    /// Whether what they forbid is compared all the same, and stamped.
    pub allow_incomparable: bool,
    /// How unchanged cells are written.
    pub unchanged: Unchanged,
    /// Who wins a tie in overviews.
    pub tie: Tie,
    /// Whether the product is a release, and what it may rest on.
    pub release: Release,
    /// Whether ellipsoidal areas are told beside those of a sphere.
    pub ellipsoidal: bool,
    /// Ancillary layers, by name.
    pub strata: BTreeMap<String, Stratum>,
    /// Which section each place belongs to, where the job says so.
    pub domain: Option<Domain>,
    /// The layers of zones, in the order of the file.
    pub zones: Vec<ZoneLayer>,
    /// Where land ends, and what becomes of the rest.
    pub coast: Option<Coast>,
    /// Edits by interpreters, in the order of the file.
    pub edits: Vec<Edit>,
    /// Machine settings.
    pub compute: ComputeFile,
    /// How far behind the boundary of two sections control lines lie, in cells; `None` looks for no seams.
    pub seams: Option<usize>,
    /// Whether gaps between sources are listed.
    pub gaps: bool,
    /// What to write.
    pub products: Products,
}

/// What a run writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Products {
    /// A mosaic per epoch.
    pub landcover: bool,
    /// A change raster per pair.
    pub change: bool,
    /// Tables.
    pub tables: bool,
    /// The share of each class in every cell, per epoch.
    pub fractions: bool,
    /// Where each cell comes from, per epoch.
    pub provenance: bool,
}

/// Which section each place belongs to.
#[derive(Debug, Clone)]
pub struct Domain {
    /// Polygons whose key is the name of a section.
    pub path: PathBuf,
    /// Field that holds the key.
    pub key: String,
    /// Widest strip that no section maps and that takes the nearest class, in cells.
    pub sliver_cells: usize,
}

/// The widest slivers, in cells: what is wider is a gap.
const WIDEST_SLIVER: usize = 64;

/// A series of maps.
#[derive(Debug, Clone)]
pub struct Source {
    /// Identifier.
    pub id: String,
    /// Section of the continent.
    pub section: String,
    /// Country, where the job names it.
    pub country: Option<String>,
    /// Position of the grid that it lies on.
    pub grid: usize,
    /// What it is to the product; declared sources come first.
    pub role: Role,
    /// Its map of each epoch.
    pub maps: BTreeMap<Epoch, SourceMap>,
}

/// The map of one epoch of a series.
#[derive(Debug, Clone)]
pub struct SourceMap {
    /// Year that it is a map of: another than the mapped one where it stands in.
    pub year: Epoch,
    /// Files, in order of precedence.
    pub files: Vec<PathBuf>,
    /// True date.
    pub date: Option<String>,
    /// Edition.
    pub edition: Option<String>,
    /// Sensor that its imagery is from.
    pub sensor: Option<String>,
    /// Method by which it was made.
    pub method: Option<String>,
    /// Legend of the files.
    pub legend: Arc<Legend>,
    /// Crosswalk to the product's legend; `None` keeps the codes.
    pub crosswalk: Option<Arc<Crosswalk>>,
    /// Whether conditional rows take their default without their layer.
    pub take_default: bool,
    /// Larger wins where sources overlap.
    pub priority: i32,
    /// How cells of another grid are taken, where the job says so.
    pub resampling: Option<Resampling>,
    /// How the datum of the files and that of the grid are brought together.
    pub datum: Datum,
    /// Band with the class codes.
    pub band: Option<usize>,
    /// Formats that the files may have.
    pub formats: Vec<RasterFormat>,
    /// Nodata value given by the user, in place of the file's tag.
    pub nodata: Option<ClassCode>,
    /// What it updates, if it does.
    pub update: Option<Update>,
    /// Which of the maps that stand in for one is tried first.
    pub rank: usize,
}

impl SourceMap {
    /// The map, then the one that it updates, and so on: earlier ones decide.
    pub fn layers(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |map| map.update.as_ref().map(|update| &*update.base))
    }
}

impl Job {
    /// Reads a job file and works out what it means. Paths are relative to the file.
    ///
    /// # Errors
    /// Usage: the file cannot be read, or contradicts itself; every contradiction is listed.
    pub fn read(path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::resolve(JobFile::read(path)?, folder).map_err(|e| e.at(path.display()))
    }

    /// Works out what a job file means.
    ///
    /// # Errors
    /// Usage: it contradicts itself. Input: a pattern matches no file.
    pub fn resolve(file: JobFile, folder: &Path) -> Result<Self> {
        let mut check = Check::default();
        let mut target = shipped::legend(&file.legend, folder)?;
        for name in &file.rollups {
            target.rollups.push(shipped::rollup(name, folder)?);
        }
        // A shipped legend has been checked; what came to it has not.
        target.violations().into_iter().for_each(|violation| check.found(violation));
        let target = Arc::new(target);
        check.slug("name", &file.name);
        check.that(!file.language.to_vec().is_empty(), || "language is empty".into());
        check.task_cells(file.compute.task_cells);
        check.that(file.compute.memory_mib >= 64, || {
            format!("compute.memory_mib is {}; at least 64 is needed", file.compute.memory_mib)
        });
        check.that(!file.sources.is_empty(), || "there is no [[source]]".into());
        check.that(file.sources.len() < usize::from(NO_SOURCE), || "there are more than 254 sources".into());
        let mut ids = BTreeSet::new();
        for source in &file.sources {
            check.slug("source.id", &source.id);
            check.that(ids.insert(&source.id), || format!("two sources have the id `{}`", source.id));
            for name in [source.section.as_ref(), source.country.as_ref()].into_iter().flatten() {
                check.that(
                    !name.is_empty() && !["mixed", "none", "outside", "all"].contains(&name.as_str()),
                    || {
                        format!(
                            "source `{}`: `{name}` is no name for a section or country: tables use it",
                            source.id
                        )
                    },
                );
            }
            check.that(!source.epochs.is_empty(), || format!("source `{}` has no epochs", source.id));
        }
        let has_countries = file.sources.iter().any(|source| source.country.is_some());
        let (mut zones, violations) = zones::resolve(&file.zones, folder, has_countries);
        violations.into_iter().for_each(|violation| check.found(violation));
        let grids = grids::resolve(&file.grid, &file.sources, folder)?;
        grids.violations.into_iter().for_each(|violation| check.found(violation));
        let mut loader =
            Loader { folder, target: &target, legends: BTreeMap::new(), crosswalks: BTreeMap::new() };
        let mut sources = Vec::new();
        for (source, grid) in file.sources.iter().zip(grids.of_sources) {
            sources.push(loader.source(source, grid, &mut check)?);
        }
        for violation in derived::resolve_updates(&file.sources, &mut sources, folder)? {
            check.found(violation);
        }
        derived::add_fills(&file.sources, &mut sources)
            .into_iter()
            .for_each(|violation| check.found(violation));
        check.domain(file.domain.as_ref());
        let domain = file.domain.as_ref().map(|domain| Domain {
            path: check.place("domain.path", folder, &domain.path),
            key: domain.key.clone(),
            sliver_cells: domain.sliver_cells,
        });
        check.cut_or_filled(&file, &sources);
        let epochs: BTreeSet<Epoch> = sources.iter().flat_map(|s| s.maps.keys().copied()).collect();
        let epochs: Vec<Epoch> = epochs.into_iter().collect();
        let pairs = check.pairs(&file.change.pairs, &epochs);
        let asked = &file.change.official;
        let official = official::resolve(asked, folder, &pairs, &mut sources, &mut check.violations)?;
        check.that(!target.is_raw() || official.is_empty(), || {
            "change.official: a change map names classes, and `raw` has none".into()
        });
        let output = place::output_beside(folder, &file.output).unwrap_or_else(|violation| {
            check.found(format!("output: {violation}"));
            PathBuf::new()
        });
        let store = place::is_remote(&output).then(|| output.clone());
        check.output_apart(&output, &sources, &official);
        let compute = ComputeFile {
            work: file.compute.work.as_ref().map(|work| folder.join(work)),
            ..file.compute.clone()
        };
        let change = target.codes().iter().all(|code| *code <= LARGEST_CODE);
        check.that(change || pairs.is_empty(), || {
            format!(
                "legend `{}` has codes above {LARGEST_CODE}, which from*100+to cannot carry: set change.pairs = [], \
                 or compare two maps with `nalcms change --tables-only`",
                target.id
            )
        });
        check.that(!(file.fractions && target.is_raw()), || {
            "fractions = true: shares are told by class, and `raw` has none".into()
        });
        check.that(file.change.unchanged != Unchanged::Class || target.class(0).is_none(), || {
            format!("change.unchanged = \"class\" is ambiguous: legend `{}` has a class 0", target.id)
        });
        let coast = file.coast.as_ref().map(|coast| {
            let (coast, violations) = coast::resolve(coast, folder, &target, &sources, &mut zones);
            violations.into_iter().for_each(|violation| check.found(violation));
            sources.extend(coast.sources(&grids.grids, &sources, &target));
            coast
        });
        check.that(sources.len() < usize::from(NO_SOURCE), || {
            "there are more than 254 sources, with those that stand for what no map decides".into()
        });
        let (edits, violations) = edits::resolve(&file.edits, folder, &target, &epochs);
        violations.into_iter().for_each(|violation| check.found(violation));
        let seams = file.seams.control_cells;
        check.that(seams.is_none_or(|cells| (1..=MOST_CONTROL_CELLS).contains(&cells)), || {
            format!(
                "seams.control_cells is {}; it must be from 1 to {MOST_CONTROL_CELLS}",
                seams.unwrap_or(0)
            )
        });
        let (release, violations) = Release::resolve(&file.accept_proposed, &sources);
        violations.into_iter().for_each(|violation| check.found(violation));
        let (strata, violations) = strata::resolve(&file.strata, folder);
        violations.into_iter().for_each(|violation| check.found(violation));
        check.finish()?;
        let mut job = Self {
            output,
            store,
            languages: file.language.to_vec(),
            grids: grids.grids,
            sources,
            epochs,
            pairs,
            official,
            comparability: comparability::rules(file.comparability.as_deref(), folder)?,
            allow_incomparable: false,
            unchanged: file.change.unchanged,
            tie: file.tie,
            release,
            ellipsoidal: file.areas.ellipsoidal,
            strata,
            domain,
            zones,
            coast,
            edits,
            compute,
            seams,
            gaps: file.gaps,
            products: Products {
                landcover: true,
                change: true,
                tables: true,
                fractions: file.fractions,
                provenance: file.provenance,
            },
            name: file.name,
            target,
        };
        job.choose_work_folder()?;
        Ok(job)
    }
}

/// Finds the files of patterns: relative to a folder, each pattern's matches in bytewise order.
///
/// # Errors
/// Input: patterns that match nothing, all of them; a store refuses to list. Usage: a name that no store understands.
pub fn expand_patterns(patterns: &[String], folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut empty) = (Vec::new(), Vec::new());
    for pattern in patterns {
        let full = place::beside(folder, Path::new(pattern))
            .map_err(|e| Error::usage("a file has a name that is not understood").found(e))?;
        if place::is_remote(&full) {
            if !full.to_string_lossy().contains('*') {
                files.push(full);
                continue;
            }
            let found = matching(&full)?;
            if found.is_empty() {
                empty.push(full.display().to_string());
            }
            files.extend(found);
            continue;
        }
        let is_pattern = pattern.contains(['*', '?', '[']) && !full.exists();
        if !is_pattern {
            files.push(full);
            continue;
        }
        let matches = glob::glob(&full.to_string_lossy())
            .map_err(|e| Error::usage("a file pattern is malformed").found(pattern).help(e))?;
        let mut found = matches
            .collect::<std::result::Result<Vec<PathBuf>, _>>()
            .map_err(|e| Error::input("a folder cannot be read").at(e.path().display()).found(e.error()))?;
        found.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
        if found.is_empty() {
            empty.push(full.display().to_string());
        }
        files.extend(found);
    }
    if empty.is_empty() {
        return Ok(files);
    }
    Err(Error::input("file patterns match nothing").found_all(empty).help("check the folder and the pattern"))
}

/// Loads legends and crosswalks once.
struct Loader<'a> {
    folder: &'a Path,
    target: &'a Arc<Legend>,
    legends: BTreeMap<String, Arc<Legend>>,
    crosswalks: BTreeMap<String, Arc<Crosswalk>>,
}

impl Loader<'_> {
    fn legend(&mut self, name: &str) -> Result<Arc<Legend>> {
        if let Some(legend) = self.legends.get(name) {
            return Ok(legend.clone());
        }
        let legend = Arc::new(shipped::legend(name, self.folder)?);
        self.legends.insert(name.to_string(), legend.clone());
        Ok(legend)
    }

    fn crosswalk(&mut self, name: &str) -> Result<Arc<Crosswalk>> {
        if let Some(crosswalk) = self.crosswalks.get(name) {
            return Ok(crosswalk.clone());
        }
        let crosswalk = Arc::new(shipped::crosswalk(name, self.folder)?);
        self.crosswalks.insert(name.to_string(), crosswalk.clone());
        Ok(crosswalk)
    }

    fn source(&mut self, file: &SourceFile, grid: usize, check: &mut Check) -> Result<Source> {
        let mut maps = BTreeMap::new();
        for (text, epoch) in &file.epochs {
            let Ok(year) = text.parse::<Epoch>() else {
                check.found(format!("source `{}`: epoch `{text}` is no year", file.id));
                continue;
            };
            check.that(text == &year.to_string() && (1..=9999).contains(&year), || {
                format!(
                    "source `{}`: write the epoch `{text}` as a year from 1 to 9999, such as 2010",
                    file.id
                )
            });
            let at = format!("source `{}`, {year}", file.id);
            if let Some(map) = self.map(&at, year, &file.keys(), epoch, check)? {
                maps.insert(year, map);
            }
        }
        Ok(Source {
            id: file.id.clone(),
            section: file.section.clone().unwrap_or_else(|| file.id.clone()),
            country: file.country.clone(),
            grid,
            role: Role::Maps,
            maps,
        })
    }

    fn map(
        &mut self,
        at: &str,
        year: Epoch,
        keys: &SourceKeys,
        epoch: &EpochFile,
        check: &mut Check,
    ) -> Result<Option<SourceMap>> {
        let over = &epoch.keys;
        let Some(legend) = over.legend.as_ref().or(keys.legend.as_ref()) else {
            check.found(format!("{at}: `legend` is missing"));
            return Ok(None);
        };
        let legend = self.legend(legend)?;
        let named = over.crosswalk.as_ref().or(keys.crosswalk.as_ref().filter(|_| over.legend.is_none()));
        let crosswalk = match named {
            Some(name) => Some(self.crosswalk(name)?),
            None if legend.id == self.target.id => None,
            None => {
                let shipped = format!("{}-{}", legend.id, self.target.id);
                match self.crosswalk(&shipped) {
                    Ok(crosswalk) => Some(crosswalk),
                    Err(_) => {
                        check.found(format!(
                            "{at}: its legend is `{}`, the product's is `{}`, and no crosswalk leads from one to the \
                             other; maps of one year must share a legend",
                            legend.id, self.target.id
                        ));
                        return Ok(None);
                    }
                }
            }
        };
        if let Some(crosswalk) = &crosswalk {
            check.crosswalk(at, crosswalk, &legend, self.target);
        }
        let take_default =
            over.missing_stratum.or(keys.missing_stratum).unwrap_or_default() == MissingStratum::Default;
        let files = expand_patterns(&epoch.files, self.folder).map_err(|e| e.at(at))?;
        check.files(at, &files);
        if let Some(date) = &epoch.date {
            check.that(MapDate::parse(date).is_some(), || {
                format!("{at}: date `{date}` is none of the forms 2011, 2011-07, 2011-07-15")
            });
        }
        Ok(Some(SourceMap {
            year,
            files,
            date: epoch.date.clone(),
            edition: epoch.edition.clone(),
            sensor: epoch.sensor.clone(),
            method: epoch.method.clone(),
            legend,
            crosswalk,
            take_default,
            priority: over.priority.or(keys.priority).unwrap_or(0),
            resampling: over.resampling.or(keys.resampling),
            datum: over.datum.or(keys.datum).unwrap_or_default(),
            band: over.band.or(keys.band),
            formats: over.formats.clone().or(keys.formats.clone()).unwrap_or(RasterFormat::DEFAULT.into()),
            nodata: None,
            update: None,
            rank: 0,
        }))
    }
}

/// What is wrong with a name that becomes part of file names, if anything is.
pub(super) fn slug_violation(key: &str, name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let sound = !name.is_empty() && name.len() <= 100 && name.chars().all(allowed) && !name.starts_with('.');
    (!sound).then(|| {
        format!("{key} `{name}` may hold only letters, digits, `.`, `_` and `-`, and not start with `.`")
    })
}

/// Collects contradictions, to tell them all at once.
#[derive(Default)]
struct Check {
    violations: Vec<String>,
}

impl Check {
    fn found(&mut self, violation: String) {
        if !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }

    fn that(&mut self, holds: bool, violation: impl FnOnce() -> String) {
        if !holds {
            self.found(violation());
        }
    }

    /// A map needs files, each once.
    fn files(&mut self, at: &str, files: &[PathBuf]) {
        self.that(!files.is_empty(), || format!("{at}: `files` is empty"));
        let mut seen = BTreeSet::new();
        for file in files {
            let one = file.canonicalize().unwrap_or_else(|_| file.clone());
            self.that(seen.insert(one), || format!("{at}: {} is named twice", file.display()));
        }
    }

    /// The place that a key names, if it names one.
    fn place(&mut self, key: &str, folder: &Path, name: &Path) -> PathBuf {
        place::beside(folder, name).unwrap_or_else(|violation| {
            self.found(format!("{key}: {violation}"));
            PathBuf::new()
        })
    }

    fn domain(&mut self, domain: Option<&DomainFile>) {
        let Some(domain) = domain else { return };
        self.that(domain.sliver_cells <= WIDEST_SLIVER, || {
            format!(
                "domain.sliver_cells is {}; what is wider than {WIDEST_SLIVER} cells is a gap, no sliver",
                domain.sliver_cells
            )
        });
    }

    /// Shares are of what a source holds in a cell; what is cut, filled or put together knows one class a cell.
    fn cut_or_filled(&mut self, file: &JobFile, sources: &[Source]) {
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
    fn output_apart(&mut self, output: &Path, sources: &[Source], official: &[OfficialMap]) {
        let Ok(output) = output.canonicalize() else { return };
        let maps = sources.iter().flat_map(|s| s.maps.values()).flat_map(|m| &m.files);
        for file in maps.chain(official.iter().flat_map(|map| &map.files)) {
            let inside = file.canonicalize().is_ok_and(|file| file.starts_with(&output));
            self.that(!inside, || format!("the input {} lies in the output folder", file.display()));
        }
    }

    fn slug(&mut self, key: &str, name: &str) {
        slug_violation(key, name).into_iter().for_each(|violation| self.found(violation));
    }

    fn task_cells(&mut self, cells: usize) {
        self.that(
            cells.is_multiple_of(BLOCK) && (cells / BLOCK).is_power_of_two() && cells <= 32_768,
            || format!("compute.task_cells is {cells}; it must be 512, 1024, 2048, … up to 32768"),
        );
    }

    fn pairs(&mut self, pairs: &Pairs, epochs: &[Epoch]) -> Vec<Interval> {
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

    fn crosswalk(&mut self, at: &str, crosswalk: &Crosswalk, from: &Legend, to: &Legend) {
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

    fn finish(self) -> Result<()> {
        if self.violations.is_empty() {
            return Ok(());
        }
        Err(Error::usage("a job contradicts itself").found_all(self.violations))
    }
}
