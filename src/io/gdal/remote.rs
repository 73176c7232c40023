//! Files in stores that answer over the network, read by GDAL's virtual file systems.
//!
//! GDAL may ask the network for nothing but what a job names: `reached` is the one place that opens the way, for the
//! thread and the time that a named file is worked on. Everywhere else a reference inside a file leads nowhere.
//!
//! A remote file is identified by what its server says of it. What is read counts only as long as that stays the same
//! from the first look to the last ([`refuse_changed`]).

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::vsi;
use crate::error::{Error, ErrorKind, Result};
use crate::io::digest::hex;
use crate::io::place::{REMOTE_ENDINGS, gdal_name, is_remote};
use crate::io::stop;

/// Which endings GDAL may ask servers for.
const ALLOWED: &str = "CPL_VSIL_CURL_ALLOWED_EXTENSIONS";

/// No name ends so: the network is closed.
const NOTHING: &str = ".nothing-of-a-job";

/// What GDAL asks of a server beside a file: nothing, or a folder's list and a dozen companions that are not there.
const SIBLINGS: &str = "GDAL_DISABLE_READDIR_ON_OPEN";

/// How GDAL talks to servers, where the user's environment does not say otherwise: passing failures are tried again, and
/// nothing waits for ever.
const MANNERS: [(&str, &str); 11] = [
    ("GDAL_HTTP_MAX_RETRY", "5"),
    ("GDAL_HTTP_RETRY_DELAY", "1"),
    ("GDAL_HTTP_CONNECTTIMEOUT", "10"),
    // Seconds with fewer bytes a second than the limit below.
    ("GDAL_HTTP_LOW_SPEED_TIME", "30"),
    ("GDAL_HTTP_LOW_SPEED_LIMIT", "1000"),
    ("GDAL_HTTP_TIMEOUT", "900"),
    // Bytes that are asked for at a time: a block of a class map, or two.
    ("CPL_VSIL_CURL_CHUNK_SIZE", "131072"),
    // Bytes that are kept for all files together; VSI_CACHE would keep some for each file that is open.
    ("CPL_VSIL_CURL_CACHE_SIZE", "67108864"),
    // MiB of an upload that are held in memory, and sent at a time.
    ("VSIS3_CHUNK_SIZE", "16"),
    ("VSIGS_CHUNK_SIZE", "16"),
    ("VSIAZ_CHUNK_SIZE", "64"),
];

/// Endings that the user's environment allows, where it says so.
static ALLOWED_BY_USER: OnceLock<Option<String>> = OnceLock::new();

/// What servers said of each file when it was looked at first.
static FIRST_SEEN: Mutex<BTreeMap<PathBuf, RemoteStamp>> = Mutex::new(BTreeMap::new());

/// Times that a remote file is tried, where GDAL's own tries did not do.
const TRIES: u32 = 4;

/// What a server says of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemoteStamp {
    /// Its entity tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When it was changed last, told where there is no entity tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// Its size.
    pub bytes: u64,
}

impl RemoteStamp {
    /// What tells this version of a file from others, in words; none if its server says nothing but the size.
    pub fn words(&self) -> Option<String> {
        let version = match (&self.etag, &self.last_modified) {
            (Some(etag), _) => format!("etag {etag}"),
            (None, Some(date)) => format!("last modified {date}"),
            (None, None) => return None,
        };
        Some(format!("{version}, {} bytes", self.bytes))
    }
}

/// Closes the network, and sets how GDAL talks to servers once something is asked of them.
///
/// # Errors
/// Bug: GDAL refuses a configuration option.
pub(super) fn init() -> Result<()> {
    let option = |key: &str| gdal::config::get_config_option(key, "").map_err(|e| Error::bug(e.to_string()));
    let set = |key: &str, value: &str| {
        gdal::config::set_config_option(key, value).map_err(|e| Error::bug(e.to_string()))
    };
    for (key, value) in MANNERS {
        if option(key)?.is_empty() {
            set(key, value)?;
        }
    }
    let of_user = option(ALLOWED)?;
    ALLOWED_BY_USER.get_or_init(|| (!of_user.is_empty() && of_user != NOTHING).then_some(of_user));
    set(ALLOWED, NOTHING)
}

