//! The rules on which maps may be compared: those that ship, and those of a job before them.

use std::path::Path;
use std::sync::Arc;

use super::shipped;
use crate::error::Result;
use crate::model::comparability::ComparabilityRule;

/// The rules that ship, as TOML.
const SHIPPED: &str = include_str!("../../configs/comparability.toml");

/// The rules of a job, its own file's first, so that a partner can say otherwise.
///
/// # Errors
/// Usage: there is no such file, or it cannot be read or contradicts itself.
pub fn rules(own: Option<&str>, folder: &Path) -> Result<Vec<Arc<ComparabilityRule>>> {
    let mut rules = match own {
        Some(name) => shipped::comparability(name, folder)?,
        None => Vec::new(),
    };
    rules.extend(ComparabilityRule::all_from_toml(SHIPPED, "shipped comparability rules")?);
    Ok(rules.into_iter().map(Arc::new).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::comparability::{MapFacts, Verdict, judge};

    #[test]
    fn the_shipped_rules_forbid_mexico_from_2010_to_2015_at_30_m_and_nothing_of_the_neighbours() -> Result<()>
    {
        let rules = rules(None, Path::new("."))?;
        let map = |country, year, cell| MapFacts {
            year,
            section: "s",
            country: Some(country),
            legend: "nalcms",
            cells_m: vec![cell],
            edition: None,
            sensor: None,
            method: None,
        };
        let verdict = |country, years: [i32; 2], cell| {
            let at = judge(&rules, &map(country, years[0], cell), &map(country, years[1], cell));
            at.map(|at| rules[at].verdict())
        };
        assert_eq!(verdict("MX", [2010, 2015], 30.0), Some(Verdict::No));
        assert_eq!(verdict("MX", [2010, 2015], 250.0), None);
        assert_eq!(verdict("MX", [2020, 2010], 30.0), Some(Verdict::No));
        assert_eq!(verdict("MX", [2015, 2020], 30.0), None);
        assert_eq!(verdict("US", [2010, 2015], 30.0), None);
        Ok(())
    }
}
