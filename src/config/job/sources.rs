//! The series of maps of a job, each with its legend and its crosswalk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::Check;
use super::patterns::expand_patterns;
use crate::config::derived::Update;
use crate::config::file::{EpochFile, MissingStratum, Resampling, SourceFile, SourceKeys};
use crate::config::shipped;
use crate::error::Result;
use crate::io::gdal::RasterFormat;
use crate::io::proj::Datum;
use crate::model::crosswalk::Crosswalk;
use crate::model::date::MapDate;
use crate::model::epoch::Epoch;
use crate::model::legend::{ClassCode, Legend};
use crate::model::source::Role;

/// A series of maps.
#[derive(Debug, Clone)]
pub struct Source {
    /// Identifier.
    pub id: String,
    /// Section of the continent.
    pub section: String,
    /// Country, where the job names it.
    pub country: Option<String>,
    /// Position of the grid that it lies on.
    pub grid: usize,
    /// What it is to the product; declared sources come first.
    pub role: Role,
    /// Its map of each epoch.
    pub maps: BTreeMap<Epoch, SourceMap>,
}

/// The map of one epoch of a series.
#[derive(Debug, Clone)]
pub struct SourceMap {
    /// Year that it is a map of: another than the mapped one where it stands in.
    pub year: Epoch,
    /// Files, in order of precedence.
    pub files: Vec<PathBuf>,
    /// True date.
    pub date: Option<String>,
    /// Edition.
    pub edition: Option<String>,
    /// Sensor that its imagery is from.
    pub sensor: Option<String>,
    /// Method by which it was made.
    pub method: Option<String>,
    /// Legend of the files.
    pub legend: Arc<Legend>,
    /// Crosswalk to the product's legend; `None` keeps the codes.
    pub crosswalk: Option<Arc<Crosswalk>>,
    /// Whether conditional rows take their default without their layer.
    pub take_default: bool,
    /// Larger wins where sources overlap.
    pub priority: i32,
    /// How cells of another grid are taken, where the job says so.
    pub resampling: Option<Resampling>,
    /// How the datum of the files and that of the grid are brought together.
    pub datum: Datum,
    /// Band with the class codes.
    pub band: Option<usize>,
    /// Formats that the files may have.
    pub formats: Vec<RasterFormat>,
    /// Nodata value given by the user, in place of the file's tag.
    pub nodata: Option<ClassCode>,
    /// What it updates, if it does.
    pub update: Option<Update>,
    /// Which of the maps that stand in for one is tried first.
    pub rank: usize,
}

impl SourceMap {
    /// The map, then the one that it updates, and so on: earlier ones decide.
    pub fn layers(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |map| map.update.as_ref().map(|update| &*update.base))
    }
}

/// Loads legends and crosswalks once.
pub(super) struct Loader<'a> {
    pub folder: &'a Path,
    pub target: &'a Arc<Legend>,
    pub legends: BTreeMap<String, Arc<Legend>>,
    pub crosswalks: BTreeMap<String, Arc<Crosswalk>>,
}

impl Loader<'_> {
    pub fn legend(&mut self, name: &str) -> Result<Arc<Legend>> {
        if let Some(legend) = self.legends.get(name) {
            return Ok(legend.clone());
        }
        let legend = Arc::new(shipped::legend(name, self.folder)?);
        self.legends.insert(name.to_string(), legend.clone());
        Ok(legend)
    }

    pub fn crosswalk(&mut self, name: &str) -> Result<Arc<Crosswalk>> {
        if let Some(crosswalk) = self.crosswalks.get(name) {
            return Ok(crosswalk.clone());
        }
        let crosswalk = Arc::new(shipped::crosswalk(name, self.folder)?);
        self.crosswalks.insert(name.to_string(), crosswalk.clone());
        Ok(crosswalk)
    }

    pub fn source(&mut self, file: &SourceFile, grid: usize, check: &mut Check) -> Result<Source> {
        let mut maps = BTreeMap::new();
        for (text, epoch) in &file.epochs {
            let Ok(year) = text.parse::<Epoch>() else {
                check.found(format!("source `{}`: epoch `{text}` is no year", file.id));
                continue;
            };
            check.that(text == &year.to_string() && (1..=9999).contains(&year), || {
                format!(
                    "source `{}`: write the epoch `{text}` as a year from 1 to 9999, such as 2010",
                    file.id
                )
            });
            let at = format!("source `{}`, {year}", file.id);
            if let Some(map) = self.map(&at, year, &file.keys(), epoch, check)? {
                maps.insert(year, map);
            }
        }
        Ok(Source {
            id: file.id.clone(),
            section: file.section.clone().unwrap_or_else(|| file.id.clone()),
            country: file.country.clone(),
            grid,
            role: Role::Maps,
            maps,
        })
    }

    pub fn map(
        &mut self,
        at: &str,
        year: Epoch,
        keys: &SourceKeys,
        epoch: &EpochFile,
        check: &mut Check,
    ) -> Result<Option<SourceMap>> {
        let over = &epoch.keys;
        let Some(legend) = over.legend.as_ref().or(keys.legend.as_ref()) else {
            check.found(format!("{at}: `legend` is missing"));
            return Ok(None);
        };
        let legend = self.legend(legend)?;
        let named = over.crosswalk.as_ref().or(keys.crosswalk.as_ref().filter(|_| over.legend.is_none()));
        let crosswalk = match named {
            Some(name) => Some(self.crosswalk(name)?),
            None if legend.id == self.target.id => None,
            None => {
                let shipped = format!("{}-{}", legend.id, self.target.id);
                match self.crosswalk(&shipped) {
                    Ok(crosswalk) => Some(crosswalk),
                    Err(_) => {
                        check.found(format!(
                            "{at}: its legend is `{}`, the product's is `{}`, and no crosswalk leads from one to the \
                             other; maps of one year must share a legend",
                            legend.id, self.target.id
                        ));
                        return Ok(None);
                    }
                }
            }
        };
        if let Some(crosswalk) = &crosswalk {
            check.crosswalk(at, crosswalk, &legend, self.target);
        }
        let take_default =
            over.missing_stratum.or(keys.missing_stratum).unwrap_or_default() == MissingStratum::Default;
        let files = expand_patterns(&epoch.files, self.folder).map_err(|e| e.at(at))?;
        check.files(at, &files);
        if let Some(date) = &epoch.date {
            check.that(MapDate::parse(date).is_some(), || {
                format!("{at}: date `{date}` is none of the forms 2011, 2011-07, 2011-07-15")
            });
        }
        Ok(Some(SourceMap {
            year,
            files,
            date: epoch.date.clone(),
            edition: epoch.edition.clone(),
            sensor: epoch.sensor.clone(),
            method: epoch.method.clone(),
            legend,
            crosswalk,
            take_default,
            priority: over.priority.or(keys.priority).unwrap_or(0),
            resampling: over.resampling.or(keys.resampling),
            datum: over.datum.or(keys.datum).unwrap_or_default(),
            band: over.band.or(keys.band),
            formats: over.formats.clone().or(keys.formats.clone()).unwrap_or(RasterFormat::DEFAULT.into()),
            nodata: None,
            update: None,
            rank: 0,
        }))
    }
}
