//! `overlap_disagreement.csv`: where sources overlap, who won over whom, with which classes.

use std::collections::BTreeMap;

use super::{Context, area_columns, percent};
use crate::io::table::{Column, Table, listed};

/// A row per year, winner, loser and pair of classes that differ.
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let mut rows = Vec::new();
    let id = |source: u8| {
        context.plan.job.sources.get(usize::from(source)).map_or("", |s| s.id.as_str()).to_string()
    };
    for (year, overlaps) in context.plan.job.epochs.iter().zip(&context.totals.overlaps) {
        let mut shared: BTreeMap<(u8, u8), u64> = BTreeMap::new();
        for (overlap, amount) in overlaps {
            *shared.entry((overlap.winner, overlap.loser)).or_default() += amount.pixels;
        }
        for (overlap, &amount) in overlaps.iter().filter(|(o, _)| o.winner_code != o.loser_code) {
            let whole = shared[&(overlap.winner, overlap.loser)];
            let mut row = vec![year.to_string(), id(overlap.winner), id(overlap.loser)];
            row.extend([overlap.winner_code.to_string(), context.name(overlap.winner_code)]);
            row.extend([
                overlap.loser_code.to_string(),
                context.name(overlap.loser_code),
                amount.pixels.to_string(),
            ]);
            row.extend(context.areas(amount));
            row.extend([whole.to_string(), percent(amount.pixels, whole)]);
            rows.push(row);
        }
    }
    let mut columns = vec![
        Column::new("year", "mapped year"),
        Column::new("winner", "source that decided the cells"),
        Column::new(
            "loser",
            "source that covers them too; the same as the winner where its own files overlap",
        ),
        Column::new("winner_code", "class in the mosaic"),
        Column::new("winner_name", "its name in the job's first language"),
        Column::new("loser_code", "class that the loser gives"),
        Column::new("loser_name", "its name in the job's first language"),
        Column::with_unit("pixels", "cells", "cells on which the two disagree so"),
    ];
    columns.extend(area_columns());
    columns.extend([
        Column::with_unit("overlap_pixels", "cells", "cells that both sources map, agreeing or not"),
        Column::with_unit("pct_of_overlap", "%", "share of those"),
    ]);
    Table {
        name: "overlap_disagreement".into(),
        description: "disagreement between sources where they overlap, class by class".into(),
        columns,
        rows: listed(rows),
        notes: context.area_notes(),
    }
}
