//! Which cells of a scene and of the target lie on each other, where the scene lies on another grid.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::io::proj::Direction;
use crate::kernel::align::{Frame, Located, Run, locate, runs, wrap_longitudes};
use crate::model::grid::{Grid, cell_index};
use crate::model::window::Window;
use crate::plan::Plan;
use crate::plan::scene::{Alignment, Scene, SourceLattice};

/// Smaller cells of a lattice that are added to a window which may hold their centres: for what bends between the points by
/// which the window is taken there.
const MARGIN: i64 = 2;

/// Points on each side of a cell by which a window is taken to a lattice.
const POINTS_PER_CELL: usize = 4;

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
    /// Bug: PROJ lost an operation, or the scene lies on the lattice and needs no locating.
    pub fn locate(&mut self, scene: &Scene, window: &Window) -> Result<Rc<Located>> {
        let key = (scene.geometry, *window);
        if let Some(located) = self.known.get(&key) {
            return Ok(located.clone());
        }
        let Alignment::Nearest { operation, frame } = &scene.alignment else {
            return Err(Error::bug("a scene on the lattice needs no locating"));
        };
        let located = locate(&self.plan.grid, window, frame, |xs, ys| match operation {
            Some(operation) => operation.transform(Direction::Inverse, xs, ys),
            None => Ok(()),
        })?;
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
        let (mut xs, mut ys) = edge(&self.plan.grid, window);
        if let Some(operation) = &lattice.operation {
            operation.transform(Direction::Inverse, &mut xs, &mut ys)?;
        }
        let Some(frame) = Frame::of(&lattice.grid) else { return Ok(*most) };
        if let Some(west) = frame.west {
            wrap_longitudes(&mut xs, west);
        }
        let mut under = Window::whole(0, 0);
        for (&x, &y) in xs.iter().zip(&ys) {
            let (col, row) = frame.to_cell.apply(x, y);
            if !col.is_finite() || !row.is_finite() {
                return Ok(*most);
            }
            let (row, col) = (cell_index(row.floor()), cell_index(col.floor()));
            under =
                under.union(&Window::between(row - MARGIN, col - MARGIN, row + MARGIN + 1, col + MARGIN + 1));
        }
        Ok(under)
    }

    /// Hands out the cells of a window of a source lattice with their centre in a window of the target grid, in runs.
    ///
    /// # Errors
    /// Bug: PROJ lost an operation.
    pub fn runs(
        &self,
        lattice: &SourceLattice,
        piece: &Window,
        window: &Window,
        each: impl FnMut(Run),
    ) -> Result<()> {
        let frame = Frame::of(&self.plan.grid).ok_or_else(|| Error::bug("the target grid is no grid"))?;
        let carry = |xs: &mut [f64], ys: &mut [f64]| match &lattice.operation {
            Some(operation) => operation.transform(Direction::Forward, xs, ys),
            None => Ok(()),
        };
        runs(&lattice.grid, piece, &frame, window, carry, each)
    }
}

/// Points along the edge of a window, some for each cell.
fn edge(grid: &Grid, window: &Window) -> (Vec<f64>, Vec<f64>) {
    let along =
        |cells: usize| (0..=cells * POINTS_PER_CELL).map(|point| point as f64 / POINTS_PER_CELL as f64);
    let (rows, cols) = (window.rows as f64, window.cols as f64);
    let across = along(window.cols).flat_map(|col| [(col, 0.0), (col, rows)]);
    let down = along(window.rows).flat_map(|row| [(0.0, row), (cols, row)]);
    across
        .chain(down)
        .map(|(col, row)| grid.affine.apply(window.col as f64 + col, window.row as f64 + row))
        .unzip()
}
