//! All the work of a job, before any cell is read: grids, scenes, tasks.
//!
//! A job has one grid or several ([`JobPlan`]); whatever works on a task sees one ([`Plan`]).
//!
//! Headers are read once, here. A plan is printable and complete: whatever cannot work is refused now.

pub mod alignment;
pub mod area;
pub mod comparability;
pub mod domain;
pub mod extent;
pub mod file;
pub mod fingerprint;
pub mod input_hashes;
pub mod inputs;
pub mod mask;
pub mod misfit;
pub mod official;
pub mod operations;
pub mod overlay;
pub mod product;
pub mod provenance;
pub mod reasons;
pub mod scene;
pub mod sections;
pub mod shard;
pub mod sphere;
pub mod strata;
pub mod task;
pub mod value_raster;
pub mod whole;
pub mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::config::file::OutsideGrid;
use crate::config::job::{Job, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::io::cog::overview_levels;
use crate::io::gdal::{FeatureLayer, RasterHeader, open_bytes};
use crate::model::area::CellArea;
use crate::model::epoch::{Epoch, Interval};
use crate::model::grid::Grid;
use crate::model::provenance::{GAP, OUTSIDE as OUTSIDE_ALL, Origin};
use crate::model::source::{Role, SourceIndex};
use crate::model::window::BLOCK;
use alignment::Alignment;
use area::{Areas, Sizing};
use comparability::PairComparability;
use domain::Domain;
use inputs::InputHeader;
use official::OfficialPlan;
use operations::Operations;
use overlay::Overlays;
use provenance::Origins;
use scene::Surveyor;
use strata::{JobStrata, StratumLayer};
use zones::CountedLayer;

pub use product::{Product, Storage};
pub use scene::Scene;
pub use task::{Task, TaskShape};
pub use whole::JobPlan;

/// The identifier of what no zone covers.
pub const OUTSIDE: &str = "outside";

/// Everything that a run will do on one grid.
#[derive(Debug)]
pub struct Plan {
    /// The job.
    pub job: Arc<Job>,
    /// Identifier of the grid, where the job has several.
    pub grid_id: Option<String>,
    /// What to do with valid source cells outside the grid.
    pub outside_grid: OutsideGrid,
    /// Where the product's cells lie.
    pub grid: Grid,
    /// How the area of cells is told.
    pub area: CellArea,
    /// How large each cell is, where areas have to be added up.
    pub sizes: Option<Sizing>,
    /// How the ellipsoidal areas beside those of a sphere are computed, where the job asks for them.
    pub ellipsoidal: Option<String>,
    /// The maps of each epoch.
    pub epochs: Vec<EpochPlan>,
    /// Pairs to compare.
    pub pairs: Vec<Interval>,
    /// What is known of each pair, as far as sources of this grid go.
    pub comparability: Vec<PairComparability>,
    /// Pieces of the grid, row by row; their positions are those among the tasks of all grids.
    pub tasks: Vec<Task>,
    /// Rows and columns of a task.
    pub task_shape: TaskShape,
    /// Cells around itself that a block looks at.
    pub reach: usize,
    /// Rasters to write, in the order of parts.
    pub products: Vec<Product>,
    /// Which section each place belongs to, where the job says so.
    pub domain: Option<Domain>,
    /// The code of provenance of each source.
    pub origins: Origins,
    /// The zone layers whose cells are looked up, in the order of the job.
    pub zones: Vec<CountedLayer>,
    /// Published change maps of sections on the grid, in the order of the job.
    pub officials: Vec<OfficialPlan>,
    /// What is laid over the mosaics.
    pub overlays: Overlays,
    /// Number of overview levels of every raster.
    pub levels: u32,
    /// Data type and nodata of the maps.
    pub storage: Storage,
}

/// The maps of one epoch.
#[derive(Debug)]
pub struct EpochPlan {
    /// The mapped year.
    pub year: Epoch,
    /// Its files, in order of precedence.
    pub scenes: Vec<Scene>,
}

impl Plan {
    /// The maps of each epoch on a grid, which its own inputs alone are placed on; an epoch without any has none.
    fn survey(
        job: &Job,
        (position, grid): (usize, &Grid),
        headers: &[InputHeader],
        strata: &JobStrata,
        operations: &mut Operations,
        (warnings, refused): (&mut Vec<String>, &mut Vec<Error>),
    ) -> Vec<EpochPlan> {
        let mut surveyor = Surveyor::new(job, (&job.grids[position].choice, grid), strata, operations);
        let mut epochs = Vec::new();
        for &year in &job.epochs {
            let mut scenes = Vec::new();
            for header in headers.iter().filter(|h| h.year == year) {
                match surveyor.survey(header, warnings) {
                    Ok(scene) => scenes.push(scene),
                    Err(error) => refused.push(error),
                }
            }
            scenes.sort_by_key(|scene| precedence(job, year, scene));
            epochs.push(EpochPlan { year, scenes });
        }
        epochs
    }

    /// Lays out the work on a grid; the first of its tasks has the given position among those of all grids.
    fn lay_out(
        job: &Arc<Job>,
        (position, grid): (usize, Grid),
        epochs: Vec<EpochPlan>,
        storage: Storage,
        comparability: &[PairComparability],
        first_task: usize,
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let zones = zones::counted_layers(&job.zones, &grid, warnings)?;
        let overlays = Overlays::of(job, (position, &grid), warnings)?;
        let officials = OfficialPlan::all_of(job, (position, &grid), warnings)?;
        let Areas { told: area, sizes, ellipsoidal } = Areas::of(&grid, job.ellipsoidal)?;
        let pairs = job.pairs.clone();
        if job.products.fractions {
            refuse_without_votes(job, &epochs)?;
        }
        let task_shape = TaskShape::of(job.compute.task_cells, &grid, &epochs);
        let chosen = &job.grids[position];
        let domain =
            job.domain.as_ref().map(|domain| Domain::of(job, domain, &grid, warnings)).transpose()?;
        // Slivers beside a neighbour of a seam's pair are looked at too.
        let reach = domain.as_ref().map_or(0, |domain| domain.sliver_cells)
            + job.seams.map_or(0, crate::model::seam::reach);
        let origins = Origins::of(job);
        if let Some(violation) = origins.violation().filter(|_| job.products.provenance) {
            return Err(Error::usage(violation));
        }
        Ok(Self {
            job: job.clone(),
            grid_id: chosen.id.clone().filter(|_| job.grids.len() > 1),
            outside_grid: chosen.outside_grid,
            levels: overview_levels(grid.rows as u64, grid.cols as u64),
            products: Product::all(job, epochs.len(), pairs.len()),
            tasks: task::tasks(&grid, task_shape, &epochs, first_task, reach),
            grid,
            area,
            sizes,
            ellipsoidal,
            epochs,
            pairs,
            comparability: comparability.iter().map(|pair| pair.on_grid(job, position)).collect(),
            task_shape,
            reach,
            domain,
            origins,
            zones,
            overlays,
            officials,
            storage,
        })
    }

    /// Whether the mosaic of an epoch keeps track of where each cell comes from.
    pub fn tracks_origins(&self, epoch: usize) -> bool {
        let fills = |scene: &Scene| matches!(self.role(scene), Role::Fill(..));
        self.job.products.provenance
            || self.tells_gaps_by_origin().is_some()
            || self.epochs[epoch].scenes.iter().any(fills)
    }

    /// The code of provenance of cells that may be gaps, where more is to be known of a cell than that nobody decides it.
    pub fn tells_gaps_by_origin(&self) -> Option<Origin> {
        match (&self.domain, &self.overlays.coast) {
            _ if !self.job.gaps => None,
            (Some(_), _) => Some(GAP),
            (None, Some(_)) => Some(OUTSIDE_ALL),
            (None, None) => None,
        }
    }

    /// Whether blocks that no source comes near are looked at too: there is something to be told of each cell.
    pub fn tells_of_every_cell(&self) -> bool {
        self.job.products.provenance || self.tells_gaps_by_origin().is_some()
    }

    /// The scenes that may cover a task or what it looks at around itself, of all epochs.
    pub fn scenes_of<'a>(&'a self, task: &'a Task) -> impl Iterator<Item = &'a Scene> {
        let epochs = self.epochs.iter().zip(&task.scenes);
        epochs.flat_map(|(epoch, positions)| positions.iter().map(|&position| &epoch.scenes[position]))
    }

    /// What the source of a scene is to the product.
    pub fn role(&self, scene: &Scene) -> Role {
        self.job.sources[usize::from(scene.source)].role
    }

    /// The sources that lie on the grid.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        let position =
            self.job.grids.iter().position(|grid| self.grid_id.is_some() && grid.id == self.grid_id);
        let own = self.job.sources.iter().filter(|source| source.role != Role::Official);
        own.filter(move |source| source.grid == position.unwrap_or(0))
    }

    /// The grid in words.
    pub fn words(&self) -> String {
        self.grid_id.as_ref().map_or("the grid".into(), |id| format!("grid `{id}`"))
    }

    /// Position of an epoch.
    pub fn epoch(&self, year: Epoch) -> Option<usize> {
        self.epochs.iter().position(|e| e.year == year)
    }

    /// Every stratum layer in use, once for each scene.
    pub fn strata(&self) -> impl Iterator<Item = &StratumLayer> {
        self.epochs.iter().flat_map(|epoch| &epoch.scenes).flat_map(|scene| &scene.strata)
    }

    /// Every polygon layer in use: zones, the domain and the strata of all scenes.
    pub fn polygon_layers(&self) -> impl Iterator<Item = &FeatureLayer> {
        let domain = self.domain.iter().map(|domain| &domain.polygons);
        let zones = self.zones.iter().filter_map(CountedLayer::polygons);
        self.strata().filter_map(StratumLayer::polygons).chain(domain).chain(zones)
    }

    /// Overview levels whose blocks lie wholly in one task.
    pub fn levels_in_task(&self) -> u32 {
        self.task_shape.levels().min(self.levels)
    }

    /// Maps of a block that are kept at the same time: those still to be compared with a later one.
    fn maps_at_once(&self) -> usize {
        let kept = |done: usize| {
            let waits = |year: Epoch| {
                let pairs = self.pairs.iter().filter(|p| p.from == year || p.to == year);
                pairs.map(|p| p.from.max(p.to)).any(|last| self.epochs[done..].iter().any(|e| e.year == last))
            };
            1 + self.epochs[..done].iter().filter(|e| waits(e.year)).count()
        };
        (0..self.epochs.len()).map(kept).max().unwrap_or(1)
    }

    /// Bytes that one task holds at its peak: overviews of its rasters, maps of a block, blocks of open files, a
    /// worker's own histograms and scratch.
    pub fn task_bytes(&self) -> u64 {
        let cells = self.tasks.iter().map(|task| task.window.cells()).max().unwrap_or(0);
        let block = (BLOCK * BLOCK) as u64;
        let cell: u64 = if self.storage.bytes { 1 } else { 4 };
        let fractions = self.products.iter().filter(|p| matches!(p, Product::Fraction(..))).count() as u64;
        let origins = self.products.iter().filter(|p| matches!(p, Product::Provenance(_))).count() as u64;
        let of_codes = 2 * (self.pairs.len() as u64 + fractions) + origins;
        let overviews = cells / 3 * (cell * self.epochs.len() as u64 + of_codes);
        // Those of one year at a time, and what their overviews are made from.
        let shares = if fractions > 0 { block * (2 * fractions / self.epochs.len() as u64 + 24) } else { 0 };
        // Cells as read, as classes, as states, and who decided them.
        let maps = block * (3 * cell + 1) * self.maps_at_once() as u64;
        let sizes = self.sizes.as_ref().map_or(0, |_| block * 8);
        // Layers that lie side by side where sections meet, and what lies around a block.
        let meeting = self.domain.as_ref().map_or(0, |_| block * (4 * self.job.sources.len() as u64 + 80));
        let files = self.tasks.iter().map(|task| self.open_bytes(task)).max().unwrap_or(0);
        let is_warped = |alignment: &Alignment| !matches!(alignment, Alignment::Copy { .. });
        let scenes = self.epochs.iter().flat_map(|epoch| &epoch.scenes);
        // Source cells, their rules and strata; source cells and their zones.
        let maps_warped = scenes.map(|s| &s.alignment).any(is_warped).then_some(cell + 3);
        let rasters = || self.zones.iter().filter_map(CountedLayer::raster);
        let officials = self.officials.iter().flat_map(|map| &map.rasters).map(|r| &r.alignment);
        let zones_warped = rasters().map(|r| &r.alignment).chain(officials).any(is_warped).then_some(12);
        let strata: Vec<_> = self.strata().filter_map(StratumLayer::raster).map(|s| &s.raster).collect();
        let strata_warped = strata.iter().map(|r| &r.alignment).any(is_warped).then_some(6);
        // Centres of a block on their way between CRSs and the cells located.
        let warped = maps_warped.max(zones_warped).max(strata_warped);
        let warping = warped.map_or(0, |cell| block * 64 + WARP_CELLS * cell);
        // What strata say of the cells read last, and of those that are being read; files of one stratum are one.
        let stratum_files: BTreeMap<&Path, &RasterHeader> =
            strata.iter().map(|raster| (raster.header.path.as_path(), &raster.header)).collect();
        let stratum_files: u64 = stratum_files.into_values().map(|header| open_bytes(header) as u64).sum();
        let of_strata = if strata.is_empty() { 0 } else { 3 * WARP_CELLS + stratum_files };
        // The zones of a block by layer and combined; three burns of the polygons of one.
        let zones = if self.zones.is_empty() { 0 } else { block * 4 * (self.zones.len() as u64 + 7) };
        let zone_files: u64 = rasters().map(|r| open_bytes(&r.header) as u64).sum();
        let of_between = self.between_bytes(cell);
        let of_zones = zones + self.zone_rows_bytes(cells) + zone_files;
        let of_layers = of_zones + of_strata + of_between + self.official_bytes(cell);
        // What an overlay holds of a block and its surroundings, burned and as it is used.
        let overlays = if self.overlays.is_empty() { 0 } else { block * 80 };
        overviews + shares + maps + sizes + meeting + files + warping + of_layers + overlays + WORKER_BYTES
    }

    /// Bytes of what is looked at and kept for seams and gaps: a block with its surroundings; runs along the sides of a
    /// task, of every year, and those of a block.
    fn between_bytes(&self, cell: u64) -> u64 {
        let side = (BLOCK + 2 * self.reach) as u64;
        let around = self.job.seams.map_or(0, |_| side * side * (cell + 1));
        let sides = (self.task_shape.rows + 2 * self.task_shape.cols.min(self.grid.cols)) as u64;
        let runs = (BLOCK * BLOCK) as u64 / 2 + sides * self.epochs.len() as u64;
        around + if self.job.gaps { runs * RUN_BYTES } else { 0 }
    }

    /// Bytes that published change maps take: their open files, the values under a block, and two more maps of it.
    fn official_bytes(&self, cell: u64) -> u64 {
        if self.officials.is_empty() {
            return 0;
        }
        let files = self.officials.iter().flat_map(|map| &map.rasters).map(|raster| &raster.header);
        let mut files: Vec<usize> = files.map(open_bytes).collect();
        files.sort_unstable_by_key(|&bytes| std::cmp::Reverse(bytes));
        let open: usize = files.iter().take(OPEN_FILES).sum();
        (BLOCK * BLOCK) as u64 * (4 + 4 + 2 * (cell + 1)) + open as u64
    }

    /// Bytes of the rows that zones leave in a task of so many cells, if polygons are spread evenly. How many zones a
    /// raster holds is not known before it is read.
    fn zone_rows_bytes(&self, cells: u64) -> u64 {
        let zones: u64 =
            self.zones.iter().filter_map(CountedLayer::polygons).map(|p| p.keys.len() as u64).sum();
        let here = (zones as f64 * cells as f64 / self.grid.window().cells().max(1) as f64).ceil() as u64;
        here.saturating_mul(ZONE_BYTES).min(cells.saturating_mul(ROW_BYTES))
    }

    /// Bytes that the open files of a task hold, at most.
    fn open_bytes(&self, task: &Task) -> u64 {
        let scenes = task.scenes.iter().zip(&self.epochs);
        let mut kept: Vec<usize> = scenes
            .flat_map(|(positions, epoch)| positions.iter().map(|&p| open_bytes(&epoch.scenes[p].header)))
            .collect();
        kept.sort_unstable_by_key(|&bytes| std::cmp::Reverse(bytes));
        kept.iter().take(OPEN_FILES).map(|&bytes| bytes as u64).sum()
    }
}

