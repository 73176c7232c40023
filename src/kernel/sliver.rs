//! Slivers: strips between sections that none of them maps, too narrow to be anything but two outlines that do not meet.
//!
//! Open cells are those that a section should have mapped and did not. A sliver is what of them no square of more than
//! the largest width fits over, in whatever way it is moved: so a strip is one however long it is, and the rim of a wide gap is
//! none. A sliver's cell takes the class of the nearest cell that has one.

use ndarray::Array2;

/// The cells of slivers.
///
/// # Shape
/// As `open`. What is open within `width` cells of a cell decides on it; beyond the plane nothing is open.
/// # Unit
/// `width` in cells.
/// # Cost
/// One pass for open squares, one to spread them: both by sums, whatever the width.
pub fn slivers(open: &Array2<bool>, width: usize) -> Array2<bool> {
    let (rows, cols) = open.dim();
    let side = width + 1;
    if rows < side || cols < side {
        return open.clone();
    }
    // Upper left cells of squares that are open throughout.
    let sums = sums_of(open);
    let whole = |row: usize, col: usize| total(&sums, (row, row + side), (col, col + side)) == side * side;
    let squares = Array2::from_shape_fn((rows - side + 1, cols - side + 1), |(row, col)| whole(row, col));
    let sums = sums_of(&squares);
    let in_a_square = |row: usize, col: usize| {
        let first = |at: usize| at.saturating_sub(width);
        let (last_row, last_col) = ((row + 1).min(squares.nrows()), (col + 1).min(squares.ncols()));
        total(&sums, (first(row).min(last_row), last_row), (first(col).min(last_col), last_col)) > 0
    };
    Array2::from_shape_fn((rows, cols), |(row, col)| open[(row, col)] && !in_a_square(row, col))
}

/// How many cells above and left of each corner hold.
fn sums_of(cells: &Array2<bool>) -> Array2<usize> {
    let mut sums = Array2::zeros((cells.nrows() + 1, cells.ncols() + 1));
    for ((row, col), &holds) in cells.indexed_iter() {
        let above: usize = sums[(row, col + 1)];
        sums[(row + 1, col + 1)] = above + sums[(row + 1, col)] - sums[(row, col)] + usize::from(holds);
    }
    sums
}

fn total(sums: &Array2<usize>, rows: (usize, usize), cols: (usize, usize)) -> usize {
    sums[(rows.1, cols.1)] + sums[(rows.0, cols.0)] - sums[(rows.0, cols.1)] - sums[(rows.1, cols.0)]
}

/// The nearest cell that has a class, at most `reach` cells away from centre to centre; of several as near, the uppermost,
/// then the leftmost.
///
/// # Shape
/// `has_class` is asked for cells of a plane of `shape` alone.
pub fn nearest_class(
    (row, col): (usize, usize),
    reach: usize,
    shape: (usize, usize),
    has_class: impl Fn(usize, usize) -> bool,
) -> Option<(usize, usize)> {
    let span = |at: usize, size: usize| at.saturating_sub(reach)..(at + reach + 1).min(size);
    let near = span(row, shape.0).flat_map(|r| span(col, shape.1).map(move |c| (r, c)));
    let distance = |&(r, c): &(usize, usize)| r.abs_diff(row).pow(2) + c.abs_diff(col).pow(2);
    near.filter(|cell| distance(cell) <= reach * reach && has_class(cell.0, cell.1)).min_by_key(distance)
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_strip_is_a_sliver_and_the_rim_of_a_wide_gap_is_none() {
        let open = array![
            [true, true, true, true, true, true],
            [false, false, false, true, true, true],
            [false, true, false, true, true, true],
        ];
        let expected = array![
            [true, true, true, false, false, false],
            [false, false, false, false, false, false],
            [false, true, false, false, false, false],
        ];
        assert_eq!(slivers(&open, 1), expected);
        assert_eq!(slivers(&open, 3), open, "no square of four cells fits");
    }

    #[test]
    fn of_classes_as_near_the_uppermost_then_leftmost_is_taken() {
        let classed = |cells: &'static [(usize, usize)]| move |r: usize, c: usize| cells.contains(&(r, c));
        assert_eq!(nearest_class((2, 2), 2, (5, 5), classed(&[(2, 0), (0, 2), (4, 2)])), Some((0, 2)));
        assert_eq!(nearest_class((2, 2), 2, (5, 5), classed(&[(2, 4), (2, 0)])), Some((2, 0)));
        assert_eq!(nearest_class((2, 2), 2, (5, 5), classed(&[(0, 0), (2, 4)])), Some((2, 4)));
        assert_eq!(
            nearest_class((2, 2), 1, (5, 5), classed(&[(1, 1)])),
            None,
            "a diagonal is longer than a side"
        );
    }

    proptest! {
        #[test]
        fn slivers_are_what_no_open_square_holds(
            (rows, cols, bits) in (1usize..12, 1usize..12)
                .prop_flat_map(|(r, c)| (Just(r), Just(c), proptest::collection::vec(prop::bool::weighted(0.8), r * c))),
            width in 0usize..5,
        ) {
            let open = Array2::from_shape_vec((rows, cols), bits).unwrap();
            let side = width + 1;
            let mut wide = Array2::from_elem((rows, cols), false);
            for row in 0..(rows + 1).saturating_sub(side) {
                for col in 0..(cols + 1).saturating_sub(side) {
                    let square = || (row..row + side).flat_map(|r| (col..col + side).map(move |c| (r, c)));
                    if square().all(|cell| open[cell]) {
                        square().for_each(|cell| wide[cell] = true);
                    }
                }
            }
            let expected = Array2::from_shape_fn((rows, cols), |cell| open[cell] && !wide[cell]);
            prop_assert_eq!(slivers(&open, width), expected);
        }
    }
}
