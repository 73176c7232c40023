#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use libdeflater::{CompressionLvl, Compressor, Decompressor};
use proptest::prelude::*;

use super::bucket::{Bucket, Query};
use super::cheapest::Ways;
use super::huffman::code_lengths;
use super::lanes::{LANES, Portable};
use super::offers::{AtBoundary, Offers};
use super::prices::Prices;
use super::token::WINDOW;
use super::*;

/// A generator that gives the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Rectangles of classes, one over the other, with some noise: what a land cover map looks like to a parser.
fn patches(dice: &mut Dice, cells: usize, width: usize, classes: usize, noise_in_1000: usize) -> Vec<u32> {
    let rows = cells.div_ceil(width);
    let mut map = vec![dice.below(classes) as u32; rows * width];
    for _ in 0..rows * width / 60 {
        let (row, col) = (dice.below(rows), dice.below(width));
        let (high, wide, class) = (1 + dice.below(9), 1 + dice.below(25), dice.below(classes) as u32);
        for row in row..(row + high).min(rows) {
            map[row * width + col..row * width + (col + wide).min(width)].fill(class);
        }
    }
    for _ in 0..cells * noise_in_1000 / 1000 {
        let cell = dice.below(map.len());
        map[cell] = dice.below(classes) as u32;
    }
    map.truncate(cells);
    map
}

/// Values as little-endian bytes; wider ones get something in every byte.
fn bytes(values: &[u32], unit: usize) -> Vec<u8> {
    let spread = |value: u32| match unit {
        1 => value,
        2 => value * 101,
        _ => value.wrapping_mul(0x0101_0301),
    };
    values.iter().flat_map(|value| spread(*value).to_le_bytes().into_iter().take(unit)).collect()
}

const EFFORTS: [Effort; 3] = [Effort::Fast, Effort::Balanced, Effort::Small];

/// Encodes with all efforts, with and without SIMD, whether it pays or not; and reads it with two decoders.
fn check(raw: &[u8], row_bytes: usize, unit: usize) {
    for effort in EFFORTS {
        check_with(&mut ClassMapEncoder::new(effort), raw, row_bytes, unit);
    }
}

fn check_with(encoder: &mut ClassMapEncoder, raw: &[u8], row_bytes: usize, unit: usize) {
    let what = format!("{} bytes, rows of {row_bytes}, unit {unit}", raw.len());
    let block = Block { raw, row: row_bytes, unit };
    let (mut stream, mut other) = (vec![1, 2, 3], Vec::new());
    assert!(encoder.write_with(Portable, block, usize::MAX, &mut stream), "{what}");
    assert_reads(&stream, raw, &what);
    assert!(encoder.write_with(Native::default(), block, usize::MAX, &mut other), "{what}");
    assert!(stream == other, "{what}: other bytes with SIMD");
    assert!(encoder.write(block, usize::MAX, &mut other), "{what}");
    assert!(stream == other, "{what}: other bytes with the instructions of this processor");
    if encoder.encode(raw, row_bytes, unit, &mut other) {
        assert!(stream == other && stream.len() < raw.len(), "{what}");
    }
}

/// Both decoders check the Adler-32 at the end of the stream.
fn assert_reads(stream: &[u8], raw: &[u8], what: &str) {
    let mut decoded = vec![0; raw.len()];
    assert_eq!(Decompressor::new().zlib_decompress(stream, &mut decoded), Ok(raw.len()), "{what}");
    assert!(decoded == raw, "{what}: libdeflate reads something else");
    let decoded = miniz_oxide::inflate::decompress_to_vec_zlib(stream).unwrap();
    assert!(decoded == raw, "{what}: miniz reads something else");
}

#[test]
fn every_length_at_a_limit_of_the_format_is_read_back() {
    let lengths =
        [0, 1, 2, 3, 4, 5, 31, 32, 33, 63, 64, 65, 255, 256, 257, 258, 259, 260, 261, 262, 515, 516, 517];
    let long = [32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 70_001];
    let mut dice = Dice(7);
    for cells in lengths.into_iter().chain(long) {
        for unit in [1, 2, 4] {
            for width in [1, 2, 7, 512, 40_000] {
                let map = patches(&mut dice, cells, width, 5, 3);
                check(&bytes(&map, unit), width * unit, unit);
            }
            check(&bytes(&vec![9; cells], unit), 512 * unit, unit);
        }
    }
}

