//! Outputs in a store: made in a folder on disk just as outputs on disk are, and sent to the store object by object.
//!
//! The store is consistent by order alone: a part is sent when it is whole, SHA256SUMS when everything that it lists is
//! there. Sending the same bytes twice does no harm, so that an answer that got lost, or two runs of one task, need no care.
//! Any machine may go on where another stopped: what lies in the store and not on its own disk is fetched.

use std::collections::BTreeSet;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::folder::{Access, OWNER, OutputFolder, Owner};
use super::ledger::Ledger;
use super::merge::Merged;
use super::{to_do, work_folder};
use crate::config::job::Job;
use crate::error::{Error, ErrorKind, Result};
use crate::io::atomic::{AtomicPath, io_error, make_folder, temporary_folder, write_bytes};
use crate::io::digest::CHECKSUMS;
use crate::io::gdal::store;
use crate::io::part::Part;
use crate::io::place::within;
use crate::plan::input_hashes::InputHashes;
use crate::plan::shard::Share;
use crate::plan::{JobPlan, Plan, Task};

/// Largest list of checksums that is understood, in bytes: half a million files.
const LARGEST_LIST: u64 = 64 << 20;

/// Largest note on whose a place is, in bytes.
const LARGEST_NOTE: u64 = 1 << 16;

/// A place in a store, and the folder on disk whose files go there.
#[derive(Debug, Clone)]
pub struct Mirror {
    store: PathBuf,
    folder: PathBuf,
}

impl Mirror {
    /// The mirror of a job whose output goes to a store.
    pub fn of(job: &Job) -> Option<Self> {
        Some(Self { store: job.store.clone()?, folder: job.output.clone() })
    }

