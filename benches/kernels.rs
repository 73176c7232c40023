//! One block through each stage that works on cells: `cargo bench`.
//!
//! The block is synthetic land cover with the patches and runs of real maps; uniform noise would flatter nothing.
//! Where a fast way is held to a plain one, both stand side by side.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot set itself up should fail loudly"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nalcms::config::shipped;
use nalcms::io::cog::{BlockEncoder, Compression, SampleType};
use nalcms::kernel::ClassValue;
use nalcms::kernel::change::{CHANGE_NODATA, Unchanged, change, change_bytes};
use nalcms::kernel::histogram::{CodeCounts, PairCounts};
use nalcms::kernel::landscape::{Landscape, Profile};
use nalcms::kernel::lookup::map_bytes;
use nalcms::kernel::mosaic::{Decider, Mosaic};
use nalcms::kernel::pyramid::{BLOCK_LEVELS, Pyramid, Tie, block_pyramid};
use nalcms::kernel::reclass::{UnknownValues, reclass};
use nalcms::kernel::runs::constant;
use nalcms::kernel::tabulate::{JointCounts, tabulate};
use nalcms::kernel::weigh::Alike;
use nalcms::model::rule::{Outcome, RuleTable};
use nalcms::model::window::BLOCK;
use ndarray::Array2;

fn map(profile: Profile, year: i32) -> Array2<u8> {
    let landscape = Landscape::new(1, 30.0, profile);
    let mut cells = Array2::zeros((BLOCK, BLOCK));
    for (row, mut line) in cells.outer_iter_mut().enumerate() {
        landscape.fill_row(
            -300_000.0,
            30.0,
            100_000.0 - row as f64 * 30.0,
            year,
            line.as_slice_mut().unwrap(),
        );
    }
    cells
}

fn stages(criterion: &mut Criterion) {
    let (from, to) = (map(Profile::Interior, 2010), map(Profile::Interior, 2015));
    let zones = Array2::zeros(from.dim());
    let winners = Array2::zeros(from.dim());
    let legend = shipped::legend("nalcms", Path::new(".")).unwrap();
    let table = RuleTable::compile(&legend, None, None, &[], false);
    let mut unknown = UnknownValues::default();
    let rules = reclass(from.view(), &[], &table, &mut unknown).unwrap();
    let outcomes: Vec<Outcome> = table.rules().iter().map(|rule| rule.outcome).collect();
    let decider = Decider { source: 0, origin: 1 };

    let mut group = criterion.benchmark_group("block of 512 x 512 cells");
    group.throughput(Throughput::Elements((BLOCK * BLOCK) as u64));
    group
        .bench_function("reclass", |b| b.iter(|| reclass(black_box(from.view()), &[], &table, &mut unknown)));
    group.bench_function("mosaic", |b| {
        b.iter(|| {
            let mut mosaic = Mosaic::<u8>::new(BLOCK, BLOCK, 0);
            mosaic.lay_under(
                black_box(rules.view()),
                (0, 0),
                &outcomes,
                decider,
                Alike,
                &mut BTreeMap::new(),
            );
            mosaic
        });
    });
    group.bench_function("tabulate", |b| {
        use nalcms::kernel::tabulate::Map;
        let (from, to) = (
            Map { classes: from.view(), winners: winners.view() },
            Map { classes: to.view(), winners: winners.view() },
        );
        b.iter(|| {
            let mut counts = JointCounts::new();
            tabulate(black_box(from), black_box(to), zones.view(), Alike, 0, &mut counts);
            counts
        });
    });
    group.bench_function("change", |b| {
        b.iter(|| change(black_box(from.view()), to.view(), 0, Unchanged::Zero))
    });
    let changes = change(from.view(), to.view(), 0, Unchanged::Zero).unwrap();
    let change_bytes: Vec<u8> = changes.iter().flat_map(|code| code.to_le_bytes()).collect();
    let rasters = [
        ("land cover", SampleType::U8, from.as_slice().unwrap()),
        ("change raster", SampleType::U16, change_bytes.as_slice()),
    ];
    for compression in
        [Compression::Fast, Compression::Balanced, Compression::Small, Compression::Zstd, Compression::Lzw]
    {
        for (name, sample, bytes) in rasters {
            let (mut encoder, mut encoded) = (BlockEncoder::new(compression).unwrap(), Vec::new());
            group.bench_function(format!("encode {name}, {compression:?}"), |b| {
                b.iter(|| encoder.encode(sample, black_box(bytes), &mut encoded))
            });
        }
    }
    group.finish();
}

