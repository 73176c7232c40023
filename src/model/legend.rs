//! Legends: the classes of a map series, their names and colours, and the values that mean "no data".

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The value of a class in a raster. Wide enough for every integer raster; class legends use 0..=255.
pub type ClassCode = i32;

/// Whether somebody with authority published a row, or this project proposes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Stated by the source named in the row.
    Published,
    /// Proposed by this project; nobody with authority said so.
    Proposed,
}

/// What a value without a class means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    /// Nothing was mapped there: sources of lower priority show through.
    Outside,
    /// Mapped, but not seen (cloud, shadow, unclassified): stays nodata.
    NoObservation,
}

/// A language of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    En,
    /// Spanish.
    Es,
    /// French.
    Fr,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::En, Self::Es, Self::Fr];

    /// ISO 639-1 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Es => "es",
            Self::Fr => "fr",
        }
    }
}

/// Names by language; a missing one falls back to English, then to whatever there is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Names(BTreeMap<Language, String>);

impl Names {
    /// The name in a language, or the nearest there is.
    pub fn get(&self, language: Language) -> &str {
        [language, Language::En, Language::Es, Language::Fr]
            .iter()
            .find_map(|l| self.0.get(l))
            .map_or("", String::as_str)
    }

    /// The name in exactly this language.
    pub fn exactly(&self, language: Language) -> Option<&str> {
        self.0.get(&language).map(String::as_str)
    }

    /// One name for every language.
    pub fn same(name: impl Into<String>) -> Self {
        Self(BTreeMap::from([(Language::En, name.into())]))
    }
}

/// An RGB colour, written `RRGGBB` in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour(pub [u8; 3]);

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        match u32::from_str_radix(&text, 16) {
            Ok(rgb) if text.len() == 6 => Ok(Self([(rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8])),
            _ => Err(format!("colour `{text}` is not RRGGBB in hexadecimal")),
        }
    }
}

impl From<Colour> for String {
    fn from(Colour([r, g, b]): Colour) -> Self {
        format!("{r:02x}{g:02x}{b:02x}")
    }
}

/// One class of a legend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegendClass {
    /// Value in a raster.
    pub code: ClassCode,
    /// Last value, when the row stands for a whole range of codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<ClassCode>,
    /// Text key of the series, where classes are keyed by text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Names by language.
    pub name: Names,
    /// Colour on a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<Colour>,
    /// Whether the class (its code and name) is published.
    pub status: Status,
    /// Languages whose name is this project's translation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proposed_names: Vec<Language>,
    /// Definition or remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the row comes from.
    pub source: String,
}

/// A value that means "no data" in files of a legend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodataValue {
    /// Value in a raster.
    pub value: ClassCode,
    /// What it means.
    pub meaning: Absence,
    /// Whether it is published.
    pub status: Status,
    /// Where the row comes from.
    pub source: String,
    /// Remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A coarser legend made of groups of classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollUp {
    /// Identifier.
    pub id: String,
    /// What it is.
    pub title: String,
    /// Where it comes from.
    pub source: String,
    /// Its groups.
    #[serde(rename = "group")]
    pub groups: Vec<RollUpGroup>,
}

/// A group of classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollUpGroup {
    /// Identifier.
    pub id: String,
    /// Names by language.
    pub name: Names,
    /// Classes in the group.
    pub members: Vec<ClassCode>,
    /// Whether the group is published.
    pub status: Status,
    /// Members whose membership is this project's proposal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proposed_members: Vec<ClassCode>,
}

/// The classes of a map series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legend {
    /// Identifier, as in a job file.
    pub id: String,
    /// What it is.
    pub title: String,
    /// Where the class list comes from.
    pub source: String,
    /// Value this program writes where there is no data.
    pub fill: ClassCode,
    /// Values that mean "no data".
    #[serde(default)]
    pub nodata: Vec<NodataValue>,
    /// Classes, in legend order; ranges expanded.
    #[serde(default, rename = "class")]
    pub classes: Vec<LegendClass>,
    /// Coarser legends.
    #[serde(default, rename = "rollup")]
    pub rollups: Vec<RollUp>,
}

