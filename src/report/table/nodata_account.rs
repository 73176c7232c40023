//! `nodata_account.csv`: where the cells of each zone come from, and why those without a class have none.

use super::{Context, area_columns, percent, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};
use crate::model::provenance::{Origin, absence_word};
use crate::model::source::{Role, SourceIndex};

/// A row per zone, year and code of provenance.
fn rows(context: &Context, sink: &mut RowSink) -> Result<()> {
    for (epoch, &year) in context.plan.job.epochs.iter().enumerate() {
        for (zone, totals) in context.by_zone(&context.totals.origins[epoch]) {
            let whole = totals.counts.values().map(|amount| amount.pixels).sum();
            for (&(code, _), &amount) in &totals.counts {
                let Some(origin) = code.and_then(|code| Origin::try_from(code).ok()) else { continue };
                let mut row = vec![zone.layer.clone(), zone.id.clone(), zone.name.clone(), year.to_string()];
                row.extend(told(context, origin, year));
                row.push(amount.pixels.to_string());
                row.extend(context.areas(amount));
                row.push(percent(amount.pixels, whole));
                sink(row)?;
            }
        }
    }
    Ok(())
}

/// Code, status, section, source and date of a code of provenance.
fn told(context: &Context, origin: Origin, year: i32) -> [String; 5] {
    let job = &context.plan.job;
    let origins = &context.plan.first().origins;
    let Some(meaning) = origins.meaning(origin) else {
        let status = absence_word(origin).unwrap_or_default().to_string();
        return [origin.to_string(), status, String::new(), String::new(), String::new()];
    };
    let sources = job.sources.iter().enumerate();
    let of_code = sources
        .filter(|(at, source)| origins.code(*at as SourceIndex) == origin && source.role != Role::Official);
    let mut dates: Vec<String> = of_code
        .filter_map(|(_, source)| source.maps.get(&year))
        .map(|map| map.date.clone().unwrap_or_else(|| year.to_string()))
        .collect();
    dates.sort();
    dates.dedup();
    let date = match dates.as_slice() {
        [] => year.to_string(),
        [one] => one.clone(),
        [first, .., last] => format!("{first}/{last}"),
    };
    let source = meaning.source.clone().unwrap_or_default();
    [origin.to_string(), meaning.kind.to_string(), meaning.section.clone(), source, date]
}

/// The table of [`rows`].
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let mut columns = zone_columns();
    columns.extend([
        Column::new("year", "mapped year"),
        Column::new("code", "code in the provenance raster of the year"),
        Column::new(
            "status",
            "mapped; filled: the section saw nothing there, and another map stands in; outside: nothing is mapped; \
             no_observation: cloud, shadow or unclassified; nodata_by_crosswalk: a crosswalk row says so; gap: in a \
             section's domain, and its maps hold nothing; masked: in no section's domain, or off the coast",
        ),
        Column::new("section", "section of the map"),
        Column::new("source", "the map that stands in"),
        Column::new("date", "true date of the map; earliest/latest where several meet"),
        Column::with_unit("pixels", "cells", "cells"),
    ]);
    columns.extend(area_columns());
    columns.push(Column::with_unit("pct", "%", "share of all cells of the zone"));
    Table {
        name: "nodata_account".into(),
        description:
            "where the cells of each zone come from, and why those without a class have none, by year; the \
                      rows of a zone add up to all its cells on the grid"
                .into(),
        columns,
        rows: Box::new(|sink| rows(context, sink)),
        notes: context.area_notes(),
    }
}
