//! What a run will need, and what will stop it, told before it starts.
//!
//! Headers and sizes of files are all that is looked at; cells are not read, so the sizes are estimates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::file::OutsideGrid;
use crate::error::Error;
use crate::io::disk::free_bytes;
use crate::io::gdal::RasterHeader;
use crate::io::gdal::remote::first_stamp;
use crate::io::place;
use crate::model::window::Window;
use crate::plan::alignment::Alignment;
use crate::plan::comparability::refuse_nothing_left;
use crate::plan::strata::StratumLayer;
use crate::plan::zones::CountedLayer;
use crate::plan::{JobPlan, Plan, Product};

use super::collisions;
use super::folder::{refuse_foreign, refuse_unusable};
use super::refuse_beyond_memory;

/// Needs and obstacles of a run.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// Bytes of all input rasters.
    pub input_bytes: u64,
    /// Bytes of all rasters to be written, estimated from how small the inputs are.
    pub output_bytes: u64,
    /// Bytes free where the output will lie; `None` where the system does not say.
    pub free_bytes: Option<u64>,
    /// What `run` will refuse, each with its remedy.
    pub obstacles: Vec<String>,
    /// What may go wrong.
    pub doubts: Vec<String>,
}

/// A change raster takes this share of the bytes of a map: most of its cells are alike.
const CHANGE_SHARE: f64 = 0.2;

/// Overviews of a map add a third of its bytes.
const WITH_OVERVIEWS: f64 = 4.0 / 3.0;

impl Forecast {
    /// Looks ahead.
    pub fn of(plan: &JobPlan) -> Self {
        let output_bytes = plan.grids.iter().map(output_bytes).sum();
        let free_bytes = free_bytes(nearest_folder(&plan.job.output));
        let scenes = plan.grids.iter().flat_map(|g| &g.epochs).flat_map(|e| &e.scenes).map(|s| &s.header);
        // What zones are called is the same on every grid, and so are their files.
        let zones = plan.zones().iter().filter_map(CountedLayer::raster).map(|raster| &raster.header);
        // One for every map that depends on it: the files are the same.
        let strata = plan.grids.iter().flat_map(Plan::strata).filter_map(StratumLayer::raster);
        let strata: BTreeMap<&Path, &RasterHeader> =
            strata.map(|stratum| (stratum.raster.header.path.as_path(), &stratum.raster.header)).collect();
        let officials = plan.grids.iter().flat_map(|g| &g.officials).flat_map(|map| &map.rasters);
        let officials = officials.map(|raster| &raster.header);
        let inputs = scenes.chain(zones).chain(strata.into_values()).chain(officials);
        let mut forecast = Self {
            input_bytes: inputs.map(file_bytes).sum(),
            output_bytes,
            free_bytes,
            obstacles: obstacles(plan),
            doubts: plan.grids.iter().flat_map(beyond_the_grid).collect(),
        };
        // Parts stay beside what they were assembled into.
        if let Some(free) = free_bytes.filter(|free| *free < 2 * output_bytes) {
            forecast.doubts.push(format!(
                "{} MiB are free where the output will lie; parts and outputs may take about {} MiB",
                free >> 20,
                (2 * output_bytes) >> 20
            ));
        }
        forecast
    }
}

fn file_bytes(header: &RasterHeader) -> u64 {
    let bytes = |path: &PathBuf| match place::is_remote(path) {
        true => first_stamp(path).map_or(0, |stamp| stamp.bytes),
        false => std::fs::metadata(path).map_or(0, |m| m.len()),
    };
    header.files.iter().map(bytes).sum()
}

/// Bytes of the rasters of a grid, as dense as its inputs.
fn output_bytes(plan: &Plan) -> u64 {
    let scene_bytes = |scene: &crate::plan::Scene| file_bytes(&scene.header);
    // Bytes of a cell in the inputs of an epoch, as they are compressed.
    let density = |epoch: usize| {
        let scenes = &plan.epochs[epoch].scenes;
        let cells: u64 = scenes.iter().map(|s| s.header.grid.window().cells()).sum();
        scenes.iter().map(scene_bytes).sum::<u64>() as f64 / cells.max(1) as f64
    };
    let maps = plan.epochs.len().max(1) as f64;
    let mean = (0..plan.epochs.len()).map(density).sum::<f64>() / maps;
    let of_product = |product: &Product| match product {
        // The shares of one class take about as much as the map, more of a frequent class and less of a rare one.
        Product::Landcover(epoch) | Product::Fraction(epoch, _) => density(*epoch),
        Product::Change(_) | Product::Provenance(_) => mean * CHANGE_SHARE,
    };
    let cells = plan.grid.window().cells() as f64 * WITH_OVERVIEWS;
    plan.products.iter().map(|p| (of_product(p) * cells) as u64).sum()
}

fn obstacles(plan: &JobPlan) -> Vec<String> {
    let memory = plan.grids.iter().map(refuse_beyond_memory);
    let checks = memory.chain([
        refuse_unusable(&plan.job.output),
        refuse_foreign(&plan.job.output, &plan.job.owner),
        refuse_nothing_left(&plan.job, &plan.comparability),
        collisions::refuse(plan),
    ]);
    checks.filter_map(|check| check.err().as_ref().map(Error::to_string)).collect()
}

/// Inputs on the lattice that the grid does not wholly hold; where their cells have a class, `run` refuses them.
fn beyond_the_grid(plan: &Plan) -> Vec<String> {
    if plan.outside_grid == OutsideGrid::Drop {
        return Vec::new();
    }
    let grid = plan.grid.window();
    let beyond = |scene: &&crate::plan::Scene| match scene.alignment {
        Alignment::Copy { row, col } => {
            let (rows, cols) = (scene.header.grid.rows, scene.header.grid.cols);
            !grid.contains(&Window { row, col, rows, cols })
        }
        Alignment::Nearest { .. } | Alignment::Mode { .. } => false,
    };
    let scenes = plan.epochs.iter().flat_map(|e| &e.scenes).filter(beyond);
    scenes
        .map(|scene| {
            format!(
                "{}: reaches beyond the grid; valid cells there are an error unless grid.outside_grid = \"drop\"",
                scene.header.path.display()
            )
        })
        .collect()
}

/// The folder itself, or the nearest above it that is there.
fn nearest_folder(path: &Path) -> &Path {
    path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."))
}
