//! Attribute tables of rasters: what each value means, how often it occurs, in which colour.

use std::collections::BTreeMap;

use super::totals::Totals;
use crate::io::pam::{Rat, RatColumn, RatColumns, RatKind, RatRow};
use crate::kernel::change::{CHANGE_NODATA, change_code};
use crate::model::area::Amount;
use crate::model::legend::Language;
use crate::model::provenance::{OUTSIDE, Origin, absence_word};
use crate::plan::provenance::{Meaning, Origins};
use crate::plan::{Plan, Product};

/// The attribute table of a product; `None` where values have no names.
pub fn attributes(plan: &Plan, totals: &Totals, product: Product) -> Option<Rat> {
    if plan.job.target.is_raw() {
        return None;
    }
    Some(match product {
        Product::Landcover(epoch) => landcover(plan, &totals.class_counts(epoch)),
        Product::Change(pair) => change(plan, totals, pair),
        Product::Fraction(..) => return None,
        Product::Provenance(epoch) => provenance(plan, totals, epoch),
    })
}

/// RGB by code of the product's legend, for palettes; empty where the legend has no colours.
pub fn palette(plan: &Plan, product: Product) -> Vec<[u8; 3]> {
    let legend = &plan.job.target;
    if !matches!(product, Product::Landcover(_)) || legend.classes.iter().all(|c| c.colour.is_none()) {
        return Vec::new();
    }
    let mut palette = vec![[0; 3]; 256];
    for class in &legend.classes {
        if let (Ok(code), Some(colour)) = (usize::try_from(class.code), class.colour) {
            palette[code] = colour.0;
        }
    }
    palette
}

fn name_columns(plan: &Plan, base: &str) -> Vec<String> {
    let later = plan.job.languages.iter().skip(1).map(|l| format!("{base}_{}", l.code()));
    std::iter::once(base.to_string()).chain(later).collect()
}

fn hectares(plan: &Plan, amount: Amount) -> String {
    plan.area.of(amount).map(|m2| super::table::number(m2 / 1e4)).unwrap_or_default()
}

fn landcover(plan: &Plan, counts: &BTreeMap<i32, Amount>) -> Rat {
    let rows = plan.job.target.classes.iter().map(|class| {
        let amount = counts.get(&class.code).copied().unwrap_or_default();
        RatRow {
            value: class.code.into(),
            count: amount.pixels,
            names: plan.job.languages.iter().map(|l| class.name.get(*l).to_string()).collect(),
            rgb: class.colour.map(|c| c.0),
            extra: vec![hectares(plan, amount)],
        }
    });
    let area = RatColumn { name: "Area_ha".into(), kind: RatKind::Real };
    Rat {
        columns: RatColumns { names: name_columns(plan, "Class"), extra: vec![area] },
        rows: rows.collect(),
    }
}

/// What each code of provenance means, in English in every language's column: sections have one name.
fn provenance(plan: &Plan, totals: &Totals, epoch: usize) -> Rat {
    let mut counts: BTreeMap<Origin, Amount> = BTreeMap::new();
    for (joint, amount) in &totals.origins[epoch] {
        let origin = joint.from.and_then(|code| Origin::try_from(code).ok());
        *counts.entry(origin.unwrap_or(OUTSIDE)).or_default() += *amount;
    }
    let rows = counts.into_iter().filter(|(origin, _)| *origin != OUTSIDE).map(|(origin, amount)| RatRow {
        value: origin.into(),
        count: amount.pixels,
        names: vec![origin_words(&plan.origins, origin)],
        rgb: None,
        extra: vec![hectares(plan, amount)],
    });
    let area = RatColumn { name: "Area_ha".into(), kind: RatKind::Real };
    Rat { columns: RatColumns { names: vec!["Source".into()], extra: vec![area] }, rows: rows.collect() }
}

/// A code of provenance in words.
pub fn origin_words(origins: &Origins, origin: Origin) -> String {
    let absence = || absence_word(origin).unwrap_or_default().replace('_', " ");
    origins.meaning(origin).map_or_else(absence, Meaning::words)
}

fn change(plan: &Plan, totals: &Totals, pair: usize) -> Rat {
    // Several pairs of classes may share a value: all unchanged cells are 0 by default.
    let mut values: BTreeMap<u16, (Amount, i32, i32)> = BTreeMap::new();
    for (joint, amount) in &totals.pairs[pair] {
        let (Some(from), Some(to)) = (joint.from, joint.to) else { continue };
        if plan.comparability[pair].leaves_out(joint.from_source, joint.to_source) {
            continue;
        }
        let value = change_code(from, to, plan.job.unchanged);
        if value != CHANGE_NODATA {
            let classes = if value == 0 { (0, 0) } else { (from, to) };
            values.entry(value).or_insert((Amount::default(), classes.0, classes.1)).0 += *amount;
        }
    }
    let legend = &plan.job.target;
    let name = |from: i32, to: i32, language: Language| match (from, to) {
        (0, 0) => unchanged_word(language).to_string(),
        (from, to) if from == to => format!("{} ({})", legend.name(from, language), unchanged_word(language)),
        (from, to) => format!("{} > {}", legend.name(from, language), legend.name(to, language)),
    };
    let rows = values.into_iter().map(|(value, (amount, from, to))| RatRow {
        value: value.into(),
        count: amount.pixels,
        names: plan.job.languages.iter().map(|l| name(from, to, *l)).collect(),
        rgb: None,
        extra: vec![from.to_string(), to.to_string(), hectares(plan, amount)],
    });
    let column = |name: &str, kind| RatColumn { name: name.into(), kind };
    let extra = vec![
        column("From", RatKind::Integer),
        column("To", RatKind::Integer),
        column("Area_ha", RatKind::Real),
    ];
    Rat { columns: RatColumns { names: name_columns(plan, "Class"), extra }, rows: rows.collect() }
}

fn unchanged_word(language: Language) -> &'static str {
    match language {
        Language::En => "unchanged",
        Language::Es => "sin cambio",
        Language::Fr => "inchangé",
    }
}
