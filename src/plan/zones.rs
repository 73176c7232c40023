//! Zone layers: where the zone of each cell comes from.

use std::borrow::Cow;

use super::mask::Mask;
use super::value_raster::{Meaning, ValueRaster};
use super::{OUTSIDE, all_or_none};
use crate::config::zones::{ZoneLayer, ZoneOrigin};
use crate::error::{Error, Result};
use crate::io::gdal::{FeatureLayer, open_features};
use crate::kernel::combine::{NO_ZONE, ZoneNumber};
use crate::model::grid::Grid;

/// A layer whose zones are looked up cell by cell. Crossed layers are read off the counts of these.
#[derive(Debug)]
pub struct CountedLayer {
    /// Position of the layer in the job.
    pub layer: usize,
    /// What says which zone a cell lies in.
    pub cells: ZoneCells,
}

/// What the cells of a raster of zones are.
const OF_ZONES: Meaning = Meaning { what: "zone raster", of_values: "a cell's value is the key of its zone" };

/// What says which zone a cell lies in.
#[derive(Debug)]
pub enum ZoneCells {
    /// Polygons, in the grid's CRS.
    Polygons(Box<FeatureLayer>),
    /// The cells of a raster.
    Raster(Box<ValueRaster>),
}

impl CountedLayer {
    /// Whether a zone is one of cells that a layer of one zone, [`ZoneOrigin::Held`], holds.
    pub fn holds(&self, number: ZoneNumber) -> bool {
        match &self.cells {
            ZoneCells::Polygons(_) => number != NO_ZONE,
            ZoneCells::Raster(_) => number != NO_ZONE && value_of(number) != 0,
        }
    }

    /// The polygons, where it has some.
    pub fn polygons(&self) -> Option<&FeatureLayer> {
        match &self.cells {
            ZoneCells::Polygons(polygons) => Some(polygons),
            ZoneCells::Raster(_) => None,
        }
    }

    /// The raster, where it is one.
    pub fn raster(&self) -> Option<&ValueRaster> {
        match &self.cells {
            ZoneCells::Polygons(_) => None,
            ZoneCells::Raster(raster) => Some(raster),
        }
    }

    /// Key and name of a zone; none for [`NO_ZONE`].
    pub fn zone(&self, number: ZoneNumber) -> Option<(Cow<'_, str>, &str)> {
        match &self.cells {
            ZoneCells::Polygons(polygons) => {
                let (key, name) = polygons.keys.get(number.checked_sub(1)? as usize)?;
                Some((key.into(), name))
            }
            ZoneCells::Raster(_) => (number != NO_ZONE).then(|| (value_of(number).to_string().into(), "")),
        }
    }
}

/// The zone of a value of a raster as read; the file's nodata value is outside every zone.
pub fn zone_of(raster: &ValueRaster, read: i32) -> ZoneNumber {
    raster.value(read).map_or(NO_ZONE, number_of)
}

/// Numbers keep the order of the values. The least 32-bit number becomes [`NO_ZONE`]: readers let it stand for "no data"
/// alone.
fn number_of(value: i32) -> ZoneNumber {
    value.wrapping_sub(i32::MIN).cast_unsigned()
}

fn value_of(number: ZoneNumber) -> i32 {
    number.cast_signed().wrapping_add(i32::MIN)
}

/// Opens the zone layers of a job and takes them to the target grid.
///
/// # Errors
/// Input, Unsupported: every layer that cannot be used, with the reason.
pub fn counted_layers(
    layers: &[ZoneLayer],
    grid: &Grid,
    warnings: &mut Vec<String>,
) -> Result<Vec<CountedLayer>> {
    let (mut counted, mut refused) = (Vec::new(), Vec::new());
    for (layer, described) in layers.iter().enumerate() {
        let cells = match &described.origin {
            ZoneOrigin::Polygons { path, key, name } => {
                polygons(path, key, name.as_deref(), grid).map(|p| ZoneCells::Polygons(Box::new(p)))
            }
            ZoneOrigin::Raster { path, band } => raster(path, *band, grid, OF_ZONES, warnings)
                .map(|r| ZoneCells::Raster(Box::new(r)))
                .map_err(|e| e.at(path.display())),
            ZoneOrigin::Held { path, band } => {
                Mask::open(path, *band, grid, 0, "layer of lakes", warnings).map(|m| m.cells)
            }
            ZoneOrigin::Crossed(_) => continue,
        };
        match cells {
            Ok(cells) => counted.push(CountedLayer { layer, cells }),
            Err(error) => refused.push(error),
        }
    }
    all_or_none(refused)?;
    Ok(counted)
}

fn polygons(path: &std::path::Path, key: &str, name: Option<&str>, grid: &Grid) -> Result<FeatureLayer> {
    let Some(crs) = &grid.crs else { return Err(no_grid_crs("layer of zones")) };
    let polygons = open_features(path, key, name, crs, grid.cell_m())?;
    if polygons.keys.iter().any(|(key, _)| key == OUTSIDE) {
        return Err(Error::input(format!("a zone has the key `{OUTSIDE}`"))
            .at(path.display())
            .help("tables use this word for what no zone covers; give the zone another key"));
    }
    Ok(polygons)
}

pub(super) fn no_grid_crs(what: &str) -> Error {
    Error::input(format!("a {what} needs a grid with a CRS"))
}

/// Opens a raster of whole numbers and finds how its cells reach a grid; its meaning in words.
pub(super) fn raster(
    path: &std::path::Path,
    band: Option<usize>,
    grid: &Grid,
    meaning: Meaning,
    warnings: &mut Vec<String>,
) -> Result<ValueRaster> {
    let header = ValueRaster::header(path, band, meaning)?;
    if grid.crs.is_none() {
        return Err(no_grid_crs(meaning.what));
    }
    ValueRaster::place(header, grid, warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_numbers_in_their_order_and_come_back() {
        let values = [i32::MIN + 1, -5, 0, 1, 402, i32::MAX];
        assert!(values.map(number_of).is_sorted());
        assert_eq!(values.map(number_of).map(value_of), values);
        assert!(!values.map(number_of).contains(&NO_ZONE));
        assert_eq!(number_of(i32::MIN), NO_ZONE);
    }
}
