//! Third group, third part: what the rasters hold is what the tables and attribute tables say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::areas::{self, Closeness};
use super::attributes::{self, AttributeTable, RowAreas};
use super::facts::{Facts, JointCounts, Surveyed};
use super::findings::Findings;
use super::manifest::Manifest;
use super::official::{self, Shares};
use super::rasters::{Kind, Raster, change_code};
use super::read_bounded;
use super::tables::{CHANGE_MATRIX, CLASS_AREA, ELLIPSOIDAL, EXCLUDED, OWN, Side, Tables, Zone};
use crate::kernel::change::{CHANGE_NODATA, Unchanged};
use crate::model::epoch::Interval;
use crate::model::legend::ClassCode;

/// Compares counts of cells with every file that states them; says what was compared.
pub fn check(
    output: &Path,
    rasters: &[Raster],
    surveyed: &Surveyed,
    tables: &Tables,
    manifest: &Manifest,
    findings: &mut Findings,
) -> String {
    let mut attribute_rows = 0;
    for raster in rasters {
        let facts = &surveyed.grids[raster.grid];
        // Shares were compared with each other and with the map while they were read.
        let Some(counts) = facts.counts(raster.kind) else { continue };
        match raster.kind {
            Kind::Map(_) => check_palette(raster, tables, findings),
            Kind::Change(_) => {
                let total = counts.values.values().sum::<u64>() + counts.nodata;
                let area = raster.window.cells();
                findings.that(total == area, &raster.name, "change counts", || {
                    format!("{total} cells; expected {area}")
                });
            }
            Kind::Fraction(..) | Kind::Provenance(_) => {}
        }
        if !manifest.is_raw() {
            let file = format!("{}.aux.xml", raster.name);
            let bytes = read_bounded(&output.join(&file), attributes::LARGEST);
            match bytes.and_then(|bytes| AttributeTable::parse(&bytes)) {
                Ok(table) => {
                    let areas = row_areas(raster, facts, tables, manifest);
                    let of_raster = (raster.kind, counts, &areas);
                    attribute_rows += attributes::check(&file, &table, of_raster, tables, manifest, findings);
                }
                Err(problem) => findings.add(&file, "reading", || problem),
            }
        }
    }
    let facts = &surveyed.whole;
    check_counts(rasters, facts, tables, manifest, findings);
    for (pair, joints) in &facts.joints {
        // Without the change raster nobody can say which cells were left out.
        if manifest.leaves_out(*pair) && !facts.changes.contains_key(pair) {
            continue;
        }
        let mut cells =
            PairCells { joints, left_out: facts.left_out.get(pair), official: &MatrixCells::new() };
        let shares = official::shares(facts, *pair, tables, manifest, findings);
        match &shares {
            Some(Shares { joints, left_out, official }) => {
                cells = PairCells { joints, left_out: Some(left_out), official };
            }
            None if manifest.is_official(*pair) => continue,
            None => {}
        }
        let (matrix, excluded) = expected(*pair, &cells, tables, manifest);
        if tables.has(CHANGE_MATRIX) {
            let stated = tables.matrix(&Zone::all(), *pair);
            findings.compare(CHANGE_MATRIX, "joint counts", &stated, &matrix, |(from, to)| {
                format!("{from} to {to} in {pair}, against the maps")
            });
        }
        if tables.has(EXCLUDED) {
            let stated = tables.excluded(&Zone::all(), *pair);
            findings.compare(EXCLUDED, "joint counts", &stated, &excluded, |(code, side)| {
                format!("class {code}, side {side:?}, {pair}, against the maps")
            });
        }
    }
    let measured = match check_areas(facts, tables, manifest, findings) {
        0 => String::new(),
        n => format!("{n} areas measured anew, "),
    };
    let pairs: usize = surveyed.grids.iter().map(|facts| facts.joints.len()).sum();
    let shares = match facts.shared {
        0 => String::new(),
        n => format!("shares in {n} cells added up, "),
    };
    format!(
        "{} cells of {} rasters counted, {pairs} pairs of maps cross-tabulated, {} change codes worked out anew, {measured}\
         {shares}{attribute_rows} rows of attribute tables compared",
        facts.cells,
        rasters.len(),
        facts.recomputed
    )
}

/// Cells by class at the first and at the second year.
type MatrixCells = BTreeMap<(ClassCode, ClassCode), u64>;

