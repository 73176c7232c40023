//! Keys of conditional crosswalk rows: which values of the row's strata lead to a class.
//!
//! A row on one stratum has the value itself as its key. A row on several joins one part for each stratum by `+`, in the
//! order in which it names them: `tropical+above`. The part `*` stands for any value. Of the keys that match the one with
//! the fewest `*` wins; two that match with as many and lead to different classes are a violation, unless a key with fewer
//! has all that both match.

use std::collections::BTreeMap;

use super::legend::ClassCode;

/// Joins the parts of a key.
const JOIN: char = '+';

/// Takes the meaning from the character behind it, in keys of several parts.
const ESCAPE: char = '\\';

/// The part that stands for any value.
const ANY: &str = "*";

/// A key, part by part; `None` stands for any value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StratumKey(Vec<Option<String>>);

impl StratumKey {
    /// Reads a key of a row on so many strata. A row on one takes any text but `*` as a value; of several, a `+`, `*` or
    /// `\` of a value is written `\+`, `\*`, `\\`.
    ///
    /// `None`: it has another number of parts, or an empty one.
    pub fn parse(text: &str, strata: usize) -> Option<Self> {
        if strata == 1 {
            return Some(Self(vec![(text != ANY).then(|| text.to_string())]));
        }
        let parts = split(text);
        let sound = parts.len() == strata && parts.iter().all(|part| part.as_deref() != Some(""));
        sound.then_some(Self(parts))
    }

    /// Number of parts that stand for any value: the fewer, the more specific it is.
    pub fn wildcards(&self) -> usize {
        self.0.iter().filter(|part| part.is_none()).count()
    }

    /// Whether it stands for these values, one of each stratum.
    pub fn matches(&self, values: &[&str]) -> bool {
        self.0.len() == values.len()
            && self
                .0
                .iter()
                .zip(values)
                .all(|(part, value)| part.as_deref().is_none_or(|part| part == *value))
    }

    /// What both stand for; `None` if there is no such combination.
    pub fn meet(&self, other: &Self) -> Option<Self> {
        let part = |(a, b): (&Option<String>, &Option<String>)| match (a, b) {
            (Some(a), Some(b)) if a != b => None,
            (Some(value), _) | (None, Some(value)) => Some(Some(value.clone())),
            (None, None) => Some(None),
        };
        self.0.iter().zip(&other.0).map(part).collect::<Option<_>>().map(Self)
    }

    /// Whether it stands for all that another stands for.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, others)| own.is_none() || own == others)
    }

    /// The value that it asks of a stratum, by position among those of the row; `None` for any.
    pub fn value(&self, stratum: usize) -> Option<&str> {
        self.0.get(stratum)?.as_deref()
    }
}

/// The parts of a key of several: text between `+`, with escapes resolved; `None` for `*`.
fn split(text: &str) -> Vec<Option<String>> {
    let mut parts = Vec::new();
    let (mut part, mut escaped) = (String::new(), false);
    let mut characters = text.chars();
    let close = |part: &mut String, escaped: &mut bool| {
        let (part, literal) = (std::mem::take(part), std::mem::take(escaped));
        if part == ANY && !literal { None } else { Some(part) }
    };
    while let Some(character) = characters.next() {
        match character {
            JOIN => parts.push(close(&mut part, &mut escaped)),
            ESCAPE => {
                escaped = true;
                part.extend(characters.next());
            }
            _ => part.push(character),
        }
    }
    parts.push(close(&mut part, &mut escaped));
    parts
}

/// The key of one value of each stratum, as tables tell it: a single value as it is, several joined.
pub fn joined(values: &[&str]) -> String {
    if let [value] = values {
        return (*value).to_string();
    }
    values.iter().map(|value| escaped(value)).collect::<Vec<_>>().join("+")
}

/// A value as a part of a key of several.
fn escaped(value: &str) -> String {
    if value == ANY {
        return format!("{ESCAPE}{ANY}");
    }
    let mut part = String::with_capacity(value.len());
    for character in value.chars() {
        part.extend([JOIN, ESCAPE].contains(&character).then_some(ESCAPE));
        part.push(character);
    }
    part
}

