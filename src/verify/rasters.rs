//! Third group, first part: which rasters there are, and whether their headers agree with `run.json`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::checksums::Listing;
use super::findings::{Findings, close};
use super::manifest::{GridRecord, Manifest};
use super::{one_line, overviews};
use crate::io::gdal::{RasterFile, RasterHeader, SampleKind, crs_from_wkt, open_raster, same_crs};
use crate::kernel::change::{CHANGE_NODATA, Unchanged};
use crate::model::epoch::{Epoch, Interval};
use crate::model::fraction::{FRACTION_NODATA, Fraction};
use crate::model::legend::ClassCode;
use crate::model::window::Window;

/// The folder of fractions.
const FRACTION: &str = "fraction";

/// The folder of rasters that say where cells come from.
const PROVENANCE: &str = "provenance";

/// What a raster shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The map of a year.
    Map(Epoch),
    /// What changed between two.
    Change(Interval),
    /// The share of something in the cells of the map of a year.
    Fraction(Epoch, Fraction),
    /// Where the cells of the map of a year come from.
    Provenance(Epoch),
}

/// A raster of the output, its header checked.
#[derive(Debug, Clone)]
pub struct Raster {
    /// Path below the output folder.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// What it shows.
    pub kind: Kind,
    /// Position of its grid.
    pub grid: usize,
    /// Its nodata value, if it has one.
    pub nodata: Option<ClassCode>,
    /// Its colours by code.
    pub palette: Vec<[u8; 3]>,
    /// The window of all its cells.
    pub window: Window,
    /// Its overview levels; none where they are not as many as they should be.
    pub levels: u32,
}

/// The rasters that the list names, as far as their headers agree with `run.json`.
pub fn open_all(
    output: &Path,
    listing: &Listing,
    manifest: &Manifest,
    findings: &mut Findings,
) -> Vec<Raster> {
    let mut rasters: Vec<Raster> = Vec::new();
    for name in listing.keys().filter(|name| is_raster(name)) {
        let path = output.join(name);
        if !path.is_file() {
            continue;
        }
        let Some((grid, kind)) = shown_by(name, &manifest.job.name, &manifest.grids) else {
            findings.add(name, "name", || "its name does not say which years it shows");
            continue;
        };
        if let Some(other) = rasters.iter().find(|raster| (raster.grid, raster.kind) == (grid, kind)) {
            findings.add(name, "name", || format!("shows the same as {}", other.name));
            continue;
        }
        match open_raster(&path, None) {
            Ok(file) => rasters.extend(check_header(name, path, (grid, kind), &file, manifest, findings)),
            Err(error) => findings.add(name, "reading", || one_line(&error)),
        }
    }
    let shown: BTreeSet<(usize, Kind)> = rasters.iter().map(|raster| (raster.grid, raster.kind)).collect();
    let maps = manifest.epochs().into_iter().map(Kind::Map);
    let changes = manifest.job.pairs.iter().copied().map(Kind::Change);
    // Which classes there are is told by the table of classes, and a share that is missing is missed in the sums.
    let fractions = manifest.epochs().into_iter().flat_map(|year| {
        [Fraction::NoData, Fraction::Outside, Fraction::Purity].map(|of| Kind::Fraction(year, of))
    });
    let expected = [
        ("landcover", maps.collect::<Vec<_>>()),
        ("change", changes.collect()),
        (FRACTION, fractions.collect()),
        (PROVENANCE, manifest.epochs().into_iter().map(Kind::Provenance).collect()),
    ];
    for (folder, expected) in expected {
        // Tables alone are a product too; some rasters of a kind without the others are none.
        let asked_for = folder == FRACTION && manifest.job.fractions
            || folder == PROVENANCE && !manifest.job.provenance.is_empty();
        let any = asked_for || listing.keys().any(|name| is_raster(name) && name.starts_with(folder));
        let of_grids =
            (0..manifest.grids.len()).flat_map(|grid| expected.iter().map(move |kind| (grid, *kind)));
        for (grid, kind) in of_grids.filter(|raster| any && !shown.contains(raster)) {
            let words = manifest.grids[grid].words();
            findings.add(folder, "missing", || match kind {
                Kind::Map(year) => format!("there is no sound map of {year}{words}"),
                Kind::Change(pair) => format!("there is no sound change raster from {pair}{words}"),
                Kind::Fraction(year, fraction) => {
                    format!("there is no sound {} of {year}{words}", fraction.word())
                }
                Kind::Provenance(year) => format!("there is no sound provenance of {year}{words}"),
            });
        }
    }
    rasters
}

