//! The strata of a job: the values of each layer, whether every row knows what to do with them, and the layers taken to the
//! cells of each source.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::inputs::InputHeader;
use super::misfit::no_crs;
use super::value_raster::{Meaning, ValueRaster};
use crate::config::job::{Job, SourceMap};
use crate::config::strata::{MOST_VALUES, Stratum, StratumOrigin};
use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::{FeatureLayer, RasterHeader, crs_from_wkt, open_features};
use crate::io::proj::Operation;
use crate::model::crosswalk::{Crosswalk, CrosswalkRow};
use crate::model::grid::Grid;
use crate::model::rule::{MOST_CONDITIONAL_RULES, StratumValues};
use crate::model::stratum_key::{combinations, joined};

/// Combinations without a key that are named of a row.
const NAMED_COMBINATIONS: usize = 5;

/// What the cells of a raster of a stratum are.
const OF_STRATA: Meaning =
    Meaning { what: "raster of a stratum", of_values: "`values` says what a cell's number stands for" };

/// The layers that conditional rows name, each as its file has it.
#[derive(Debug, Default)]
pub struct JobStrata {
    /// Values of each, by name.
    values: BTreeMap<String, StratumValues>,
    /// Headers of those that are rasters.
    headers: BTreeMap<String, RasterHeader>,
}

impl JobStrata {
    /// Reads the layers of a job.
    ///
    /// # Errors
    /// Input: a layer cannot be read, or rows do not know all its values. Limit: rows with too many combinations.
    pub fn read(job: &Job) -> Result<Self> {
        let mut strata = Self::default();
        for (name, layer) in &job.strata {
            let values = match &layer.origin {
                StratumOrigin::Polygons { key } => values_of_polygons(layer, key)?,
                StratumOrigin::Raster { band, values } => {
                    let header = ValueRaster::header(&layer.path, *band, OF_STRATA)
                        .map_err(|e| e.at(layer.path.display()))?;
                    refuse_listed_nodata(layer, &header, values)?;
                    strata.headers.insert(name.clone(), header);
                    values.values().cloned().collect()
                }
            };
            let (values, open) = (values.into_iter().collect(), strata.headers.contains_key(name));
            strata.values.insert(name.clone(), StratumValues { name: name.clone(), values, open });
        }
        strata.refuse_unknown_values(job)?;
        Ok(strata)
    }

