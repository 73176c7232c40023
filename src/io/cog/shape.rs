//! How many cells and blocks each resolution level of a raster has.

use std::iter;

/// Side of a block, in cells. Source: the default of GDAL's COG driver.
pub const BLOCK: u64 = 512;

/// Holds the size of one resolution level, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LevelShape {
    /// Cells from top to bottom.
    pub rows: u64,
    /// Cells from left to right.
    pub cols: u64,
}

impl LevelShape {
    /// Counts the rows of blocks; the last may be padded.
    pub const fn block_rows(self) -> u64 {
        self.rows.div_ceil(BLOCK)
    }

    /// Counts the columns of blocks; the last may be padded.
    pub const fn block_cols(self) -> u64 {
        self.cols.div_ceil(BLOCK)
    }

    /// Counts the blocks.
    pub const fn blocks(self) -> u64 {
        self.block_rows() * self.block_cols()
    }
}

/// Counts the overviews of a raster of `rows` × `cols` cells.
///
/// Each overview halves the sides, rounded up; they go on until both are 512 cells or less.
pub fn overview_levels(rows: u64, cols: u64) -> u32 {
    let mut side = rows.max(cols);
    let mut levels = 0;
    while side > BLOCK {
        side = side.div_ceil(2);
        levels += 1;
    }
    levels
}

/// Sizes of all levels of a raster, the native one first.
pub(super) fn level_shapes(rows: u64, cols: u64) -> Vec<LevelShape> {
    let halved =
        |shape: &LevelShape| Some(LevelShape { rows: shape.rows.div_ceil(2), cols: shape.cols.div_ceil(2) });
    iter::successors(Some(LevelShape { rows, cols }), halved)
        .take(1 + overview_levels(rows, cols) as usize)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overviews_go_on_until_both_sides_are_512_or_less() {
        assert_eq!(overview_levels(1, 1), 0);
        assert_eq!(overview_levels(512, 512), 0);
        assert_eq!(overview_levels(1, 513), 1);
        assert_eq!(overview_levels(1025, 1), 2);
        assert_eq!(overview_levels(259_000, 255_000), 9);
    }
}
