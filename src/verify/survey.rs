//! Third group, second part: the cells of the rasters, counted anew, and change rasters worked out anew from the maps.
//!
//! Rasters are read in squares, all of them at one place together, so that memory grows neither with their size nor
//! with the number of years that are not compared. A square's side is a multiple of an overview cell's of every level.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::Array2;
use rayon::prelude::*;

use super::facts::{Facts, Joint, JointCounts, Surveyed, add_all, add_areas};
use super::findings::Findings;
use super::fractions::Shares;
use super::manifest::Manifest;
use super::rasters::{Kind, Raster, change_code};
use super::{heed_stop, one_line, overviews};
use crate::error::Result;
use crate::io::gdal::{Pixels, RasterFile, open_raster};
use crate::io::progress::Progress;
use crate::kernel::change::Unchanged;
use crate::model::epoch::{Epoch, Interval};
use crate::model::window::{BLOCK, Window};

/// Least side of a square, in cells: reads an overview block of level 1 once, not four times.
const LEAST_SIDE: usize = 2 * BLOCK;

/// Differences met while reading rasters.
#[derive(Debug, Default)]
pub struct SurveyFindings {
    /// In the cells.
    pub pixels: Findings,
    /// In the overviews.
    pub overviews: Findings,
}

/// Reads all rasters, all levels, once.
///
/// # Errors
/// Terminated, Interrupted: stopped.
pub fn survey(
    rasters: &[Raster],
    manifest: &Manifest,
    progress: &Progress,
) -> Result<(Surveyed, SurveyFindings)> {
    let on = |grid: usize| rasters.iter().filter(move |raster| raster.grid == grid);
    let grids = 0..manifest.grids.len();
    let bands: Vec<(usize, usize, Window)> = grids
        .clone()
        .flat_map(|grid| on(grid).next().map(|first| bands(grid, first.window)).unwrap_or_default())
        .collect();
    progress.start(bands.len(), rasters.iter().map(|raster| raster.window.cells()).sum());
    let of_band = |&(grid, side, band): &(usize, usize, Window)| {
        let mut survey = Survey::new(on(grid), grid, manifest);
        for square in band.squares(side) {
            heed_stop()?;
            survey.square(&square);
        }
        progress.done(band.cells() * on(grid).count() as u64);
        Ok((grid, survey.facts, survey.findings))
    };
    let parts: Vec<(usize, Facts, SurveyFindings)> =
        bands.par_iter().with_max_len(1).map(of_band).collect::<Result<_>>()?;
    progress.finish();
    let mut findings = SurveyFindings::default();
    let mut surveyed =
        Surveyed { grids: grids.clone().map(|_| Facts::default()).collect(), whole: Facts::default() };
    for (grid, part, found) in parts {
        surveyed.whole.merge(part.clone());
        surveyed.grids[grid].merge(part);
        findings.pixels.merge(found.pixels);
        findings.overviews.merge(found.overviews);
    }
    // Half a total agrees with nothing.
    let lacks = |grid: usize, kind: Kind| !on(grid).any(|raster| raster.kind == kind);
    let incomplete =
        rasters.iter().map(|raster| raster.kind).filter(|kind| grids.clone().any(|g| lacks(g, *kind)));
    surveyed.whole.unread.extend(incomplete);
    surveyed.grids.iter_mut().chain([&mut surveyed.whole]).for_each(Facts::forget_unread);
    Ok((surveyed, findings))
}

/// The rows of squares that the rasters of a grid are read in, each with the grid and the side of its squares.
fn bands(grid: usize, window: Window) -> Vec<(usize, usize, Window)> {
    let side = LEAST_SIDE.max(1 << overviews::levels(window.rows, window.cols));
    let band = |row: usize| Window { row: row as i64, rows: side.min(window.rows - row), ..window };
    (0..window.rows).step_by(side).map(|row| (grid, side, band(row))).collect()
}

/// A map and its cells.
type Shown<'a> = (&'a Raster, Array2<i32>);

/// Whether a change raster shows no change where both maps have a class, though it would.
fn is_left_out(joint: Joint, found: i32, unchanged: Unchanged) -> bool {
    let none = change_code(None, None, unchanged);
    i64::from(found) == none
        && joint.0.is_some()
        && joint.1.is_some()
        && change_code(joint.0, joint.1, unchanged) != none
}

/// A survey of some squares of a grid by one thread.
struct Survey<'a> {
    manifest: &'a Manifest,
    grid: usize,
    /// Maps by year, then change rasters.
    open: Vec<(&'a Raster, Option<RasterFile>)>,
    facts: Facts,
    findings: SurveyFindings,
}

impl<'a> Survey<'a> {
    fn new(rasters: impl Iterator<Item = &'a Raster>, grid: usize, manifest: &'a Manifest) -> Self {
        let mut open: Vec<_> = rasters.map(|raster| (raster, open_raster(&raster.path, None).ok())).collect();
        open.sort_by_key(|(raster, _)| raster.kind);
        Self { manifest, grid, open, facts: Facts::default(), findings: SurveyFindings::default() }
    }

