//! Merge: parts become mosaics and tables. Blocks are copied; only overview blocks larger than a task are encoded.
//!
//! Everything is made in a staging folder and put in place when all of it is there. SHA256SUMS goes last: a folder
//! without it is not finished.

mod identity;
mod overviews;
mod raster;
mod record;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::ledger::{Ledger, TaskState};
use super::outside::Outside;
use super::parts::{GridParts, added_up};
use super::{stand_in, task_words, work_folder};
use crate::error::{Error, Result};
use crate::io::atomic::{io_error, publish, sync_folder, temporary_folder, write_bytes};
use crate::io::digest::{CHECKSUMS, sha256_file};
use crate::io::stop;
use crate::io::table::write_table;
use crate::plan::JobPlan;
use crate::plan::comparability::refuse_nothing_left;
use crate::report::release::refuse_unaccepted;
use crate::report::table;
use crate::report::totals::Totals;
pub use identity::words;
use record::Record;

/// What merge has put in place.
#[derive(Debug)]
pub struct Merged {
    /// Files below the output folder, sorted, with their SHA-256.
    pub files: BTreeMap<String, String>,
    /// Sums over all tasks.
    pub totals: Totals,
    /// Whether everything was in place already.
    pub unchanged: bool,
    /// Valid source cells that fall outside the grid; only those dropped on purpose.
    pub outside: Outside,
}

/// Assembles all parts of a plan into its outputs.
///
/// `outside` holds the cells outside the grid, where the caller has counted them; `provenance` writes run.json, before
/// SHA256SUMS says that all is there, and mends it where everything is in place already.
///
/// # Errors
/// Input: parts are missing or stale, or a release rests on rows that nobody accepted; they are named. Io: the disk refuses; then outputs are as they were.
pub fn merge(
    plan: &JobPlan,
    ledger: &Ledger,
    output: &Path,
    outside: Option<Outside>,
    provenance: impl FnOnce(&Merged) -> Result<()>,
) -> Result<Merged> {
    refuse_nothing_left(&plan.job, &plan.comparability)?;
    refuse_gaps(plan, ledger)?;
    let grids: Vec<GridParts> =
        plan.grids.iter().map(|grid| GridParts::open(plan, grid, ledger)).collect::<Result<_>>()?;
    refuse_unaccepted(plan, grids.iter().map(|grid| &grid.totals))?;
    let identity = identity::of(plan, ledger);
    if let Some(record) = Record::in_place(&identity, output).filter(|record| record.is_intact(output)) {
        let cells = record.outside.into_iter().map(|(path, cells)| (PathBuf::from(path), cells)).collect();
        let outside = Outside { cells, unread: Vec::new() };
        let totals = added_up(grids)?;
        let merged = Merged { files: record.files, totals, unchanged: true, outside };
        provenance(&merged)?;
        return Ok(merged);
    }
    let outside = outside.map_or_else(|| super::outside::count(plan), Ok)?;
    if ledger.missing().is_empty() {
        outside.refuse_unread()?;
    }
    // A name of its own: where a file system has no locks, two merges may be at work, and leave the same bytes.
    let staging_folder = temporary_folder(&work_folder(output))?;
    let staging = staging_folder.path();
    let mut names = Vec::new();
    for GridParts { plan, parts, totals } in &grids {
        for (position, &product) in plan.products.iter().enumerate() {
            stop::check()?;
            names.extend(raster::write(plan, parts, totals, position, product, staging)?);
        }
    }
    let totals = added_up(grids)?;
    if plan.job.products.tables {
        let context = table::Context::new(plan, &totals);
        context.refuse_too_many_classes()?;
        for mut table in table::all(&context) {
            if !totals.missing.is_empty() {
                table.notes.push((
                    "incomplete".into(),
                    format!("missing, and nodata here: {}", totals.missing.join("; ")),
                ));
            }
            let written = write_table(&staging.join("tables"), &table)?;
            names.extend(written.into_iter().map(|name| format!("tables/{name}")));
        }
    }
    let files = put_in_place(&names, staging, output)?;
    let merged = Merged { files, totals, unchanged: false, outside };
    provenance(&merged)?;
    write_bytes(&output.join(CHECKSUMS), record::checksums(&merged.files).as_bytes())?;
    let outside =
        merged.outside.cells.iter().map(|(path, cells)| (path.display().to_string(), *cells)).collect();
    Record { identity: Some(identity), files: merged.files.clone(), outside }.write(&Record::path(output))?;
    stand_in::forget(output);
    Ok(merged)
}

/// Whether an earlier merge of just this left its outputs, and all are there; whether they are still intact is not looked at.
pub fn is_in_place(plan: &JobPlan, ledger: &Ledger, output: &Path) -> bool {
    let record = Record::in_place(&identity::of(plan, ledger), output);
    record.is_some_and(|record| record.files.keys().all(|name| output.join(name).is_file()))
}

fn refuse_gaps(plan: &JobPlan, ledger: &Ledger) -> Result<()> {
    let gaps: Vec<String> = plan
        .tasks()
        .filter(|(_, task)| ledger.state(task) != TaskState::Done)
        .map(|(grid, task)| format!("{}: {}", task_words(grid, task), ledger.state(task).reason()))
        .collect();
    if gaps.is_empty() {
        return Ok(());
    }
    Err(Error::input(format!("{} of {} tasks are not done", gaps.len(), plan.task_count()))
        .found_all(gaps)
        .help("run them first; nalcms status PLAN names the shards. Nothing was published; --allow-incomplete publishes without them"))
}

fn put_in_place(names: &[String], staging: &Path, output: &Path) -> Result<BTreeMap<String, String>> {
    let record = &Record::path(output);
    let hash = |name: &String| Ok((name.clone(), sha256_file(&staging.join(name))?));
    let files: BTreeMap<String, String> = names.par_iter().map(hash).collect::<Result<_>>()?;
    let earlier = Record::read(record).unwrap_or_default().files;
    // A merge that is killed from here on must not orphan what it put in place: all names are noted first.
    let mut ours: BTreeMap<String, String> =
        earlier.keys().map(|name| (name.clone(), String::new())).collect();
    ours.extend(files.clone());
    Record { files: ours, ..Record::default() }.write(record)?;
    // From here until SHA256SUMS is back the folder is visibly unfinished.
    for stale in
        [CHECKSUMS].into_iter().chain(earlier.keys().map(String::as_str).filter(|k| !files.contains_key(*k)))
    {
        remove_file(&output.join(stale))?;
    }
    // Before anything new is seen, whatever happens to the machine.
    sync_folder(&output.join(CHECKSUMS));
    for name in files.keys() {
        publish(&staging.join(name), &output.join(name))?;
    }
    Ok(files)
}

fn remove_file(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(io_error("an old file cannot be removed", path, &e))
        }
        _ => Ok(()),
    }
}
