//! Tenth group: the pairs of cells along boundaries of sections, and what their summary says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::Array2;
use rayon::prelude::*;

use super::findings::Findings;
use super::heed_stop;
use super::manifest::Manifest;
use super::rasters::{Kind, Raster};
use super::records::{Record, each};
use super::tables::{CLASSES, Tables, percent, same, told};
use crate::error::Result;
use crate::io::gdal::{Pixels, RasterFile, open_raster};
use crate::model::epoch::Epoch;
use crate::model::legend::ClassCode;
use crate::model::window::{BLOCK, Window};

const SEAM: &str = "tables/seam.csv";
const SUMMARY: &str = "tables/seam_summary.csv";

/// Where the cells of a pair lie, in the order of the summary.
const LINES: [&str; 3] = ["seam", "control_a", "control_b"];

/// A boundary: grid, year, positions of its two sections.
type Boundary = (usize, Epoch, usize, usize);

/// Pairs and those of two classes, by line.
type Counts = BTreeMap<&'static str, (u64, u64)>;

/// A kind of pair: where, on which line, of which classes.
type Kinds = BTreeMap<(Boundary, &'static str, ClassCode, ClassCode), u64>;

/// Compares the rows with the job and the legend, with the maps where rasters tell whose cells are whose, and the summary with the
/// rows; says how many.
///
/// # Errors
/// Terminated, Interrupted: stopped.
pub fn check(
    output: &Path,
    rasters: &[Raster],
    tables: &Tables,
    manifest: &Manifest,
    findings: &mut Findings,
) -> Result<String> {
    let mut check = Check { tables, manifest, findings, kinds: Kinds::new(), boundaries: BTreeMap::new() };
    let pairs = check.pairs(output);
    let boundaries = check.summary(output);
    let (pairs, boundaries) = match (pairs, boundaries) {
        (Ok(pairs), Ok(boundaries)) => (pairs, boundaries),
        (pairs, boundaries) => {
            for (table, problem) in [(SEAM, pairs.err()), (SUMMARY, boundaries.err())] {
                problem.into_iter().for_each(|problem| check.findings.add(table, "reading", || problem));
            }
            return Ok("not compared: tables cannot be read".into());
        }
    };
    let mut again = 0;
    for map in rasters {
        let Kind::Map(year) = map.kind else { continue };
        let origins = rasters.iter().find(|r| r.grid == map.grid && r.kind == Kind::Provenance(year));
        let Some(origins) = origins else { continue };
        if let Some(counted) = recounted(map, origins, year, manifest)? {
            again += 1;
            check.maps((map.grid, year), &counted);
        }
    }
    Ok(format!(
        "{pairs} kinds of pairs added up along {boundaries} boundaries, those of {again} maps counted anew"
    ))
}

struct Check<'a> {
    tables: &'a Tables,
    manifest: &'a Manifest,
    findings: &'a mut Findings,
    /// The rows of the long table.
    kinds: Kinds,
    /// What they add up to.
    boundaries: BTreeMap<Boundary, Counts>,
}

