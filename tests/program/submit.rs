//! `nalcms submit slurm`: scripts that bash takes, values that stay values, and what is handed to sbatch.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Run, Scratch};
use serde_json::Value;

/// A job of four tasks with a name of one's own.
fn job(scratch: &Scratch, name: &str) {
    scratch.ok(&[
        "synth",
        "-o",
        "maps",
        "--years",
        "2010",
        "2015",
        "--size",
        "700x700",
        "--profile",
        "interior",
    ]);
    let text = format!(
        "name = {name:?}\noutput = \"out\"\n[grid]\npreset = \"nalcms-30m\"\n[[source]]\nid = \"a\"\nlegend = \"nalcms\"\n\
         [source.epochs]\n2010 = \"maps/nalcms_2010.tif\"\n2015 = \"maps/nalcms_2015.tif\"\n[compute]\ntask_cells = 512\n"
    );
    scratch.write("job.toml", &text);
}

/// Folder of the jobs' scripts and logs.
const FOLDER: &str = "out/.nalcms/slurm";

/// A program on the PATH that notes its arguments, a line for each call, and runs the script as Slurm would: an array
/// element by element, each with its index.
const SBATCH: &str = r#"#!/bin/bash
set -u
printf '%q ' "$@" >>"$SBATCH_LOG"
echo >>"$SBATCH_LOG"
script=${!#}
shards=
for argument in "$@"; do
    case $argument in --array=*) shards=${argument#--array=} ;; esac
done
shards=${shards%%%*}
if [ -z "$shards" ]; then
    bash "$script" >&2
else
    for range in ${shards//,/ }; do
        for shard in $(seq "${range%-*}" "${range#*-}"); do
            SLURM_ARRAY_TASK_ID=$shard bash "$script" >&2 || exit
        done
    done
fi
echo '17;somewhere'
"#;

struct Cluster<'a> {
    scratch: &'a Scratch,
}

impl<'a> Cluster<'a> {
    fn new(scratch: &'a Scratch) -> Self {
        let program = scratch.write("bin/sbatch", SBATCH);
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { scratch }
    }

    fn nalcms(&self, arguments: &[&str]) -> Run {
        let path = format!("{}:{}", self.scratch.path("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new(env!("CARGO_BIN_EXE_nalcms"))
            .args(arguments)
            .current_dir(self.scratch.path(""))
            .env("PATH", path)
            .env("SBATCH_LOG", self.scratch.path("calls"))
            .output()
            .unwrap();
        Run::of(output)
    }

    /// The calls of sbatch so far.
    fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.scratch.path("calls")).unwrap_or_default();
        text.lines().map(|line| line.trim().to_string()).collect()
    }
}

/// Both scripts of a dry run, the array's first.
fn rehearsed(scratch: &Scratch, arguments: &[&str]) -> [String; 2] {
    let all = [&["submit", "slurm"], arguments, &["--dry-run", "--json"]].concat();
    let json: Value = serde_json::from_str(&scratch.ok(&all).stdout).unwrap();
    [0, 1].map(|place| json["scripts"][place]["text"].as_str().unwrap().to_string())
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// Whether a checker takes a script.
fn check(program: &str, arguments: &[&str], script: &Path) {
    let checked = Command::new(program).args(arguments).arg(script).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stdout) + String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{program}: {told}");
}

#[test]
fn scripts_are_sound_and_a_dry_run_leaves_nothing() {
    let scratch = Scratch::new();
    job(&scratch, "sound");
    let options = [
        "job.toml",
        "--partition",
        "a b",
        "--time",
        "00:10:00",
        "--mem",
        "2G",
        "--account",
        "$(touch pwned)",
        "--qos",
        "it's",
        "--throttle",
        "5",
        "--cpus-per-task",
        "3",
        "--sbatch-arg=--comment=x # y",
        "--program",
        "/opt/no where/nalcms",
    ];
    let [array, merge] = rehearsed(&scratch, &options);
    for script in [&array, &merge] {
        for line in [
            "#!/bin/bash",
            "#SBATCH --requeue",
            "#SBATCH '--open-mode=append'",
            "#SBATCH '--cpus-per-task=3'",
            "#SBATCH '--mem=2G'",
            "#SBATCH '--time=00:10:00'",
            "#SBATCH '--partition=a b'",
            "#SBATCH '--account=$(touch pwned)'",
            "#SBATCH \"--qos=it's\"",
            "#SBATCH '--comment=x # y'",
        ] {
            assert!(script.lines().any(|l| l == line), "`{line}` is missing in:\n{script}");
        }
        let path = scratch.write("script.sh", script);
        check("bash", &["-n"], &path);
        if has("shellcheck") {
            check("shellcheck", &[], &path);
        } else {
            eprintln!("SKIPPED: shellcheck is not installed");
        }
    }
    assert!(
        array.contains("#SBATCH '--signal=B:USR1@60'") && array.contains("program='/opt/no where/nalcms'"),
        "{array}"
    );
    assert!(!scratch.path("out").exists());
}

#[test]
fn a_job_runs_as_shards_and_a_merge_and_its_name_is_never_code() {
    let scratch = Scratch::new();
    job(&scratch, "named");
    let cluster = Cluster::new(&scratch);
    scratch.ok(&["plan", "job.toml", "-o", "a plan's $(touch pwned).json", "--shards", "3"]);
    let submit = [
        "submit",
        "slurm",
        "--job-name",
        "$(touch pwned)`touch pwned`';touch pwned;'",
        "a plan's $(touch pwned).json",
        "--throttle",
        "2",
        "--json",
    ];
    let run = cluster.nalcms(&submit);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&told["array_job"], &told["merge_job"]), (&"17".into(), &"17".into()));
    assert_eq!(told["todo_shards"], serde_json::json!([0, 1, 2]));
    let calls = cluster.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls[0].starts_with("--parsable --array=0-2%2 /"), "{calls:?}");
    assert!(calls[1].starts_with("--parsable --dependency=afterany:17 /"), "{calls:?}");

    scratch.ok(&["verify", "out"]);
    for folder in ["", FOLDER, "maps", "out"] {
        assert!(!scratch.path(folder).join("pwned").exists(), "{folder}");
    }
    // Once all is done nothing is sent.
    assert_eq!(cluster.nalcms(&submit).code, 0);
    assert_eq!(cluster.calls().len(), 2);
}

