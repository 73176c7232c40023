//! `nalcms align IN -o OUT.tif --grid ID --legend ID`: one map onto a named grid.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, FromArgMatches};

use super::options::input;
use super::single::{NO_YEAR, RasterOptions, Stage, grid_choice, here, word, write_raster};
use super::{Answer, Verb};
use crate::config::file::Resampling;
use crate::config::shipped;
use crate::error::{Error, Result};

pub static VERB: Verb = Verb {
    name: "align",
    arguments: |command| {
        AlignArgs::augment_args(command).about("Put a map on a named grid; codes are kept").after_help(
            "Examples:\n  \
                 nalcms align nlcd.tif -o aligned.tif --grid nalcms-30m --legend nlcd\n  \
                 nalcms align map.tif -o aligned.tif --grid ./mine.toml --legend raw --resampling nearest",
        )
    },
    run: |matches| {
        let args = AlignArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        align(&args)
    },
};

#[derive(Debug, Args)]
struct AlignArgs {
    /// The map
    #[arg(value_parser = input())]
    input: PathBuf,
    /// The raster to write
    #[arg(long, short, value_name = "OUT.tif")]
    output: PathBuf,
    /// Grid (an identifier or a file)
    #[arg(long, value_name = "ID")]
    grid: String,
    /// Legend of the map (an identifier, a file, or raw)
    #[arg(long, value_name = "ID")]
    legend: String,
    /// Part of the grid: inputs, full, a named extent, or xmin,ymin,xmax,ymax
    #[arg(long, value_name = "EXTENT", allow_hyphen_values = true)]
    extent: Option<String>,
    /// How cells of another grid are taken: nearest (needed when CRS is the same but cells are not)
    #[arg(long, value_name = "WORD", value_parser = word::<Resampling>)]
    resampling: Option<Resampling>,
    #[command(flatten)]
    options: RasterOptions,
}

fn align(args: &AlignArgs) -> Result<Answer> {
    let legend = Arc::new(shipped::legend(&args.legend, here())?);
    let files = BTreeMap::from([(NO_YEAR, vec![args.input.clone()])]);
    let mut stage = Stage::keeping(legend, files);
    stage.resampling = args.resampling;
    stage.grid = grid_choice(&args.grid, args.extent.as_deref())?;
    write_raster(stage, &args.output, &args.options)
}
