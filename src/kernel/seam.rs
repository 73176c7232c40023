//! Seam: where the maps of two sections meet, how often do neighbours differ, and how often do they differ anyway?
//!
//! A *facing pair* are two cells that share an edge, both with a class, decided by sources of two sections. Along the same
//! row or column it has a *control pair* in each of them: the cells `control` and `control + 1` behind its own, away from
//! the boundary; it is counted where both have a class and lie in that section.
//!
//! A pair belongs to its left or upper cell, so that every pair is counted once however a mosaic is cut.

use ndarray::ArrayView2;

use super::ClassValue;
use crate::model::seam::{Line, NO_SECTION, SeamCounts, SeamPair, SectionOf};
use crate::model::source::SourceIndex;
use crate::model::window::Window;

/// Which neighbours of cells are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbours {
    /// Those to the right.
    Right,
    /// Those below.
    Below,
}

impl Neighbours {
    /// Rows and columns from a cell to its neighbour.
    fn step(self) -> (usize, usize) {
        match self {
            Self::Right => (0, 1),
            Self::Below => (1, 0),
        }
    }
}

/// A piece of a mosaic and what its sources are.
///
/// # Shape
/// Both planes have the same.
/// # Nodata
/// Cells of class `nodata` have none.
#[derive(Debug, Clone, Copy)]
pub struct Sectioned<'a, T> {
    /// Class of each cell.
    pub classes: ArrayView2<'a, T>,
    /// Deciding source of each cell.
    pub winners: ArrayView2<'a, SourceIndex>,
    /// The section of each source.
    pub sections: &'a SectionOf,
    /// The class of cells without one.
    pub nodata: T,
}

