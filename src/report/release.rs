//! Whether a product may be released: no cell of it rests on a proposed row that was not accepted.

use std::collections::BTreeMap;

use super::totals::Totals;
use crate::error::{Error, Result};
use crate::model::area::Amount;
use crate::plan::JobPlan;

/// Refuses a release that rests on proposed rows which nobody accepted; they are all named, with their cells.
///
/// # Errors
/// Input: some do.
pub fn refuse_unaccepted<'t>(plan: &JobPlan, totals: impl Iterator<Item = &'t Totals>) -> Result<()> {
    let release = &plan.job.release;
    if !release.demanded {
        return Ok(());
    }
    let mut unaccepted: BTreeMap<(String, i32), (String, Amount)> = BTreeMap::new();
    for totals in totals {
        for (rules, year) in totals.rules.iter().zip(&plan.job.epochs) {
            for (rule, amount) in rules.iter().filter(|(rule, amount)| rule.proposed && amount.pixels > 0) {
                let source = plan.job.sources.get(usize::from(rule.source));
                let map = source.and_then(|source| source.maps.get(year));
                let Some((map, crosswalk)) = map.and_then(|map| Some((map, map.crosswalk.as_deref()?)))
                else {
                    continue;
                };
                if !release.accepts(&crosswalk.id, rule.from) {
                    let language =
                        plan.job.languages.first().copied().unwrap_or(crate::model::legend::Language::En);
                    let name = map.legend.name(rule.from, language);
                    let row = unaccepted
                        .entry((crosswalk.id.clone(), rule.from))
                        .or_insert((name, Amount::default()));
                    row.1 += *amount;
                }
            }
        }
    }
    if unaccepted.is_empty() {
        return Ok(());
    }
    let told = unaccepted.iter().map(|((crosswalk, code), (name, amount))| {
        format!("{crosswalk}:{code} ({name}): {} cells over all years", amount.pixels)
    });
    Err(Error::input(format!("a release rests on {} proposed rows that nobody accepted", unaccepted.len()))
        .found_all(told)
        .expected("published rows, or proposed ones that the job accepts by name")
        .help(
            "accept_proposed = [\"CROSSWALK:CODE\", …] in the job file accepts them; nothing was published",
        ))
}
