//! Two layers of edits that hold one cell in one year contradict each other, whatever they are about: refused before any
//! task is worked on.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::mask::{Held, MaskReader};
use crate::error::{Error, Result};
use crate::io::stop;
use crate::model::epoch::Epoch;
use crate::model::window::{BLOCK, Window};
use crate::plan::overlay::EditLayer;
use crate::plan::{JobPlan, Plan};

/// Two edits, by position in the job, on a grid; cells that both hold, and the first of them (row, column).
type Collisions = BTreeMap<(usize, usize), (u64, (i64, i64))>;

/// Refuses edits that hold one cell in one year.
///
/// # Errors
/// Input: some do; all pairs are told, with the number of cells and the first.
pub fn refuse(plan: &JobPlan) -> Result<()> {
    let mut found = Vec::new();
    for grid in &plan.grids {
        let meet = |(a, b): &(usize, usize)| shares_a_year(grid, *a, *b);
        let layers = grid.overlays.edits.len();
        let pairs: Vec<(usize, usize)> =
            (0..layers).flat_map(|a| (a + 1..layers).map(move |b| (a, b))).filter(meet).collect();
        if pairs.is_empty() {
            continue;
        }
        let blocks: Vec<Window> = grid.grid.window().squares(BLOCK).collect();
        let collisions = blocks.into_par_iter().map(|block| in_block(grid, &pairs, &block));
        let collisions = collisions.try_reduce(Collisions::new, |mut all, more| {
            for (pair, (cells, first)) in more {
                let entry = all.entry(pair).or_insert((0, first));
                *entry = (entry.0 + cells, entry.1.min(first));
            }
            Ok(all)
        })?;
        found.extend(collisions.into_iter().map(|(pair, cells)| words(grid, pair, cells)));
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::input("edits contradict each other: two of them hold the same cells in the same years")
        .found_all(found)
        .expected("every cell in one edit a year; polygons of one file may overlap")
        .help("redraw one of the two, or take the years apart"))
}

fn shares_a_year(grid: &Plan, a: usize, b: usize) -> bool {
    let edits = &grid.overlays.edits;
    edits[a].epochs.iter().zip(&edits[b].epochs).any(|(a, b)| *a && *b)
}

/// Cells of a block that two edits hold.
fn in_block(grid: &Plan, pairs: &[(usize, usize)], block: &Window) -> Result<Collisions> {
    stop::check()?;
    let edits = &grid.overlays.edits;
    let near: Vec<bool> = edits.iter().map(|layer| layer.mask.comes_near(&grid.grid, block)).collect();
    let mut readers: Vec<MaskReader> =
        edits.iter().map(|layer| MaskReader::new(&grid.grid, &layer.mask)).collect();
    let mut collisions = Collisions::new();
    for &(a, b) in pairs.iter().filter(|(a, b)| near[*a] && near[*b]) {
        let held = (readers[a].held(block), readers[b].held(block));
        // A raster that cannot be read fails the tasks that need it.
        if [&held.0, &held.1]
            .into_iter()
            .flat_map(|held| held.as_ref().err())
            .any(|e| e.kind().is_of_reading())
        {
            continue;
        }
        let (first, second) = (held.0?, held.1?);
        let both = |cell: (usize, usize)| {
            let holds = |held: &Held| match held {
                Held::None => false,
                Held::All => true,
                Held::Each(cells) => cells[cell],
            };
            holds(&first) && holds(&second)
        };
        let cells = (0..block.rows).flat_map(|row| (0..block.cols).map(move |col| (row, col)));
        let mut cells = cells.filter(|cell| both(*cell));
        if let Some((row, col)) = cells.next() {
            let first = (block.row + row as i64, block.col + col as i64);
            collisions.insert((a, b), (1 + cells.count() as u64, first));
        }
    }
    Ok(collisions)
}

fn words(grid: &Plan, (a, b): (usize, usize), (cells, (row, col)): (u64, (i64, i64))) -> String {
    let layers: [&EditLayer; 2] = [&grid.overlays.edits[a], &grid.overlays.edits[b]];
    let [first, second] = layers.map(|layer| layer.of(&grid.job));
    let years: Vec<String> =
        first.epochs.iter().filter(|year| second.epochs.contains(year)).map(Epoch::to_string).collect();
    let (x, y) = grid.grid.affine.apply(col as f64 + 0.5, row as f64 + 0.5);
    let on_grid = grid.grid_id.as_ref().map_or(String::new(), |id| format!(" of grid `{id}`"));
    format!(
        "`{}` ({}) and `{}` ({}): {cells} cells in {}, the first at row {row}, column {col}{on_grid} (x {x}, y {y})",
        first.id,
        first.path.display(),
        second.id,
        second.path.display(),
        years.join(", ")
    )
}
