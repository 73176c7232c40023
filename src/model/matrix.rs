//! The change matrix: how many cells went from each class to each class.

use super::legend::ClassCode;

/// Cross-tabulation of two maps: rows = class at `from`, columns = class at `to`, in legend order.
///
/// # Shape
/// `n × n` over the classes given; always whole, zeros kept.
/// # Unit
/// Pixels (cells); in a matrix of areas mm², which are whole numbers too. 128-bit, as the earth has 5.1e20 mm².
/// # Nodata
/// Cells without a class in either map are not in the matrix; they are counted as excluded.
/// # Source
/// Pontius, Shusas & McEachern (2004), Agriculture, Ecosystems & Environment 101:251-268, table 1.
#[doc(alias = "transition matrix")]
#[doc(alias = "contingency table")]
#[doc(alias = "crosstab")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeMatrix {
    codes: Vec<ClassCode>,
    pixels: Vec<u128>,
}

impl ChangeMatrix {
    /// A matrix of zeros over these classes.
    pub fn new(codes: Vec<ClassCode>) -> Self {
        let n = codes.len();
        Self { codes, pixels: vec![0; n * n] }
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether it has no class at all.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The classes, in the order of rows and columns.
    pub fn codes(&self) -> &[ClassCode] {
        &self.codes
    }

    /// The row and column of a class.
    pub fn index_of(&self, code: ClassCode) -> Option<usize> {
        self.codes.iter().position(|&c| c == code)
    }

    /// Cells that went from class index `from` to class index `to`.
    pub fn pixels(&self, from: usize, to: usize) -> u128 {
        self.pixels[from * self.len() + to]
    }

    /// Adds cells to one entry.
    pub fn add(&mut self, from: usize, to: usize, pixels: u128) {
        let n = self.len();
        self.pixels[from * n + to] += pixels;
    }

    /// Row total: the class's cells at `from` (that are valid in both years).
    pub fn from_total(&self, class: usize) -> u128 {
        (0..self.len()).map(|to| self.pixels(class, to)).sum()
    }

    /// Column total: the class's cells at `to` (that are valid in both years).
    pub fn to_total(&self, class: usize) -> u128 {
        (0..self.len()).map(|from| self.pixels(from, class)).sum()
    }

    /// Cells that kept the class: the diagonal entry.
    pub fn persistence(&self, class: usize) -> u128 {
        self.pixels(class, class)
    }

    /// All cells valid in both years.
    pub fn total(&self) -> u128 {
        self.pixels.iter().sum()
    }
}
