//! Runs plans: tasks on a pool of threads, each leaving a part; then merge.

mod collisions;
pub mod compose;
pub mod encode;
pub mod files;
pub mod folder;
pub mod forecast;
mod fraction;
mod gaps;
mod lay;
pub mod ledger;
mod locate;
mod mask;
pub mod merge;
mod official;
pub mod outside;
pub mod overlay;
pub mod parts;
mod scene;
mod seams;
mod strata;
pub mod tally;
pub mod task;
mod unchanged;
mod unlisted;
mod update;
mod values;
mod vote;
pub mod zones;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use crate::error::{Error, ErrorKind, Result};
use crate::io::progress::Progress;
use crate::io::stop;
use crate::plan::{JobPlan, Plan, Task};
use ledger::{Ledger, TaskState};
use tally::Unexplained;

/// What one invocation did.
#[derive(Debug, Clone, Default)]
pub struct RunSummary {
    /// Tasks worked on now.
    pub computed: usize,
    /// Tasks whose parts were there already.
    pub kept: usize,
    /// Cells of the tasks worked on, times epochs.
    pub cells: u64,
    /// Seconds of wall time spent on tasks.
    pub seconds: f64,
    /// Valid source cells that fall outside the grid, by file; counted where there was work to do.
    pub outside: Option<BTreeMap<PathBuf, u64>>,
}

/// Works on every task that has no valid part yet, on the pool it is called in; afterwards the ledger says that all are done.
///
/// # Determinism
/// Parts depend on inputs, settings and version only: not on threads, order or interruption.
/// # Errors
/// Unmapped: values that nothing explains, all of them. Incomplete: tasks that failed; the others are done. Io,
/// Limit: the disk or the memory does not suffice. Terminated, Interrupted: stopped, resumable.
pub fn run_tasks(plan: &JobPlan, ledger: &mut Ledger, progress: &Progress) -> Result<RunSummary> {
    plan.grids.iter().try_for_each(refuse_beyond_memory)?;
    let todo: Vec<(&Plan, &Task)> =
        plan.tasks().filter(|(_, task)| ledger.states[task.index] != TaskState::Done).collect();
    if !todo.is_empty() {
        collisions::refuse(plan)?;
    }
    let outside = if todo.is_empty() { None } else { Some(outside::count(plan)?) };
    let cells = |task: &Task| task.window.cells() * plan.job.epochs.len() as u64;
    progress.start(todo.len(), todo.iter().map(|(_, task)| cells(task)).sum());
    let started = Instant::now();
    let failures: Mutex<Vec<(usize, Error)>> = Mutex::new(Vec::new());
    let unexplained: Mutex<Vec<Unexplained>> = Mutex::new(Vec::new());
    let disk_refused = AtomicBool::new(false);
    let work = |(grid, task): &(&Plan, &Task)| {
        if stop::requested().is_some() || disk_refused.load(Ordering::Relaxed) {
            return;
        }
        let id = ledger.ids[task.index].clone();
        let path = ledger.part_path(task);
        let outcome = if grid.storage.bytes {
            task::process::<u8>(task, grid, id, path)
        } else {
            task::process::<i32>(task, grid, id, path)
        };
        match outcome {
            Ok(found) => lock(&unexplained).extend(found),
            Err(error) => {
                disk_refused.fetch_or(is_about_writing(&error), Ordering::Relaxed);
                lock(&failures).push((task.index, error));
            }
        }
        progress.done(cells(task));
    };
    todo.par_iter().with_max_len(1).for_each(work);
    progress.finish();
    stop::check()?;
    refuse_unexplained(plan, unexplained.into_inner().unwrap_or_default())?;
    refuse_failures(plan, failures.into_inner().unwrap_or_default())?;
    let summary = RunSummary {
        computed: todo.len(),
        kept: plan.task_count() - todo.len(),
        cells: todo.iter().map(|(_, task)| cells(task)).sum(),
        seconds: started.elapsed().as_secs_f64(),
        outside,
    };
    ledger.states.fill(TaskState::Done);
    Ok(summary)
}

/// A pool no larger than threads and memory allow.
///
/// # Errors
/// Limit: threads cannot be started.
pub fn thread_pool(plan: &JobPlan) -> Result<rayon::ThreadPool> {
    let threads = workers(plan);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::new(ErrorKind::Limit, "threads cannot be started").found(e.to_string()))
}

