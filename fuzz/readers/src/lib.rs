//! What reads bytes in the crate, under the same names.

#[path = "../../../src/error.rs"]
pub mod error;
pub mod io;
#[path = "../../../src/model/mod.rs"]
pub mod model;
