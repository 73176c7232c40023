//! The plan of a whole job: a plan for each of its grids, and what these share.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::comparability::{self, PairComparability};
use super::inputs::{InputHeader, read_headers};
use super::operations::Operations;
use super::strata::JobStrata;
use super::zones::CountedLayer;
use super::{Plan, Storage, Task, all_or_none, dedup, extent};
use crate::config::job::{Job, Source};
use crate::error::{Error, Result};
use crate::model::area::CellArea;
use crate::model::epoch::Interval;
use crate::model::source::Role;

/// Everything that a run will do, on all grids.
#[derive(Debug)]
pub struct JobPlan {
    /// The job.
    pub job: Arc<Job>,
    /// What is done on each grid; at least one.
    pub grids: Vec<Plan>,
    /// Pairs to compare.
    pub pairs: Vec<Interval>,
    /// What is known of each pair: which of its maps may be compared.
    pub comparability: Vec<PairComparability>,
    /// How the area of the cells of all grids together is told.
    pub area: CellArea,
    /// How the ellipsoidal areas beside those of a sphere are computed, where the job asks for them.
    pub ellipsoidal: Option<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Sources that have more files in one year than in another: a tile may be missing, and nothing else would tell.
fn uneven_tiles(job: &Job) -> Vec<String> {
    let uneven = |source: &Source| {
        let mut years: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (year, map) in source.maps.iter().filter(|(_, map)| map.update.is_none()) {
            years.entry(map.files.len()).or_default().push(year.to_string());
        }
        let told = years.iter().rev().map(|(files, years)| format!("{files} files in {}", years.join(", ")));
        (years.len() > 1).then(|| {
            format!(
                "source `{}` has {}: what no file maps becomes nodata",
                source.id,
                told.collect::<Vec<_>>().join("; ")
            )
        })
    };
    job.sources.iter().filter(|source| source.role == Role::Maps).filter_map(uneven).collect()
}

impl JobPlan {
    /// Reads the headers of all inputs and lays out the work.
    ///
    /// # Errors
    /// Input, Misaligned, Unsupported: every input that cannot be used, with the reason.
    pub fn of(job: Job) -> Result<Self> {
        let mut warnings = Vec::new();
        let job = Arc::new(job);
        let headers = by_grid(&job, read_headers(&job, &mut warnings)?);
        let grid_of = |(position, headers): (usize, &Vec<InputHeader>)| {
            let mut operations = Operations::default();
            let grid = extent::target_grid(&job, position, headers, &mut operations);
            Ok((grid.map_err(|e| on_grid(&job, position, e))?, operations))
        };
        let grids: Vec<_> = headers.iter().enumerate().map(grid_of).collect::<Result<_>>()?;
        let storage = Storage::of(&job, &headers.iter().flatten().collect::<Vec<_>>(), &mut warnings)?;
        let strata = JobStrata::read(&job)?;
        let (mut surveyed, mut refused) = (Vec::new(), Vec::new());
        for (position, ((grid, mut operations), headers)) in grids.into_iter().zip(&headers).enumerate() {
            let epochs = Plan::survey(
                &job,
                (position, &grid),
                headers,
                &strata,
                &mut operations,
                (&mut warnings, &mut refused),
            );
            warnings.extend(operations.warnings);
            surveyed.push((grid, epochs));
        }
        all_or_none(refused)?;
        warnings.extend(uneven_tiles(&job));
        let comparability = PairComparability::of_job(&job, &headers);
        warnings.extend(comparability::warnings(&job, &comparability, &headers));
        let mut plans: Vec<Plan> = Vec::new();
        for (position, (grid, epochs)) in surveyed.into_iter().enumerate() {
            let first_task = plans.iter().map(|plan| plan.tasks.len()).sum();
            let plan = Plan::lay_out(
                &job,
                (position, grid),
                epochs,
                storage,
                &comparability,
                first_task,
                &mut warnings,
            );
            plans.push(plan.map_err(|e| on_grid(&job, position, e))?);
        }
        let area = area_of_all(&plans);
        match &area {
            CellArea::Unknown(reason) => warnings.push(format!("areas stay empty: {reason}")),
            CellArea::Summed(_) if plans.len() > 1 => warnings.push(
                "cells of the grids differ in size: areas are added up, but percentages and rates are of cells".into(),
            ),
            CellArea::Summed(_) | CellArea::Constant(_) => {}
        }
        let ellipsoidal = ellipsoidal_of_all(&plans, &area)?;
        let (pairs, warnings) = (job.pairs.clone(), dedup(warnings));
        Ok(Self { pairs, comparability, job, grids: plans, area, ellipsoidal, warnings })
    }

