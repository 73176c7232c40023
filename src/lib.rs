#![doc = include_str!("../ARCHITECTURE.md")]

pub mod cli;
pub mod config;
pub mod error;
pub mod io;
pub mod kernel;
pub mod model;
pub mod plan;
pub mod report;
pub mod run;
pub mod statistic;
pub mod synth;
pub mod verify;
