//! Overviews: the exact mode of the native cells at every level, not a mode of modes; of shares the exact mean
//! (`means.rs`).
//!
//! Class counts are carried up from block to level: a cell's counts are the sum of its four children's. One block
//! of 512 x 512 cells yields the levels 1..=9 of its own square and, as its single cell of level 9, the counts
//! of all its classes, from which the levels above are made when blocks are joined.
//!
//! # Rule
//! No data does not vote. A cell is nodata when less than half of its native cells (those inside the raster) is
//! valid. Of several classes with the largest count, [`tie_rank`] picks one, so that no class is favoured.

mod band;
mod block;
mod flags;
mod lists;
mod means;
mod quads;
mod tally;
mod tile;
mod vectors;
mod votes;

use ndarray::{ArrayView2, ArrayViewMut2};
use serde::{Deserialize, Serialize};

use self::block::Tiles;
pub use self::lists::{BlockPyramid, block_pyramid};
pub use self::means::{Means, mean};
use self::vectors::Vectors;
use super::ClassValue;
use super::runs::all_equal;

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
    TieRow::new(Tie::Hash, level, lattice_row).rank(lattice_col, tied)
}

/// [`tie_rank`] for the cells of one row, of which a part of the hash is shared.
#[derive(Debug, Clone, Copy)]
struct TieRow(Option<u64>);

impl TieRow {
    fn new(tie: Tie, level: u32, lattice_row: i64) -> Self {
        Self((tie == Tie::Hash).then(|| mix(mix(u64::from(level)) ^ lattice_row as u64)))
    }

    #[inline]
    fn rank(self, lattice_col: i64, tied: usize) -> usize {
        match self.0 {
            None => 0,
            Some(row) if tied == 2 => (mix(row ^ lattice_col as u64) & 1) as usize,
            Some(row) => (mix(row ^ lattice_col as u64) % tied.max(1) as u64) as usize,
        }
    }
}

#[inline]
fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
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

/// A way to make overviews: what stands for the native cells under a cell.
pub trait Overviews<T> {
    /// Makes the levels 1, 2, … of one block.
    ///
    /// # Shape
    /// As for [`Pyramid::make`].
    fn make(
        &mut self,
        block: ArrayView2<T>,
        nodata: T,
        lattice: (i64, i64),
        tie: Tie,
        levels: &mut [ArrayViewMut2<T>],
    );

    /// Cells of each value in the block made last, which is handed in again; ascending, nodata left out.
    fn counts(&self, block: ArrayView2<T>, nodata: T) -> Vec<(i32, u64)>;
}

impl<T: ClassValue> Overviews<T> for Pyramid<T> {
    fn make(
        &mut self,
        block: ArrayView2<T>,
        nodata: T,
        lattice: (i64, i64),
        tie: Tie,
        levels: &mut [ArrayViewMut2<T>],
    ) {
        Self::make(self, block, nodata, lattice, tie, levels);
    }

    fn counts(&self, _block: ArrayView2<T>, _nodata: T) -> Vec<(i32, u64)> {
        self.counts.iter().map(|&(class, n)| (class.code(), n)).collect()
    }
}

/// Makes the overviews of blocks, one after the other; what it holds between them is scratch.
///
/// # Cost
/// Some 50 KiB for class maps of bytes, 100 KiB more where tiles of hundreds of classes come along. Blocks with more than
/// 256 classes in one tile of 64 x 64 cells, or whose rows do not lie side by side in memory, are made the plain way,
/// which is slower.
pub struct Pyramid<T> {
    vectors: Vectors,
    tiles: Tiles<T>,
    counts: Vec<(T, u64)>,
}

impl<T: ClassValue> Default for Pyramid<T> {
    fn default() -> Self {
        Self::with(Vectors::best())
    }
}

impl<T: ClassValue> Pyramid<T> {
    fn with(vectors: Vectors) -> Self {
        Self { vectors, tiles: Tiles::new(), counts: Vec::new() }
    }

