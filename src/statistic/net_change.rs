//! By how many cells did the class grow or shrink?

use super::{PONTIUS_SHUSAS_MCEACHERN_2004, Statistic, Subject, Unit, Value, gain, loss};
use crate::model::matrix::ChangeMatrix;

/// Balances what joined the class against what left it.
///
/// # Formula
/// `gain - loss`, signed; the source gives the absolute value, which is `quantity`.
/// # Unit
/// Pixels.
/// # Range
/// Minus the total in the earlier year to plus the total in the later year; for all classes always 0.
/// # Behaviour
/// 0: as many cells came as went, which can hide much change; see `exchange` and `shift`. Positive: the class grew.
/// # Source
/// Pontius, Shusas & McEachern (2004), Agriculture, Ecosystems & Environment 101:251-268.
pub static NET_CHANGE: Statistic = Statistic {
    name: "net_change",
    unit: Unit::Pixels,
    formula: "gain - loss",
    source: PONTIUS_SHUSAS_MCEACHERN_2004,
    compute,
};

fn compute(matrix: &ChangeMatrix, subject: Subject, _interval_years: f64) -> Option<Value> {
    match subject {
        Subject::Class(class) if class < matrix.len() => {
            let gain = i128::try_from(gain::of_class(matrix, class)).ok()?;
            let loss = i128::try_from(loss::of_class(matrix, class)).ok()?;
            Some(Value::Pixels(gain - loss))
        }
        Subject::Class(_) => None,
        // What one class gains another loses, so over all classes the balance is 0: known, not undefined.
        Subject::Total => Some(Value::Pixels(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::fixture::{figures, matrix};

    #[test]
    fn is_positive_where_the_class_grew() {
        //        to:  a   b   c
        // from a     50  10   5 | 65
        //      b      4  30   2 | 36
        //      c      9   1  20 | 30
        //            63  41  27 | 131
        // Gain - loss: 13 - 15 = -2, 11 - 6 = 5, 7 - 10 = -3; together 0.
        assert_eq!(figures(&NET_CHANGE, &matrix([[50, 10, 5], [4, 30, 2], [9, 1, 20]])), [-2, 5, -3, 0]);
    }
}
