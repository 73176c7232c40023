//! Files that are whole or absent: temporary name with a nonce, sync, rename, sync of the folder.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::{NamedTempFile, TempDir, TempPath};

use super::digest::sha256;
use crate::error::{Error, ErrorKind, Result};

/// Prefix of temporary names; what bears it is never taken for an output.
const TEMPORARY_PREFIX: &str = ".nalcms-";

/// Older than this, in seconds, what is in the making is no more: its process would have touched it.
const ABANDONED_SECONDS: i64 = 24 * 3600;

/// Prefix of temporary names of this machine, until it is started anew: what it locks and what it leaves are told apart from
/// what other machines do in the folder.
///
/// Source: random(4), boot_id. Where there is none, all machines are one.
fn prefix() -> &'static str {
    static PREFIX: LazyLock<String> = LazyLock::new(|| {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        format!("{TEMPORARY_PREFIX}{}-", &sha256(boot.trim())[..8])
    });
    &PREFIX
}

/// Whether a file or folder is one that a killed process of this machine left half-written, or another machine's long ago; `now` is the
/// time of the file system, in seconds since 1970. That no process of this machine is writing, its caller's lock tells; on some
/// network file systems a lock says nothing about other machines.
pub fn is_leftover(path: &Path, now: i64) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy()) else { return false };
    let touched = || std::fs::symlink_metadata(path).ok().map(|found| found.mtime());
    name.starts_with(TEMPORARY_PREFIX)
        && (name.starts_with(prefix()) || touched().is_some_and(|at| at + ABANDONED_SECONDS < now))
}

/// Makes a folder and those above it.
///
/// # Errors
/// Io: the disk refuses.
pub fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|e| io_error("a folder cannot be made", path, &e))
}

/// The time of the disk that a folder lies on, in seconds since 1970: that of a file just made.
///
/// # Errors
/// Io: the disk refuses.
pub fn disk_time(folder: &Path) -> Result<i64> {
    let found = temporary_in(folder)?.as_file().metadata();
    found.map(|found| found.mtime()).map_err(|e| io_error("a file cannot be made", folder, &e))
}

/// A file in the making: nobody sees it under its name before [`AtomicFile::commit`].
#[derive(Debug)]
pub struct AtomicFile {
    writer: BufWriter<File>,
    temporary: TempPath,
    target: PathBuf,
}

impl AtomicFile {
    /// Starts a file beside its target.
    ///
    /// # Errors
    /// Io: the folder cannot be made or written.
    pub fn create(target: &Path) -> Result<Self> {
        let folder = target.parent().unwrap_or(Path::new("."));
        make_folder(folder)?;
        let (file, temporary) = temporary_in(folder)?.into_parts();
        Ok(Self { writer: BufWriter::with_capacity(1 << 20, file), temporary, target: target.to_path_buf() })
    }

