//! The scripts that `nalcms submit slurm` hands to sbatch: one shard per element of an array, then the merge.
//!
//! What the user wrote gets into a script as a value, never as code: values are quoted, and what no quotes can carry
//! through both bash and sbatch is refused.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Error, Result};

/// Seconds before the time limit at which Slurm tells a shard; a task ends well within them.
const NOTICE_SECONDS: u32 = 60;

/// Times that a shard is queued again at its time limit: one whose single tasks outlast the limit must not go on for ever.
const MOST_RESTARTS: u32 = 20;

/// What to ask of Slurm.
#[derive(Debug, Clone, Args)]
pub struct SlurmOptions {
    /// Partition of both jobs
    #[arg(long, value_name = "NAME", value_parser = plain)]
    partition: Option<String>,
    /// Time limit of each shard and of the merge; a shard that reaches it is queued again and goes on
    #[arg(long, value_name = "TIME", value_parser = plain)]
    time: Option<String>,
    /// Memory of each shard and of the merge; nalcms is held to three quarters of it
    #[arg(long, value_name = "SIZE", value_parser = plain)]
    mem: Option<String>,
    /// Cores of each shard and of the merge: tasks that run at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    cpus_per_task: u32,
    /// Account to charge
    #[arg(long, value_name = "NAME", value_parser = plain)]
    account: Option<String>,
    /// Quality of service
    #[arg(long, value_name = "NAME", value_parser = plain)]
    qos: Option<String>,
    /// Shards that run at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    throttle: Option<u32>,
    /// Name of the jobs; default: the job's name
    #[arg(long, value_name = "NAME", value_parser = plain)]
    job_name: Option<String>,
    /// One more argument of sbatch, such as --constraint=icelake; repeat for each
    #[arg(long = "sbatch-arg", value_name = "ARG", value_parser = sbatch_argument, allow_hyphen_values = true)]
    sbatch_args: Vec<String>,
}

/// What the scripts are about.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The program on the nodes.
    pub program: PathBuf,
    /// The plan file; both absolute.
    pub plan: PathBuf,
    /// Folder of the scripts and logs.
    pub folder: PathBuf,
    /// The job's own name.
    pub name: String,
}

impl Submission {
    /// Where the script of the array lies.
    pub fn array_path(&self) -> PathBuf {
        self.folder.join("array.sh")
    }

    /// Where the script of the merge lies.
    pub fn merge_path(&self) -> PathBuf {
        self.folder.join("merge.sh")
    }

    /// The script of one shard.
    ///
    /// Slurm signals the script at the time limit (USR1), which passes it on and, when the run answers that it can be
    /// resumed, queues the shard again. TERM is somebody's wish or a preemption: Slurm itself knows whether to queue
    /// again, and a script that did so too could not be cancelled.
    ///
    /// # Errors
    /// Usage: a path or name that no script can hold.
    pub fn array_script(&self, options: &SlurmOptions) -> Result<String> {
        let head = self.head(options, "%A_%a.log", "USR1")?;
        let (program, plan) = (in_shell(&self.program)?, in_shell(&self.plan)?);
        let resend = format!(
            "sbatch --array=\"$({program} status {plan} --array)\" {}",
            in_shell(&self.array_path())?
        );
        Ok(format!(
            "{head}\
# Written by `nalcms submit slurm`: one shard of a plan. What is not done can be sent again with
#   {resend}
set -u
program={program}
plan={plan}
{RESOURCES}
queue_again=no
worker=
# Slurm says USR1 before the time limit, TERM when somebody cancels or preempts.
trap 'queue_again=yes; [ -z \"$worker\" ] || kill -USR1 \"$worker\"' USR1
trap '[ -z \"$worker\" ] || kill -TERM \"$worker\"' TERM
\"$program\" run \"$plan\" --shard auto --die-with-parent \"$@\" &
worker=$!
# A signal ends `wait` early; afterwards it tells how the worker ended.
while kill -0 \"$worker\" 2>/dev/null; do wait \"$worker\"; done
wait \"$worker\"
code=$?
# The signal came before the program listened: nothing was begun.
case $code in $((128 + $(kill -l USR1)))|$((128 + $(kill -l TERM)))) code=75 ;; esac
if [ \"$code\" = 75 ] && [ \"$queue_again\" = yes ] && [ \"${{SLURM_RESTART_COUNT:-0}}\" -lt {MOST_RESTARTS} ]; then
    scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"
fi
exit \"$code\"
"
        ))
    }

