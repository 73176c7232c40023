//! `change_matrix_<from>_<to>_{px,ha}.csv`: the matrix of the whole area as people draw it.

use super::net_change::matrix;
use super::{Context, number};
use crate::io::table::{Column, Table};
use crate::report::zones::by_zone;

/// Two tables per pair: pixels and hectares, always whole.
pub fn tables(context: &Context) -> Vec<Table> {
    let pairs = context.plan.pairs.iter().zip(&context.totals.pairs);
    pairs
        .flat_map(|(pair, joints)| {
            let zones = by_zone(context.plan, joints);
            let counts = zones.iter().find(|(zone, _)| zone.is_all()).map(|(_, totals)| totals.counts.clone());
            let matrix = matrix(&context.codes, &counts.unwrap_or_default());
            let pixels = |n: u64| n.to_string();
            let hectares = |n: u64| context.plan.area.of(n).map(|m2| number(m2 / 1e4)).unwrap_or_default();
            let cells: [(&str, &'static str, &dyn Fn(u64) -> String); 2] =
                [("px", "cells", &pixels), ("ha", "ha", &hectares)];
            cells.map(|(word, unit, value)| {
                let n = matrix.len();
                let mut rows: Vec<Vec<String>> = (0..n)
                    .map(|from| {
                        let code = context.codes[from];
                        let mut row = vec![code.to_string(), context.name(code)];
                        row.extend((0..n).map(|to| value(matrix.pixels(from, to))));
                        row.extend([
                            value(matrix.from_total(from)),
                            value(matrix.persistence(from)),
                            value(matrix.from_total(from) - matrix.persistence(from)),
                        ]);
                        row
                    })
                    .collect();
                let persisted: u64 = (0..n).map(|i| matrix.persistence(i)).sum();
                let mut foot = |label: &str, f: &dyn Fn(usize) -> u64, tail: [String; 3]| {
                    let mut row = vec![label.to_string(), String::new()];
                    row.extend((0..n).map(|to| value(f(to))));
                    row.extend(tail);
                    rows.push(row);
                };
                let total = matrix.total();
                foot("total", &|to| matrix.to_total(to), [value(total), value(persisted), value(total - persisted)]);
                let empty = || [String::new(), String::new(), String::new()];
                foot("persistence", &|to| matrix.persistence(to), empty());
                foot("gain", &|to| matrix.to_total(to) - matrix.persistence(to), empty());
                let mut columns = vec![
                    Column::new("from", "class at the first year (rows)"),
                    Column::new("from_name", "its name in the job's first language"),
                ];
                columns.extend(
                    context.codes.iter().map(|c| Column::with_unit(&c.to_string(), unit, &format!("to {}", context.name(*c)))),
                );
                columns.extend([
                    Column::with_unit("total", unit, "row total"),
                    Column::with_unit("persistence", unit, "cells that kept the class"),
                    Column::with_unit("loss", unit, "row total less persistence"),
                ]);
                Table {
                    name: format!("change_matrix_{}_{}_{word}", pair.from, pair.to),
                    description: format!(
                        "change matrix of the whole area from {pair}: rows = class at {}, columns = class at {}",
                        pair.from, pair.to
                    ),
                    columns,
                    rows,
                    notes: vec![context.area_note()],
                }
            })
        })
        .collect()
}
