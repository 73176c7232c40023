//! `nalcms revision OLD NEW --year Y --legend ID -o DIR`: two editions of the map of one year compared. Never mixed with change.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, FromArgMatches};
use serde_json::json;

use super::options::input;
use super::run::execute;
use super::single::{RasterOptions, Stage, grid_choice, here, word};
use super::{Answer, Verb};
use crate::config::file::Resampling;
use crate::config::job::Products;
use crate::config::shipped;
use crate::config::zones::{ZoneLayer, ZoneOrigin};
use crate::error::{Error, Result};
use crate::io::table::write_table;
use crate::model::epoch::{Epoch, Interval};
use crate::plan::JobPlan;
use crate::report::table::Context;
use crate::report::table::revision_matrix::{Revision, table};

/// The editions as epochs: the engine compares maps of two.
const OLD: Epoch = 1;
const NEW: Epoch = 2;

/// Name of the layer of zones.
const ZONES: &str = "zones";

pub static VERB: Verb = Verb {
    name: "revision",
    arguments: |command| {
        RevisionArgs::augment_args(command)
            .about("Compare two editions of the map of one year: what its makers revised; tables only")
            .after_help(
                "Examples:\n  \
                 nalcms revision mx_2010_v1.tif mx_2010_v2.tif --year 2010 --editions 1 2 --legend nalcms -o out",
            )
    },
    run: |matches| {
        let args = RevisionArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        revision(&args)
    },
};

#[derive(Debug, Args)]
struct RevisionArgs {
    /// Map of the earlier edition
    #[arg(value_parser = input())]
    old: PathBuf,
    /// Map of the later edition
    #[arg(value_parser = input())]
    new: PathBuf,
    /// The year that both map
    #[arg(long, value_name = "Y")]
    year: Epoch,
    /// Names of the editions; default: old new
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    editions: Option<Vec<String>>,
    /// Legend of both maps (an identifier, a file, or raw)
    #[arg(long, value_name = "ID")]
    legend: String,
    /// Output folder
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// Compare on a named grid instead of the maps' own
    #[arg(long, value_name = "ID")]
    grid: Option<String>,
    /// Part of that grid: inputs, full, a named extent, or xmin,ymin,xmax,ymax
    #[arg(long, value_name = "EXTENT", requires = "grid", allow_hyphen_values = true)]
    extent: Option<String>,
    /// How cells of another grid are taken: nearest
    #[arg(long, value_name = "WORD", value_parser = word::<Resampling>)]
    resampling: Option<Resampling>,
    /// Polygons to tabulate by, or a raster whose values are the zones
    #[arg(long, value_name = "FILE", value_parser = input())]
    zones: Option<PathBuf>,
    /// Field of the polygons that identifies a zone
    #[arg(long, value_name = "FIELD", requires = "zones")]
    zone_key: Option<String>,
    /// Field of the polygons that names a zone
    #[arg(long, value_name = "FIELD", requires = "zones")]
    zone_name: Option<String>,
    #[command(flatten)]
    options: RasterOptions,
}

fn revision(args: &RevisionArgs) -> Result<Answer> {
    let path = args.output.join("tables/revision_matrix.csv");
    if path.exists() && !args.options.overwrite {
        return Err(Error::usage("the output exists already")
            .at(path.display())
            .help("say --overwrite to replace it"));
    }
    if args.output.join("SHA256SUMS").exists() {
        return Err(Error::usage("a revision is never mixed with the outputs of a job")
            .at(args.output.display())
            .help("name another folder"));
    }
    let legend = Arc::new(shipped::legend(&args.legend, here())?);
    let files = BTreeMap::from([(OLD, vec![args.old.clone()]), (NEW, vec![args.new.clone()])]);
    let mut stage = Stage::keeping(legend, files);
    stage.name = "revision".into();
    stage.pair = Some(Interval { from: OLD, to: NEW });
    stage.products =
        Products { landcover: false, change: false, tables: false, fractions: false, provenance: false };
    stage.resampling = args.resampling;
    if let Some(grid) = &args.grid {
        stage.grid = grid_choice(grid, args.extent.as_deref())?;
    }
    if let Some(path) = &args.zones {
        let origin = ZoneOrigin::of_file(path.clone(), args.zone_key.clone(), args.zone_name.clone(), None);
        let origin = origin.map_err(|found| {
            let found = found.replace("`key`", "`--zone-key`").replace("`name`", "`--zone-name`");
            Error::usage("the zones cannot be told apart").found(found)
        })?;
        stage.zones.push(ZoneLayer { id: ZONES.into(), origin });
    }
    // The engine's own outputs are not kept: its pair of epochs is none of years.
    let folder = tempfile::tempdir().map_err(|e| Error::io("no folder for scratch files can be made", &e))?;
    let plan = JobPlan::of(stage.job(folder.path().join("work"), &args.options)?)?;
    let progress = args.options.compute.progress(&args.options.talk);
    let finished = execute(&plan, progress, false, &args.options.talk)?;
    let totals = &finished.merged.totals;
    let [old, new] = match args.editions.as_deref() {
        Some([old, new]) => [old.clone(), new.clone()],
        _ => ["old".to_string(), "new".to_string()],
    };
    let told = Revision { year: args.year, editions: [old, new], layer: ZONES.into() };
    let context = Context::new(&plan, totals);
    write_table(&args.output.join("tables"), &table(&context, &told))?;
    let (mut all, mut revised) = (0u64, 0u64);
    for (joint, amount) in totals.pairs.iter().flatten() {
        all += amount.pixels;
        revised += if joint.from == joint.to { 0 } else { amount.pixels };
    }
    let share = if all == 0 { 0.0 } else { revised as f64 * 100.0 / all as f64 };
    let [old, new] = &told.editions;
    let text = format!(
        "{}, edition {old} to {new}: {revised} of {all} cells were revised ({share:.3} %)\n{}\n",
        args.year,
        path.display()
    );
    let json = json!({
        "year": args.year, "edition_old": old, "edition_new": new, "pixels": all, "revised_pixels": revised,
        "output": args.output, "files": ["tables/revision_matrix.csv", "tables/revision_matrix.json"],
    });
    Ok(Answer { text, json, finding: false })
}
