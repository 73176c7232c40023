//! The map of one epoch over one block: read → reclass → align → mosaic.
//!
//! Most blocks of most jobs lie under one file of bytes, on the lattice. There nothing is reclassified to be counted:
//! the file's own codes are counted and the rules asked once per code, and classes are looked up only where a raster
//! wants them. Every other block goes the general way, cell by cell; both give the same map and the same counts.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ndarray::{Array2, ArrayView2, s};

use super::files::OpenFiles;
use super::tally::Tally;
use crate::error::{Error, Result};
use crate::io::gdal::{Pixels, SampleKind};
use crate::io::proj::Direction;
use crate::kernel::ClassValue;
use crate::kernel::align::{SourceCells, cell_centres, nearest, source_cells, wrap_longitudes};
use crate::kernel::mosaic::{ByteCounts, ByteLookup, Mosaic};
use crate::kernel::reclass::{UnknownValues, reclass};
use crate::model::byte_rules::ByteRules;
use crate::model::rule::{NOT_COVERED, Outcome, RuleIndex};
use crate::model::source::{NO_SOURCE, SourceIndex};
use crate::model::window::{BLOCK, Window};
use crate::plan::scene::{Alignment, Scene};
use crate::plan::task::Task;
use crate::plan::Plan;

/// The most source cells that are held at once while warping.
const WARP_CELLS: u64 = 1 << 22;

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
        /// Position of its scene in the epoch.
        scene: usize,
        /// Its cells.
        cells: Rc<Array2<u8>>,
        /// What becomes of them.
        lookup: Rc<ByteLookup<T>>,
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
            Counted::Codes { cells, lookup, .. } => {
                self.made.get_or_init(|| cells.map(|&code| lookup.classes[usize::from(code)]))
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
            Counted::Codes { cells, lookup, .. } => {
                Cow::Owned(cells.map(|&code| lookup.winners[usize::from(code)]))
            }
            Counted::States { mosaic, .. } | Counted::Sources(mosaic) => Cow::Borrowed(&mosaic.winners),
        }
    }
}

/// One scene of a task at work.
struct TaskScene<'a, T> {
    scene: &'a Scene,
    /// Values met that no rule explains, where cells are reclassified one by one.
    unknown: UnknownValues,
    /// Rules and classes of every byte; `None` where the scene needs to be reclassified cell by cell.
    bytes: Option<(Rc<ByteRules>, Rc<ByteLookup<T>>)>,
}

/// Composes the maps of one task, block after block, epoch after epoch.
pub struct Composer<'a, T> {
    plan: &'a Plan,
    nodata: T,
    /// A byte that is neither a class nor nodata, to mark cells that no source covers; `None` where classes are no bytes.
    spare: Option<u8>,
    scenes: Vec<Vec<TaskScene<'a, T>>>,
    files: OpenFiles,
    located: Located<'a>,
}

impl<'a, T: ClassValue> Composer<'a, T> {
    /// A composer of the maps of one task.
    pub fn new(task: &Task, plan: &'a Plan, nodata: T) -> Self {
        let mut scenes = Vec::new();
        for (positions, epoch) in task.scenes.iter().zip(&plan.epochs) {
            scenes.push(positions.iter().map(|&p| TaskScene::new(&epoch.scenes[p], nodata)).collect());
        }
        Self {
            plan,
            nodata,
            spare: spare_byte::<T>(plan),
            scenes,
            files: OpenFiles::default(),
            located: Located::new(plan),
        }
    }

    /// Rules of the bytes of a scene, by epoch and position in the task.
    pub fn byte_rules(&self, epoch: usize, scene: usize) -> Option<&Rc<ByteRules>> {
        self.scenes[epoch][scene].bytes.as_ref().map(|(rules, _)| rules)
    }
}
