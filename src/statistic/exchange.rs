//! How much of the change was two classes trading places?

use super::{PONTIUS_SANTACRUZ_2014, Statistic, Subject, Unit, Value, pixels, sum};
use crate::model::matrix::ChangeMatrix;

/// Measures the part of the gross change in which two classes trade equally many cells.
///
/// # Formula
/// `2 Σ_(i≠k) min(c_ik, c_ki)`; for all classes half the sum. Not the "swap" of Pontius et al. (2004), which
/// is exchange and shift together.
/// # Unit
/// Pixels.
/// # Range
/// 0 to the gross change less the quantity component; even for a class.
/// # Behaviour
/// 0: no pair of classes changed both ways. The gross change: every transition is matched by its reverse, as when a
/// classifier confuses two classes.
/// # Source
/// Pontius & Santacruz (2014), Quantity, exchange, and shift components of difference in a square contingency table,
/// International Journal of Remote Sensing 35(21):7543-7554, doi:10.1080/2150704X.2014.969814.
#[doc(alias = "exchange difference")]
pub static EXCHANGE: Statistic = Statistic {
    name: "exchange",
    unit: Unit::Pixels,
    formula: "2 Σ_(i≠k) min(c_ik, c_ki); all classes: half the sum",
    source: PONTIUS_SANTACRUZ_2014,
    compute,
};

fn compute(matrix: &ChangeMatrix, subject: Subject, _interval_years: f64) -> Option<Value> {
    // Halved because a pair is seen from both of its classes. Whole, because each class's figure is twice a count.
    let of_class = |class| of_class(matrix, class);
    pixels(matrix, subject, of_class, || sum(matrix, of_class) / 2)
}

/// Exchange component of one class, for the figures built on it.
pub(super) fn of_class(matrix: &ChangeMatrix, class: usize) -> u128 {
    let others = (0..matrix.len()).filter(|&other| other != class);
    2 * others.map(|other| matrix.pixels(class, other).min(matrix.pixels(other, class))).sum::<u128>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::fixture::{figures, matrix};

    #[test]
    fn counts_both_cells_of_a_trade() {
        //        to:  a   b   c
        // from a     50  10   5 | 65
        //      b      4  30   2 | 36
        //      c      9   1  20 | 30
        //            63  41  27 | 131
        // Traded: a with b min(10, 4) = 4, a with c min(5, 9) = 5, b with c min(2, 1) = 1.
        // 2 (4 + 5) = 18, 2 (4 + 1) = 10, 2 (5 + 1) = 12; together 40 / 2 = 20.
        assert_eq!(figures(&EXCHANGE, &matrix([[50, 10, 5], [4, 30, 2], [9, 1, 20]])), [18, 10, 12, 20]);
    }
}
