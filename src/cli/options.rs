//! Flags that several verbs share.

use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgMatches, Args};

use crate::config::file::ComputeFile;
use crate::config::job::Job;
use crate::io::gdal::RasterFormat;
use crate::io::place;
use crate::io::progress::{Progress, ProgressMode};
use crate::io::talk::LogFormat;
use crate::run::Conduct;

/// Flags of every verb.
#[derive(Debug, Clone, Args)]
pub struct TalkOptions {
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
    /// No progress, warnings and notes; results and errors stay
    #[arg(long, short)]
    pub quiet: bool,
    /// Say more: every input as understood, in full
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How warnings, errors and events are written to stderr: for people, or a JSON object a line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// Flags of verbs that compute.
#[derive(Debug, Clone, Args)]
pub struct ComputeOptions {
    /// Threads; 0 is all
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Bound on the memory of what runs at once, in MiB
    #[arg(long, value_name = "N")]
    pub memory_mib: Option<usize>,
    /// How progress is shown on stderr
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub progress: ProgressMode,
}

impl ComputeOptions {
    /// Lays the flags over the job's own settings.
    pub fn overlay(&self, compute: &mut ComputeFile) {
        if let Some(threads) = self.threads {
            compute.threads = threads;
        }
        if let Some(memory_mib) = self.memory_mib {
            compute.memory_mib = memory_mib;
        }
    }

    /// Progress as the flags say; a log of JSON objects has an event for each task instead of a bar.
    pub fn progress(&self, talk: &TalkOptions) -> Progress {
        let mode = match (self.progress, talk.log_format) {
            (ProgressMode::Auto, LogFormat::Json) => ProgressMode::None,
            (mode, _) => mode,
        };
        Progress::new(mode, talk.quiet)
    }
}

/// Flags of the verbs that work on tasks.
#[derive(Debug, Clone, Default, Args)]
pub struct RunOptions {
    /// Do all other tasks where one fails (default)
    #[arg(long, conflicts_with = "fail_fast")]
    pub keep_going: bool,
    /// Stop at the first task that fails
    #[arg(long)]
    pub fail_fast: bool,
    /// Times a task is tried again whose inputs cannot be read; waits grow from half a second
    #[arg(long, value_name = "N", default_value_t = Conduct::default().retries)]
    pub retries: u32,
    /// Publish what there is where tasks failed: nodata in their place, stamped as incomplete; exit 1
    #[arg(long)]
    pub allow_incomplete: bool,
    /// Keep figures of the run in a text file for Prometheus
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// End when the process that started this one ends, as by SIGTERM (Linux)
    #[arg(long)]
    pub die_with_parent: bool,
}

impl RunOptions {
    /// How the run deals with tasks that fail.
    pub fn conduct(&self) -> Conduct {
        Conduct { retries: self.retries, fail_fast: self.fail_fast, allow_incomplete: self.allow_incomplete }
    }
}

/// Flags of verbs that open maps.
#[derive(Debug, Clone, Args)]
pub struct FormatOptions {
    /// Format that a map may have, by GDAL's name, such as VRT (may be repeated); default: GTiff and HFA
    #[arg(long = "format", value_name = "NAME", value_parser = RasterFormat::parse)]
    formats: Vec<RasterFormat>,
}

impl FormatOptions {
    /// The formats that were asked for.
    pub fn formats(&self) -> Vec<RasterFormat> {
        if self.formats.is_empty() { RasterFormat::DEFAULT.into() } else { self.formats.clone() }
    }
}

/// Flags of the verbs that plan a job's comparisons.
#[derive(Debug, Clone, Args)]
pub struct GuardOptions {
    /// Compare what the makers of the maps forbid to compare, and stamp it
    #[arg(long)]
    pub allow_incomparable: bool,
}

impl GuardOptions {
    /// Lays the flag over the job.
    pub fn overlay(&self, job: &mut Job) {
        job.allow_incomparable |= self.allow_incomparable;
    }
}

/// Parses the name of an input: a file on disk, or one in a store.
pub fn input() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|name| place::beside(Path::new(""), Path::new(&name)))
}

/// Whether a verb was asked for JSON.
pub fn wants_json(matches: &ArgMatches) -> bool {
    let here = matches.try_get_one::<bool>("json").ok().flatten().copied().unwrap_or(false);
    here || matches.subcommand().is_some_and(|(_, matches)| wants_json(matches))
}

/// The log format asked for, where a verb has the flag.
pub fn log_format(matches: &ArgMatches) -> LogFormat {
    match matches.subcommand() {
        Some((_, below)) => log_format(below),
        None => matches.try_get_one::<LogFormat>("log_format").ok().flatten().copied().unwrap_or_default(),
    }
}

/// Two years, written `2001 2011`.
pub fn year_pair(years: &[i32]) -> (i32, i32) {
    match years {
        [from, to, ..] => (*from, *to),
        _ => (1, 2),
    }
}
