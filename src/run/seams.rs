//! Seams of a task: the boundaries of sections in its blocks, looked at with what lies around them.
//!
//! Nearly every block lies in one section. What is asked first is which scenes come near; then whether the block's own map
//! holds cells of two sections that face each other, or such cells face those of the blocks before and above it, whose
//! outermost cells are kept for that. Only the surroundings of such are composed.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use super::compose::{BlockMap, Composer, Counted};
use super::overlay::Overlay;
use crate::error::{Error, Result};
use crate::kernel::ClassValue;
use crate::kernel::mosaic::Mosaic;
use crate::kernel::seam::{Neighbours, Sectioned};
use crate::model::seam::{NO_SECTION, SeamCounts, SeamPair, SectionOf, reach};
use crate::model::source::{NO_SOURCE, SourceIndex};
use crate::model::window::Window;
use crate::plan::sections::Sections;
use crate::plan::{Plan, Task};

/// The map of an epoch over any window of the grid, as it is written: what is done to the maps of blocks is done to it.
fn around<T: ClassValue>(
    (composer, overlay): (&mut Composer<T>, &mut Overlay),
    epoch: usize,
    window: &Window,
) -> Result<Mosaic<T>> {
    let mut mosaic = composer.around(epoch, window)?;
    overlay.apply(epoch, window, &mut mosaic, None)?;
    Ok(mosaic)
}

/// Counts the seams of one task; none where the job does not ask for them.
pub struct Seams<'a, T> {
    task: &'a Task,
    plan: &'a Plan,
    nodata: T,
    sections: SectionOf,
    /// The last column of the block before, by epoch.
    before: Vec<Option<Strip<T>>>,
    /// The last rows of the blocks above, by epoch and first column.
    above: BTreeMap<(usize, i64), Strip<T>>,
    /// By epoch.
    counts: Vec<SeamCounts>,
}

/// A row or column of a map.
struct Strip<T> {
    window: Window,
    classes: Array2<T>,
    winners: Array2<SourceIndex>,
}

/// Cells of the grid that hold the left or upper cells of facing pairs, and which of their neighbours these face.
type Facing = (Window, Neighbours);

impl<'a, T: ClassValue> Seams<'a, T> {
    /// Nothing counted yet.
    pub fn new(task: &'a Task, plan: &'a Plan, nodata: T) -> Self {
        let sections = SectionOf::of(Sections::of(&plan.job).of_sources());
        let epochs = if plan.job.seams.is_some() { plan.epochs.len() } else { 0 };
        let before = (0..epochs).map(|_| None).collect();
        let counts = vec![SeamCounts::new(); epochs];
        Self { task, plan, nodata, sections, before, above: BTreeMap::new(), counts }
    }

    /// Counts the pairs of cells in the map of a block, and those that it has with the blocks before and above it, or with
    /// what lies behind the end of the task. Blocks come row by row.
    ///
    /// # Errors
    /// As [`Composer::around`].
    pub fn add(
        &mut self,
        epoch: usize,
        map: &BlockMap<T>,
        block: &Window,
        (composer, overlay): (&mut Composer<T>, &mut Overlay),
    ) -> Result<()> {
        let Some(control_cells) = self.plan.job.seams else { return Ok(()) };
        let grid = self.plan.grid.window();
        if !self.two_sections_near(epoch, &block.grown(1).intersect(&grid)) {
            return Ok(());
        }
        let facing = self.facing(epoch, map, block, (composer, overlay))?;
        let Some(held) = facing.iter().map(|(window, _)| *window).reduce(|all, window| all.union(&window))
        else {
            return Ok(());
        };
        let window = held.grown(reach(control_cells)).intersect(&grid);
        let mosaic = around((composer, overlay), epoch, &window)?;
        let mut counts = std::mem::take(&mut self.counts[epoch]);
        let sectioned = self.sectioned(mosaic.classes.view(), mosaic.winners.view());
        for (part, neighbours) in facing {
            let part = part.shift(-window.row, -window.col);
            sectioned.count(&part, neighbours, control_cells, &mut counts);
        }
        self.counts[epoch] = counts;
        Ok(())
    }

    /// The pairs counted, by epoch; none where nothing was to be counted.
    pub fn finish(self) -> Vec<Vec<(SeamPair, u64)>> {
        self.counts.into_iter().map(|counts| counts.into_iter().collect()).collect()
    }

