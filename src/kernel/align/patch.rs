//! Locating cells between nodes: nine points of a patch of 128 x 128 cells are carried, the others interpolated.
//!
//! Maps between projections are smooth: a polynomial of the second degree through nodes 64 cells of 30 m apart is wrong by some
//! millionths of a cell. How wrong is measured in each patch, at the four points where the error of such a polynomial is
//! largest; eight times that, and no less than [`LEAST_BOUND_M`], is taken for the bound. Cells whose centre comes nearer to
//! a cell's edge are doubtful, and so are all cells of a patch that bends too much or has nodes without a place.

use super::Frame;
use super::exact::carried;
use super::line::{self, LINES, Quadratic, Quadratics, SIDE, STEP, steps};
use crate::model::grid::Grid;
use crate::model::window::Window;

/// Windows of fewer cells are not worth a patch.
pub(super) const LEAST_CELLS: u64 = 64;

/// What interpolation is taken to be wrong by at least, in metres: shifts between datums come as grids with kinks of
/// millimetres that four points may not show.
const LEAST_BOUND_M: f64 = 0.0075;

/// A patch that is less exact than this is not interpolated.
const LARGEST_BOUND: f64 = 0.125;

/// How many times the largest error met at the samples is taken for the bound.
const SAFETY: f64 = 8.0;

/// Rows and columns of a patch at which the error of interpolation is largest: 1 -+ 1/sqrt(3) steps from its begin.
const SAMPLES: [i64; 2] = [27, 101];

/// Beyond this, in cells, no raster reaches and whole numbers of 32 bits end.
const FAR: f64 = 1e9;

/// How much further or less far than a cell the next one may lie, in rows and in columns, where rows run nearly along those
/// of a raster.
const MOST_ASKEW: f64 = 0.2;

/// (column, row) of the raster at the nodes of a patch.
#[derive(Debug)]
struct Patch {
    cols: [[f64; 3]; 3],
    rows: [[f64; 3]; 3],
}

impl Patch {
    /// Columns and rows along one row of the patch.
    fn along(&self, row: i64) -> (Quadratic, Quadratic) {
        let t = steps(row);
        (along(&down(&self.cols), t), along(&down(&self.rows), t))
    }

    /// How far interpolation may be wrong, in cells; `None` if that is too far, or cannot be said.
    ///
    /// `samples` are the (column, row) at [`SAMPLES`], row by row.
    fn bound(&self, samples: [(f64, f64); 4], frame: &Frame) -> Option<f64> {
        let nodes = || self.cols.iter().chain(&self.rows).flatten().copied();
        if !nodes().all(|at| at.abs() < FAR) || self.meets_turn(frame) {
            return None;
        }
        let places = SAMPLES.into_iter().flat_map(|row| SAMPLES.map(|col| (row, col)));
        let mut worst = 0.0;
        for ((row, col), (exact_col, exact_row)) in places.zip(samples) {
            let (cols, rows) = self.along(row);
            let error = (cols.at(steps(col)) - exact_col).abs() + (rows.at(steps(col)) - exact_row).abs();
            // What is no number is no bound.
            worst = if error <= worst { worst } else { error };
        }
        let bound = (SAFETY * worst).max(LEAST_BOUND_M / frame.cell_m);
        (worst.is_finite() && bound <= LARGEST_BOUND).then_some(bound)
    }

