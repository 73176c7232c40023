//! `nalcms mosaic IN... -o OUT.tif --legend ID`: several maps of one legend, one raster.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, FromArgMatches};

use super::single::{NO_YEAR, RasterOptions, Stage, grid_choice, here, word, write_raster};
use super::{Answer, Verb};
use crate::config::file::Resampling;
use crate::config::job::expand_patterns;
use crate::config::shipped;
use crate::error::{Error, Result};

pub static VERB: Verb = Verb {
    name: "mosaic",
    arguments: |command| {
        MosaicArgs::augment_args(command)
            .about("Join maps of one legend; where they overlap the first argument wins")
            .after_help(
                "Examples:\n  \
                 nalcms mosaic tile_*.tif -o all.tif --legend nlcd\n  \
                 nalcms mosaic a.tif b.tif -o all.tif --legend raw --nodata 255\n  \
                 nalcms mosaic a.tif b.tif -o all.tif --legend nalcms --grid nalcms-30m",
            )
    },
    run: |matches| {
        let args = MosaicArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        mosaic(&args)
    },
};

#[derive(Debug, Args)]
struct MosaicArgs {
    /// The maps, in order of precedence; patterns in quotes are expanded bytewise
    #[arg(required = true)]
    inputs: Vec<String>,
    /// The raster to write
    #[arg(long, short, value_name = "OUT.tif")]
    output: PathBuf,
    /// Legend of all maps (an identifier, a file, or raw)
    #[arg(long, value_name = "ID")]
    legend: String,
    /// Put the cells on a named grid; default: the first map's own lattice
    #[arg(long, value_name = "ID")]
    grid: Option<String>,
    /// Part of that grid: inputs, full, a named extent, or xmin,ymin,xmax,ymax
    #[arg(long, value_name = "EXTENT", requires = "grid", allow_hyphen_values = true)]
    extent: Option<String>,
    /// How cells of another grid are taken: nearest
    #[arg(long, value_name = "WORD", value_parser = word::<Resampling>)]
    resampling: Option<Resampling>,
    #[command(flatten)]
    options: RasterOptions,
}

fn mosaic(args: &MosaicArgs) -> Result<Answer> {
    let legend = Arc::new(shipped::legend(&args.legend, here())?);
    let files = BTreeMap::from([(NO_YEAR, expand_patterns(&args.inputs, here())?)]);
    let mut stage = Stage::keeping(legend, files);
    stage.resampling = args.resampling;
    if let Some(grid) = &args.grid {
        stage.grid = grid_choice(grid, args.extent.as_deref())?;
    }
    write_raster(stage, &args.output, &args.options)
}
