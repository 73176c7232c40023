//! Zone layers: what they are, and what of them a reader of the tables should know.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::totals::Totals;
use crate::config::zones::{ZoneLayer, ZoneOrigin};
use crate::io::proj::Operation;
use crate::plan::input_hashes::InputHashes;
use crate::plan::zones::{CountedLayer, ZoneCells};
use crate::plan::{JobPlan, Plan};

/// Keys that a warning names.
const NAMED_KEYS: usize = 5;

/// Zones of a polygon layer that no cell's centre lies in, by key: those that come near a grid, and how many lie
/// elsewhere.
struct WithoutCells<'a> {
    near: Vec<&'a str>,
    elsewhere: usize,
}

impl<'a> WithoutCells<'a> {
    /// None for rasters, whose zones are their cells.
    fn of(plan: &'a JobPlan, position: usize, totals: &Totals) -> Option<Self> {
        let polygons = plan.zones()[position].polygons()?;
        let met: BTreeSet<u32> = totals.zones.iter().map(|combination| combination[position]).collect();
        let near = |grid: &Plan| Some(grid.zones[position].polygons()?.keys_near(grid.grid.bounds()));
        let close: BTreeSet<u32> = plan.grids.iter().filter_map(near).flatten().collect();
        let mut without = Self { near: Vec::new(), elsewhere: 0 };
        for (key, (text, _)) in (0..).zip(&polygons.keys) {
            match (met.contains(&(key + 1)), close.contains(&key)) {
                (true, _) => {}
                (false, true) => without.near.push(text),
                (false, false) => without.elsewhere += 1,
            }
        }
        Some(without)
    }

    /// The keys that are named.
    fn first(&self) -> &[&'a str] {
        &self.near[..self.near.len().min(NAMED_KEYS)]
    }
}

/// What the zones of the finished tables may be misread as.
pub fn warnings(plan: &JobPlan, totals: &Totals) -> Vec<String> {
    let mut warnings = Vec::new();
    for (position, counted) in plan.zones().iter().enumerate() {
        let layer = &plan.job.zones[counted.layer];
        if !layer.is_told() {
            continue;
        }
        let id = &layer.id;
        let overlaps = totals.zone_overlaps[position];
        if overlaps > 0 {
            warnings.push(format!(
                "zone layer `{id}`: cells that lie in more than one zone: {overlaps}; each counts for the zone whose \
                 polygon comes first in the file"
            ));
        }
        if let Some(without) = WithoutCells::of(plan, position, totals).filter(|w| !w.near.is_empty()) {
            let (n, named) = (without.near.len(), without.first());
            warnings.push(format!(
                "zone layer `{id}`: zones on the grid that hold no cell's centre and so are in no table: {n} ({}{})",
                named.join(", "),
                if n > named.len() { ", …" } else { "" }
            ));
        }
    }
    warnings
}

/// The layers of a finished product, for run.json.
pub fn facts(plan: &JobPlan, totals: &Totals, hashes: &InputHashes) -> Vec<Value> {
    let layer = |(place, layer): (usize, &ZoneLayer)| {
        let mut facts = description(plan, place);
        let position = plan.zones().iter().position(|counted| counted.layer == place);
        if let (Some(position), Some(path), Some(facts)) = (position, layer.path(), facts.as_object_mut()) {
            facts.insert("sha256".into(), json!(hashes.get(path)));
            if let Some(without) = WithoutCells::of(plan, position, totals).filter(|_| layer.is_told()) {
                facts.insert("overlap_pixels".into(), json!(totals.zone_overlaps[position]));
                facts.insert("zones_without_cells".into(), json!(without.near.len()));
                facts.insert("first_without_cells".into(), json!(without.first()));
                facts.insert("zones_off_the_grid".into(), json!(without.elsewhere));
            }
        }
        facts
    };
    plan.job.zones.iter().enumerate().map(layer).collect()
}

