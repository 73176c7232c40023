//! Reclass: which rule of its source each cell falls under.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2};

use super::ClassValue;
use crate::model::legend::ClassCode;
use crate::model::rule::{NOT_COVERED, Rule, RuleIndex, RuleTable};

/// Values met that no rule explains, in order of first sight; the n-th has rule index `table length + n`.
#[derive(Debug, Clone, Default)]
pub struct UnknownValues {
    values: Vec<ClassCode>,
    positions: BTreeMap<ClassCode, usize>,
}

impl UnknownValues {
    /// The rule behind an index, known or not.
    pub fn rule(&self, table: &RuleTable, index: RuleIndex) -> Rule {
        let index = usize::from(index);
        let known = table.rules();
        match known.get(index) {
            Some(rule) => rule.clone(),
            None => table.unknown_rule(self.values[index - known.len()]),
        }
    }

    /// Number of rules, the unknown values' among them.
    pub fn rule_count(&self, table: &RuleTable) -> usize {
        table.rules().len() + self.values.len()
    }

    fn index_of(&mut self, value: ClassCode, table: &RuleTable) -> Option<RuleIndex> {
        let position = *self.positions.entry(value).or_insert_with(|| {
            self.values.push(value);
            self.values.len() - 1
        });
        RuleIndex::try_from(table.rules().len() + position).ok().filter(|&index| index != NOT_COVERED)
    }
}

/// More distinct values than a class raster can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyValues;

/// Finds the rule of every cell.
///
/// # Shape
/// `raw` and every plane of `strata` share one shape; so does the result.
/// # Errors
/// [`TooManyValues`] when rules and unknown values together exceed 65 534.
/// # Cost
/// One pass; a run of equal values is looked up once.
pub fn reclass<T: ClassValue>(
    raw: ArrayView2<T>,
    strata: &[Array2<u8>],
    table: &RuleTable,
    unknown: &mut UnknownValues,
) -> Result<Array2<RuleIndex>, TooManyValues> {
    let mut rules = Array2::from_elem(raw.dim(), NOT_COVERED);
    for (row, (values, out)) in raw.outer_iter().zip(rules.outer_iter_mut()).enumerate() {
        let mut run: Option<(T, RuleIndex)> = None;
        for (col, (&value, out)) in values.iter().zip(out).enumerate() {
            *out = match run {
                Some((of, rule)) if of == value => rule,
                _ => {
                    let code = value.code();
                    let found = table.find(code, |stratum| strata[stratum][(row, col)]);
                    let rule = found.or_else(|| unknown.index_of(code, table)).ok_or(TooManyValues)?;
                    run = (!table.is_conditional(code)).then_some((value, rule));
                    rule
                }
            };
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::model::crosswalk::Crosswalk;
    use crate::model::legend::{Absence, Legend};
    use crate::model::rule::{Outcome, StratumValues};

    fn legend() -> Legend {
        let row = |code: i32| {
            format!(
                "[[class]]\ncode = {code}\nname = {{ en = \"c{code}\" }}\nstatus = \"published\"\nsource = \"t\"\n"
            )
        };
        let nodata =
            "[[nodata]]\nvalue = 99\nmeaning = \"no-observation\"\nstatus = \"published\"\nsource = \"t\"\n";
        let text =
            format!("id = \"a\"\ntitle = \"a\"\nsource = \"t\"\nfill = 0\n{nodata}{}{}", row(41), row(11));
        Legend::from_toml(&text, "a").unwrap()
    }

    fn crosswalk() -> Crosswalk {
        let text = r#"
            id = "a-b"
            from = "a"
            to = "b"
            source = "t"
            [[row]]
            from = 11
            to = 18
            status = "published"
            source = "t"
            [[row]]
            from = 41
            stratum = "climate"
            to = { polar = 2, tropical = 4 }
            default = 5
            status = "proposed"
            source = "t"
        "#;
        Crosswalk::from_toml(text, "a-b").unwrap()
    }

    #[test]
    fn conditional_rows_look_at_the_stratum_of_each_cell() {
        let strata = [StratumValues {
            name: "climate".into(),
            values: vec!["polar".into(), "tropical".into()],
            open: false,
        }];
        let table = RuleTable::compile(&legend(), Some(&crosswalk()), None, &strata, false);
        let raw = array![[41u8, 41, 41, 11], [0, 99, 7, 7]];
        let climate = array![[1u8, 2, 0, 2], [0, 0, 0, 0]];
        let mut unknown = UnknownValues::default();
        let rules = reclass(raw.view(), &[climate], &table, &mut unknown).unwrap();
        let outcomes: Vec<_> = rules.iter().map(|&r| unknown.rule(&table, r).outcome).collect();
        assert_eq!(
            outcomes,
            [
                Outcome::Class(2),
                Outcome::Class(4),
                Outcome::NoStratum,
                Outcome::Class(18),
                Outcome::Absent(Absence::Outside),
                Outcome::Absent(Absence::NoObservation),
                Outcome::Unmapped,
                Outcome::Unmapped,
            ]
        );
        assert_eq!(unknown.rule(&table, rules[(1, 2)]).from, 7);
    }

    #[test]
    fn without_its_layer_a_conditional_row_takes_its_default_only_when_told_to() {
        let outcome = |take_default| {
            let table = RuleTable::compile(&legend(), Some(&crosswalk()), None, &[], take_default);
            let mut unknown = UnknownValues::default();
            let rules = reclass(array![[41u8]].view(), &[], &table, &mut unknown).unwrap();
            let rule = unknown.rule(&table, rules[(0, 0)]);
            (rule.outcome, rule.default_taken, rule.proposed)
        };
        assert_eq!(outcome(false), (Outcome::NoStratum, false, true));
        assert_eq!(outcome(true), (Outcome::Class(5), true, true));
    }

    #[test]
    fn a_raster_without_a_legend_keeps_every_code_but_its_nodata_tag() {
        let table = RuleTable::compile(&Legend::raw(), None, Some(-7), &[], false);
        let mut unknown = UnknownValues::default();
        let rules = reclass(array![[-7i32, 70_000, -1]].view(), &[], &table, &mut unknown).unwrap();
        let outcomes: Vec<_> = rules.iter().map(|&r| unknown.rule(&table, r).outcome).collect();
        assert_eq!(outcomes, [Outcome::Absent(Absence::Outside), Outcome::Class(70_000), Outcome::Class(-1)]);
    }
}
