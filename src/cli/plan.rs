//! `nalcms plan JOB.toml`: what `run` would do. Writes nothing.

use std::path::{Path, PathBuf};

use clap::{Args, FromArgMatches};
use serde_json::{Value, json};

use super::options::{ComputeOptions, GuardOptions, TalkOptions};
use super::{Answer, Verb};
use crate::config::job::Job;
use crate::error::{Error, Result};
use crate::io::atomic::write_bytes;
use crate::model::source::Role;
use crate::plan::file::PlanFile;
use crate::plan::fingerprint::Identified;
use crate::plan::input_hashes::{HashRequest, InputHashes};
use crate::plan::sections::Sections;
use crate::plan::shard::{Share, worthwhile_shards};
use crate::plan::{EpochPlan, JobPlan, Plan, Scene};
use crate::report::{comparability, officials, overlays, stratum_layers, zone_layers};
use crate::run::forecast::Forecast;
use crate::run::merge::words;
use crate::run::{thread_pool, work_folder, workers};

pub static VERB: Verb = Verb {
    name: "plan",
    arguments: |command| {
        PlanArgs::augment_args(command)
            .about("Show what a job would do: inputs as understood, tasks, memory, warnings; writes nothing but the plan file that is asked for")
            .after_help("Examples:\n  nalcms plan job.toml\n  nalcms plan job.toml --json\n  nalcms plan job.toml -o plan.json --shards 64")
    },
    run: |matches| {
        let args = PlanArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        plan(&args)
    },
};

#[derive(Debug, Args)]
struct PlanArgs {
    /// The job file
    job: PathBuf,
    /// Write a plan file, which run, status and merge take: it hashes all inputs and pins everything that can change a byte
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Number of shards of the plan file; without it as many as are worth their start-up
    #[arg(long, value_name = "N", requires = "output")]
    shards: Option<usize>,
    #[command(flatten)]
    compute: ComputeOptions,
    #[command(flatten)]
    guard: GuardOptions,
    #[command(flatten)]
    talk: TalkOptions,
}

fn plan(args: &PlanArgs) -> Result<Answer> {
    let mut job = Job::read(&args.job)?;
    args.compute.overlay(&mut job.compute);
    args.guard.overlay(&mut job);
    let plan = JobPlan::of(job)?;
    let forecast = Forecast::of(&plan);
    let (mut text, mut json) = (as_text(&plan, &forecast), as_json(&plan, &forecast));
    if let Some(path) = &args.output {
        let shards = write_plan_file(&plan, args, path)?;
        text += &format!("plan {}: {} tasks in {shards} shards\n", path.display(), plan.task_count());
        json["plan_file"] = json!({ "path": path, "shards": shards });
    }
    Ok(Answer { text, json, finding: !forecast.obstacles.is_empty() })
}

/// Pins the plan in a file of its own; its number of shards.
fn write_plan_file(plan: &JobPlan, args: &PlanArgs, path: &Path) -> Result<usize> {
    refuse_other_file(path)?;
    let shards = match args.shards {
        Some(0) => return Err(Error::usage("a job has at least one shard").found("--shards 0")),
        Some(shards) => shards,
        None => worthwhile_shards(plan, None),
    };
    let cache = &work_folder(&plan.job.output).join("inputs.json");
    let request = HashRequest { cache, rehash: false, share: &Share::All, planned: None };
    let hashes = thread_pool(plan)?.install(|| InputHashes::of(plan, &request))?;
    let identified = Identified::of(plan, &hashes, &Share::All);
    let file = PlanFile::of(plan, &args.job, path, &hashes, identified, words(plan), shards)?;
    write_bytes(path, file.text()?.as_bytes())?;
    Ok(shards)
}

/// A plan replaces a plan, and no other file: not the job file, not an input.
fn refuse_other_file(path: &Path) -> Result<()> {
    let is_plan = |bytes: &[u8]| {
        serde_json::from_slice::<Value>(bytes)
            .is_ok_and(|v| v.get("tasks").is_some() && v.get("job").is_some())
    };
    if path == Path::new("-") || (path.exists() && !std::fs::read(path).is_ok_and(|bytes| is_plan(&bytes))) {
        return Err(Error::usage("a plan is written to a file of its own")
            .found(path.display())
            .expected("a new file, or an earlier plan to replace")
            .help("name another file; --json prints the plan"));
    }
    Ok(())
}

