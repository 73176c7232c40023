//! Gaps: places between the sources of a map that none of them decides, and pieces of such places in the making.

use serde::{Deserialize, Serialize};

use super::area::Amount;
use super::window::Window;

/// The most gaps of one map that are kept one by one; the smaller ones are added up.
pub const MOST_GAPS: usize = 1000;

/// A connected piece of undecided cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Its cells, with their area where that is added up.
    pub amount: Amount,
    /// Row and column of its first cell, row by row.
    pub first: (i64, i64),
    /// The smallest window that holds it.
    pub held: Window,
}

impl Gap {
    /// A part of a row.
    pub fn run(row: i64, col: i64, cols: usize, area_mm2: u128) -> Self {
        let amount = Amount { pixels: cols as u64, area_mm2 };
        Self { amount, first: (row, col), held: Window { row, col, rows: 1, cols } }
    }

    /// Takes in another piece of it.
    pub fn add(&mut self, other: &Self) {
        self.amount += other.amount;
        self.first = self.first.min(other.first);
        self.held = self.held.union(&other.held);
    }

    /// Larger ones first, then by the place of their first cell, which no two gaps share.
    fn order(&self) -> (std::cmp::Reverse<u64>, (i64, i64)) {
        (std::cmp::Reverse(self.amount.pixels), self.first)
    }
}

/// Gaps that are whole: the largest one by one, the others added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// The largest; in order once [`Gaps::settle`] was called.
    pub largest: Vec<Gap>,
    /// How many others there are.
    pub others: u64,
    /// What these amount to.
    pub rest: Amount,
}

impl Gaps {
    /// Adds a gap.
    pub fn add(&mut self, gap: Gap, most: usize) {
        self.largest.push(gap);
        // Sorting now and then keeps few more than are wanted.
        if self.largest.len() > 4 * most.max(64) {
            self.settle(most);
        }
    }

    /// Adds those of another piece of the map.
    pub fn merge(&mut self, other: Self, most: usize) {
        other.largest.into_iter().for_each(|gap| self.add(gap, most));
        self.others += other.others;
        self.rest += other.rest;
    }

    /// Puts the largest in order and adds up what is beyond `most`.
    pub fn settle(&mut self, most: usize) {
        self.largest.sort_unstable_by_key(Gap::order);
        for gap in self.largest.drain(most.min(self.largest.len())..) {
            self.others += 1;
            self.rest += gap.amount;
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.largest.len() as u64 + self.others
    }

    /// What they amount to.
    pub fn sum(&self) -> Amount {
        self.largest.iter().map(|gap| gap.amount).sum::<Amount>() + self.rest
    }
}

/// A stretch of undecided cells along a side of a piece: first and last + 1 column or row, position among the open ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, i64, u32)", into = "(i64, i64, u32)")]
pub struct SideRun {
    /// First column or row.
    pub first: i64,
    /// The last + 1.
    pub end: i64,
    /// Which of the open gaps it belongs to.
    pub gap: u32,
}

impl From<(i64, i64, u32)> for SideRun {
    fn from((first, end, gap): (i64, i64, u32)) -> Self {
        Self { first, end, gap }
    }
}

impl From<SideRun> for (i64, i64, u32) {
    fn from(run: SideRun) -> Self {
        (run.first, run.end, run.gap)
    }
}

/// The undecided cells of a rectangle of a map: gaps that end in it, and those that its sides cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapPiece {
    /// The rectangle.
    pub window: Window,
    /// Those that touch no side.
    pub closed: Gaps,
    /// Those that do.
    pub open: Vec<Gap>,
    /// Undecided cells along the upper side, from left to right.
    pub top: Vec<SideRun>,
    /// Along the lower side.
    pub bottom: Vec<SideRun>,
    /// Along the left side, from top to bottom.
    pub left: Vec<SideRun>,
    /// Along the right side.
    pub right: Vec<SideRun>,
}

impl GapPiece {
    /// A rectangle without undecided cells.
    pub fn none(window: Window) -> Self {
        Self {
            window,
            closed: Gaps::default(),
            open: Vec::new(),
            top: Vec::new(),
            bottom: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
        }
    }

    /// A rectangle without any decided cell; `area_mm2` is that of all its cells where areas are added up.
    pub fn all(window: Window, area_mm2: u128) -> Self {
        let amount = Amount { pixels: window.cells(), area_mm2 };
        let across = vec![SideRun { first: window.col, end: window.col_end(), gap: 0 }];
        let down = vec![SideRun { first: window.row, end: window.row_end(), gap: 0 }];
        Self {
            open: vec![Gap { amount, first: (window.row, window.col), held: window }],
            top: across.clone(),
            bottom: across,
            left: down.clone(),
            right: down,
            ..Self::none(window)
        }
    }

    /// The gaps of a whole map: without a domain what reaches the edge of the grid lies around the sources, not between
    /// them; in one it is a gap as any other.
    pub fn of_map(self, in_domain: bool, most: usize) -> Gaps {
        let mut gaps = self.closed;
        if in_domain {
            self.open.into_iter().for_each(|gap| gaps.add(gap, most));
        }
        gaps.settle(most);
        gaps
    }
}
