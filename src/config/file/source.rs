//! The maps that go into a product, as a job file lists them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::OneOrMany;
use crate::io::gdal::RasterFormat;
use crate::io::proj::Datum;
use crate::model::epoch::Epoch;

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

#[cfg(test)]
mod tests {
    use super::*;

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
