//! A job as it is meant: defaults filled, data loaded, contradictions told all at once.

mod check;
mod patterns;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::coast::{self, Coast};
use super::comparability;
use super::derived;
use super::edits::{self, Edit};
use super::file::{ComputeFile, JobFile};
use super::grids::{self, JobGrid};
use super::official::{self, OfficialMap};
use super::release::Release;
use super::shipped;
use super::strata::{self, Stratum};
use super::zones::{self, ZoneLayer};
use crate::error::Result;
use crate::io::place;
use crate::kernel::change::{LARGEST_CODE, Unchanged};
use crate::kernel::pyramid::Tie;
use crate::model::comparability::ComparabilityRule;
use crate::model::epoch::{Epoch, Interval};
use crate::model::legend::{Language, Legend};
use crate::model::source::NO_SOURCE;
use check::Check;
pub(super) use check::slug_violation;
pub use patterns::expand_patterns;
use sources::Loader;
pub use sources::{Source, SourceMap};

/// How far behind a boundary control lines may lie, in cells: blocks look as far around themselves.
const MOST_CONTROL_CELLS: usize = 64;

/// A job, checked as far as that goes without opening a raster.
#[derive(Debug, Clone)]
pub struct Job {
    /// Name of the product.
    pub name: String,
    /// What the output folder is noted to be of: the job's name; of two maps that are compared also these.
    pub owner: String,
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
            owner: file.name.clone(),
            name: file.name,
            target,
        };
        job.choose_work_folder()?;
        Ok(job)
    }
}
