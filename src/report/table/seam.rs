//! `seam.csv`: neighbours across the boundaries of sections, class by class, and such behind them; `seam_summary.csv`: how
//! much more often they differ across a boundary than they do behind it.

use std::collections::BTreeMap;

use super::{Context, number, percent};
use crate::io::table::{Column, Table, listed};
use crate::model::grid::Grid;
use crate::model::seam::{Line, SeamCounts, SectionNumber};
use crate::plan::sections::Sections;

/// A row per year, two sections, line and pair of classes.
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let sections = Sections::of(&context.plan.job);
    let mut rows = Vec::new();
    for (_, id, between) in context.between() {
        for (year, counts) in context.plan.job.epochs.iter().zip(&between.seams) {
            for (pair, n) in counts {
                let mut row: Vec<String> = id.into_iter().cloned().collect();
                row.extend([year.to_string(), sections.name(pair.a).into(), sections.name(pair.b).into()]);
                row.push(pair.line.word().into());
                row.extend([pair.code_a.to_string(), context.name(pair.code_a)]);
                row.extend([pair.code_b.to_string(), context.name(pair.code_b), n.to_string()]);
                rows.push(row);
            }
        }
    }
    let mut columns: Vec<Column> = context.grid_column().into_iter().collect();
    columns.extend(place_columns());
    columns.extend([
        Column::new(
            "line",
            "seam: one cell in each section; control_a, control_b: both in the one or in the other, behind the boundary",
        ),
        Column::new("code_a", "class of the cell in section_a; of control pairs, of the cell nearer to the boundary"),
        Column::new("name_a", "its name in the job's first language"),
        Column::new("code_b", "class of the cell in section_b; of control pairs, of the cell farther off"),
        Column::new("name_b", "its name in the job's first language"),
        Column::with_unit("pairs", "pairs of cells", "pairs of neighbours with these classes"),
    ]);
    Table {
        name: "seam".into(),
        description:
            "pairs of neighbouring cells across the boundaries of sections and behind them, by class".into(),
        columns,
        rows: listed(rows),
        notes: notes(context),
    }
}

/// A row per year and two sections that meet.
pub fn summary<'a>(context: &'a Context) -> Table<'a> {
    let sections = Sections::of(&context.plan.job);
    let mut rows = Vec::new();
    for (grid, id, between) in context.between() {
        for (year, counts) in context.plan.job.epochs.iter().zip(&between.seams) {
            for ((a, b), lines) in by_boundary(counts) {
                let mut row: Vec<String> = id.into_iter().cloned().collect();
                row.extend([year.to_string(), sections.name(a).into(), sections.name(b).into()]);
                let [seam, control_a, control_b] =
                    Line::ALL.map(|line| lines.get(&line).copied().unwrap_or_default());
                for line in [seam, control_a, control_b] {
                    row.extend([line.pairs.to_string(), line.disagreeing.to_string(), line.percent()]);
                }
                let control = Pairs {
                    pairs: control_a.pairs + control_b.pairs,
                    disagreeing: control_a.disagreeing + control_b.disagreeing,
                };
                row.extend([control.percent(), excess(seam, control)]);
                row.push(cell_side_m(&grid.grid).map(|m| number(seam.pairs as f64 * m)).unwrap_or_default());
                rows.push(row);
            }
        }
    }
    let mut columns: Vec<Column> = context.grid_column().into_iter().collect();
    columns.extend(place_columns());
    for (line, words) in [
        ("seam", "across the boundary"),
        ("control_a", "in section_a, behind the boundary"),
        ("control_b", "in section_b, behind the boundary"),
    ] {
        columns.extend([
            Column::with_unit(
                &format!("{line}_pairs"),
                "pairs of cells",
                &format!("pairs of neighbours {words}"),
            ),
            Column::with_unit(&format!("{line}_disagreeing"), "pairs of cells", "those of two classes"),
            Column::with_unit(&format!("{line}_pct"), "%", "their share; empty where there are no pairs"),
        ]);
    }
    columns.extend([
        Column::with_unit("control_pct", "%", "share of pairs of two classes among those of both controls together"),
        Column::with_unit(
            "excess",
            "percentage points",
            "seam_pct - control_pct: disagreement across the boundary beyond what neighbours have anyway",
        ),
        Column::with_unit(
            "boundary_m",
            "m",
            "seam_pairs x side of a cell on the plane of the grid; empty where cells are no squares in metres",
        ),
    ]);
    Table {
        name: "seam_summary".into(),
        description:
            "disagreement of neighbours across each boundary of two sections, against that behind it".into(),
        columns,
        rows: listed(rows),
        notes: notes(context),
    }
}

/// Pairs of neighbours, and those of two classes.
#[derive(Debug, Clone, Copy, Default)]
struct Pairs {
    pairs: u64,
    disagreeing: u64,
}

impl Pairs {
    fn percent(self) -> String {
        percent(self.disagreeing, self.pairs)
    }
}

/// Disagreement beyond that of the controls, in percentage points; empty where one of the two has no pairs.
fn excess(seam: Pairs, control: Pairs) -> String {
    if seam.pairs == 0 || control.pairs == 0 {
        return String::new();
    }
    let share = |of: Pairs| of.disagreeing as f64 * 100.0 / of.pairs as f64;
    number(share(seam) - share(control))
}

/// The pairs of each line along every boundary.
fn by_boundary(counts: &SeamCounts) -> BTreeMap<(SectionNumber, SectionNumber), BTreeMap<Line, Pairs>> {
    let mut boundaries: BTreeMap<_, BTreeMap<Line, Pairs>> = BTreeMap::new();
    for (pair, &n) in counts {
        let line = boundaries.entry((pair.a, pair.b)).or_default().entry(pair.line).or_default();
        line.pairs += n;
        line.disagreeing += if pair.code_a == pair.code_b { 0 } else { n };
    }
    boundaries
}

/// The side of a cell in metres, where cells are squares of such.
fn cell_side_m(grid: &Grid) -> Option<f64> {
    let crs = grid.crs.as_ref().filter(|crs| !crs.geographic)?;
    let (width, height) = grid.cell();
    (width == height).then_some(width * crs.unit_m)
}

fn place_columns() -> [Column; 3] {
    [
        Column::new("year", "mapped year"),
        Column::new("section_a", "the section of the two that comes first in the job"),
        Column::new("section_b", "the other section"),
    ]
}

fn notes(context: &Context) -> Vec<(String, String)> {
    let cells = context.plan.job.seams.unwrap_or(0);
    let note = |word: &str, text: String| (word.to_string(), text);
    vec![
        note(
            "seam",
            "cells of the mosaic that share an edge, have a class and were decided by sources of two sections".into(),
        ),
        note(
            "control",
            format!(
                "along the same row or column as a pair of the seam, the cells {cells} and {} behind its own, away from \
                 the boundary, where both have a class and lie in that section",
                cells + 1
            ),
        ),
    ]
}
