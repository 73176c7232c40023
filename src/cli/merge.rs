//! `nalcms merge JOB.toml`: assembles finished tasks into mosaics and tables.

use clap::{Args, FromArgMatches};
use serde_json::json;

use super::job_input::JobInput;
use super::options::{ComputeOptions, GuardOptions, TalkOptions};
use super::run::{warn_of_outside, write_provenance};
use super::{Answer, Verb};
use crate::error::{Error, Result};
use crate::plan::comparability::refuse_nothing_left;
use crate::plan::shard::Share;
use crate::run::folder::Access;
use crate::run::merge::merge;
use crate::run::mirror::{publish, read_ledger, take};
use crate::run::stand_in::stand_in_for_open_tasks;
use crate::run::thread_pool;

pub static VERB: Verb = Verb {
    name: "merge",
    arguments: |command| {
        MergeArgs::augment_args(command)
            .about("Assemble finished tasks into mosaics and tables; refuses gaps (exit 3)")
            .after_help("Examples:\n  nalcms merge job.toml\n  nalcms merge plan.json")
    },
    run: |matches| {
        let args = MergeArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        assemble(&args)
    },
};

#[derive(Debug, Args)]
struct MergeArgs {
    #[command(flatten)]
    input: JobInput,
    /// Publish without the tasks that are not done: nodata in their place, stamped as incomplete; exit 1
    #[arg(long)]
    allow_incomplete: bool,
    /// Refuse to publish what rests on proposed crosswalk rows, but for those in `accept_proposed`
    #[arg(long)]
    release: bool,
    /// Write into a folder that belongs to another job
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    compute: ComputeOptions,
    #[command(flatten)]
    guard: GuardOptions,
    #[command(flatten)]
    talk: TalkOptions,
}

fn assemble(args: &MergeArgs) -> Result<Answer> {
    let job = args.input.lay_out(|compute| args.compute.overlay(compute), &args.guard, args.release)?;
    let plan = &job.plan;
    refuse_nothing_left(&plan.job, &plan.comparability)?;
    let folder = take(&plan.job, args.overwrite, Access::Whole)?;
    let merged = thread_pool(plan)?.install(|| {
        let hashes = job.hashes(&Share::All)?;
        let mut ledger = read_ledger(plan, &hashes, &folder.path, &Share::All)?;
        if args.allow_incomplete {
            stand_in_for_open_tasks(plan, &mut ledger, &folder.path)?;
        }
        let kept = plan.task_count() - ledger.missing().len();
        let run = json!({ "tasks": plan.task_count(), "computed": 0, "kept": kept });
        let merged = merge(plan, &ledger, &folder.path, None, |merged| {
            write_provenance(&folder.path, plan, &hashes, merged, run)
        })?;
        publish(plan, &merged)?;
        Ok(merged)
    })?;
    if !args.talk.quiet {
        warn_of_outside(&merged.outside);
    }
    let missing = &merged.totals.missing;
    let mut text =
        format!("{}: {} files in place\n", plan.job.destination().display(), merged.files.len() + 2);
    if !missing.is_empty() {
        text += &format!("  INCOMPLETE: {} tasks are missing\n", missing.len());
    }
    let json = json!({
        "output": plan.job.destination(), "complete": missing.is_empty(), "missing": missing, "files": merged.files,
    });
    Ok(Answer { text, json, finding: !missing.is_empty() })
}
