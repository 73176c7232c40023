//! The layers that conditional crosswalk rows name: polygons, or rasters whose values stand for words.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::file::StratumFile;
use super::zones::is_raster;
use crate::io::place;

/// Distinct values that a stratum may have: a byte tells them apart, and the lack of one.
pub const MOST_VALUES: usize = 254;

/// A layer that conditional rows name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stratum {
    /// Name in rules.
    pub id: String,
    /// The file.
    pub path: PathBuf,
    /// Where its values come from.
    pub origin: StratumOrigin,
}

/// Where the values of a stratum come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StratumOrigin {
    /// Polygons with a value each.
    Polygons {
        /// Field that holds it.
        key: String,
    },
    /// Cells whose number stands for a value.
    Raster {
        /// Band with the numbers, from 1; needed where there are several.
        band: Option<usize>,
        /// The value that each number stands for.
        values: BTreeMap<i32, String>,
    },
}

impl Stratum {
    /// A layer of a file: a raster's by the ending of its name, else polygons.
    ///
    /// # Errors
    /// What is missing or does not belong to a file of this kind, in words.
    pub fn of_file(id: &str, path: PathBuf, file: &StratumFile) -> Result<Self, Vec<String>> {
        let shown = path.display();
        let origin = if is_raster(&path) {
            if file.key.is_some() {
                return Err(vec![format!(
                    "{shown} is a raster and has no field: in place of `key` say what its numbers stand for, \
                     values = {{ 1 = \"…\" }}"
                )]);
            }
            let Some(values) = &file.values else {
                return Err(vec![format!(
                    "`values` is missing: what the numbers of {shown} stand for, values = {{ 1 = \"…\" }}"
                )]);
            };
            StratumOrigin::Raster { band: file.band, values: numbers(values)? }
        } else {
            if file.values.is_some() || file.band.is_some() {
                return Err(vec![format!("`values` and `band` are for rasters; {shown} is none")]);
            }
            let Some(key) = file.key.clone() else {
                return Err(vec![format!("`key` is missing: the field of {shown} that holds the values")]);
            };
            StratumOrigin::Polygons { key }
        };
        Ok(Self { id: id.into(), path, origin })
    }
}

/// What the numbers of a raster stand for.
fn numbers(values: &BTreeMap<String, String>) -> Result<BTreeMap<i32, String>, Vec<String>> {
    let (mut numbers, mut violations) = (BTreeMap::new(), Vec::new());
    for (number, value) in values {
        match number.parse() {
            // Readers let the least 32-bit number stand for "no data".
            Ok(number) if number != i32::MIN && !value.is_empty() => {
                if numbers.insert(number, value.clone()).is_some() {
                    violations.push(format!("`values` names {number} twice"));
                }
            }
            Ok(_) if value.is_empty() => violations.push(format!("the value of {number} is empty")),
            _ => violations.push(format!("`values` names `{number}`, which is no whole number of 32 bits")),
        }
    }
    let distinct = numbers.values().collect::<BTreeSet<_>>().len();
    if distinct == 0 && violations.is_empty() {
        violations.push("`values` is empty".into());
    }
    if distinct > MOST_VALUES {
        violations.push(format!("`values` has {distinct} distinct values; {MOST_VALUES} are told apart"));
    }
    if violations.is_empty() { Ok(numbers) } else { Err(violations) }
}

/// Works out what the strata of a job file mean; paths are relative to a folder. The second list says what cannot be
/// meant.
pub fn resolve(
    files: &BTreeMap<String, StratumFile>,
    folder: &Path,
) -> (BTreeMap<String, Stratum>, Vec<String>) {
    let (mut strata, mut violations) = (BTreeMap::new(), Vec::new());
    for (id, file) in files {
        let place = place::beside(folder, &file.path).map_err(|violation| vec![violation]);
        match place.and_then(|path| Stratum::of_file(id, path, file)) {
            Ok(stratum) => {
                strata.insert(id.clone(), stratum);
            }
            Err(found) => violations.extend(found.into_iter().map(|what| format!("strata.{id}: {what}"))),
        }
    }
    (strata, violations)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stratum(path: &str, text: &str) -> Result<Stratum, Vec<String>> {
        let file: StratumFile = toml::from_str(&format!("path = \"{path}\"\n{text}")).unwrap();
        Stratum::of_file("s", path.into(), &file)
    }

    #[test]
    fn a_raster_has_values_and_polygons_have_a_key() {
        let raster = stratum("t.TIF", "values = { 1 = \"above\", -2 = \"below\", 3 = \"below\" }").unwrap();
        let StratumOrigin::Raster { values, band: None } = raster.origin else { panic!("{raster:?}") };
        let words = [(-2, "below"), (1, "above"), (3, "below")];
        assert_eq!(values, words.map(|(number, word)| (number, word.to_string())).into());
        assert!(matches!(
            stratum("c.gpkg", "key = \"zone\"").unwrap().origin,
            StratumOrigin::Polygons { .. }
        ));
    }

    #[test]
    fn what_does_not_belong_together_is_told() {
        let told = |path: &str, text: &str| stratum(path, text).unwrap_err().join("\n");
        assert!(told("t.tif", "key = \"zone\"").contains("is a raster and has no field"));
        assert!(told("t.tif", "").contains("`values` is missing"));
        assert!(told("c.gpkg", "").contains("`key` is missing"));
        assert!(told("c.gpkg", "key = \"zone\"\nband = 2").contains("are for rasters"));
        assert!(told("t.tif", "values = { a = \"x\" }").contains("`a`, which is no whole number"));
        assert!(told("t.tif", "values = { 1 = \"\" }").contains("the value of 1 is empty"));
        assert!(told("t.tif", "values = { 1 = \"x\", \"+1\" = \"y\" }").contains("1 twice"));
        assert!(told("t.tif", "values = {}").contains("`values` is empty"));
    }
}
