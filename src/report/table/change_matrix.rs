//! `change_matrix.csv`: the long change matrix, the source of truth.

use std::collections::BTreeMap;

use super::{Context, area_columns, percent, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};
use crate::model::area::Amount;
use crate::report::zones::ZoneCounts;

/// A row per zone, pair, class at `from` and class at `to`; cells valid in both years.
fn rows(context: &Context, sink: &mut RowSink) -> Result<()> {
    for (pair, joints) in context.plan.pairs.iter().zip(&context.totals.pairs) {
        for (zone, totals) in context.by_zone(joints) {
            let matrix = Valid::of(&totals.counts);
            let (date_from, date_to) = totals.dates(context.plan, pair.from, pair.to);
            for &from in &context.codes {
                for &to in &context.codes {
                    let amount = totals.counts.get(&(Some(from), Some(to))).copied().unwrap_or_default();
                    let pixels = amount.pixels;
                    if pixels == 0 && (!zone.is_all() || context.plan.job.target.is_raw()) {
                        continue;
                    }
                    let mut row = vec![
                        zone.layer.clone(),
                        zone.id.clone(),
                        zone.name.clone(),
                        pair.from.to_string(),
                        pair.to.to_string(),
                        date_from.clone(),
                        date_to.clone(),
                        from.to_string(),
                        context.name(from),
                        to.to_string(),
                        context.name(to),
                        pixels.to_string(),
                    ];
                    row.extend(context.areas(amount));
                    row.extend(context.ellipsoidal(amount));
                    row.extend([
                        percent(pixels, matrix.row_total(from)),
                        percent(pixels, matrix.column_total(to)),
                        percent(pixels, matrix.total),
                        "unknown".into(),
                    ]);
                    sink(row)?;
                }
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
        Column::new("date_from", "true date of the map; earliest/latest where several meet"),
        Column::new("date_to", "true date of the map; earliest/latest where several meet"),
        Column::new("from_code", "class at year_from"),
        Column::new("from_name", "its name in the job's first language"),
        Column::new("to_code", "class at year_to"),
        Column::new("to_name", "its name in the job's first language"),
        Column::with_unit("pixels", "cells", "cells that went from the one class to the other"),
    ]);
    columns.extend(area_columns());
    columns.extend(context.ellipsoidal_column());
    columns.extend([
        Column::with_unit(
            "pct_of_from",
            "%",
            "share of the class at year_from (of cells valid in both years)",
        ),
        Column::with_unit("pct_of_to", "%", "share of the class at year_to (of cells valid in both years)"),
        Column::with_unit("pct_of_total", "%", "share of all cells of the zone that are valid in both years"),
        Column::new(
            "comparable",
            "whether the makers of the maps let them be compared: yes, official, partial, no, unknown",
        ),
    ]);
    Table {
        name: "change_matrix".into(),
        description:
            "cells valid in both years, by zone, pair of years, class at the first and class at the second; \
                      every combination of a legend's classes for the whole area, else those that occur"
                .into(),
        columns,
        rows: Box::new(|sink| rows(context, sink)),
        notes: [
            context.ellipsoidal_notes(),
            vec![("estimate".into(), "mapped areas (pixel counts), not unbiased estimates of area".into())],
        ]
        .concat(),
    }
}

/// Marginals over the cells valid in both years.
#[derive(Default)]
struct Valid {
    rows: BTreeMap<i32, u64>,
    columns: BTreeMap<i32, u64>,
    total: u64,
}

impl Valid {
    fn of(counts: &ZoneCounts) -> Self {
        let mut valid = Self::default();
        for (&(from, to), Amount { pixels, .. }) in counts {
            if let (Some(from), Some(to)) = (from, to) {
                *valid.rows.entry(from).or_default() += pixels;
                *valid.columns.entry(to).or_default() += pixels;
                valid.total += pixels;
            }
        }
        valid
    }

    fn row_total(&self, code: i32) -> u64 {
        self.rows.get(&code).copied().unwrap_or(0)
    }

    fn column_total(&self, code: i32) -> u64 {
        self.columns.get(&code).copied().unwrap_or(0)
    }
}
