//! Alignment by majority: a cell takes the class of most of the smaller cells whose centres it holds.
//!
//! # Rule
//! That of the overviews, [`mode`]: no data does not vote, and a cell is nodata when less than half of the centres in it
//! are valid. Centres beyond the smaller cells' rasters are not valid.

use ndarray::Array2;

use super::runs::Run;
use super::scrutiny::{self, UNCLEAR, clear_winners};
use crate::kernel::pyramid::{Tie, mode};
use crate::model::legend::ClassCode;
use crate::model::rule::{Outcome, Rule};
use crate::model::window::Window;

/// Position of a rule among those that are voted on; 0 is [`NO_RULE`].
pub type Slot = u8;

/// The slot of centres that lie in no raster, or where it maps nothing.
pub const NO_RULE: Slot = 0;

/// Slots that a vote can have, [`NO_RULE`] among them: one number is left for what has no slot yet.
pub const MOST_SLOTS: usize = Slot::MAX as usize;

/// The level that ties of this vote are broken as: overviews begin with 1.
const LEVEL: u32 = 0;

/// Ballots that a cell keeps before they are counted: those of cells eleven times smaller.
pub(super) const KEPT: usize = 128;

/// Ballots that are copied at once.
const AT_ONCE: usize = 16;

/// The votes of smaller cells in the cells of a window.
///
/// Ballots lie in a heap for each cell until a heap is full: the smaller cells come line by line, a few of each cell at a
/// time, and to copy these is less work than to count them.
pub struct Votes {
    window: Window,
    /// Ballots of each cell, row by row.
    heaps: Vec<[Slot; KEPT]>,
    /// Ballots in each heap.
    heights: Vec<u8>,
    /// Those counted already by cell and slot; empty until a heap is full.
    counts: Vec<[u32; MOST_SLOTS]>,
}

impl Default for Votes {
    fn default() -> Self {
        Self { window: Window::whole(0, 0), heaps: Vec::new(), heights: Vec::new(), counts: Vec::new() }
    }
}

impl Votes {
    /// Begins a vote in a window.
    pub fn begin(&mut self, window: Window) {
        let cells = window.rows * window.cols;
        self.window = window;
        self.heaps.resize(cells, [NO_RULE; KEPT]);
        self.heights.clear();
        self.heights.resize(cells, 0);
        self.counts.clear();
    }

    /// Adds the ballots `first..first + n` of `ballots` to a cell, the cells of the window counted row by row.
    pub fn cast(&mut self, cell: usize, ballots: &[Slot], first: usize, n: usize) {
        self.cast_runs(ballots, &[Run { holder: cell as u32, first: first as u32, cells: n as u32 }]);
    }

    /// Adds runs of ballots, each to the cell that holds it.
    pub fn cast_runs(&mut self, ballots: &[Slot], runs: &[Run]) {
        let (heaps, heights) = (self.heaps.as_mut_slice(), self.heights.as_mut_slice());
        for run in runs {
            let (cell, first, n) = (run.holder as usize, run.first as usize, run.cells as usize);
            let height = usize::from(heights[cell]);
            let at_once = ballots.get(first..).and_then(|ballots| ballots.first_chunk::<AT_ONCE>());
            if let (Some(ballots), true) = (at_once, n <= AT_ONCE && height <= KEPT - AT_ONCE) {
                // What is copied beyond n is overwritten by the next.
                heaps[cell][height..height + AT_ONCE].copy_from_slice(ballots);
                heights[cell] = (height + n) as u8;
            } else {
                cast_each(heaps, heights, &mut self.counts, cell, &ballots[first..first + n]);
            }
        }
    }

    /// The number of votes for each slot in a cell.
    pub fn counts(&self, cell: usize) -> [u32; MOST_SLOTS] {
        let mut counts = [0; MOST_SLOTS];
        self.count(cell, &mut counts);
        counts
    }

    fn count(&self, cell: usize, counts: &mut [u32; MOST_SLOTS]) {
        match self.counts.get(cell) {
            Some(counted) => counts.copy_from_slice(counted),
            None => counts.fill(0),
        }
        scrutiny::count(self.heights[cell].into(), &self.heaps[cell], counts);
    }

    /// Votes for each slot, in the whole window.
    pub fn totals(&self) -> Vec<u64> {
        let mut totals = vec![0; MOST_SLOTS];
        for cell in 0..self.heights.len() {
            for (total, n) in totals.iter_mut().zip(self.counts(cell)) {
                *total += u64::from(n);
            }
        }
        totals
    }

