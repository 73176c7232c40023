//! Valid source cells that no cell of the target grid holds: counted, and an error unless the job drops them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;

use crate::config::file::OutsideGrid;
use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::{Pixels, open_raster};
use crate::io::proj::Direction;
use crate::io::stop;
use crate::kernel::ClassValue;
use crate::model::legend::Absence;
use crate::model::rule::{Outcome, RuleTable};
use crate::model::window::{BLOCK, Window};
use crate::plan::Plan;
use crate::plan::scene::{Alignment, Scene, outline};

/// Counts valid cells outside the grid in every scene that reaches beyond it.
///
/// # Errors
/// Misaligned: there are some, and the job does not say `outside_grid = "drop"`.
pub fn count(plan: &Plan) -> Result<BTreeMap<PathBuf, u64>> {
    let scenes: Vec<&Scene> = plan.epochs.iter().flat_map(|e| &e.scenes).collect();
    let counted =
        scenes.into_par_iter().map(|scene| Ok((scene.header.path.clone(), cells_outside(plan, scene)?)));
    let mut outside: BTreeMap<PathBuf, u64> = BTreeMap::new();
    for (path, cells) in counted.collect::<Result<Vec<_>>>()? {
        if cells > 0 {
            outside.insert(path, cells);
        }
    }
    if outside.is_empty() || plan.job.outside_grid == OutsideGrid::Drop {
        return Ok(outside);
    }
    Err(Error::new(ErrorKind::Misaligned, "valid cells fall outside the target grid")
        .found_all(outside.iter().map(|(path, cells)| format!("{}: {cells} px", path.display())))
        .expected("every valid cell on the grid")
        .help("widen grid.extent, or leave them out knowingly: grid.outside_grid = \"drop\""))
}

fn cells_outside(plan: &Plan, scene: &Scene) -> Result<u64> {
    let grid = &scene.header.grid;
    let target = plan.grid.window();
    match &scene.alignment {
        Alignment::Copy { row, col } => {
            let inside = target.shift(-row, -col).intersect(&grid.window());
            if inside == grid.window() {
                return Ok(0);
            }
            count_valid(scene, |window| Ok(is_outside_window(window, &inside)))
        }
        Alignment::Nearest { .. } | Alignment::Mode { .. } => {
            let operation = scene.alignment.operation();
            let Some(to_cell) = plan.grid.affine.inverse() else { return Ok(0) };
            let place = |xs: &mut [f64], ys: &mut [f64]| -> Result<Vec<bool>> {
                if let Some(operation) = operation {
                    operation.transform(Direction::Forward, xs, ys)?;
                }
                let outside = |(&x, &y): (&f64, &f64)| {
                    let (col, row) = to_cell.apply(x, y);
                    !(col >= 0.0 && row >= 0.0 && col < plan.grid.cols as f64 && row < plan.grid.rows as f64)
                };
                Ok(xs.iter().zip(ys.iter()).map(outside).collect())
            };
            // A scene whose outline and inner points all lie on the grid lies on it.
            let (mut xs, mut ys) = outline(grid);
            if place(&mut xs, &mut ys)?.iter().all(|outside| !outside) {
                return Ok(0);
            }
            count_valid(scene, |window| {
                let (mut xs, mut ys) = crate::kernel::align::cell_centres(grid, window);
                place(&mut xs, &mut ys)
            })
        }
    }
}

fn is_outside_window(window: &Window, inside: &Window) -> Vec<bool> {
    let cells =
        (window.row..window.row_end()).flat_map(|r| (window.col..window.col_end()).map(move |c| (r, c)));
    cells
        .map(|(r, c)| r < inside.row || r >= inside.row_end() || c < inside.col || c >= inside.col_end())
        .collect()
}

/// Counts the cells of a scene that have a class and lie where `outside` says so.
fn count_valid(scene: &Scene, outside: impl Fn(&Window) -> Result<Vec<bool>>) -> Result<u64> {
    let file = open_raster(&scene.header.path, Some(scene.header.band))?;
    let mut total = 0;
    for window in scene.header.grid.window().squares(2 * BLOCK) {
        stop::check()?;
        let flags = outside(&window)?;
        if !flags.contains(&true) {
            continue;
        }
        total += match file.read(&window)? {
            Pixels::Bytes(cells) => valid_cells(cells.iter(), &flags, &scene.rules),
            Pixels::Codes(cells) => valid_cells(cells.iter(), &flags, &scene.rules),
        };
    }
    Ok(total)
}

fn valid_cells<'a, T: ClassValue>(
    cells: impl Iterator<Item = &'a T>,
    outside: &[bool],
    rules: &RuleTable,
) -> u64 {
    let absent = |value: T| match rules.find(value.code(), |_| 0) {
        Some(rule) => matches!(
            rules.rules()[usize::from(rule)].outcome,
            Outcome::Absent(Absence::Outside | Absence::NoObservation)
        ),
        None => false,
    };
    cells.zip(outside).filter(|(value, outside)| **outside && !absent(**value)).count() as u64
}
