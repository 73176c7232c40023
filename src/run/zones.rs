//! The zones of a block: every layer looked up once, and what they say combined.

use ndarray::{Array2, s};

use super::locate::source_cells;
use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::{CellKeys, Pixels, RasterFile, reopen_raster};
use crate::kernel::align::nearest;
use crate::kernel::combine::{BlockZones, Combinations, NO_ZONE, ZoneNumber, combine};
use crate::model::grid::Grid;
use crate::model::window::{BLOCK, Window};
use crate::plan::alignment::Alignment;
use crate::plan::zones::{ZoneCells, ZoneRaster};
use crate::plan::{Plan, WARP_CELLS};

/// Combinations of zones that a task may hold, a bound on memory: what is counted is kept for each of them.
const MOST_COMBINATIONS: usize = 1 << 18;

/// Reads the zones of a task, block after block.
pub struct ZoneReader<'a> {
    plan: &'a Plan,
    /// Of each layer that is a raster, once it was needed.
    files: Vec<Option<RasterFile>>,
    combinations: Combinations,
    overlaps: Vec<u64>,
}

impl<'a> ZoneReader<'a> {
    /// Nothing read yet.
    pub fn new(plan: &'a Plan) -> Self {
        let layers = plan.zones.len();
        Self {
            plan,
            files: (0..layers).map(|_| None).collect(),
            combinations: Combinations::new(layers),
            overlaps: vec![0; layers],
        }
    }

    /// The combination of zones that each cell of a block lies in. Rasters are not read where `has_maps` says that there
    /// is nothing to count; polygons are, as those that hold no cell are told.
    ///
    /// # Errors
    /// Unreadable, Input: cells of a raster that cannot be read. Limit: more combinations than are counted. Bug: GDAL
    /// cannot burn in memory.
    pub fn block(&mut self, block: &Window, has_maps: bool) -> Result<BlockZones> {
        let grid = &self.plan.grid;
        let mut layers = Vec::with_capacity(self.plan.zones.len());
        for (position, layer) in self.plan.zones.iter().enumerate() {
            layers.push(match &layer.cells {
                ZoneCells::Polygons(polygons) => {
                    let burned = polygons.burn(grid, block)?;
                    self.overlaps[position] += burned.overlaps;
                    match burned.cells {
                        CellKeys::One(key) => BlockZones::One(key),
                        CellKeys::Each(keys) => BlockZones::of(keys),
                    }
                }
                ZoneCells::Raster(raster) if has_maps => {
                    zones_of(raster, &mut self.files[position], grid, block)?
                }
                ZoneCells::Raster(_) => BlockZones::One(NO_ZONE),
            });
        }
        let zones = combine(&layers, &mut self.combinations);
        if self.combinations.len() > MOST_COMBINATIONS {
            return Err(self.too_many());
        }
        Ok(zones)
    }

    fn too_many(&self) -> Error {
        let layers = self.plan.zones.iter().map(|layer| self.plan.job.zones[layer.layer].id.as_str());
        Error::new(ErrorKind::Limit, "zone layers have more zones, and combinations of them, than are counted")
            .found(format!("layers {}", layers.collect::<Vec<_>>().join(", ")))
            .expected(format!("at most {MOST_COMBINATIONS} combinations in a task"))
            .help(
                "tabulate by fewer layers at once; a raster of measurements is no raster of zones: classify it first",
            )
    }

    /// All combinations met, in the order of their numbers, and for each layer the cells that lie in several zones.
    pub fn finish(self) -> (Vec<Vec<ZoneNumber>>, Vec<u64>) {
        (self.combinations.iter().map(<[ZoneNumber]>::to_vec).collect(), self.overlaps)
    }
}

/// What a raster says of each cell of a block of the target grid, or of any window of it.
pub(super) fn zones_of(
    raster: &ZoneRaster,
    file: &mut Option<RasterFile>,
    grid: &Grid,
    block: &Window,
) -> Result<BlockZones> {
    let covered = block.intersect(&raster.footprint);
    if covered.is_empty() {
        return Ok(BlockZones::One(NO_ZONE));
    }
    let file = match file {
        Some(file) => file,
        None => file.insert(reopen_raster(&raster.header)?),
    };
    let mut zones = Array2::from_elem((block.rows, block.cols), NO_ZONE);
    match raster.alignment {
        Alignment::Copy { row, col } => {
            let read = zones_in(raster, file, &covered.shift(-row, -col))?;
            zones.slice_mut(place_in(&covered, block)).assign(&read);
        }
        Alignment::Nearest { .. } | Alignment::Mode { .. } => {
            for piece in covered.squares(BLOCK) {
                warp(raster, file, grid, &piece, block, &mut zones)?;
            }
        }
    }
    Ok(BlockZones::of(zones))
}

/// Fills a piece of a block by nearest neighbour; a piece over too many cells of the raster is quartered.
fn warp(
    raster: &ZoneRaster,
    file: &RasterFile,
    grid: &Grid,
    piece: &Window,
    block: &Window,
    zones: &mut Array2<ZoneNumber>,
) -> Result<()> {
    let cells = source_cells(&raster.alignment, grid, piece)?;
    if cells.bounds.is_empty() {
        return Ok(());
    }
    let side = piece.rows.max(piece.cols);
    if cells.bounds.cells() > WARP_CELLS && side > 1 {
        for quarter in piece.squares(side.div_ceil(2)) {
            warp(raster, file, grid, &quarter, block, zones)?;
        }
        return Ok(());
    }
    let read = zones_in(raster, file, &cells.bounds)?;
    zones.slice_mut(place_in(piece, block)).assign(&nearest(read.view(), &cells, NO_ZONE));
    Ok(())
}

/// The zones of a window of a raster's own cells.
fn zones_in(raster: &ZoneRaster, file: &RasterFile, window: &Window) -> Result<Array2<ZoneNumber>> {
    Ok(match file.read(window)? {
        Pixels::Bytes(values) => values.mapv(|value| raster.zone_of(value.into())),
        Pixels::Codes(values) => values.mapv(|value| raster.zone_of(value)),
    })
}

fn place_in(
    window: &Window,
    block: &Window,
) -> ndarray::SliceInfo<[ndarray::SliceInfoElem; 2], ndarray::Ix2, ndarray::Ix2> {
    let (row, col) = ((window.row - block.row) as usize, (window.col - block.col) as usize);
    s![row..row + window.rows, col..col + window.cols]
}