fn as_text(plan: &JobPlan, forecast: &Forecast) -> String {
    let mut text = String::new();
    if plan.has_several_grids() {
        text += &format!("{}: {} grids that share one set of tables\n", plan.job.name, plan.grids.len());
    }
    for grid in &plan.grids {
        text += &grid_text(grid);
        text += &inputs_of_grid(grid);
    }
    let pairs: Vec<String> = plan.pairs.iter().map(ToString::to_string).collect();
    text += &format!("change: {}\n", if pairs.is_empty() { "none".into() } else { pairs.join(", ") });
    for line in comparability::lines(plan) {
        text += &format!("{line}\n");
    }
    if let (Some(domain), Some(described)) = (&plan.first().domain, &plan.job.domain) {
        text += &format!(
            "domains: {}, key `{}`: {}; slivers up to {} cells\n",
            domain.polygons.path.display(),
            described.key,
            domain.sections.join(", "),
            domain.sliver_cells
        );
    }
    for place in 0..plan.job.zones.len() {
        text += &format!("{}\n", zone_layers::line(plan, place));
    }
    let officials = plan.grids.iter().flat_map(officials::lines);
    for line in stratum_layers::lines(plan).into_iter().chain(overlays::lines(plan)).chain(officials) {
        text += &format!("{line}\n");
    }
    text += &between_text(plan);
    for grid in &plan.grids {
        text += &grid.grid_id.as_ref().map_or(String::new(), |id| format!("grid `{id}`: "));
        text += &format!(
            "{} tasks of {} x {} cells, {} at once, about {} MiB each; {} overview levels\n",
            grid.tasks.len(),
            grid.task_shape.rows,
            grid.task_shape.cols,
            workers(plan),
            grid.task_bytes() >> 20,
            grid.levels
        );
    }
    for (grid, &product) in plan.grids.iter().flat_map(|grid| grid.products.iter().map(move |p| (grid, p))) {
        text += &format!("writes {}\n", grid.path_of(product));
    }
    text += &format!(
        "reads {} MiB, writes about {} MiB twice (parts, outputs)",
        forecast.input_bytes.div_ceil(1 << 20),
        forecast.output_bytes.div_ceil(1 << 20)
    );
    text += &forecast.free_bytes.map_or("\n".into(), |free| format!("; {} MiB are free\n", free >> 20));
    for warning in plan.warnings.iter().chain(&forecast.doubts) {
        text += &format!("warning: {warning}\n");
    }
    for obstacle in &forecast.obstacles {
        text += &format!("run will refuse this: {obstacle}\n");
    }
    text
}

/// What is looked for between sources, where the job asks for it.
fn between_text(plan: &JobPlan) -> String {
    let mut text = String::new();
    if let Some(cells) = plan.job.seams {
        let sections = Sections::of(&plan.job);
        let names = sections.names().join(", ");
        text += &format!("seams: between {names}; control pairs {cells} cells behind each boundary\n");
    }
    if plan.job.gaps {
        text += "gaps: cells between sources that none of them decides\n";
    }
    text
}

/// Where the cells of a grid lie, how large they are and, of several grids, which sources lie on it.
fn grid_text(plan: &Plan) -> String {
    let grid = &plan.grid;
    let crs = grid.crs.as_ref().map_or("no CRS".to_string(), |c| format!("{} ({})", c.name, c.ellipsoid));
    let mut text = format!(
        "{}: {} x {} cells of {} on {crs}\n  lattice row {}, column {}; bounds {:?}\n  area: {}\n",
        plan.grid_id.as_ref().map_or_else(|| plan.job.name.clone(), |id| format!("grid `{id}`")),
        grid.rows,
        grid.cols,
        grid.resolution_word(),
        grid.lattice.0,
        grid.lattice.1,
        grid.bounds(),
        plan.area.method()
    );
    if let Some(words) = &plan.ellipsoidal {
        text += &format!("  ellipsoidal area: {words}\n");
    }
    if plan.grid_id.is_some() {
        text +=
            &format!("  sources: {}\n", plan.sources().map(|s| s.id.as_str()).collect::<Vec<_>>().join(", "));
    }
    text
}

/// Every input of every year, as understood.
pub fn inputs_text(plan: &JobPlan) -> String {
    plan.grids.iter().map(inputs_of_grid).collect()
}

fn inputs_of_grid(plan: &Plan) -> String {
    let epoch = |epoch: &EpochPlan| {
        if epoch.scenes.is_empty() {
            return format!("{}\n  no map: nodata everywhere\n", epoch.year);
        }
        let scenes = epoch.scenes.iter().map(|scene| scene_text(plan, epoch.year, scene));
        format!("{}\n{}", epoch.year, scenes.collect::<String>())
    };
    plan.epochs.iter().map(epoch).collect()
}

fn scene_text(plan: &Plan, year: i32, scene: &Scene) -> String {
    let (header, source) = (&scene.header, &plan.job.sources[usize::from(scene.source)]);
    let map = &source.maps[&year];
    let map = map.layers().nth(scene.depth).unwrap_or(map);
    let crs =
        header.grid.crs.as_ref().map_or("no CRS".to_string(), |c| format!("{} ({})", c.name, c.ellipsoid));
    let crosswalk = map.crosswalk.as_ref().map_or("codes kept".to_string(), |c| c.id.clone());
    format!(
        "  {} [{}] {} x {} {}, {crs}\n    legend {}, {crosswalk}; nodata: {}; {}{}\n",
        header.path.display(),
        source.id,
        header.grid.rows,
        header.grid.cols,
        header.sample.word(),
        map.legend.id,
        nodata_words(map.legend.nodata.iter().map(|n| n.value), &scene.tag.words()),
        scene.alignment.words(),
        part_words(plan, scene)
    )
}

