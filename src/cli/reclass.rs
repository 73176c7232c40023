//! `nalcms reclass IN -o OUT.tif --crosswalk ID`: one map into another legend, on its own grid.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, FromArgMatches};

use super::options::input;
use super::single::{NO_YEAR, RasterOptions, Stage, here, word, write_raster};
use super::{Answer, Verb};
use crate::config::file::{MissingStratum, StratumFile};
use crate::config::shipped;
use crate::config::strata::Stratum;
use crate::error::{Error, Result};
use crate::io::place;

pub static VERB: Verb = Verb {
    name: "reclass",
    arguments: |command| {
        ReclassArgs::augment_args(command)
            .about("Reclass a map by a crosswalk, on its own grid; codes without a row are an error")
            .after_help(
                "Examples:\n  \
                 nalcms reclass nlcd.tif -o nalcms.tif --crosswalk nlcd-nalcms --stratum climate=climate.gpkg,zone\n  \
                 nalcms reclass nlcd.tif -o nalcms.tif --crosswalk nlcd-nalcms --missing-stratum default\n  \
                 nalcms reclass a.tif -o b.tif --crosswalk ./mine.toml --legend ./a.toml --target-legend ./b.toml",
            )
    },
    run: |matches| {
        let args = ReclassArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        reclass(&args)
    },
};

#[derive(Debug, Args)]
struct ReclassArgs {
    /// The map
    #[arg(value_parser = input())]
    input: PathBuf,
    /// The raster to write
    #[arg(long, short, value_name = "OUT.tif")]
    output: PathBuf,
    /// Crosswalk (an identifier or a file)
    #[arg(long, value_name = "ID")]
    crosswalk: String,
    /// Legend of the map; default: the one the crosswalk names
    #[arg(long, value_name = "ID")]
    legend: Option<String>,
    /// Legend of the output; default: the one the crosswalk names
    #[arg(long, value_name = "ID")]
    target_legend: Option<String>,
    #[command(flatten)]
    strata: StratumOptions,
    #[command(flatten)]
    options: RasterOptions,
}

/// Flags of conditional rows.
#[derive(Debug, Args)]
pub struct StratumOptions {
    /// Layer of conditional rows: polygons as NAME=FILE,FIELD, a raster as NAME=FILE,1=VALUE,2=VALUE (may be repeated)
    #[arg(long, value_name = "NAME=FILE,FIELD", value_parser = stratum)]
    stratum: Vec<Stratum>,
    /// What conditional rows do without their layer: error, default
    #[arg(long, value_name = "WORD", default_value = "error", value_parser = word::<MissingStratum>)]
    missing_stratum: MissingStratum,
}

impl StratumOptions {
    /// Tells a stage of them.
    pub fn declare(&self, stage: &mut Stage) {
        stage.strata = self.stratum.iter().map(|layer| (layer.id.clone(), layer.clone())).collect();
        stage.missing_stratum = self.missing_stratum;
    }
}

/// A layer as a flag names it. What follows the file are the numbers of a raster and its band, or one field.
fn stratum(text: &str) -> std::result::Result<Stratum, String> {
    const FORM: &str = "write it as NAME=FILE,FIELD; a raster as NAME=FILE,1=VALUE,2=VALUE and, where it has several \
                        bands, ,band=N";
    let (id, mut rest) = text.split_once('=').ok_or(FORM)?;
    let mut file = StratumFile::default();
    while let Some((before, last)) = rest.rsplit_once(',') {
        match last.split_once('=') {
            Some(("band", band)) => file.band = Some(band.parse().map_err(|_| format!("{band} is no band"))?),
            Some((number, value)) if number.parse::<i32>().is_ok() => {
                let known = file.values.get_or_insert_default().insert(number.into(), value.into());
                if known.is_some() {
                    return Err(format!("{number} is named twice"));
                }
            }
            _ if file.values.is_none() && file.band.is_none() => {
                (file.key, rest) = (Some(last.into()), before);
                break;
            }
            _ => break,
        }
        rest = before;
    }
    if file.key.is_none() && file.values.is_none() {
        return Err(FORM.into());
    }
    let place = place::beside(here(), Path::new(rest))?;
    Stratum::of_file(id, place, &file).map_err(|found| found.join("; "))
}

fn reclass(args: &ReclassArgs) -> Result<Answer> {
    let crosswalk = Arc::new(shipped::crosswalk(&args.crosswalk, here())?);
    let legend = Arc::new(shipped::legend(args.legend.as_ref().unwrap_or(&crosswalk.from), here())?);
    let target = Arc::new(shipped::legend(args.target_legend.as_ref().unwrap_or(&crosswalk.to), here())?);
    let mut violations = crosswalk.findings(&legend, &target).violations;
    if (legend.id.as_str(), target.id.as_str()) != (&crosswalk.from, &crosswalk.to) {
        violations.push(format!(
            "it leads from `{}` to `{}`; the legends given are `{}` and `{}`",
            crosswalk.from, crosswalk.to, legend.id, target.id
        ));
    }
    if !violations.is_empty() {
        return Err(
            Error::usage(format!("crosswalk `{}` cannot be used", crosswalk.id)).found_all(violations)
        );
    }
    let files = BTreeMap::from([(NO_YEAR, vec![args.input.clone()])]);
    let mut stage = Stage::keeping(legend, files);
    stage.name = target.id.clone();
    stage.target = target;
    stage.crosswalk = Some(crosswalk);
    args.strata.declare(&mut stage);
    write_raster(stage, &args.output, &args.options)
}
