//! `nalcms info RASTER...`: what a raster is, as this program understands it.
//!
//! Headers only, unless `--counts` asks for the cells; then every cell is read once, by windows of bounded size.

use std::path::{Path, PathBuf};

use clap::{Args, FromArgMatches};
use serde::Serialize;
use serde_json::{Value, json};

use super::columns::columns;
use super::legend::{absence_word, nodata_values};
use super::options::{ComputeOptions, FormatOptions, TalkOptions, input};
use super::plan::nodata_words;
use super::single::{here, word};
use super::tally::{Tally, tally};
use super::{Answer, Verb};
use crate::config::file::ComputeFile;
use crate::config::shipped::{self, NamedGrid};
use crate::error::{Error, Result};
use crate::io::gdal::{RasterHeader, SampleKind, open_raster_as, same_crs};
use crate::model::grid::{Crs, Fit, Grid};
use crate::model::legend::{ClassCode, Language, Legend, RAW};
use crate::model::nodata::TagVerdict;
use crate::model::rule::{NAN_VALUE, Outcome, RuleTable};
use crate::model::window::Window;
use crate::plan::misfit::misfit_words;
use crate::plan::sphere::SphereGrid;

pub static VERB: Verb = Verb {
    name: "info",
    arguments: |command| {
        InfoArgs::augment_args(command)
            .about("Show what rasters are: grid, CRS, type, layout, nodata as understood, cells per class")
            .after_help(
                "Examples:\n  \
                 nalcms info map.tif\n  \
                 nalcms info tiles/*.tif --legend nlcd --json\n  \
                 nalcms info map.tif --legend nalcms --counts\n  \
                 nalcms info stack.tif --band 2 --counts",
            )
    },
    run: |matches| {
        let args = InfoArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        info(&args)
    },
};

#[derive(Debug, Args)]
struct InfoArgs {
    /// The rasters
    #[arg(required = true, value_name = "RASTER", value_parser = input())]
    rasters: Vec<PathBuf>,
    /// Legend of the rasters (an identifier, a file, or raw)
    #[arg(long, value_name = "ID", default_value = RAW)]
    legend: String,
    /// Band with the class codes, from 1
    #[arg(long, value_name = "N")]
    band: Option<usize>,
    #[command(flatten)]
    formats: FormatOptions,
    /// Read every cell and count them by value
    #[arg(long)]
    counts: bool,
    /// Language of class names: en, es, fr
    #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = word::<Language>)]
    language: Language,
    #[command(flatten)]
    compute: ComputeOptions,
    #[command(flatten)]
    talk: TalkOptions,
}

/// What there is to say about one raster.
struct Report {
    header: RasterHeader,
    /// Number of palette entries.
    palette: usize,
    tag: TagVerdict,
    relations: Vec<Relation>,
    warnings: Vec<String>,
    counts: Option<Vec<Count>>,
}

/// How a raster lies on a shipped grid of the same CRS.
#[derive(Debug, Clone, Serialize)]
struct Relation {
    /// Identifier of the grid.
    grid: String,
    /// `lattice`, `shifted` or `other-cells`.
    fit: &'static str,
    /// Row of the grid under the raster's first row; with a fraction when shifted.
    row: Value,
    /// Column of the grid under the raster's first column; with a fraction when shifted.
    col: Value,
    /// Whether the grid holds every cell of the raster.
    inside: Option<bool>,
    /// In words.
    words: String,
}

/// Cells of one value.
#[derive(Debug, Clone, Serialize)]
struct Count {
    /// The value; none for NaN.
    value: Option<ClassCode>,
    /// Name of the class.
    name: Option<String>,
    /// Number of cells.
    pixels: u64,
    /// Share of all cells.
    percent: f64,
    /// `class`, `nodata` or `not in the legend`.
    mark: &'static str,
    /// What a nodata value means.
    meaning: Option<&'static str>,
}

fn info(args: &InfoArgs) -> Result<Answer> {
    let legend = shipped::legend(&args.legend, here())?;
    let grids = Grids::load()?;
    let opened = args.rasters.iter().map(|path| inspect(path, args, &legend, &grids));
    let mut reports = all_or_every_error(opened)?;
    if args.counts {
        let progress = args.compute.progress(&args.talk);
        let mut compute = ComputeFile::default();
        args.compute.overlay(&mut compute);
        for report in &mut reports {
            let tally = tally(&report.header, &compute, &progress)?;
            report.counts = Some(counts(&tally, &report.header, &legend, &report.tag, args.language));
        }
    }
    let texts: Vec<String> = reports.iter().map(|r| as_text(r, &legend, args.talk.verbose > 0)).collect();
    let json = json!({ "rasters": reports.iter().map(|r| as_json(r, &legend)).collect::<Vec<_>>() });
    Ok(Answer { text: texts.join("\n"), json, finding: false })
}

