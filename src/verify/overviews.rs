//! Fourth group: every overview cell is the mode of the native cells under it, or their mean where they are shares.
//!
//! The native cells under each overview cell are counted anew, level by level, and the rule is written down anew. Only
//! the hash that breaks ties is shared with the program, as it is part of the format.

use ndarray::{Array2, Axis, s};

use super::findings::Findings;
use super::one_line;
use crate::io::gdal::RasterFile;
use crate::kernel::pyramid::{Tie, tie_rank};
use crate::model::window::{BLOCK, Window};

/// Number of levels that a raster must have: they go on until both sides are within a block.
pub fn levels(rows: usize, cols: usize) -> u32 {
    (0..usize::BITS).find(|level| rows.max(cols).div_ceil(1 << level) <= BLOCK).unwrap_or(0)
}

/// What an overview cell is of the native cells under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The most frequent.
    Mode,
    /// The mean, rounded half up.
    Mean,
}

/// The overviews of a raster, and the rule they are made by.
pub struct Pyramid<'a> {
    /// Path below the output folder.
    pub name: &'a str,
    /// The raster.
    pub file: &'a RasterFile,
    /// Its nodata value, if it has one.
    pub nodata: Option<i32>,
    /// Number of levels to look at.
    pub levels: u32,
    /// What they are made by.
    pub rule: Rule,
    /// Row and column of its upper left cell on the lattice.
    pub lattice: (i64, i64),
    /// Who wins a tie.
    pub tie: Tie,
}

/// What an overview cell must be.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// Less than half of it is valid.
    Nodata,
    /// This class, picked from these, which all have the most cells.
    Class(i32, Vec<i32>),
}

impl Pyramid<'_> {
    /// Checks the overview cells over a square of native cells; gives their number.
    ///
    /// # Shape
    /// The square begins at a multiple of an overview cell of every level and ends at one or at the raster's edge.
    pub fn check(&self, square: &Window, native: &Array2<i32>, findings: &mut Findings) -> u64 {
        // Most of an ocean is one value; then so are its overviews.
        let first = native.first().copied().unwrap_or_default();
        let uniform = native.iter().all(|value| *value == first);
        let mut cells = 0;
        for level in 1..=self.levels {
            let place = Window {
                row: square.row >> level,
                col: square.col >> level,
                rows: square.rows.div_ceil(1 << level),
                cols: square.cols.div_ceil(1 << level),
            };
            let found = match self.file.read_overview(level, &place) {
                Ok(found) => found,
                Err(error) => {
                    findings.add(self.name, "reading overviews", || one_line(&error));
                    continue;
                }
            };
            cells += place.cells();
            if uniform && found.iter().all(|value| *value == first) {
                continue;
            }
            match self.rule {
                Rule::Mode => self.check_modes(level, &place, native, &found, findings),
                Rule::Mean => self.check_means(level, &place, native, &found, findings),
            }
        }
        cells
    }

    fn check_modes(
        &self,
        level: u32,
        place: &Window,
        native: &Array2<i32>,
        found: &Array2<i32>,
        findings: &mut Findings,
    ) {
        let side = 1usize << level;
        let mut counts: Vec<Vec<(i32, u64)>> = vec![Vec::new(); place.cols];
        let bands = native.axis_chunks_iter(Axis(0), side);
        for ((row, band), found) in (place.row..).zip(bands).zip(found.rows()) {
            counts.iter_mut().for_each(Vec::clear);
            for line in band.rows() {
                let line = line.to_vec();
                for (cell, under) in counts.iter_mut().zip(line.chunks(side)) {
                    for run in under.chunk_by(|a, b| a == b) {
                        count(cell, run[0], run.len() as u64);
                    }
                }
            }
            for ((col, counts), &found) in (place.col..).zip(&mut counts).zip(found) {
                let (kind, expected) = match self.expected(level, (row, col), counts) {
                    Expected::Nodata if Some(found) == self.nodata => continue,
                    Expected::Class(class, _) if class == found => continue,
                    Expected::Nodata => ("overview nodata", "nodata, as less than half is valid".to_string()),
                    Expected::Class(class, tied) if tied.contains(&found) => {
                        ("overview ties", format!("{class} by the rule for ties among {tied:?}"))
                    }
                    Expected::Class(class, _) => {
                        ("overview modes", format!("{class}, the most frequent class"))
                    }
                };
                findings.add(self.name, kind, || {
                    format!("overview level {level}, row {row}, column {col} is {found}; expected {expected}")
                });
            }
        }
    }

    /// The rule: no data counts for nothing, half of the cells must be valid, the mean of these is rounded half up.
    fn check_means(
        &self,
        level: u32,
        place: &Window,
        native: &Array2<i32>,
        found: &Array2<i32>,
        findings: &mut Findings,
    ) {
        let side = 1usize << level;
        for ((row, col), &found) in found.indexed_iter() {
            let (top, left) = (row * side, col * side);
            let (bottom, right) = ((top + side).min(native.nrows()), (left + side).min(native.ncols()));
            let under = native.slice(s![top..bottom, left..right]);
            let (mut sum, mut valid) = (0i64, 0i64);
            for &value in under.iter().filter(|value| Some(**value) != self.nodata) {
                (sum, valid) = (sum + i64::from(value), valid + 1);
            }
            let mean = (valid > 0 && 2 * valid >= under.len() as i64)
                .then(|| (sum as f64 / valid as f64 + 0.5).floor());
            let expected = mean.map(|mean| mean as i32).or(self.nodata);
            findings.that(Some(found) == expected, self.name, "overview means", || {
                let (row, col) = (place.row + row as i64, place.col + col as i64);
                format!("overview level {level}, row {row}, column {col} is {found}; expected {expected:?}, the mean")
            });
        }
    }

    /// The rule: no data does not vote, half of the cells must be valid, of several classes the hash picks one.
    fn expected(&self, level: u32, (row, col): (i64, i64), counts: &mut [(i32, u64)]) -> Expected {
        counts.sort_unstable();
        let all: u64 = counts.iter().map(|(_, n)| n).sum();
        let valid = || counts.iter().filter(|(value, _)| Some(*value) != self.nodata);
        let voters: u64 = valid().map(|(_, n)| n).sum();
        if voters == 0 || voters < all - voters {
            return Expected::Nodata;
        }
        let most = valid().map(|(_, n)| *n).max().unwrap_or(0);
        let tied: Vec<i32> = valid().filter(|(_, n)| *n == most).map(|(value, _)| *value).collect();
        let rank = match self.tie {
            Tie::Lowest => 0,
            Tie::Hash => {
                let on_lattice = |cell: i64, offset: i64| offset.wrapping_add(cell << level);
                let (row, col) = (on_lattice(row, self.lattice.0), on_lattice(col, self.lattice.1));
                tie_rank(level, row, col, tied.len())
            }
        };
        tied.get(rank).map_or(Expected::Nodata, |class| Expected::Class(*class, tied.clone()))
    }
}

fn count(cell: &mut Vec<(i32, u64)>, value: i32, cells: u64) {
    match cell.iter_mut().find(|(known, _)| *known == value) {
        Some((_, n)) => *n += cells,
        None => cell.push((value, cells)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_end_where_a_block_holds_the_raster() {
        assert_eq!([(1, 1), (512, 512), (513, 1), (1024, 1025)].map(|(r, c)| levels(r, c)), [0, 0, 1, 2]);
        assert_eq!(levels(255_000, 259_000), 9);
    }
}
