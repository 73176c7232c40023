//! The published tables, one file each. Adding a table: write its file and add it to [`all`].

mod annual_change;
mod change_matrix;
mod class_area;
mod classes;
mod coast;
mod coverage;
mod edits;
mod excluded;
mod gaps;
mod net_change;
mod nodata_account;
mod official_disagreement;
mod overlap_disagreement;
pub mod revision_matrix;
pub mod rule_coverage;
mod scheme;
mod seam;
mod slivers;
mod wide_matrix;

use std::collections::BTreeMap;

use super::totals::{Between, Totals};
use super::zones::{PairFacts, Zone, ZoneCounts, ZoneTotals, by_zone};
use crate::error::{Error, ErrorKind, Result};
use crate::io::table::{Column, Table};
use crate::kernel::tabulate::JointCounts;
use crate::model::area::{Amount, in_m2};
use crate::model::epoch::Interval;
use crate::model::legend::{ClassCode, Language};
use crate::model::matrix::ChangeMatrix;
use crate::plan::{JobPlan, Plan};

/// Every table of a product.
pub fn all<'a>(context: &'a Context) -> Vec<Table<'a>> {
    let mut tables = vec![
        change_matrix::table(context),
        class_area::table(context),
        excluded::table(context),
        coverage::table(context),
        net_change::table(context),
        overlap_disagreement::table(context),
    ];
    if !context.plan.job.target.is_raw() {
        tables.extend([classes::table(context), rule_coverage::table(context)]);
    }
    if !context.plan.job.target.rollups.is_empty() {
        tables.extend([class_area::of_rollups(context), change_matrix::of_rollups(context)]);
    }
    if context.plan.job.products.provenance {
        tables.push(nodata_account::table(context));
    }
    if context.plan.job.domain.as_ref().is_some_and(|domain| domain.sliver_cells > 0) {
        tables.push(slivers::table(context));
    }
    tables.extend(coast::tables(context));
    tables.extend(edits::tables(context));
    if context.plan.job.seams.is_some() {
        tables.extend([seam::table(context), seam::summary(context)]);
    }
    if context.plan.job.gaps {
        tables.push(gaps::table(context));
    }
    if !context.plan.pairs.is_empty() {
        tables.push(annual_change::table(context));
    }
    if !context.plan.job.official.is_empty() {
        tables.push(official_disagreement::table(context));
    }
    tables.extend(wide_matrix::tables(context));
    tables
}

/// What every table is made from.
pub struct Context<'a> {
    plan: &'a JobPlan,
    totals: &'a Totals,
    /// Classes in order: those of the legend; those met, for rasters without one.
    codes: Vec<ClassCode>,
    /// What is known of each pair of years.
    pair_facts: Vec<PairFacts<'a>>,
}

impl<'a> Context<'a> {
    /// What the tables of a product are made from.
    pub fn new(plan: &'a JobPlan, totals: &'a Totals) -> Self {
        let codes = if plan.job.target.is_raw() {
            let met = totals.areas.iter().flat_map(|joints| joints.keys().filter_map(|j| j.from));
            met.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
        } else {
            plan.job.target.codes()
        };
        Self { plan, totals, codes, pair_facts: PairFacts::all_of(plan) }
    }

