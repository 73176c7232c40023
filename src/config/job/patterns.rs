//! File patterns: which files they stand for, on a disk or in a store.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::gdal::remote::matching;
use crate::io::place;

/// Finds the files of patterns: relative to a folder, each pattern's matches in bytewise order.
///
/// # Errors
/// Input: patterns that match nothing, all of them; a store refuses to list. Usage: a name that no store understands.
pub fn expand_patterns(patterns: &[String], folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut empty) = (Vec::new(), Vec::new());
    for pattern in patterns {
        let full = place::beside(folder, Path::new(pattern))
            .map_err(|e| Error::usage("a file has a name that is not understood").found(e))?;
        if place::is_remote(&full) {
            if !full.to_string_lossy().contains('*') {
                files.push(full);
                continue;
            }
            let found = matching(&full)?;
            if found.is_empty() {
                empty.push(full.display().to_string());
            }
            files.extend(found);
            continue;
        }
        let is_pattern = pattern.contains(['*', '?', '[']) && !full.exists();
        if !is_pattern {
            files.push(full);
            continue;
        }
        let matches = glob::glob(&full.to_string_lossy())
            .map_err(|e| Error::usage("a file pattern is malformed").found(pattern).help(e))?;
        let mut found = matches
            .collect::<std::result::Result<Vec<PathBuf>, _>>()
            .map_err(|e| Error::input("a folder cannot be read").at(e.path().display()).found(e.error()))?;
        found.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
        if found.is_empty() {
            empty.push(full.display().to_string());
        }
        files.extend(found);
    }
    if empty.is_empty() {
        return Ok(files);
    }
    Err(Error::input("file patterns match nothing").found_all(empty).help("check the folder and the pattern"))
}
