//! One block through each stage that works on cells: `cargo bench`.
//!
//! The block is synthetic land cover with the patches and runs of real maps; uniform noise would flatter nothing.

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
use nalcms::kernel::change::{Unchanged, change};
use nalcms::kernel::landscape::{Landscape, Profile};
use nalcms::kernel::mosaic::Mosaic;
use nalcms::kernel::pyramid::{BLOCK_LEVELS, Tie, block_pyramid};
use nalcms::kernel::reclass::{UnknownValues, reclass};
use nalcms::kernel::tabulate::{JointCounts, tabulate};
use nalcms::model::rule::{Outcome, RuleTable};
use nalcms::model::window::BLOCK;
use ndarray::Array2;

fn map(year: i32) -> Array2<u8> {
    let landscape = Landscape::new(1, 30.0, Profile::Interior);
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
    let (from, to) = (map(2010), map(2015));
    let zones = Array2::zeros(from.dim());
    let winners = Array2::zeros(from.dim());
    let legend = shipped::legend("nalcms", Path::new(".")).unwrap();
    let table = RuleTable::compile(&legend, None, None, &[], false);
    let mut unknown = UnknownValues::default();
    let rules = reclass(from.view(), &[], &table, &mut unknown).unwrap();
    let outcomes: Vec<Outcome> = table.rules().iter().map(|rule| rule.outcome).collect();

    let mut group = criterion.benchmark_group("block of 512 x 512 cells");
    group.throughput(Throughput::Elements((BLOCK * BLOCK) as u64));
    group
        .bench_function("reclass", |b| b.iter(|| reclass(black_box(from.view()), &[], &table, &mut unknown)));
    group.bench_function("mosaic", |b| {
        b.iter(|| {
            let mut mosaic = Mosaic::<u8>::new(BLOCK, BLOCK, 0);
            mosaic.lay_under(black_box(rules.view()), (0, 0), &outcomes, 0, &mut BTreeMap::new());
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
            tabulate(black_box(from), black_box(to), zones.view(), 0, &mut counts);
            counts
        });
    });
    group.bench_function("change", |b| {
        b.iter(|| change(black_box(from.view()), to.view(), 0, Unchanged::Zero))
    });
    group.bench_function("pyramid", |b| {
        b.iter(|| block_pyramid(black_box(from.view()), 0, (0, 0), BLOCK_LEVELS, Tie::Hash))
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

criterion_group!(benches, stages);
criterion_main!(benches);
