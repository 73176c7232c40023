//! Runs plans: tasks on a pool of threads, each leaving a part; then merge.

mod attempt;
mod collisions;
pub mod compose;
pub mod encode;
mod failure;
pub mod files;
pub mod folder;
pub mod forecast;
mod fraction;
mod gaps;
mod journal;
mod lay;
pub mod ledger;
mod locate;
mod mask;
pub mod merge;
mod metrics;
pub mod mirror;
mod official;
pub mod outside;
pub mod overlay;
pub mod parts;
mod scene;
mod seams;
pub mod stand_in;
mod strata;
pub mod tally;
pub mod task;
mod unlisted;
mod update;
mod values;
mod vote;
pub mod watch;
pub mod zones;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use crate::error::{Error, ErrorKind, Result};
use crate::io::stop;
use crate::plan::input_hashes::InputHashes;
use crate::plan::{JobPlan, Plan, Task};
use ledger::{Ledger, TaskState};
use outside::Outside;
use tally::Unexplained;
use watch::Watch;

/// What one invocation did.
#[derive(Debug, Default)]
pub struct RunSummary {
    /// Tasks worked on now.
    pub computed: usize,
    /// Tasks whose parts were there already.
    pub kept: usize,
    /// Cells of the tasks worked on, times epochs.
    pub cells: u64,
    /// Seconds of wall time spent on tasks.
    pub seconds: f64,
    /// Valid source cells that fall outside the grid; counted where there was work to do.
    pub outside: Option<Outside>,
    /// Why some tasks are not done, where that is so and an incomplete product is allowed.
    pub failure: Option<Error>,
}

/// How a run deals with tasks that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conduct {
    /// Times a task is tried again whose inputs could not be read.
    pub retries: u32,
    /// Whether the first failure ends the run; else all other tasks are done first.
    pub fail_fast: bool,
    /// Whether what could not be done is left out of the product.
    pub allow_incomplete: bool,
}

impl Default for Conduct {
    fn default() -> Self {
        Self { retries: 2, fail_fast: false, allow_incomplete: false }
    }
}

/// Works on every task of the ledger's share that has no valid part yet, on the pool it is called in; afterwards the ledger
/// says which are done.
///
/// # Determinism
/// Parts depend on inputs, settings and version only: not on threads, order, shards or interruption.
/// # Errors
/// Unmapped: values that nothing explains, all of them. Incomplete: tasks that failed; the others are done. Io,
/// Limit: the disk or the memory does not suffice. Conflict: another run of the same task left other content. Terminated,
/// Interrupted: stopped, resumable.
pub fn run_tasks(
    plan: &JobPlan,
    ledger: &mut Ledger,
    hashes: &InputHashes,
    conduct: Conduct,
    watch: &mut Watch,
) -> Result<RunSummary> {
    plan.grids.iter().try_for_each(refuse_beyond_memory)?;
    let todo = to_do(plan, ledger);
    let is_first = ledger.share().holds(0);
    if !todo.is_empty() {
        collisions::refuse(plan)?;
    }
    // Of several shards one looks: it is about whole files, not about tasks.
    let outside = if todo.is_empty() || !is_first { None } else { Some(outside::count(plan)?) };
    let cells_to_do = todo.iter().map(|(grid, task)| cells(grid, task)).sum();
    watch.start((ledger.asked(), todo.len()), cells_to_do);
    let watch = &*watch;
    let started = Instant::now();
    let done: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let failures: Mutex<Vec<(usize, Error)>> = Mutex::new(Vec::new());
    let unexplained: Mutex<Vec<Unexplained>> = Mutex::new(Vec::new());
    let gives_up = AtomicBool::new(false);
    let work = |&(grid, task): &(&Plan, &Task)| {
        if stop::requested().is_some() || gives_up.load(Ordering::Relaxed) {
            return;
        }
        watch.begin(task);
        let (outcome, report) = attempt::attempt((grid, task), ledger, hashes, conduct.retries);
        watch.task(&report);
        gives_up.fetch_or(conduct.fail_fast && report.outcome != "done", Ordering::Relaxed);
        match outcome {
            Ok(found) if found.is_empty() => lock(&done).push(task.index),
            Ok(found) => lock(&unexplained).extend(found),
            Err(error) => {
                gives_up.fetch_or(is_about_writing(&error), Ordering::Relaxed);
                lock(&failures).push((task.index, error));
            }
        }
    };
    todo.par_iter().with_max_len(1).for_each(work);
    watch.tasks_end();
    stop::check()?;
    let computed = done.into_inner().unwrap_or_default();
    let open = todo.len() - computed.len();
    let failures = failures.into_inner().unwrap_or_default();
    // What is wrong with the program, the machine or the disk is told before what is wrong with an input.
    let failure = refuse_serious(&failures)
        .and_then(|()| refuse_unexplained(plan, unexplained.into_inner().unwrap_or_default()))
        .and_then(|()| refuse_failures(plan, failures, open))
        .err();
    if failure.is_none()
        && let Some(outside) = &outside
    {
        outside.refuse_unread()?;
    }
    if let Some(error) = failure.as_ref().filter(|error| !conduct.allow_incomplete || !leaves_a_gap(error)) {
        return Err(error.clone());
    }
    let summary = RunSummary {
        computed: computed.len(),
        kept: ledger.asked() - todo.len(),
        cells: cells_to_do,
        seconds: started.elapsed().as_secs_f64(),
        outside,
        failure,
    };
    computed.into_iter().for_each(|task| ledger.close(task));
    Ok(summary)
}

