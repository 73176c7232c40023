//! Runs of equal cells: most of a land cover map is the cell before once more.

/// Cells that are compared before a difference is looked for; a multiple of what a vector holds.
const STRIDE: usize = 64;

/// Whether every cell is `value`.
///
/// # Cost
/// Reads up to the first difference, 64 cells at a time.
#[inline]
pub fn all_equal<T: Copy + PartialEq>(cells: &[T], value: T) -> bool {
    let (strides, rest) = cells.as_chunks::<STRIDE>();
    let equal = |cells: &[T]| cells.iter().fold(true, |equal, &cell| equal & (cell == value));
    strides.iter().all(|stride| equal(stride)) && equal(rest)
}

/// The value all cells share; `None` where they differ or there are none.
///
/// # Cost
/// As [`all_equal`].
pub fn constant<T: Copy + PartialEq>(cells: &[T]) -> Option<T> {
    let &first = cells.first()?;
    all_equal(cells, first).then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_cells_share_no_value() {
        assert_eq!(constant::<u8>(&[]), None);
        assert!(all_equal(&[], 3u8));
    }

    proptest! {
        #[test]
        fn one_other_cell_anywhere_is_seen(n in 1usize..300, at in any::<prop::sample::Index>()) {
            let mut cells = vec![7u16; n];
            prop_assert_eq!(constant(&cells), Some(7));
            cells[at.index(n)] = 8;
            prop_assert_eq!(constant(&cells), (n == 1).then_some(8));
            prop_assert!(!all_equal(&cells, 7));
        }
    }
}
