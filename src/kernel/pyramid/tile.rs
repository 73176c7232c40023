//! The fast way: 64 x 64 cells at a time, all squares of a level side by side.
//!
//! A tile of a real map has few classes, however many the block has, and of change rasters most tiles have one. So
//! classes are taken one after the other as they are met: one pass of comparisons counts a class in all 4 x 4 squares,
//! sums of those count it in the larger ones, and a running maximum keeps the leader of each square. Nothing branches on
//! what a cell holds, and all of it can be done in vectors. Level 1 needs no counts: see [`quads`](super::quads).

use super::flags::each_set;
use super::quads::Quads;
use super::tally::{LARGEST, SQUARES, Tally};
use super::votes::Votes;
use super::{Tie, TieRow};
use crate::kernel::ClassValue;

/// Rows and columns of a tile.
pub(super) const SIDE: usize = 64;

/// Overview levels that fit in one tile: 64 = 2^6.
pub(super) const TILE_LEVELS: usize = 6;

/// Classes of a tile beyond which the lists of the plain way are no slower.
const MOST_CLASSES: usize = 256;

/// Cells of a tile.
pub(super) type Cells<T> = [[T; SIDE]; SIDE];

/// Where a tile lies and what of it is inside the raster.
pub(super) struct Place<'a> {
    /// Its rows and columns inside the raster; the cells beyond are nodata.
    pub(super) size: (usize, usize),
    /// Row and column of its upper left cell on the lattice.
    pub(super) lattice: (i64, i64),
    /// Ties of its rows of level 1.
    pub(super) first_ties: &'a [TieRow; SIDE / 2],
    /// Who wins ties.
    pub(super) tie: Tie,
}

impl Place<'_> {
    /// Native cells under a square of a level.
    fn cells_under(&self, level: u32, row: usize, col: usize) -> usize {
        let side = 1usize << level;
        let inside = |size: usize, at: usize| size.saturating_sub(at << level).min(side);
        inside(self.size.0, row) * inside(self.size.1, col)
    }

    fn is_whole(&self) -> bool {
        self.size == (SIDE, SIDE)
    }
}

/// Makes the overviews of tiles, one after the other; what it holds between them is scratch.
pub(super) struct Tile<T> {
    nodata: T,
    quads: Quads<T>,
    second: Votes<T, u8, { SQUARES[0] }>,
    third: Votes<T, u8, { SQUARES[1] }>,
    fourth: Votes<T, u16, { SQUARES[2] }>,
    fifth: Votes<T, u16, { SQUARES[3] }>,
    sixth: Votes<T, u16, { SQUARES[4] }>,
    /// Classes in the order they are met, nodata among them.
    classes: Vec<T>,
    /// What was counted of each.
    tallies: Vec<Tally>,
    /// Positions of the classes in ascending order, nodata left out.
    ascending: Vec<u8>,
}

impl<T: ClassValue> Tile<T> {
    pub(super) fn new(nodata: T) -> Self {
        Self {
            nodata,
            quads: Quads::new(nodata),
            second: Votes::new(nodata),
            third: Votes::new(nodata),
            fourth: Votes::new(nodata),
            fifth: Votes::new(nodata),
            sixth: Votes::new(nodata),
            classes: Vec::new(),
            tallies: Vec::new(),
            ascending: Vec::new(),
        }
    }

    /// Cells of each class, ascending, nodata left out.
    pub(super) fn counts(&self) -> impl Iterator<Item = (T, u32)> {
        self.ascending.iter().map(|&class| {
            let class = usize::from(class);
            (self.classes[class], self.tallies[class].sixth[0].into())
        })
    }

    /// Modes of a level from 1 on, row by row of 64 / 2^level.
    pub(super) fn modes(&self, level: usize) -> &[T] {
        match level {
            1 => self.quads.modes.as_flattened(),
            2 => &self.second.winners,
            3 => &self.third.winners,
            4 => &self.fourth.winners,
            5 => &self.fifth.winners,
            _ => &self.sixth.winners,
        }
    }

