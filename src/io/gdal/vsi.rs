//! GDAL's virtual file systems, as far as remote files need them. Names are GDAL's own and may hold secrets; failures are
//! told in GDAL's words, for the caller to say of which file.

use std::ffi::{CStr, CString, c_char, c_int};

use crate::error::{Error, Result};

#[expect(unsafe_code, reason = "the crate's bindings lack what virtual file systems say of failures")]
unsafe extern "C" {
    fn VSIErrorReset();
    fn VSIGetLastErrorNo() -> c_int;
    fn VSIGetLastErrorMsg() -> *const c_char;
}

/// What GDAL says when a request fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// Of GDAL's `VSIE_` numbers; 0 where it gives none.
    pub code: c_int,
    /// In its words.
    pub words: String,
}

impl Failure {
    /// What went wrong last on this thread.
    #[expect(unsafe_code, reason = "the last failure has no safe wrapper")]
    fn last() -> Self {
        // SAFETY: the numbers and messages are the calling thread's own, and copied at once.
        let (code, of_system, of_gdal) = unsafe {
            let text = |text: *const c_char| CStr::from_ptr(text).to_string_lossy().trim().to_string();
            (VSIGetLastErrorNo(), text(VSIGetLastErrorMsg()), text(gdal_sys::CPLGetLastErrorMsg()))
        };
        let words = if of_system.is_empty() { of_gdal } else { of_system };
        let words = if words.is_empty() { "no answer that is understood".into() } else { words };
        Self { code, words }
    }

    /// Whether anything went wrong at all since [`reset`].
    #[expect(unsafe_code, reason = "the last failure has no safe wrapper")]
    fn any() -> bool {
        // SAFETY: both numbers are the calling thread's own.
        unsafe { VSIGetLastErrorNo() != 0 || gdal_sys::CPLGetLastErrorNo() != 0 }
    }

    /// Whether the server says that there is no such file.
    pub(super) fn is_missing(&self) -> bool {
        // VSIE_AWSBucketNotFound, VSIE_AWSObjectNotFound
        matches!(self.code, 7 | 8) || self.words.contains("code: 404")
    }

    /// Whether the server refuses access.
    pub(super) fn is_forbidden(&self) -> bool {
        // VSIE_AWSAccessDenied, VSIE_AWSInvalidCredentials, VSIE_AWSSignatureDoesNotMatch
        matches!(self.code, 6 | 9 | 10)
            || ["code: 401", "code: 403"].iter().any(|code| self.words.contains(code))
    }
}

type Answer<T> = std::result::Result<T, Failure>;

fn c_name(name: &str) -> Answer<CString> {
    CString::new(name).map_err(|_| Failure { code: 0, words: "a name holds a zero byte".into() })
}

/// Forgets what went wrong before.
#[expect(unsafe_code, reason = "the last failure has no safe wrapper")]
fn reset() {
    // SAFETY: both touch the calling thread's own state.
    unsafe {
        VSIErrorReset();
        gdal_sys::CPLErrorReset();
    }
}

/// Takes over a list of texts that GDAL made.
///
/// # Safety
/// The list is null, or null-terminated and ours to free.
#[expect(unsafe_code, reason = "lists of texts have no safe wrapper")]
unsafe fn texts(list: *mut *mut c_char) -> Vec<String> {
    let mut texts = Vec::new();
    let mut entry = list;
    // SAFETY: as the caller promises.
    unsafe {
        while !entry.is_null() && !(*entry).is_null() {
            texts.push(CStr::from_ptr(*entry).to_string_lossy().into_owned());
            entry = entry.add(1);
        }
        gdal_sys::CSLDestroy(list);
    }
    texts
}

/// The headers with which a server answers for a file, asked for anew.
///
/// # Errors
/// The request fails.
#[expect(unsafe_code, reason = "metadata of virtual files has no safe wrapper")]
pub(super) fn headers(name: &str) -> Answer<Vec<(String, String)>> {
    let (name, domain) = (c_name(name)?, c"HEADERS");
    // SAFETY: both names are null-terminated and outlive the call; the list is handed over to us.
    let lines = unsafe {
        reset();
        texts(gdal_sys::VSIGetFileMetadata(name.as_ptr(), domain.as_ptr(), std::ptr::null_mut()))
    };
    if lines.is_empty() {
        return Err(Failure::last());
    }
    Ok(lines
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(k, v)| (k.into(), v.trim().into()))
        .collect())
}