/// The largest code of a class in a legend.
const LARGEST_CLASS: ClassCode = 255;

/// Identifier of the legend of rasters whose codes have no names.
pub const RAW: &str = "raw";

impl Legend {
    /// Reads a legend file and checks it.
    ///
    /// # Errors
    /// Usage: not TOML of this form, or any of the violations that [`Legend::violations`] lists.
    pub fn from_toml(text: &str, place: &str) -> Result<Self> {
        let mut legend: Self = toml::from_str(text).map_err(|e| {
            Error::usage("a legend file cannot be read").at(place).found(e.to_string().trim_end())
        })?;
        check_ranges(legend.classes.iter().map(|class| (class.code, class.through)))
            .map_err(|e| e.at(place))?;
        legend.classes = legend.classes.into_iter().flat_map(expand).collect();
        let violations = legend.violations();
        if violations.is_empty() {
            return Ok(legend);
        }
        Err(Error::usage(format!("legend `{}` contradicts itself", legend.id))
            .at(place)
            .found_all(violations))
    }

    /// The legend of any integer raster: codes as they are, nothing is named.
    pub fn raw() -> Self {
        Self {
            id: RAW.into(),
            title: "codes as they are".into(),
            source: "the raster itself".into(),
            fill: 0,
            nodata: Vec::new(),
            classes: Vec::new(),
            rollups: Vec::new(),
        }
    }

    /// Whether this is [`Legend::raw`].
    pub fn is_raw(&self) -> bool {
        self.id == RAW
    }

    /// The class with this code.
    pub fn class(&self, code: ClassCode) -> Option<&LegendClass> {
        self.classes.iter().find(|class| class.code == code)
    }

    /// What a value means when it is listed as "no data". The legend's own fill always means outside, so that a
    /// map this program wrote reads back as it was.
    pub fn absence(&self, value: ClassCode) -> Option<Absence> {
        let listed = self.nodata.iter().find(|row| row.value == value).map(|row| row.meaning);
        listed.or((value == self.fill && !self.is_raw()).then_some(Absence::Outside))
    }

    /// Class codes in legend order.
    pub fn codes(&self) -> Vec<ClassCode> {
        self.classes.iter().map(|class| class.code).collect()
    }

    /// The name of a code; the code itself where the legend has no name for it.
    pub fn name(&self, code: ClassCode, language: Language) -> String {
        self.class(code).map_or_else(|| code.to_string(), |class| class.name.get(language).to_string())
    }

    /// Everything that is wrong with it; empty when it is sound.
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.classes.is_empty() && !self.is_raw() {
            found.push("it has no class".into());
        }
        let mut seen = BTreeSet::new();
        for class in &self.classes {
            if !seen.insert(class.code) {
                found.push(format!("code {} stands twice", class.code));
            }
            if self.absence(class.code).is_some() {
                found.push(format!("code {} is both a class and nodata", class.code));
            }
            if class.name.get(Language::En).is_empty() {
                found.push(format!("code {} has no name", class.code));
            }
            if class.source.is_empty() {
                found.push(format!("code {} has no source", class.code));
            }
            if !(0..=LARGEST_CLASS).contains(&class.code) {
                found.push(format!("code {} does not fit 0..={LARGEST_CLASS}", class.code));
            }
        }
        if seen.contains(&self.fill) || !(0..=LARGEST_CLASS).contains(&self.fill) {
            found.push(format!("fill {} is a class, or not in 0..={LARGEST_CLASS}", self.fill));
        }
        let mut listed = BTreeSet::new();
        for row in &self.nodata {
            if !listed.insert(row.value) {
                found.push(format!("nodata {} stands twice", row.value));
            }
        }
        let mut ids = BTreeSet::new();
        for rollup in &self.rollups {
            if !ids.insert(&rollup.id) {
                found.push(format!("two roll-ups have the id {}", rollup.id));
            }
            found.extend(rollup.violations(&seen));
        }
        found
    }
}

