//! Any bytes as a GeoTIFF that is read past GDAL: blocks come in their shape or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::io::tiff::{ExpectedShape, PlainBlocks};
use nalcms_fuzz::SCRATCH;

fuzz_target!(|data: &[u8]| {
    let Some((head, bytes)) = data.split_first_chunk::<6>() else { return };
    let side = |at: usize| usize::from(head[at]) + 1;
    let expected = ExpectedShape {
        rows: side(0),
        cols: side(1),
        block: (side(2), side(3)),
        cell_bytes: [1, 2, 4][usize::from(head[4]) % 3],
        signed: head[5] & 1 == 1,
    };
    SCRATCH.with(|scratch| {
        let Some(blocks) = PlainBlocks::open(scratch.holding(bytes), &expected) else { return };
        let mut decoder = blocks.decoder().unwrap();
        let (mut compressed, mut out) = (Vec::new(), Vec::new());
        for (row, col) in (0..4).flat_map(|row| (0..4).map(move |col| (row, col))) {
            let Some(place) = blocks.place(row, col) else { continue };
            if blocks.read(&place, &mut decoder, &mut compressed, &mut out).is_ok() {
                let whole = expected.block.0 * expected.block.1 * expected.cell_bytes;
                assert!(out.len() <= whole && out.len() % (expected.block.1 * expected.cell_bytes) == 0);
            }
        }
    });
});
