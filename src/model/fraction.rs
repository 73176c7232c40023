//! Fractions: which share of a cell each class takes, told by the smaller cells that have their centre in it.
//!
//! Shares are whole ten-thousandths, so that those of one cell add up to the whole exactly.

use super::legend::{ClassCode, Legend};

/// A share of 1: all of a cell.
pub const WHOLE: u16 = 10_000;

/// What a share of 1 stands for in a raster: `share = value * FRACTION_SCALE`.
pub const FRACTION_SCALE: f64 = 1e-4;

/// Stands in cells in which nothing is mapped.
pub const FRACTION_NODATA: u16 = u16::MAX;

/// What a share is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fraction {
    /// A class of the product.
    Class(ClassCode),
    /// What was mapped without a class: not observed, or nodata by a crosswalk.
    NoData,
    /// Where nothing is mapped: outside of the maps, or beyond them by their own word.
    Outside,
    /// The class that the cell itself has in the land cover map.
    Purity,
}

impl Fraction {
    /// Those that add up to the whole: the classes of a legend in its order, then what has none.
    pub fn parts(classes: &[ClassCode]) -> impl Iterator<Item = Self> {
        classes.iter().copied().map(Self::Class).chain([Self::NoData, Self::Outside])
    }

    /// All rasters of a map: the parts, and the purity.
    pub fn all(legend: &Legend) -> Vec<Self> {
        Self::parts(&legend.codes()).chain([Self::Purity]).collect()
    }

    /// The word for it in the names of files and bands.
    pub fn word(self) -> String {
        match self {
            Self::Class(code) => format!("fraction_{code}"),
            Self::NoData => "fraction_nodata".into(),
            Self::Outside => "fraction_outside".into(),
            Self::Purity => "purity".into(),
        }
    }

    /// What [`Fraction::word`] stands for.
    pub fn of_word(word: &str) -> Option<Self> {
        match word.strip_prefix("fraction_") {
            Some("nodata") => Some(Self::NoData),
            Some("outside") => Some(Self::Outside),
            Some(code) => code.parse().ok().map(Self::Class),
            None => (word == "purity").then_some(Self::Purity),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_stands_for_its_fraction() {
        for fraction in Fraction::parts(&[1, 19, 200]).chain([Fraction::Purity]) {
            assert_eq!(Fraction::of_word(&fraction.word()), Some(fraction));
        }
        for word in ["fraction", "fraction_", "fraction_x", "purity_1", ""] {
            assert_eq!(Fraction::of_word(word), None, "{word}");
        }
    }
}