    /// Makes the folder on disk, for nobody else to write into: the parts in it will be trusted.
    ///
    /// # Errors
    /// Io: it cannot be made, or belongs to somebody else.
    fn make_folder(&self) -> Result<()> {
        let folder = &self.folder;
        if let Some(parent) = folder.parent() {
            make_folder(parent)?;
        }
        match std::fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(io_error("a work folder cannot be made", folder, &e));
            }
            _ => {}
        }
        let found =
            std::fs::symlink_metadata(folder).map_err(|e| io_error("a folder cannot be read", folder, &e))?;
        if found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Io, "the work folder is not this user's own")
            .at(folder.display())
            .help("choose another: --work FOLDER"))
    }

    /// Takes the place in the store for a job.
    ///
    /// # Errors
    /// Usage: it belongs to another job, and `overwrite` was not said. Io: the store does not answer.
    fn claim(&self, job: &str, overwrite: bool) -> Result<()> {
        let note = work_folder(&self.folder).join(OWNER);
        let found = store::content(&self.object(&note)?, LARGEST_NOTE)?;
        let owner = found.and_then(|bytes| serde_json::from_slice::<Owner>(&bytes).ok());
        match owner {
            Some(owner) if owner.job == job => Ok(()),
            Some(owner) if !overwrite => Err(Error::usage("the place in the store belongs to another job")
                .at(self.store.display())
                .found(format!("job `{}`", owner.job))
                .expected(format!("job `{job}`"))
                .help("choose another prefix, or say --overwrite to take this one over")),
            None if !overwrite && store::size(&self.object(&self.folder.join(CHECKSUMS))?)?.is_some() => {
                Err(Error::usage("the place in the store holds files that are not of this program")
                    .at(self.store.display())
                    .found(CHECKSUMS)
                    .help("choose another prefix, or say --overwrite to write into this one"))
            }
            _ => store::put(&note, &self.object(&note)?).map(drop),
        }
    }

    /// Sends a file of the folder, unless just that was sent before and is there still.
    ///
    /// # Errors
    /// Io: the store does not take it.
    pub fn send(&self, file: &Path) -> Result<()> {
        let object = self.object(file)?;
        let (stamp, receipt) = (self.stamp(file)?, self.receipt(file)?);
        if let Ok(sent) = std::fs::read_to_string(&receipt)
            && let Some(version) = sent.strip_prefix(&stamp).and_then(|rest| rest.strip_prefix('\n'))
            && store::version(&object)?.as_deref() == Some(version)
        {
            return Ok(());
        }
        let version = store::put(file, &object)?;
        note_sent(&receipt, &stamp, version)
    }

    /// Fetches a part of the folder. One that is not what a task's part will be takes the place of none: a run beside this
    /// one may just have made a newer. Whether it lies in the folder now.
    ///
    /// # Errors
    /// Io: the store does not give it, or the disk refuses.
    fn fetch(&self, part: &Path, task_id: &str) -> Result<bool> {
        let object = self.object(part)?;
        // Asked before: an object that is replaced meanwhile is not taken for what was fetched.
        let version = store::version(&object)?;
        let fetched = AtomicPath::beside(part)?;
        if !store::fetch(&object, fetched.path())? {
            return Ok(false);
        }
        // It keeps time and inode when it gets its name.
        let stamp = self.stamp(fetched.path())?;
        let is_wanted = Part::open(fetched.path(), true).is_ok_and(|part| part.footer.task_id == task_id);
        let lies_there = match is_wanted {
            true => fetched.commit().map(|()| true)?,
            false => fetched.commit_where_none_is()?,
        };
        if lies_there {
            note_sent(&self.receipt(part)?, &stamp, version)?;
        }
        Ok(lies_there)
    }

    /// Sends what a merge has put in place. What an earlier merge left there and this one did not make is removed.
    ///
    /// # Errors
    /// Io: the store does not take it, or another merge sends at the same time; without SHA256SUMS nobody takes what is there
    /// for finished.
    fn publish<'a>(&self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        let list = self.folder.join(CHECKSUMS);
        let sums = std::fs::read(&list).map_err(|e| io_error("a file cannot be read", &list, &e))?;
        let list_there = self.object(&list)?;
        let names: BTreeSet<&str> = names.map(String::as_str).collect();
        let is_sent = || Ok(store::content(&list_there, LARGEST_LIST)?.as_ref() == Some(&sums));
        let same = is_sent()?;
        let note_there = self.object(&self.note_of_names())?;
        // A list in a store may be anybody's; the note is ours.
        let before = store::content(&note_there, LARGEST_LIST)?.unwrap_or_default();
        let before = String::from_utf8_lossy(&before);
        let named = before.lines().filter_map(|line| line.split_once("  ")).map(|(_, name)| name);
        let is_product = |name: &&str| {
            !name.starts_with(".nalcms")
                && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        };
        let before: BTreeSet<&str> = named.filter(is_product).collect();
        if same && before.is_subset(&names) {
            return self.send_products(&names);
        }
        // Who is killed from here on must not orphan what there was, nor what came since: all names are noted first.
        let note = self.send_note(before.union(&names).copied())?;
        if !same {
            store::remove(&list_there)?;
        }
        self.send_products(&names)?;
        for name in before.difference(&names) {
            store::remove(&self.object(&self.folder.join(name))?)?;
        }
        // A store has no locks. Whose note was replaced leaves no list, so that a mixture is not taken for finished; but a list
        // of just these outputs is that of a merge that sent the same.
        if store::content(&note_there, LARGEST_LIST)?.is_none_or(|there| there != note) {
            if is_sent()? {
                return Ok(());
            }
            store::remove(&list_there)?;
            return Err(Error::new(
                ErrorKind::Io,
                "another process sends outputs to the same place in the store",
            )
            .at(self.store.display())
            .help("wait until it ends, then run or merge again: what is there now is not finished"));
        }
        self.send_note(names.into_iter())?;
        if same { Ok(()) } else { store::put(&list, &list_there).map(drop) }
    }

    /// Sends what the list of checksums names, and run.json.
    fn send_products(&self, names: &BTreeSet<&str>) -> Result<()> {
        names.par_iter().try_for_each(|name| self.send(&self.folder.join(name)))?;
        let provenance = self.folder.join("run.json");
        store::put(&provenance, &self.object(&provenance)?).map(drop)
    }

    fn note_of_names(&self) -> PathBuf {
        work_folder(&self.folder).join("published")
    }

    /// Writes down which objects are there or come, after a line that no other process writes; what was written.
    fn send_note<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<Vec<u8>> {
        let note = self.note_of_names();
        // A name that nobody else draws.
        let drawn = temporary_folder(&work_folder(&self.folder))?;
        let mut text = format!("# {}\n", drawn.path().file_name().unwrap_or_default().display());
        text.extend(names.map(|name| format!("-  {name}\n")));
        write_bytes(&note, text.as_bytes())?;
        store::put(&note, &self.object(&note)?)?;
        Ok(text.into_bytes())
    }

    /// The object that a file of the folder goes to.
    fn object(&self, file: &Path) -> Result<PathBuf> {
        Ok(within(&self.store, self.name(file)?))
    }

    fn name<'a>(&self, file: &'a Path) -> Result<&'a Path> {
        file.strip_prefix(&self.folder).map_err(|_| Error::bug("a file lies outside the work folder"))
    }

    /// Where it is noted that a file was sent.
    fn receipt(&self, file: &Path) -> Result<PathBuf> {
        Ok(work_folder(&self.folder).join("sent").join(self.name(file)?))
    }

    /// What a file is and where it goes: files are put in place whole, so a new one is another inode.
    fn stamp(&self, file: &Path) -> Result<String> {
        let found = std::fs::metadata(file).map_err(|e| io_error("a file cannot be read", file, &e))?;
        let (len, inode) = (found.len(), found.ino());
        Ok(format!("{} {len} {}.{} {inode}", self.store.display(), found.mtime(), found.mtime_nsec()))
    }
}

