//! Every table has a JSON file beside it that tells its columns and the number of its rows.

use std::path::Path;

use serde::Deserialize;

use super::checksums::Listing;
use super::findings::Findings;
use super::read_bounded;
use super::rows::open_csv;

/// The largest sidecar that is read.
const LARGEST: u64 = 16 << 20;

/// What a sidecar says.
#[derive(Deserialize)]
struct Sidecar {
    table: String,
    columns: Vec<SidecarColumn>,
    rows: u64,
}

#[derive(Deserialize)]
struct SidecarColumn {
    name: String,
}

/// Compares every table that the list names with its sidecar.
pub fn check(output: &Path, listing: &Listing, findings: &mut Findings) -> String {
    let (mut tables, mut rows) = (0u64, 0u64);
    let in_tables = listing.keys().filter(|name| name.starts_with("tables/"));
    for name in in_tables {
        if let Some(stem) = name.strip_suffix(".json") {
            let table = format!("{stem}.csv");
            findings.that(output.join(&table).is_file(), name, "table", || {
                format!("stands beside no table: {table} is missing")
            });
        } else if let Some(stem) = name.strip_suffix(".csv") {
            tables += 1;
            let beside = format!("{stem}.json");
            match (content(output, name), sidecar(output, &beside)) {
                (Ok((header, counted)), Ok(told)) => {
                    rows += counted;
                    let file = name.rsplit('/').next().unwrap_or(name);
                    findings.that(told.table == file, &beside, "table", || {
                        format!("tells of `{}`; expected `{file}`", told.table)
                    });
                    let columns: Vec<&str> = told.columns.iter().map(|c| c.name.as_str()).collect();
                    findings.that(columns == header, &beside, "columns", || {
                        format!("tells of columns {columns:?}; the table has {header:?}")
                    });
                    findings.that(told.rows == counted, &beside, "rows", || {
                        format!("tells of {} rows; the table has {counted}", told.rows)
                    });
                }
                (content, sidecar) => {
                    content.err().into_iter().for_each(|problem| findings.add(name, "reading", || problem));
                    sidecar.err().into_iter().for_each(|problem| {
                        findings.add(&beside, "reading", || format!("{problem}; expected it beside {name}"));
                    });
                }
            }
        }
    }
    format!("{tables} tables with {rows} rows compared with the JSON beside them")
}

/// Columns and number of rows of a table.
fn content(output: &Path, name: &str) -> Result<(Vec<String>, u64), String> {
    let mut reader = open_csv(&output.join(name))?;
    let header = reader.headers().map_err(|e| format!("cannot be read: {e}"))?;
    let header = header.iter().map(String::from).collect();
    let (mut rows, mut record) = (0, csv::StringRecord::new());
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => rows += 1,
            Ok(false) => return Ok((header, rows)),
            Err(e) => return Err(format!("cannot be read: {e}")),
        }
    }
}

fn sidecar(output: &Path, name: &str) -> Result<Sidecar, String> {
    let bytes = read_bounded(&output.join(name), LARGEST)?;
    serde_json::from_slice(&bytes).map_err(|e| format!("cannot be understood: {e}"))
}
