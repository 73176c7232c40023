//! Any bytes as a TIFF that is judged before it is opened: an answer within a bounded time, whatever they claim.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::io::tiff::{LARGEST_SIDE, judge_bytes};

fuzz_target!(|data: &[u8]| {
    // Bytes in memory can always be read.
    if let Ok(sides) = judge_bytes(data).unwrap() {
        assert!(sides.rows <= LARGEST_SIDE && sides.cols <= LARGEST_SIDE);
        // What a whole file was let pass with, a longer one is.
        let longer = [data, &[0; 64]].concat();
        assert_eq!(judge_bytes(&longer).unwrap(), Ok(sides));
    }
});