    /// The zones of all layers with their share of the class counts of a year.
    fn by_zone(&self, joints: &'a JointCounts) -> impl Iterator<Item = (Zone, ZoneTotals)> + 'a {
        by_zone(self.plan, self.totals, joints, None)
    }

    /// Every pair of years with the zones of all layers and their share of its joint counts.
    fn pairs(&self) -> impl Iterator<Item = (Interval, impl Iterator<Item = (Zone, ZoneTotals)>)> {
        let (plan, totals) = (self.plan, self.totals);
        let pairs = self.pair_facts.iter().zip(&totals.pairs);
        pairs.map(move |(pair, joints)| (pair.pair(), by_zone(plan, totals, joints, Some(pair))))
    }

    /// The name of a class in the job's first language.
    fn name(&self, code: ClassCode) -> String {
        self.plan.job.target.name(code, self.language())
    }

    fn language(&self) -> Language {
        self.plan.job.languages.first().copied().unwrap_or(Language::En)
    }

    /// Areas of a number of cells: m², hectares, km²; empty where no honest area is known.
    fn areas(&self, amount: Amount) -> [String; 3] {
        match self.plan.area.of(amount) {
            Some(m2) => [number(m2), number(m2 / 1e4), number(m2 / 1e6)],
            None => [String::new(), String::new(), String::new()],
        }
    }

    /// The ellipsoidal area in km², where the job asks for it beside that of a sphere.
    fn ellipsoidal(&self, amount: Amount) -> Option<String> {
        self.plan.ellipsoidal.as_ref().map(|_| number(in_m2(amount.area_mm2) / 1e6))
    }

    /// The matrix that areas follow from: of areas where they are added up with the cells, else of cells.
    fn area_matrix(&self, counts: &ZoneCounts) -> ChangeMatrix {
        if self.plan.area.is_summed() {
            return matrix(&self.codes, counts, |amount| amount.area_mm2);
        }
        self.cell_matrix(counts)
    }

    /// The matrix of cells.
    fn cell_matrix(&self, counts: &ZoneCounts) -> ChangeMatrix {
        matrix(&self.codes, counts, |amount| amount.pixels.into())
    }

    /// What an entry of the matrix of [`Context::area_matrix`], or a sum of them, is in hectares.
    fn hectares(&self, entry: i128) -> String {
        let size = entry.unsigned_abs();
        let amount = if self.plan.area.is_summed() {
            Amount { pixels: 0, area_mm2: size }
        } else {
            u64::try_from(size).unwrap_or(u64::MAX).into()
        };
        let sign = if entry < 0 { -1.0 } else { 1.0 };
        self.plan.area.of(amount).map(|m2| number(sign * m2 / 1e4)).unwrap_or_default()
    }

    /// What lies between sources: every grid with its name, where there are several, and what was found on it.
    fn between(&self) -> impl Iterator<Item = (&'a Plan, Option<&'a String>, &'a Between)> + use<'a> {
        self.plan
            .grids
            .iter()
            .zip(&self.totals.between)
            .map(|(grid, between)| (grid, grid.grid_id.as_ref(), between))
    }

    /// The column that tells several grids apart.
    fn grid_column(&self) -> Option<Column> {
        self.plan.has_several_grids().then(|| Column::new("grid", "grid of the job"))
    }

    /// How areas were computed; where cells differ, also what is counted all the same.
    fn area_notes(&self) -> Vec<(String, String)> {
        let mut notes = vec![("area".to_string(), self.plan.area_method())];
        if self.plan.area.is_summed() {
            notes.push(("shares".into(), "percentages and rates are of cells, not of their areas".into()));
        }
        notes
    }

    /// The same with the method of ellipsoidal areas, for tables that hold them.
    /// Refuses to compare maps of more classes than a matrix is for: its entries are the square of their number.
    ///
    /// # Errors
    /// Limit: there are more.
    pub fn refuse_too_many_classes(&self) -> Result<()> {
        if self.plan.pairs.is_empty() || self.codes.len() <= MOST_CLASSES {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Limit, "the maps have more classes than a change matrix is made for")
            .found(format!("{} values", self.codes.len()))
            .expected(format!("at most {MOST_CLASSES}"))
            .help("this looks like a continuous raster: classify it first"))
    }

    fn ellipsoidal_notes(&self) -> Vec<(String, String)> {
        let note = |words: &String| ("ellipsoidal_area".to_string(), words.clone());
        self.area_notes().into_iter().chain(self.plan.ellipsoidal.as_ref().map(note)).collect()
    }

    /// The column of ellipsoidal areas, where the job asks for them.
    fn ellipsoidal_column(&self) -> Option<Column> {
        let column =
            || Column::with_unit("ellipsoidal_area_km2", "km2", "area of the cells on the ellipsoid WGS 84");
        self.plan.ellipsoidal.as_ref().map(|_| column())
    }
}

/// Most classes of a change matrix: a million entries.
const MOST_CLASSES: usize = 1024;

/// The change matrix of a zone: what cells valid in both years amount to.
fn matrix(codes: &[ClassCode], counts: &ZoneCounts, of: impl Fn(Amount) -> u128) -> ChangeMatrix {
    let mut matrix = ChangeMatrix::new(codes.to_vec());
    let places: BTreeMap<ClassCode, usize> =
        codes.iter().enumerate().map(|(place, &code)| (code, place)).collect();
    for (&(from, to), &amount) in counts {
        let place = |code: Option<ClassCode>| code.and_then(|c| places.get(&c).copied());
        if let (Some(from), Some(to)) = (place(from), place(to)) {
            matrix.add(from, to, of(amount));
        }
    }
    matrix
}

/// A number as the shortest decimal that reads back as the same number.
pub fn number(value: f64) -> String {
    // Display of f64 never uses exponents and always round-trips.
    format!("{value}")
}

/// A share in per cent; empty where the whole is nothing.
fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { String::new() } else { number(part as f64 * 100.0 / whole as f64) }
}

fn zone_columns() -> Vec<Column> {
    vec![
        Column::new("zone_layer", "layer of zones: all, section, country, or one of the job's own"),
        Column::new(
            "zone_id",
            "zone, as text, of crossed layers joined by `|`; `outside` is what no zone covers, `mixed` what changed \
             hands between the years",
        ),
        Column::new("zone_name", "name of the zone"),
    ]
}

fn area_columns() -> Vec<Column> {
    vec![
        Column::with_unit("area_m2", "m2", "area of the cells"),
        Column::with_unit("area_ha", "ha", "area of the cells"),
        Column::with_unit("area_km2", "km2", "area of the cells"),
    ]
}