    /// Makes the levels 1, 2, … of one block and counts its classes; the same as [`block_pyramid`].
    ///
    /// # Shape
    /// `block` and `lattice` as for [`block_pyramid`]; level k, the k-th of `levels`, has ceil(size / 2^k) rows and
    /// columns. There are at most [`BLOCK_LEVELS`] of them.
    /// # Determinism
    /// A function of the block, its place and the tie rule alone.
    /// # Cost
    /// Grows with the classes in each tile of 64 x 64 cells; a tile or block of one class costs one look at it.
    pub fn make(
        &mut self,
        block: ArrayView2<T>,
        nodata: T,
        lattice: (i64, i64),
        tie: Tie,
        levels: &mut [ArrayViewMut2<T>],
    ) {
        self.counts.clear();
        if let Some(&class) = block.first().filter(|&&class| is_alike(block, class)) {
            if class != nodata {
                self.counts.push((class, block.len() as u64));
            }
            levels.iter_mut().for_each(|level| level.fill(class));
            return;
        }
        let place = block::Place { nodata, lattice, tie };
        match self.vectors.make(&mut self.tiles, block, &place, levels) {
            Some(made) => {
                self.counts.extend(made.of_cell(0, 0).iter().map(|&(class, n)| (class, u64::from(n))))
            }
            None => {
                let plain = block_pyramid(block, nodata, lattice, levels.len() as u32, tie);
                self.counts.extend(plain.counts);
                levels.iter_mut().zip(&plain.levels).for_each(|(level, made)| level.assign(made));
            }
        }
    }

    /// Cells of each class in the block made last, ascending, nodata left out.
    pub fn counts(&self) -> &[(T, u64)] {
        &self.counts
    }
}

