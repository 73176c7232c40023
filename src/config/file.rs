//! A job file, exactly as written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::coast::CoastFile;
use super::edits::EditFile;
use super::grids::GridsFile;
use super::official::OfficialFile;
use crate::error::{Error, Result, did_you_mean};
use crate::io::cog::Compression;
use crate::io::gdal::RasterFormat;
use crate::io::proj::Datum;
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

/// `[grid]`: a preset, or CRS, origin, cell size and shape.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GridFile {
    /// Identifier, by which sources and file names tell several grids apart.
    pub id: Option<String>,
    /// Identifier of a shipped grid, or a grid file.
    pub preset: Option<String>,
    /// Which part of it.
    #[serde(default)]
    pub extent: Extent,
    /// CRS of a grid of one's own: WKT, `EPSG:…` or PROJ string.
    pub crs: Option<String>,
    /// x of the left edge, y of the upper edge.
    pub origin: Option<[f64; 2]>,
    /// Side of a cell, in metres.
    pub cell_size_m: Option<f64>,
    /// Rows and columns.
    pub shape: Option<[usize; 2]>,
    /// What to do with valid source cells outside the grid.
    #[serde(default)]
    pub outside_grid: OutsideGrid,
}

/// Which part of a grid the product covers.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(
    untagged,
    expecting = "`inputs`, `full`, a part that the grid names, [xmin, ymin, xmax, ymax], or { like = \"file.tif\" }"
)]
pub enum Extent {
    /// `inputs`, `full`, or a part that the grid names.
    Word(String),
    /// That of a raster.
    Like {
        /// The raster.
        like: PathBuf,
    },
    /// xmin, ymin, xmax, ymax in the grid's CRS, snapped outward.
    Bounds([f64; 4]),
}

impl Default for Extent {
    fn default() -> Self {
        Self::Word("inputs".into())
    }
}

/// `[domain]`: polygons that say which section each place belongs to.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DomainFile {
    /// The layer.
    pub path: PathBuf,
    /// Field that holds the name of the section.
    pub key: String,
    /// Widest strip that no section maps and that takes the nearest class, in cells.
    #[serde(default)]
    pub sliver_cells: usize,
}

/// What to do with valid source cells outside the grid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutsideGrid {
    /// More than none is an error.
    #[default]
    Error,
    /// They are counted and left out.
    Drop,
}

/// What a conditional crosswalk row does without its layer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingStratum {
    /// It is an error.
    #[default]
    Error,
    /// It takes the row's default, counted.
    Default,
}

/// How cells of another grid are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Resampling {
    /// The source cell under the target cell's centre.
    Nearest,
    /// The class of most source cells.
    Mode,
}

/// The keys of a source that an epoch may override.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct SourceKeys {
    /// Legend of the files.
    pub legend: Option<String>,
    /// Crosswalk to the product's legend.
    pub crosswalk: Option<String>,
    /// What conditional rows do without their layer.
    pub missing_stratum: Option<MissingStratum>,
    /// Larger wins where sources overlap.
    pub priority: Option<i32>,
    /// How cells of another grid are taken.
    pub resampling: Option<Resampling>,
    /// How the datums of two CRSs are brought together.
    pub datum: Option<Datum>,
    /// Band with the class codes, from 1.
    pub band: Option<usize>,
    /// Formats that its files may have; default: GeoTIFF and Erdas Imagine.
    pub formats: Option<Vec<RasterFormat>>,
}

/// `[[source]]`: one series of maps.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    /// Identifier.
    pub id: String,
    /// Section of the continent; default: the identifier.
    pub section: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// Identifier of the grid that it lies on, where there are several.
    pub grid: Option<String>,
    /// Legend of the files.
    pub legend: Option<String>,
    /// Crosswalk to the product's legend.
    pub crosswalk: Option<String>,
    /// What conditional rows do without their layer.
    pub missing_stratum: Option<MissingStratum>,
    /// Larger wins where sources overlap.
    pub priority: Option<i32>,
    /// How cells of another grid are taken.
    pub resampling: Option<Resampling>,
    /// How the datums of two CRSs are brought together.
    pub datum: Option<Datum>,
    /// Band with the class codes, from 1.
    pub band: Option<usize>,
    /// Formats that its files may have; default: GeoTIFF and Erdas Imagine.
    pub formats: Option<Vec<RasterFormat>>,
    /// Files by mapped year.
    pub epochs: BTreeMap<String, EpochFile>,
}

impl SourceFile {
    /// The keys that an epoch may override.
    pub fn keys(&self) -> SourceKeys {
        SourceKeys {
            legend: self.legend.clone(),
            crosswalk: self.crosswalk.clone(),
            missing_stratum: self.missing_stratum,
            priority: self.priority,
            resampling: self.resampling,
            datum: self.datum,
            band: self.band,
            formats: self.formats.clone(),
        }
    }
}

/// The files of one epoch of a source: a pattern, a list of patterns, or a table.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EpochFile {
    /// Paths or glob patterns.
    pub files: Vec<String>,
    /// True date of the map.
    pub date: Option<String>,
    /// Edition of the map.
    pub edition: Option<String>,
    /// Sensor that its imagery is from.
    pub sensor: Option<String>,
    /// Method by which it was made.
    pub method: Option<String>,
    /// Maps that stand in where this one saw nothing: `<source>@<year>`.
    pub fill_from: Vec<String>,
    /// Year of the map that holds where nothing changed, of an update.
    pub base: Option<Epoch>,
    /// Files that say where something changed, of an update.
    pub mask: Vec<String>,
    /// Keys of the source, overridden.
    #[serde(flatten)]
    pub keys: SourceKeys,
}

