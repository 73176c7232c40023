//! The fast way: cells whose square is of one class need no counting, the others count all classes of the block
//! side by side.
//!
//! A block of a real map is mostly patches. Where a square of 2^k cells is of one class (or all nodata), so are all
//! levels below it, and one byte per cell says so. Only a *mixed* cell carries counts: a fixed number of lanes, one
//! per class of the block in ascending order and the last for nodata, so that adding up four children is adding
//! vectors. Up to level 4 a byte per lane is enough: 256 cells of one class would not be mixed.

use super::{Tie, TieRow};

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

    /// Calls `f` with the column of each mixed cell of a row.
    fn each_mixed(flags: &[u8], mut f: impl FnMut(usize)) {
        let mut visit = |from: usize, mut word: u64| {
            while word != 0 {
                f(from + word.trailing_zeros() as usize / 8);
                word &= word - 1;
            }
        };
        let (words, rest) = flags.as_chunks::<8>();
        for (position, word) in words.iter().enumerate() {
            visit(8 * position, u64::from_le_bytes(*word));
        }
        for (position, &flag) in rest.iter().enumerate() {
            visit(8 * words.len() + position, u64::from(flag));
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
            Self::each_mixed(mixed, |col| {
                let tie = |tied| ties.rank(block.lattice_col(1, col), tied);
                let right = 2 * col + 1;
                values[col] = if pair.len() == 2 && right < upper.len() {
                    let four = [upper[right - 1], upper[right], lower[right - 1], lower[right]];
                    four.iter().for_each(|&code| seen[usize::from(code)] = true);
                    mode_of_four(four, block, tie)
                } else {
                    // One row or one column at the edge: two cells, and they differ.
                    let two = [upper[right - 1], if pair.len() == 2 { lower[right - 1] } else { upper[right] }];
                    two.iter().for_each(|&code| seen[usize::from(code)] = true);
                    mode_of_few(&two, block, tie)
                };
            });
        }
    }
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
    let absent = same(a, block.nodata) + same(b, block.nodata) + same(c, block.nodata) + same(d, block.nodata);
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

/// Counts of one cell side by side.
trait Lane: Copy + Default + Ord + std::ops::AddAssign + Into<u32> {
    /// Adds a child whose `cells` native cells all have one code.
    fn add_alike<const L: usize>(counts: &mut [Self; L], lanes: &Numbering<L>, code: u8, cells: usize);
}

impl Lane for u8 {
    #[inline]
    fn add_alike<const L: usize>(counts: &mut [u8; L], lanes: &Numbering<L>, code: u8, cells: usize) {
        match cells {
            16 => add(counts, &lanes.sixteen[usize::from(code)]),
            64 => add(counts, &lanes.sixty_four[usize::from(code)]),
            _ => counts[usize::from(lanes.lane_of[usize::from(code)])] += cells as u8,
        }
    }
}

impl Lane for u32 {
    #[inline]
    fn add_alike<const L: usize>(counts: &mut [u32; L], lanes: &Numbering<L>, code: u8, cells: usize) {
        counts[usize::from(lanes.lane_of[usize::from(code)])] += cells as u32;
    }
}

#[inline]
fn add<C: Copy, N: From<C> + Copy + std::ops::AddAssign, const L: usize>(sum: &mut [N; L], counts: &[C; L]) {
    for (sum, &n) in sum.iter_mut().zip(counts) {
        *sum += N::from(n);
    }
}

/// Which lane counts which class.
struct Numbering<const L: usize> {
    /// Class of each lane, ascending; the last lane is nodata.
    classes: [u8; L],
    lane_of: [u8; 256],
    /// The lanes of one, of 16 and of 64 cells of each code.
    one: Box<[[u8; L]; 256]>,
    sixteen: Box<[[u8; L]; 256]>,
    sixty_four: Box<[[u8; L]; 256]>,
}

impl<const L: usize> Numbering<L> {
    fn new() -> Self {
        let units = || Box::new([[0; L]; 256]);
        Self { classes: [0; L], lane_of: [0; 256], one: units(), sixteen: units(), sixty_four: units() }
    }

