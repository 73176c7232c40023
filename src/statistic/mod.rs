//! Figures derived from a change matrix: how much of each class stayed, came, went, and at what rate.
//!
//! Comes after the merge of all parts and before the report. One file is one figure: a [`Statistic`] is a record of
//! data and a function, registered by one line in [`ALL`]; whoever prints figures walks that list. A record suffices,
//! so there is neither a trait object nor a macro.
//!
//! It does not round, format, turn pixels into areas or know zones: a zone is just another matrix.
//!
//! In the formulas `c_ij` is the number of cells that went from class `i` to class `j` and `k` is the class asked for.
//! Cells that have no class in either map are not in the matrix, so every figure is about cells valid in both years.
//! Where cells differ in size, the same formulas hold of a matrix of areas, `c_ij` then being the area that changed so.

use crate::model::matrix::ChangeMatrix;

pub mod annual_rate;
pub mod exchange;
pub mod from_total;
pub mod gain;
pub mod gross_change;
pub mod loss;
pub mod net_change;
pub mod persistence;
pub mod quantity;
pub mod shift;
pub mod to_total;

/// Every statistic, in the order in which tables list them.
pub static ALL: &[&Statistic] = &[
    &from_total::FROM_TOTAL,
    &to_total::TO_TOTAL,
    &persistence::PERSISTENCE,
    &gain::GAIN,
    &loss::LOSS,
    &net_change::NET_CHANGE,
    &gross_change::GROSS_CHANGE,
    &quantity::QUANTITY,
    &exchange::EXCHANGE,
    &shift::SHIFT,
    &annual_rate::ANNUAL_RATE,
];

const PONTIUS_SHUSAS_MCEACHERN_2004: &str =
    "Pontius, Shusas & McEachern (2004), Agriculture, Ecosystems & Environment 101:251-268";
const PONTIUS_SANTACRUZ_2014: &str = "Pontius & Santacruz (2014), International Journal of Remote Sensing \
     35(21):7543-7554, doi:10.1080/2150704X.2014.969814";

/// One figure that can be asked of a change matrix.
#[derive(Debug)]
pub struct Statistic {
    /// Name in tables and on the command line; also the name of its file.
    pub name: &'static str,
    /// Unit of every value it gives.
    pub unit: Unit,
    /// How it is computed, in one line.
    pub formula: &'static str,
    /// The publication that defines it.
    pub source: &'static str,
    /// Computes it for one subject over an interval of so many years.
    ///
    /// `None` is "undefined", which is never told as 0; a class index outside the matrix is undefined too.
    pub compute: fn(matrix: &ChangeMatrix, subject: Subject, interval_years: f64) -> Option<Value>,
}

/// What a figure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// One class, by its index in the matrix.
    Class(usize),
    /// All classes together.
    Total,
}

/// A computed figure, not rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Cells (mm² of a matrix of areas); negative only for a signed change.
    Pixels(i128),
    /// Per cent per year.
    PercentPerYear(f64),
}

/// What the values of a statistic are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Cells.
    Pixels,
    /// Per cent per year.
    PercentPerYear,
}

impl Unit {
    /// The unit's word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pixels => "px",
            Self::PercentPerYear => "%/yr",
        }
    }
}

/// A count of cells, for one class or for all.
fn pixels(
    matrix: &ChangeMatrix,
    subject: Subject,
    of_class: impl Fn(usize) -> u128,
    of_all: impl FnOnce() -> u128,
) -> Option<Value> {
    let count = match subject {
        Subject::Class(class) if class < matrix.len() => of_class(class),
        Subject::Class(_) => return None,
        Subject::Total => of_all(),
    };
    i128::try_from(count).ok().map(Value::Pixels)
}

/// Sum of a count over all classes.
fn sum(matrix: &ChangeMatrix, of_class: impl Fn(usize) -> u128) -> u128 {
    (0..matrix.len()).map(of_class).sum()
}

#[cfg(test)]
mod fixture {
    use super::*;

    pub fn matrix<const N: usize>(rows: [[u64; N]; N]) -> ChangeMatrix {
        let mut matrix = ChangeMatrix::new((1..).take(N).collect());
        for (from, row) in rows.iter().enumerate() {
            for (to, &pixels) in row.iter().enumerate() {
                matrix.add(from, to, pixels.into());
            }
        }
        matrix
    }

