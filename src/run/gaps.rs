//! Gaps of a task: cells that no source decides, joined block by block; and those of a map, joined task by task.

use super::compose::{BlockMap, Counted};
use crate::error::Result;
use crate::kernel::ClassValue;
use crate::kernel::gaps::{Joiner, area_of, label};
use crate::kernel::weigh::BlockAreas;
use crate::model::gap::{GapPiece, Gaps, MOST_GAPS};
use crate::model::source::NO_SOURCE;
use crate::model::window::Window;
use crate::plan::{Plan, Task};

/// Joins pieces of a window of the grid, epoch by epoch; none where the job does not list gaps.
pub fn joiners(plan: &Plan, window: Window) -> Vec<Joiner> {
    let epochs = if plan.job.gaps { plan.epochs.len() } else { 0 };
    (0..epochs).map(|_| Joiner::new(window, MOST_GAPS)).collect()
}

/// The gaps of the maps of a grid, by epoch, once all its tasks are joined.
pub fn of_map(plan: &Plan, joiners: Vec<Joiner>) -> Vec<Gaps> {
    // Without a domain, what reaches the edge of the grid lies around the sources.
    let in_domain = plan.domain.is_some();
    joiners.into_iter().map(|joiner| joiner.finish().of_map(in_domain, MOST_GAPS)).collect()
}

/// Finds the gaps of one task.
pub struct GapFinder<'a> {
    plan: &'a Plan,
    /// By epoch.
    joiners: Vec<Joiner>,
}

impl<'a> GapFinder<'a> {
    /// Nothing found yet.
    pub fn new(task: &Task, plan: &'a Plan) -> Self {
        Self { plan, joiners: joiners(plan, task.window) }
    }

    /// Adds the map of a block, which come row by row; `sizes` says how large its cells are, where that was measured.
    ///
    /// # Errors
    /// Bug: PROJ lost an operation.
    pub fn add<T: ClassValue>(
        &mut self,
        epoch: usize,
        map: &BlockMap<T>,
        block: &Window,
        sizes: Option<&BlockAreas>,
    ) -> Result<()> {
        let Some(joiner) = self.joiners.get_mut(epoch) else { return Ok(()) };
        joiner.add(piece(self.plan, map, block, sizes)?);
        Ok(())
    }

    /// What the task's blocks come to, by epoch; none where nothing was to be found.
    pub fn finish(self) -> Vec<GapPiece> {
        self.joiners.into_iter().map(Joiner::finish).collect()
    }
}

/// The gaps of a block. One that is decided or undecided throughout costs nothing, as far as that is known.
fn piece<T: ClassValue>(
    plan: &Plan,
    map: &BlockMap<T>,
    block: &Window,
    sizes: Option<&BlockAreas>,
) -> Result<GapPiece> {
    if let Counted::Codes { table, .. } = &map.counted
        && !table.lookup.winners.contains(&NO_SOURCE)
    {
        return Ok(GapPiece::none(*block));
    }
    // Areas of cells are asked for where they are added up; blocks that nothing comes near were not measured.
    let measured;
    let areas = match (plan.sizes.as_ref().filter(|_| plan.area.is_summed()), sizes) {
        (None, _) => None,
        (Some(_), Some(sizes)) => Some(sizes),
        (Some(sizes), None) => {
            measured = sizes.of_block(&plan.grid, block)?;
            Some(&measured)
        }
    };
    if let Counted::Nothing(..) = &map.counted {
        return Ok(GapPiece::all(*block, areas.map_or(0, |areas| area_of(areas, block.cols))));
    }
    // What lies in no domain, or off the coast, is nobody's to map.
    let open =
        plan.tells_gaps_by_origin().and_then(|open| Some(map.origins()?.mapv(|origin| origin == open)));
    let open = open.as_ref().map(|open| open.view());
    Ok(label(block, map.winners().view(), open, areas, MOST_GAPS))
}
