//! The entries of an Erdas Imagine file, walked before GDAL does.
//!
//! Entries are a tree: each names its next sibling and its first child by their place in the file. GDAL follows these without
//! asking whether it has been there: entries that share children multiply with each level.
//!
//! Source: ERDAS IMAGINE .ige and .img file formats, "Ehfa_HeaderTag", "Ehfa_File", "Ehfa_Entry".

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Most entries of a file: a raster of many bands has some dozens.
const MOST_ENTRIES: usize = 65_536;

/// Walks the entries of a file; what is wrong with them, in words.
///
/// # Errors
/// The file cannot be read.
pub fn judge_file(path: &Path) -> io::Result<Result<(), String>> {
    let file = File::open(path)?;
    Ok(judge(file.metadata()?.len(), |at, bytes| file.read_exact_at(bytes, at)))
}

/// Walks the entries of a file of so many bytes, which `read` gives from a place on. A place outside the file ends a way: GDAL
/// refuses it.
fn judge(len: u64, read: impl Fn(u64, &mut [u8]) -> io::Result<()>) -> Result<(), String> {
    let number = |at: u64| -> Option<u64> {
        let mut bytes = [0; 4];
        read(at, &mut bytes).ok()?;
        Some(u32::from_le_bytes(bytes).into())
    };
    let inside = |place: &u64| *place > 0 && place.saturating_add(16) <= len;
    // The header tag is followed by the place of the file's own record, which names the root after its version and free list.
    let root = number(16).and_then(|header| number(header + 8));
    let mut seen = BTreeSet::new();
    let mut open: Vec<u64> = root.filter(inside).into_iter().collect();
    while let Some(entry) = open.pop() {
        if !seen.insert(entry) {
            return Err(format!("the entry at byte {entry} is reached in two ways"));
        }
        if seen.len() > MOST_ENTRIES {
            return Err(format!("more than {MOST_ENTRIES} entries"));
        }
        // Next, previous, parent, child.
        open.extend([entry, entry + 12].into_iter().filter_map(number).filter(inside));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose entries lie from byte 64 on, 16 bytes each: next and child by position.
    fn file(entries: &[(Option<usize>, Option<usize>)]) -> Vec<u8> {
        let place = |entry: Option<usize>| entry.map_or(0, |at| 64 + 16 * at as u32);
        let mut bytes = vec![0; 64];
        bytes[16..20].copy_from_slice(&20_u32.to_le_bytes());
        bytes[28..32].copy_from_slice(&64_u32.to_le_bytes());
        for (next, child) in entries {
            for number in [place(*next), 0, 0, place(*child)] {
                bytes.extend(number.to_le_bytes());
            }
        }
        bytes
    }

    fn judged(bytes: &[u8]) -> Result<(), String> {
        let read = |at: u64, out: &mut [u8]| {
            let from = bytes.get(at as usize..at as usize + out.len());
            out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        };
        judge(bytes.len() as u64, read)
    }

    #[test]
    fn a_tree_passes_and_circles_and_shared_children_do_not() {
        assert_eq!(judged(&file(&[(None, Some(1)), (Some(2), Some(3)), (None, None), (None, None)])), Ok(()));
        assert_eq!(judged(b"EHFA_HEADER_TAG\0"), Ok(()));
        for odd in [
            &[(Some(0), None)][..],
            &[(None, Some(1)), (Some(2), Some(3)), (None, Some(3)), (None, None)],
            &[(None, Some(1)), (None, Some(0))],
        ] {
            assert!(judged(&file(odd)).unwrap_err().contains("two ways"), "{odd:?}");
        }
        let chain: Vec<_> = (1..=70_000).map(|next| (Some(next), None)).collect();
        assert!(judged(&file(&chain)).unwrap_err().contains("more than"));
    }
}