#[test]
fn runs_around_the_longest_match_are_read_back() {
    for unit in [1, 2, 4] {
        for run in (1..10).chain(250..270).chain(510..525).chain([772, 773, 774, 775]) {
            let values: Vec<u32> = (0..40).flat_map(|k| std::iter::repeat_n(k * k % 5, run)).collect();
            check(&bytes(&values, unit), 512 * unit, unit);
        }
    }
}

#[test]
fn what_is_no_class_map_is_read_back_or_refused() {
    let mut dice = Dice(3);
    let noise: Vec<u8> = (0..100_000).map(|_| dice.next() as u8).collect();
    let alternating: Vec<u8> = (0..100_000).map(|cell| cell as u8 % 2).collect();
    let all: Vec<u8> = (0..100_000).map(|cell| (cell / 3) as u8).collect();
    for raw in [&noise, &alternating, &all] {
        for unit in [1, 2, 4] {
            check(raw, 500, unit);
        }
    }
    let mut encoder = ClassMapEncoder::new(Effort::Balanced);
    for (raw, unit) in [(&noise, 1), (&noise, 2), (&noise, 4), (&alternating, 1)] {
        assert!(!encoder.encode(raw, 500, unit, &mut Vec::new()), "{unit}");
    }
    for unit in [0, 3, 8] {
        assert!(!encoder.encode(&all, 500, unit, &mut Vec::new()), "{unit}");
    }
    assert!(!encoder.encode(&all[..999], 500, 2, &mut Vec::new()), "half a value");
    assert!(!encoder.encode(&vec![0; MAX_INPUT], 500, 1, &mut Vec::new()), "too long");
    assert!(encoder.encode(&vec![0; MAX_INPUT - 4], 500, 4, &mut Vec::new()));
}

#[test]
fn any_length_of_a_row_will_do() {
    let raw = bytes(&patches(&mut Dice(5), 90_000, 300, 9, 10), 2);
    for row_bytes in [0, 1, 3, 600, 32_768, 32_769, usize::MAX] {
        check(&raw, row_bytes, 2);
    }
}

#[test]
fn thousands_of_streams_are_read_back_by_encoders_that_were_used_before() {
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let mut encoders = EFFORTS.map(ClassMapEncoder::new);
    for round in 0..3000 {
        let unit = [1, 2, 4][dice.below(3)];
        let cells = [40, 700, 3000, 40_000][dice.below(if round % 10 == 0 { 4 } else { 3 })];
        let (cells, width) = (dice.below(cells), 1 + dice.below(700));
        let (classes, noise) = (1 + dice.below(if unit == 1 { 256 } else { 40 }), dice.below(400));
        let classes = if round % 4 < 2 { classes.min(9) } else { classes };
        let raw = bytes(&patches(&mut dice, cells, width, classes, noise * (round % 5) / 4), unit);
        check_with(&mut encoders[round % 3], &raw, width * unit, unit);
    }
}

#[test]
fn a_stream_does_not_depend_on_the_blocks_before_it() {
    let mut dice = Dice(11);
    for effort in EFFORTS {
        let mut used = ClassMapEncoder::new(effort);
        // A block with more boundaries than any that follows leaves more room behind.
        let noisy = bytes(&patches(&mut dice, 512 * 512, 512, 9, 150), 1);
        assert!(used.encode(&noisy, 512, 1, &mut Vec::new()));
        // Places in the tables start anew every eight million bytes.
        for unit in [1, 2, 4].into_iter().cycle().take(15) {
            let raw = bytes(&patches(&mut dice, 512 * 512, 512, 12, 5), unit);
            let (mut fresh, mut reused) = (Vec::new(), Vec::new());
            assert!(ClassMapEncoder::new(effort).encode(&raw, 512 * unit, unit, &mut fresh));
            for _ in 0..2 {
                assert!(used.encode(&raw, 512 * unit, unit, &mut reused));
                assert!(fresh == reused, "{unit}");
            }
        }
    }
}

