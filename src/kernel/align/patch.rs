//! Locating cells between nodes: nine points of a patch of 128 x 128 cells are carried, the others interpolated.
//!
//! Maps between projections are smooth: a polynomial of the second degree through nodes 64 cells of 30 m apart is wrong by some
//! millionths of a cell. How wrong is measured in each patch, at the four points where the error of such a polynomial is
//! largest; eight times that, and no less than [`LEAST_BOUND_M`], is taken for the bound. Cells whose centre comes nearer to
//! a cell's edge are doubtful, and so are all cells of a patch that bends too much or has nodes without a place.

use super::Frame;
use super::exact::carried;
use crate::model::grid::Grid;
use crate::model::window::Window;

/// Cells from node to node; nodes stand at multiples of it, counted from the lattice's origin.
const STEP: i64 = 64;

/// Side of a patch: three nodes.
pub(super) const SIDE: i64 = 2 * STEP;

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

/// A polynomial of the second degree: `value(t) = (c t + b) t + a`, t in steps of nodes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quadratic {
    a: f64,
    b: f64,
    c: f64,
}

impl Quadratic {
    /// Through three values at t = 0, 1 and 2.
    fn through([first, middle, last]: [f64; 3]) -> Self {
        let bend = (first - 2.0 * middle + last) / 2.0;
        Self { a: first, b: middle - first - bend, c: bend }
    }

    #[inline(always)]
    fn at(self, t: f64) -> f64 {
        (self.c * t + self.b) * t + self.a
    }

    /// How far it is from the straight line between two of its points on a patch, at most.
    pub fn bulge(self) -> f64 {
        self.c.abs()
    }

    /// Whether it rises or falls all along a patch.
    fn is_monotone(self) -> bool {
        self.b * (self.b + 4.0 * self.c) >= 0.0
    }

    /// The whole number below it all along a line, if that is one and no place comes within `bound` of another.
    pub fn constant(self, begin: usize, cells: usize, bound: f64) -> Option<i32> {
        let (first, last) = (self.at(steps(begin as i64)), self.at(steps((begin + cells) as i64 - 1)));
        let whole = first.floor();
        let clear = |at: f64| at - whole > bound && at - whole < 1.0 - bound;
        (self.is_monotone() && clear(first) && clear(last)).then_some(whole as i32)
    }
}

/// A place in a patch, in steps of nodes.
fn steps(cells: i64) -> f64 {
    cells as f64 / STEP as f64
}

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
        let line = |nodes: &[[f64; 3]; 3]| {
            let at = |col: usize| Quadratic::through([nodes[0][col], nodes[1][col], nodes[2][col]]).at(t);
            Quadratic::through([at(0), at(1), at(2)])
        };
        (line(&self.cols), line(&self.rows))
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

/// Hands out the lines of a window, patch by patch. Patches that hold nothing of `wanted`, a window of the raster, may be
/// left out.
///
/// # Errors
/// Those of `carry` and of `each`.
pub(super) fn lines<E>(
    grid: &Grid,
    window: &Window,
    frame: &Frame,
    wanted: Option<&Window>,
    carry: &mut impl FnMut(&mut [f64], &mut [f64]) -> Result<(), E>,
    mut each: impl FnMut(Line),
) -> Result<(), E> {
    let on_lattice = window.shift(grid.lattice.0, grid.lattice.1);
    let patches = Patches::covering(&on_lattice);
    let centre = |(row, col): (i64, i64)| {
        grid.affine.apply((col - grid.lattice.1) as f64 + 0.5, (row - grid.lattice.0) as f64 + 0.5)
    };
    let points = patches.nodes().chain(patches.samples());
    let (at_cols, at_rows) = carried(frame, points.map(centre).unzip(), carry)?;
    for (number, place) in patches.places().enumerate() {
        let (patch, samples) = patches.patch(number, &at_cols, &at_rows);
        let bound = patch.bound(samples, frame);
        if let (Some(_), Some(wanted)) = (bound, wanted)
            && patch.extent().intersect(wanted).is_empty()
        {
            continue;
        }
        let part = place.intersect(&on_lattice);
        for row in part.row..part.row_end() {
            let first = (row - on_lattice.row) as usize * window.cols + (part.col - on_lattice.col) as usize;
            let along = bound.map(|bound| {
                let (col, row) = patch.along(row - place.row);
                Along { col, row, begin: (part.col - place.col) as usize, bound }
            });
            each(Line { first, cells: part.cols, along });
        }
    }
    Ok(())
}

