#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::check::check_source;
use super::*;

/// Blocks in memory, and what the store says of their lengths.
struct Blocks {
    levels: Vec<Vec<Vec<u8>>>,
    lie: u32,
}

impl BlockStore for Blocks {
    fn block_len(&self, level: u32, index: u64) -> io::Result<u32> {
        Ok(self.levels[level as usize][index as usize].len() as u32 + self.lie)
    }

    fn copy_block(&mut self, level: u32, index: u64, out: &mut Vec<u8>) -> io::Result<()> {
        out.extend(&self.levels[level as usize][index as usize]);
        Ok(())
    }
}

/// Raw blocks that differ from one another: the value of a byte follows from level, block and place.
fn raw_block(sample: SampleType, level: usize, index: usize) -> Vec<u8> {
    (0..sample.block_bytes()).map(|byte| ((level * 31 + index * 7 + byte / 600) % 19 + 1) as u8).collect()
}

fn spec(rows: u64, cols: u64, sample: SampleType, compression: Compression) -> CogSpec {
    CogSpec::new(rows, cols, sample, compression, TemplateTags::default())
}

fn blocks(spec: &CogSpec) -> Blocks {
    let mut encoder = BlockEncoder::new(spec.compression).unwrap();
    let mut encode = |level: usize, index: usize| {
        let mut block = Vec::new();
        encoder.encode(spec.sample, &raw_block(spec.sample, level, index), &mut block).unwrap();
        block
    };
    let levels = spec
        .levels
        .iter()
        .enumerate()
        .map(|(level, shape)| (0..shape.blocks() as usize).map(|index| encode(level, index)).collect())
        .collect();
    Blocks { levels, lie: 0 }
}

fn assembled(spec: &CogSpec, classic_limit: u64) -> Vec<u8> {
    let mut file = Vec::new();
    let len = assemble_within(classic_limit, &mut file, spec, &mut blocks(spec)).unwrap();
    assert_eq!(len, file.len() as u64);
    file
}

fn violations(file: &[u8]) -> Vec<String> {
    match check_source(file).unwrap() {
        LayoutVerdict::Valid(_) => Vec::new(),
        LayoutVerdict::Broken(violations) => violations,
    }
}

/// Position in a classic file of the value field of tag `id` of the native level, and the value.
fn value_field(file: &[u8], id: u16) -> (usize, u32) {
    let field =
        (194..).step_by(12).find(|at| file[*at..*at + 2] == id.to_le_bytes()).map(|entry| entry + 8).unwrap();
    (field, u32::from_le_bytes(file[field..field + 4].try_into().unwrap()))
}

