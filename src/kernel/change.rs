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

/// [`change`] of byte maps into cells that are there already.
///
/// # Shape
/// Both maps and `out` are equally long; what one has beyond the others is left alone.
/// # Errors
/// As [`change`]; what `out` then holds is not said.
/// # Cost
/// One pass, a vector of cells at a time whatever the cells are.
pub fn change_bytes(
    from: &[u8],
    to: &[u8],
    nodata: u8,
    unchanged: Unchanged,
    out: &mut [u16],
) -> Result<(), CodeBeyond99> {
    let n = from.len().min(to.len()).min(out.len());
    let (from, to, out) = (&from[..n], &to[..n], &mut out[..n]);
    match unchanged {
        Unchanged::Zero => code_cells(from, to, nodata, out, |_| 0),
        Unchanged::Identity => code_cells(from, to, nodata, out, |class| class * 101),
        Unchanged::Class => code_cells(from, to, nodata, out, |class| class),
        Unchanged::Nodata => code_cells(from, to, nodata, out, |_| CHANGE_NODATA),
    }
    let beyond = |cells: &[u8]| {
        let beyond = |class: u8| (i32::from(class) > LARGEST_CODE) & (class != nodata);
        // Looked for in lines, so that the compiler compares in vectors; found cell by cell, once.
        let line =
            cells.chunks(1024).find(|line| line.iter().fold(false, |any, &class| any | beyond(class)))?;
        line.iter().copied().find(|&class| beyond(class))
    };
    match beyond(from).or_else(|| beyond(to)) {
        Some(class) => Err(CodeBeyond99(class.into())),
        None => Ok(()),
    }
}

/// The code of every cell, without a branch: `stayed` says what an unchanged class becomes.
#[inline]
fn code_cells(from: &[u8], to: &[u8], nodata: u8, out: &mut [u16], stayed: impl Fn(u16) -> u16) {
    for ((&from, &to), out) in from.iter().zip(to).zip(out) {
        let (first, second) = (u16::from(from), u16::from(to));
        let code = if from == to { stayed(first) } else { first * 100 + second };
        *out = if (from == nodata) | (to == nodata) { CHANGE_NODATA } else { code };
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn byte_maps_are_coded_like_any_other(
            cells in proptest::collection::vec((0u8..6, 0u8..6, any::<bool>()), 1..300),
            spread in prop_oneof![Just(1u8), Just(19), Just(20), Just(51)],
            nodata in prop_oneof![Just(0u8), Just(19), Just(100), Just(255)],
        ) {
            let from: Vec<u8> = cells.iter().map(|(from, _, _)| from * spread).collect();
            let to: Vec<u8> = cells.iter().map(|(from, to, stays)| if *stays { *from } else { *to } * spread).collect();
            let view = |cells: &'_ [u8]| Array2::from_shape_vec((1, cells.len()), cells.to_vec()).unwrap();
            for unchanged in [Unchanged::Zero, Unchanged::Identity, Unchanged::Class, Unchanged::Nodata] {
                let mut out = vec![1; from.len()];
                let coded = change_bytes(&from, &to, nodata, unchanged, &mut out).map(|()| out);
                let expected = change(view(&from).view(), view(&to).view(), nodata, unchanged);
                prop_assert_eq!(coded, expected.map(|codes| codes.into_iter().collect()));
            }
        }
    }
}
