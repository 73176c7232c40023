//! `slivers.csv`: strips in a section's domain that its maps do not hold, and what took their place.

use super::{Context, area_columns};
use crate::io::table::{Column, Table, listed};

/// A row per year, section, source and class.
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let mut rows = Vec::new();
    let domain = context.plan.first().domain.as_ref();
    for (year, slivers) in context.plan.job.epochs.iter().zip(&context.totals.slivers) {
        for (&(owner, source, code, is_mapped), &amount) in slivers {
            let owner = usize::from(owner).checked_sub(1).and_then(|at| domain?.sections.get(at).cloned());
            let source = context.plan.job.sources.get(usize::from(source));
            let mut row = vec![year.to_string(), owner.unwrap_or_default()];
            row.extend(source.map(|source| [source.id.clone(), source.section.clone()]).unwrap_or_default());
            row.push(if is_mapped { "mapped" } else { "nearest" }.to_string());
            row.extend([code.to_string(), context.name(code), amount.pixels.to_string()]);
            row.extend(context.areas(amount));
            rows.push(row);
        }
    }
    let mut columns = vec![
        Column::new("year", "mapped year"),
        Column::new("domain", "section whose domain the cells lie in, and whose maps do not hold them"),
        Column::new("source", "source that gave their class, and is theirs in all tables"),
        Column::new("section", "its section"),
        Column::new(
            "taken",
            "mapped: the source maps the cells; nearest: the class is that of the nearest cell",
        ),
        Column::new("code", "class"),
        Column::new("name", "its name in the job's first language"),
        Column::with_unit("pixels", "cells", "cells"),
    ];
    columns.extend(area_columns());
    let width = domain.map_or(0, |domain| domain.sliver_cells);
    let mut notes = context.area_notes();
    notes.push((
        "sliver".into(),
        format!(
            "what no section's map holds in its own domain, and no open square of {0} x {0} cells fits over; the class is \
             looked for at most {width} cells away",
            width + 1
        ),
    ));
    Table {
        name: "slivers".into(),
        description:
            "strips between sections that the owner's maps do not hold and that took a class, by year".into(),
        columns,
        rows: listed(rows),
        notes,
    }
}
