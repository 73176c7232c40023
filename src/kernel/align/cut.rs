//! Lines of a patch cut where the column or the row changes, or a cell is doubtful.
//!
//! Most lines are cut where they cross the edges of cells (`crossings.rs`). On those that are not clear each cell is placed,
//! which is the plain way.

use super::crossings::Stretches;
use super::line::{self, LINES, SIDE};
use super::patch::{Along, AlongAll};

/// Lines cut at the edges of columns, and of rows.
#[derive(Default)]
pub(super) struct Cut {
    pub cols: Stretches,
    pub rows: Stretches,
}

impl Cut {
    /// Cuts lines; returns which are clear.
    pub fn find(&mut self, along: &AlongAll, cells: usize) -> [bool; LINES] {
        let rows = self.rows.find(&along.rows, along.begin, cells, along.bound);
        let cols = self.cols.find(&along.cols, along.begin, cells, along.bound);
        std::array::from_fn(|line| rows[line] && cols[line])
    }
}

const LINE: usize = SIDE as usize;

/// One bit for each cell of a line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bits([u64; LINE / 64]);

impl Bits {
    pub fn get(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 != 0
    }

    fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    /// Those that are set, in order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..).step_by(64).zip(self.0).flat_map(|(base, mut word)| {
            std::iter::from_fn(move || {
                let at = word.trailing_zeros();
                word &= word.wrapping_sub(1);
                (at < 64).then_some(base + at as usize)
            })
        })
    }
}

/// Places along a line, each by itself.
pub(super) struct Scratch {
    /// Column of each cell, less a number for each cell before it.
    pub cols: [i32; LINE],
    /// Row of each cell.
    pub rows: [i32; LINE],
    /// Cells that must be carried.
    pub doubtful: Bits,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { cols: [0; LINE], rows: [0; LINE], doubtful: Bits::default() }
    }
}

impl Scratch {
    /// Finds where each cell of a line lies, and which begin another run than the cell before: lie in another row, or not
    /// in the column that is `ahead` cells from that of the cell before.
    pub fn find(&mut self, along: &Along, cells: usize, ahead: i32) -> Bits {
        let mut least = line::place(along.col, along.begin, &mut self.cols[..cells]);
        if ahead != 0 {
            (0..).zip(&mut self.cols[..cells]).for_each(|(at, col): (i32, _)| *col -= at * ahead);
        }
        let mut begins = changes(&self.cols, cells);
        match along.row.constant(along.begin, cells, along.bound) {
            Some(row) => self.rows[..cells].fill(row),
            None => {
                least = least.min(line::place(along.row, along.begin, &mut self.rows[..cells]));
                for (word, rows) in begins.0.iter_mut().zip(changes(&self.rows, cells).0) {
                    *word |= rows;
                }
            }
        }
        self.doubtful = Bits::default();
        if least <= along.bound {
            let near = |of| line::near_edges(of, along.begin, cells, along.bound);
            let (cols, rows) = (near(along.col), near(along.row));
            self.doubtful = Bits(std::array::from_fn(|word| cols[word] | rows[word]));
            for cell in self.doubtful.iter() {
                if cell > 0 {
                    begins.set(cell);
                }
                if cell + 1 < cells {
                    begins.set(cell + 1);
                }
            }
        }
        begins
    }
}

/// The cells, among the first ones of a line, that lie elsewhere than the cell before.
fn changes(places: &[i32; LINE], cells: usize) -> Bits {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        #[expect(unsafe_code, reason = "the processor has the instructions")]
        return unsafe { vectors::changes(places, cells) };
    }
    changes_one_by_one(places, cells)
}

fn changes_one_by_one(places: &[i32; LINE], cells: usize) -> Bits {
    let mut bits = Bits::default();
    for (at, pair) in (1..cells).zip(places.windows(2)) {
        if pair[0] != pair[1] {
            bits.set(at);
        }
    }
    bits
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{__m512i, _mm512_alignr_epi32, _mm512_cmpneq_epi32_mask, _mm512_loadu_si512};

    use super::{Bits, LINE};

    const STEP: usize = 16;

    #[target_feature(enable = "avx512f")]
    pub(super) fn changes(places: &[i32; LINE], cells: usize) -> Bits {
        let mut bits = Bits::default();
        let (steps, _) = places.as_chunks::<STEP>();
        let mut before = load(&steps[0]);
        for (number, step) in steps.iter().enumerate() {
            let here = load(step);
            // Each cell beside the one before it; the very first beside itself or what is left out below.
            let shifted = _mm512_alignr_epi32::<15>(here, before);
            let changed = u64::from(_mm512_cmpneq_epi32_mask(here, shifted));
            bits.0[number / 4] |= changed << (number % 4 * STEP);
            before = here;
        }
        bits.0[0] &= !1;
        for (word, bits) in bits.0.iter_mut().enumerate() {
            let valid = cells.saturating_sub(64 * word);
            if valid < 64 {
                *bits &= (1 << valid) - 1;
            }
        }
        bits
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(places: &[i32; STEP]) -> __m512i {
        #[expect(unsafe_code, reason = "64 bytes are read from 64 bytes, wherever they lie")]
        unsafe {
            _mm512_loadu_si512(places.as_ptr().cast())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_way_finds_the_same_changes(
            lengths in proptest::collection::vec(1usize..20, 1..130),
            cells in 1usize..=LINE,
        ) {
            let runs = (0..).zip(&lengths).flat_map(|(place, &n)| std::iter::repeat_n(place, n));
            let mut places = [i32::MAX; LINE];
            places.iter_mut().zip(runs).for_each(|(place, run)| *place = run);
            let expected: Vec<usize> = (1..cells).filter(|&at| places[at] != places[at - 1]).collect();
            prop_assert_eq!(changes(&places, cells).iter().collect::<Vec<_>>(), &expected[..]);
            prop_assert_eq!(changes_one_by_one(&places, cells).iter().collect::<Vec<_>>(), expected);
        }
    }
}
