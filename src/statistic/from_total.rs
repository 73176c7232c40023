//! How many cells had the class in the earlier year?

use super::{PONTIUS_SHUSAS_MCEACHERN_2004, Statistic, Subject, Unit, Value, pixels};
use crate::model::matrix::ChangeMatrix;

/// Counts the cells that had the class in the earlier year.
///
/// # Formula
/// `Σ_j c_kj`: the row total; for all classes every cell of the matrix.
/// # Unit
/// Pixels.
/// # Range
/// 0 to all cells of the matrix.
/// # Behaviour
/// 0: the class was nowhere in the earlier year. All cells: there was nothing else.
/// # Nodata
/// A cell without a class in either map is not counted, so this can be less than the class has on the map alone.
/// # Source
/// Pontius, Shusas & McEachern (2004), Agriculture, Ecosystems & Environment 101:251-268.
pub static FROM_TOTAL: Statistic = Statistic {
    name: "from_total",
    unit: Unit::Pixels,
    formula: "Σ_j c_kj",
    source: PONTIUS_SHUSAS_MCEACHERN_2004,
    compute,
};

fn compute(matrix: &ChangeMatrix, subject: Subject, _interval_years: f64) -> Option<Value> {
    pixels(matrix, subject, |class| matrix.from_total(class), || matrix.total())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::fixture::{figures, matrix};

    #[test]
    fn counts_the_cells_of_a_row() {
        //        to:  a   b   c
        // from a     50  10   5 | 65
        //      b      4  30   2 | 36
        //      c      9   1  20 | 30
        //            63  41  27 | 131
        // Row totals: 50 + 10 + 5 = 65, 4 + 30 + 2 = 36, 9 + 1 + 20 = 30; all cells 65 + 36 + 30 = 131.
        assert_eq!(figures(&FROM_TOTAL, &matrix([[50, 10, 5], [4, 30, 2], [9, 1, 20]])), [65, 36, 30, 131]);
    }
}
