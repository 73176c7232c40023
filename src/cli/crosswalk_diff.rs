//! `nalcms crosswalk diff A B --against RASTER`: what moves on a map if one crosswalk takes the place of another.
//!
//! The map stands for two years, the one reclassified by A, the other by B; the change matrix of the two is the answer,
//! worked out by the engine, with zones and strata as in any job.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::Answer;
use super::columns::columns;
use super::options::{ComputeOptions, FormatOptions, TalkOptions, input};
use super::reclass::StratumOptions;
use super::run::execute;
use super::single::{RasterOptions, Stage, here, word};
use crate::config::file::{ComputeFile, OutsideGrid};
use crate::config::job::Products;
use crate::config::shipped;
use crate::config::zones::{ZoneLayer, ZoneOrigin};
use crate::error::{Error, Result};
use crate::io::cog::Compression;
use crate::io::talk;
use crate::model::area::Amount;
use crate::model::crosswalk::Crosswalk;
use crate::model::epoch::{Epoch, Interval};
use crate::model::legend::{ClassCode, Language, Legend};
use crate::plan::JobPlan;
use crate::report::zones::{ZoneCounts, by_zone};

/// The years that stand for the two crosswalks.
const BY_A: Epoch = 1;
const BY_B: Epoch = 2;

/// Identifier of the layer of zones.
const ZONES: &str = "zones";

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Crosswalk (an identifier or a file)
    #[arg(value_name = "A")]
    from: String,
    /// Crosswalk in its place
    #[arg(value_name = "B")]
    to: String,
    /// The map
    #[arg(long, value_name = "RASTER", value_parser = input())]
    against: PathBuf,
    /// Legend of the map, where the one that the crosswalks name does not ship
    #[arg(long, value_name = "FILE")]
    legend: Option<String>,
    /// Legend of the target, where the one that the crosswalks name does not ship
    #[arg(long, value_name = "FILE")]
    target_legend: Option<String>,
    /// Polygons to tabulate by, or a raster whose values are the zones
    #[arg(long, value_name = "FILE", value_parser = input())]
    zones: Option<PathBuf>,
    /// Field of the polygons that identifies a zone
    #[arg(long, value_name = "FIELD", requires = "zones")]
    zone_key: Option<String>,
    #[command(flatten)]
    strata: StratumOptions,
    /// Band with the class codes, from 1
    #[arg(long, value_name = "N")]
    band: Option<usize>,
    #[command(flatten)]
    formats: FormatOptions,
    /// Nodata value, in place of the file's tag
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    nodata: Option<i32>,
    /// Language of the names: en, es, fr
    #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = word::<Language>)]
    language: Language,
    #[command(flatten)]
    compute: ComputeOptions,
    #[command(flatten)]
    talk: TalkOptions,
}

/// Works out what moves.
///
/// # Errors
/// Usage: crosswalks that do not lead from the same legend to the same. Those of a run.
pub fn diff(args: &DiffArgs) -> Result<Answer> {
    let crosswalks = [&args.from, &args.to].map(|name| shipped::crosswalk(name, here()));
    let [a, b] = crosswalks;
    let (a, b) = (Arc::new(a?), Arc::new(b?));
    if (&a.from, &a.to) != (&b.from, &b.to) {
        return Err(Error::usage("the crosswalks do not join the same legends")
            .found(format!("{}: {} to {}; {}: {} to {}", a.id, a.from, a.to, b.id, b.from, b.to))
            .expected("two ways from one legend to another"));
    }
    let legend = Arc::new(shipped::legend(args.legend.as_ref().unwrap_or(&a.from), here())?);
    let target = Arc::new(shipped::legend(args.target_legend.as_ref().unwrap_or(&a.to), here())?);
    for crosswalk in [&a, &b] {
        let violations = crosswalk.findings(&legend, &target).violations;
        if !violations.is_empty() {
            let what = format!("crosswalk `{}` cannot be used", crosswalk.id);
            return Err(Error::usage(what).found_all(violations));
        }
    }
    let files = BTreeMap::from([BY_A, BY_B].map(|year| (year, vec![args.against.clone()])));
    let mut stage = Stage::keeping(legend, files);
    stage.name = "crosswalk-diff".into();
    stage.target = target.clone();
    stage.crosswalk = Some(a.clone());
    stage.pair = Some(Interval { from: BY_A, to: BY_B });
    stage.products =
        Products { landcover: false, change: false, tables: false, fractions: false, provenance: false };
    args.strata.declare(&mut stage);
    if let Some(path) = &args.zones {
        let origin = ZoneOrigin::of_file(path.clone(), args.zone_key.clone(), None, None);
        let origin = origin.map_err(|found| {
            Error::usage("the zones cannot be told apart").found(found.replace("`key`", "`--zone-key`"))
        })?;
        stage.zones.push(ZoneLayer { id: ZONES.into(), origin });
    }
    // Nothing is kept: the answer is what is printed.
    let folder = tempfile::tempdir().map_err(|e| Error::io("no folder for scratch files can be made", &e))?;
    let options = RasterOptions {
        band: args.band,
        formats: args.formats.clone(),
        nodata: args.nodata,
        task_cells: ComputeFile::default().task_cells,
        compression: Compression::default(),
        language: vec![args.language],
        outside_grid: OutsideGrid::Error,
        overwrite: false,
        compute: args.compute.clone(),
        talk: args.talk.clone(),
    };
    let mut job = stage.job(folder.path().join("work"), &options)?;
    for map in job.sources.iter_mut().filter_map(|source| source.maps.get_mut(&BY_B)) {
        map.crosswalk = Some(b.clone());
    }
    let plan = JobPlan::of(job)?;
    let progress = args.compute.progress(&args.talk);
    let finished = execute(&plan, progress, false, &args.talk)?;
    if !args.talk.quiet && plan.area.of(Amount::default()).is_none() {
        talk::note("areas stay empty: they are unknown on this grid");
    }
    let Some(joints) = finished.merged.totals.pairs.first() else { return Ok(Answer::default()) };
    let report = Report { plan: &plan, target: &target, language: args.language };
    let zones: Vec<_> = by_zone(&plan, &finished.merged.totals, joints, None)
        .filter(|(zone, _)| zone.is_all() || zone.layer == ZONES)
        .map(|(zone, totals)| (if zone.is_all() { "all".into() } else { zone.id }, Moves::of(&totals.counts)))
        .collect();
    Ok(report.answer((&a, &b), &zones))
}

