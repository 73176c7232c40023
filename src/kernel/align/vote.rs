//! Alignment by majority: a cell takes the class of most of the smaller cells whose centres it holds.
//!
//! # Rule
//! That of the overviews, [`mode`]: no data does not vote, and a cell is nodata when less than half of the centres in it
//! are valid. Centres beyond the smaller cells' rasters are not valid.

use ndarray::{Array2, ArrayView2};

use super::{Located, NONE};
use crate::kernel::pyramid::{Tie, mode};
use crate::model::legend::ClassCode;
use crate::model::rule::{Outcome, Rule};
use crate::model::window::Window;

/// Position of a rule among those that are voted on; 0 is [`NO_RULE`].
pub type Slot = u16;

/// The slot of centres that lie in no raster, or where it maps nothing.
pub const NO_RULE: Slot = 0;

/// The level that ties of this vote are broken as: overviews begin with 1.
const LEVEL: u32 = 0;

/// The votes of smaller cells in the cells of a window.
pub struct Votes {
    window: Window,
    slots: usize,
    /// By cell, row by row, then by slot.
    counts: Vec<u32>,
}

impl Votes {
    /// Nobody has voted in a window yet.
    pub fn new(window: Window) -> Self {
        Self { window, slots: 0, counts: Vec::new() }
    }

    /// Makes room for so many slots, what was voted is kept.
    fn widen(&mut self, slots: usize) {
        if slots <= self.slots {
            return;
        }
        let mut counts = vec![0; self.window.rows * self.window.cols * slots];
        if self.slots > 0 {
            for (wide, narrow) in counts.chunks_exact_mut(slots).zip(self.counts.chunks_exact(self.slots)) {
                wide[..narrow.len()].copy_from_slice(narrow);
            }
        }
        (self.slots, self.counts) = (slots, counts);
    }

    /// Adds the votes of smaller cells.
    ///
    /// # Shape
    /// `votes` has a slot below `slots` for each smaller cell; `located` says which cell holds its centre, of a raster in which
    /// the window lies; those outside the window have no vote here.
    pub fn add(&mut self, votes: ArrayView2<Slot>, slots: usize, located: &Located) {
        self.widen(slots);
        let (row0, col0) = (self.window.row as i32, self.window.col as i32);
        let (rows, cols) = (self.window.rows, self.window.cols);
        for ((&slot, &row), &col) in votes.iter().zip(&located.rows).zip(&located.cols) {
            // What lies before the window is far beyond it as a number without sign.
            let (down, across) =
                (row.wrapping_sub(row0) as u32 as usize, col.wrapping_sub(col0) as u32 as usize);
            if row != NONE && down < rows && across < cols {
                self.counts[(down * cols + across) * self.slots + usize::from(slot)] += 1;
            }
        }
    }

    /// Votes for each slot, in the whole window.
    pub fn totals(&self) -> Vec<u64> {
        let mut totals = vec![0; self.slots];
        for counts in self.counts.chunks_exact(self.slots.max(1)) {
            for (total, &n) in totals.iter_mut().zip(counts) {
                *total += u64::from(n);
            }
        }
        totals
    }

    /// Counts of each cell, row by row: one for each slot.
    pub fn cells(&self) -> impl Iterator<Item = &[u32]> {
        self.counts.chunks_exact(self.slots.max(1))
    }

    /// The slot that decides each cell: of the class with most votes, or of what its cells lack a class for.
    ///
    /// `rules` are those of the slots 1, 2, …; `lattice` is the place of the window's first cell on its lattice.
    pub fn winners(&self, rules: &[&Rule], lattice: (i64, i64), tie: Tie) -> Array2<Slot> {
        let order = Order::of(rules);
        let place = |at: usize| {
            (lattice.0 + (at / self.window.cols) as i64, lattice.1 + (at % self.window.cols) as i64)
        };
        let mut winners: Vec<Slot> =
            self.cells().enumerate().map(|(at, counts)| order.winner(counts, place(at), tie)).collect();
        winners.resize(self.window.rows * self.window.cols, NO_RULE);
        Array2::from_shape_vec((self.window.rows, self.window.cols), winners)
            .unwrap_or_else(|_| Array2::from_elem((self.window.rows, self.window.cols), NO_RULE))
    }
}

/// What slots vote for, in an order that does not depend on which was met first.
struct Order {
    /// Classes in ascending order, each with its slots by value of the source.
    classes: Vec<Vec<Slot>>,
    /// Cells that were mapped without an observation.
    unobserved: Vec<Slot>,
}

impl Order {
    fn of(rules: &[&Rule]) -> Self {
        let mut slots: Vec<(&Rule, Slot)> = rules.iter().copied().zip(1..).collect();
        slots.sort_by_key(|(rule, _)| (class_of(rule), rule.from, rule.stratum.as_deref()));
        let (mut classes, mut unobserved) = (Vec::<(ClassCode, Vec<Slot>)>::new(), Vec::new());
        for (rule, slot) in slots {
            match (rule.outcome, classes.last_mut()) {
                (Outcome::Class(code), Some((last, slots))) if *last == code => slots.push(slot),
                (Outcome::Class(code), _) => classes.push((code, vec![slot])),
                (Outcome::Absent(_) | Outcome::Unmapped | Outcome::NoStratum, _) => unobserved.push(slot),
            }
        }
        Self { classes: classes.into_iter().map(|(_, slots)| slots).collect(), unobserved }
    }

    fn winner(&self, counts: &[u32], (row, col): (i64, i64), tie: Tie) -> Slot {
        let votes = |slots: &[Slot]| slots.iter().map(|&slot| u64::from(count(counts, slot))).sum::<u64>();
        // Classes are told apart by their position, which ascends with their code.
        let by_class: Vec<(i32, u64)> = (0..).zip(self.classes.iter().map(|slots| votes(slots))).collect();
        let all: u64 = counts.iter().map(|&n| u64::from(n)).sum();
        let class = mode(&by_class, all, ClassCode::MIN, (LEVEL, row, col), tie);
        match usize::try_from(class) {
            Ok(class) => leading(&self.classes[class], counts),
            Err(_) if votes(&self.unobserved) >= u64::from(count(counts, NO_RULE)).max(1) => {
                leading(&self.unobserved, counts)
            }
            Err(_) => NO_RULE,
        }
    }
}

fn class_of(rule: &Rule) -> Option<ClassCode> {
    match rule.outcome {
        Outcome::Class(code) => Some(code),
        _ => None,
    }
}

fn count(counts: &[u32], slot: Slot) -> u32 {
    counts.get(usize::from(slot)).copied().unwrap_or(0)
}

/// The slot with most votes, the first of equals.
fn leading(slots: &[Slot], counts: &[u32]) -> Slot {
    let mut best = slots.first().copied().unwrap_or(NO_RULE);
    for &slot in slots {
        if count(counts, slot) > count(counts, best) {
            best = slot;
        }
    }
    best
}
