//! The inputs of all grids: the headers of their rasters, read once.

use super::all_or_none;
use super::sphere::SphereGrid;
use crate::config::grids::GridChoice;
use crate::config::job::{Job, SourceMap};
use crate::error::Result;
use crate::io::gdal::{RasterHeader, open_raster_as};
use crate::model::epoch::Epoch;

/// A header, and whose it is.
#[derive(Debug)]
pub struct InputHeader {
    /// Position of the source in the job.
    pub source: usize,
    /// The mapped year.
    pub year: Epoch,
    /// How many updates lie over it: 0 for the map itself, 1 for its base, and so on.
    pub depth: usize,
    /// What the file says.
    pub header: RasterHeader,
}

impl InputHeader {
    /// The keys under which the raster is read.
    pub fn map<'a>(&self, job: &'a Job) -> &'a SourceMap {
        let map = &job.sources[self.source].maps[&self.year];
        map.layers().nth(self.depth).unwrap_or(map)
    }

    /// The map that updates it, of a base.
    pub fn above<'a>(&self, job: &'a Job) -> Option<&'a SourceMap> {
        job.sources[self.source].maps[&self.year].layers().nth(self.depth.checked_sub(1)?)
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
            let layers = map.layers().enumerate();
            let files = layers.flat_map(|(depth, map)| map.files.iter().map(move |path| (depth, map, path)));
            for (depth, map, path) in files {
                let header = open_raster_as(path, map.band, &map.formats).and_then(|file| {
                    let mut header = file.header;
                    let said = sphere_grid
                        .take(&mut header.grid, targets[series.grid].as_ref(), map.resampling.is_some())
                        .map_err(|e| e.at(path.display()))?;
                    warnings.extend(said.map(|words| format!("{}: {words}", path.display())));
                    Ok(header)
                });
                match header {
                    Ok(header) => headers.push(InputHeader { source, year, depth, header }),
                    Err(error) => refused.push(error),
                }
            }
        }
    }
    all_or_none(refused)?;
    Ok(headers)
}
