//! The map of one epoch over one block: read → reclass → align → mosaic.
//!
//! Most blocks of most jobs lie under one file of bytes, on the lattice. There nothing is reclassified to be counted:
//! the file's own codes are counted and the rules asked once per code, and classes are looked up only where a raster
//! wants them. Several such files are laid together by lookup; what lies in another CRS, has wider cells or is crossed by
//! a stratum's border goes cell by cell. All ways give the same map and the same counts.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

use ndarray::Array2;

use super::files::OpenFiles;
use super::fraction::Teller;
use super::locate::Locator;
use super::scene::{ByteTable, Cells, TaskScene};
use super::tally::Tally;
use super::vote::Poll;
use crate::error::Result;
use crate::kernel::ClassValue;
use crate::kernel::align::Votes;
use crate::kernel::fraction::Fractions;
use crate::kernel::lookup::look_up;
use crate::kernel::mosaic::{ByteCounts, Mosaic};
use crate::kernel::weigh::{Alike, BlockAreas, CellSizes};
use crate::model::rule::Outcome;
use crate::model::source::{NO_SOURCE, SourceIndex};
use crate::model::window::Window;
use crate::plan::alignment::Alignment;
use crate::plan::task::Task;
use crate::plan::{EpochPlan, Plan};

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

    /// A map whose cells are counted one by one.
    pub fn of(mosaic: Mosaic<T>) -> Self {
        Self::new(Counted::Sources(mosaic))
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

/// A scene that comes near a block.
struct Near<T> {
    /// Its position in the task's scenes of the epoch.
    position: usize,
    /// Cells of the block that it may cover.
    window: Window,
    /// Which of its cells lie there.
    cells: Cells,
    /// What becomes of its bytes; `None` where it needs to be reclassified cell by cell.
    table: Option<ByteTable<T>>,
}

/// Composes the maps of one task, block after block, epoch after epoch.
pub struct Composer<'a, T> {
    plan: &'a Plan,
    nodata: T,
    /// A byte that is neither a class nor nodata, to mark cells that no source covers; `None` where classes are no bytes.
    spare: Option<u8>,
    scenes: Vec<Vec<TaskScene<'a, T>>>,
    files: OpenFiles,
    locator: Locator<'a>,
    votes: Votes,
    /// Those of the block and epoch composed last, where the job wants them.
    fractions: Option<Fractions>,
    block: Window,
    by_cells: bool,
    /// By epoch, in order of precedence.
    near: Vec<Vec<Near<T>>>,
}

