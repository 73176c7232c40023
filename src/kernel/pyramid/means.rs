//! Overviews of shares: the mean of the native cells at every level, not a mean of means.
//!
//! # Rule
//! Cells without data have no share. A cell is nodata when less than half of its native cells (those inside the raster)
//! is valid; else the mean of these, rounded half up.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::{Overviews, Tie};
use crate::kernel::runs::all_equal;

/// The mean of values by the rule of this module; `counts` holds valid values and the cells of each, `cells` is the number
/// of all native cells.
pub fn mean<T: Copy + Into<i64>>(counts: &[(T, u64)], cells: u64) -> Option<i64> {
    let valid = counts.iter().map(|(_, n)| n).sum();
    let sum = counts.iter().map(|&(value, n)| value.into() * n as i64).sum::<i64>();
    rounded(u64::try_from(sum).ok()?, valid, cells)
}

fn rounded(sum: u64, valid: u64, cells: u64) -> Option<i64> {
    (valid > 0 && 2 * valid >= cells).then(|| ((2 * sum + valid) / (2 * valid)) as i64)
}

/// Native cells below a cell of a level: the sum of the valid ones, how many these are, and how many there are.
#[derive(Debug, Clone, Copy, Default)]
struct Below {
    sum: u64,
    valid: u32,
    cells: u32,
}

/// Makes overviews of blocks of shares.
#[derive(Debug, Default)]
pub struct Means;

impl Overviews<u16> for Means {
    fn make(
        &mut self,
        block: ArrayView2<u16>,
        nodata: u16,
        _lattice: (i64, i64),
        _tie: Tie,
        levels: &mut [ArrayViewMut2<u16>],
    ) {
        let Some(&first) = block.first() else { return };
        if block.as_slice().is_some_and(|cells| all_equal(cells, first)) {
            levels.iter_mut().for_each(|level| level.fill(first));
            return;
        }
        let native = |&value: &u16| {
            let valid = value != nodata;
            Below { sum: if valid { value.into() } else { 0 }, valid: valid.into(), cells: 1 }
        };
        let mut below = block.map(native);
        for level in levels {
            below = above(&below);
            level.zip_mut_with(&below, |out, cell| {
                let mean = rounded(cell.sum, cell.valid.into(), cell.cells.into());
                *out = mean.map_or(nodata, |mean| mean as u16);
            });
        }
    }

    fn counts(&self, block: ArrayView2<u16>, nodata: u16) -> Vec<(i32, u64)> {
        let mut values: Vec<u16> = block.iter().copied().filter(|&value| value != nodata).collect();
        values.sort_unstable();
        values.chunk_by(|a, b| a == b).map(|run| (run[0].into(), run.len() as u64)).collect()
    }
}

/// The next level.
fn above(below: &Array2<Below>) -> Array2<Below> {
    let (rows, cols) = below.dim();
    let mut above = Array2::from_elem((rows.div_ceil(2), cols.div_ceil(2)), Below::default());
    for (row, line) in below.outer_iter().enumerate() {
        let mut out = above.row_mut(row / 2);
        for (col, cell) in line.iter().enumerate() {
            let out = &mut out[col / 2];
            out.sum += cell.sum;
            out.valid += cell.valid;
            out.cells += cell.cells;
        }
    }
    above
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;

    const NONE: u16 = u16::MAX;

    fn made(block: &Array2<u16>, levels: u32) -> Vec<Array2<u16>> {
        let size = |n: usize, level: u32| n.div_ceil(1 << level);
        let plane = |level| Array2::zeros((size(block.nrows(), level), size(block.ncols(), level)));
        let mut planes: Vec<Array2<u16>> = (1..=levels).map(plane).collect();
        let mut views: Vec<_> = planes.iter_mut().map(|plane| plane.view_mut()).collect();
        Means.make(block.view(), NONE, (0, 0), Tie::Hash, &mut views);
        planes
    }

    #[test]
    fn means_round_half_up_and_need_half_of_the_cells() {
        let block = array![[10_000u16, 1, 0, NONE], [0, NONE, NONE, NONE], [3, NONE, 4, 5], [NONE, 4, 4, 4]];
        // 10001 / 3; one of four; 7 / 2 = 3.5; 17 / 4 = 4.25.
        let levels = made(&block, 2);
        assert_eq!(levels[0], array![[3334u16, NONE], [4, 4]]);
        // 10025 / 10, of 16 cells: not the mean of 3334, 4 and 4.
        assert_eq!(levels[1], array![[1003u16]]);
        let counts = Means.counts(block.view(), NONE);
        assert_eq!(counts, [(0, 2), (1, 1), (3, 1), (4, 4), (5, 1), (10_000, 1)]);
        assert_eq!(mean(&counts, 16), Some(1003));
        assert_eq!(mean(&counts, 21), None);
        assert_eq!(mean::<i32>(&[], 0), None);
    }

    proptest! {
        #[test]
        fn every_level_is_the_mean_of_its_native_cells(
            (rows, cols) in (1usize..70, 1usize..70), seed in any::<u64>(), holes in 1usize..6, alike in any::<bool>(),
        ) {
            let random = |r: usize, c: usize, n| super::super::tie_rank(seed as u32, r as i64, c as i64, n);
            let block = Array2::from_shape_fn((rows, cols), |(r, c)| {
                let (r, c) = if alike { (r / 64, c / 64) } else { (r, c) };
                if random(r, c, holes) == 1 { NONE } else { random(c, r, 10_001) as u16 }
            });
            for (level, made) in (1..).zip(made(&block, 7)) {
                let side = 1usize << level;
                for ((r, c), &found) in made.indexed_iter() {
                    let native = (r * side..((r + 1) * side).min(rows))
                        .flat_map(|row| (c * side..((c + 1) * side).min(cols)).map(move |col| (row, col)));
                    let cells: Vec<u16> = native.map(|cell| block[cell]).collect();
                    let valid: Vec<u64> = cells.iter().filter(|&&v| v != NONE).map(|&v| v.into()).collect();
                    let expected = if valid.is_empty() || 2 * valid.len() < cells.len() {
                        NONE
                    } else {
                        (valid.iter().sum::<u64>() as f64 / valid.len() as f64 + 0.5).floor() as u16
                    };
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }
}