    /// The first grid; of most jobs the only one.
    pub fn first(&self) -> &Plan {
        &self.grids[0]
    }

    /// Whether there are several grids.
    pub fn has_several_grids(&self) -> bool {
        self.grids.len() > 1
    }

    /// Every task of every grid with the plan it belongs to, in the order of their index.
    pub fn tasks(&self) -> impl Iterator<Item = (&Plan, &Task)> {
        self.grids.iter().flat_map(|plan| plan.tasks.iter().map(move |task| (plan, task)))
    }

    /// Number of tasks.
    pub fn task_count(&self) -> usize {
        self.grids.iter().map(|plan| plan.tasks.len()).sum()
    }

    /// Bytes that the largest task holds at its peak.
    pub fn task_bytes(&self) -> u64 {
        self.grids.iter().map(Plan::task_bytes).max().unwrap_or(0)
    }

    /// The zone layers whose cells are looked up, by what their zones are called: that is the same on every grid, as
    /// polygons are numbered as they stand in the file and cells of rasters by their value.
    pub fn zones(&self) -> &[CountedLayer] {
        &self.first().zones
    }

    /// Whole mm² that go with every cell of a grid when tables are added up, where cells of another grid are larger or
    /// smaller and its own are alike.
    pub fn cell_mm2(&self, plan: &Plan) -> Option<u64> {
        if self.area.is_summed() { plan.area.cell_mm2() } else { None }
    }

    /// One sentence on how areas were computed, for each grid.
    pub fn area_method(&self) -> String {
        if !self.has_several_grids() {
            return self.area.method();
        }
        let methods = self.grids.iter().map(|plan| format!("{}: {}", plan.words(), plan.area.method()));
        let methods = methods.collect::<Vec<_>>().join("; ");
        match &self.area {
            CellArea::Constant(_) => methods,
            CellArea::Summed(_) => format!("sums over grids, in whole mm2; {methods}"),
            CellArea::Unknown(_) => format!("{}; {methods}", self.area.method()),
        }
    }
}

/// The headers of each grid's own inputs.
fn by_grid(job: &Job, headers: Vec<InputHeader>) -> Vec<Vec<InputHeader>> {
    let mut grids: Vec<Vec<InputHeader>> = job.grids.iter().map(|_| Vec::new()).collect();
    for header in headers {
        grids[job.sources[header.source].grid].push(header);
    }
    grids
}

/// An error that says which of several grids it is about.
fn on_grid(job: &Job, position: usize, error: Error) -> Error {
    match &job.grids[position].id {
        Some(id) if job.grids.len() > 1 => error.at(format!("grid `{id}`")),
        _ => error,
    }
}

/// How the area of the cells of all grids together is told: by their number where all are alike, else as sums.
fn area_of_all(plans: &[Plan]) -> CellArea {
    let unknown = plans.iter().find_map(|plan| match &plan.area {
        CellArea::Unknown(reason) => Some((plan, reason)),
        CellArea::Constant(_) | CellArea::Summed(_) => None,
    });
    match (plans, unknown) {
        ([only], _) => only.area.clone(),
        (_, Some((plan, reason))) => CellArea::Unknown(format!("{}: {reason}", plan.words())),
        ([first, others @ ..], None) => {
            let alike = |plan: &Plan| plan.area.cell_mm2() == first.area.cell_mm2();
            if first.area.cell_mm2().is_some() && others.iter().all(alike) {
                return first.area.clone();
            }
            CellArea::Summed("sums over grids".into())
        }
        ([], None) => CellArea::Unknown("there is no grid".into()),
    }
}

fn ellipsoidal_of_all(plans: &[Plan], area: &CellArea) -> Result<Option<String>> {
    let words: Vec<&String> = plans.iter().filter_map(|plan| plan.ellipsoidal.as_ref()).collect();
    let Some(first) = words.first() else { return Ok(None) };
    // An amount has room for one sum of areas.
    if area.is_summed() {
        return Err(Error::usage("areas.ellipsoidal = true needs grids whose cells have one nominal area")
            .found_all(plans.iter().map(|plan| format!("{}: {}", plan.words(), plan.area.method())))
            .help("leave areas.ellipsoidal out, or give each cell size a job of its own"));
    }
    Ok(Some((*first).clone()))
}
