//! Seams: pairs of cells that face each other across the boundary of two sections, and control pairs behind it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::legend::ClassCode;
use super::source::NO_SOURCE;

/// Number of a section: the order of the job.
pub type SectionNumber = u8;

/// What lies in no section.
pub const NO_SECTION: SectionNumber = SectionNumber::MAX;

/// The section of every source, by its position; [`NO_SECTION`] for what has none, [`NO_SOURCE`] among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionOf([SectionNumber; 256]);

impl SectionOf {
    /// From the section of each source.
    pub fn of(sources: &[Option<SectionNumber>]) -> Self {
        let mut sections = [NO_SECTION; 256];
        for (slot, section) in sections.iter_mut().zip(sources) {
            *slot = section.unwrap_or(NO_SECTION);
        }
        sections[usize::from(NO_SOURCE)] = NO_SECTION;
        Self(sections)
    }

    /// That of a source.
    #[inline]
    pub fn source(&self, source: u8) -> SectionNumber {
        self.0[usize::from(source)]
    }
}

/// Where the two cells of a pair lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Line {
    /// On either side of the boundary.
    Seam,
    /// Both in the first section, some way behind the boundary.
    ControlA,
    /// Both in the second.
    ControlB,
}

impl Line {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Seam, Self::ControlA, Self::ControlB];

    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seam => "seam",
            Self::ControlA => "control_a",
            Self::ControlB => "control_b",
        }
    }
}

/// A pair of neighbours along a boundary of two sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(u8, u8, Line, ClassCode, ClassCode)", into = "(u8, u8, Line, ClassCode, ClassCode)")]
pub struct SeamPair {
    /// The section that comes first in the job.
    pub a: SectionNumber,
    /// The other.
    pub b: SectionNumber,
    /// Where the two cells lie.
    pub line: Line,
    /// On the seam the class of the cell of `a`; behind it that of the cell nearer to the boundary.
    pub code_a: ClassCode,
    /// The class of the other cell.
    pub code_b: ClassCode,
}

impl From<(u8, u8, Line, ClassCode, ClassCode)> for SeamPair {
    fn from((a, b, line, code_a, code_b): (u8, u8, Line, ClassCode, ClassCode)) -> Self {
        Self { a, b, line, code_a, code_b }
    }
}

impl From<SeamPair> for (u8, u8, Line, ClassCode, ClassCode) {
    fn from(pair: SeamPair) -> Self {
        (pair.a, pair.b, pair.line, pair.code_a, pair.code_b)
    }
}

/// How many pairs of each kind there are.
pub type SeamCounts = BTreeMap<SeamPair, u64>;

/// Cells around a block in which its seams and their control pairs lie, for control pairs so far behind the boundary.
pub fn reach(control_cells: usize) -> usize {
    control_cells + 2
}
