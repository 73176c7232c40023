//! `annual_change.csv`: what changed per year, by the true time between the maps of each cell, added up.

use super::{Context, number, zone_columns};
use crate::error::Result;
use crate::io::table::{Column, RowSink, Table};
use crate::model::area::Amount;
use crate::model::date::Span;
use crate::report::rates::{Flow, ZoneFlows};
use crate::report::zones::sorted;

/// A row per zone, pair and class (and `total`).
fn rows(context: &Context, sink: &mut RowSink) -> Result<()> {
    for (facts, joints) in context.pair_facts.iter().zip(&context.totals.pairs) {
        let pair = facts.pair();
        let add = |zone: &mut ZoneFlows, joint: &_, amount| zone.add(joint, amount, facts);
        for (zone, flows) in sorted(context.plan, context.totals, joints, |joint| joint, add) {
            let classes =
                context.codes.iter().map(|&code| (Some(code), code.to_string(), context.name(code)));
            for (class, code, name) in classes.chain([(None, "total".to_string(), String::new())]) {
                let (with, without) = (flows.with_interval(class), flows.without_interval(class));
                let untouched = with.is_empty() && without.pixels == 0;
                if untouched && class.is_some() && !zone.is_all() {
                    continue;
                }
                let mut row = vec![zone.layer.clone(), zone.id.clone(), zone.name.clone()];
                row.extend([pair.from.to_string(), pair.to.to_string(), code, name]);
                row.extend(
                    [with.first(), with.last()]
                        .map(|group| group.map(|(span, _)| number(span.years())).unwrap_or_default()),
                );
                let touched: Amount = with.iter().map(|(_, flow)| flow.touched).sum();
                row.extend([touched, without].map(|amount| amount.pixels.to_string()));
                row.extend(rates(context, &with, without));
                sink(row)?;
            }
        }
    }
    Ok(())
}

/// Gain, loss and net change in cells per year, then in hectares per year; empty where no cell has an interval though
/// there are some.
fn rates(context: &Context, groups: &[(Span, Flow)], without: Amount) -> [String; 6] {
    if groups.is_empty() && without.pixels > 0 {
        return Default::default();
    }
    let cells = |amount: Amount| Some(amount.pixels as f64);
    let hectares = |amount: Amount| context.plan.area.of(amount).map(|m2| m2 / 1e4);
    let of = |size: &dyn Fn(Amount) -> Option<f64>| {
        let parts: [Part; 3] = [
            |flow| (flow.gain, Amount::default()),
            |flow| (flow.loss, Amount::default()),
            |flow| (flow.gain, flow.loss),
        ];
        parts.map(|part| per_year(groups, part, size).map(number).unwrap_or_default())
    };
    let ([gain, loss, net], [gain_ha, loss_ha, net_ha]) = (of(&cells), of(&hectares));
    [gain, loss, net, gain_ha, loss_ha, net_ha]
}

/// What of a flow is told: what came, and what is taken from it.
type Part = fn(&Flow) -> (Amount, Amount);

/// What came less what went, per year: each group is divided once, and they are added in the order of their intervals.
fn per_year(groups: &[(Span, Flow)], part: Part, size: &dyn Fn(Amount) -> Option<f64>) -> Option<f64> {
    // Without a known area of a cell nothing has an area.
    let mut sum = size(Amount::default())?;
    for (span, flow) in groups {
        sum += signed(part(flow), size)? / span.years();
    }
    Some(sum)
}

/// The size of a difference: of the difference of integers, not the difference of sizes.
fn signed((more, less): (Amount, Amount), size: &dyn Fn(Amount) -> Option<f64>) -> Option<f64> {
    let difference = |more: Amount, less: Amount| Amount {
        pixels: more.pixels.saturating_sub(less.pixels),
        area_mm2: more.area_mm2.saturating_sub(less.area_mm2),
    };
    // One of the two is nothing; a class may gain cells and lose area, so that each has a sign of its own.
    let (grown, shrunk) = (size(difference(more, less))?, size(difference(less, more))?);
    Some(if shrunk > 0.0 { -shrunk } else { grown })
}

/// The table of [`rows`].
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let mut columns = zone_columns();
    columns.extend([
        Column::new("year_from", "mapped year that change is measured from"),
        Column::new("year_to", "mapped year that change is measured to"),
        Column::new("code", "class, or total"),
        Column::new("name", "its name in the job's first language"),
        Column::with_unit("interval_min", "yr", "shortest true interval among the cells of `pixels`"),
        Column::with_unit("interval_max", "yr", "longest"),
        Column::with_unit(
            "pixels",
            "cells",
            "compared cells that have the class in one of the years or both, and whose maps follow each other in time",
        ),
        Column::with_unit(
            "pixels_without_interval",
            "cells",
            "such cells whose second map is not later than the first: they are in no rate",
        ),
        Column::with_unit("gain_px_per_year", "cells/yr", "cells that became the class, per year"),
        Column::with_unit("loss_px_per_year", "cells/yr", "cells that ceased to be it, per year"),
        Column::with_unit("net_px_per_year", "cells/yr", "gain less loss"),
        Column::with_unit("gain_ha_per_year", "ha/yr", "area that became the class, per year"),
        Column::with_unit("loss_ha_per_year", "ha/yr", "area that ceased to be it, per year"),
        Column::with_unit("net_ha_per_year", "ha/yr", "gain less loss"),
    ]);
    let notes = [
        (
            "rate",
            "cells are sorted by the true interval between the two maps that decided them; each group's count is divided by              its own interval, and the groups are added up. Never a total divided by one interval.",
        ),
        (
            "interval",
            "true date of the second map less that of the first. Between two dates that are years alone: the difference of              the years. Else the time between the middles of what the dates name (a year alone is its middle, a month its              middle, a day its noon), in years of 365.2425 days. A map without a date has its mapped year.",
        ),
        ("total", "gain and loss of `total` are the cells that changed class, each once"),
    ];
    let notes = notes.map(|(key, words)| (key.to_string(), words.to_string()));
    Table {
        name: "annual_change".into(),
        description: "change per year by zone, pair of years and class, over cells valid in both years, by true intervals"
            .into(),
        columns,
        rows: Box::new(|sink| rows(context, sink)),
        notes: notes.into_iter().chain(context.area_notes()).collect(),
    }
}
