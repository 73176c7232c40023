//! How much of the change altered the amount of the class?

use super::{PONTIUS_SANTACRUZ_2014, Statistic, Subject, Unit, Value, gain, loss, pixels, sum};
use crate::model::matrix::ChangeMatrix;

/// Measures the part of the gross change that makes the class larger or smaller.
///
/// # Formula
/// `|gain - loss|`; for all classes half the sum.
/// # Unit
/// Pixels.
/// # Range
/// 0 to the gross change.
/// # Behaviour
/// 0: the amount of the class is the same, only its places changed. The gross change: it only gained or only lost.
/// # Source
/// Pontius & Santacruz (2014), Quantity, exchange, and shift components of difference in a square contingency table,
/// International Journal of Remote Sensing 35(21):7543-7554, doi:10.1080/2150704X.2014.969814.
#[doc(alias = "quantity difference")]
pub static QUANTITY: Statistic = Statistic {
    name: "quantity",
    unit: Unit::Pixels,
    formula: "|gain - loss|; all classes: half the sum",
    source: PONTIUS_SANTACRUZ_2014,
    compute,
};

fn compute(matrix: &ChangeMatrix, subject: Subject, _interval_years: f64) -> Option<Value> {
    // Halved because what one class has more another has less. Whole, because |x| is even or odd as x is and the
    // signed changes sum to 0, which is even.
    let of_class = |class| of_class(matrix, class);
    pixels(matrix, subject, of_class, || sum(matrix, of_class) / 2)
}

/// Quantity component of one class, for the figures built on it.
pub(super) fn of_class(matrix: &ChangeMatrix, class: usize) -> u128 {
    gain::of_class(matrix, class).abs_diff(loss::of_class(matrix, class))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::fixture::{figures, matrix};

    #[test]
    fn is_the_size_of_the_net_change() {
        //        to:  a   b   c
        // from a     50  10   5 | 65
        //      b      4  30   2 | 36
        //      c      9   1  20 | 30
        //            63  41  27 | 131
        // |Gain - loss|: |13 - 15| = 2, |11 - 6| = 5, |7 - 10| = 3; together 10 / 2 = 5.
        assert_eq!(figures(&QUANTITY, &matrix([[50, 10, 5], [4, 30, 2], [9, 1, 20]])), [2, 5, 3, 5]);
    }
}
