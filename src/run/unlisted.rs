//! Numbers in rasters of strata that `values` of the job file does not list: looked for when cells lacked a stratum.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::io::gdal::{Pixels, RasterFile, reopen_raster};
use crate::io::stop;
use crate::model::window::{BLOCK, Window};
use crate::plan::strata::{StratumLayer, StratumRaster};
use crate::plan::{JobPlan, Plan, WARP_CELLS};

/// Numbers that are named of a raster.
const NAMED_NUMBERS: usize = 20;

/// The numbers that the rasters of a job hold and do not list, with the cells that have them, in words; one line a raster.
///
/// # Errors
/// Unreadable, Input: cells that cannot be read. Terminated, Interrupted: stopped.
pub fn unlisted_numbers(plan: &JobPlan) -> Result<Vec<String>> {
    let layers = plan.grids.iter().flat_map(Plan::strata);
    let rasters: BTreeMap<&str, &StratumRaster> = layers
        .filter_map(|layer: &StratumLayer| Some((layer.values.name.as_str(), layer.raster()?.as_ref())))
        .collect();
    let mut lines = Vec::new();
    for (name, stratum) in rasters {
        let counts = counts(stratum)?;
        if counts.is_empty() {
            continue;
        }
        let named =
            counts.iter().take(NAMED_NUMBERS).map(|(number, cells)| format!("{number} ({cells} cells)"));
        let named = named.collect::<Vec<_>>().join(", ");
        let more = if counts.len() > NAMED_NUMBERS { ", …" } else { "" };
        lines.push(format!(
            "{}: numbers that strata.{name}.values does not list: {named}{more}",
            stratum.raster.header.path.display()
        ));
    }
    Ok(lines)
}

/// The cells of a raster by the numbers that are not listed.
fn counts(stratum: &StratumRaster) -> Result<BTreeMap<i32, u64>> {
    let file = reopen_raster(&stratum.raster.header)?;
    let mut counts = BTreeMap::new();
    for window in windows(&file) {
        stop::check()?;
        let mut count = |number: i32| {
            if stratum.is_unlisted(number) {
                *counts.entry(number).or_default() += 1;
            }
        };
        match file.read(&window)? {
            Pixels::Bytes(cells) => cells.iter().for_each(|&number| count(number.into())),
            Pixels::Codes(cells) => cells.iter().for_each(|&number| count(number)),
        }
    }
    Ok(counts)
}

/// Windows that cover a raster: rows of its blocks, or squares where these hold too many cells.
fn windows(file: &RasterFile) -> Vec<Window> {
    let whole = file.header.grid.window();
    let rows = file.header.block.0.max(1);
    if (rows * whole.cols) as u64 > WARP_CELLS {
        return whole.squares(BLOCK).collect();
    }
    whole.pieces(rows, whole.cols).collect()
}
