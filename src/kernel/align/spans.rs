//! Cells of a window that lie side by side in another raster too.
//!
//! Where the other raster has cells of the same size and its rows run nearly along the window's, most of a row's neighbours
//! are neighbours there. Then cells are found and taken a span at a time.

use super::cut::{Cut, Scratch};
use super::exact;
use super::patch::Mesh;
use crate::model::window::Window;

/// Cells of a window side by side, and where they lie side by side in a raster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// The first of them, the cells of the window counted row by row.
    pub first: u32,
    /// How many there are.
    pub cells: u32,
    /// Row in the raster.
    pub row: i32,
    /// Column of the first in the raster.
    pub col: i32,
}

/// Cells of a span at least, on the average, where rows are askew by some degrees.
const LIKELY_CELLS: usize = 8;

/// Finds where all cells of a window lie, in the raster or outside it, but for those that `carry`, which is that of
/// [`super::locate`], finds to lie nowhere.
///
/// # Shape
/// `mesh` holds the window.
/// # Errors
/// Those of `carry`.
pub(super) fn spans<E>(
    mesh: &Mesh,
    window: &Window,
    carry: &mut impl FnMut(&mut [f64], &mut [f64]) -> Result<(), E>,
) -> Result<Vec<Span>, E> {
    let mut spans = Vec::with_capacity(window.cells() as usize / LIKELY_CELLS);
    let mut doubtful = Vec::new();
    let mut cut = Cut::default();
    let mut scratch = Scratch::default();
    mesh.bands(window, None, |band| {
        let line = |line: usize| band.first + line * window.cols;
        let Some(along) = &band.along else {
            doubtful.extend((0..band.lines).flat_map(|at| line(at)..line(at) + band.cells));
            return;
        };
        let clear = cut.find(&along.less_a_column_a_cell(), band.cells);
        for (at, is_clear) in clear.into_iter().enumerate().take(band.lines) {
            if is_clear {
                cut.add_spans(at, line(at), along.begin, &mut spans);
            } else {
                let begins = scratch.find(&along.line(at), band.cells, 1);
                let mut begin = 0;
                for end in begins.iter().chain([band.cells]) {
                    if scratch.doubtful.get(begin) {
                        doubtful.push(line(at) + begin);
                    } else {
                        let (row, col) = (scratch.rows[begin], scratch.cols[begin] + begin as i32);
                        spans.push(span(line(at) + begin, end - begin, row, col));
                    }
                    begin = end;
                }
            }
        }
    });
    let place = |at: &usize| (window.row + (at / window.cols) as i64, window.col + (at % window.cols) as i64);
    let found = exact::cells_at(mesh.grid(), mesh.frame(), doubtful.iter().map(place), carry)?;
    spans.extend(doubtful.iter().zip(found).map(|(&at, (row, col))| span(at, 1, row, col)));
    Ok(spans)
}

fn span(first: usize, cells: usize, row: i32, col: i32) -> Span {
    Span { first: first as u32, cells: cells as u32, row, col }
}

impl Cut {
    /// Adds the spans of a clear line, whose columns were found less one for each cell of the patch.
    #[inline(always)]
    fn add_spans(&self, line: usize, first_cell: usize, patch_begin: usize, spans: &mut Vec<Span>) {
        let (cols, rows) = (&self.cols, &self.rows);
        let mut col = cols.first[line] + patch_begin as i32;
        let (mut row, mut row_at, mut begin) = (rows.first[line], 0, 0);
        // Rows change often, columns hardly.
        for col_at in 0..cols.count(line) {
            let col_end = cols.end(line, col_at);
            while row_at < rows.count(line) {
                let row_end = rows.end(line, row_at);
                let end = row_end.min(col_end);
                if begin < end {
                    spans.push(span(first_cell + begin, end - begin, row, col + begin as i32));
                    begin = end;
                }
                if row_end > col_end {
                    break;
                }
                row_at += 1;
                row += rows.step[line];
            }
            col += cols.step[line];
        }
    }
}

/// What can be taken from a raster.
pub trait Cell: Copy {
    /// Copies parts of one slice to another: where each begins in either, and its length.
    fn copy(parts: impl Iterator<Item = (usize, usize, usize)>, from: &[Self], to: &mut [Self]) {
        copy_one_by_one(parts, from, to);
    }
}

impl Cell for u16 {}
impl Cell for u32 {}
impl Cell for i32 {}

impl Cell for u8 {
    fn copy(parts: impl Iterator<Item = (usize, usize, usize)>, from: &[Self], to: &mut [Self]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            #[expect(unsafe_code, reason = "the processor has the instructions")]
            unsafe {
                vectors::copy(parts, from, to);
            }
            return;
        }
        copy_one_by_one(parts, from, to);
    }
}

fn copy_one_by_one<T: Copy>(parts: impl Iterator<Item = (usize, usize, usize)>, from: &[T], to: &mut [T]) {
    for (begin, place, n) in parts {
        to[place..place + n].copy_from_slice(&from[begin..begin + n]);
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{_mm512_mask_storeu_epi8, _mm512_maskz_loadu_epi8};

    /// Spans are short: one load and one store of so many bytes as there are.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn copy(parts: impl Iterator<Item = (usize, usize, usize)>, from: &[u8], to: &mut [u8]) {
        for (begin, place, n) in parts {
            let (from, to) = (&from[begin..begin + n], &mut to[place..place + n]);
            if n > 64 {
                to.copy_from_slice(from);
                continue;
            }
            let mask = u64::MAX.checked_shr(64 - n as u32).unwrap_or(0);
            #[expect(unsafe_code, reason = "no more bytes are read and written than both slices have")]
            unsafe {
                let bytes = _mm512_maskz_loadu_epi8(mask, from.as_ptr().cast());
                _mm512_mask_storeu_epi8(to.as_mut_ptr().cast(), mask, bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_way_copies_the_same(
            parts in proptest::collection::vec((0usize..200, 0usize..200, 0usize..130), 0..20),
            from in proptest::collection::vec(any::<u8>(), 400),
        ) {
            let mut expected = vec![0; 400];
            copy_one_by_one(parts.iter().copied(), &from, &mut expected);
            let mut found = vec![0; 400];
            u8::copy(parts.into_iter(), &from, &mut found);
            prop_assert_eq!(found, expected);
        }
    }
}
