//! `nalcms run JOB.toml`: the main job, end to end; or one share of it, which merges nothing.

use std::path::{Path, PathBuf};

use clap::{Args, FromArgMatches};
use serde_json::json;

use super::job_input::{JobInput, ShardOptions};
use super::options::{ComputeOptions, GuardOptions, RunOptions, TalkOptions};
use super::{Answer, Verb};
use crate::error::Result;
use crate::io::place::is_any_remote_named;
use crate::io::progress::Progress;
use crate::io::talk;
use crate::model::area::Amount;
use crate::plan::JobPlan;
use crate::plan::comparability::refuse_nothing_left;
use crate::plan::input_hashes::{HashRequest, InputHashes};
use crate::plan::shard::{Shard, Share};
use crate::report::manifest::{self, standing};
use crate::report::{overlays, zone_layers};
use crate::run::folder::{Access, OutputFolder};
use crate::run::ledger::Ledger;
use crate::run::merge::{Merged, merge};
use crate::run::mirror::{publish, read_ledger, send_done, take};
use crate::run::outside::Outside;
use crate::run::stand_in::stand_in_for_open_tasks;
use crate::run::watch::Watch;
use crate::run::{Conduct, RunSummary, die_with_parent, run_tasks, thread_pool, work_folder};

pub static VERB: Verb = Verb {
    name: "run",
    arguments: |command| {
        RunArgs::augment_args(command)
            .about("Run a job end to end; what is already done is skipped")
            .after_help(
                "Examples:\n  nalcms run job.toml\n  nalcms run job.toml --threads 2 --progress plain\n  \
                 nalcms run plan.json --shard auto       one share, as an element of a scheduler's array",
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
    #[command(flatten)]
    input: JobInput,
    #[command(flatten)]
    shard: ShardOptions,
    /// Refuse to publish what rests on proposed crosswalk rows, but for those in `accept_proposed`
    #[arg(long)]
    release: bool,
    /// Write into a folder that holds other files or belongs to another job
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    run: RunOptions,
    #[command(flatten)]
    compute: ComputeOptions,
    #[command(flatten)]
    guard: GuardOptions,
    #[command(flatten)]
    talk: TalkOptions,
}

fn run(args: &RunArgs) -> Result<Answer> {
    if args.run.die_with_parent {
        die_with_parent()?;
    }
    let job = args.input.lay_out(|compute| args.compute.overlay(compute), &args.guard, args.release)?;
    let run = Run {
        plan: &job.plan,
        hashes: &|share| job.hashes(share),
        conduct: args.run.conduct(),
        metrics: args.run.metrics.as_deref(),
        progress: args.compute.progress(&args.talk),
        overwrite: args.overwrite,
        talk: &args.talk,
    };
    match args.shard.of(&job)? {
        Some(shard) => run.shard(shard),
        None => Ok(run.whole()?.answer(&job.plan)),
    }
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
pub fn execute(plan: &JobPlan, progress: Progress, overwrite: bool, talk: &TalkOptions) -> Result<Finished> {
    let hashes = |share: &Share| {
        let cache = &work_folder(&plan.job.output).join("inputs.json");
        InputHashes::of(plan, &HashRequest { cache, rehash: false, share, planned: None })
    };
    // Whoever waits for one verb is told at once what is wrong with a file on disk; servers have their moods.
    let retries = if is_any_remote_named() { Conduct::default().retries } else { 0 };
    let conduct = Conduct { retries, ..Conduct::default() };
    Run { plan, hashes: &hashes, conduct, metrics: None, progress, overwrite, talk }.whole()
}

/// A run that is about to begin.
struct Run<'a> {
    plan: &'a JobPlan,
    /// What the inputs of a share are.
    hashes: &'a (dyn Fn(&Share) -> Result<InputHashes> + Sync),
    conduct: Conduct,
    metrics: Option<&'a Path>,
    progress: Progress,
    overwrite: bool,
    talk: &'a TalkOptions,
}

impl Run<'_> {
    /// All tasks, then merge and provenance.
    fn whole(self) -> Result<Finished> {
        let folder = self.begin(Access::Whole)?;
        let Self { plan, hashes, conduct, metrics, progress, talk: talking, .. } = self;
        let mut watch = Watch::new(progress, plan, None, metrics);
        let finished = thread_pool(plan)?.install(|| {
            let hashes = hashes(&Share::All)?;
            let mut ledger = read_ledger(plan, &hashes, &folder.path, &Share::All)?;
            send_done(plan, &ledger)?;
            let summary = run_tasks(plan, &mut ledger, &hashes, conduct, &mut watch)?;
            assemble(plan, &hashes, (summary, ledger), &folder.path, talking.quiet)
        });
        watch.end(finished.as_ref().is_ok_and(|finished| finished.summary.failure.is_none()));
        finished
    }

    /// The tasks of one shard.
    fn shard(self, shard: Shard) -> Result<Answer> {
        let folder = self.begin(Access::Parts)?;
        let Self { plan, hashes, conduct, metrics, progress, .. } = self;
        let mut watch = Watch::new(progress, plan, Some(shard), metrics);
        let summary = thread_pool(plan)?.install(|| {
            let share = shard.share(plan);
            let hashes = hashes(&share)?;
            let mut ledger = read_ledger(plan, &hashes, &folder.path, &share)?;
            send_done(plan, &ledger)?;
            run_tasks(plan, &mut ledger, &hashes, Conduct { allow_incomplete: false, ..conduct }, &mut watch)
        });
        watch.end(summary.is_ok());
        let RunSummary { computed, kept, seconds, .. } = summary?;
        let text = format!(
            "shard {} of {}: {computed} tasks computed, {kept} kept; nalcms merge assembles them when all shards are done\n",
            shard.index, shard.count
        );
        let json = json!({
            "output": plan.job.destination(), "shard": shard.index, "shards": shard.count, "computed": computed, "kept": kept,
            "seconds": seconds,
        });
        Ok(Answer { text, json, finding: false })
    }

    /// Takes the folder; before that, what is refused leaves nothing behind.
    fn begin(&self, access: Access) -> Result<OutputFolder> {
        let plan = self.plan;
        refuse_nothing_left(&plan.job, &plan.comparability)?;
        let folder = take(&plan.job, self.overwrite, access)?;
        if self.talk.verbose > 0 {
            talk::note(&super::plan::inputs_text(plan));
        }
        if !self.talk.quiet {
            plan.warnings.iter().for_each(|warning| talk::warn(warning));
        }
        Ok(folder)
    }
}

/// Merge and provenance, on the pool it is called in; where tasks failed and that is allowed, without them.
fn assemble(
    plan: &JobPlan,
    hashes: &InputHashes,
    (summary, mut ledger): (RunSummary, Ledger),
    output: &Path,
    quiet: bool,
) -> Result<Finished> {
    if let Some(failure) = &summary.failure {
        talk::fail(failure);
        stand_in_for_open_tasks(plan, &mut ledger, output)?;
    }
    let run = json!({
        "tasks": plan.task_count(), "computed": summary.computed, "kept": summary.kept, "seconds": summary.seconds,
    });
    let provenance = |merged: &Merged| write_provenance(output, plan, hashes, merged, run);
    let merged = merge(plan, &ledger, output, summary.outside.clone(), provenance)?;
    publish(plan, &merged)?;
    if !quiet {
        warn_of_outside(&merged.outside);
    }
    let totals = &merged.totals;
    let warnings = [zone_layers::warnings(plan, totals), overlays::warnings(plan, totals)].concat();
    warnings.iter().filter(|_| !quiet).for_each(|warning| talk::warn(warning));
    Ok(Finished { summary, merged })
}

/// Says what of the sources lies outside the grid, as far as that is known.
pub fn warn_of_outside(outside: &Outside) {
    for (path, cells) in &outside.cells {
        talk::warn(&format!(
            "{}: {cells} valid cells lie outside the grid and were left out",
            path.display()
        ));
    }
    for error in &outside.unread {
        talk::warn(&format!("what lies outside the grid was not counted everywhere: {error}"));
    }
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
    let facts =
        manifest::Facts { totals: &merged.totals, files: &merged.files, outside: &merged.outside.cells };
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
            shown(plan.job.destination()).display(),
            summary.computed,
            plan.task_count(),
            summary.kept,
            self.merged.files.len() + 2
        );
        if !self.merged.totals.missing.is_empty() {
            text += &format!("  INCOMPLETE: {} tasks are missing\n", self.merged.totals.missing.len());
        }
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
            "output": plan.job.destination(), "complete": summary.failure.is_none(), "tasks": plan.task_count(),
            "computed": summary.computed, "kept": summary.kept, "missing": self.merged.totals.missing,
            "seconds": summary.seconds, "files": self.merged.files,
        });
        Answer { text, json, finding: summary.failure.is_some() }
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
