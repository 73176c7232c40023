//! Where a file lies: on a disk, or in a store that answers over the network.
//!
//! A remote file is named as users name it (`s3://bucket/key`, `https://host/file.tif`), whichever way they wrote it, and
//! that name goes wherever a path goes. The query string of a URL may hold a signature or a token: it stays in the memory
//! of this process, and names show `?…` in its place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, HIDDEN, Result, redacted};

/// How names of a store begin, for users and for GDAL.
const STORES: [(&str, &str); 5] = [
    ("s3://", "/vsis3/"),
    ("gs://", "/vsigs/"),
    ("az://", "/vsiaz/"),
    ("https://", "/vsicurl/https://"),
    ("http://", "/vsicurl/http://"),
];

/// Endings of remote files that are read, with those of their companions. What ends otherwise is asked of no server.
pub const REMOTE_ENDINGS: [&str; 12] =
    ["tif", "tiff", "img", "ige", "gpkg", "geojson", "json", "fgb", "shp", "shx", "dbf", "prj"];

/// Query strings of this run's URLs, by the name that is shown.
static QUERIES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Whether any remote name was understood in this process.
static NAMED: AtomicBool = AtomicBool::new(false);

/// Whether a job or a flag has named a remote file, so that the network is needed.
pub fn is_any_remote_named() -> bool {
    NAMED.load(Ordering::Relaxed)
}

/// The place of an input that a job file in a folder, or a user there, names.
///
/// # Errors
/// In words: a name that no store understands, that holds a password, or that GDAL would take for something else than a
/// file.
pub fn beside(folder: &Path, name: &Path) -> std::result::Result<PathBuf, String> {
    let Some(text) = name.to_str() else { return Ok(folder.join(name)) };
    let Some((scheme, key)) = remote(text)? else { return Ok(folder.join(name)) };
    let (key, query) = match scheme.starts_with("http") {
        true => key.split_once('?').map_or((key, None), |(key, query)| (key, Some(query))),
        false => (key, None),
    };
    let shown = format!("{scheme}{key}{}", if query.is_some() { "?…" } else { "" });
    check_key(scheme, key).map_err(|why| format!("`{}` {why}", redacted(&shown)))?;
    let ending = ending(Path::new(key)).unwrap_or_default();
    if !REMOTE_ENDINGS.contains(&ending.as_str()) {
        let known = REMOTE_ENDINGS.map(|ending| format!(".{ending}")).join(" ");
        return Err(format!("`{shown}` has an ending that is not asked of servers; known are {known}"));
    }
    // Where a URL ends in a text is told by these: behind one, a secret would be shown.
    if query.is_some_and(|query| query.contains(|sign: char| sign.is_whitespace() || "\"'`<>".contains(sign)))
    {
        return Err(format!(
            "`{shown}` holds a quote, a blank or an angle bracket behind its `?`: write them as %27, %22, %60, %20, %3C, %3E"
        ));
    }
    if let Some(query) = query.filter(|query| !query.starts_with(HIDDEN)) {
        remember(&shown, query)?;
    }
    Ok(PathBuf::from(shown))
}

/// The place of an output: a folder, or a prefix in a store.
///
/// # Errors
/// In words: as [`beside`]; a plain URL, which nothing can be written to.
pub fn output_beside(folder: &Path, name: &Path) -> std::result::Result<PathBuf, String> {
    let Some(text) = name.to_str() else { return Ok(folder.join(name)) };
    let Some((scheme, key)) = remote(text)? else { return Ok(folder.join(name)) };
    let shown = format!("{scheme}{key}");
    if scheme.starts_with("http") {
        return Err(format!(
            "`{}` cannot be written to: name a folder, or s3:// gs:// az://",
            redacted(&shown)
        ));
    }
    let key = key.trim_end_matches('/');
    check_key(scheme, key).map_err(|why| format!("`{}` {why}", redacted(&shown)))?;
    if key.contains('*') {
        return Err(format!("`{shown}` holds `*`, which no name of an output may"));
    }
    Ok(PathBuf::from(format!("{scheme}{key}")))
}

/// How names begin in the store of a text, and the rest; none if it names a file on disk.
fn remote(text: &str) -> std::result::Result<Option<(&'static str, &str)>, String> {
    for (scheme, prefix) in STORES {
        if let Some(key) = text.strip_prefix(scheme).or_else(|| text.strip_prefix(prefix)) {
            NAMED.store(true, Ordering::Relaxed);
            return Ok(Some((scheme, key)));
        }
    }
    if text.starts_with("/vsi") || text.contains("://") {
        return Err(format!(
            "`{}` is no name that is read: name a file on disk, or s3://bucket/key, gs://bucket/key, az://container/key, \
             https://host/file (/vsis3/, /vsigs/, /vsiaz/ and /vsicurl/ of GDAL mean the same)",
            redacted(text)
        ));
    }
    Ok(None)
}