/// Notes which file an object is of, and which version of the object that is; without a version it cannot be known again.
fn note_sent(receipt: &Path, stamp: &str, version: Option<String>) -> Result<()> {
    let Some(version) = version else { return Ok(()) };
    write_bytes(receipt, format!("{stamp}\n{version}").as_bytes())
}

/// Takes the output folder of a job; of an output in a store, also its place there.
///
/// # Errors
/// Those of [`OutputFolder::take`]. Usage: the place in the store belongs to another job. Io: the store does not answer.
pub fn take(job: &Job, overwrite: bool, access: Access) -> Result<OutputFolder> {
    let mirror = Mirror::of(job);
    if let Some(mirror) = &mirror {
        mirror.make_folder()?;
    }
    let folder = OutputFolder::take(&job.output, &job.owner, overwrite, access)?;
    if let Some(mirror) = &mirror {
        mirror.claim(&job.owner, overwrite)?;
    }
    Ok(folder)
}

/// Whether all outputs of some state of a job are in place.
///
/// # Errors
/// Io: the store does not answer.
pub fn is_published(job: &Job) -> Result<bool> {
    let list = job.output.join(CHECKSUMS);
    match Mirror::of(job) {
        Some(mirror) => Ok(store::size(&mirror.object(&list)?)?.is_some()),
        None => Ok(list.exists()),
    }
}

/// Whether what is in place is what a merge has put into the folder on disk: of an output in a store by its list of checksums.
///
/// # Errors
/// Io: the store does not answer.
pub fn is_published_as_here(job: &Job) -> Result<bool> {
    let list = job.output.join(CHECKSUMS);
    let here = std::fs::read(&list).ok();
    match Mirror::of(job) {
        Some(mirror) => Ok(here.is_some() && store::content(&mirror.object(&list)?, LARGEST_LIST)? == here),
        None => Ok(here.is_some()),
    }
}

/// Sends what a merge has put in place, where it goes to a store.
///
/// # Errors
/// Io: the store does not take it.
pub fn publish(plan: &JobPlan, merged: &Merged) -> Result<()> {
    Mirror::of(&plan.job).map_or(Ok(()), |mirror| mirror.publish(merged.files.keys()))
}

/// Reads the state of some tasks; of a job whose output goes to a store, after fetching what lies there and not here.
///
/// # Errors
/// Io: the store does not answer, or the disk refuses.
pub fn read_ledger(plan: &JobPlan, hashes: &InputHashes, output: &Path, share: &Share) -> Result<Ledger> {
    let ledger = Ledger::read(plan, hashes, output, share);
    let Some(mirror) = Mirror::of(&plan.job) else { return Ok(ledger) };
    mirror.make_folder()?;
    let missing = to_do(plan, &ledger);
    let fetch = |(_, task): &(&Plan, &Task)| mirror.fetch(ledger.part_path(task), &ledger.ids[task.index]);
    let fetched: Vec<bool> = missing.par_iter().map(fetch).collect::<Result<_>>()?;
    Ok(if fetched.contains(&true) { Ledger::read(plan, hashes, output, share) } else { ledger })
}

/// Sends the parts that are done and did not reach the store, as after a run that it refused.
///
/// # Errors
/// Io: the store does not take one.
pub fn send_done(plan: &JobPlan, ledger: &Ledger) -> Result<()> {
    let Some(mirror) = Mirror::of(&plan.job) else { return Ok(()) };
    let open: BTreeSet<usize> = to_do(plan, ledger).into_iter().map(|(_, task)| task.index).collect();
    let done: Vec<&Path> = plan
        .tasks()
        .filter(|(_, task)| ledger.share().holds(task.index) && !open.contains(&task.index))
        .map(|(_, task)| ledger.part_path(task))
        .collect();
    done.par_iter().try_for_each(|part| mirror.send(part))
}
