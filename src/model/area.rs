//! How large a cell is on the ground.

use serde::{Deserialize, Serialize};

/// The area of one cell of a grid.
///
/// # Unit
/// Square metres.
/// # Source
/// On an equal-area projection every cell has the area |a·e| of its affine transform (EPSG Guidance Note 7-2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellArea {
    /// Every cell has this area, in m².
    Constant(f64),
    /// No honest area can be given; the reason.
    Unknown(String),
}

impl CellArea {
    /// The area of a number of cells in m², if it is known.
    ///
    /// Exact: the count is an integer and the product of two integers below 2^53 stays exact in `f64`.
    pub fn of(&self, pixels: u64) -> Option<f64> {
        match self {
            Self::Constant(m2) => Some(pixels as f64 * m2),
            Self::Unknown(_) => None,
        }
    }

    /// One sentence on how areas were computed, for sidecars and reports.
    pub fn method(&self) -> String {
        match self {
            Self::Constant(m2) => {
                format!("number of cells x {m2} m2, the nominal area of a cell of this equal-area grid")
            }
            Self::Unknown(reason) => format!("no areas: {reason}"),
        }
    }
}
