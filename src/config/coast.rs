//! The coast: land is kept as the sources map it, a band of water along it is one thing for all years, the sea is left out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::grids::JobGrid;
use super::job::{Source, SourceMap};
use super::zones::{ZoneLayer, ZoneOrigin};
use crate::io::gdal::RasterFormat;
use crate::io::place;
use crate::io::proj::Datum;
use crate::model::epoch::Epoch;
use crate::model::legend::{ClassCode, Legend};
use crate::model::source::Role;

/// Identifier and section of what the coast decides.
pub const FRINGE: &str = "fringe";

/// The widest fringe, in cells: so far a block looks around itself.
const WIDEST: usize = 64;

/// Water of the legend `nalcms`.
const NALCMS_WATER: ClassCode = 18;

/// `[coast]`: where land ends, and what becomes of the rest.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CoastFile {
    /// Polygons of land, inland water included, or a raster that is neither 0 nor nodata on land.
    pub land: PathBuf,
    /// Band of a raster of land, from 1.
    pub land_band: Option<usize>,
    /// Width of the band along the coast, in cells.
    pub fringe_cells: usize,
    /// What becomes of it.
    #[serde(default)]
    pub fringe: FringeFile,
    /// The class of water, where the legend is not `nalcms`.
    pub fringe_code: Option<ClassCode>,
    /// Polygons or a raster of the lakes whose water is told apart.
    pub great_lakes: Option<PathBuf>,
    /// Band of a raster of lakes, from 1.
    pub great_lakes_band: Option<usize>,
}

/// What becomes of the band along the coast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FringeFile {
    /// Water, decided by a source of its own.
    #[default]
    Water,
    /// No class, decided by nobody.
    NoData,
}

/// The coast of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coast {
    /// The file with the land.
    pub land: PathBuf,
    /// Its band.
    pub land_band: Option<usize>,
    /// Width of the fringe, in cells.
    pub cells: usize,
    /// What becomes of the fringe.
    pub fringe: FringeFile,
    /// The class of water, where it is known.
    pub water: Option<ClassCode>,
    /// The layer of lakes among the zone layers of the job.
    pub great_lakes: Option<usize>,
}

impl Coast {
    /// Whether the fringe is water that a source of its own decides.
    pub fn has_source(&self) -> bool {
        self.fringe == FringeFile::Water && self.cells > 0
    }

    /// The sources that decide the fringe: one a grid, with a map of every year that the grid has.
    pub fn sources(&self, grids: &[JobGrid], sources: &[Source], target: &Arc<Legend>) -> Vec<Source> {
        if !self.has_source() {
            return Vec::new();
        }
        let of_grid = |(grid, described): (usize, &JobGrid)| {
            let years: BTreeSet<Epoch> = sources
                .iter()
                .filter(|source| source.grid == grid)
                .flat_map(|source| source.maps.keys().copied())
                .collect();
            Source {
                id: match &described.id {
                    Some(id) if grids.len() > 1 => format!("{FRINGE}-{id}"),
                    _ => FRINGE.into(),
                },
                section: FRINGE.into(),
                country: None,
                grid,
                role: Role::Fringe,
                maps: years.into_iter().map(|year| (year, map(year, target))).collect(),
            }
        };
        grids.iter().enumerate().map(of_grid).collect()
    }
}

/// A map of a year without a file.
fn map(year: Epoch, target: &Arc<Legend>) -> SourceMap {
    SourceMap {
        year,
        files: Vec::new(),
        date: None,
        edition: None,
        sensor: None,
        method: None,
        legend: target.clone(),
        crosswalk: None,
        take_default: false,
        priority: 0,
        resampling: None,
        datum: Datum::default(),
        band: None,
        formats: RasterFormat::DEFAULT.into(),
        nodata: None,
        update: None,
        rank: 0,
    }
}

