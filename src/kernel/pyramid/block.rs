//! The fast way for a whole block: what is inside a tile is made by tiles, what is above from their lists of classes.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis};

use super::band::Band;
use super::lists::LevelCounts;
use super::tile::{self, SIDE, TILE_LEVELS, Tile};
use super::{BLOCK_LEVELS, Tie, TieRow};
use crate::kernel::ClassValue;

/// Where a block lies and by which rule it is made.
pub(super) struct Place<T> {
    pub(super) nodata: T,
    /// Row and column of its upper left cell on the lattice.
    pub(super) lattice: (i64, i64),
    pub(super) tie: Tie,
}

/// Makes blocks of tiles; what it holds between them is scratch.
pub(super) struct Tiles<T> {
    band: Band<T>,
    tile: Option<Box<Tile<T>>>,
}

impl<T: ClassValue> Tiles<T> {
    pub(super) fn new() -> Self {
        Self { band: Band::new(), tile: None }
    }

    /// Makes the levels of a block and counts its classes, in the only cell of what is returned.
    ///
    /// `None` where a tile has too many classes or the cells of a row do not lie side by side; `levels` are then to be
    /// made anew.
    #[inline(always)]
    pub(super) fn make(
        &mut self,
        block: ArrayView2<T>,
        place: &Place<T>,
        levels: &mut [ArrayViewMut2<T>],
    ) -> Option<LevelCounts<T>> {
        let Place { nodata, lattice, tie } = *place;
        let (height, width) = block.dim();
        let line = |row| block.index_axis_move(Axis(0), row).to_slice();
        let lines: Vec<&[T]> = (0..height).map(line).collect::<Option<_>>()?;
        let (low, high) = levels.split_at_mut(levels.len().min(TILE_LEVELS));
        let mut out: Vec<Vec<&mut [T]>> = low
            .iter_mut()
            .map(|level| level.outer_iter_mut().map(ArrayViewMut1::into_slice).collect())
            .collect::<Option<_>>()?;
        let tile = self.tile.get_or_insert_with(|| Box::new(Tile::new(nodata)));
        let mut counts = LevelCounts::new(height.div_ceil(SIDE), width.div_ceil(SIDE));
        for (tile_row, rows) in lines.chunks(SIDE).enumerate() {
            let top = lattice.0 + (tile_row * SIDE) as i64;
            let first_ties = std::array::from_fn(|row| TieRow::new(tie, 1, top + 2 * row as i64));
            self.band.fill(rows, nodata);
            for (tile_col, (cells, alike)) in self.band.tiles().enumerate() {
                let left = tile_col * SIDE;
                let size = (rows.len(), (width - left).min(SIDE));
                if let Some(class) = alike {
                    let cells = (size.0 * size.1) as u32;
                    counts.push((class != nodata).then_some((class, cells)));
                } else {
                    let lattice = (top, lattice.1 + left as i64);
                    if !tile.make(cells, nodata, &tile::Place { size, lattice, first_ties: &first_ties, tie })
                    {
                        return None;
                    }
                    counts.push(tile.counts());
                }
                for (level, lines) in (1..).zip(&mut out) {
                    let lines = lines
                        .iter_mut()
                        .map(|line| &mut **line)
                        .skip(tile_row * (SIDE >> level))
                        .take(size.0.div_ceil(1 << level));
                    let cols = left >> level..(left + size.1).div_ceil(1 << level);
                    let modes = alike.map_or(Modes::Each(tile.modes(level)), Modes::Alike);
                    match level {
                        1 => modes.write::<{ SIDE >> 1 }>(lines, cols),
                        2 => modes.write::<{ SIDE >> 2 }>(lines, cols),
                        3 => modes.write::<{ SIDE >> 3 }>(lines, cols),
                        4 => modes.write::<{ SIDE >> 4 }>(lines, cols),
                        5 => modes.write::<{ SIDE >> 5 }>(lines, cols),
                        _ => modes.write::<{ SIDE >> 6 }>(lines, cols),
                    }
                }
            }
        }
        let mut level = TILE_LEVELS as u32;
        for high in high {
            (level, counts) = (level + 1, counts.above());
            for (cell, mode) in high.indexed_iter_mut() {
                *mode = counts.mode(level, cell, (height, width), nodata, lattice, tie);
            }
        }
        while level < BLOCK_LEVELS {
            (level, counts) = (level + 1, counts.above());
        }
        Some(counts)
    }
}

/// Modes of a level of one tile.
enum Modes<'a, T> {
    Alike(T),
    Each(&'a [T]),
}

impl<T: ClassValue> Modes<'_, T> {
    /// Writes the modes of a level of `W` columns; whole rows of a tile are written without asking for their length.
    #[inline]
    fn write<'a, const W: usize>(self, lines: impl Iterator<Item = &'a mut [T]>, cols: Range<usize>)
    where
        T: 'a,
    {
        let write = |line: &mut [T], modes: &[T; W]| match line.as_chunks_mut::<W>().0 {
            [whole] => *whole = *modes,
            _ => line.copy_from_slice(&modes[..line.len()]),
        };
        match self {
            Self::Alike(class) => lines.for_each(|line| write(&mut line[cols.clone()], &[class; W])),
            Self::Each(modes) => {
                let rows = lines.zip(modes.as_chunks::<W>().0);
                rows.for_each(|(line, modes)| write(&mut line[cols.clone()], modes));
            }
        }
    }
}