    /// Every combination of values of the layers of a row must have a key.
    fn refuse_unknown_values(&self, job: &Job) -> Result<()> {
        let maps = job.sources.iter().flat_map(|s| s.maps.values()).flat_map(SourceMap::layers);
        let mut crosswalks: Vec<&Arc<Crosswalk>> = Vec::new();
        for crosswalk in maps.filter_map(|m| m.crosswalk.as_ref()) {
            if !crosswalks.iter().any(|known| Arc::ptr_eq(known, crosswalk)) {
                crosswalks.push(crosswalk);
            }
        }
        let mut unknown = BTreeSet::new();
        for crosswalk in &crosswalks {
            let mut rules = 0_usize;
            for row in &crosswalk.rows {
                let layers: Option<Vec<&StratumValues>> =
                    row.layers().iter().map(|name| self.values.get(name)).collect();
                let Some(layers) = layers.filter(|layers| !layers.is_empty()) else { continue };
                rules = layers
                    .iter()
                    .map(|layer| layer.positions())
                    .fold(1, usize::saturating_mul)
                    .saturating_add(rules);
                if rules > MOST_CONDITIONAL_RULES {
                    return Err(too_many(crosswalk, row, &layers));
                }
                unknown.extend(unknown_to(crosswalk, row, &layers));
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let several = crosswalks.iter().flat_map(|c| &c.rows).any(|row| row.layers().len() > 1);
        let error =
            Error::input("a stratum layer holds values that no crosswalk row knows").found_all(unknown);
        Err(if several {
            error.help("add a key to the row; `*` stands for any value of a stratum: \"polar+*\", \"*+*\"")
        } else {
            error
        })
    }
}

/// The values of a layer of polygons.
fn values_of_polygons(layer: &Stratum, key: &str) -> Result<BTreeSet<String>> {
    // The values are wanted here; the polygons are taken to each source's own CRS by the surveyor.
    let wgs84 = crs_from_wkt("EPSG:4326")?;
    let features = open_features(&layer.path, key, None, &wgs84, f64::INFINITY)?;
    let values: BTreeSet<String> = features.keys.into_iter().map(|(key, _)| key).collect();
    if values.len() > MOST_VALUES {
        return Err(Error::input("a stratum layer has more values than a stratum can have")
            .at(layer.path.display())
            .found(format!("{} values of `{key}`", values.len()))
            .help("name the field of the strata as `key`, not one that tells polygons apart"));
    }
    Ok(values)
}

/// A number cannot both stand for a value and say that there is none.
fn refuse_listed_nodata(
    layer: &Stratum,
    header: &RasterHeader,
    values: &BTreeMap<i32, String>,
) -> Result<()> {
    let listed = values.iter().find(|(number, _)| header.nodata_tag == Some(f64::from(**number)));
    let Some((number, value)) = listed else { return Ok(()) };
    Err(Error::input(format!("strata.{} lists a number that its file declares as nodata", layer.id))
        .at(layer.path.display())
        .found(format!("{number} = \"{value}\", and the nodata value {number}"))
        .help("leave it out of `values`, or take the tag off the file: gdal_translate -a_nodata none IN OUT"))
}

fn too_many(crosswalk: &Crosswalk, row: &CrosswalkRow, layers: &[&StratumValues]) -> Error {
    let counts: Vec<String> = layers.iter().map(|l| format!("{} of {}", l.positions(), l.name)).collect();
    Error::new(ErrorKind::Limit, "conditional rows have more combinations of values than can be told apart")
        .found(format!("crosswalk `{}`, up to code {}: {} values", crosswalk.id, row.from, counts.join(", ")))
        .expected(format!("at most {MOST_CONDITIONAL_RULES} combinations in all rows of a crosswalk"))
        .help("give the layers fewer values: what rows do not tell apart can have one")
}

/// What layers hold that a row has no key for, in words.
fn unknown_to(crosswalk: &Crosswalk, row: &CrosswalkRow, layers: &[&StratumValues]) -> Vec<String> {
    let Some(keys) = row.keys() else { return Vec::new() };
    let values: Vec<&[String]> = layers.iter().map(|layer| &layer.values[..]).collect();
    let without: Vec<String> = combinations(&values)
        .iter()
        .filter(|values| keys.class_of(values).is_none())
        .map(|values| joined(values))
        .collect();
    let known = keys.words();
    if let [layer] = layers {
        let told = |value| {
            format!("strata.{} holds `{value}`; crosswalk `{}` knows {known}", layer.name, crosswalk.id)
        };
        return without.into_iter().map(told).collect();
    }
    let named: Vec<&str> = without.iter().take(NAMED_COMBINATIONS).map(String::as_str).collect();
    let more = without.len().saturating_sub(named.len());
    let told = format!(
        "strata.{} may hold `{}`{}; crosswalk `{}`, code {}, knows {known}",
        row.layers().join("+"),
        named.join("`, `"),
        if more > 0 { format!(" and {more} more") } else { String::new() },
        crosswalk.id,
        row.from
    );
    (!named.is_empty()).then_some(told).into_iter().collect()
}

/// A stratum layer, as a scene sees it.
#[derive(Debug, Clone)]
pub struct StratumLayer {
    /// Name and values.
    pub values: StratumValues,
    /// What says which value a cell has.
    pub cells: StratumCells,
}

/// What says which value of a stratum a cell has.
#[derive(Debug, Clone)]
pub enum StratumCells {
    /// Polygons in the scene's CRS.
    Polygons {
        /// The polygons.
        polygons: Arc<FeatureLayer>,
        /// Position of each polygon key among the values, plus 1.
        plane_values: Vec<u8>,
    },
    /// A raster taken to the scene's own cells.
    Raster(Arc<StratumRaster>),
}

/// A raster whose numbers stand for values of a stratum.
#[derive(Debug)]
pub struct StratumRaster {
    /// The raster, and how it reaches the cells of a scene.
    pub raster: ValueRaster,
    /// Position of the value of each listed number, plus 1.
    pub listed: BTreeMap<i32, u8>,
    /// What stands in a plane for a number that is not listed.
    unlisted: u8,
    /// What stands in a plane for the numbers of a byte.
    bytes: [u8; 256],
}

impl StratumRaster {
    fn new(raster: ValueRaster, numbers: &BTreeMap<i32, String>, values: &StratumValues) -> Self {
        let listed = numbers.iter().map(|(&number, value)| (number, place(values, value))).collect();
        let mut stratum = Self { raster, listed, unlisted: values.values.len() as u8 + 1, bytes: [0; 256] };
        stratum.bytes = std::array::from_fn(|number| stratum.looked_up(number as i32));
        stratum
    }

    /// What stands in a plane for a number as read: position of its value + 1, 0 for the file's nodata value, one more than
    /// there are values for a number that is not listed.
    pub fn plane_value(&self, read: i32) -> u8 {
        match u8::try_from(read) {
            Ok(byte) => self.bytes[usize::from(byte)],
            Err(_) => self.looked_up(read),
        }
    }

    fn looked_up(&self, read: i32) -> u8 {
        self.raster.value(read).map_or(0, |number| *self.listed.get(&number).unwrap_or(&self.unlisted))
    }

    /// Whether a number as read is neither listed nor the file's nodata value.
    pub fn is_unlisted(&self, read: i32) -> bool {
        self.plane_value(read) == self.unlisted
    }
}

/// Position of a value, plus 1.
fn place(values: &StratumValues, value: &str) -> u8 {
    values.values.iter().position(|v| v == value).map_or(0, |p| p as u8 + 1)
}

impl StratumLayer {
    /// The polygons, where it has some.
    pub fn polygons(&self) -> Option<&FeatureLayer> {
        match &self.cells {
            StratumCells::Polygons { polygons, .. } => Some(polygons),
            StratumCells::Raster(_) => None,
        }
    }

    /// The raster, where it is one.
    pub fn raster(&self) -> Option<&Arc<StratumRaster>> {
        match &self.cells {
            StratumCells::Polygons { .. } => None,
            StratumCells::Raster(raster) => Some(raster),
        }
    }

    /// What carries its points or cells to the scene's CRS, if it lies in another.
    pub fn operation(&self) -> Option<&Operation> {
        match &self.cells {
            StratumCells::Polygons { polygons, .. } => polygons.operation.as_ref(),
            StratumCells::Raster(stratum) => stratum.raster.alignment.operation(),
        }
    }
}

/// Takes the layers of a job to the cells of its sources, one source after the other.
pub struct StratumSurveyor<'a> {
    job: &'a Job,
    strata: &'a JobStrata,
    /// By name, CRS and the cell size that edges were cut for.
    polygons: BTreeMap<(String, String, u64), Arc<FeatureLayer>>,
    /// By name and the grid of the source.
    rasters: Vec<(String, Grid, Arc<StratumRaster>)>,
    /// By name and CRS of the source: one for all its files, as two tiles of a map must not lie differently.
    operations: BTreeMap<(String, String), Operation>,
}

impl<'a> StratumSurveyor<'a> {
    /// One that has met no source yet.
    pub fn new(job: &'a Job, strata: &'a JobStrata) -> Self {
        let (polygons, operations) = Default::default();
        Self { job, strata, polygons, rasters: Vec::new(), operations }
    }

