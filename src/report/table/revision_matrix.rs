//! `revision_matrix.csv`: two editions of the map of one year, class by class. Not change: nothing of it is per year.

use std::collections::BTreeMap;

use super::{Context, area_columns, percent, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};
use crate::model::area::Amount;
use crate::model::epoch::Epoch;
use crate::model::legend::ClassCode;

/// What is compared.
#[derive(Debug, Clone)]
pub struct Revision {
    /// The year that both editions map.
    pub year: Epoch,
    /// The earlier and the later edition, in words.
    pub editions: [String; 2],
    /// The layer of zones that is told beside the whole.
    pub layer: String,
}

/// A row per zone, class in the earlier and class in the later edition; one of them is empty where that has none.
fn rows(context: &Context, revision: &Revision, sink: &mut RowSink) -> Result<()> {
    for (_, zones) in context.pairs() {
        for (zone, totals) in zones.filter(|(zone, _)| zone.is_all() || zone.layer == revision.layer) {
            let mut classes: [BTreeMap<ClassCode, u64>; 2] = Default::default();
            let mut whole = 0;
            for (&(old, new), amount) in &totals.counts {
                for (sums, class) in classes.iter_mut().zip([old, new]) {
                    class.into_iter().for_each(|class| *sums.entry(class).or_default() += amount.pixels);
                }
                whole += amount.pixels;
            }
            let share = |side: usize, class: Option<ClassCode>, amount: Amount| {
                class.map_or(String::new(), |class| percent(amount.pixels, classes[side][&class]))
            };
            for (&(old, new), &amount) in &totals.counts {
                let mut row = vec![zone.layer.clone(), zone.id.clone(), zone.name.clone()];
                row.push(revision.year.to_string());
                row.extend(revision.editions.iter().cloned());
                for class in [old, new] {
                    row.push(class.map_or(String::new(), |code| code.to_string()));
                    row.push(class.map_or(String::new(), |code| context.name(code)));
                }
                row.push(amount.pixels.to_string());
                row.extend(context.areas(amount));
                row.extend([share(0, old, amount), share(1, new, amount), percent(amount.pixels, whole)]);
                sink(row)?;
            }
        }
    }
    Ok(())
}

/// The table: a row for every pair of classes that occurs in a zone.
pub fn table<'a>(context: &'a Context, revision: &'a Revision) -> Table<'a> {
    let mut columns = zone_columns();
    columns.extend([
        Column::new("year", "the year that both editions map"),
        Column::new("edition_old", "the earlier edition"),
        Column::new("edition_new", "the later edition"),
        Column::new("old_code", "class in the earlier edition; empty where it has none"),
        Column::new("old_name", "its name"),
        Column::new("new_code", "class in the later edition; empty where it has none"),
        Column::new("new_name", "its name"),
        Column::with_unit("pixels", "cells", "cells that have the one in the one and the other in the other"),
    ]);
    columns.extend(area_columns());
    columns.extend([
        Column::with_unit("pct_of_old", "%", "share of the class in the earlier edition"),
        Column::with_unit("pct_of_new", "%", "share of the class in the later edition"),
        Column::with_unit(
            "pct_of_total",
            "%",
            "share of all cells of the zone with a class in one of the editions",
        ),
    ]);
    let words = "what differs is what the makers revised: no land changed between two maps of one year";
    Table {
        name: "revision_matrix".into(),
        description: "two editions of the map of one year compared, by zone and class".into(),
        columns,
        rows: Box::new(|sink| rows(context, revision, sink)),
        notes: std::iter::once(("revision".to_string(), words.to_string()))
            .chain(context.area_notes())
            .collect(),
    }
}