    /// The script that assembles what the shards left.
    ///
    /// # Errors
    /// As [`Submission::array_script`].
    pub fn merge_script(&self, options: &SlurmOptions) -> Result<String> {
        let head = self.head(options, "merge-%j.log", "TERM")?;
        let (program, plan) = (in_shell(&self.program)?, in_shell(&self.plan)?);
        Ok(format!(
            "{head}\
# Written by `nalcms submit slurm`: assembles the parts, or ends with 3 and a list of what is missing.
set -u
{RESOURCES}
exec {program} merge {plan} \"$@\"
"
        ))
    }

    /// Arguments of sbatch for the array.
    pub fn array_arguments(&self, options: &SlurmOptions, shards: &str) -> Vec<String> {
        let throttle = options.throttle.map_or(String::new(), |most| format!("%{most}"));
        vec!["--parsable".into(), format!("--array={shards}{throttle}"), shown(&self.array_path())]
    }

    /// Arguments of sbatch for the merge, which waits for an array if there is one. `afterany`, because a shard that
    /// failed and was sent again leaves `afterok` unsatisfied for ever; the merge itself refuses gaps.
    pub fn merge_arguments(&self, array: Option<&str>) -> Vec<String> {
        let after = array.map(|id| format!("--dependency=afterany:{id}"));
        ["--parsable".into()].into_iter().chain(after).chain([shown(&self.merge_path())]).collect()
    }

    /// The lines that sbatch reads.
    fn head(&self, options: &SlurmOptions, log: &str, signal: &str) -> Result<String> {
        // A % in the folder's own name is none of Slurm's.
        let folder = text(&self.folder)?.replace('%', "%%");
        let mut lines = vec![
            format!("--job-name={}", options.job_name.as_ref().unwrap_or(&self.name)),
            format!("--output={folder}/{log}"),
            "--open-mode=append".into(),
            "--requeue".into(),
            format!("--signal=B:{signal}@{NOTICE_SECONDS}"),
            format!("--cpus-per-task={}", options.cpus_per_task),
        ];
        let named = [
            ("partition", &options.partition),
            ("time", &options.time),
            ("mem", &options.mem),
            ("account", &options.account),
            ("qos", &options.qos),
        ];
        lines.extend(named.iter().filter_map(|(key, value)| Some(format!("--{key}={}", value.as_ref()?))));
        lines.extend(options.sbatch_args.iter().cloned());
        let mut head = String::from("#!/bin/bash\n");
        for line in lines {
            head += &format!("#SBATCH {}\n", for_sbatch(&line)?);
        }
        Ok(head)
    }
}

/// The last arguments of a call: as many threads as there are cores, and three quarters of the memory where Slurm says how
/// much there is.
const RESOURCES: &str = "\
cores=${SLURM_CPUS_PER_TASK:-1}
memory=${SLURM_MEM_PER_NODE:-$((${SLURM_MEM_PER_CPU:-0} * cores))}
set -- --threads \"$cores\"
[ \"$memory\" = 0 ] || set -- \"$@\" --memory-mib \"$((memory * 3 / 4))\"";

/// A value on the command line that may stand in a line of sbatch.
fn plain(value: &str) -> std::result::Result<String, String> {
    match value.chars().any(char::is_control) {
        true => Err("line breaks and control characters cannot stand in a script".into()),
        false if value.is_empty() => Err("it is empty".into()),
        false => Ok(value.into()),
    }
}

fn sbatch_argument(value: &str) -> std::result::Result<String, String> {
    let taken = ["--array", "-a", "--dependency", "-d", "--output", "-o", "--signal", "--wrap", "--parsable"];
    let name = value.split('=').next().unwrap_or_default();
    if !value.starts_with('-') || value.len() < 2 {
        return Err("write the whole argument: --sbatch-arg=--constraint=icelake".into());
    }
    if taken.contains(&name) {
        return Err(format!("{name} is set by this program"));
    }
    plain(value)
}

/// One word of a line of sbatch, whose quotes are those of a shell but for the backslash.
fn for_sbatch(word: &str) -> Result<String> {
    if word.contains('\\') {
        return Err(unfit(word).help("sbatch takes no backslash: choose another name"));
    }
    quoted(word)
}

fn in_shell(path: &Path) -> Result<String> {
    quoted(text(path)?)
}

fn quoted(word: &str) -> Result<String> {
    if word.chars().any(char::is_control) {
        return Err(
            unfit(word).help("rename it: line breaks and control characters cannot stand in a script")
        );
    }
    shlex::try_quote(word).map(Into::into).map_err(|e| unfit(word).found(e))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| unfit(&shown(path)).help("the path is not UTF-8"))
}

fn unfit(word: &str) -> Error {
    Error::usage("this cannot be written into a Slurm script").found(format!("{word:?}"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
