//! `change_matrix_<from>_<to>_{px,ha}.csv`: the matrix of the whole area as people draw it.

use super::Context;
use crate::io::table::{Column, Table, listed};
use crate::model::epoch::Interval;
use crate::model::matrix::ChangeMatrix;
use crate::report::zones::ZoneCounts;

/// Two tables per pair: pixels and hectares, always whole.
pub fn tables<'a>(context: &'a Context) -> Vec<Table<'a>> {
    context
        .pairs()
        .flat_map(|(pair, mut zones)| {
            let counts = zones.find(|(zone, _)| zone.is_all()).map(|(_, totals)| totals.counts);
            let counts = counts.unwrap_or_default();
            [Measure::Pixels, Measure::Hectares]
                .map(|measure| table(context, pair, &measure.matrix(context, &counts), measure))
        })
        .collect()
}

/// What the entries are.
#[derive(Clone, Copy)]
enum Measure {
    Pixels,
    Hectares,
}

impl Measure {
    fn word(self) -> &'static str {
        match self {
            Self::Pixels => "px",
            Self::Hectares => "ha",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Pixels => "cells",
            Self::Hectares => "ha",
        }
    }

    /// The matrix whose entries are told.
    fn matrix(self, context: &Context, counts: &ZoneCounts) -> ChangeMatrix {
        match self {
            Self::Pixels => context.cell_matrix(counts),
            Self::Hectares => context.area_matrix(counts),
        }
    }

    /// An entry of it, or a sum of them.
    fn text(self, context: &Context, entry: u128) -> String {
        match self {
            Self::Pixels => entry.to_string(),
            Self::Hectares => context.hectares(entry.try_into().unwrap_or(i128::MAX)),
        }
    }
}

fn table<'a>(context: &'a Context, pair: Interval, matrix: &ChangeMatrix, measure: Measure) -> Table<'a> {
    let n = matrix.len();
    let text = |entry: u128| measure.text(context, entry);
    let mut rows: Vec<Vec<String>> = Vec::with_capacity(n + 3);
    for from in 0..n {
        let mut row = vec![context.codes[from].to_string(), context.name(context.codes[from])];
        row.extend((0..n).map(|to| text(matrix.pixels(from, to))));
        let (total, kept) = (matrix.from_total(from), matrix.persistence(from));
        row.extend([text(total), text(kept), text(total - kept)]);
        rows.push(row);
    }
    let foot = |label: &str, of_class: &dyn Fn(usize) -> u128| {
        let mut row = vec![label.to_string(), String::new()];
        row.extend((0..n).map(|to| text(of_class(to))));
        row
    };
    let kept: u128 = (0..n).map(|class| matrix.persistence(class)).sum();
    let mut total = foot("total", &|to| matrix.to_total(to));
    total.extend([text(matrix.total()), text(kept), text(matrix.total() - kept)]);
    rows.push(total);
    for mut row in [
        foot("persistence", &|to| matrix.persistence(to)),
        foot("gain", &|to| matrix.to_total(to) - matrix.persistence(to)),
    ] {
        row.resize(n + 5, String::new());
        rows.push(row);
    }
    Table {
        name: format!("change_matrix_{}_{}_{}", pair.from, pair.to, measure.word()),
        description: format!(
            "change matrix of the whole area from {pair}: rows = class at {}, columns = class at {}",
            pair.from, pair.to
        ),
        columns: columns(context, measure.unit()),
        rows: listed(rows),
        notes: context.area_notes(),
    }
}

fn columns(context: &Context, unit: &'static str) -> Vec<Column> {
    let mut columns = vec![
        Column::new("from", "class at the first year (rows)"),
        Column::new("from_name", "its name in the job's first language"),
    ];
    let class =
        |code: &i32| Column::with_unit(&code.to_string(), unit, &format!("to {}", context.name(*code)));
    columns.extend(context.codes.iter().map(class));
    columns.extend([
        Column::with_unit("total", unit, "row total"),
        Column::with_unit("persistence", unit, "cells that kept the class"),
        Column::with_unit("loss", unit, "row total less persistence"),
    ]);
    columns
}
