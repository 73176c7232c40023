//! Sources: the series of maps of a job, by position.

use super::epoch::Epoch;

/// Position of a source in the job.
pub type SourceIndex = u8;

/// What a source is to the product. Cells that no declared source decides as it is have a source of their own, behind the
/// declared ones: so dates, comparability, sections and countries hold of them as of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The maps of a section, as the job declares them.
    Maps,
    /// A map that stands in where another observed nothing: the source it is of, and the mapped year.
    Fill(SourceIndex, Epoch),
    /// The band of water along the coast.
    Fringe,
    /// A published change map.
    Official,
}

/// No source covers the cell.
pub const NO_SOURCE: SourceIndex = SourceIndex::MAX;
