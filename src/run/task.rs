//! Everything that happens to one task: read → reclass → align → mosaic → tabulate → write.
//!
//! A task is worked on strip by strip (one row of blocks), epoch by epoch, so that its memory grows neither with
//! its height nor with the number of epochs. Reclass stands before align because a majority vote must count
//! classes of the target legend; for nearest neighbour the two commute.
//!
//! Between `compose` and `account` the maps of a strip exist as planes and nothing has been counted yet: this is
//! where a filter that looks across task borders would make its second pass.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ndarray::{Array2, s};

use super::encode::{BlockSink, RasterPart};
use crate::error::{Error, ErrorKind, Result};
use crate::io::cog::BlockEncoder;
use crate::io::gdal::{Pixels, RasterFile, open_raster};
use crate::io::part::{JointRow, PartFooter, PartTables, PartWriter, RuleCount};
use crate::io::proj::Direction;
use crate::io::stop;
use crate::kernel::ClassValue;
use crate::kernel::align::{SourceCells, cell_centres, nearest, source_cells, wrap_longitudes};
use crate::kernel::change::{CHANGE_NODATA, CodeBeyond99, LARGEST_CODE, change};
use crate::kernel::mosaic::{Mosaic, Overlap};
use crate::kernel::pyramid::Pyramid;
use crate::kernel::reclass::{UnknownValues, reclass};
use crate::kernel::tabulate::{JointCounts, ZoneIndex, tabulate};
use crate::model::epoch::Epoch;
use crate::model::legend::ClassCode;
use crate::model::rule::{NOT_COVERED, Outcome, RuleIndex};
use crate::model::source::SourceIndex;
use crate::model::window::{BLOCK, Window};
use crate::plan::scene::{Alignment, Scene};
use crate::plan::task::Task;
use crate::plan::{Plan, Product};

/// The most source cells that are held at once while warping.
const WARP_CELLS: u64 = 1 << 22;

/// A value that no rule explains, and how often it was met.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unexplained {
    /// The file.
    pub file: PathBuf,
    /// Whether a conditional row lacked its stratum's value (else the value has no row at all).
    pub no_stratum: bool,
    /// Value in the file.
    pub value: ClassCode,
    /// Cells of the target grid.
    pub pixels: u64,
}

/// Works on one task and writes its part.
///
/// Values that no rule explains are returned, all of them; then no part is written.
///
/// # Errors
/// Io: cells cannot be read or the part cannot be written. Input: a value that is no class code.
pub fn process<T: ClassValue>(
    task: &Task,
    plan: &Plan,
    task_id: String,
    path: &Path,
) -> Result<Vec<Unexplained>> {
    let nodata =
        T::from_code(plan.storage.nodata).ok_or_else(|| Error::bug("nodata does not fit the cells"))?;
    let mut scenes = scenes_of(task, plan);
    let mut files = OpenFiles::default();
    let mut part = PartWriter::create(path)?;
    let mut rasters = Rasters::<T>::new(task, plan, nodata)?;
    let mut tables = TaskTables::new(plan);
    for strip in task.strips() {
        stop::check()?;
        let (zones, overlaps) = burn_zones(plan, &strip)?;
        tables.zone_overlaps += overlaps;
        let mut maps: BTreeMap<Epoch, Mosaic<T>> = BTreeMap::new();
        let mut located = Located::new(plan);
        for (position, epoch) in plan.epochs.iter().enumerate() {
            let map = compose(
                plan,
                &mut scenes[position],
                &mut files,
                &mut located,
                &strip,
                position,
                nodata,
                &mut tables,
            )?;
            maps.insert(epoch.year, map);
            account(plan, position, &maps, &zones, &strip, nodata, &mut tables, &mut rasters, &mut part)?;
            maps.retain(|year, _| is_still_needed(plan, *year, position));
        }
    }
    let unexplained = unexplained(&scenes);
    if unexplained.is_empty() {
        let products = rasters.finish(&mut part)?;
        part.commit(&PartFooter { task_id, window: task.window, products, tables: tables.into_part() })?;
    }
    Ok(unexplained)
}

