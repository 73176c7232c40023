//! run.json: where every number comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::table::rule_coverage::rules_of;
use super::totals::{Between, Totals};
use super::{comparability, officials, overlays, stratum_layers, zone_layers};
use crate::error::{Error, Result};
use crate::io::atomic::write_bytes;
use crate::io::digest::sha256;
use crate::model::area::Amount;
use crate::model::epoch::Epoch;
use crate::model::gap::Gaps;
use crate::model::provenance::{ABSENCES, Origin, absence_word};
use crate::model::source::Role;
use crate::plan::input_hashes::InputHashes;
use crate::plan::provenance::Meaning;
use crate::plan::{JobPlan, Plan};

/// How much area rests on what, over the mosaics of all epochs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Cells decided by proposed crosswalk rows.
    pub proposed: Amount,
    /// Cells whose conditional row fell to its default.
    pub defaulted: Amount,
    /// Cells decided by any row that gives a class.
    pub mapped: Amount,
}

/// What the mosaic of an epoch rests on.
pub fn standing(totals: &Totals, epoch: usize) -> Standing {
    let mut standing = Standing::default();
    for (rule, &amount) in totals.rules[epoch].iter().filter(|(rule, _)| rule.to.is_some()) {
        let where_it_holds = |holds: bool| if holds { amount } else { Amount::default() };
        standing.mapped += amount;
        standing.proposed += where_it_holds(rule.proposed);
        standing.defaulted += where_it_holds(rule.default_taken);
    }
    standing
}

/// What a finished merge knows.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Sums over all tasks.
    pub totals: &'a Totals,
    /// Published files and their SHA-256.
    pub files: &'a BTreeMap<String, String>,
    /// Valid source cells outside the grid, by file.
    pub outside: &'a BTreeMap<PathBuf, u64>,
}

/// Writes run.json; `run` says what this invocation did.
///
/// # Errors
/// Io: the disk refuses.
pub fn write(output: &Path, plan: &JobPlan, hashes: &InputHashes, facts: Facts, run: Value) -> Result<()> {
    let content = content(plan, hashes, facts);
    let outside: BTreeMap<String, u64> =
        facts.outside.iter().map(|(path, cells)| (path.display().to_string(), *cells)).collect();
    let manifest = json!({
        "finished_utc": chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "content_sha256": sha256(content.to_string()),
        "outside_grid_pixels": outside,
        "run": run,
        "content": content,
    });
    let text = serde_json::to_string_pretty(&flattened(manifest)).map_err(|e| Error::bug(e.to_string()))?;
    write_bytes(&output.join("run.json"), format!("{text}\n").as_bytes())
}

/// Writes run.json anew where what it says of the outputs is no longer true, though they are in place: a job may get
/// another edition or another path without changing a byte of them.
///
/// # Errors
/// Io: the disk refuses.
pub fn refresh(output: &Path, plan: &JobPlan, hashes: &InputHashes, facts: Facts, run: Value) -> Result<()> {
    let before = std::fs::read(output.join("run.json")).ok();
    let before = before.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let hash = sha256(content(plan, hashes, facts).to_string());
    if before.is_some_and(|run| run.get("content_sha256") == Some(&json!(hash))) {
        return Ok(());
    }
    write(output, plan, hashes, facts, run)
}

/// The keys of `content` beside those of this invocation.
fn flattened(mut manifest: Value) -> Value {
    if let Some(map) = manifest.as_object_mut()
        && let Some(Value::Object(content)) = map.remove("content")
    {
        map.extend(content);
    }
    manifest
}

/// What run.json says of the outputs, whoever made them and when.
fn content(plan: &JobPlan, hashes: &InputHashes, Facts { totals, files, .. }: Facts) -> Value {
    let layers: [Vec<Value>; 5] = [
        zone_layers::facts(plan, totals, hashes),
        stratum_layers::facts(plan, hashes),
        domain(plan, hashes).into_iter().collect(),
        overlays::facts(plan, totals, hashes),
        officials::layers(plan, Some(hashes)),
    ];
    let layers = layers.concat();
    let warnings =
        [plan.warnings.clone(), zone_layers::warnings(plan, totals), overlays::warnings(plan, totals)]
            .concat();
    let mut content = json!({
        "program": { "name": "nalcms", "version": env!("CARGO_PKG_VERSION"), "gdal": crate::io::gdal::version() },
        "complete": totals.missing.is_empty(),
        "job": job(plan),
        "area_method": plan.area_method(),
        "ellipsoidal_area_method": plan.ellipsoidal,
        "inputs": plan.grids.iter().flat_map(|grid| inputs(grid, hashes)).collect::<Vec<_>>(),
        "layers": layers,
        "rests_on": rests_on(plan, totals),
        "rules": rules(plan, totals),
        "zone_overlap_pixels": totals.zone_overlaps.iter().sum::<u64>(),
        "comparability": comparability::facts(plan),
        "allowed_incomparable": comparability::allowed(plan),
        "warnings": warnings,
        "outputs": files,
    });
    if !totals.missing.is_empty() {
        content["missing"] = json!(totals.missing);
    }
    if plan.job.gaps {
        content["gaps"] = gaps(plan, totals);
    }
    if plan.has_several_grids() {
        content["grids"] = plan.grids.iter().map(grid).collect();
    } else {
        content["grid"] = grid(plan.first());
    }
    tell_versions(&mut content);
    content
}