/// The class of a cell by A and by B; `None` is nodata.
type Move = (Option<ClassCode>, Option<ClassCode>);

/// What moves in a zone.
struct Moves {
    /// Those that stay are left out.
    moved: Vec<(Move, Amount)>,
    /// Cells of each class by A and by B.
    classes: BTreeMap<ClassCode, [Amount; 2]>,
    /// Cells that have a class by either.
    all: Amount,
}

impl Moves {
    fn of(counts: &ZoneCounts) -> Self {
        let mut moves = Self { moved: Vec::new(), classes: BTreeMap::new(), all: Amount::default() };
        for (&(a, b), &amount) in counts {
            moves.all += amount;
            for (side, class) in [a, b].into_iter().enumerate() {
                if let Some(class) = class {
                    moves.classes.entry(class).or_default()[side] += amount;
                }
            }
            if a != b {
                moves.moved.push(((a, b), amount));
            }
        }
        moves.moved.sort_by_key(|(classes, amount)| (std::cmp::Reverse(amount.pixels), *classes));
        moves
    }

    fn sum(&self) -> Amount {
        let mut sum = Amount::default();
        self.moved.iter().for_each(|(_, amount)| sum += *amount);
        sum
    }
}

struct Report<'a> {
    plan: &'a JobPlan,
    target: &'a Legend,
    language: Language,
}

impl Report<'_> {
    fn km2(&self, amount: Amount) -> Option<f64> {
        self.plan.area.of(amount).map(|m2| m2 / 1e6)
    }

    fn class(&self, code: Option<ClassCode>) -> String {
        code.map_or("nodata".into(), |code| format!("{code} {}", self.target.name(code, self.language)))
    }

    fn answer(&self, (a, b): (&Crosswalk, &Crosswalk), zones: &[(String, Moves)]) -> Answer {
        let mut text = format!("{} to {}\n", a.id, b.id);
        for (zone, moves) in zones {
            text += &self.text(zone, moves);
        }
        let json = json!({
            "a": a.id, "b": b.id, "area_method": self.plan.area_method(),
            "zones": zones.iter().map(|(zone, moves)| self.json(zone, moves)).collect::<Vec<_>>(),
        });
        Answer { text, json, finding: false }
    }

    fn text(&self, zone: &str, moves: &Moves) -> String {
        let km2 = |amount| self.km2(amount).map_or(String::new(), |km2| format!("{km2:.3}"));
        let sum = moves.sum();
        let share =
            |n: u64| if moves.all.pixels == 0 { 0.0 } else { n as f64 * 100.0 / moves.all.pixels as f64 };
        let mut text = format!(
            "\n{zone}: {} of {} cells move ({:.3} %)",
            sum.pixels,
            moves.all.pixels,
            share(sum.pixels)
        );
        text += &self.km2(sum).map_or("\n".into(), |km2| format!(", {km2:.3} km2\n"));
        if moves.moved.is_empty() {
            return text;
        }
        let rows = moves.moved.iter().map(|&((from, to), amount)| {
            let share = format!("{:.3}", share(amount.pixels));
            vec![self.class(from), self.class(to), amount.pixels.to_string(), km2(amount), share]
        });
        text += &columns(2, &["by A", "by B", "pixels", "km2", "%"], &rows.collect::<Vec<_>>());
        let changed = moves.classes.iter().filter(|(_, [by_a, by_b])| by_a.pixels != by_b.pixels);
        let rows = changed.map(|(&class, &[by_a, by_b])| {
            let net = i128::from(by_b.pixels) - i128::from(by_a.pixels);
            vec![
                self.class(Some(class)),
                by_a.pixels.to_string(),
                by_b.pixels.to_string(),
                format!("{net:+}"),
            ]
        });
        text += &columns(2, &["class", "pixels by A", "pixels by B", "net"], &rows.collect::<Vec<_>>());
        text
    }

    fn json(&self, zone: &str, moves: &Moves) -> Value {
        let amount = |amount: Amount| json!({ "pixels": amount.pixels, "km2": self.km2(amount) });
        let moved = moves.moved.iter().map(
            |&((from, to), of)| json!({ "from": from, "to": to, "pixels": of.pixels, "km2": self.km2(of) }),
        );
        let classes = moves.classes.iter().map(|(class, [by_a, by_b])| {
            let name = self.target.name(*class, self.language);
            json!({ "class": class, "name": name, "a": amount(*by_a), "b": amount(*by_b) })
        });
        json!({
            "zone": zone, "cells": amount(moves.all), "moved": amount(moves.sum()), "moves": moved.collect::<Vec<_>>(),
            "classes": classes.collect::<Vec<_>>(),
        })
    }
}
