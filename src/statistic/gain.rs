//! How many cells came to the class?

use super::{PONTIUS_SHUSAS_MCEACHERN_2004, Statistic, Subject, Unit, Value, pixels, sum};
use crate::model::matrix::ChangeMatrix;

/// Counts the cells that have the class in the later year and had another before.
///
/// # Formula
/// `Σ_i c_ik - c_kk`: the column without the diagonal; for all classes the sum, which is every changed cell once.
/// # Unit
/// Pixels.
/// # Range
/// 0 to the total in the later year; for all classes to all cells.
/// # Behaviour
/// 0: no cell joined the class. The whole later total: none of its cells is an old one.
/// # Source
/// Pontius, Shusas & McEachern (2004), Agriculture, Ecosystems & Environment 101:251-268.
pub static GAIN: Statistic = Statistic {
    name: "gain",
    unit: Unit::Pixels,
    formula: "Σ_i c_ik - c_kk",
    source: PONTIUS_SHUSAS_MCEACHERN_2004,
    compute,
};

fn compute(matrix: &ChangeMatrix, subject: Subject, _interval_years: f64) -> Option<Value> {
    let of_class = |class| of_class(matrix, class);
    pixels(matrix, subject, of_class, || sum(matrix, of_class))
}

/// Gain of one class, for the figures built on it.
pub(super) fn of_class(matrix: &ChangeMatrix, class: usize) -> u128 {
    matrix.to_total(class) - matrix.persistence(class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::fixture::{figures, matrix};

    #[test]
    fn counts_what_joined_the_class() {
        //        to:  a   b   c
        // from a     50  10   5 | 65
        //      b      4  30   2 | 36
        //      c      9   1  20 | 30
        //            63  41  27 | 131
        // Columns without the diagonal: 4 + 9 = 13, 10 + 1 = 11, 5 + 2 = 7; together 31 = 131 - 100 changed cells.
        assert_eq!(figures(&GAIN, &matrix([[50, 10, 5], [4, 30, 2], [9, 1, 20]])), [13, 11, 7, 31]);
    }
}
