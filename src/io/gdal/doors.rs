//! What GDAL may reach: a few formats, the disk and memory. Everything else is shut when the program starts, so that
//! nothing that stands in a file can open it.
//!
//! Shut are GDAL's formats but those below, its virtual file systems (`/vsicurl/`, `/vsizip/`, …) and its HTTP client. A
//! GeoTIFF's tags, a sidecar, the CRS of a GeoJSON can name URLs, and GDAL follows them; the network being switched off
//! in PROJ does not help. Opened again is a format that a job names, and nothing else.
//!
//! The file systems of stores and servers, and the HTTP client, are shut when the first file is opened, unless a job or a flag has
//! named a remote file by then: such a process needs them, and `super::remote` lets them be used for named files alone.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use gdal::DriverManager;

use super::formats::RasterFormat;
use crate::error::{Error, ErrorKind, Result};
use crate::io::place;

/// Drivers that stay: rasters and polygons that are opened unasked, and rasters in memory.
const OPEN: [&str; 7] = ["GTiff", "HFA", "MEM", "GPKG", "GeoJSON", "ESRI Shapefile", "FlatGeobuf"];

/// File systems of GDAL that reach further than the disk, or into archives and parts of files. Left is `/vsimem/`, in
/// which templates are written.
const SHUT: [&str; 29] = [
    "/vsicurl?",
    "/vsicurl_streaming/",
    "/vsis3_streaming/",
    "/vsigs_streaming/",
    "/vsiaz_streaming/",
    "/vsiadls/",
    "/vsioss/",
    "/vsioss_streaming/",
    "/vsiswift/",
    "/vsiswift_streaming/",
    "/vsihdfs/",
    "/vsihdfs:",
    "/vsiwebhdfs/",
    "/vsizip/",
    "/vsizip{",
    "/vsitar/",
    "/vsitar{",
    "/vsigzip/",
    "/vsirar/",
    "/vsi7z/",
    "/vsikerchunk/",
    "/vsistdin/",
    "/vsistdin?",
    "/vsistdout/",
    "/vsistdout_redirect/",
    "/vsisubfile/",
    "/vsisparse/",
    "/vsicached?",
    "/vsicrypt/",
];

/// File systems of stores and servers that a job may name.
const REMOTE: [&str; 4] = ["/vsicurl/", "/vsis3/", "/vsigs/", "/vsiaz/"];

/// Formats that are shut but may be named: their drivers, kept for that.
static NAMED: Mutex<Option<Vec<(RasterFormat, Kept)>>> = Mutex::new(None);

/// A driver off GDAL's list.
struct Kept(gdal_sys::GDALDriverH);

#[expect(unsafe_code, reason = "GDAL's handle of a driver is a pointer")]
// SAFETY: drivers live as long as the program, and GDAL locks its list of them.
unsafe impl Send for Kept {}

/// Shuts everything, once; later calls do nothing.
///
/// # Errors
/// Bug: GDAL does not let itself be shut.
pub(super) fn shut() -> Result<()> {
    let mut named = NAMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if named.is_some() {
        return Ok(());
    }
    shut_file_systems(&SHUT)?;
    *named = Some(shut_formats());
    Ok(())
}

/// Shuts the network for good, unless a remote file was named in this process.
///
/// # Errors
/// Bug: GDAL does not let itself be shut.
fn shut_network(opened: &Path) -> Result<()> {
    static SHUT_ONCE: OnceLock<Result<()>> = OnceLock::new();
    if place::is_remote(opened) || place::is_any_remote_named() {
        return Ok(());
    }
    let shut = SHUT_ONCE.get_or_init(|| {
        shut_http();
        shut_file_systems(&REMOTE)
    });
    shut.clone()
}

