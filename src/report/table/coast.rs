//! `coast.csv`: what the sources said of cells off land, where something else holds now; `water.csv`: water by where it lies.

use std::collections::BTreeMap;

use super::{Context, area_columns, zone_columns};
use crate::io::table::{Column, Table, listed};
use crate::kernel::tabulate::{Joint, JointCounts};
use crate::model::area::Amount;
use crate::model::legend::ClassCode;
use crate::model::source::Role;
use crate::report::zones::by_zone;

/// Both tables; none where the job has no coast, the first alone where nobody says which class is water.
pub fn tables<'a>(context: &'a Context) -> Vec<Table<'a>> {
    let Some(coast) = &context.plan.job.coast else { return Vec::new() };
    let fringe = coast.water.filter(|_| coast.has_source());
    let mut tables = vec![overruled(context, fringe)];
    tables.extend(coast.water.map(|water| by_place(context, water, coast.great_lakes)));
    tables
}

/// A row per year, part and class that the sources gave.
fn overruled<'a>(context: &'a Context, water: Option<ClassCode>) -> Table<'a> {
    let mut rows = Vec::new();
    for (year, counts) in context.plan.job.epochs.iter().zip(&context.totals.coast) {
        for (count, &amount) in counts {
            let part = if count.fringe { "fringe" } else { "masked" };
            let after = water.filter(|_| count.fringe);
            let mut row = vec![year.to_string(), part.into()];
            for code in [count.before, after] {
                row.push(code.map(|code| code.to_string()).unwrap_or_default());
                row.push(code.map(|code| context.name(code)).unwrap_or_default());
            }
            row.push(amount.pixels.to_string());
            row.extend(context.areas(amount));
            rows.push((year, !count.fringe, count.before, row));
        }
    }
    // The fringe comes first, as it does from land.
    rows.sort_by_key(|(year, sea, before, _)| (**year, *sea, *before));
    let mut columns = vec![
        Column::new("year", "mapped year"),
        Column::new(
            "part",
            "fringe: the band along the coast; masked: further out, where nothing has a class now",
        ),
        Column::new("before_code", "class that the sources give; empty: none"),
        Column::new("before_name", "its name in the job's first language"),
        Column::new("after_code", "class in the mosaic, before edits; empty: none"),
        Column::new("after_name", "its name in the job's first language"),
        Column::with_unit("pixels", "cells", "cells of it"),
    ];
    columns.extend(area_columns());
    let mut notes = context.area_notes();
    notes.push((
        "fringe".into(),
        "cells off land whose distance to a cell of land, as a king walks on a chessboard, is no more than the job's fringe_cells; \
         one for all years"
            .into(),
    ));
    Table {
        name: "coast".into(),
        description: "cells off land by year, place and the class that the sources give; the sea without a class is not counted"
            .into(),
        columns,
        rows: listed(rows.into_iter().map(|(.., row)| row).collect()),
        notes,
    }
}

/// Where water lies.
const INLAND: &str = "inland";
const GREAT_LAKES: &str = "great_lakes";
const FRINGE: &str = "fringe";

/// A row per zone, year and part of the water; zeros only in the whole area.
fn by_place<'a>(context: &'a Context, water: ClassCode, lakes: Option<usize>) -> Table<'a> {
    let (plan, totals) = (context.plan, context.totals);
    let lakes = lakes.and_then(|layer| plan.zones().iter().position(|counted| counted.layer == layer));
    let is_fringe = |joint: &Joint| {
        let source = plan.job.sources.get(usize::from(joint.from_source));
        source.is_some_and(|source| source.role == Role::Fringe)
    };
    let is_lake = |joint: &Joint| {
        let zone = |position: usize| totals.zones.get(joint.zone).get(position).copied().unwrap_or_default();
        lakes.is_some_and(|position| plan.zones()[position].holds(zone(position)))
    };
    let part_of = |joint: &Joint| match (is_fringe(joint), is_lake(joint)) {
        (true, _) => FRINGE,
        (false, true) => GREAT_LAKES,
        (false, false) => INLAND,
    };
    let parts = [Some(INLAND), lakes.map(|_| GREAT_LAKES), Some(FRINGE)];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    let mut rows = Vec::new();
    for (year, joints) in plan.job.epochs.iter().zip(&totals.areas) {
        let of_water = joints.iter().filter(|(joint, _)| joint.from == Some(water));
        let of_water: JointCounts = of_water.map(|(joint, amount)| (*joint, *amount)).collect();
        let mut by_part: BTreeMap<&str, BTreeMap<(String, String), Amount>> = BTreeMap::new();
        for &part in &parts {
            let of_part = of_water.iter().filter(|(joint, _)| part_of(joint) == part);
            let of_part: JointCounts = of_part.map(|(joint, amount)| (*joint, *amount)).collect();
            for (zone, of_zone) in by_zone(plan, totals, &of_part, None) {
                let amount: Amount = of_zone.counts.values().copied().sum();
                by_part.entry(part).or_default().insert((zone.layer, zone.id), amount);
            }
        }
        for (zone, _) in by_zone(plan, totals, &of_water, None) {
            let key = (zone.layer.clone(), zone.id.clone());
            for &part in &parts {
                let amount = by_part.get(part).and_then(|zones| zones.get(&key)).copied().unwrap_or_default();
                if amount.pixels == 0 && !zone.is_all() {
                    continue;
                }
                let mut row = vec![zone.layer.clone(), zone.id.clone(), zone.name.clone(), year.to_string()];
                row.extend([water.to_string(), context.name(water), part.to_string()]);
                row.push(amount.pixels.to_string());
                row.extend(context.areas(amount));
                rows.push(row);
            }
        }
    }
    let mut columns = zone_columns();
    columns.extend([
        Column::new("year", "mapped year"),
        Column::new("code", "class of water"),
        Column::new("name", "its name in the job's first language"),
        Column::new(
            "part",
            "fringe: the band along the coast; great_lakes: in the lakes that the job names; inland: all other water",
        ),
        Column::with_unit("pixels", "cells", "cells of water"),
    ]);
    columns.extend(area_columns());
    Table {
        name: "water".into(),
        description: "cells of water by zone, year and where they lie; together those of class_area.csv"
            .into(),
        columns,
        rows: listed(rows),
        notes: context.area_notes(),
    }
}
