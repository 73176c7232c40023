//! Grids: where the cells of a raster lie, and how two grids relate.

use serde::{Deserialize, Serialize};

use super::ellipsoid::Ellipsoid;
use super::window::Window;

/// Two lattices count as one when their cells coincide within this part of a cell, over the whole raster.
///
/// Published origins carry noise of 1e-9 m; the smallest real shift met is several per cent of a cell.
pub const LATTICE_TOLERANCE_CELLS: f64 = 1e-3;

/// An offset in cells that no raster reaches.
const FAR: f64 = 1e12;

/// The cell index of a coordinate counted in cells; what is beyond any raster stays beyond it.
pub fn cell_index(at: f64) -> i64 {
    at.clamp(-FAR, FAR) as i64
}

/// A coordinate reference system, as far as this program needs to know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Crs {
    /// WKT2:2019.
    pub wkt: String,
    /// Its name.
    pub name: String,
    /// Its PROJ string. The wording of the WKT may differ from one reading to the next, this does not.
    pub proj: String,
    /// Longitude and latitude in degrees instead of metres.
    pub geographic: bool,
    /// Whether every cell of a regular grid has one area.
    pub equal_area: bool,
    /// The ellipsoid in words, such as "WGS 84" or "sphere, R = 6370997 m".
    pub ellipsoid: String,
    /// Its size and shape.
    pub figure: Ellipsoid,
    /// Metres per unit of the axes; degrees have 1.
    pub unit_m: f64,
}

/// An affine transform from (column, row) to (x, y), in GDAL's order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Affine(pub [f64; 6]);

impl Affine {
    /// North-up, with cells of this width and height.
    pub fn north_up(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self([x, width, 0.0, y, 0.0, -height])
    }

    /// Whether rows run exactly east and columns exactly south.
    pub fn is_north_up(&self) -> bool {
        let [_, a, b, _, d, e] = self.0;
        b == 0.0 && d == 0.0 && a > 0.0 && e < 0.0
    }

    /// The point at a column and row (fractions allowed; 0.5 is a cell's centre).
    ///
    /// The order of operations is GDAL's, so that results agree with it to the last bit.
    pub fn apply(&self, col: f64, row: f64) -> (f64, f64) {
        let g = &self.0;
        (g[0] + col * g[1] + row * g[2], g[3] + col * g[4] + row * g[5])
    }

    /// The transform back, or `None` when it is singular. GDAL's formulas, again to the last bit.
    pub fn inverse(&self) -> Option<Self> {
        let g = &self.0;
        if g[2] == 0.0 && g[4] == 0.0 && g[1] != 0.0 && g[5] != 0.0 {
            return Some(Self([-g[0] / g[1], 1.0 / g[1], 0.0, -g[3] / g[5], 0.0, 1.0 / g[5]]));
        }
        let det = g[1] * g[5] - g[2] * g[4];
        let magnitude = g[1].abs().max(g[2].abs()).max(g[4].abs().max(g[5].abs()));
        if det.abs() <= 1e-10 * magnitude * magnitude {
            return None;
        }
        let inv = 1.0 / det;
        Some(Self([
            (g[2] * g[3] - g[0] * g[5]) * inv,
            g[5] * inv,
            -g[2] * inv,
            (-g[1] * g[3] + g[0] * g[4]) * inv,
            -g[4] * inv,
            g[1] * inv,
        ]))
    }
}

/// A regular grid of cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Coordinate reference system; `None` where a file has none.
    pub crs: Option<Crs>,
    /// From (column, row) to (x, y).
    pub affine: Affine,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Where the upper left cell lies on its lattice (row, column), counted from the lattice's own origin.
    ///
    /// Ties between classes are broken by absolute lattice position, so that a window of a mosaic breaks them
    /// as the whole does.
    #[serde(default)]
    pub lattice: (i64, i64),
}

/// How a source grid lies on a target grid of the same CRS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fit {
    /// Cells coincide: the source's upper left cell is this (row, column) of the target.
    Lattice {
        /// Row of the target under the source's first row.
        row: i64,
        /// Column of the target under the source's first column.
        col: i64,
    },
    /// Same cell size, shifted by a fraction of a cell.
    Shifted {
        /// Shift in cells of the target.
        rows: f64,
        /// Shift in cells of the target.
        cols: f64,
    },
    /// Another cell size, or rotated.
    OtherCells,
}

impl Grid {
    /// Cell width and height, in units of the CRS.
    pub fn cell(&self) -> (f64, f64) {
        let g = &self.affine.0;
        ((g[1] * g[1] + g[4] * g[4]).sqrt(), (g[2] * g[2] + g[5] * g[5]).sqrt())
    }

    /// The shorter side of a cell on the ground, in metres; on a geographic grid along a meridian.
    pub fn cell_m(&self) -> f64 {
        const METRES_PER_DEGREE: f64 = 111_195.0;
        let (width, height) = self.cell();
        let unit = match &self.crs {
            Some(crs) if crs.geographic => METRES_PER_DEGREE,
            Some(crs) => crs.unit_m,
            None => 1.0,
        };
        width.min(height) * unit
    }

    /// The window of all its cells.
    pub fn window(&self) -> Window {
        Window::whole(self.rows, self.cols)
    }

