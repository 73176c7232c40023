//! Legends, crosswalks and grids: those that ship inside the program, and those of the user on disk.
//!
//! A name is looked up among the shipped ones; anything with a path separator or an extension is a file.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result, did_you_mean};
use crate::io::gdal::crs_from_wkt;
use crate::model::comparability::ComparabilityRule;
use crate::model::crosswalk::Crosswalk;
use crate::model::grid::{Affine, Grid};
use crate::model::legend::{Legend, RAW, RollUp};

type Shipped = (&'static str, &'static str);

macro_rules! shipped {
    ($kind:literal, $id:literal) => {
        ($id, include_str!(concat!("../../configs/", $kind, "/", $id, ".toml")))
    };
}

/// Shipped legends: identifier and TOML text.
pub static LEGENDS: &[Shipped] = &[
    shipped!("legends", "aafc"),
    shipped!("legends", "cci"),
    shipped!("legends", "dynamic-world"),
    shipped!("legends", "esri"),
    shipped!("legends", "globeland30"),
    shipped!("legends", "inegi"),
    shipped!("legends", "madmex"),
    shipped!("legends", "madmex-level2"),
    shipped!("legends", "mcd12q1"),
    shipped!("legends", "nalcms"),
    shipped!("legends", "nlcd"),
    shipped!("legends", "nrcan"),
    shipped!("legends", "worldcover"),
];

/// Shipped crosswalks: identifier and TOML text.
pub static CROSSWALKS: &[Shipped] = &[
    shipped!("crosswalks", "aafc-nalcms"),
    shipped!("crosswalks", "cci-nalcms"),
    shipped!("crosswalks", "dynamic-world-nalcms"),
    shipped!("crosswalks", "esri-nalcms"),
    shipped!("crosswalks", "globeland30-nalcms"),
    shipped!("crosswalks", "inegi-nalcms"),
    shipped!("crosswalks", "madmex-level2-nalcms"),
    shipped!("crosswalks", "madmex-nalcms"),
    shipped!("crosswalks", "mcd12q1-nalcms"),
    shipped!("crosswalks", "nlcd-nalcms"),
    shipped!("crosswalks", "nrcan-nalcms"),
    shipped!("crosswalks", "worldcover-nalcms"),
];

/// Shipped grids: identifier and TOML text.
pub static GRIDS: &[Shipped] = &[shipped!("grids", "nalcms-250m"), shipped!("grids", "nalcms-30m")];

/// A grid that has a name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedGrid {
    /// Identifier.
    pub id: String,
    /// What it is.
    pub title: String,
    /// Where its numbers come from.
    pub source: String,
    /// x of the left edge, y of the upper edge, in units of the CRS.
    pub origin: [f64; 2],
    /// Side of a cell, in metres.
    pub cell_size_m: f64,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// CRS as WKT 2.
    pub crs: String,
    /// Named parts: xmin, ymin, xmax, ymax.
    #[serde(default)]
    pub extents: std::collections::BTreeMap<String, [f64; 4]>,
}

impl NamedGrid {
    /// All its cells.
    ///
    /// # Errors
    /// Input: the CRS is not understood.
    pub fn grid(&self) -> Result<Grid> {
        Ok(Grid { crs: Some(crs_from_wkt(&self.crs)?), ..self.cells() })
    }

    /// All its cells, without their CRS.
    pub fn cells(&self) -> Grid {
        let affine = Affine::north_up(self.origin[0], self.origin[1], self.cell_size_m, self.cell_size_m);
        Grid { crs: None, affine, rows: self.shape[0], cols: self.shape[1], lattice: (0, 0) }
    }
}

/// The legend of an identifier or file; `raw` is the legend of rasters without one.
///
/// # Errors
/// Usage: no such legend, or one that contradicts itself.
pub fn legend(name: &str, folder: &Path) -> Result<Legend> {
    if name == RAW {
        return Ok(Legend::raw());
    }
    let (text, place) = find("legend", name, LEGENDS, folder)?;
    Legend::from_toml(&text, &place)
}

