//! Tables: CSV for the rows, JSON beside it for what the columns mean.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::atomic::{AtomicFile, io_error, write_bytes};
use crate::error::{Error, Result};

/// One column.
#[derive(Debug, Clone, Serialize)]
pub struct Column {
    /// Name in the header line.
    pub name: String,
    /// Unit, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// What it holds.
    pub description: String,
}

impl Column {
    /// A column without a unit.
    pub fn new(name: &str, description: &str) -> Self {
        Self { name: name.into(), unit: None, description: description.into() }
    }

    /// A column with a unit.
    pub fn with_unit(name: &str, unit: &'static str, description: &str) -> Self {
        Self { unit: Some(unit), ..Self::new(name, description) }
    }
}

/// Takes the rows of a table one by one: cells as text, one per column; empty means unknown or undefined.
pub type RowSink<'a> = dyn FnMut(Vec<String>) -> Result<()> + 'a;

/// Hands out the rows of a table. Thousands of zones make millions of rows, which are never held at once.
pub type Rows<'a> = Box<dyn Fn(&mut RowSink) -> Result<()> + 'a>;

/// A table, ready to write.
pub struct Table<'a> {
    /// File name without extension.
    pub name: String,
    /// One sentence on what a row is.
    pub description: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Rows<'a>,
    /// Method, formulas, sources: a word and a sentence each.
    pub notes: Vec<(String, String)>,
}

impl fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The rows of a short table.
pub fn listed(rows: Vec<Vec<String>>) -> Rows<'static> {
    Box::new(move |sink| rows.iter().cloned().try_for_each(&mut *sink))
}

/// Writes `<name>.csv` (UTF-8, LF, point decimal) and `<name>.json` into a folder; gives the file names.
///
/// # Errors
/// Io: the disk refuses. Bug: a row has another number of cells than there are columns.
pub fn write_table(folder: &Path, table: &Table) -> Result<Vec<String>> {
    let names = [format!("{}.csv", table.name), format!("{}.json", table.name)];
    let path = folder.join(&names[0]);
    let failed = |e: csv::Error| match e.into_kind() {
        csv::ErrorKind::Io(e) => io_error("a table cannot be written", &path, &e),
        other => Error::bug(format!("table {} cannot be written: {other:?}", table.name)),
    };
    let mut writer = csv::Writer::from_writer(AtomicFile::create(&path)?);
    writer.write_record(table.columns.iter().map(|c| &c.name)).map_err(failed)?;
    let mut rows = 0u64;
    (table.rows)(&mut |row| {
        rows += 1;
        writer.write_record(&row).map_err(failed)
    })?;
    let file = writer.into_inner().map_err(|e| io_error("a table cannot be written", &path, e.error()))?;
    file.commit()?;
    let sidecar = serde_json::json!({
        "table": names[0],
        "description": table.description,
        "columns": table.columns,
        "rows": rows,
        "notes": table.notes.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    });
    let text = serde_json::to_string_pretty(&sidecar).map_err(|e| Error::bug(e.to_string()))?;
    write_bytes(&folder.join(&names[1]), format!("{text}\n").as_bytes())?;
    Ok(names.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_with_a_cell_too_few_is_no_row_of_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let table = |row: &[&str]| Table {
            name: "t".into(),
            description: "letters".into(),
            columns: vec![Column::new("a", "first"), Column::new("b", "second")],
            rows: listed(vec![row.iter().map(ToString::to_string).collect()]),
            notes: Vec::new(),
        };
        assert!(write_table(folder.path(), &table(&["x"])).is_err());
        assert!(!folder.path().join("t.csv").exists());
        write_table(folder.path(), &table(&["x", "y, z"])).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("t.csv")).unwrap(), "a,b\nx,\"y, z\"\n");
    }
}