/// Does something with a file; where it is remote, GDAL may ask the network meanwhile, on this thread.
pub(super) fn reached<T>(place: &Path, work: impl FnOnce() -> T) -> T {
    if !is_remote(place) {
        return work();
    }
    let of_user = ALLOWED_BY_USER.get().and_then(Option::as_deref);
    let ours = || REMOTE_ENDINGS.map(|ending| format!(".{ending}")).join(",");
    let allowed = of_user.map_or_else(ours, str::to_string);
    let _endings = ThreadOption::set(ALLOWED, &allowed);
    let _siblings = ThreadOption::set(SIBLINGS, "EMPTY_DIR");
    work()
}

/// Does something with one object of a store; GDAL may ask the network for that alone meanwhile, on this thread.
///
/// # Errors
/// Input: no name.
pub(super) fn only<T>(object: &Path, work: impl FnOnce() -> T) -> Result<T> {
    let name = gdal_name(object)?;
    let _object = ThreadOption::set("CPL_VSIL_CURL_ALLOWED_FILENAME", &name);
    let _siblings = ThreadOption::set(SIBLINGS, "EMPTY_DIR");
    Ok(work())
}

/// An option of this thread, until it is dropped; then what it was before.
struct ThreadOption {
    key: &'static str,
    before: Option<String>,
}

impl ThreadOption {
    fn set(key: &'static str, value: &str) -> Self {
        let before = gdal::config::get_thread_local_config_option(key, "").unwrap_or_default();
        // It fails for texts with a zero byte alone, which no name has that came this far.
        let _ = gdal::config::set_thread_local_config_option(key, value);
        Self { key, before: (!before.is_empty()).then_some(before) }
    }
}

impl Drop for ThreadOption {
    fn drop(&mut self) {
        let _ = match &self.before {
            Some(before) => gdal::config::set_thread_local_config_option(self.key, before),
            None => gdal::config::clear_thread_local_config_option(self.key),
        };
    }
}

/// Tries to read a file; one that is remote several times, with growing pauses.
///
/// # Errors
/// What the last try says. Terminated, Interrupted: stopped meanwhile.
pub(super) fn patiently<T>(place: &Path, mut read: impl FnMut() -> Result<T>) -> Result<T> {
    let remote = is_remote(place);
    let mut tried = 1;
    loop {
        match reached(place, &mut read) {
            Err(error) if remote && tried < TRIES && may_pass(&error) => {
                stop::check()?;
                forget(place)?;
                std::thread::sleep(Duration::from_millis(250 << tried));
                tried += 1;
            }
            // GDAL's words do not tell a file that is none from a server that is down.
            Err(error)
                if remote
                    && error.kind() == ErrorKind::Unreadable
                    && !reached(place, || gives_first_bytes(place)) =>
            {
                return Err(error.of_kind(ErrorKind::Transient));
            }
            other => return other,
        }
    }
}

/// Whether a failure may be the network's, and another try end otherwise.
fn may_pass(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Transient | ErrorKind::Unreadable | ErrorKind::Io)
}

/// Makes GDAL forget what it holds of a file.
fn forget(place: &Path) -> Result<()> {
    vsi::forget(&gdal_name(place)?)
}

/// Asks the server of a remote file what it is now.
///
/// # Errors
/// Input: there is no such file, or the server refuses to give it. Transient: the server does not answer, or not in a way
/// that is understood.
pub fn stamp_of(place: &Path) -> Result<RemoteStamp> {
    patiently(place, || ask(place))
}

