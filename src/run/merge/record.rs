//! What a merge notes of itself: which outputs are ours, and of which parts they were made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::atomic::write_bytes;
use crate::io::digest::{CHECKSUMS, sha256_file};
use crate::run::work_folder;

/// What a merge notes of itself.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// Of the merge; none before all files are in place.
    pub identity: Option<String>,
    /// Which files are ours, with their checksums.
    pub files: BTreeMap<String, String>,
    /// Valid source cells outside the grid, by file.
    pub outside: BTreeMap<String, u64>,
}

impl Record {
    /// Where it lies.
    pub fn path(output: &Path) -> PathBuf {
        work_folder(output).join("merged.json")
    }

    /// What an earlier merge of just this noted, if SHA256SUMS still says the same.
    pub fn in_place(identity: &str, output: &Path) -> Option<Self> {
        let record = Self::read(&Self::path(output))?;
        let listed = std::fs::read_to_string(output.join(CHECKSUMS)).ok()?;
        let same = record.identity.as_deref() == Some(identity) && listed == checksums(&record.files);
        same.then_some(record)
    }

    /// What is noted; none where it cannot be read.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Notes it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let bytes = serde_json::to_vec(self).map_err(|e| Error::bug(e.to_string()))?;
        write_bytes(path, &bytes)
    }

    /// Whether every output is still what it was made.
    pub fn is_intact(&self, output: &Path) -> bool {
        self.files.iter().all(|(name, hash)| sha256_file(&output.join(name)).is_ok_and(|h| h == *hash))
    }
}

/// The text of SHA256SUMS.
pub(super) fn checksums(files: &BTreeMap<String, String>) -> String {
    files.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect()
}
