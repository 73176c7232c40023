//! By how many per cent a year did the class grow or shrink?

use super::{Statistic, Subject, Unit, Value};
use crate::model::matrix::ChangeMatrix;

/// Gives the yearly rate that, compounded continuously, leads from the earlier total to the later one.
///
/// # Formula
/// `100 / years · ln(to_total / from_total)`. FAO's rate, `100 ((to_total / from_total)^(1 / years) - 1)`, is never
/// below it (`ln x ≤ x - 1`): it tells a milder loss and a stronger growth.
/// # Unit
/// Per cent per year.
/// # Range
/// Any number; undefined for all classes together, for a class without cells in one of the years and for an interval
/// that is not a positive, finite number of years.
/// # Behaviour
/// 0: as many cells as before, wherever they are. -69.3: halved every year. 69.3: doubled every year. A class that
/// vanishes or appears has no rate, however large its change.
/// # Nodata
/// Both totals count the cells valid in both years, so clouds in one year do not pass for a loss.
/// # Source
/// Puyravaud (2003), Standardizing the calculation of the annual rate of deforestation, Forest Ecology and Management
/// 177:593-596, doi:10.1016/S0378-1127(02)00335-3.
#[doc(alias = "deforestation rate")]
pub static ANNUAL_RATE: Statistic = Statistic {
    name: "annual_rate",
    unit: Unit::PercentPerYear,
    formula: "100 / years · ln(to_total / from_total)",
    source: "Puyravaud (2003), Forest Ecology and Management 177:593-596, doi:10.1016/S0378-1127(02)00335-3",
    compute,
};

fn compute(matrix: &ChangeMatrix, subject: Subject, interval_years: f64) -> Option<Value> {
    let Subject::Class(class) = subject else { return None };
    if class >= matrix.len() || !interval_years.is_finite() || interval_years <= 0.0 {
        return None;
    }
    let (from, to) = (matrix.from_total(class), matrix.to_total(class));
    if from == 0 || to == 0 {
        return None;
    }
    Some(Value::PercentPerYear(100.0 / interval_years * (to as f64 / from as f64).ln()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::fixture::matrix;

    fn rate(matrix: &ChangeMatrix, class: usize, interval_years: f64) -> f64 {
        match compute(matrix, Subject::Class(class), interval_years) {
            Some(Value::PercentPerYear(rate)) => rate,
            other => panic!("no rate but {other:?}"),
        }
    }

    #[test]
    fn halving_and_doubling_in_ten_years_are_ten_times_ln_2_per_cent() {
        //        to:  a   b   c
        // from a     40  40  20 | 100
        //      b     10  20   0 |  30
        //      c      0   0   0 |   0
        //            50  60  20
        // a: 100 / 10 * ln(50 / 100) = 10 * -0.693147 = -6.93147; b: 100 / 10 * ln(60 / 30) = 6.93147.
        let matrix = matrix([[40, 40, 20], [10, 20, 0], [0, 0, 0]]);
        assert!((rate(&matrix, 0, 10.0) - -6.931_471_805_6).abs() < 1e-9);
        assert!((rate(&matrix, 1, 10.0) - 6.931_471_805_6).abs() < 1e-9);
        assert!((rate(&matrix, 1, 5.0) - 13.862_943_611_2).abs() < 1e-9);
        assert_eq!(compute(&matrix, Subject::Class(2), 10.0), None, "c appears");
        assert_eq!(compute(&matrix, Subject::Total, 10.0), None);
    }

    #[test]
    fn a_class_that_vanishes_and_an_interval_without_length_have_no_rate() {
        let matrix = matrix([[4, 0], [3, 0]]);
        assert_eq!(compute(&matrix, Subject::Class(1), 10.0), None, "vanishes");
        for years in [0.0, -5.0, f64::NAN, f64::INFINITY] {
            assert_eq!(compute(&matrix, Subject::Class(0), years), None, "{years} years");
        }
    }

    #[test]
    fn cells_that_only_trade_places_give_zero() {
        assert_eq!(rate(&matrix([[1, 7], [7, 2]]), 0, 5.0), 0.0);
    }
}
