//! `gaps.csv`: holes between the sources of a map, the largest first.

use super::{Context, area_columns, number};
use crate::io::table::{Column, Table, listed};
use crate::model::area::Amount;
use crate::model::gap::{Gap, MOST_GAPS};
use crate::model::grid::Grid;
use crate::model::window::Window;

/// What stands in place of the number of a gap in a row of several.
const OTHERS: &str = "others";

/// A row per year and gap; what is beyond the largest is one row.
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let mut rows = Vec::new();
    for (plan, id, between) in context.between() {
        let cell_mm2 = context.plan.cell_mm2(plan);
        let sized = |amount: Amount| match cell_mm2 {
            Some(mm2) => Amount { area_mm2: u128::from(amount.pixels) * u128::from(mm2), ..amount },
            None => amount,
        };
        for (year, gaps) in context.plan.job.epochs.iter().zip(&between.gaps) {
            let mut add = |name: String, count: u64, amount: Amount, places: Vec<String>| {
                let mut row: Vec<String> = id.into_iter().cloned().collect();
                row.extend([year.to_string(), name, count.to_string(), amount.pixels.to_string()]);
                row.extend(context.areas(sized(amount)));
                row.extend(places);
                rows.push(row);
            };
            for (number, Gap { amount, held, .. }) in (1u64..).zip(&gaps.largest) {
                add(number.to_string(), 1, *amount, places(held, &plan.grid));
            }
            if gaps.others > 0 {
                add(OTHERS.into(), gaps.others, gaps.rest, vec![String::new(); 8]);
            }
        }
    }
    let mut columns: Vec<Column> = context.grid_column().into_iter().collect();
    columns.extend([
        Column::new("year", "mapped year"),
        Column::new(
            "gap",
            &format!(
                "number of the gap, the largest first, of one size by the first cell, row by row; `{OTHERS}`: those beyond the {MOST_GAPS} largest"
            ),
        ),
        Column::new("gaps", "number of gaps that the row tells of"),
        Column::with_unit("pixels", "cells", "cells that no source decides"),
    ]);
    columns.extend(area_columns());
    let row = |name: &str, words: &str| {
        Column::new(name, &format!("{words} of the raster, from 0, that holds some of it"))
    };
    columns.extend([
        row("first_row", "first row"),
        row("last_row", "last row"),
        row("first_col", "first column"),
        row("last_col", "last column"),
    ]);
    for (name, words) in
        [("xmin", "left edge"), ("ymin", "lower edge"), ("xmax", "right edge"), ("ymax", "upper edge")]
    {
        columns
            .push(Column::new(name, &format!("{words} of these rows and columns, in the CRS of the grid")));
    }
    let definition = "cells that no source decides, connected by their edges, without a way to the edge of the grid; cells \
                      that a source decides without giving a class are none";
    let mut notes = context.area_notes();
    notes.push(("gap".into(), definition.into()));
    Table {
        name: "gaps".into(),
        description: "gaps between the sources of each map".into(),
        columns,
        rows: listed(rows),
        notes,
    }
}

/// First and last rows and columns of a window, and its edges.
fn places(held: &Window, grid: &Grid) -> Vec<String> {
    let cells = [held.row, held.row_end() - 1, held.col, held.col_end() - 1].map(|at| at.to_string());
    let corners = [
        (held.col, held.row),
        (held.col_end(), held.row),
        (held.col, held.row_end()),
        (held.col_end(), held.row_end()),
    ];
    let corners = corners.map(|(col, row)| grid.affine.apply(col as f64, row as f64));
    let least = |of: fn(&(f64, f64)) -> f64| corners.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: fn(&(f64, f64)) -> f64| corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
    let edges = [least(|c| c.0), least(|c| c.1), most(|c| c.0), most(|c| c.1)].map(number);
    cells.into_iter().chain(edges).collect()
}
