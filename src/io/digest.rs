//! SHA-256 of files and of what identifies a task.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::atomic::io_error;
use super::stop;
use crate::error::Result;

/// File that lists the checksums of all others; an output folder without it is not finished.
pub const CHECKSUMS: &str = "SHA256SUMS";

/// Hexadecimal SHA-256 of a file's bytes.
///
/// # Errors
/// Io: the file cannot be read. Terminated, Interrupted: the process is to stop.
pub fn sha256_file(path: &Path) -> Result<String> {
    let failed = |e: std::io::Error| io_error("a file cannot be read", path, &e);
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        stop::check()?;
        let n = file.read(&mut buffer).map_err(failed)?;
        if n == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..n]);
    }
}

/// Hexadecimal SHA-256 of bytes.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
