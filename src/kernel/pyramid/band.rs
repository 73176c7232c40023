//! The tiles beside each other in 64 rows of a block.

use super::tile::{Cells, SIDE};
use crate::kernel::ClassValue;

/// Cells of 64 rows, tile by tile.
///
/// Rows are read from end to end, as memory is read ahead, and not tile by tile.
pub(super) struct Band<T> {
    tiles: Vec<Cells<T>>,
    /// Whether all cells of a tile that are inside the block are alike.
    alike: Vec<bool>,
}

impl<T: ClassValue> Band<T> {
    pub(super) fn new() -> Self {
        Self { tiles: Vec::new(), alike: Vec::new() }
    }

    /// Takes over at most 64 rows, all equally long; what is missing in a tile becomes nodata.
    #[inline(always)]
    pub(super) fn fill(&mut self, lines: &[&[T]], nodata: T) {
        let width = lines.first().map_or(0, |line| line.len());
        let n = width.div_ceil(SIDE);
        self.tiles.resize(n, [[nodata; SIDE]; SIDE]);
        self.alike.clear();
        self.alike.resize(n, true);
        for (row, line) in lines.iter().enumerate() {
            let (whole, rest) = line.as_chunks::<SIDE>();
            for (cells, (tile, alike)) in whole.iter().zip(self.tiles.iter_mut().zip(&mut self.alike)) {
                tile[row] = *cells;
                let first = tile[0][0];
                *alike &= cells.iter().fold(true, |alike, &cell| alike & (cell == first));
            }
            if let (Some(tile), false) = (self.tiles.get_mut(whole.len()), rest.is_empty()) {
                tile[row] = [nodata; SIDE];
                tile[row][..rest.len()].copy_from_slice(rest);
                let first = tile[0][0];
                self.alike[whole.len()] &= rest.iter().all(|&cell| cell == first);
            }
        }
        for tile in &mut self.tiles {
            tile[lines.len().min(SIDE)..].fill([nodata; SIDE]);
        }
    }

    /// Cells of each tile, from left to right, and the class of those that have only one.
    pub(super) fn tiles(&self) -> impl Iterator<Item = (&Cells<T>, Option<T>)> {
        self.tiles.iter().zip(&self.alike).map(|(tile, &alike)| (tile, alike.then_some(tile[0][0])))
    }
}
