//! How many cells of two maps have each pair of codes, and how large these are: for grids whose cells differ.
//!
//! A row of a map is runs of one code; where two maps are compared, runs of one pair. The area of a run is one
//! subtraction, whatever its length, so only the ends of runs are looked for, 64 cells at a time.

use super::SEGMENT;
use super::compare::{STEP, differing};
use crate::kernel::weigh::RowAreas;
use crate::model::area::Amount;

/// Codes that there is room for at first, each with each; twice as many whenever they do not suffice.
const FIRST_ROOM: usize = 16;

/// Marks a code that was not met yet.
const NOT_MET: u16 = u16::MAX;

/// Cells and area of each pair of codes of two maps.
///
/// # Unit
/// Cells, 64-bit; mm², 128-bit.
/// # Cost
/// A comparison of each cell with its neighbour, and one addition per run.
#[derive(Debug, Clone)]
pub struct PairAreas {
    /// Codes of either map in the order in which they were met.
    codes: Vec<u8>,
    /// Position of each code among those.
    positions: [u16; 256],
    /// By position of the first map's code, then of the second map's.
    amounts: Vec<Amount>,
    /// Side of that table.
    room: usize,
}

impl Default for PairAreas {
    fn default() -> Self {
        Self {
            codes: Vec::new(),
            positions: [NOT_MET; 256],
            amounts: vec![Amount::default(); FIRST_ROOM * FIRST_ROOM],
            room: FIRST_ROOM,
        }
    }
}

impl PairAreas {
    /// No cells.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that it holds.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.amounts)
    }

    /// Adds the pairs of cells at the same place of one row; the first cell is that of column `col` in `areas`.
    ///
    /// # Shape
    /// The maps are equally long; what one has beyond the other is not added.
    pub fn add(&mut self, from: &[u8], to: &[u8], areas: RowAreas, col: usize) {
        let mut start = 0;
        let n = from.len().min(to.len());
        while start < n {
            let end = n.min(start + SEGMENT);
            self.add_segment(&from[start..end], &to[start..end], areas, col + start);
            start = end;
        }
    }

    /// Calls `f` with each pair of codes that has cells and what they add up to; then no cells are left.
    pub fn drain(&mut self, mut f: impl FnMut(u8, u8, Amount)) {
        for (&from, row) in self.codes.iter().zip(self.amounts.chunks_exact_mut(self.room)) {
            for (&to, amount) in self.codes.iter().zip(row) {
                if amount.pixels > 0 {
                    f(from, to, std::mem::take(amount));
                }
            }
        }
    }

    fn add_segment(&mut self, from: &[u8], to: &[u8], areas: RowAreas, col: usize) {
        let Some(last) = from.len().checked_sub(1) else { return };
        // Bit i is set where cell i + 1 is not as cell i.
        let mut ends = [[0u64; SEGMENT.div_ceil(STEP)]; 2];
        let words = last.div_ceil(STEP);
        for (cells, ends) in [from, to].into_iter().zip(&mut ends) {
            differing(&cells[..last], &cells[1..], &mut ends[..words]);
        }
        let mut first = 0;
        let [from_ends, to_ends] = &ends;
        for (word, (from_ends, to_ends)) in from_ends[..words].iter().zip(to_ends).enumerate() {
            let mut mask = from_ends | to_ends;
            while mask != 0 {
                let end = word * STEP + mask.trailing_zeros() as usize + 1;
                self.add_run(from[first], to[first], end - first, areas.between(col + first, col + end));
                first = end;
                mask &= mask - 1;
            }
        }
        let end = from.len();
        self.add_run(from[first], to[first], end - first, areas.between(col + first, col + end));
    }

    #[inline]
    fn add_run(&mut self, from: u8, to: u8, cells: usize, area_mm2: u128) {
        let (from, to) = (self.position(from), self.position(to));
        let amount = &mut self.amounts[from * self.room + to];
        amount.pixels += cells as u64;
        amount.area_mm2 += area_mm2;
    }

    #[inline]
    fn position(&mut self, code: u8) -> usize {
        match self.positions[usize::from(code)] {
            NOT_MET => self.meet(code),
            position => usize::from(position),
        }
    }

    /// Gives a new code its place.
    #[cold]
    fn meet(&mut self, code: u8) -> usize {
        let position = self.codes.len();
        if position == self.room {
            let mut larger = vec![Amount::default(); 4 * self.room * self.room];
            for (row, old) in larger.chunks_exact_mut(2 * self.room).zip(self.amounts.chunks_exact(self.room))
            {
                row[..self.room].copy_from_slice(old);
            }
            (self.amounts, self.room) = (larger, 2 * self.room);
        }
        self.codes.push(code);
        self.positions[usize::from(code)] = position as u16;
        position
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn drained(sums: &mut PairAreas) -> BTreeMap<(u8, u8), Amount> {
        let mut pairs = BTreeMap::new();
        sums.drain(|from, to, amount| {
            assert!(pairs.insert((from, to), amount).is_none());
        });
        pairs
    }

    /// One cell after the other.
    fn plain(from: &[u8], to: &[u8], area: impl Fn(usize) -> u64) -> BTreeMap<(u8, u8), Amount> {
        let mut pairs: BTreeMap<(u8, u8), Amount> = BTreeMap::new();
        for (cell, pair) in from.iter().copied().zip(to.iter().copied()).enumerate() {
            *pairs.entry(pair).or_default() += Amount { pixels: 1, area_mm2: area(cell).into() };
        }
        pairs
    }

    #[test]
    fn every_code_there_can_be_finds_room() {
        let cells: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        let mut sums = PairAreas::new();
        sums.add(&cells, &cells, RowAreas::Alike(3), 0);
        let expected = (0..=255).map(|code| ((code, code), Amount { pixels: 2, area_mm2: 6 })).collect();
        assert_eq!(drained(&mut sums), expected);
        assert_eq!(drained(&mut sums), BTreeMap::new());
    }

    #[test]
    fn areas_pass_the_64_bits_of_a_counter() {
        let mut sums = PairAreas::new();
        for _ in 0..3 {
            sums.add(&[7; 9], &[8; 9], RowAreas::Alike(u64::MAX), 0);
        }
        let area_mm2 = 27 * u128::from(u64::MAX);
        assert_eq!(drained(&mut sums), BTreeMap::from([((7, 8), Amount { pixels: 27, area_mm2 })]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn runs_add_up_to_what_cells_do(
            patches in proptest::collection::vec((any::<u8>(), 0u8..4, 1usize..90), 1..120),
            (first, length) in (0usize..70, 0usize..9000),
        ) {
            let (mut from, mut to) = (Vec::new(), Vec::new());
            for (code, shift, n) in patches {
                from.extend(std::iter::repeat_n(code % 23, n));
                to.extend(std::iter::repeat_n(code % 23 + shift / 3, n));
            }
            let first = first.min(from.len());
            let end = (first + length).min(from.len());
            let area = |cell: usize| 900_000_000 + (cell as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) % 1000;
            // Sums from the left may begin anywhere: what wraps round cancels.
            let mut sums_from_left = vec![u64::MAX - 5000];
            for cell in 0..from.len() {
                sums_from_left.push(sums_from_left[cell].wrapping_add(area(cell)));
            }
            let mut sums = PairAreas::new();
            sums.add(&from[first..end], &to[first..end], RowAreas::Sums(&sums_from_left), first);
            let expected = plain(&from[first..end], &to[first..end], |cell| area(first + cell));
            prop_assert_eq!(drained(&mut sums), expected);
        }
    }
}