/// Interpolates the row and column of the raster under each cell of a window, also where that is outside the raster.
/// Returns the cells, counted row by row, whose place is doubtful; theirs is undefined.
pub(super) fn interpolate<E>(
    grid: &Grid,
    window: &Window,
    frame: &Frame,
    carry: &mut impl FnMut(&mut [f64], &mut [f64]) -> Result<(), E>,
    rows: &mut [i32],
    cols: &mut [i32],
) -> Result<Vec<u32>, E> {
    let mut doubtful = Vec::new();
    lines(grid, window, frame, None, carry, |line| {
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
    })?;
    Ok(doubtful)
}

/// The patches that cover a window of the lattice.
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

/// One coordinate along a line of a patch.
pub(super) mod line {
    use super::{Quadratic, SIDE, STEP};

    /// Adding it leaves no room for fractions: the sum is rounded to the nearest whole number, which its lowest bits are.
    const ROUNDING: f64 = 1.5 * (1u64 << 52) as f64;

    /// Places along a patch, in steps of nodes.
    const PLACES: [f64; SIDE as usize] = {
        let mut places = [0.0; SIDE as usize];
        let mut at = 0;
        while at < places.len() {
            places[at] = at as f64 / STEP as f64;
            at += 1;
        }
        places
    };

    /// How far a coordinate is from the next edge of a cell.
    #[inline(always)]
    pub fn to_edge(at: f64) -> f64 {
        (at - ((at + ROUNDING) - ROUNDING)).abs()
    }

    /// Writes the cell that holds each coordinate from the place `begin` of the patch on, and tells how near any comes
    /// to a cell's edge.
    ///
    /// # Shape
    /// The cells lie in the patch.
    pub fn place(of: Quadratic, begin: usize, cells: &mut [i32]) -> f64 {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            #[expect(unsafe_code, reason = "the processor has the instructions")]
            return unsafe { place_avx512(of, begin, cells) };
        } else if is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "the processor has the instructions")]
            return unsafe { place_avx2(of, begin, cells) };
        }
        place_with(of, begin, cells)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn place_avx512(of: Quadratic, begin: usize, cells: &mut [i32]) -> f64 {
        place_with(of, begin, cells)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn place_avx2(of: Quadratic, begin: usize, cells: &mut [i32]) -> f64 {
        place_with(of, begin, cells)
    }

    /// Inlined, so that it is compiled for the instructions of the caller; no instruction rounds differently.
    #[inline(always)]
    fn place_with(of: Quadratic, begin: usize, cells: &mut [i32]) -> f64 {
        const AT_ONCE: usize = 8;
        let (eights, rest) = cells.as_chunks_mut::<AT_ONCE>();
        let (place_eights, place_rest) =
            PLACES[begin..][..eights.len() * AT_ONCE + rest.len()].as_chunks::<AT_ONCE>();
        let mut least = [f64::INFINITY; AT_ONCE];
        for (cells, places) in eights.iter_mut().zip(place_eights) {
            for i in 0..AT_ONCE {
                let near;
                (cells[i], near) = cell(of.at(places[i]));
                least[i] = if near < least[i] { near } else { least[i] };
            }
        }
        for (out, &place) in rest.iter_mut().zip(place_rest) {
            let near;
            (*out, near) = cell(of.at(place));
            least[0] = least[0].min(near);
        }
        least.into_iter().fold(f64::INFINITY, f64::min)
    }

    /// The cell that holds a coordinate, and how far it is from the next edge of a cell.
    #[inline(always)]
    fn cell(at: f64) -> (i32, f64) {
        let shifted = at + ROUNDING;
        let beyond = at - (shifted - ROUNDING);
        (shifted.to_bits() as i32 - i32::from(beyond < 0.0), beyond.abs())
    }
}
