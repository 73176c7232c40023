//! Values of a file that must become class codes: whole numbers of 32 bits.

use crate::error::{Error, Result};
use crate::model::rule::NAN_VALUE;
use crate::model::window::Window;

/// The least 32-bit number stands for "no data" inside the program; a file that does not mean that must not hold it.
pub(super) fn refuse_undeclared_minimum(codes: &[i32], window: &Window, tag: Option<f64>) -> Result<()> {
    if tag == Some(f64::from(NAN_VALUE)) {
        return Ok(());
    }
    match codes.iter().position(|code| *code == NAN_VALUE) {
        None => Ok(()),
        Some(i) => Err(Error::input(format!("the value {NAN_VALUE} is no class code"))
            .found(place_in(window, i))
            .expected("class codes, or the file's nodata tag set to this value")
            .help(format!(
                "if it means no data, say so in the file: gdal_edit.py -a_nodata {NAN_VALUE} FILE"
            ))),
    }
}

/// Codes of values of floating point; NaN and the nodata tag become [`NAN_VALUE`].
pub(super) fn whole_numbers(values: &[f64], window: &Window, tag: Option<f64>) -> Result<Vec<i32>> {
    values
        .iter()
        .enumerate()
        .map(|(i, &value)| {
            if value.fract() == 0.0 && value > f64::from(i32::MIN) && value <= f64::from(i32::MAX) {
                return Ok(value as i32);
            }
            // No class is so large or fractional; as a declared nodata value it is welcome.
            if value.is_nan() || Some(value) == tag {
                return Ok(NAN_VALUE);
            }
            let found = format!("{value} at {}", place_in(window, i));
            Err(if value.fract() == 0.0 {
                Error::input("a value is no class code: it is too large")
                    .found(found)
                    .expected(
                        "class codes within 32 bits, signed; larger values only as the file's nodata tag",
                    )
                    .help("if it means no data, say so in the file: gdal_edit.py -a_nodata VALUE FILE")
            } else {
                Error::input("a class value is no whole number")
                    .found(found)
                    .expected("class codes; NaN counts as nodata")
                    .help("this looks like a continuous raster; classify it first")
            })
        })
        .collect()
}

fn place_in(window: &Window, i: usize) -> String {
    let (row, col) = (window.row + (i / window.cols) as i64, window.col + (i % window.cols) as i64);
    format!("row {row}, column {col}")
}
