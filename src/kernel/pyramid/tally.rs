//! How often one class stands in every square of a tile.

use super::tile::{Cells, SIDE};
use crate::kernel::ClassValue;

/// Squares of the levels 2 to 6 in a tile.
pub(super) const SQUARES: [usize; 5] = [256, 64, 16, 4, 1];

/// Cells of the largest square, the tile.
pub(super) const LARGEST: usize = SIDE * SIDE;

/// Counts of one class in the squares of the levels 2 to 6, row by row.
pub(super) struct Tally {
    pub(super) second: [u8; SQUARES[0]],
    pub(super) third: [u8; SQUARES[1]],
    pub(super) fourth: [u16; SQUARES[2]],
    pub(super) fifth: [u16; SQUARES[3]],
    pub(super) sixth: [u16; SQUARES[4]],
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { second: [0; _], third: [0; _], fourth: [0; _], fifth: [0; _], sixth: [0; _] }
    }

    /// Counts a class; `done` says how many cells of each 4 x 4 square are known to be of other classes.
    #[inline(always)]
    pub(super) fn count<T: ClassValue>(&mut self, cells: &Cells<T>, class: T, done: &[u8; SQUARES[0]]) {
        let lines = cells.as_chunks::<4>().0.iter().zip(done.as_chunks::<16>().0);
        for ((rows, done), line) in lines.zip(self.second.as_chunks_mut::<16>().0) {
            if *done == [16; 16] {
                *line = [0; 16];
                continue;
            }
            let mut columns = [0u8; SIDE];
            for row in rows {
                for (column, &cell) in columns.iter_mut().zip(row) {
                    *column += u8::from(cell == class);
                }
            }
            for (square, four) in line.iter_mut().zip(columns.as_chunks::<4>().0) {
                *square = (u32::from_le_bytes(*four).wrapping_mul(0x0101_0101) >> 24) as u8;
            }
        }
        for (pair, line) in self.second.as_chunks::<32>().0.iter().zip(self.third.as_chunks_mut::<8>().0) {
            let (upper, lower) = pair.split_at(16);
            let mut sums = [0u8; 16];
            for ((sum, upper), lower) in sums.iter_mut().zip(upper).zip(lower) {
                *sum = upper + lower;
            }
            for (square, [left, right]) in line.iter_mut().zip(sums.as_chunks::<2>().0) {
                *square = left + right;
            }
        }
        let third = self.third.map(u16::from);
        join(&third, 8, &mut self.fourth);
        join(&self.fourth, 4, &mut self.fifth);
        join(&self.fifth, 2, &mut self.sixth);
    }
}

/// Adds up squares of 2 x 2 counts; `width` counts stand in a row.
#[inline(always)]
fn join(below: &[u16], width: usize, squares: &mut [u16]) {
    let lines = below.chunks_exact(2 * width).zip(squares.chunks_exact_mut(width / 2));
    for (pair, line) in lines {
        let (upper, lower) = pair.split_at(width);
        let children = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
        for (square, (upper, lower)) in line.iter_mut().zip(children) {
            *square = upper[0] + upper[1] + lower[0] + lower[1];
        }
    }
}
