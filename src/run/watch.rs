//! Everyone who is told of each task: who waits at the terminal, the journal, the metrics, the log.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::journal::{Journal, TaskReport};
use super::metrics::Metrics;
use super::work_folder;
use crate::io::progress::Progress;
use crate::io::talk;
use crate::plan::JobPlan;
use crate::plan::shard::Shard;

/// Who is told.
#[derive(Debug)]
pub struct Watch {
    progress: Progress,
    metrics: Option<Metrics>,
    journal: Journal,
    /// Folder of the journal.
    work: PathBuf,
    /// Which share of the job this is, in words.
    shard: Option<String>,
}

impl Watch {
    /// Tells progress, a journal in a job's work folder, and a file of metrics where there is to be one.
    pub fn new(progress: Progress, plan: &JobPlan, shard: Option<Shard>, metrics: Option<&Path>) -> Self {
        let metrics = metrics.map(|path| Metrics::new(path.to_path_buf(), &plan.job.name));
        let shard = shard.map(|Shard { index, count }| format!("{index}/{count}"));
        Self { progress, metrics, journal: Journal::default(), work: work_folder(&plan.job.output), shard }
    }

    /// Tasks begin: of so many, these are to be worked on.
    pub fn start(&mut self, (tasks, to_do): (usize, usize), cells: u64) {
        if to_do > 0 {
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            let first = json!({
                "event": "start", "shard": self.shard, "tasks": tasks, "to_do": to_do, "host": host,
                "process": std::process::id(),
            });
            self.journal = Journal::start(&self.work, &first);
            talk::event(&first);
        }
        self.progress.start(to_do, cells);
        if let Some(metrics) = &self.metrics {
            metrics.start(tasks, tasks - to_do);
        }
    }

    /// A task was worked on.
    pub fn task(&self, report: &TaskReport) {
        let facts = report.to_json();
        self.journal.write(&facts);
        talk::event(&facts);
        if let Some(metrics) = &self.metrics {
            metrics.add(report);
        }
        self.progress.done(report.cells);
    }

    /// The tasks are over.
    pub fn tasks_end(&self) {
        self.progress.finish();
    }

    /// The run is over, with all its work done or not.
    pub fn end(&self, complete: bool) {
        self.journal.write(&json!({ "event": "end", "complete": complete }));
        if let Some(metrics) = &self.metrics {
            metrics.finish(complete);
        }
    }
}
