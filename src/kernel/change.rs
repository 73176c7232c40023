//! Change codes: from*100 + to in sixteen bits.

use ndarray::{Array2, ArrayView2, Zip};
use serde::{Deserialize, Serialize};

use super::ClassValue;
use crate::model::legend::ClassCode;

/// Nodata of a change raster: the habit of the CEC's own change files.
pub const CHANGE_NODATA: u16 = 65_535;

/// The largest class code that from*100 + to can carry.
pub const LARGEST_CODE: ClassCode = 99;

/// How a cell whose class stayed is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unchanged {
    /// 0.
    #[default]
    Zero,
    /// from*100 + to, such as 303.
    Identity,
    /// The class code, such as 3.
    Class,
    /// Nodata.
    Nodata,
}

/// The change code of one cell; both codes are classes.
#[inline]
pub fn change_code(from: ClassCode, to: ClassCode, unchanged: Unchanged) -> u16 {
    if from != to {
        return (from * 100 + to) as u16;
    }
    match unchanged {
        Unchanged::Zero => 0,
        Unchanged::Identity => (from * 100 + to) as u16,
        Unchanged::Class => from as u16,
        Unchanged::Nodata => CHANGE_NODATA,
    }
}

/// A class code that from*100 + to cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeBeyond99(pub ClassCode);

/// Codes every cell; nodata in either map gives [`CHANGE_NODATA`].
///
/// # Shape
/// Both maps and the result share one shape.
/// # Errors
/// [`CodeBeyond99`]: a class outside 0..=99. Legends are refused before; rasters without one are met here.
pub fn change<T: ClassValue>(
    from: ArrayView2<T>,
    to: ArrayView2<T>,
    nodata: T,
    unchanged: Unchanged,
) -> Result<Array2<u16>, CodeBeyond99> {
    let beyond = |&&class: &&T| class != nodata && !(0..=LARGEST_CODE).contains(&class.code());
    if let Some(class) = from.iter().chain(to.iter()).find(beyond) {
        return Err(CodeBeyond99(class.code()));
    }
    Ok(Zip::from(from).and(to).map_collect(|&from, &to| {
        if from == nodata || to == nodata {
            CHANGE_NODATA
        } else {
            change_code(from.code(), to.code(), unchanged)
        }
    }))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn codes_are_from_hundred_plus_to() {
        let (from, to) = (array![[1u8, 19, 3, 0, 5]], array![[5u8, 13, 3, 4, 0]]);
        let n = CHANGE_NODATA;
        for (unchanged, kept) in
            [(Unchanged::Zero, 0), (Unchanged::Identity, 303), (Unchanged::Class, 3), (Unchanged::Nodata, n)]
        {
            assert_eq!(
                change(from.view(), to.view(), 0, unchanged).unwrap(),
                array![[105, 1913, kept, n, n]]
            );
        }
    }

    #[test]
    fn a_code_that_needs_three_digits_is_no_change_code() {
        let (from, to) = (array![[1i32, 700]], array![[5i32, 100]]);
        assert_eq!(change(from.view(), to.view(), i32::MIN, Unchanged::Zero), Err(CodeBeyond99(700)));
        assert_eq!(change(to.view(), array![[5, -1]].view(), 100, Unchanged::Zero), Err(CodeBeyond99(-1)));
    }
}
