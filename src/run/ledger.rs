//! What is done, stale or missing, read from the parts themselves.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::work_folder;
use crate::io::part::{Part, PartFault};
use crate::plan::fingerprint::{Identities, InputHashes};
use crate::plan::{Plan, Task};

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

/// State of every task of a plan.
#[derive(Debug)]
pub struct Ledger {
    parts: PathBuf,
    /// Identity of each task, in the plan's order.
    pub ids: Vec<String>,
    /// State of each task, in the plan's order.
    pub states: Vec<TaskState>,
}

impl Ledger {
    /// Reads all parts of a plan and compares their checksums.
    pub fn read(plan: &Plan, hashes: &InputHashes, output: &Path) -> Self {
        let parts = work_folder(output).join("parts");
        let identities = Identities::of(plan, hashes);
        let ids: Vec<String> = plan.tasks.par_iter().map(|task| identities.task(task)).collect();
        let state = |(task, id): (&Task, &String)| match Part::open(&parts.join(task.part_name()), true) {
            Ok(part) if part.footer.task_id == *id => TaskState::Done,
            Ok(_) => TaskState::Stale,
            Err(PartFault::Missing) => TaskState::ToDo,
            Err(PartFault::Torn) => TaskState::Torn,
        };
        let states = plan.tasks.par_iter().zip(&ids).map(state).collect();
        Self { parts, ids, states }
    }

    /// Path of a task's part.
    pub fn part_path(&self, task: &Task) -> PathBuf {
        self.parts.join(task.part_name())
    }

    /// Number of tasks in a state.
    pub fn count(&self, state: TaskState) -> usize {
        self.states.iter().filter(|s| **s == state).count()
    }
}
