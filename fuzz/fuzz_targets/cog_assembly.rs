//! Small rasters of any cells, assembled: the check finds no fault; altered at the front, it still gives an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::io::cog::{
    BlockDecoder, BlockEncoder, CogSpec, Compression, LayoutVerdict, SampleType, TemplateTags, assemble,
    check_layout,
};
use nalcms_fuzz::{SCRATCH, Same, split_u16};

const CODECS: [Compression; 6] = [
    Compression::Fast,
    Compression::Balanced,
    Compression::Small,
    Compression::Zstd,
    Compression::Lzw,
    Compression::None,
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = split_u16(data) else { return };
    let Some((size, cells)) = split_u16(rest) else { return };
    let (sample, compression) = (SampleType::ALL[choice % 6], CODECS[choice / 6 % 6]);
    let mut raw: Vec<u8> = cells.iter().flat_map(|cell| [*cell; 512]).take(sample.block_bytes()).collect();
    raw.resize(sample.block_bytes(), 0);
    let mut block = Vec::new();
    BlockEncoder::new(compression).unwrap().encode(sample, &raw, &mut block).unwrap();
    let mut back = Vec::new();
    BlockDecoder::new(compression.tiff_code()).unwrap().decode(&block, raw.len(), &mut back).unwrap();
    assert!(back == raw, "a block comes back");

    let (rows, cols) = ((size % 256 * 7 + 1) as u64, (size / 256 * 9 + 1) as u64);
    let spec = CogSpec::new(rows, cols, sample, compression, TemplateTags::default());
    let mut file = Vec::new();
    let length = assemble(&mut file, &spec, &mut Same(block)).unwrap();
    assert_eq!(length, file.len() as u64);
    let verdict = SCRATCH.with(|scratch| check_layout(scratch.holding(&file)).unwrap());
    let LayoutVerdict::Valid(report) = verdict else { panic!("{verdict:?}") };
    assert_eq!((report.rows, report.cols, report.sample), (rows, cols, sample));

    // What is altered is judged, whatever it is.
    let (at, flip) = (choice / 36 % file.len().min(1024), cells.first().copied().unwrap_or(1));
    file[at] ^= flip | 1;
    let _ = SCRATCH.with(|scratch| check_layout(scratch.holding(&file)).unwrap());
});
