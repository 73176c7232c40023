//! Zone layers: where the zone of each cell comes from.

use std::borrow::Cow;

use super::alignment::Alignment;
use super::mask::Mask;
use super::misfit::{no_crs, no_place};
use super::scene::footprint;
use super::sphere::SphereGrid;
use super::{OUTSIDE, all_or_none};
use crate::config::zones::{ZoneLayer, ZoneOrigin};
use crate::error::{Error, Result};
use crate::io::gdal::{FeatureLayer, RasterHeader, open_features, open_raster};
use crate::kernel::combine::{NO_ZONE, ZoneNumber};
use crate::model::grid::Grid;
use crate::model::window::Window;

/// A layer whose zones are looked up cell by cell. Crossed layers are read off the counts of these.
#[derive(Debug)]
pub struct CountedLayer {
    /// Position of the layer in the job.
    pub layer: usize,
    /// What says which zone a cell lies in.
    pub cells: ZoneCells,
}

/// What says which zone a cell lies in.
#[derive(Debug)]
pub enum ZoneCells {
    /// Polygons, in the grid's CRS.
    Polygons(Box<FeatureLayer>),
    /// The cells of a raster.
    Raster(Box<ZoneRaster>),
}

/// A raster whose values are the keys of zones.
#[derive(Debug)]
pub struct ZoneRaster {
    /// What the file says.
    pub header: RasterHeader,
    /// How its cells reach the target grid: the cell under a target cell's centre tells the zone.
    pub alignment: Alignment,
    /// Cells of the target grid that it may cover.
    pub footprint: Window,
}

impl CountedLayer {
    /// Whether a zone is one of cells that a layer of one zone, [`ZoneOrigin::Held`], holds.
    pub fn holds(&self, number: ZoneNumber) -> bool {
        match &self.cells {
            ZoneCells::Polygons(_) => number != NO_ZONE,
            ZoneCells::Raster(_) => ZoneRaster::is_held(number),
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
    pub fn raster(&self) -> Option<&ZoneRaster> {
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

impl ZoneRaster {
    /// Whether a zone is that of a value other than 0: what a mask holds.
    pub fn is_held(zone: ZoneNumber) -> bool {
        zone != NO_ZONE && value_of(zone) != 0
    }

    /// The zone of a value; the file's nodata value is outside every zone.
    pub fn zone_of(&self, value: i32) -> ZoneNumber {
        if self.header.nodata_tag == Some(f64::from(value)) { NO_ZONE } else { number_of(value) }
    }
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
            ZoneOrigin::Raster { path, band } => {
                raster(path, *band, grid, ("zone raster", "the key of its zone"), warnings)
                    .map(|r| ZoneCells::Raster(Box::new(r)))
                    .map_err(|e| e.at(path.display()))
            }
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

/// Opens a raster of whole numbers and finds how its cells reach a grid; `what` it is and its values are, in words.
pub(super) fn raster(
    path: &std::path::Path,
    band: Option<usize>,
    grid: &Grid,
    (what, values): (&str, &str),
    warnings: &mut Vec<String>,
) -> Result<ZoneRaster> {
    let mut header = open_raster(path, band)?.header;
    let said = SphereGrid::load()?.take(&mut header.grid, grid.crs.as_ref(), false)?;
    warnings.extend(said.map(|words| format!("{}: {words}", path.display())));
    if header.sample.is_float() {
        return Err(Error::input(format!("a {what} must hold whole numbers"))
            .found(header.sample.word())
            .expected(format!("an integer type of at most 32 bits: a cell's value is {values}"))
            .help("convert it, if its values are whole numbers: gdal_translate -ot Int32 IN OUT"));
    }
    if grid.crs.is_none() {
        return Err(no_grid_crs(what));
    }
    if header.grid.crs.is_none() {
        return Err(no_crs());
    }
    if !header.georeferenced {
        return Err(no_place());
    }
    let alignment = Alignment::between(&header.grid, grid)?;
    let footprint = footprint(grid, &header.grid, &alignment)?;
    Ok(ZoneRaster { alignment, footprint, header })
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
