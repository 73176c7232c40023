//! The output folder: one job at a time, one job for good.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::work_folder;
use crate::error::{Error, ErrorKind, Result};
use crate::io::atomic::{TEMPORARY_PREFIX, io_error, make_folder, write_bytes};

/// An output folder, locked while in use.
#[derive(Debug)]
pub struct OutputFolder {
    /// The folder.
    pub path: PathBuf,
    /// Held until the end; the lock goes with the process, however it ends.
    _lock: File,
}

/// Whose folder it is.
#[derive(Debug, Serialize, Deserialize)]
struct Owner {
    job: String,
}

impl OutputFolder {
    /// Takes a folder for a job; makes it when it is not there.
    ///
    /// # Errors
    /// Io: it cannot be made, or another process works in it. Usage: it belongs to another job, or holds files of
    /// somebody else, and `overwrite` was not said.
    pub fn take(path: &Path, job: &str, overwrite: bool) -> Result<Self> {
        if !overwrite {
            refuse_foreign(path, job)?;
        }
        let work = work_folder(path);
        make_folder(&work.join("parts"))?;
        let lock_path = work.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(|e| io_error("a lock cannot be made", &lock_path, &e))?;
        let mut locked = true;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(ErrorKind::Io, "another process is working in the output folder")
                    .at(path.display())
                    .help("wait for it, or choose another folder"));
            }
            // A file system without locks: parts are safe all the same, they are named when whole.
            Err(TryLockError::Error(_)) => locked = false,
        }
        if locked {
            let parts = work.join("parts");
            // Each of several grids has a folder of its own among the parts.
            let of_grids = subfolders(&parts)?;
            for folder in of_grids.into_iter().chain([parts, work.clone(), path.to_path_buf()]) {
                remove_leftovers(&folder)?;
            }
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

/// File that says whose folder it is.
const OWNER: &str = "job.json";

fn owner(work: &Path) -> Option<Owner> {
    serde_json::from_slice(&std::fs::read(work.join(OWNER)).ok()?).ok()
}

/// Whether a job may write into a folder unasked.
///
/// # Errors
/// Usage: it belongs to another job, or holds files of somebody else.
pub fn refuse_foreign(path: &Path, job: &str) -> Result<()> {
    let work = work_folder(path);
    if !work.exists() && path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
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

fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: &std::io::Error| io_error("a folder cannot be read", folder, e);
    let entries = std::fs::read_dir(folder).map_err(|e| failed(&e))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(|e| failed(&e)));
    Ok(paths.collect::<Result<Vec<_>>>()?.into_iter().filter(|path| path.is_dir()).collect())
}

/// Removes what a killed run left half-written; the lock says that nobody is writing now.
fn remove_leftovers(folder: &Path) -> Result<()> {
    let failed = |e: &std::io::Error| io_error("a folder cannot be read", folder, e);
    for entry in std::fs::read_dir(folder).map_err(|e| failed(&e))? {
        let path = entry.map_err(|e| failed(&e))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY_PREFIX)) {
            std::fs::remove_file(&path).map_err(|e| io_error("a leftover cannot be removed", &path, &e))?;
        }
    }
    Ok(())
}
