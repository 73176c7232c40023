//! How the cells of a raster reach the target grid.

use std::sync::Arc;

use super::misfit::{misfit_words, no_crs, no_place};
use super::operations::Operations;
use crate::config::file::Resampling;
use crate::config::job::SourceMap;
use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::{RasterHeader, same_crs};
use crate::io::proj::{Direction, Operation};
use crate::kernel::align::Frame;
use crate::model::grid::{Crs, Fit, Grid};

/// How a scene's cells reach the target grid.
#[derive(Debug, Clone, PartialEq)]
pub enum Alignment {
    /// On the lattice: the scene's upper left cell is this cell of the target.
    Copy {
        /// Row of the target.
        row: i64,
        /// Column of the target.
        col: i64,
    },
    /// Nearest neighbour.
    Nearest {
        /// From the scene's CRS to the target's; `None` where they are the same.
        operation: Option<Operation>,
        /// Where the scene's cells lie in its CRS.
        frame: Frame,
    },
    /// The class of most of the scene's cells whose centres lie in a cell of the target.
    Mode {
        /// The lattice of the scene's cells, shared with other scenes of its kind: a cell that two tiles meet in takes the
        /// votes of both.
        lattice: Arc<SourceLattice>,
        /// Row of the lattice under the scene's first.
        row: i64,
        /// Column of the lattice under the scene's first.
        col: i64,
    },
}

/// A lattice of source cells.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceLattice {
    /// The grid of the first scene on it.
    pub grid: Grid,
    /// From its CRS to the target's; `None` where they are the same.
    pub operation: Option<Operation>,
}

impl Alignment {
    /// How the cells of a raster reach a grid: copied where they are the grid's own, else by nearest neighbour, with one
    /// operation chosen for the middle of the raster where it lies in another CRS.
    ///
    /// # Errors
    /// Input: one has a CRS and the other has none; no way between the two CRSs.
    pub fn between(source: &Grid, target: &Grid) -> Result<Self> {
        let (x, y) = middle(source);
        Self::by(source, target, |from, to| Operation::choose(from, to, x, y))
    }

    /// The same by an operation that `choose` gives.
    ///
    /// # Errors
    /// As [`Self::between`], and those of `choose`.
    pub fn by(
        source: &Grid,
        target: &Grid,
        choose: impl FnOnce(&Crs, &Crs) -> Result<Operation>,
    ) -> Result<Self> {
        let frame = Frame::of(source).ok_or_else(|| Error::input("the geotransform cannot be inverted"))?;
        let operation = match (&source.crs, &target.crs) {
            (Some(from), Some(to)) if !same_crs(from, to)? => Some(choose(from, to)?),
            (Some(_), Some(_)) | (None, None) => None,
            _ => return Err(no_crs()),
        };
        Ok(match (operation, target.fit(source)) {
            (None, Fit::Lattice { row, col }) => Self::Copy { row, col },
            (operation, _) => Self::Nearest { operation, frame },
        })
    }

    /// What of it decides where a cell goes, for the identity of a task.
    pub fn identity(&self) -> String {
        match self {
            Self::Copy { row, col } => format!("copy {row} {col}"),
            Self::Nearest { operation, frame } => {
                format!("nearest {:?} {frame:?}", operation.as_ref().map(Operation::identity))
            }
            Self::Mode { lattice, row, col } => {
                let operation = lattice.operation.as_ref().map(Operation::identity);
                format!("mode {operation:?} {:?} {row} {col}", lattice.grid.affine)
            }
        }
    }

    /// Whether cells are taken as they are.
    pub fn is_copy(&self) -> bool {
        matches!(self, Self::Copy { .. })
    }

    /// What takes its cells from one CRS to another, where they differ.
    pub fn operation(&self) -> Option<&Operation> {
        match self {
            Self::Copy { .. } => None,
            Self::Nearest { operation, .. } => operation.as_ref(),
            Self::Mode { lattice, .. } => lattice.operation.as_ref(),
        }
    }

    /// In words, for `plan` and run.json.
    pub fn words(&self) -> String {
        match self {
            Self::Copy { row, col } => format!("copied, on the lattice at row {row}, column {col}"),
            Self::Nearest { operation: Some(operation), .. } => {
                format!("nearest neighbour by {}", operation.words())
            }
            Self::Nearest { operation: None, .. } => "nearest neighbour in the same CRS".into(),
            Self::Mode { lattice, .. } => match &lattice.operation {
                Some(operation) => {
                    format!("mode of the cells with their centre inside, by {}", operation.words())
                }
                None => "mode of the cells with their centre inside, in the same CRS".into(),
            },
        }
    }
}

/// Finds how maps reach a grid, one after the other.
pub struct Aligner<'a> {
    grid: &'a Grid,
    /// Whether maps in another CRS are taken without a word.
    takes_any_crs: bool,
    operations: &'a mut Operations,
    lattices: Vec<Arc<SourceLattice>>,
}