    /// The slot that decides each cell: of the class with most votes, or of what its cells lack a class for.
    ///
    /// `rules` are those of the slots 1, 2, …; `lattice` is the place of the window's first cell on its lattice.
    pub fn winners(&self, rules: &[&Rule], lattice: (i64, i64), tie: Tie) -> Array2<Slot> {
        let order = Order::of(rules);
        let parties = order.parties();
        let mut winners = Array2::from_elem((self.window.rows, self.window.cols), UNCLEAR);
        if let (Some(winners), true) = (winners.as_slice_mut(), self.counts.is_empty()) {
            clear_winners(&self.heaps, &self.heights, &parties, winners);
        }
        let (mut counts, mut by_class) = ([0; MOST_SLOTS], Vec::new());
        for (cell, winner) in winners.iter_mut().enumerate().filter(|(_, winner)| **winner == UNCLEAR) {
            let (row, col) = ((cell / self.window.cols) as i64, (cell % self.window.cols) as i64);
            self.count(cell, &mut counts);
            *winner = order.winner(&counts, (lattice.0 + row, lattice.1 + col), tie, &mut by_class);
        }
        winners
    }
}

/// Adds ballots to a cell one by one; a heap that is full is counted.
#[cold]
fn cast_each(
    heaps: &mut [[Slot; KEPT]],
    heights: &mut [u8],
    counts: &mut Vec<[u32; MOST_SLOTS]>,
    cell: usize,
    ballots: &[Slot],
) {
    for &ballot in ballots {
        if usize::from(heights[cell]) == KEPT {
            counts.resize(heights.len(), [0; MOST_SLOTS]);
            scrutiny::count(KEPT, &heaps[cell], &mut counts[cell]);
            heights[cell] = 0;
        }
        heaps[cell][usize::from(heights[cell])] = ballot;
        heights[cell] += 1;
    }
}

