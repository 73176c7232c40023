//! Any bytes as an Erdas Imagine file: entries that are let pass end for a reader that never asks where it has been.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::io::imagine::judge_file;
use nalcms_fuzz::SCRATCH;

/// A number of the file, where it is one of an entry that lies in it.
fn place(data: &[u8], at: usize) -> Option<usize> {
    let place = u32::from_le_bytes(*data.get(at..)?.first_chunk()?) as usize;
    (place > 0 && place + 16 <= data.len()).then_some(place)
}

fuzz_target!(|data: &[u8]| {
    let judged = SCRATCH.with(|scratch| judge_file(scratch.holding(data)).unwrap());
    if judged.is_err() {
        return;
    }
    let header =
        data.get(16..).and_then(|rest| rest.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes) as usize);
    let mut open: Vec<usize> = header.and_then(|header| place(data, header + 8)).into_iter().collect();
    let mut entries = 0;
    while let Some(entry) = open.pop() {
        entries += 1;
        assert!(entries <= 65_536);
        open.extend([entry, entry + 12].into_iter().filter_map(|at| place(data, at)));
    }
});
