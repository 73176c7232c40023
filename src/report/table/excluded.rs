//! `excluded.csv`: cells that have a class in one year only and so are in no matrix.

use super::{Context, area_columns, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};

/// A row per zone, pair, class and side.
fn rows(context: &Context, sink: &mut RowSink) -> Result<()> {
    for (pair, joints) in context.plan.pairs.iter().zip(&context.totals.pairs) {
        for (zone, totals) in context.by_zone(joints) {
            for (&(from, to), &amount) in &totals.counts {
                let (code, side, reason) = match (from, to) {
                    (Some(code), None) => (code, "from", "nodata_to"),
                    (None, Some(code)) => (code, "to", "nodata_from"),
                    _ => continue,
                };
                let mut row = vec![zone.layer.clone(), zone.id.clone(), zone.name.clone()];
                row.extend([pair.from.to_string(), pair.to.to_string(), code.to_string()]);
                row.extend([side.into(), reason.into(), amount.pixels.to_string()]);
                row.extend(context.areas(amount));
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
        Column::new("year_from", "mapped year that change is measured from"),
        Column::new("year_to", "mapped year that change is measured to"),
        Column::new("code", "class that the cells have in the one year"),
        Column::new("side", "the year in which they have it: from or to"),
        Column::new("reason", "nodata_from or nodata_to: the year in which they have none"),
        Column::with_unit("pixels", "cells", "cells left out of the matrix"),
    ]);
    columns.extend(area_columns());
    Table {
        name: "excluded".into(),
        description: "cells with a class in one year only, by zone, pair of years and class; \
                      matrix row + excluded (side from) = class area at year_from, column + excluded (side to) = at year_to"
            .into(),
        columns,
        rows: Box::new(|sink| rows(context, sink)),
        notes: context.area_notes(),
    }
}
