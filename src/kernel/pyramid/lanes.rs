//! The fast way: cells whose square is of one class need no counting, the others count all classes of the block
//! side by side.
//!
//! A block of a real map is mostly patches. Where a square of 2^k cells is of one class (or all nodata), so are all
//! levels below it, and one byte per cell says so. Only a *mixed* cell carries counts: a fixed number of lanes, one
//! per class of the block in ascending order and the last for nodata, so that adding up four children is adding
//! vectors. Up to level 4 a byte per lane is enough: 256 cells of one class would not be mixed.

use super::vote::{Counts, add, count, largest, only};
use super::{BLOCK_LEVELS, Tie, TieRow};

/// A block of codes and where it lies.
pub(super) struct Block<'a> {
    /// Codes of the cells, row by row, all rows equally long.
    pub(super) rows: &'a [&'a [u8]],
    /// The code of nodata.
    pub(super) nodata: u8,
    /// Where each code stands in the order of classes.
    pub(super) order: &'a [u8; 256],
    /// Row and column of its upper left cell on the lattice.
    pub(super) lattice: (i64, i64),
    /// Who wins ties.
    pub(super) tie: Tie,
}

impl Block<'_> {
    fn cols(&self) -> usize {
        self.rows.first().map_or(0, |row| row.len())
    }

    /// Native cells under a cell of a level.
    fn cells_under(&self, level: u32, row: usize, col: usize) -> usize {
        let side = 1usize << level;
        (self.rows.len() - (row << level)).min(side) * (self.cols() - (col << level)).min(side)
    }

    fn ties_of_row(&self, level: u32, row: usize) -> TieRow {
        TieRow::new(self.tie, level, self.lattice.0 + ((row << level) as i64))
    }

    fn lattice_col(&self, level: u32, col: usize) -> i64 {
        self.lattice.1 + ((col << level) as i64)
    }
}

/// One level of a block.
#[derive(Default)]
pub(super) struct Level {
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// Code of each cell.
    pub(super) values: Vec<u8>,
    /// 1 where the native cells under a cell differ, else 0.
    mixed: Vec<u8>,
}

impl Level {
    fn shape(&mut self, rows: usize, cols: usize) {
        (self.rows, self.cols) = (rows, cols);
        // Every entry is written anew; what stands there does not matter.
        self.values.resize(rows * cols, 0);
        self.mixed.resize(rows * cols, 0);
    }

    /// Level 1: which squares of 2 x 2 cells are mixed, and the codes of those that are not.
    pub(super) fn of_block(&mut self, block: &Block) {
        self.shape(block.rows.len().div_ceil(2), block.cols().div_ceil(2));
        let cells = self.values.chunks_exact_mut(self.cols).zip(self.mixed.chunks_exact_mut(self.cols));
        for (pair, (values, mixed)) in block.rows.chunks(2).zip(cells) {
            // A row or column that is missing at the edge is the same as the one beside it.
            join(pair[0], pair[pair.len() - 1], values, mixed);
        }
    }

    /// The next level: a cell is mixed if one of its children is, or if they differ.
    fn above(&mut self, below: &Level) {
        self.shape(below.rows.div_ceil(2), below.cols.div_ceil(2));
        let cells = self.values.chunks_exact_mut(self.cols).zip(self.mixed.chunks_exact_mut(self.cols));
        for (row, (values, mixed)) in cells.enumerate() {
            let line = |row: usize| row * below.cols..(row + 1) * below.cols;
            let (upper, lower) = (line(2 * row), line((2 * row + 1).min(below.rows - 1)));
            join(&below.values[upper.clone()], &below.values[lower.clone()], values, mixed);
            let (upper, lower) = (below.mixed[upper].chunks(2), below.mixed[lower].chunks(2));
            for ((mixed, upper), lower) in mixed.iter_mut().zip(upper).zip(lower) {
                *mixed |= upper[0] | upper[upper.len() - 1] | lower[0] | lower[lower.len() - 1];
            }
        }
    }

