//! The identity of a merge: a hash of everything that can change a byte of the outputs.

use serde_json::{Value, json};

use crate::config::environment::source_date_epoch;
use crate::config::job::SourceMap;
use crate::config::zones::ZoneLayer;
use crate::io::digest::sha256;
use crate::plan::JobPlan;
use crate::report::{comparability, overlays};
use crate::run::ledger::Ledger;

/// Of the merge of these parts, or of what is there of them.
pub(super) fn of(plan: &JobPlan, ledger: &Ledger) -> String {
    sha256(json!([ledger.ids, ledger.idle, facts(plan), source_date_epoch(), ledger.missing()]).to_string())
}

/// What of a job the merge alone looks at, hashed: names, languages, dates, and what tables say of rules.
pub fn words(plan: &JobPlan) -> String {
    sha256(facts(plan).to_string())
}

fn facts(plan: &JobPlan) -> Value {
    let job = &plan.job;
    let crossed = |layer: &'_ ZoneLayer| -> Vec<String> {
        layer.members().iter().map(|member| member.id(&job.zones).to_string()).collect()
    };
    let layers: Vec<_> = job.zones.iter().map(|layer| (&layer.id, crossed(layer))).collect();
    let keys: Vec<_> = plan.zones().iter().map(|layer| layer.polygons().map(|p| &p.keys)).collect();
    let sources: Vec<_> = job
        .sources
        .iter()
        .map(|s| {
            // The tables name the rules and the classes of the sources too.
            let words = |map: &SourceMap| {
                json!([map.crosswalk.as_ref().map(|crosswalk| &crosswalk.id), &*map.legend])
            };
            let maps = s.maps.iter().map(|(year, map)| (year, &map.date, words(map)));
            (&s.id, &s.section, &s.country, maps.collect::<Vec<_>>())
        })
        .collect();
    let grids: Vec<_> = plan
        .grids
        .iter()
        .map(|grid| {
            // The tags of a CRS are made of all that it says, not of what moves a cell alone.
            let crs = grid.grid.crs.as_ref().map(|crs| &crs.wkt);
            (&grid.grid_id, grid.tasks.len(), grid.outside_grid, &grid.area, &grid.ellipsoidal, crs)
        })
        .collect();
    json!([
        job.name,
        job.languages,
        sources,
        layers,
        keys,
        grids,
        &*job.target,
        comparability::facts(plan),
        overlays::settings(plan),
    ])
}
