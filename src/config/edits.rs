//! Edits by interpreters: polygons or rasters in which cells get another class, and who says so.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::job::slug_violation;
use super::zones::is_raster;
use crate::io::place;
use crate::model::edit::Edited;
use crate::model::epoch::Epoch;
use crate::model::legend::{ClassCode, Legend};

/// `[[edits]]`: one layer of edits.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EditFile {
    /// Name in tables and messages.
    pub id: String,
    /// Polygons, or a raster of whole numbers.
    pub path: PathBuf,
    /// Band of a raster, from 1.
    pub band: Option<usize>,
    /// Which cells are meant: a class, `"*"` for any, `"nodata"` for those decided without one.
    pub from_code: Edited,
    /// The class that they get.
    pub to_code: ClassCode,
    /// Mapped years that are edited.
    pub epochs: EditEpochs,
    /// Who edited.
    pub author: String,
    /// When, as YYYY-MM-DD.
    pub date: String,
    /// Why.
    pub reason: String,
}

/// Mapped years that are edited: listed, or `"all"`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, expecting = "\"all\", or a list of mapped years")]
pub enum EditEpochs {
    /// One by one.
    Listed(Vec<Epoch>),
    /// A word: `all`.
    Word(String),
}

/// A layer of edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Name in tables and messages.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// Band of a raster.
    pub band: Option<usize>,
    /// Which cells are meant.
    pub from: Edited,
    /// The class that they get.
    pub to: ClassCode,
    /// Mapped years that are edited, ascending.
    pub epochs: Vec<Epoch>,
    /// Who edited.
    pub author: String,
    /// When, as YYYY-MM-DD.
    pub date: String,
    /// Why.
    pub reason: String,
}

/// Works out what the edits of a job file mean; paths are relative to a folder. The second list says what cannot be meant.
pub fn resolve(
    files: &[EditFile],
    folder: &Path,
    target: &Legend,
    epochs: &[Epoch],
) -> (Vec<Edit>, Vec<String>) {
    let mut violations = Vec::new();
    if target.is_raw() && !files.is_empty() {
        violations.push("edits give classes of a legend, and `raw` has none".into());
    }
    let mut ids = BTreeSet::new();
    let mut edits = Vec::new();
    for file in files {
        let at = format!("edits `{}`", file.id);
        violations.extend(slug_violation("edits.id", &file.id));
        if !ids.insert(&file.id) {
            violations.push(format!("two edits have the id `{}`", file.id));
        }
        if file.band.is_some() && !is_raster(&file.path) {
            violations.push(format!("{at}: `band` is for rasters; {} is none", file.path.display()));
        }
        let codes = [Some(("to_code", file.to_code)), from_code(file)];
        for (key, code) in codes.into_iter().flatten().filter(|(_, code)| target.class(*code).is_none()) {
            violations.push(format!("{at}: {key} {code} is no class of legend `{}`", target.id));
        }
        if file.from_code == Edited::Class(file.to_code) {
            violations
                .push(format!("{at}: from_code and to_code are both {}: nothing changes", file.to_code));
        }
        for (key, text) in [("author", &file.author), ("reason", &file.reason)] {
            if text.trim().is_empty() {
                violations.push(format!("{at}: `{key}` is empty"));
            }
        }
        let date = NaiveDate::parse_from_str(&file.date, "%Y-%m-%d");
        if !date.is_ok_and(|date| date.format("%Y-%m-%d").to_string() == file.date) {
            violations.push(format!("{at}: date `{}` is no day of the form YYYY-MM-DD", file.date));
        }
        let path = place::beside(folder, &file.path).unwrap_or_else(|violation| {
            violations.push(format!("{at}: {violation}"));
            PathBuf::new()
        });
        let edited = match years(&file.epochs, epochs) {
            Ok(edited) => edited,
            Err(found) => {
                violations.extend(found.into_iter().map(|violation| format!("{at}: {violation}")));
                continue;
            }
        };
        edits.push(Edit {
            id: file.id.clone(),
            path,
            band: file.band,
            from: file.from_code,
            to: file.to_code,
            epochs: edited,
            author: file.author.clone(),
            date: file.date.clone(),
            reason: file.reason.clone(),
        });
    }
    (edits, violations)
}

fn from_code(file: &EditFile) -> Option<(&'static str, ClassCode)> {
    match file.from_code {
        Edited::Class(code) => Some(("from_code", code)),
        Edited::AnyClass | Edited::NoData => None,
    }
}