/// Whether a listed file is one of the rasters.
pub fn is_raster(name: &str) -> bool {
    let folders = ["landcover", "change", FRACTION, PROVENANCE];
    name.ends_with(".tif") && name.split_once('/').is_some_and(|(folder, _)| folders.contains(&folder))
}

/// Position of the grid of a raster and what it shows, by its name, which goes on with the name of the grid where there are
/// several.
fn shown_by(name: &str, job: &str, grids: &[GridRecord]) -> Option<(usize, Kind)> {
    if let [_] = grids {
        return Some((0, kind_of(name, job)?));
    }
    let on = |(position, grid): (usize, &GridRecord)| {
        Some((position, kind_of(name, &format!("{job}_{}", grid.id.as_ref()?))?))
    };
    grids.iter().enumerate().find_map(on)
}

/// What a raster shows, by its name: `<name>_landcover_<year>_<res>.tif`, `<name>_change_<from>_<to>_<res>.tif`,
/// `<name>_fraction_<of>_<year>_<res>.tif`, `<name>_purity_<year>_<res>.tif`, `<name>_source_<year>_<res>.tif`.
fn kind_of(name: &str, job: &str) -> Option<Kind> {
    let (folder, file) = name.split_once('/')?;
    let words = file.strip_prefix(job)?.strip_prefix('_')?;
    if folder == FRACTION {
        let (words, _resolution) = words.rsplit_once('_')?;
        let (word, year) = words.rsplit_once('_')?;
        return Some(Kind::Fraction(year.parse().ok()?, Fraction::of_word(word)?));
    }
    let mut words = words.split('_');
    let kind = words.next().filter(|word| *word == folder || (folder, *word) == (PROVENANCE, "source"))?;
    let mut year = || words.next()?.parse::<Epoch>().ok();
    match kind {
        "landcover" => Some(Kind::Map(year()?)),
        "source" => Some(Kind::Provenance(year()?)),
        _ => Some(Kind::Change(Interval { from: year()?, to: year()? })),
    }
}

/// Compares a header with `run.json`; a raster of another shape or type is not looked at further.
fn check_header(
    name: &str,
    path: PathBuf,
    (position, kind): (usize, Kind),
    file: &RasterFile,
    manifest: &Manifest,
    findings: &mut Findings,
) -> Option<Raster> {
    let RasterHeader { sample, grid, overviews, nodata_tag, .. } = &file.header;
    let record = &manifest.grids[position];
    let shape = findings.that((grid.rows, grid.cols) == (record.rows, record.cols), name, "grid", || {
        format!(
            "has {} rows and {} columns; expected {} and {}",
            grid.rows, grid.cols, record.rows, record.cols
        )
    });
    let same_place = grid.affine.0.iter().zip(&record.affine.0).all(|(found, told)| close(*found, *told));
    findings.that(same_place, name, "grid", || {
        format!("its geotransform is {:?}; run.json has {:?}", grid.affine.0, record.affine.0)
    });
    let same = match (&grid.crs, &record.crs) {
        (Some(found), Some(told)) => {
            crs_from_wkt(told).and_then(|told| same_crs(found, &told)).unwrap_or(false)
        }
        (None, None) => true,
        _ => false,
    };
    findings.that(same, name, "grid", || "its CRS is not the one in run.json");
    let (wanted, nodata_is_right) = match kind {
        Kind::Change(_) => ("uint16", *nodata_tag == Some(f64::from(CHANGE_NODATA))),
        Kind::Fraction(..) => ("uint16", *nodata_tag == Some(f64::from(FRACTION_NODATA))),
        Kind::Provenance(_) => ("uint8", *nodata_tag == Some(0.0)),
        Kind::Map(_) if manifest.is_raw() => ("an integer of at most 32 bits", true),
        Kind::Map(_) => ("uint8", nodata_tag.is_some()),
    };
    let whole = !sample.is_float() && *sample != SampleKind::U32;
    let sample = findings.that(
        whole && (!wanted.starts_with("uint") || sample.word() == wanted),
        name,
        "type",
        || format!("its cells are {}; expected {wanted}", sample.word()),
    );
    let nodata = nodata_tag.and_then(whole_code);
    findings.that(nodata_is_right && nodata.is_some() == nodata_tag.is_some(), name, "nodata", || {
        format!("its nodata value is {nodata_tag:?}")
    });
    let window = grid.window();
    let levels = overviews::levels(window.rows, window.cols);
    let pyramid = findings.that(*overviews == levels as usize, name, "overviews", || {
        format!("has {overviews} overviews; expected {levels}")
    });
    let raster = Raster {
        name: name.to_string(),
        path,
        kind,
        grid: position,
        nodata,
        palette: file.palette(),
        window,
        levels: if pyramid { levels } else { 0 },
    };
    (shape && sample).then_some(raster)
}