/// A scene, with what one task counted in it.
struct TaskScene<'a> {
    scene: &'a Scene,
    unknown: UnknownValues,
    /// Cells covered by each rule, decided or not.
    covered: Vec<u64>,
}

fn scenes_of<'a>(task: &Task, plan: &'a Plan) -> Vec<Vec<TaskScene<'a>>> {
    let counting = |scene| TaskScene { scene, unknown: UnknownValues::default(), covered: Vec::new() };
    let epochs = task.scenes.iter().zip(&plan.epochs);
    epochs.map(|(positions, epoch)| positions.iter().map(|&p| counting(&epoch.scenes[p])).collect()).collect()
}

/// The files a worker read last. A task may meet thousands of tiles; few are open at a time.
#[derive(Default)]
struct OpenFiles(VecDeque<(PathBuf, usize, RasterFile)>);

impl OpenFiles {
    /// Files that stay open: those of the next strip are usually among them.
    const MOST: usize = 16;

    fn of(&mut self, scene: &Scene) -> Result<&RasterFile> {
        let header = &scene.header;
        let known = self.0.iter().position(|(path, band, _)| *path == header.path && *band == header.band);
        let entry = match known.and_then(|position| self.0.remove(position)) {
            Some(entry) => entry,
            None => {
                let file = open_raster(&header.path, Some(header.band))?;
                // How a CRS is worded may differ from one opening to the next; where the cells lie may not.
                let (now, then) = (&file.header.grid, &header.grid);
                let same = (now.affine, now.rows, now.cols) == (then.affine, then.rows, then.cols);
                if !same || file.header.sample != header.sample {
                    return Err(Error::new(
                        ErrorKind::Unreadable,
                        "an input changed since the plan was made",
                    )
                    .at(header.path.display())
                    .help("run again"));
                }
                (header.path.clone(), header.band, file)
            }
        };
        self.0.truncate(Self::MOST - 1);
        self.0.push_front(entry);
        Ok(&self.0[0].2)
    }
}

/// Read, reclass, align and mosaic the scenes of one epoch over a strip.
fn compose<T: ClassValue>(
    plan: &Plan,
    scenes: &mut [TaskScene],
    files: &mut OpenFiles,
    located: &mut Located,
    strip: &Window,
    epoch: usize,
    nodata: T,
    tables: &mut TaskTables,
) -> Result<Mosaic<T>> {
    let mut map = Mosaic::new(strip.rows, strip.cols, nodata);
    for open in scenes {
        let window = open.scene.footprint.intersect(strip);
        if window.is_empty() {
            continue;
        }
        let layer = aligned(files, located, open, &window)?;
        let rules = open.unknown.rule_count(&open.scene.rules);
        let rule = |index: usize| open.unknown.rule(&open.scene.rules, index as RuleIndex);
        let outcomes: Vec<Outcome> = (0..rules).map(|index| rule(index).outcome).collect();
        let at = ((window.row - strip.row) as usize, (window.col - strip.col) as usize);
        let counts =
            map.lay_under(layer.view(), at, &outcomes, open.scene.source, &mut tables.overlaps[epoch]);
        open.covered.resize(rules, 0);
        for (total, n) in open.covered.iter_mut().zip(&counts.covered) {
            *total += n;
        }
        if !plan.job.target.is_raw() {
            for (index, &pixels) in counts.decided.iter().enumerate().filter(|(_, n)| **n > 0) {
                tables.count_rule(epoch, open.scene.source, &rule(index), pixels);
            }
        }
    }
    Ok(map)
}

/// The rules of a scene's cells under a window of the target grid.
fn aligned(
    files: &mut OpenFiles,
    located: &mut Located,
    open: &mut TaskScene,
    window: &Window,
) -> Result<Array2<RuleIndex>> {
    match open.scene.alignment {
        Alignment::Copy { row, col } => reclassed(files, open, &window.shift(-row, -col)),
        Alignment::Nearest { .. } => {
            let mut layer = Array2::from_elem((window.rows, window.cols), NOT_COVERED);
            for block in window.squares(BLOCK) {
                warp(files, located, open, &block, window, &mut layer)?;
            }
            Ok(layer)
        }
    }
}

