//! Strata: the layers that conditional crosswalk rows name, for `plan` and run.json.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::config::strata::{Stratum, StratumOrigin};
use crate::plan::input_hashes::InputHashes;
use crate::plan::strata::StratumLayer;
use crate::plan::{JobPlan, Plan};

/// The strata of a finished product, for run.json.
pub fn facts(plan: &JobPlan, hashes: &InputHashes) -> Vec<Value> {
    let facts = |(stratum, mut facts): (&Stratum, Value)| {
        facts["sha256"] = json!(hashes.get(&stratum.path));
        facts
    };
    plan.job.strata.values().zip(descriptions(plan)).map(facts).collect()
}

/// The strata as they were understood, before any cell is read.
pub fn descriptions(plan: &JobPlan) -> Vec<Value> {
    plan.job.strata.values().map(|stratum| description(plan, stratum)).collect()
}

fn description(plan: &JobPlan, stratum: &Stratum) -> Value {
    let operations: BTreeSet<&str> =
        uses(plan, stratum).filter_map(|layer| Some(layer.operation()?.text.as_str())).collect();
    let mut facts = json!({ "id": stratum.id, "kind": "stratum", "path": stratum.path, "proj": operations });
    match &stratum.origin {
        StratumOrigin::Polygons { key } => facts["key"] = json!(key),
        StratumOrigin::Raster { band, values } => {
            facts["values"] = json!(values);
            facts["band"] = json!(band);
            if let Some(used) = uses(plan, stratum).find_map(StratumLayer::raster) {
                let header = &used.raster.header;
                facts["band"] = json!(header.band);
                facts["rows"] = json!(header.grid.rows);
                facts["cols"] = json!(header.grid.cols);
                facts["type"] = json!(header.sample.word());
                facts["nodata"] = json!(header.nodata_tag);
                facts["crs"] = json!(header.grid.crs.as_ref().map(|crs| &crs.name));
                facts["alignment"] = json!(alignments(plan, stratum));
            }
        }
    }
    facts
}

/// A line for each stratum.
pub fn lines(plan: &JobPlan) -> Vec<String> {
    let line = |stratum: &Stratum| {
        let what = match (&stratum.origin, uses(plan, stratum).next()) {
            (_, None) => "no row of a map depends on it".into(),
            (StratumOrigin::Polygons { key }, Some(layer)) => format!(
                "{} polygons by `{key}`{}",
                layer.polygons().map_or(0, |polygons| polygons.features.len()),
                match ways(plan, stratum, |layer| layer.operation().map(|operation| operation.words())) {
                    ways if ways.is_empty() => String::new(),
                    ways => format!("; by {}", ways.join(", ")),
                }
            ),
            (StratumOrigin::Raster { .. }, Some(layer)) => match layer.raster() {
                Some(used) => format!(
                    "a raster of {} x {} {}, {}; {}; {}",
                    used.raster.header.grid.rows,
                    used.raster.header.grid.cols,
                    used.raster.header.sample.word(),
                    used.raster.header.grid.crs.as_ref().map_or("no CRS", |crs| crs.name.as_str()),
                    used.raster
                        .header
                        .nodata_tag
                        .map_or("no nodata value".into(), |tag| format!("{tag} is none")),
                    alignments(plan, stratum).join("; ")
                ),
                None => String::new(),
            },
        };
        format!("stratum `{}`: {what}", stratum.id)
    };
    plan.job.strata.values().map(line).collect()
}

/// What each scene that depends on a stratum sees of it.
fn uses<'a>(plan: &'a JobPlan, stratum: &'a Stratum) -> impl Iterator<Item = &'a StratumLayer> {
    plan.grids.iter().flat_map(Plan::strata).filter(|layer| layer.values.name == stratum.id)
}

/// How the cells of a raster reach those of the maps. Maps that copy it do so from places of their own.
fn alignments(plan: &JobPlan, stratum: &Stratum) -> Vec<String> {
    ways(plan, stratum, |layer| {
        let alignment = &layer.raster()?.raster.alignment;
        Some(if alignment.is_copy() { "copied, on the lattice of a map".into() } else { alignment.words() })
    })
}

/// What is to be told of every use of a stratum, once where it is the same.
fn ways(plan: &JobPlan, stratum: &Stratum, tell: impl Fn(&StratumLayer) -> Option<String>) -> Vec<String> {
    let told: BTreeSet<String> = uses(plan, stratum).filter_map(tell).collect();
    told.into_iter().collect()
}
