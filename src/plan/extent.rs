//! Which cells the product covers.

use super::alignment::middle;
use super::inputs::InputHeader;
use super::misfit::{misfit_words, no_crs, no_place};
use super::operations::Operations;
use super::scene::{covered_beyond, outline};
use crate::config::file::Extent;
use crate::config::grids::GridChoice;
use crate::config::job::Job;
use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::{open_raster, same_crs};
use crate::io::proj::{Direction, Operation};
use crate::model::grid::{Crs, Fit, Grid, LATTICE_TOLERANCE_CELLS, cell_index};
use crate::model::window::Window;

/// A grid of the product, by position in the job: a window of the chosen lattice. The headers are those of its inputs.
pub fn target_grid(
    job: &Job,
    position: usize,
    headers: &[InputHeader],
    operations: &mut Operations,
) -> Result<Grid> {
    match &job.grids[position].choice {
        GridChoice::OfInputs => union_of_inputs(headers),
        GridChoice::Named { grid: named, extent } => {
            let full = named.grid()?;
            let window = match extent {
                Extent::Word(word) if word == "full" => full.window(),
                Extent::Word(word) if word == "inputs" => union_onto(&full, job, headers, operations)?,
                Extent::Word(word) => {
                    let bounds =
                        named.extents.get(word).ok_or_else(|| Error::bug(format!("no extent {word}")))?;
                    snapped(&full, *bounds)
                }
                Extent::Bounds(bounds) => snapped(&full, *bounds),
                Extent::Like { like } => {
                    let header = open_raster(like, Some(1))?.header;
                    let (x, y) = middle(&header.grid);
                    footprint(&full, &header.grid, |from, to| Operation::choose(from, to, x, y))
                        .map_err(|e| e.at(like.display()))?
                }
            };
            let inside = window.intersect(&full.window());
            if inside.is_empty() {
                return Err(Error::new(
                    ErrorKind::Misaligned,
                    format!("nothing lies on the grid `{}`", named.id),
                )
                .found(format!("the extent asked for is {window}"))
                .expected(format!("within {}", full.window())));
            }
            Ok(full.part(&inside))
        }
    }
}

fn union_of_inputs(headers: &[InputHeader]) -> Result<Grid> {
    let Some(first) = headers.first() else { return Err(Error::usage("there is no input")) };
    let lattice = &first.header.grid;
    let (mut union, mut refused) = (Window::whole(0, 0), Vec::new());
    for input in headers {
        match window_on(lattice, &input.header.grid)? {
            Ok(window) => union = union.union(&window),
            Err(reason) => refused.push(format!("{}: {reason}", input.header.path.display())),
        }
    }
    if !refused.is_empty() {
        return Err(Error::new(ErrorKind::Misaligned, "inputs do not share one lattice of cells")
            .at(first.header.path.display())
            .found_all(refused)
            .expected("the CRS, cell size and cell edges of the first input")
            .help("put them on a named grid: --grid ID --resampling nearest"));
    }
    Ok(lattice.part(&union))
}

/// Where a grid lies on the lattice of another, or in words why it does not.
fn window_on(lattice: &Grid, grid: &Grid) -> Result<std::result::Result<Window, String>> {
    let same = match (&lattice.crs, &grid.crs) {
        (Some(a), Some(b)) => same_crs(a, b)?,
        (None, None) => true,
        _ => false,
    };
    if !same {
        let name = |g: &Grid| g.crs.as_ref().map_or("no CRS".to_string(), |c| c.name.clone());
        return Ok(Err(format!("another CRS: {} instead of {}", name(grid), name(lattice))));
    }
    Ok(match lattice.fit(grid) {
        Fit::Lattice { row, col } => Ok(Window { row, col, rows: grid.rows, cols: grid.cols }),
        misfit => Err(misfit_words(lattice, grid, misfit)),
    })
}

fn union_onto(
    full: &Grid,
    job: &Job,
    headers: &[InputHeader],
    operations: &mut Operations,
) -> Result<Window> {
    let mut union = Window::whole(0, 0);
    for input in headers {
        if input.header.grid.crs.is_some() && !input.header.georeferenced {
            return Err(no_place().at(input.header.path.display()));
        }
        let grid = &input.header.grid;
        let datum = input.map(job).datum;
        let window = footprint(full, grid, |from, to| operations.between(from, to, middle(grid), datum))
            .map_err(|e| e.at(input.header.path.display()))?;
        union = union.union(&window);
    }
    Ok(union)
}

/// The cells of a target grid under a source grid: its edges transformed, snapped outward.
fn footprint(
    target: &Grid,
    source: &Grid,
    choose: impl FnOnce(&Crs, &Crs) -> Result<Operation>,
) -> Result<Window> {
    let (Some(to), Some(from)) = (&target.crs, &source.crs) else {
        return Err(no_crs());
    };
    if same_crs(from, to)?
        && let Fit::Lattice { row, col } = target.fit(source)
    {
        return Ok(Window { row, col, rows: source.rows, cols: source.cols });
    }
    let (mut xs, mut ys) = outline(source);
    let mut crossing = None;
    if !same_crs(from, to)? {
        let operation = choose(from, to)?;
        operation.transform(Direction::Forward, &mut xs, &mut ys)?;
        crossing = Some(operation);
    }
    if xs.iter().chain(&ys).any(|v| !v.is_finite()) {
        return Err(Error::new(ErrorKind::Misaligned, "part of a raster's edge has no place on the grid")
            .help("name the extent: grid.extent = \"full\" or [xmin, ymin, xmax, ymax]"));
    }
    let extreme = |values: &[f64], pick: fn(f64, f64) -> f64| values.iter().copied().fold(values[0], pick);
    let window = snapped(
        target,
        [extreme(&xs, f64::min), extreme(&ys, f64::min), extreme(&xs, f64::max), extreme(&ys, f64::max)],
    );
    match crossing {
        Some(operation) => covered_beyond(target, source, &operation, &window),
        None => Ok(window),
    }
}

/// Bounds snapped outward to whole cells; bounds that meet an edge but for noise stay on it.
fn snapped(grid: &Grid, [xmin, ymin, xmax, ymax]: [f64; 4]) -> Window {
    let (width, height) = grid.cell();
    let (x0, y0) = (grid.affine.0[0], grid.affine.0[3]);
    let down = |v: f64| cell_index((v + LATTICE_TOLERANCE_CELLS).floor());
    let up = |v: f64| cell_index((v - LATTICE_TOLERANCE_CELLS).ceil());
    Window::between(
        down((y0 - ymax) / height),
        down((xmin - x0) / width),
        up((y0 - ymin) / height),
        up((xmax - x0) / width),
    )
}
