//! Where the edges of a polygon layer run, coarsely: most of a map lies far from all of them.
//!
//! The plane is cut into squares, and those that an edge may touch are noted. Where none is noted, one point tells for
//! all cells which polygons hold them, and nothing needs to be burned.

use std::collections::BTreeSet;

use super::wkb;
use crate::error::Result;

/// Squares that are noted at most, a bound on time and memory; a layer of more edges is burned everywhere.
const MOST_TOUCHED: usize = 1 << 20;

/// Squares of the plane that edges may touch.
#[derive(Debug, Clone)]
pub(super) struct Edges {
    /// Side of a square, in units of the CRS.
    side: f64,
    touched: BTreeSet<(i64, i64)>,
}

impl Edges {
    /// Notes the squares that the edges of polygons may touch.
    ///
    /// # Errors
    /// Bug: the bytes are no polygon.
    pub(super) fn of<'a>(polygons: impl Iterator<Item = &'a [u8]>, side: f64) -> Result<Self> {
        let mut edges = Self { side, touched: BTreeSet::new() };
        for polygon in polygons {
            for [x0, y0, x1, y1] in wkb::edges(polygon)? {
                // A long edge is walked in steps, so that it touches squares beside itself only.
                let steps = ((x1 - x0).abs().max((y1 - y0).abs()) / side).ceil().max(1.0);
                let at = |step: f64| (x0 + (x1 - x0) * (step / steps), y0 + (y1 - y0) * (step / steps));
                for step in 0..steps as u64 {
                    let ((xa, ya), (xb, yb)) = (at(step as f64), at(step as f64 + 1.0));
                    edges.touched.extend(edges.squares([xa.min(xb), ya.min(yb), xa.max(xb), ya.max(yb)]));
                    if edges.touched.len() > MOST_TOUCHED {
                        return Ok(edges);
                    }
                }
            }
        }
        Ok(edges)
    }

    /// Whether an edge may come into a box (xmin, ymin, xmax, ymax).
    pub(super) fn come_into(&self, bounds: [f64; 4]) -> bool {
        self.touched.len() > MOST_TOUCHED || self.squares(bounds).any(|square| self.touched.contains(&square))
    }

    fn squares(&self, [xmin, ymin, xmax, ymax]: [f64; 4]) -> impl Iterator<Item = (i64, i64)> + use<> {
        let place = |at: f64| (at / self.side).floor() as i64;
        let columns = place(xmin)..=place(xmax);
        (place(ymin)..=place(ymax)).flat_map(move |row| columns.clone().map(move |column| (column, row)))
    }
}
