//! Any text as a VRT: what is let pass names plain files in plain words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::io::virtual_raster::members;

fuzz_target!(|data: &[u8]| {
    let Ok(members) = members(data) else { return };
    let text = std::str::from_utf8(data).unwrap();
    assert!(!members.is_empty());
    for word in ["subclass", "pixelfunction", "openoptions", "<![cdata[", "<!doctype"] {
        // Words of metadata and names may hold anything but the beginning of an element.
        assert!(!text.to_ascii_lowercase().contains(&format!("<{}", word.trim_start_matches('<'))));
    }
    for member in members {
        assert!(!member.name.is_empty() && member.name.trim() == member.name);
    }
});