/// What is wrong with a key, if anything is.
fn check_key(scheme: &str, key: &str) -> std::result::Result<(), &'static str> {
    let mut segments = key.split('/');
    if segments.next().is_none_or(|host| host.contains('@')) {
        return Err("holds a user or a password: credentials come from the environment alone");
    }
    let (first, rest) = key.split_once('/').unwrap_or((key, ""));
    if first.is_empty() || (scheme.starts_with("http") && rest.is_empty()) {
        return Err("names no file: a bucket or host is followed by `/` and a key");
    }
    if key.split('/').any(|segment| matches!(segment, "." | ".."))
        || rest.split('/').any(str::is_empty) && !rest.is_empty()
    {
        return Err("has a part that is empty, `.` or `..`");
    }
    if key.chars().any(|c| c.is_whitespace() || c.is_control() || "\"'`<>\\".contains(c)) {
        return Err("holds a space, a quote or another sign that no URL holds: write it as %20, %22, …");
    }
    if key.contains(['?', '#']) {
        return Err("holds `?` or `#`: tokens come from the environment alone, and patterns know only `*`");
    }
    if scheme.starts_with("http") && key.contains('*') {
        return Err("holds `*`: servers of plain URLs list no files, name each");
    }
    Ok(())
}

fn remember(shown: &str, query: &str) -> std::result::Result<(), String> {
    let mut queries = QUERIES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = queries.entry(shown.to_string()).or_insert_with(|| query.to_string());
    if known != query {
        return Err(format!(
            "`{shown}` is named twice with different query strings: they are told apart by nothing else"
        ));
    }
    Ok(())
}

/// A place that is told as seen from a folder; a remote one is told the same from everywhere.
pub fn seen_from(folder: &Path, place: &Path) -> PathBuf {
    if is_remote(place) { place.to_path_buf() } else { folder.join(place) }
}

/// What has a name within a folder or below a prefix.
pub fn within(place: &Path, name: &Path) -> PathBuf {
    match place.to_str().filter(|_| is_remote(place)) {
        Some(prefix) => PathBuf::from(format!("{prefix}/{}", name.display())),
        None => place.join(name),
    }
}

/// Whether a place is in a store.
pub fn is_remote(place: &Path) -> bool {
    place.to_str().is_some_and(|text| STORES.iter().any(|(scheme, _)| text.starts_with(scheme)))
}

/// The ending of a name in lower case, whatever query string follows it.
pub fn ending(place: &Path) -> Option<String> {
    let text = place.to_str().filter(|_| is_remote(place));
    let name = text.map_or(place, |text| Path::new(text.split('?').next().unwrap_or_default()));
    name.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase())
}

/// The name by which GDAL reads a place, with its query string: a secret that no message may hold.
///
/// # Errors
/// Input: GDAL would take the name for something else than a file; a query string that this process was not told.
pub fn gdal_name(place: &Path) -> Result<String> {
    let text = place.to_str().ok_or_else(|| Error::input("a name is no UTF-8").at(place.display()))?;
    let Some((scheme, prefix)) = STORES.iter().find(|(scheme, _)| text.starts_with(scheme)) else {
        if text.starts_with("/vsi") {
            return Err(Error::input("a name that stands for no file on disk").at(place.display()));
        }
        return Ok(text.to_string());
    };
    let key = &text[scheme.len()..];
    let Some((key, _)) = key.split_once('?') else { return Ok(format!("{prefix}{key}")) };
    let queries = QUERIES.lock().unwrap_or_else(PoisonError::into_inner);
    match queries.get(text) {
        Some(query) => Ok(format!("{prefix}{key}?{query}")),
        None => Err(Error::input("the query string of a URL is not known").at(place.display()).help(
            "query strings are kept out of plan files, for they may hold secrets: run the job file itself",
        )),
    }
}