/// What part a map plays that is not the map of its source all by itself.
fn part_words(plan: &Plan, scene: &Scene) -> String {
    let role = match plan.role(scene) {
        Role::Fill(receiver, _) => {
            format!("; stands in where `{}` saw nothing", plan.job.sources[usize::from(receiver)].id)
        }
        Role::Maps | Role::Fringe | Role::Official => String::new(),
    };
    let masks: Vec<String> = scene.mask.iter().map(|mask| mask.header.path.display().to_string()).collect();
    let update = match (scene.depth, masks.as_slice()) {
        (0, []) if scene.is_of_an_update => "; labels of an update".into(),
        (0, []) => String::new(),
        (0, _) => format!("; labels of an update, where {} is not 0", masks.join(" or ")),
        _ => "; base of an update".into(),
    };
    role + &update
}

/// The legend's nodata values and the verdict on the tag.
pub fn nodata_words(values: impl Iterator<Item = i32>, tag: &str) -> String {
    let values: Vec<String> = values.map(|v| v.to_string()).collect();
    let legend = if values.is_empty() {
        "none by the legend".to_string()
    } else {
        format!("{} by the legend", values.join(" "))
    };
    format!("{legend}; {tag}")
}

fn as_json(plan: &JobPlan, forecast: &Forecast) -> Value {
    let mut json = json!({
        "name": plan.job.name,
        "job": crate::report::manifest::job(plan),
        "area_method": plan.area_method(), "ellipsoidal_area_method": plan.ellipsoidal,
        "inputs": plan.grids.iter().flat_map(inputs_json).collect::<Vec<_>>(),
        "zones": (0..plan.job.zones.len()).map(|place| zone_layers::description(plan, place)).collect::<Vec<_>>(),
        "strata": stratum_layers::descriptions(plan),
        "tasks": plan.tasks().map(|(grid, t)| of_grid(grid, json!({ "index": t.index, "window": t.window }))).collect::<Vec<_>>(),
        "workers": workers(plan), "bytes_per_task": plan.task_bytes(),
        "outputs": plan.grids.iter().flat_map(|grid| grid.products.iter().map(|p| grid.path_of(*p))).collect::<Vec<_>>(),
        "bytes": { "inputs": forecast.input_bytes, "outputs_about": forecast.output_bytes, "free": forecast.free_bytes },
        "comparability": comparability::facts(plan), "allowed_incomparable": comparability::allowed(plan),
        "warnings": plan.warnings.iter().chain(&forecast.doubts).collect::<Vec<_>>(),
        "obstacles": forecast.obstacles,
    });
    if !plan.job.official.is_empty() {
        json["official"] = json!(officials::layers(plan, None));
    }
    if plan.has_several_grids() {
        json["grids"] = plan.grids.iter().map(grids_json).collect();
    } else {
        json["grid"] = grid_json(plan.first());
        json["overview_levels"] = json!(plan.first().levels);
    }
    json
}

fn grid_json(Plan { grid, .. }: &Plan) -> Value {
    json!({ "crs": grid.crs, "affine": grid.affine, "rows": grid.rows, "cols": grid.cols, "lattice": grid.lattice })
}

/// One of several grids, with what a plan of a single grid tells beside it.
fn grids_json(plan: &Plan) -> Value {
    let mut json = grid_json(plan);
    json["id"] = json!(plan.grid_id);
    json["area_method"] = json!(plan.area.method());
    json["outside_grid"] = json!(plan.outside_grid);
    json["sources"] = plan.sources().map(|source| json!(source.id)).collect();
    json["tasks"] = json!(plan.tasks.len());
    json["overview_levels"] = json!(plan.levels);
    json
}

/// Facts that say which of several grids they are about.
fn of_grid(plan: &Plan, mut facts: Value) -> Value {
    if let Some(id) = &plan.grid_id {
        facts["grid"] = json!(id);
    }
    facts
}

fn inputs_json(plan: &Plan) -> Vec<Value> {
    let scene = |year: i32, scene: &Scene| {
        let source = &plan.job.sources[usize::from(scene.source)];
        let facts = json!({
            "source": source.id, "year": year, "header": scene.header, "nodata": scene.tag.words(),
            "nodata_listed": source.maps[&year].legend.nodata.iter().map(|n| n.value).collect::<Vec<_>>(),
            "alignment": scene.alignment.words(), "footprint": scene.footprint, "priority": scene.priority,
        });
        of_grid(plan, facts)
    };
    plan.epochs.iter().flat_map(|e| e.scenes.iter().map(move |s| scene(e.year, s))).collect()
}