/// The party of a slot that has no class.
pub(super) const NO_PARTY: u8 = u8::MAX;

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
                (Outcome::Absent(_) | Outcome::Withheld | Outcome::Unmapped | Outcome::NoStratum, _) => {
                    unobserved.push(slot)
                }
            }
        }
        Self { classes: classes.into_iter().map(|(_, slots)| slots).collect(), unobserved }
    }

    /// The position of the class of each slot.
    fn parties(&self) -> [u8; 256] {
        let mut parties = [NO_PARTY; 256];
        for (party, slots) in (0..).zip(&self.classes) {
            for &slot in slots {
                parties[usize::from(slot)] = party;
            }
        }
        parties
    }

    /// The slot that decides a cell; `by_class` is memory for its votes.
    fn winner(
        &self,
        counts: &[u32; MOST_SLOTS],
        (row, col): (i64, i64),
        tie: Tie,
        by_class: &mut Vec<(i32, u64)>,
    ) -> Slot {
        let votes =
            |slots: &[Slot]| slots.iter().map(|&slot| u64::from(counts[usize::from(slot)])).sum::<u64>();
        // Classes are told apart by their position, which ascends with their code.
        by_class.clear();
        by_class.extend((0..).zip(self.classes.iter().map(|slots| votes(slots))));
        let all: u64 = counts.iter().map(|&n| u64::from(n)).sum();
        let class = mode(by_class, all, ClassCode::MIN, (LEVEL, row, col), tie);
        match usize::try_from(class) {
            Ok(class) => leading(&self.classes[class], counts),
            Err(_) if votes(&self.unobserved) >= u64::from(counts[usize::from(NO_RULE)]).max(1) => {
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

/// The slot with most votes, the first of equals.
fn leading(slots: &[Slot], counts: &[u32; MOST_SLOTS]) -> Slot {
    let mut best = slots.first().copied().unwrap_or(NO_RULE);
    for &slot in slots {
        if counts[usize::from(slot)] > counts[usize::from(best)] {
            best = slot;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::legend::Absence;

    fn rule(from: ClassCode, outcome: Outcome) -> Rule {
        Rule { from, stratum: None, outcome, proposed: false, default_taken: false }
    }

    /// Slots 1 and 2 are class 5, 3 is class 4, 4 is class 9, 5 has no observation.
    fn rules() -> Vec<Rule> {
        vec![
            rule(22, Outcome::Class(5)),
            rule(21, Outcome::Class(5)),
            rule(31, Outcome::Class(4)),
            rule(41, Outcome::Class(9)),
            rule(99, Outcome::Absent(Absence::NoObservation)),
        ]
    }

    fn winner_of(ballots: &[Slot], tie: Tie) -> Slot {
        let rules = rules();
        let rules: Vec<&Rule> = rules.iter().collect();
        let mut votes = Votes::default();
        votes.begin(Window::whole(1, 1));
        // A few at a time, as runs come.
        for first in (0..ballots.len()).step_by(7) {
            votes.cast(0, ballots, first, 7.min(ballots.len() - first));
        }
        votes.winners(&rules, (0, 0), tie)[(0, 0)]
    }

    #[test]
    fn rules_of_one_class_vote_together_and_the_most_frequent_of_them_decides() {
        assert_eq!(winner_of(&[1, 1, 2, 3, 3, 3, 2, 1, 0], Tie::Lowest), 1);
        assert_eq!(winner_of(&[2, 1, 2, 3, 3], Tie::Lowest), 2);
    }

    #[test]
    fn less_than_half_without_data_is_no_class() {
        assert_eq!(winner_of(&[3, 3, 0, 0], Tie::Lowest), 3);
        assert_eq!(winner_of(&[3, 3, 0, 0, 0], Tie::Lowest), NO_RULE);
        assert_eq!(winner_of(&[3, 3, 5, 5, 0], Tie::Lowest), 5);
        assert_eq!(winner_of(&[], Tie::Lowest), NO_RULE);
    }

    #[test]
    fn ties_go_to_the_lowest_code_or_the_hash() {
        assert_eq!(winner_of(&[4, 3, 4, 3], Tie::Lowest), 3);
        let hashed = [3, 4][crate::kernel::pyramid::tie_rank(LEVEL, 0, 0, 2)];
        assert_eq!(winner_of(&[4, 3, 4, 3], Tie::Hash), hashed);
        // Rules of one class: the lowest value of the source.
        assert_eq!(winner_of(&[1, 2], Tie::Hash), 2);
    }

    proptest! {
        /// However many ballots there are and however they come, the winner is what counting them says.
        #[test]
        fn winners_are_what_the_counts_say(
            ballots in prop_oneof![
                proptest::collection::vec(0u8..6, 0..400),
                proptest::collection::vec(prop_oneof![9 => Just(3u8), 1 => 0u8..6], 0..128),
                proptest::collection::vec(1u8..3, 0..100),
            ],
            lengths in proptest::collection::vec(1usize..40, 1..20),
            place in (-9i64..9, -9i64..9),
        ) {
            let rules = rules();
            let rules: Vec<&Rule> = rules.iter().collect();
            let mut votes = Votes::default();
            votes.begin(Window::whole(1, 2));
            let mut first = 0;
            for n in lengths.iter().cycle() {
                let n = (*n).min(ballots.len() - first);
                votes.cast(1, &ballots, first, n);
                first += n;
                if first == ballots.len() {
                    break;
                }
            }
            let mut by_slot = [0u32; 6];
            ballots.iter().for_each(|&ballot| by_slot[usize::from(ballot)] += 1);
            prop_assert_eq!(&votes.counts(1)[..6], &by_slot);
            prop_assert_eq!(votes.totals()[..6].iter().sum::<u64>(), ballots.len() as u64);
            let class = [by_slot[3], by_slot[1] + by_slot[2], by_slot[4]];
            let (valid, most) = (class.iter().sum::<u32>(), *class.iter().max().unwrap());
            let winner = votes.winners(&rules, place, Tie::Hash)[(0, 1)];
            if valid == 0 || 2 * valid < ballots.len() as u32 {
                let expected = if by_slot[5] >= by_slot[0].max(1) { 5 } else { NO_RULE };
                prop_assert_eq!(winner, expected);
            } else {
                let tied: Vec<usize> = (0..3).filter(|&at| class[at] == most).collect();
                let rank = crate::kernel::pyramid::tie_rank(LEVEL, place.0, place.1 + 1, tied.len());
                // Value 21, slot 2, stands before 22 where both have as many.
                let of_class_5 = if by_slot[1] > by_slot[2] { 1 } else { 2 };
                prop_assert_eq!(winner, [3, of_class_5, 4][tied[rank]]);
            }
        }
    }
}
