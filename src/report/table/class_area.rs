//! `class_area.csv`: how much of each class each map holds.

use super::{Context, area_columns, percent, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};

/// A row per zone, year and class.
fn rows(context: &Context, sink: &mut RowSink) -> Result<()> {
    for (year, joints) in context.plan.job.epochs.iter().zip(&context.totals.areas) {
        for (zone, totals) in context.by_zone(joints) {
            let whole: u64 = totals.counts.values().map(|amount| amount.pixels).sum();
            for &code in &context.codes {
                let amount = totals.counts.get(&(Some(code), Some(code))).copied().unwrap_or_default();
                let pixels = amount.pixels;
                if pixels == 0 && !zone.is_all() {
                    continue;
                }
                let mut row = vec![zone.layer.clone(), zone.id.clone(), zone.name.clone(), year.to_string()];
                row.extend([code.to_string(), context.name(code), pixels.to_string()]);
                row.extend(context.areas(amount));
                row.extend(context.ellipsoidal(amount));
                row.push(percent(pixels, whole));
                sink(row)?;
            }
        }
    }
    Ok(())
}

/// The table of [`rows`].
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let mut columns = zone_columns();
    columns.extend([
        Column::new("year", "mapped year"),
        Column::new("code", "class"),
        Column::new("name", "its name in the job's first language"),
        Column::with_unit("pixels", "cells", "cells of the class"),
    ]);
    columns.extend(area_columns());
    columns.extend(context.ellipsoidal_column());
    columns.push(Column::with_unit("pct", "%", "share of all cells of the zone that have a class"));
    Table {
        name: "class_area".into(),
        description: "cells of each class, by zone and year".into(),
        columns,
        rows: Box::new(|sink| rows(context, sink)),
        notes: [
            context.ellipsoidal_notes(),
            vec![("estimate".into(), "mapped areas (pixel counts), not unbiased estimates of area".into())],
        ]
        .concat(),
    }
}
