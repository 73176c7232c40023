//! Any bytes as the part of a task, bare and as the footer of a part.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::io::part::Part;
use nalcms_fuzz::SCRATCH;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let mut file = bytes.to_vec();
    if choice & 1 == 0 {
        // A footer of all the bytes, or of more than there are; the checksum is not asked for.
        file.extend((bytes.len() as u64 + u64::from(choice / 2)).to_le_bytes());
        file.extend([0; 32]);
        file.extend(b"NALCMSP4");
    }
    SCRATCH.with(|scratch| {
        let path = scratch.holding(&file);
        let _ = Part::open(path, true);
        let Ok(part) = Part::open(path, false) else { return };
        let reader = part.reader().unwrap();
        for product in part.footer.products.iter().take(4) {
            for (offset, length) in product.blocks.iter().flatten().take(16) {
                let _ = reader.read(*offset, *length as usize);
            }
            for cells in product.cells.iter().take(4) {
                let _ = cells.read_row(&reader, cells.rows.saturating_sub(1), 0, cells.cols);
            }
        }
    });
});
