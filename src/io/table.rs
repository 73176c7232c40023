//! Tables: CSV for the rows, JSON beside it for what the columns mean.

use std::path::Path;

use serde::Serialize;

use super::atomic::write_bytes;
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

/// A table, ready to write.
#[derive(Debug, Clone)]
pub struct Table {
    /// File name without extension.
    pub name: String,
    /// One sentence on what a row is.
    pub description: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Cells as text, one per column; empty means unknown or undefined.
    pub rows: Vec<Vec<String>>,
    /// Method, formulas, sources: a word and a sentence each.
    pub notes: Vec<(String, String)>,
}

/// Writes `<name>.csv` (UTF-8, LF, point decimal) and `<name>.json` into a folder; gives the file names.
///
/// # Errors
/// Io: the disk refuses. Bug: a row has another number of cells than there are columns.
pub fn write_table(folder: &Path, table: &Table) -> Result<Vec<String>> {
    let bug = |e: &dyn std::fmt::Display| Error::bug(format!("table {} cannot be written: {e}", table.name));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(table.columns.iter().map(|c| &c.name)).map_err(|e| bug(&e))?;
    for row in &table.rows {
        writer.write_record(row).map_err(|e| bug(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| bug(&e))?;
    let names = [format!("{}.csv", table.name), format!("{}.json", table.name)];
    write_bytes(&folder.join(&names[0]), &bytes)?;
    let sidecar = serde_json::json!({
        "table": names[0],
        "description": table.description,
        "columns": table.columns,
        "rows": table.rows.len(),
        "notes": table.notes.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    });
    let text = serde_json::to_string_pretty(&sidecar).map_err(|e| bug(&e))?;
    write_bytes(&folder.join(&names[1]), format!("{text}\n").as_bytes())?;
    Ok(names.to_vec())
}
