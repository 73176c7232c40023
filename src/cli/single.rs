//! The stand-alone verbs: each builds a job of one stage and runs it through the same engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::options::{ComputeOptions, FormatOptions, TalkOptions};
use super::run::execute;
use crate::config::comparability;
use crate::config::file::{ComputeFile, Extent, MissingStratum, OutsideGrid, Resampling};
use crate::config::grids::{GridChoice, JobGrid};
use crate::config::job::{Job, Products, Source, SourceMap};
use crate::config::release::Release;
use crate::config::shipped;
use crate::config::strata::Stratum;
use crate::config::zones::ZoneLayer;
use crate::error::{Error, ErrorKind, Result};
use crate::io::atomic::publish;
use crate::io::cog::Compression;
use crate::io::proj::Datum;
use crate::kernel::change::Unchanged;
use crate::kernel::pyramid::Tie;
use crate::model::crosswalk::Crosswalk;
use crate::model::epoch::{Epoch, Interval};
use crate::model::legend::{Language, Legend};
use crate::model::source::Role;
use crate::plan::JobPlan;

/// The epoch of maps whose year nobody said.
pub const NO_YEAR: Epoch = 0;

/// Flags of the verbs that read and write rasters.
#[derive(Debug, Clone, Args)]
pub struct RasterOptions {
    /// Band with the class codes, from 1
    #[arg(long, value_name = "N")]
    pub band: Option<usize>,
    #[command(flatten)]
    pub formats: FormatOptions,
    /// Nodata value, in place of the file's tag
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub nodata: Option<i32>,
    /// Side of one task in cells: 512 x 2^n; changes no byte of the output
    #[arg(long, value_name = "CELLS", default_value_t = 4096)]
    pub task_cells: usize,
    /// How blocks are compressed: fast, balanced, small, zstd, lzw, none
    #[arg(long, value_name = "NAME", default_value = "balanced", value_parser = word::<Compression>)]
    pub compression: Compression,
    /// Languages of names, the first is the default: en, es, fr
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "en", value_parser = word::<Language>)]
    pub language: Vec<Language>,
    /// What to do with valid cells outside the grid: error, drop
    #[arg(long, value_name = "WORD", default_value = "error", value_parser = word::<OutsideGrid>)]
    pub outside_grid: OutsideGrid,
    /// Replace an output that is there already
    #[arg(long)]
    pub overwrite: bool,
    #[command(flatten)]
    pub compute: ComputeOptions,
    #[command(flatten)]
    pub talk: TalkOptions,
}

/// Parses a word by the names that job files use.
pub fn word<T: serde::de::DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    serde_json::from_value(text.into()).map_err(|e| e.to_string())
}

/// Parses a legend, crosswalk or grid in the current folder's eyes.
pub fn here() -> &'static Path {
    Path::new("")
}

/// The parts of a one-stage job that differ from verb to verb.
pub struct Stage {
    /// Name of the product.
    pub name: String,
    /// What the output folder is noted to be of, where that is not the name alone.
    pub owner: Option<String>,
    /// Legend of the product.
    pub target: Arc<Legend>,
    /// Legend of the inputs.
    pub legend: Arc<Legend>,
    /// Crosswalk between the two.
    pub crosswalk: Option<Arc<Crosswalk>>,
    /// Files by year.
    pub files: BTreeMap<Epoch, Vec<PathBuf>>,
    /// Pair to compare.
    pub pair: Option<Interval>,
    /// Where the cells lie.
    pub grid: GridChoice,
    /// How cells of another grid are taken.
    pub resampling: Option<Resampling>,
    /// Layers of conditional rows.
    pub strata: BTreeMap<String, Stratum>,
    /// What conditional rows do without their layer.
    pub missing_stratum: MissingStratum,
    /// Layers of zones.
    pub zones: Vec<ZoneLayer>,
    /// How unchanged cells are written.
    pub unchanged: Unchanged,
    /// What is written.
    pub products: Products,
}

impl Stage {
    /// A stage that keeps the codes of a legend.
    pub fn keeping(legend: Arc<Legend>, files: BTreeMap<Epoch, Vec<PathBuf>>) -> Self {
        Self {
            name: legend.id.clone(),
            owner: None,
            target: legend.clone(),
            legend,
            crosswalk: None,
            files,
            pair: None,
            grid: GridChoice::OfInputs,
            resampling: None,
            strata: BTreeMap::new(),
            missing_stratum: MissingStratum::Error,
            zones: Vec::new(),
            unchanged: Unchanged::Zero,
            products: Products {
                landcover: true,
                change: false,
                tables: false,
                fractions: false,
                provenance: false,
            },
        }
    }

