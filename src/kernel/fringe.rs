//! Fringe: the band of water along a coast, and the sea beyond it.

use ndarray::{Array2, ArrayView2};

use super::ClassValue;
use super::mosaic::{Decider, Mosaic};
use crate::model::legend::ClassCode;
use crate::model::provenance::MASKED;
use crate::model::source::NO_SOURCE;

/// Where a cell lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shore {
    /// On land.
    Land,
    /// Off land, no further from it than the fringe is wide.
    Fringe,
    /// Further out.
    Sea,
}

/// Where each cell lies, from the land around it. Distance is that of a chessboard's king.
///
/// # Shape
/// `land` has `width` cells more on every side than the result: (rows + 2·width, cols + 2·width).
/// # Cost
/// Two passes over `land`, whatever the width.
pub fn shores(land: ArrayView2<bool>, width: usize) -> Array2<Shore> {
    let reach = 2 * width;
    let (rows, cols) = (land.nrows().saturating_sub(reach), land.ncols().saturating_sub(reach));
    let mut shores = Array2::from_elem((rows, cols), Shore::Sea);
    // For each column of the result the last row + 1 that has land near it, and while a row is walked the same of columns.
    let mut last_row = vec![0; cols];
    for (row, line) in land.outer_iter().enumerate() {
        let mut last = 0;
        for (col, &is_land) in line.iter().enumerate() {
            if is_land {
                last = col + 1;
            }
            // Columns col - 2·width to col are those around column col - width of `land`, which is col - 2·width of the result.
            if col >= reach && last > col - reach {
                last_row[col - reach] = row + 1;
            }
        }
        let Some(target) = row.checked_sub(reach) else { continue };
        for (col, shore) in shores.row_mut(target).iter_mut().enumerate() {
            if land[(target + width, col + width)] {
                *shore = Shore::Land;
            } else if last_row[col] > target {
                *shore = Shore::Fringe;
            }
        }
    }
    shores
}

/// Lays the coast over a mosaic: on land it stays; the fringe becomes water that a source of its own decides, or nobody's;
/// the sea is nobody's.
///
/// `each` gets every cell off land (row, column) with the class that the sources gave it.
///
/// # Shape
/// `shores` has that of the mosaic; without it all of it is sea. `water` is the class of the fringe and who decides it.
pub fn lay_coast<T: ClassValue>(
    mosaic: &mut Mosaic<T>,
    shores: Option<ArrayView2<Shore>>,
    water: Option<(T, Decider)>,
    mut each: impl FnMut((usize, usize), Shore, Option<ClassCode>),
) {
    let nodata = mosaic.nodata();
    let mut origins = mosaic.origins.as_mut();
    for ((cell, class), winner) in mosaic.classes.indexed_iter_mut().zip(mosaic.winners.iter_mut()) {
        let shore = shores.as_ref().map_or(Shore::Sea, |shores| shores[cell]);
        if shore == Shore::Land {
            continue;
        }
        each(cell, shore, (*class != nodata).then(|| class.code()));
        let origin;
        (*class, *winner, origin) = match (shore, water) {
            (Shore::Fringe, Some((water, decider))) => (water, decider.source, decider.origin),
            _ => (nodata, NO_SOURCE, MASKED),
        };
        if let Some(origins) = &mut origins {
            origins[cell] = origin;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    /// By looking at every cell around.
    fn plainly(land: &Array2<bool>, width: usize) -> Array2<Shore> {
        let shape = (land.nrows() - 2 * width, land.ncols() - 2 * width);
        Array2::from_shape_fn(shape, |(row, col)| {
            let mut around =
                (row..=row + 2 * width).flat_map(|r| (col..=col + 2 * width).map(move |c| (r, c)));
            if land[(row + width, col + width)] {
                Shore::Land
            } else if around.any(|cell| land[cell]) {
                Shore::Fringe
            } else {
                Shore::Sea
            }
        })
    }

    proptest! {
        #[test]
        fn two_passes_see_what_a_look_around_sees(
            (width, rows, cols) in (0usize..9, 1usize..24, 1usize..24),
            density in 1u32..60,
            seed in any::<u64>(),
        ) {
            let mut state = seed | 1;
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state % 997
            };
            let land = Array2::from_shape_fn((rows + 2 * width, cols + 2 * width), |_| next() < u64::from(density));
            prop_assert_eq!(shores(land.view(), width), plainly(&land, width));
        }
    }

    #[test]
    fn a_cell_of_land_has_a_square_of_fringe() {
        let mut land = Array2::from_elem((9, 11), false);
        land[(4, 5)] = true;
        let seen = shores(land.view(), 2);
        assert_eq!(seen.dim(), (5, 7));
        let of = |wanted: Shore| seen.iter().filter(|shore| **shore == wanted).count();
        assert_eq!((of(Shore::Land), of(Shore::Fringe), of(Shore::Sea)), (1, 24, 10));
        assert_eq!((seen[(2, 3)], seen[(0, 1)], seen[(0, 0)]), (Shore::Land, Shore::Fringe, Shore::Sea));
        // Land that lies in the margin has its fringe inside.
        let mut beside = Array2::from_elem((9, 11), false);
        beside[(0, 5)] = true;
        assert_eq!(shores(beside.view(), 2)[(0, 3)], Shore::Fringe);
        assert_eq!(shores(beside.view(), 2)[(1, 3)], Shore::Sea);
    }

    #[test]
    fn off_land_nothing_is_left_of_what_sources_said() {
        let shores = array![[Shore::Land, Shore::Fringe, Shore::Fringe, Shore::Sea, Shore::Sea]];
        let before = array![[3u8, 3, 0, 3, 0]];
        let water = Some((18, Decider { source: 7, origin: 8 }));
        let laid = |water: Option<(u8, Decider)>, all_sea: bool| {
            let mut mosaic = Mosaic::new(1, 5, 0u8).tracking_origins();
            mosaic.classes.assign(&before);
            mosaic.winners.assign(&array![[1, 1, 1, 1, NO_SOURCE]]);
            let mut seen = Vec::new();
            let plane = (!all_sea).then(|| shores.view());
            lay_coast(&mut mosaic, plane, water, |cell, shore, class| seen.push((cell.1, shore, class)));
            let origin = if water.is_some() && !all_sea { 8 } else { MASKED };
            let at_sea = mosaic.origins.unwrap();
            assert_eq!([at_sea[(0, 1)], at_sea[(0, 2)], at_sea[(0, 3)]], [origin, origin, MASKED]);
            (mosaic.classes.into_raw_vec_and_offset().0, mosaic.winners.into_raw_vec_and_offset().0, seen)
        };
        let (classes, winners, seen) = laid(water, false);
        assert_eq!((classes, winners), (vec![3, 18, 18, 0, 0], vec![1, 7, 7, NO_SOURCE, NO_SOURCE]));
        assert_eq!(
            seen,
            [
                (1, Shore::Fringe, Some(3)),
                (2, Shore::Fringe, None),
                (3, Shore::Sea, Some(3)),
                (4, Shore::Sea, None)
            ]
        );
        let (classes, winners, _) = laid(None, false);
        assert_eq!(
            (classes, winners),
            (vec![3, 0, 0, 0, 0], vec![1, NO_SOURCE, NO_SOURCE, NO_SOURCE, NO_SOURCE])
        );
        let (classes, _, seen) = laid(water, true);
        assert_eq!((classes, seen.len()), (vec![0; 5], 5));
    }
}
