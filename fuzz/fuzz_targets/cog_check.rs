//! Any bytes as a finished raster: the check of its layout answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::io::cog::{LayoutVerdict, TemplateTags, check_layout};
use nalcms_fuzz::SCRATCH;

fuzz_target!(|data: &[u8]| {
    let _ = TemplateTags::from_geotiff(data);
    SCRATCH.with(|scratch| match check_layout(scratch.holding(data)).unwrap() {
        LayoutVerdict::Valid(report) => assert!(!report.levels.is_empty()),
        LayoutVerdict::Broken(violations) => assert!(!violations.is_empty()),
    });
});