/// The tasks of the ledger's share that are not done.
pub fn to_do<'a>(plan: &'a JobPlan, ledger: &Ledger) -> Vec<(&'a Plan, &'a Task)> {
    let asked = plan.tasks().filter(|(_, task)| ledger.share().holds(task.index));
    asked.filter(|(_, task)| ledger.state(task) != TaskState::Done).collect()
}

/// Cells of a task, times epochs.
pub fn cells(grid: &Plan, task: &Task) -> u64 {
    task.window.cells() * grid.epochs.len() as u64
}

/// Whether an error leaves a product with gaps, rather than none.
fn leaves_a_gap(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Incomplete | ErrorKind::Unmapped | ErrorKind::Input)
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

/// Failures after which nothing is published: of the program, of two runs that differ, of the machine, of the disk.
fn refuse_serious(failures: &[(usize, Error)]) -> Result<()> {
    [ErrorKind::Bug, ErrorKind::Conflict, ErrorKind::Limit]
        .into_iter()
        .try_for_each(|kind| refuse_kind(failures, kind))?;
    failures.iter().find(|(_, e)| is_about_writing(e)).map_or(Ok(()), |(_, refused)| Err(refused.clone()))
}

/// Every failure of a kind.
fn refuse_kind(failures: &[(usize, Error)], kind: ErrorKind) -> Result<()> {
    let mut of_kind: Vec<&(usize, Error)> = failures.iter().filter(|(_, e)| e.kind() == kind).collect();
    of_kind.sort_by_key(|(index, _)| *index);
    match of_kind[..] {
        [] => Ok(()),
        [(_, only)] => Err(only.clone()),
        [(_, first), ..] => {
            let what = format!("{} ({} tasks met such)", first.what(), of_kind.len());
            Err(Error::new(kind, what).found_all(of_kind.iter().map(|(_, error)| error.to_string())))
        }
    }
}

/// What is wrong with inputs: every failure is told. So many tasks are `open` still.
fn refuse_failures(plan: &JobPlan, mut failures: Vec<(usize, Error)>, open: usize) -> Result<()> {
    failures.sort_by_key(|(index, _)| *index);
    refuse_kind(&failures, ErrorKind::Input)?;
    if failures.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = plan.tasks().map(|(grid, task)| task_words(grid, task)).collect();
    let describe = |(index, error): &(usize, Error)| format!("{}: {error}", names[*index]);
    let rest = match open - failures.len() {
        0 => "the others are done".to_string(),
        untried => format!("{untried} were not tried"),
    };
    let what = format!("INCOMPLETE: {} of {} tasks failed; {rest}", failures.len(), names.len());
    Err(Error::new(ErrorKind::Incomplete, what)
        .found_all(failures.iter().map(describe))
        .help(
            "mend or replace the files, then run again: tasks that do not read them are kept; --allow-incomplete publishes without",
        ))
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

/// Ends the process, as by SIGTERM, when the one that started it ends: a driver that is killed takes its shards along.
///
/// # Errors
/// Unsupported: the operating system cannot.
pub fn die_with_parent() -> Result<()> {
    let signal = rustix::process::Signal::TERM;
    rustix::process::set_parent_process_death_signal(Some(signal)).map_err(|e| {
        Error::new(ErrorKind::Unsupported, "this system does not end a process with its parent")
            .found(e)
            .help("leave out --die-with-parent")
    })
}

/// Where a run keeps its parts, journals and locks.
pub fn work_folder(output: &Path) -> PathBuf {
    output.join(".nalcms")
}