    /// A window of the raster that holds all it holds.
    fn extent(&self) -> Window {
        let range = |nodes: &[[f64; 3]; 3]| {
            let all = || nodes.iter().flatten().copied();
            let (least, most) =
                (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
            // It bends beyond the nodes by no more than its lines and columns do.
            let down = [0, 1, 2].map(|col| nodes.map(|row| row[col]));
            let bends = nodes.iter().chain(&down).map(|line| Quadratic::through(*line).bulge());
            let margin = 2.0 * bends.fold(0.0, f64::max) + 1.0;
            ((least - margin).floor() as i64, (most + margin).ceil() as i64)
        };
        let ((col, col_end), (row, row_end)) = (range(&self.cols), range(&self.rows));
        Window::between(row, col, row_end, col_end)
    }

    /// Whether the meridian at which longitudes turn may run through the patch: samples may miss a sliver beyond it.
    fn meets_turn(&self, frame: &Frame) -> bool {
        let (Some(west), [origin, x, y, ..]) = (frame.west, frame.to_cell.0) else { return false };
        let cols = || self.cols.iter().flatten().copied();
        let (least, most) = (cols().fold(f64::INFINITY, f64::min), cols().fold(f64::NEG_INFINITY, f64::max));
        let spread = most - least;
        // Longitudes run along the columns of nearly all rasters; others are carried.
        let turn = origin + x * west;
        y != 0.0 || x <= 0.0 || least - spread < turn || most + spread > turn + 360.0 * x
    }
}

/// Polynomials down the three columns of nodes of a patch.
fn down(nodes: &[[f64; 3]; 3]) -> [Quadratic; 3] {
    [0, 1, 2].map(|col| Quadratic::through(nodes.map(|row| row[col])))
}

/// The polynomial along a line of a patch.
#[inline(always)]
fn along(down: &[Quadratic; 3], t: f64) -> Quadratic {
    Quadratic::through(down.map(|down| down.at(t)))
}

/// The columns and rows along a line of a patch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Along {
    /// Column of the raster.
    pub col: Quadratic,
    /// Row of the raster.
    pub row: Quadratic,
    /// Cells of the patch before the line's first.
    pub begin: usize,
    /// How far both may be wrong, in cells.
    pub bound: f64,
}

impl Along {
    /// The column and row at a cell of the line.
    #[inline(always)]
    pub fn at(&self, cell: usize) -> (f64, f64) {
        let t = steps((self.begin + cell) as i64);
        (self.col.at(t), self.row.at(t))
    }

    /// Whether the place of a cell is doubtful.
    pub fn is_doubtful(&self, cell: usize) -> bool {
        let (col, row) = self.at(cell);
        line::to_edge(col).min(line::to_edge(row)) <= self.bound
    }
}

/// Lines of a patch, one below the other.
#[derive(Debug, Clone)]
pub(super) struct Band {
    /// First cell of the first line, the cells of the window counted row by row.
    pub first: usize,
    /// Cells of each line.
    pub cells: usize,
    /// How many there are, at most [`LINES`].
    pub lines: usize,
    /// Where they lie; `None` where all are doubtful.
    pub along: Option<AlongAll>,
}

/// The columns and rows along the lines of a band.
#[derive(Debug, Clone)]
pub(super) struct AlongAll {
    /// Columns of the raster.
    pub cols: Quadratics,
    /// Rows of the raster.
    pub rows: Quadratics,
    /// Cells of the patch before the lines' first.
    pub begin: usize,
    /// How far both may be wrong, in cells.
    pub bound: f64,
}

impl AlongAll {
    /// The same with columns less one for each cell of the patch.
    pub fn less_a_column_a_cell(&self) -> Self {
        Self { cols: self.cols.less_one_a_cell(), ..self.clone() }
    }

    /// One of the lines.
    pub fn line(&self, line: usize) -> Along {
        Along { col: self.cols.one(line), row: self.rows.one(line), begin: self.begin, bound: self.bound }
    }
}

/// Cells side by side in a window and in a patch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Its first cell, the cells of the window counted row by row.
    pub first: usize,
    /// Number of cells.
    pub cells: usize,
    /// Where they lie; `None` where all are doubtful.
    pub along: Option<Along>,
}

/// The patches of a window, carried to a raster: what is asked of parts of it again and again.
#[derive(Debug)]
pub struct Mesh {
    grid: Grid,
    frame: Frame,
    patches: Patches,
    /// Columns and rows of the raster at all nodes and then all samples.
    cols: Vec<f64>,
    rows: Vec<f64>,
}