impl<T: ClassValue> Sectioned<'_, T> {
    /// The smallest window that holds the left or upper cells of all facing pairs; `None` where there are none.
    pub fn facing(&self, neighbours: Neighbours) -> Option<Window> {
        let whole = Window::whole(self.classes.nrows(), self.classes.ncols());
        let mut held: Option<Window> = None;
        self.each_facing(&whole, neighbours, |row, col| {
            let cell = Window { row: row as i64, col: col as i64, rows: 1, cols: 1 };
            held = Some(held.map_or(cell, |held| held.union(&cell)));
        });
        held
    }

    /// Counts the facing pairs that belong to the cells of a part, and their control pairs.
    ///
    /// # Shape
    /// `part` lies in the planes, which reach `control + 2` cells further on all sides, or to where there are no cells.
    pub fn count(&self, part: &Window, neighbours: Neighbours, control: usize, counts: &mut SeamCounts) {
        let (rows, cols) = self.classes.dim();
        let step = neighbours.step();
        self.each_facing(part, neighbours, |row, col| {
            let place = |cells: i64| {
                let at = |from: usize, step: usize, end: usize| {
                    usize::try_from(from as i64 + cells * step as i64).ok().filter(|at| *at < end)
                };
                Some((at(row, step.0, rows)?, at(col, step.1, cols)?))
            };
            let section = |at: (usize, usize)| self.sections.source(self.winners[at]);
            let (near, far) = ((row, col), (row + step.0, col + step.1));
            let swapped = section(near) > section(far);
            let (first, second) = if swapped { (far, near) } else { (near, far) };
            let (a, b) = (section(first), section(second));
            let mut add = |line: Line, one: (usize, usize), other: (usize, usize)| {
                let (code_a, code_b) = (self.classes[one].code(), self.classes[other].code());
                *counts.entry(SeamPair { a, b, line, code_a, code_b }).or_default() += 1;
            };
            add(Line::Seam, first, second);
            let control = control as i64;
            let behind = [
                (section(near), place(-control), place(-control - 1)),
                (section(far), place(control + 1), place(control + 2)),
            ];
            for (own, one, other) in behind {
                let (Some(one), Some(other)) = (one, other) else { continue };
                let holds = |at| section(at) == own && self.classes[at] != self.nodata;
                if holds(one) && holds(other) {
                    add(if own == a { Line::ControlA } else { Line::ControlB }, one, other);
                }
            }
        });
    }

    /// Hands out the facing pairs that belong to the cells of a part: row and column of the left or upper cell.
    fn each_facing(&self, part: &Window, neighbours: Neighbours, mut each: impl FnMut(usize, usize)) {
        let (rows, cols) = self.classes.dim();
        let (down, right) = neighbours.step();
        let section = |row: usize, col: usize| self.sections.source(self.winners[[row, col]]);
        let has_class = |row: usize, col: usize| self.classes[[row, col]] != self.nodata;
        let (first_row, first_col) = (part.row as usize, part.col as usize);
        for row in first_row..(first_row + part.rows).min(rows - down) {
            for col in first_col..(first_col + part.cols).min(cols - right) {
                let (own, other) = (section(row, col), section(row + down, col + right));
                let differ = own != other && own != NO_SECTION && other != NO_SECTION;
                if differ && has_class(row, col) && has_class(row + down, col + right) {
                    each(row, col);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};
    use proptest::prelude::*;

    use super::*;
    use crate::model::seam::reach;
    use crate::model::source::NO_SOURCE;

    /// Sources 0 and 2 are of section 1, source 1 of section 0, source 3 of section 2, source 4 of none.
    fn sections() -> SectionOf {
        SectionOf::of(&[Some(1), Some(0), Some(1), Some(2), None])
    }

    fn pair(a: u8, b: u8, line: Line, code_a: i32, code_b: i32) -> SeamPair {
        SeamPair { a, b, line, code_a, code_b }
    }

    #[test]
    fn one_row_by_hand() {
        // Section 1 to the left of section 0, a cell without a class behind the boundary of the left one.
        let classes = array![[5u8, 6, 0, 8, 9, 4, 4, 3, 2]];
        let winners = array![[0u8, 2, 0, 2, 0, 1, 1, 1, 1]];
        let sections = sections();
        let map =
            Sectioned { classes: classes.view(), winners: winners.view(), sections: &sections, nodata: 0 };
        assert_eq!(map.facing(Neighbours::Right), Some(Window { row: 0, col: 4, rows: 1, cols: 1 }));
        assert_eq!(map.facing(Neighbours::Below), None);
        let counted = |control: usize| {
            let mut counts = SeamCounts::new();
            map.count(&Window::whole(1, 9), Neighbours::Right, control, &mut counts);
            counts
        };
        // Section 0 is `a`: its cell is class 4, that of section 1 is class 9. One cell behind: 4-3 to the right, 8-0 to
        // the left, which is no pair.
        let seam = (pair(0, 1, Line::Seam, 4, 9), 1);
        assert_eq!(counted(1), SeamCounts::from([seam, (pair(0, 1, Line::ControlA, 4, 3), 1)]));
        // Three behind: the grid ends to the right; to the left 6-5, nearer to the boundary first.
        assert_eq!(counted(3), SeamCounts::from([seam, (pair(0, 1, Line::ControlB, 6, 5), 1)]));
    }

    #[test]
    fn cells_of_no_section_or_no_class_face_nobody() {
        let sections = sections();
        for (classes, winners) in [
            (array![[1u8, 2]], array![[0u8, 4]]),
            (array![[1, 2]], array![[0, NO_SOURCE]]),
            (array![[1, 0]], array![[0, 1]]),
            (array![[1, 2]], array![[0, 2]]),
        ] {
            let map = Sectioned {
                classes: classes.view(),
                winners: winners.view(),
                sections: &sections,
                nodata: 0,
            };
            assert_eq!(map.facing(Neighbours::Right), None);
        }
    }

    /// The definition, cell by cell over the whole mosaic.
    fn plainly(classes: &Array2<u8>, winners: &Array2<u8>, control: i64) -> SeamCounts {
        let (rows, cols) = classes.dim();
        let sections = sections();
        let at = |row: i64, col: i64| {
            let inside = row >= 0 && col >= 0 && row < rows as i64 && col < cols as i64;
            let place = inside.then_some([row as usize, col as usize])?;
            let section = sections.source(winners[place]);
            (classes[place] != 0 && section != NO_SECTION).then_some((section, i32::from(classes[place])))
        };
        let mut counts = SeamCounts::new();
        for (row, col) in (0..rows as i64).flat_map(|row| (0..cols as i64).map(move |col| (row, col))) {
            for (down, right) in [(0, 1), (1, 0)] {
                let cell = |n: i64| at(row + n * down, col + n * right);
                let (Some(left), Some(other)) = (cell(0), cell(1)) else { continue };
                if left.0 == other.0 {
                    continue;
                }
                let (a, b) = (left.0.min(other.0), left.0.max(other.0));
                let codes = if left.0 == a { (left.1, other.1) } else { (other.1, left.1) };
                *counts.entry(pair(a, b, Line::Seam, codes.0, codes.1)).or_default() += 1;
                for (own, near, far) in [
                    (left.0, cell(-control), cell(-control - 1)),
                    (other.0, cell(1 + control), cell(2 + control)),
                ] {
                    if let (Some(near), Some(far)) = (near, far)
                        && near.0 == own
                        && far.0 == own
                    {
                        let line = if own == a { Line::ControlA } else { Line::ControlB };
                        *counts.entry(pair(a, b, line, near.1, far.1)).or_default() += 1;
                    }
                }
            }
        }
        counts
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn blocks_with_their_surroundings_add_up_to_the_whole_mosaic(
            rows in 1usize..24,
            cols in 1usize..24,
            control in 1usize..6,
            block in (1usize..9, 1usize..9),
            patch in 1usize..7,
            seed in any::<u64>(),
        ) {
            let hash = |row: usize, col: usize, salt: u64| {
                let mixed = (row as u64 * 31 + col as u64 * 17 + salt).wrapping_mul(seed | 1);
                (mixed >> 33) as u8
            };
            let classes = Array2::from_shape_fn((rows, cols), |(r, c)| hash(r, c, 5) % 4);
            let winners = Array2::from_shape_fn((rows, cols), |(r, c)| match hash(r / patch, c / patch, 9) % 6 {
                5 => NO_SOURCE,
                source => source,
            });
            let sections = sections();
            let (grid, mut counts) = (Window::whole(rows, cols), SeamCounts::new());
            for piece in grid.pieces(block.0, block.1) {
                let looked = piece.grown(reach(control)).intersect(&grid);
                let (row, col) = (looked.row as usize, looked.col as usize);
                let cut = s![row..row + looked.rows, col..col + looked.cols];
                let map = Sectioned {
                    classes: classes.slice(cut),
                    winners: winners.slice(cut),
                    sections: &sections,
                    nodata: 0,
                };
                let part = piece.shift(-looked.row, -looked.col);
                for neighbours in [Neighbours::Right, Neighbours::Below] {
                    map.count(&part, neighbours, control, &mut counts);
                    // What is looked at first holds the pairs that are counted then.
                    let mut of_part = SeamCounts::new();
                    map.count(&part, neighbours, control, &mut of_part);
                    let facing = map.facing(neighbours).map(|held| held.intersect(&part));
                    let mut of_facing = SeamCounts::new();
                    facing.filter(|held| !held.is_empty()).iter().for_each(|held| {
                        map.count(held, neighbours, control, &mut of_facing);
                    });
                    prop_assert_eq!(of_facing, of_part);
                }
            }
            prop_assert_eq!(counts, plainly(&classes, &winners, control as i64));
        }
    }
}