    /// Makes all levels of a tile; `false` if there are too many classes.
    #[inline(always)]
    pub(super) fn make(&mut self, cells: &Cells<T>, nodata: T, place: &Place) -> bool {
        self.nodata = nodata;
        if !self.count(cells) {
            return false;
        }
        self.quads.make(cells, self.nodata, place);
        self.ascending.clear();
        let valid = (0..self.classes.len()).filter(|&class| self.classes[class] != self.nodata);
        self.ascending.extend(valid.map(|class| class as u8));
        self.ascending.sort_unstable_by_key(|&class| self.classes[usize::from(class)]);
        let absent = self.classes.iter().position(|&class| class == self.nodata);
        let scene = Scene {
            place,
            nodata: self.nodata,
            classes: &self.classes,
            tallies: &self.tallies,
            ascending: &self.ascending,
            absent: absent.map(|class| &self.tallies[class]),
        };
        scene.settle(2, &mut self.second, |tally| &tally.second);
        scene.settle(3, &mut self.third, |tally| &tally.third);
        scene.settle(4, &mut self.fourth, |tally| &tally.fourth);
        scene.settle(5, &mut self.fifth, |tally| &tally.fifth);
        scene.settle(6, &mut self.sixth, |tally| &tally.sixth);
        true
    }

    /// Counts and ranks all classes; `false` if there are too many.
    #[inline(always)]
    fn count(&mut self, cells: &Cells<T>) -> bool {
        self.second.clear(self.nodata);
        self.third.clear(self.nodata);
        self.fourth.clear(self.nodata);
        self.fifth.clear(self.nodata);
        self.sixth.clear(self.nodata);
        self.classes.clear();
        // Cells of each 4 x 4 square, and of all, whose class has been counted.
        let mut done = [0u8; SQUARES[0]];
        let mut all_done = 0;
        let mut at = 0;
        while all_done < LARGEST {
            while done[at] == 16 {
                at += 1;
            }
            let number = self.classes.len();
            if number == MOST_CLASSES {
                return false;
            }
            let class = self.unmet(cells, at);
            self.classes.push(class);
            if self.tallies.len() == number {
                self.tallies.push(Tally::new());
            }
            let tally = &mut self.tallies[number];
            tally.count(cells, class, &done);
            for (done, n) in done.iter_mut().zip(&tally.second) {
                *done += n;
            }
            all_done += usize::from(tally.sixth[0]);
            if class != self.nodata {
                self.second.add(class, &tally.second);
                self.third.add(class, &tally.third);
                self.fourth.add(class, &tally.fourth);
                self.fifth.add(class, &tally.fifth);
                self.sixth.add(class, &tally.sixth);
            }
        }
        true
    }

    /// A class of a 4 x 4 square that was not met before.
    fn unmet(&self, cells: &Cells<T>, square: usize) -> T {
        let (row, col) = (square / (SIDE / 4) * 4, square % (SIDE / 4) * 4);
        let mut cells = cells[row..row + 4].iter().flat_map(|line| &line[col..col + 4]);
        cells.find(|cell| !self.classes.contains(cell)).copied().unwrap_or(self.nodata)
    }
}

/// What decides the modes of all levels above the first.
struct Scene<'a, T> {
    place: &'a Place<'a>,
    nodata: T,
    classes: &'a [T],
    tallies: &'a [Tally],
    ascending: &'a [u8],
    /// What was counted of nodata.
    absent: Option<&'a Tally>,
}

impl<T: ClassValue> Scene<'_, T> {
    /// Turns the leaders of a level into its modes: squares without enough data, then ties.
    #[inline(always)]
    fn settle<N: Copy + Ord + Into<u32>, const M: usize>(
        &self,
        level: u32,
        votes: &mut Votes<T, N, M>,
        counts: impl Fn(&Tally) -> &[N; M],
    ) {
        let width = SIDE >> level;
        let under = 1u32 << (2 * level);
        if let Some(absent) = self.absent {
            let whole = self.place.is_whole();
            let squares = votes.winners.iter_mut().zip(&mut votes.tied).zip(counts(absent));
            for (square, ((winner, tied), &absent)) in squares.enumerate() {
                let cells = if whole {
                    under
                } else {
                    self.place.cells_under(level, square / width, square % width) as u32
                };
                let valid = under - absent.into();
                if (valid * 2 < cells) | (valid == 0) {
                    (*winner, *tied) = (self.nodata, 0);
                }
            }
        }
        let mut with_most = [0u8; MOST_CLASSES];
        let Votes { winners, most, tied } = votes;
        each_set(tied, |square| {
            // Each is written down over the last one unless that was tied: nothing to guess wrong.
            let mut tied = 0;
            for &class in self.ascending {
                with_most[tied] = class;
                tied += usize::from(counts(&self.tallies[usize::from(class)])[square] == most[square]);
            }
            let (row, col) = ((square / width) << level, (square % width) << level);
            let ties = TieRow::new(self.place.tie, level, self.place.lattice.0 + row as i64);
            let rank = ties.rank(self.place.lattice.1 + col as i64, tied);
            winners[square] = self.classes[usize::from(with_most[rank])];
        });
    }
}