/// Cells that are in no matrix, by class and by the year in which they have it.
type ExcludedCells = BTreeMap<(ClassCode, Side), u64>;

/// The cells of a pair: those that the maps decide, those of them that are left out, and those that change maps decide.
struct PairCells<'a> {
    joints: &'a JointCounts,
    left_out: Option<&'a JointCounts>,
    official: &'a MatrixCells,
}

/// The matrix and the excluded cells that maps and change raster of a pair make.
fn expected(
    pair: Interval,
    &PairCells { joints, left_out, official }: &PairCells,
    tables: &Tables,
    manifest: &Manifest,
) -> (MatrixCells, ExcludedCells) {
    let (mut matrix, mut excluded) = (official.clone(), ExcludedCells::new());
    let mut exclude = |code: ClassCode, side: Side, cells: u64| {
        *excluded.entry((code, side)).or_default() += cells;
    };
    let stated = tables.matrix(&Zone::all(), pair);
    for (&joint, &cells) in joints.iter().filter(|(_, cells)| **cells > 0) {
        match joint {
            (Some(from), Some(to)) => {
                let kept_is_nodata = from == to && manifest.job.unchanged == Unchanged::Nodata;
                let of_change_maps = official.get(&(from, to)).copied().unwrap_or(0);
                let left_out = match left_out {
                    // Where what stayed is written as nodata, only the table tells the two apart.
                    _ if kept_is_nodata && manifest.leaves_out(pair) => {
                        let kept = stated.get(&(from, to)).copied().unwrap_or(0);
                        cells.saturating_sub(kept.saturating_sub(of_change_maps))
                    }
                    left_out => left_out.and_then(|counts| counts.get(&joint)).copied().unwrap_or(0),
                };
                let sum = matrix.entry((from, to)).or_default();
                *sum = sum.saturating_add(cells.saturating_sub(left_out));
                if left_out > 0 {
                    exclude(from, Side::From, left_out);
                    exclude(to, Side::To, left_out);
                }
            }
            (Some(from), None) => exclude(from, Side::From, cells),
            (None, Some(to)) => exclude(to, Side::To, cells),
            (None, None) => {}
        }
    }
    (matrix, excluded)
}

/// What the areas of a raster's attribute table must be: by the number of cells where these are alike; else as the tables
/// tell them, or as they were measured anew where the tables tell of other grids too.
fn row_areas(raster: &Raster, facts: &Facts, tables: &Tables, manifest: &Manifest) -> RowAreas {
    match manifest.grids[raster.grid].cell_area_m2 {
        Some(m2) => RowAreas::ByCells(m2),
        None if !manifest.adds_areas_up() => RowAreas::Unknown,
        None if manifest.grids.len() == 1 && !matches!(raster.kind, Kind::Provenance(_)) => {
            RowAreas::ByValue(attributes::areas_in_tables(raster.kind, tables, manifest), Closeness::AddedUp)
        }
        None if matches!(raster.kind, Kind::Change(pair) if manifest.is_official(pair)) => RowAreas::Unknown,
        None => match facts.areas_of_values(raster.kind, manifest.job.unchanged) {
            Some(areas) => RowAreas::ByValue(areas, Closeness::WorkedOut),
            None => RowAreas::Unknown,
        },
    }
}

/// The cells of all grids together, map by map and change by change, are those of the tables.
fn check_counts(
    rasters: &[Raster],
    facts: &Facts,
    tables: &Tables,
    manifest: &Manifest,
    findings: &mut Findings,
) {
    let kinds: BTreeSet<Kind> = rasters.iter().map(|raster| raster.kind).collect();
    for kind in kinds {
        let Some(counts) = facts.counts(kind) else { continue };
        // Of several rasters none is the one that differs.
        let mut of_kind =
            rasters.iter().filter(|raster| raster.kind == kind).map(|raster| raster.name.as_str());
        let several = manifest.grids.len() > 1;
        let only = of_kind.next().filter(|_| !several);
        let all = if several { "all grids together, " } else { "" };
        match kind {
            Kind::Map(year) if tables.has(CLASS_AREA) => {
                let stated = tables.class_counts(&Zone::all(), year);
                findings.compare(
                    only.unwrap_or(CLASS_AREA),
                    "class counts",
                    &counts.values,
                    &stated,
                    |code| format!("cells of class {code} in {year}, {all}against {CLASS_AREA}"),
                );
            }
            Kind::Change(pair) if tables.has(CHANGE_MATRIX) => {
                let stated = stated_changes(tables, pair, manifest);
                let found = counts.values.iter().map(|(code, cells)| (i64::from(*code), *cells)).collect();
                findings.compare(only.unwrap_or(CHANGE_MATRIX), "change counts", &found, &stated, |code| {
                    format!("cells of change code {code} in {pair}, {all}against {CHANGE_MATRIX}")
                });
            }
            Kind::Map(_) | Kind::Change(_) | Kind::Fraction(..) | Kind::Provenance(_) => {}
        }
    }
}

