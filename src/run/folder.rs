//! The output folder: one job for good, outputs by one process at a time, parts by as many as there are.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::work_folder;
use crate::error::{Error, ErrorKind, Result};
use crate::io::atomic::{disk_time, io_error, is_leftover, make_folder, write_bytes};

/// What a process is going to do in an output folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Assemble outputs: one process at a time.
    Whole,
    /// Only leave parts, of which each is whole or absent: as many processes as there are, beside one that assembles.
    Parts,
}

/// An output folder, locked while in use.
#[derive(Debug)]
pub struct OutputFolder {
    /// The folder.
    pub path: PathBuf,
    /// Held until the end; the lock goes with the process, however it ends. None where the file system has no locks: parts
    /// are safe all the same, and outputs are made in a folder of each process's own.
    _lock: Option<File>,
}

/// Whose folder it is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Owner {
    pub(super) job: String,
}

impl OutputFolder {
    /// Takes a folder for a job; makes it when it is not there.
    ///
    /// # Errors
    /// Io: it cannot be made, or another process assembles outputs in it. Usage: it belongs to another job, or holds files of
    /// somebody else, and `overwrite` was not said.
    pub fn take(path: &Path, job: &str, overwrite: bool, access: Access) -> Result<Self> {
        if !overwrite {
            refuse_foreign(path, job)?;
        }
        let work = work_folder(path);
        make_folder(&work.join("parts"))?;
        let lock = match access {
            Access::Parts => shared(&work.join(PARTS_LOCK))?,
            Access::Whole => {
                let lock = alone(&work.join(LOCK))?;
                if lock.as_ref().is_err_and(|is_taken| *is_taken) {
                    return Err(Error::new(ErrorKind::Io, "another process is working in the output folder")
                        .at(path.display())
                        .help("wait for it, or choose another folder"));
                }
                lock.ok()
            }
        };
        if access == Access::Whole && lock.is_some() {
            remove_leftovers_unless_shared(path, &work)?;
        }
        // Whoever waited for the lock may find that the folder changed hands.
        if !overwrite {
            refuse_foreign(path, job)?;
        }
        if owner(&work).is_none_or(|owner| owner.job != job) {
            let owner =
                serde_json::to_vec(&Owner { job: job.into() }).map_err(|e| Error::bug(e.to_string()))?;
            write_bytes(&work.join(OWNER), &owner)?;
        }
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }
}

/// Held by whoever assembles outputs.
const LOCK: &str = "lock";

/// Held, together, by those who only leave parts.
const PARTS_LOCK: &str = "parts.lock";

fn lock_file(path: &Path) -> Result<File> {
    let lock = File::options().create(true).truncate(false).write(true).open(path);
    lock.map_err(|e| io_error("a lock cannot be made", path, &e))
}

/// A lock for one; without it whether another has it.
fn alone(path: &Path) -> Result<std::result::Result<File, bool>> {
    let file = lock_file(path)?;
    Ok(match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(true),
        Err(TryLockError::Error(_)) => Err(false),
    })
}

/// A lock for many; it is only held alone for the moment in which leftovers are removed.
fn shared(path: &Path) -> Result<Option<File>> {
    let file = lock_file(path)?;
    Ok(file.lock_shared().is_ok().then_some(file))
}

/// Removes what killed runs left half-written, unless somebody leaves parts right now.
fn remove_leftovers_unless_shared(path: &Path, work: &Path) -> Result<()> {
    let Ok(_nobody_writes) = alone(&work.join(PARTS_LOCK))? else { return Ok(()) };
    let parts = work.join("parts");
    // Each of several grids has a folder of its own among the parts.
    let of_grids = subfolders(&parts)?;
    let folders = of_grids.into_iter().chain([parts, work.to_path_buf(), path.to_path_buf()]);
    let now = disk_time(work)?;
    folders.into_iter().try_for_each(|folder| remove_leftovers(&folder, now))
}

/// File that says whose folder it is.
pub(super) const OWNER: &str = "job.json";

fn owner(work: &Path) -> Option<Owner> {
    serde_json::from_slice(&std::fs::read(work.join(OWNER)).ok()?).ok()
}

/// Whether a job may write into a folder unasked.
///
/// # Errors
/// Usage: it belongs to another job, or holds files of somebody else.
pub fn refuse_foreign(path: &Path, job: &str) -> Result<()> {
    let work = work_folder(path);
    if is_of_somebody_else(path, &work) {
        return Err(Error::usage("the output folder holds files that are not of this program")
            .at(path.display())
            .help("choose another folder, or say --overwrite to write into this one"));
    }
    match owner(&work) {
        Some(owner) if owner.job != job => Err(Error::usage("the output folder belongs to another job")
            .at(path.display())
            .found(format!("job `{}`", owner.job))
            .expected(format!("job `{job}`"))
            .help("choose another folder, or say --overwrite to take this one over")),
        _ => Ok(()),
    }
}

/// Refuses a folder that cannot be made, or that nothing can be written into.
///
/// # Errors
/// Io: a file stands in the way, or the right to write is missing.
pub fn refuse_unusable(path: &Path) -> Result<()> {
    let refused = |what: &str, at: &Path| Error::new(ErrorKind::Io, what).at(at.display());
    let help = "choose another folder";
    let Some(there) = path.ancestors().find(|folder| folder.as_os_str().is_empty() || folder.exists()) else {
        return Ok(());
    };
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    if !there.is_dir() {
        return Err(refused("a file stands where the output folder would be", there).help(help));
    }
    rustix::fs::access(there, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|e| refused("the output folder cannot be written", there).found(e).help(help))
}

/// Whether a folder holds something, but not the work folder: by one listing, as another process may make it meanwhile, and
/// over a network a name that was looked for in vain may stay away for a while after it is there.
fn is_of_somebody_else(path: &Path, work: &Path) -> bool {
    let Ok(entries) = path.read_dir() else { return false };
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    !names.is_empty() && !names.iter().any(|name| Some(name.as_os_str()) == work.file_name())
}

fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: &std::io::Error| io_error("a folder cannot be read", folder, e);
    let entries = std::fs::read_dir(folder).map_err(|e| failed(&e))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(|e| failed(&e)));
    Ok(paths.collect::<Result<Vec<_>>>()?.into_iter().filter(|path| path.is_dir()).collect())
}

/// Removes what a killed run left half-written; the locks say that nobody of this machine is writing now.
fn remove_leftovers(folder: &Path, now: i64) -> Result<()> {
    let failed = |e: &std::io::Error| io_error("a folder cannot be read", folder, e);
    for entry in std::fs::read_dir(folder).map_err(|e| failed(&e))? {
        let path = entry.map_err(|e| failed(&e))?.path();
        if is_leftover(&path, now) {
            let removed =
                if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            match removed {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(io_error("a leftover cannot be removed", &path, &e));
                }
                // It may be a file in the making of a process that only looks, and bear its name by now.
                _ => {}
            }
        }
    }
    Ok(())
}
