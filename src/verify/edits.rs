//! Sixth group, fourth part: what edits by interpreters did, as their tables tell it, is what run.json says of them and fits
//! the areas of the classes.
//!
//! Where their polygons lie cannot be seen in an output; how many cells they hold run.json says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::findings::Findings;
use super::manifest::{EditRecord, Manifest};
use super::records::{Record, rows};
use super::tables::{CLASS_AREA, Tables, Zone};
use crate::model::epoch::Epoch;
use crate::model::legend::ClassCode;

/// What edits did.
pub const EDITS: &str = "tables/edits.csv";
const EDIT_LAYERS: &str = "tables/edit_layers.csv";

/// What is laid over the maps, class by class: cells that have a class though no source gives it, and cells that have it no
/// more.
#[derive(Debug, Default)]
pub struct Overruled {
    /// Cells that got a class.
    pub gained: BTreeMap<(Epoch, ClassCode), u64>,
    /// Cells that lost it.
    pub lost: BTreeMap<(Epoch, ClassCode), u64>,
    /// The tables that tell of it.
    pub tables: Vec<&'static str>,
}

impl Overruled {
    /// Notes cells that go from a class to a class.
    pub fn note(&mut self, year: Epoch, before: Option<ClassCode>, after: Option<ClassCode>, pixels: u64) {
        for (sums, class) in [(&mut self.lost, before), (&mut self.gained, after)] {
            if let Some(class) = class {
                let sum = sums.entry((year, class)).or_default();
                *sum = sum.saturating_add(pixels);
            }
        }
    }
}

/// Compares both tables, if the job has edits; notes what they overrule and says what was compared.
pub fn check(
    output: &Path,
    tables: &Tables,
    manifest: &Manifest,
    overruled: &mut Overruled,
    findings: &mut Findings,
) -> String {
    if manifest.job.edits.is_empty() {
        return String::new();
    }
    overruled.tables.push(EDITS);
    let mut check = Check {
        tables,
        manifest,
        overruled,
        met: BTreeSet::new(),
        held: BTreeMap::new(),
        after: BTreeMap::new(),
    };
    let columns =
        ["edit", "year", "before_code", "before_name", "after_code", "after_name", "edited", "pixels"];
    let areas = ["area_m2", "area_ha", "area_km2"];
    if rows(output, EDITS, &[&columns[..], &areas].concat(), findings, |row, findings| {
        check.row(row, findings)
    }) {
        check.sums(findings);
    }
    let told = check.met.len();
    layers(output, tables, manifest, findings);
    format!(", {told} rows of {} edits", manifest.job.edits.len())
}

struct Check<'a> {
    tables: &'a Tables,
    manifest: &'a Manifest,
    overruled: &'a mut Overruled,
    met: BTreeSet<(String, Epoch, Option<ClassCode>, Option<ClassCode>)>,
    /// Cells of each edit and year.
    held: BTreeMap<(String, Epoch), u64>,
    /// Cells of each year and class after.
    after: BTreeMap<(Epoch, ClassCode), u64>,
}

