//! First group: every file is there and is the one that was written, and no other lies among them.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use rayon::prelude::*;

use super::findings::Findings;
use super::manifest::{MANIFEST, Manifest};
use super::{heed_stop, read_bounded};
use crate::error::{Error, Result};
use crate::io::digest::CHECKSUMS;
use crate::io::digest::sha256_file;

/// Folders that hold nothing but listed files.
const FOLDERS: [&str; 4] = ["landcover", "change", "tables", "quicklook"];

/// The largest list that is read: a hundred bytes a file.
const LARGEST: u64 = 64 << 20;

/// Files of an output by name, with their SHA-256.
pub type Listing = BTreeMap<String, String>;

/// Reads `SHA256SUMS`.
///
/// # Errors
/// Input: the folder has none, so it is no finished output.
pub fn listing(output: &Path, findings: &mut Findings) -> Result<Listing> {
    let path = output.join(CHECKSUMS);
    if !path.is_file() {
        return Err(Error::input("the folder holds no finished output")
            .at(output.display())
            .found(format!("no {CHECKSUMS}"))
            .expected(format!("a folder with {CHECKSUMS}, which a run writes last"))
            .help("finish the run first: nalcms run JOB.toml"));
    }
    let mut listing = Listing::new();
    let text = match read_bounded(&path, LARGEST) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(problem) => {
            findings.add(CHECKSUMS, "reading", || problem);
            return Ok(listing);
        }
    };
    for (number, line) in (1u64..).zip(text.lines()) {
        match line.split_once("  ") {
            Some((hash, name)) if is_sha256(hash) && stays_inside(name) => {
                let twice = listing.insert(name.to_string(), hash.to_string()).is_some();
                findings.that(!twice, CHECKSUMS, "lines", || format!("line {number}: `{name}` stands twice"));
            }
            _ => findings.add(CHECKSUMS, "lines", || {
                format!("line {number}: `{line}`; expected a SHA-256, two spaces and a path below the folder")
            }),
        }
    }
    Ok(listing)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Whether a name cannot lead out of the folder.
fn stays_inside(name: &str) -> bool {
    let printable = !name.is_empty() && !name.contains(char::is_control);
    printable && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Compares files with the list, the list with `run.json`, and looks for files that are in neither.
///
/// # Errors
/// Io: a file that is there cannot be read. Terminated, Interrupted: stopped.
pub fn check(
    output: &Path,
    listing: &Listing,
    manifest: Option<&Manifest>,
    findings: &mut Findings,
) -> Result<String> {
    let problem = |(name, hash): (&String, &String)| -> Result<Option<(String, String)>> {
        heed_stop()?;
        let path = output.join(name);
        let what = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => match sha256_file(&path)? {
                found if found == *hash => return Ok(None),
                found => format!("its SHA-256 is {found}; {CHECKSUMS} has {hash}"),
            },
            Ok(_) => "is no file".into(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => "is missing".into(),
            Err(e) => format!("cannot be read: {e}"),
        };
        Ok(Some((name.clone(), what)))
    };
    let problems: Vec<Option<(String, String)>> = listing.par_iter().map(problem).collect::<Result<_>>()?;
    let differing = problems.iter().flatten().count();
    for (name, what) in problems.into_iter().flatten() {
        findings.add(&name, "checksum", || what);
    }
    for folder in FOLDERS {
        find_strangers(output, folder, listing, findings);
    }
    if let Some(manifest) = manifest {
        for (name, hash) in listing {
            let told = manifest.outputs.get(name);
            findings.that(told == Some(hash), MANIFEST, "outputs", || match told {
                Some(other) => format!("`{name}` has SHA-256 {other}; {CHECKSUMS} has {hash}"),
                None => format!("does not name `{name}`, which {CHECKSUMS} lists"),
            });
        }
        for name in manifest.outputs.keys().filter(|name| !listing.contains_key(*name)) {
            findings.add(MANIFEST, "outputs", || format!("names `{name}`, which {CHECKSUMS} does not list"));
        }
    }
    Ok(format!("{} of {} files are as {CHECKSUMS} says", listing.len() - differing, listing.len()))
}

/// Tells files below a folder that the list does not name; links are not followed.
fn find_strangers(output: &Path, folder: &str, listing: &Listing, findings: &mut Findings) {
    let Ok(entries) = std::fs::read_dir(output.join(folder)) else { return };
    for entry in entries.flatten() {
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find_strangers(output, &name, listing, findings);
        } else {
            findings.that(listing.contains_key(&name), &name, "unlisted", || {
                format!("lies there, but {CHECKSUMS} does not list it")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_of_the_folder_are_refused() {
        assert!(stays_inside("tables/a b.csv"));
        for name in ["", "/etc/passwd", "../x", "a/../../x", ".", "a\0b"] {
            assert!(!stays_inside(name), "{name}");
        }
    }
}
