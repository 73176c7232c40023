//! `nalcms merge JOB.toml`: assembles finished tasks into mosaics and tables.

use std::path::PathBuf;

use clap::{Args, FromArgMatches};
use serde_json::json;

use super::options::{ComputeOptions, GuardOptions, TalkOptions};
use super::run::write_provenance;
use super::{Answer, Verb};
use crate::config::job::Job;
use crate::error::{Error, Result};
use crate::plan::JobPlan;
use crate::plan::comparability::refuse_nothing_left;
use crate::plan::fingerprint::InputHashes;
use crate::run::folder::OutputFolder;
use crate::run::ledger::Ledger;
use crate::run::merge::merge;
use crate::run::{thread_pool, work_folder};

pub static VERB: Verb = Verb {
    name: "merge",
    arguments: |command| {
        MergeArgs::augment_args(command)
            .about("Assemble finished tasks into mosaics and tables; refuses gaps (exit 3)")
            .after_help("Example:\n  nalcms merge job.toml")
    },
    run: |matches| {
        let args = MergeArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        assemble(&args)
    },
};

#[derive(Debug, Args)]
struct MergeArgs {
    /// The job file
    job: PathBuf,
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
    let mut job = Job::read(&args.job)?;
    args.compute.overlay(&mut job.compute);
    args.guard.overlay(&mut job);
    job.release.demanded = args.release;
    let plan = JobPlan::of(job)?;
    refuse_nothing_left(&plan.job, &plan.comparability)?;
    let folder = OutputFolder::take(&plan.job.output, &plan.job.name, args.overwrite)?;
    let merged = thread_pool(&plan)?.install(|| {
        let hashes = InputHashes::of(&plan, &work_folder(&folder.path).join("inputs.json"))?;
        let ledger = Ledger::read(&plan, &hashes, &folder.path);
        let run = json!({ "tasks": plan.task_count(), "computed": 0, "kept": plan.task_count() });
        merge(&plan, &ledger, &folder.path, None, |merged| {
            write_provenance(&folder.path, &plan, &hashes, merged, run)
        })
    })?;
    let text = format!("{}: {} files in place\n", folder.path.display(), merged.files.len() + 2);
    let json = json!({ "output": folder.path, "complete": true, "files": merged.files });
    Ok(Answer { text, json, finding: false })
}