    fn square(&mut self, square: &Window) {
        let open = std::mem::take(&mut self.open);
        let areas = self.manifest.areas_of(self.grid, square);
        let mut maps: BTreeMap<Epoch, (&Raster, Array2<i32>)> = BTreeMap::new();
        let mut compared: BTreeSet<Interval> = BTreeSet::new();
        let pairs = &self.manifest.job.pairs;
        for (raster, file) in &open {
            let Kind::Map(year) = raster.kind else { continue };
            let Some(cells) = self.read(raster, file.as_ref(), square) else { continue };
            if let Some(areas) = &areas {
                let classes = cells.iter().map(|&cell| raster.class(cell));
                add_areas(self.facts.map_areas.entry(year).or_default(), classes, areas);
            }
            self.add_shares_up(year, (raster, &cells), &open, square);
            self.add_origins_up(year, (raster, &cells), &open, square, areas.as_ref());
            maps.insert(year, (raster, cells));
            // A pair is compared when its later map has come; a map that no later one is compared with may go.
            for pair in pairs.iter().filter(|pair| pair.from.max(pair.to) == year) {
                let (Some(from), Some(to)) = (maps.get(&pair.from), maps.get(&pair.to)) else { continue };
                compared.insert(*pair);
                self.count_joints(*pair, from, to);
                let change = open.iter().find(|(r, _)| r.kind == Kind::Change(*pair));
                let change = change
                    .and_then(|(raster, file)| Some((raster, self.read(raster, file.as_ref(), square)?)));
                if let Some((raster, cells)) = &change {
                    self.recompute(raster, cells, square, *pair, (from, to));
                }
                if let Some(areas) = &areas {
                    self.add_joint_areas(*pair, (from, to), change.as_ref().map(|(_, cells)| cells), areas);
                }
            }
            maps.retain(|held, _| {
                let waits =
                    |pair: &Interval| [pair.from, pair.to].contains(held) && pair.from.max(pair.to) > year;
                pairs.iter().any(waits)
            });
        }
        for (raster, file) in &open {
            if let Kind::Change(pair) = raster.kind
                && !compared.contains(&pair)
            {
                self.read(raster, file.as_ref(), square);
            }
        }
        self.open = open;
    }

    /// Reads and counts the cells of a square and checks the overviews above them.
    fn read(&mut self, raster: &Raster, file: Option<&RasterFile>, square: &Window) -> Option<Array2<i32>> {
        let Some(file) = file else {
            self.facts.unread.insert(raster.kind);
            return None;
        };
        let cells = match file.read(square) {
            Ok(Pixels::Bytes(bytes)) => bytes.mapv(i32::from),
            Ok(Pixels::Codes(codes)) => codes,
            Err(error) => {
                self.findings.pixels.add(&raster.name, "reading", || one_line(&error));
                self.facts.unread.insert(raster.kind);
                return None;
            }
        };
        match raster.kind {
            Kind::Map(year) => self.facts.maps.entry(year).or_default().add(&cells, raster.nodata),
            Kind::Change(pair) => self.facts.changes.entry(pair).or_default().add(&cells, raster.nodata),
            Kind::Fraction(..) => {}
            Kind::Provenance(year) => {
                self.facts.provenance.entry(year).or_default().add(&cells, raster.nodata);
            }
        }
        self.facts.cells += square.cells();
        let record = &self.manifest.grids[self.grid];
        let pyramid = overviews::Pyramid {
            name: &raster.name,
            file,
            nodata: raster.nodata,
            levels: raster.levels,
            rule: match raster.kind {
                Kind::Map(_) | Kind::Change(_) | Kind::Provenance(_) => overviews::Rule::Mode,
                Kind::Fraction(..) => overviews::Rule::Mean,
            },
            lattice: record.lattice_offset,
            tie: self.manifest.job.tie,
        };
        self.facts.overview_cells += pyramid.check(square, &cells, &mut self.findings.overviews);
        Some(cells)
    }

    /// Reads the shares in the cells of a map, and compares them with each other and with the map.
    fn add_shares_up(
        &mut self,
        year: Epoch,
        (map, cells): (&Raster, &Array2<i32>),
        open: &[(&Raster, Option<RasterFile>)],
        square: &Window,
    ) {
        let classes = cells.mapv(|cell| map.class(cell));
        let mut shares = Shares::new(cells.dim());
        for (raster, file) in open {
            let Kind::Fraction(of_year, fraction) = raster.kind else { continue };
            if of_year != year {
                continue;
            }
            let Some(values) = self.read(raster, file.as_ref(), square) else { return };
            shares.add(fraction, &values, &classes);
        }
        self.facts.shared += shares.check(square, (map, &classes), &mut self.findings.pixels);
    }

