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
use super::lay::Laid;
use super::locate::Locator;
use super::scene::{ByteTable, Cells, TaskScene};
use super::tally::Tally;
use super::update::Masks;
use crate::error::Result;
use crate::kernel::ClassValue;
use crate::kernel::align::Votes;
use crate::kernel::fraction::Fractions;
use crate::kernel::lookup::look_up;
use crate::kernel::mosaic::Mosaic;
use crate::kernel::weigh::{Alike, BlockAreas, CellSizes};
use crate::model::provenance::{OUTSIDE, Origin};
use crate::model::source::{NO_SOURCE, SourceIndex};
use crate::model::window::Window;
use crate::plan::alignment::Alignment;
use crate::plan::domain::Owners;
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

    /// Where each cell comes from, of a map that keeps track of it.
    pub fn origins(&self) -> Option<Cow<'_, Array2<Origin>>> {
        match &self.counted {
            Counted::Nothing(rows, cols, _) => Some(Cow::Owned(Array2::from_elem((*rows, *cols), OUTSIDE))),
            Counted::Codes { cells, table } => Some(Cow::Owned(looked_up(cells, &table.lookup.origins))),
            Counted::States { mosaic, .. } | Counted::Sources(mosaic) => {
                mosaic.origins.as_ref().map(Cow::Borrowed)
            }
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
pub(super) struct Near<T> {
    /// Its position in the task's scenes of the epoch.
    pub position: usize,
    /// Cells of the block that it may cover.
    pub window: Window,
    /// Which of its cells lie there.
    pub cells: Cells,
    /// What becomes of its bytes; `None` where it needs to be reclassified cell by cell.
    pub table: Option<ByteTable<T>>,
}

/// Composes the maps of one task, block after block, epoch after epoch.
pub struct Composer<'a, T> {
    pub(super) plan: &'a Plan,
    pub(super) nodata: T,
    /// A byte that is neither a class nor nodata, to mark cells that no source covers; `None` where classes are no bytes.
    spare: Option<u8>,
    pub(super) scenes: Vec<Vec<TaskScene<'a, T>>>,
    pub(super) files: OpenFiles,
    pub(super) locator: Locator<'a>,
    pub(super) votes: Votes,
    /// Those of the block and epoch composed last, where the job wants them.
    pub(super) fractions: Option<Fractions>,
    pub(super) block: Window,
    by_cells: bool,
    /// Who owns its cells, where the job says so.
    pub(super) owners: Option<Owners>,
    /// Those of the windows asked for last, the latest at the end.
    known_owners: Vec<(Window, Owners)>,
    /// By epoch, in order of precedence.
    pub(super) near: Vec<Vec<Near<T>>>,
    pub(super) masks: Masks,
}

