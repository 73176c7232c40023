//! Hands the votes of a poll to the fractions of a block.

use ndarray::{Array2, ArrayView2};

use crate::kernel::align::{NO_RULE, Slot, Votes};
use crate::kernel::fraction::Fractions;
use crate::model::legend::Absence;
use crate::model::rule::{Outcome, Rule};
use crate::model::source::{NO_SOURCE, SourceIndex};
use crate::model::window::Window;

/// The fractions of a block, and what they need to know of the mosaic under which the votes come.
pub struct Teller<'f> {
    /// Where shares go.
    pub fractions: &'f mut Fractions,
    /// Who decided each cell before this poll.
    pub decided: ArrayView2<'f, SourceIndex>,
    /// The block.
    pub block: Window,
    /// Row and column of the grid's first cell on its lattice.
    pub lattice: (i64, i64),
}

impl Teller<'_> {
    /// Tells the votes in a part of the block and who won; `rules` are those of the slots 1, 2, ….
    pub fn tell(&mut self, part: &Window, votes: &Votes, rules: &[&Rule], winners: &Array2<Slot>) {
        let outcomes = rules.iter().map(|rule| rule.outcome);
        let outcomes = std::iter::once(Outcome::Absent(Absence::Outside)).chain(outcomes);
        let parts: Vec<usize> = outcomes.map(|outcome| self.fractions.part_of(outcome)).collect();
        let first = part.shift(-self.block.row, -self.block.col);
        for ((row, col), &winner) in winners.indexed_iter() {
            let cell = (first.row as usize + row, first.col as usize + col);
            if self.decided[cell] != NO_SOURCE {
                continue;
            }
            let counts = votes.counts(row * part.cols + col);
            let cast = parts.iter().copied().zip(counts).filter(|(_, n)| *n > 0);
            let place = (self.lattice.0 + part.row + row as i64, self.lattice.1 + part.col + col as i64);
            self.fractions.tell(cell, cast, place, winner != NO_RULE);
        }
    }
}
