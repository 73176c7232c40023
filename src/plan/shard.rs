//! Shares of a job: which tasks one of several runs works on.
//!
//! A task is the unit of truth and a shard a hint on scheduling: any set of shards, of any number of shards, ends in the same
//! parts. So nothing of this is in a task's identity.

use std::collections::BTreeSet;

use super::alignment::Alignment;
use super::{JobPlan, Plan, Task};
use crate::error::{Error, Result};

/// Work that is worth a shard's start-up, in cells of the maps read: about half a minute of one core.
const SHARD_CELLS: u64 = 4_000_000_000;

/// Shards a plan has at most unless more are asked for: schedulers take no larger arrays by default.
const MOST_SHARDS: usize = 1000;

/// What a cell costs that is warped rather than copied, in cells that are copied.
const WARPED: u64 = 4;

/// What a cell of the grid costs where no map is, as a part of one that has a map: 1 / this.
const EMPTY: u64 = 64;

/// One of several shares of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which one, from 0.
    pub index: usize,
    /// How many there are.
    pub count: usize,
}

impl Shard {
    /// Checks that there is such a shard.
    ///
    /// # Errors
    /// Usage: there are no shards, or the index lies beyond the last.
    pub fn new(index: usize, count: usize) -> Result<Self> {
        if index < count {
            return Ok(Self { index, count });
        }
        Err(Error::usage("there is no such shard")
            .found(format!("shard {index} of {count}"))
            .expected("shards are counted from 0: the last of n is n - 1")
            .help(
                "a scheduler's array must have as many elements as there are shards; its indexes are not renumbered",
            ))
    }

    /// The tasks of this shard.
    pub fn share(self, plan: &JobPlan) -> Share {
        let of_task = shard_of_tasks(plan, self.count);
        Share::Tasks((0..of_task.len()).filter(|&task| of_task[task] == self.index).collect())
    }
}

/// The tasks that one run works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Share {
    /// Every task.
    All,
    /// Some, by their index among the tasks of all grids.
    Tasks(BTreeSet<usize>),
}

impl Share {
    /// Whether a task is among them.
    pub fn holds(&self, task: usize) -> bool {
        match self {
            Self::All => true,
            Self::Tasks(tasks) => tasks.contains(&task),
        }
    }
}

/// The shard of each task, by its index: the costliest tasks are dealt out first, one to each, so that shards end together.
pub fn shard_of_tasks(plan: &JobPlan, count: usize) -> Vec<usize> {
    let costs = costs(plan);
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by_key(|&task| (std::cmp::Reverse(costs[task]), task));
    let mut shards = vec![0; costs.len()];
    for (turn, task) in order.into_iter().enumerate() {
        shards[task] = turn % count.max(1);
    }
    shards
}

/// As many shards as are worth their start-up: at most one a task.
pub fn worthwhile_shards(plan: &JobPlan, most: Option<usize>) -> usize {
    let work: u64 = costs(plan).iter().sum();
    let most = most.unwrap_or(MOST_SHARDS).min(plan.task_count()).max(1);
    (work.div_ceil(SHARD_CELLS) as usize).clamp(1, most)
}

/// What each task is estimated to cost, by its index, in cells of maps that are copied.
pub fn costs(plan: &JobPlan) -> Vec<u64> {
    plan.tasks().map(|(grid, task)| cost(grid, task)).collect()
}

fn cost(grid: &Plan, task: &Task) -> u64 {
    let scenes = grid.scenes_of(task).map(|scene| {
        let cells = scene.footprint.intersect(&task.window).cells();
        match scene.alignment {
            Alignment::Copy { .. } => cells,
            Alignment::Nearest { .. } | Alignment::Mode { .. } => WARPED * cells,
        }
    });
    scenes.sum::<u64>() + task.window.cells() * grid.epochs.len() as u64 / EMPTY + 1
}