    /// Level 1: the modes of the mixed cells; marks every code of the block in `seen`.
    pub(super) fn modes_of_block(&mut self, block: &Block, seen: &mut [bool; 256]) {
        // Patches are wider than eight cells: most words repeat the one before.
        let (words, rest) = self.values.as_chunks::<8>();
        let mut last = None;
        for word in words {
            if last != Some(word) {
                last = Some(word);
                word.iter().for_each(|&code| seen[usize::from(code)] = true);
            }
        }
        rest.iter().for_each(|&code| seen[usize::from(code)] = true);
        let cells = self.values.chunks_exact_mut(self.cols).zip(self.mixed.chunks_exact(self.cols));
        for (row, (pair, (values, mixed))) in block.rows.chunks(2).zip(cells).enumerate() {
            let ties = block.ties_of_row(1, row);
            let (upper, lower) = (pair[0], pair[pair.len() - 1]);
            for col in mixed_cols(mixed) {
                let tie = |tied| ties.rank(block.lattice_col(1, col), tied);
                let right = 2 * col + 1;
                values[col] = if pair.len() == 2 && right < upper.len() {
                    let four = [upper[right - 1], upper[right], lower[right - 1], lower[right]];
                    four.iter().for_each(|&code| seen[usize::from(code)] = true);
                    mode_of_four(four, block, tie)
                } else {
                    // One row or one column at the edge: two cells, and they differ.
                    let two =
                        [upper[right - 1], if pair.len() == 2 { lower[right - 1] } else { upper[right] }];
                    two.iter().for_each(|&code| seen[usize::from(code)] = true);
                    mode_of_few(&two, block, tie)
                };
            }
        }
    }
}

/// The columns of the mixed cells of a row.
#[inline]
fn mixed_cols(flags: &[u8]) -> impl Iterator<Item = usize> {
    let mut word = 0u64;
    let mut next = 0;
    std::iter::from_fn(move || {
        while word == 0 {
            let rest = flags.get(next..).filter(|rest| !rest.is_empty())?;
            word = match rest.first_chunk::<8>() {
                Some(eight) => u64::from_le_bytes(*eight),
                None => rest.iter().rev().fold(0, |word, &flag| word << 8 | u64::from(flag)),
            };
            next += 8;
        }
        let col = next - 8 + word.trailing_zeros() as usize / 8;
        word &= word - 1;
        Some(col)
    })
}

/// Joins two rows two by two: the upper left value of each square, and whether it holds another beside it.
fn join(upper: &[u8], lower: &[u8], values: &mut [u8], mixed: &mut [u8]) {
    let (upper_pairs, upper_rest) = upper.as_chunks::<2>();
    let (lower_pairs, lower_rest) = lower.as_chunks::<2>();
    let cells = values.iter_mut().zip(mixed.iter_mut());
    for ((upper, lower), (value, mixed)) in upper_pairs.iter().zip(lower_pairs).zip(cells) {
        let (upper, lower) = (u16::from_le_bytes(*upper), u16::from_le_bytes(*lower));
        *value = upper as u8;
        *mixed = u8::from((upper ^ lower) | ((upper >> 8) ^ (upper & 0xFF)) != 0);
    }
    if let ([upper], [lower], [.., value], [.., mixed]) = (upper_rest, lower_rest, values, mixed) {
        (*value, *mixed) = (*upper, u8::from(upper != lower));
    }
}

/// The mode of four cells that are not all equal.
#[inline]
fn mode_of_four(cells: [u8; 4], block: &Block, tie: impl FnOnce(usize) -> usize) -> u8 {
    let [a, b, c, d] = cells;
    let same = |x: u8, y: u8| u8::from(x == y);
    let pairs = same(a, b) + same(a, c) + same(a, d) + same(b, c) + same(b, d) + same(c, d);
    let absent =
        same(a, block.nodata) + same(b, block.nodata) + same(c, block.nodata) + same(d, block.nodata);
    // One pair or three of a kind, and no more than one without data: whoever has a partner wins.
    if absent < 2 && pairs % 2 == 1 {
        return if (a == b) | (a == c) | (a == d) {
            a
        } else if (b == c) | (b == d) {
            b
        } else {
            c
        };
    }
    if absent == 0 && pairs == 2 {
        // Two of a kind against two.
        let other = if a != b {
            b
        } else if a != c {
            c
        } else {
            d
        };
        let in_order = block.order[usize::from(a)] < block.order[usize::from(other)];
        return if in_order == (tie(2) == 0) { a } else { other };
    }
    mode_of_few(&cells, block, tie)
}