    fn assign(&mut self, classes: &[u8], nodata: u8) {
        // Lanes nobody has are nodata too: they count nothing and never win.
        self.classes = [nodata; L];
        for (lane, code) in classes.iter().copied().enumerate().chain([(L - 1, nodata)]) {
            self.classes[lane] = code;
            let code = usize::from(code);
            self.lane_of[code] = lane as u8;
            for (units, cells) in [(&mut self.one, 1), (&mut self.sixteen, 16), (&mut self.sixty_four, 64)] {
                units[code] = [0; L];
                units[code][lane] = cells;
            }
        }
    }

    /// The mode by the rule of the parent module.
    #[inline]
    fn mode<N: Lane>(&self, mut counts: [N; L], cells: usize, tie: impl FnOnce(usize) -> usize) -> u8 {
        let absent: u32 = counts[L - 1].into();
        if absent as usize * 2 > cells {
            return self.classes[L - 1];
        }
        // Some class has a cell, so nobody takes the emptied lane for a winner.
        counts[L - 1] = N::default();
        let most = counts.iter().fold(N::default(), |most, &n| most.max(n));
        let (mut tied, mut first) = (0, 0);
        let (chunks, _) = counts.as_chunks::<16>();
        for (chunk, counts) in chunks.iter().enumerate() {
            let winners = equal_lanes(counts, most);
            if tied == 0 {
                first = 16 * chunk + winners.trailing_zeros() as usize;
            }
            tied += winners.count_ones() as usize;
        }
        if tied > 1 {
            let winners = (0..L).filter(|&lane| counts[lane] == most);
            first = winners.skip(1).nth(tie(tied).wrapping_sub(1)).unwrap_or(first);
        }
        self.classes.get(first).copied().unwrap_or(self.classes[L - 1])
    }
}

/// Bit i is set where lane i is `most`.
#[inline]
fn equal_lanes<N: Lane>(counts: &[N; 16], most: N) -> u32 {
    let equal = counts.map(|n| u8::from(n == most));
    let (halves, _) = equal.as_chunks::<8>();
    // The product moves the lowest bit of each byte into the highest byte.
    let bits = |half: &[u8; 8]| u64::from_le_bytes(*half).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    halves.iter().rev().fold(0, |mask, half| mask << 8 | bits(half) as u32)
}

/// Counts of the mixed cells of a level, row by row.
struct Mixed<N, const L: usize> {
    counts: Vec<[N; L]>,
    /// Where the counts of each row start.
    row_starts: Vec<usize>,
}

impl<N, const L: usize> Default for Mixed<N, L> {
    fn default() -> Self {
        Self { counts: Vec::new(), row_starts: Vec::new() }
    }
}

impl<N: Lane, const L: usize> Mixed<N, L> {
    fn clear(&mut self) {
        self.counts.clear();
        self.row_starts.clear();
    }

    /// Where the counts under a row of the next level start: those of its upper and of its lower child row.
    fn starts_under(&self, row: usize) -> [usize; 2] {
        let start = |row: usize| self.row_starts.get(row).copied().unwrap_or(self.counts.len());
        [start(2 * row), start(2 * row + 1)]
    }

    /// Counts the cells of level 2 from the block itself.
    fn count_block(&mut self, block: &Block, lanes: &Numbering<L>, level: &mut Level)
    where
        N: From<u8>,
    {
        self.clear();
        let cells = level.values.chunks_exact_mut(level.cols).zip(level.mixed.chunks_exact(level.cols));
        for ((row, rows), (values, mixed)) in block.rows.chunks(4).enumerate().zip(cells) {
            self.row_starts.push(self.counts.len());
            let ties = block.ties_of_row(2, row);
            Level::each_mixed(mixed, |col| {
                let mut counts = [0; L];
                let mut cells = 0;
                for native in rows {
                    let native = &native[4 * col..];
                    if let Some(four) = native.first_chunk::<4>() {
                        four.iter().for_each(|&code| add(&mut counts, &lanes.one[usize::from(code)]));
                        cells += 4;
                    } else {
                        native.iter().for_each(|&code| add(&mut counts, &lanes.one[usize::from(code)]));
                        cells += native.len();
                    }
                }
                values[col] = lanes.mode(counts, cells, |tied| ties.rank(block.lattice_col(2, col), tied));
                self.counts.push(counts.map(N::from));
            });
        }
    }