/// Areas that were added up cell by cell are those of the cells that the maps hold; gives the number of comparisons.
fn check_areas(facts: &Facts, tables: &Tables, manifest: &Manifest, findings: &mut Findings) -> u64 {
    // A sphere's own areas follow from the number of cells; added up are those on the ellipsoid.
    let of = if manifest.job.ellipsoidal { ELLIPSOIDAL } else { OWN };
    let (all, anew, mut compared) = (Zone::all(), Closeness::WorkedOut, 0);
    for (&year, measured) in facts.map_areas.iter().filter(|_| tables.has(CLASS_AREA)) {
        let stated = tables.class_areas(&all, year, of);
        compared += areas::compare(findings, CLASS_AREA, anew, &stated, measured, |code| {
            format!("class {code} in {year}, against the map")
        });
    }
    for (&pair, measured) in &facts.joint_areas {
        // Which cells were left out is told by the change raster, if it writes what stayed otherwise.
        let tells = facts.changes.contains_key(&pair) && manifest.job.unchanged != Unchanged::Nodata;
        // Where change maps decide, the table of their cells holds the areas, which are added up elsewhere.
        if (manifest.leaves_out(pair) && !tells) || manifest.is_official(pair) {
            continue;
        }
        let (mut matrix, mut excluded) = (BTreeMap::new(), BTreeMap::<(ClassCode, Side), f64>::new());
        for (joint, &m2) in measured {
            match *joint {
                (Some(from), Some(to)) => drop(matrix.insert((from, to), m2)),
                (Some(from), None) => drop(excluded.insert((from, Side::From), m2)),
                (None, Some(to)) => drop(excluded.insert((to, Side::To), m2)),
                (None, None) => {}
            }
        }
        for (&(from, to), &m2) in facts.left_out_areas.get(&pair).into_iter().flatten() {
            for (code, side) in [(from, Side::From), (to, Side::To)] {
                code.into_iter().for_each(|code| *excluded.entry((code, side)).or_default() += m2);
            }
        }
        if tables.has(CHANGE_MATRIX) {
            let stated = tables.matrix_areas(&all, pair, of);
            compared += areas::compare(findings, CHANGE_MATRIX, anew, &stated, &matrix, |(from, to)| {
                format!("{from} to {to} in {pair}, against the maps")
            });
        }
        if tables.has(EXCLUDED) && !manifest.job.ellipsoidal {
            let stated = tables.excluded_areas(&all, pair);
            compared += areas::compare(findings, EXCLUDED, anew, &stated, &excluded, |(code, side)| {
                format!("class {code}, side {side:?}, {pair}, against the maps")
            });
        }
    }
    compared
}

/// The counts of a change raster follow from the matrix: this holds where there are no maps, too.
fn stated_changes(tables: &Tables, pair: Interval, manifest: &Manifest) -> BTreeMap<i64, u64> {
    let mut stated: BTreeMap<i64, u64> = BTreeMap::new();
    for ((from, to), cells) in tables.matrix(&Zone::all(), pair) {
        let code = change_code(Some(from), Some(to), manifest.job.unchanged);
        let sum = stated.entry(code).or_default();
        *sum = sum.saturating_add(cells);
    }
    // Unchanged cells may be written as nodata; then nobody can tell them from the others.
    stated.remove(&i64::from(CHANGE_NODATA));
    stated
}

/// The colours of a map are those of the legend.
fn check_palette(raster: &Raster, tables: &Tables, findings: &mut Findings) {
    for (code, class) in tables.classes.iter().flatten() {
        let found = usize::try_from(*code).ok().and_then(|code| raster.palette.get(code)).copied();
        if let Some(colour) = class.colour {
            findings.that(found == Some(colour), &raster.name, "colours", || {
                format!("class {code} has the colour {found:?}; tables/classes.csv has {colour:?}")
            });
        }
    }
}
