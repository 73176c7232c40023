//! The nouns of the field: plain values that open no file, start no thread and read no clock.

pub mod area;
pub mod byte_rules;
pub mod comparability;
pub mod crosswalk;
pub mod date;
pub mod edit;
pub mod ellipsoid;
pub mod epoch;
pub mod fraction;
pub mod gap;
pub mod grid;
pub mod legend;
pub mod matrix;
pub mod nodata;
pub mod provenance;
pub mod rule;
pub mod seam;
pub mod source;
pub mod stratum_key;
pub mod window;