    /// Counts the cells of a level by adding up those of the level below.
    fn add_up<C: Lane>(
        &mut self,
        block: &Block,
        lanes: &Numbering<L>,
        number: u32,
        level: &mut Level,
        below: &Level,
        children: &Mixed<C, L>,
    ) where
        N: From<C>,
    {
        self.clear();
        let cells = level.values.chunks_exact_mut(level.cols).zip(level.mixed.chunks_exact(level.cols));
        for (row, (values, mixed)) in cells.enumerate() {
            self.row_starts.push(self.counts.len());
            let ties = block.ties_of_row(number, row);
            let mut next = children.starts_under(row);
            Level::each_mixed(mixed, |col| {
                let mut counts = [N::default(); L];
                for (child_row, next) in (2 * row..below.rows).zip(&mut next) {
                    for child_col in 2 * col..(2 * col + 2).min(below.cols) {
                        let child = child_row * below.cols + child_col;
                        if below.mixed[child] == 0 {
                            let cells = block.cells_under(number - 1, child_row, child_col);
                            N::add_alike(&mut counts, lanes, below.values[child], cells);
                        } else {
                            add(&mut counts, &children.counts[*next]);
                            *next += 1;
                        }
                    }
                }
                let cells = block.cells_under(number, row, col);
                let tie = |tied| ties.rank(block.lattice_col(number, col), tied);
                values[col] = lanes.mode(counts, cells, tie);
                self.counts.push(counts);
            });
        }
    }
}

/// Counts blocks of at most `L - 1` classes; `L` is a multiple of 16. What it holds between blocks is scratch.
pub(super) struct Lanes<const L: usize> {
    numbering: Numbering<L>,
    /// Levels 2 and 4, and level 3.
    small: [Mixed<u8, L>; 2],
    /// Levels 5, 7 and 9, and levels 6 and 8.
    large: [Mixed<u32, L>; 2],
}

impl<const L: usize> Lanes<L> {
    pub(super) fn new() -> Self {
        Self { numbering: Numbering::new(), small: Default::default(), large: Default::default() }
    }

    /// Makes the levels 2 and above from level 1, and counts the cells of each of `classes` in the whole block.
    ///
    /// `classes` are those of the block in ascending order, nodata left out; `levels` are [`super::BLOCK_LEVELS`].
    pub(super) fn finish(&mut self, block: &Block, classes: &[u8], levels: &mut [Level]) -> Vec<u64> {
        self.numbering.assign(classes, block.nodata);
        let lanes = &self.numbering;
        let [even, odd] = &mut self.small;
        let [large_odd, large_even] = &mut self.large;
        for number in 2..=levels.len() {
            let (below, above) = levels.split_at_mut(number - 1);
            let (below, level) = (&below[number - 2], &mut above[0]);
            level.above(below);
            match number as u32 {
                2 => even.count_block(block, lanes, level),
                n @ 3 => odd.add_up(block, lanes, n, level, below, even),
                n @ 4 => even.add_up(block, lanes, n, level, below, odd),
                n @ 5 => large_odd.add_up(block, lanes, n, level, below, even),
                n if n % 2 == 0 => large_even.add_up(block, lanes, n, level, below, large_odd),
                n => large_odd.add_up(block, lanes, n, level, below, large_even),
            }
        }
        match large_odd.counts.first() {
            Some(counts) => (0..classes.len()).map(|lane| u64::from(counts[lane])).collect(),
            // The whole block is alike.
            None => vec![block.cells_under(super::BLOCK_LEVELS, 0, 0) as u64; classes.len()],
        }
    }
}
