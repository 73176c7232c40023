//! `change_matrix.csv`: the long change matrix, the source of truth; `rollup_matrix.csv`: the same by groups of classes.

use std::collections::BTreeMap;

use super::scheme::{Scheme, SchemeCounts};
use super::{Context, area_columns, percent, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};
use crate::model::area::Amount;

/// A row per zone, pair, class at `from` and class at `to` of a scheme; cells valid in both years.
fn rows(context: &Context, scheme: &Scheme, sink: &mut RowSink) -> Result<()> {
    for (pair, zones) in context.pairs() {
        for (zone, totals) in zones {
            let counts = scheme.counts(&totals.counts);
            let matrix = Valid::of(&counts);
            let (date_from, date_to) = totals.dates(context.plan, pair.from, pair.to);
            for (from, (from_code, from_name)) in scheme.classes.iter().enumerate() {
                for (to, (to_code, to_name)) in scheme.classes.iter().enumerate() {
                    let amount = counts.get(&(Some(from), Some(to))).copied().unwrap_or_default();
                    let pixels = amount.pixels;
                    if pixels == 0 && (!zone.is_all() || context.plan.job.target.is_raw()) {
                        continue;
                    }
                    let mut row: Vec<String> = scheme.cells().collect();
                    row.extend([
                        zone.layer.clone(),
                        zone.id.clone(),
                        zone.name.clone(),
                        pair.from.to_string(),
                        pair.to.to_string(),
                        date_from.clone(),
                        date_to.clone(),
                        from_code.clone(),
                        from_name.clone(),
                        to_code.clone(),
                        to_name.clone(),
                        pixels.to_string(),
                    ]);
                    row.extend(context.areas(amount));
                    row.extend(context.ellipsoidal(amount));
                    row.extend([
                        percent(pixels, matrix.row_total(from)),
                        percent(pixels, matrix.column_total(to)),
                        percent(pixels, matrix.total),
                        totals.comparable().into(),
                    ]);
                    sink(row)?;
                }
            }
        }
    }
    Ok(())
}

/// The table by class.
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let scheme = Scheme::of_legend(context);
    Table {
        name: "change_matrix".into(),
        description:
            "cells valid in both years, by zone, pair of years, class at the first and class at the second; \
             every combination of a legend's classes for the whole area, else those that occur"
                .into(),
        columns: columns(context),
        rows: Box::new(move |sink| rows(context, &scheme, sink)),
        notes: notes(context),
    }
}

/// The table by the groups of every roll-up.
pub fn of_rollups<'a>(context: &'a Context) -> Table<'a> {
    let schemes = Scheme::of_rollups(context);
    Table {
        name: "rollup_matrix".into(),
        description:
            "cells valid in both years, by roll-up, zone, pair of years, group of classes at the first and at the \
             second; every combination of groups for the whole area, else those that occur"
                .into(),
        columns: [Scheme::columns(), columns(context)].concat(),
        rows: Box::new(move |sink| schemes.iter().try_for_each(|scheme| rows(context, scheme, sink))),
        notes: notes(context),
    }
}

fn columns(context: &Context) -> Vec<Column> {
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
            "whether the makers of the zone's maps let them be compared: yes; official (some cells by the makers' own change \
             map, all others yes); unknown (nothing is known of some); partial (what they forbid is left out); no (compared \
             against their word)",
        ),
    ]);
    columns
}

fn notes(context: &Context) -> Vec<(String, String)> {
    let estimate = ("estimate".into(), "mapped areas (pixel counts), not unbiased estimates of area".into());
    [context.ellipsoidal_notes(), vec![estimate]].concat()
}

/// Marginals over the cells valid in both years.
#[derive(Default)]
struct Valid {
    rows: BTreeMap<usize, u64>,
    columns: BTreeMap<usize, u64>,
    total: u64,
}

impl Valid {
    fn of(counts: &SchemeCounts) -> Self {
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

    fn row_total(&self, place: usize) -> u64 {
        self.rows.get(&place).copied().unwrap_or(0)
    }

    fn column_total(&self, place: usize) -> u64 {
        self.columns.get(&place).copied().unwrap_or(0)
    }
}
