//! Where the cells of a product lie, as a job file says it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[grid]`: a preset, or CRS, origin, cell size and shape.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GridFile {
    /// Identifier, by which sources and file names tell several grids apart.
    pub id: Option<String>,
    /// Identifier of a shipped grid, or a grid file.
    pub preset: Option<String>,
    /// Which part of it.
    #[serde(default)]
    pub extent: Extent,
    /// CRS of a grid of one's own: WKT, `EPSG:…` or PROJ string.
    pub crs: Option<String>,
    /// x of the left edge, y of the upper edge.
    pub origin: Option<[f64; 2]>,
    /// Side of a cell, in metres.
    pub cell_size_m: Option<f64>,
    /// Rows and columns.
    pub shape: Option<[usize; 2]>,
    /// What to do with valid source cells outside the grid.
    #[serde(default)]
    pub outside_grid: OutsideGrid,
}

/// Which part of a grid the product covers.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(
    untagged,
    expecting = "`inputs`, `full`, a part that the grid names, [xmin, ymin, xmax, ymax], or { like = \"file.tif\" }"
)]
pub enum Extent {
    /// `inputs`, `full`, or a part that the grid names.
    Word(String),
    /// That of a raster.
    Like {
        /// The raster.
        like: PathBuf,
    },
    /// xmin, ymin, xmax, ymax in the grid's CRS, snapped outward.
    Bounds([f64; 4]),
}

impl Default for Extent {
    fn default() -> Self {
        Self::Word("inputs".into())
    }
}

/// `[domain]`: polygons that say which section each place belongs to.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DomainFile {
    /// The layer.
    pub path: PathBuf,
    /// Field that holds the name of the section.
    pub key: String,
    /// Widest strip that no section maps and that takes the nearest class, in cells.
    #[serde(default)]
    pub sliver_cells: usize,
}

/// What to do with valid source cells outside the grid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutsideGrid {
    /// More than none is an error.
    #[default]
    Error,
    /// They are counted and left out.
    Drop,
}