    /// The figure for each class in order, then for the total.
    pub fn figures(statistic: &Statistic, matrix: &ChangeMatrix) -> Vec<i128> {
        let subjects = (0..matrix.len()).map(Subject::Class).chain([Subject::Total]);
        let value = |subject| match (statistic.compute)(matrix, subject, 5.0) {
            Some(Value::Pixels(pixels)) => pixels,
            other => panic!("{} of {subject:?} is {other:?}", statistic.name),
        };
        subjects.map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{figures, matrix};
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    // Both diffeR tables: rows are the earlier map ("comparison"), columns the later one ("reference"), as here.

    /// Printed by CRAN diffeR 0.0-8, `diffTablej(crosstabm(comp, ref), analysis = "change")`, for the 4 x 4 example
    /// maps that come with it. The last column is its row "Overall".
    #[test]
    fn the_4x4_example_of_differ_gives_the_figures_it_prints() {
        let matrix = matrix([[3, 1, 2], [2, 3, 0], [1, 3, 1]]);
        assert_eq!(figures(&gain::GAIN, &matrix), [3, 4, 2, 9]);
        assert_eq!(figures(&persistence::PERSISTENCE, &matrix), [3, 3, 1, 7]);
        assert_eq!(figures(&loss::LOSS, &matrix), [3, 2, 4, 9]);
        assert_eq!(figures(&quantity::QUANTITY, &matrix), [0, 2, 2, 2]);
        assert_eq!(figures(&exchange::EXCHANGE, &matrix), [4, 2, 2, 4]);
        assert_eq!(figures(&shift::SHIFT, &matrix), [2, 2, 2, 3]);
        assert_eq!(figures(&gross_change::GROSS_CHANGE, &matrix), [6, 6, 6, 9]);
    }

    /// Printed by CRAN diffeR 0.0-8 in the same way, for its 256 x 256 window of Massachusetts, 1971 to 1999:
    /// natural, built, agriculture.
    #[test]
    fn the_massachusetts_window_of_differ_gives_the_figures_it_prints() {
        let matrix = matrix([[38_597, 5_793, 657], [65, 16_934, 113], [229, 1_013, 2_135]]);
        assert_eq!(figures(&gain::GAIN, &matrix), [294, 6_806, 770, 7_870]);
        assert_eq!(figures(&persistence::PERSISTENCE, &matrix), [38_597, 16_934, 2_135, 57_666]);
        assert_eq!(figures(&loss::LOSS, &matrix), [6_450, 178, 1_242, 7_870]);
        assert_eq!(figures(&quantity::QUANTITY, &matrix), [6_156, 6_628, 472, 6_628]);
        assert_eq!(figures(&exchange::EXCHANGE, &matrix), [588, 356, 684, 814]);
        assert_eq!(figures(&shift::SHIFT, &matrix), [0, 0, 856, 428]);
        assert_eq!(figures(&gross_change::GROSS_CHANGE, &matrix), [6_744, 6_984, 2_012, 7_870]);
    }

    /// Matrices of all sizes, a third of the entries zero; Knuth's 64-bit linear congruential generator (MMIX).
    fn some_matrices() -> Vec<ChangeMatrix> {
        let mut state = 2_015_u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let of_size = |n: usize| {
            let mut matrix = ChangeMatrix::new((1..).take(n).collect());
            for entry in 0..n * n {
                let pixels = if draw() % 3 == 0 { 0 } else { draw() };
                matrix.add(entry / n, entry % n, pixels.into());
            }
            matrix
        };
        (0..20).map(of_size).collect()
    }

    #[test]
    fn quantity_exchange_and_shift_add_up_to_gain_and_loss() {
        for matrix in some_matrices() {
            let [gain, loss, gross, quantity, exchange, shift] = [
                &gain::GAIN,
                &loss::LOSS,
                &gross_change::GROSS_CHANGE,
                &quantity::QUANTITY,
                &exchange::EXCHANGE,
                &shift::SHIFT,
            ]
            .map(|statistic| figures(statistic, &matrix));
            for i in 0..=matrix.len() {
                assert_eq!(quantity[i] + exchange[i] + shift[i], gross[i]);
            }
            for i in 0..matrix.len() {
                assert_eq!(gain[i] + loss[i], gross[i]);
                assert_eq!((exchange[i] % 2, shift[i] % 2), (0, 0));
            }
            let total = matrix.len();
            for [class_sum, once] in
                [&gross, &quantity, &exchange, &shift].map(|f| [f[..total].iter().sum(), f[total]])
            {
                assert_eq!(class_sum, 2 * once);
            }
            assert_eq!((gain[total], loss[total]), (gross[total], gross[total]));
        }
    }

    #[test]
    fn net_change_is_the_difference_of_the_totals_and_sums_to_zero() {
        for matrix in some_matrices() {
            let [net, from, to] = [&net_change::NET_CHANGE, &from_total::FROM_TOTAL, &to_total::TO_TOTAL]
                .map(|statistic| figures(statistic, &matrix));
            for i in 0..=matrix.len() {
                assert_eq!(net[i], to[i] - from[i]);
            }
            assert_eq!(net[..matrix.len()].iter().sum::<i128>(), 0);
        }
    }

    #[test]
    fn persistence_and_loss_make_the_first_total_persistence_and_gain_the_second() {
        for matrix in some_matrices() {
            let [persistence, gain, loss, from, to] = [
                &persistence::PERSISTENCE,
                &gain::GAIN,
                &loss::LOSS,
                &from_total::FROM_TOTAL,
                &to_total::TO_TOTAL,
            ]
            .map(|statistic| figures(statistic, &matrix));
            for i in 0..=matrix.len() {
                assert_eq!((persistence[i] + loss[i], persistence[i] + gain[i]), (from[i], to[i]));
            }
        }
    }

    #[test]
    fn a_value_has_the_unit_its_statistic_declares() {
        let matrix = matrix([[1, 2], [3, 4]]);
        for statistic in ALL {
            let unit = match (statistic.compute)(&matrix, Subject::Class(0), 5.0) {
                Some(Value::Pixels(_)) => Unit::Pixels,
                Some(Value::PercentPerYear(_)) => Unit::PercentPerYear,
                None => panic!("{} of a class with cells in both years is undefined", statistic.name),
            };
            assert_eq!(unit, statistic.unit, "{}", statistic.name);
        }
    }

    #[test]
    fn a_class_outside_the_matrix_has_no_figure() {
        for matrix in [matrix([[1, 2], [3, 4]]), matrix([])] {
            for statistic in ALL {
                assert_eq!((statistic.compute)(&matrix, Subject::Class(2), 5.0), None, "{}", statistic.name);
            }
        }
    }

    #[test]
    fn every_file_of_this_folder_is_registered_under_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/statistic");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let stems: BTreeSet<_> = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|stem| stem != "mod")
            .collect();
        let names: BTreeSet<_> = ALL.iter().map(|statistic| statistic.name.to_owned()).collect();
        assert_eq!(names, stems);
        assert_eq!(names.len(), ALL.len(), "a statistic is registered twice");
    }
}
