//! What the user asked for: job files, and the legends, crosswalks and grids they name.
//!
//! [`mod@file`] is the job exactly as written; [`job`] is what it means, with its [`grids`], [`zones`], [`strata`], [`coast`], [`edits`], maps
//! made from other maps ([`derived`]) and what a [`release`]
//! may rest on, checked as far as that goes without opening a raster; [`shipped`] finds data by identifier or on disk,
//! [`comparability`] the rules on which maps may be compared. Nothing else reads the environment.

pub mod coast;
pub mod comparability;
pub mod derived;
pub mod edits;
pub mod environment;
pub mod file;
pub mod grids;
pub mod job;
pub mod official;
mod output;
pub mod release;
pub mod shipped;
pub mod strata;
pub mod zones;
