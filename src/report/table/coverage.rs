//! `coverage.csv`: how much of what could be compared was, and why the rest was left out.

use super::{Context, number, percent, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};
use crate::model::area::Amount;
use crate::report::zones::ZoneCounts;

/// A row per zone and pair of years.
fn rows(context: &Context, sink: &mut RowSink) -> Result<()> {
    for (pair, zones) in context.pairs() {
        for (zone, totals) in zones {
            let (compared, left_out) = (in_both_years(&totals.counts), in_both_years(&totals.left_out));
            let mut whole = compared;
            whole += left_out;
            let mut row = vec![zone.layer.clone(), zone.id.clone(), zone.name.clone()];
            row.extend([pair.from.to_string(), pair.to.to_string()]);
            row.extend([whole, compared, left_out].map(|amount| amount.pixels.to_string()));
            row.push(percent(compared.pixels, whole.pixels));
            row.extend(
                [whole, compared, left_out]
                    .map(|amount| context.plan.area.of(amount).map(number).unwrap_or_default()),
            );
            row.extend([totals.comparable().to_string(), totals.reasons()]);
            sink(row)?;
        }
    }
    Ok(())
}

/// Cells with a class in both years.
fn in_both_years(counts: &ZoneCounts) -> Amount {
    let mut sum = Amount::default();
    let both = counts.iter().filter(|((from, to), _)| from.is_some() && to.is_some());
    both.for_each(|(_, amount)| sum += *amount);
    sum
}

/// The table of [`rows`].
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let mut columns = zone_columns();
    columns.extend([
        Column::new("year_from", "mapped year that change is measured from"),
        Column::new("year_to", "mapped year that change is measured to"),
        Column::with_unit("pixels", "cells", "cells with a class in both years"),
        Column::with_unit("compared_pixels", "cells", "those that the matrix holds"),
        Column::with_unit("not_comparable_pixels", "cells", "those left out as they must not be compared"),
        Column::with_unit(
            "pct_compared",
            "%",
            "share of the cells that the matrix holds; empty where there are none",
        ),
        Column::with_unit("area_m2", "m2", "area of the cells with a class in both years"),
        Column::with_unit("compared_area_m2", "m2", "area of those that the matrix holds"),
        Column::with_unit("not_comparable_area_m2", "m2", "area of those left out"),
        Column::new("comparable", "as in change_matrix.csv: yes, official, partial, no, unknown"),
        Column::new("reasons", "why cells of the zone must not be compared, with who says so"),
    ]);
    Table {
        name: "coverage".into(),
        description:
            "by zone and pair of years, how many of the cells with a class in both years were compared".into(),
        columns,
        rows: Box::new(|sink| rows(context, sink)),
        notes: context.area_notes(),
    }
}