fn ask(place: &Path) -> Result<RemoteStamp> {
    let name = gdal_name(place)?;
    let headers = vsi::headers(&name).map_err(|failure| refusal(place, &failure))?;
    let header = |key: &str| {
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value.clone())
    };
    let etag = header("ETag");
    let last_modified = if etag.is_some() { None } else { header("Last-Modified") };
    let bytes = vsi::size(&name).ok_or_else(|| {
        Error::new(ErrorKind::Transient, "a server does not say how large a file is").at(place.display())
    })?;
    Ok(RemoteStamp { etag, last_modified, bytes })
}

/// What GDAL's words on a request that failed mean.
fn refusal(place: &Path, failure: &vsi::Failure) -> Error {
    let words = &failure.words;
    if failure.is_forbidden() {
        return Error::input("a server refuses access to a file").at(place.display()).found(words).help(
            "check the credentials in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, … or AWS_NO_SIGN_REQUEST=YES \
             for public data) and the rights to read; without the right to list, S3 says the same of a key that is not there",
        );
    }
    if failure.is_missing() {
        return Error::input("no such file").at(place.display()).found(words).help("check the name");
    }
    Error::new(ErrorKind::Transient, "a server does not give a file")
        .at(place.display())
        .found(words)
        .help("look at the network and the server, then run again: what is done stays done")
}

/// What the server of a remote file said when this process looked at it first, which may be now.
///
/// # Errors
/// Those of [`stamp_of`].
pub fn first_stamp(place: &Path) -> Result<RemoteStamp> {
    let seen = || FIRST_SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stamp) = seen().get(place) {
        return Ok(stamp.clone());
    }
    let stamp = stamp_of(place)?;
    Ok(seen().entry(place.to_path_buf()).or_insert(stamp).clone())
}

/// Refuses a remote file of which its server says something else than at first; then what was read may be a mixture.
///
/// # Errors
/// Transient: it changed. Those of [`stamp_of`].
pub fn refuse_changed(place: &Path) -> Result<RemoteStamp> {
    let (first, now) = (first_stamp(place)?, stamp_of(place)?);
    if first == now {
        return Ok(now);
    }
    let words = |stamp: &RemoteStamp| {
        let version = stamp.etag.as_ref().or(stamp.last_modified.as_ref());
        format!("{} ({} bytes)", version.map_or("no version", String::as_str), stamp.bytes)
    };
    Err(Error::new(ErrorKind::Transient, "a remote input changed while it was read")
        .at(place.display())
        .found(words(&now))
        .expected(words(&first))
        .help("run again: what rests on it is done anew"))
}

/// What identifies a remote file: in words what its server says of it, the same as when it was looked at first; where it
/// says nothing that tells versions apart, the SHA-256 of the file.
///
/// # Errors
/// Those of [`refuse_changed`]. Transient: the file cannot be read to its end.
pub fn identity_of(place: &Path) -> Result<String> {
    let stamp = refuse_changed(place)?;
    if let Some(words) = stamp.words() {
        return Ok(words);
    }
    patiently(place, || {
        let (mut hasher, mut bytes) = (Sha256::new(), 0);
        read_through(place, |piece| {
            bytes += piece.len() as u64;
            hasher.update(piece);
            Ok(())
        })?;
        match bytes == stamp.bytes {
            true => Ok(hex(&hasher.finalize())),
            false => Err(Error::new(ErrorKind::Transient, "a server broke off")
                .at(place.display())
                .found(format!("{bytes} of {} bytes", stamp.bytes))),
        }
    })
}

/// Whether the server of a remote file gives the first of its bytes; asked where the way is open.
fn gives_first_bytes(place: &Path) -> bool {
    let mut first = [0];
    let Ok(name) = gdal_name(place) else { return true };
    forget(place).is_ok() && vsi::File::open(&name).is_ok_and(|file| file.read(&mut first) == 1)
}