#[test]
fn only_what_is_missing_is_sent_again() {
    let scratch = Scratch::new();
    job(&scratch, "again");
    let cluster = Cluster::new(&scratch);
    scratch.ok(&["plan", "job.toml", "-o", "plan.json", "--shards", "4"]);
    scratch.ok(&["run", "plan.json", "--shard", "1"]);
    scratch.ok(&["run", "plan.json", "--shard", "0"]);
    let run = cluster.nalcms(&["submit", "slurm", "plan.json"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(cluster.calls()[0].starts_with("--parsable --array=2-3 /"), "{:?}", cluster.calls());
    let sums = std::fs::read(scratch.path("out/SHA256SUMS")).unwrap();
    std::fs::remove_dir_all(scratch.path("out")).unwrap();
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(std::fs::read(scratch.path("out/SHA256SUMS")).unwrap(), sums);
}

#[test]
fn a_small_job_is_one_shard_and_parts_alone_need_only_the_merge() {
    let scratch = Scratch::new();
    job(&scratch, "small");
    let cluster = Cluster::new(&scratch);
    assert_eq!(cluster.nalcms(&["submit", "slurm", "job.toml"]).code, 0);
    // Four tasks of a blink each are not worth four starts of the program.
    assert!(cluster.calls()[0].starts_with("--parsable --array=0 /"), "{:?}", cluster.calls());
    std::fs::remove_file(scratch.path("out/SHA256SUMS")).unwrap();
    let run = cluster.nalcms(&["submit", "slurm", &format!("{FOLDER}/plan.json")]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(cluster.calls().len(), 3);
    assert!(cluster.calls()[2].ends_with("merge.sh") && !cluster.calls()[2].contains("dependency"));
    assert!(scratch.path("out/SHA256SUMS").exists());
}

#[test]
fn what_cannot_stand_in_a_script_is_refused() {
    let scratch = Scratch::new();
    job(&scratch, "refused");
    let refused = |arguments: &[&str], word: &str| {
        scratch
            .nalcms(&[&["submit", "slurm", "job.toml", "--dry-run"], arguments].concat())
            .refused(2, &[word]);
    };
    refused(&["--partition", "a\n#SBATCH --uid=0"], "control characters");
    refused(&["--job-name", "a\u{1b}[2J"], "control characters");
    refused(&["--sbatch-arg=--comment=a\nb"], "control characters");
    refused(&["--sbatch-arg=--array=0-99"], "--array");
    refused(&["--sbatch-arg=constraint"], "whole argument");
    refused(&["--qos", "a\\b"], "backslash");
    refused(&["--program", "/opt/a\nb"], "control characters");
    refused(&["--max-array", "0"], "whole number");
    scratch.ok(&["plan", "job.toml", "-o", "plan.json", "--shards", "4"]);
    scratch
        .nalcms(&["submit", "slurm", "plan.json", "--max-array", "3"])
        .refused(2, &["4 shards", "--max-array 3"]);
}

#[test]
fn the_nodes_must_see_where_plan_and_scripts_lie() {
    let scratch = Scratch::new();
    job(&scratch, "far");
    let near = std::fs::read_to_string(scratch.path("job.toml")).unwrap();
    let far = near.replace("output = \"out\"", "output = \"s3://bucket/far\"");
    assert_ne!(near, far);
    scratch.write("job.toml", &far);
    let words = ["a folder that all nodes see", "[compute] work ="];
    scratch.nalcms(&["submit", "slurm", "job.toml"]).refused(2, &words);
    // A flag names a folder of this machine, and the nodes are not told of it.
    scratch.nalcms(&["submit", "slurm", "job.toml", "--work", "shared"]).refused(2, &words);
    assert!(!scratch.path("shared").exists());
}

#[test]
fn a_scheduler_that_refuses_or_is_not_there_is_told_of() {
    let scratch = Scratch::new();
    job(&scratch, "refusing");
    let cluster = Cluster::new(&scratch);
    scratch.write("bin/sbatch", "#!/bin/sh\necho 'invalid partition specified' >&2\nexit 1\n");
    cluster
        .nalcms(&["submit", "slurm", "job.toml"])
        .refused(2, &["invalid partition specified", "sbatch --parsable '--array=0' "]);
    std::fs::remove_file(scratch.path("bin/sbatch")).unwrap();
    // A machine without Slurm, whatever this one has.
    let output = Command::new(env!("CARGO_BIN_EXE_nalcms"))
        .args(["submit", "slurm", "job.toml"])
        .current_dir(scratch.path(""))
        .env("PATH", scratch.path("bin"))
        .output()
        .unwrap();
    Run::of(output).refused(4, &["sbatch cannot be started", "--dry-run"]);
}
