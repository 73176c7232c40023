//! What the program and its library do, held to what is written here. One program of all tests: it is linked once.
//! `cargo test --test program seams` runs those of one file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot set itself up should fail loudly"
)]

mod alignment;
mod architecture;
mod areas;
mod coast;
mod comparability;
mod crosswalks;
mod edits;
mod fraction;
mod gaps;
mod grids;
mod job;
mod official;
mod rates;
mod reading;
mod refusals;
mod revision;
mod rollups;
mod seams;
mod sections;
mod several_grids;
mod shards;
mod strata;
mod submit;
mod support;
mod synth;
mod untrusted;
mod verbs;
mod verify;
mod zones;
