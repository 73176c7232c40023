//! The environment variables that the program heeds.

use std::path::PathBuf;

use crate::error::{Error, Result};

/// Seconds since 1970 to stamp into outputs, from `SOURCE_DATE_EPOCH`; without it outputs bear no date.
///
/// Source: <https://reproducible-builds.org/specs/source-date-epoch/>.
pub fn source_date_epoch() -> Option<i64> {
    read("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok())
}

/// The system's folder for temporary files, from `TMPDIR`.
pub fn temporary_folder() -> PathBuf {
    std::env::temp_dir()
}

/// Variables in which schedulers say which element of an array a process is, and what they count from.
///
/// Slurm, AWS Batch, Kubernetes (indexed jobs), PBS Pro, Torque, Grid Engine, LSF, Google Batch and Cloud Run. How many elements
/// there are is not asked for: Slurm, for one, tells how many were submitted this time.
const ARRAY_INDEXES: [(&str, usize); 9] = [
    ("SLURM_ARRAY_TASK_ID", 0),
    ("AWS_BATCH_JOB_ARRAY_INDEX", 0),
    ("JOB_COMPLETION_INDEX", 0),
    ("PBS_ARRAY_INDEX", 0),
    ("PBS_ARRAYID", 0),
    ("SGE_TASK_ID", 1),
    ("LSB_JOBINDEX", 1),
    ("BATCH_TASK_INDEX", 0),
    ("CLOUD_RUN_TASK_INDEX", 0),
];

/// Values of such variables outside an array: Grid Engine's, LSF's.
const NO_ARRAY: [(&str, &str); 2] = [("SGE_TASK_ID", "undefined"), ("LSB_JOBINDEX", "0")];

/// Which element of a scheduler's array this process is, from 0.
///
/// # Errors
/// Usage: no scheduler says so, several do, or what one says is no index.
pub fn array_index() -> Result<usize> {
    array_index_of(read)
}

fn array_index_of(read: impl Fn(&str) -> Option<String>) -> Result<usize> {
    let told = ARRAY_INDEXES.iter().filter_map(|&(name, first)| Some((name, first, read(name)?)));
    let told: Vec<_> = told
        .filter(|(name, _, value)| !NO_ARRAY.contains(&(name, value.as_str())) && !value.is_empty())
        .collect();
    let names = || ARRAY_INDEXES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    match told.as_slice() {
        [] => Err(Error::usage("no scheduler says which shard this is")
            .expected(format!("one of {}", names()))
            .help("start it as an element of an array job, or say --shard I/N")),
        [(name, first, value)] => {
            let index = value.parse::<usize>().ok().and_then(|index| index.checked_sub(*first));
            index.ok_or_else(|| {
                Error::usage("a scheduler's index is none")
                    .found(format!("{name}={value}"))
                    .expected(format!("a whole number from {first}"))
            })
        }
        several => Err(Error::usage("several schedulers say which shard this is")
            .found_all(several.iter().map(|(name, _, value)| format!("{name}={value}")))
            .help("say --shard I/N")),
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn read(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<usize> {
        array_index_of(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn each_scheduler_counts_from_where_it_does() {
        for name in
            ["SLURM_ARRAY_TASK_ID", "AWS_BATCH_JOB_ARRAY_INDEX", "JOB_COMPLETION_INDEX", "PBS_ARRAY_INDEX"]
        {
            assert_eq!(of(&[(name, "3")]).unwrap(), 3, "{name}");
        }
        assert_eq!(of(&[("SGE_TASK_ID", "4")]).unwrap(), 3);
        assert_eq!(of(&[("LSB_JOBINDEX", "4")]).unwrap(), 3);
        // Grid Engine and LSF set theirs outside arrays too; a number of elements is never asked for.
        assert_eq!(
            of(&[
                ("SGE_TASK_ID", "undefined"),
                ("LSB_JOBINDEX", "0"),
                ("SLURM_ARRAY_TASK_ID", "7"),
                ("SLURM_ARRAY_TASK_COUNT", "2")
            ])
            .unwrap(),
            7
        );
    }

    #[test]
    fn no_index_two_indexes_and_nonsense_are_refused() {
        let told = |variables: &[(&str, &str)]| of(variables).unwrap_err().to_string();
        assert!(told(&[]).contains("no scheduler"));
        let both = told(&[("SLURM_ARRAY_TASK_ID", "3"), ("AWS_BATCH_JOB_ARRAY_INDEX", "3")]);
        assert!(both.contains("several") && both.contains("SLURM_ARRAY_TASK_ID=3"), "{both}");
        assert!(told(&[("SGE_TASK_ID", "0")]).contains("SGE_TASK_ID=0"));
        assert!(told(&[("JOB_COMPLETION_INDEX", "-1")]).contains("is none"));
    }
}
