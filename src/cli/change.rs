//! `nalcms change FROM TO --years Y1 Y2 --legend ID -o DIR`: two maps compared.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, FromArgMatches};
use serde_json::json;

use super::options::input;
use super::options::year_pair;
use super::run::execute;
use super::single::{RasterOptions, Stage, grid_choice, here, word};
use super::{Answer, Verb};
use crate::config::file::Resampling;
use crate::config::job::Products;
use crate::config::shipped;
use crate::config::zones::{ZoneLayer, ZoneOrigin};
use crate::error::{Error, Result};
use crate::kernel::change::{LARGEST_CODE, Unchanged};
use crate::model::epoch::Interval;
use crate::plan::JobPlan;

pub static VERB: Verb = Verb {
    name: "change",
    arguments: |command| {
        ChangeArgs::augment_args(command)
            .about("Compare two maps: change matrix and other tables, change raster")
            .after_help(
                "Examples:\n  \
                 nalcms change nlcd_2001.tif nlcd_2006.tif --years 2001 2006 --legend nlcd -o out\n  \
                 nalcms change a.tif b.tif --years 2010 2020 --legend raw --tables-only -o out\n  \
                 nalcms change a.tif b.tif --years 2010 2020 --legend nalcms --zones parks.gpkg --zone-key id -o out",
            )
    },
    run: |matches| {
        let args = ChangeArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        change(&args)
    },
};

#[derive(Debug, Args)]
struct ChangeArgs {
    /// Map of the first year
    #[arg(value_parser = input())]
    from: PathBuf,
    /// Map of the second year
    #[arg(value_parser = input())]
    to: PathBuf,
    /// The two years
    #[arg(long, num_args = 2, required = true, value_names = ["Y1", "Y2"])]
    years: Vec<i32>,
    /// Legend of both maps (an identifier, a file, or raw)
    #[arg(long, value_name = "ID")]
    legend: String,
    /// Output folder
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// Write no raster
    #[arg(long)]
    tables_only: bool,
    /// How unchanged cells are written: zero, identity, class, nodata
    #[arg(long, value_name = "WORD", default_value = "zero", value_parser = word::<Unchanged>)]
    unchanged: Unchanged,
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
    /// Start of the file names; default: the legend's identifier
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    options: RasterOptions,
}

fn change(args: &ChangeArgs) -> Result<Answer> {
    let (from, to) = year_pair(&args.years);
    if from == to {
        return Err(Error::usage("a year cannot be compared with itself").found(from));
    }
    let legend = Arc::new(shipped::legend(&args.legend, here())?);
    if !args.tables_only
        && let Some(code) = legend.codes().into_iter().find(|code| *code > LARGEST_CODE)
    {
        return Err(Error::usage(format!("legend `{}` has codes above {LARGEST_CODE}", legend.id))
            .found(format!("code {code}, which from*100+to cannot carry"))
            .help("say --tables-only: the tables hold every code"));
    }
    if args.unchanged == Unchanged::Class && legend.class(0).is_some() {
        return Err(Error::usage(format!(
            "--unchanged class is ambiguous: legend `{}` has a class 0",
            legend.id
        )));
    }
    let files = BTreeMap::from([(from, vec![args.from.clone()]), (to, vec![args.to.clone()])]);
    let mut stage = Stage::keeping(legend, files);
    stage.pair = Some(Interval { from, to });
    stage.products = Products {
        landcover: false,
        change: !args.tables_only,
        tables: true,
        fractions: false,
        provenance: false,
    };
    stage.unchanged = args.unchanged;
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
        stage.zones.push(ZoneLayer { id: "zones".into(), origin });
    }
    if let Some(name) = &args.name {
        stage.name.clone_from(name);
    }
    // Other maps are another comparison, which must not take the place of this one unasked.
    let whole = |file: &PathBuf| file.canonicalize().unwrap_or_else(|_| file.clone());
    let [first, second] = [&args.from, &args.to].map(whole);
    stage.owner =
        Some(format!("{}: {from} in {}, {to} in {}", stage.name, first.display(), second.display()));
    let plan = JobPlan::of(stage.job(args.output.clone(), &args.options)?)?;
    let progress = args.options.compute.progress(&args.options.talk);
    let finished = execute(&plan, progress, args.options.overwrite, &args.options.talk)?;
    let joints = finished.merged.totals.pairs.iter().flatten();
    let (mut valid, mut changed) = (0u64, 0u64);
    for (joint, amount) in joints.filter(|(joint, _)| joint.from.is_some() && joint.to.is_some()) {
        valid += amount.pixels;
        changed += if joint.from == joint.to { 0 } else { amount.pixels };
    }
    let share = if valid == 0 { 0.0 } else { changed as f64 * 100.0 / valid as f64 };
    let text = format!(
        "{from} to {to}: {changed} of {valid} cells changed ({share:.3} %)\n{}\n",
        args.output.join("tables/change_matrix.csv").display()
    );
    let json = json!({
        "year_from": from, "year_to": to, "valid_pixels": valid, "changed_pixels": changed,
        "output": args.output, "files": finished.merged.files,
    });
    Ok(Answer { text, json, finding: false })
}
