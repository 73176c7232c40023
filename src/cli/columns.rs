//! Text in columns, for answers that people read.

/// Lays rows out under their header, each line indented by so many blanks.
///
/// Columns of numbers are flush right; lines end without blanks.
pub fn columns(indent: usize, header: &[&str], rows: &[Vec<String>]) -> String {
    let cell = |row: &[String], column: usize| row.get(column).map_or("", String::as_str).to_string();
    let layout: Vec<(usize, bool)> = header
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = || rows.iter().map(|row| cell(row, column));
            let width = cells().map(|c| c.chars().count()).max().unwrap_or(0).max(title.chars().count());
            let numbers = cells().all(|c| c.is_empty() || c.parse::<f64>().is_ok());
            (width, numbers && cells().any(|c| !c.is_empty()))
        })
        .collect();
    let line = |row: &[String]| {
        let mut text = " ".repeat(indent);
        for (column, &(width, flush_right)) in layout.iter().enumerate() {
            let cell = cell(row, column);
            text += &if flush_right { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
        }
        format!("{}\n", text.trim_end())
    };
    let titles: Vec<String> = header.iter().map(ToString::to_string).collect();
    std::iter::once(&titles).chain(rows).map(|row| line(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_flush_right_and_accents_take_one_column() {
        let rows = [["7", "Forêt", "x"], ["-128", "Herbe", ""]].map(|row| row.map(String::from).to_vec());
        assert_eq!(
            columns(1, &["code", "name", "note"], &rows),
            " code  name   note\n    7  Forêt  x\n -128  Herbe\n"
        );
    }
}
