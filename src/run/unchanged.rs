//! Remote inputs stay the same while a task reads them, or the task fails: half a part of one version of a file and half
//! of another is worse than none.

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::Result;
use crate::io::gdal::remote;
use crate::io::place::is_remote;
use crate::plan::strata::StratumLayer;
use crate::plan::zones::{CountedLayer, ZoneCells};
use crate::plan::{Plan, Task};

/// Asks the servers of the rasters that a task has read whether these are still what they were when they were opened
/// first. Polygons were read whole when the plan was made.
///
/// # Errors
/// Unreadable: one changed, or its server does not say.
pub fn refuse_changed(plan: &Plan, task: &Task) -> Result<()> {
    let scenes = task.scenes.iter().zip(&plan.epochs);
    let scenes = scenes.flat_map(|(positions, epoch)| positions.iter().map(|&at| &epoch.scenes[at]));
    let masks = scenes.clone().flat_map(|scene| &scene.mask).map(|mask| &mask.header);
    let strata = scenes.clone().flat_map(|scene| &scene.strata).filter_map(StratumLayer::raster);
    let strata = strata.map(|stratum| &stratum.raster.header);
    let zones = plan.zones.iter().filter_map(CountedLayer::raster).map(|raster| &raster.header);
    let overlays = plan.overlays.masks().filter_map(|mask| match &mask.cells {
        ZoneCells::Raster(raster) => Some(&raster.header),
        ZoneCells::Polygons(_) => None,
    });
    let officials = plan.officials.iter().flat_map(|map| &map.rasters).map(|raster| &raster.header);
    let headers =
        scenes.map(|scene| &scene.header).chain(masks).chain(strata).chain(zones).chain(overlays).chain(officials);
    let files: BTreeSet<&Path> =
        headers.flat_map(|header| &header.files).map(|file| file.as_path()).filter(|file| is_remote(file)).collect();
    files.into_iter().try_for_each(|file| remote::refuse_changed(file).map(|_| ()))
}