/// Windows whose owners are kept: a block, what slivers look at around it, and the strips that face each other across its
/// sides, each with a margin of its own.
const KNOWN_OWNERS: usize = 12;

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
            scenes
                .enumerate()
                .map(|(position, scene)| TaskScene::new(scene, position, plan.origins.code(scene.source)))
                .collect()
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
            owners: None,
            known_owners: Vec::new(),
            masks: Masks::default(),
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
    /// Unreadable, Input: cells of a stratum that cannot be read. Bug: a stratum's polygon cannot be read.
    pub fn next_block(&mut self, block: &Window, by_cells: bool) -> Result<()> {
        self.files.next_place();
        self.locator.next_place();
        self.block = *block;
        self.near = (0..self.scenes.len()).map(|epoch| self.near(epoch, block)).collect::<Result<_>>()?;
        self.owners = self.owners_of(block)?;
        self.by_cells = by_cells || self.is_cut();
        Ok(())
    }

    /// Who owns the cells of a window, where the job says so.
    fn owners_of(&mut self, window: &Window) -> Result<Option<Owners>> {
        let Some(domain) = &self.plan.domain else { return Ok(None) };
        // Domains are those of all years, and every year looks at the same windows: polygons are burned once for all.
        if let Some((_, owners)) = self.known_owners.iter().find(|(of, _)| of == window) {
            return Ok(Some(owners.clone()));
        }
        let owners = domain.owners(&self.plan.grid, window)?;
        if self.known_owners.len() >= KNOWN_OWNERS {
            self.known_owners.remove(0);
        }
        self.known_owners.push((*window, owners.clone()));
        Ok(Some(owners))
    }

    /// Whether domains matter to the block's cells: others' maps come near, or cells that nobody maps are told apart.
    fn is_cut(&self) -> bool {
        let Some(domain) = &self.plan.domain else { return false };
        let owner = match &self.owners {
            Some(Owners::One(owner)) => *owner,
            _ => return true,
        };
        let near = self.near.iter().zip(&self.scenes);
        let mut sources =
            near.flat_map(|(near, scenes)| near.iter().map(|n| scenes[n.position].scene.source));
        domain.sliver_cells > 0
            || self.plan.tells_of_every_cell()
            || sources.any(|source| domain.owner(source) != owner)
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
            let table = match open.scene.is_of_an_update {
                // Which of its cells count is told cell by cell.
                true => None,
                false => open.table(&mut self.files, &cells, self.nodata)?,
            };
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
        let mut laid = self.laid_around(epoch, window)?;
        let block = std::mem::replace(&mut self.block, *window);
        let filled = self.fill_slivers(epoch, &mut laid, Alike, None);
        self.block = block;
        filled.map(|()| laid.mosaic)
    }

    /// The same before slivers are filled.
    pub(super) fn laid_around(&mut self, epoch: usize, window: &Window) -> Result<Laid<T>> {
        let near = self.near(epoch, window)?;
        let block = std::mem::replace(&mut self.block, *window);
        let of_block = std::mem::replace(&mut self.near[epoch], near);
        let owners = self.owners_of(window)?;
        let of_block_owners = std::mem::replace(&mut self.owners, owners);
        let fractions = self.fractions.take();
        let laid = self.lay(epoch, Alike, &mut Tally::new(self.plan, self.spare));
        self.block = block;
        self.near[epoch] = of_block;
        self.owners = of_block_owners;
        self.fractions = fractions;
        laid
    }

    /// Whether any source comes near a window.
    pub fn comes_near(&self, window: &Window) -> bool {
        let mut scenes = self.scenes.iter().flatten();
        scenes.any(|open| !open.scene.footprint.intersect(window).is_empty())
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

    /// Forgets the fractions of cells (row, column) of the map composed last: they are no longer what the sources made them.
    pub fn overrule(&mut self, cells: &[(usize, usize)]) {
        if let Some(fractions) = &mut self.fractions {
            fractions.overrule(cells);
        }
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
        let mut laid = self.lay(epoch, sizes, tally)?;
        self.fill_slivers(epoch, &mut laid, sizes, Some(tally))?;
        let Laid { mosaic: map, only_source, .. } = laid;
        Ok(match (only_source.filter(|_| !self.by_cells), self.spare) {
            (Some(source), Some(spare)) => match states(&map, spare) {
                Some(cells) => Counted::States { source, cells, mosaic: map },
                None => Counted::Sources(map),
            },
            _ => Counted::Sources(map),
        })
    }
}

/// Classes, with the spare code where no source covers a cell; `None` where classes are no bytes.
fn states<T: ClassValue>(map: &Mosaic<T>, spare: u8) -> Option<Array2<u8>> {
    let classes = T::bytes(map.classes.as_slice()?)?;
    let winners = map.winners.as_slice()?;
    let state = |(&class, &winner): (&u8, &SourceIndex)| if winner == NO_SOURCE { spare } else { class };
    Array2::from_shape_vec(map.classes.dim(), classes.iter().zip(winners).map(state).collect()).ok()
}