/// Fills a block of a layer by nearest neighbour; a block over too many source cells is quartered.
fn warp(
    files: &mut OpenFiles,
    located: &mut Located,
    open: &mut TaskScene,
    block: &Window,
    window: &Window,
    layer: &mut Array2<RuleIndex>,
) -> Result<()> {
    let cells = located.cells(open.scene, block)?;
    if cells.bounds.is_empty() {
        return Ok(());
    }
    let side = block.rows.max(block.cols);
    if cells.bounds.cells() > WARP_CELLS && side > 1 {
        for quarter in block.squares(side.div_ceil(2)) {
            warp(files, located, open, &quarter, window, layer)?;
        }
        return Ok(());
    }
    let rules = reclassed(files, open, &cells.bounds)?;
    let (row, col) = ((block.row - window.row) as usize, (block.col - window.col) as usize);
    layer.slice_mut(s![row..row + block.rows, col..col + block.cols]).assign(&nearest(rules.view(), &cells));
    Ok(())
}

/// Source cells located for one strip: maps of several years usually share their cells, and carrying every centre
/// from one CRS to another is the dearest step of all.
struct Located<'a> {
    plan: &'a Plan,
    known: BTreeMap<(usize, Window), Rc<SourceCells>>,
}

impl<'a> Located<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self { plan, known: BTreeMap::new() }
    }

    /// The source cells under a block of the target grid.
    fn cells(&mut self, scene: &Scene, block: &Window) -> Result<Rc<SourceCells>> {
        let key = (scene.geometry, *block);
        if let Some(cells) = self.known.get(&key) {
            return Ok(cells.clone());
        }
        let (mut xs, mut ys) = cell_centres(&self.plan.grid, block);
        let Alignment::Nearest { operation, to_cell } = &scene.alignment else {
            return Err(Error::bug("a scene on the lattice needs no locating"));
        };
        if let Some(operation) = operation {
            operation.transform(Direction::Inverse, &mut xs, &mut ys)?;
        }
        let source = &scene.header.grid;
        if source.crs.as_ref().is_some_and(|crs| crs.geographic) {
            wrap_longitudes(&mut xs, source.bounds()[0]);
        }
        let cells = Rc::new(source_cells(block, &xs, &ys, to_cell, source.rows, source.cols));
        if self.plan.epochs.len() > 1 {
            self.known.insert(key, cells.clone());
        }
        Ok(cells)
    }
}

/// Reads a window of a scene and finds the rule of each cell.
fn reclassed(files: &mut OpenFiles, open: &mut TaskScene, window: &Window) -> Result<Array2<RuleIndex>> {
    let scene = open.scene;
    let mut strata = Vec::with_capacity(scene.strata.len());
    for layer in &scene.strata {
        let burned = layer.polygons.burn(&scene.header.grid, window)?;
        let value = |key: u32| key.checked_sub(1).map_or(0, |k| layer.plane_values[k as usize]);
        strata.push(burned.cells.mapv(value));
    }
    let rules = match files.of(scene)?.read(window)? {
        Pixels::Bytes(cells) => reclass(cells.view(), &strata, &scene.rules, &mut open.unknown),
        Pixels::Codes(cells) => reclass(cells.view(), &strata, &scene.rules, &mut open.unknown),
    };
    rules.map_err(|_| {
        Error::input("a raster holds more distinct values than a class map can have")
            .at(scene.header.path.display())
            .expected("at most 65534 distinct values")
    })
}

