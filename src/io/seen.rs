//! Files on disk as they were when they were last opened to be understood. What is hashed afterwards must be the same file: else
//! the polygons of one edition would stand under the checksum of another.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What tells a file from another in its place, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState {
    /// Size, in bytes.
    pub bytes: u64,
    /// When it was modified: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// Its inode.
    pub inode: u64,
}

impl FileState {
    /// Of a file's metadata.
    pub fn of(found: &Metadata) -> Self {
        Self { bytes: found.len(), modified: (found.mtime(), found.mtime_nsec()), inode: found.ino() }
    }
}

static SEEN: Mutex<BTreeMap<PathBuf, FileState>> = Mutex::new(BTreeMap::new());

/// Notes a file that is about to be read. The first time counts: what is read at the second must be of the same file.
pub fn note(path: &Path) {
    if let Ok(found) = std::fs::metadata(path) {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        seen.entry(path.to_path_buf()).or_insert(FileState::of(&found));
    }
}

/// Whether a file is another than the one that was noted; one that was not is not.
pub fn has_changed(path: &Path, now: FileState) -> bool {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.get(path).is_some_and(|seen| *seen != now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::atomic::write_bytes;

    #[test]
    fn a_file_in_the_place_of_another_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        write_bytes(&path, b"one").unwrap();
        let state = |path: &Path| FileState::of(&std::fs::metadata(path).unwrap());
        assert!(!has_changed(&path, state(&path)));
        note(&path);
        assert!(!has_changed(&path, state(&path)));
        write_bytes(&other, b"two").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(has_changed(&path, state(&path)));
        note(&path);
        assert!(has_changed(&path, state(&path)), "read twice, from two files");
    }
}
