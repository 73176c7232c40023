//! The published tables, one file each. Adding a table: write its file and add it to [`all`].

mod change_matrix;
mod class_area;
mod classes;
mod excluded;
mod net_change;
mod overlap_disagreement;
mod wide_matrix;

use super::totals::Totals;
use super::zones::{Zone, ZoneTotals, by_zone};
use crate::io::table::{Column, Table};
use crate::kernel::tabulate::JointCounts;
use crate::model::legend::{ClassCode, Language};
use crate::plan::Plan;

/// Every table of a product.
pub fn all<'a>(context: &'a Context) -> Vec<Table<'a>> {
    let mut tables = vec![
        change_matrix::table(context),
        class_area::table(context),
        excluded::table(context),
        net_change::table(context),
        overlap_disagreement::table(context),
    ];
    if !context.plan.job.target.is_raw() {
        tables.push(classes::table(context));
    }
    tables.extend(wide_matrix::tables(context));
    tables
}

/// What every table is made from.
pub struct Context<'a> {
    plan: &'a Plan,
    totals: &'a Totals,
    /// Classes in order: those of the legend; those met, for rasters without one.
    codes: Vec<ClassCode>,
}

impl<'a> Context<'a> {
    /// What the tables of a product are made from.
    pub fn new(plan: &'a Plan, totals: &'a Totals) -> Self {
        let codes = if plan.job.target.is_raw() {
            let met = totals.areas.iter().flat_map(|joints| joints.keys().filter_map(|j| j.from));
            met.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
        } else {
            plan.job.target.codes()
        };
        Self { plan, totals, codes }
    }

    /// The zones of all layers with their share of joint counts.
    fn by_zone(&self, joints: &'a JointCounts) -> impl Iterator<Item = (Zone, ZoneTotals)> + 'a {
        by_zone(self.plan, self.totals, joints)
    }

    /// The name of a class in the job's first language.
    fn name(&self, code: ClassCode) -> String {
        self.plan.job.target.name(code, self.language())
    }

    fn language(&self) -> Language {
        self.plan.job.languages.first().copied().unwrap_or(Language::En)
    }

    /// Areas of a number of cells: m², hectares, km²; empty where no honest area is known.
    fn areas(&self, pixels: u64) -> [String; 3] {
        match self.plan.area.of(pixels) {
            Some(m2) => [number(m2), number(m2 / 1e4), number(m2 / 1e6)],
            None => [String::new(), String::new(), String::new()],
        }
    }

    fn area_note(&self) -> (String, String) {
        ("area".into(), self.plan.area.method())
    }
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
