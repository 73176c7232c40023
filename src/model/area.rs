//! How large cells are on the ground.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// The largest cell whose area is added up, in m² on the plane: 64 bits hold 512 of them in mm².
pub const LARGEST_CELL_M2: f64 = 3e10;

/// An amount of land: cells, and their area where it is added up cell by cell.
///
/// Integers both, so that no order of adding changes a digit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(u64, u128)", into = "(u64, u128)")]
pub struct Amount {
    /// Cells.
    pub pixels: u64,
    /// Their area in mm²; 0 where all cells of the grid are alike, so that it follows from their number.
    ///
    /// The earth has 5.1e20 mm², more than 64 bits hold.
    pub area_mm2: u128,
}

impl From<u64> for Amount {
    fn from(pixels: u64) -> Self {
        Self { pixels, area_mm2: 0 }
    }
}

impl From<(u64, u128)> for Amount {
    fn from((pixels, area_mm2): (u64, u128)) -> Self {
        Self { pixels, area_mm2 }
    }
}

impl From<Amount> for (u64, u128) {
    fn from(amount: Amount) -> Self {
        (amount.pixels, amount.area_mm2)
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { pixels: self.pixels + other.pixels, area_mm2: self.area_mm2 + other.area_mm2 }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

/// How the area of cells is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellArea {
    /// Every cell has this area, in m²: |a·e| of the affine transform on an equal-area projection (EPSG Guidance
    /// Note 7-2).
    Constant(f64),
    /// Cells differ, so areas are added up with them; the method in words.
    Summed(String),
    /// No honest area can be given; the reason.
    Unknown(String),
}

impl CellArea {
    /// An area in m², if it is known.
    ///
    /// Exact: the count is an integer and the product of two integers below 2^53 stays exact in `f64`; a sum of mm² is
    /// rounded once, to the nearest `f64`.
    pub fn of(&self, amount: Amount) -> Option<f64> {
        match self {
            Self::Constant(m2) => Some(amount.pixels as f64 * m2),
            Self::Summed(_) => Some(in_m2(amount.area_mm2)),
            Self::Unknown(_) => None,
        }
    }

    /// Whole mm² of a cell, where all are alike.
    pub fn cell_mm2(&self) -> Option<u64> {
        match self {
            Self::Constant(m2) => Some((m2 * 1e6).round() as u64),
            Self::Summed(_) | Self::Unknown(_) => None,
        }
    }

    /// Whether areas are added up with the cells.
    pub fn is_summed(&self) -> bool {
        matches!(self, Self::Summed(_))
    }

    /// One sentence on how areas were computed, for sidecars and reports.
    pub fn method(&self) -> String {
        match self {
            Self::Constant(m2) => {
                format!("number of cells x {m2} m2, the nominal area of a cell of this equal-area grid")
            }
            Self::Summed(method) => method.clone(),
            Self::Unknown(reason) => format!("no areas: {reason}"),
        }
    }
}

/// An area in m².
pub fn in_m2(area_mm2: u128) -> f64 {
    // One rounding each: 1e6 is exact, its inverse is not.
    area_mm2 as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_30_m_grid_and_the_whole_earth_fit() {
        let grid = Amount { pixels: 66_045_000_000, area_mm2: 66_045_000_000 * 900_000_000 };
        assert_eq!(
            CellArea::Summed(String::new()).of(grid),
            CellArea::Constant(900.0).of(grid.pixels.into())
        );
        let earth = Amount { pixels: 1, area_mm2: 510_065_621_724_088_000_000 };
        let json = serde_json::to_string(&earth).unwrap();
        assert_eq!(json, "[1,510065621724088000000]");
        assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), earth);
    }
}
