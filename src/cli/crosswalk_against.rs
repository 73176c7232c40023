//! `nalcms crosswalk check ID --against RASTER`: what a crosswalk does with the codes that a map really holds.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::columns::columns;
use super::legend::status_word;
use super::options::{ComputeOptions, FormatOptions, TalkOptions, input};
use super::tally::{Tally, tally};
use crate::config::file::ComputeFile;
use crate::error::Result;
use crate::io::gdal::{SampleKind, open_raster_as};
use crate::model::crosswalk::{Crosswalk, CrosswalkRow, Target};
use crate::model::legend::{ClassCode, Language, Legend};
use crate::model::nodata::TagVerdict;
use crate::model::rule::{Outcome, RuleTable};

/// A map to hold a crosswalk against.
#[derive(Debug, Args)]
pub struct AgainstOptions {
    /// Map whose codes are counted: which rows they take, which have none, which rows are never hit
    #[arg(long, value_name = "RASTER", value_parser = input())]
    against: Option<PathBuf>,
    /// Band of that map, from 1
    #[arg(long, value_name = "N", requires = "against")]
    band: Option<usize>,
    #[command(flatten)]
    formats: FormatOptions,
    #[command(flatten)]
    compute: ComputeOptions,
}

/// What a map's codes meet in a crosswalk.
pub struct Against {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// Whether some code has no row.
    pub has_gaps: bool,
}

/// What becomes of a code of the map.
enum Fate<'a> {
    Row(&'a CrosswalkRow),
    Nodata,
    /// A class that the crosswalk has no row for.
    NoRow,
    /// Neither a class nor nodata of the legend.
    Unknown,
}

impl Fate<'_> {
    fn words(&self, to: &Legend, language: Language) -> String {
        match self {
            Self::Nodata => "nodata by the legend".into(),
            Self::NoRow => "NO ROW".into(),
            Self::Unknown => "NOT IN THE LEGEND".into(),
            Self::Row(row) => match &row.to {
                Target::Class(code) => format!("{code} {}", to.name(*code, language)),
                Target::Word(_) => "nodata".into(),
                Target::ByStratum(_) => {
                    format!("by {}", row.layer_words().as_deref().unwrap_or("a stratum"))
                }
            },
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Row(_) => "row",
            Self::Nodata => "nodata",
            Self::NoRow => "no row",
            Self::Unknown => "not in the legend",
        }
    }
}

impl AgainstOptions {
    /// Counts the map's cells by code and asks the crosswalk about each; `None` where no map is named.
    ///
    /// # Errors
    /// Those of reading the map.
    pub fn look(
        &self,
        (crosswalk, from, to): (&Crosswalk, &Legend, &Legend),
        language: Language,
        talk: &TalkOptions,
    ) -> Result<Option<Against>> {
        let Some(path) = &self.against else { return Ok(None) };
        let header = open_raster_as(path, self.band, &self.formats.formats())?.header;
        let signed_byte = header.sample == SampleKind::I8;
        let tag = TagVerdict::judge(from, header.nodata_tag, header.sample.range(), signed_byte);
        let mut compute = ComputeFile::default();
        self.compute.overlay(&mut compute);
        let counts = tally(&header, &compute, &self.compute.progress(talk))?;
        let rules = RuleTable::compile(from, None, tag.adds(), &[], false);
        let fate = |code: ClassCode| match rules
            .find(code, |_| 0)
            .map(|rule| rules.rules()[usize::from(rule)].outcome)
        {
            Some(Outcome::Absent(_) | Outcome::Withheld) => Fate::Nodata,
            Some(_) => crosswalk.row(code).map_or(Fate::NoRow, Fate::Row),
            None => Fate::Unknown,
        };
        let cells = header.grid.window().cells();
        Ok(Some(told(&path.display().to_string(), cells, &counts, crosswalk, (from, to), language, fate)))
    }
}

fn told<'a>(
    path: &str,
    cells: u64,
    counts: &Tally,
    crosswalk: &'a Crosswalk,
    (from, to): (&Legend, &Legend),
    language: Language,
    fate: impl Fn(ClassCode) -> Fate<'a>,
) -> Against {
    let (mut rows, mut codes, mut proposed, mut classes, mut gaps) =
        (Vec::new(), Vec::new(), 0u64, 0u64, 0u64);
    for (&code, &pixels) in counts {
        let fate = fate(code);
        let status = match fate {
            Fate::Row(row) => status_word(row.status),
            _ => "",
        };
        classes += if matches!(fate, Fate::Nodata) { 0 } else { pixels };
        proposed += if status == "proposed" { pixels } else { 0 };
        gaps += if matches!(fate, Fate::NoRow | Fate::Unknown) { pixels } else { 0 };
        let percent = pixels as f64 * 100.0 / cells.max(1) as f64;
        let name = from.class(code).map(|class| class.name.get(language).to_string());
        rows.push(vec![
            code.to_string(),
            name.clone().unwrap_or_default(),
            pixels.to_string(),
            format!("{percent:.3}"),
            fate.words(to, language),
            status.to_string(),
        ]);
        let stratum = match fate {
            Fate::Row(row) => row.layer_words(),
            _ => None,
        };
        codes.push(json!({
            "code": code, "name": name, "pixels": pixels, "percent": percent, "meets": fate.word(), "stratum": stratum,
            "status": Some(status).filter(|word| !word.is_empty()),
        }));
    }
    let met: BTreeSet<ClassCode> = counts.keys().copied().collect();
    let never: Vec<ClassCode> =
        crosswalk.rows.iter().map(|row| row.from).filter(|code| !met.contains(code)).collect();
    let share = |part: u64| if classes == 0 { 0.0 } else { part as f64 * 100.0 / classes as f64 };
    let header = ["code", "name", "pixels", "%", "becomes", "status"];
    let mut text = format!("against {path}: {cells} cells\n{}", columns(2, &header, &rows));
    text += &format!("{gaps} cells have no row ({:.3} % of those that are not nodata)\n", share(gaps));
    text += &format!("{:.1} % rest on proposed rows\n", share(proposed));
    if !never.is_empty() {
        let list: Vec<String> = never.iter().map(ToString::to_string).collect();
        text += &format!("rows never hit: {}\n", list.join(" "));
    }
    let json = json!({
        "raster": path, "cells": cells, "codes": codes, "cells_without_row": gaps, "never_hit": never,
        "proposed_percent": share(proposed),
    });
    Against { text, json, has_gaps: gaps > 0 }
}
