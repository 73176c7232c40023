//! The identity of a task: a hash of everything that can change a byte of its part.
//!
//! | input | in the hash as |
//! |---|---|
//! | this program | version |
//! | target grid, task | CRS (name and PROJ string), affine transform, shape, window |
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

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::comparability::PairComparability;
use super::official::OfficialPlan;
use super::overlay::EditLayer;
use super::sections::Sections;
use super::strata::{StratumCells, StratumLayer};
use super::value_raster::ValueRaster;
use super::zones::{CountedLayer, ZoneCells};
use super::{EpochPlan, JobPlan, Plan, Scene, Task};
use crate::error::Result;
use crate::io::atomic::{io_error, write_bytes};
use crate::io::digest::{sha256, sha256_file};
use crate::io::gdal::remote::identity_of;
use crate::io::gdal::{FeatureLayer, RasterHeader};
use crate::io::place::is_remote;
use crate::io::stop;
use crate::model::source::Role;

/// What identifies every input file of a plan: its SHA-256, of remote files what their servers say.
#[derive(Debug, Clone, Default)]
pub struct InputHashes(BTreeMap<PathBuf, String>);

impl InputHashes {
    /// Hashes all inputs; those whose path, size, time and inode stand in the cache are not read again.
    ///
    /// # Errors
    /// Io: an input cannot be read.
    pub fn of(plan: &JobPlan, cache: &Path) -> Result<Self> {
        let known: BTreeMap<String, String> = std::fs::read(cache)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let scenes = plan.grids.iter().flat_map(|grid| &grid.epochs).flat_map(|e| &e.scenes);
        let zones = plan.grids.iter().flat_map(|grid| &grid.zones);
        let zones = zones.filter_map(CountedLayer::raster).map(|raster| &raster.header);
        let masks = scenes.clone().flat_map(|scene| &scene.mask).map(|mask| &mask.header);
        let strata = plan.grids.iter().flat_map(Plan::strata).filter_map(StratumLayer::raster);
        let strata = strata.map(|stratum| &stratum.raster.header);
        let officials = plan.grids.iter().flat_map(|grid| &grid.officials).flat_map(|map| &map.rasters);
        let officials = officials.map(|map| &map.header);
        let rasters =
            scenes.map(|scene| &scene.header).chain(zones).chain(masks).chain(strata).chain(officials);
        let rasters = rasters.flat_map(|header| header.files.clone());
        let layers = plan.grids.iter().flat_map(Plan::polygon_layers);
        let layers = layers.flat_map(|polygons| polygons.files.clone());
        let masks = plan.grids.iter().flat_map(|grid| grid.overlays.masks());
        let masks = masks.flat_map(|mask| mask.files().to_vec());
        let mut paths: Vec<PathBuf> = rasters.chain(layers).chain(masks).collect();
        paths.sort();
        paths.dedup();
        let hashed: Vec<(PathBuf, Option<String>, String)> = paths
            .into_par_iter()
            .map(|path| {
                stop::check()?;
                if is_remote(&path) {
                    let identity = identity_of(&path)?;
                    return Ok((path, None, identity));
                }
                let metadata =
                    std::fs::metadata(&path).map_err(|e| io_error("an input cannot be read", &path, &e))?;
                let stamp = stamp(&path, &metadata);
                let hash = match known.get(&stamp) {
                    Some(hash) => hash.clone(),
                    None => sha256_file(&path)?,
                };
                Ok((path, Some(stamp), hash))
            })
            .collect::<Result<_>>()?;
        let fresh = hashed.iter().filter_map(|(_, stamp, hash)| Some((stamp.as_ref()?, hash)));
        let fresh: BTreeMap<&String, &String> = fresh.collect();
        if let Ok(bytes) = serde_json::to_vec_pretty(&fresh)
            && cache.parent().is_some_and(Path::is_dir)
        {
            // A cache that cannot be kept costs time, no more: `status` may look at the folder of somebody else.
            let _ = write_bytes(cache, &bytes);
        }
        Ok(Self(hashed.into_iter().map(|(path, _, hash)| (path, hash)).collect()))
    }

    /// The hash of a file.
    pub fn get(&self, path: &Path) -> &str {
        self.0.get(path).map_or("", String::as_str)
    }

