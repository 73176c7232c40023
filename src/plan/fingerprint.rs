//! The identity of a task: a hash of everything that can change a byte of its part.
//!
//! | input | in the hash as |
//! |---|---|
//! | this program, GDAL, PROJ | versions; SHA-256 of the grids of shifts that an operation reads |
//! | target grid, task | CRS (name and PROJ string), affine transform, shape, window; rows and columns of all tasks |
//! | scenes that meet the task | SHA-256 of the file, header as understood, source, order, alignment with its PROJ text |
//! | legends, crosswalks, nodata | codes of the target; the compiled rules of each scene |
//! | strata, zones | SHA-256 of their files; which polygons share a key; the PROJ text that takes them to the cells |
//! | zone rasters, strata in rasters | as scenes: SHA-256, header as understood, alignment with its PROJ text; what numbers stand for |
//! | coast | SHA-256 of the land, as zones; width and class of the fringe, and the source that decides it |
//! | edits | those that come near the task: polygons near it as they are burned; of a raster SHA-256, header and alignment; from, to, years |
//! | published change maps | SHA-256, header as understood, alignment; section's sources, pair and coding, where there are any |
//! | areas | where they are added up: the ellipsoid, the unit and the PROJ text by which cells are measured |
//! | domain, provenance | SHA-256 of the polygons, their keys and the sections; which source stands in for which |
//! | comparability | the sources whose comparison is left out, in pairs where there are any |
//! | seams, gaps | where asked for: how far control lines lie behind a boundary, and which sources share a section |
//! | settings | pairs, unchanged, tie, compression, products |
//!
//! A remote file stands in place of its SHA-256 with its entity tag, or when it was changed last, and its size, where its
//! server tells them.
//!
//! Threads, memory, paths, names, colours, crossed layers and who edited why are not in it; names, colours, crossed layers and
//! authors are in the identity of the merge.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::comparability::PairComparability;
use super::input_hashes::InputHashes;
use super::official::OfficialPlan;
use super::overlay::EditLayer;
use super::reasons::{self, Reasons};
use super::sections::Sections;
use super::shard::Share;
use super::strata::{StratumCells, StratumLayer};
use super::value_raster::ValueRaster;
use super::zones::{CountedLayer, ZoneCells};
use super::{EpochPlan, JobPlan, Plan, Scene, Task};
use crate::io::digest::sha256;
use crate::io::gdal::{FeatureLayer, RasterHeader};
use crate::io::proj::Operation;
use crate::model::source::Role;

/// What of a polygon layer decides which cells it holds.
fn layer_facts(polygons: &FeatureLayer, hashes: &InputHashes) -> Value {
    let keys: Vec<u32> = polygons.features.iter().map(|feature| feature.key).collect();
    json!([hashes.all(&polygons.files), polygons.operation.as_ref().map(Operation::identity), keys])
}

/// The identity of a task, and what it is made of.
#[derive(Debug, Clone)]
pub struct TaskIdentity {
    /// A hash of everything that can change a byte of the part.
    pub id: String,
    /// The same taken apart, by name.
    pub reasons: Reasons,
}

/// The identities of the tasks of a job.
#[derive(Debug, Clone, Default)]
pub struct Identified {
    /// Of each task, by its index; empty where it was not asked for.
    pub ids: Vec<String>,
    /// What they are made of, but for what tells tasks apart.
    pub reasons: Reasons,
}

impl Identified {
    /// Of some tasks of a job.
    pub fn of(plan: &JobPlan, hashes: &InputHashes, share: &Share) -> Self {
        let mut identified = Self::default();
        for grid in &plan.grids {
            let identities = Identities::of(grid, hashes);
            for task in &grid.tasks {
                let is_asked = share.holds(task.index);
                identified.ids.push(if is_asked { identities.task(task) } else { String::new() });
                let reasons = is_asked.then(|| identities.reasons(task)).into_iter().flatten();
                identified.reasons.extend(reasons.filter(|(name, _)| name != CELLS));
            }
        }
        identified
    }
}

/// How the window of a task is called among what its identity is made of.
const CELLS: &str = "the cells of the task";

/// What the identities of a plan's tasks are made of: hashed once, however many tasks share it.
#[derive(Debug)]
pub struct Identities<'a> {
    plan: &'a Plan,
    hashes: &'a InputHashes,
    /// What all tasks share.
    common: String,
    /// What that is made of.
    reasons: Reasons,
    /// Of each scene, by epoch and position.
    scenes: Vec<Vec<SceneIdentity>>,
    /// Of each polygon of each layer of edits; none of rasters.
    shapes: Vec<Vec<String>>,
}

