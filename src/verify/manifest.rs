//! What `run.json` says of an output: the rules by which it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::Array2;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::areas::CellAreas;
use super::findings::Findings;
use super::rates::interval_years;
use super::read_bounded;
use crate::io::gdal::crs_from_wkt;
use crate::kernel::change::Unchanged;
use crate::kernel::pyramid::Tie;
use crate::model::edit::Edited;
use crate::model::epoch::{Epoch, Interval};
use crate::model::grid::Affine;
use crate::model::legend::{ClassCode, Language, RAW};
use crate::model::window::Window;

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
    /// Where the cells lie, if on one grid.
    #[serde(default)]
    grid: Option<GridRecord>,
    /// Where the cells lie, grid by grid; at least one.
    #[serde(default)]
    pub grids: Vec<GridRecord>,
    /// Cells of the mosaics that each crosswalk rule decided; none where classes have no names.
    pub rules: Vec<RuleRecord>,
    /// The job's own layers: zones and strata.
    #[serde(default)]
    layers: Vec<LayerRecord>,
    /// What is known of each comparison.
    #[serde(default)]
    comparability: Vec<ComparisonRecord>,
    /// How many gaps each map has, where the job lists them.
    #[serde(default)]
    pub gaps: Vec<GapsRecord>,
    /// Checksums of all files.
    pub outputs: BTreeMap<String, String>,
    /// Square metres of a cell where those of all grids have the same, worked out from the grids.
    #[serde(skip)]
    pub cell_area_m2: Option<f64>,
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
    /// Published change maps that decide of sections.
    #[serde(default)]
    pub official: Vec<OfficialRecord>,
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
    /// What the codes of provenance rasters mean; none where there are no such rasters.
    #[serde(default)]
    pub provenance: Vec<OriginRecord>,
    /// Where land ends, and what became of the rest.
    #[serde(default)]
    pub coast: Option<CoastRecord>,
    /// Edits by interpreters.
    #[serde(default)]
    pub edits: Vec<EditRecord>,
    /// Whether ellipsoidal areas are told beside a sphere's own.
    #[serde(default)]
    pub ellipsoidal: bool,
    /// How seams were looked for, where they were.
    #[serde(default)]
    pub seams: Option<SeamsRecord>,
    /// Whether gaps are listed.
    #[serde(default)]
    pub gaps: bool,
    /// What sections are cut to, if they are.
    #[serde(default)]
    pub domain: Option<IgnoredAny>,
}

/// How seams were looked for.
#[derive(Debug, Clone, Deserialize)]
pub struct SeamsRecord {
    /// How far behind a boundary control pairs lie, in cells.
    pub control_cells: usize,
}

/// How many gaps a map has.
#[derive(Debug, Clone, Deserialize)]
pub struct GapsRecord {
    /// Name of its grid, where there are several.
    #[serde(default)]
    pub grid: Option<String>,
    /// The mapped year.
    pub year: Epoch,
    /// Their number.
    pub gaps: u64,
    /// Their cells.
    pub pixels: u64,
}

/// What a code of provenance means.
#[derive(Debug, Clone, Deserialize)]
pub struct OriginRecord {
    /// The code.
    pub code: u8,
    /// A word: mapped, filled, fringe, or why a cell has no class.
    pub status: String,
    /// Section of the map, if it is one.
    #[serde(default)]
    pub section: Option<String>,
    /// The map that stands in.
    #[serde(default)]
    pub source: Option<String>,
}

/// A published change map.
#[derive(Debug, Clone, Deserialize)]
pub struct OfficialRecord {
    /// Section of which it decides.
    pub section: String,
    /// The first year.
    pub from: Epoch,
    /// The second year.
    pub to: Epoch,
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

/// The coast.
#[derive(Debug, Clone, Deserialize)]
pub struct CoastRecord {
    fringe_cells: u64,
    fringe: String,
    /// The class of water, where somebody says it.
    pub water_code: Option<ClassCode>,
    great_lakes: bool,
}

impl CoastRecord {
    /// The class of the fringe; `None` where it has none.
    pub fn fringe_class(&self) -> Option<ClassCode> {
        self.water_code.filter(|_| self.fringe == "water" && self.fringe_cells > 0)
    }

