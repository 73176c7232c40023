//! Verify: a finished output folder checked from what lies in it, by other code than the code that made it.
//!
//! Neither the job file nor the parts are looked at; `run.json` says by which rules the output was made, the rest must
//! follow from the rasters and from the long tables. Counting, coding, adding up and the statistics are written down
//! anew here. Shared with the engine are only readers (GDAL, PROJ, the layout check), plain types, and the hash that breaks
//! ties, which is part of the format.
//!
//! One file is one group of checks; each gives a line on what was compared, and all the differences it found. Files of
//! the folder are untrusted: any bytes give an answer, none a panic.

mod area_sums;
mod areas;
mod attributes;
mod checksums;
mod coast;
mod coverage;
mod edits;
mod facts;
mod findings;
mod fractions;
mod gaps;
mod layout;
mod manifest;
mod official;
mod overviews;
mod pixels;
mod provenance;
mod rasters;
mod rates;
mod records;
mod rollups;
mod rows;
mod seams;
mod sidecars;
mod statistics;
mod sums;
mod survey;
mod tables;
mod wide;

use std::io::Read;
use std::path::Path;

use serde_json::json;

use crate::error::{Error, Result};
use crate::io::progress::{Progress, ProgressMode};
use crate::io::stop;

pub use findings::Findings;

/// What one group of checks compared and found.
#[derive(Debug, Clone)]
pub struct Group {
    /// A word for the group.
    pub name: &'static str,
    /// What was compared, with numbers.
    pub compared: String,
    /// The differences.
    pub findings: Findings,
}

/// What a check of an output compared and found.
#[derive(Debug, Clone)]
pub struct Report {
    /// Groups in the order of the checks.
    pub groups: Vec<Group>,
}

impl Report {
    /// Whether no group found a difference.
    pub fn agrees(&self) -> bool {
        self.groups.iter().all(|group| group.findings.is_empty())
    }

    /// Number of differences, told or not.
    pub fn differences(&self) -> u64 {
        self.groups.iter().map(|group| group.findings.count()).sum()
    }

    /// For people: a line per group, then the differences, then the verdict.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for group in &self.groups {
            text += &format!("{:<11} {}\n", group.name, group.compared);
        }
        for group in self.groups.iter().filter(|group| !group.findings.is_empty()) {
            text += &format!("\n{} differ:\n", group.name);
            for line in group.findings.lines() {
                text += &format!("  {line}\n");
            }
        }
        text += &match self.differences() {
            0 => "everything agrees\n".to_string(),
            1 => "\n1 difference\n".to_string(),
            n => format!("\n{n} differences\n"),
        };
        text
    }

    /// The same for programs.
    pub fn json(&self) -> serde_json::Value {
        let group = |group: &Group| {
            json!({
                "group": group.name, "compared": group.compared, "differences": group.findings.count(),
                "found": group.findings.lines(),
            })
        };
        json!({
            "agrees": self.agrees(), "differences": self.differences(),
            "groups": self.groups.iter().map(group).collect::<Vec<_>>(),
        })
    }
}

/// Checks a finished output folder.
///
/// # Errors
/// Input: the folder holds no finished output. Io: the disk refuses. Terminated, Interrupted: stopped.
pub fn verify(output: &Path) -> Result<Report> {
    verify_showing(output, &Progress::new(ProgressMode::None, true))
}

/// As [`verify`], showing how far the rasters have been read.
///
/// # Cost
/// Every file is hashed once and every cell decoded once, overviews and the maps of jobs that list gaps up to twice; a few dozen MiB a thread, and some 200
/// bytes for each row of the tables, which thousands of zones make long.
/// # Errors
/// As [`verify`].
pub fn verify_showing(output: &Path, progress: &Progress) -> Result<Report> {
    let mut groups = Vec::new();
    let mut group = |name: &'static str, compared: String, findings: Findings| {
        groups.push(Group { name, compared, findings });
    };

    let mut found = Findings::default();
    let listing = checksums::listing(output, &mut found)?;
    let manifest = manifest::Manifest::read(output, &mut found);
    let compared = checksums::check(output, &listing, manifest.as_ref(), &mut found)?;
    group("checksums", compared, found);

    let mut found = Findings::default();
    let compared = layout::check(output, &listing, &mut found)?;
    group("layout", compared, found);

    let mut found = Findings::default();
    let compared = sidecars::check(output, &listing, &mut found);
    group("sidecars", compared, found);

    let Some(manifest) = manifest else {
        group("pixels", "not compared: run.json cannot be read".into(), Findings::default());
        return Ok(Report { groups });
    };
    let mut table_findings = Findings::default();
    let tables = rows::read(output, &manifest, &mut table_findings);

    let mut found = Findings::default();
    let rasters = rasters::open_all(output, &listing, &manifest, &mut found);
    let (facts, told) = survey::survey(&rasters, &manifest, progress)?;
    found.merge(told.pixels);
    let compared = pixels::check(output, &rasters, &facts, &tables, &manifest, &mut found);
    group("pixels", compared, found);
    let compared =
        format!("{} overview cells compared with the cells under them", facts.whole.overview_cells);
    group("overviews", compared, told.overviews);

    group("tables", tables.compared(), table_findings);
    let mut found = Findings::default();
    let mut overruled = edits::Overruled::default();
    provenance::slivers(output, &tables, &manifest, &mut overruled, &mut found);
    let laid_over = coast::check(output, &tables, &manifest, &mut overruled, &mut found)
        + &edits::check(output, &tables, &manifest, &mut overruled, &mut found);
    let mut compared = sums::check(&tables, &manifest, &overruled, &mut found);
    compared += &laid_over;
    compared += &area_sums::check(&tables, &manifest, &mut found);
    compared += &coverage::check(output, &tables, &manifest, &mut found);
    compared += &provenance::check(output, &facts.whole, &tables, &manifest, &mut found);
    group("sums", compared, found);
    let mut found = Findings::default();
    let compared = wide::check(output, &tables, &manifest, &mut found);
    group("wide", compared, found);
    let mut found = Findings::default();
    let compared = rollups::check(output, &tables, &manifest, &mut found);
    group("roll-ups", compared, found);
    let mut found = Findings::default();
    let mut compared = statistics::check(&tables, &manifest, &mut found);
    compared += &rates::check(&tables, &manifest, &mut found);
    group("statistics", compared, found);
    if manifest.job.seams.is_some() {
        let mut found = Findings::default();
        let compared = seams::check(output, &rasters, &tables, &manifest, &mut found)?;
        group("seams", compared, found);
    }
    if manifest.job.gaps {
        let mut found = Findings::default();
        let compared = gaps::check(output, &rasters, &facts, &manifest, &mut found)?;
        group("gaps", compared, found);
    }
    Ok(Report { groups })
}

/// Reads a file that must not be larger than a limit; else says what is wrong with it.
fn read_bounded(path: &Path, limit: u64) -> std::result::Result<Vec<u8>, String> {
    let unreadable = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => "is missing".to_string(),
        _ => format!("cannot be read: {e}"),
    };
    // A pipe would keep us waiting for ever.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is no file".into());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(format!("is larger than {limit} bytes"));
    }
    Ok(bytes)
}

/// An error as one line.
fn one_line(error: &Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn heed_stop() -> Result<()> {
    stop::requested().map_or(Ok(()), |kind| Err(Error::new(kind, "stopped; nothing was changed")))
}
