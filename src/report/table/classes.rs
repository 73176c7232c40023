//! `classes.csv`: the legend of the product.

use super::Context;
use crate::io::table::{Column, Table, listed};
use crate::model::legend::{Language, LegendClass, Status};

/// A row per class.
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let legend = &context.plan.job.target;
    let parent = |class: &LegendClass, id: &str| {
        let rollup = legend.rollups.iter().find(|r| r.id == id)?;
        let group = rollup.groups.iter().find(|g| g.members.contains(&class.code))?;
        Some(group.name.get(context.language()).to_string())
    };
    let status =
        |status: Status| if status == Status::Published { "published" } else { "proposed" }.to_string();
    let row = |class: &LegendClass| {
        let mut row = vec![class.code.to_string()];
        row.extend(Language::ALL.map(|l| class.name.exactly(l).unwrap_or_default().to_string()));
        row.push(class.colour.map(String::from).unwrap_or_default());
        row.push(status(class.status));
        row.push(class.proposed_names.iter().map(|l| l.code()).collect::<Vec<_>>().join(" "));
        row.extend(legend.rollups.iter().map(|r| parent(class, &r.id).unwrap_or_default()));
        row
    };
    let mut columns = vec![
        Column::new("code", "value in the rasters"),
        Column::new("en", "English name"),
        Column::new("es", "Spanish name"),
        Column::new("fr", "French name"),
        Column::new("colour", "RRGGBB, hexadecimal"),
        Column::new("status", "whether the class is published or proposed"),
        Column::new("proposed_names", "languages whose name nobody published"),
    ];
    columns.extend(legend.rollups.iter().map(|r| Column::new(&r.id.replace('-', "_"), &r.title)));
    Table {
        name: "classes".into(),
        description: format!("classes of the legend `{}`: {}", legend.id, legend.title),
        columns,
        rows: listed(legend.classes.iter().map(row).collect()),
        notes: vec![("source".into(), legend.source.clone())],
    }
}