    /// The parts that water is split in.
    pub fn parts(&self) -> Vec<&'static str> {
        let parts = [Some("inland"), self.great_lakes.then_some("great_lakes"), Some("fringe")];
        parts.into_iter().flatten().collect()
    }
}

/// A layer of edits.
#[derive(Debug, Clone, Deserialize)]
pub struct EditRecord {
    /// Identifier.
    pub id: String,
    /// Which cells are edited.
    pub from_code: Edited,
    /// The class that they get.
    pub to_code: ClassCode,
    /// Mapped years that are edited.
    pub epochs: Vec<Epoch>,
    /// Who edited.
    pub author: String,
    /// When.
    pub date: String,
    /// Why.
    pub reason: String,
}

#[derive(Debug, Clone, Deserialize)]
struct LayerRecord {
    id: String,
    #[serde(default)]
    kind: String,
    /// The layers that it crosses.
    #[serde(default)]
    by: Vec<String>,
    /// Of edits: cells that they hold, by year.
    #[serde(default)]
    held_pixels: BTreeMap<String, u64>,
}

impl LayerRecord {
    fn has_zones(&self) -> bool {
        ["polygons", "raster", "crossed"].contains(&self.kind.as_str())
    }
}

#[derive(Debug, Clone, Deserialize)]
struct SourceRecord {
    id: String,
    #[serde(default)]
    section: String,
    #[serde(default)]
    role: Option<String>,
    country: Option<String>,
    epochs: BTreeMap<String, EpochRecord>,
    /// The source that it stands in for.
    #[serde(default)]
    fills: Option<String>,
}

/// The map of a source at a year.
#[derive(Debug, Clone, Deserialize)]
struct EpochRecord {
    /// Its true date, where the job tells it.
    #[serde(default)]
    date: Option<String>,
}

/// What is known of the maps of two sources at two years.
#[derive(Debug, Clone, Deserialize)]
struct ComparisonRecord {
    from: Epoch,
    to: Epoch,
    left_out: bool,
}

/// Cells that one crosswalk rule decided.
#[derive(Debug, Clone, Deserialize)]
pub struct RuleRecord {
    /// The mapped year.
    pub year: Epoch,
    /// Whose crosswalk it is of.
    pub source: String,
    /// Code in the source.
    pub from: ClassCode,
    /// Value of the stratum, of conditional rules.
    pub stratum: Option<String>,
    /// The class they got; `None` is nodata.
    pub to: Option<ClassCode>,
    /// Whether the crosswalk row is proposed.
    pub proposed: bool,
    /// Whether a conditional row fell to its default.
    pub default: bool,
    /// Their number.
    pub pixels: u64,
}

/// Where the cells of a grid lie.
#[derive(Debug, Clone, Deserialize)]
pub struct GridRecord {
    /// Its name, where there are several.
    #[serde(default)]
    pub id: Option<String>,
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
    /// Square metres of a cell where all have the same, worked out from CRS and affine transform.
    #[serde(skip)]
    pub cell_area_m2: Option<f64>,
    /// How large cells are, where they differ or are measured on the ellipsoid too.
    #[serde(skip)]
    cell_areas: Option<CellAreas>,
}