fn whole_code(value: f64) -> Option<ClassCode> {
    let fits = value.fract() == 0.0 && value >= f64::from(i32::MIN) && value <= f64::from(i32::MAX);
    fits.then_some(value as ClassCode)
}

impl Raster {
    /// The class that a value stands for; `None` is nodata.
    pub fn class(&self, value: i32) -> Option<ClassCode> {
        (Some(value) != self.nodata).then_some(value)
    }
}

/// The change code of a cell: from*100+to, the job's own way for what stayed, 65535 where a year has no class.
///
/// Written down anew, not taken from the program's own coding.
pub fn change_code(from: Option<ClassCode>, to: Option<ClassCode>, unchanged: Unchanged) -> i64 {
    match (from.map(i64::from), to.map(i64::from)) {
        (Some(from), Some(to)) if from != to => from * 100 + to,
        (Some(same), Some(_)) => match unchanged {
            Unchanged::Zero => 0,
            Unchanged::Identity => same * 101,
            Unchanged::Class => same,
            Unchanged::Nodata => 65_535,
        },
        _ => 65_535,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_a_raster_shows() {
        let change = Kind::Change(Interval { from: 2010, to: -5 });
        assert_eq!(kind_of("landcover/a_b_landcover_2010_30m.tif", "a_b"), Some(Kind::Map(2010)));
        assert_eq!(kind_of("change/a_b_change_2010_-5_0.1x0.2deg.tif", "a_b"), Some(change));
        let fraction = |of| Some(Kind::Fraction(2010, of));
        assert_eq!(kind_of("fraction/a_b_fraction_19_2010_30m.tif", "a_b"), fraction(Fraction::Class(19)));
        assert_eq!(kind_of("fraction/a_b_fraction_outside_2010_30m.tif", "a_b"), fraction(Fraction::Outside));
        assert_eq!(kind_of("provenance/a_b_source_2010_30m.tif", "a_b"), Some(Kind::Provenance(2010)));
        assert_eq!(kind_of("landcover/a_b_source_2010_30m.tif", "a_b"), None);
        assert_eq!(kind_of("fraction/a_b_purity_2010_30m.tif", "a_b"), fraction(Fraction::Purity));
        for name in [
            "landcover/a_landcover_x_30m.tif",
            "change/a_landcover_2010_30m.tif",
            "landcover/b.tif",
            "fraction/a_fraction_2010_30m.tif",
            "fraction/a_landcover_2010_30m.tif",
        ] {
            assert_eq!(kind_of(name, "a"), None, "{name}");
        }
    }

    #[test]
    fn change_codes_are_written_as_the_job_says() {
        let code = |from, to, unchanged| change_code(from, to, unchanged);
        assert_eq!(code(Some(1), Some(13), Unchanged::Zero), 113);
        let kept = [Unchanged::Zero, Unchanged::Identity, Unchanged::Class, Unchanged::Nodata];
        assert_eq!(kept.map(|unchanged| code(Some(3), Some(3), unchanged)), [0, 303, 3, 65_535]);
        assert_eq!(code(None, Some(3), Unchanged::Zero), 65_535);
        assert_eq!(code(Some(i32::MAX), Some(i32::MIN), Unchanged::Zero), 212_600_881_052);
    }
}