thread_local! {
    /// The first door that GDAL tried on this thread since it was last asked.
    static TRIED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes that GDAL tried a door.
#[expect(unsafe_code, reason = "GDAL hands over text as a pointer")]
fn note(name: *const c_char) {
    if name.is_null() {
        return;
    }
    // SAFETY: GDAL hands over text that ends with a null and lives through the call.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
    TRIED.with(|tried| {
        if let Ok(mut tried) = tried.try_borrow_mut() {
            tried.get_or_insert(name);
        }
    });
}

/// Opens a file and tells if that made GDAL try a door. It found the door shut, and may have gone on as if nothing had been
/// asked for: a GeoJSON whose CRS is a URL then is one without a CRS of its own.
///
/// # Errors
/// Input: it did. Whatever `open` returns.
pub(super) fn watched<T>(path: &Path, open: impl FnOnce() -> Result<T>) -> Result<T> {
    shut_network(path)?;
    TRIED.with(|tried| tried.take());
    let opened = open();
    match TRIED.with(|tried| tried.take()) {
        None => opened,
        Some(name) => Err(Error::input("a file asks for what lies elsewhere")
            .at(path.display())
            .found(name)
            .expected("a file that is whole by itself: nothing that a file names is fetched")
            .help("write what it refers to into the file, or remove it")),
    }
}

/// Takes all drivers from GDAL's list but those of [`OPEN`], and gives those that may be named.
#[expect(unsafe_code, reason = "GDAL's handle of a driver is a pointer")]
fn shut_formats() -> Vec<(RasterFormat, Kept)> {
    let all: Vec<gdal::Driver> =
        (0..DriverManager::count()).filter_map(|i| DriverManager::get_driver(i).ok()).collect();
    let mut kept = Vec::new();
    for driver in all {
        let name = driver.short_name();
        if OPEN.contains(&name.as_str()) {
            continue;
        }
        DriverManager::deregister_driver(&driver);
        // SAFETY: the handle is only read; taking a driver off the list does not end it.
        let handle = unsafe { driver.c_driver() };
        kept.extend(RasterFormat::of_driver(&name).map(|format| (format, Kept(handle))));
    }
    kept
}

/// Lets GDAL read a format that a job or a flag names.
///
/// # Errors
/// Unsupported: the installed GDAL does not have it.
#[expect(unsafe_code, reason = "GDAL's handle of a driver is a pointer")]
pub(super) fn open_format(format: RasterFormat) -> Result<()> {
    if OPEN.contains(&format.driver()) {
        return Ok(());
    }
    let named = NAMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Where nothing is shut everything is open.
    let Some(named) = named.as_ref() else { return Ok(()) };
    match named.iter().find(|(known, _)| *known == format) {
        Some((_, driver)) => {
            // SAFETY: the handle is that of a driver that GDAL made; one that is on the list already is not taken twice.
            unsafe { gdal_sys::GDALRegisterDriver(driver.0) };
            Ok(())
        }
        None => Err(Error::new(ErrorKind::Unsupported, "the installed GDAL cannot read a format")
            .found(format.driver())
            .help("convert the file: gdal_translate IN OUT.tif, with a GDAL that can read it")),
    }
}

#[expect(unsafe_code, reason = "GDAL's file systems have no safe wrapper")]
fn shut_file_systems(prefixes: &[&str]) -> Result<()> {
    extern "C" fn no_file(_: *mut c_void, name: *const c_char, _: *const c_char) -> *mut c_void {
        note(name);
        std::ptr::null_mut()
    }
    for &prefix in prefixes {
        let prefix = CString::new(prefix).map_err(|e| Error::bug(e.to_string()))?;
        // SAFETY: the structure is GDAL's own, filled with a function that lives as long as the program and freed once;
        // GDAL copies it and the prefix. The other functions may be missing: without an open file none is called, and
        // what has no state does not exist.
        let code = unsafe {
            let callbacks = gdal_sys::VSIAllocFilesystemPluginCallbacksStruct();
            if callbacks.is_null() {
                return Err(Error::bug("GDAL has no room for a file system"));
            }
            (*callbacks).open = Some(no_file);
            let code = gdal_sys::VSIInstallPluginHandler(prefix.as_ptr(), callbacks);
            gdal_sys::VSIFreeFilesystemPluginCallbacksStruct(callbacks);
            code
        };
        if code != 0 {
            return Err(Error::bug(format!("GDAL does not shut {}", prefix.to_string_lossy())));
        }
    }
    Ok(())
}

/// The first fields of GDAL's `CPLHTTPResult`. Source: cpl_http.h of GDAL 3.6.
#[repr(C)]
struct Answer {
    status: c_int,
    content_type: *mut c_char,
    error: *mut c_char,
}

/// Room for a whole `CPLHTTPResult`: it has 72 bytes.
const ANSWER_BYTES: usize = 256;

#[expect(unsafe_code, reason = "GDAL's HTTP client has no safe wrapper")]
fn shut_http() {
    type Fetch = extern "C" fn(
        *const c_char,
        *const *const c_char,
        *const c_void,
        *mut c_void,
        *const c_void,
        *mut c_void,
        *mut c_void,
    ) -> *mut c_void;
    unsafe extern "C" {
        // In GDAL's public cpl_http.h since 3.2, and in no binding.
        fn CPLHTTPSetFetchCallback(fetch: Option<Fetch>, user_data: *mut c_void);
    }
    extern "C" fn nothing(
        url: *const c_char,
        _: *const *const c_char,
        _: *const c_void,
        _: *mut c_void,
        _: *const c_void,
        _: *mut c_void,
        _: *mut c_void,
    ) -> *mut c_void {
        note(url);
        // No answer at all would have GDAL ask by itself: it takes one that says "failed", and frees it.
        // SAFETY: the memory is GDAL's, zeroed, of more bytes than the answer has fields; an empty answer has null for every
        // pointer, and the first field is a status of which all but 0 are failures. The text is GDAL's too.
        unsafe {
            let answer = gdal_sys::VSICalloc(1, ANSWER_BYTES).cast::<Answer>();
            if !answer.is_null() {
                (*answer).status = 1;
                (*answer).error = gdal_sys::VSIStrdup(c"nothing that a file names is fetched".as_ptr());
            }
            answer.cast()
        }
    }
    // SAFETY: the function lives as long as the program; every pointer is as wide as those of the declaration, and GDAL
    // takes a null answer as "nothing came".
    unsafe { CPLHTTPSetFetchCallback(Some(nothing), std::ptr::null_mut()) };
}
