//! `nalcms status JOB.toml`: which tasks are done, stale or still to do.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, FromArgMatches};
use serde::Serialize;
use serde_json::{Value, json};

use super::job_input::JobInput;
use super::options::{GuardOptions, TalkOptions};
use super::{Answer, Verb};
use crate::error::{Error, Result};
use crate::plan::shard::{Share, shard_of_tasks};
use crate::plan::{JobPlan, Plan, Task};
use crate::run::folder::refuse_foreign;
use crate::run::ledger::{Ledger, OpenTask, TaskState};
use crate::run::merge::is_in_place;
use crate::run::mirror::{is_published, is_published_as_here, read_ledger};
use crate::run::to_do;

pub static VERB: Verb = Verb {
    name: "status",
    arguments: |command| {
        StatusArgs::augment_args(command)
            .about("Show which tasks of a job are done, stale or failed (with the reason) or still to do")
            .after_help(
                "Examples:\n  nalcms status job.toml\n  nalcms status job.toml --json\n  \
                 sbatch --array=$(nalcms status plan.json --array) array.sh",
            )
    },
    run: |matches| {
        let args = StatusArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        status(&args)
    },
};

#[derive(Debug, Args)]
struct StatusArgs {
    #[command(flatten)]
    input: JobInput,
    /// Number of shares, to tell which of them have work left; without it the plan file's
    #[arg(long, value_name = "N")]
    shards: Option<usize>,
    /// Print only the shares that have work left, as a scheduler's array takes them: `0,3-7`
    #[arg(long)]
    array: bool,
    #[command(flatten)]
    guard: GuardOptions,
    #[command(flatten)]
    talk: TalkOptions,
}

fn status(args: &StatusArgs) -> Result<Answer> {
    let job = args.input.lay_out(|_| {}, &args.guard, false)?;
    let plan = &job.plan;
    let output = &plan.job.output;
    let hashes = job.hashes(&Share::All)?;
    let ledger = read_ledger(plan, &hashes, output, &Share::All)?;
    let shards = job.shards(args.shards).map(|count| open_shards(plan, &ledger, count));
    if args.array {
        let shards = shards.ok_or_else(|| {
            Error::usage("how many shares there are is not known")
                .expected("--shards N, or a plan file, which says how many")
        })?;
        let text = if shards.is_empty() { String::new() } else { format!("{}\n", ranges(&shards)) };
        return Ok(Answer { text, json: json!({ "todo_shards": shards }), finding: false });
    }
    let published = is_published(&plan.job)?;
    let outputs = Outputs::of(plan, &ledger, published)?;
    let mut text = states_text(plan, &ledger);
    if let Some(shards) = shards.as_ref().filter(|shards| !shards.is_empty()) {
        text += &format!("todo shards: {}\n", ranges(shards));
    }
    text += &format!("{}\n", outputs.words());
    let obstacle = refuse_foreign(output, &plan.job.owner).err();
    if let Some(obstacle) = &obstacle {
        text += &format!("run will refuse: {}\n", obstacle.what());
    }
    let open: Vec<Value> =
        plan.tasks().filter_map(|(grid, task)| Some(facts(grid, task, ledger.open(task)?))).collect();
    let count = |state| ledger.count(state);
    let json = json!({
        "output": plan.job.destination(), "tasks": plan.task_count(), "done": count(TaskState::Done),
        "stale": count(TaskState::Stale), "torn": count(TaskState::Torn), "failed": count(TaskState::Failed),
        "to_do": count(TaskState::ToDo), "published": published, "outputs": outputs, "todo_shards": shards, "open": open,
        "obstacle": obstacle.map(|obstacle| obstacle.to_string()),
    });
    Ok(Answer { text, json, finding: false })
}

/// What lies in the output folder, or in the store.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outputs {
    /// Nothing that is finished.
    None,
    /// Those of just these inputs and settings.
    Current,
    /// Those of an earlier state.
    Earlier,
    /// Those of this or an earlier state: a store does not tell.
    CurrentOrEarlier,
    /// Those of a job that left tasks out.
    Incomplete,
}

