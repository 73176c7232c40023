//! Scenes: input rasters, with what their cells mean and where they lie on the target grid.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::alignment::{Aligner, Alignment};
use super::inputs::InputHeader;
use super::misfit::no_crs;
use super::operations::Operations;
use crate::config::grids::GridChoice;
use crate::config::job::Job;
use crate::error::{Error, Result};
use crate::io::gdal::{FeatureLayer, RasterHeader, SampleKind, open_features};
use crate::io::proj::{Direction, Operation};
use crate::kernel::align::wrap_longitudes;
use crate::model::grid::{Grid, cell_index};
use crate::model::nodata::TagVerdict;
use crate::model::rule::{RuleTable, StratumValues};
use crate::model::source::SourceIndex;
use crate::model::window::Window;

/// One input raster.
#[derive(Debug)]
pub struct Scene {
    /// Position of its source in the job.
    pub source: SourceIndex,
    /// What the file says.
    pub header: RasterHeader,
    /// What became of its nodata tag.
    pub tag: TagVerdict,
    /// What to do with each of its values.
    pub rules: Arc<RuleTable>,
    /// How its cells reach the target grid.
    pub alignment: Alignment,
    /// Scenes with the same number have the same cells and alignment: what was located for one holds for all.
    pub geometry: usize,
    /// Cells of the target grid that it may cover.
    pub footprint: Window,
    /// Larger wins.
    pub priority: i32,
    /// Layers of its conditional rows, in its own CRS.
    pub strata: Vec<StratumLayer>,
}

impl Scene {
    /// Whether cells of another scene vote along with its own.
    pub fn votes_with(&self, other: &Self) -> bool {
        let lattice = |scene: &Self| match &scene.alignment {
            Alignment::Mode { lattice, .. } => Some(Arc::as_ptr(lattice)),
            Alignment::Copy { .. } | Alignment::Nearest { .. } => None,
        };
        self.source == other.source && lattice(self).is_some() && lattice(self) == lattice(other)
    }
}

/// A stratum layer, as a scene sees it.
#[derive(Debug, Clone)]
pub struct StratumLayer {
    /// Name and values.
    pub values: StratumValues,
    /// Polygons in the scene's CRS.
    pub polygons: Arc<FeatureLayer>,
    /// Position of each polygon key among the values, plus 1.
    pub plane_values: Vec<u8>,
}

impl StratumLayer {
    /// What the layer says at a cell, from the key of the polygon there: position of the value + 1, 0 for none.
    pub fn value_of(&self, key: u32) -> u8 {
        key.checked_sub(1).map_or(0, |key| self.plane_values[key as usize])
    }
}

/// Places scenes on a target grid, one after the other.
pub struct Surveyor<'a> {
    job: &'a Job,
    grid: &'a Grid,
    strata: &'a BTreeMap<String, StratumValues>,
    /// By name, CRS and the cell size that its edges were cut for.
    layers: BTreeMap<(String, String, u64), Arc<FeatureLayer>>,
    geometries: Vec<(Grid, Alignment)>,
    aligner: Aligner<'a>,
}

