//! Eleventh group: the gaps of each map, found anew where the map tells them.
//!
//! A map shows nodata where no source decides and where one decides without giving a class. Where run.json says that no rule
//! of a year gave nodata, the two are one, and all gaps follow from the map: it is read from top to bottom, and a gap is
//! whole when a row has none of it. Otherwise what the table says must be possible.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use super::areas::Closeness;
use super::facts::Surveyed;
use super::findings::Findings;
use super::heed_stop;
use super::manifest::Manifest;
use super::rasters::{Kind, Raster};
use super::records::{Record, each};
use super::tables::{same, told};
use crate::error::Result;
use crate::io::gdal::{Pixels, open_raster};
use crate::model::epoch::Epoch;
use crate::model::window::{BLOCK, Window};

const TABLE: &str = "tables/gaps.csv";

/// What stands in place of a number in the row of all smaller gaps, and how many larger ones there are then.
const OTHERS: &str = "others";
const MOST: usize = 1000;

const PLACES: [&str; 4] = ["first_row", "last_row", "first_col", "last_col"];
const EDGES: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];
const AREAS: [&str; 3] = ["area_m2", "area_ha", "area_km2"];

/// A map: its grid and its year.
type Map = (usize, Epoch);

/// A gap, as found or as listed.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Gap {
    pixels: u64,
    m2: Option<f64>,
    /// First and last row, first and last column.
    places: [i64; 4],
    /// Row and column of its first cell, row by row, by which those of one size are listed; of rows of the table the row
    /// alone is known.
    first: (i64, i64),
}

impl Gap {
    fn words(&self) -> String {
        let [first_row, last_row, first_col, last_col] = self.places;
        format!(
            "{} cells of {} m2 in rows {first_row} to {last_row}, columns {first_col} to {last_col}",
            self.pixels,
            told(self.m2)
        )
    }
}

/// The code of cells in rasters of provenance that the owner of their domain does not map.
const GAP: i32 = 253;

/// The gaps that a table lists of a map.
#[derive(Debug, Clone, Default)]
struct Listed {
    gaps: Vec<Gap>,
    /// How many there are besides, their cells and their area.
    others: (u64, u64, Option<f64>),
}

/// Compares the table with itself, with run.json and with the maps; says how many gaps.
///
/// # Errors
/// Terminated, Interrupted: stopped.
pub fn check(
    output: &Path,
    rasters: &[Raster],
    facts: &Surveyed,
    manifest: &Manifest,
    findings: &mut Findings,
) -> Result<String> {
    let mut listed: BTreeMap<Map, Listed> = BTreeMap::new();
    let columns = [&["year", "gap", "gaps", "pixels"][..], &AREAS, &PLACES, &EDGES].concat();
    let read = each(output, TABLE, &columns, |row| {
        let grid = manifest.grid_named(row.text("grid"));
        let year = row.parsed("year").filter(|year| manifest.epochs().contains(year));
        match grid.zip(year) {
            Some(map) => add_row(row, map, listed.entry(map).or_default(), manifest, findings),
            None => findings.add(TABLE, "places", || {
                format!("row {}: `{}` is no year of the job", row.number, row.text("year"))
            }),
        }
    });
    if let Err(problem) = read {
        findings.add(TABLE, "reading", || problem);
        return Ok("not compared: the table cannot be read".into());
    }
    totals(&listed, facts, manifest, findings);
    let told = |raster: &&Raster| match raster.kind {
        // Where cells come from tells more than the map.
        Kind::Provenance(_) => true,
        Kind::Map(year) => manifest.job.provenance.is_empty() && tells_gaps(manifest, year),
        Kind::Change(_) | Kind::Fraction(..) => false,
    };
    let maps: Vec<&Raster> = rasters.iter().filter(told).collect();
    let found: Vec<(&Raster, Option<Vec<Gap>>)> =
        maps.into_par_iter().map(|raster| Ok((raster, gaps_of(raster, manifest)?))).collect::<Result<_>>()?;
    let mut again = 0;
    for (raster, gaps) in found {
        let (Kind::Map(year) | Kind::Provenance(year), Some(gaps)) = (raster.kind, gaps) else { continue };
        again += gaps.len();
        compare((raster.grid, year), gaps, &listed, manifest, findings);
    }
    let rows: usize = listed.values().map(|listed| listed.gaps.len()).sum();
    Ok(format!("{rows} gaps listed, {again} found anew in the maps"))
}

