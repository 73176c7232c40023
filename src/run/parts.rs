//! Finished parts, grid by grid, and what their tables add up to.

use super::ledger::Ledger;
use super::{gaps, task_words};
use crate::error::{Error, ErrorKind, Result};
use crate::io::part::{Part, replaced};
use crate::plan::{JobPlan, Plan};
use crate::report::totals::Totals;

/// The parts of a grid, and what their tables add up to.
pub struct GridParts<'a> {
    /// What is done on the grid.
    pub plan: &'a Plan,
    /// In the order of its tasks.
    pub parts: Vec<Part>,
    /// Sums over its tasks.
    pub totals: Totals,
}

impl<'a> GridParts<'a> {
    /// Opens all parts and adds up their tables; of a part only where its blocks stand is kept.
    ///
    /// # Errors
    /// Io: a part vanished, or is that of another state of the job since the ledger looked at it.
    pub fn open(job: &JobPlan, plan: &'a Plan, ledger: &Ledger) -> Result<Self> {
        let mut totals = Totals::new(plan.epochs.len(), plan.pairs.len(), plan.zones.len());
        let cell_mm2 = job.cell_mm2(plan);
        let mut gaps = gaps::joiners(plan, plan.grid.window());
        let mut open = |task| {
            let path = ledger.part_path(task);
            let mut part = Part::open(path, false).map_err(|_| {
                Error::new(ErrorKind::Io, "a part vanished").at(path.display()).help("run the job again")
            })?;
            // A stand-in has an identity of its own.
            if !ledger.is_missing(task) && part.footer.task_id != ledger.identity(task).id {
                return Err(replaced(path));
            }
            let mut tables = std::mem::take(&mut part.footer.tables);
            totals.add(&tables, cell_mm2)?;
            gaps.iter_mut().zip(tables.gaps.drain(..)).for_each(|(joiner, piece)| joiner.add(piece));
            Ok(part)
        };
        let parts = plan.tasks.iter().map(&mut open).collect::<Result<_>>()?;
        let missing = plan.tasks.iter().filter(|task| ledger.is_missing(task));
        totals.missing = missing.map(|task| task_words(plan, task)).collect();
        totals.between[0].gaps = gaps::of_map(plan, gaps);
        Ok(Self { plan, parts, totals })
    }
}

/// The sums over all grids; those of a single grid are not copied, as they may be large.
///
/// # Errors
/// Bug: there is no grid.
pub fn added_up(grids: Vec<GridParts>) -> Result<Totals> {
    let mut grids = grids.into_iter().map(|grid| grid.totals);
    let first = grids.next().ok_or_else(|| Error::bug("a plan without a grid"))?;
    Ok(grids.fold(first, |mut totals, grid| {
        totals.merge(grid);
        totals
    }))
}
