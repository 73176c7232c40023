//! Integer rectangles of cells.

use serde::{Deserialize, Serialize};

/// Side of a block of every raster this program writes, in cells.
pub const BLOCK: usize = 512;

/// A rectangle of cells: upper left cell and extent, rows before columns.
///
/// Coordinates may be negative (left of or above a raster's origin); extents may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// First row.
    pub row: i64,
    /// First column.
    pub col: i64,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
}

impl Window {
    /// The window of a whole raster of this shape.
    pub fn whole(rows: usize, cols: usize) -> Self {
        Self { row: 0, col: 0, rows, cols }
    }

    /// The window from one corner (inclusive) to the other (exclusive); empty when they cross.
    pub fn between(row: i64, col: i64, row_end: i64, col_end: i64) -> Self {
        let extent = |from: i64, to: i64| usize::try_from(to - from).unwrap_or(0);
        Self { row, col, rows: extent(row, row_end), cols: extent(col, col_end) }
    }

    /// One past the last row.
    pub fn row_end(&self) -> i64 {
        self.row + self.rows as i64
    }

    /// One past the last column.
    pub fn col_end(&self) -> i64 {
        self.col + self.cols as i64
    }

    /// Whether it holds no cell.
    pub fn is_empty(&self) -> bool {
        self.rows == 0 || self.cols == 0
    }

    /// Number of cells.
    pub fn cells(&self) -> u64 {
        self.rows as u64 * self.cols as u64
    }

    /// The cells that both windows hold.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self::between(
            self.row.max(other.row),
            self.col.max(other.col),
            self.row_end().min(other.row_end()),
            self.col_end().min(other.col_end()),
        )
    }

    /// The smallest window that holds both; an empty one adds nothing.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if self.is_empty() {
            return *other;
        }
        if other.is_empty() {
            return *self;
        }
        Self::between(
            self.row.min(other.row),
            self.col.min(other.col),
            self.row_end().max(other.row_end()),
            self.col_end().max(other.col_end()),
        )
    }

    /// The window with so many cells more on every side.
    #[must_use]
    pub fn grown(&self, cells: usize) -> Self {
        let by = cells as i64;
        Self::between(self.row - by, self.col - by, self.row_end() + by, self.col_end() + by)
    }

    /// The same rectangle, moved.
    #[must_use]
    pub fn shift(&self, rows: i64, cols: i64) -> Self {
        Self { row: self.row + rows, col: self.col + cols, ..*self }
    }

    /// Whether the other window lies wholly inside.
    pub fn contains(&self, other: &Self) -> bool {
        other.is_empty() || self.intersect(other) == *other
    }

    /// Cuts it into squares of a side, row by row; those at the right and lower edge are smaller.
    pub fn squares(&self, side: usize) -> impl Iterator<Item = Window> + use<> {
        self.pieces(side, side)
    }

    /// Cuts the window into pieces of so many rows and columns, row by row; the last ones are smaller.
    pub fn pieces(&self, rows: usize, cols: usize) -> impl Iterator<Item = Window> + use<> {
        let window = *self;
        let starts = |from: i64, to: i64, step: usize| (from..to).step_by(step.max(1));
        starts(window.row, window.row_end(), rows).flat_map(move |row| {
            starts(window.col, window.col_end(), cols)
                .map(move |col| Self { row, col, rows, cols }.intersect(&window))
        })
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rows {}..{}, columns {}..{}", self.row, self.row_end(), self.col, self.col_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_cover_every_cell_once() {
        let window = Window { row: -3, col: 5, rows: 10, cols: 7 };
        let parts: Vec<_> = window.squares(4).collect();
        assert_eq!(parts.iter().map(Window::cells).sum::<u64>(), 70);
        assert_eq!(parts[0], Window { row: -3, col: 5, rows: 4, cols: 4 });
        assert_eq!(parts[5], Window { row: 5, col: 9, rows: 2, cols: 3 });
    }

    #[test]
    fn windows_that_do_not_meet_share_no_cell() {
        let a = Window::whole(2, 2);
        assert!(a.intersect(&a.shift(2, 0)).is_empty());
        assert!(!a.contains(&a.shift(1, 0)));
    }
}