/// All results, or one error that tells every failure.
fn all_or_every_error<T>(results: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let (mut fine, mut failed) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => fine.push(value),
            Err(error) => failed.push(error),
        }
    }
    match failed.as_slice() {
        [] => Ok(fine),
        [only] => Err(only.clone()),
        [first, ..] => Err(Error::new(first.kind(), format!("{} rasters are refused", failed.len()))
            .found_all(failed.iter().map(ToString::to_string))),
    }
}

fn inspect(path: &Path, args: &InfoArgs, legend: &Legend, grids: &Grids) -> Result<Report> {
    let file = open_raster_as(path, args.band, &args.formats.formats())?;
    let palette = file.palette().len();
    let header = file.header;
    let signed_byte = header.sample == SampleKind::I8;
    let tag = TagVerdict::judge(legend, header.nodata_tag, header.sample.range(), signed_byte);
    let mut warnings: Vec<String> = tag.warning(header.sample.word()).into_iter().collect();
    if header.grid.crs.is_none() {
        warnings.push("it has no CRS: its place and the area of its cells are unknown".into());
    }
    if !header.georeferenced {
        warnings.push("it has no geotransform: rows and columns stand for coordinates".into());
    } else if !header.grid.affine.is_north_up() {
        warnings.push("it is not north-up (rotated, or rows from south to north)".into());
    }
    let relations = grids.relations(&header.grid).map_err(|e| e.at(path.display()))?;
    warnings.extend(grids.lookalikes(&header.grid).map_err(|e| e.at(path.display()))?);
    Ok(Report { header, palette, tag, relations, warnings, counts: None })
}

/// The grids that ship.
struct Grids(Vec<(NamedGrid, Grid)>, SphereGrid);

/// The sphere's grid, which files in other CRSs are taken for.
const SPHERE_GRID: &str = "nalcms-250m";

impl Grids {
    fn load() -> Result<Self> {
        let named = shipped::GRIDS.iter().map(|(id, _)| shipped::grid(id, here()));
        let grids = named.map(|named| named.and_then(|n| n.grid().map(|grid| (n, grid))));
        Ok(Self(grids.collect::<Result<_>>()?, SphereGrid::load()?))
    }

    /// Whether two CRSs are both known and one.
    fn agree(a: Option<&Crs>, b: Option<&Crs>) -> Result<bool> {
        match (a, b) {
            (Some(a), Some(b)) => same_crs(a, b),
            _ => Ok(false),
        }
    }

    /// How a raster lies on each grid of its CRS.
    fn relations(&self, raster: &Grid) -> Result<Vec<Relation>> {
        let mut relations = Vec::new();
        for (named, grid) in &self.0 {
            if Self::agree(grid.crs.as_ref(), raster.crs.as_ref())? {
                relations.push(relation(&named.id, grid, raster));
            }
        }
        Ok(relations)
    }

    /// Warnings of rasters that bear the cells of a grid in another CRS.
    fn lookalikes(&self, raster: &Grid) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        for (named, grid) in &self.0 {
            let (Some(own), true) = (&grid.crs, raster.affine.is_north_up()) else { continue };
            let Fit::Lattice { row, col } = grid.fit(raster) else { continue };
            if Self::agree(Some(own), raster.crs.as_ref())? {
                continue;
            }
            let whole = (row, col) == (0, 0) && (raster.rows, raster.cols) == (grid.rows, grid.cols);
            let one_ellipsoid = raster.crs.as_ref().is_some_and(|crs| crs.ellipsoid == own.ellipsoid);
            let on_sphere_grid = named.id == SPHERE_GRID;
            if !whole && !(on_sphere_grid && (one_ellipsoid || self.1.mistaken(raster)?.is_some())) {
                continue;
            }
            let found = raster.crs.as_ref().map_or("no CRS".into(), crs_words);
            warnings.push(if one_ellipsoid {
                format!(
                    "its cells and its ellipsoid are those of {}, but its CRS counts as another: {found}",
                    named.id
                )
            } else {
                format!(
                    "its cells are those of {}, but its CRS is not: {found} instead of {}; if the CRS was declared \
                     wrongly, places are off by kilometres",
                    named.id,
                    crs_words(own)
                )
            });
        }
        Ok(warnings)
    }
}

