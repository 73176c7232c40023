//! `nalcms submit slurm JOB.toml`: hands a job to a scheduler, as an array of shards and a merge after it.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, FromArgMatches, Subcommand};
use serde_json::json;

use super::job_input::{JobInput, LaidOut};
use super::options::{GuardOptions, TalkOptions};
use super::slurm_scripts::{SlurmOptions, Submission};
use super::status::{open_shards, ranges};
use super::{Answer, Verb};
use crate::error::{Error, ErrorKind, Result};
use crate::io::atomic::{make_folder, write_bytes};
use crate::plan::comparability::refuse_nothing_left;
use crate::plan::file::PlanFile;
use crate::plan::fingerprint::Identified;
use crate::plan::shard::{Share, worthwhile_shards};
use crate::run::folder::Access;
use crate::run::merge::{is_in_place, words};
use crate::run::{mirror, work_folder};

pub static VERB: Verb = Verb {
    name: "submit",
    arguments: |command| {
        SubmitCommand::augment_subcommands(command)
            .about("Hand a job to a scheduler: an array of shards, and a merge after it")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .after_help("Example:\n  nalcms submit slurm job.toml --partition work --time 02:00:00 --dry-run")
    },
    run: |matches| match SubmitCommand::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))? {
        SubmitCommand::Slurm(args) => slurm(&args),
    },
};

#[derive(Debug, Subcommand)]
enum SubmitCommand {
    /// Submit with sbatch what is not done yet; submit again after failures
    #[command(after_help = "Examples:\n  \
        nalcms submit slurm job.toml --time 01:00:00 --mem 4G\n  \
        nalcms submit slurm plan.json --partition work --throttle 20 --dry-run\n  \
        nalcms submit slurm plan.json --sbatch-arg=--constraint=icelake --sbatch-arg=--mail-type=FAIL")]
    Slurm(Box<SlurmArgs>),
}

#[derive(Debug, Args)]
struct SlurmArgs {
    #[command(flatten)]
    job: JobInput,
    /// Print the scripts and what would be called; write and submit nothing
    #[arg(long)]
    dry_run: bool,
    /// Largest array that the cluster takes (MaxArraySize - 1); a job has so many shards at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    max_array: usize,
    /// The program on the nodes; default: this one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    #[command(flatten)]
    slurm: SlurmOptions,
    #[command(flatten)]
    guard: GuardOptions,
    #[command(flatten)]
    talk: TalkOptions,
}

fn at_least_one(text: &str) -> std::result::Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "write a whole number from 1".into())
}

fn slurm(args: &SlurmArgs) -> Result<Answer> {
    let laid = args.job.lay_out(|_| {}, &args.guard, false)?;
    let plan = &laid.plan;
    refuse_nothing_left(&plan.job, &plan.comparability)?;
    if plan.job.store.is_some() && (args.job.work.is_some() || plan.job.compute.work.is_none()) {
        return Err(Error::usage("plan, scripts and logs need a folder that all nodes see")
            .found("an output in a store, and a work folder of this machine")
            .help("name one in the job file: [compute] work = \"FOLDER\"; or make the array yourself: docs/clusters.md"));
    }
    let hashes = laid.hashes(&Share::All)?;
    let planned = laid.shards(None);
    let shards = planned.unwrap_or_else(|| worthwhile_shards(plan, Some(args.max_array)));
    refuse_too_many(shards, args.max_array)?;

    let ledger = mirror::read_ledger(plan, &hashes, &plan.job.output, &Share::All)?;
    if is_in_place(plan, &ledger, &plan.job.output) && mirror::is_published_as_here(&plan.job)? {
        let text = format!("{}: everything is done; nothing was submitted\n", plan.job.output.display());
        let json = json!({ "shards": shards, "todo_shards": [], "array_job": null, "merge_job": null });
        return Ok(Answer { text, json, finding: false });
    }
    let todo = open_shards(plan, &ledger, shards);

    let submission = submission(args, &laid)?;
    let scripts = [
        (submission.array_path(), submission.array_script(&args.slurm)?),
        (submission.merge_path(), submission.merge_script(&args.slurm)?),
    ];
    let array = (!todo.is_empty()).then(|| submission.array_arguments(&args.slurm, &ranges(&todo)));
    if args.dry_run {
        return Ok(rehearsal(&submission, &scripts, array.as_deref()));
    }

    let folder = mirror::take(&plan.job, false, Access::Parts)?;
    make_folder(&submission.folder)?;
    if planned.is_none() {
        let identified = Identified::of(plan, &hashes, &Share::All);
        let file =
            PlanFile::of(plan, &args.job.job, &submission.plan, &hashes, identified, words(plan), shards)?;
        write_bytes(&submission.plan, file.text()?.as_bytes())?;
    }
    for (path, script) in &scripts {
        write_bytes(path, script.as_bytes())?;
    }
    drop(folder);
    let array_job = array.map(|arguments| sbatch(&arguments)).transpose()?;
    let merge_job =
        sbatch(&submission.merge_arguments(array_job.as_deref())).map_err(|error| match &array_job {
            Some(id) => error.help(format!(
                "the array runs as job {id}; when it has ended: sbatch {}",
                submission.merge_path().display()
            )),
            None => error,
        })?;
    let sent = match &array_job {
        Some(id) => format!("job {id}: {} of {shards} shards ({}); after it ", todo.len(), ranges(&todo)),
        None => "all parts are there; ".into(),
    };
    let text = format!(
        "{sent}job {merge_job}: merge\nplan {}, scripts and logs in {}\n",
        submission.plan.display(),
        submission.folder.display()
    );
    let json = json!({
        "plan": submission.plan, "folder": submission.folder, "shards": shards, "todo_shards": todo,
        "array_job": array_job, "merge_job": merge_job,
    });
    Ok(Answer { text, json, finding: false })
}

