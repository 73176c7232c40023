//! `nalcms run JOB.toml`: the main job, end to end.

use std::path::{Path, PathBuf};

use clap::{Args, FromArgMatches};
use serde_json::json;

use super::options::{ComputeOptions, GuardOptions, TalkOptions};
use super::{Answer, Verb, talk};
use crate::config::job::Job;
use crate::error::Result;
use crate::io::progress::Progress;
use crate::model::area::Amount;
use crate::plan::JobPlan;
use crate::plan::comparability::refuse_nothing_left;
use crate::plan::fingerprint::InputHashes;
use crate::report::manifest::{self, standing};
use crate::report::{overlays, zone_layers};
use crate::run::folder::OutputFolder;
use crate::run::ledger::Ledger;
use crate::run::merge::{Merged, merge};
use crate::run::{RunSummary, run_tasks, thread_pool, work_folder};

pub static VERB: Verb = Verb {
    name: "run",
    arguments: |command| {
        RunArgs::augment_args(command)
            .about("Run a job end to end; what is already done is skipped")
            .after_help(
                "Examples:\n  nalcms run job.toml\n  nalcms run job.toml --threads 2 --progress plain",
            )
    },
    run: |matches| {
        let args =
            RunArgs::from_arg_matches(matches).map_err(|e| crate::error::Error::usage(e.to_string()))?;
        run(&args)
    },
};

#[derive(Debug, Args)]
struct RunArgs {
    /// The job file
    job: PathBuf,
    /// Refuse to publish what rests on proposed crosswalk rows, but for those in `accept_proposed`
    #[arg(long)]
    release: bool,
    /// Write into a folder that holds other files or belongs to another job
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    compute: ComputeOptions,
    #[command(flatten)]
    guard: GuardOptions,
    #[command(flatten)]
    talk: TalkOptions,
}

fn run(args: &RunArgs) -> Result<Answer> {
    let mut job = Job::read(&args.job)?;
    args.compute.overlay(&mut job.compute);
    args.guard.overlay(&mut job);
    job.release.demanded = args.release;
    let plan = JobPlan::of(job)?;
    let finished = execute(&plan, &args.compute.progress(&args.talk), args.overwrite, &args.talk)?;
    Ok(finished.answer(&plan))
}

/// What a run leaves.
pub struct Finished {
    /// What was done now.
    pub summary: RunSummary,
    /// What lies in the output folder.
    pub merged: Merged,
}

/// Runs a plan in its own output folder: tasks, merge, provenance.
///
/// # Errors
/// As [`run_tasks`] and [`merge`].
pub fn execute(
    plan: &JobPlan,
    progress: &Progress,
    overwrite: bool,
    talking: &TalkOptions,
) -> Result<Finished> {
    // Before the folder is taken: what is refused leaves nothing behind.
    refuse_nothing_left(&plan.job, &plan.comparability)?;
    let folder = OutputFolder::take(&plan.job.output, &plan.job.name, overwrite)?;
    if talking.verbose > 0 {
        talk(&super::plan::inputs_text(plan));
    }
    if !talking.quiet {
        plan.warnings.iter().for_each(|warning| talk(&format!("warning: {warning}")));
    }
    thread_pool(plan)?.install(|| work_through(plan, &folder.path, progress, talking.quiet))
}

/// Tasks, merge and provenance, on the pool it is called in.
fn work_through(plan: &JobPlan, output: &Path, progress: &Progress, quiet: bool) -> Result<Finished> {
    let hashes = InputHashes::of(plan, &work_folder(output).join("inputs.json"))?;
    let mut ledger = Ledger::read(plan, &hashes, output);
    let summary = run_tasks(plan, &mut ledger, progress)?;
    let run = json!({
        "tasks": plan.task_count(), "computed": summary.computed, "kept": summary.kept, "seconds": summary.seconds,
    });
    let provenance = |merged: &Merged| write_provenance(output, plan, &hashes, merged, run);
    let merged = merge(plan, &ledger, output, summary.outside.clone(), provenance)?;
    for (path, cells) in merged.outside.iter().filter(|_| !quiet) {
        talk(&format!(
            "warning: {}: {cells} valid cells lie outside the grid and were left out",
            path.display()
        ));
    }
    let totals = &merged.totals;
    let warnings = [zone_layers::warnings(plan, totals), overlays::warnings(plan, totals)].concat();
    for warning in warnings.iter().filter(|_| !quiet) {
        talk(&format!("warning: {warning}"));
    }
    Ok(Finished { summary, merged })
}

/// Writes run.json, or mends it where all outputs are in place already; `run` says what this invocation did.
///
/// # Errors
/// Io: the disk refuses.
pub fn write_provenance(
    output: &Path,
    plan: &JobPlan,
    hashes: &InputHashes,
    merged: &Merged,
    run: serde_json::Value,
) -> Result<()> {
    let facts = manifest::Facts { totals: &merged.totals, files: &merged.files, outside: &merged.outside };
    if merged.unchanged {
        return manifest::refresh(output, plan, hashes, facts, run);
    }
    manifest::write(output, plan, hashes, facts, run)
}

impl Finished {
    fn answer(&self, plan: &JobPlan) -> Answer {
        let summary = &self.summary;
        let mut text = format!(
            "{}: {} of {} tasks computed, {} kept; {} files\n",
            shown(&plan.job.output).display(),
            summary.computed,
            plan.task_count(),
            summary.kept,
            self.merged.files.len() + 2
        );
        for (position, year) in plan.job.epochs.iter().enumerate() {
            let standing = standing(&self.merged.totals, position);
            let pixels = |amount: Amount| amount.pixels as f64;
            if standing.proposed.pixels > 0 {
                text += &format!(
                    "  {}: {:.1} % of the mapped area rests on proposed crosswalk rows{}\n",
                    year,
                    pixels(standing.proposed) * 100.0 / pixels(standing.mapped).max(1.0),
                    if standing.defaulted.pixels > 0 {
                        format!(
                            ", {:.1} % on defaults for a missing stratum",
                            pixels(standing.defaulted) * 100.0 / pixels(standing.mapped)
                        )
                    } else {
                        String::new()
                    }
                );
            }
        }
        let json = json!({
            "output": plan.job.output, "complete": true, "tasks": plan.task_count(), "computed": summary.computed,
            "kept": summary.kept, "seconds": summary.seconds, "files": self.merged.files,
        });
        Answer { text, json, finding: false }
    }
}

/// A folder as one would name it from here.
fn shown(path: &Path) -> PathBuf {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    match std::env::current_dir() {
        Ok(here) => whole.strip_prefix(here).map(Path::to_path_buf).unwrap_or(whole),
        Err(_) => whole,
    }
}
