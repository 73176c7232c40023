//! What can go wrong, told to the one who can mend it.
//!
//! A message answers five questions: what is wrong, where, what was found, what was expected, and what to do.
//! The kind says whose fault it is and so fixes the exit code. Checks report every violation of one kind at
//! once, not the first. Messages show no secret that a URL carries, whoever worded them.

#[path = "error/redact.rs"] // also where the readers are built by themselves, for the fuzzer
mod redact;

use std::fmt;

pub use redact::{HIDDEN, redacted};

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Who has to act, and with which exit code the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The command or the job file is wrong.
    Usage,
    /// An input file is broken, contradictory or not what the job says.
    Input,
    /// An input's cells cannot be read or decoded.
    Unreadable,
    /// An input is out of reach, or changes while it is read: another try may end otherwise.
    Transient,
    /// Class codes that no crosswalk row and no legend explains.
    Unmapped,
    /// Grids that do not fit each other without resampling.
    Misaligned,
    /// The input is fine, this program cannot use it (yet).
    Unsupported,
    /// A limit on memory or size would be exceeded.
    Limit,
    /// The operating system refused: disk, permission, lock.
    Io,
    /// Work ended with failed tasks; finished parts are kept.
    Incomplete,
    /// `verify` found that an output contradicts itself.
    Difference,
    /// Stopped by SIGTERM or SIGUSR1; run again to resume.
    Terminated,
    /// Stopped by Ctrl-C; run again to resume.
    Interrupted,
    /// Two runs of one task came to different results.
    Conflict,
    /// A bug in this program.
    Bug,
}

impl ErrorKind {
    /// The process's exit code for this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Incomplete | Self::Difference => 1,
            Self::Usage => 2,
            Self::Input | Self::Unreadable | Self::Unmapped | Self::Misaligned | Self::Unsupported => 3,
            Self::Limit | Self::Io | Self::Transient => 4,
            Self::Conflict | Self::Bug => 70,
            Self::Terminated => 75,
            Self::Interrupted => 130,
        }
    }

    /// Whether cells could not be read, now or ever: tasks that need them fail, and no others.
    pub fn is_of_reading(self) -> bool {
        matches!(self, Self::Unreadable | Self::Transient)
    }

    /// A stable word for `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Input => "input",
            Self::Unreadable => "unreadable",
            Self::Transient => "transient",
            Self::Unmapped => "unmapped",
            Self::Misaligned => "misaligned",
            Self::Unsupported => "unsupported",
            Self::Limit => "limit",
            Self::Io => "io",
            Self::Incomplete => "incomplete",
            Self::Difference => "difference",
            Self::Terminated => "terminated",
            Self::Interrupted => "interrupted",
            Self::Conflict => "conflict",
            Self::Bug => "bug",
        }
    }
}

/// One error: what, where, found, expected, what to do.
#[derive(Debug, Clone)]
pub struct Error(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    kind: ErrorKind,
    what: String,
    place: Option<String>,
    found: Vec<String>,
    expected: Option<String>,
    help: Option<String>,
}

impl Error {
    /// An error of a kind, with one sentence that says what is wrong.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            what: what.into(),
            place: None,
            found: Vec::new(),
            expected: None,
            help: None,
        }))
    }

    /// The command or the job file is wrong.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, what)
    }

    /// An input is wrong.
    pub fn input(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, what)
    }

    /// The operating system refused something.
    pub fn io(what: impl Into<String>, cause: &std::io::Error) -> Self {
        Self::new(ErrorKind::Io, what).found(cause.to_string())
    }

    /// A broken promise of this program.
    pub fn bug(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::Bug, what)
            .help("this is a bug in nalcms: please report it with the command and the job file")
    }

    /// Adds where it happened, unless a more precise place is known already.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.place.get_or_insert_with(|| place.to_string());
        self
    }

    /// Adds one thing that was found; call again for each violation.
    #[must_use]
    pub fn found(mut self, found: impl fmt::Display) -> Self {
        self.0.found.push(found.to_string());
        self
    }

    /// Adds every violation of one check.
    #[must_use]
    pub fn found_all(mut self, found: impl IntoIterator<Item = String>) -> Self {
        self.0.found.extend(found);
        self
    }

    /// The same as another kind.
    #[must_use]
    pub fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Adds what would have been right.
    #[must_use]
    pub fn expected(mut self, expected: impl fmt::Display) -> Self {
        self.0.expected = Some(expected.to_string());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl fmt::Display) -> Self {
        self.0.help = Some(help.to_string());
        self
    }

    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The first sentence: what is wrong.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// The same facts as one JSON object, for `--json`.
    pub fn to_json(&self) -> serde_json::Value {
        let Details { kind, what, place, found, expected, help } = &*self.0;
        let shown = |text: &Option<String>| text.as_deref().map(|text| redacted(text).into_owned());
        let found: Vec<_> = found.iter().map(|text| redacted(text)).collect();
        serde_json::json!({
            "error": redacted(what), "kind": kind.word(), "exit_code": kind.exit_code(), "in": shown(place),
            "found": found, "expected": shown(expected), "help": shown(help),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { what, place, found, expected, help, .. } = &*self.0;
        write!(f, "{}", redacted(what))?;
        if let Some(place) = place {
            write!(f, "\n  in:       {}", redacted(place).replace('\n', "\n            "))?;
        }
        for (i, item) in found.iter().enumerate() {
            let label = if i == 0 { "found:   " } else { "         " };
            write!(f, "\n  {label} {}", redacted(item).replace('\n', "\n            "))?;
        }
        if let Some(expected) = expected {
            write!(f, "\n  expected: {}", redacted(expected))?;
        }
        if let Some(help) = help {
            write!(f, "\n  help:     {}", redacted(help).replace('\n', "\n            "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// The nearest of the known words to a mistyped one, for "did you mean".
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(word.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_answers_the_five_questions_in_order() {
        let error =
            Error::input("no such class").at("a.tif").found("7").found("9").expected("1..3").help("add it");
        assert_eq!(
            error.to_string(),
            "no such class\n  in:       a.tif\n  found:    7\n            9\n  expected: 1..3\n  help:     add it"
        );
    }

    #[test]
    fn the_innermost_place_wins() {
        assert!(Error::input("x").at("inner").at("outer").to_string().contains("in:       inner"));
    }

    #[test]
    fn a_typo_finds_its_word_and_nonsense_finds_none() {
        assert_eq!(did_you_mean("extnet", ["extent", "preset"]), Some("extent"));
        assert_eq!(did_you_mean("zzzzzz", ["extent", "preset"]), None);
    }
}