/// Calls what identifies a remote file what it is: a version that its server told, where that is no SHA-256.
fn tell_versions(facts: &mut Value) {
    match facts {
        Value::Object(map) => {
            let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if map.get("sha256").and_then(Value::as_str).is_some_and(|text| !is_hash(text))
                && let Some(version) = map.remove("sha256")
            {
                map.insert("version".into(), version);
            }
            map.values_mut().for_each(tell_versions);
        }
        Value::Array(items) => items.iter_mut().for_each(tell_versions),
        _ => {}
    }
}

/// Where the cells of a grid lie; of several also its name, how its areas are told and what happens outside it.
fn grid(plan: &Plan) -> Value {
    let mut facts = json!({
        "crs": plan.grid.crs.as_ref().map(|c| &c.wkt),
        "affine": plan.grid.affine,
        "rows": plan.grid.rows,
        "cols": plan.grid.cols,
        "lattice_offset": plan.grid.lattice,
    });
    if let Some(id) = &plan.grid_id {
        facts["id"] = json!(id);
        facts["area_method"] = json!(plan.area.method());
        facts["outside_grid"] = json!(plan.outside_grid);
    }
    facts
}

/// The job as it was understood.
pub fn job(plan: &JobPlan) -> Value {
    let job = &plan.job;
    let map = |map: &crate::config::job::SourceMap| {
        let mut facts = json!({
            "files": map.files, "date": map.date, "edition": map.edition, "sensor": map.sensor, "method": map.method,
            "legend": map.legend.id,
            "crosswalk": map.crosswalk.as_ref().map(|c| &c.id), "priority": map.priority,
            "missing_stratum": if map.take_default { "default" } else { "error" },
            "resampling": map.resampling, "band": map.band,
        });
        if let Some(update) = &map.update {
            facts["update"] =
                json!({ "base": update.base.year, "base_files": update.base.files, "mask": update.mask });
        }
        facts
    };
    let source = |source: &crate::config::job::Source| {
        let epochs: BTreeMap<String, Value> =
            source.maps.iter().map(|(y, m)| (y.to_string(), map(m))).collect();
        let mut facts = json!({
            "id": source.id, "section": source.section, "country": source.country, "epochs": epochs,
        });
        if let Role::Fill(receiver, year) = source.role {
            facts["fills"] = json!(job.sources[usize::from(receiver)].id);
            facts["map_of"] = json!(year);
        }
        if let Some(id) = &plan.grids[source.grid].grid_id {
            facts["grid"] = json!(id);
        }
        match source.role {
            Role::Fringe => facts["role"] = json!("fringe"),
            Role::Official => facts["role"] = json!("official"),
            Role::Maps | Role::Fill(..) => {}
        }
        facts
    };
    let rollup = |rollup: &crate::model::legend::RollUp| {
        let groups = rollup.groups.iter().map(|group| json!({ "id": group.id, "members": group.members }));
        json!({ "id": rollup.id, "groups": groups.collect::<Vec<_>>() })
    };
    let mut facts = json!({
        "name": job.name, "output": job.destination(), "language": job.languages, "legend": job.target.id,
        "rollups": job.target.rollups.iter().map(rollup).collect::<Vec<_>>(),
        "source": job.sources.iter().map(source).collect::<Vec<_>>(),
        "pairs": plan.pairs, "unchanged": job.unchanged, "tie": job.tie, "fractions": job.products.fractions,
        "ellipsoidal": job.ellipsoidal, "release": job.release.demanded, "accept_proposed": job.release.names(),
        "compute": job.compute,
    });
    if job.products.provenance {
        facts["provenance"] = origins(plan);
    }
    if let Some(domain) = &job.domain {
        facts["domain"] = json!({
            "path": domain.path, "key": domain.key, "sliver_cells": domain.sliver_cells,
        });
    }
    for (key, value) in overlays::settings(plan) {
        facts[key] = value;
    }
    if !job.official.is_empty() {
        facts["official"] = json!(officials::facts(plan));
    }
    if !plan.has_several_grids() {
        facts["outside_grid"] = json!(plan.first().outside_grid);
    }
    if let Some(control_cells) = job.seams {
        facts["seams"] = json!({ "control_cells": control_cells });
    }
    if job.gaps {
        facts["gaps"] = json!(true);
    }
    facts
}