fn relation(id: &str, grid: &Grid, raster: &Grid) -> Relation {
    let fit = grid.fit(raster);
    let none = Relation {
        grid: id.into(),
        fit: "other-cells",
        row: Value::Null,
        col: Value::Null,
        inside: None,
        words: format!("in the CRS of {id}, but {}", misfit_words(grid, raster, fit)),
    };
    match fit {
        Fit::Lattice { row, col } => {
            let window = Window { row, col, rows: raster.rows, cols: raster.cols };
            let inside = grid.window().contains(&window);
            let beyond = if inside { "" } else { ", reaching beyond it" };
            Relation {
                fit: "lattice",
                row: row.into(),
                col: col.into(),
                inside: Some(inside),
                words: format!("on the lattice of {id} at row {row}, column {col}{beyond}"),
                ..none
            }
        }
        Fit::Shifted { rows, cols } => {
            Relation { fit: "shifted", row: rows.into(), col: cols.into(), ..none }
        }
        Fit::OtherCells => none,
    }
}

fn crs_words(crs: &Crs) -> String {
    format!("{} ({})", crs.name, crs.ellipsoid)
}

/// Names and marks the values met, by the same rules as a job.
fn counts(
    tally: &Tally,
    header: &RasterHeader,
    legend: &Legend,
    tag: &TagVerdict,
    language: Language,
) -> Vec<Count> {
    let rules = RuleTable::compile(legend, None, tag.adds(), &[], false);
    let cells = header.grid.window().cells();
    let count = |(&value, &pixels): (&ClassCode, &u64)| {
        let outcome = rules.find(value, |_| 0).map(|rule| rules.rules()[usize::from(rule)].outcome);
        let (mark, meaning) = match outcome {
            Some(Outcome::Absent(meaning)) => ("nodata", Some(absence_word(meaning))),
            Some(Outcome::Class(_)) => ("class", None),
            _ if legend.is_raw() => ("class", None),
            _ => ("not in the legend", None),
        };
        let nan = value == NAN_VALUE && header.sample.is_float();
        Count {
            value: (!nan).then_some(value),
            name: legend.class(value).map(|class| class.name.get(language).to_string()),
            pixels,
            percent: pixels as f64 * 100.0 / cells as f64,
            mark,
            meaning,
        }
    };
    tally.iter().map(count).collect()
}

/// A number as a tag holds it: `-9999`, `NaN`, `-3.4028234663852886e38`.
fn tag_text(tag: f64) -> String {
    if tag.abs() >= 1e15 { format!("{tag:e}") } else { tag.to_string() }
}

/// xmin, ymin, xmax, ymax of all four corners, rotated grids included.
fn bounds(grid: &Grid) -> [f64; 4] {
    let (cols, rows) = (grid.cols as f64, grid.rows as f64);
    let corners =
        [(0.0, 0.0), (cols, 0.0), (0.0, rows), (cols, rows)].map(|(col, row)| grid.affine.apply(col, row));
    corners.iter().fold(
        [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY],
        |[x0, y0, x1, y1], &(x, y)| [x0.min(x), y0.min(y), x1.max(x), y1.max(y)],
    )
}

/// The unit of coordinates and cells.
fn unit(crs: Option<&Crs>) -> String {
    match crs {
        None => "units of an unknown CRS".into(),
        Some(crs) if crs.geographic => "degrees".into(),
        Some(crs) if crs.unit_m == 1.0 => "m".into(),
        Some(crs) => format!("units of {} m", crs.unit_m),
    }
}

