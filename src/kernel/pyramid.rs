//! Overviews: the exact mode of the native cells at every level, not a mode of modes.
//!
//! Class counts are carried up from block to level: a cell's counts are the sum of its four children's. One block
//! of 512 x 512 cells yields the levels 1..=9 of its own square and, as its single cell of level 9, the counts
//! of all its classes, from which the levels above are made when blocks are joined.
//!
//! # Rule
//! No data does not vote. A cell is nodata when less than half of its native cells (those inside the raster) is
//! valid. Of several classes with the largest count, [`tie_rank`] picks one, so that no class is favoured.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::ClassValue;

/// Overview levels that fit in one block: 512 = 2^9.
pub const BLOCK_LEVELS: u32 = 9;

/// Who wins a tie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tie {
    /// The class that a fixed hash of level and lattice position picks.
    #[default]
    Hash,
    /// The lowest class code.
    Lowest,
}

/// Picks one of `tied` classes (in ascending order of code) for the overview cell of a level whose upper left
/// native cell has this place on the lattice.
///
/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA, doi 10.1145/2660193.2660195) over level, row
/// and column in turn; the remainder of the result and `tied` is the rank.
pub fn tie_rank(level: u32, lattice_row: i64, lattice_col: i64, tied: usize) -> usize {
    let mix = |state: u64| {
        let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let hash = mix(mix(mix(u64::from(level)) ^ lattice_row as u64) ^ lattice_col as u64);
    (hash % tied.max(1) as u64) as usize
}

/// The mode of class counts by the rule of this module.
///
/// `counts` holds valid classes only, in ascending order, `cells` all native cells; `place` is level, row and
/// column for [`tie_rank`].
pub fn mode<T: ClassValue, N: Copy + Into<u64>>(
    counts: &[(T, N)],
    cells: u64,
    nodata: T,
    place: (u32, i64, i64),
    tie: Tie,
) -> T {
    let (mut valid, mut most, mut tied) = (0u64, 0u64, 0usize);
    for &(_, n) in counts {
        let n: u64 = n.into();
        valid += n;
        match n.cmp(&most) {
            std::cmp::Ordering::Greater => (most, tied) = (n, 1),
            std::cmp::Ordering::Equal => tied += 1,
            std::cmp::Ordering::Less => {}
        }
    }
    if valid == 0 || valid * 2 < cells {
        return nodata;
    }
    let rank = match tie {
        _ if tied == 1 => 0,
        Tie::Hash => tie_rank(place.0, place.1, place.2, tied),
        Tie::Lowest => 0,
    };
    let winners = counts.iter().filter(|(_, n)| (*n).into() == most);
    winners.map(|(class, _)| *class).nth(rank).unwrap_or(nodata)
}

/// The overview cells of one block and the counts of its classes.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockPyramid<T> {
    /// Levels 1, 2, … of the block's square; level k has ceil(size / 2^k) rows and columns.
    pub levels: Vec<Array2<T>>,
    /// Cells of each class in the whole block, nodata left out.
    pub counts: BTreeMap<T, u64>,
}

/// Counts of every cell of a level, one after the other.
struct LevelCounts<T> {
    rows: usize,
    cols: usize,
    /// Where each cell's entries start; one more than cells.
    starts: Vec<u32>,
    /// (class, native cells), ascending by class within a cell.
    entries: Vec<(T, u32)>,
}

impl<T: ClassValue> LevelCounts<T> {
    fn of_cell(&self, row: usize, col: usize) -> &[(T, u32)] {
        let cell = row * self.cols + col;
        &self.entries[self.starts[cell] as usize..self.starts[cell + 1] as usize]
    }

    fn build(rows: usize, cols: usize, mut children: impl FnMut(usize, usize, &mut Vec<(T, u32)>)) -> Self {
        let mut counts =
            Self { rows, cols, starts: Vec::with_capacity(rows * cols + 1), entries: Vec::new() };
        let mut cell = Vec::new();
        counts.starts.push(0);
        for row in 0..rows {
            for col in 0..cols {
                cell.clear();
                children(row, col, &mut cell);
                counts.entries.extend_from_slice(&cell);
                counts.starts.push(counts.entries.len() as u32);
            }
        }
        counts
    }

    fn of_block(block: ArrayView2<T>, nodata: T) -> Self {
        let (rows, cols) = block.dim();
        Self::build(rows.div_ceil(2), cols.div_ceil(2), |row, col, cell| {
            for r in 2 * row..(2 * row + 2).min(rows) {
                for c in 2 * col..(2 * col + 2).min(cols) {
                    if block[(r, c)] != nodata {
                        count(cell, block[(r, c)], 1);
                    }
                }
            }
        })
    }

    fn above(&self) -> Self {
        Self::build(self.rows.div_ceil(2), self.cols.div_ceil(2), |row, col, cell| {
            for r in 2 * row..(2 * row + 2).min(self.rows) {
                for c in 2 * col..(2 * col + 2).min(self.cols) {
                    for &(class, n) in self.of_cell(r, c) {
                        count(cell, class, n);
                    }
                }
            }
        })
    }
}