/// Whether nodata in the map of a year means that no source decides.
fn tells_gaps(manifest: &Manifest, year: Epoch) -> bool {
    let gave_none = manifest.rules.iter().filter(|rule| rule.year == year && rule.to.is_none());
    !manifest.is_raw()
        && manifest.job.domain.is_none()
        && manifest.job.coast.is_none()
        && gave_none.map(|rule| rule.pixels).all(|n| n == 0)
}

/// Takes a row in, once it was compared with itself and with the rows before.
fn add_row(row: &Record, map: Map, listed: &mut Listed, manifest: &Manifest, findings: &mut Findings) {
    let mut that = |holds: bool, what: &str| {
        findings.that(holds, TABLE, "rows", || format!("row {}: {what}", row.number));
    };
    let number = listed.gaps.len() as u64 + 1;
    let is_others = row.text("gap") == OTHERS;
    let (Some(gaps), Some(pixels)) = (row.parsed::<u64>("gaps"), row.parsed::<u64>("pixels")) else {
        that(false, "gaps or pixels are no whole number");
        return;
    };
    let [m2, ha, km2] = AREAS.map(|column| row.parsed::<f64>(column));
    let constant = manifest.cell_area_m2.map(|area| pixels as f64 * area);
    that(same(m2, constant.or(m2)), &format!("area_m2 is {} for {pixels} cells", told(m2)));
    let known = manifest.adds_areas_up() || manifest.cell_area_m2.is_some();
    that(m2.is_some() == known && m2.is_none_or(|m2| m2 > 0.0), "area_m2 is none");
    let units = [same(ha, m2.map(|m2| m2 / 1e4)), same(km2, m2.map(|m2| m2 / 1e6))];
    that(units == [true; 2], &format!("areas differ: {} m2, {} ha, {} km2", told(m2), told(ha), told(km2)));
    that(listed.others.0 == 0, "no row comes after that of the others");
    let places = PLACES.map(|column| row.parsed::<i64>(column));
    let edges = EDGES.map(|column| row.parsed::<f64>(column));
    if is_others {
        that(gaps > 0 && pixels >= gaps, "other gaps are of at least a cell each");
        that(number as usize == MOST + 1, &format!("others stand behind {} gaps, not {MOST}", number - 1));
        that(places == [None; 4] && edges == [None; 4], "other gaps have no place");
        let least = listed.gaps.last().map_or(u64::MAX, |gap| gap.pixels);
        that(pixels.div_ceil(gaps.max(1)) <= least, "other gaps are larger than those listed");
        listed.others = (gaps, pixels, m2);
        return;
    }
    that(row.parsed("gap") == Some(number), &format!("gap is `{}`; expected {number}", row.text("gap")));
    that(gaps == 1 && number as usize <= MOST, "a row is of one gap, or of those beyond the largest");
    let [Some(first_row), Some(last_row), Some(first_col), Some(last_col)] = places else {
        that(false, "rows or columns are no whole numbers");
        return;
    };
    let grid = &manifest.grids[map.0];
    // What reaches the edge of the grid is no gap, unless a domain says so.
    let rim = i64::from(manifest.job.domain.is_none());
    let within =
        |first: i64, last: i64, cells: usize| first >= rim && first <= last && last < cells as i64 - rim;
    let inside = within(first_row, last_row, grid.rows) && within(first_col, last_col, grid.cols);
    that(inside, "its rows and columns are not inside the grid");
    if !inside {
        return;
    }
    let (high, wide) = ((last_row - first_row + 1) as u64, (last_col - first_col + 1) as u64);
    let possible = pixels >= high + wide - 1 && pixels <= high.saturating_mul(wide);
    that(possible, &format!("{pixels} cells cannot reach over {high} rows and {wide} columns"));
    let corners = [(first_col, first_row), (last_col + 1, last_row + 1)];
    let [one, other] = corners.map(|(col, row)| grid.affine.apply(col as f64, row as f64));
    let expected = [one.0.min(other.0), one.1.min(other.1), one.0.max(other.0), one.1.max(other.1)];
    // Corners are sums, which lose digits where edges lie near the origin of the CRS.
    let size = grid.affine.apply(grid.cols as f64, grid.rows as f64);
    let size = [size.0.abs(), size.1.abs(), grid.affine.0[0].abs(), grid.affine.0[3].abs()];
    let least = size.into_iter().fold(0.0, f64::max) * 4.0 * f64::EPSILON;
    for ((column, found), expected) in EDGES.iter().zip(edges).zip(expected) {
        let agrees = found.is_some_and(|found| (found - expected).abs() <= least);
        that(agrees, &format!("{column} is {}; expected {expected}", told(found)));
    }
    if let Some(last) = listed.gaps.last() {
        let order = (std::cmp::Reverse(last.pixels), last.places[0]);
        let follows = order <= (std::cmp::Reverse(pixels), first_row);
        that(follows, "stands behind a smaller gap, or one of its size that begins below it");
    }
    let places = [first_row, last_row, first_col, last_col];
    listed.gaps.push(Gap { pixels, m2, places, first: (first_row, first_col) });
}