/// The size of a file in bytes, as GDAL noted it when it asked for the headers; none if nobody says.
///
/// The bindings do not know what the state of a file looks like, so that its end is looked for instead.
#[expect(unsafe_code, reason = "virtual files have no safe wrapper")]
pub(super) fn size(name: &str) -> Option<u64> {
    const END: c_int = 2;
    let file = File::open(name).ok()?;
    // SAFETY: the file is open.
    let (sought, size) = unsafe { (gdal_sys::VSIFSeekL(file.0, 0, END), gdal_sys::VSIFTellL(file.0)) };
    (sought == 0).then_some(size)
}

/// The names in a folder.
///
/// # Errors
/// The store refuses to list, or the folder holds nothing.
#[expect(unsafe_code, reason = "folders of virtual files have no safe wrapper")]
pub(super) fn list(folder: &str) -> Answer<Vec<String>> {
    let folder = c_name(folder)?;
    // SAFETY: the name is null-terminated and outlives the call; the list is handed over to us.
    let names = unsafe {
        reset();
        texts(gdal_sys::VSIReadDirEx(folder.as_ptr(), 0))
    };
    if names.is_empty() && Failure::any() { Err(Failure::last()) } else { Ok(names) }
}

/// Removes a file; one that is not there is as good as removed.
///
/// # Errors
/// The store refuses.
#[expect(unsafe_code, reason = "removing virtual files has no safe wrapper")]
pub(super) fn remove(name: &str) -> Answer<()> {
    let name = c_name(name)?;
    // SAFETY: the name is null-terminated and outlives the call.
    let code = unsafe {
        reset();
        gdal_sys::VSIUnlink(name.as_ptr())
    };
    let failure = Failure::last();
    if code == 0 || failure.is_missing() { Ok(()) } else { Err(failure) }
}

/// Makes GDAL forget what it knows of a file.
///
/// # Errors
/// Bug: no name.
#[expect(unsafe_code, reason = "the cache of virtual files has no safe wrapper")]
pub(super) fn forget(name: &str) -> Result<()> {
    let name = c_name(name).map_err(|failure| Error::bug(failure.words))?;
    // SAFETY: the name is null-terminated and outlives the call.
    unsafe { gdal_sys::VSICurlPartialClearCache(name.as_ptr()) };
    Ok(())
}

/// An open file. What is written is there when [`File::finish`] says so, and not before.
pub(super) struct File(*mut gdal_sys::VSILFILE);

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// There is none, or the server refuses.
    pub(super) fn open(name: &str) -> Answer<Self> {
        Self::with(name, c"rb")
    }

    /// Starts a file anew.
    ///
    /// # Errors
    /// The store refuses.
    pub(super) fn create(name: &str) -> Answer<Self> {
        Self::with(name, c"wb")
    }

    #[expect(unsafe_code, reason = "virtual files have no safe wrapper")]
    fn with(name: &str, access: &CStr) -> Answer<Self> {
        let name = c_name(name)?;
        // SAFETY: both texts are null-terminated and outlive the call.
        let file = unsafe {
            gdal_sys::CPLErrorReset();
            gdal_sys::VSIFOpenExL(name.as_ptr(), access.as_ptr(), 1)
        };
        if file.is_null() { Err(Failure::last()) } else { Ok(Self(file)) }
    }

    /// Reads as many bytes as there are, and says how many; fewer than fit at the end of the file alone.
    #[expect(unsafe_code, reason = "virtual files have no safe wrapper")]
    pub(super) fn read(&self, out: &mut [u8]) -> usize {
        // SAFETY: the file is open, and `out` has room for what is asked for.
        unsafe { gdal_sys::VSIFReadL(out.as_mut_ptr().cast(), 1, out.len(), self.0) }
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// The store refuses.
    #[expect(unsafe_code, reason = "virtual files have no safe wrapper")]
    pub(super) fn write(&self, bytes: &[u8]) -> Answer<()> {
        // SAFETY: the file is open, and GDAL reads no more than `bytes`.
        let written = unsafe { gdal_sys::VSIFWriteL(bytes.as_ptr().cast(), 1, bytes.len(), self.0) };
        if written == bytes.len() { Ok(()) } else { Err(Failure::last()) }
    }

    /// Closes the file: what was written is whole.
    ///
    /// # Errors
    /// The store refuses.
    #[expect(unsafe_code, reason = "virtual files have no safe wrapper")]
    pub(super) fn finish(mut self) -> Answer<()> {
        let file = std::mem::replace(&mut self.0, std::ptr::null_mut());
        // SAFETY: the file is open, and nobody uses it afterwards.
        let code = unsafe { gdal_sys::VSIFCloseL(file) };
        if code == 0 { Ok(()) } else { Err(Failure::last()) }
    }
}

impl Drop for File {
    #[expect(unsafe_code, reason = "virtual files have no safe wrapper")]
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the file is open, and nobody uses it afterwards.
            unsafe { gdal_sys::VSIFCloseL(self.0) };
        }
    }
}