fn put(file: &mut [u8], at: usize, value: u32) {
    file[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn what_is_assembled_passes_the_check_at_every_size_and_in_both_flavours() {
    for (rows, cols) in [(1, 1), (512, 512), (513, 1), (511, 513), (1500, 700), (2049, 100)] {
        for classic_limit in [layout::CLASSIC_LIMIT, 0] {
            let spec = spec(rows, cols, SampleType::U16, Compression::Fast);
            let expected = LayoutReport {
                rows,
                cols,
                sample: SampleType::U16,
                compression_code: 8,
                levels: spec.levels.clone(),
                big: classic_limit == 0,
            };
            let verdict = check_source(assembled(&spec, classic_limit).as_slice()).unwrap();
            assert_eq!(verdict, LayoutVerdict::Valid(expected), "{rows} x {cols}");
        }
    }
}

#[test]
fn every_compression_and_sample_type_is_reported() {
    for compression in [Compression::Small, Compression::Zstd, Compression::Lzw, Compression::None] {
        for sample in SampleType::ALL {
            let file = assembled(&spec(600, 20, sample, compression), layout::CLASSIC_LIMIT);
            let LayoutVerdict::Valid(report) = check_source(file.as_slice()).unwrap() else {
                panic!("{:?}", violations(&file));
            };
            assert_eq!((report.sample, report.compression_code), (sample, compression.tiff_code()));
        }
    }
}

#[test]
fn blocks_stand_smallest_level_first_between_their_length_and_their_last_four_bytes() {
    let spec = spec(600, 600, SampleType::U8, Compression::Lzw);
    let file = assembled(&spec, layout::CLASSIC_LIMIT);
    let levels = blocks(&spec).levels;
    let mut tail = Vec::new();
    for block in levels[1].iter().chain(&levels[0]) {
        tail.extend((block.len() as u32).to_le_bytes());
        tail.extend(block);
        tail.extend(&block[block.len() - 4..]);
    }
    assert!(file.ends_with(&tail));
    let (_, offsets_at) = value_field(&file, 324);
    let first_native = file.len() - tail.len() + levels[1][0].len() + 8 + 4;
    assert_eq!(file[offsets_at as usize..][..4], (first_native as u32).to_le_bytes());
}

#[test]
fn a_palette_is_repeated_in_every_level_and_must_fit_the_cells() {
    let palette = |count: u32| {
        let mut template = b"II\x2a\0\x08\0\0\0\x01\0".to_vec();
        template.extend([0x40, 0x01, 3, 0]);
        template.extend(count.to_le_bytes());
        template.extend(26_u32.to_le_bytes());
        template.extend([0; 4]);
        template.extend((0..count).flat_map(|value| (value as u16).to_le_bytes()));
        TemplateTags::from_geotiff(&template).unwrap()
    };
    let mut spec = CogSpec::new(600, 600, SampleType::U8, Compression::Fast, palette(768));
    let file = assembled(&spec, layout::CLASSIC_LIMIT);
    assert_eq!(violations(&file), [""; 0]);
    let colours: Vec<u8> = (0..768_u16).flat_map(u16::to_le_bytes).collect();
    assert_eq!(file.windows(1536).filter(|bytes| *bytes == colours).count(), 2);
    spec.sample = SampleType::U16;
    assert!(spec.check().is_err());
}

#[test]
fn a_block_of_another_length_than_announced_stops_the_assembly() {
    let spec = spec(600, 600, SampleType::U8, Compression::Fast);
    let mut blocks = blocks(&spec);
    blocks.lie = 1;
    let error = assemble(&mut io::sink(), &spec, &mut blocks).unwrap_err();
    assert!(error.to_string().starts_with("block 0 of level 1 has "), "{error}");
    blocks.lie = 0;
    blocks.levels[0][2] = vec![1, 2, 3];
    let error = assemble(&mut io::sink(), &spec, &mut blocks).unwrap_err();
    assert_eq!(error.to_string(), "block 2 of level 0 has 3 bytes; expected 4 or more");
}

type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn each_kind_of_damage_is_named() {
    let whole = assembled(&spec(600, 600, SampleType::U8, Compression::None), layout::CLASSIC_LIMIT);
    let (offsets_field, offsets_at) = value_field(&whole, 324);
    let native = u32::from_le_bytes(whole[offsets_at as usize..][..4].try_into().unwrap()) as usize;
    let damaged = |damage: Damage| {
        let mut file = whole.clone();
        damage(&mut file);
        violations(&file)
    };
    let cases: [(&str, Damage); 13] = [
        ("the ghost area is \"GDAL", &|file| file[150] = b'X'),
        ("the ghost area is missing", &|file| file[8] = b'X'),
        ("the ghost area says that another program", &|file| file[187..191].copy_from_slice(b"YES\n")),
        ("level 0: block 0 has 262144 bytes, but its leader says 7", &|file| put(file, native - 4, 7)),
        ("level 0: block 0 ends with bytes", &|file| file[native + 262_144] ^= 1),
        ("level 0: block 1 is missing", &|file| put(file, offsets_at as usize + 4, 0)),
        ("level 0: block 3 of 262144 bytes at byte", &|file| put(file, offsets_at as usize + 12, u32::MAX)),
        ("level 0: block 1 begins at byte", &|file| put(file, offsets_at as usize + 4, native as u32)),
        ("level 0: TileOffsets at byte", &|file| put(file, offsets_field, u32::MAX - 8)),
        ("level 0: TileOffsets has 5 values", &|file| put(file, offsets_field - 4, 5)),
        ("level 0: TileWidth is 256; expected 512", &|file| {
            let (field, _) = value_field(file, 322);
            put(file, field, 256);
        }),
        ("level 1: 300 rows and 300 columns; expected 301 and 300", &|file| {
            let (field, _) = value_field(file, 257);
            put(file, field, 601);
        }),
        ("the last block ends at byte", &|file| file.push(0)),
    ];
    for (expected, damage) in cases {
        let found = damaged(damage);
        assert!(found.iter().any(|violation| violation.starts_with(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn all_violations_are_listed_and_those_of_blocks_summed_up() {
    let mut file = assembled(&spec(600, 600, SampleType::U8, Compression::Fast), layout::CLASSIC_LIMIT);
    let (_, offsets_at) = value_field(&file, 324);
    for block in 0..3 {
        put(&mut file, offsets_at as usize + 4 * block, 0);
    }
    let (field, _) = value_field(&file, 322);
    put(&mut file, field, 256);
    let found = violations(&file);
    assert_eq!(
        found,
        ["level 0: TileWidth is 256; expected 512", "level 0: block 0 is missing; so it is with 2 more"]
    );
}

#[test]
fn a_directory_that_points_back_is_a_violation_and_no_endless_loop() {
    let mut file = assembled(&spec(100, 100, SampleType::U8, Compression::Fast), layout::CLASSIC_LIMIT);
    put(&mut file, 194 + 12 * 12, 192);
    let found = violations(&file);
    assert!(found[0].starts_with("directory 1 is at byte 192; expected after"), "{found:?}");
}

#[test]
fn no_bytes_make_the_check_panic() {
    for classic_limit in [layout::CLASSIC_LIMIT, 0] {
        let whole = assembled(&spec(600, 1100, SampleType::U8, Compression::Fast), classic_limit);
        let head = whole.len().min(1200);
        for len in 0..whole.len() {
            assert!(!violations(&whole[..len]).is_empty(), "{len} bytes");
        }
        for at in 0..head {
            for byte in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                let mut file = whole.clone();
                file[at] = byte;
                violations(&file);
                let end = file.len().min(at + 8);
                file[at..end].fill(byte);
                violations(&file);
            }
        }
    }
}

#[test]
fn the_tiff_crate_reads_the_same_cells_at_every_level() {
    for compression in [Compression::Fast, Compression::Lzw, Compression::None] {
        for classic_limit in [layout::CLASSIC_LIMIT, 0] {
            let spec = spec(600, 1100, SampleType::U16, compression);
            let file = io::Cursor::new(assembled(&spec, classic_limit));
            let mut decoder = tiff::decoder::Decoder::new(file).unwrap();
            for (level, shape) in spec.levels.iter().enumerate() {
                decoder.seek_to_image(level).unwrap();
                assert_eq!(decoder.dimensions().unwrap(), (shape.cols as u32, shape.rows as u32));
                for index in 0..shape.blocks() as usize {
                    let (width, height) = decoder.chunk_data_dimensions(index as u32);
                    let tiff::decoder::DecodingResult::U16(found) = decoder.read_chunk(index as u32).unwrap()
                    else {
                        panic!("cells of another type than u16");
                    };
                    let raw = raw_block(SampleType::U16, level, index);
                    let cells: Vec<u16> = raw.chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
                    let expected =
                        cells.chunks(512).take(height as usize).flat_map(|row| &row[..width as usize]);
                    assert!(found.iter().eq(expected), "{compression:?}, level {level}, block {index}");
                }
            }
        }
    }
}