fn is_alike<T: ClassValue>(block: ArrayView2<T>, class: T) -> bool {
    block.outer_iter().all(|line| match line.to_slice() {
        Some(cells) => all_equal(cells, class),
        None => line.iter().all(|&cell| cell == class),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ndarray::{Array2, array, s};
    use proptest::prelude::*;

    use super::*;
    use crate::model::window::BLOCK;

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

    fn made<T: ClassValue>(
        pyramid: &mut Pyramid<T>,
        block: ArrayView2<T>,
        nodata: T,
        lattice: (i64, i64),
        levels: u32,
        tie: Tie,
    ) -> BlockPyramid<T> {
        let (rows, cols) = block.dim();
        let size = |n: usize, level: u32| n.div_ceil(1 << level);
        let plane = |level| Array2::from_elem((size(rows, level), size(cols, level)), nodata);
        let mut planes: Vec<Array2<T>> = (1..=levels).map(plane).collect();
        let mut views: Vec<_> = planes.iter_mut().map(|plane| plane.view_mut()).collect();
        pyramid.make(block, nodata, lattice, tie, &mut views);
        BlockPyramid { levels: planes, counts: pyramid.counts().iter().copied().collect() }
    }

    /// A map of patches: what a coarse and a fine hash of the place say.
    fn patches(rows: usize, cols: usize, seed: u64, patch: usize, classes: usize, odd: usize) -> Array2<i32> {
        Array2::from_shape_fn((rows, cols), |(r, c)| {
            let speck = tie_rank(seed as u32, r as i64, c as i64, odd.max(1)) == 0 && odd > 0;
            let (r, c) = if speck { (r, c) } else { (r / patch, c / patch) };
            tie_rank(seed as u32 ^ 1, r as i64, c as i64, classes) as i32
        })
    }

    /// One worker for each kind of vectors, kept for several blocks: what it held of the last must not show.
    fn workers<T: ClassValue>() -> Vec<Pyramid<T>> {
        Vectors::able().into_iter().map(Pyramid::with).collect()
    }

    fn agree<T: ClassValue>(
        workers: &mut [Pyramid<T>],
        block: ArrayView2<T>,
        nodata: T,
        lattice: (i64, i64),
        levels: u32,
        tie: Tie,
    ) {
        let expected = block_pyramid(block, nodata, lattice, levels, tie);
        for pyramid in workers {
            let vectors = pyramid.vectors;
            assert!(made(pyramid, block, nodata, lattice, levels, tie) == expected, "{vectors:?}");
        }
    }

    #[test]
    fn whole_blocks_of_any_number_of_classes_agree_with_the_plain_way() {
        let (mut bytes, mut codes) = (workers::<u8>(), workers::<u16>());
        let (place, n) = ((-512, 1024), BLOCK_LEVELS);
        for (classes, patch) in
            [(2, 1), (3, 256), (4, 2), (15, 4), (16, 4), (31, 3), (63, 3), (64, 9), (256, 1)]
        {
            let map = patches(BLOCK, BLOCK, classes as u64, patch, classes, 50);
            agree(&mut bytes, map.mapv(|v| v as u8).view(), 1, place, n, Tie::Hash);
            agree(&mut codes, map.mapv(|v| (v * 211) as u16).view(), 211, place, n, Tie::Hash);
        }
        // More classes in a block, and more in a tile, than a byte has values.
        for (classes, patch) in [(300, 2), (300, 40), (5000, 1)] {
            let many = patches(BLOCK, BLOCK, 9, patch, classes, 0).mapv(|v| v as u16);
            agree(&mut codes, many.view(), 65_535, place, n, Tie::Lowest);
        }
        // All but one cell alike, in two corners: the fullest counts that a square can have.
        for corner in [0, 511] {
            let mut map = Array2::from_elem((BLOCK, BLOCK), 4u8);
            map[(corner, corner)] = 9;
            agree(&mut bytes, map.view(), 0, place, n, Tie::Hash);
            agree(&mut bytes, map.view(), 4, place, n, Tie::Hash);
            agree(&mut bytes, map.view(), 9, place, n, Tie::Hash);
        }
    }

    #[test]
    fn as_many_classes_as_a_tile_may_have_and_one_more() {
        let mut codes = workers::<u16>();
        for classes in [255, 256, 257] {
            let map = Array2::from_shape_fn((64, 64), |(r, c)| ((r * 64 + c) % classes) as u16);
            agree(&mut codes, map.view(), 0, (0, 0), BLOCK_LEVELS, Tie::Hash);
            agree(&mut codes, map.view(), 999, (0, 0), BLOCK_LEVELS, Tie::Hash);
        }
    }

    #[test]
    fn blocks_cut_anywhere_agree_with_the_plain_way() {
        let mut bytes = workers::<u8>();
        let map = patches(BLOCK, BLOCK, 5, 3, 6, 20).mapv(|v| v as u8);
        let sizes = [1, 2, 3, 63, 64, 65, 127, 191, 257, 320, 511, 512];
        for (rows, cols) in sizes.iter().flat_map(|&rows| sizes.map(|cols| (rows, cols))) {
            let block = map.slice(s![..rows, BLOCK - cols..]);
            for nodata in [0, 77] {
                agree(&mut bytes, block, nodata, (-1, 333), BLOCK_LEVELS, Tie::Hash);
            }
        }
    }

    #[test]
    fn levels_whose_rows_do_not_lie_side_by_side_are_made_too() {
        let map = patches(130, 70, 3, 2, 5, 9).mapv(|v| v as u8);
        let expected = block_pyramid(map.view(), 0, (0, 0), 1, Tie::Hash);
        let mut plane = Array2::from_elem((35, 65), 9);
        Pyramid::default().make(map.view(), 0, (0, 0), Tie::Hash, &mut [plane.view_mut().reversed_axes()]);
        assert_eq!(plane.t(), expected.levels[0]);
    }

    proptest! {
        #[test]
        fn the_fast_way_agrees_with_the_plain_way(
            (rows, cols) in (1usize..70, 1usize..70), seed in any::<u64>(), patch in 1usize..12,
            classes in prop_oneof![1usize..8, 1usize..80], odd in 0usize..30, nodata in 0i32..9,
            lattice in (-100_000i64..100_000, -100_000i64..100_000), lowest in any::<bool>(), levels in 0..=BLOCK_LEVELS,
        ) {
            let map = patches(rows, cols, seed, patch, classes, odd);
            let tie = if lowest { Tie::Lowest } else { Tie::Hash };
            let (mut bytes, mut codes, mut wide) = (workers::<u8>(), workers::<u16>(), workers::<i32>());
            for times in [1, 3] {
                let block = map.mapv(|v| (v * times) as u8);
                agree(&mut bytes, block.view(), nodata as u8, lattice, levels, tie);
                // Rows that are not contiguous.
                agree(&mut bytes, block.t(), nodata as u8, lattice, levels, tie);
                let block = map.mapv(|v| (60_000 - v * times * 100) as u16);
                agree(&mut codes, block.view(), 60_000, lattice, levels, tie);
                let block = map.mapv(|v| (v - 3) * times * 1_000_000);
                agree(&mut wide, block.view(), nodata, lattice, levels, tie);
            }
        }

        #[test]
        fn changes_here_and_there_agree_with_the_plain_way(
            (rows, cols) in (1usize..=BLOCK, 1usize..=BLOCK), seed in any::<u64>(), patch in 1usize..40,
            classes in 2usize..30, kept in 1usize..90, nodata in prop_oneof![Just(0u16), Just(101), Just(65_535)],
            lattice in (any::<i32>(), any::<i32>()), lowest in any::<bool>(),
        ) {
            let kind = patches(rows, cols, seed, patch, classes + kept, 40);
            let block = kind.mapv(|v| if (v as usize) < classes { (v * 101) as u16 } else { 0 });
            let tie = if lowest { Tie::Lowest } else { Tie::Hash };
            let lattice = (lattice.0.into(), lattice.1.into());
            agree(&mut workers(), block.view(), nodata, lattice, BLOCK_LEVELS, tie);
        }

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