/// The text of a legend file, shipped or on disk, as its author wrote it.
///
/// # Errors
/// Usage: no such legend; `raw` has no file.
pub fn legend_text(name: &str, folder: &Path) -> Result<String> {
    find("legend", name, LEGENDS, folder).map(|(text, _)| text)
}

/// The text of a crosswalk file, shipped or on disk, as its author wrote it.
///
/// # Errors
/// Usage: no such crosswalk.
pub fn crosswalk_text(name: &str, folder: &Path) -> Result<String> {
    find("crosswalk", name, CROSSWALKS, folder).map(|(text, _)| text)
}

/// The crosswalk of an identifier or file.
///
/// # Errors
/// Usage: no such crosswalk, or one that cannot be read.
pub fn crosswalk(name: &str, folder: &Path) -> Result<Crosswalk> {
    let (text, place) = find("crosswalk", name, CROSSWALKS, folder)?;
    Crosswalk::from_toml(&text, &place)
}

/// The roll-up in a file on disk; those that ship stand in the legends.
///
/// # Errors
/// Usage: no such file, or one that cannot be read.
pub fn rollup(name: &str, folder: &Path) -> Result<RollUp> {
    let (text, place) = find("roll-up", name, &[], folder)?;
    RollUp::from_toml(&text, &place)
}

/// The comparability rules in a file on disk.
///
/// # Errors
/// Usage: no such file, or one that cannot be read or contradicts itself.
pub fn comparability(name: &str, folder: &Path) -> Result<Vec<ComparabilityRule>> {
    let (text, place) = find("comparability", name, &[], folder)?;
    ComparabilityRule::all_from_toml(&text, &place)
}

/// The grid of an identifier or file.
///
/// # Errors
/// Usage: no such grid, or one that cannot be read.
pub fn grid(name: &str, folder: &Path) -> Result<NamedGrid> {
    let (text, place) = find("grid", name, GRIDS, folder)?;
    toml::from_str(&text)
        .map_err(|e| Error::usage("a grid file cannot be read").at(place).found(e.to_string().trim_end()))
}

/// Whether a name means a file on disk.
fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || Path::new(name).extension().is_some()
}

fn find(kind: &str, name: &str, shipped: &[Shipped], folder: &Path) -> Result<(String, String)> {
    if is_path(name) {
        let path: PathBuf = folder.join(name);
        return match std::fs::read_to_string(&path) {
            Ok(text) => Ok((text, path.display().to_string())),
            Err(e) => Err(Error::usage(format!("a {kind} file cannot be read")).at(path.display()).found(e)),
        };
    }
    if let Some((id, text)) = shipped.iter().find(|(id, _)| *id == name) {
        return Ok(((*text).to_string(), format!("shipped {kind} {id}")));
    }
    let known: Vec<&str> = shipped.iter().map(|(id, _)| *id).collect();
    let file = format!("a file such as ./{name}.toml");
    let expected = if known.is_empty() { file } else { format!("one of {}, or {file}", known.join(", ")) };
    let error = Error::usage(format!("there is no {kind} `{name}`")).expected(expected);
    Err(match did_you_mean(name, known) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_crosswalk_is_total_and_sound() -> Result<()> {
        for (id, _) in CROSSWALKS {
            let crosswalk = crosswalk(id, Path::new("."))?;
            let (from, to) =
                (legend(&crosswalk.from, Path::new("."))?, legend(&crosswalk.to, Path::new("."))?);
            let findings = crosswalk.findings(&from, &to);
            assert_eq!(crosswalk.id, *id);
            assert_eq!(*id, format!("{}-{}", from.id, to.id));
            assert!(findings.is_total() && findings.violations.is_empty(), "{id}: {findings:?}");
        }
        Ok(())
    }

    #[test]
    fn every_shipped_legend_bears_its_file_name() -> Result<()> {
        for (id, _) in LEGENDS {
            assert_eq!(legend(id, Path::new("."))?.id, *id);
        }
        Ok(())
    }

    #[test]
    fn a_mistyped_legend_is_met_with_a_suggestion() {
        let message = legend("nlcdd", Path::new(".")).unwrap_err().to_string();
        assert!(message.contains("did you mean `nlcd`?"), "{message}");
    }
}