/// What the codes of provenance rasters mean.
fn origins(plan: &JobPlan) -> Value {
    let origins = &plan.first().origins;
    let meaning = |(at, meaning): (usize, &Meaning)| {
        let Meaning { kind, section, source } = meaning;
        json!({ "code": at + 1, "status": kind, "section": section, "source": source })
    };
    let absence = |code: &Origin| json!({ "code": code, "status": absence_word(*code) });
    origins.meanings.iter().enumerate().map(meaning).chain(ABSENCES.iter().map(absence)).collect()
}

/// How many gaps the map of each year has on each grid, those that have no row of their own in the table included.
fn gaps(plan: &JobPlan, totals: &Totals) -> Value {
    let on_grid = |(grid, between): (&Plan, &Between)| {
        let years = plan.job.epochs.iter().zip(&between.gaps);
        let of_year = |(year, gaps): (&Epoch, &Gaps)| {
            let mut facts = json!({ "year": year, "gaps": gaps.count(), "pixels": gaps.sum().pixels });
            if let Some(id) = &grid.grid_id {
                facts["grid"] = json!(id);
            }
            facts
        };
        years.map(of_year).collect::<Vec<_>>()
    };
    plan.grids.iter().zip(&totals.between).flat_map(on_grid).collect()
}

fn inputs(plan: &Plan, hashes: &InputHashes) -> Vec<Value> {
    let scene = |year: i32, scene: &crate::plan::Scene| {
        let header = &scene.header;
        let mut facts = json!({
            "path": header.path, "sha256": hashes.get(&header.path), "year": year,
            "source": plan.job.sources[usize::from(scene.source)].id,
            "rows": header.grid.rows, "cols": header.grid.cols, "type": header.sample.word(),
            "crs": header.grid.crs.as_ref().map(|c| &c.name), "nodata": scene.tag.words(),
            "alignment": scene.alignment.words(),
            "proj": scene.alignment.operation().map(|operation| &operation.text),
        });
        if let Some(operation) = scene.alignment.operation().filter(|operation| !operation.grids.is_empty()) {
            facts["shift_grids"] = json!(operation.grids);
        }
        if let Some(id) = &plan.grid_id {
            facts["grid"] = json!(id);
        }
        facts
    };
    plan.epochs.iter().flat_map(|e| e.scenes.iter().map(|s| scene(e.year, s))).collect()
}

/// The layer of domains, where there is one.
fn domain(plan: &JobPlan, hashes: &InputHashes) -> Option<Value> {
    let layer = plan.job.domain.as_ref()?;
    let domains = plan.grids.iter().filter_map(|grid| grid.domain.as_ref());
    let operations: BTreeSet<&str> =
        domains.filter_map(|domain| Some(domain.polygons.operation.as_ref()?.text.as_str())).collect();
    Some(json!({
        "id": "domain", "kind": "domain", "path": layer.path, "key": layer.key, "sha256": hashes.get(&layer.path),
        "proj": operations,
    }))
}

fn rests_on(plan: &JobPlan, totals: &Totals) -> Vec<Value> {
    let epoch = |(position, year): (usize, &Epoch)| {
        let standing = standing(totals, position);
        json!({
            "year": year, "mapped_pixels": standing.mapped.pixels,
            "proposed_pixels": standing.proposed.pixels, "proposed_area_m2": plan.area.of(standing.proposed),
            "default_pixels": standing.defaulted.pixels, "default_area_m2": plan.area.of(standing.defaulted),
        })
    };
    plan.job.epochs.iter().enumerate().map(epoch).collect()
}

fn rules(plan: &JobPlan, totals: &Totals) -> Vec<Value> {
    let epochs = plan.job.epochs.iter().enumerate();
    let rows = epochs
        .flat_map(|(epoch, year)| rules_of(plan, totals, epoch).into_iter().map(move |rule| (year, rule)));
    rows.map(|(year, (rule, amount))| {
        json!({
            "year": year, "source": plan.job.sources[usize::from(rule.source)].id, "from": rule.from,
            "stratum": rule.stratum, "to": rule.to, "proposed": rule.proposed, "default": rule.default_taken,
            "pixels": amount.pixels,
        })
    })
    .collect()
}
