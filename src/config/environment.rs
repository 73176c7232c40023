//! The environment variables that the program heeds.

/// Seconds since 1970 to stamp into outputs, from `SOURCE_DATE_EPOCH`; without it outputs bear no date.
///
/// Source: <https://reproducible-builds.org/specs/source-date-epoch/>.
pub fn source_date_epoch() -> Option<i64> {
    read("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok())
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn read(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
