//! What rules say of each comparison, for run.json, plans and people.

use serde_json::{Value, json};

use crate::model::comparability::Verdict;
use crate::plan::JobPlan;
use crate::plan::comparability::{Judged, PairComparability, reason_words, sources_words};

/// Every comparison of a source with itself, and every other that a rule is about.
pub fn facts(plan: &JobPlan) -> Vec<Value> {
    // Many sources of one section make many comparisons of which nothing is to be said.
    let is_told = |judged: &&Judged| judged.from == judged.to || judged.rule.is_some();
    let of_pair = |pair: &PairComparability| -> Vec<Value> {
        pair.judged.iter().filter(is_told).map(|judged| fact(plan, pair, judged)).collect()
    };
    plan.comparability.iter().flat_map(of_pair).collect()
}

/// The comparisons that rules forbid and the user allowed.
pub fn allowed(plan: &JobPlan) -> Vec<Value> {
    let pairs = plan.comparability.iter().filter(|pair| pair.compares_forbidden());
    pairs.flat_map(|pair| pair.forbidden().map(move |judged| fact(plan, pair, judged))).collect()
}

fn fact(plan: &JobPlan, pair: &PairComparability, judged: &Judged) -> Value {
    let source = |at: u8| &plan.job.sources[usize::from(at)];
    let (from, to) = (source(judged.from), source(judged.to));
    let mut fact = json!({
        "from": pair.pair.from, "to": pair.pair.to,
        "from_source": from.id, "to_source": to.id, "from_section": from.section, "to_section": to.section,
        "comparable": judged.verdict(), "left_out": pair.leaves_out(judged.from, judged.to),
    });
    if let Some(rule) = &judged.rule {
        fact["rule"] = json!({
            "id": rule.id, "verdict": rule.verdict, "reason": rule.reason, "source": rule.source, "status": rule.status,
        });
    }
    fact
}

/// A line for each comparison that a rule is about, and one for the number of the others.
pub fn lines(plan: &JobPlan) -> Vec<String> {
    let mut lines = Vec::new();
    for pair in &plan.comparability {
        for judged in &pair.judged {
            if judged.is_official {
                let sources = sources_words(&plan.job, judged);
                lines.push(format!(
                    "comparable {}, {sources}: official: by the makers' change map",
                    pair.pair
                ));
            }
            let Some(rule) = &judged.rule else { continue };
            let outcome = match judged.verdict() {
                Verdict::No if pair.leaves_out(judged.from, judged.to) => "no, left out",
                Verdict::No => "no, compared all the same",
                verdict => verdict.word(),
            };
            let sources = sources_words(&plan.job, judged);
            lines.push(format!("comparable {}, {sources}: {outcome}: {}", pair.pair, reason_words(rule)));
        }
        match pair.judged.iter().filter(|judged| judged.verdict() == Verdict::Unknown).count() {
            0 => {}
            n => lines
                .push(format!("comparable {}: unknown for {n} more, as no rule is about them", pair.pair)),
        }
    }
    lines
}