impl Check<'_> {
    fn pairs(&mut self, output: &Path) -> std::result::Result<u64, String> {
        let columns =
            ["year", "section_a", "section_b", "line", "code_a", "name_a", "code_b", "name_b", "pairs"];
        each(output, SEAM, &columns, |row| {
            let Some(boundary) = self.boundary(SEAM, row) else { return };
            let line = LINES.into_iter().find(|line| *line == row.text("line"));
            let codes =
                [("code_a", "name_a"), ("code_b", "name_b")].map(|(code, name)| self.class(row, code, name));
            let pairs = row.parsed::<u64>("pairs").filter(|pairs| *pairs > 0);
            let (Some(line), [Some(a), Some(b)], Some(pairs)) = (line, codes, pairs) else {
                self.findings.add(SEAM, "words", || {
                    format!("row {}: line, codes or pairs are none, or pairs are 0", row.number)
                });
                return;
            };
            let twice = self.kinds.insert((boundary, line, a, b), pairs).is_some();
            self.findings.that(!twice, SEAM, "rows", || format!("row {}: the pair stands twice", row.number));
            let (all, differ) = self.boundaries.entry(boundary).or_default().entry(line).or_default();
            *all = all.saturating_add(pairs);
            *differ = differ.saturating_add(if a == b { 0 } else { pairs });
        })
    }

    /// Compares the rows of a year with the pairs that its map has.
    fn maps(&mut self, (grid, year): (usize, Epoch), counted: &Kinds) {
        let of_map = self.kinds.iter().filter(|((place, ..), _)| (place.0, place.1) == (grid, year));
        let listed: Kinds = of_map.map(|(kind, pairs)| (*kind, *pairs)).collect();
        let sections = self.manifest.sections();
        self.findings.compare(SEAM, "maps", &listed, counted, |((_, year, a, b), line, code_a, code_b)| {
            let names = [a, b].map(|at| sections.get(*at).copied().unwrap_or_default());
            format!(
                "{year}, {} and {}, {line}, {code_a} beside {code_b}, against the map",
                names[0], names[1]
            )
        });
    }

    /// Where a row is about; the first section comes first in the job.
    fn boundary(&mut self, table: &str, row: &Record) -> Option<Boundary> {
        let grid = self.manifest.grid_named(row.text("grid"));
        let year = row.parsed("year").filter(|year| self.manifest.epochs().contains(year));
        let sections = self.manifest.sections();
        let section = |column: &str| sections.iter().position(|section| *section == row.text(column));
        let sections = section("section_a").zip(section("section_b")).filter(|(a, b)| a < b);
        let place = grid.zip(year).zip(sections);
        if place.is_none() {
            self.findings.add(table, "places", || {
                let of = |column: &str| row.text(column).to_string();
                format!(
                    "row {}: `{}` `{}` `{}` is no year and two sections in the order of the job",
                    row.number,
                    of("year"),
                    of("section_a"),
                    of("section_b")
                )
            });
        }
        place.map(|((grid, year), (a, b))| (grid, year, a, b))
    }

    /// A class code, whose name must be that of the legend.
    fn class(&mut self, row: &Record, code: &str, name: &str) -> Option<ClassCode> {
        let code: ClassCode = row.parsed(code)?;
        let expected = match &self.tables.classes {
            Some(classes) => classes.get(&code).map(|class| class.name.clone()),
            None => self.manifest.is_raw().then(|| code.to_string()),
        };
        // Without a legend that can be read nothing is known of names.
        let known = expected.is_some() || (self.tables.classes.is_none() && !self.manifest.is_raw());
        let agrees = expected.as_deref().is_none_or(|expected| expected == row.text(name));
        self.findings.that(known && agrees, SEAM, "classes", || {
            format!("row {}: class {code} is no class of {CLASSES} named `{}`", row.number, row.text(name))
        });
        Some(code)
    }

    fn summary(&mut self, output: &Path) -> std::result::Result<u64, String> {
        let counts =
            LINES.map(|line| ["pairs", "disagreeing", "pct"].map(|column| format!("{line}_{column}")));
        let counts: Vec<&str> = counts.iter().flatten().map(String::as_str).collect();
        let others = ["year", "section_a", "section_b", "control_pct", "excess", "boundary_m"];
        let mut met = BTreeSet::new();
        let rows = each(output, SUMMARY, &[&others[..], &counts].concat(), |row| {
            let Some(boundary) = self.boundary(SUMMARY, row) else { return };
            let twice = !met.insert(boundary);
            self.findings.that(!twice, SUMMARY, "rows", || format!("row {}: stands twice", row.number));
            self.sums(boundary, row);
        })?;
        for (_, year, a, b) in self.boundaries.keys().filter(|boundary| !met.contains(boundary)) {
            let sections = self.manifest.sections();
            self.findings.add(SUMMARY, "rows", || {
                format!("{year}, {} and {}: no row, though {SEAM} has some", sections[*a], sections[*b])
            });
        }
        Ok(rows)
    }

    /// Compares a row of the summary with what the long table adds up to.
    fn sums(&mut self, boundary: Boundary, row: &Record) {
        let counts = self.boundaries.get(&boundary).cloned().unwrap_or_default();
        let [seam, control_a, control_b] = LINES.map(|line| counts.get(line).copied().unwrap_or_default());
        let mut number = |column: &str, expected: Option<f64>| {
            let found = row.parsed::<f64>(column);
            // An empty cell is no number; anything else that is none differs from all.
            let sound = found.is_some() || row.text(column).is_empty();
            self.findings.that(sound && same(found, expected), SUMMARY, "sums", || {
                format!(
                    "row {}: {column} is `{}`; expected {}, by {SEAM}",
                    row.number,
                    row.text(column),
                    told(expected)
                )
            });
        };
        for (line, (pairs, differ)) in LINES.into_iter().zip([seam, control_a, control_b]) {
            number(&format!("{line}_pairs"), Some(pairs as f64));
            number(&format!("{line}_disagreeing"), Some(differ as f64));
            number(&format!("{line}_pct"), percent(differ, pairs));
        }
        let control = (control_a.0.saturating_add(control_b.0), control_a.1.saturating_add(control_b.1));
        let shares = [seam, control].map(|(pairs, differ)| percent(differ, pairs));
        number("control_pct", shares[1]);
        number("excess", shares[0].zip(shares[1]).map(|(seam, control)| seam - control));
        let side_m = self.manifest.grids[boundary.0].cell_side_m();
        number("boundary_m", side_m.map(|side| seam.0 as f64 * side));
        // Each pair across the boundary has one behind it in either section, at most, and no others have.
        let most = control_a.0.max(control_b.0);
        self.findings.that(most <= seam.0, SUMMARY, "controls", || {
            format!(
                "row {}: {most} control pairs in one section for {} across the boundary",
                row.number, seam.0
            )
        });
    }
}