impl Mesh {
    /// The patches that cover a window of a grid; `carry` is that of [`super::locate`].
    ///
    /// # Errors
    /// Those of `carry`.
    pub fn over<E>(
        grid: &Grid,
        window: &Window,
        frame: &Frame,
        carry: &mut impl FnMut(&mut [f64], &mut [f64]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let patches = Patches::covering(&window.shift(grid.lattice.0, grid.lattice.1));
        let centre = |(row, col): (i64, i64)| {
            grid.affine.apply((col - grid.lattice.1) as f64 + 0.5, (row - grid.lattice.0) as f64 + 0.5)
        };
        let points = patches.nodes().chain(patches.samples());
        let (cols, rows) = carried(frame, points.map(centre).unzip(), carry)?;
        Ok(Self { grid: grid.clone(), frame: frame.clone(), patches, cols, rows })
    }

    /// The grid whose cells are located.
    pub(super) fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The raster in which they are located.
    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Whether the raster has cells of nearly the same size and rows that run nearly along those of the grid, everywhere.
    pub(super) fn is_parallel(&self) -> bool {
        let across = self.patches.nodes_across();
        let nodes = across * (2 * self.patches.down + 1);
        let all = |values: &[f64], along: f64| {
            values[..nodes].chunks(across).flat_map(|row| row.windows(2)).all(|pair| {
                let ahead = (pair[1] - pair[0]) / STEP as f64;
                (ahead - along).abs() < MOST_ASKEW
            })
        };
        all(&self.cols, 1.0) && all(&self.rows, 0.0)
    }

    /// Whether it has all patches of a window.
    pub fn holds(&self, window: &Window) -> bool {
        self.patches.window().contains(&self.on_lattice(window))
    }

    fn on_lattice(&self, window: &Window) -> Window {
        window.shift(self.grid.lattice.0, self.grid.lattice.1)
    }

    /// Hands out the lines of a window in bands, patch by patch. Patches that hold nothing of `wanted`, a window of the
    /// raster, may be left out.
    ///
    /// # Shape
    /// It [holds](Self::holds) the window.
    pub(super) fn bands(&self, window: &Window, wanted: Option<&Window>, mut each: impl FnMut(&Band)) {
        let on_lattice = self.on_lattice(window);
        for (number, place) in self.patches.under(&on_lattice) {
            let (patch, samples) = self.patches.patch(number, &self.cols, &self.rows);
            let bound = patch.bound(samples, &self.frame);
            if let (Some(_), Some(wanted)) = (bound, wanted)
                && patch.extent().intersect(wanted).is_empty()
            {
                continue;
            }
            let part = place.intersect(&on_lattice);
            let begin = (part.col - place.col) as usize;
            let (cols_down, rows_down) = (down(&patch.cols), down(&patch.rows));
            for row in (part.row..part.row_end()).step_by(LINES) {
                let first =
                    (row - on_lattice.row) as usize * window.cols + (part.col - on_lattice.col) as usize;
                let lines = LINES.min((part.row_end() - row) as usize);
                let ts: [f64; LINES] = std::array::from_fn(|line| steps(row - place.row + line as i64));
                let along_all = bound.map(|bound| {
                    let lines = |down| Quadratics::of(&ts.map(|t| along(down, t)));
                    AlongAll { cols: lines(&cols_down), rows: lines(&rows_down), begin, bound }
                });
                each(&Band { first, cells: part.cols, lines, along: along_all });
            }
        }
    }

    /// Hands out the lines of a window one by one; see [`Self::bands`].
    fn lines(&self, window: &Window, mut each: impl FnMut(&Line)) {
        self.bands(window, None, |band| {
            for line in 0..band.lines {
                let along = band.along.as_ref().map(|along| along.line(line));
                each(&Line { first: band.first + line * window.cols, cells: band.cells, along });
            }
        });
    }
}

/// Interpolates the row and column of the raster under each cell of a window, also where that is outside the raster.
/// Returns the cells, counted row by row, whose place is doubtful; theirs is undefined.
///
/// # Shape
/// `mesh` holds the window.
pub(super) fn interpolate(mesh: &Mesh, window: &Window, rows: &mut [i32], cols: &mut [i32]) -> Vec<u32> {
    let mut doubtful = Vec::new();
    mesh.lines(window, |line| {
        let places = line.first..line.first + line.cells;
        let Some(along) = line.along else {
            doubtful.extend(places.map(|at| at as u32));
            return;
        };
        let (cols, rows) = (&mut cols[places.clone()], &mut rows[places]);
        let least = line::place(along.col, along.begin, cols).min(line::place(along.row, along.begin, rows));
        if least <= along.bound {
            let near = (0..line.cells).filter(|&cell| along.is_doubtful(cell));
            doubtful.extend(near.map(|cell| (line.first + cell) as u32));
        }
    });
    doubtful
}

/// The patches that cover a window of the lattice.
#[derive(Debug)]
struct Patches {
    /// First cell of the first patch.
    row: i64,
    col: i64,
    down: usize,
    across: usize,
}

impl Patches {
    fn covering(window: &Window) -> Self {
        let (row, col) = (window.row.div_euclid(SIDE) * SIDE, window.col.div_euclid(SIDE) * SIDE);
        let patches = |from: i64, end: i64| ((end - from) as usize).div_ceil(SIDE as usize);
        Self { row, col, down: patches(row, window.row_end()), across: patches(col, window.col_end()) }
    }

