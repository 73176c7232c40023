//! Seams of a task: the boundaries of sections in its blocks, looked at with what lies around them.
//!
//! Nearly every block lies in one section. What is asked first is which scenes come near; then whether the block's own map,
//! or the cells right beside it, hold cells of two sections that face each other. Only the surroundings of such are composed.

use ndarray::{ArrayView2, Axis, concatenate, s};

use super::compose::{BlockMap, Composer, Counted};
use super::overlay::Overlay;
use crate::error::{Error, Result};
use crate::kernel::ClassValue;
use crate::kernel::mosaic::Mosaic;
use crate::kernel::seam::Sectioned;
use crate::model::seam::{NO_SECTION, SeamCounts, SeamPair, SectionOf, reach};
use crate::model::source::SourceIndex;
use crate::model::window::Window;
use crate::plan::sections::Sections;
use crate::plan::{Plan, Task};

/// Counts the seams of one task; none where the job does not ask for them.
pub struct Seams<'a, T> {
    task: &'a Task,
    plan: &'a Plan,
    nodata: T,
    sections: SectionOf,
    /// By epoch.
    counts: Vec<SeamCounts>,
}

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

impl<'a, T: ClassValue> Seams<'a, T> {
    /// Nothing counted yet.
    pub fn new(task: &'a Task, plan: &'a Plan, nodata: T) -> Self {
        let sections = SectionOf::of(Sections::of(&plan.job).of_sources());
        let epochs = if plan.job.seams.is_some() { plan.epochs.len() } else { 0 };
        Self { task, plan, nodata, sections, counts: vec![SeamCounts::new(); epochs] }
    }

    /// Counts the pairs of cells that belong to a block.
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
        let Some(facing) = self.facing(epoch, map, block, (composer, overlay))? else { return Ok(()) };
        let window = facing.grown(reach(control_cells)).intersect(&self.plan.grid.window());
        let mosaic = around((composer, overlay), epoch, &window)?;
        let part = facing.shift(-window.row, -window.col);
        let mut counts = std::mem::take(&mut self.counts[epoch]);
        let sectioned = self.sectioned(mosaic.classes.view(), mosaic.winners.view());
        sectioned.count(&part, control_cells, &mut counts);
        self.counts[epoch] = counts;
        Ok(())
    }

    /// The pairs counted, by epoch; none where nothing was to be counted.
    pub fn finish(self) -> Vec<Vec<(SeamPair, u64)>> {
        self.counts.into_iter().map(|counts| counts.into_iter().collect()).collect()
    }

    /// A window of the block that holds the left or upper cells of all facing pairs; `None` where there are none.
    fn facing(
        &self,
        epoch: usize,
        map: &BlockMap<T>,
        block: &Window,
        (composer, overlay): (&mut Composer<T>, &mut Overlay),
    ) -> Result<Option<Window>> {
        let beside = Window { rows: block.rows + 1, cols: block.cols + 1, ..*block };
        let beside = beside.intersect(&self.plan.grid.window());
        if !self.two_sections_near(epoch, &beside) {
            return Ok(None);
        }
        let mut facing = None;
        let mut add = |window: Option<Window>, row: i64, col: i64| {
            if let Some(window) = window.map(|window| window.shift(row, col)) {
                facing = Some(facing.map_or(window, |facing: Window| facing.union(&window)));
            }
        };
        // A map of one source has no boundary inside.
        if let Counted::Sources(mosaic) = &map.counted {
            let inside = self.sectioned(mosaic.classes.view(), mosaic.winners.view()).facing();
            add(inside, block.row, block.col);
        }
        let (right, below) = (beside.cols > block.cols, beside.rows > block.rows);
        let right = right.then(|| (Axis(1), Window { col: block.col_end() - 1, cols: 1, ..*block }, (0, 1)));
        let below = below.then(|| (Axis(0), Window { row: block.row_end() - 1, rows: 1, ..*block }, (1, 0)));
        for (axis, own, (down, across)) in [right, below].into_iter().flatten() {
            let other = own.shift(down, across);
            if !self.two_sections_near(epoch, &own.union(&other)) {
                continue;
            }
            let strip = around((composer, overlay), epoch, &other)?;
            let (row, col) = ((own.row - block.row) as usize, (own.col - block.col) as usize);
            let cut = s![row..row + own.rows, col..col + own.cols];
            let winners = map.winners();
            let (classes, winners) = (map.classes().slice(cut), winners.slice(cut));
            let bug = |_| Error::bug("a strip of another shape was composed");
            let classes = concatenate(axis, &[classes, strip.classes.view()]).map_err(bug)?;
            let winners = concatenate(axis, &[winners, strip.winners.view()]).map_err(bug)?;
            // Pairs along the strip itself belong to the next block, or were found in this one.
            let held = self.sectioned(classes.view(), winners.view()).facing();
            add(held, own.row, own.col);
        }
        Ok(facing.map(|facing| facing.intersect(block)).filter(|facing| !facing.is_empty()))
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