/// A layer as it was understood, before any cell is counted.
pub fn description(plan: &JobPlan, place: usize) -> Value {
    let layer = &plan.job.zones[place];
    let counted = plan.zones().iter().find(|counted| counted.layer == place);
    match (&layer.origin, counted.map(|counted| &counted.cells)) {
        (ZoneOrigin::Held { path, .. }, Some(cells)) => json!({
            "id": layer.id, "kind": "held", "path": path,
            "crs": crs(cells), "alignment": alignments(plan, place),
            "proj": on_grids(plan, place, |cells| operation(cells).map(|operation| operation.text.clone())),
        }),
        (ZoneOrigin::Polygons { path, key, name }, Some(ZoneCells::Polygons(polygons))) => json!({
            "id": layer.id, "kind": "polygons", "path": path, "key": key, "name": name,
            "features": polygons.features.len(), "zones": polygons.keys.len(), "crs": polygons.crs.name,
            "proj": on_grids(plan, place, |cells| operation(cells).map(|operation| operation.text.clone())),
        }),
        (ZoneOrigin::Raster { path, .. }, Some(ZoneCells::Raster(raster))) => json!({
            "id": layer.id, "kind": "raster", "path": path, "band": raster.header.band,
            "rows": raster.header.grid.rows, "cols": raster.header.grid.cols, "type": raster.header.sample.word(),
            "nodata": raster.header.nodata_tag, "crs": raster.header.grid.crs.as_ref().map(|crs| &crs.name),
            "alignment": alignments(plan, place),
            "proj": on_grids(plan, place, |cells| operation(cells).map(|operation| operation.text.clone())),
        }),
        _ => json!({ "id": layer.id, "kind": "crossed", "by": members(plan, layer) }),
    }
}

/// The same in a line.
pub fn line(plan: &JobPlan, place: usize) -> String {
    let layer = &plan.job.zones[place];
    let counted = plan.zones().iter().find(|counted| counted.layer == place);
    let what = match counted.map(|CountedLayer { cells, .. }| cells) {
        Some(ZoneCells::Polygons(polygons)) => format!(
            "{} polygons, {} zones, from {}{}",
            polygons.features.len(),
            polygons.keys.len(),
            polygons.crs.name,
            match on_grids(plan, place, |cells| operation(cells).map(Operation::words)) {
                ways if ways.is_empty() => String::new(),
                ways => format!(" by {}", ways.join(", ")),
            }
        ),
        Some(ZoneCells::Raster(raster)) => format!(
            "a raster of {} x {} {}, {}; {}; {}",
            raster.header.grid.rows,
            raster.header.grid.cols,
            raster.header.sample.word(),
            raster.header.grid.crs.as_ref().map_or("no CRS", |crs| crs.name.as_str()),
            raster.header.nodata_tag.map_or("no nodata value".into(), |tag| format!("{tag} is outside")),
            alignments(plan, place)
        ),
        None => format!("{} crossed, read off their counts", members(plan, layer).join(" and ")),
    };
    format!("{} `{}`: {what}", if layer.is_told() { "zones" } else { "lakes" }, layer.id)
}

/// What is to be told of a layer on each grid, once where it is the same.
fn on_grids(plan: &JobPlan, place: usize, tell: impl Fn(&ZoneCells) -> Option<String>) -> Vec<String> {
    let mut told = Vec::new();
    for cells in plan.grids.iter().flat_map(|grid| &grid.zones).filter(|zones| zones.layer == place) {
        told.extend(tell(&cells.cells).filter(|words| !told.contains(words)));
    }
    told
}

/// How the cells of a raster of zones reach the grids.
fn alignments(plan: &JobPlan, place: usize) -> String {
    let words = |cells: &ZoneCells| match cells {
        ZoneCells::Polygons(_) => None,
        ZoneCells::Raster(raster) => Some(raster.alignment.words()),
    };
    on_grids(plan, place, words).join("; ")
}

/// The CRS of a layer.
fn crs(cells: &ZoneCells) -> Option<&str> {
    match cells {
        ZoneCells::Polygons(polygons) => Some(&polygons.crs.name),
        ZoneCells::Raster(raster) => raster.header.grid.crs.as_ref().map(|crs| crs.name.as_str()),
    }
}

/// What carries a layer's points or cells to a grid, if it lies in another CRS.
fn operation(cells: &ZoneCells) -> Option<&Operation> {
    match cells {
        ZoneCells::Polygons(polygons) => polygons.operation.as_ref(),
        ZoneCells::Raster(raster) => raster.alignment.operation(),
    }
}

fn members<'a>(plan: &'a JobPlan, layer: &'a ZoneLayer) -> Vec<&'a str> {
    layer.members().iter().map(|member| member.id(&plan.job.zones)).collect()
}