    /// The hashes of several files.
    pub fn all<'a>(&'a self, paths: &'a [PathBuf]) -> Vec<&'a str> {
        paths.iter().map(|path| self.get(path)).collect()
    }
}

fn stamp(path: &Path, metadata: &Metadata) -> String {
    let time = (metadata.mtime(), metadata.mtime_nsec());
    format!("{} {} {}.{} {}", path.display(), metadata.len(), time.0, time.1, metadata.ino())
}

/// What of a polygon layer decides which cells it holds.
fn layer_facts(polygons: &FeatureLayer, hashes: &InputHashes) -> Value {
    let keys: Vec<u32> = polygons.features.iter().map(|feature| feature.key).collect();
    json!([hashes.all(&polygons.files), polygons.operation.as_ref().map(|o| (&o.name, &o.text)), keys])
}

/// What the identities of a plan's tasks are made of: hashed once, however many tasks share it.
#[derive(Debug)]
pub struct Identities<'a> {
    plan: &'a Plan,
    hashes: &'a InputHashes,
    /// What all tasks share.
    common: String,
    /// Of each scene, by epoch and position.
    scenes: Vec<Vec<String>>,
    /// Of each polygon of each layer of edits; none of rasters.
    shapes: Vec<Vec<String>>,
}

impl<'a> Identities<'a> {
    /// Hashes what a plan holds.
    pub fn of(plan: &'a Plan, hashes: &'a InputHashes) -> Self {
        let scenes = |epoch: &EpochPlan| epoch.scenes.par_iter().map(|s| scene_id(s, hashes)).collect();
        let scenes = plan.epochs.iter().map(scenes).collect();
        let shapes = |layer: &EditLayer| match &layer.mask.cells {
            ZoneCells::Polygons(polygons) => {
                polygons.features.par_iter().map(|f| sha256(f.shape())).collect()
            }
            ZoneCells::Raster(_) => Vec::new(),
        };
        let shapes = plan.overlays.edits.iter().map(shapes).collect();
        Self { plan, hashes, common: common(plan, hashes), scenes, shapes }
    }

    /// The identity of one task.
    pub fn task(&self, task: &Task) -> String {
        let epochs = task.scenes.iter().zip(&self.scenes);
        let scenes: Vec<Vec<&String>> = epochs
            .map(|(positions, ids)| positions.iter().map(|&position| &ids[position]).collect())
            .collect();
        let mut facts = json!([self.common, task.window, scenes]);
        if let (Some(edits), Some(facts)) = (self.edits(task), facts.as_array_mut()) {
            facts.push(edits);
        }
        sha256(facts.to_string())
    }

    /// What edits do to a task; none where they do nothing. Two edits never hold one cell, so their order does not matter.
    fn edits(&self, task: &Task) -> Option<Value> {
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
        (!facts.is_empty()).then(|| json!(facts))
    }
}

fn common(plan: &Plan, hashes: &InputHashes) -> String {
    let job = &plan.job;
    let zones: Vec<Value> = plan.zones.iter().map(|layer| zone_facts(layer, hashes)).collect();
    let mut facts = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "gdal": crate::io::gdal::version(),
        "grid": [plan.grid.crs.as_ref().map(|c| (&c.name, &c.proj)), plan.grid.affine, plan.grid.rows, plan.grid.cols, plan.grid.lattice],
        "task_cells": job.compute.task_cells,
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
    sha256(facts.to_string())
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

fn scene_id(scene: &Scene, hashes: &InputHashes) -> String {
    let strata = scene.strata.iter().map(|layer| stratum_facts(layer, hashes));
    let mut facts = json!([
        header_facts(&scene.header, hashes),
        scene.source,
        scene.alignment.identity(),
        format!("{:?}", scene.rules),
        strata.collect::<Vec<_>>(),
    ]);
    if scene.depth > 0 || !scene.mask.is_empty() {
        let masks = scene
            .mask
            .iter()
            .map(|mask| json!([header_facts(&mask.header, hashes), mask.alignment.identity()]));
        facts = json!([facts, scene.depth, masks.collect::<Vec<_>>()]);
    }
    sha256(facts.to_string())
}
