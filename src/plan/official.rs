//! Published change maps, placed on a grid.

use super::all_or_none;
use super::operations::Operations;
use super::value_raster::{Meaning, ValueRaster};
use crate::config::job::Job;
use crate::config::official::OfficialMap;
use crate::error::Result;
use crate::io::proj::Datum;
use crate::kernel::change::CHANGE_NODATA;
use crate::kernel::official::{Coding, SAYS_NOTHING};
use crate::model::grid::Grid;

/// A published change map on a grid.
#[derive(Debug)]
pub struct OfficialPlan {
    /// Its position in the job.
    pub official: usize,
    /// Position of its pair of years.
    pub pair: usize,
    /// Its files; the first that says something of a cell decides it.
    pub rasters: Vec<ValueRaster>,
}

/// What the cells of a published change map are.
const OF_CHANGES: Meaning =
    Meaning { what: "published change map", of_values: "a cell's value is from*100 + to" };

impl OfficialPlan {
    /// Opens the change maps of the sections that lie on a grid, and takes them to it: all files of a CRS by one operation.
    ///
    /// # Errors
    /// Input, Unsupported: every file that cannot be used, with the reason.
    pub fn all_of(
        job: &Job,
        (position, grid): (usize, &Grid),
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Self>> {
        let (mut plans, mut refused) = (Vec::new(), Vec::new());
        let mut operations = Operations::default();
        for (official, map) in job.official.iter().enumerate() {
            let lies_here = map.twins.keys().any(|source| job.sources[usize::from(*source)].grid == position);
            let Some(pair) = job.pairs.iter().position(|pair| *pair == map.pair).filter(|_| lies_here) else {
                continue;
            };
            let mut rasters = Vec::new();
            for path in &map.files {
                let header = ValueRaster::header(path, map.band, OF_CHANGES);
                let placed = header.and_then(|header| {
                    ValueRaster::place_by(header, grid, warnings, |from, to, at| {
                        operations.between(from, to, at, Datum::Best)
                    })
                });
                match placed {
                    Ok(raster) => rasters.push(raster),
                    Err(error) => refused.push(error.at(path.display())),
                }
            }
            warnings.extend(silent_zeros(map, &rasters));
            plans.push(Self { official, pair, rasters });
        }
        all_or_none(refused)?;
        warnings.extend(operations.warnings);
        Ok(plans)
    }

    /// What a value of a raster as read says: the tag and 65535 say nothing.
    pub fn value(raster: &ValueRaster, read: i32) -> i32 {
        raster.value(read).filter(|value| *value != i32::from(CHANGE_NODATA)).unwrap_or(SAYS_NOTHING)
    }
}

/// A tag of 0 takes the word from all that is unchanged.
fn silent_zeros(map: &OfficialMap, rasters: &[ValueRaster]) -> Vec<String> {
    let tagged = rasters.iter().filter(|raster| raster.header.nodata_tag == Some(0.0));
    let words = |raster: &ValueRaster| {
        format!(
            "{}: 0 is its nodata value, so that it says nothing of cells that did not change; if 0 means unchanged, \
             take the tag away",
            raster.header.path.display()
        )
    };
    tagged.filter(|_| map.coding == Coding::From100To).map(words).collect()
}
