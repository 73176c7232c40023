//! One task, tried until it is done or will not be: reading again what a network or a disk may give the next time.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::journal::TaskReport;
use super::ledger::Ledger;
use super::mirror::Mirror;
use super::tally::Unexplained;
use super::task;
use crate::error::{Error, ErrorKind, Result};
use crate::io::stop;
use crate::plan::input_hashes::{InputHashes, scene_files, shared_files};
use crate::plan::{Plan, Task};

/// Time before a task is tried the second time; four times as long before each further time.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Longest time between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How often a wait looks whether the process is to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Works on a task, and again where its inputs could not be read; notes a failure beside the part.
///
/// # Errors
/// As [`task::process`]; and Transient where an input is no longer what its hash was taken of.
pub fn attempt<'a>(
    (grid, task): (&'a Plan, &'a Task),
    ledger: &Ledger,
    hashes: &InputHashes,
    retries: u32,
) -> (Result<Vec<Unexplained>>, TaskReport<'a>) {
    let begun = Instant::now();
    let files: Vec<PathBuf> =
        shared_files(grid).chain(grid.scenes_of(task).flat_map(scene_files).cloned()).collect();
    let inputs_hold = || hashes.refuse_changed(files.iter());
    let path = ledger.part_path(task);
    let try_once = || {
        inputs_hold()?;
        let identity = ledger.identity(task);
        if grid.storage.bytes {
            task::process::<u8>(task, grid, identity, path, &inputs_hold)
        } else {
            task::process::<i32>(task, grid, identity, path, &inputs_hold)
        }
    };
    let mut tries = 0;
    let outcome = loop {
        tries += 1;
        match try_once() {
            Err(error) if stop::requested().is_none() => {
                let error = told_by_inputs(error, inputs_hold);
                if !error.kind().is_of_reading() || tries > retries || wait(tries).is_err() {
                    break Err(error);
                }
            }
            outcome => break outcome,
        }
    };
    // Where outputs go to a store, only what arrived there is done.
    let outcome = match (outcome, Mirror::of(&grid.job)) {
        (Ok(unexplained), Some(mirror)) if unexplained.is_empty() => mirror.send(path).map(|()| unexplained),
        (outcome, _) => outcome,
    };
    let word = match &outcome {
        Ok(unexplained) if unexplained.is_empty() => "done",
        Ok(_) => "unmapped",
        Err(_) if stop::requested().is_some() => "stopped",
        Err(_) => "failed",
    };
    let id = &ledger.ids[task.index];
    match &outcome {
        Ok(unexplained) if unexplained.is_empty() => Failure::forget(path),
        Ok(unexplained) => Failure::of(id, &in_short(unexplained)).note(path),
        // That the disk refuses says nothing of the task.
        Err(error) if word == "failed" && error.kind() != ErrorKind::Io => Failure::of(id, error).note(path),
        Err(_) => {}
    }
    let report = TaskReport {
        grid,
        task,
        outcome: word,
        tries,
        seconds: begun.elapsed().as_secs_f64(),
        cells: task.window.cells() * grid.epochs.len() as u64,
        part_bytes: std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
    };
    (outcome, report)
}

/// What a note says of codes that nothing explains; the run tells all of them.
fn in_short(unexplained: &[Unexplained]) -> Error {
    let found = unexplained.iter().map(|u| format!("{}: {} ({} px)", u.file.display(), u.value, u.pixels));
    Error::new(ErrorKind::Unmapped, "class codes cannot be mapped").found_all(found)
}

/// What went wrong; that an input changed under our hands explains whatever was found in it.
fn told_by_inputs(error: Error, inputs_hold: impl Fn() -> Result<()>) -> Error {
    match error.kind() {
        ErrorKind::Input | ErrorKind::Unreadable | ErrorKind::Transient => {
            inputs_hold().err().unwrap_or(error)
        }
        _ => error,
    }
}

/// Waits before the next try.
///
/// # Errors
/// Terminated, Interrupted: the process is to stop.
fn wait(tries: u32) -> Result<()> {
    let until = Instant::now() + FIRST_WAIT.saturating_mul(4_u32.saturating_pow(tries - 1)).min(LONGEST_WAIT);
    while Instant::now() < until {
        stop::check()?;
        std::thread::sleep(GLANCE);
    }
    Ok(())
}
