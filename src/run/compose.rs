//! The map of one epoch over one block: read → reclass → align → mosaic.
//!
//! Most blocks of most jobs lie under one file of bytes, on the lattice. There nothing is reclassified to be counted:
//! the file's own codes are counted and the rules asked once per code, and classes are looked up only where a raster
//! wants them. Several such files are laid together by lookup; what lies in another CRS, has wider cells or is crossed by
//! a stratum's border goes cell by cell. All ways give the same map and the same counts.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use ndarray::{Array2, s};

use super::files::OpenFiles;
use super::tally::Tally;
use crate::error::{Error, Result};
use crate::io::gdal::{CellKeys, Pixels, SampleKind};
use crate::io::proj::Direction;
use crate::kernel::ClassValue;
use crate::kernel::align::{SourceCells, cell_centres, nearest, source_cells, wrap_longitudes};
use crate::kernel::lookup::look_up;
use crate::kernel::mosaic::{ByteCounts, ByteLookup, Mosaic};
use crate::kernel::reclass::{UnknownValues, reclass};
use crate::kernel::weigh::{Alike, BlockAreas, CellSizes};
use crate::model::byte_rules::ByteRules;
use crate::model::rule::{NOT_COVERED, Outcome, RuleIndex};
use crate::model::source::{NO_SOURCE, SourceIndex};
use crate::model::window::{BLOCK, Window};
use crate::plan::scene::{Alignment, Scene};
use crate::plan::task::Task;
use crate::plan::{Plan, WARP_CELLS};

/// The map of one epoch over one block.
pub struct BlockMap<T> {
    /// Classes that were looked up or filled in; shared by years that hold the same cells.
    made: Rc<OnceCell<Array2<T>>>,
    /// By what its cells are counted.
    pub counted: Counted<T>,
}

/// By what the cells of a map are counted.
pub enum Counted<T> {
    /// No source comes near: rows, columns, nodata.
    Nothing(usize, usize, T),
    /// By the codes of the one file that covers the block.
    Codes {
        /// Its cells.
        cells: Rc<Array2<u8>>,
        /// What becomes of them.
        table: ByteTable<T>,
    },
    /// By class, where one source decides every cell that is decided at all.
    States {
        /// The source.
        source: SourceIndex,
        /// Class of each cell, nodata, or the spare code of [`Composer::spare`] where no source covers it.
        cells: Array2<u8>,
        /// The same with classes and deciders apart.
        mosaic: Mosaic<T>,
    },
    /// By class and deciding source, cell by cell.
    Sources(Mosaic<T>),
}

impl<T: ClassValue> BlockMap<T> {
    fn new(counted: Counted<T>) -> Self {
        Self { made: Rc::default(), counted }
    }

    /// Class of each cell.
    pub fn classes(&self) -> &Array2<T> {
        match &self.counted {
            Counted::Nothing(rows, cols, nodata) => {
                self.made.get_or_init(|| Array2::from_elem((*rows, *cols), *nodata))
            }
            Counted::Codes { cells, table } => {
                self.made.get_or_init(|| looked_up(cells, &table.lookup.classes))
            }
            Counted::States { mosaic, .. } | Counted::Sources(mosaic) => &mosaic.classes,
        }
    }

    /// Whether two maps are known to have the same classes without a look at the cells.
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.made, &other.made)
    }

    /// Deciding source of each cell.
    pub fn winners(&self) -> Cow<'_, Array2<SourceIndex>> {
        match &self.counted {
            Counted::Nothing(rows, cols, _) => Cow::Owned(Array2::from_elem((*rows, *cols), NO_SOURCE)),
            Counted::Codes { cells, table } => Cow::Owned(looked_up(cells, &table.lookup.winners)),
            Counted::States { mosaic, .. } | Counted::Sources(mosaic) => Cow::Borrowed(&mosaic.winners),
        }
    }
}

fn looked_up<T: ClassValue>(cells: &Array2<u8>, table: &[T; 256]) -> Array2<T> {
    let mut out = Array2::from_elem(cells.dim(), table[0]);
    match (cells.as_slice(), out.as_slice_mut()) {
        (Some(cells), Some(out)) => look_up(cells, table, out),
        _ => out.zip_mut_with(cells, |out, &code| *out = table[usize::from(code)]),
    }
    out
}

