//! Plan files: a job laid out for many runs, on any machines, that must all mean the same.
//!
//! A plan file holds the job file's text, what every input file is, every task with its identity, cost and shard, and a checksum
//! over all of it. Whoever runs it does not hash inputs anew whose size and time are those of the plan, and refuses to work
//! if anything is not what was planned. It has no clock, host or absolute path where none was written into the job.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fingerprint::Identified;
use super::input_hashes::{InputHashes, PlannedInput, plain};
use super::reasons::{Reasons, differences};
use super::shard::{Share, costs, shard_of_tasks};
use super::{JobPlan, Task};
use crate::config::file::JobFile;
use crate::config::job::Job;
use crate::error::{Error, Result, redacted};
use crate::io::digest::sha256;
use crate::io::place;
use crate::model::window::Window;

/// Version of the format.
const SCHEMA: u32 = 2;

/// A plan file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    schema: u32,
    /// SHA-256 of the other keys, sorted, as JSON.
    plan_id: String,
    /// Version of this program, of GDAL and of PROJ.
    program: [String; 3],
    /// The job file, as written but for the query strings of URLs.
    job: String,
    /// Where the paths in the job file start, seen from the plan file.
    folder: PathBuf,
    /// Whether what the makers of the maps forbid to compare is compared.
    allow_incomparable: bool,
    /// Number of shards.
    pub shards: usize,
    /// The input files, as the job calls them.
    inputs: BTreeMap<PathBuf, PlannedInput>,
    tasks: Vec<PlannedTask>,
    /// What the identities of all tasks are made of.
    reasons: Reasons,
    /// SHA-256 of what the merge alone looks at: names, dates, what tables say of rules.
    words: String,
}

/// A task of a plan file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannedTask {
    /// The grid, where there are several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    grid: Option<String>,
    window: Window,
    id: String,
    cost: u64,
    shard: usize,
}

impl PlanFile {
    /// A plan of a job file; `words` is what the merge alone looks at, hashed.
    ///
    /// # Errors
    /// Usage: the job file cannot be read. Bug: the plan cannot be written as JSON.
    pub fn of(
        plan: &JobPlan,
        job_file: &Path,
        target: &Path,
        hashes: &InputHashes,
        identified: Identified,
        words: String,
        shards: usize,
    ) -> Result<Self> {
        let folder = folder_of(job_file);
        let of_task = shard_of_tasks(plan, shards);
        let tasks = plan.tasks().zip(costs(plan)).map(|((grid, task), cost)| PlannedTask {
            grid: grid.grid_id.clone(),
            window: task.window,
            id: identified.ids[task.index].clone(),
            cost,
            shard: of_task[task.index],
        });
        let inputs = hashes.planned().into_iter().map(|(path, input)| (seen_from(folder, &path), input));
        let mut file = Self {
            schema: SCHEMA,
            plan_id: String::new(),
            program: program(),
            job: without_secrets(&JobFile::text(job_file)?)?,
            folder: path_between(folder_of(target), folder)?,
            allow_incomparable: plan.job.allow_incomparable,
            shards,
            inputs: inputs.collect(),
            tasks: tasks.collect(),
            reasons: identified.reasons,
            words,
        };
        file.plan_id = file.checksum()?;
        Ok(file)
    }

    /// Whether a file is a plan rather than a job file: it is JSON.
    pub fn is_one(text: &str) -> bool {
        text.trim_start().starts_with('{')
    }

    /// Reads a plan file.
    ///
    /// # Errors
    /// Input: it is none, it was edited, or another version made it.
    pub fn read(text: &str) -> Result<Self> {
        let file: Self = serde_json::from_str(text).map_err(|e| {
            Error::input("this is no plan file that can be read")
                .found(e)
                .expected("a file that this version wrote: nalcms plan JOB.toml -o PLAN.json")
        })?;
        if file.program != program() || file.schema != SCHEMA {
            let words = |[nalcms, gdal, proj]: &[String; 3]| {
                format!("nalcms {nalcms} with GDAL {gdal} and PROJ {proj}")
            };
            return Err(Error::input("the plan was made by another version")
                .found(words(&file.program))
                .expected(words(&program()))
                .help(
                    "run all shards and the merge with the version that made the plan, or make a new plan",
                ));
        }
        if file.checksum()? != file.plan_id {
            return Err(Error::input("the plan file was edited or damaged")
                .found("its checksum does not fit")
                .help("make a new plan of the job file: nalcms plan JOB.toml -o PLAN.json"));
        }
        Ok(file)
    }

    /// The job of a plan file that lies at `path`.
    ///
    /// # Errors
    /// As [`Job::resolve`].
    pub fn job(&self, path: &Path) -> Result<Job> {
        let mut job = Job::resolve(JobFile::parse(&self.job)?, &self.job_folder(path))?;
        job.allow_incomparable = self.allow_incomparable;
        Ok(job)
    }

    /// What the plan says of each input, by its path seen from here.
    pub fn inputs(&self, path: &Path) -> BTreeMap<PathBuf, PlannedInput> {
        let folder = self.job_folder(path);
        let seen = |input: &PathBuf| plain(&place::seen_from(&folder, input));
        self.inputs.iter().map(|(input, facts)| (seen(input), facts.clone())).collect()
    }