/// Compares numbers and cells with run.json, and these with the cells of the maps without data.
fn totals(listed: &BTreeMap<Map, Listed>, facts: &Surveyed, manifest: &Manifest, findings: &mut Findings) {
    for grid in 0..manifest.grids.len() {
        for year in manifest.epochs() {
            let map = listed.get(&(grid, year)).cloned().unwrap_or_default();
            let gaps = map.others.0.saturating_add(map.gaps.len() as u64);
            let pixels = map.gaps.iter().map(|gap| gap.pixels).fold(map.others.1, u64::saturating_add);
            let name = manifest.grids[grid].id.as_deref().filter(|_| manifest.grids.len() > 1);
            let record = manifest.gaps.iter().find(|r| r.year == year && r.grid.as_deref() == name);
            let told = record.map(|record| (record.gaps, record.pixels));
            findings.that(told == Some((gaps, pixels)), TABLE, "sums", || {
                format!("{year}: {gaps} gaps of {pixels} cells; run.json has {told:?}")
            });
            let nodata = facts.grids.get(grid).and_then(|facts| Some(facts.maps.get(&year)?.nodata));
            findings.that(nodata.is_none_or(|nodata| pixels <= nodata), TABLE, "sums", || {
                format!("{year}: {pixels} cells in gaps; the map has {nodata:?} without data")
            });
        }
    }
}

/// Compares the gaps found in a map with those listed.
fn compare(
    map: Map,
    mut found: Vec<Gap>,
    listed: &BTreeMap<Map, Listed>,
    manifest: &Manifest,
    findings: &mut Findings,
) {
    let empty = Listed::default();
    let listed = listed.get(&map).unwrap_or(&empty);
    let (year, words) = (map.1, manifest.grids[map.0].words());
    found.sort_by_key(|gap| (std::cmp::Reverse(gap.pixels), gap.first));
    let rest = found.split_off(found.len().min(MOST));
    let close = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => Closeness::WorkedOut.holds(one, other),
        (one, other) => one.is_none() && other.is_none(),
    };
    findings.that(listed.gaps.len() == found.len(), TABLE, "maps", || {
        format!("{year}{words}: {} gaps are listed; the map has {}", listed.gaps.len(), found.len())
    });
    for (number, (listed, found)) in (1u64..).zip(listed.gaps.iter().zip(&found)) {
        let agrees =
            listed.pixels == found.pixels && listed.places == found.places && close(listed.m2, found.m2);
        findings.that(agrees, TABLE, "maps", || {
            format!("{year}{words}: gap {number} is {}; the map has {}", listed.words(), found.words())
        });
    }
    let others = (rest.len() as u64, rest.iter().map(|gap| gap.pixels).sum::<u64>());
    let area = rest.iter().map(|gap| gap.m2).sum::<Option<f64>>().filter(|_| !rest.is_empty());
    let agrees = others == (listed.others.0, listed.others.1) && close(listed.others.2, area);
    findings.that(agrees, TABLE, "maps", || {
        format!("{year}{words}: others are {:?}; the map has {others:?} of {} m2", listed.others, told(area))
    });
}

