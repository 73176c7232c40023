//! Who may import whom. The layers exist only if a machine looks.

use std::path::{Path, PathBuf};

/// Each module and the modules of this crate that it may use beside itself, from the nouns upward.
const LAYERS: [(&str, &[&str]); 13] = [
    ("error", &[]),
    ("model", &["error"]),
    ("kernel", &["model", "error"]),
    ("statistic", &["model", "error"]),
    ("io", &["model", "error"]),
    ("config", &["io", "kernel", "model", "error"]),
    ("plan", &["config", "io", "kernel", "model", "error"]),
    ("report", &["plan", "config", "statistic", "io", "kernel", "model", "error"]),
    ("run", &["report", "plan", "config", "io", "kernel", "model", "error"]),
    ("verify", &["io", "kernel", "model", "error"]),
    ("synth", &["config", "io", "kernel", "model", "error"]),
    ("cli", &["run", "verify", "synth", "report", "plan", "config", "io", "kernel", "model", "error"]),
    (
        "lib",
        &[
            "error",
            "model",
            "kernel",
            "statistic",
            "io",
            "config",
            "plan",
            "report",
            "run",
            "verify",
            "synth",
            "cli",
        ],
    ),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The lines that make the program: no comments, no tests.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim().to_string()));
    lines.filter(|(_, line)| !line.starts_with("//")).collect()
}

#[test]
fn dependencies_point_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    for path in sources(&root) {
        let relative = path.strip_prefix(&root).unwrap();
        let module = relative.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        if module == "main" {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            panic!("src/{module} has no place among the layers");
        };
        for (line, text) in code(&path) {
            assert!(!text.contains("super::super"), "{}:{line}: name the module instead", relative.display());
            for used in text.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let known = LAYERS.iter().any(|(name, _)| *name == used);
                if known && used != module && !allowed.contains(&used.as_str()) {
                    violations.push(format!("{}:{line}: {module} may not use {used}", relative.display()));
                }
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn gdal_is_used_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&root).into_iter().filter(|p| !p.starts_with(root.join("io/gdal"))) {
        for (line, text) in code(&path) {
            let foreign =
                text.contains("gdal::") && !text.contains("io::gdal") && !text.contains("super::gdal");
            assert!(!foreign && !text.contains("gdal_sys"), "{}:{line}: {text}", path.display());
        }
    }
}

#[test]
fn kernels_and_nouns_touch_no_file_thread_or_clock() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in ["model", "kernel", "statistic"].iter().flat_map(|folder| sources(&root.join(folder))) {
        for (line, text) in code(&path) {
            for banned in ["std::fs", "std::thread", "std::time", "std::env", "rayon", "std::path"] {
                assert!(!text.contains(banned), "{}:{line}: {banned}", path.display());
            }
        }
    }
}

#[test]
fn every_shipped_file_is_embedded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    for (folder, shipped) in [
        ("legends", nalcms::config::shipped::LEGENDS),
        ("crosswalks", nalcms::config::shipped::CROSSWALKS),
        ("grids", nalcms::config::shipped::GRIDS),
    ] {
        let mut files: Vec<String> = std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let embedded: Vec<&str> = shipped.iter().map(|(id, _)| *id).collect();
        assert_eq!(files, embedded, "configs/{folder} and config::shipped differ");
    }
}
