//! Overlays: what is laid over the mosaic of a block, or of any window, before it is counted: edits by interpreters.
//!
//! What they change in a cell depends on the cell alone, so that any window shows the same.

use std::collections::BTreeMap;

use super::compose::{BlockMap, Counted};
use super::mask::{Held, MaskReader};
use crate::error::{Error, Result};
use crate::io::part::{EditCount, PartTables};
use crate::kernel::ClassValue;
use crate::kernel::edit::edit;
use crate::kernel::mosaic::Mosaic;
use crate::kernel::weigh::{BlockAreas, CellSizes};
use crate::model::area::Amount;
use crate::model::legend::ClassCode;
use crate::model::window::Window;
use crate::plan::Plan;
use crate::plan::overlay::EditLayer;
use crate::plan::task::Task;

/// Class before and after, with cells.
type BeforeAfter = BTreeMap<(Option<ClassCode>, Option<ClassCode>), Amount>;

/// What overlays did in a task.
#[derive(Debug, Default)]
pub struct OverlayCounts {
    /// By epoch and position of the edit in the job.
    edits: BTreeMap<(usize, usize), BeforeAfter>,
}

impl OverlayCounts {
    /// The same as tables of a part.
    pub fn into_tables(self, plan: &Plan, tables: PartTables) -> PartTables {
        let mut edits = vec![Vec::new(); if self.edits.is_empty() { 0 } else { plan.epochs.len() }];
        for ((epoch, edit), counts) in self.edits {
            let id = &plan.job.edits[edit].id;
            let count = |((before, after), amount)| (EditCount { edit: id.clone(), before, after }, amount);
            edits[epoch].extend(counts.into_iter().map(count));
        }
        PartTables { edits, ..tables }
    }
}

/// How large the cells of a window are, where they differ.
type Sizes<'s> = Option<&'s BlockAreas>;

fn size(sizes: Sizes, (row, col): (usize, usize)) -> Amount {
    sizes.map_or(Amount::from(1), |sizes| sizes.cell(row, col))
}

/// Lays the overlays of a grid over mosaics, for one task.
pub struct Overlay<'a> {
    plan: &'a Plan,
    /// Those that come near the task.
    edits: Vec<(&'a EditLayer, MaskReader<'a>)>,
    /// Cells of the block laid over last that are no longer what the sources made them, where somebody asks for them.
    overruled: Vec<(usize, usize)>,
    counts: OverlayCounts,
}

impl<'a> Overlay<'a> {
    /// Opens what comes near a task and what it looks at around itself.
    pub fn new(task: &Task, plan: &'a Plan) -> Self {
        let reader = |layer: &'a EditLayer| (layer, MaskReader::new(&plan.grid, &layer.mask));
        let near = plan.overlays.edits_near(&plan.grid, task.window.grown(plan.reach));
        Self {
            plan,
            edits: near.map(reader).collect(),
            overruled: Vec::new(),
            counts: OverlayCounts::default(),
        }
    }

    /// Whether an overlay may change or count a cell of a window: cheap, and asked of every block.
    ///
    /// # Errors
    /// Bug: a polygon cannot be read.
    pub fn touches(&self, window: &Window) -> Result<bool> {
        for (_, reader) in &self.edits {
            if reader.alike(window)? != Some(false) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lays the overlays over the map of a block and counts what they do; the map must be one that knows each cell's
    /// class and source.
    ///
    /// # Errors
    /// As [`Overlay::apply`]. Bug: the map is counted otherwise.
    pub fn lay<T: ClassValue>(
        &mut self,
        epoch: usize,
        block: &Window,
        map: &mut BlockMap<T>,
        sizes: Option<&BlockAreas>,
    ) -> Result<()> {
        let Counted::Sources(mosaic) = &mut map.counted else {
            return Err(Error::bug("overlays are laid over maps that know each cell's class and source"));
        };
        let mut counts = std::mem::take(&mut self.counts);
        let laid = self.apply(epoch, block, mosaic, Some((&mut counts, sizes)));
        self.counts = counts;
        laid
    }

    /// Lays the overlays over the mosaic of an epoch over any window of the grid; counted only where `counts` are given,
    /// with the sizes of the cells where they differ.
    ///
    /// # Shape
    /// The mosaic, and the sizes, are those of the window.
    /// # Errors
    /// Unreadable, Input: cells of a raster that cannot be read. Bug: GDAL cannot burn in memory.
    pub fn apply<T: ClassValue>(
        &mut self,
        epoch: usize,
        window: &Window,
        mosaic: &mut Mosaic<T>,
        mut counts: Option<(&mut OverlayCounts, Sizes)>,
    ) -> Result<()> {
        self.overruled.clear();
        let notes = counts.is_some() && self.plan.job.products.fractions;
        for (layer, reader) in self.edits.iter_mut().filter(|(layer, _)| layer.epochs[epoch]) {
            if reader.alike(window)? == Some(false) {
                continue;
            }
            let described = layer.of(&self.plan.job);
            let to =
                T::from_code(described.to).ok_or_else(|| Error::bug("a class does not fit the cells"))?;
            let held = reader.held(window)?;
            let held = match &*held {
                Held::None => continue,
                Held::All => None,
                Held::Each(cells) => Some(cells.view()),
            };
            let mut counted = counts
                .as_mut()
                .map(|(counts, sizes)| (counts.edits.entry((epoch, layer.edit)).or_default(), *sizes));
            let overruled = &mut self.overruled;
            edit(mosaic, held, described.from, to, |cell, before, after| {
                if let Some((counts, sizes)) = &mut counted {
                    *counts.entry((before, after)).or_default() += size(*sizes, cell);
                }
                if notes && before != after {
                    overruled.push(cell);
                }
            });
        }
        Ok(())
    }

    /// The cells (row, column) of the block laid over last that are no longer what the sources made them; told only where
    /// the job wants fractions.
    pub fn overruled(&self) -> &[(usize, usize)] {
        &self.overruled
    }

    /// What was counted.
    pub fn finish(self) -> OverlayCounts {
        self.counts
    }
}
