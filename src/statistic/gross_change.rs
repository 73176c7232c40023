//! How many cells came to the class or left it?

use super::{PONTIUS_SHUSAS_MCEACHERN_2004, Statistic, Subject, Unit, Value, gain, loss, pixels, sum};
use crate::model::matrix::ChangeMatrix;

/// Counts the cells that joined the class and those that left it.
///
/// # Formula
/// `gain + loss`; for all classes the changed cells counted once, which is half the sum.
/// # Unit
/// Pixels.
/// # Range
/// 0 to the sum of the two totals; for all classes to all cells.
/// # Behaviour
/// 0: the class is where it was, to the cell. Both totals together: nothing of it persisted.
/// # Source
/// Pontius, Shusas & McEachern (2004), Agriculture, Ecosystems & Environment 101:251-268.
#[doc(alias = "total change")]
pub static GROSS_CHANGE: Statistic = Statistic {
    name: "gross_change",
    unit: Unit::Pixels,
    formula: "gain + loss; all classes: half the sum",
    source: PONTIUS_SHUSAS_MCEACHERN_2004,
    compute,
};

fn compute(matrix: &ChangeMatrix, subject: Subject, _interval_years: f64) -> Option<Value> {
    // Each changed cell is a loss of one class and a gain of another, so the sum counts it twice and is even.
    let of_class = |class| of_class(matrix, class);
    pixels(matrix, subject, of_class, || sum(matrix, of_class) / 2)
}

/// Gross change of one class, for the figures built on it.
pub(super) fn of_class(matrix: &ChangeMatrix, class: usize) -> u128 {
    gain::of_class(matrix, class) + loss::of_class(matrix, class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::fixture::{figures, matrix};

    #[test]
    fn counts_a_changed_cell_once_in_the_total() {
        //        to:  a   b   c
        // from a     50  10   5 | 65
        //      b      4  30   2 | 36
        //      c      9   1  20 | 30
        //            63  41  27 | 131
        // Gain + loss: 13 + 15 = 28, 11 + 6 = 17, 7 + 10 = 17; together 62 / 2 = 31 = 131 - 100 changed cells.
        assert_eq!(figures(&GROSS_CHANGE, &matrix([[50, 10, 5], [4, 30, 2], [9, 1, 20]])), [28, 17, 17, 31]);
    }
}
