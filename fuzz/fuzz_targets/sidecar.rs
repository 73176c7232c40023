//! Any text as metadata beside a raster: what names overviews plainly is seen.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::io::sidecar::{foreign_overviews, names_overviews};

fuzz_target!(|data: &[u8]| {
    let foreign = foreign_overviews(data, &["A.RRD".to_string()]);
    let text = String::from_utf8_lossy(data).to_ascii_uppercase();
    if text.contains("OVERVIEW_FILE") {
        assert!(names_overviews(data));
    }
    assert!(foreign.is_none() || names_overviews(data));
});