impl<'a> Identities<'a> {
    /// Hashes what a plan holds.
    pub fn of(plan: &'a Plan, hashes: &'a InputHashes) -> Self {
        let scenes = |epoch: &EpochPlan| {
            epoch.scenes.par_iter().map(|scene| SceneIdentity::of(plan, epoch, scene, hashes)).collect()
        };
        let scenes = plan.epochs.iter().map(scenes).collect();
        let shapes = |layer: &EditLayer| match &layer.mask.cells {
            ZoneCells::Polygons(polygons) => {
                polygons.features.par_iter().map(|f| sha256(f.shape())).collect()
            }
            ZoneCells::Raster(_) => Vec::new(),
        };
        let shapes = plan.overlays.edits.iter().map(shapes).collect();
        let common = common(plan, hashes);
        Self {
            plan,
            hashes,
            common: sha256(common.to_string()),
            reasons: reasons::of_common(&common),
            scenes,
            shapes,
        }
    }

    /// What the identity of a task is made of, by name.
    pub fn reasons(&self, task: &Task) -> Reasons {
        let mut reasons = self.reasons.clone();
        reasons.insert(CELLS.into(), reasons::short(&json!(task.window)));
        for (positions, scenes) in task.scenes.iter().zip(&self.scenes) {
            reasons.extend(positions.iter().flat_map(|&position| scenes[position].reasons.clone()));
        }
        let edits = self.edits(task);
        let edits = edits.into_iter().map(|(id, facts)| (format!("the edit `{id}`"), reasons::short(&facts)));
        reasons.extend(edits);
        reasons
    }

    /// What stands for the maps that meet no task: none of them decides a cell, but their cells outside the grid are counted.
    pub fn of_idle_scenes(&self) -> String {
        let idle = self.scenes.iter().enumerate().flat_map(|(epoch, scenes)| {
            let met: BTreeSet<usize> =
                self.plan.tasks.iter().flat_map(|task| task.scenes[epoch].iter().copied()).collect();
            scenes.iter().enumerate().filter(move |(position, _)| !met.contains(position))
        });
        idle.map(|(_, scene)| scene.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The identity of one task.
    pub fn task(&self, task: &Task) -> String {
        let epochs = task.scenes.iter().zip(&self.scenes);
        let scenes: Vec<Vec<&String>> = epochs
            .map(|(positions, scenes)| positions.iter().map(|&position| &scenes[position].id).collect())
            .collect();
        let mut facts = json!([self.common, task.window, scenes]);
        let edits = self.edits(task);
        if let (false, Some(facts)) = (edits.is_empty(), facts.as_array_mut()) {
            facts.push(json!(edits));
        }
        sha256(facts.to_string())
    }

    /// What edits do to a task, each by its name. Two edits never hold one cell, so their order does not matter.
    fn edits(&self, task: &Task) -> Vec<(&String, Value)> {
        let Plan { job, grid, overlays, reach, .. } = self.plan;
        let window = task.window.grown(*reach);
        let near = overlays.edits.iter().zip(&self.shapes);
        let near = near.filter(|(layer, _)| layer.mask.comes_near(grid, &window));
        let mut facts: Vec<(&String, Value)> = near
            .map(|(layer, shapes)| {
                let edit = layer.of(job);
                let cells = match &layer.mask.cells {
                    ZoneCells::Polygons(polygons) => {
                        let near = polygons.near(grid.part(&window).bounds());
                        json!(near.map(|at| &shapes[at]).collect::<Vec<_>>())
                    }
                    ZoneCells::Raster(raster) => raster_facts(raster, self.hashes),
                };
                (&edit.id, json!([edit.from, edit.to, edit.epochs, cells]))
            })
            .collect();
        facts.sort_by_key(|(id, _)| *id);
        facts
    }
}

fn common(plan: &Plan, hashes: &InputHashes) -> Value {
    let job = &plan.job;
    let zones: Vec<Value> = plan.zones.iter().map(|layer| zone_facts(layer, hashes)).collect();
    let mut facts = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "gdal": crate::io::gdal::version(),
        "proj": crate::io::proj::version(),
        "grid": [plan.grid.crs.as_ref().map(|c| (&c.name, &c.proj)), plan.grid.affine, plan.grid.rows, plan.grid.cols, plan.grid.lattice],
        "task_cells": [job.compute.task_cells, plan.task_shape.rows, plan.task_shape.cols],
        "target": [json!(job.target.codes()), json!(job.target.fill)],
        "storage": format!("{:?}", plan.storage),
        "epochs": job.epochs,
        "pairs": plan.pairs,
        "products": format!("{:?}", job.products),
        "unchanged": job.unchanged,
        "tie": job.tie,
        "compression": job.compute.compression,
        "areas": plan.sizes.as_ref().map(super::area::Sizing::identity),
        "zones": zones,
    });
    if let Some(coast) = &plan.overlays.coast {
        facts["coast"] =
            json!([cell_facts(&coast.land.cells, hashes), coast.cells, coast.water, coast.epochs]);
    }
    let left_out = |pair: &PairComparability| pair.left_out().collect::<Vec<_>>();
    // Rules that leave nothing out change no byte, and so no identity.
    if plan.comparability.iter().any(PairComparability::leaves_anything_out) {
        facts["left_out"] = plan.comparability.iter().map(|pair| json!(left_out(pair))).collect();
    }
    if let Some(domain) = &plan.domain {
        let owners: Vec<_> = job.sources.iter().map(|source| &source.section).collect();
        facts["domain"] =
            json!([layer_facts(&domain.polygons, hashes), domain.polygons.keys, owners, domain.sliver_cells]);
    }
    // Codes of provenance, and who stands in for whom.
    if job.products.provenance || job.sources.iter().any(|source| source.role != Role::Maps) {
        let roles = job.sources.iter().map(|source| format!("{:?}", source.role));
        facts["origins"] = json!([format!("{:?}", plan.origins), roles.collect::<Vec<_>>()]);
    }
    if let Some(control_cells) = job.seams {
        facts["seams"] = json!([control_cells, Sections::of(job).of_sources()]);
    }
    if job.gaps {
        facts["gaps"] = json!(true);
    }
    if !plan.officials.is_empty() {
        facts["official"] = plan.officials.iter().map(|map| official_facts(plan, map, hashes)).collect();
    }
    facts
}