/// Tasks that run at once: the threads asked for, less where the memory setting does not hold so many tasks.
pub fn workers(plan: &JobPlan) -> usize {
    let available = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let asked = match plan.job.compute.threads {
        0 => available,
        n => n,
    };
    let memory = (plan.job.compute.memory_mib as u64) << 20;
    asked.min((memory / plan.task_bytes()).max(1) as usize)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn refuse_unexplained(plan: &JobPlan, found: Vec<Unexplained>) -> Result<()> {
    official::refuse_unknown(&plan.job.target.id, &found)?;
    if found.is_empty() {
        return Ok(());
    }
    let mut sums: BTreeMap<(PathBuf, bool, i32), u64> = BTreeMap::new();
    for entry in found {
        *sums.entry((entry.file, entry.no_stratum, entry.value)).or_default() += entry.pixels;
    }
    let describe = |((file, no_stratum, value), pixels): (&(PathBuf, bool, i32), &u64)| {
        let why = if *no_stratum {
            "its conditional row finds no stratum there"
        } else {
            "no crosswalk row, no nodata"
        };
        format!("{}: {value} ({pixels} px): {why}", file.display())
    };
    let lack_stratum = sums.keys().any(|(_, no_stratum, _)| *no_stratum);
    let unlisted = if lack_stratum { unlisted::unlisted_numbers(plan)? } else { Vec::new() };
    let codes: std::collections::BTreeSet<i32> = sums.keys().map(|(_, _, value)| *value).collect();
    let legends: std::collections::BTreeSet<&str> = plan
        .job
        .sources
        .iter()
        .flat_map(|s| s.maps.values())
        .filter(|m| !m.files.is_empty())
        .map(|m| m.legend.id.as_str())
        .collect();
    Err(Error::new(ErrorKind::Unmapped, format!("{} class codes cannot be mapped to legend `{}`", codes.len(), plan.job.target.id))
        .found_all(sums.iter().map(describe).chain(unlisted))
        .expected(format!("codes of legend {}, each with a crosswalk row", legends.into_iter().collect::<Vec<_>>().join(", ")))
        .help("add the codes to a legend and crosswalk of your own (nalcms legend export, nalcms crosswalk show --toml), \
               or map them to nodata there with  to = \"nodata\"; for a missing stratum extend the layer or set \
               missing_stratum = \"default\""))
}

/// The worst kind of failure decides; every failure of that kind is told.
fn refuse_failures(plan: &JobPlan, mut failures: Vec<(usize, Error)>) -> Result<()> {
    failures.sort_by_key(|(index, _)| *index);
    for kind in [ErrorKind::Bug, ErrorKind::Input, ErrorKind::Limit] {
        let of_kind: Vec<&Error> = failures.iter().map(|(_, e)| e).filter(|e| e.kind() == kind).collect();
        match of_kind[..] {
            [] => {}
            [only] => return Err(only.clone()),
            [first, ..] => {
                let all = of_kind.iter().map(ToString::to_string);
                return Err(Error::new(kind, format!("{} ({} tasks met such)", first.what(), of_kind.len()))
                    .found_all(all));
            }
        }
    }
    if let Some((_, refused)) = failures.iter().find(|(_, e)| is_about_writing(e)) {
        return Err(refused.clone());
    }
    if failures.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = plan.tasks().map(|(grid, task)| task_words(grid, task)).collect();
    let describe = |(index, error): &(usize, Error)| format!("{}: {error}", names[*index]);
    let what = format!("{} of {} tasks failed; the others are done", failures.len(), names.len());
    Err(Error::new(ErrorKind::Incomplete, what)
        .found_all(failures.iter().map(describe))
        .help("mend or replace the files, then run again: only these tasks are redone"))
}

/// A task in words.
fn task_words(grid: &Plan, task: &Task) -> String {
    let on_grid = grid.grid_id.as_ref().map_or(String::new(), |id| format!(" of grid `{id}`"));
    format!("task at {}{on_grid}", task.window)
}

/// A disk that refuses one part refuses the next one too; a file that cannot be read spoils its own tasks only.
fn is_about_writing(error: &Error) -> bool {
    error.kind() == ErrorKind::Io
}

/// One task must fit in the memory that the job allows.
fn refuse_beyond_memory(plan: &Plan) -> Result<()> {
    let (needed, allowed) = (plan.task_bytes() >> 20, plan.job.compute.memory_mib as u64);
    if needed <= allowed {
        return Ok(());
    }
    let shape = plan.task_shape;
    let on_grid = plan.grid_id.as_ref().map_or(String::new(), |id| format!(" of grid `{id}`"));
    Err(Error::new(ErrorKind::Limit, "one task needs more memory than the job allows")
        .found(format!("about {needed} MiB for a task of {} x {} cells{on_grid}", shape.rows, shape.cols))
        .expected(format!("at most memory_mib = {allowed}"))
        .help(if shape.rows == shape.cols {
            "halve compute.task_cells (a quarter of the memory, the same results) or raise compute.memory_mib"
        } else {
            "raise compute.memory_mib, or tile the files that are stored in wide strips: \
             gdal_translate -co TILED=YES -co COMPRESS=DEFLATE IN OUT"
        }))
}

/// Where a run keeps its parts.
pub fn work_folder(output: &Path) -> PathBuf {
    output.join(".nalcms")
}
