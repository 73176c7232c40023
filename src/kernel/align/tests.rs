use std::convert::Infallible;

use ndarray::array;
use proptest::prelude::*;

use super::*;
use crate::kernel::reclass::{UnknownValues, reclass};
use crate::model::rule::{NOT_COVERED, RuleTable};

fn stay(_: &mut [f64], _: &mut [f64]) -> Result<(), Infallible> {
    Ok(())
}

fn grid(affine: Affine, rows: usize, cols: usize, lattice: (i64, i64)) -> Grid {
    Grid { crs: None, affine, rows, cols, lattice }
}

#[test]
fn a_target_of_half_cells_repeats_each_source_cell() {
    // Source: 2 x 2 cells of 2 m from (0, 4); target: 4 x 4 cells of 1 m, one row and column beyond it.
    let target = grid(Affine::north_up(1.0, 4.0, 1.0, 1.0), 4, 4, (0, 0));
    let source = Frame::of(&grid(Affine::north_up(0.0, 4.0, 2.0, 2.0), 2, 2, (0, 0))).unwrap();
    let Ok(located) = locate(&target, &target.window(), &source, stay);
    assert_eq!(located.bounds, Window::whole(2, 2));
    assert!(!located.whole);
    assert_eq!(
        nearest(array![[1, 2], [3, 4]].view(), &located, 9),
        array![[1, 2, 2, 9], [1, 2, 2, 9], [3, 4, 4, 9], [3, 4, 4, 9]]
    );
}

#[test]
fn points_that_no_transform_reaches_lie_outside() {
    let target = grid(Affine::north_up(0.0, 200.0, 1.0, 1.0), 200, 200, (0, 0));
    let source = Frame::of(&target).unwrap();
    for nowhere in [f64::INFINITY, f64::NAN, -0.1] {
        let Ok(located) = locate(&target, &target.window(), &source, |xs, _| {
            xs.fill(nowhere);
            Ok::<_, Infallible>(())
        });
        assert!(located.bounds.is_empty(), "{nowhere}");
        assert!(located.cells().all(|cell| cell.is_none()));
    }
}

#[test]
fn longitudes_are_taken_to_the_turn_of_the_source() {
    let mut xs = [-170.0, 190.0, 175.0, 240.0, -180.0, f64::INFINITY];
    wrap_longitudes(&mut xs, 170.0);
    assert_eq!(xs, [190.0, 190.0, 175.0, 240.0, 180.0, f64::INFINITY]);
}

#[test]
fn few_points_are_carried_for_a_block() {
    let target = grid(Affine::north_up(0.0, 15360.0, 30.0, 30.0), 512, 512, (0, 0));
    let source =
        Frame::of(&grid(Affine::north_up(-9000.0, 30000.0, 30.0, 30.0), 1100, 1100, (0, 0))).unwrap();
    let mut points = 0;
    let Ok(located) = locate(&target, &target.window(), &source, |xs, ys| {
        points += xs.len();
        bend(xs, ys, [0.3217f64.cos(), 0.3217f64.sin(), 0.0], 6_371_000.0);
        Ok::<_, Infallible>(())
    });
    assert!(located.whole);
    // 81 nodes, 64 samples, and the cells that lie within 1/4096 of an edge: about one in a thousand.
    assert!((100..1000).contains(&points), "{points}");
}

