//! Any bytes as well-known binary: a polygon, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::io::gdal::wkb;

fuzz_target!(|data: &[u8]| {
    let Ok(bounds) = wkb::envelope(data) else {
        assert!(wkb::edges(data).is_err() && wkb::holds(data, 0.0, 0.0).is_err());
        return;
    };
    let _ = wkb::holds(data, 0.5, 0.5).unwrap();
    assert!(wkb::edges(data).unwrap().count() * 16 <= data.len());
    let mut moved = data.to_vec();
    wkb::map_points(&mut moved, |xs, ys| {
        assert_eq!(xs.len(), ys.len());
        Ok(())
    })
    .unwrap();
    assert_eq!(moved, data, "points that stay leave the bytes alone");
    // A polygon without a point has no box.
    assert_eq!(bounds[0].is_infinite(), wkb::edges(data).unwrap().count() == 0 && bounds[0] > bounds[2]);
    assert!(!bounds[0].is_finite() || bounds[0] <= bounds[2]);
});