/// What of a published change map decides which cells it decides, and how.
fn official_facts(plan: &Plan, map: &OfficialPlan, hashes: &InputHashes) -> Value {
    let of_job = &plan.job.official[map.official];
    let rasters: Vec<Value> = map
        .rasters
        .iter()
        .map(|raster| json!([header_facts(&raster.header, hashes), raster.alignment.identity()]))
        .collect();
    json!([map.pair, of_job.coding, of_job.twins, rasters])
}

/// What of a zone layer decides which zone a cell lies in; what the zones are called is merge's matter.
fn zone_facts(layer: &CountedLayer, hashes: &InputHashes) -> Value {
    cell_facts(&layer.cells, hashes)
}

fn cell_facts(cells: &ZoneCells, hashes: &InputHashes) -> Value {
    match cells {
        ZoneCells::Polygons(polygons) => layer_facts(polygons, hashes),
        ZoneCells::Raster(raster) => raster_facts(raster, hashes),
    }
}

fn raster_facts(raster: &ValueRaster, hashes: &InputHashes) -> Value {
    json!([header_facts(&raster.header, hashes), raster.alignment.identity()])
}

/// What of a raster's header decides what its cells are and where they lie.
fn header_facts(header: &RasterHeader, hashes: &InputHashes) -> Value {
    json!([
        hashes.all(&header.files),
        header.band,
        header.sample.word(),
        header.nodata_tag.map(|v| v.to_string()),
        header.grid.crs.as_ref().map(|c| (&c.name, &c.proj)),
        header.grid.affine,
    ])
}

/// What of a stratum layer decides which value a cell has; what the values are called, the rules tell.
fn stratum_facts(layer: &StratumLayer, hashes: &InputHashes) -> Value {
    match &layer.cells {
        StratumCells::Polygons { polygons, plane_values } => {
            json!([layer_facts(polygons, hashes), plane_values])
        }
        StratumCells::Raster(stratum) => {
            let ValueRaster { header, alignment, .. } = &stratum.raster;
            let listed: Vec<(i32, u8)> = stratum.listed.iter().map(|(&number, &at)| (number, at)).collect();
            json!([header_facts(header, hashes), alignment.identity(), listed])
        }
    }
}

/// What of a scene decides which cells it gives.
#[derive(Debug)]
struct SceneIdentity {
    id: String,
    /// What it is made of.
    reasons: [(String, String); 3],
}

impl SceneIdentity {
    fn of(plan: &Plan, epoch: &EpochPlan, scene: &Scene, hashes: &InputHashes) -> Self {
        let (header, alignment) = (header_facts(&scene.header, hashes), scene.alignment.identity());
        let rules = format!("{:?}", scene.rules);
        let strata: Vec<Value> = scene.strata.iter().map(|layer| stratum_facts(layer, hashes)).collect();
        let masks = |masks: &[Arc<ValueRaster>]| -> Vec<Value> {
            masks.iter().map(|mask| raster_facts(mask, hashes)).collect()
        };
        // The mask of the labels above a base tells where they must stand, even in a task that they do not reach.
        let masks = json!([masks(&scene.mask), masks(&scene.mask_above)]);
        let mut facts = json!([header, scene.source, alignment, rules, strata]);
        if scene.depth > 0 || !scene.mask.is_empty() || !scene.mask_above.is_empty() {
            facts = json!([facts, scene.depth, masks]);
        }
        let source = &plan.job.sources[usize::from(scene.source)].id;
        let file = scene.header.path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{file} (source `{source}`, {})", epoch.year);
        let reasons = [
            (name.clone(), reasons::short(&json!([header, masks]))),
            (format!("the place of {name}"), reasons::short(&json!([alignment, scene.source, scene.depth]))),
            (format!("what the codes of {name} become"), reasons::short(&json!([rules, strata]))),
        ];
        Self { id: sha256(facts.to_string()), reasons }
    }
}