/// Files that a worker keeps open: those of the next block are usually among them.
pub const OPEN_FILES: usize = 16;

/// The most source cells that are held at once while warping.
pub const WARP_CELLS: u64 = 1 << 22;

/// Histograms, overviews and encoders of a worker, in bytes.
const WORKER_BYTES: u64 = 32 << 20;

/// Bytes of the rows of one zone in a task: some two hundred pairs of classes, twice while the part is written.
const ZONE_BYTES: u64 = 32 << 10;

/// Bytes of a run of undecided cells and its gap.
const RUN_BYTES: u64 = 128;

/// Bytes of a row; a cell leaves one at most.
const ROW_BYTES: u64 = 96;

/// Where a scene stands among those of an epoch, least first: larger priority, then the order of the job file, as the sort
/// is stable. What stands in for others comes last, source by source, as the job names it.
fn precedence(
    job: &Job,
    year: Epoch,
    scene: &Scene,
) -> (Option<(SourceIndex, usize)>, std::cmp::Reverse<i32>) {
    let source = &job.sources[usize::from(scene.source)];
    match source.role {
        Role::Fill(receiver, _) => {
            (Some((receiver, source.maps.get(&year).map_or(0, |map| map.rank))), std::cmp::Reverse(0))
        }
        Role::Maps | Role::Fringe | Role::Official => (None, std::cmp::Reverse(scene.priority)),
    }
}

/// One error as it is; several as one that lists them.
fn all_or_none(mut errors: Vec<Error>) -> Result<()> {
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        n => Err(Error::new(errors[0].kind(), format!("{n} inputs cannot be used"))
            .found_all(errors.iter().map(std::string::ToString::to_string))),
    }
}

fn dedup(warnings: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    warnings.into_iter().filter(|w| seen.insert(w.clone())).collect()
}

/// Shares of classes are told by votes, or by a map on the lattice; one cell in the middle of another tells none.
fn refuse_without_votes(job: &Job, epochs: &[EpochPlan]) -> Result<()> {
    let scenes = epochs.iter().flat_map(|epoch| epoch.scenes.iter().map(move |scene| (epoch.year, scene)));
    let without = scenes.filter(|(_, scene)| matches!(scene.alignment, Alignment::Nearest { .. }));
    let named: BTreeSet<String> = without
        .map(|(year, scene)| format!("source `{}`, {year}", job.sources[usize::from(scene.source)].id))
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Misaligned, "fractions cannot be told from cells taken by nearest neighbour")
        .found_all(named)
        .expected("smaller cells that vote, or the grid's own cells")
        .help("declare resampling = \"mode\" for these, or leave `fractions` out"))
}
