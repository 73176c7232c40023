//! What is done, stale, failed or missing, read from the parts themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::failure::Failure;
use super::work_folder;
use crate::io::part::{Part, PartFault};
use crate::plan::fingerprint::{Identities, TaskIdentity};
use crate::plan::input_hashes::InputHashes;
use crate::plan::reasons::{Reasons, differences};
use crate::plan::shard::Share;
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
    /// It was tried with just these inputs and settings, and failed.
    Failed,
}

impl TaskState {
    /// The state in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::ToDo => "not done yet",
            Self::Stale => "stale: an input, a setting or the version changed since",
            Self::Torn => "torn: the part is cut short or altered",
            Self::Failed => "failed when last tried",
        }
    }
}

/// A task that is not done: why, and what its part will be made from.
#[derive(Debug)]
pub struct OpenTask {
    /// Its state.
    pub state: TaskState,
    /// What changed since the part was made, of stale tasks; what went wrong, of failed ones.
    pub because: Vec<String>,
    /// What its identity is made of.
    pub reasons: Reasons,
}

/// State of the tasks of a plan, on all grids.
#[derive(Debug)]
pub struct Ledger {
    /// Where the part of each task is or will be, in the plan's order.
    paths: Vec<PathBuf>,
    /// Identity of each task, in the plan's order; empty of tasks that were not asked for.
    pub ids: Vec<String>,
    /// Those that are not done, by their index.
    open: BTreeMap<usize, OpenTask>,
    /// Those for which parts without any map stand in.
    missing: BTreeSet<usize>,
    /// What stands for the maps that meet no task.
    pub idle: Vec<String>,
    /// The tasks that were asked for.
    share: Share,
}

impl Ledger {
    /// Reads the parts of some tasks of a plan and compares their checksums.
    pub fn read(plan: &JobPlan, hashes: &InputHashes, output: &Path, share: &Share) -> Self {
        let parts = work_folder(output).join("parts");
        let mut ledger = Self {
            paths: Vec::new(),
            ids: Vec::new(),
            open: BTreeMap::new(),
            missing: BTreeSet::new(),
            idle: Vec::new(),
            share: share.clone(),
        };
        for grid in &plan.grids {
            let identities = Identities::of(grid, hashes);
            let folders = folders(&parts, plan, grid);
            ledger.idle.push(identities.of_idle_scenes());
            let look = |task: &Task| {
                if !share.holds(task.index) {
                    return (folders[0].join(task.part_name()), String::new(), None);
                }
                let id = identities.task(task);
                let (path, found) = find(&folders, task, &id);
                let open = (!matches!(found, Found::Done)).then(|| {
                    let reasons = identities.reasons(task);
                    let (state, because) = found.judged(&path, &id, &reasons);
                    OpenTask { state, because, reasons }
                });
                (path, id, open)
            };
            let found: Vec<(PathBuf, String, Option<OpenTask>)> = grid.tasks.par_iter().map(look).collect();
            for (task, (path, id, open)) in grid.tasks.iter().zip(found) {
                ledger.paths.push(path);
                ledger.ids.push(id);
                ledger.open.extend(open.map(|open| (task.index, open)));
            }
        }
        ledger
    }

    /// Path of a task's part.
    pub fn part_path(&self, task: &Task) -> &Path {
        &self.paths[task.index]
    }

    /// The identity of a task that is not done.
    pub fn identity(&self, task: &Task) -> TaskIdentity {
        let reasons = self.open.get(&task.index).map(|open| open.reasons.clone());
        TaskIdentity { id: self.ids[task.index].clone(), reasons: reasons.unwrap_or_default() }
    }

    /// State of a task that was asked for.
    pub fn state(&self, task: &Task) -> TaskState {
        self.open.get(&task.index).map_or(TaskState::Done, |open| open.state)
    }

    /// A task that is not done.
    pub fn open(&self, task: &Task) -> Option<&OpenTask> {
        self.open.get(&task.index)
    }

    /// The tasks that were asked for.
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// Number of tasks in a state.
    pub fn count(&self, state: TaskState) -> usize {
        match state {
            TaskState::Done => self.asked() - self.open.len(),
            _ => self.open.values().filter(|open| open.state == state).count(),
        }
    }

    /// Number of tasks that were asked for.
    pub fn asked(&self) -> usize {
        (0..self.paths.len()).filter(|&task| self.share.holds(task)).count()
    }

    /// A task is done now.
    pub fn close(&mut self, task: usize) {
        self.open.remove(&task);
    }

    /// A part without any map stands in for that of a task.
    pub fn stand_in(&mut self, task: &Task, path: PathBuf) {
        self.paths[task.index] = path;
        self.missing.insert(task.index);
        self.open.remove(&task.index);
    }

    /// Whether a part without any map stands in for that of a task.
    pub fn is_missing(&self, task: &Task) -> bool {
        self.missing.contains(&task.index)
    }

    /// The tasks for which parts without any map stand in.
    pub fn missing(&self) -> &BTreeSet<usize> {
        &self.missing
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

/// What stands where a part is looked for.
enum Found {
    /// Just that part.
    Done,
    /// A part with another identity, made of this.
    Other(Reasons),
    /// No part.
    Fault(PartFault),
}

impl Found {
    /// The state of a task whose part is not there, and why.
    fn judged(self, path: &Path, id: &str, reasons: &Reasons) -> (TaskState, Vec<String>) {
        match (self, Failure::read(path, id)) {
            (Self::Done, _) => (TaskState::Done, Vec::new()),
            (_, Some(failure)) => (TaskState::Failed, vec![failure.error]),
            (Self::Other(before), None) => (TaskState::Stale, differences(&before, reasons)),
            (Self::Fault(PartFault::Torn), None) => (TaskState::Torn, Vec::new()),
            (Self::Fault(PartFault::Missing), None) => (TaskState::ToDo, Vec::new()),
        }
    }
}

/// The part of a task in the first folder that holds just that; else what the first folder holds.
fn find(folders: &[PathBuf], task: &Task, id: &str) -> (PathBuf, Found) {
    let look = |folder: &PathBuf| {
        let path = folder.join(task.part_name());
        let found = match Part::open(&path, true) {
            Ok(part) if part.footer.task_id == id => Found::Done,
            Ok(part) => Found::Other(part.footer.reasons),
            Err(fault) => Found::Fault(fault),
        };
        (path, found)
    };
    let own = look(&folders[0]);
    if matches!(own.1, Found::Done) {
        return own;
    }
    folders[1..].iter().map(look).find(|(_, found)| matches!(found, Found::Done)).unwrap_or(own)
}
