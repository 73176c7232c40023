//! Tasks that failed, noted beside the parts until they are done: so that `status` can tell them from those not begun.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::io::atomic::write_bytes;

/// How a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Identity of the task: with other inputs or settings the failure is history.
    pub task_id: String,
    /// What went wrong, in words.
    pub error: String,
    /// Its kind, as `--json` tells it.
    pub kind: String,
}

impl Failure {
    /// What a task's error leaves.
    pub fn of(task_id: &str, error: &Error) -> Self {
        Self { task_id: task_id.into(), error: error.to_string(), kind: error.kind().word().into() }
    }

    /// Notes it. A note that cannot be written changes nothing but what `status` can tell.
    pub fn note(&self, part: &Path) {
        if let Ok(bytes) = serde_json::to_vec_pretty(self) {
            let _ = write_bytes(&note_path(part), &bytes);
        }
    }

    /// The failure of a task, if it failed with just this identity.
    pub fn read(part: &Path, task_id: &str) -> Option<Self> {
        let failure: Self = serde_json::from_slice(&std::fs::read(note_path(part)).ok()?).ok()?;
        (failure.task_id == task_id).then_some(failure)
    }

    /// Forgets it: the task is done.
    pub fn forget(part: &Path) {
        let _ = std::fs::remove_file(note_path(part));
    }
}

fn note_path(part: &Path) -> PathBuf {
    part.with_extension("failed.json")
}