impl RollUp {
    /// Reads a file that holds one roll-up; whether it fits a legend is told by [`Legend::violations`].
    ///
    /// # Errors
    /// Usage: not TOML of this form.
    pub fn from_toml(text: &str, place: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| {
            Error::usage("a roll-up file cannot be read").at(place).found(e.to_string().trim_end())
        })
    }

    /// What is wrong with it as a roll-up of these classes: each belongs to one group.
    fn violations(&self, classes: &BTreeSet<ClassCode>) -> Vec<String> {
        let (mut found, mut parents) = (Vec::new(), BTreeMap::<ClassCode, usize>::new());
        for member in self.groups.iter().flat_map(|group| &group.members) {
            *parents.entry(*member).or_default() += 1;
        }
        let mut ids = BTreeSet::new();
        for group in &self.groups {
            if !ids.insert(&group.id) {
                found.push(format!("roll-up {}: two groups have the id {}", self.id, group.id));
            }
            for member in group.proposed_members.iter().filter(|m| !group.members.contains(m)) {
                found.push(format!(
                    "roll-up {}: {member} is proposed for {} but no member",
                    self.id, group.id
                ));
            }
        }
        for (member, count) in &parents {
            if *count > 1 {
                found.push(format!("roll-up {}: code {member} has {count} parents", self.id));
            }
            if !classes.contains(member) {
                found.push(format!("roll-up {}: member {member} is no class", self.id));
            }
        }
        for code in classes.iter().filter(|code| !parents.contains_key(code)) {
            found.push(format!("roll-up {}: code {code} is in no group", self.id));
        }
        found
    }
}

/// Ranges of rows run upward within the codes a class can have.
pub(super) fn check_ranges(ranges: impl Iterator<Item = (ClassCode, Option<ClassCode>)>) -> Result<()> {
    let wrong = |(code, through): &(ClassCode, Option<ClassCode>)| {
        through.is_some_and(|last| last < *code || last > LARGEST_CLASS || *code < 0)
    };
    let told: Vec<String> = ranges
        .filter(wrong)
        .map(|(code, last)| format!("code {code} through {}", last.unwrap_or(code)))
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(Error::usage("a range of codes runs backwards or too far")
        .found_all(told)
        .expected(format!("upward, within 0..={LARGEST_CLASS}")))
}

fn expand(class: LegendClass) -> Vec<LegendClass> {
    let last = class.through.unwrap_or(class.code);
    (class.code..=last).map(|code| LegendClass { code, through: None, ..class.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        id = "small"
        title = "two classes"
        source = "this test"
        fill = 0
        [[nodata]]
        value = 0
        meaning = "outside"
        status = "published"
        source = "this test"
        [[class]]
        code = 1
        name = { en = "Wood", fr = "Bois" }
        colour = "00ff10"
        status = "published"
        source = "this test"
        [[class]]
        code = 5
        through = 7
        name = { es = "Campo" }
        status = "proposed"
        source = "this test"
    "#;

    #[test]
    fn a_range_row_stands_for_each_of_its_codes() -> Result<()> {
        let legend = Legend::from_toml(SMALL, "small.toml")?;
        assert_eq!(legend.codes(), [1, 5, 6, 7]);
        assert_eq!(legend.name(6, Language::Fr), "Campo");
        assert_eq!(legend.name(1, Language::Es), "Wood");
        assert_eq!(legend.class(1).and_then(|c| c.colour), Some(Colour([0, 255, 16])));
        Ok(())
    }

    #[test]
    fn every_contradiction_is_told_at_once() {
        let text = SMALL.replace("code = 1", "code = 6").replace("value = 0", "value = 7");
        let message = Legend::from_toml(&text, "small.toml").map_err(|e| e.to_string()).unwrap_err();
        assert!(message.contains("code 6 stands twice"), "{message}");
        assert!(message.contains("code 7 is both a class and nodata"), "{message}");
    }
}