/// The place that GDAL names.
pub fn of_gdal_name(name: &str) -> PathBuf {
    let store = STORES.iter().find_map(|(scheme, prefix)| Some((scheme, name.strip_prefix(prefix)?)));
    match store {
        None => PathBuf::from(name),
        Some((scheme, key)) => match key.split_once('?') {
            Some((key, _)) => PathBuf::from(format!("{scheme}{key}?{HIDDEN}")),
            None => PathBuf::from(format!("{scheme}{key}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> std::result::Result<String, String> {
        beside(Path::new("/jobs"), Path::new(name)).map(|place| place.display().to_string())
    }

    #[test]
    fn every_way_to_name_a_store_gives_one_name_and_gdal_its_own() {
        for (name, place, gdal) in [
            ("a/b.tif", "/jobs/a/b.tif", "/jobs/a/b.tif"),
            ("/d/b.tif", "/d/b.tif", "/d/b.tif"),
            ("s3://b/k/x.tif", "s3://b/k/x.tif", "/vsis3/b/k/x.tif"),
            ("/vsis3/b/k/x.tif", "s3://b/k/x.tif", "/vsis3/b/k/x.tif"),
            ("gs://b/x.IMG", "gs://b/x.IMG", "/vsigs/b/x.IMG"),
            ("/vsiaz/c/x.gpkg", "az://c/x.gpkg", "/vsiaz/c/x.gpkg"),
            ("https://h:8080/x.tif", "https://h:8080/x.tif", "/vsicurl/https://h:8080/x.tif"),
            ("/vsicurl/http://h/x.tif", "http://h/x.tif", "/vsicurl/http://h/x.tif"),
        ] {
            assert_eq!(named(name).unwrap(), place);
            assert_eq!(gdal_name(Path::new(place)).unwrap(), gdal);
            assert_eq!(of_gdal_name(gdal), Path::new(place));
            assert_eq!(is_remote(Path::new(place)), place.contains("://"));
        }
    }

    #[test]
    fn what_is_no_file_of_a_known_store_is_refused_in_words() {
        for (name, words) in [
            ("/vsizip/a.zip/b.tif", "is no name that is read"),
            ("/vsizip//vsicurl/https://h/a.zip/b.tif", "is no name that is read"),
            ("/vsistdin/", "is no name"),
            ("/vsimem/x.tif", "is no name"),
            ("/vsis3_streaming/b/x.tif", "is no name"),
            ("/vsicurl?url=http://h/x.tif", "is no name"),
            ("ftp://h/x.tif", "is no name"),
            ("/vsicurl/ftp://h/x.tif", "is no name"),
            ("https://me:pw@h/x.tif", "a password"),
            ("s3://key@bucket/x.tif", "a password"),
            ("s3://b/a?x.tif", "holds `?`"),
            ("s3://b/../x.tif", "`..`"),
            ("s3:///x.tif", "names no file"),
            ("https://h", "names no file"),
            ("https://h/a b.tif", "%20"),
            ("https://h/*.tif", "list no files"),
            ("https://h/x.txt", "has an ending"),
            ("s3://b/x", "has an ending"),
        ] {
            let refused = named(name).unwrap_err();
            assert!(refused.contains(words), "{name}: {refused}");
            assert!(!refused.contains("pw"), "{refused}");
        }
        assert!(gdal_name(Path::new("/vsis3/b/x.tif")).is_err(), "a name that did not come this way");
    }

    #[test]
    fn query_strings_stay_in_memory() {
        let shown = named("https://q.org/x.tif?X-Amz-Signature=S").unwrap();
        assert_eq!(shown, "https://q.org/x.tif?…");
        assert_eq!(ending(Path::new(&shown)).as_deref(), Some("tif"));
        let gdal = gdal_name(Path::new(&shown)).unwrap();
        assert_eq!(gdal, "/vsicurl/https://q.org/x.tif?X-Amz-Signature=S");
        assert_eq!(of_gdal_name(&gdal), Path::new(&shown));
        assert_eq!(named("https://q.org/x.tif?X-Amz-Signature=S").unwrap(), shown);
        let other = named("https://q.org/x.tif?X-Amz-Signature=T").unwrap_err();
        assert!(other.contains("different query strings") && !other.contains("=T"), "{other}");
        // As a plan file has it, which was never told the query.
        assert_eq!(named("https://p.org/x.tif?…").unwrap(), "https://p.org/x.tif?…");
        let error = gdal_name(Path::new("https://p.org/x.tif?…")).unwrap_err().to_string();
        assert!(error.contains("query string") && error.contains("job file"), "{error}");
    }

    #[test]
    fn outputs_are_folders_or_prefixes() {
        let named =
            |name: &str| output_beside(Path::new("/jobs"), Path::new(name)).map(|p| p.display().to_string());
        assert_eq!(named("out").unwrap(), "/jobs/out");
        assert_eq!(named("s3://b/na/2020/").unwrap(), "s3://b/na/2020");
        assert_eq!(named("/vsis3/b").unwrap(), "s3://b");
        for (name, words) in
            [("https://h/out", "cannot be written"), ("s3://b/*", "`*`"), ("/vsimem/o", "is no name")]
        {
            assert!(named(name).unwrap_err().contains(words), "{name}");
        }
    }
}
