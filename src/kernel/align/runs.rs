//! Runs of smaller cells whose centres lie in one cell of another raster.

use super::patch::{self, Along, SIDE, line};
use super::{Frame, exact};
use crate::model::grid::Grid;
use crate::model::window::Window;

/// Cells side by side whose centres lie in one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The cell that holds their centres, the cells of the wanted window counted row by row.
    pub holder: usize,
    /// The first of them, the cells of their own window counted row by row.
    pub first: usize,
    /// How many there are.
    pub cells: usize,
}

/// Hands out every cell of a window whose centre lies in a wanted window of the raster, once, in runs.
///
/// `carry` is that of [`super::locate`].
///
/// # Errors
/// Those of `carry`.
pub fn runs<E>(
    grid: &Grid,
    window: &Window,
    frame: &Frame,
    wanted: &Window,
    mut carry: impl FnMut(&mut [f64], &mut [f64]) -> Result<(), E>,
    mut each: impl FnMut(Run),
) -> Result<(), E> {
    let wanted = wanted.intersect(&Window::whole(frame.rows, frame.cols));
    let holder = |row: i32, col: i32| {
        // What lies before the window is far beyond it as a number without sign.
        let down = row.wrapping_sub(wanted.row as i32) as u32 as usize;
        let across = col.wrapping_sub(wanted.col as i32) as u32 as usize;
        (down < wanted.rows && across < wanted.cols).then_some(down * wanted.cols + across)
    };
    let mut doubtful = Vec::new();
    let mut scratch = Scratch::default();
    patch::lines(grid, window, frame, Some(&wanted), &mut carry, |line| {
        let Some(along) = line.along else {
            doubtful.extend(line.first..line.first + line.cells);
            return;
        };
        if !reaches(&along, line.cells, &wanted) {
            return;
        }
        let ends = scratch.find(&along, line.cells);
        let mut first = 0;
        for end in ends.iter().chain([line.cells]) {
            if scratch.doubtful.get(first) {
                doubtful.push(line.first + first);
            } else if let Some(holder) = holder(scratch.rows[first], scratch.cols[first]) {
                each(Run { holder, first: line.first + first, cells: end - first });
            }
            first = end;
        }
    })?;
    let place = |at: &usize| (window.row + (at / window.cols) as i64, window.col + (at % window.cols) as i64);
    let found = exact::cells_at(grid, frame, doubtful.iter().map(place), &mut carry)?;
    for (&first, (row, col)) in doubtful.iter().zip(found) {
        if let Some(holder) = holder(row, col) {
            each(Run { holder, first, cells: 1 });
        }
    }
    Ok(())
}

/// Whether a line may reach a window: not if it lies clearly beside it.
fn reaches(along: &Along, cells: usize, wanted: &Window) -> bool {
    let (first, last) = (along.at(0), along.at(cells - 1));
    let beside = |first: f64, last: f64, bulge: f64, from: i64, end: i64| {
        let margin = bulge + 1.0;
        first.max(last) + margin < from as f64 || first.min(last) - margin > end as f64
    };
    !beside(first.0, last.0, along.col.bulge(), wanted.col, wanted.col_end())
        && !beside(first.1, last.1, along.row.bulge(), wanted.row, wanted.row_end())
}

const LINE: usize = SIDE as usize;

/// One bit for each cell of a line.
#[derive(Debug, Clone, Copy, Default)]
struct Bits([u64; LINE / 64]);

impl Bits {
    fn get(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 != 0
    }

    fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    /// Those that are set, in order.
    fn iter(self) -> impl Iterator<Item = usize> {
        (0..).step_by(64).zip(self.0).flat_map(|(base, mut word)| {
            std::iter::from_fn(move || {
                let at = word.trailing_zeros();
                word &= word.wrapping_sub(1);
                (at < 64).then_some(base + at as usize)
            })
        })
    }
}

/// Places along a line.
struct Scratch {
    cols: [i32; LINE],
    rows: [i32; LINE],
    doubtful: Bits,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { cols: [0; LINE], rows: [0; LINE], doubtful: Bits::default() }
    }
}

impl Scratch {
    /// Finds where each cell of a line lies, and which begin another run than the cell before.
    fn find(&mut self, along: &Along, cells: usize) -> Bits {
        let mut least = line::place(along.col, along.begin, &mut self.cols[..cells]);
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
            for cell in (0..cells).filter(|&cell| along.is_doubtful(cell)) {
                self.doubtful.set(cell);
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
