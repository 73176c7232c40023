//! Level 1 of a tile: the modes of squares of 2 x 2 cells, by comparing their cells.

use super::flags::each_set;
use super::tile::{Cells, Place, SIDE};
use crate::kernel::ClassValue;

const WIDTH: usize = SIDE / 2;

/// Modes of the squares of 2 x 2 cells.
pub(super) struct Quads<T> {
    pub(super) modes: [[T; WIDTH]; WIDTH],
    /// 1 where comparing was not enough.
    open: [[u8; WIDTH]; WIDTH],
}

impl<T: ClassValue> Quads<T> {
    pub(super) fn new(nodata: T) -> Self {
        Self { modes: [[nodata; WIDTH]; WIDTH], open: [[0; WIDTH]; WIDTH] }
    }

    #[inline(always)]
    pub(super) fn make(&mut self, cells: &Cells<T>, nodata: T, place: &Place) {
        let lines = self.modes.iter_mut().zip(&mut self.open);
        for ([upper, lower], (modes, open)) in cells.as_chunks::<2>().0.iter().zip(lines) {
            compare(upper, lower, nodata, modes, open);
        }
        let modes = self.modes.as_flattened_mut();
        each_set(self.open.as_flattened(), |square| {
            let (row, col) = (square / WIDTH, square % WIDTH);
            let (upper, lower) = (&cells[2 * row], &cells[2 * row + 1]);
            let four = [upper[2 * col], upper[2 * col + 1], lower[2 * col], lower[2 * col + 1]];
            let tie = |tied| place.first_ties[row].rank(place.lattice.1 + 2 * col as i64, tied);
            modes[square] = mode_of_open(four, nodata, tie);
        });
        // An odd edge cuts squares in two; what is left of them votes alone.
        let (rows, cols) = place.size;
        let mut at_edge = |row: usize, col: usize| {
            let (mut inside, mut n) = ([nodata; 2], 0);
            for line in &cells[2 * row..rows.min(2 * row + 2)] {
                for &cell in &line[2 * col..cols.min(2 * col + 2)] {
                    (inside[n], n) = (cell, n + 1);
                }
            }
            let tie = |tied| place.first_ties[row].rank(place.lattice.1 + 2 * col as i64, tied);
            modes[row * WIDTH + col] = mode_of_few(&inside[..n], nodata, tie);
        };
        if rows % 2 == 1 {
            (0..cols.div_ceil(2)).for_each(|col| at_edge(rows / 2, col));
        }
        if cols % 2 == 1 {
            (0..rows / 2).for_each(|row| at_edge(row, cols / 2));
        }
    }
}

/// The modes of a row of squares where a class has more cells than any other; the others are marked as open.
#[inline(always)]
fn compare<T: ClassValue>(
    upper: &[T; SIDE],
    lower: &[T; SIDE],
    nodata: T,
    modes: &mut [T; WIDTH],
    open: &mut [u8; WIDTH],
) {
    let children = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
    let squares = modes.iter_mut().zip(open);
    for ((&[a, b], &[c, d]), (mode, open)) in children.zip(squares) {
        let same = |x: T, y: T| u8::from(x == y);
        let with_a = same(a, b) + same(a, c) + same(a, d);
        let with_b = same(b, c) + same(b, d);
        let pairs = with_a + with_b + same(c, d);
        let winner = if with_a > 0 {
            a
        } else if with_b > 0 {
            b
        } else {
            c
        };
        *mode = winner;
        // One pair, three or four of a kind win, unless the one pair has no data.
        let wins = (pairs & 1 != 0) | (pairs == 6);
        *open = u8::from(!wins | ((pairs == 1) & (winner == nodata)));
    }
}

/// The mode of four cells that have no single largest count, or whose only pair is nodata.
#[inline(always)]
fn mode_of_open<T: ClassValue>(cells: [T; 4], nodata: T, tie: impl FnOnce(usize) -> usize) -> T {
    let [a, b, c, d] = cells;
    let other = if a != b { b } else { c };
    let two_and_two = (a == b) & (c == d) | (a != b) & ((a == c) & (b == d) | (a == d) & (b == c));
    if two_and_two & (a != nodata) & (other != nodata) {
        return if (a < other) == (tie(2) == 0) { a } else { other };
    }
    mode_of_few(&cells, nodata, tie)
}

/// The mode of at most four cells, whatever they are.
fn mode_of_few<T: ClassValue>(cells: &[T], nodata: T, tie: impl FnOnce(usize) -> usize) -> T {
    let absent = cells.iter().filter(|&&cell| cell == nodata).count();
    if absent * 2 > cells.len() {
        return nodata;
    }
    let (mut winners, mut tied, mut most) = ([nodata; 4], 0, 0);
    for (position, &cell) in cells.iter().enumerate() {
        if cell == nodata || cells[..position].contains(&cell) {
            continue;
        }
        let n = cells.iter().filter(|&&other| other == cell).count();
        if n > most {
            (most, tied) = (n, 0);
        }
        if n == most {
            winners[tied] = cell;
            tied += 1;
        }
    }
    if tied > 1 {
        winners[..tied].sort_unstable();
        return winners[tie(tied)];
    }
    winners[0]
}
