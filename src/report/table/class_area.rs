//! `class_area.csv`: how much of each class each map holds; `rollup_area.csv`: the same by groups of classes.

use super::scheme::Scheme;
use super::{Context, area_columns, percent, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};

/// A row per zone, year and class of a scheme.
fn rows(context: &Context, scheme: &Scheme, sink: &mut RowSink) -> Result<()> {
    for (year, joints) in context.plan.job.epochs.iter().zip(&context.totals.areas) {
        for (zone, totals) in context.by_zone(joints) {
            let whole: u64 = totals.counts.values().map(|amount| amount.pixels).sum();
            let counts = scheme.counts(&totals.counts);
            for (place, (code, name)) in scheme.classes.iter().enumerate() {
                let amount = counts.get(&(Some(place), Some(place))).copied().unwrap_or_default();
                let pixels = amount.pixels;
                if pixels == 0 && !zone.is_all() {
                    continue;
                }
                let mut row: Vec<String> = scheme.cells().collect();
                row.extend([zone.layer.clone(), zone.id.clone(), zone.name.clone(), year.to_string()]);
                row.extend([code.clone(), name.clone(), pixels.to_string()]);
                row.extend(context.areas(amount));
                row.extend(context.ellipsoidal(amount));
                row.push(percent(pixels, whole));
                sink(row)?;
            }
        }
    }
    Ok(())
}

/// The table by class.
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let scheme = Scheme::of_legend(context);
    Table {
        name: "class_area".into(),
        description: "cells of each class, by zone and year".into(),
        columns: columns(context, "class"),
        rows: Box::new(move |sink| rows(context, &scheme, sink)),
        notes: notes(context),
    }
}

/// The table by the groups of every roll-up.
pub fn of_rollups<'a>(context: &'a Context) -> Table<'a> {
    let schemes = Scheme::of_rollups(context);
    Table {
        name: "rollup_area".into(),
        description: "cells of each group of classes, by roll-up, zone and year".into(),
        columns: [Scheme::columns(), columns(context, "group of classes")].concat(),
        rows: Box::new(move |sink| schemes.iter().try_for_each(|scheme| rows(context, scheme, sink))),
        notes: notes(context),
    }
}

fn columns(context: &Context, class: &str) -> Vec<Column> {
    let mut columns = zone_columns();
    columns.extend([
        Column::new("year", "mapped year"),
        Column::new("code", class),
        Column::new("name", "its name in the job's first language"),
        Column::with_unit("pixels", "cells", "cells of it"),
    ]);
    columns.extend(area_columns());
    columns.extend(context.ellipsoidal_column());
    columns.push(Column::with_unit("pct", "%", "share of all cells of the zone that have a class"));
    columns
}

fn notes(context: &Context) -> Vec<(String, String)> {
    let estimate = ("estimate".into(), "mapped areas (pixel counts), not unbiased estimates of area".into());
    [context.ellipsoidal_notes(), vec![estimate]].concat()
}