#[test]
fn class_maps_become_smaller_than_with_libdeflate() {
    let raw = bytes(&patches(&mut Dice(17), 512 * 512, 512, 12, 5), 1);
    let mut sizes = [6, 7, 9].map(|level| {
        let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
        let mut out = vec![0; compressor.zlib_compress_bound(raw.len())];
        compressor.zlib_compress(&raw, &mut out).unwrap()
    });
    for (size, effort) in sizes.iter_mut().zip(EFFORTS) {
        let mut out = Vec::new();
        assert!(ClassMapEncoder::new(effort).encode(&raw, 512, 1, &mut out));
        assert!(out.len() <= *size, "{effort:?}: {} bytes; libdeflate {size}", out.len());
    }
}

/// Each value as a square of them, as maps become that are taken to a finer grid.
fn enlarged(map: &[u32], width: usize, times: usize) -> Vec<u32> {
    let row =
        |row: &[u32]| row.iter().flat_map(|value| vec![*value; times]).collect::<Vec<u32>>().repeat(times);
    map.chunks_exact(width).flat_map(row).collect()
}

#[test]
fn the_most_effort_makes_no_map_larger() {
    let mut dice = Dice(23);
    let stripes: Vec<u32> = (0..512 * 512).map(|cell| cell % 512 / 10 % 4).collect();
    let rows: Vec<u32> = patches(&mut dice, 64 * 512, 512, 6, 4);
    let rows: Vec<u32> = rows.chunks_exact(512).flat_map(|row| row.repeat(8)).collect();
    let [twice, four, eight] = [2_usize, 4, 8].map(|times| {
        enlarged(&patches(&mut dice, (512 / times).pow(2), 512 / times, 9, 5), 512 / times, times)
    });
    for (number, map) in [stripes, rows, twice, four, eight].iter().enumerate() {
        for unit in [1, 2] {
            let raw = bytes(map, unit);
            let [balanced, small] = [Effort::Balanced, Effort::Small].map(|effort| {
                let mut out = Vec::new();
                assert!(ClassMapEncoder::new(effort).encode(&raw, 512 * unit, unit, &mut out));
                out.len()
            });
            assert!(small <= balanced, "map {number}, unit {unit}: {small} and {balanced} bytes");
        }
    }
}

/// The least cost from `at`, in the run before the boundary `next`, of all ways there are: each is tried.
fn least_cost(
    raw: &[u8],
    boundaries: &[u32],
    offers: &[AtBoundary],
    prices: &Prices,
    at: usize,
    next: usize,
) -> u32 {
    let Some(end) = boundaries.get(next).map(|end| *end as usize) else { return 0 };
    let inside = at > boundaries[next - 1] as usize;
    let after = |at, next| least_cost(raw, boundaries, offers, prices, at, next);
    let running = prices.run::<1>(&raw[at..end], inside) + after(end, next + 1);
    // To the whole run the longest match of all is not offered, unless it serves it.
    let offer = offers[next][usize::from(inside && offers[next][1].before as usize >= end - at)];
    let beyond = offer.beyond as usize;
    if beyond == 0 || end - at + beyond < 3 {
        return running;
    }
    let matching =
        prices.matching(end - at + beyond, offer.symbol) + after(end + beyond, offer.next as usize);
    running.min(matching)
}

/// Kraft's sum in units of 2^-15; a complete code has 2^15.
fn kraft(lengths: &[u8]) -> u32 {
    lengths.iter().filter(|length| **length > 0).map(|length| 1 << (15 - length)).sum()
}

#[test]
fn codes_of_a_tree_that_is_too_deep_keep_the_limit() {
    let (mut fibonacci, mut next) = (vec![1_u32, 1], 2);
    while next < 1 << 23 {
        fibonacci.push(next);
        next += fibonacci[fibonacci.len() - 2];
    }
    for limit in [7, 15] {
        let mut lengths = vec![0; fibonacci.len()];
        code_lengths(&fibonacci, limit, &mut lengths);
        assert_eq!(kraft(&lengths), 1 << 15, "{limit}");
        assert!(lengths.iter().all(|length| (1..=limit as u8).contains(length)), "{limit}: {lengths:?}");
        assert!(lengths.is_sorted_by(|rarer, more_frequent| rarer >= more_frequent), "{limit}");
    }
}

