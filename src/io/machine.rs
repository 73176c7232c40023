//! What the machine gives this process: processors and memory, as far as the system tells.

use std::path::Path;

/// Memory of the machine and of the control group that the process runs in, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Of the machine.
    pub total: Option<u64>,
    /// Of the machine, that may be had without swapping.
    pub available: Option<u64>,
    /// Least limit that a control group of the process sets.
    pub limit: Option<u64>,
}

impl Memory {
    /// Asks the system.
    pub fn of_this_process() -> Self {
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self {
            total: of_meminfo(&meminfo, "MemTotal"),
            available: of_meminfo(&meminfo, "MemAvailable"),
            limit: limit(&groups, Path::new("/sys/fs/cgroup")),
        }
    }
}

/// An entry of /proc/meminfo, in bytes.
fn of_meminfo(text: &str, entry: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(entry)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The least limit of the control groups that /proc/self/cgroup lists, and of those above them.
///
/// Source: <https://docs.kernel.org/admin-guide/cgroup-v2.html>, memory.max; version 1: memory.limit_in_bytes.
fn limit(groups: &str, mounted: &Path) -> Option<u64> {
    let files = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        match (fields.next()?, fields.next()?) {
            ("", group) => Some((mounted.to_path_buf(), group, "memory.max")),
            (controllers, group) if controllers.split(',').any(|c| c == "memory") => {
                Some((mounted.join("memory"), group, "memory.limit_in_bytes"))
            }
            _ => None,
        }
    });
    let limits = files.flat_map(|(mounted, group, file)| {
        let folders = Path::new(group.trim_start_matches('/')).ancestors().map(|part| mounted.join(part));
        folders.filter_map(|folder| read_limit(&folder.join(file))).collect::<Vec<_>>()
    });
    limits.min()
}

/// A limit; none where there is none, which version 1 writes as a number beyond any memory.
fn read_limit(path: &Path) -> Option<u64> {
    let limit = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
    (limit < 1 << 60).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::atomic::write_bytes;

    #[test]
    fn the_least_limit_of_nested_groups_counts_in_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| write_bytes(&folder.path().join(name), text.as_bytes()).unwrap();
        write("slice/job/memory.max", "max\n");
        write("slice/memory.max", "2147483648\n");
        assert_eq!(limit("0::/slice/job\n", folder.path()), Some(2 << 30));
        assert_eq!(limit("0::/other\n", folder.path()), None);
        write("memory/job/memory.limit_in_bytes", "1073741824\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit("5:cpu:/job\n4:memory:/job\n0::/\n", folder.path()), Some(1 << 30));
        assert_eq!(limit("4:memory:/\n", folder.path()), None);
    }

    #[test]
    fn entries_are_in_kibibytes() {
        let text = "MemTotal:       24576 kB\nMemAvailable:    1024 kB\n";
        assert_eq!((of_meminfo(text, "MemTotal"), of_meminfo(text, "MemFree")), (Some(24 << 20), None));
    }
}
