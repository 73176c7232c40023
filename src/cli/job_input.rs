//! What `run`, `status` and `merge` are given: a job file, or a plan file made from one, and which share of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::options::GuardOptions;
use crate::config::environment::array_index;
use crate::config::file::{ComputeFile, JobFile};
use crate::config::job::Job;
use crate::error::{Error, Result};
use crate::plan::JobPlan;
use crate::plan::file::PlanFile;
use crate::plan::fingerprint::Identified;
use crate::plan::input_hashes::{HashRequest, InputHashes, PlannedInput};
use crate::plan::shard::{Shard, Share};
use crate::run::merge::words;
use crate::run::work_folder;

/// A job, however it is told.
#[derive(Debug, Clone, Args)]
pub struct JobInput {
    /// The job file, or a plan file made from it
    pub job: PathBuf,
    /// Hash every input again, whatever its size and times say
    #[arg(long)]
    pub rehash: bool,
    /// Folder on disk in which an output that goes to a store is made; default: one in the system's temporary folder
    #[arg(long, value_name = "FOLDER")]
    pub work: Option<PathBuf>,
}

/// Which share of a job is worked on.
#[derive(Debug, Clone, Args)]
pub struct ShardOptions {
    /// Work on one share only, counted from 0, and merge nothing: `3/16`, `3` (of as many as the plan file says), or `auto`
    /// (the index that the scheduler gives)
    #[arg(long, value_name = "I[/N]|auto")]
    pub shard: Option<String>,
    /// Number of shares; without it the plan file's
    #[arg(long, value_name = "N")]
    pub shards: Option<usize>,
}

/// A job laid out.
#[derive(Debug)]
pub struct LaidOut {
    /// The work.
    pub plan: JobPlan,
    file: Option<PlanFile>,
    inputs: Option<BTreeMap<PathBuf, PlannedInput>>,
    rehash: bool,
}

impl JobInput {
    /// Lays out the job; flags on the machine's settings go before the file's.
    ///
    /// # Errors
    /// As [`Job::read`], [`PlanFile::read`] and [`JobPlan::of`].
    pub fn lay_out(
        &self,
        overlay: impl FnOnce(&mut ComputeFile),
        guard: &GuardOptions,
        release: bool,
    ) -> Result<LaidOut> {
        let path = &self.job;
        let text = JobFile::text(path)?;
        let file = if PlanFile::is_one(&text) {
            Some(PlanFile::read(&text).map_err(|e| e.at(path.display()))?)
        } else {
            None
        };
        let mut job = match &file {
            Some(file) => file.job(path).map_err(|e| e.at(path.display()))?,
            None => Job::read(path)?,
        };
        overlay(&mut job.compute);
        if let Some(work) = &self.work {
            job.compute.work = Some(work.clone());
            job.choose_work_folder()?;
        }
        guard.overlay(&mut job);
        job.release.demanded = release;
        let inputs = file.as_ref().map(|file| file.inputs(path));
        Ok(LaidOut { plan: JobPlan::of(job)?, file, inputs, rehash: self.rehash })
    }
}

impl LaidOut {
    /// What the inputs of some tasks are; of a plan file, that they are as planned.
    ///
    /// # Errors
    /// As [`InputHashes::of`] and [`PlanFile::refuse_differences`].
    pub fn hashes(&self, share: &Share) -> Result<InputHashes> {
        let request = HashRequest {
            cache: &work_folder(&self.plan.job.output).join("inputs.json"),
            rehash: self.rehash,
            share,
            planned: self.inputs.as_ref(),
        };
        let hashes = InputHashes::of(&self.plan, &request)?;
        if let Some(file) = &self.file {
            let identified = Identified::of(&self.plan, &hashes, share);
            file.refuse_differences(&self.plan, share, &identified, &words(&self.plan))?;
        }
        Ok(hashes)
    }

    /// Number of shards: what is said, else the plan file's.
    pub fn shards(&self, said: Option<usize>) -> Option<usize> {
        said.or(self.file.as_ref().map(|file| file.shards))
    }
}

impl ShardOptions {
    /// The shard that is asked for, if one is.
    ///
    /// # Errors
    /// Usage: it cannot be understood, lies beyond the last, or the scheduler gives no index or several.
    pub fn of(&self, job: &LaidOut) -> Result<Option<Shard>> {
        let Some(word) = &self.shard else { return Ok(None) };
        let (index, count) = match word.split_once('/') {
            Some((index, count)) => (number(index)?, Some(number(count)?)),
            None if word == "auto" => (array_index()?, None),
            None => (number(word)?, None),
        };
        if let (Some(count), Some(said)) = (count, self.shards)
            && count != said
        {
            return Err(Error::usage("--shard and --shards name different numbers of shards")
                .found(format!("--shard {word} --shards {said}")));
        }
        let count = count.or(job.shards(self.shards)).ok_or_else(|| {
            Error::usage("how many shards there are is not known")
                .found(format!("--shard {word}, and a job file"))
                .expected("--shard I/N, --shards N, or a plan file, which says how many")
                .help("schedulers tell how many elements were submitted, which is another number when some are submitted again")
        })?;
        Shard::new(index, count).map(Some)
    }
}

fn number(word: &str) -> Result<usize> {
    word.parse().map_err(|_| {
        Error::usage("--shard is not understood").found(word).expected("I/N counted from 0, I, or auto")
    })
}