fn bytes(criterion: &mut Criterion) {
    let (from, to) = (map(Profile::Interior, 2010), map(Profile::Interior, 2015));
    let (from, to) = (from.as_slice().unwrap(), to.as_slice().unwrap());
    let mut group = criterion.benchmark_group("bytes of a block");
    group.throughput(Throughput::Elements((BLOCK * BLOCK) as u64));

    let mut pairs = PairCounts::new();
    group.bench_function("pairs of codes", |b| {
        b.iter(|| {
            pairs.add(black_box(from), black_box(to));
            pairs.drain(|from, to, n| {
                black_box((from, to, n));
            });
        });
    });
    let mut plain = vec![0u64; 256 * 256];
    group.bench_function("pairs of codes, plain", |b| {
        b.iter(|| {
            for (&from, &to) in black_box(from).iter().zip(black_box(to)) {
                plain[usize::from(from) * 256 + usize::from(to)] += 1;
            }
            black_box(&mut plain);
        });
    });
    let mut codes = CodeCounts::new();
    group.bench_function("codes", |b| {
        b.iter(|| {
            codes.add(black_box(from));
            codes.drain(|code, n| {
                black_box((code, n));
            });
        });
    });
    let table: [u8; 256] = std::array::from_fn(|code| (code / 2) as u8);
    let mut mapped = vec![0; from.len()];
    group.bench_function("lookup", |b| b.iter(|| map_bytes(black_box(from), &table, &mut mapped)));
    group.bench_function("lookup, plain", |b| {
        b.iter(|| {
            mapped.iter_mut().zip(black_box(from)).for_each(|(out, &code)| *out = table[usize::from(code)]);
            black_box(&mut mapped);
        });
    });
    let mut changes = vec![0; from.len()];
    group.bench_function("change", |b| {
        b.iter(|| change_bytes(black_box(from), black_box(to), 0, Unchanged::Zero, &mut changes));
    });
    let same = vec![3u8; from.len()];
    group.bench_function("constant", |b| b.iter(|| constant(black_box(&same))));
    group.finish();
}

fn pyramids(criterion: &mut Criterion) {
    for profile in [Profile::Interior, Profile::Continental] {
        let (from, to) = (map(profile, 2010), map(profile, 2015));
        let name = format!("pyramid, {profile:?}");
        pyramid(criterion, &format!("{name}, classes"), &from, 0);
        let codes = change(from.view(), to.view(), 0, Unchanged::Zero).unwrap();
        pyramid(criterion, &format!("{name}, changes"), &codes, CHANGE_NODATA);
    }
    pyramid(criterion, "pyramid, one class", &Array2::from_elem((BLOCK, BLOCK), 3u8), 0);
}

fn pyramid<T: ClassValue>(criterion: &mut Criterion, name: &str, block: &Array2<T>, nodata: T) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements((BLOCK * BLOCK) as u64));
    let size = |level: u32| (BLOCK >> level, BLOCK >> level);
    let mut levels: Vec<Array2<T>> =
        (1..=BLOCK_LEVELS).map(|level| Array2::from_elem(size(level), nodata)).collect();
    let mut worker = Pyramid::default();
    group.bench_function("fast", |b| {
        b.iter(|| {
            let mut levels: Vec<_> = levels.iter_mut().map(|level| level.view_mut()).collect();
            worker.make(black_box(block.view()), nodata, (0, 0), Tie::Hash, &mut levels);
        });
    });
    group.bench_function("plain", |b| {
        b.iter(|| block_pyramid(black_box(block.view()), nodata, (0, 0), BLOCK_LEVELS, Tie::Hash));
    });
    group.finish();
}

criterion_group!(benches, stages, bytes, pyramids);
criterion_main!(benches);