/// The mode of at most four cells, whatever they are.
fn mode_of_few(cells: &[u8], block: &Block, tie: impl FnOnce(usize) -> usize) -> u8 {
    let absent = cells.iter().filter(|&&code| code == block.nodata).count();
    if absent * 2 > cells.len() {
        return block.nodata;
    }
    let times = |code: u8| cells.iter().filter(|&&other| other == code).count();
    let (mut winners, mut tied, mut most) = ([block.nodata; 4], 0, 0);
    for (position, &code) in cells.iter().enumerate() {
        if code == block.nodata || cells[..position].contains(&code) {
            continue;
        }
        let n = times(code);
        if n > most {
            (most, tied) = (n, 0);
        }
        if n == most {
            winners[tied] = code;
            tied += 1;
        }
    }
    if tied > 1 {
        winners[..tied].sort_unstable_by_key(|&code| block.order[usize::from(code)]);
        return winners[tie(tied)];
    }
    winners[0]
}

/// Which lane counts which class.
struct Numbering {
    /// Class of each lane, ascending; the last lane is nodata.
    classes: [u8; 256],
    lane_of: [u8; 256],
    last: usize,
}

impl Numbering {
    fn assign(&mut self, classes: &[u8], nodata: u8, lanes: usize) {
        self.last = lanes - 1;
        for (lane, code) in classes.iter().copied().enumerate().chain([(self.last, nodata)]) {
            self.classes[lane] = code;
            self.lane_of[usize::from(code)] = lane as u8;
        }
    }

    fn lane(&self, code: u8) -> usize {
        usize::from(self.lane_of[usize::from(code)])
    }

    /// The mode of small counts by the rule of the parent module.
    #[inline]
    fn mode<const W: usize>(&self, counts: &Counts<W>, cells: usize, tie: impl FnOnce(usize) -> usize) -> u8 {
        let absent = count(counts, self.last);
        if usize::from(absent) * 2 > cells {
            return self.classes[self.last];
        }
        // Some class has a cell, so nobody takes the emptied lane for a winner.
        let mut valid = *counts;
        valid[W - 1] &= u64::MAX >> 8;
        let (most, tied, first) = largest(&valid);
        if tied == 1 {
            return self.classes[first];
        }
        let mut winners = (first..self.last).filter(|&lane| count(&valid, lane) == most);
        self.classes[winners.nth(tie(tied)).unwrap_or(first)]
    }

    /// The same for counts of any size, a lane each.
    fn mode_of_large(&self, counts: &[u32], cells: usize, tie: impl FnOnce(usize) -> usize) -> u8 {
        let (absent, valid) = (counts[self.last], &counts[..self.last]);
        if absent as usize * 2 > cells {
            return self.classes[self.last];
        }
        let most = valid.iter().copied().max().unwrap_or(0);
        let tied = valid.iter().filter(|&&n| n == most).count();
        let rank = if tied == 1 { 0 } else { tie(tied) };
        let mut winners = (0..self.last).filter(|&lane| valid[lane] == most);
        self.classes[winners.nth(rank).unwrap_or(self.last)]
    }
}

/// Counts of the mixed cells of a level, row by row, behind a head of fixed counts.
struct Mixed<C> {
    counts: Vec<C>,
    head: usize,
    /// Where the counts of each row start.
    row_starts: Vec<usize>,
}

impl<C: Clone> Mixed<C> {
    fn new(head: usize, counts: C) -> Self {
        Self { counts: vec![counts; head], head, row_starts: Vec::new() }
    }

    fn clear(&mut self) {
        self.counts.truncate(self.head);
        self.row_starts.clear();
    }

    fn start_row(&mut self) {
        self.row_starts.push(self.counts.len());
    }