/// What becomes of the bytes of a scene, where its strata say the same of all cells.
#[derive(Debug, Clone)]
pub struct ByteTable<T> {
    /// Position of the scene in its epoch, and which of its tables this is.
    pub place: (usize, usize),
    /// The scene's file.
    pub file: Rc<Path>,
    /// Rule of each value.
    pub rules: Rc<ByteRules>,
    /// Class and decider of each value.
    pub lookup: Rc<ByteLookup<T>>,
}

/// One scene of a task at work.
struct TaskScene<'a, T> {
    scene: &'a Scene,
    /// Values met that no rule explains, where cells are reclassified one by one.
    unknown: UnknownValues,
    /// Its tables so far, by what the strata say.
    tables: Vec<(Vec<u8>, ByteTable<T>)>,
}

/// A scene that comes near a block.
struct Near<T> {
    /// Its position in the task's scenes of the epoch.
    position: usize,
    /// Cells of the block that it may cover.
    window: Window,
    /// What becomes of its bytes; `None` where it needs to be reclassified cell by cell.
    table: Option<ByteTable<T>>,
}

/// Composes the maps of one task, block after block, epoch after epoch.
pub struct Composer<'a, T> {
    nodata: T,
    /// A byte that is neither a class nor nodata, to mark cells that no source covers; `None` where classes are no bytes.
    spare: Option<u8>,
    scenes: Vec<Vec<TaskScene<'a, T>>>,
    files: OpenFiles,
    located: Located<'a>,
    block: Window,
    /// By epoch, in order of precedence.
    near: Vec<Vec<Near<T>>>,
}

impl<'a, T: ClassValue> TaskScene<'a, T> {
    /// What becomes of its bytes under a window of the target; `None` if it is no file of bytes on the lattice, or a
    /// stratum's border runs through the window.
    fn table(&mut self, position: usize, window: &Window, nodata: T) -> Result<Option<ByteTable<T>>> {
        let Alignment::Copy { row, col } = self.scene.alignment else { return Ok(None) };
        if self.scene.header.sample != SampleKind::U8 {
            return Ok(None);
        }
        let inside = window.shift(-row, -col);
        let mut strata = Vec::with_capacity(self.scene.strata.len());
        for layer in &self.scene.strata {
            match layer.polygons.one_key(&self.scene.header.grid, &inside)? {
                Some(key) => strata.push(layer.value_of(key)),
                None => return Ok(None),
            }
        }
        if let Some((_, table)) = self.tables.iter().find(|(known, _)| *known == strata) {
            return Ok(Some(table.clone()));
        }
        let rules = ByteRules::of(&self.scene.rules, self.scene.source, &strata);
        let class = |value: usize| rules.class(value as u8).and_then(T::from_code).unwrap_or(nodata);
        let classes = std::array::from_fn(class);
        let winners = std::array::from_fn(|value| rules.decider(value as u8));
        let table = ByteTable {
            place: (position, self.tables.len()),
            file: self.scene.header.path.as_path().into(),
            rules: Rc::new(rules),
            lookup: Rc::new(ByteLookup { classes, winners }),
        };
        self.tables.push((strata, table.clone()));
        Ok(Some(table))
    }
}

/// A byte that no class of the product has and that is not its nodata.
fn spare_byte<T: ClassValue>(plan: &Plan) -> Option<u8> {
    T::bytes(&[])?;
    let used = |code: u8| {
        let code = i32::from(code);
        plan.job.target.class(code).is_some() || plan.storage.nodata == code
    };
    (0..=u8::MAX).rev().find(|&code| !used(code))
}

