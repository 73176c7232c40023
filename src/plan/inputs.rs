//! The inputs of all grids: the headers of their rasters, read once, and the values of the layers that rows depend on.

use std::collections::{BTreeMap, BTreeSet};

use super::all_or_none;
use super::sphere::SphereGrid;
use crate::config::grids::GridChoice;
use crate::config::job::{Job, SourceMap};
use crate::error::{Error, Result};
use crate::io::gdal::{RasterHeader, crs_from_wkt, open_features, open_raster};
use crate::model::crosswalk::Target;
use crate::model::epoch::Epoch;
use crate::model::rule::StratumValues;

/// A header, and whose it is.
#[derive(Debug)]
pub struct InputHeader {
    /// Position of the source in the job.
    pub source: usize,
    /// The mapped year.
    pub year: Epoch,
    /// Mapped year of the map whose legend, crosswalk and other keys hold: another where an epoch builds on one.
    pub keys_of: Epoch,
    /// What the file says.
    pub header: RasterHeader,
}

impl InputHeader {
    /// The keys under which the raster is read.
    pub fn map<'a>(&self, job: &'a Job) -> &'a SourceMap {
        &job.sources[self.source].maps[&self.keys_of]
    }
}

/// Reads the headers of all inputs, in the order of the job.
///
/// # Errors
/// Input, Unsupported: every file that cannot be read, with the reason.
pub fn read_headers(job: &Job, warnings: &mut Vec<String>) -> Result<Vec<InputHeader>> {
    let sphere_grid = SphereGrid::load()?;
    let target = |choice: &GridChoice| match choice {
        GridChoice::Named { grid, .. } => Ok(grid.grid()?.crs),
        GridChoice::OfInputs => Ok(None),
    };
    let targets: Vec<_> = job.grids.iter().map(|grid| target(&grid.choice)).collect::<Result<_>>()?;
    let (mut headers, mut refused) = (Vec::new(), Vec::new());
    for (source, series) in job.sources.iter().enumerate() {
        for (&year, map) in &series.maps {
            for path in &map.files {
                let header = open_raster(path, map.band).and_then(|file| {
                    let mut header = file.header;
                    let said = sphere_grid
                        .take(&mut header.grid, targets[series.grid].as_ref(), map.resampling.is_some())
                        .map_err(|e| e.at(path.display()))?;
                    warnings.extend(said.map(|words| format!("{}: {words}", path.display())));
                    Ok(header)
                });
                match header {
                    Ok(header) => headers.push(InputHeader { source, year, keys_of: year, header }),
                    Err(error) => refused.push(error),
                }
            }
        }
    }
    all_or_none(refused)?;
    Ok(headers)
}

/// The values of each layer that conditional rows name.
///
/// # Errors
/// Input: a layer cannot be read, or holds values that no row knows.
pub fn stratum_values(job: &Job) -> Result<BTreeMap<String, StratumValues>> {
    let mut strata = BTreeMap::new();
    for (name, layer) in &job.strata {
        // The values are wanted here; the polygons are taken to each source's own CRS by the surveyor.
        let wgs84 = crs_from_wkt("EPSG:4326")?;
        let features = open_features(&layer.path, &layer.key, None, &wgs84, f64::INFINITY)?;
        let values: BTreeSet<String> = features.keys.into_iter().map(|(key, _)| key).collect();
        if values.len() >= usize::from(u8::MAX) {
            return Err(Error::input("a stratum layer has more values than a stratum can have")
                .at(layer.path.display())
                .found(format!("{} values of `{}`", values.len(), layer.key))
                .help("name the field of the strata as `key`, not one that tells polygons apart"));
        }
        strata
            .insert(name.clone(), StratumValues { name: name.clone(), values: values.into_iter().collect() });
    }
    let maps = || job.sources.iter().flat_map(|s| s.maps.values());
    let mut unknown = BTreeSet::new();
    for crosswalk in maps().filter_map(|m| m.crosswalk.as_ref()) {
        for row in &crosswalk.rows {
            let (Some(stratum), Target::ByStratum(by)) = (&row.stratum, &row.to) else {
                continue;
            };
            for value in strata.get(stratum).map_or(&[][..], |s| &s.values) {
                if !by.contains_key(value) {
                    let known: Vec<&str> = by.keys().map(String::as_str).collect();
                    unknown.insert(format!(
                        "strata.{stratum} holds `{value}`; crosswalk `{}` knows {}",
                        crosswalk.id,
                        known.join(", ")
                    ));
                }
            }
        }
    }
    if unknown.is_empty() {
        return Ok(strata);
    }
    Err(Error::input("a stratum layer holds values that no crosswalk row knows").found_all(unknown))
}