impl<'a> Surveyor<'a> {
    /// A surveyor for one grid of a job.
    pub fn new(
        job: &'a Job,
        (choice, grid): (&GridChoice, &'a Grid),
        strata: &'a BTreeMap<String, StratumValues>,
        operations: &'a mut Operations,
    ) -> Self {
        Self {
            job,
            grid,
            strata,
            layers: BTreeMap::new(),
            geometries: Vec::new(),
            aligner: Aligner::new(grid, choice.takes_any_crs(), operations),
        }
    }

    /// Places one scene.
    ///
    /// # Errors
    /// Input: no CRS, missing strata. Misaligned: shifted or other cells in the same CRS.
    pub fn survey(&mut self, input: &InputHeader, warnings: &mut Vec<String>) -> Result<Scene> {
        self.place(input, warnings).map_err(|e| e.at(input.header.path.display()))
    }

    fn place(&mut self, input: &InputHeader, warnings: &mut Vec<String>) -> Result<Scene> {
        let header = input.header.clone();
        let map = input.map(self.job);
        let signed_byte = header.sample == SampleKind::I8;
        let tag = match map.nodata {
            Some(value) => {
                let (least, most) = header.sample.range();
                if !(least..=most).contains(&f64::from(value)) {
                    return Err(Error::usage(format!(
                        "the nodata value {value} is impossible in {}",
                        header.sample.word()
                    ))
                    .expected(format!("{least} to {most}")));
                }
                TagVerdict::Added { value }
            }
            None => TagVerdict::judge(&map.legend, header.nodata_tag, header.sample.range(), signed_byte),
        };
        warnings.extend(tag.warning(header.sample.word()).map(|w| format!("{}: {w}", header.path.display())));
        let strata = self.strata_of(input, &header.grid)?;
        let values: Vec<StratumValues> = strata.iter().map(|s| s.values.clone()).collect();
        let rules =
            RuleTable::compile(&map.legend, map.crosswalk.as_deref(), tag.adds(), &values, map.take_default);
        let alignment = self.aligner.align(&header, map)?;
        Ok(Scene {
            source: input.source as SourceIndex,
            tag,
            rules: Arc::new(rules),
            geometry: self.geometry(&header.grid, &alignment),
            footprint: footprint(self.grid, &header.grid, &alignment)?,
            alignment,
            priority: map.priority,
            strata,
            header,
        })
    }

    fn geometry(&mut self, grid: &Grid, alignment: &Alignment) -> usize {
        let same = |known: &(Grid, Alignment)| known.0 == *grid && known.1 == *alignment;
        self.geometries.iter().position(same).unwrap_or_else(|| {
            self.geometries.push((grid.clone(), alignment.clone()));
            self.geometries.len() - 1
        })
    }

    /// The layers that the scene's crosswalk depends on, each read once per CRS.
    fn strata_of(&mut self, input: &InputHeader, source: &Grid) -> Result<Vec<StratumLayer>> {
        let map = input.map(self.job);
        let Some(crosswalk) = &map.crosswalk else { return Ok(Vec::new()) };
        let (mut strata, mut missing) = (Vec::new(), Vec::new());
        for name in crosswalk.strata() {
            let (Some(layer), Some(values)) = (self.job.strata.get(name), self.strata.get(name)) else {
                missing.push(name);
                continue;
            };
            let crs = source.crs.as_ref().ok_or_else(no_crs)?;
            let key = (name.to_string(), crs.wkt.clone(), source.cell_m().to_bits());
            let polygons = match self.layers.get(&key) {
                Some(polygons) => polygons.clone(),
                None => {
                    let polygons =
                        Arc::new(open_features(&layer.path, &layer.key, None, crs, source.cell_m())?);
                    self.layers.insert(key, polygons.clone());
                    polygons
                }
            };
            let place = |key: &String| values.values.iter().position(|v| v == key).map_or(0, |p| p as u8 + 1);
            let plane_values = polygons.keys.iter().map(|(key, _)| place(key)).collect();
            strata.push(StratumLayer { values: values.clone(), polygons, plane_values });
        }
        if missing.is_empty() || map.take_default {
            return Ok(strata);
        }
        let rows =
            crosswalk.rows.iter().filter(|r| r.stratum.as_deref().is_some_and(|s| missing.contains(&s)));
        let codes: Vec<String> = rows.map(|r| r.from.to_string()).collect();
        Err(Error::input("conditional crosswalk rows lack their layer")
            .found(format!(
                "crosswalk `{}`: codes {} depend on {}",
                crosswalk.id,
                codes.join(", "),
                missing.join(", ")
            ))
            .expected(format!("[strata.{}] in the job file", missing[0]))
            .help("name the layer, or accept each row's default: missing_stratum = \"default\""))
    }
}

/// Points per edge when an outline is transformed; with cells of 30 m the bow between them stays below one cell.
const POINTS_PER_EDGE: usize = 512;

/// Points per side of the lattices that look for what an outline does not tell: a source that goes round the globe
/// or holds a pole.
const POINTS_PER_SIDE: usize = 64;

/// Points along the edges of a grid and a lattice of points inside, in its own CRS.
pub fn outline(grid: &Grid) -> (Vec<f64>, Vec<f64>) {
    let (rows, cols) = (grid.rows as f64, grid.cols as f64);
    let edge = (0..=POINTS_PER_EDGE).flat_map(|i| {
        let at = i as f64 / POINTS_PER_EDGE as f64;
        [(cols * at, 0.0), (cols * at, rows), (0.0, rows * at), (cols, rows * at)]
    });
    edge.chain(lattice_points(grid.rows, grid.cols)).map(|(col, row)| grid.affine.apply(col, row)).unzip()
}

/// (column, row) of a coarse lattice of points inside a raster.
fn lattice_points(rows: usize, cols: usize) -> impl Iterator<Item = (f64, f64)> {
    let at = |i: usize, size: usize| (i as f64 + 0.5) / POINTS_PER_SIDE as f64 * size as f64;
    (0..POINTS_PER_SIDE).flat_map(move |r| (0..POINTS_PER_SIDE).map(move |c| (at(c, cols), at(r, rows))))
}

/// Cells of the target that a source in another CRS may cover, beyond the image of its outline.
///
/// The outline's image bounds an ordinary source. One that goes round the globe or holds a pole covers more; so a
/// coarse lattice of the target is carried back, and where it meets the source outside `known`, its surroundings are
/// added.
pub fn covered_beyond(target: &Grid, source: &Grid, operation: &Operation, known: &Window) -> Result<Window> {
    let Some(to_cell) = source.affine.inverse() else { return Ok(target.window()) };
    let points: Vec<(f64, f64)> = lattice_points(target.rows, target.cols).collect();
    let (mut xs, mut ys): (Vec<f64>, Vec<f64>) =
        points.iter().map(|&(c, r)| target.affine.apply(c, r)).unzip();
    operation.transform(Direction::Inverse, &mut xs, &mut ys)?;
    if source.crs.as_ref().is_some_and(|crs| crs.geographic) {
        wrap_longitudes(&mut xs, source.bounds()[0]);
    }
    let (step_rows, step_cols) = (target.rows / POINTS_PER_SIDE + 1, target.cols / POINTS_PER_SIDE + 1);
    let mut beyond = *known;
    for ((col, row), (x, y)) in points.into_iter().zip(xs.into_iter().zip(ys)) {
        let (source_col, source_row) = to_cell.apply(x, y);
        let inside = source_col >= 0.0
            && source_row >= 0.0
            && source_col <= source.cols as f64
            && source_row <= source.rows as f64;
        let (row, col) = (cell_index(row), cell_index(col));
        let cell = Window { row, col, rows: 1, cols: 1 };
        if inside && !known.contains(&cell) {
            let (dr, dc) = (step_rows as i64, step_cols as i64);
            beyond = beyond.union(&Window::between(row - dr, col - dc, row + dr + 1, col + dc + 1));
        }
    }
    Ok(beyond)
}

/// Cells of the target that a raster may cover.
pub fn footprint(target: &Grid, source: &Grid, alignment: &Alignment) -> Result<Window> {
    let cells = match alignment {
        Alignment::Copy { row, col } => Window { row: *row, col: *col, rows: source.rows, cols: source.cols },
        Alignment::Nearest { .. } | Alignment::Mode { .. } => {
            warped_footprint(target, source, alignment.operation())?
        }
    };
    Ok(cells.intersect(&target.window()))
}

/// Cells of the target that a warped source may cover; generous by two cells, whole where the outline has no image.
fn warped_footprint(target: &Grid, source: &Grid, operation: Option<&Operation>) -> Result<Window> {
    let (mut xs, mut ys) = outline(source);
    if let Some(operation) = operation {
        operation.transform(Direction::Forward, &mut xs, &mut ys)?;
    }
    let Some(to_cell) = target.affine.inverse() else { return Ok(target.window()) };
    let mut cells = Window::whole(0, 0);
    for (&x, &y) in xs.iter().zip(&ys) {
        let (col, row) = to_cell.apply(x, y);
        if !col.is_finite() || !row.is_finite() {
            return Ok(target.window());
        }
        let (row, col) = (cell_index(row.floor()), cell_index(col.floor()));
        cells = cells.union(&Window::between(row - 2, col - 2, row + 3, col + 3));
    }
    match operation {
        Some(operation) => covered_beyond(target, source, operation, &cells),
        None => Ok(cells),
    }
}
