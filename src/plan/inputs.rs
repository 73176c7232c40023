//! The inputs of all grids: the headers of their rasters, read once.

use super::all_or_none;
use super::sphere::SphereGrid;
use crate::config::grids::GridChoice;
use crate::config::job::{Job, SourceMap};
use crate::error::Result;
use crate::io::gdal::{RasterHeader, open_raster};
use crate::model::epoch::Epoch;

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
