//! How many cells left the class?

use super::{PONTIUS_SHUSAS_MCEACHERN_2004, Statistic, Subject, Unit, Value, pixels, sum};
use crate::model::matrix::ChangeMatrix;

/// Counts the cells that had the class in the earlier year and have another now.
///
/// # Formula
/// `Σ_j c_kj - c_kk`: the row without the diagonal; for all classes the sum, which is every changed cell once.
/// # Unit
/// Pixels.
/// # Range
/// 0 to the total in the earlier year; for all classes to all cells.
/// # Behaviour
/// 0: no cell left the class. The whole earlier total: none of its cells kept it.
/// # Source
/// Pontius, Shusas & McEachern (2004), Agriculture, Ecosystems & Environment 101:251-268.
pub static LOSS: Statistic = Statistic {
    name: "loss",
    unit: Unit::Pixels,
    formula: "Σ_j c_kj - c_kk",
    source: PONTIUS_SHUSAS_MCEACHERN_2004,
    compute,
};

fn compute(matrix: &ChangeMatrix, subject: Subject, _interval_years: f64) -> Option<Value> {
    let of_class = |class| of_class(matrix, class);
    pixels(matrix, subject, of_class, || sum(matrix, of_class))
}

/// Loss of one class, for the figures built on it.
pub(super) fn of_class(matrix: &ChangeMatrix, class: usize) -> u128 {
    matrix.from_total(class) - matrix.persistence(class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::fixture::{figures, matrix};

    #[test]
    fn counts_what_left_the_class() {
        //        to:  a   b   c
        // from a     50  10   5 | 65
        //      b      4  30   2 | 36
        //      c      9   1  20 | 30
        //            63  41  27 | 131
        // Rows without the diagonal: 10 + 5 = 15, 4 + 2 = 6, 9 + 1 = 10; together 31 = 131 - 100 changed cells.
        assert_eq!(figures(&LOSS, &matrix([[50, 10, 5], [4, 30, 2], [9, 1, 20]])), [15, 6, 10, 31]);
    }
}