impl Manifest {
    /// Reads it; a file that is missing, broken or incomplete is a difference.
    pub fn read(output: &Path, findings: &mut Findings) -> Option<Self> {
        let parsed = read_bounded(&output.join(MANIFEST), LARGEST).and_then(|bytes| {
            let parsed = serde_json::from_slice::<Self>(&bytes);
            parsed.map_err(|e| format!("cannot be understood: {e}"))?.with_grids()
        });
        match parsed {
            Ok(manifest) => {
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

    /// Works out how large cells are; of several grids each has a name of its own.
    fn with_grids(mut self) -> Result<Self, String> {
        self.grids.extend(self.grid.take());
        let names: BTreeSet<&String> = self.grids.iter().filter_map(|grid| grid.id.as_ref()).collect();
        if self.grids.is_empty() || (self.grids.len() > 1 && names.len() < self.grids.len()) {
            return Err("does not say where the cells lie, or not by names of grids".into());
        }
        for grid in &mut self.grids {
            grid.cell_area_m2 = grid.constant_m2();
            grid.cell_areas = grid.areas(self.job.ellipsoidal);
        }
        let of_cells: Vec<Option<f64>> = self.grids.iter().map(|grid| grid.cell_area_m2).collect();
        // Sums are in whole mm²: cells that are alike in these are alike.
        let alike = |m2: &Option<f64>| {
            m2.is_some_and(|m2| of_cells[0].is_some_and(|f| whole_mm2(f) == whole_mm2(m2)))
        };
        self.cell_area_m2 = of_cells[0].filter(|_| of_cells.iter().all(alike));
        Ok(self)
    }

    /// The areas of the cells of a window of a grid in m², where the tables have sums of such.
    pub fn areas_of(&self, grid: usize, window: &Window) -> Option<Array2<f64>> {
        let grid = self.grids.get(grid).filter(|_| self.adds_areas_up() || self.job.ellipsoidal)?;
        match (&grid.cell_areas, grid.cell_area_m2) {
            (Some(areas), _) => Some(areas.of_window(window)),
            (None, m2) => m2.map(|m2| Array2::from_elem((window.rows, window.cols), m2)),
        }
    }

    /// The mapped years.
    pub fn epochs(&self) -> BTreeSet<Epoch> {
        let years = self.job.source.iter().flat_map(|source| source.epochs.keys());
        years.filter_map(|year| year.parse().ok()).collect()
    }

    /// The true dates of the maps that a code of provenance stands for in a year: one, or the earliest and the latest.
    pub fn dates_of(&self, origin: &OriginRecord, year: Epoch) -> String {
        let Some(section) = &origin.section else { return String::new() };
        let of_code = self.job.source.iter().filter(|source| match &origin.source {
            Some(id) => source.id == *id,
            // A change map has the dates of the map that it stands for, and no code.
            None => {
                source.section == *section
                    && source.fills.is_none()
                    && source.role.as_deref() != Some("official")
            }
        });
        let maps = of_code.filter_map(|source| source.epochs.get(&year.to_string()));
        let dates: BTreeSet<String> =
            maps.map(|map| map.date.clone().unwrap_or_else(|| year.to_string())).collect();
        match (dates.first(), dates.last()) {
            (Some(first), Some(last)) if first != last => format!("{first}/{last}"),
            (Some(first), _) => first.clone(),
            _ => year.to_string(),
        }
    }

    /// Whether a source stands for the band of water along the coast.
    pub fn has_fringe(&self) -> bool {
        self.job.source.iter().any(|source| source.role.as_deref() == Some("fringe"))
    }

    /// Years from any map of the first to any map of the second year of a pair, by their true dates.
    pub fn intervals(&self, pair: Interval) -> Vec<f64> {
        let dates = |year: Epoch| -> BTreeSet<String> {
            let maps = self.job.source.iter().filter_map(|source| source.epochs.get(&year.to_string()));
            maps.map(|map| map.date.clone().unwrap_or_else(|| year.to_string())).collect()
        };
        let (from, to) = (dates(pair.from), dates(pair.to));
        from.iter().flat_map(|from| to.iter().filter_map(|to| interval_years(from, to))).collect()
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

    /// Whether cells of some sources are left out of the comparison of two years.
    pub fn leaves_out(&self, pair: Interval) -> bool {
        self.comparability
            .iter()
            .any(|record| record.left_out && (record.from, record.to) == (pair.from, pair.to))
    }

    /// The cells that an edit holds, by year.
    pub fn held_pixels(&self, edit: &str) -> BTreeMap<Epoch, u64> {
        let layer = self.layers.iter().filter(|layer| layer.kind == "edit" && layer.id == edit);
        let years = layer.flat_map(|layer| &layer.held_pixels);
        years.filter_map(|(year, cells)| Some((year.parse().ok()?, *cells))).collect()
    }

    /// Whether published change maps decide of some cells of a pair.
    pub fn is_official(&self, pair: Interval) -> bool {
        self.job.official.iter().any(|map| (map.from, map.to) == (pair.from, pair.to))
    }

    /// Whether a published change map decides of a section.
    pub fn is_official_of(&self, section: &str, pair: Interval) -> bool {
        let of_pair = self.job.official.iter().filter(|map| (map.from, map.to) == (pair.from, pair.to));
        of_pair.into_iter().any(|map| map.section == section)
    }

    /// Whether the job has a source of this name.
    pub fn has_source(&self, id: &str) -> bool {
        self.job.source.iter().any(|source| source.id == id)
    }

    /// The sections, in the order of the job; a band of water along the coast is none.
    pub fn sections(&self) -> Vec<&str> {
        let sources = self.job.source.iter().filter(|source| source.role.as_deref() != Some("fringe"));
        let mut sections: Vec<&str> = Vec::new();
        for source in sources {
            if !sections.contains(&source.section.as_str()) {
                sections.push(&source.section);
            }
        }
        sections
    }

    /// Position of a grid by its name, which is empty where there is only one.
    pub fn grid_named(&self, name: &str) -> Option<usize> {
        if self.grids.len() == 1 {
            return name.is_empty().then_some(0);
        }
        self.grids.iter().position(|grid| grid.id.as_deref() == Some(name))
    }

    /// Whether areas were added up cell by cell, because cells of a grid or of several differ in size.
    pub fn adds_areas_up(&self) -> bool {
        let known = |grid: &GridRecord| grid.cell_area_m2.is_some() || grid.cell_areas.is_some();
        self.cell_area_m2.is_none() && self.grids.iter().all(known)
    }

    /// Whether classes have no names.
    pub fn is_raw(&self) -> bool {
        self.job.legend == RAW
    }
}

fn whole_mm2(m2: f64) -> f64 {
    (m2 * 1e6).round()
}

impl GridRecord {
    /// Its name for a message, empty where it is the only one.
    pub fn words(&self) -> String {
        self.id.as_ref().map_or(String::new(), |id| format!(" on grid `{id}`"))
    }

    /// The side of a cell in metres, where cells are squares of such.
    pub fn cell_side_m(&self) -> Option<f64> {
        let crs = crs_from_wkt(self.crs.as_ref()?).ok().filter(|crs| !crs.geographic)?;
        let [_, a, b, _, d, e] = self.affine.0;
        let (width, height) = (a.hypot(d), b.hypot(e));
        (width == height).then_some(width * crs.unit_m)
    }

    /// |a·e - b·d| on an equal-area grid; elsewhere cells differ.
    fn constant_m2(&self) -> Option<f64> {
        let crs = crs_from_wkt(self.crs.as_ref()?).ok()?;
        let [_, a, b, _, d, e] = self.affine.0;
        crs.equal_area.then(|| (a * e - b * d).abs() * crs.unit_m * crs.unit_m)
    }

    /// How large cells are, where they differ, or on the ellipsoid beside those of a sphere.
    fn areas(&self, ellipsoidal: bool) -> Option<CellAreas> {
        let crs = crs_from_wkt(self.crs.as_ref()?).ok()?;
        (ellipsoidal || !crs.equal_area)
            .then(|| CellAreas::of(&crs, self.affine, (self.rows, self.cols), ellipsoidal))
            .flatten()
    }
}
