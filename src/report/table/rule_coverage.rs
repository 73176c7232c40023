//! `rule_coverage.csv`: which rule of which crosswalk decided how many cells; rules that decided none are rows too.

use std::collections::BTreeMap;

use super::{Context, area_columns, percent};
use crate::io::part::RuleCount;
use crate::io::table::{Column, Table, listed};
use crate::model::area::Amount;
use crate::model::legend::Absence;
use crate::model::rule::{Outcome, Rule};
use crate::model::source::SourceIndex;
use crate::plan::JobPlan;
use crate::report::totals::Totals;

/// The rules of the sources of an epoch: those that some file can fall under, and those that were counted.
pub fn rules_of(plan: &JobPlan, totals: &Totals, epoch: usize) -> BTreeMap<RuleCount, Amount> {
    let scenes = plan.grids.iter().flat_map(|plan| &plan.epochs[epoch].scenes);
    let known = scenes.flat_map(|scene| {
        let telling = |rule: &&Rule| match rule.outcome {
            Outcome::Class(_) | Outcome::Absent(Absence::NoObservation) | Outcome::Withheld => true,
            Outcome::Absent(Absence::Outside) | Outcome::Unmapped | Outcome::NoStratum => false,
        };
        scene.rules.rules().iter().filter(telling).map(|rule| RuleCount::of(scene.source, rule))
    });
    let mut rules: BTreeMap<RuleCount, Amount> = known.map(|rule| (rule, Amount::default())).collect();
    rules.extend(totals.rules[epoch].iter().map(|(rule, amount)| (rule.clone(), *amount)));
    rules
}

/// A row per year, source and rule.
pub fn table<'a>(context: &'a Context) -> Table<'a> {
    let mut rows = Vec::new();
    for (position, &year) in context.plan.job.epochs.iter().enumerate() {
        let rules = rules_of(context.plan, context.totals, position);
        let mut decided: BTreeMap<SourceIndex, u64> = BTreeMap::new();
        for (rule, amount) in &rules {
            *decided.entry(rule.source).or_default() += amount.pixels;
        }
        for (rule, &amount) in &rules {
            let Some(source) = context.plan.job.sources.get(usize::from(rule.source)) else { continue };
            let Some(map) = source.maps.get(&year) else { continue };
            let status = match &map.crosswalk {
                None => "kept",
                Some(_) if rule.proposed => "proposed",
                Some(_) => "published",
            };
            let mut row = vec![year.to_string(), source.id.clone()];
            row.push(map.crosswalk.as_ref().map(|crosswalk| crosswalk.id.clone()).unwrap_or_default());
            row.extend([rule.from.to_string(), map.legend.name(rule.from, context.language())]);
            row.push(rule.stratum.clone().unwrap_or_default());
            row.push(rule.to.map(|to| to.to_string()).unwrap_or_default());
            row.push(rule.to.map(|to| context.name(to)).unwrap_or_default());
            row.extend([status, if rule.default_taken { "yes" } else { "no" }].map(String::from));
            row.push(amount.pixels.to_string());
            row.extend(context.areas(amount));
            row.push(percent(amount.pixels, decided[&rule.source]));
            rows.push(row);
        }
    }
    let mut columns = vec![
        Column::new("year", "mapped year"),
        Column::new("source", "source whose cells fell under the rule"),
        Column::new("crosswalk", "crosswalk that the rule is of; empty where the codes are kept"),
        Column::new("from_code", "code in the source"),
        Column::new("from_name", "its name in the source's legend"),
        Column::new("stratum", "value of the stratum, of conditional rules"),
        Column::new("to_code", "class that it became; empty is nodata"),
        Column::new("to_name", "its name in the job's first language"),
        Column::new("status", "published or proposed, as the crosswalk says; kept: no crosswalk"),
        Column::new("default_taken", "whether a conditional rule fell to its default for want of its layer"),
        Column::with_unit(
            "pixels",
            "cells",
            "cells of the mosaic that the rule decided; 0: it was never hit",
        ),
    ];
    columns.extend(area_columns());
    columns.push(Column::with_unit("pct_of_source", "%", "share of the cells that the source decided"));
    Table {
        name: "rule_coverage".into(),
        description: "cells of the mosaics that each rule of each crosswalk decided, by year and source"
            .into(),
        columns,
        rows: listed(rows),
        notes: context.area_notes(),
    }
}
