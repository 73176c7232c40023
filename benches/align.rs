//! One block of the 30 m grid taken from maps in other CRSs by nearest neighbour: `cargo bench --bench align`.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot set itself up should fail loudly"
)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nalcms::config::shipped;
use nalcms::io::gdal::crs_from_wkt;
use nalcms::io::proj::{Direction, Operation};
use nalcms::kernel::align::{Frame, locate, locate_exactly, nearest};
use nalcms::model::grid::Affine;
use nalcms::model::window::{BLOCK, Window};
use ndarray::Array2;

/// Side of the source, in cells of 30 m; the block lies in its middle.
const SIDE: usize = 4096;

fn aligning(criterion: &mut Criterion) {
    let target = shipped::grid("nalcms-30m", Path::new(".")).unwrap().grid().unwrap();
    let block = Window { row: 119_808, col: 146_944, rows: BLOCK, cols: BLOCK };
    let (x, y) = target.affine.apply(block.col as f64 + 256.0, block.row as f64 + 256.0);
    let bytes = Array2::from_shape_fn((SIDE, SIDE), |(row, col)| ((row / 9 + col / 13) % 19) as u8);
    let mut group = criterion.benchmark_group("align a block of 512 x 512 cells");
    group.throughput(Throughput::Elements((BLOCK * BLOCK) as u64));
    for (name, definition) in [("Albers (EPSG:5070)", "EPSG:5070"), ("UTM 14N (EPSG:32614)", "EPSG:32614")] {
        let source = crs_from_wkt(definition).unwrap();
        let operation = Operation::choose(&source, target.crs.as_ref().unwrap(), 0.0, 2_000_000.0).unwrap();
        let (mut xs, mut ys) = ([x], [y]);
        operation.transform(Direction::Inverse, &mut xs, &mut ys).unwrap();
        let half = SIDE as f64 / 2.0 * 30.0;
        let to_cell = Affine::north_up(xs[0] - half, ys[0] + half, 30.0, 30.0).inverse().unwrap();
        let frame = Frame { to_cell, rows: SIDE, cols: SIDE, west: None, cell_m: 30.0 };
        let carry = |xs: &mut [f64], ys: &mut [f64]| operation.transform(Direction::Inverse, xs, ys);
        group.bench_function(format!("locate source cells, {name}"), |b| {
            b.iter(|| locate(&target, black_box(&block), &frame, carry).unwrap());
        });
        group.bench_function(format!("locate every source cell exactly, {name}"), |b| {
            b.iter(|| locate_exactly(&target, black_box(&block), &frame, carry).unwrap());
        });
        let located = locate(&target, &block, &frame, carry).unwrap();
        let inside = located.bounds;
        let (row, col) = (inside.row as usize, inside.col as usize);
        let window = bytes.slice(ndarray::s![row..row + inside.rows, col..col + inside.cols]);
        group.bench_function(format!("take nearest cells, {name}"), |b| {
            b.iter(|| nearest(black_box(window), &located, 0));
        });
    }
    group.finish();
}

criterion_group!(benches, aligning);
criterion_main!(benches);
