//! Edit: cells of a mosaic get another class where an interpreter says so.

use ndarray::ArrayView2;

use super::ClassValue;
use super::mosaic::Mosaic;
use crate::model::edit::Edited;
use crate::model::legend::ClassCode;
use crate::model::provenance::Origin;
use crate::model::source::{NO_SOURCE, SourceIndex};

/// Gives the held cells that are meant the class `to`. Who decided a cell stays as it is; cells that no source decides stay
/// without a class.
///
/// A cell that gets its first class so comes from the map that decided it: `origin_of` says how that is told.
///
/// `each` gets every held cell (row, column) with its class before and after.
///
/// # Shape
/// `held` has that of the mosaic; `None` holds all of it.
pub fn edit<T: ClassValue>(
    mosaic: &mut Mosaic<T>,
    held: Option<ArrayView2<bool>>,
    from: Edited,
    to: T,
    origin_of: impl Fn(SourceIndex) -> Origin,
    mut each: impl FnMut((usize, usize), Option<ClassCode>, Option<ClassCode>),
) {
    let nodata = mosaic.nodata();
    let mut origins = mosaic.origins.as_mut();
    let code = |class: T| (class != nodata).then(|| class.code());
    for ((cell, class), &winner) in mosaic.classes.indexed_iter_mut().zip(&mosaic.winners) {
        if held.as_ref().is_some_and(|held| !held[cell]) {
            continue;
        }
        let before = code(*class);
        if winner != NO_SOURCE && from.holds(before) {
            *class = to;
            if let (Some(origins), None) = (&mut origins, before) {
                origins[cell] = origin_of(winner);
            }
        }
        each(cell, before, code(*class));
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn only_held_cells_that_are_meant_and_decided_are_edited() {
        let classes = array![[3u8, 4, 0, 0, 3]];
        let winners = array![[0, 1, 1, NO_SOURCE, 0]];
        let held = array![[true, true, true, true, false]];
        let edited = |from: Edited| {
            let mut mosaic = Mosaic::new(1, 5, 0u8).tracking_origins();
            (mosaic.classes, mosaic.winners) = (classes.clone(), winners.clone());
            let mut seen = Vec::new();
            edit(
                &mut mosaic,
                Some(held.view()),
                from,
                9,
                |source| source + 10,
                |cell, before, after| {
                    seen.push((cell.1, before, after));
                },
            );
            assert_eq!(mosaic.winners, winners);
            // Where a cell comes from is told anew only where it gets its first class.
            let origins =
                mosaic.origins.map(|origins| origins.iter().map(|o| u32::from(*o)).collect::<Vec<_>>());
            assert_eq!(origins, Some(vec![0, 0, if from == Edited::NoData { 11 } else { 0 }, 0, 0]));
            assert_eq!(
                seen.iter().map(|(col, before, _)| (*col, *before)).collect::<Vec<_>>(),
                [(0, Some(3)), (1, Some(4)), (2, None), (3, None)]
            );
            let after: Vec<u8> = mosaic.classes.iter().copied().collect();
            let told = seen.iter().map(|(_, _, after)| after.map_or(0, |code| code as u8));
            assert_eq!(told.collect::<Vec<_>>(), after[..4]);
            after
        };
        assert_eq!(edited(Edited::AnyClass), [9, 9, 0, 0, 3]);
        assert_eq!(edited(Edited::Class(3)), [9, 4, 0, 0, 3]);
        assert_eq!(edited(Edited::NoData), [3, 4, 9, 0, 3]);
    }

    #[test]
    fn without_a_plane_all_cells_are_held() {
        let mut mosaic = Mosaic::new(2, 2, 0u8);
        mosaic.classes.fill(5);
        mosaic.winners.fill(0);
        let mut cells = 0;
        edit(&mut mosaic, None, Edited::AnyClass, 6, |source| source, |_, _, _| cells += 1);
        assert_eq!((cells, mosaic.classes), (4, array![[6, 6], [6, 6]]));
    }
}