impl Outputs {
    fn of(plan: &JobPlan, ledger: &Ledger, published: bool) -> Result<Self> {
        let output = &plan.job.output;
        if !published {
            return Ok(Self::None);
        }
        if is_in_place(plan, ledger, output) && is_published_as_here(&plan.job)? {
            return Ok(Self::Current);
        }
        if plan.job.store.is_some() {
            return Ok(Self::CurrentOrEarlier);
        }
        let manifest = std::fs::read(output.join("run.json")).ok();
        let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        Ok(match manifest.is_some_and(|manifest| manifest["complete"] == false) {
            true => Self::Incomplete,
            false => Self::Earlier,
        })
    }

    fn words(self) -> &'static str {
        match self {
            Self::None => "outputs are not in place yet",
            Self::Current => "outputs are in place",
            Self::Earlier => "outputs of an earlier state are in place",
            Self::CurrentOrEarlier => "outputs are in place, of this state or an earlier one",
            Self::Incomplete => "outputs are in place, stamped as incomplete",
        }
    }
}

/// A task that is not done, for programs.
fn facts(grid: &Plan, task: &Task, open: &OpenTask) -> Value {
    let mut facts =
        json!({ "index": task.index, "window": task.window, "state": open.state, "because": open.because });
    if let Some(id) = &grid.grid_id {
        facts["grid"] = json!(id);
    }
    let edits = edits_near(grid, task);
    if !edits.is_empty() {
        facts["edits"] = json!(edits);
    }
    facts
}

/// How many tasks are in which state, and why.
fn states_text(plan: &JobPlan, ledger: &Ledger) -> String {
    let mut text = format!("{}: {} tasks\n", plan.job.destination().display(), plan.task_count());
    for grid in plan.grids.iter().filter(|_| plan.has_several_grids()) {
        let done = grid.tasks.iter().filter(|task| ledger.state(task) == TaskState::Done).count();
        text += &format!("  {}: {done} of {} done\n", grid.words(), grid.tasks.len());
    }
    let states = [TaskState::Done, TaskState::ToDo, TaskState::Stale, TaskState::Torn, TaskState::Failed];
    for state in states.into_iter().filter(|state| ledger.count(*state) > 0) {
        text += &format!("  {:>6} {}\n", ledger.count(state), state.reason());
        text += &causes_text(plan, ledger, state);
    }
    text
}

/// Causes and tasks that are named.
const NAMED: usize = 10;

/// What made tasks stale or failed, the most frequent cause first.
fn causes_text(plan: &JobPlan, ledger: &Ledger, state: TaskState) -> String {
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, task) in plan.tasks() {
        let open = ledger.open(task).filter(|open| open.state == state);
        open.iter().flat_map(|open| &open.because).for_each(|cause| *causes.entry(cause).or_default() += 1);
    }
    let mut causes: Vec<(&str, usize)> = causes.into_iter().collect();
    causes.sort_by_key(|(cause, tasks)| (std::cmp::Reverse(*tasks), *cause));
    let more = causes.len().saturating_sub(NAMED);
    let tasks = |n: usize| if n == 1 { "1 task".to_string() } else { format!("{n} tasks") };
    let line = |(cause, n): &(&str, usize)| {
        format!("         {} ({})\n", cause.replace('\n', "\n         "), tasks(*n))
    };
    let lines: String = causes.iter().take(NAMED).map(line).collect();
    if more == 0 { lines } else { lines + &format!("         and {more} more causes\n") }
}

/// The shares of so many that have a task which is not done.
pub fn open_shards(plan: &JobPlan, ledger: &Ledger, count: usize) -> BTreeSet<usize> {
    let of_task = shard_of_tasks(plan, count);
    to_do(plan, ledger).into_iter().map(|(_, task)| of_task[task.index]).collect()
}

/// Numbers as schedulers write them: `0,3-7`.
pub fn ranges(numbers: &BTreeSet<usize>) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let words = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    words.collect::<Vec<_>>().join(",")
}

/// The edits that come near a task.
fn edits_near<'a>(grid: &'a Plan, task: &Task) -> Vec<&'a str> {
    let near = grid.overlays.edits_near(&grid.grid, task.window.grown(grid.reach));
    near.map(|layer| layer.of(&grid.job).id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn runs_of_numbers_are_ranges() {
        assert_eq!(ranges(&[3, 7, 9, 10, 11, 12].into()), "3,7,9-12");
        assert_eq!(ranges(&[0, 1].into()), "0-1");
        assert_eq!(ranges(&[].into()), "");
    }
}
