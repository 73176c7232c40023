//! `edits.csv`: what edits by interpreters did, class by class; `edit_layers.csv`: who edited what, when and why.

use std::collections::BTreeMap;

use super::{Context, area_columns};
use crate::config::edits::Edit;
use crate::io::part::EditCount;
use crate::io::table::{Column, Table, listed};
use crate::model::edit::Edited;
use crate::model::legend::ClassCode;

/// Both tables; none where the job has no edits.
pub fn tables<'a>(context: &'a Context) -> Vec<Table<'a>> {
    if context.plan.job.edits.is_empty() {
        return Vec::new();
    }
    vec![changes(context), layers(context)]
}

/// A row per edit, year, class before and class after, of all cells that the edit holds.
fn changes<'a>(context: &'a Context) -> Table<'a> {
    let job = &context.plan.job;
    let places: BTreeMap<&str, usize> =
        job.edits.iter().enumerate().map(|(place, edit)| (edit.id.as_str(), place)).collect();
    let mut rows = Vec::new();
    for (&year, counts) in job.epochs.iter().zip(&context.totals.edits) {
        for (EditCount { edit, before, after }, &amount) in counts {
            let Some(&place) = places.get(edit.as_str()) else { continue };
            let mut row = vec![edit.clone(), year.to_string()];
            row.extend(class(context, *before));
            row.extend(class(context, *after));
            row.extend([if before == after { "no" } else { "yes" }.into(), amount.pixels.to_string()]);
            row.extend(context.areas(amount));
            rows.push((place, row));
        }
    }
    // Years and classes keep their order within an edit.
    rows.sort_by_key(|(place, _)| *place);
    let mut columns = vec![
        Column::new("edit", "identifier of the edit"),
        Column::new("year", "mapped year"),
        Column::new("before_code", "class before; empty: none"),
        Column::new("before_name", "its name in the job's first language"),
        Column::new("after_code", "class after; empty: none"),
        Column::new("after_name", "its name in the job's first language"),
        Column::new("edited", "yes: the edit gave the cells another class; no: they kept theirs"),
        Column::with_unit("pixels", "cells", "cells that the edit holds, edited or not"),
    ];
    columns.extend(area_columns());
    let mut notes = context.area_notes();
    notes.push((
        "before".into(),
        "classes of the mosaic as the sources make it; the mosaics, class areas and change matrices are those after all edits, \
         rule_coverage.csv and overlap_disagreement.csv tell of the sources"
            .into(),
    ));
    Table {
        name: "edits".into(),
        description: "cells that each edit by an interpreter holds, by year and class before and after"
            .into(),
        columns,
        rows: listed(rows.into_iter().map(|(_, row)| row).collect()),
        notes,
    }
}

/// Code and name of a class, both empty for none.
fn class(context: &Context, code: Option<ClassCode>) -> [String; 2] {
    code.map_or_else(Default::default, |code| [code.to_string(), context.name(code)])
}

/// A row per edit.
fn layers<'a>(context: &'a Context) -> Table<'a> {
    let row = |edit: &Edit| {
        let from = match edit.from {
            Edited::Class(code) => context.name(code),
            Edited::AnyClass | Edited::NoData => String::new(),
        };
        let years: Vec<String> = edit.epochs.iter().map(ToString::to_string).collect();
        let mut row = vec![edit.id.clone(), edit.from.to_string(), from];
        row.extend([edit.to.to_string(), context.name(edit.to), years.join(" ")]);
        row.extend([edit.author.clone(), edit.date.clone(), edit.reason.clone()]);
        row
    };
    Table {
        name: "edit_layers".into(),
        description: "layers of edits by interpreters: what they change, by whom, when and why".into(),
        columns: vec![
            Column::new("edit", "identifier of the edit"),
            Column::new(
                "from_code",
                "class that is edited; *: any; nodata: what a source decided without a class",
            ),
            Column::new("from_name", "its name in the job's first language"),
            Column::new("to_code", "class that it gets"),
            Column::new("to_name", "its name in the job's first language"),
            Column::new("years", "mapped years that are edited"),
            Column::new("author", "who edited"),
            Column::new("date", "when"),
            Column::new("reason", "why"),
        ],
        rows: listed(context.plan.job.edits.iter().map(row).collect()),
        notes: Vec::new(),
    }
}