/// The keys of a row on so many strata and the classes they lead to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StratumKeys {
    keys: Vec<(StratumKey, ClassCode)>,
    /// Texts that are no key of so many parts.
    pub malformed: Vec<String>,
}

impl StratumKeys {
    /// Reads the keys of a row, the most specific first.
    pub fn of(targets: &BTreeMap<String, ClassCode>, strata: usize) -> Self {
        let mut read = Self::default();
        for (text, &class) in targets {
            match StratumKey::parse(text, strata) {
                Some(key) => read.keys.push((key, class)),
                None => read.malformed.push(text.clone()),
            }
        }
        read.keys.sort_by_key(|(key, _)| key.wildcards());
        read
    }

    /// The class that one value of each stratum leads to; `None` where no key has it.
    pub fn class_of(&self, values: &[&str]) -> Option<ClassCode> {
        self.keys.iter().find(|(key, _)| key.matches(values)).map(|(_, class)| *class)
    }

    /// The values of a stratum that keys name, by its position among those of the row.
    pub fn named(&self, stratum: usize) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(move |(key, _)| key.value(stratum))
    }

    /// All keys in words, the most specific first.
    pub fn words(&self) -> String {
        self.keys.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>().join(", ")
    }

    /// Pairs of keys that are as specific as each other, have combinations in common that no more specific key has, and
    /// lead to different classes: positions among the keys, and what both have.
    fn collisions(&self) -> impl Iterator<Item = (&StratumKey, &StratumKey)> {
        let pairs = self.keys.iter().enumerate();
        let pairs = pairs.flat_map(|(i, first)| self.keys[i + 1..].iter().map(move |second| (first, second)));
        pairs.filter_map(|((first, a), (second, b))| {
            let rank = first.wildcards();
            if a == b || rank != second.wildcards() {
                return None;
            }
            let common = first.meet(second)?;
            let is_settled =
                |(key, _): &(StratumKey, ClassCode)| key.wildcards() < rank && key.covers(&common);
            (!self.keys.iter().any(is_settled)).then_some((first, second))
        })
    }

    /// What is wrong with the keys, in words.
    pub fn violations(&self, strata: &[String]) -> Vec<String> {
        let names = strata.join(&JOIN.to_string());
        let malformed = self.malformed.iter().map(|text| {
            format!(
                "key `{text}` is not of the form {names}: a value or `*` for each of {} strata",
                strata.len()
            )
        });
        let collisions = self.collisions().map(|(first, second)| {
            let both = first.meet(second).unwrap_or_else(|| first.clone());
            format!(
                "keys `{first}` and `{second}` are as specific as each other and lead to different classes: add a key \
                 for `{both}`"
            )
        });
        malformed.chain(collisions).collect()
    }
}

impl std::fmt::Display for StratumKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let [part] = &self.0[..] {
            return f.write_str(part.as_deref().unwrap_or(ANY));
        }
        let part = |part: &Option<String>| part.as_deref().map_or(ANY.into(), escaped);
        f.write_str(&self.0.iter().map(part).collect::<Vec<_>>().join("+"))
    }
}

