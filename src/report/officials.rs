//! Published change maps as they were understood, for run.json, plans and people.

use serde_json::{Value, json};

use crate::config::official::OfficialMap;
use crate::plan::input_hashes::InputHashes;
use crate::plan::official::OfficialPlan;
use crate::plan::{JobPlan, Plan, Product};

/// The sections whose change map decides cells of a change raster.
pub fn sections(plan: &Plan, product: Product) -> Vec<&str> {
    let Product::Change(pair) = product else { return Vec::new() };
    let of_pair = plan.officials.iter().filter(|map| map.pair == pair);
    of_pair.map(|map| plan.job.official[map.official].section.as_str()).collect()
}

/// Every change map of a job, for those who read the tables.
pub fn facts(plan: &JobPlan) -> Vec<Value> {
    let fact = |map: &OfficialMap| json!({ "section": map.section, "from": map.pair.from, "to": map.pair.to, "coding": map.coding });
    plan.job.official.iter().map(fact).collect()
}

/// Every file of every change map on every grid; with checksums where files were hashed.
pub fn layers(plan: &JobPlan, hashes: Option<&InputHashes>) -> Vec<Value> {
    let of_map = |grid: &Plan, map: &OfficialPlan| -> Vec<Value> {
        let of_job = &grid.job.official[map.official];
        let id = format!("official:{} {}", of_job.section, of_job.pair);
        let files = map.rasters.iter().map(|raster| {
            let header = &raster.header;
            let mut facts = json!({
                "id": id, "kind": "official", "path": header.path, "section": of_job.section,
                "from": of_job.pair.from, "to": of_job.pair.to, "coding": of_job.coding, "band": header.band,
                "rows": header.grid.rows, "cols": header.grid.cols, "type": header.sample.word(),
                "nodata": header.nodata_tag, "crs": header.grid.crs.as_ref().map(|crs| &crs.name),
                "alignment": raster.alignment.words(),
                "proj": raster.alignment.operation().map(|operation| &operation.text),
            });
            if let Some(hashes) = hashes {
                facts["sha256"] = json!(hashes.get(&header.path));
            }
            if let Some(id) = &grid.grid_id {
                facts["grid"] = json!(id);
            }
            facts
        });
        files.collect()
    };
    plan.grids.iter().flat_map(|grid| grid.officials.iter().flat_map(move |map| of_map(grid, map))).collect()
}

/// The same in lines.
pub fn lines(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for map in &plan.officials {
        let of_job = &plan.job.official[map.official];
        for raster in &map.rasters {
            let header = &raster.header;
            lines.push(format!(
                "official change {}, section `{}`: {} of {} x {} {}, {}; {}; {}",
                of_job.pair,
                of_job.section,
                header.path.display(),
                header.grid.rows,
                header.grid.cols,
                header.sample.word(),
                header.grid.crs.as_ref().map_or("no CRS", |crs| crs.name.as_str()),
                header
                    .nodata_tag
                    .map_or("65535 says nothing".into(), |tag| format!("65535 and {tag} say nothing")),
                raster.alignment.words()
            ));
        }
    }
    lines
}
