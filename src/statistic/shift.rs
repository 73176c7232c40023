//! How much of the change went round three or more classes?

use super::{
    PONTIUS_SANTACRUZ_2014, Statistic, Subject, Unit, Value, exchange, gross_change, pixels, quantity, sum,
};
use crate::model::matrix::ChangeMatrix;

/// Measures the part of the gross change that is neither a change of amount nor a trade between two classes.
///
/// # Formula
/// `gain + loss - quantity - exchange`; for all classes half the sum.
/// # Unit
/// Pixels.
/// # Range
/// 0 to the gross change less the quantity component; even for a class; always 0 with fewer than three classes.
/// # Behaviour
/// 0: all change is of amount or traded in pairs. The gross change: what the class lost to some classes it gained from
/// others.
/// # Source
/// Pontius & Santacruz (2014), Quantity, exchange, and shift components of difference in a square contingency table,
/// International Journal of Remote Sensing 35(21):7543-7554, doi:10.1080/2150704X.2014.969814.
#[doc(alias = "shift difference")]
pub static SHIFT: Statistic = Statistic {
    name: "shift",
    unit: Unit::Pixels,
    formula: "gain + loss - quantity - exchange; all classes: half the sum",
    source: PONTIUS_SANTACRUZ_2014,
    compute,
};

fn compute(matrix: &ChangeMatrix, subject: Subject, _interval_years: f64) -> Option<Value> {
    // Halved like its parts. Whole, because gain + loss - |gain - loss| = 2 min(gain, loss) and exchange is even too.
    let of_class = |class| of_class(matrix, class);
    pixels(matrix, subject, of_class, || sum(matrix, of_class) / 2)
}

fn of_class(matrix: &ChangeMatrix, class: usize) -> u128 {
    // Not below 0: a sum of minima is at most the minimum of the sums, so exchange is at most 2 min(gain, loss).
    gross_change::of_class(matrix, class)
        - quantity::of_class(matrix, class)
        - exchange::of_class(matrix, class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::fixture::{figures, matrix};

    #[test]
    fn is_what_quantity_and_exchange_leave() {
        //        to:  a   b   c
        // from a     50  10   5 | 65
        //      b      4  30   2 | 36
        //      c      9   1  20 | 30
        //            63  41  27 | 131
        // Gross 28, 17, 17; quantity 2, 5, 3; exchange 18, 10, 12.
        // 28 - 2 - 18 = 8, 17 - 5 - 10 = 2, 17 - 3 - 12 = 2; together 12 / 2 = 6, and 5 + 20 + 6 = 31 changed cells.
        assert_eq!(figures(&SHIFT, &matrix([[50, 10, 5], [4, 30, 2], [9, 1, 20]])), [8, 2, 2, 6]);
    }
}
