//! The zones of a block: every layer looked up once, and what they say combined.

use super::values::values_under;
use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::{CellKeys, RasterFile, reopen_raster};
use crate::kernel::combine::{BlockZones, Combinations, NO_ZONE, ZoneNumber, combine};
use crate::model::grid::Grid;
use crate::model::window::Window;
use crate::plan::Plan;
use crate::plan::value_raster::ValueRaster;
use crate::plan::zones::{ZoneCells, zone_of};

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

/// What a raster says of each cell of a block of the target grid.
fn zones_of(
    raster: &ValueRaster,
    file: &mut Option<RasterFile>,
    grid: &Grid,
    block: &Window,
) -> Result<BlockZones> {
    let zones = values_under(
        raster,
        || match file {
            Some(file) => Ok(&*file),
            None => Ok(&*file.insert(reopen_raster(&raster.header)?)),
        },
        (grid, block),
        NO_ZONE,
        |read| zone_of(raster, read),
    )?;
    Ok(zones.map_or(BlockZones::One(NO_ZONE), BlockZones::of))
}
