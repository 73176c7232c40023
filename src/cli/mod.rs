//! The command line: one file per verb, one table of verbs.
//!
//! stdout is data, stderr is talk. A verb returns what it has to say; this module prints it and chooses the exit
//! code. Adding a verb: write its file with a `VERB` and add it to [`VERBS`].

mod align;
mod change;
mod columns;
mod crosswalk;
mod crosswalk_against;
mod crosswalk_diff;
mod doctor;
mod info;
mod job_input;
mod legend;
mod merge;
mod mosaic;
mod options;
mod plan;
mod reclass;
mod revision;
mod run;
mod single;
mod slurm_scripts;
mod status;
mod submit;
mod synth;
mod tally;
mod verify;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{ErrorKind as IoErrorKind, Write};
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use serde_json::Value;

use crate::error::{Error, Result, redacted};
use crate::io::talk;

/// One verb: what the command line parser needs, and what it does.
pub struct Verb {
    /// Name on the command line.
    pub name: &'static str,
    /// Adds its arguments and help.
    pub arguments: fn(Command) -> Command,
    /// Does it.
    pub run: fn(&ArgMatches) -> Result<Answer>,
}

/// What a verb says on stdout.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// For people.
    pub text: String,
    /// The same for programs (`--json`).
    pub json: Value,
    /// The verb's work ended, but with a finding: exit 1.
    pub finding: bool,
}

/// All verbs, in the order of the help.
pub static VERBS: &[&Verb] = &[
    &run::VERB,
    &plan::VERB,
    &status::VERB,
    &merge::VERB,
    &submit::VERB,
    &verify::VERB,
    &change::VERB,
    &revision::VERB,
    &reclass::VERB,
    &mosaic::VERB,
    &align::VERB,
    &info::VERB,
    &legend::VERB,
    &crosswalk::VERB,
    &synth::VERB,
    &doctor::VERB,
];

const EXAMPLES: &str = "\
Examples:
  nalcms run job.toml                       the main job, end to end; run again to resume
  nalcms plan job.toml                      what it would do; writes nothing
  nalcms change 2001.tif 2011.tif --years 2001 2011 --legend nlcd -o out
  nalcms info map.tif --counts --legend nlcd

Exit codes: 0 complete, 1 incomplete or a difference found, 2 usage, 3 input refused, 4 limit or I/O,
70 bug, 75 stopped by SIGTERM (resumable), 130 Ctrl-C (resumable).";

/// The whole command line.
pub fn command() -> Command {
    let base = Command::new("nalcms")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Land cover change engine for the North American Land Change Monitoring System")
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .infer_subcommands(false);
    VERBS.iter().fold(base, |command, verb| command.subcommand((verb.arguments)(Command::new(verb.name))))
}

/// Parses the command line, runs the verb, prints, and chooses the exit code.
pub fn dispatch(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    let matches = match command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version come this way too, with exit code 0 and on stdout.
            if error.use_stderr() && arguments.iter().any(|argument| argument == "--json") {
                let _ = print(&pretty(&usage(&error).to_json()));
            }
            say(&error);
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let Some((name, matches)) = matches.subcommand() else { return ExitCode::from(2) };
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else { return ExitCode::from(70) };
    let as_json = options::wants_json(matches);
    talk::choose(options::log_format(matches));
    let answer =
        crate::io::stop::listen().and_then(|()| crate::io::gdal::init()).and_then(|()| caught(verb, matches));
    match answer {
        Ok(answer) => {
            let text = if as_json { pretty(&answer.json) } else { answer.text };
            let printed = print(&text);
            let code = match printed {
                Ok(()) => u8::from(answer.finding),
                Err(code) => code,
            };
            ExitCode::from(code)
        }
        Err(error) => {
            if as_json {
                let _ = print(&pretty(&error.to_json()));
            }
            talk::fail(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Prints what the parser of the command line has to say; an argument that it repeats may hold a secret.
fn say(error: &clap::Error) {
    let text = error.render().to_string();
    match redacted(&text) {
        Cow::Owned(shown) if shown != text => talk::note(&shown),
        _ => {
            let _ = error.print();
        }
    }
}

/// What the parser of the command line has to say, for `--json`: its first line, then the rest.
fn usage(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let what = lines.next().unwrap_or_default();
    Error::usage(what.strip_prefix("error: ").unwrap_or(what)).help(lines.collect::<Vec<_>>().join("\n"))
}

/// Runs a verb; a panic is a bug and ends with its exit code, not with the runtime's.
fn caught(verb: &Verb, matches: &ArgMatches) -> Result<Answer> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (verb.run)(matches))).unwrap_or_else(|_| {
        Err(Error::bug("the program stopped at a place it should never reach (see the message above)"))
    })
}

fn pretty(json: &Value) -> String {
    let mut text = serde_json::to_string_pretty(json).unwrap_or_default();
    text.push('\n');
    text
}

/// Prints to stdout; a reader that has gone away is no failure.
fn print(text: &str) -> std::result::Result<(), u8> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != IoErrorKind::BrokenPipe => {
            let error = Error::io("the answer cannot be printed", &e);
            talk::fail(&error);
            Err(error.kind().exit_code())
        }
        _ => Ok(()),
    }
}
