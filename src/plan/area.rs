//! How the areas of a grid's cells are worked out, and how that is told.

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::io::gdal::geographic_base;
use crate::io::proj::{Direction, Operation};
use crate::kernel::weigh::{BlockAreas, on_a_plane, on_parallels};
use crate::model::area::{CellArea, LARGEST_CELL_M2};
use crate::model::ellipsoid::Ellipsoid;
use crate::model::grid::{Crs, Grid};
use crate::model::window::Window;

/// How areas are told, and what has to be worked out for that.
#[derive(Debug, Clone)]
pub struct Areas {
    /// How the area of cells is told.
    pub told: CellArea,
    /// How large each cell is; `None` where nothing needs to be added up.
    pub sizes: Option<Sizing>,
    /// How the ellipsoidal area that is told beside it is computed, where the job asks for it.
    pub ellipsoidal: Option<String>,
}

/// How large each cell of a grid is on the ground.
#[derive(Debug, Clone)]
pub enum Sizing {
    /// By its row: the cells of a north-up grid of longitudes and latitudes lie between two parallels.
    ByRow(Ellipsoid),
    /// By its place on the plane of a projection, or on a grid of longitudes and latitudes that is not north-up.
    ByPlace {
        /// On what.
        ellipsoid: Ellipsoid,
        /// Metres per unit of the plane.
        unit_m: f64,
        /// What carries a point to longitude and latitude; `None` where it has them already.
        to_base: Option<Operation>,
    },
}

impl Areas {
    /// How the areas of a grid are worked out; `ellipsoidal` asks for those on the ellipsoid beside a sphere's own.
    ///
    /// # Errors
    /// Usage: ellipsoidal areas are asked for where the areas are no sphere's nominal ones.
    pub fn of(grid: &Grid, ellipsoidal: bool) -> Result<Self> {
        let equal_area = |crs: &&Crs| crs.equal_area;
        if let Some(crs) = grid.crs.as_ref().filter(equal_area) {
            let told = CellArea::Constant(on_plane_m2(grid, crs.unit_m));
            if !ellipsoidal {
                return Ok(Self { told, sizes: None, ellipsoidal: None });
            }
            if crs.figure.is_sphere() {
                // The sphere's latitudes are those of the maps that were laid on it, which are geodetic ones of WGS 84.
                let sizes =
                    Sizing::of(grid, crs, Ellipsoid::WGS_84).map_err(|reason| refused(crs).help(reason))?;
                let words = format!(
                    "the cells' place on the sphere read as longitude and geodetic latitude of WGS 84: {}",
                    sizes.words()
                );
                return Ok(Self { told, sizes: Some(sizes), ellipsoidal: Some(words) });
            }
        }
        if ellipsoidal {
            return Err(grid.crs.as_ref().map_or_else(
                || Error::usage("areas.ellipsoidal needs a grid with a CRS"),
                |crs| {
                    refused(crs)
                        .help("leave areas.ellipsoidal out: the areas are those on this CRS's own ellipsoid")
                },
            ));
        }
        let Some(crs) = &grid.crs else {
            return Ok(Self::unknown("the maps have no CRS".into()));
        };
        Ok(match Sizing::of(grid, crs, crs.figure) {
            Ok(sizes) => {
                Self { told: CellArea::Summed(sizes.words()), sizes: Some(sizes), ellipsoidal: None }
            }
            Err(reason) => Self::unknown(reason),
        })
    }

    fn unknown(reason: String) -> Self {
        Self { told: CellArea::Unknown(reason), sizes: None, ellipsoidal: None }
    }
}

fn refused(crs: &Crs) -> Error {
    Error::usage("areas.ellipsoidal = true makes no sense on this grid")
        .found(format!("{} ({})", crs.name, crs.ellipsoid))
        .expected("an equal-area grid on a sphere, such as nalcms-250m, whose nominal areas are the sphere's")
}

impl Sizing {
    /// How large the cells of a grid are on an ellipsoid; the reason, where that cannot be said.
    fn of(grid: &Grid, crs: &Crs, ellipsoid: Ellipsoid) -> std::result::Result<Self, String> {
        let base = geographic_base(crs).map_err(|error| format!("{}: {}", crs.name, error.what()))?;
        let unit_m = if crs.geographic { ellipsoid.semi_major_m.to_radians() } else { crs.unit_m };
        let largest = on_plane_m2(grid, unit_m);
        if largest.is_nan() || largest > LARGEST_CELL_M2 {
            return Err(format!("a cell of {} km2 tells the area of no class", (largest / 1e6).round()));
        }
        if crs.geographic && grid.affine.0[2] == 0.0 && grid.affine.0[4] == 0.0 {
            return Ok(Self::ByRow(ellipsoid));
        }
        let to_base = if crs.geographic {
            None
        } else {
            let (x, y) = grid.affine.apply(grid.cols as f64 / 2.0, grid.rows as f64 / 2.0);
            let none = |error: Error| format!("{}: {}", crs.name, error.what());
            Some(Operation::choose(crs, &base, x, y).map_err(none)?)
        };
        Ok(Self::ByPlace { ellipsoid, unit_m, to_base })
    }

    /// The areas of the cells of a block.
    ///
    /// # Errors
    /// Bug: PROJ cannot build the operation that it offered at plan time.
    pub fn of_block(&self, grid: &Grid, block: &Window) -> Result<BlockAreas> {
        match self {
            Self::ByRow(ellipsoid) => Ok(on_parallels(grid, block, ellipsoid)),
            Self::ByPlace { ellipsoid, unit_m, to_base } => {
                let to_earth = |xs: &mut [f64], ys: &mut [f64]| match to_base {
                    Some(operation) => operation.transform(Direction::Forward, xs, ys),
                    None => Ok(()),
                };
                on_a_plane(grid, block, ellipsoid, *unit_m, &to_earth)
            }
        }
    }

    /// What in it can change an area, for the identity of a task.
    pub fn identity(&self) -> Value {
        match self {
            Self::ByRow(ellipsoid) => json!(["row", ellipsoid]),
            Self::ByPlace { ellipsoid, unit_m, to_base } => {
                json!(["place", ellipsoid, unit_m, to_base.as_ref().map(Operation::identity)])
            }
        }
    }

    /// The method, for sidecars and reports.
    fn words(&self) -> String {
        match self {
            Self::ByRow(ellipsoid) => format!(
                "sum over cells of the area of each on {}: width in longitude x area between the parallels of its row, in \
                 closed form (Snyder 1987, USGS Professional Paper 1395, eq. 3-12), in whole mm2",
                ellipsoid.words()
            ),
            Self::ByPlace { ellipsoid, .. } => format!(
                "sum over cells of the area of each on {}: its area on the plane / areal scale of the projection at the \
                 cell (derivatives of PROJ's inverse, interpolated to 1e-9), in whole mm2; cells whose centre has no place \
                 on earth have none",
                ellipsoid.words()
            ),
        }
    }
}

/// The area of a cell on the plane, in m².
fn on_plane_m2(grid: &Grid, unit_m: f64) -> f64 {
    let [_, a, b, _, d, e] = grid.affine.0;
    (a * e - b * d).abs() * unit_m * unit_m
}