/// Works out what the coast of a job file means; paths are relative to a folder. Lakes become one more layer of `zones`.
/// The list says what cannot be meant.
pub fn resolve(
    file: &CoastFile,
    folder: &Path,
    target: &Legend,
    sources: &[Source],
    zones: &mut Vec<ZoneLayer>,
) -> (Coast, Vec<String>) {
    let mut violations = Vec::new();
    if target.is_raw() {
        violations.push("coast gives a class of a legend, and `raw` has none".into());
    }
    if file.fringe_cells > WIDEST {
        violations.push(format!("coast.fringe_cells is {}; it must be 0 to {WIDEST}", file.fringe_cells));
    }
    let water = file.fringe_code.or((target.id == "nalcms").then_some(NALCMS_WATER));
    if let Some(code) = water.filter(|code| target.class(*code).is_none()) {
        violations.push(format!("coast: fringe_code {code} is no class of legend `{}`", target.id));
    }
    let needs_water = [
        (file.fringe == FringeFile::Water && file.fringe_cells > 0).then_some("fringe = \"water\""),
        file.great_lakes.as_ref().map(|_| "great_lakes"),
    ];
    for key in needs_water.into_iter().flatten().filter(|_| water.is_none()) {
        violations
            .push(format!("coast: {key} needs fringe_code, the class of water in legend `{}`", target.id));
    }
    for source in sources {
        let taken = |name: &str| name == FRINGE || name.starts_with("fringe-");
        if taken(&source.id) || source.section == FRINGE {
            violations.push(format!(
                "source `{}`: `{FRINGE}` names what [coast] decides; call the source and its section otherwise",
                source.id
            ));
        }
    }
    let mut beside = |path: &Path| {
        place::beside(folder, path).unwrap_or_else(|violation| {
            violations.push(format!("coast: {violation}"));
            PathBuf::new()
        })
    };
    let land = beside(&file.land);
    let great_lakes = file.great_lakes.as_ref().map(|path| {
        let origin = ZoneOrigin::Held { path: beside(path), band: file.great_lakes_band };
        zones.push(ZoneLayer { id: "great_lakes".into(), origin });
        zones.len() - 1
    });
    let coast = Coast {
        land,
        land_band: file.land_band,
        cells: file.fringe_cells,
        fringe: file.fringe,
        water,
        great_lakes,
    };
    (coast, violations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::shipped;

    fn resolved(legend: &str, keys: &str) -> (Coast, Vec<String>, Vec<ZoneLayer>) {
        let target = shipped::legend(legend, Path::new("")).unwrap();
        let file: CoastFile = toml::from_str(keys).unwrap();
        let mut zones = Vec::new();
        let (coast, violations) = resolve(&file, Path::new("here"), &target, &[], &mut zones);
        (coast, violations, zones)
    }

    #[test]
    fn water_is_known_of_the_continental_legend_alone() {
        let (coast, violations, zones) =
            resolved("nalcms", "land = \"a.gpkg\"\nfringe_cells = 5\ngreat_lakes = \"b.tif\"");
        assert_eq!(violations, [""; 0]);
        assert_eq!((coast.water, coast.great_lakes, zones.len()), (Some(18), Some(0), 1));
        assert!(coast.has_source() && zones[0].path() == Some(Path::new("here/b.tif")));
        let (coast, violations, _) =
            resolved("nlcd", "land = \"a.gpkg\"\nfringe_cells = 5\nfringe_code = 11");
        assert_eq!((coast.water, violations.len()), (Some(11), 0));
        let (coast, violations, _) =
            resolved("nlcd", "land = \"a.gpkg\"\nfringe_cells = 5\nfringe = \"nodata\"");
        assert!(coast.water.is_none() && violations.is_empty() && !coast.has_source());
    }

    #[test]
    fn what_cannot_be_meant_is_told() {
        let keys = "land = \"a.gpkg\"\nfringe_cells = 65\ngreat_lakes = \"b.gpkg\"";
        let (_, violations, _) = resolved("nlcd", keys);
        for words in
            ["fringe_cells is 65", "fringe = \"water\" needs fringe_code", "great_lakes needs fringe_code"]
        {
            assert!(violations.iter().any(|v| v.contains(words)), "{words} is missing in {violations:#?}");
        }
        let (_, violations, _) = resolved("nalcms", "land = \"a.gpkg\"\nfringe_cells = 1\nfringe_code = 99");
        assert!(violations[0].contains("fringe_code 99 is no class"), "{violations:?}");
        assert!(toml::from_str::<CoastFile>("land = \"a\"\nfringe_cells = 1\nfringe = \"ice\"").is_err());
    }
}
