//! Sources: the series of maps of a job, by position.

/// Position of a source in the job.
pub type SourceIndex = u8;

/// No source covers the cell.
pub const NO_SOURCE: SourceIndex = SourceIndex::MAX;
