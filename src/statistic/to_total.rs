//! How many cells have the class in the later year?

use super::{PONTIUS_SHUSAS_MCEACHERN_2004, Statistic, Subject, Unit, Value, pixels};
use crate::model::matrix::ChangeMatrix;

/// Counts the cells that have the class in the later year.
///
/// # Formula
/// `Σ_i c_ik`: the column total; for all classes every cell of the matrix.
/// # Unit
/// Pixels.
/// # Range
/// 0 to all cells of the matrix.
/// # Behaviour
/// 0: the class is nowhere in the later year. All cells: there is nothing else.
/// # Nodata
/// A cell without a class in either map is not counted, so this can be less than the class has on the map alone.
/// # Source
/// Pontius, Shusas & McEachern (2004), Agriculture, Ecosystems & Environment 101:251-268.
pub static TO_TOTAL: Statistic = Statistic {
    name: "to_total",
    unit: Unit::Pixels,
    formula: "Σ_i c_ik",
    source: PONTIUS_SHUSAS_MCEACHERN_2004,
    compute,
};

fn compute(matrix: &ChangeMatrix, subject: Subject, _interval_years: f64) -> Option<Value> {
    pixels(matrix, subject, |class| matrix.to_total(class), || matrix.total())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::fixture::{figures, matrix};

    #[test]
    fn counts_the_cells_of_a_column() {
        //        to:  a   b   c
        // from a     50  10   5 | 65
        //      b      4  30   2 | 36
        //      c      9   1  20 | 30
        //            63  41  27 | 131
        // Column totals: 50 + 4 + 9 = 63, 10 + 30 + 1 = 41, 5 + 2 + 20 = 27; all cells 63 + 41 + 27 = 131.
        assert_eq!(figures(&TO_TOTAL, &matrix([[50, 10, 5], [4, 30, 2], [9, 1, 20]])), [63, 41, 27, 131]);
    }
}
