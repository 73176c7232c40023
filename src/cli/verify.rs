//! `nalcms verify OUT`: a finished output checked from what lies in it.

use std::path::PathBuf;

use clap::{Args, FromArgMatches};

use super::options::{ComputeOptions, TalkOptions};
use super::{Answer, Verb};
use crate::config::file::ComputeFile;
use crate::error::{Error, ErrorKind, Result};
use crate::verify::verify_showing;

/// Memory of one thread at work, in MiB: the squares of the maps of a pair and of their change raster.
const THREAD_MIB: usize = 64;

pub static VERB: Verb = Verb {
    name: "verify",
    arguments: |command| {
        VerifyArgs::augment_args(command)
            .about("Check a finished output: checksums, layout, cells, overviews, tables and their sums")
            .after_help(
                "Examples:\n  nalcms verify out/na-2010-2015\n  nalcms verify out --json\n\n\
                 Exit codes: 0 everything agrees, 1 differences, 3 no finished output.",
            )
    },
    run: |matches| {
        let args = VerifyArgs::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))?;
        run(&args)
    },
};

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The output folder
    #[arg(value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    compute: ComputeOptions,
    #[command(flatten)]
    talk: TalkOptions,
}

fn run(args: &VerifyArgs) -> Result<Answer> {
    let mut compute = ComputeFile::default();
    args.compute.overlay(&mut compute);
    let asked = match compute.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        n => n,
    };
    let threads = asked.min(compute.memory_mib / THREAD_MIB).max(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::new(ErrorKind::Limit, "threads cannot be started").found(e.to_string()))?;
    let progress = args.compute.progress(&args.talk);
    let report = pool.install(|| verify_showing(&args.output, &progress))?;
    Ok(Answer { text: report.text(), json: report.json(), finding: !report.agrees() })
}
