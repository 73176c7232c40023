//! How many cells kept the class?

use super::{PONTIUS_SHUSAS_MCEACHERN_2004, Statistic, Subject, Unit, Value, pixels, sum};
use crate::model::matrix::ChangeMatrix;

/// Counts the cells that have the class in both years.
///
/// # Formula
/// `c_kk`: the diagonal entry; for all classes the sum of the diagonal.
/// # Unit
/// Pixels.
/// # Range
/// 0 to the smaller of the two totals.
/// # Behaviour
/// 0: every cell of the class was replaced, wherever it is now. Both totals: the class neither lost nor gained.
/// # Source
/// Pontius, Shusas & McEachern (2004), Agriculture, Ecosystems & Environment 101:251-268.
pub static PERSISTENCE: Statistic = Statistic {
    name: "persistence",
    unit: Unit::Pixels,
    formula: "c_kk",
    source: PONTIUS_SHUSAS_MCEACHERN_2004,
    compute,
};

fn compute(matrix: &ChangeMatrix, subject: Subject, _interval_years: f64) -> Option<Value> {
    let of_class = |class| matrix.persistence(class);
    pixels(matrix, subject, of_class, || sum(matrix, of_class))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::fixture::{figures, matrix};

    #[test]
    fn counts_the_diagonal() {
        //        to:  a   b   c
        // from a     50  10   5 | 65
        //      b      4  30   2 | 36
        //      c      9   1  20 | 30
        //            63  41  27 | 131
        // Diagonal: 50, 30, 20; together 100.
        assert_eq!(figures(&PERSISTENCE, &matrix([[50, 10, 5], [4, 30, 2], [9, 1, 20]])), [50, 30, 20, 100]);
    }
}