    /// The window that they cover.
    fn window(&self) -> Window {
        let side = SIDE as usize;
        Window { row: self.row, col: self.col, rows: self.down * side, cols: self.across * side }
    }

    /// Those that a window of the lattice meets, row by row, with their numbers.
    fn under(&self, window: &Window) -> impl Iterator<Item = (usize, Window)> + use<> {
        let met = window.intersect(&self.window());
        let met =
            if met.is_empty() { Window { row: self.row, col: self.col, rows: 0, cols: 0 } } else { met };
        let (row, col, across) = (self.row, self.col, self.across);
        let range = |from: i64, end: i64| (from.div_euclid(SIDE), (end + SIDE - 1).div_euclid(SIDE));
        let (down, down_end) = range(met.row - row, met.row_end() - row);
        let (first, end) = range(met.col - col, met.col_end() - col);
        (down..down_end).flat_map(move |down| {
            (first..end).map(move |at| {
                let (row, col) = (row + down * SIDE, col + at * SIDE);
                let place = Window { row, col, rows: SIDE as usize, cols: SIDE as usize };
                (down as usize * across + at as usize, place)
            })
        })
    }

    /// Patches, row by row.
    fn places(&self) -> impl Iterator<Item = Window> + use<'_> {
        (0..self.down as i64).flat_map(move |down| {
            (0..self.across as i64).map(move |across| Window {
                row: self.row + down * SIDE,
                col: self.col + across * SIDE,
                rows: SIDE as usize,
                cols: SIDE as usize,
            })
        })
    }

    fn nodes_across(&self) -> usize {
        2 * self.across + 1
    }

    /// Row and column of all nodes, row by row.
    fn nodes(&self) -> impl Iterator<Item = (i64, i64)> + use<'_> {
        (0..=2 * self.down as i64).flat_map(move |down| {
            (0..=2 * self.across as i64).map(move |across| (self.row + down * STEP, self.col + across * STEP))
        })
    }

    /// Row and column of the samples, patch by patch.
    fn samples(&self) -> impl Iterator<Item = (i64, i64)> + use<'_> {
        self.places().flat_map(|place| {
            SAMPLES.into_iter().flat_map(move |row| SAMPLES.map(|col| (place.row + row, place.col + col)))
        })
    }

    /// A patch and its samples, from the columns and rows at all nodes and then all samples.
    fn patch(&self, number: usize, cols: &[f64], rows: &[f64]) -> (Patch, [(f64, f64); 4]) {
        let (down, across) = (number / self.across, number % self.across);
        let node = |r: usize, c: usize| (2 * down + r) * self.nodes_across() + 2 * across + c;
        let nodes = |values: &[f64]| [0, 1, 2].map(|r| [0, 1, 2].map(|c| values[node(r, c)]));
        let first = (2 * self.down + 1) * self.nodes_across() + 4 * number;
        let samples = [0, 1, 2, 3].map(|sample| (cols[first + sample], rows[first + sample]));
        (Patch { cols: nodes(cols), rows: nodes(rows) }, samples)
    }
}
