//! Rows of tables that one group alone looks at, handed out as text.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use csv::StringRecord;

use super::rows::open_csv;

/// A row of a table.
pub struct Record<'a> {
    /// Its number, from 1.
    pub number: u64,
    record: &'a StringRecord,
    columns: &'a BTreeMap<String, usize>,
}

impl<'a> Record<'a> {
    /// The text of a cell; empty where there is no such column.
    pub fn text(&self, column: &str) -> &'a str {
        self.columns.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default()
    }

    /// A cell as a value, if it is one.
    pub fn parsed<T: FromStr>(&self, column: &str) -> Option<T> {
        self.text(column).parse().ok()
    }
}

/// Hands out the rows of a table that must have some columns; gives their number.
///
/// # Errors
/// In words: the table cannot be read, or lacks columns.
pub fn each(
    output: &Path,
    table: &str,
    columns: &[&str],
    mut each: impl FnMut(&Record),
) -> Result<u64, String> {
    let unreadable = |e: csv::Error| format!("cannot be read: {e}");
    let mut csv = open_csv(&output.join(table))?;
    let header = csv.headers().map_err(unreadable)?;
    let places: BTreeMap<String, usize> =
        header.iter().enumerate().map(|(at, name)| (name.to_string(), at)).collect();
    let lacking: Vec<&str> = columns.iter().copied().filter(|c| !places.contains_key(*c)).collect();
    if !lacking.is_empty() {
        return Err(format!("lacks the columns {}", lacking.join(", ")));
    }
    let (mut record, mut number) = (StringRecord::new(), 0);
    while csv.read_record(&mut record).map_err(unreadable)? {
        number += 1;
        each(&Record { number, record: &record, columns: &places });
    }
    Ok(number)
}
