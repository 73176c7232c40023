//! `official_disagreement.csv`: cells that published change maps decided, by what these say and what the maps say.

use std::collections::BTreeMap;

use super::{Context, area_columns, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};
use crate::kernel::official::OfficialJoint;
use crate::model::area::Amount;
use crate::model::legend::ClassCode;
use crate::report::zones::sorted;

/// What the cells of a row have in common: the change map's position in the job, the classes of the maps, those of the change map.
type Place = (Option<usize>, [Option<ClassCode>; 2], [Option<ClassCode>; 2]);

/// A row per zone, pair, section, classes of the maps and classes of the change map.
fn rows(context: &Context, sink: &mut RowSink) -> Result<()> {
    for (facts, counts) in context.pair_facts.iter().zip(&context.totals.official) {
        let pair = facts.pair();
        let maps = &context.plan.job.official;
        let map_of = |counted: &OfficialJoint| {
            let source = counted.joint.from_source;
            maps.iter().position(|map| map.pair == pair && map.twins.values().any(|twin| *twin == source))
        };
        let add = |zone: &mut BTreeMap<Place, Amount>, counted: &OfficialJoint, amount| {
            let (classes, joint) = ([counted.map_from, counted.map_to], &counted.joint);
            *zone.entry((map_of(counted), classes, [joint.from, joint.to])).or_default() += amount;
        };
        for (zone, cells) in sorted(context.plan, context.totals, counts, |counted| &counted.joint, add) {
            for ((map, by_maps, official), amount) in cells {
                let section = map.map_or("", |at| maps[at].section.as_str());
                let mut row = vec![zone.layer.clone(), zone.id.clone(), zone.name.clone()];
                row.extend([pair.from.to_string(), pair.to.to_string(), section.to_string()]);
                let classes = by_maps.into_iter().chain(official);
                row.extend(classes.map(|class| class.map(|code| code.to_string()).unwrap_or_default()));
                row.push(amount.pixels.to_string());
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
        Column::new("section", "section whose change map decided the cells"),
        Column::new("map_from", "class of the map of year_from; empty where it has none"),
        Column::new("map_to", "class of the map of year_to; empty where it has none"),
        Column::new("official_from", "class at year_from by the change map, as in change_matrix.csv"),
        Column::new("official_to", "class at year_to by the change map, as in change_matrix.csv"),
        Column::with_unit(
            "pixels",
            "cells",
            "cells that the change map decided so, whether the maps agree or not",
        ),
    ]);
    columns.extend(area_columns());
    let unchanged = "where a change map coded from100to says 0, both classes are that of the later map: its makers say \
                     that it is the new baseline; a cell without a class there is left to the maps";
    let sums = "for every zone and class: matrix row + excluded (side from) - cells with official_from + cells with map_from \
                = class area at year_from; so for columns, side to and year_to";
    let notes = [("unchanged", unchanged), ("sums", sums)];
    let notes = notes.map(|(key, words)| (key.to_string(), words.to_string()));
    Table {
        name: "official_disagreement".into(),
        description: "cells whose change a published change map decides in place of the difference of the maps, by zone, \
                      pair of years, section, classes of the maps and classes of the change map"
            .into(),
        columns,
        rows: Box::new(|sink| rows(context, sink)),
        notes: notes.into_iter().chain(context.area_notes()).collect(),
    }
}
