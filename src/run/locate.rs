//! Which cells of a scene and of the target lie on each other, where the scene lies on another grid.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::io::proj::Direction;
use crate::kernel::align::{Frame, Located, Mesh, Run, locate, runs, wrap_longitudes};
use crate::model::grid::{Grid, cell_index};
use crate::model::window::Window;
use crate::plan::Plan;
use crate::plan::alignment::{Alignment, SourceLattice};
use crate::plan::scene::Scene;

/// Smaller cells of a lattice that are added to a window which may hold their centres.
const MARGIN: f64 = 2.0;

/// Stretches of each side of a window that are taken to a lattice as if they were straight.
const STRETCHES: usize = 16;

/// Locates cells, once for all scenes that have the same cells: maps of several years usually share theirs.
pub struct Locator<'a> {
    plan: &'a Plan,
    known: BTreeMap<(usize, Window), Rc<Located>>,
}

impl<'a> Locator<'a> {
    /// Nothing located yet.
    pub fn new(plan: &'a Plan) -> Self {
        Self { plan, known: BTreeMap::new() }
    }

    /// Forgets what was located at the place before.
    pub fn next_place(&mut self) {
        self.known.clear();
    }

    /// The source cells under a window of the target grid.
    ///
    /// # Errors
    /// As [`source_cells`].
    pub fn locate(&mut self, scene: &Scene, window: &Window) -> Result<Rc<Located>> {
        let key = (scene.geometry, *window);
        if let Some(located) = self.known.get(&key) {
            return Ok(located.clone());
        }
        let located = source_cells(&scene.alignment, &self.plan.grid, window)?;
        let located = Rc::new(located);
        self.known.insert(key, located.clone());
        Ok(located)
    }

    /// The window of a source lattice that holds all its cells with their centre in a window of the target grid; of a lattice
    /// that cannot be reached everywhere, all of `most`.
    ///
    /// # Errors
    /// Bug: PROJ lost an operation.
    pub fn under(&self, lattice: &SourceLattice, window: &Window, most: &Window) -> Result<Window> {
        let Some(frame) = Frame::of(&lattice.grid) else { return Ok(*most) };
        // Tiles may lie to either side of the first, whose turn of longitudes is that of its own west.
        let middle = most.col as f64 + most.cols as f64 / 2.0;
        let turn = frame.west.map(|_| lattice.grid.affine.apply(middle, 0.0).0 - 180.0);
        let mut under = Window::whole(0, 0);
        for (mut xs, mut ys) in sides(&self.plan.grid, window) {
            if let Some(operation) = &lattice.operation {
                operation.transform(Direction::Inverse, &mut xs, &mut ys)?;
            }
            if let Some(turn) = turn {
                wrap_longitudes(&mut xs, turn);
            }
            let (cols, rows): (Vec<f64>, Vec<f64>) =
                xs.iter().zip(&ys).map(|(&x, &y)| frame.to_cell.apply(x, y)).unzip();
            if cols.iter().chain(&rows).any(|at| !at.is_finite()) {
                return Ok(*most);
            }
            let (cols, rows) = (reach(&cols), reach(&rows));
            under = under.union(&Window::between(rows.0, cols.0, rows.1, cols.1));
        }
        Ok(under)
    }

    /// A window of a source lattice, carried to the target grid.
    ///
    /// # Errors
    /// Bug: PROJ lost an operation.
    pub fn mesh(&self, lattice: &SourceLattice, window: &Window) -> Result<Mesh> {
        let frame = Frame::of(&self.plan.grid).ok_or_else(|| Error::bug("the target grid is no grid"))?;
        Mesh::over(&lattice.grid, window, &frame, &mut |xs: &mut [f64], ys: &mut [f64]| {
            to_target(lattice, xs, ys)
        })
    }

    /// Hands out the cells of a window of a source lattice with their centre in a window of the target grid, in runs.
    ///
    /// # Shape
    /// `mesh` is one of the lattice and holds the window.
    /// # Errors
    /// Bug: PROJ lost an operation.
    pub fn runs(
        &self,
        lattice: &SourceLattice,
        mesh: &Mesh,
        piece: &Window,
        window: &Window,
        each: impl FnMut(&[Run]),
    ) -> Result<()> {
        runs(mesh, piece, window, |xs: &mut [f64], ys: &mut [f64]| to_target(lattice, xs, ys), each)
    }
}

/// Takes points of a source lattice's CRS to that of the target grid.
fn to_target(lattice: &SourceLattice, xs: &mut [f64], ys: &mut [f64]) -> Result<()> {
    match &lattice.operation {
        Some(operation) => operation.transform(Direction::Forward, xs, ys),
        None => Ok(()),
    }
}

/// The cells of a raster under a window of the target grid.
///
/// # Errors
/// Bug: PROJ lost an operation, or the raster is not taken by nearest neighbour.
pub fn source_cells(alignment: &Alignment, grid: &Grid, window: &Window) -> Result<Located> {
    let Alignment::Nearest { operation, frame } = alignment else {
        return Err(Error::bug("a raster that is not taken by nearest neighbour needs no locating"));
    };
    locate(grid, window, frame, |xs, ys| match operation {
        Some(operation) => operation.transform(Direction::Inverse, xs, ys),
        None => Ok(()),
    })
}

/// Points along each side of a window.
fn sides(grid: &Grid, window: &Window) -> [(Vec<f64>, Vec<f64>); 4] {
    let (rows, cols) = (window.rows as f64, window.cols as f64);
    let side = |from: (f64, f64), to: (f64, f64)| {
        let point = |stretch: usize| {
            let part = stretch as f64 / STRETCHES as f64;
            let at = |from: f64, to: f64| from + (to - from) * part;
            grid.affine.apply(window.col as f64 + at(from.0, to.0), window.row as f64 + at(from.1, to.1))
        };
        (0..=STRETCHES).map(point).unzip()
    };
    [
        side((0.0, 0.0), (cols, 0.0)),
        side((0.0, rows), (cols, rows)),
        side((0.0, 0.0), (0.0, rows)),
        side((cols, 0.0), (cols, rows)),
    ]
}

/// First and last + 1 of the cells between the least and the largest of places along a line, and of those that it may
/// bend to between them: an eighth of what it bends from stretch to stretch, taken eightfold.
fn reach(places: &[f64]) -> (i64, i64) {
    let bend =
        places.windows(3).map(|three| (three[0] - 2.0 * three[1] + three[2]).abs()).fold(0.0, f64::max);
    let least = places.iter().copied().fold(f64::INFINITY, f64::min);
    let most = places.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (cell_index((least - bend - MARGIN).floor()), cell_index((most + bend + MARGIN).ceil()))
}