impl<'a, T: ClassValue> Composer<'a, T> {
    /// A composer of the maps of one task.
    pub fn new(task: &Task, plan: &'a Plan, nodata: T) -> Self {
        let open =
            |scene: &'a Scene| TaskScene { scene, unknown: UnknownValues::default(), tables: Vec::new() };
        let mut scenes = Vec::new();
        for (positions, epoch) in task.scenes.iter().zip(&plan.epochs) {
            scenes.push(positions.iter().map(|&p| open(&epoch.scenes[p])).collect());
        }
        Self {
            nodata,
            spare: spare_byte::<T>(plan),
            scenes,
            files: OpenFiles::default(),
            located: Located::new(plan),
            block: task.window,
            near: Vec::new(),
        }
    }

    /// The code in [`Counted::States`] for cells that no source covers.
    pub fn spare(&self) -> Option<u8> {
        self.spare
    }

    /// Begins the next block. What years have in common is looked for within one block.
    ///
    /// # Errors
    /// Bug: a stratum's polygon cannot be read.
    pub fn next_block(&mut self, block: &Window) -> Result<()> {
        self.files.next_place();
        self.located.known.clear();
        self.block = *block;
        self.near.clear();
        for scenes in &mut self.scenes {
            let mut near = Vec::new();
            for (position, open) in scenes.iter_mut().enumerate() {
                let window = open.scene.footprint.intersect(block);
                if !window.is_empty() {
                    near.push(Near { position, window, table: open.table(position, &window, self.nodata)? });
                }
            }
            self.near.push(near);
        }
        Ok(())
    }

    /// Whether any scene of any epoch comes near the block.
    pub fn has_scenes(&self) -> bool {
        self.near.iter().any(|near| !near.is_empty())
    }

    /// The scene that is the map of the block all by itself: a file of bytes, on the lattice, alone.
    fn alone(&self, epoch: usize) -> Option<(&Near<T>, &ByteTable<T>)> {
        match self.near[epoch].as_slice() {
            [near] if near.window == self.block => Some((near, near.table.as_ref()?)),
            _ => None,
        }
    }

    /// Whether the map of an epoch will be counted by bytes.
    pub fn counts_bytes(&self, epoch: usize) -> bool {
        let mut sources = self.near[epoch].iter().map(|near| self.scenes[epoch][near.position].scene.source);
        let Some(first) = sources.next() else { return false };
        self.alone(epoch).is_some() || (self.spare.is_some() && sources.all(|source| source == first))
    }

