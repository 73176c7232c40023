//! The journal of an attempt: a line for each task that a run worked on, in `.nalcms/attempts/`.
//!
//! It tells what took how long and where, for estimates and for finding what went wrong; nothing that is published is made
//! from it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::lock;
use crate::io::atomic::make_folder;
use crate::plan::{Plan, Task};

/// What happened to one task.
#[derive(Debug, Clone)]
pub struct TaskReport<'a> {
    /// The plan of its grid.
    pub grid: &'a Plan,
    /// The task.
    pub task: &'a Task,
    /// How it ended: `done`, `unmapped`, `failed` or `stopped`.
    pub outcome: &'static str,
    /// Times it was tried.
    pub tries: u32,
    /// Wall time, in seconds.
    pub seconds: f64,
    /// Cells of the grid, times epochs.
    pub cells: u64,
    /// Bytes of its part.
    pub part_bytes: u64,
}

impl TaskReport<'_> {
    /// The same as one JSON object.
    pub fn to_json(&self) -> Value {
        let Self { grid, task, outcome, tries, seconds, cells, part_bytes } = self;
        let mut sources: Vec<&str> = grid
            .scenes_of(task)
            .map(|scene| grid.job.sources[usize::from(scene.source)].id.as_str())
            .collect();
        sources.sort_unstable();
        sources.dedup();
        let mut facts = json!({
            "event": "task", "task": task.index, "window": task.window, "outcome": outcome, "tries": tries,
            "seconds": seconds, "cells": cells, "part_bytes": part_bytes, "sources": sources,
        });
        if let Some(id) = &grid.grid_id {
            facts["grid"] = json!(id);
        }
        facts
    }
}

/// A journal that is being written; lines that cannot be written stop nothing.
#[derive(Debug, Default)]
pub struct Journal(Option<Mutex<File>>);

impl Journal {
    /// Starts a journal with a name of its own, whatever hosts and processes are called.
    pub fn start(work: &Path, first: &Value) -> Self {
        let folder = work.join("attempts");
        let _ = make_folder(&folder);
        let mut builder = tempfile::Builder::new();
        let stamp = chrono::Utc::now().format("%Y%m%dT%H%M%SZ-").to_string();
        let file = builder.prefix(&stamp).suffix(".jsonl").rand_bytes(8).tempfile_in(folder);
        let journal = Self(file.ok().and_then(|file| file.keep().ok()).map(|(file, _)| Mutex::new(file)));
        journal.write(first);
        journal
    }

    /// Adds a line.
    pub fn write(&self, facts: &Value) {
        if let Some(file) = &self.0 {
            let _ = lock(file).write_all(format!("{facts}\n").as_bytes());
        }
    }
}