fn count<T: ClassValue>(cell: &mut Vec<(T, u32)>, class: T, n: u32) {
    match cell.iter().position(|(c, _)| *c >= class) {
        Some(at) if cell[at].0 == class => cell[at].1 += n,
        Some(at) => cell.insert(at, (class, n)),
        None => cell.push((class, n)),
    }
}

/// Makes the overviews of one block.
///
/// # Shape
/// `block` is at most 512 x 512, smaller at the raster's right and lower edge; `lattice` is the place of its
/// upper left cell on the lattice, and the block starts at a multiple of 512 cells from the raster's corner.
/// # Determinism
/// A function of the block, its place and the tie rule alone.
pub fn block_pyramid<T: ClassValue>(
    block: ArrayView2<T>,
    nodata: T,
    lattice: (i64, i64),
    levels: u32,
    tie: Tie,
) -> BlockPyramid<T> {
    let (rows, cols) = block.dim();
    let mut made = Vec::new();
    let mut counts = LevelCounts::of_block(block, nodata);
    for level in 1..=BLOCK_LEVELS {
        if level > 1 {
            counts = counts.above();
        }
        if level <= levels {
            let side = 1usize << level;
            made.push(Array2::from_shape_fn((counts.rows, counts.cols), |(row, col)| {
                let (top, left) = (row << level, col << level);
                let cells = ((rows - top).min(side) * (cols - left).min(side)) as u64;
                let place = (level, lattice.0 + top as i64, lattice.1 + left as i64);
                mode(counts.of_cell(row, col), cells, nodata, place, tie)
            }));
        }
    }
    let total = counts.of_cell(0, 0).iter().map(|&(class, n)| (class, u64::from(n))).collect();
    BlockPyramid { levels: made, counts: total }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn three_cells_against_one_win_and_a_half_valid_cell_keeps_its_class() {
        let block = array![[1u8, 1, 0, 0], [1, 2, 0, 3], [0, 4, 5, 5], [0, 4, 0, 5]];
        let pyramid = block_pyramid(block.view(), 0, (0, 0), 1, Tie::Lowest);
        // Upper right: one of four valid, so nodata. Lower left: two of four, so class 4.
        assert_eq!(pyramid.levels, [array![[1u8, 0], [4, 5]]]);
        assert_eq!(pyramid.counts, BTreeMap::from([(1, 3), (2, 1), (3, 1), (4, 2), (5, 3)]));
    }

    #[test]
    fn a_mode_of_modes_would_be_wrong_here() {
        // Each quarter is won 2:1:1 or 3:1 by another class, but class 9 has the most native cells.
        let block = array![[1u8, 1, 2, 2], [9, 8, 9, 7], [3, 3, 9, 9], [9, 6, 9, 5]];
        let pyramid = block_pyramid(block.view(), 0, (0, 0), 2, Tie::Lowest);
        assert_eq!(pyramid.levels[0], array![[1u8, 2], [3, 9]]);
        assert_eq!(pyramid.levels[1], array![[9u8]]);
    }

    #[test]
    fn ties_favour_no_class_and_depend_on_place_only() {
        let wins: usize = (0..2000).map(|i| tie_rank(1, i * 2, 7, 2)).sum();
        assert!((900..1100).contains(&wins), "{wins}");
        assert_eq!(tie_rank(3, -8, 16, 5), 4);
        // The documented hash, computed independently with Python's integers.
        assert_eq!(tie_rank(1, 2, 3, 1000), 491);
    }

    proptest! {
        #[test]
        fn every_level_is_a_mode_of_its_native_cells(
            rows in 1usize..40, cols in 1usize..40, seed in any::<u64>(), classes in 1u64..6,
        ) {
            let value = |r: usize, c: usize| (tie_rank(0, r as i64 ^ seed as i64, c as i64, classes as usize + 1)) as u8;
            let block = Array2::from_shape_fn((rows, cols), |(r, c)| value(r, c));
            let pyramid = block_pyramid(block.view(), 0, (0, 0), BLOCK_LEVELS, Tie::Hash);
            for (k, level) in pyramid.levels.iter().enumerate() {
                let side = 2usize << k;
                prop_assert_eq!(level.dim(), (rows.div_ceil(side), cols.div_ceil(side)));
                for ((r, c), &got) in level.indexed_iter() {
                    let (mut counts, mut cells) = ([0u32; 256], 0);
                    for row in r * side..((r + 1) * side).min(rows) {
                        for col in c * side..((c + 1) * side).min(cols) {
                            counts[usize::from(block[(row, col)])] += 1;
                            cells += 1;
                        }
                    }
                    let valid = cells - counts[0];
                    counts[0] = 0;
                    if valid == 0 || valid * 2 < cells {
                        prop_assert_eq!(got, 0);
                    } else {
                        prop_assert_eq!(counts[usize::from(got)], counts.iter().copied().max().unwrap_or(0));
                    }
                }
            }
        }
    }
}
