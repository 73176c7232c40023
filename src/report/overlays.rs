//! Overlays: what they are, for `plan` and run.json.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::totals::Totals;
use crate::config::coast::{Coast, FringeFile};
use crate::config::edits::Edit;
use crate::plan::input_hashes::InputHashes;
use crate::plan::mask::Mask;
use crate::plan::{JobPlan, Plan};

/// What the job says of its overlays, in keys that a job without any does not have.
pub fn settings(plan: &JobPlan) -> Vec<(&'static str, Value)> {
    let edits: Vec<Value> = plan.job.edits.iter().map(edit).collect();
    let mut settings = Vec::new();
    if let Some(coast) = &plan.job.coast {
        let facts = json!({
            "fringe_cells": coast.cells, "fringe": coast.fringe, "water_code": coast.water,
            "great_lakes": coast.great_lakes.is_some(),
        });
        settings.push(("coast", facts));
    }
    if !edits.is_empty() {
        settings.push(("edits", json!(edits)));
    }
    settings
}

/// An edit as it was understood; where its file lies is told beside its checksum.
fn edit(edit: &Edit) -> Value {
    json!({
        "id": edit.id, "from_code": edit.from, "to_code": edit.to, "epochs": edit.epochs, "author": edit.author,
        "date": edit.date, "reason": edit.reason,
    })
}

/// The layers of a finished product, for run.json.
pub fn facts(plan: &JobPlan, totals: &Totals, hashes: &InputHashes) -> Vec<Value> {
    let edits = plan.job.edits.iter().enumerate().map(|(position, edit)| {
        let held: BTreeMap<String, u64> =
            edit.epochs.iter().map(|year| held(plan, totals, edit, *year)).collect();
        json!({
            "id": edit.id, "kind": "edit", "path": edit.path, "sha256": hashes.get(&edit.path),
            "layer": on_grids(plan, |grid| Some(&grid.overlays.edits[position].mask), Mask::words),
            "proj": on_grids(plan, |grid| Some(&grid.overlays.edits[position].mask), proj),
            "held_pixels": held,
        })
    });
    plan.job.coast.iter().map(|coast| land(plan, coast, hashes)).chain(edits).collect()
}

/// The land, for run.json; lakes are told among the layers that are counted.
fn land(plan: &JobPlan, coast: &Coast, hashes: &InputHashes) -> Value {
    json!({
        "id": "coast", "kind": "land", "path": coast.land, "sha256": hashes.get(&coast.land),
        "layer": on_grids(plan, |grid| Some(&grid.overlays.coast.as_ref()?.land), Mask::words),
        "proj": on_grids(plan, |grid| Some(&grid.overlays.coast.as_ref()?.land), proj),
    })
}

/// What the user should know of finished overlays: edits that found nothing to edit.
pub fn warnings(plan: &JobPlan, totals: &Totals) -> Vec<String> {
    let mut warnings = Vec::new();
    for edit in &plan.job.edits {
        let counts = || totals.edits.iter().flatten().filter(|(count, _)| count.edit == edit.id);
        if counts().next().is_none() {
            warnings.push(format!("edit `{}`: holds no cell of the grid: {}", edit.id, edit.path.display()));
        } else if counts().all(|(count, _)| count.before == count.after) {
            warnings.push(format!(
                "edit `{}`: edited nothing: no cell that it holds is {}, or all are {} already",
                edit.id, edit.from, edit.to
            ));
        }
    }
    warnings
}

/// A mapped year and the cells that an edit holds in it, edited or not.
fn held(plan: &JobPlan, totals: &Totals, edit: &Edit, year: i32) -> (String, u64) {
    let position = plan.job.epochs.iter().position(|epoch| *epoch == year);
    let counts = position.and_then(|position| totals.edits.get(position)).into_iter().flatten();
    let cells = counts.filter(|(count, _)| count.edit == edit.id).map(|(_, amount)| amount.pixels).sum();
    (year.to_string(), cells)
}

/// One line for each overlay.
pub fn lines(plan: &JobPlan) -> Vec<String> {
    let edits = plan.job.edits.iter().enumerate().map(|(position, edit)| {
        let years: Vec<String> = edit.epochs.iter().map(ToString::to_string).collect();
        format!(
            "edit `{}`: {} to {} in {}, by {} on {}: {}; {}",
            edit.id,
            edit.from,
            edit.to,
            years.join(", "),
            edit.author,
            edit.date,
            edit.reason,
            on_grids(plan, |grid| Some(&grid.overlays.edits[position].mask), Mask::words).join("; ")
        )
    });
    plan.job.coast.iter().map(|coast| coast_line(plan, coast)).chain(edits).collect()
}

fn coast_line(plan: &JobPlan, coast: &Coast) -> String {
    let fringe = match (coast.fringe, coast.water) {
        (FringeFile::Water, Some(code)) => format!("class {code}"),
        _ => "no class".into(),
    };
    let land = on_grids(plan, |grid| Some(&grid.overlays.coast.as_ref()?.land), Mask::words);
    format!("coast: a fringe of {} cells gets {fringe}; land is {}", coast.cells, land.join("; "))
}

fn proj(mask: &Mask) -> String {
    mask.operation().map_or(String::new(), |operation| operation.text.clone())
}

/// What is to be told of a mask on each grid, once where it is the same.
fn on_grids(
    plan: &JobPlan,
    mask: impl for<'p> Fn(&'p Plan) -> Option<&'p Mask>,
    tell: impl Fn(&Mask) -> String,
) -> Vec<String> {
    let mut told = Vec::new();
    for words in plan.grids.iter().filter_map(&mask).map(tell) {
        if !words.is_empty() && !told.contains(&words) {
            told.push(words);
        }
    }
    told
}