impl<'a> Aligner<'a> {
    /// An aligner that has met no map yet.
    pub fn new(grid: &'a Grid, takes_any_crs: bool, operations: &'a mut Operations) -> Self {
        Self { grid, takes_any_crs, operations, lattices: Vec::new() }
    }

    /// How a map's cells reach the grid.
    ///
    /// # Errors
    /// Input: no CRS, no geotransform, no way between CRSs. Misaligned: shifted or other cells in the same CRS and nothing
    /// said of it; another CRS where none is taken; cells too large to vote.
    pub fn align(&mut self, header: &RasterHeader, map: &SourceMap) -> Result<Alignment> {
        let (source, resampling) = (&header.grid, map.resampling);
        let alignment = Alignment::by(source, self.grid, |from, to| {
            self.operations.between(from, to, middle(source), map.datum)
        })?;
        if source.crs.is_some() && !header.georeferenced {
            return Err(no_place());
        }
        let Alignment::Nearest { operation, .. } = &alignment else { return Ok(alignment) };
        match (operation, resampling) {
            (None, None) => {
                Err(Error::new(ErrorKind::Misaligned, "a raster's cells are not those of the grid")
                    .found(misfit_words(self.grid, source, self.grid.fit(source)))
                    .expected("the grid's own cells, or a declared way to resample them")
                    .help("declare resampling = \"nearest\" or \"mode\" for this source, if that is meant"))
            }
            (Some(_), None) if !self.takes_any_crs => {
                let name = |grid: &Grid| grid.crs.as_ref().map_or(String::new(), |crs| crs.name.clone());
                Err(Error::new(ErrorKind::Misaligned, "a raster lies in another CRS")
                    .found(name(source))
                    .expected(name(self.grid))
                    .help("put it on a grid first: nalcms align, or declare --resampling nearest"))
            }
            (operation, Some(Resampling::Mode)) => self.vote(source, operation.clone()),
            (_, Some(Resampling::Nearest) | None) => Ok(alignment),
        }
    }

    /// Finds the lattice on which a scene's cells vote.
    fn vote(&mut self, source: &Grid, operation: Option<Operation>) -> Result<Alignment> {
        let across = cells_across(self.grid, source, operation.as_ref())?;
        if across < LEAST_CELLS_ACROSS {
            return Err(Error::new(ErrorKind::Misaligned, "a raster's cells are too large for a vote")
                .found(format!("a cell of the grid is {across:.2} cells of the raster wide"))
                .expected("more than 1.42, so that every cell holds the centre of one at least")
                .help("declare resampling = \"nearest\" for this source"));
        }
        for lattice in &self.lattices {
            let same = match (&source.crs, &lattice.grid.crs) {
                (Some(a), Some(b)) => same_crs(a, b)?,
                (None, None) => true,
                _ => false,
            };
            if same
                && lattice.operation == operation
                && let Fit::Lattice { row, col } = lattice.grid.fit(source)
            {
                return Ok(Alignment::Mode { lattice: lattice.clone(), row, col });
            }
        }
        let lattice = Arc::new(SourceLattice { grid: source.clone(), operation });
        self.lattices.push(lattice.clone());
        Ok(Alignment::Mode { lattice, row: 0, col: 0 })
    }
}

/// The middle of a raster, in its CRS.
pub fn middle(grid: &Grid) -> (f64, f64) {
    grid.affine.apply(grid.cols as f64 / 2.0, grid.rows as f64 / 2.0)
}

/// A square of this side holds a point of any lattice of side 1: the square root of 2.
const LEAST_CELLS_ACROSS: f64 = std::f64::consts::SQRT_2;

/// How many cells of a source a cell of the target is wide or high, whichever is less, at the middle of the source.
fn cells_across(target: &Grid, source: &Grid, operation: Option<&Operation>) -> Result<f64> {
    let (x, y) = middle(source);
    let (mut xs, mut ys) = ([x], [y]);
    if let Some(operation) = operation {
        operation.transform(Direction::Forward, &mut xs, &mut ys)?;
    }
    let (Some(to_target), Some(to_source)) = (target.affine.inverse(), source.affine.inverse()) else {
        return Ok(0.0);
    };
    let (col, row) = to_target.apply(xs[0], ys[0]);
    let corner = |across: f64, down: f64| target.affine.apply(col + across, row + down);
    let (mut xs, mut ys): (Vec<f64>, Vec<f64>) =
        [corner(0.0, 0.0), corner(1.0, 0.0), corner(0.0, 1.0)].into_iter().unzip();
    if let Some(operation) = operation {
        operation.transform(Direction::Inverse, &mut xs, &mut ys)?;
    }
    let places: Vec<(f64, f64)> = xs.iter().zip(&ys).map(|(&x, &y)| to_source.apply(x, y)).collect();
    let distance = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).hypot(a.1 - b.1);
    Ok(distance(places[0], places[1]).min(distance(places[0], places[2])))
}
