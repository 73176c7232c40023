//! Figures of a run as a text file that Prometheus reads (the textfile collector of its node exporter).
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::journal::TaskReport;
use super::lock;
use crate::io::atomic::write_bytes;
use crate::io::talk;

/// Time between two writings of the file.
const EVERY: Duration = Duration::from_secs(5);

/// Figures that are written to a file now and then.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    job: String,
    figures: Mutex<Figures>,
}

#[derive(Debug)]
struct Figures {
    begun: Instant,
    written: Option<Instant>,
    tasks: usize,
    kept: usize,
    done: usize,
    failed: usize,
    tries: u64,
    cells: u64,
    part_bytes: u64,
    task_seconds: f64,
    complete: bool,
    /// Whether somebody was told that the file cannot be written.
    refused: bool,
}

impl Metrics {
    /// Figures of a job, written to a file.
    pub fn new(path: PathBuf, job: &str) -> Self {
        let figures = Figures {
            begun: Instant::now(),
            written: None,
            tasks: 0,
            kept: 0,
            done: 0,
            failed: 0,
            tries: 0,
            cells: 0,
            part_bytes: 0,
            task_seconds: 0.0,
            complete: false,
            refused: false,
        };
        Self { path, job: job.replace(['\\', '"', '\n'], "_"), figures: Mutex::new(figures) }
    }

    /// So many tasks are this run's, and so many of them are done already.
    pub fn start(&self, tasks: usize, kept: usize) {
        let mut figures = lock(&self.figures);
        (figures.tasks, figures.kept) = (tasks, kept);
        self.write(&mut figures);
    }

    /// One more task was worked on.
    pub fn add(&self, report: &TaskReport) {
        let mut figures = lock(&self.figures);
        let is_done = report.outcome == "done";
        figures.done += usize::from(is_done);
        figures.failed += usize::from(!is_done);
        figures.tries += u64::from(report.tries);
        figures.cells += report.cells;
        figures.part_bytes += report.part_bytes;
        figures.task_seconds += report.seconds;
        if figures.written.is_none_or(|written| written.elapsed() >= EVERY) {
            self.write(&mut figures);
        }
    }

    /// The run has ended, with all its work done or not.
    pub fn finish(&self, complete: bool) {
        let mut figures = lock(&self.figures);
        figures.complete = complete;
        self.write(&mut figures);
    }

    /// A file that cannot be written stops nothing, and is told once.
    fn write(&self, figures: &mut Figures) {
        figures.written = Some(Instant::now());
        if let Err(error) = write_bytes(&self.path, self.text(figures).as_bytes())
            && !std::mem::replace(&mut figures.refused, true)
        {
            talk::warn(&format!("no metrics: {error}"));
        }
    }

    fn text(&self, figures: &Figures) -> String {
        let job = &self.job;
        let to_do = figures.tasks.saturating_sub(figures.kept + figures.done + figures.failed);
        let states =
            [("kept", figures.kept), ("done", figures.done), ("failed", figures.failed), ("to_do", to_do)];
        let mut text =
            "# HELP nalcms_tasks Tasks of this run by state.\n# TYPE nalcms_tasks gauge\n".to_string();
        for (state, tasks) in states {
            text += &format!("nalcms_tasks{{job=\"{job}\",state=\"{state}\"}} {tasks}\n");
        }
        let mut figure = |name: &str, kind: &str, help: &str, value: String| {
            text += &format!(
                "# HELP nalcms_{name} {help}\n# TYPE nalcms_{name} {kind}\nnalcms_{name}{{job=\"{job}\"}} {value}\n"
            );
        };
        figure(
            "cells_total",
            "counter",
            "Cells of the grid times years worked on.",
            figures.cells.to_string(),
        );
        figure("part_bytes_total", "counter", "Bytes of parts written.", figures.part_bytes.to_string());
        figure("tries_total", "counter", "Times a task was tried.", figures.tries.to_string());
        figure(
            "task_seconds_total",
            "counter",
            "Wall time of tasks, added up.",
            figures.task_seconds.to_string(),
        );
        let seconds = figures.begun.elapsed().as_secs_f64();
        figure("run_seconds", "gauge", "Wall time since the run began.", seconds.to_string());
        figure(
            "run_complete",
            "gauge",
            "1 when the run has done all its work.",
            u8::from(figures.complete).to_string(),
        );
        text
    }
}
