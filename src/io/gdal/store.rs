//! Objects of a store that outputs go to: each whole or absent.
//!
//! Writing a file of GDAL's stores is one request below the size of a chunk, and an upload in pieces above it, which is
//! seen by nobody before it is complete. Nothing here renames, lists, or relies on a second writer being refused.

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use super::{remote, vsi};
use crate::error::{Error, ErrorKind, Result};
use crate::io::atomic::{AtomicFile, io_error};
use crate::io::place::gdal_name;
use crate::io::stop;

/// Times that an object is sent or fetched, where GDAL's own tries did not do.
const TRIES: u32 = 4;

/// Bytes that are moved at a time.
const PIECE: usize = 1 << 20;

/// Sends a file; whoever reads the object sees the old one or the new one. What tells this version of the object from others,
/// where the store says so.
///
/// # Errors
/// Io: the file cannot be read, or the store does not take it. Terminated, Interrupted: stopped between two tries.
pub fn put(file: &Path, object: &Path) -> Result<Option<String>> {
    again(object, || {
        let failed = |failure: vsi::Failure| refused("a store does not take a file", object, &failure);
        let reads = |e: &std::io::Error| io_error("a file cannot be read", file, e);
        let mut from = std::fs::File::open(file).map_err(|e| reads(&e))?;
        let to = vsi::File::create(&gdal_name(object)?).map_err(failed)?;
        let (mut piece, mut sent) = (vec![0; PIECE], 0);
        loop {
            let read = from.read(&mut piece).map_err(|e| reads(&e))?;
            if read == 0 {
                break;
            }
            to.write(&piece[..read]).map_err(failed)?;
            sent += read as u64;
        }
        to.finish().map_err(failed)?;
        // An answer that got lost on the way looks like a failure, and the same bytes go again; a store that took less than
        // it was given is told here.
        match look(object)? {
            Some(found) if found.bytes == sent => Ok(found.version),
            found => {
                let words = format!("it has {} of {sent} bytes", found.map_or(0, |found| found.bytes));
                Err(failed(vsi::Failure { code: 0, words }))
            }
        }
    })
}

/// Fetches an object into a file; false if there is none.
///
/// # Errors
/// Io: the store does not give it, or the disk refuses.
pub fn fetch(object: &Path, file: &Path) -> Result<bool> {
    again(object, || {
        let Some(bytes) = bytes_now(object)? else { return Ok(false) };
        let mut to = AtomicFile::create(file)?;
        read_all(object, bytes, |piece| {
            to.write_all(piece).map_err(|e| io_error("a file cannot be written", file, &e))
        })?;
        to.commit()?;
        Ok(true)
    })
}

/// The content of a small object; none if there is none.
///
/// # Errors
/// Io: the store does not give it. Limit: it is larger than `most` bytes.
pub fn content(object: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    again(object, || {
        let Some(bytes) = bytes_now(object)? else { return Ok(None) };
        if bytes > most {
            return Err(Error::new(ErrorKind::Limit, "an object is larger than it can be")
                .at(object.display())
                .found(format!("{bytes} bytes"))
                .expected(format!("at most {most}")));
        }
        let mut content = Vec::new();
        read_all(object, bytes, |piece| {
            content.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(Some(content))
    })
}

/// The size of an object, asked for anew; none if there is none.
///
/// # Errors
/// Io: the store does not say.
pub fn size(object: &Path) -> Result<Option<u64>> {
    again(object, || bytes_now(object))
}

/// What tells the version of an object that is there now from others; none if there is no object, or the store does not say.
///
/// # Errors
/// Io: the store does not answer.
pub fn version(object: &Path) -> Result<Option<String>> {
    again(object, || Ok(look(object)?.and_then(|found| found.version)))
}

/// Removes an object; one that is not there is as good as removed.
///
/// # Errors
/// Io: the store refuses.
pub fn remove(object: &Path) -> Result<()> {
    again(object, || {
        // GDAL removes nothing that it holds for missing, and others may have put it there since GDAL looked.
        if bytes_now(object)?.is_none() {
            return Ok(());
        }
        let failed = |failure| refused("a store does not remove an object", object, &failure);
        vsi::remove(&gdal_name(object)?).map_err(failed)
    })
}

/// What a store says of an object.
struct Found {
    bytes: u64,
    version: Option<String>,
}

fn bytes_now(object: &Path) -> Result<Option<u64>> {
    Ok(look(object)?.map(|found| found.bytes))
}

fn look(object: &Path) -> Result<Option<Found>> {
    let name = gdal_name(object)?;
    vsi::forget(&name)?;
    let failed =
        |failure: &vsi::Failure| refused("a store does not say whether it has an object", object, failure);
    match vsi::headers(&name) {
        Ok(headers) => {
            let header = |key: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
            let version = header("ETag").or(header("Last-Modified")).map(|(_, value)| value.clone());
            // Asking for the headers made GDAL note the size.
            let bytes = vsi::size(&name);
            let bytes = bytes.ok_or_else(|| failed(&vsi::Failure { code: 0, words: "no size".into() }))?;
            Ok(Some(Found { bytes, version }))
        }
        Err(failure) if failure.is_missing() => Ok(None),
        Err(failure) => Err(failed(&failure)),
    }
}

fn read_all(object: &Path, bytes: u64, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let failed = |failure: &vsi::Failure| refused("a store does not give an object", object, failure);
    let from = vsi::File::open(&gdal_name(object)?).map_err(|failure| failed(&failure))?;
    let (mut piece, mut left) = (vec![0; PIECE], bytes);
    while left > 0 {
        stop::check()?;
        let wanted = left.min(PIECE as u64) as usize;
        let read = from.read(&mut piece[..wanted]);
        if read == 0 {
            let words = format!("it broke off {left} bytes before its end");
            return Err(failed(&vsi::Failure { code: 0, words }));
        }
        take(&piece[..read])?;
        left -= read as u64;
    }
    Ok(())
}

/// Tries several times with growing pauses, GDAL asking for nothing but the object meanwhile.
fn again<T>(object: &Path, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    let mut tried = 1;
    loop {
        match remote::only(object, &mut work)? {
            Err(error) if tried < TRIES && error.kind() == ErrorKind::Io && error.what() != FORBIDDEN => {
                stop::check()?;
                std::thread::sleep(Duration::from_millis(250 << tried));
                tried += 1;
            }
            other => return other,
        }
    }
}

/// What trying again does not mend.
const FORBIDDEN: &str = "a store refuses access";

fn refused(what: &str, object: &Path, failure: &vsi::Failure) -> Error {
    let what = if failure.is_forbidden() { FORBIDDEN } else { what };
    Error::new(ErrorKind::Io, what).at(object.display()).found(&failure.words).help(
        "check the credentials in the environment and the rights to read, write and list there; what was made stays in the \
         work folder, and the next run sends it",
    )
}