/// Hands out a remote file from its first byte to its last, a piece at a time.
///
/// # Errors
/// Transient: it cannot be read to its end. Whatever `take` says.
fn read_through(place: &Path, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let file = vsi::File::open(&gdal_name(place)?).map_err(|failure| refusal(place, &failure))?;
    let mut piece = vec![0; 1 << 20];
    loop {
        stop::check()?;
        let read = file.read(&mut piece);
        take(&piece[..read])?;
        if read < piece.len() {
            return Ok(());
        }
    }
}

/// Remote files whose names match a pattern with `*` in its last part, in bytewise order.
///
/// # Errors
/// Input: `*` stands elsewhere, or the store refuses to list. Transient: the store does not answer.
pub fn matching(pattern: &Path) -> Result<Vec<PathBuf>> {
    let text = pattern.to_string_lossy();
    let (folder, last) = text.rsplit_once('/').unwrap_or(("", &text));
    if folder.contains('*') {
        return Err(Error::usage("a pattern has `*` in a part of a remote name that is not the last")
            .at(pattern.display())
            .help("name the files, or folder by folder: s3://bucket/folder/*.tif"));
    }
    let matcher = glob::Pattern::new(&last.replace('[', "[[]"))
        .map_err(|e| Error::usage("a file pattern is malformed").at(pattern.display()).help(e))?;
    let folder = Path::new(folder);
    let names =
        patiently(folder, || vsi::list(&gdal_name(folder)?).map_err(|failure| refusal(folder, &failure)))?;
    let mut found: Vec<String> = names.into_iter().filter(|name| matcher.matches(name)).collect();
    found.sort();
    Ok(found.into_iter().map(|name| PathBuf::from(format!("{}/{name}", folder.display()))).collect())
}

/// What GDAL says last went wrong on this thread.
#[expect(unsafe_code, reason = "the last message has no safe wrapper")]
pub(super) fn last_words() -> String {
    // SAFETY: the message is the calling thread's own and copied at once.
    unsafe { CStr::from_ptr(gdal_sys::CPLGetLastErrorMsg()).to_string_lossy().trim().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_is_open_for_named_files_alone_and_shut_again() {
        super::super::init().unwrap();
        let allowed = || gdal::config::get_config_option(ALLOWED, "").unwrap();
        assert_eq!(allowed(), NOTHING);
        assert_eq!(reached(Path::new("/a/b.tif"), allowed), NOTHING);
        let inside =
            reached(Path::new("s3://b/x.tif"), || (allowed(), std::thread::spawn(allowed).join().unwrap()));
        assert!(inside.0.contains(".tif"), "{inside:?}");
        let (inner, after) =
            reached(Path::new("s3://b/x.tif"), || (reached(Path::new("s3://b/y.tif"), allowed), allowed()));
        assert_eq!(inner, after, "one within another leaves the way open");
        assert_eq!((inside.1.as_str(), allowed().as_str()), (NOTHING, NOTHING));
    }

    #[test]
    fn a_server_that_is_not_there_is_told_with_the_name() {
        super::super::init().unwrap();
        // Nobody listens at port 1.
        let error = ask(Path::new("http://127.0.0.1:1/x.tif")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
        assert!(error.to_string().contains("http://127.0.0.1:1/x.tif"), "{error}");
    }

    #[test]
    fn refusals_are_told_apart() {
        let what = |code, words: &str| {
            let failure = vsi::Failure { code, words: words.into() };
            refusal(Path::new("s3://b/tile404.tif"), &failure).what().to_string()
        };
        assert_eq!(what(0, "HTTP response code: 403"), "a server refuses access to a file");
        assert_eq!(what(6, "Access Denied"), "a server refuses access to a file");
        assert_eq!(what(0, "HTTP response code: 404"), "no such file");
        assert_eq!(what(8, "The specified key does not exist."), "no such file");
        assert_eq!(what(0, "HTTP response code: 503"), "a server does not give a file");
        assert_eq!(what(0, "tile404.tif failed"), "a server does not give a file");
    }
}