/// The pairs along the boundaries of sections in a map, counted from it and from where its cells come from; `None` where
/// one cannot be read, which is told elsewhere.
fn recounted(map: &Raster, origins: &Raster, year: Epoch, manifest: &Manifest) -> Result<Option<Kinds>> {
    let control = manifest.job.seams.as_ref().map_or(0, |seams| seams.control_cells.min(BLOCK));
    let sections = manifest.sections();
    let section_of: BTreeMap<i32, usize> = manifest
        .job
        .provenance
        .iter()
        .filter(|origin| ["mapped", "filled"].contains(&origin.status.as_str()))
        .filter_map(|origin| {
            let name = origin.section.as_deref()?;
            Some((i32::from(origin.code), sections.iter().position(|section| *section == name)?))
        })
        .collect();
    let strips: Vec<Window> = map.window.pieces(BLOCK, map.window.cols).collect();
    let of_strip = |strip: &Window| -> Result<Option<Kinds>> {
        let mut kinds = Kinds::new();
        let open = |raster: &Raster| open_raster(&raster.path, None).ok();
        let (Some(classes), Some(from)) = (open(map), open(origins)) else { return Ok(None) };
        for block in strip.squares(BLOCK) {
            heed_stop()?;
            let beside = Window { rows: block.rows + 1, cols: block.cols + 1, ..block };
            let Some(codes) = cells(&from, &beside.intersect(&map.window)) else { return Ok(None) };
            let met: BTreeSet<usize> =
                codes.iter().filter_map(|code| section_of.get(code).copied()).collect();
            if met.len() < 2 {
                continue;
            }
            let wide = block.grown(control + 2).intersect(&map.window);
            let (Some(codes), Some(classes)) = (cells(&from, &wide), cells(&classes, &wide)) else {
                return Ok(None);
            };
            let known = codes.mapv(|code| section_of.get(&code).copied());
            let classes = classes.mapv(|cell| map.class(cell));
            let part = block.shift(-wide.row, -wide.col);
            add_pairs((map.grid, year), (&known, &classes), &part, control, &mut kinds);
        }
        Ok(Some(kinds))
    };
    let parts: Vec<Option<Kinds>> = strips.par_iter().with_max_len(1).map(of_strip).collect::<Result<_>>()?;
    let mut whole = Kinds::new();
    for part in parts {
        let Some(part) = part else { return Ok(None) };
        part.into_iter().for_each(|(kind, pairs)| *whole.entry(kind).or_default() += pairs);
    }
    Ok(Some(whole))
}

fn cells(file: &RasterFile, window: &Window) -> Option<Array2<i32>> {
    match file.read(window).ok()? {
        Pixels::Bytes(bytes) => Some(bytes.mapv(i32::from)),
        Pixels::Codes(codes) => Some(codes),
    }
}

/// Counts the pairs of a plane of sections and one of classes whose left or upper cell lies in a part, with the pairs behind
/// them.
fn add_pairs(
    (grid, year): (usize, Epoch),
    (sections, classes): (&Array2<Option<usize>>, &Array2<Option<ClassCode>>),
    part: &Window,
    control: usize,
    kinds: &mut Kinds,
) {
    let cell = |(row, col): (i64, i64)| {
        let at = [usize::try_from(row).ok()?, usize::try_from(col).ok()?];
        Some(((*sections.get(at)?)?, (*classes.get(at)?)?))
    };
    let behind = control as i64;
    for row in part.row..part.row_end() {
        for col in part.col..part.col_end() {
            let Some(one) = cell((row, col)) else { continue };
            for (down, right) in [(0, 1), (1, 0)] {
                let along = |cells: i64| cell((row + cells * down, col + cells * right));
                let Some(other) = along(1).filter(|other| other.0 != one.0) else { continue };
                let (a, b) = if one.0 < other.0 { (one, other) } else { (other, one) };
                let place = (grid, year, a.0, b.0);
                *kinds.entry((place, LINES[0], a.1, b.1)).or_default() += 1;
                let sides = [(one.0, -behind, -behind - 1), (other.0, 1 + behind, 2 + behind)];
                for (own, near, far) in sides {
                    let both =
                        along(near).zip(along(far)).filter(|(near, far)| near.0 == own && far.0 == own);
                    let line = LINES[if own == a.0 { 1 } else { 2 }];
                    if let Some((near, far)) = both {
                        *kinds.entry((place, line, near.1, far.1)).or_default() += 1;
                    }
                }
            }
        }
    }
}