    /// Where the counts under a row of the next level start: those of its upper and of its lower child row.
    fn starts_under(&self, row: usize) -> [usize; 2] {
        let start = |row: usize| self.row_starts.get(row).copied().unwrap_or(self.counts.len());
        [start(2 * row), start(2 * row + 1)]
    }
}

/// Cells of a level that is being made: row, modes to write, flags to read.
fn lines(level: &mut Level) -> impl Iterator<Item = (usize, (&mut [u8], &[u8]))> {
    level.values.chunks_exact_mut(level.cols).zip(level.mixed.chunks_exact(level.cols)).enumerate()
}

/// Counts blocks of fewer than `L` classes; `L` is `8 * W`. What it holds between blocks is scratch.
pub(super) struct Lanes<const W: usize, const L: usize> {
    numbering: Numbering,
    /// One cell of each code.
    one: Box<[Counts<W>; 256]>,
    /// Levels 2, 3 and 4, each headed by a full cell of each code.
    small: [Mixed<Counts<W>>; 3],
    /// Levels 5, 7 and 9, and levels 6 and 8.
    large: [Mixed<[u32; L]>; 2],
}

impl<const W: usize, const L: usize> Lanes<W, L> {
    pub(super) fn new() -> Self {
        const { assert!(L == 8 * W && W.is_multiple_of(2) && L <= 256) };
        Self {
            numbering: Numbering { classes: [0; 256], lane_of: [0; 256], last: 0 },
            one: Box::new([[0; W]; 256]),
            small: std::array::from_fn(|_| Mixed::new(256, [0; W])),
            large: std::array::from_fn(|_| Mixed::new(0, [0; L])),
        }
    }

    /// Makes the levels 2 and above from level 1, and counts the cells of each of `classes` in the whole block.
    ///
    /// `classes` are those of the block in ascending order, nodata left out; `levels` are [`BLOCK_LEVELS`].
    pub(super) fn finish(&mut self, block: &Block, classes: &[u8], levels: &mut [Level]) -> Vec<u64> {
        self.numbering.assign(classes, block.nodata, L);
        for &code in classes.iter().chain([&block.nodata]) {
            let lane = self.numbering.lane(code);
            self.one[usize::from(code)] = only(lane, 1);
            for (level, cells) in self.small.iter_mut().zip([16, 64, 0]) {
                level.counts[usize::from(code)] = only(lane, cells);
            }
        }
        let numbering = &self.numbering;
        let [second, third, fourth] = &mut self.small;
        let [odd, even] = &mut self.large;
        for number in 2..=levels.len() {
            let (below, above) = levels.split_at_mut(number - 1);
            let (below, level) = (&below[number - 2], &mut above[0]);
            level.above(below);
            match number as u32 {
                2 => count_block(second, block, numbering, &self.one, level),
                n @ 3 => add_up(third, block, numbering, n, level, below, second),
                n @ 4 => add_up(fourth, block, numbering, n, level, below, third),
                n @ 5 => add_up_large(odd, block, numbering, n, level, below, fourth, |sum, counts| {
                    for (lane, sum) in sum.iter_mut().enumerate() {
                        *sum += u32::from(count(counts, lane));
                    }
                }),
                n => {
                    let (into, from) = if n % 2 == 0 { (&mut *even, &*odd) } else { (&mut *odd, &*even) };
                    add_up_large(into, block, numbering, n, level, below, from, |sum, counts| {
                        for (sum, n) in sum.iter_mut().zip(counts) {
                            *sum += n;
                        }
                    });
                }
            }
        }
        match odd.counts.first() {
            Some(counts) => counts.iter().take(classes.len()).copied().map(u64::from).collect(),
            // The whole block is alike.
            None => vec![block.cells_under(BLOCK_LEVELS, 0, 0) as u64; classes.len()],
        }
    }
}