    /// Composes the map of an epoch over the block; `earlier` are maps of the same block, `sizes` says how large its
    /// cells are where they differ.
    ///
    /// # Errors
    /// Unreadable, Input: cells that cannot be read, or hold what is no class code.
    pub fn compose<'m>(
        &mut self,
        epoch: usize,
        earlier: impl Iterator<Item = &'m BlockMap<T>>,
        sizes: Option<&BlockAreas>,
        tally: &mut Tally,
    ) -> Result<BlockMap<T>>
    where
        T: 'm,
    {
        if self.near[epoch].is_empty() {
            return Ok(BlockMap::new(Counted::Nothing(self.block.rows, self.block.cols, self.nodata)));
        }
        let Some((near, table)) = self.alone(epoch) else {
            let mosaic = match sizes {
                Some(sizes) => self.mosaic(epoch, sizes, tally),
                None => self.mosaic(epoch, Alike, tally),
            };
            return mosaic.map(BlockMap::new);
        };
        let (scene, table) = (self.scenes[epoch][near.position].scene, table.clone());
        let cells = self.files.bytes(scene, &in_source(scene, &self.block))?;
        let mut map = BlockMap::new(Counted::Codes { cells: cells.clone(), table: table.clone() });
        for other in earlier {
            if let Counted::Codes { cells: known, table: by } = &other.counted
                && Rc::ptr_eq(known, &cells)
                && by.lookup.classes == table.lookup.classes
            {
                map.made = other.made.clone();
            }
        }
        Ok(map)
    }

    /// Several scenes, or one that does not cover the block or needs more than a lookup.
    fn mosaic(&mut self, epoch: usize, sizes: impl CellSizes, tally: &mut Tally) -> Result<Counted<T>> {
        let block = self.block;
        let mut map = Mosaic::new(block.rows, block.cols, self.nodata);
        let mut only_source = None;
        let mut several = false;
        for near in std::mem::take(&mut self.near[epoch]) {
            let scene = self.scenes[epoch][near.position].scene;
            several |= only_source.replace(scene.source).is_some_and(|before| before != scene.source);
            let window = near.window;
            let at = ((window.row - block.row) as usize, (window.col - block.col) as usize);
            if let Some(table) = &near.table {
                let layer = self.files.bytes(scene, &in_source(scene, &window))?;
                let mut counts = ByteCounts::default();
                let overlaps = tally.overlaps(epoch);
                let (cells, source) = (layer.view(), scene.source);
                map.lay_bytes_under(cells, at, &table.lookup, source, sizes, overlaps, &mut counts);
                tally.add_byte_layer(epoch, scene, &table.rules, counts);
            } else {
                let layer = self.aligned(epoch, near.position, &window)?;
                let open = &self.scenes[epoch][near.position];
                let rules = open.unknown.rule_count(&scene.rules);
                let rule = |index: usize| open.unknown.rule(&scene.rules, index as RuleIndex);
                let outcomes: Vec<Outcome> = (0..rules).map(|index| rule(index).outcome).collect();
                let (source, overlaps) = (scene.source, tally.overlaps(epoch));
                let counts = map.lay_under(layer.view(), at, &outcomes, source, sizes, overlaps);
                tally.add_layer(epoch, scene, rule, &counts);
            }
        }
        Ok(match (only_source.filter(|_| !several), self.spare) {
            (Some(source), Some(spare)) => match states(&map, spare) {
                Some(cells) => Counted::States { source, cells, mosaic: map },
                None => Counted::Sources(map),
            },
            _ => Counted::Sources(map),
        })
    }

    /// The rules of a scene's cells under a window of the target grid.
    fn aligned(&mut self, epoch: usize, position: usize, window: &Window) -> Result<Array2<RuleIndex>> {
        let open = &mut self.scenes[epoch][position];
        match open.scene.alignment {
            Alignment::Copy { row, col } => reclassed(&mut self.files, open, &window.shift(-row, -col)),
            Alignment::Nearest { .. } => {
                let mut layer = Array2::from_elem((window.rows, window.cols), NOT_COVERED);
                for block in window.squares(BLOCK) {
                    warp(&mut self.files, &mut self.located, open, &block, window, &mut layer)?;
                }
                Ok(layer)
            }
        }
    }
}

/// Where a window of the target lies in a scene on the lattice.
fn in_source(scene: &Scene, window: &Window) -> Window {
    match scene.alignment {
        Alignment::Copy { row, col } => window.shift(-row, -col),
        Alignment::Nearest { .. } => *window,
    }
}

/// Classes, with the spare code where no source covers a cell; `None` where classes are no bytes.
fn states<T: ClassValue>(map: &Mosaic<T>, spare: u8) -> Option<Array2<u8>> {
    let classes = T::bytes(map.classes.as_slice()?)?;
    let winners = map.winners.as_slice()?;
    let state = |(&class, &winner): (&u8, &SourceIndex)| if winner == NO_SOURCE { spare } else { class };
    Array2::from_shape_vec(map.classes.dim(), classes.iter().zip(winners).map(state).collect()).ok()
}

/// Fills a block of a layer by nearest neighbour; a block over too many source cells is quartered.
fn warp<T>(
    files: &mut OpenFiles,
    located: &mut Located,
    open: &mut TaskScene<T>,
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

/// Source cells located for one block: maps of several years usually share their cells, and carrying every centre
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
fn reclassed<T>(
    files: &mut OpenFiles,
    open: &mut TaskScene<T>,
    window: &Window,
) -> Result<Array2<RuleIndex>> {
    let scene = open.scene;
    let mut strata = Vec::with_capacity(scene.strata.len());
    for layer in &scene.strata {
        strata.push(match layer.polygons.burn(&scene.header.grid, window)?.cells {
            CellKeys::One(key) => Array2::from_elem((window.rows, window.cols), layer.value_of(key)),
            CellKeys::Each(keys) => keys.mapv(|key| layer.value_of(key)),
        });
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