#[test]
fn the_lengths_of_a_small_code_are_those_of_huffman_by_hand() {
    // 1 + 1 = 2; 2 + 2 = 4; 3 + 4 = 7; 7 + 8 = 15.
    let mut lengths = [9; 6];
    code_lengths(&[8, 1, 0, 2, 1, 3], 15, &mut lengths);
    assert_eq!(lengths, [1, 4, 0, 3, 4, 2]);
    for (frequencies, expected) in [([0, 0, 0], [1, 1, 0]), ([5, 0, 0], [1, 1, 0]), ([0, 0, 5], [1, 0, 1])] {
        let mut lengths = [9; 3];
        code_lengths(&frequencies, 15, &mut lengths);
        assert_eq!(lengths, expected, "{frequencies:?}");
    }
}

proptest! {
    #[test]
    fn lanes_give_the_same_mask_as_a_plain_loop(
        left: [u8; LANES],
        change: [bool; LANES],
        to: [u8; LANES],
    ) {
        let mut right = left;
        for lane in (0..LANES).filter(|lane| change[*lane]) {
            right[lane] = to[lane];
        }
        let expected = (0..LANES).filter(|lane| left[*lane] == right[*lane]).fold(0, |mask, lane| mask | 1 << lane);
        prop_assert_eq!(Portable.equal(&left, &right), expected);
        prop_assert_eq!(Native::default().equal(&left, &right), expected);
        #[cfg(target_arch = "x86_64")]
        if let Some(lanes) = avx2::Avx2::detect() {
            prop_assert_eq!(lanes.equal(&left, &right), expected);
        }
    }

    #[test]
    fn a_bucket_remembers_the_latest_boundaries_and_rates_them_alike_everywhere(
        steps in prop::collection::vec((1_u32..20_000, 1_u32..600), 0..20),
        further in 1_u32..40_000,
        run in 1_u32..258,
        before in 0_u32..1000,
    ) {
        let mut bucket = Bucket::default();
        let mut latest = std::collections::VecDeque::new();
        let mut at = before;
        for (step, length) in steps {
            at += step;
            bucket.push(Bucket::entry(at, length));
            latest.push_front((at, length));
        }
        latest.truncate(8);
        let place = (at + further - before).max(WINDOW as u32);
        let query = Query { entry_place: place + before, place, run, score: 70_000 };
        let rated = bucket.rate(query);
        for (way, (earlier, length)) in latest.iter().enumerate() {
            let distance = query.entry_place - earlier;
            if distance <= 32_768 && *length >= run {
                prop_assert_eq!((rated.places[way], rated.scores[way]), (place - distance, 70_000 - distance as i32));
            } else {
                prop_assert!(rated.places[way] == place && rated.scores[way] < -(1 << 25));
            }
        }
        prop_assert!(rated.scores.iter().skip(latest.len()).all(|score| *score < -(1 << 25)));
        #[cfg(target_arch = "x86_64")]
        if let Some(lanes) = avx2::Avx2::detect() {
            prop_assert_eq!(lanes.rate(&bucket, query), rated);
            let mut pushed = bucket;
            lanes.push(&mut pushed, 77);
            bucket.push(77);
            prop_assert_eq!(pushed, bucket);
        }
    }

    #[test]
    fn boundaries_are_where_a_plain_loop_finds_them(
        values in prop::collection::vec(0_u32..3, 0..300),
        unit in prop::sample::select(vec![1_usize, 2, 4]),
    ) {
        let raw = bytes(&values, unit);
        let changes = (1..values.len()).filter(|cell| values[*cell] != values[cell - 1]);
        let mut expected: Vec<u32> = std::iter::once(0).chain(changes.map(|cell| (cell * unit) as u32)).collect();
        if !raw.is_empty() {
            expected.push(raw.len() as u32);
        }
        for (limit, fits) in [(usize::MAX, true), (expected.len(), true), (expected.len() - 1, false)] {
            let mut found = Boundaries::default();
            let found_all = match unit {
                1 => found.find::<1>(Native::default(), &raw, limit),
                2 => found.find::<2>(Native::default(), &raw, limit),
                _ => found.find::<4>(Native::default(), &raw, limit),
            };
            prop_assert_eq!(found_all, fits);
            prop_assert!(!fits || found.places() == expected);
        }
    }

    #[test]
    fn codes_are_complete_and_within_the_limit(frequencies in prop::collection::vec(0_u32..5000, 2..288)) {
        for limit in [9, 15] {
            let mut lengths = vec![0; frequencies.len()];
            code_lengths(&frequencies, limit, &mut lengths);
            prop_assert_eq!(kraft(&lengths), 1 << 15);
            prop_assert!(lengths.iter().all(|length| usize::from(*length) <= limit));
            prop_assert!(frequencies.iter().zip(&lengths).all(|(frequency, length)| *frequency == 0 || *length > 0));
        }
    }

    #[test]
    fn the_way_that_is_taken_is_the_cheapest_of_all(
        // Shorter in all than the longest match, which is cut from what is longer.
        runs in prop::collection::vec((0_u8..3, 1_usize..7), 1..12),
        repeated in 1_usize..4,
    ) {
        let some = runs.iter().flat_map(|(value, length)| std::iter::repeat_n(*value, *length));
        let raw: Vec<u8> = some.collect::<Vec<u8>>().repeat(repeated).into_iter().chain([9; 40]).collect();
        let mut found = Boundaries::default();
        prop_assert!(found.find::<1>(Portable, &raw, usize::MAX));
        let boundaries = found.places();
        let (mut tables, mut edges, mut room) = (Tables::new(), Edges::default(), Offers::default());
        let base = tables.start(raw.len());
        let described = edges.describe::<1>(&raw, boundaries, base);
        let search = tables.search::<_, 1>(Portable, &raw, 16, base, described).unwrap();
        let offers = room.find(&search, boundaries);
        for (run, offers) in boundaries.windows(2).zip(&offers[1..]) {
            let end = run[1] as usize;
            for offer in offers.iter().filter(|offer| offer.beyond > 0) {
                let (then, beyond) = (end - offer.distance as usize, offer.beyond as usize);
                let before = offer.before.min(run[1] - run[0]) as usize;
                prop_assert_eq!(&raw[then - before..then + beyond], &raw[end - before..end + beyond]);
            }
            prop_assert!(offers[0].beyond == 0 || offers[0].before >= run[1] - run[0]);
        }
        let mut tokens = Tokens::default();
        parse(&search, boundaries, described.costs, Effort::Balanced.match_cost(), &mut tokens);
        let prices = Prices::of(tokens.all());
        let mut costs = vec![Default::default(); boundaries.len()];
        let mut ways = Ways::<1> { raw: &raw, boundaries, offers, prices: &prices, costs: &mut costs };
        prop_assert_eq!(ways.plan(), least_cost(&raw, boundaries, offers, &prices, 0, 1));
        tokens.start::<1>(raw.len(), boundaries.len());
        ways.follow(&mut tokens);
        let mut stream = Vec::new();
        prop_assert!(deflate::write_zlib(&raw, tokens.all(), &mut stream));
        assert_reads(&stream, &raw, "the cheapest way");
    }

    #[test]
    fn any_runs_are_read_back(
        runs in prop::collection::vec((any::<u8>(), prop_oneof![1_usize..6, 1_usize..40, 250_usize..265]), 0..200),
        width in 1_usize..700,
        unit in prop::sample::select(vec![1_usize, 2, 4]),
    ) {
        let values: Vec<u32> =
            runs.iter().flat_map(|(value, length)| std::iter::repeat_n(u32::from(*value), *length)).collect();
        check(&bytes(&values, unit), width * unit, unit);
    }

    #[test]
    fn any_bytes_are_read_back(raw in prop::collection::vec(any::<u8>(), 0..1000), width in 1_usize..300) {
        check(&raw, width, 1);
        check(&raw[..raw.len() / 4 * 4], width, 4);
    }
}