/// The gaps of a map, which is read in strips of blocks from top to bottom; `None` where it cannot be read, which is told
/// elsewhere.
fn gaps_of(raster: &Raster, manifest: &Manifest) -> Result<Option<Vec<Gap>>> {
    let Ok(file) = open_raster(&raster.path, None) else { return Ok(None) };
    let in_domain = manifest.job.domain.is_some();
    let open = match raster.kind {
        Kind::Provenance(_) if in_domain => Some(GAP),
        _ => raster.nodata,
    };
    let mut finder = Finder::new(raster.window.rows, raster.window.cols, in_domain);
    let constant = manifest.cell_area_m2.or(manifest.grids[raster.grid].cell_area_m2);
    for strip in raster.window.pieces(BLOCK, raster.window.cols) {
        let mut rows: Vec<Vec<Run>> = vec![Vec::new(); strip.rows];
        for block in strip.squares(BLOCK) {
            heed_stop()?;
            // What cannot be read the survey has told.
            let cells = match file.read(&block) {
                Ok(Pixels::Bytes(bytes)) => bytes.mapv(i32::from),
                Ok(Pixels::Codes(codes)) => codes,
                Err(_) => return Ok(None),
            };
            let undecided = cells.mapv(|cell| Some(cell) == open);
            if undecided.iter().all(|undecided| !undecided) {
                continue;
            }
            let areas = match constant {
                Some(m2) => Some(ndarray::Array2::from_elem((block.rows, block.cols), m2)),
                None => manifest.areas_of(raster.grid, &block),
            };
            add_runs(&undecided, areas.as_ref(), &block, &mut rows);
        }
        rows.into_iter().for_each(|runs| finder.row(runs));
    }
    Ok(Some(finder.finish()))
}

/// A stretch of a row: first and last column, and its area.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: i64,
    last: i64,
    m2: Option<f64>,
}

/// Appends the stretches of undecided cells of a plane to the rows that it lies in.
fn add_runs(
    undecided: &ndarray::Array2<bool>,
    areas: Option<&ndarray::Array2<f64>>,
    block: &Window,
    rows: &mut [Vec<Run>],
) {
    for ((row, col), _) in undecided.indexed_iter().filter(|(_, undecided)| **undecided) {
        let (at, m2) = (block.col + col as i64, areas.map(|areas| areas[[row, col]]));
        match rows[row].last_mut() {
            Some(run) if run.last + 1 == at => {
                run.last = at;
                run.m2 = run.m2.zip(m2).map(|(sum, m2)| sum + m2);
            }
            _ => rows[row].push(Run { first: at, last: at, m2 }),
        }
    }
}

/// A piece of undecided cells that the last row has some of.
#[derive(Debug, Clone)]
struct Growing {
    gap: Gap,
    /// Whether it reaches the edge of the grid.
    at_edge: bool,
}

/// Follows pieces of undecided cells from row to row.
struct Finder {
    rows: i64,
    cols: i64,
    /// Whether what reaches the edge of the grid is a gap too.
    in_domain: bool,
    row: i64,
    /// Those of the last row, by name.
    growing: BTreeMap<usize, Growing>,
    /// Runs of the last row and the names of their pieces.
    last: Vec<(Run, usize)>,
    next_name: usize,
    whole: Vec<Gap>,
}

impl Finder {
    fn new(rows: usize, cols: usize, in_domain: bool) -> Self {
        Self {
            rows: rows as i64,
            cols: cols as i64,
            in_domain,
            row: 0,
            growing: BTreeMap::new(),
            last: Vec::new(),
            next_name: 0,
            whole: Vec::new(),
        }
    }

