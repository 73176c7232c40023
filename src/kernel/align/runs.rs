//! Runs of smaller cells whose centres lie in one cell of another raster.

use super::cut::{Cut, Scratch};
use super::exact;
use super::patch::{Along, Mesh};
use crate::model::window::Window;

/// Cells side by side whose centres lie in one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The cell that holds their centres, the cells of the wanted window counted row by row.
    pub holder: u32,
    /// The first of them, the cells of their own window counted row by row.
    pub first: u32,
    /// How many there are.
    pub cells: u32,
}

/// Runs that are handed out at once: more than a line has.
const AT_ONCE: usize = 256;

/// Hands out every cell of a window whose centre lies in a wanted window of the raster, once, in runs, some at a time.
///
/// `mesh` holds the window; `carry` is that of [`super::locate`].
///
/// # Errors
/// Those of `carry`.
pub fn runs<E>(
    mesh: &Mesh,
    window: &Window,
    wanted: &Window,
    mut carry: impl FnMut(&mut [f64], &mut [f64]) -> Result<(), E>,
    mut each: impl FnMut(&[Run]),
) -> Result<(), E> {
    let (grid, frame) = (mesh.grid(), mesh.frame());
    let wanted = wanted.intersect(&Window::whole(frame.rows, frame.cols));
    let mut doubtful = Vec::new();
    let mut found = Found { runs: [Run { holder: 0, first: 0, cells: 0 }; AT_ONCE], number: 0 };
    let mut cut = Cut::default();
    let mut scratch = Scratch::default();
    mesh.bands(window, Some(&wanted), |band| {
        let line = |line: usize| band.first + line * window.cols;
        let Some(along) = &band.along else {
            doubtful.extend((0..band.lines).flat_map(|at| line(at)..line(at) + band.cells));
            return;
        };
        let clear = cut.find(along, band.cells);
        for (at, is_clear) in clear.into_iter().enumerate().take(band.lines) {
            if is_clear {
                cut.add_runs(at, line(at), &wanted, &mut found);
            } else {
                let place = (line(at), band.cells);
                scratch.add_runs(&along.line(at), place, &wanted, &mut doubtful, &mut found);
            }
            found.hand_out(&mut each);
        }
    });
    let place = |at: &usize| (window.row + (at / window.cols) as i64, window.col + (at % window.cols) as i64);
    let exactly = exact::cells_at(grid, frame, doubtful.iter().map(place), &mut carry)?;
    for (&first, (row, col)) in doubtful.iter().zip(exactly) {
        if let Some(holder) = holder(&wanted, row, col) {
            found.add(holder, first, 1);
            found.hand_out(&mut each);
        }
    }
    Ok(())
}

/// The number of a cell among those of a window.
#[inline(always)]
fn holder(wanted: &Window, row: i32, col: i32) -> Option<usize> {
    // What lies before the window is far beyond it as a number without sign.
    let down = row.wrapping_sub(wanted.row as i32) as u32 as usize;
    let across = col.wrapping_sub(wanted.col as i32) as u32 as usize;
    (down < wanted.rows && across < wanted.cols).then_some(down * wanted.cols + across)
}

/// Runs that were found and not handed out yet.
struct Found {
    runs: [Run; AT_ONCE],
    number: usize,
}

impl Found {
    #[inline(always)]
    fn add(&mut self, holder: usize, first: usize, cells: usize) {
        self.runs[self.number] = Run { holder: holder as u32, first: first as u32, cells: cells as u32 };
        self.number += 1;
    }

    #[inline(always)]
    fn hand_out(&mut self, each: &mut impl FnMut(&[Run])) {
        each(&self.runs[..self.number]);
        self.number = 0;
    }
}

impl Cut {
    /// Adds the runs of a clear line that lie in a window.
    fn add_runs(&self, line: usize, first_cell: usize, wanted: &Window, found: &mut Found) {
        let (cols, rows) = (&self.cols, &self.rows);
        // Here it stays in a register.
        let mut number = found.number;
        let (first, step) = (i64::from(cols.first[line]), i64::from(cols.step[line]));
        // Stretches before the window's columns, and up to their end.
        let before = if step > 0 { wanted.col - first } else { first - wanted.col_end() + 1 };
        let within = |stretches: i64| stretches.clamp(0, cols.count(line) as i64) as usize;
        let (mut at, end_at) = (within(before), within(before + wanted.cols as i64));
        let mut begin = at.checked_sub(1).map_or(0, |last| cols.end(line, last));
        for row_at in 0..rows.count(line) {
            let row = i64::from(rows.first[line] + row_at as i32 * rows.step[line]) - wanted.row;
            let row_end = rows.end(line, row_at);
            if !(0..wanted.rows as i64).contains(&row) {
                while at < end_at && cols.end(line, at) <= row_end {
                    at += 1;
                }
                begin = begin.max(row_end);
                continue;
            }
            let mut holder = row * wanted.cols as i64 + first + at as i64 * step - wanted.col;
            while at < end_at {
                let col_end = cols.end(line, at);
                let end = col_end.min(row_end);
                if begin < end {
                    let (first, cells) = ((first_cell + begin) as u32, (end - begin) as u32);
                    found.runs[number] = Run { holder: holder as u32, first, cells };
                    number += 1;
                    begin = end;
                }
                if col_end > row_end {
                    break;
                }
                at += 1;
                holder += step;
            }
        }
        found.number = number;
    }
}

impl Scratch {
    /// Adds the runs of any line that lie in a window, and the doubtful cells.
    fn add_runs(
        &mut self,
        along: &Along,
        (first_cell, cells): (usize, usize),
        wanted: &Window,
        doubtful: &mut Vec<usize>,
        found: &mut Found,
    ) {
        let ends = self.find(along, cells, 0);
        let mut first = 0;
        for end in ends.iter().chain([cells]) {
            if self.doubtful.get(first) {
                doubtful.push(first_cell + first);
            } else if let Some(holder) = holder(wanted, self.rows[first], self.cols[first]) {
                found.add(holder, first_cell + first, end - first);
            }
            first = end;
        }
    }
}
