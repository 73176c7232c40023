//! Maps of the 250 m grid whose file names another CRS.
//!
//! The grid lies on a sphere. Its files came with the CRS of the U.S. National Atlas, which EPSG has meanwhile moved to an
//! ellipsoid (EPSG:9311), and people declare it as the CRS of the 30 m grid, which has the same centre. Numbers and cells
//! are the same in all three; taken at its word such a file would be kilometres off.

use std::cell::OnceCell;
use std::path::Path;

use crate::config::shipped::{self, NamedGrid};
use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::{crs_from_wkt, same_crs};
use crate::io::proj::{Direction, Operation};
use crate::model::grid::{Crs, Fit, Grid};

/// The grid on the sphere, and the one that has its centre on WGS 84.
const SPHERE_GRID: &str = "nalcms-250m";
const WGS_84_GRID: &str = "nalcms-30m";

/// The projection of the sphere's grid on an ellipsoid. Source: EPSG dataset, 9311, which supersedes 2163.
const NATIONAL_ATLAS: &str = "EPSG:9311";

/// The grid on the sphere and the CRSs that its files are declared in.
pub struct SphereGrid {
    /// Its cells, without their CRS.
    cells: Grid,
    /// Looked up when the first raster has such cells: most jobs have none.
    crss: OnceCell<Crss>,
}

struct Crss {
    sphere: Crs,
    atlas: Crs,
    wgs_84: Crs,
}

/// A raster that has the cells of the 250 m grid, on an ellipsoid.
#[derive(Debug)]
pub struct Mistaken {
    /// The CRS that its cells were made for.
    pub sphere: Crs,
    /// Whether it names the National Atlas: no map of that name lies on the lattice but those of the sphere.
    pub is_atlas: bool,
    /// How far its middle lies from where the file's CRS puts it, in metres.
    pub shift_m: f64,
}

impl SphereGrid {
    /// Reads the grid that ships.
    ///
    /// # Errors
    /// Bug: it is not there.
    pub fn load() -> Result<Self> {
        Ok(Self { cells: named(SPHERE_GRID)?.cells(), crss: OnceCell::new() })
    }

    fn crss(&self) -> Result<&Crss> {
        if let Some(known) = self.crss.get() {
            return Ok(known);
        }
        let crs = |id: &str| crs_from_wkt(&named(id)?.crs);
        let (sphere, wgs_84, atlas) = (crs(SPHERE_GRID)?, crs(WGS_84_GRID)?, crs_from_wkt(NATIONAL_ATLAS)?);
        Ok(self.crss.get_or_init(|| Crss { sphere, atlas, wgs_84 }))
    }

    /// Whether a raster that names an ellipsoid has the cells of the 250 m grid.
    ///
    /// # Errors
    /// Input: GDAL or PROJ does not understand its CRS.
    pub fn mistaken(&self, raster: &Grid) -> Result<Option<Mistaken>> {
        let Some(crs) = raster.crs.as_ref().filter(|_| raster.affine.is_north_up()) else { return Ok(None) };
        if !matches!(self.cells.fit(raster), Fit::Lattice { .. }) {
            return Ok(None);
        }
        let Crss { sphere, atlas, wgs_84 } = self.crss()?;
        let is_atlas = same_crs(crs, atlas)?;
        if !is_atlas && !same_crs(crs, wgs_84)? {
            return Ok(None);
        }
        let (x, y) = raster.affine.apply(raster.cols as f64 / 2.0, raster.rows as f64 / 2.0);
        let (mut xs, mut ys) = ([x], [y]);
        Operation::choose(crs, sphere, x, y)?.transform(Direction::Forward, &mut xs, &mut ys)?;
        let shift_m = (xs[0] - x).hypot(ys[0] - y);
        Ok(Some(Mistaken { sphere: sphere.clone(), is_atlas, shift_m }))
    }
}

fn named(id: &str) -> Result<NamedGrid> {
    shipped::grid(id, Path::new("."))
}

impl Mistaken {
    /// What is said of a file that is read as the sphere's.
    pub fn warning(&self, declared: &Crs) -> String {
        format!(
            "its CRS is {} ({}), but its cells are those of {SPHERE_GRID}: it is read as {}; taken at its word, its middle \
             would lie {:.0} m away",
            declared.name, declared.ellipsoid, self.sphere.ellipsoid, self.shift_m
        )
    }

    /// What is said of a file that is taken at its word.
    pub fn doubt(&self, declared: &Crs) -> String {
        format!(
            "its cells are those of {SPHERE_GRID}, but it is taken at its word: {} ({}); if it is a map of that grid, its \
             middle lies {:.0} m away",
            declared.name, declared.ellipsoid, self.shift_m
        )
    }

    /// The error for a file that may be meant either way.
    pub fn refusal(&self, declared: &Crs) -> Error {
        Error::new(ErrorKind::Misaligned, "a raster has the cells of the 250 m grid, but another CRS")
            .found(format!(
                "{} ({}); taken at its word, its middle would lie {:.0} m from where the grid has it",
                declared.name, declared.ellipsoid, self.shift_m
            ))
            .expected(format!("the CRS of {SPHERE_GRID}: {}", self.sphere.ellipsoid))
            .help(
                "if it is a map of that grid, give it its CRS (gdal_edit.py -a_srs '+proj=laea +lat_0=45 +lon_0=-100 \
                 +R=6370997 +units=m' FILE); if it really lies there, declare resampling = \"nearest\"",
            )
    }
}
