//! A small continent whose sections overlap, leave gaps and meet along crooked boundaries, and what its cells come to.

use std::collections::BTreeMap;

use super::{Drawing, LAEA, Scratch, patchy};

pub const ROWS: usize = 1100;
pub const COLS: usize = 1200;

/// Sections in the order of the job.
pub const SECTIONS: [&str; 3] = ["west", "east", "north"];

/// A source: identifier, section, priority, and where its file begins and ends: rows, columns.
type Source = (&'static str, usize, u8, [usize; 4]);

/// Two of the section `west`; in order of precedence. The first of the job is `a`, then `b`, `c`, `d`.
const SOURCES: [Source; 4] = [
    ("a", 0, 5, [0, ROWS, 0, 700]),
    ("c", 0, 4, [900, ROWS, 300, 1000]),
    ("b", 1, 3, [0, ROWS, 560, COLS]),
    ("d", 2, 0, [0, 80, 400, 900]),
];

/// The class that a source gives a cell of the grid; 0 where it maps nothing.
fn class(id: &str, year: i32, row: usize, col: usize) -> u8 {
    let seed = year as u64;
    match id {
        // A crooked eastern edge, and holes of one cell and of many, some of them over other sources.
        "a" if col >= 620 + row % 37 || row < 40 || (row * 13 + col * 7).is_multiple_of(997) => 0,
        "a" if (200..260).contains(&row) && (480..560).contains(&col) && !(210..215).contains(&row) => 0,
        "b" if (row * 7 + col * 3 + year as usize).is_multiple_of(101) => 0,
        "b" if (100..700).contains(&row) && (1020..1030).contains(&col) => 0,
        "a" | "c" => patchy(row, col, seed, &[1, 5, 8, 15]),
        "b" => patchy(row, col, seed + 1, &[5, 8, 10, 17]),
        _ => patchy(row, col, seed + 2, &[5, 15]),
    }
}

/// A map of every source and year, and a job of them.
pub fn continent(scratch: &Scratch, years: &[i32]) -> String {
    for (id, _, _, [top, end, left, right]) in SOURCES {
        let origin = (left as f64 * 30.0, -(top as f64) * 30.0);
        let drawing = Drawing { origin, options: &["TILED=YES"], ..Drawing::default() };
        for &year in years {
            let path = scratch.path(&format!("{id}_{year}.tif"));
            drawing.plot(&path, end - top, right - left, |row, col| class(id, year, row + top, col + left));
        }
    }
    let mut sources = SOURCES;
    sources.sort_by_key(|source| source.0);
    let source = |(id, section, priority, _): &Source| {
        let epochs: Vec<String> = years.iter().map(|year| format!("{year} = \"{id}_{year}.tif\"")).collect();
        format!(
            "[[source]]\nid = \"{id}\"\nsection = \"{}\"\npriority = {priority}\nlegend = \"nalcms\"\nepochs = {{ {} }}\n",
            SECTIONS[*section],
            epochs.join(", ")
        )
    };
    format!(
        "name = \"continent\"\noutput = \"OUTPUT\"\nKEYS\n[grid]\ncrs = \"{LAEA}\"\norigin = [0, 0]\ncell_size_m = 30\n\
         shape = [{ROWS}, {COLS}]\nextent = \"full\"\n{}[compute]\ntask_cells = TASK\n",
        sources.iter().map(source).collect::<String>()
    )
}

/// A cell of a mosaic: its section and class; nothing where no source decides.
pub type Cell = Option<(usize, u8)>;

/// The mosaic of a year, row by row.
pub fn mosaic(year: i32) -> Vec<Cell> {
    let decided = |row: usize, col: usize| {
        SOURCES.iter().find_map(|(id, section, _, [top, end, left, right])| {
            let there = (*top..*end).contains(&row) && (*left..*right).contains(&col);
            let class = if there { class(id, year, row, col) } else { 0 };
            (class > 0).then_some((*section, class))
        })
    };
    (0..ROWS * COLS).map(|place| decided(place / COLS, place % COLS)).collect()
}

/// Sections a and b, line, classes.
pub type Pair = (usize, usize, &'static str, u8, u8);

/// Facing pairs and control pairs of a map of so many columns, by their definition.
pub fn seams(cells: &[Cell], cols: usize, control: i64) -> BTreeMap<Pair, u64> {
    let rows = cells.len() / cols;
    let at = |row: i64, col: i64| {
        let inside = row >= 0 && col >= 0 && row < rows as i64 && col < cols as i64;
        inside.then(|| cells[row as usize * cols + col as usize]).flatten()
    };
    let mut counts = BTreeMap::new();
    for (row, col) in (0..rows as i64).flat_map(|row| (0..cols as i64).map(move |col| (row, col))) {
        for (down, right) in [(0, 1), (1, 0)] {
            let cell = |n: i64| at(row + n * down, col + n * right);
            let (Some(one), Some(other)) = (cell(0), cell(1)) else { continue };
            if one.0 == other.0 {
                continue;
            }
            let (a, b) = if one.0 < other.0 { (one, other) } else { (other, one) };
            *counts.entry((a.0, b.0, "seam", a.1, b.1)).or_default() += 1;
            let behind = [
                (one.0, cell(-control), cell(-control - 1)),
                (other.0, cell(1 + control), cell(2 + control)),
            ];
            for (own, near, far) in behind {
                if let (Some(near), Some(far)) = (near, far)
                    && near.0 == own
                    && far.0 == own
                {
                    let line = if own == a.0 { "control_a" } else { "control_b" };
                    *counts.entry((a.0, b.0, line, near.1, far.1)).or_default() += 1;
                }
            }
        }
    }
    counts
}

/// A gap: cells, first and last row, first and last column, and its first cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub cells: Vec<(usize, usize)>,
    pub rows: (usize, usize),
    pub cols: (usize, usize),
}

/// The gaps of a map of so many columns, by a flood from every undecided cell; the largest first.
pub fn gaps(decided: &[bool], cols: usize) -> Vec<Gap> {
    let rows = decided.len() / cols;
    let mut seen = decided.to_vec();
    let mut gaps = Vec::new();
    for start in 0..decided.len() {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        let (mut todo, mut cells) = (vec![(start / cols, start % cols)], Vec::new());
        while let Some((row, col)) = todo.pop() {
            cells.push((row, col));
            for (r, c) in
                [(row.wrapping_sub(1), col), (row + 1, col), (row, col.wrapping_sub(1)), (row, col + 1)]
            {
                if r < rows && c < cols && !std::mem::replace(&mut seen[r * cols + c], true) {
                    todo.push((r, c));
                }
            }
        }
        let range = |of: fn(&(usize, usize)) -> usize| {
            (cells.iter().map(of).min().unwrap(), cells.iter().map(of).max().unwrap())
        };
        let (within, across) = (range(|cell| cell.0), range(|cell| cell.1));
        if within.0 > 0 && within.1 + 1 < rows && across.0 > 0 && across.1 + 1 < cols {
            gaps.push(Gap { rows: within, cols: across, cells });
        }
    }
    // Those of one size stay in the order of their first cells.
    gaps.sort_by_key(|gap| std::cmp::Reverse(gap.cells.len()));
    gaps
}

/// Runs the continent's job; its files and their checksums.
pub fn run(
    scratch: &Scratch,
    job: &str,
    keys: &str,
    output: &str,
    task: &str,
    flags: &[&str],
) -> BTreeMap<String, String> {
    let text = job.replace("OUTPUT", output).replace("KEYS", keys).replace("TASK", task);
    let path = scratch.write(&format!("{output}.toml"), &text);
    scratch.ok(&[&["run", path.to_str().unwrap(), "--quiet"], flags].concat());
    let sums = std::fs::read_to_string(scratch.path(output).join("SHA256SUMS")).unwrap();
    sums.lines().map(|line| (line[66..].to_string(), line[..64].to_string())).collect()
}
