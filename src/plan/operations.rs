//! The coordinate operations of a plan: one for all maps of a CRS, as two tiles of a map must not be taken to the grid in two
//! ways.

use crate::error::Result;
use crate::io::proj::{Datum, Operation};
use crate::model::grid::Crs;

/// The operations chosen so far.
#[derive(Default)]
pub struct Operations {
    known: Vec<(String, Datum, Operation)>,
    /// What would be more accurate.
    pub warnings: Vec<String>,
}

impl Operations {
    /// The operation from a CRS to the grid's: the one chosen before for the CRS, or the best at a place.
    ///
    /// # Errors
    /// Input: PROJ knows no way between the two.
    pub fn between(&mut self, from: &Crs, to: &Crs, (x, y): (f64, f64), datum: Datum) -> Result<Operation> {
        if let Some((.., operation)) =
            self.known.iter().find(|(crs, how, _)| *crs == from.wkt && *how == datum)
        {
            return Ok(operation.clone());
        }
        let operation = match datum {
            Datum::Best => Operation::choose(from, to, x, y)?,
            Datum::Null => Operation::keeping_degrees(from, to)?,
        };
        if datum == Datum::Best
            && let Some(better) = operation.better_with_grids(x, y, from)
        {
            let words = "it was not used, as PROJ does not find that here";
            self.warnings.push(format!("from {}: {better}; {words}", from.name));
        }
        self.known.push((from.wkt.clone(), datum, operation.clone()));
        Ok(operation)
    }
}