    /// The next row.
    fn row(&mut self, runs: Vec<Run>) {
        let row = self.row;
        // Pieces of the last row that this one makes one: from each name to that which it goes on under.
        let mut renamed: BTreeMap<usize, usize> = BTreeMap::new();
        let mut here: Vec<(Run, usize)> = Vec::with_capacity(runs.len());
        let mut above = 0;
        for run in runs {
            let name = self.next_name;
            self.next_name += 1;
            let reaches = row == 0 || row + 1 == self.rows || run.first == 0 || run.last + 1 == self.cols;
            let at_edge = reaches && !self.in_domain;
            let pixels = (run.last - run.first + 1) as u64;
            let mut own = Growing {
                gap: Gap {
                    pixels,
                    m2: run.m2,
                    places: [row, row, run.first, run.last],
                    first: (row, run.first),
                },
                at_edge,
            };
            while self.last.get(above).is_some_and(|(before, _)| before.last < run.first) {
                above += 1;
            }
            let touching = self.last[above.min(self.last.len())..].iter();
            for (_, before) in touching.take_while(|(before, _)| before.first <= run.last) {
                let before = current(&renamed, *before);
                if let Some(piece) = self.growing.remove(&before) {
                    own.take_in(&piece);
                    renamed.insert(before, name);
                }
            }
            self.growing.insert(name, own);
            here.push((run, name));
        }
        for (_, name) in &mut here {
            *name = current(&renamed, *name);
        }
        // A piece that this row has nothing of is whole.
        let goes_on: std::collections::BTreeSet<usize> = here.iter().map(|(_, name)| *name).collect();
        let ended: Vec<usize> = self.growing.keys().filter(|name| !goes_on.contains(name)).copied().collect();
        for name in ended {
            let ended = self.growing.remove(&name).filter(|piece| !piece.at_edge);
            self.whole.extend(ended.map(|piece| piece.gap));
        }
        self.last = here;
        self.row += 1;
    }

    /// What is left reaches the last row.
    fn finish(mut self) -> Vec<Gap> {
        if self.in_domain {
            self.whole.extend(self.growing.into_values().map(|piece| piece.gap));
        }
        self.whole
    }
}

/// The name that a piece goes on under.
fn current(renamed: &BTreeMap<usize, usize>, mut name: usize) -> usize {
    while let Some(next) = renamed.get(&name) {
        name = *next;
    }
    name
}

impl Growing {
    fn take_in(&mut self, other: &Self) {
        let (own, gap) = (&mut self.gap, &other.gap);
        own.pixels += gap.pixels;
        own.m2 = own.m2.zip(gap.m2).map(|(sum, m2)| sum + m2);
        let [a, b] = [own.places, gap.places];
        own.first = own.first.min(gap.first);
        own.places = [a[0].min(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].max(b[3])];
        self.at_edge |= other.at_edge;
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_spiral_a_hook_and_a_bay_by_hand() {
        let x = true;
        let o = false;
        let undecided = array![
            [o, o, o, o, o, o, o, o, x],
            [o, x, x, x, o, x, o, o, x],
            [o, x, o, x, o, x, o, o, o],
            [o, x, o, o, o, x, o, x, o],
            [o, x, x, x, x, x, o, x, o],
            [o, o, o, o, o, o, x, o, o],
            [o, o, o, o, o, o, o, o, o],
        ];
        let areas = ndarray::Array2::from_elem(undecided.dim(), 2.0);
        let mut rows = vec![Vec::new(); 7];
        // In two planes side by side, as blocks are.
        for (first, end) in [(0, 4), (4, 9)] {
            let cut = ndarray::s![.., first..end];
            let block = Window { row: 0, col: first as i64, rows: 7, cols: end - first };
            let (undecided, areas) = (undecided.slice(cut).to_owned(), areas.slice(cut).to_owned());
            add_runs(&undecided, Some(&areas), &block, &mut rows);
        }
        let mut finder = Finder::new(7, 9, false);
        rows.into_iter().for_each(|runs| finder.row(runs));
        let gap = |pixels, places, first| Gap { pixels, m2: Some(2.0 * pixels as f64), places, first };
        let expected =
            [gap(14, [1, 4, 1, 5], (1, 1)), gap(2, [3, 4, 7, 7], (3, 7)), gap(1, [5, 5, 6, 6], (5, 6))];
        let mut found = finder.finish();
        found.sort_by_key(|gap| std::cmp::Reverse(gap.pixels));
        assert_eq!(found, expected);
    }
}
