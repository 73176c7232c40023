//! `excluded.csv`: cells that are in no matrix: with a class in one year only, or not to be compared.

use std::collections::BTreeMap;

use super::{Context, area_columns, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};
use crate::model::area::Amount;
use crate::model::legend::ClassCode;
use crate::report::zones::ZoneTotals;

/// What the cells of a row have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    reason: &'static str,
    side: &'static str,
    code: ClassCode,
}

/// The excluded cells of a zone. Those that must not be compared have a class in both years and stand on both sides.
fn places(totals: &ZoneTotals) -> BTreeMap<Place, Amount> {
    let mut places: BTreeMap<Place, Amount> = BTreeMap::new();
    let mut add = |reason, side, code, amount| {
        *places.entry(Place { reason, side, code }).or_default() += amount;
    };
    for (&classes, &amount) in &totals.counts {
        match classes {
            (Some(code), None) => add("nodata_to", "from", code, amount),
            (None, Some(code)) => add("nodata_from", "to", code, amount),
            _ => {}
        }
    }
    for (&(from, to), &amount) in &totals.left_out {
        for (side, code) in [("from", from), ("to", to)] {
            code.into_iter().for_each(|code| add("not_comparable", side, code, amount));
        }
    }
    places
}

/// A row per zone, pair, class, side and reason.
fn rows(context: &Context, sink: &mut RowSink) -> Result<()> {
    for (pair, zones) in context.pairs() {
        for (zone, totals) in zones {
            for (Place { side, code, reason }, amount) in places(&totals) {
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
        Column::new("code", "class that the cells have in the year of the side"),
        Column::new("side", "the year in which they have it: from or to"),
        Column::new(
            "reason",
            "nodata_from or nodata_to: the year in which they have none; not_comparable: they have one in both years, \
             stand here on both sides, and their makers forbid to compare the maps",
        ),
        Column::with_unit("pixels", "cells", "cells left out of the matrix"),
    ]);
    columns.extend(area_columns());
    Table {
        name: "excluded".into(),
        description: "cells with a class in one year only or that must not be compared, by zone, pair of years and class; \
                      matrix row + excluded (side from) = class area at year_from, column + excluded (side to) = at year_to"
            .into(),
        columns,
        rows: Box::new(|sink| rows(context, sink)),
        notes: context.area_notes(),
    }
}
