//! Why a task is stale: the identity of a task taken apart, with a name for each thing that it is made of.
//!
//! A part keeps its reasons beside its identity; comparing them with those of today names what changed. They decide nothing:
//! the identity does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::io::digest::sha256;

/// What an identity is made of: names, and a short hash of what each stood for.
pub type Reasons = BTreeMap<String, String>;

/// Digits of a hash that are kept: enough to see a change.
const DIGITS: usize = 12;

/// The keys of what all tasks share, in words.
const NAMES: [(&str, &str); 22] = [
    ("version", "the version of nalcms"),
    ("gdal", "the version of GDAL"),
    ("proj", "the version of PROJ"),
    ("grid", "the target grid"),
    ("task_cells", "compute.task_cells"),
    ("target", "the classes of the product's legend"),
    ("storage", "the data type of the maps"),
    ("epochs", "the mapped years"),
    ("pairs", "the pairs of years"),
    ("products", "what is written"),
    ("unchanged", "change.unchanged"),
    ("tie", "who wins a tie"),
    ("compression", "compute.compression"),
    ("areas", "how areas are measured"),
    ("zones", "a zone layer"),
    ("coast", "the coast"),
    ("left_out", "which maps may be compared"),
    ("domain", "the domains"),
    ("origins", "the sources, which provenance numbers"),
    ("seams", "how seams are looked for"),
    ("gaps", "whether gaps are listed"),
    ("official", "a published change map"),
];

/// The reasons that all tasks of a plan share, from the facts of the identity.
pub fn of_common(facts: &Value) -> Reasons {
    let entries = facts.as_object().into_iter().flatten();
    let name = |key: &str| {
        let known = NAMES.iter().find(|(known, _)| *known == key);
        known.map_or(key, |(_, words)| words).to_string()
    };
    entries.map(|(key, value)| (name(key), short(value))).collect()
}

/// A short hash of facts.
pub fn short(facts: &Value) -> String {
    let mut hash = sha256(facts.to_string());
    hash.truncate(DIGITS);
    hash
}

/// What stands in no reason: maps of the same files at the same places, one over the other.
const ORDER: &str = "the order in which maps decide changed";

/// What differs between two identities that are not the same, in words.
pub fn differences(before: &Reasons, now: &Reasons) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    // What is told of a thing comes and goes with it.
    let is_told_by = |name: &String, other: &String| {
        let (came, went) = (!before.contains_key(other), !now.contains_key(other));
        (came || went) && name != other && name.contains(other.as_str())
    };
    let names = names.iter().copied().filter(|name| !names.iter().any(|other| is_told_by(name, other)));
    let difference = |name: &String| match (before.get(name), now.get(name)) {
        (Some(before), Some(now)) if before == now => None,
        (Some(_), Some(_)) => Some(format!("{name} changed")),
        (Some(_), None) => Some(format!("{name} is no longer part of it")),
        (None, _) => Some(format!("{name} is new")),
    };
    let found: Vec<String> = names.collect::<Vec<_>>().into_iter().filter_map(difference).collect();
    if found.is_empty() { vec![ORDER.into()] } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_came_and_went_is_named() {
        let facts = |tie: &str| serde_json::json!({ "tie": tie, "version": "1" });
        let (mut before, mut now) = (of_common(&facts("hash")), of_common(&facts("lowest")));
        assert_eq!(differences(&before, &now), ["who wins a tie changed"]);
        before.insert("a.tif".into(), "1".into());
        before.insert("the place of a.tif".into(), "1".into());
        now.insert("b.tif".into(), "1".into());
        assert_eq!(
            differences(&before, &now),
            ["a.tif is no longer part of it", "b.tif is new", "who wins a tie changed"]
        );
        assert_eq!(differences(&now, &now), [ORDER]);
    }
}
