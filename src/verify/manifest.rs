//! What `run.json` says of an output: the rules by which it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::areas::CellAreas;
use super::findings::Findings;
use super::read_bounded;
use crate::io::gdal::crs_from_wkt;
use crate::kernel::change::Unchanged;
use crate::kernel::pyramid::Tie;
use crate::model::epoch::{Epoch, Interval};
use crate::model::grid::Affine;
use crate::model::legend::{ClassCode, Language, RAW};

/// Name of the file.
pub const MANIFEST: &str = "run.json";

/// The largest that is read: it grows with the number of input files.
const LARGEST: u64 = 256 << 20;

/// Layers by the source that decided a cell.
const SECTION: &str = "section";
const COUNTRY: &str = "country";

/// The part of `run.json` that `verify` goes by.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    /// Whether everything is there.
    pub complete: bool,
    /// The job as it was understood.
    pub job: JobRecord,
    /// Where the cells lie.
    pub grid: GridRecord,
    /// Cells of the mosaics that each crosswalk rule decided; none where classes have no names.
    pub rules: Vec<RuleRecord>,
    /// The job's own layers: zones and strata.
    #[serde(default)]
    layers: Vec<LayerRecord>,
    /// Checksums of all files.
    pub outputs: BTreeMap<String, String>,
    /// Square metres of a cell where all have the same, worked out from the grid.
    #[serde(skip)]
    pub cell_area_m2: Option<f64>,
    /// How large cells are, where they differ or are measured on the ellipsoid too.
    #[serde(skip)]
    pub cell_areas: Option<CellAreas>,
}

/// The job as it was understood.
#[derive(Debug, Clone, Deserialize)]
pub struct JobRecord {
    /// Start of the file names.
    pub name: String,
    /// Legend of the product.
    pub legend: String,
    /// Languages of names; tables are in the first.
    pub language: Vec<Language>,
    source: Vec<SourceRecord>,
    /// Pairs of years that are compared.
    pub pairs: Vec<Interval>,
    /// How unchanged cells are written.
    pub unchanged: Unchanged,
    /// Who wins a tie in overviews.
    pub tie: Tie,
    /// Coarser legends that tables are told by.
    #[serde(default)]
    pub rollups: Vec<RollUpRecord>,
    /// Whether there are rasters of fractions.
    #[serde(default)]
    pub fractions: bool,
    /// Whether ellipsoidal areas are told beside a sphere's own.
    #[serde(default)]
    pub ellipsoidal: bool,
}

/// A coarser legend.
#[derive(Debug, Clone, Deserialize)]
pub struct RollUpRecord {
    /// Identifier.
    pub id: String,
    /// Its groups.
    pub groups: Vec<GroupRecord>,
}

/// A group of classes.
#[derive(Debug, Clone, Deserialize)]
pub struct GroupRecord {
    /// Identifier.
    pub id: String,
    /// Its classes.
    pub members: Vec<ClassCode>,
}

#[derive(Debug, Clone, Deserialize)]
struct LayerRecord {
    id: String,
    #[serde(default)]
    kind: String,
    /// The layers that it crosses.
    #[serde(default)]
    by: Vec<String>,
}

impl LayerRecord {
    fn has_zones(&self) -> bool {
        ["polygons", "raster", "crossed"].contains(&self.kind.as_str())
    }
}

#[derive(Debug, Clone, Deserialize)]
struct SourceRecord {
    id: String,
    country: Option<String>,
    epochs: BTreeMap<String, IgnoredAny>,
}

/// Cells that one crosswalk rule decided.
#[derive(Debug, Clone, Deserialize)]
pub struct RuleRecord {
    /// The mapped year.
    pub year: Epoch,
    /// The class they got; `None` is nodata.
    pub to: Option<ClassCode>,
    /// Their number.
    pub pixels: u64,
}

/// Where the cells lie.
#[derive(Debug, Clone, Deserialize)]
pub struct GridRecord {
    /// The CRS, where there is one.
    pub crs: Option<String>,
    /// From (column, row) to (x, y).
    pub affine: Affine,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Row and column of the upper left cell on the lattice by which ties are broken.
    pub lattice_offset: (i64, i64),
}

impl Manifest {
    /// Reads it; a file that is missing, broken or incomplete is a difference.
    pub fn read(output: &Path, findings: &mut Findings) -> Option<Self> {
        let parsed = read_bounded(&output.join(MANIFEST), LARGEST).and_then(|bytes| {
            serde_json::from_slice::<Self>(&bytes).map_err(|e| format!("cannot be understood: {e}"))
        });
        match parsed {
            Ok(mut manifest) => {
                manifest.cell_area_m2 = manifest.grid.cell_area_m2();
                manifest.cell_areas = manifest.grid.cell_areas(manifest.job.ellipsoidal);
                findings.that(
                    manifest.complete,
                    MANIFEST,
                    "complete",
                    || "says that the output is incomplete",
                );
                Some(manifest)
            }
            Err(problem) => {
                findings.add(MANIFEST, "reading", || problem);
                None
            }
        }
    }

    /// The mapped years.
    pub fn epochs(&self) -> BTreeSet<Epoch> {
        let years = self.job.source.iter().flat_map(|source| source.epochs.keys());
        years.filter_map(|year| year.parse().ok()).collect()
    }

    /// Every layer of zones that the tables must have, but for the whole area.
    pub fn zone_layers(&self) -> BTreeSet<&str> {
        let has_countries = self.job.source.iter().any(|source| source.country.is_some());
        let own = self.layers.iter().filter(|layer| layer.has_zones()).map(|layer| layer.id.as_str());
        own.chain([SECTION]).chain(has_countries.then_some(COUNTRY)).collect()
    }

    /// Whether cells may move between the zones of a layer from year to year, as the source that decides them changes.
    pub fn moves_with_sources(&self, layer: &str) -> bool {
        let by_source = |id: &str| id == SECTION || id == COUNTRY;
        let crossed = self.layers.iter().filter(|record| record.id == layer && record.has_zones());
        by_source(layer) || crossed.flat_map(|record| &record.by).any(|member| by_source(member))
    }

    /// Whether the job has a source of this name.
    pub fn has_source(&self, id: &str) -> bool {
        self.job.source.iter().any(|source| source.id == id)
    }

    /// Whether areas were added up cell by cell, because cells differ in size.
    pub fn adds_areas_up(&self) -> bool {
        self.cell_area_m2.is_none() && self.cell_areas.is_some()
    }

    /// Whether classes have no names.
    pub fn is_raw(&self) -> bool {
        self.job.legend == RAW
    }
}

impl GridRecord {
    /// |a·e - b·d| on an equal-area grid; elsewhere cells differ.
    fn cell_area_m2(&self) -> Option<f64> {
        let crs = crs_from_wkt(self.crs.as_ref()?).ok()?;
        let [_, a, b, _, d, e] = self.affine.0;
        crs.equal_area.then(|| (a * e - b * d).abs() * crs.unit_m * crs.unit_m)
    }

    /// How large cells are, where they differ, or on the ellipsoid beside those of a sphere.
    fn cell_areas(&self, ellipsoidal: bool) -> Option<CellAreas> {
        let crs = crs_from_wkt(self.crs.as_ref()?).ok()?;
        (ellipsoidal || !crs.equal_area)
            .then(|| CellAreas::of(&crs, self.affine, (self.rows, self.cols), ellipsoidal))
            .flatten()
    }
}
