//! The disk: its room, and what may be done on it.

use std::path::Path;

/// Bytes that this user may still write where a folder lies; `None` where the system does not say.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let room = rustix::fs::statvfs(folder).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Whether files can be made in a folder, and locked there.
///
/// # Errors
/// The operating system's: a file cannot be made.
pub fn allows_locks(folder: &Path) -> std::io::Result<bool> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    Ok(tempfile::tempfile_in(folder)?.try_lock().is_ok())
}