    /// The layers that the crosswalk of a scene depends on.
    ///
    /// # Errors
    /// Input: the scene has no CRS, its rows lack a layer, a layer cannot be taken to its CRS.
    pub fn layers_of(
        &mut self,
        input: &InputHeader,
        source: &Grid,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<StratumLayer>> {
        let map = input.map(self.job);
        let Some(crosswalk) = &map.crosswalk else { return Ok(Vec::new()) };
        let (mut strata, mut missing) = (Vec::new(), Vec::new());
        for name in crosswalk.strata() {
            let (Some(layer), Some(values)) = (self.job.strata.get(name), self.strata.values.get(name))
            else {
                missing.push(name);
                continue;
            };
            if source.crs.is_none() {
                return Err(no_crs());
            }
            let cells = match &layer.origin {
                StratumOrigin::Polygons { key } => {
                    let polygons = self.polygons(layer, key, source)?;
                    let plane_values = polygons.keys.iter().map(|(key, _)| place(values, key)).collect();
                    StratumCells::Polygons { polygons, plane_values }
                }
                StratumOrigin::Raster { values: numbers, .. } => {
                    StratumCells::Raster(self.raster(layer, numbers, source, warnings)?)
                }
            };
            strata.push(StratumLayer { values: values.clone(), cells });
        }
        if missing.is_empty() || map.take_default {
            return Ok(strata);
        }
        Err(lacking(crosswalk, &missing))
    }

    fn polygons(&mut self, layer: &Stratum, key: &str, source: &Grid) -> Result<Arc<FeatureLayer>> {
        let crs = source.crs.as_ref().ok_or_else(no_crs)?;
        let known_as = (layer.id.clone(), crs.wkt.clone(), source.cell_m().to_bits());
        if let Some(polygons) = self.polygons.get(&known_as) {
            return Ok(polygons.clone());
        }
        let polygons = Arc::new(open_features(&layer.path, key, None, crs, source.cell_m())?);
        self.polygons.insert(known_as, polygons.clone());
        Ok(polygons)
    }

    fn raster(
        &mut self,
        layer: &Stratum,
        numbers: &BTreeMap<i32, String>,
        source: &Grid,
        warnings: &mut Vec<String>,
    ) -> Result<Arc<StratumRaster>> {
        let known = self.rasters.iter().find(|(name, grid, _)| *name == layer.id && grid == source);
        if let Some((.., raster)) = known {
            return Ok(raster.clone());
        }
        let (Some(header), Some(values)) =
            (self.strata.headers.get(&layer.id), self.strata.values.get(&layer.id))
        else {
            return Err(Error::bug("a raster of a stratum was not opened"));
        };
        let operations = &mut self.operations;
        let raster = ValueRaster::place_by(header.clone(), source, warnings, |from, to, (x, y)| {
            let known_as = (layer.id.clone(), to.wkt.clone());
            if let Some(operation) = operations.get(&known_as) {
                return Ok(operation.clone());
            }
            let operation = Operation::choose(from, to, x, y)?;
            operations.insert(known_as, operation.clone());
            Ok(operation)
        });
        let raster = raster.map_err(|e| e.at(layer.path.display()))?;
        let stratum = Arc::new(StratumRaster::new(raster, numbers, values));
        self.rasters.push((layer.id.clone(), source.clone(), stratum.clone()));
        Ok(stratum)
    }
}

fn lacking(crosswalk: &Crosswalk, missing: &[&str]) -> Error {
    let lacks = |row: &&CrosswalkRow| row.layers().iter().any(|layer| missing.contains(&layer.as_str()));
    let codes: Vec<String> = crosswalk.rows.iter().filter(lacks).map(|row| row.from.to_string()).collect();
    Error::input("conditional crosswalk rows lack their layer")
        .found(format!(
            "crosswalk `{}`: codes {} depend on {}",
            crosswalk.id,
            codes.join(", "),
            missing.join(", ")
        ))
        .expected(format!("[strata.{0}] in the job file, or --stratum {0}=FILE,FIELD", missing[0]))
        .help(
            "name the layer, or accept each row's default: missing_stratum = \"default\", --missing-stratum default",
        )
}
