//! `net_change.csv`: the statistics of every change matrix, a row each.

use super::{Context, number, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};
use crate::model::date::Span;
use crate::model::matrix::ChangeMatrix;
use crate::statistic::{ALL, Statistic, Subject, Value};

/// A row per zone, pair, class (and `total`) and statistic.
fn rows(context: &Context, sink: &mut RowSink) -> Result<()> {
    for (pair, zones) in context.pairs() {
        for (zone, totals) in zones {
            let matrix = context.cell_matrix(&totals.counts);
            let areas = context.area_matrix(&totals.counts);
            let (date_from, date_to) = totals.dates(context.plan, pair.from, pair.to);
            // Of several intervals a rate of the total is no sum of their rates: it is undefined.
            let years = totals.only_span().map_or(f64::NAN, Span::years);
            let classes = context.codes.iter().enumerate();
            let classes = classes.map(|(i, &code)| (Subject::Class(i), code.to_string(), context.name(code)));
            for (subject, code, name) in classes.chain([(Subject::Total, "total".to_string(), String::new())])
            {
                let untouched =
                    matches!(subject, Subject::Class(i) if matrix.from_total(i) + matrix.to_total(i) == 0);
                if untouched && !zone.is_all() {
                    continue;
                }
                for statistic in ALL {
                    let mut row = vec![zone.layer.clone(), zone.id.clone(), zone.name.clone()];
                    row.extend([
                        pair.from.to_string(),
                        pair.to.to_string(),
                        date_from.clone(),
                        date_to.clone(),
                    ]);
                    row.extend([code.clone(), name.clone(), statistic.name.to_string()]);
                    row.extend(values(context, statistic, (&matrix, &areas), subject, years));
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
        Column::new("code", "class, or total"),
        Column::new("name", "its name in the job's first language"),
        Column::new("statistic", "name of the statistic; formulas and sources stand in the notes"),
        Column::with_unit("pixels", "cells", "value of statistics that count cells"),
        Column::with_unit("area_ha", "ha", "the same as an area"),
        Column::with_unit("pct_per_year", "%/yr", "value of statistics that are rates"),
    ]);
    let formula = |s: &&Statistic| (s.name.to_string(), format!("{} — {}", s.formula, s.source));
    let mut notes: Vec<(String, String)> = ALL.iter().map(formula).collect();
    notes.extend(context.area_notes());
    notes.push((
        "interval".into(),
        "annual_rate is told where all compared cells of the zone have one true interval, and else is empty: a rate of a \
         total is not the sum of the rates of its parts. annual_change.csv adds up rates by true interval, and says what \
         that is."
            .into(),
    ));
    Table {
        name: "net_change".into(),
        description:
            "statistics of the change matrix by zone, pair of years and class, over cells valid in both years"
                .into(),
        columns,
        rows: Box::new(|sink| rows(context, sink)),
        notes,
    }
}

/// Cells, hectares and per cent a year: the one or two that the statistic has.
fn values(
    context: &Context,
    statistic: &Statistic,
    (cells, areas): (&ChangeMatrix, &ChangeMatrix),
    subject: Subject,
    years: f64,
) -> [String; 3] {
    match (statistic.compute)(cells, subject, years) {
        Some(Value::Pixels(pixels)) => {
            let hectares = match (statistic.compute)(areas, subject, years) {
                Some(Value::Pixels(entry)) => context.hectares(entry),
                _ => String::new(),
            };
            [pixels.to_string(), hectares, String::new()]
        }
        Some(Value::PercentPerYear(rate)) => [String::new(), String::new(), number(rate)],
        None => [String::new(), String::new(), String::new()],
    }
}