/// The table form of an epoch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochTable {
    files: OneOrMany<String>,
    date: Option<DateText>,
    edition: Option<DateText>,
    sensor: Option<String>,
    method: Option<String>,
    #[serde(default)]
    fill_from: Vec<String>,
    base: Option<Epoch>,
    mask: Option<OneOrMany<String>>,
    legend: Option<String>,
    crosswalk: Option<String>,
    missing_stratum: Option<MissingStratum>,
    priority: Option<i32>,
    resampling: Option<Resampling>,
    datum: Option<Datum>,
    band: Option<usize>,
    formats: Option<Vec<RasterFormat>>,
}

/// A date or edition, with or without quotes.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a date such as 2011, \"2011-07\" or \"2011-07-15\"; an edition as text or a whole number"
)]
enum DateText {
    Text(String),
    Number(i64),
}

impl DateText {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

impl<'de> Deserialize<'de> for EpochFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Epochs;

        impl<'de> Visitor<'de> for Epochs {
            type Value = EpochFile;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a file pattern, a list of them, or a table with `files`")
            }

            fn visit_str<E>(self, pattern: &str) -> std::result::Result<EpochFile, E> {
                Ok(EpochFile { files: vec![pattern.into()], ..EpochFile::default() })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> std::result::Result<EpochFile, A::Error> {
                let files = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(EpochFile { files, ..EpochFile::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<EpochFile, A::Error> {
                let table = EpochTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(EpochFile {
                    files: table.files.to_vec(),
                    date: table.date.map(DateText::into_text),
                    edition: table.edition.map(DateText::into_text),
                    sensor: table.sensor,
                    method: table.method,
                    fill_from: table.fill_from,
                    base: table.base,
                    mask: table.mask.map(|mask| mask.to_vec()).unwrap_or_default(),
                    keys: SourceKeys {
                        legend: table.legend,
                        crosswalk: table.crosswalk,
                        missing_stratum: table.missing_stratum,
                        priority: table.priority,
                        resampling: table.resampling,
                        datum: table.datum,
                        band: table.band,
                        formats: table.formats,
                    },
                })
            }
        }

        deserializer.deserialize_any(Epochs)
    }
}

/// `[strata.<name>]`: a layer whose values conditional rows name.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StratumFile {
    /// Polygons, or a raster.
    pub path: PathBuf,
    /// Field of the polygons that holds the values.
    pub key: Option<String>,
    /// Band of a raster, from 1.
    pub band: Option<usize>,
    /// What the numbers of a raster stand for.
    pub values: Option<BTreeMap<String, String>>,
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

/// `seams`: whether seams between sections are looked for, `true` or a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SeamsFile {
    /// How far behind the boundary control lines lie, in cells; `None` looks for no seams.
    pub control_cells: Option<usize>,
}

/// The table form of `seams`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeamsTable {
    control_cells: usize,
}

impl Default for SeamsTable {
    fn default() -> Self {
        Self { control_cells: 8 }
    }
}

impl<'de> Deserialize<'de> for SeamsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Seams;

        impl<'de> Visitor<'de> for Seams {
            type Value = SeamsFile;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("true, false, or a table with `control_cells`")
            }

            fn visit_bool<E>(self, wanted: bool) -> std::result::Result<SeamsFile, E> {
                Ok(SeamsFile { control_cells: wanted.then(|| SeamsTable::default().control_cells) })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<SeamsFile, A::Error> {
                let table = SeamsTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(SeamsFile { control_cells: Some(table.control_cells) })
            }
        }

        deserializer.deserialize_any(Seams)
    }
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

    #[test]
    fn seams_are_a_word_or_a_table() {
        #[derive(Deserialize)]
        struct Keys {
            #[serde(default)]
            seams: SeamsFile,
        }
        let control = |text: &str| toml::from_str::<Keys>(text).map(|keys| keys.seams.control_cells);
        assert_eq!(control(""), Ok(None));
        assert_eq!(control("seams = false"), Ok(None));
        assert_eq!(control("seams = true"), Ok(Some(8)));
        assert_eq!(control("[seams]"), Ok(Some(8)));
        assert_eq!(control("seams = { control_cells = 3 }"), Ok(Some(3)));
        let typo = control("seams = { control_cell = 3 }").unwrap_err().to_string();
        assert!(typo.contains("control_cell`") && typo.contains("`control_cells`"), "{typo}");
        let word = control("seams = 8").unwrap_err().to_string();
        assert!(word.contains("true, false, or a table with `control_cells`"), "{word}");
    }

    #[test]
    fn an_epoch_is_a_pattern_a_list_or_a_table() {
        let text = r#"
            id = "us"
            legend = "nlcd"
            [epochs]
            2001 = "a*.tif"
            2006 = ["b.tif", "c.tif"]
            2011 = { files = "d.tif", date = 2012, priority = 3 }
        "#;
        let source: SourceFile = toml::from_str(text).unwrap();
        assert_eq!(source.epochs["2001"].files, ["a*.tif"]);
        assert_eq!(source.epochs["2006"].files.len(), 2);
        assert_eq!(
            (source.epochs["2011"].date.as_deref(), source.epochs["2011"].keys.priority),
            (Some("2012"), Some(3))
        );
        let typo = text.replace("priority", "priorty");
        assert!(toml::from_str::<SourceFile>(&typo).unwrap_err().to_string().contains("priorty"));
    }
}
