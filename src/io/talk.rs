//! Talk on stderr: warnings, errors and what is going on, as lines for people or as JSON for whoever collects logs.

use std::io::Write;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::error::{Error, redacted};

/// How lines on stderr are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Chooses the format for the whole process; the first choice stands.
pub fn choose(format: LogFormat) {
    let _ = FORMAT.set(format);
}

/// The format chosen.
pub fn format() -> LogFormat {
    FORMAT.get().copied().unwrap_or_default()
}

/// Something that is neither wrong nor doubtful.
pub fn note(text: &str) {
    let text = redacted(text);
    line(&text, || json!({ "level": "info", "message": text }));
}

/// Something that the user should know.
pub fn warn(text: &str) {
    let text = redacted(text);
    line(&format!("warning: {text}"), || json!({ "level": "warning", "message": text }));
}

/// What ends the work.
pub fn fail(error: &Error) {
    let object = || {
        let mut object = error.to_json();
        object["level"] = json!("error");
        object["message"] = json!(error.to_string());
        object
    };
    line(&format!("error: {error}"), object);
}

/// An event for collectors; people see it as progress.
pub fn event(object: &Value) {
    if format() == LogFormat::Json {
        line("", || object.clone());
    }
}

/// Talk that nobody hears stops nothing.
fn line(text: &str, object: impl FnOnce() -> Value) {
    let mut err = std::io::stderr().lock();
    let _ = match format() {
        LogFormat::Text => writeln!(err, "{text}"),
        LogFormat::Json => writeln!(err, "{}", object()),
    };
}