/// Turns the plane and bends it as a map between two projections of a globe of a radius does; `wave` adds ripples that
/// no polynomial follows.
fn bend(xs: &mut [f64], ys: &mut [f64], [cos, sin, wave]: [f64; 3], radius: f64) {
    for (x, y) in xs.iter_mut().zip(ys) {
        let (turned_x, turned_y) = (cos * *x - sin * *y, sin * *x + cos * *y);
        let r2 = (turned_x * turned_x + turned_y * turned_y) / (radius * radius);
        let scale = 1.0 + r2 / 8.0 + r2 * r2 / 30.0;
        *x = turned_x * scale + wave * (turned_y / 700.0).sin();
        *y = turned_y * scale + wave * (turned_x / 500.0).cos();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever the map between the planes and wherever the window lies, interpolation finds the cells that carrying
    /// every centre finds.
    #[test]
    fn interpolated_cells_are_those_of_exact_places(
        angle in -3.2f64..3.2,
        wave in prop_oneof![3 => Just(0.0), 1 => 0.0f64..200.0],
        radius in prop_oneof![2 => Just(6.4e6), 1 => 2e4f64..2e6],
        away in (-3e6f64..3e6, -3e6f64..3e6),
        cell in prop_oneof![Just(30.0), Just(250.0), 5.0f64..3000.0],
        source_cell in prop_oneof![Just(30.0), 10.0f64..500.0],
        lattice in (-500i64..500, -500i64..500),
        window in (0i64..150, 0i64..150, 1usize..300, 1usize..300),
        extent in (1usize..30_000, 1usize..30_000),
    ) {
        let target = grid(Affine::north_up(away.0, away.1, cell, cell), 450, 450, lattice);
        let window = Window { row: window.0, col: window.1, rows: window.2, cols: window.3 };
        let turn = [angle.cos(), angle.sin(), wave];
        let carry = |xs: &mut [f64], ys: &mut [f64]| {
            bend(xs, ys, turn, radius);
            // Some places are beyond what the projection reaches.
            for (x, y) in xs.iter_mut().zip(ys) {
                if *x > 4e6 {
                    (*x, *y) = (f64::INFINITY, f64::INFINITY);
                }
            }
            Ok::<_, Infallible>(())
        };
        // The source lies about where the window's middle comes out.
        let (x, y) = target.affine.apply(window.col as f64, window.row as f64);
        let (mut xs, mut ys) = ([x], [y]);
        bend(&mut xs, &mut ys, turn, radius);
        let corner = |at: f64, extent: usize| at - extent as f64 / 2.0 * source_cell;
        let affine = Affine::north_up(corner(xs[0], extent.1), -corner(-ys[0], extent.0), source_cell, source_cell);
        let source = Frame::of(&grid(affine, extent.0, extent.1, (0, 0))).unwrap();
        let Ok(fast) = locate(&target, &window, &source, carry);
        let Ok(exact) = locate_exactly(&target, &window, &source, carry);
        prop_assert!(fast.cells().eq(exact.cells()));
        prop_assert_eq!((fast.bounds, fast.whole), (exact.bounds, exact.whole));
    }

    /// The same across the meridian where longitudes turn.
    #[test]
    fn longitudes_may_turn_inside_a_window(
        west in -360.0f64..180.0,
        begin in -180.0f64..180.0,
        tilt in -0.2f64..0.2,
        step in 0.001f64..0.1,
    ) {
        let target = grid(Affine::north_up(0.0, 0.0, step, step), 300, 300, (37, -12));
        let source = Frame {
            to_cell: Affine::north_up(west, 60.0, 0.05, 0.05).inverse().unwrap(),
            rows: 2400,
            cols: 7200,
            west: Some(west),
            cell_m: 5000.0,
        };
        // Longitudes come out between -180 and 180, as PROJ gives them.
        let carry = |xs: &mut [f64], ys: &mut [f64]| {
            for (x, y) in xs.iter_mut().zip(ys) {
                let longitude = begin + *x + tilt * *y + 1e-3 * *y * *y;
                (*x, *y) = (longitude - ((longitude + 180.0) / 360.0).floor() * 360.0, *y + tilt * *x);
            }
            Ok::<_, Infallible>(())
        };
        let Ok(fast) = locate(&target, &target.window(), &source, carry);
        let Ok(exact) = locate_exactly(&target, &target.window(), &source, carry);
        prop_assert!(fast.cells().eq(exact.cells()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// So does locating span by span, in a raster of cells of the same size whose rows run nearly along the window's; and
    /// what is taken by spans is what lies under each cell.
    #[test]
    fn spans_are_the_cells_of_exact_places(
        angle in prop_oneof![-0.15f64..0.15, Just(0.0)],
        wave in prop_oneof![3 => Just(0.0), 1 => 0.0f64..50.0],
        radius in prop_oneof![2 => Just(6.4e6), 1 => 5e5f64..2e6],
        away in (-3e5f64..3e5, -3e5f64..3e5),
        larger in prop_oneof![3 => 0.9f64..1.1, 1 => Just(1.0)],
        lattice in (-500i64..500, -500i64..500),
        window in (0i64..150, 0i64..150, 1usize..300, 1usize..300),
        offset in (0i64..250, 0i64..250),
        extent in (1usize..700, 1usize..700),
    ) {
        let target = grid(Affine::north_up(away.0, away.1, 30.0, 30.0), 450, 450, lattice);
        let window = Window { row: window.0, col: window.1, rows: window.2, cols: window.3 };
        let turn = [angle.cos(), angle.sin(), wave];
        let carry = |xs: &mut [f64], ys: &mut [f64]| {
            bend(xs, ys, turn, radius);
            Ok::<_, Infallible>(())
        };
        let (x, y) = target.affine.apply(window.col as f64, window.row as f64);
        let (mut xs, mut ys) = ([x], [y]);
        bend(&mut xs, &mut ys, turn, radius);
        let side = 30.0 * larger;
        let affine = Affine::north_up(xs[0] - offset.1 as f64 * side, ys[0] + offset.0 as f64 * side, side, side);
        let source = Frame::of(&grid(affine, extent.0, extent.1, (0, 0))).unwrap();
        let Ok(fast) = locate(&target, &window, &source, carry);
        let Ok(exact) = locate_exactly(&target, &window, &source, carry);
        prop_assert!(fast.cells().eq(exact.cells()));
        prop_assert_eq!((fast.bounds, fast.whole), (exact.bounds, exact.whole));
        let bounds = exact.bounds;
        let values = Array2::from_shape_fn((bounds.rows, bounds.cols), |(row, col)| (row * 7 + col * 3) as u8);
        prop_assert_eq!(nearest(values.view(), &fast, 255), nearest(values.view(), &exact, 255));
        let wide = values.mapv(u32::from);
        prop_assert_eq!(nearest(wide.view(), &fast, 999), nearest(wide.view(), &exact, 999));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Runs hand out what locating finds: every cell with its centre in the wanted window once, and no other.
    #[test]
    fn runs_are_the_cells_that_are_located(
        angle in -3.2f64..3.2,
        wave in prop_oneof![3 => Just(0.0), 1 => 0.0f64..200.0],
        radius in prop_oneof![2 => Just(6.4e6), 1 => 5e4f64..2e6],
        away in (-3e6f64..3e6, -3e6f64..3e6),
        larger in 1.0f64..30.0,
        lattice in (-500i64..500, -500i64..500),
        window in (-20i64..150, -20i64..150, 1usize..300, 1usize..300),
        wanted in (0i64..60, 0i64..60, 1usize..60, 1usize..60),
    ) {
        let cells = grid(Affine::north_up(away.0, away.1, 30.0, 30.0), 450, 450, lattice);
        let window = Window { row: window.0, col: window.1, rows: window.2, cols: window.3 };
        let wanted = Window { row: wanted.0, col: wanted.1, rows: wanted.2, cols: wanted.3 };
        let turn = [angle.cos(), angle.sin(), wave];
        let carry = |xs: &mut [f64], ys: &mut [f64]| {
            bend(xs, ys, turn, radius);
            Ok::<_, Infallible>(())
        };
        // The raster's wanted window lies about where the middle of the cells comes out.
        let (x, y) = cells.affine.apply(window.col as f64 + 100.0, window.row as f64 + 100.0);
        let (mut xs, mut ys) = ([x], [y]);
        bend(&mut xs, &mut ys, turn, radius);
        let side = 30.0 * larger;
        let affine = Affine::north_up(xs[0] - 30.0 * side, ys[0] + 30.0 * side, side, side);
        let raster = Frame::of(&grid(affine, 80, 90, (0, 0))).unwrap();
        let mut found = Vec::new();
        // The mesh may reach beyond the window.
        let around = Window { row: window.row - 70, col: window.col - 200, rows: window.rows + 90, cols: window.cols + 300 };
        let Ok(mesh) = Mesh::over(&cells, &around, &raster, &mut { carry });
        prop_assert!(mesh.holds(&window) && mesh.holds(&around));
        let Ok(()) = runs(&mesh, &window, &wanted, carry, |runs| {
            for run in runs {
                found.extend((run.first..run.first + run.cells).map(|cell| (cell as usize, run.holder as usize)));
            }
        });
        found.sort_unstable();
        let Ok(located) = locate_exactly(&cells, &window, &raster, carry);
        let inside = wanted.intersect(&Window::whole(80, 90));
        let holder = |(row, col): (usize, usize)| {
            let place = Window { row: row as i64, col: col as i64, rows: 1, cols: 1 };
            inside.contains(&place).then(|| {
                (row - inside.row as usize) * inside.cols + col - inside.col as usize
            })
        };
        let expected: Vec<(usize, usize)> = located
            .cells()
            .enumerate()
            .filter_map(|(cell, place)| Some((cell, holder(place?)?)))
            .collect();
        prop_assert_eq!(found, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Unconditional rules ask nothing of a place: whether cells are reclassified before or after they are taken to a
    /// grid, they get the same rule.
    #[test]
    fn reclassifying_and_taking_the_nearest_commute(
        angle in -3.2f64..3.2,
        cells in proptest::collection::vec(prop_oneof![Just(11u8), Just(21), Just(41), Just(90), Just(250), Just(77)], 40 * 50),
        scale in 0.3f64..3.0,
    ) {
        let legend = crate::config::shipped::legend("nlcd", std::path::Path::new(".")).unwrap();
        let table = RuleTable::compile(&legend, None, None, &[], false);
        let source = Array2::from_shape_vec((40, 50), cells).unwrap();
        let target = grid(Affine::north_up(-700.0, 700.0, 30.0 * scale, 30.0 * scale), 60, 60, (3, 5));
        let frame = Frame::of(&grid(Affine::north_up(-750.0, 600.0, 30.0, 30.0), 40, 50, (0, 0))).unwrap();
        let turn = [angle.cos(), angle.sin(), 0.0];
        let Ok(located) = locate(&target, &target.window(), &frame, |xs, ys| {
            bend(xs, ys, turn, 6.4e6);
            Ok::<_, Infallible>(())
        });
        prop_assert!(!located.bounds.is_empty());
        let (row, col) = (located.bounds.row as usize, located.bounds.col as usize);
        let under = source.slice(ndarray::s![row..row + located.bounds.rows, col..col + located.bounds.cols]);
        let mut unknown = UnknownValues::default();
        // The same values are met first in both orders, so that unknown ones get the same index.
        reclass(source.view(), &[], &table, &mut unknown).unwrap();
        let before = nearest(reclass(under, &[], &table, &mut unknown).unwrap().view(), &located, NOT_COVERED);
        let taken = nearest(under, &located, 0);
        let after = reclass(taken.view(), &[], &table, &mut unknown).unwrap();
        for ((before, after), place) in before.iter().zip(&after).zip(located.cells()) {
            prop_assert_eq!(*before, if place.is_some() { *after } else { NOT_COVERED });
        }
    }
}