    /// xmin, ymin, xmax, ymax of its corners.
    pub fn bounds(&self) -> [f64; 4] {
        let (rows, cols) = (self.rows as f64, self.cols as f64);
        let corners =
            [(0.0, 0.0), (cols, 0.0), (0.0, rows), (cols, rows)].map(|(c, r)| self.affine.apply(c, r));
        let least = |pick: fn(&(f64, f64)) -> f64| corners.iter().map(pick).fold(f64::INFINITY, f64::min);
        let most = |pick: fn(&(f64, f64)) -> f64| corners.iter().map(pick).fold(f64::NEG_INFINITY, f64::max);
        [least(|c| c.0), least(|c| c.1), most(|c| c.0), most(|c| c.1)]
    }

    /// The part of it that a window holds, on the same lattice.
    #[must_use]
    pub fn part(&self, window: &Window) -> Self {
        let (x, y) = self.affine.apply(window.col as f64, window.row as f64);
        let g = self.affine.0;
        Self {
            crs: self.crs.clone(),
            affine: Affine([x, g[1], g[2], y, g[4], g[5]]),
            rows: window.rows,
            cols: window.cols,
            lattice: (self.lattice.0 + window.row, self.lattice.1 + window.col),
        }
    }

    /// How a source grid of the same CRS lies on this one.
    ///
    /// Integer arithmetic decides: the source's corners must fall on lattice points within
    /// [`LATTICE_TOLERANCE_CELLS`] at both ends, so that a cell size that differs in the tenth digit passes and
    /// one that drifts by a noticeable part of a cell does not.
    pub fn fit(&self, source: &Self) -> Fit {
        if self.affine == source.affine {
            return Fit::Lattice { row: 0, col: 0 };
        }
        if !self.affine.is_north_up() || !source.affine.is_north_up() {
            return Fit::OtherCells;
        }
        let (own_width, own_height) = self.cell();
        let (width, height) = source.cell();
        let drift = |own: f64, other: f64, n: usize| (other / own - 1.0).abs() * n as f64;
        if drift(own_width, width, source.cols) > LATTICE_TOLERANCE_CELLS
            || drift(own_height, height, source.rows) > LATTICE_TOLERANCE_CELLS
        {
            return Fit::OtherCells;
        }
        let cols = (source.affine.0[0] - self.affine.0[0]) / own_width;
        let rows = (self.affine.0[3] - source.affine.0[3]) / own_height;
        let (row, col) = (rows.round(), cols.round());
        if (rows - row).abs() > LATTICE_TOLERANCE_CELLS || (cols - col).abs() > LATTICE_TOLERANCE_CELLS {
            return Fit::Shifted { rows, cols };
        }
        // Far beyond any grid is far enough; sums with such offsets stay in range.
        Fit::Lattice { row: row.clamp(-FAR, FAR) as i64, col: col.clamp(-FAR, FAR) as i64 }
    }

    /// The word for the cell size in file names: `30m`, `250m`, `0.0003deg`.
    pub fn resolution_word(&self) -> String {
        let (width, height) = self.cell();
        let unit = if self.crs.as_ref().is_some_and(|crs| crs.geographic) { "deg" } else { "m" };
        let scale = self.crs.as_ref().map_or(1.0, |crs| crs.unit_m);
        let text = |size: f64| {
            let rounded = (size * scale * 1e6).round() / 1e6;
            format!("{rounded}")
        };
        if text(width) == text(height) {
            format!("{}{unit}", text(width))
        } else {
            format!("{}x{}{unit}", text(width), text(height))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(x: f64, y: f64, cell: f64, rows: usize, cols: usize) -> Grid {
        Grid { crs: None, affine: Affine::north_up(x, y, cell, cell), rows, cols, lattice: (0, 0) }
    }

    #[test]
    fn published_origins_with_noise_lie_on_the_lattice() {
        // The U.S. cut-out of the 30 m map of 2010, as published (products table).
        let target = grid(-4_410_000.0, 4_310_000.0, 30.0, 255_000, 259_000);
        let usa = grid(-2_043_060.000_000_001_9, 732_440.0, 30.0, 94_853, 152_422);
        assert_eq!(target.fit(&usa), Fit::Lattice { row: 119_252, col: 78_898 });
    }

    #[test]
    fn a_quarter_cell_is_a_shift_and_a_longer_cell_is_another_cell() {
        let target = grid(0.0, 0.0, 30.0, 100, 100);
        assert_eq!(target.fit(&grid(37.5, -30.0, 30.0, 10, 10)), Fit::Shifted { rows: 1.0, cols: 1.25 });
        assert_eq!(target.fit(&grid(0.0, 0.0, 30.0009, 500, 500)), Fit::OtherCells);
    }

    #[test]
    fn the_inverse_undoes_a_rotated_transform() {
        let affine = Affine([100.0, 2.0, 0.5, 200.0, 0.25, -3.0]);
        let inverse = affine.inverse().map(|inv| {
            let (x, y) = affine.apply(7.0, 11.0);
            inv.apply(x, y)
        });
        assert!(inverse.is_some_and(|(c, r)| (c - 7.0).abs() < 1e-9 && (r - 11.0).abs() < 1e-9));
        assert_eq!(Affine([0.0, 1.0, 2.0, 0.0, 2.0, 4.0]).inverse(), None);
    }

    #[test]
    fn cell_sizes_read_as_people_write_them() {
        assert_eq!(grid(0.0, 0.0, 30.0, 1, 1).resolution_word(), "30m");
        assert_eq!(grid(0.0, 0.0, 30.497_877_172_764_6, 1, 1).resolution_word(), "30.497877m");
    }
}
