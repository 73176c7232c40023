//! The plain way: every cell of a level carries a list of its classes and their counts.
//!
//! It knows no limit to the number of classes, and it is what the fast way is held to.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2};

use super::{BLOCK_LEVELS, Tie, mode};
use crate::kernel::ClassValue;

/// The overview cells of one block and the counts of its classes.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockPyramid<T> {
    /// Levels 1, 2, … of the block's square; level k has ceil(size / 2^k) rows and columns.
    pub levels: Vec<Array2<T>>,
    /// Cells of each class in the whole block, nodata left out.
    pub counts: BTreeMap<T, u64>,
}

/// Counts of every cell of a level, one after the other.
pub(super) struct LevelCounts<T> {
    rows: usize,
    cols: usize,
    /// Where each cell's entries start; one more than cells.
    starts: Vec<u32>,
    /// (class, native cells), ascending by class within a cell.
    entries: Vec<(T, u32)>,
}

impl<T: ClassValue> LevelCounts<T> {
    /// No cell yet of a level of this size.
    pub(super) fn new(rows: usize, cols: usize) -> Self {
        let mut starts = Vec::with_capacity(rows * cols + 1);
        starts.push(0);
        Self { rows, cols, starts, entries: Vec::new() }
    }

    /// Appends the next cell, row by row; its entries are in ascending order.
    pub(super) fn push(&mut self, cell: impl IntoIterator<Item = (T, u32)>) {
        self.entries.extend(cell);
        self.starts.push(self.entries.len() as u32);
    }

    /// Classes of a cell, ascending, and the native cells of each.
    pub(super) fn of_cell(&self, row: usize, col: usize) -> &[(T, u32)] {
        let cell = row * self.cols + col;
        &self.entries[self.starts[cell] as usize..self.starts[cell + 1] as usize]
    }

    fn build(rows: usize, cols: usize, mut children: impl FnMut(usize, usize, &mut Vec<(T, u32)>)) -> Self {
        let mut counts = Self::new(rows, cols);
        let mut cell = Vec::new();
        for row in 0..rows {
            for col in 0..cols {
                cell.clear();
                children(row, col, &mut cell);
                counts.push(cell.iter().copied());
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

    /// The mode of a cell of this level in a block of a size.
    pub(super) fn mode(
        &self,
        level: u32,
        (row, col): (usize, usize),
        size: (usize, usize),
        nodata: T,
        lattice: (i64, i64),
        tie: Tie,
    ) -> T {
        let (side, top, left) = (1usize << level, row << level, col << level);
        let cells = ((size.0 - top).min(side) * (size.1 - left).min(side)) as u64;
        let place = (level, lattice.0 + top as i64, lattice.1 + left as i64);
        mode(self.of_cell(row, col), cells, nodata, place, tie)
    }

    /// The next level.
    pub(super) fn above(&self) -> Self {
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
            let shape = (counts.rows, counts.cols);
            made.push(Array2::from_shape_fn(shape, |cell| {
                counts.mode(level, cell, (rows, cols), nodata, lattice, tie)
            }));
        }
    }
    let total = counts.of_cell(0, 0).iter().map(|&(class, n)| (class, u64::from(n))).collect();
    BlockPyramid { levels: made, counts: total }
}