fn as_text(report: &Report, legend: &Legend, verbose: bool) -> String {
    let Report { header, tag, .. } = report;
    let grid = &header.grid;
    let crs = match &grid.crs {
        None => "none".to_string(),
        Some(crs) => {
            let area = match (crs.equal_area, crs.geographic) {
                (true, _) => "equal-area",
                (false, true) => "geographic: the area of a cell is that of its row on the ellipsoid",
                (false, false) => {
                    "not equal-area: the area of a cell is the true one, by the projection's areal scale"
                }
            };
            format!("{}; {area}", crs_words(crs))
        }
    };
    let ((width, height), [xmin, ymin, xmax, ymax]) = (grid.cell(), bounds(grid));
    let declared = header.nodata_tag.map_or("no tag".into(), |tag| format!("tag {}", tag_text(tag)));
    let mut facts = vec![
        (
            "format",
            format!("{}, {}, band {} of {}", header.format, header.sample.word(), header.band, header.bands),
        ),
        ("size", format!("{} rows x {} columns", grid.rows, grid.cols)),
        ("CRS", crs),
        ("cells", format!("{width} x {height} {}", unit(grid.crs.as_ref()))),
        ("bounds", format!("x {xmin} to {xmax}, y {ymin} to {ymax}")),
        (
            "layout",
            format!(
                "blocks of {} x {}, {}, {}",
                header.block.0,
                header.block.1,
                header.compression.as_deref().unwrap_or("not compressed"),
                if header.cog { "cloud-optimised" } else { "not cloud-optimised" }
            ),
        ),
        ("overviews", none_or(header.overviews, "")),
        ("palette", none_or(report.palette, " entries")),
        ("nodata", format!("declared: {declared}")),
        ("", format!("understood: {}", nodata_words(nodata_values(legend), &tag.words()))),
    ];
    facts.extend(report.relations.iter().map(|relation| ("grid", relation.words.clone())));
    facts.extend(report.warnings.iter().map(|warning| ("warning", warning.clone())));
    if verbose && let Some(crs) = &grid.crs {
        facts.push(("WKT", crs.wkt.clone()));
    }
    let mut text = format!("{}\n", header.path.display());
    for (what, fact) in facts {
        text += &format!("  {what:<10} {fact}\n");
    }
    if let Some(counts) = &report.counts {
        text += &counts_text(counts, legend);
    }
    text
}

fn none_or(number: usize, what: &str) -> String {
    if number == 0 { "none".into() } else { format!("{number}{what}") }
}

fn counts_text(counts: &[Count], legend: &Legend) -> String {
    let row = |count: &Count| {
        let mark = match (count.mark, count.meaning) {
            ("class", _) => String::new(),
            (mark, Some(meaning)) => format!("{mark}: {meaning}"),
            (mark, None) => mark.to_string(),
        };
        vec![
            count.value.map_or("NaN".into(), |value| value.to_string()),
            count.pixels.to_string(),
            format!("{:.4}", count.percent),
            count.name.clone().unwrap_or_default(),
            mark,
        ]
    };
    let [cells, class, nodata, unlisted] = totals(counts);
    let mut text = format!("  cells      {cells}: {class} of a class, {nodata} nodata");
    if !legend.is_raw() {
        text += &format!(", {unlisted} not in the legend {}", legend.id);
    }
    text.push('\n');
    text + &columns(
        4,
        &["value", "pixels", "percent", "name", ""],
        &counts.iter().map(row).collect::<Vec<_>>(),
    )
}

/// Cells in all, of a class, nodata, not in the legend.
fn totals(counts: &[Count]) -> [u64; 4] {
    let of = |mark: &str| counts.iter().filter(|c| c.mark == mark).map(|c| c.pixels).sum::<u64>();
    [counts.iter().map(|c| c.pixels).sum(), of("class"), of("nodata"), of("not in the legend")]
}

fn as_json(report: &Report, legend: &Legend) -> Value {
    let Report { header, tag, .. } = report;
    let grid = &header.grid;
    let (width, height) = grid.cell();
    // JSON has no NaN and no infinity; such tags are told as text.
    let number = |value: f64| if value.is_finite() { json!(value) } else { json!(tag_text(value)) };
    let totals = report.counts.as_deref().map(|counts| {
        let [cells, class, nodata, unlisted] = totals(counts);
        json!({ "cells": cells, "class": class, "nodata": nodata, "not_in_legend": unlisted })
    });
    json!({
        "path": header.path, "format": header.format, "type": header.sample.word(),
        "band": header.band, "bands": header.bands, "rows": grid.rows, "cols": grid.cols,
        "crs": grid.crs, "georeferenced": header.georeferenced, "north_up": grid.affine.is_north_up(),
        "affine": grid.affine, "cell_size": [width, height], "unit": unit(grid.crs.as_ref()),
        "bounds": bounds(grid),
        "block": { "rows": header.block.0, "cols": header.block.1 }, "compression": header.compression,
        "cog": header.cog, "overviews": header.overviews, "palette": report.palette,
        "nodata": {
            "declared": header.nodata_tag.map(number), "legend": legend.id,
            "listed": nodata_values(legend).collect::<Vec<_>>(), "tag": tag, "words": tag.words(),
        },
        "grids": report.relations, "warnings": report.warnings, "counts": report.counts, "totals": totals,
    })
}