/// The scene that is the map of a block all by itself: one of bytes, alone.
fn alone<'n, T>(near: &'n [Near<T>], block: &Window) -> Option<(&'n Near<T>, &'n ByteTable<T>)> {
    match near {
        [near] if near.window == *block => Some((near, near.table.as_ref()?)),
        _ => None,
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
        let open = |(positions, epoch): (&Vec<usize>, &'a EpochPlan)| {
            let scenes = positions.iter().map(|&position| &epoch.scenes[position]);
            scenes.enumerate().map(|(position, scene)| TaskScene::new(scene, position)).collect()
        };
        let scenes = task.scenes.iter().zip(&plan.epochs).map(open).collect();
        Self {
            plan,
            nodata,
            spare: spare_byte::<T>(plan),
            scenes,
            files: OpenFiles::default(),
            locator: Locator::new(plan),
            votes: Votes::default(),
            fractions: plan.job.products.fractions.then(|| Fractions::new(&plan.job.target.codes())),
            block: task.window,
            by_cells: false,
            near: Vec::new(),
        }
    }

    /// The code in [`Counted::States`] for cells that no source covers.
    pub fn spare(&self) -> Option<u8> {
        self.spare
    }

    /// Begins the next block. What years have in common is looked for within one block. `by_cells` asks for maps that
    /// know each cell's class and source, as something is to be changed in them.
    ///
    /// # Errors
    /// Bug: a stratum's polygon cannot be read.
    pub fn next_block(&mut self, block: &Window, by_cells: bool) -> Result<()> {
        self.files.next_place();
        self.locator.next_place();
        self.block = *block;
        self.by_cells = by_cells;
        self.near = (0..self.scenes.len()).map(|epoch| self.near(epoch, block)).collect::<Result<_>>()?;
        Ok(())
    }

    /// The scenes of an epoch that come near a window.
    fn near(&mut self, epoch: usize, window: &Window) -> Result<Vec<Near<T>>> {
        let mut near = Vec::new();
        for (position, open) in self.scenes[epoch].iter_mut().enumerate() {
            let window = open.scene.footprint.intersect(window);
            if window.is_empty() {
                continue;
            }
            let cells = match open.scene.alignment {
                Alignment::Copy { row, col } => Cells::Window(window.shift(-row, -col)),
                Alignment::Nearest { .. } => Cells::Located(self.locator.locate(open.scene, &window)?),
                Alignment::Mode { .. } => Cells::Voters,
            };
            let table = open.table(&cells, self.nodata)?;
            near.push(Near { position, window, cells, table });
        }
        Ok(near)
    }

    /// The map of an epoch over any window of the grid, counted nowhere: what lies around a block. Scenes are those of the
    /// task: [`Plan::reach`] says how far around it they are known.
    ///
    /// # Errors
    /// As [`Composer::compose`].
    pub fn around(&mut self, epoch: usize, window: &Window) -> Result<Mosaic<T>> {
        let near = self.near(epoch, window)?;
        let block = std::mem::replace(&mut self.block, *window);
        let of_block = std::mem::replace(&mut self.near[epoch], near);
        let fractions = self.fractions.take();
        let laid = self.lay(epoch, Alike, &mut Tally::new(self.plan, self.spare));
        self.block = block;
        self.near[epoch] = of_block;
        self.fractions = fractions;
        Ok(laid?.0)
    }

    /// Whether any source comes near the block, so that there may be something to count.
    pub fn is_near(&self) -> bool {
        self.near.iter().any(|near| !near.is_empty())
    }

    /// Whether the map of an epoch will be counted by bytes.
    pub fn counts_bytes(&self, epoch: usize) -> bool {
        let mut sources = self.near[epoch].iter().map(|near| self.scenes[epoch][near.position].scene.source);
        let Some(first) = sources.next() else { return false };
        !self.by_cells
            && (alone(&self.near[epoch], &self.block).is_some()
                || (self.spare.is_some() && sources.all(|source| source == first)))
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
        if let Some(fractions) = &mut self.fractions {
            fractions.begin((self.block.rows, self.block.cols));
        }
        if self.near[epoch].is_empty() && !self.by_cells {
            return Ok(BlockMap::new(Counted::Nothing(self.block.rows, self.block.cols, self.nodata)));
        }
        let Some((near, table)) = alone(&self.near[epoch], &self.block).filter(|_| !self.by_cells) else {
            let mosaic = match sizes {
                Some(sizes) => self.mosaic(epoch, sizes, tally),
                None => self.mosaic(epoch, Alike, tally),
            };
            return mosaic.map(BlockMap::new);
        };
        let table = table.clone();
        let cells = self.scenes[epoch][near.position].bytes(&mut self.files, &near.cells, &table)?;
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

    /// The fractions of the map composed last, which is handed in again, in the order of [`Fraction::all`]; `None` where the
    /// job wants none.
    ///
    /// [`Fraction::all`]: crate::model::fraction::Fraction::all
    pub fn fractions(&mut self, map: &BlockMap<T>) -> Option<Vec<Cow<'_, Array2<u16>>>> {
        let fractions = self.fractions.as_mut()?;
        if !matches!(map.counted, Counted::Nothing(..)) {
            fractions.settle(map.classes(), &map.winners(), self.nodata);
        }
        let purity = fractions.purity(map.classes(), self.nodata);
        Some(fractions.planes().iter().map(Cow::Borrowed).chain([Cow::Owned(purity)]).collect())
    }

    /// Several scenes, or one that does not cover the block or needs more than a lookup.
    fn mosaic(&mut self, epoch: usize, sizes: impl CellSizes, tally: &mut Tally) -> Result<Counted<T>> {
        let (map, only_source) = self.lay(epoch, sizes, tally)?;
        Ok(match (only_source.filter(|_| !self.by_cells), self.spare) {
            (Some(source), Some(spare)) => match states(&map, spare) {
                Some(cells) => Counted::States { source, cells, mosaic: map },
                None => Counted::Sources(map),
            },
            _ => Counted::Sources(map),
        })
    }

    /// Lays the scenes near the block, and says which source they are of if it is one.
    fn lay(
        &mut self,
        epoch: usize,
        sizes: impl CellSizes,
        tally: &mut Tally,
    ) -> Result<(Mosaic<T>, Option<SourceIndex>)> {
        let block = self.block;
        let mut map = Mosaic::new(block.rows, block.cols, self.nodata);
        let mut only_source = None;
        let mut several = false;
        let nears = std::mem::take(&mut self.near[epoch]);
        let mut rest = nears.as_slice();
        while let Some(near) = rest.first() {
            let scene = self.scenes[epoch][near.position].scene;
            several |= only_source.replace(scene.source).is_some_and(|before| before != scene.source);
            let at = |window: &Window| ((window.row - block.row) as usize, (window.col - block.col) as usize);
            let (window, layer, rules);
            if let (Cells::Window(_) | Cells::Located(_), Some(table)) = (&near.cells, &near.table) {
                rest = &rest[1..];
                let layer = self.scenes[epoch][near.position].bytes(&mut self.files, &near.cells, table)?;
                let mut counts = ByteCounts::default();
                let (cells, source) = (layer.view(), scene.source);
                let (at, overlaps) = (at(&near.window), tally.overlaps(epoch));
                map.lay_bytes_under(cells, at, &table.lookup, source, sizes, overlaps, &mut counts);
                tally.add_byte_layer(epoch, scene, &table.rules, counts);
                continue;
            }
            if let Alignment::Mode { lattice, .. } = &scene.alignment {
                let votes_along = |near: &&Near<T>| scene.votes_with(self.scenes[epoch][near.position].scene);
                let (voters, others) = rest.split_at(rest.iter().take_while(votes_along).count());
                rest = others;
                window = voters.iter().fold(near.window, |all, voter| all.union(&voter.window));
                let positions: Vec<usize> = voters.iter().map(|voter| voter.position).collect();
                let scenes = &mut self.scenes[epoch];
                let mut poll =
                    Poll::new(scenes, &positions, &mut self.files, &mut self.votes, self.plan, self.nodata);
                let teller = self.fractions.as_mut().map(|fractions| Teller {
                    fractions,
                    decided: map.winners.view(),
                    block,
                    lattice: self.plan.grid.lattice,
                });
                layer = poll.hold(&self.locator, lattice, &window, teller)?;
                rules = poll.close(|scene, rule, cells| tally.add_unexplained(scene, rule, cells));
            } else {
                rest = &rest[1..];
                window = near.window;
                let open = &mut self.scenes[epoch][near.position];
                layer = open.rules_under(&mut self.files, &mut self.locator, &near.cells, &window)?;
                rules = open.all_rules();
            }
            let outcomes: Vec<Outcome> = rules.iter().map(|rule| rule.outcome).collect();
            let (source, overlaps) = (scene.source, tally.overlaps(epoch));
            let counts = map.lay_under(layer.view(), at(&window), &outcomes, source, sizes, overlaps);
            tally.add_layer(epoch, scene, &rules, &counts);
        }
        self.near[epoch] = nears;
        Ok((map, only_source.filter(|_| !several)))
    }
}

/// Classes, with the spare code where no source covers a cell; `None` where classes are no bytes.
fn states<T: ClassValue>(map: &Mosaic<T>, spare: u8) -> Option<Array2<u8>> {
    let classes = T::bytes(map.classes.as_slice()?)?;
    let winners = map.winners.as_slice()?;
    let state = |(&class, &winner): (&u8, &SourceIndex)| if winner == NO_SOURCE { spare } else { class };
    Array2::from_shape_vec(map.classes.dim(), classes.iter().zip(winners).map(state).collect()).ok()
}