    /// Syncs it and gives it its name.
    ///
    /// # Errors
    /// Io: the disk refuses; then nothing of the file remains.
    pub fn commit(self) -> Result<()> {
        let failed = |e: &std::io::Error| io_error("a file cannot be written", &self.target, e);
        let file = self.writer.into_inner().map_err(|e| failed(e.error()))?;
        file.sync_all().map_err(|e| failed(&e))?;
        drop(file);
        persist(self.temporary, &self.target)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

/// Writes bytes atomically.
///
/// # Errors
/// Io: the disk refuses.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|e| io_error("a file cannot be written", path, &e))?;
    file.commit()
}

/// A temporary name beside a target, for libraries that write files themselves.
#[derive(Debug)]
pub struct AtomicPath {
    temporary: TempPath,
    target: PathBuf,
}

impl AtomicPath {
    /// Chooses a temporary name beside the target.
    ///
    /// # Errors
    /// Io: the folder cannot be made or written.
    pub fn beside(target: &Path) -> Result<Self> {
        let folder = target.parent().unwrap_or(Path::new("."));
        make_folder(folder)?;
        Ok(Self { temporary: temporary_in(folder)?.into_temp_path(), target: target.to_path_buf() })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Syncs what was written and renames it to the target.
    ///
    /// # Errors
    /// Io: the disk refuses.
    pub fn commit(self) -> Result<()> {
        let synced = File::open(&self.temporary).and_then(|file| file.sync_all());
        synced.map_err(|e| io_error("a file cannot be synced", &self.target, &e))?;
        persist(self.temporary, &self.target)
    }

    /// The same where nothing bears the name of the target; else what was written goes away. Whether it was renamed.
    ///
    /// # Errors
    /// Io: the disk refuses.
    pub fn commit_where_none_is(self) -> Result<bool> {
        match self.temporary.persist_noclobber(&self.target) {
            Ok(()) => {
                sync_folder(&self.target);
                Ok(true)
            }
            Err(refused) if refused.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(refused) => {
                Err(io_error("a finished file cannot be put in place", &self.target, &refused.error))
            }
        }
    }
}

/// Renames a finished file into place, whatever stood there.
///
/// # Errors
/// Io: the disk refuses.
pub fn publish(from: &Path, to: &Path) -> Result<()> {
    make_folder(to.parent().unwrap_or(Path::new(".")))?;
    std::fs::rename(from, to).map_err(|e| io_error("a finished file cannot be put in place", to, &e))?;
    sync_folder(to);
    Ok(())
}

/// An error of the operating system, with what can be done about it.
pub fn io_error(what: &str, path: &Path, cause: &std::io::Error) -> Error {
    let error = Error::new(ErrorKind::Io, what).at(path.display()).found(cause.to_string());
    match cause.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            error.help("make room and run again: finished parts are kept")
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            error.help("choose an output folder that you may write to")
        }
        _ => error,
    }
}

/// A folder for files in the making, with a name of its own; gone when it is dropped.
///
/// # Errors
/// Io: it cannot be made.
pub fn temporary_folder(within: &Path) -> Result<TempDir> {
    make_folder(within)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix()).rand_bytes(16);
    builder.tempdir_in(within).map_err(|e| io_error("a folder cannot be made", within, &e))
}

fn temporary_in(folder: &Path) -> Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix()).suffix(".tmp").rand_bytes(16);
    #[cfg(unix)]
    {
        // Outputs are for others to read; the process's umask still applies.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder).map_err(|e| io_error("a file cannot be made", folder, &e))
}

fn persist(temporary: TempPath, target: &Path) -> Result<()> {
    temporary
        .persist(target)
        .map_err(|e| io_error("a finished file cannot be put in place", target, &e.error))?;
    sync_folder(target);
    Ok(())
}

/// Makes a rename or a removal durable. A file system that cannot sync folders keeps it anyway, only later.
pub fn sync_folder(target: &Path) {
    if let Some(folder) = target.parent() {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_left_is_left_over_and_what_others_make_only_after_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let own = temporary_in(folder.path()).unwrap();
        let other = folder.path().join(".nalcms-0f0f0f0f-abc.tmp");
        let output = folder.path().join("run.json");
        [&other, &output].into_iter().for_each(|path| write_bytes(path, b"x").unwrap());
        let now = disk_time(folder.path()).unwrap();
        let told = |now| [own.path(), &other, &output].map(|path| is_leftover(path, now));
        assert_eq!(told(now), [true, false, false]);
        assert_eq!(told(now + ABANDONED_SECONDS + 60), [true, true, false]);
    }

    #[test]
    fn a_file_that_must_be_new_replaces_none() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("part");
        for (content, is_new) in [(b"1", true), (b"2", false)] {
            let file = AtomicPath::beside(&target).unwrap();
            write_bytes(file.path(), content).unwrap();
            assert_eq!(file.commit_where_none_is().unwrap(), is_new);
            assert_eq!(std::fs::read(&target).unwrap(), b"1");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