/// Every combination of one value of each list, the last one running fastest.
pub fn combinations<'v>(lists: &[&'v [String]]) -> Vec<Vec<&'v str>> {
    lists.iter().fold(vec![Vec::new()], |shorter, list| {
        let longer = |start: &Vec<&'v str>| {
            let start = start.clone();
            list.iter().map(move |value| start.iter().copied().chain([value.as_str()]).collect())
        };
        shorter.iter().flat_map(longer).collect()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(targets: &[(&str, ClassCode)], strata: usize) -> StratumKeys {
        StratumKeys::of(&targets.iter().map(|(key, class)| (key.to_string(), *class)).collect(), strata)
    }

    #[test]
    fn the_key_with_the_fewest_wildcards_wins() {
        let keys = keys(&[("tropical+above", 12), ("tropical+*", 4), ("*+*", 1)], 2);
        assert_eq!(keys.class_of(&["tropical", "above"]), Some(12));
        assert_eq!(keys.class_of(&["tropical", "below"]), Some(4));
        assert_eq!(keys.class_of(&["polar", "above"]), Some(1));
        assert!(keys.violations(&["climate".into(), "treeline".into()]).is_empty());
    }

    #[test]
    fn a_row_on_one_stratum_takes_any_text_but_a_star_for_a_value() {
        let keys = keys(&[("a+b", 1), ("a\\b", 2), ("*", 3)], 1);
        assert_eq!(["a+b", "a\\b", "a"].map(|value| keys.class_of(&[value])), [Some(1), Some(2), Some(3)]);
        assert!(keys.violations(&["layer".into()]).is_empty());
    }

    #[test]
    fn keys_as_specific_as_each_other_collide_unless_a_third_settles_it() {
        let strata = ["climate".to_string(), "treeline".to_string()];
        let crossing = [("polar+*", 11), ("*+above", 12)];
        assert_eq!(
            keys(&crossing, 2).violations(&strata),
            [
                "keys `*+above` and `polar+*` are as specific as each other and lead to different classes: add a key for \
              `polar+above`"
            ]
        );
        let settled = keys(&[crossing[0], crossing[1], ("polar+above", 12)], 2);
        assert!(settled.violations(&strata).is_empty());
        assert!(keys(&[("polar+*", 11), ("*+above", 11)], 2).violations(&strata).is_empty());
        assert!(keys(&[("polar+*", 11), ("tropical+*", 12)], 2).violations(&strata).is_empty());
    }

    #[test]
    fn a_key_with_parts_too_few_too_many_or_empty_is_malformed() {
        let read = keys(&[("polar", 1), ("polar+above+x", 2), ("polar+", 3), ("polar+above", 4)], 2);
        assert_eq!(read.malformed, ["polar", "polar+", "polar+above+x"]);
        assert_eq!(read.violations(&["climate".into(), "treeline".into()]).len(), 3);
    }

    #[test]
    fn combinations_are_all_in_order() {
        let (a, b) = (["x".to_string(), "y".into()], ["1".to_string(), "2".into()]);
        assert_eq!(combinations(&[&a, &b]), [["x", "1"], ["x", "2"], ["y", "1"], ["y", "2"]]);
    }

    proptest! {
        /// What joins values is read as those values again, whatever characters they hold.
        #[test]
        fn joined_values_are_read_back(values in prop::collection::vec("[a+*\\\\]{1,3}", 2..4)) {
            let texts: Vec<&str> = values.iter().map(String::as_str).collect();
            let key = StratumKey::parse(&joined(&texts), values.len()).unwrap();
            prop_assert_eq!(key.wildcards(), 0);
            prop_assert!(key.matches(&texts));
            prop_assert_eq!(key.to_string(), joined(&texts));
        }

        /// Where no keys collide, every order of keys gives the same class: the class of a combination is that of the
        /// keys with the fewest wildcards, which all agree.
        #[test]
        fn without_collisions_the_most_specific_keys_agree(
            targets in prop::collection::btree_map(
                prop::collection::vec("[ab*]", 3).prop_map(|parts| parts.join("+")), 1..4, 1..9,
            ),
            values in prop::collection::vec("[ab]", 3),
        ) {
            let read = StratumKeys::of(&targets, 3);
            let names = ["p", "q", "r"].map(String::from);
            let texts: Vec<&str> = values.iter().map(String::as_str).collect();
            let matching = |text: &str| {
                let parts: Vec<&str> = text.split('+').collect();
                parts.iter().zip(&texts).all(|(part, value)| *part == "*" || part == value)
            };
            let stars = |text: &str| text.matches('*').count();
            let least = targets.keys().filter(|key| matching(key)).map(|key| stars(key)).min();
            let best: std::collections::BTreeSet<ClassCode> = targets
                .iter()
                .filter(|(key, _)| matching(key) && Some(stars(key)) == least)
                .map(|(_, class)| *class)
                .collect();
            match read.class_of(&texts) {
                None => prop_assert!(best.is_empty()),
                Some(class) => prop_assert!(best.contains(&class)),
            }
            prop_assert!(best.len() < 2 || !read.violations(&names).is_empty());
        }
    }
}