/// Scripts and logs lie with the parts. Paths stay as they are called: what a link or a mount is on this machine it need
/// not be on the nodes.
fn submission(args: &SlurmArgs, laid: &LaidOut) -> Result<Submission> {
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .map_err(|e| Error::io("a path cannot be made absolute", &e).at(path.display()))
    };
    let folder = absolute(&work_folder(&laid.plan.job.output).join("slurm"))?;
    let program = match &args.program {
        Some(path) => absolute(path)?,
        None => std::env::current_exe().map_err(|e| {
            Error::io("where this program lies cannot be found out", &e).help("say --program FILE")
        })?,
    };
    let plan = match laid.shards(None) {
        Some(_) => absolute(&args.job.job)?,
        None => folder.join("plan.json"),
    };
    Ok(Submission { program, plan, folder, name: laid.plan.job.name.clone() })
}

fn refuse_too_many(shards: usize, most: usize) -> Result<()> {
    if shards <= most {
        return Ok(());
    }
    Err(Error::usage("the plan has more shards than the array may have elements")
        .found(format!("{shards} shards"))
        .expected(format!("at most --max-array {most}"))
        .help("make a plan of fewer shards: nalcms plan JOB.toml -o PLAN.json --shards N"))
}

/// What would be written and called.
fn rehearsal(submission: &Submission, scripts: &[(PathBuf, String)], array: Option<&[String]>) -> Answer {
    let merge = submission.merge_arguments(array.map(|_| "$array"));
    let line = |arguments: &[String]| format!("sbatch {}", shown(arguments));
    let mut calls = Vec::new();
    if let Some(arguments) = array {
        calls.push(format!("array=$({})", line(arguments)));
    }
    calls.push(line(&merge));
    let mut text = String::new();
    for (path, script) in scripts {
        text += &format!("# {}\n{script}\n", path.display());
    }
    text += &format!("# what would be called\n{}\n", calls.join("\n"));
    let scripts: Vec<_> =
        scripts.iter().map(|(path, script)| json!({ "path": path, "text": script })).collect();
    let json = json!({ "plan": submission.plan, "scripts": scripts, "calls": calls });
    Answer { text, json, finding: false }
}

/// Arguments as a shell takes them; the number of the array, which is not known yet, stays a variable.
fn shown(arguments: &[String]) -> String {
    let word = |argument: &String| match argument.contains("$array") {
        true => format!("\"{argument}\""),
        false => shlex::try_quote(argument).map(String::from).unwrap_or_default(),
    };
    arguments.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Submits a script; the number of the job.
fn sbatch(arguments: &[String]) -> Result<String> {
    let answer = Command::new("sbatch").args(arguments).output().map_err(|e| {
        Error::new(ErrorKind::Io, "sbatch cannot be started")
            .found(e)
            .help("submit on a machine of the cluster, or see what would be submitted with --dry-run")
    })?;
    let told = String::from_utf8_lossy(&answer.stdout);
    // `--parsable` tells the number, and after a semicolon the cluster.
    let id = told.trim().split(';').next().unwrap_or_default();
    if answer.status.success() && !id.is_empty() {
        return Ok(id.into());
    }
    Err(Error::usage("sbatch refuses the job")
        .at(format!("sbatch {}", shown(arguments)))
        .found(String::from_utf8_lossy(&answer.stderr).trim())
        .expected("the number of the job"))
}