    /// Where facing pairs lie that are counted with this block.
    fn facing(
        &mut self,
        epoch: usize,
        map: &BlockMap<T>,
        block: &Window,
        (composer, overlay): (&mut Composer<T>, &mut Overlay),
    ) -> Result<Vec<Facing>> {
        let mut facing = Vec::new();
        // A map of one source has no boundary inside.
        if let Counted::Sources(mosaic) = &map.counted {
            let inside = self.sectioned(mosaic.classes.view(), mosaic.winners.view());
            // What the last column and row face is looked at with the next blocks.
            for neighbours in [Neighbours::Right, Neighbours::Below] {
                let held = inside.facing(neighbours).map(|held| held.shift(block.row, block.col));
                facing.extend(held.map(|held| (held, neighbours)));
            }
        }
        let (first_col, first_row) = (Window { cols: 1, ..*block }, Window { rows: 1, ..*block });
        if let Some(strip) = self.before[epoch].take().filter(|s| s.window.shift(0, 1) == first_col) {
            facing.extend(self.across(
                &strip,
                &strip_of(map, block, &first_col, self.nodata),
                Neighbours::Right,
            )?);
        }
        let above = self.above.remove(&(epoch, block.col));
        if let Some(strip) = above.filter(|strip| strip.window.shift(1, 0) == first_row) {
            facing.extend(self.across(
                &strip,
                &strip_of(map, block, &first_row, self.nodata),
                Neighbours::Below,
            )?);
        }
        let last_col = Window { col: block.col_end() - 1, ..first_col };
        let next = last_col.shift(0, 1);
        if self.meet(epoch, &last_col, &next) {
            let strip = strip_of(map, block, &last_col, self.nodata);
            if self.task.window.contains(&next) {
                self.before[epoch] = Some(strip);
            } else {
                let other = Strip::of(next, around((composer, overlay), epoch, &next)?);
                facing.extend(self.across(&strip, &other, Neighbours::Right)?);
            }
        }
        let last_row = Window { row: block.row_end() - 1, ..first_row };
        let next = last_row.shift(1, 0);
        if self.meet(epoch, &last_row, &next) {
            let strip = strip_of(map, block, &last_row, self.nodata);
            if self.task.window.contains(&next) {
                self.above.insert((epoch, block.col), strip);
            } else {
                let other = Strip::of(next, around((composer, overlay), epoch, &next)?);
                facing.extend(self.across(&strip, &other, Neighbours::Below)?);
            }
        }
        Ok(facing)
    }

    /// Where cells of a strip face those of the next.
    fn across(&self, strip: &Strip<T>, next: &Strip<T>, neighbours: Neighbours) -> Result<Option<Facing>> {
        let axis = if neighbours == Neighbours::Right { Axis(1) } else { Axis(0) };
        let bug = |_| Error::bug("strips of two shapes lie side by side");
        let classes = concatenate(axis, &[strip.classes.view(), next.classes.view()]).map_err(bug)?;
        let winners = concatenate(axis, &[strip.winners.view(), next.winners.view()]).map_err(bug)?;
        let held = self.sectioned(classes.view(), winners.view()).facing(neighbours);
        Ok(held.map(|held| (held.shift(strip.window.row, strip.window.col), neighbours)))
    }

    /// Whether two strips side by side may be of two sections; one beyond the edge of the grid holds nothing.
    fn meet(&self, epoch: usize, strip: &Window, next: &Window) -> bool {
        self.plan.grid.window().contains(next) && self.two_sections_near(epoch, &strip.union(next))
    }

    /// Whether scenes of more than one section come near a window.
    fn two_sections_near(&self, epoch: usize, window: &Window) -> bool {
        let scenes = &self.plan.epochs[epoch].scenes;
        // A sliver may take the class of a section that comes no nearer.
        let window = &window.grown(self.plan.domain.as_ref().map_or(0, |domain| domain.sliver_cells));
        let near = self.task.scenes[epoch].iter().map(|&position| &scenes[position]);
        let near = near.filter(|scene| !scene.footprint.intersect(window).is_empty());
        let mut sections = near.map(|scene| self.sections.source(scene.source)).filter(|s| *s != NO_SECTION);
        let first = sections.next();
        first.is_some_and(|first| sections.any(|section| section != first))
    }

    fn sectioned<'m>(
        &'m self,
        classes: ArrayView2<'m, T>,
        winners: ArrayView2<'m, SourceIndex>,
    ) -> Sectioned<'m, T> {
        Sectioned { classes, winners, sections: &self.sections, nodata: self.nodata }
    }
}

impl<T> Strip<T> {
    fn of(window: Window, mosaic: Mosaic<T>) -> Self {
        Self { window, classes: mosaic.classes, winners: mosaic.winners }
    }
}

/// A row or column of the map of a block. Of a map of bytes no other cells are looked up.
fn strip_of<T: ClassValue>(map: &BlockMap<T>, block: &Window, window: &Window, nodata: T) -> Strip<T> {
    let (row, col) = ((window.row - block.row) as usize, (window.col - block.col) as usize);
    let cut = s![row..row + window.rows, col..col + window.cols];
    let (classes, winners) = match &map.counted {
        Counted::Nothing(..) => {
            let shape = (window.rows, window.cols);
            (Array2::from_elem(shape, nodata), Array2::from_elem(shape, NO_SOURCE))
        }
        Counted::Codes { cells, table } => {
            let (cells, lookup) = (cells.slice(cut), &table.lookup);
            (cells.mapv(|c| lookup.classes[usize::from(c)]), cells.mapv(|c| lookup.winners[usize::from(c)]))
        }
        Counted::States { mosaic, .. } | Counted::Sources(mosaic) => {
            (mosaic.classes.slice(cut).to_owned(), mosaic.winners.slice(cut).to_owned())
        }
    };
    Strip { window: *window, classes, winners }
}