/// Counts the cells of level 2 from the block itself.
fn count_block<const W: usize>(
    into: &mut Mixed<Counts<W>>,
    block: &Block,
    numbering: &Numbering,
    one: &[Counts<W>; 256],
    level: &mut Level,
) {
    into.clear();
    for ((row, (values, mixed)), natives) in lines(level).zip(block.rows.chunks(4)) {
        into.start_row();
        let ties = block.ties_of_row(2, row);
        for col in mixed_cols(mixed) {
            let mut counts = [0; W];
            let mut cells = 0;
            for native in natives {
                let native = &native[4 * col..];
                if let Some(four) = native.first_chunk::<4>() {
                    four.iter().for_each(|&code| add(&mut counts, &one[usize::from(code)]));
                    cells += 4;
                } else {
                    native.iter().for_each(|&code| add(&mut counts, &one[usize::from(code)]));
                    cells += native.len();
                }
            }
            values[col] = numbering.mode(&counts, cells, |tied| ties.rank(block.lattice_col(2, col), tied));
            into.counts.push(counts);
        }
    }
}

/// Counts the cells of level 3 or 4 by adding up those of the level below.
fn add_up<const W: usize>(
    into: &mut Mixed<Counts<W>>,
    block: &Block,
    numbering: &Numbering,
    number: u32,
    level: &mut Level,
    below: &Level,
    children: &Mixed<Counts<W>>,
) {
    into.clear();
    let side = 1 << number;
    let (full_rows, full_cols) = (block.rows.len() / side, block.cols() / side);
    for (row, (values, mixed)) in lines(level) {
        into.start_row();
        let ties = block.ties_of_row(number, row);
        let [mut upper, mut lower] = children.starts_under(row);
        for col in mixed_cols(mixed) {
            let mut counts = [0; W];
            let mut add_child = |next: &mut usize, child_row: usize, child_col: usize| {
                let child = child_row * below.cols + child_col;
                let (code, is_mixed) = (below.values[child], below.mixed[child]);
                // Cells of one class find their counts in the head: a place to look up, nothing to guess wrong.
                let place = if is_mixed != 0 { *next } else { usize::from(code) };
                *next += usize::from(is_mixed);
                if row < full_rows && col < full_cols || is_mixed != 0 {
                    add(&mut counts, &children.counts[place]);
                } else {
                    let cells = block.cells_under(number - 1, child_row, child_col);
                    add(&mut counts, &only(numbering.lane(code), cells as u8));
                }
            };
            let right = (2 * col + 1 < below.cols).then_some(2 * col + 1);
            add_child(&mut upper, 2 * row, 2 * col);
            right.into_iter().for_each(|right| add_child(&mut upper, 2 * row, right));
            if 2 * row + 1 < below.rows {
                add_child(&mut lower, 2 * row + 1, 2 * col);
                right.into_iter().for_each(|right| add_child(&mut lower, 2 * row + 1, right));
            }
            let cells = block.cells_under(number, row, col);
            values[col] =
                numbering.mode(&counts, cells, |tied| ties.rank(block.lattice_col(number, col), tied));
            into.counts.push(counts);
        }
    }
}

/// Counts the cells of level 5 or above by adding up those of the level below.
fn add_up_large<C: Clone, const L: usize>(
    into: &mut Mixed<[u32; L]>,
    block: &Block,
    numbering: &Numbering,
    number: u32,
    level: &mut Level,
    below: &Level,
    children: &Mixed<C>,
    add: impl Fn(&mut [u32; L], &C),
) {
    into.clear();
    for (row, (values, mixed)) in lines(level) {
        into.start_row();
        let ties = block.ties_of_row(number, row);
        let mut next = children.starts_under(row);
        for col in mixed_cols(mixed) {
            let mut counts = [0; L];
            for (child_row, next) in (2 * row..below.rows).zip(&mut next) {
                for child_col in 2 * col..(2 * col + 2).min(below.cols) {
                    let child = child_row * below.cols + child_col;
                    if below.mixed[child] == 0 {
                        let cells = block.cells_under(number - 1, child_row, child_col);
                        counts[numbering.lane(below.values[child])] += cells as u32;
                    } else {
                        add(&mut counts, &children.counts[*next]);
                        *next += 1;
                    }
                }
            }
            let cells = block.cells_under(number, row, col);
            let tie = |tied| ties.rank(block.lattice_col(number, col), tied);
            values[col] = numbering.mode_of_large(&counts, cells, tie);
            into.counts.push(counts);
        }
    }
}