    /// Reads where the cells of a map come from, and counts them by that and by class.
    fn add_origins_up(
        &mut self,
        year: Epoch,
        (map, cells): (&Raster, &Array2<i32>),
        open: &[(&Raster, Option<RasterFile>)],
        square: &Window,
        areas: Option<&Array2<f64>>,
    ) {
        let Some((raster, file)) = open.iter().find(|(raster, _)| raster.kind == Kind::Provenance(year))
        else {
            return;
        };
        let Some(origins) = self.read(raster, file.as_ref(), square) else { return };
        let counts = self.facts.origins.entry(year).or_default();
        for (&origin, &cell) in origins.iter().zip(cells) {
            *counts.entry((origin, map.class(cell))).or_default() += 1;
        }
        if let Some(areas) = areas {
            let shown = origins.iter().map(|&origin| Some(origin));
            add_areas(self.facts.origin_areas.entry(year).or_default(), shown, areas);
        }
    }

    fn count_joints(&mut self, pair: Interval, from: &(&Raster, Array2<i32>), to: &(&Raster, Array2<i32>)) {
        let joints = self.facts.joints.entry(pair).or_default();
        let (mut last, mut run) = ((None, None), 0u64);
        for (&a, &b) in from.1.iter().zip(&to.1) {
            let joint = (from.0.class(a), to.0.class(b));
            if joint != last {
                *joints.entry(last).or_default() += run;
                (last, run) = (joint, 0);
            }
            run += 1;
        }
        *joints.entry(last).or_default() += run;
    }

    /// Adds the areas of joint counts up, those of cells that the change raster leaves out apart.
    fn add_joint_areas(
        &mut self,
        pair: Interval,
        (from, to): (&Shown, &Shown),
        change: Option<&Array2<i32>>,
        areas: &Array2<f64>,
    ) {
        let unchanged = self.manifest.job.unchanged;
        let may_leave_out = self.manifest.leaves_out(pair);
        let joints = || from.1.iter().zip(&to.1).map(|(&a, &b)| (from.0.class(a), to.0.class(b)));
        let changes: Box<dyn Iterator<Item = Option<i32>>> = match change.filter(|_| may_leave_out) {
            Some(cells) => Box::new(cells.iter().map(|&cell| Some(cell))),
            None => Box::new(std::iter::repeat(None)),
        };
        let left_out: Vec<bool> = joints()
            .zip(changes)
            .map(|(joint, found)| found.is_some_and(|found| is_left_out(joint, found, unchanged)))
            .collect();
        let of = |wanted: bool| {
            let left_out = &left_out;
            joints().zip(left_out).map(move |(joint, &left)| (left == wanted).then_some(joint))
        };
        add_areas(self.facts.joint_areas.entry(pair).or_default(), of(false), areas);
        if may_leave_out {
            add_areas(self.facts.left_out_areas.entry(pair).or_default(), of(true), areas);
        }
    }

    /// Works the change codes of a square out anew. Which cells must not be compared is not to be seen in the maps: they
    /// are counted, for the tables to say the same.
    fn recompute(
        &mut self,
        raster: &Raster,
        cells: &Array2<i32>,
        square: &Window,
        pair: Interval,
        (from, to): (&Shown, &Shown),
    ) {
        self.facts.recomputed += square.cells();
        if self.manifest.is_official(pair) {
            return self.count_codes(pair, cells, (from, to));
        }
        let unchanged = self.manifest.job.unchanged;
        let may_leave_out = self.manifest.leaves_out(pair);
        let (mut left_out, mut last, mut run) = (JointCounts::new(), (None, None), 0u64);
        let triples = cells.indexed_iter().zip(from.1.iter().zip(&to.1));
        for (((row, col), &found), (&a, &b)) in triples {
            let joint = (from.0.class(a), to.0.class(b));
            if may_leave_out && is_left_out(joint, found, unchanged) {
                if joint != last {
                    *left_out.entry(last).or_default() += run;
                    (last, run) = (joint, 0);
                }
                run += 1;
                continue;
            }
            let expected = change_code(joint.0, joint.1, unchanged);
            self.findings.pixels.that(i64::from(found) == expected, &raster.name, "change codes", || {
                let (row, col) = (square.row + row as i64, square.col + col as i64);
                format!("row {row}, column {col} is {found}; expected {expected}, as {a} went to {b}")
            });
        }
        *left_out.entry(last).or_default() += run;
        if may_leave_out {
            add_all(self.facts.left_out.entry(pair).or_default(), left_out);
        }
    }

    /// Counts what a change raster shows by what the maps show: where a published change map decides is not to be seen in
    /// them, and so the tables have to say the same.
    fn count_codes(&mut self, pair: Interval, cells: &Array2<i32>, (from, to): (&Shown, &Shown)) {
        let coded = self.facts.coded.entry(pair).or_default();
        let (mut last, mut run) = (None, 0u64);
        for (&found, (&a, &b)) in cells.iter().zip(from.1.iter().zip(&to.1)) {
            let key = Some(((from.0.class(a), to.0.class(b)), found));
            if key != last {
                last.into_iter().for_each(|key| *coded.entry(key).or_default() += run);
                (last, run) = (key, 0);
            }
            run += 1;
        }
        last.into_iter().for_each(|key| *coded.entry(key).or_default() += run);
    }
}