    /// The job of this stage.
    ///
    /// # Errors
    /// Usage: a flag that cannot be.
    pub fn job(self, output: PathBuf, options: &RasterOptions) -> Result<Job> {
        let cells = options.task_cells;
        if !cells.is_multiple_of(512) || !(cells / 512).is_power_of_two() || cells > 32_768 {
            return Err(Error::usage("--task-cells must be 512, 1024, 2048, … up to 32768").found(cells));
        }
        let mut compute =
            ComputeFile { task_cells: cells, compression: options.compression, ..ComputeFile::default() };
        options.compute.overlay(&mut compute);
        let map = |year: &Epoch, files: &Vec<PathBuf>| SourceMap {
            year: *year,
            files: files.clone(),
            date: None,
            edition: None,
            sensor: None,
            method: None,
            legend: self.legend.clone(),
            crosswalk: self.crosswalk.clone(),
            take_default: self.missing_stratum == MissingStratum::Default,
            priority: 0,
            resampling: self.resampling,
            datum: Datum::default(),
            band: options.band,
            formats: options.formats.formats(),
            nodata: options.nodata,
            update: None,
            rank: 0,
        };
        let id = self.legend.id.clone();
        let source = Source {
            section: id.clone(),
            id,
            country: None,
            grid: 0,
            role: Role::Maps,
            maps: self.files.iter().map(|(year, files)| (*year, map(year, files))).collect(),
        };
        Ok(Job {
            owner: self.owner.unwrap_or_else(|| self.name.clone()),
            name: self.name,
            output,
            store: None,
            languages: options.language.clone(),
            target: self.target,
            grids: vec![JobGrid { id: None, choice: self.grid, outside_grid: options.outside_grid }],
            sources: vec![source],
            epochs: self.files.keys().copied().collect(),
            pairs: self.pair.into_iter().collect(),
            official: Vec::new(),
            comparability: comparability::rules(None, here())?,
            allow_incomparable: false,
            unchanged: self.unchanged,
            tie: Tie::Hash,
            release: Release::default(),
            ellipsoidal: false,
            strata: self.strata,
            domain: None,
            zones: self.zones,
            coast: None,
            edits: Vec::new(),
            compute,
            seams: None,
            gaps: false,
            products: self.products,
        })
    }
}

/// Runs a stage whose only output is one raster, and puts that in place with its sidecar.
///
/// # Errors
/// Usage: the output exists. Whatever the run says.
pub fn write_raster(stage: Stage, output: &Path, options: &RasterOptions) -> Result<super::Answer> {
    if output.exists() && !options.overwrite {
        return Err(Error::usage("the output exists already")
            .at(output.display())
            .help("say --overwrite to replace it"));
    }
    if output.extension().is_none_or(|e| !e.eq_ignore_ascii_case("tif") && !e.eq_ignore_ascii_case("tiff")) {
        return Err(Error::usage("the output must be a .tif").found(output.display()));
    }
    let same = |input: &PathBuf| {
        input.canonicalize().ok().is_some_and(|input| output.canonicalize().is_ok_and(|o| o == input))
    };
    if stage.files.values().flatten().any(same) {
        return Err(Error::usage("the output is one of the inputs")
            .at(output.display())
            .help("write to another file"));
    }
    let mut folder = output.as_os_str().to_os_string();
    folder.push(".nalcms");
    let folder = PathBuf::from(folder);
    let plan = JobPlan::of(stage.job(folder.clone(), options)?)?;
    let progress = options.compute.progress(&options.talk);
    let finished = execute(&plan, progress, options.overwrite, &options.talk).inspect_err(|error| {
        // What was refused leaves nothing; what was stopped or found no room goes on from its parts.
        if !matches!(error.kind(), ErrorKind::Terminated | ErrorKind::Interrupted | ErrorKind::Io) {
            let _ = std::fs::remove_dir_all(&folder);
        }
    })?;
    let mut files = Vec::new();
    for name in finished.merged.files.keys() {
        let target = match name.strip_prefix("landcover/") {
            Some(raster) if raster.ends_with(".tif") => output.to_path_buf(),
            Some(_) => PathBuf::from(format!("{}.aux.xml", output.display())),
            None => continue,
        };
        publish(&folder.join(name), &target)?;
        files.push(target);
    }
    std::fs::remove_dir_all(&folder)
        .map_err(|e| Error::io("a work folder cannot be removed", &e).at(folder.display()))?;
    let grid = &plan.first().grid;
    let text =
        format!("{}: {} x {} cells of {}\n", output.display(), grid.rows, grid.cols, grid.resolution_word());
    let json = serde_json::json!({ "files": files, "rows": grid.rows, "cols": grid.cols });
    Ok(super::Answer { text, json, finding: false })
}

/// A grid by identifier or file, and the part of it that is wanted.
///
/// # Errors
/// Usage: no such grid or extent.
pub fn grid_choice(grid: &str, extent: Option<&str>) -> Result<GridChoice> {
    let grid = shipped::grid(grid, here())?;
    let extent = match extent {
        None => Extent::default(),
        Some(text) => {
            let numbers: std::result::Result<Vec<f64>, _> =
                text.split(',').map(|n| n.trim().parse()).collect();
            match numbers.ok().and_then(|n| <[f64; 4]>::try_from(n).ok()) {
                Some(bounds) => Extent::Bounds(bounds),
                None => Extent::Word(text.to_string()),
            }
        }
    };
    if let Extent::Word(word) = &extent {
        let mut known = ["inputs", "full"].into_iter().chain(grid.extents.keys().map(String::as_str));
        if !known.any(|k| k == word) {
            return Err(Error::usage(format!("the grid `{}` has no extent `{word}`", grid.id))
                .expected("inputs, full, a named extent, or xmin,ymin,xmax,ymax"));
        }
    }
    Ok(GridChoice::Named { grid: Box::new(grid), extent })
}
