//! `nalcms status JOB.toml`: which tasks are done, stale or still to do.

use std::path::PathBuf;

use clap::{Args, FromArgMatches};
use serde_json::json;

use super::options::{GuardOptions, TalkOptions};
use super::{Answer, Verb};
use crate::config::job::Job;
use crate::error::{Error, Result};
use crate::io::digest::CHECKSUMS;
use crate::plan::fingerprint::InputHashes;
use crate::plan::{JobPlan, Plan, Task};
use crate::run::ledger::{Ledger, TaskState};
use crate::run::merge::is_in_place;
use crate::run::work_folder;

pub static VERB: Verb = Verb {
    name: "status",
    arguments: |command| {
        StatusArgs::augment_args(command)
            .about("Show which tasks of a job are done, stale (with the reason) or still to do")
            .after_help("Examples:\n  nalcms status job.toml\n  nalcms status job.toml --json")
    },
    run: |matches| {
        let args = StatusArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        status(&args)
    },
};

#[derive(Debug, Args)]
struct StatusArgs {
    /// The job file
    job: PathBuf,
    #[command(flatten)]
    guard: GuardOptions,
    #[command(flatten)]
    talk: TalkOptions,
}

fn status(args: &StatusArgs) -> Result<Answer> {
    let mut job = Job::read(&args.job)?;
    args.guard.overlay(&mut job);
    let plan = JobPlan::of(job)?;
    let output = &plan.job.output;
    let hashes = InputHashes::of(&plan, &work_folder(output).join("inputs.json"))?;
    let ledger = Ledger::read(&plan, &hashes, output);
    let states = [TaskState::Done, TaskState::ToDo, TaskState::Stale, TaskState::Torn];
    let mut text = format!("{}: {} tasks\n", output.display(), plan.task_count());
    for grid in plan.grids.iter().filter(|_| plan.has_several_grids()) {
        let done = grid.tasks.iter().filter(|task| ledger.states[task.index] == TaskState::Done).count();
        text += &format!("  {}: {done} of {} done\n", grid.words(), grid.tasks.len());
    }
    for state in states.into_iter().filter(|state| ledger.count(*state) > 0) {
        text += &format!("  {:>6} {}\n", ledger.count(state), state.reason());
    }
    text += &edited(&plan, &ledger);
    let published = output.join(CHECKSUMS).exists();
    text += match (published, is_in_place(&plan, &ledger, output)) {
        (true, true) => "outputs are in place\n",
        (true, false) => "outputs of an earlier state are in place\n",
        (false, _) => "outputs are not in place yet\n",
    };
    let open: Vec<_> = plan
        .tasks()
        .filter(|(_, task)| ledger.states[task.index] != TaskState::Done)
        .map(|(grid, task)| {
            let mut facts =
                json!({ "index": task.index, "window": task.window, "state": ledger.states[task.index] });
            if let Some(id) = &grid.grid_id {
                facts["grid"] = json!(id);
            }
            let edits = edits_near(grid, task);
            if !edits.is_empty() {
                facts["edits"] = json!(edits);
            }
            facts
        })
        .collect();
    let json = json!({
        "output": output, "tasks": plan.task_count(), "done": ledger.count(TaskState::Done),
        "stale": ledger.count(TaskState::Stale), "torn": ledger.count(TaskState::Torn),
        "to_do": ledger.count(TaskState::ToDo), "published": published, "open": open,
    });
    Ok(Answer { text, json, finding: false })
}

/// The edits that come near a task.
fn edits_near<'a>(grid: &'a Plan, task: &Task) -> Vec<&'a str> {
    let near = grid.overlays.edits_near(&grid.grid, task.window.grown(grid.reach));
    near.map(|layer| layer.of(&grid.job).id.as_str()).collect()
}

/// Tasks that are named.
const NAMED_TASKS: usize = 10;

/// Where tasks are stale that edits come near: an edit redoes no others.
fn edited(plan: &JobPlan, ledger: &Ledger) -> String {
    let stale = plan.tasks().filter(|(_, task)| ledger.states[task.index] == TaskState::Stale);
    let near = stale.map(|(grid, task)| (task, edits_near(grid, task)));
    let lines: Vec<String> = near
        .filter(|(_, edits)| !edits.is_empty())
        .map(|(task, edits)| format!("         {}: near edits {}\n", task.window, edits.join(", ")))
        .collect();
    let more = match lines.len().saturating_sub(NAMED_TASKS) {
        0 => String::new(),
        more => format!("         and {more} more near edits\n"),
    };
    lines[..lines.len().min(NAMED_TASKS)].concat() + &more
}
