//! What is done, stale or missing, read from the parts themselves.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::work_folder;
use crate::io::part::{Part, PartFault};
use crate::plan::fingerprint::{Identities, InputHashes};
use crate::plan::{JobPlan, Plan, Task};

/// State of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// Its part is whole and was made from just these inputs and settings.
    Done,
    /// There is no part.
    ToDo,
    /// The part was made from other inputs, settings, or by another version.
    Stale,
    /// The part is cut short or altered.
    Torn,
}

impl TaskState {
    /// The state in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::ToDo => "not done yet",
            Self::Stale => "stale: an input, a setting or the version changed since",
            Self::Torn => "torn: the part is cut short or altered",
        }
    }
}

/// State of every task of a plan, on all grids.
#[derive(Debug)]
pub struct Ledger {
    /// Where the part of each task is or will be, in the plan's order.
    paths: Vec<PathBuf>,
    /// Identity of each task, in the plan's order.
    pub ids: Vec<String>,
    /// State of each task, in the plan's order.
    pub states: Vec<TaskState>,
}

impl Ledger {
    /// Reads all parts of a plan and compares their checksums.
    pub fn read(plan: &JobPlan, hashes: &InputHashes, output: &Path) -> Self {
        let parts = work_folder(output).join("parts");
        let mut ledger = Self { paths: Vec::new(), ids: Vec::new(), states: Vec::new() };
        for grid in &plan.grids {
            let identities = Identities::of(grid, hashes);
            let ids: Vec<String> = grid.tasks.par_iter().map(|task| identities.task(task)).collect();
            let folders = folders(&parts, plan, grid);
            let look = |(task, id): (&Task, &String)| find(&folders, task, id);
            let found: Vec<(PathBuf, TaskState)> = grid.tasks.par_iter().zip(&ids).map(look).collect();
            let (paths, states): (Vec<PathBuf>, Vec<TaskState>) = found.into_iter().unzip();
            ledger.paths.extend(paths);
            ledger.ids.extend(ids);
            ledger.states.extend(states);
        }
        ledger
    }

    /// Path of a task's part.
    pub fn part_path(&self, task: &Task) -> &Path {
        &self.paths[task.index]
    }

    /// Number of tasks in a state.
    pub fn count(&self, state: TaskState) -> usize {
        self.states.iter().filter(|s| **s == state).count()
    }
}

/// Where the parts of a grid may lie, the folder that new ones go to first: its own where there are several grids. A job
/// that gains a second grid, or loses it, finds the parts of the first where they were.
fn folders(parts: &Path, plan: &JobPlan, grid: &Plan) -> Vec<PathBuf> {
    match (&grid.grid_id, &plan.job.grids[0].id) {
        (Some(id), _) => vec![parts.join(id), parts.to_path_buf()],
        (None, Some(id)) => vec![parts.to_path_buf(), parts.join(id)],
        (None, None) => vec![parts.to_path_buf()],
    }
}

/// The part of a task in the first folder that holds just that; else what the first folder holds.
fn find(folders: &[PathBuf], task: &Task, id: &str) -> (PathBuf, TaskState) {
    let look = |folder: &PathBuf| {
        let path = folder.join(task.part_name());
        let state = match Part::open(&path, true) {
            Ok(part) if part.footer.task_id == id => TaskState::Done,
            Ok(_) => TaskState::Stale,
            Err(PartFault::Missing) => TaskState::ToDo,
            Err(PartFault::Torn) => TaskState::Torn,
        };
        (path, state)
    };
    let own = look(&folders[0]);
    if own.1 == TaskState::Done {
        return own;
    }
    folders[1..].iter().map(look).find(|(_, state)| *state == TaskState::Done).unwrap_or(own)
}
