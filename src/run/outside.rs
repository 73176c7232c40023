//! Valid source cells that no cell of the target grid holds: counted, and an error unless the job drops them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;

use crate::config::file::OutsideGrid;
use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::{Pixels, reopen_raster};
use crate::io::proj::Direction;
use crate::io::stop;
use crate::kernel::ClassValue;
use crate::kernel::align::{Frame, locate};
use crate::model::legend::Absence;
use crate::model::rule::{Outcome, RuleTable};
use crate::model::window::{BLOCK, Window};
use crate::plan::alignment::Alignment;
use crate::plan::scene::{Scene, outline};
use crate::plan::{JobPlan, Plan};

/// Valid source cells outside the grid.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// Their number, by file.
    pub cells: BTreeMap<PathBuf, u64>,
    /// Why files could not be read to their end: what of them lies outside nobody knows.
    pub unread: Vec<Error>,
}

impl Outside {
    /// Refuses to pass over files that could not be read.
    ///
    /// # Errors
    /// Unreadable, Transient: the first of them.
    pub fn refuse_unread(&self) -> Result<()> {
        self.unread.first().map_or(Ok(()), |error| Err(error.clone()))
    }
}

/// Counts valid cells outside their grid in every scene that reaches beyond it. A file that cannot be read ends nothing: the
/// tasks that need its cells will fail, and no other.
///
/// # Errors
/// Misaligned: there are some, and the job does not say `outside_grid = "drop"` of their grid.
pub fn count(plan: &JobPlan) -> Result<Outside> {
    let scenes: Vec<(&Plan, &Scene)> = plan
        .grids
        .iter()
        .flat_map(|grid| grid.epochs.iter().flat_map(|e| &e.scenes).map(move |scene| (grid, scene)))
        .collect();
    let counted = scenes.into_par_iter().map(|(grid, scene)| match cells_outside(grid, scene) {
        Err(error) if error.kind().is_of_reading() => Ok((grid, scene, Err(error))),
        counted => Ok((grid, scene, Ok(counted?))),
    });
    let (mut outside, mut refused) = (Outside::default(), BTreeMap::new());
    // A file that lies on two grids has cells outside each.
    let mut of_grids: BTreeMap<(&PathBuf, Option<&String>), u64> = BTreeMap::new();
    for (grid, scene, counted) in counted.collect::<Result<Vec<_>>>()? {
        let cells = match counted {
            Ok(0) => continue,
            Ok(cells) => cells,
            Err(error) => {
                outside.unread.push(error);
                continue;
            }
        };
        let key = (&scene.header.path, grid.grid_id.as_ref());
        if of_grids.insert(key, cells).is_none() {
            *outside.cells.entry(scene.header.path.clone()).or_default() += cells;
        }
        if grid.outside_grid == OutsideGrid::Error {
            let on_grid = key.1.map_or(String::new(), |id| format!(" outside grid `{id}`"));
            refused.insert(key, format!("{}: {cells} px{on_grid}", scene.header.path.display()));
        }
    }
    if refused.is_empty() {
        return Ok(outside);
    }
    Err(Error::new(ErrorKind::Misaligned, "valid cells fall outside the target grid")
        .found_all(refused.into_values())
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
            let Some(frame) = Frame::of(&plan.grid) else { return Ok(0) };
            let carry = |xs: &mut [f64], ys: &mut [f64]| match operation {
                Some(operation) => operation.transform(Direction::Forward, xs, ys),
                None => Ok(()),
            };
            // A scene whose outline and inner points all lie on the grid lies on it.
            let (mut xs, mut ys) = outline(grid);
            carry(&mut xs, &mut ys)?;
            let inside = |(&x, &y): (&f64, &f64)| {
                let (col, row) = frame.to_cell.apply(x, y);
                col >= 0.0 && row >= 0.0 && col < frame.cols as f64 && row < frame.rows as f64
            };
            if xs.iter().zip(&ys).all(inside) {
                return Ok(0);
            }
            count_valid(scene, |window| {
                Ok(locate(grid, window, &frame, carry)?.cells().map(|cell| cell.is_none()).collect())
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
    let file = reopen_raster(&scene.header)?;
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
            Outcome::Absent(Absence::Outside | Absence::NoObservation) | Outcome::Withheld
        ),
        None => false,
    };
    cells.zip(outside).filter(|(value, outside)| **outside && !absent(**value)).count() as u64
}
