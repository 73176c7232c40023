//! The headers of all inputs, read once, and what follows from all of them: how classes are held, which strata there are.

use std::collections::{BTreeMap, BTreeSet};

use super::sphere::SphereGrid;
use super::{Storage, all_or_none};
use crate::config::grids::GridChoice;
use crate::config::job::Job;
use crate::error::{Error, Result};
use crate::io::cog::SampleType;
use crate::io::gdal::{RasterHeader, SampleKind, crs_from_wkt, open_features, open_raster};
use crate::model::crosswalk::Target;
use crate::model::epoch::Epoch;
use crate::model::legend::ClassCode;
use crate::model::nodata::TagVerdict;
use crate::model::rule::{NAN_VALUE, StratumValues};

/// A header, and whose it is.
#[derive(Debug)]
pub struct InputHeader {
    /// Position of the source in the job.
    pub source: usize,
    /// The mapped year.
    pub year: Epoch,
    /// What the file says.
    pub header: RasterHeader,
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
                    Ok(header) => headers.push(InputHeader { source, year, header }),
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

/// Data type and nodata of the maps: a byte for legends, that of the inputs for `raw`.
///
/// # Errors
/// Input: rasters without a legend that do not share a data type and a nodata value.
pub fn storage(job: &Job, headers: &[&InputHeader], warnings: &mut Vec<String>) -> Result<Storage> {
    if !job.target.is_raw() {
        let fill = job.target.fill;
        return Ok(Storage {
            bytes: true,
            sample: SampleType::U8,
            nodata: fill,
            stored_nodata: Some(fill.into()),
        });
    }
    let kinds: BTreeSet<&str> = headers.iter().map(|h| h.header.sample.word()).collect();
    let Some(first) = headers.first() else { return Err(Error::usage("there is no input")) };
    if kinds.len() > 1 {
        return Err(Error::input("rasters without a legend must share a data type")
            .found(kinds.into_iter().collect::<Vec<_>>().join(", "))
            .help("convert them first, or name their legend with --legend"));
    }
    let sample = match first.header.sample {
        SampleKind::U8 => SampleType::U8,
        SampleKind::I8 => SampleType::I8,
        SampleKind::U16 => SampleType::U16,
        SampleKind::I16 => SampleType::I16,
        SampleKind::I32 => SampleType::I32,
        other => {
            warnings.push(format!("{} is written as int32", other.word()));
            SampleType::I32
        }
    };
    let given = job.sources.iter().flat_map(|s| s.maps.values()).find_map(|m| m.nodata);
    let range = first.header.sample.range();
    let signed_byte = first.header.sample == SampleKind::I8;
    let verdict = |h: &&InputHeader| TagVerdict::judge(&job.target, h.header.nodata_tag, range, signed_byte);
    let tags: BTreeSet<Option<ClassCode>> = headers.iter().map(|h| verdict(h).adds()).collect();
    if given.is_none() && tags.len() > 1 {
        let told = |tag: &Option<ClassCode>| tag.map_or("none".to_string(), |t| t.to_string());
        return Err(Error::input("rasters without a legend must share a nodata value")
            .found(tags.iter().map(told).collect::<Vec<_>>().join(", "))
            .help("give the one that holds for all: --nodata VALUE"));
    }
    // What is not written in its own type, or has a nodata value that no class can be, is written with ours.
    let beyond = |h: &&InputHeader| matches!(verdict(h), TagVerdict::BeyondClasses { .. });
    let converted = sample == SampleType::I32 && first.header.sample != SampleKind::I32;
    let ours = (converted || headers.iter().any(beyond)).then_some(NAN_VALUE);
    let stored_nodata = given.or(tags.into_iter().next().flatten()).or(ours).map(i64::from);
    Ok(Storage { bytes: false, sample, nodata: NAN_VALUE, stored_nodata })
}