/// Tabulates and writes what has become possible with the map of one more epoch.
#[expect(clippy::too_many_arguments, reason = "the one place where maps, tables and rasters meet")]
fn account<T: ClassValue>(
    plan: &Plan,
    epoch: usize,
    maps: &BTreeMap<Epoch, Mosaic<T>>,
    zones: &Array2<ZoneIndex>,
    strip: &Window,
    nodata: T,
    tables: &mut TaskTables,
    rasters: &mut Rasters<T>,
    part: &mut PartWriter,
) -> Result<()> {
    let year = plan.epochs[epoch].year;
    let latest = &maps[&year];
    // The areas of one map are the diagonal of the map against itself.
    tabulate(latest.as_map(), latest.as_map(), zones.view(), nodata, &mut tables.areas[epoch]);
    rasters.add_landcover(epoch, strip, &latest.classes, part)?;
    for (position, pair) in plan.pairs.iter().enumerate() {
        if pair.from.max(pair.to) != year {
            continue;
        }
        let (from, to) = (&maps[&pair.from], &maps[&pair.to]);
        tabulate(from.as_map(), to.as_map(), zones.view(), nodata, &mut tables.pairs[position]);
        if plan.job.products.change {
            let codes = change(from.classes.view(), to.classes.view(), nodata, plan.job.unchanged);
            let codes = codes.map_err(|CodeBeyond99(code)| {
                Error::input(format!("class code {code} does not fit a change raster"))
                    .expected(format!("codes 0..={LARGEST_CODE}, which from*100+to can carry"))
                    .help("say --tables-only: the tables hold every code")
            })?;
            rasters.add_change(position, strip, &codes, part)?;
        }
    }
    Ok(())
}

/// Whether a map is compared with one of an epoch that is still to come.
fn is_still_needed(plan: &Plan, year: Epoch, done: usize) -> bool {
    let later = &plan.epochs[done + 1..];
    plan.pairs
        .iter()
        .filter(|pair| pair.from == year || pair.to == year)
        .any(|pair| later.iter().any(|e| e.year == pair.from || e.year == pair.to))
}

fn burn_zones(plan: &Plan, strip: &Window) -> Result<(Array2<ZoneIndex>, u64)> {
    match &plan.zones {
        Some(zones) => {
            let burned = zones.burn(&plan.grid, strip)?;
            Ok((burned.cells, burned.overlaps))
        }
        None => Ok((Array2::zeros((strip.rows, strip.cols)), 0)),
    }
}

fn unexplained(scenes: &[Vec<TaskScene>]) -> Vec<Unexplained> {
    let mut found = Vec::new();
    for open in scenes.iter().flatten() {
        for (index, &pixels) in open.covered.iter().enumerate().filter(|(_, n)| **n > 0) {
            let rule = open.unknown.rule(&open.scene.rules, index as RuleIndex);
            if matches!(rule.outcome, Outcome::Unmapped | Outcome::NoStratum) {
                found.push(Unexplained {
                    file: open.scene.header.path.clone(),
                    no_stratum: rule.outcome == Outcome::NoStratum,
                    value: rule.from,
                    pixels,
                });
            }
        }
    }
    found
}

/// The rasters of a task in the making.
struct Rasters<T> {
    encoder: BlockEncoder,
    landcover_pyramid: Pyramid<T>,
    change_pyramid: Pyramid<u16>,
    landcover: BTreeMap<usize, RasterPart<T>>,
    change: BTreeMap<usize, RasterPart<u16>>,
    order: Vec<Product>,
}

impl<T: ClassValue> Rasters<T> {
    fn new(task: &Task, plan: &Plan, nodata: T) -> Result<Self> {
        let encoder =
            BlockEncoder::new(plan.job.compute.compression).map_err(|e| Error::bug(e.to_string()))?;
        let mut rasters = Self {
            encoder,
            landcover_pyramid: Pyramid::default(),
            change_pyramid: Pyramid::default(),
            landcover: BTreeMap::new(),
            change: BTreeMap::new(),
            order: plan.products.clone(),
        };
        for &product in &plan.products {
            match product {
                Product::Landcover(epoch) => {
                    rasters.landcover.insert(epoch, RasterPart::new(task, plan, product, nodata));
                }
                Product::Change(pair) => {
                    rasters.change.insert(pair, RasterPart::new(task, plan, product, CHANGE_NODATA));
                }
            }
        }
        Ok(rasters)
    }

