//! `nalcms doctor`: whether this machine has what the program needs.

use std::path::PathBuf;

use clap::{Args, FromArgMatches};
use serde_json::{Value, json};

use super::options::TalkOptions;
use super::{Answer, Verb};
use crate::config::file::ComputeFile;
use crate::error::Error;
use crate::io::disk::{allows_locks, free_bytes};
use crate::io::gdal::{self as rasters, NEEDED_FORMATS, knows_crs, missing_formats};
use crate::io::machine::Memory;
use crate::io::proj;
use crate::run::folder::refuse_unusable;

pub static VERB: Verb = Verb {
    name: "doctor",
    arguments: |command| {
        DoctorArgs::augment_args(command)
            .about("Check the environment: GDAL and PROJ, formats, memory and its limits, disk")
            .after_help("Examples:\n  nalcms doctor\n  nalcms doctor --output /scratch/out --json")
    },
    run: |matches| {
        let args = DoctorArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        Ok(doctor(&args))
    },
};

#[derive(Debug, Args)]
struct DoctorArgs {
    /// Folder that a job would write to
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    output: PathBuf,
    #[command(flatten)]
    talk: TalkOptions,
}

/// One thing that was looked at.
#[derive(Clone)]
struct Check {
    name: &'static str,
    /// What was found.
    found: String,
    /// What is wrong with it, and what to do.
    fault: Option<String>,
}

fn doctor(args: &DoctorArgs) -> Answer {
    let checks = [libraries(), vec![formats(), databases()], memory(), disk(args)].concat();
    let line = |check: &Check| match &check.fault {
        None => format!("ok      {}: {}\n", check.name, check.found),
        Some(fault) => format!("PROBLEM {}: {}; {fault}\n", check.name, check.found),
    };
    let facts = |check: &Check| -> Value {
        json!({ "check": check.name, "found": check.found, "ok": check.fault.is_none(), "fault": check.fault })
    };
    let faults = checks.iter().filter(|check| check.fault.is_some()).count();
    let text = checks.iter().map(line).collect();
    let json = json!({
        "version": env!("CARGO_PKG_VERSION"), "ok": faults == 0, "checks": checks.iter().map(facts).collect::<Vec<_>>(),
    });
    Answer { text, json, finding: faults > 0 }
}

/// Versions found and compiled against: a library of another minor version may have another interface.
fn libraries() -> Vec<Check> {
    let of = |name, (built, found): (&str, String)| {
        let series = |version: &str| version.split('.').take(2).map(str::to_string).collect::<Vec<_>>();
        let fault = (series(built) != series(&found)).then(|| {
            "build the program again on this machine, or install the version it was built with".into()
        });
        Check { name, found: format!("{found}, compiled against {built}"), fault }
    };
    vec![
        of("GDAL", (rasters::BUILT_WITH, rasters::version())),
        of("PROJ", (proj::BUILT_WITH, proj::version())),
    ]
}

fn formats() -> Check {
    let missing = missing_formats();
    let fault =
        (!missing.is_empty()).then(|| format!("GDAL lacks {}: install its full package", missing.join(", ")));
    Check {
        name: "formats",
        found: format!("{} needed, {} missing", NEEDED_FORMATS.len(), missing.len()),
        fault,
    }
}

/// Without its database PROJ knows no CRS by its number.
fn databases() -> Check {
    let known = knows_crs("EPSG:5070");
    let fault = (!known)
        .then(|| "PROJ does not find proj.db: install proj-data, or set PROJ_LIB to its folder".into());
    Check { name: "CRS database", found: if known { "found" } else { "not found" }.into(), fault }
}

fn memory() -> Vec<Check> {
    let wanted = (ComputeFile::default().memory_mib as u64) << 20;
    let mib = |bytes: Option<u64>| bytes.map_or("unknown".into(), |bytes| format!("{} MiB", bytes >> 20));
    let Memory { total, available, limit } = Memory::of_this_process();
    let fault = available
        .filter(|available| *available < wanted)
        .map(|_| format!("less than compute.memory_mib by default ({} MiB): set that lower", wanted >> 20));
    let limited = limit.filter(|limit| *limit < wanted).map(|limit| {
        format!("the control group would kill a run by default: set compute.memory_mib below {}", limit >> 20)
    });
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    vec![
        Check { name: "processors", found: threads.to_string(), fault: None },
        Check { name: "memory", found: format!("{} of {} available", mib(available), mib(total)), fault },
        Check {
            name: "memory limit",
            found: limit.map_or("none set by a control group".into(), |limit| mib(Some(limit))),
            fault: limited,
        },
    ]
}

fn disk(args: &DoctorArgs) -> Vec<Check> {
    let place = args.output.display();
    let folder = args.output.ancestors().find(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    let folder = folder.unwrap_or(&args.output);
    let free = free_bytes(folder);
    let locks = allows_locks(folder);
    let unusable = refuse_unusable(&args.output).err().map(|error| error.what().to_string());
    let unusable = unusable.or_else(|| locks.as_ref().err().map(ToString::to_string));
    let found = match (&unusable, &locks) {
        (Some(_), _) => "not writable",
        (None, Ok(true)) => "writable, with locks",
        (None, _) => "writable, without locks: let one process merge at a time",
    };
    let fault = unusable.map(|why| format!("{why}: choose a folder that you may write to"));
    vec![
        Check {
            name: "disk",
            found: format!(
                "{place}: {} MiB free",
                free.map_or("unknown".into(), |free| (free >> 20).to_string())
            ),
            fault: free.filter(|free| *free < 1 << 30).map(|_| "less than 1 GiB: a job may not fit".into()),
        },
        Check { name: "output folder", found: format!("{place}: {found}"), fault },
    ]
}