    /// Holds what is planned now against the file.
    ///
    /// # Errors
    /// Input: a task of the share, or a word of the outputs, is another than planned; what changed is named.
    pub fn refuse_differences(
        &self,
        plan: &JobPlan,
        share: &Share,
        identified: &Identified,
        words: &str,
    ) -> Result<()> {
        let is_planned = |(task, planned): (&Task, &PlannedTask)| {
            !share.holds(task.index)
                || (task.window == planned.window && identified.ids[task.index] == planned.id)
        };
        let tasks = plan.tasks().map(|(_, task)| task).zip(&self.tasks);
        let are_tasks = plan.task_count() == self.tasks.len() && tasks.into_iter().all(is_planned);
        if are_tasks && words == self.words {
            return Ok(());
        }
        let known = |reasons: &Reasons| -> Reasons {
            let both = reasons.iter().filter(|(name, _)| identified.reasons.contains_key(*name));
            both.map(|(name, hash)| (name.clone(), hash.clone())).collect()
        };
        let found = match are_tasks {
            true => {
                vec!["the cells are as planned; names, dates or what tables say of rules are not".to_string()]
            }
            false => differences(&known(&self.reasons), &identified.reasons),
        };
        Err(Error::input("the job is not what was planned")
            .found_all(found)
            .expected("legends, crosswalks, layers and inputs as they were when the plan was made")
            .help("put them back, or make a new plan: nalcms plan JOB.toml -o PLAN.json"))
    }

    /// The file's text: the same job and inputs give the same bytes.
    ///
    /// # Errors
    /// Bug: it cannot be written as JSON.
    pub fn text(&self) -> Result<String> {
        let value = serde_json::to_value(self).map_err(|e| Error::bug(e.to_string()))?;
        Ok(format!("{value:#}\n"))
    }

    fn job_folder(&self, path: &Path) -> PathBuf {
        plain(&folder_of(path).join(&self.folder))
    }

    fn checksum(&self) -> Result<String> {
        let anonymous = Self { plan_id: String::new(), ..self.clone() };
        let value = serde_json::to_value(anonymous).map_err(|e| Error::bug(e.to_string()))?;
        Ok(sha256(value.to_string()))
    }
}

/// The text of a job file without what its URLs hold behind their names: that is nobody else's business.
///
/// # Errors
/// Usage: one is spelt so that it cannot be taken out.
fn without_secrets(text: &str) -> Result<String> {
    let shown = redacted(text).into_owned();
    let read = |text: &str| {
        toml::from_str::<toml::Value>(text)
            .map_err(|_| Error::input("a job file cannot be read once the queries of its URLs are left out"))
    };
    // TOML may spell a sign by its number, and break a text into lines: what it means is compared, not how it is written.
    let meant = without_queries(read(text)?);
    if read(&shown)? != meant {
        return Err(Error::usage(
            "the job file spells a URL so that its query cannot be kept out of the plan",
        )
        .expected("a plain `?`, and no \\u003f")
        .help("write the URL as it is"));
    }
    Ok(shown)
}

/// A value whose texts have no queries of URLs.
fn without_queries(value: toml::Value) -> toml::Value {
    match value {
        toml::Value::String(text) => toml::Value::String(redacted(&text).into_owned()),
        toml::Value::Array(values) => toml::Value::Array(values.into_iter().map(without_queries).collect()),
        toml::Value::Table(table) => {
            toml::Value::Table(table.into_iter().map(|(key, value)| (key, without_queries(value))).collect())
        }
        value => value,
    }
}

fn program() -> [String; 3] {
    [env!("CARGO_PKG_VERSION").into(), crate::io::gdal::version(), crate::io::proj::version()]
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// A path below a folder as seen from there; other paths as they are.
fn seen_from(folder: &Path, path: &Path) -> PathBuf {
    let path = plain(path);
    path.strip_prefix(plain(folder)).map(Path::to_path_buf).unwrap_or(path)
}

/// The way from one folder to another: both may move together.
fn path_between(from: &Path, to: &Path) -> Result<PathBuf> {
    let whole = |folder: &Path| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        folder.canonicalize().map_err(|e| Error::io("a folder cannot be read", &e).at(folder.display()))
    };
    let (from, to) = (whole(from)?, whole(to)?);
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(shared)).collect();
    Ok(if way.as_os_str().is_empty() { PathBuf::from(".") } else { way })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_a_url_brings_its_query_into_a_plan() {
        let shown = without_secrets("a = \"https://h/x.tif?s=SECRET\" # https://h/y.tif?s=SECRET\n").unwrap();
        assert!(shown.contains("https://h/x.tif?") && !shown.contains("SECRET"), "{shown}");
        for text in [
            "a = \"https://h/x.tif\\u003fs=SECRET\"",
            "a = \"\"\"https://h/x.tif?s=\\\n   SECRET\"\"\"",
            "a = \"\"\"https://h/x.tif\\\n   ?s=SECRET\"\"\"",
            "a = [[\"https:\\u002f/h/x.tif?s=SECRET\"]]",
        ] {
            let refused = without_secrets(text).unwrap_err().to_string();
            assert!(!refused.contains("SECRET"), "{refused}");
        }
    }
}