/// The mapped years that are meant, ascending.
fn years(wanted: &EditEpochs, epochs: &[Epoch]) -> Result<Vec<Epoch>, Vec<String>> {
    let listed = match wanted {
        EditEpochs::Word(word) if word == "all" => return Ok(epochs.to_vec()),
        EditEpochs::Word(word) => {
            return Err(vec![format!("epochs is `{word}`; it is \"all\" or a list of mapped years")]);
        }
        EditEpochs::Listed(listed) => listed,
    };
    let mut violations = Vec::new();
    let years: BTreeSet<Epoch> = listed.iter().copied().collect();
    if years.len() < listed.len() {
        violations.push("`epochs` names a year twice".into());
    }
    if listed.is_empty() {
        violations.push("`epochs` is empty".into());
    }
    for year in years.iter().filter(|year| !epochs.contains(year)) {
        violations.push(format!("epochs names {year}, which no source maps"));
    }
    if violations.is_empty() { Ok(years.into_iter().collect()) } else { Err(violations) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::shipped;

    fn read(text: &str) -> Vec<EditFile> {
        #[derive(Deserialize)]
        struct Edits {
            edits: Vec<EditFile>,
        }
        toml::from_str::<Edits>(text).unwrap().edits
    }

    fn entry(keys: &str) -> String {
        format!("[[edits]]\nauthor = \"a\"\nreason = \"r\"\n{keys}\n")
    }

    #[test]
    fn an_edit_is_read_with_its_years_in_order() {
        let target = shipped::legend("nalcms", Path::new("")).unwrap();
        let text = entry(
            "id = \"x\"\npath = \"x.gpkg\"\nfrom_code = \"nodata\"\nto_code = 15\nepochs = [2020, 2010]\ndate = \"2026-05-01\"",
        ) + &entry(
            "id = \"y\"\npath = \"y.tif\"\nband = 2\nfrom_code = 3\nto_code = 15\nepochs = \"all\"\ndate = \"2024-02-29\"",
        );
        let (edits, violations) = resolve(&read(&text), Path::new("here"), &target, &[2010, 2015, 2020]);
        assert_eq!(violations, [""; 0]);
        assert_eq!(
            (&edits[0].path, edits[0].from, &edits[0].epochs),
            (&PathBuf::from("here/x.gpkg"), Edited::NoData, &vec![2010, 2020])
        );
        assert_eq!((edits[1].from, &edits[1].epochs), (Edited::Class(3), &vec![2010, 2015, 2020]));
    }

    #[test]
    fn what_cannot_be_meant_is_told_all_at_once() {
        let target = shipped::legend("nalcms", Path::new("")).unwrap();
        let text = [
            "id = \"x\"\npath = \"x.gpkg\"\nband = 1\nfrom_code = 15\nto_code = 15\nepochs = [2011]\ndate = \"2026-5-1\"",
            "id = \"x\"\npath = \"x.gpkg\"\nfrom_code = 77\nto_code = 0\nepochs = \"every\"\ndate = \"2026-02-30\"",
            "id = \"a b\"\npath = \"x.gpkg\"\nfrom_code = \"*\"\nto_code = 1\nepochs = [2010, 2010]\ndate = \"yesterday\"",
            "id = \"c\"\npath = \"x.gpkg\"\nfrom_code = \"*\"\nto_code = 1\nepochs = []\ndate = \"2026-01-01\"",
        ]
        .map(entry)
        .concat();
        let (_, violations) = resolve(&read(&text), Path::new(""), &target, &[2010]);
        for words in [
            "edits `x`: `band` is for rasters; x.gpkg is none",
            "edits `x`: from_code and to_code are both 15",
            "edits `x`: epochs names 2011, which no source maps",
            "edits `x`: date `2026-5-1` is no day",
            "two edits have the id `x`",
            "edits `x`: from_code 77 is no class of legend `nalcms`",
            "edits `x`: to_code 0 is no class of legend `nalcms`",
            "edits `x`: epochs is `every`",
            "date `2026-02-30`",
            "edits.id `a b` may hold only",
            "edits `a b`: `epochs` names a year twice",
            "date `yesterday`",
            "edits `c`: `epochs` is empty",
        ] {
            assert!(violations.iter().any(|v| v.contains(words)), "{words} is missing in {violations:#?}");
        }
    }
}