    fn add_landcover(
        &mut self,
        epoch: usize,
        strip: &Window,
        cells: &Array2<T>,
        part: &mut PartWriter,
    ) -> Result<()> {
        match self.landcover.get_mut(&epoch) {
            Some(raster) => {
                let mut sink = BlockSink { part, encoder: &mut self.encoder };
                raster.add_strip(strip, cells.view(), &mut self.landcover_pyramid, &mut sink)
            }
            None => Ok(()),
        }
    }

    fn add_change(
        &mut self,
        pair: usize,
        strip: &Window,
        cells: &Array2<u16>,
        part: &mut PartWriter,
    ) -> Result<()> {
        match self.change.get_mut(&pair) {
            Some(raster) => {
                let mut sink = BlockSink { part, encoder: &mut self.encoder };
                raster.add_strip(strip, cells.view(), &mut self.change_pyramid, &mut sink)
            }
            None => Ok(()),
        }
    }

    fn finish(mut self, part: &mut PartWriter) -> Result<Vec<crate::io::part::PartProduct>> {
        let mut sink = BlockSink { part, encoder: &mut self.encoder };
        let (mut landcover, mut change) = (self.landcover, self.change);
        let finished = self.order.iter().map(|product| match product {
            Product::Landcover(epoch) => landcover.remove(epoch).map(|raster| raster.finish(&mut sink)),
            Product::Change(pair) => change.remove(pair).map(|raster| raster.finish(&mut sink)),
        });
        finished.flatten().collect()
    }
}

/// Partial tables of a task in the making.
struct TaskTables {
    areas: Vec<JointCounts>,
    pairs: Vec<JointCounts>,
    overlaps: Vec<BTreeMap<Overlap, u64>>,
    rules: Vec<BTreeMap<RuleCount, u64>>,
    zone_overlaps: u64,
}

impl TaskTables {
    fn new(plan: &Plan) -> Self {
        let (epochs, pairs) = (plan.epochs.len(), plan.pairs.len());
        Self {
            areas: vec![JointCounts::new(); epochs],
            pairs: vec![JointCounts::new(); pairs],
            overlaps: vec![BTreeMap::new(); epochs],
            rules: vec![BTreeMap::new(); epochs],
            zone_overlaps: 0,
        }
    }

    fn count_rule(
        &mut self,
        epoch: usize,
        source: SourceIndex,
        rule: &crate::model::rule::Rule,
        pixels: u64,
    ) {
        let to = match rule.outcome {
            Outcome::Class(code) => Some(code),
            _ => None,
        };
        let key = RuleCount {
            source,
            from: rule.from,
            stratum: rule.stratum.clone(),
            to,
            proposed: rule.proposed,
            default_taken: rule.default_taken,
            pixels: 0,
        };
        *self.rules[epoch].entry(key).or_default() += pixels;
    }

    fn into_part(self) -> PartTables {
        let rows = |counts: JointCounts| -> Vec<JointRow> {
            counts.into_iter().map(|(j, n)| (j.zone, j.from_source, j.to_source, j.from, j.to, n)).collect()
        };
        let overlaps = |counts: BTreeMap<Overlap, u64>| {
            counts.into_iter().map(|(o, n)| (o.winner, o.loser, o.winner_code, o.loser_code, n)).collect()
        };
        let rules = |counts: BTreeMap<RuleCount, u64>| {
            counts.into_iter().map(|(rule, pixels)| RuleCount { pixels, ..rule }).collect()
        };
        PartTables {
            areas: self.areas.into_iter().map(rows).collect(),
            pairs: self.pairs.into_iter().map(rows).collect(),
            overlaps: self.overlaps.into_iter().map(overlaps).collect(),
            rules: self.rules.into_iter().map(rules).collect(),
            zone_overlaps: self.zone_overlaps,
        }
    }
}