impl Check<'_> {
    fn row(&mut self, row: &Record, findings: &mut Findings) {
        let edit = row.text("edit").to_string();
        let Some(year) = row.whole::<Epoch>("year", findings) else { return };
        let before = row.class(("before_code", "before_name"), self.tables, findings);
        let after = row.class(("after_code", "after_name"), self.tables, findings);
        let (Ok(before), Ok(after), Some(pixels)) = (before, after, row.pixels(self.manifest, findings))
        else {
            return;
        };
        let known = self.manifest.job.edits.iter().find(|record| record.id == edit);
        match known {
            Some(record) if record.epochs.contains(&year) => {
                self.rule(row, record, (before, after), findings)
            }
            _ => row.told(findings, "edits", || format!("`{edit}` is no edit of the job in {year}")),
        }
        if !self.met.insert((edit.clone(), year, before, after)) {
            row.told(findings, "rows", || format!("{edit}, {year}, {before:?} to {after:?} stands twice"));
        }
        let held = self.held.entry((edit, year)).or_default();
        *held = held.saturating_add(pixels);
        if let Some(class) = after {
            let sum = self.after.entry((year, class)).or_default();
            *sum = sum.saturating_add(pixels);
        }
        if before != after {
            self.overruled.note(year, before, after, pixels);
        }
    }

    /// What is edited gets the class of the edit and is meant by it; what is meant and has a class is edited.
    fn rule(
        &self,
        row: &Record,
        record: &EditRecord,
        (before, after): (Option<ClassCode>, Option<ClassCode>),
        findings: &mut Findings,
    ) {
        let edited = before != after;
        // Cells without a class may be such that no source decides, which no edit is about.
        let may_stay = !record.from_code.holds(before) || before.is_none() || before == Some(record.to_code);
        let agrees =
            if edited { record.from_code.holds(before) && after == Some(record.to_code) } else { may_stay };
        if !agrees {
            row.told(findings, "edits", || {
                format!(
                    "{before:?} to {after:?}; edit `{}` makes {} to {}",
                    record.id, record.from_code, record.to_code
                )
            });
        }
        let word = row.text("edited");
        if word != if edited { "yes" } else { "no" } {
            row.told(findings, "words", || format!("edited is `{word}` from {before:?} to {after:?}"));
        }
    }

    /// All cells that an edit holds have a row; no class has fewer cells than edits leave it.
    fn sums(&self, findings: &mut Findings) {
        let expected: BTreeMap<(String, Epoch), u64> = self
            .manifest
            .job
            .edits
            .iter()
            .flat_map(|edit| {
                self.manifest.held_pixels(&edit.id).into_iter().map(|(year, n)| ((edit.id.clone(), year), n))
            })
            .collect();
        findings.compare(EDITS, "cells held", &self.held, &expected, |(edit, year)| {
            format!("cells that edit `{edit}` holds in {year}, against run.json")
        });
        if !self.tables.has(CLASS_AREA) {
            return;
        }
        for (&(year, class), &cells) in &self.after {
            let areas = self.tables.class_counts(&Zone::all(), year);
            let whole = areas.get(&class).copied().unwrap_or(0);
            findings.that(cells <= whole, EDITS, "areas of classes", || {
                format!("{cells} cells of class {class} after edits in {year}; {CLASS_AREA} has {whole}")
            });
        }
    }
}

/// The layers of edits are those of run.json, in its order.
fn layers(output: &Path, tables: &Tables, manifest: &Manifest, findings: &mut Findings) {
    let mut wanted = manifest.job.edits.iter();
    let columns =
        ["edit", "from_code", "from_name", "to_code", "to_name", "years", "author", "date", "reason"];
    let read = rows(output, EDIT_LAYERS, &columns, findings, |row, findings| {
        let Some(record) = wanted.next() else {
            return row.told(findings, "rows", || "is one row too many".into());
        };
        for (column, expected) in columns.iter().zip(texts(record, tables)) {
            let found = row.text(column);
            if found != expected {
                row.told(findings, "edits", || format!("{column} is `{found}`; expected `{expected}`"));
            }
        }
    });
    let missing = wanted.count();
    findings.that(!read || missing == 0, EDIT_LAYERS, "rows", || format!("{missing} edits have no row"));
}

/// What the columns of a layer must be.
fn texts(record: &EditRecord, tables: &Tables) -> [String; 9] {
    let name = |code: &str| {
        let code = code.parse::<ClassCode>().ok();
        let class = code.and_then(|code| tables.classes.as_ref()?.get(&code));
        class.map(|class| class.name.clone()).unwrap_or_default()
    };
    let (from, to) = (record.from_code.to_string(), record.to_code.to_string());
    let years: Vec<String> = record.epochs.iter().map(ToString::to_string).collect();
    let (from_name, to_name) = (name(&from), name(&to));
    let of_record = |text: &String| text.clone();
    [
        of_record(&record.id),
        from,
        from_name,
        to,
        to_name,
        years.join(" "),
        of_record(&record.author),
        of_record(&record.date),
        of_record(&record.reason),
    ]
}
