//! From integers to what people read: tables, attribute tables of rasters, provenance. Computes no figure itself:
//! counts come from the parts, statistics from [`crate::statistic`].

pub mod attributes;
pub mod comparability;
pub mod manifest;
pub mod officials;
pub mod overlays;
pub mod rates;
pub mod release;
pub mod stratum_layers;
pub mod table;
pub mod totals;
pub mod zone_layers;
pub mod zones;
