//! A job file, exactly as written.

mod grid;
mod seams;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::grid::{DomainFile, Extent, GridFile, OutsideGrid};
pub use self::seams::SeamsFile;
pub use self::source::{EpochFile, MissingStratum, Resampling, SourceFile, SourceKeys, StratumFile};
use super::coast::CoastFile;
use super::edits::EditFile;
use super::grids::GridsFile;
use super::official::OfficialFile;
use crate::error::{Error, Result, did_you_mean};
use crate::io::cog::Compression;
use crate::kernel::change::Unchanged;
use crate::kernel::pyramid::Tie;
use crate::model::epoch::Epoch;
use crate::model::legend::Language;

/// A job: what to read, what to make of it, where to write it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JobFile {
    /// Name of the product; starts every file name.
    pub name: String,
    /// Output folder.
    pub output: PathBuf,
    /// Languages of names; the first is the default.
    #[serde(default = "english")]
    pub language: OneOrMany<Language>,
    /// Legend of the product.
    #[serde(default = "nalcms")]
    pub legend: String,
    /// Proposed crosswalk rows that a release may rest on: `<crosswalk>`, or `<crosswalk>:<code>`.
    #[serde(default)]
    pub accept_proposed: Vec<String>,
    /// Files with coarser legends to tabulate by, beside those of the legend itself.
    #[serde(default)]
    pub rollups: Vec<String>,
    /// Where the product's cells lie.
    pub grid: GridsFile,
    /// The maps that go in.
    #[serde(default, rename = "source")]
    pub sources: Vec<SourceFile>,
    /// Ancillary layers that conditional crosswalk rows name.
    #[serde(default)]
    pub strata: BTreeMap<String, StratumFile>,
    /// Who wins a tie in overviews.
    #[serde(default)]
    pub tie: Tie,
    /// Whether to write which share of each cell every class takes.
    #[serde(default)]
    pub fractions: bool,
    /// Whether to write where each cell comes from.
    #[serde(default)]
    pub provenance: bool,
    /// Which section each place belongs to.
    pub domain: Option<DomainFile>,
    /// Whether and how seams between sections are looked for.
    #[serde(default)]
    pub seams: SeamsFile,
    /// Whether gaps between sources are listed.
    #[serde(default)]
    pub gaps: bool,
    /// Which changes to compute.
    #[serde(default)]
    pub change: ChangeFile,
    /// File with rules on which maps may be compared, before those that ship.
    pub comparability: Option<String>,
    /// Which areas to tell.
    #[serde(default)]
    pub areas: AreasFile,
    /// Layers of zones to tabulate by.
    #[serde(default)]
    pub zones: Vec<ZonesFile>,
    /// Where land ends, and what becomes of the rest.
    pub coast: Option<CoastFile>,
    /// Edits by interpreters.
    #[serde(default)]
    pub edits: Vec<EditFile>,
    /// Machine settings; none of them changes a number.
    #[serde(default)]
    pub compute: ComputeFile,
}

fn english() -> OneOrMany<Language> {
    OneOrMany::One(Language::En)
}

fn nalcms() -> String {
    "nalcms".into()
}

/// One value or a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "a value of this key that is known, or a list of such")]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T: Clone> OneOrMany<T> {
    /// As a list.
    pub fn to_vec(&self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one.clone()],
            Self::Many(many) => many.clone(),
        }
    }
}

/// `[change]`: which pairs, and how unchanged cells are written.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeFile {
    /// Which pairs of epochs.
    #[serde(default)]
    pub pairs: Pairs,
    /// How unchanged cells are written.
    #[serde(default)]
    pub unchanged: Unchanged,
    /// Published change maps that take the place of the difference of two maps.
    #[serde(default)]
    pub official: Vec<OfficialFile>,
}

/// `[areas]`: which areas tables tell.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AreasFile {
    /// Beside the nominal areas of an equal-area grid on a sphere, those on the ellipsoid WGS 84.
    pub ellipsoidal: bool,
}

/// Which pairs of epochs to compare.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(
    untagged,
    expecting = "`consecutive`, `first-last`, `all`, or a list of pairs such as [[2010, 2015]]"
)]
pub enum Pairs {
    /// By rule.
    Rule(PairRule),
    /// One by one: from, to.
    Listed(Vec<[Epoch; 2]>),
}

/// A rule for pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairRule {
    /// Each epoch with the next.
    Consecutive,
    /// The first with the last.
    FirstLast,
    /// Every earlier one with every later one.
    All,
}

impl Default for Pairs {
    fn default() -> Self {
        Self::Rule(PairRule::Consecutive)
    }
}

/// `[[zones]]`: a layer of zones to tabulate by.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ZonesFile {
    /// Name of the layer in tables.
    pub id: String,
    /// Polygons, or a raster whose values are the keys.
    pub path: Option<PathBuf>,
    /// Field that identifies a zone; kept as text. Rasters have none.
    pub key: Option<String>,
    /// Field that names it.
    pub name: Option<String>,
    /// Band of a raster, from 1.
    pub band: Option<usize>,
    /// Layers to cross, in place of a file.
    pub by: Option<Vec<String>>,
}

/// `[compute]`: how the machine is used.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ComputeFile {
    /// Threads; 0 is all.
    pub threads: usize,
    /// Bound on the memory of what runs at once, in MiB.
    pub memory_mib: usize,
    /// Side of one task: 512 x 2^n.
    pub task_cells: usize,
    /// How blocks are compressed.
    pub compression: Compression,
    /// Where an output that goes to a store is made. It changes nothing of what is published, nor is it told there.
    #[serde(skip_serializing)]
    pub work: Option<PathBuf>,
}

impl Default for ComputeFile {
    fn default() -> Self {
        Self {
            threads: 0,
            memory_mib: 2048,
            task_cells: 4096,
            compression: Compression::Balanced,
            work: None,
        }
    }
}

impl JobFile {
    /// Reads a job file.
    ///
    /// # Errors
    /// Usage: no such file, not TOML, an unknown key (with the nearest known one), a value of the wrong kind.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&Self::text(path)?).map_err(|e| e.at(path.display()))
    }

    /// The text of a job file.
    ///
    /// # Errors
    /// Usage: no such file, or no text.
    pub fn text(path: &Path) -> Result<String> {
        std::fs::read_to_string(path)
            .map_err(|e| Error::usage("a job file cannot be read").at(path.display()).found(e))
    }

    /// Understands the text of a job file.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| explain(&e.to_string()))
    }
}

/// Turns the parser's words into an error with a suggestion for a mistyped key.
fn explain(message: &str) -> Error {
    let error = Error::usage("a job file says something that is not understood").found(message.trim_end());
    let quoted: Vec<&str> =
        message.lines().last().unwrap_or_default().split('`').skip(1).step_by(2).collect();
    let Some((typo, known)) = quoted.split_first() else { return error };
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return error;
    }
    match did_you_mean(typo, known.iter().copied()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("see the job file's reference in the README"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        let text = "name = \"a\"\noutput = \"o\"\n[grid]\npreset = \"nalcms-30m\"\nextnet = \"full\"\n";
        let message = explain(&toml::from_str::<JobFile>(text).unwrap_err().to_string()).to_string();
        assert!(message.contains("did you mean `extent`?"), "{message}");
        assert!(message.contains("line 5"), "{message}");
    }
}
