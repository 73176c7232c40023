//! Alignment by majority: a cell takes the class of most of the smaller cells whose centres it holds.
//!
//! # Rule
//! That of the overviews, [`mode`]: no data does not vote, and a cell is nodata when less than half of the centres in it
//! are valid. Centres beyond the smaller cells' rasters are not valid.

use ndarray::Array2;

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
const KEPT: usize = 128;

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
    #[inline(always)]
    pub fn cast(&mut self, cell: usize, ballots: &[Slot], first: usize, n: usize) {
        let height = usize::from(self.heights[cell]);
        let at_once =
            ballots.get(first..first + AT_ONCE).and_then(|ballots| ballots.first_chunk::<AT_ONCE>());
        if let (Some(ballots), true) = (at_once, n <= AT_ONCE && height <= KEPT - AT_ONCE) {
            // What is copied beyond n is overwritten by the next.
            self.heaps[cell][height..height + AT_ONCE].copy_from_slice(ballots);
            self.heights[cell] += n as u8;
        } else {
            self.cast_each(cell, &ballots[first..first + n]);
        }
    }

    #[cold]
    fn cast_each(&mut self, cell: usize, ballots: &[Slot]) {
        for &ballot in ballots {
            if usize::from(self.heights[cell]) == KEPT {
                self.counts.resize(self.heights.len(), [0; MOST_SLOTS]);
                for &counted in &self.heaps[cell] {
                    self.counts[cell][usize::from(counted)] += 1;
                }
                self.heights[cell] = 0;
            }
            self.heaps[cell][usize::from(self.heights[cell])] = ballot;
            self.heights[cell] += 1;
        }
    }

    /// The number of votes for each slot in a cell.
    pub fn counts(&self, cell: usize) -> [u32; MOST_SLOTS] {
        let mut counts = self.counts.get(cell).copied().unwrap_or([0; MOST_SLOTS]);
        for &ballot in &self.heaps[cell][..usize::from(self.heights[cell])] {
            counts[usize::from(ballot)] += 1;
        }
        counts
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
        let winner = |(row, col): (usize, usize)| {
            let cell = row * self.window.cols + col;
            let heap = &self.heaps[cell][..usize::from(self.heights[cell])];
            let clear =
                if self.counts.is_empty() { clear_winner(heap, &self.heaps[cell], &parties) } else { None };
            clear.unwrap_or_else(|| {
                order.winner(&self.counts(cell), (lattice.0 + row as i64, lattice.1 + col as i64), tie)
            })
        };
        Array2::from_shape_fn((self.window.rows, self.window.cols), winner)
    }
}

/// The party of a slot that has no class.
const NO_PARTY: u8 = u8::MAX;

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

    fn winner(&self, counts: &[u32; MOST_SLOTS], (row, col): (i64, i64), tie: Tie) -> Slot {
        let votes =
            |slots: &[Slot]| slots.iter().map(|&slot| u64::from(counts[usize::from(slot)])).sum::<u64>();
        // Classes are told apart by their position, which ascends with their code.
        let by_class: Vec<(i32, u64)> = (0..).zip(self.classes.iter().map(|slots| votes(slots))).collect();
        let all: u64 = counts.iter().map(|&n| u64::from(n)).sum();
        let class = mode(&by_class, all, ClassCode::MIN, (LEVEL, row, col), tie);
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

/// The slot that decides a cell where that is clear: no tie, no majority without a class. `None` elsewhere, and on
/// processors without the vectors for it.
///
/// `heap` begins with the ballots.
fn clear_winner(ballots: &[Slot], heap: &[Slot; KEPT], parties: &[u8; 256]) -> Option<Slot> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("bmi1")
    {
        #[expect(unsafe_code, reason = "the processor has the instructions")]
        return unsafe { vectors::clear_winner(ballots.len(), heap, parties) };
    }
    let _ = (ballots, heap, parties);
    None
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{__m512i, _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8};

    use super::{KEPT, NO_PARTY, Slot};

    /// One bit for each ballot.
    type Bits = u128;

    /// A heap, to be asked which of its ballots are the same.
    struct Heap(__m512i, __m512i);

    impl Heap {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn load(heap: &[Slot; KEPT]) -> Self {
            let (halves, _) = heap.as_chunks::<64>();
            Self(load(&halves[0]), load(&halves[1]))
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn same(&self, slot: Slot) -> Bits {
            let slot = _mm512_set1_epi8(slot as i8);
            let low = _mm512_cmpeq_epi8_mask(self.0, slot);
            let high = _mm512_cmpeq_epi8_mask(self.1, slot);
            Bits::from(low) | Bits::from(high) << 64
        }
    }

    /// The votes for a class.
    #[derive(Clone, Copy)]
    struct Party {
        number: u8,
        votes: u32,
        /// Its slot with most votes.
        leader: Slot,
        of_leader: u32,
        /// Whether another slot of it has as many.
        leaders_tied: bool,
    }

    impl Party {
        const NONE: Self = Self { number: NO_PARTY, votes: 0, leader: 0, of_leader: 0, leaders_tied: false };

        fn add(&mut self, slot: Slot, votes: u32) {
            self.votes += votes;
            self.leaders_tied = votes == self.of_leader || (self.leaders_tied && votes < self.of_leader);
            if votes > self.of_leader {
                (self.leader, self.of_leader) = (slot, votes);
            }
        }
    }

    /// Parties that are told apart; where there are more, counting is left to others.
    const MOST_PARTIES: usize = 8;

    /// Counts slot after slot, the frequent ones soon, and adds them up by party.
    #[target_feature(enable = "avx512f,avx512bw,popcnt,bmi1")]
    pub(super) fn clear_winner(ballots: usize, heap: &[Slot; KEPT], parties: &[u8; 256]) -> Option<Slot> {
        let bytes = Heap::load(heap);
        let mut rest: Bits = if ballots < KEPT { (1 << ballots) - 1 } else { Bits::MAX };
        let mut met = [Party::NONE; MOST_PARTIES];
        let (mut parties_met, mut valid) = (0, 0);
        while rest != 0 {
            let slot = heap[rest.trailing_zeros() as usize % KEPT];
            let same = bytes.same(slot) & rest;
            rest &= !same;
            let (number, votes) = (parties[usize::from(slot)], same.count_ones());
            if number == NO_PARTY {
                continue;
            }
            valid += votes;
            let known = met[..parties_met].iter().position(|party| party.number == number);
            let at = known.unwrap_or(parties_met);
            let party = met.get_mut(at)?;
            parties_met = parties_met.max(at + 1);
            party.number = number;
            party.add(slot, votes);
        }
        if valid == 0 || 2 * valid < ballots as u32 {
            return None;
        }
        let met = &met[..parties_met];
        let best = met.iter().max_by_key(|party| party.votes)?;
        let tied = best.leaders_tied || met.iter().filter(|party| party.votes == best.votes).count() > 1;
        (!tied).then_some(best.leader)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(bytes: &[u8; 64]) -> __m512i {
        #[expect(unsafe_code, reason = "64 bytes are read from 64 bytes, wherever they lie")]
        unsafe {
            _mm512_loadu_si512(bytes.as_ptr().cast())
        }
    }
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
