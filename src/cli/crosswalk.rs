//! `nalcms crosswalk list | show | check | diff`: the crosswalks that ship, and a linter for one's own.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, FromArgMatches, Subcommand};
use serde_json::{Value, json};

use super::columns::columns;
use super::crosswalk_against::AgainstOptions;
use super::crosswalk_diff::{DiffArgs, diff};
use super::legend::{by_status, code_list, status_word};
use super::options::TalkOptions;
use super::single::{here, word};
use super::{Answer, Verb};
use crate::config::shipped;
use crate::error::{Error, Result};
use crate::model::crosswalk::{Crosswalk, CrosswalkFindings, CrosswalkRow, Target};
use crate::model::legend::{ClassCode, Language, Legend};
use crate::model::rule::MOST_CONDITIONAL_RULES;
use crate::model::stratum_key::{combinations, joined};

pub static VERB: Verb = Verb {
    name: "crosswalk",
    arguments: |command| {
        CrosswalkCommand::augment_subcommands(command)
            .about("List, show, check and compare crosswalks: what each class of one legend is in another")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .after_help(
                "Examples:\n  \
                 nalcms crosswalk list\n  \
                 nalcms crosswalk show nlcd-nalcms\n  \
                 nalcms crosswalk show nlcd-nalcms --toml > mine.toml\n  \
                 nalcms crosswalk check ./mine.toml --legend ./my-legend.toml",
            )
    },
    run: |matches| match CrosswalkCommand::from_arg_matches(matches)
        .map_err(|e| Error::usage(e.to_string()))?
    {
        CrosswalkCommand::List(_) => list(),
        CrosswalkCommand::Show(args) => show(&args),
        CrosswalkCommand::Check(args) => check(&args),
        CrosswalkCommand::Diff(args) => diff(&args),
    },
};

#[derive(Debug, Subcommand)]
enum CrosswalkCommand {
    /// List the crosswalks that ship
    #[command(after_help = "Examples:\n  nalcms crosswalk list\n  nalcms crosswalk list --json")]
    List(ListArgs),
    /// Show where each class goes
    #[command(after_help = "Examples:\n  nalcms crosswalk show nlcd-nalcms\n  \
                            nalcms crosswalk show madmex-nalcms --language es\n  \
                            nalcms crosswalk show nlcd-nalcms --toml > mine.toml")]
    Show(ShowArgs),
    /// Check a crosswalk against its legends; exit 1 when a class has no row or a row is wrong
    #[command(after_help = "Examples:\n  nalcms crosswalk check nlcd-nalcms\n  \
                            nalcms crosswalk check ./mine.toml --legend ./a.toml --target-legend ./b.toml\n  \
                            nalcms crosswalk check nlcd-nalcms --against nlcd_2016.tif")]
    Check(CheckArgs),
    /// Compare two crosswalks on a map: what moves, per class and zone
    #[command(after_help = "Examples:\n  \
                            nalcms crosswalk diff nlcd-nalcms ./mine.toml --against nlcd_2016.tif --missing-stratum default\n  \
                            nalcms crosswalk diff ./a.toml ./b.toml --against map.tif --zones parks.gpkg --zone-key id --json")]
    Diff(DiffArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    talk: TalkOptions,
}

#[derive(Debug, Args)]
struct ShowArgs {
    #[command(flatten)]
    of: CrosswalkOptions,
    /// Print the crosswalk file itself, to start one of your own
    #[arg(long, conflicts_with = "json")]
    toml: bool,
    #[command(flatten)]
    talk: TalkOptions,
}

#[derive(Debug, Args)]
struct CheckArgs {
    #[command(flatten)]
    of: CrosswalkOptions,
    #[command(flatten)]
    against: AgainstOptions,
    #[command(flatten)]
    talk: TalkOptions,
}

/// A crosswalk, and the legends it joins.
#[derive(Debug, Args)]
struct CrosswalkOptions {
    /// Identifier, or a file such as ./mine.toml
    #[arg(value_name = "ID or FILE")]
    crosswalk: String,
    /// Legend of the source, where the one that the crosswalk names does not ship
    #[arg(long, value_name = "FILE")]
    legend: Option<String>,
    /// Legend of the target, where the one that the crosswalk names does not ship
    #[arg(long, value_name = "FILE")]
    target_legend: Option<String>,
    /// Language of the names: en, es, fr
    #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = word::<Language>)]
    language: Language,
}

/// A crosswalk with its two legends.
struct Joined {
    crosswalk: Crosswalk,
    from: Legend,
    to: Legend,
    language: Language,
}

impl CrosswalkOptions {
    fn open(&self) -> Result<Joined> {
        let crosswalk = shipped::crosswalk(&self.crosswalk, here())?;
        let from = legend_of(&crosswalk, "from", &crosswalk.from, "--legend", self.legend.as_deref())?;
        let to =
            legend_of(&crosswalk, "to", &crosswalk.to, "--target-legend", self.target_legend.as_deref())?;
        Ok(Joined { crosswalk, from, to, language: self.language })
    }
}

/// The legend that a flag names, or else the shipped one that the crosswalk names.
fn legend_of(
    crosswalk: &Crosswalk,
    key: &str,
    named: &str,
    flag: &str,
    given: Option<&str>,
) -> Result<Legend> {
    if let Some(file) = given {
        return shipped::legend(file, here());
    }
    shipped::legend(named, here()).map_err(|e| {
        e.at(format!("crosswalk `{}`, {key} = \"{named}\"", crosswalk.id))
            .help(format!("a legend that does not ship is named by its file: {flag} FILE"))
    })
}

fn list() -> Result<Answer> {
    let crosswalks = shipped::CROSSWALKS.iter().map(|(id, _)| shipped::crosswalk(id, here()));
    let crosswalks = crosswalks.collect::<Result<Vec<_>>>()?;
    let row = |crosswalk: &Crosswalk| {
        let (published, proposed) = by_status(crosswalk.rows.iter().map(|row| row.status));
        vec![
            crosswalk.id.clone(),
            crosswalk.from.clone(),
            crosswalk.to.clone(),
            crosswalk.rows.len().to_string(),
            published.to_string(),
            proposed.to_string(),
            conditional_rows(crosswalk).to_string(),
            crosswalk.strata().into_iter().collect::<Vec<_>>().join(" "),
        ]
    };
    let header = ["id", "from", "to", "rows", "published", "proposed", "conditional", "strata"];
    let text = columns(0, &header, &crosswalks.iter().map(row).collect::<Vec<_>>());
    let json = json!({ "crosswalks": crosswalks.iter().map(summary).collect::<Vec<_>>() });
    Ok(Answer { text, json, finding: false })
}

/// What `list` and `check` say of a crosswalk.
fn summary(crosswalk: &Crosswalk) -> Value {
    let (published, proposed) = by_status(crosswalk.rows.iter().map(|row| row.status));
    json!({
        "id": crosswalk.id, "from": crosswalk.from, "to": crosswalk.to, "source": crosswalk.source,
        "row_count": crosswalk.rows.len(), "published": published, "proposed": proposed,
        "conditional": conditional_rows(crosswalk), "strata": crosswalk.strata(),
    })
}

fn conditional_rows(crosswalk: &Crosswalk) -> usize {
    crosswalk.rows.iter().filter(|row| !row.layers().is_empty()).count()
}

fn show(args: &ShowArgs) -> Result<Answer> {
    if args.toml {
        // What cannot be read as a crosswalk is refused here too: nobody starts from a broken file unawares.
        shipped::crosswalk(&args.of.crosswalk, here())?;
        let text = shipped::crosswalk_text(&args.of.crosswalk, here())?;
        return Ok(Answer { text, json: Value::Null, finding: false });
    }
    let joined = args.of.open()?;
    let Joined { crosswalk, from, to, .. } = &joined;
    let rows: Vec<Vec<String>> = crosswalk.rows.iter().flat_map(|row| joined.lines(row)).collect();
    let header = ["from", "name", "where", "to", "name", "status", "alternatives", "note"];
    let text = format!(
        "{}: {} to {}\nsource: {}\n\n{}",
        crosswalk.id,
        from.title,
        to.title,
        crosswalk.source,
        columns(0, &header, &rows)
    );
    let mut json = summary(crosswalk);
    json["rows"] = crosswalk.rows.iter().map(|row| joined.row_json(row)).collect();
    Ok(Answer { text, json, finding: false })
}

/// Where a row leads: in which stratum value, to which class; no class is nodata.
fn ways(row: &CrosswalkRow) -> Vec<(Option<&str>, Option<ClassCode>)> {
    match &row.to {
        Target::Class(code) => vec![(None, Some(*code))],
        Target::Word(_) => vec![(None, None)],
        Target::ByStratum(by) => by.iter().map(|(value, code)| (Some(value.as_str()), Some(*code))).collect(),
    }
}

impl Joined {
    fn name_from(&self, code: ClassCode) -> Option<&str> {
        self.from.class(code).map(|class| class.name.get(self.language))
    }

    fn name_to(&self, code: ClassCode) -> Option<&str> {
        self.to.class(code).map(|class| class.name.get(self.language))
    }

    /// The lines of a row in the table: one per way, and one for its default.
    fn lines(&self, row: &CrosswalkRow) -> Vec<Vec<String>> {
        let stratum = row.layer_words().unwrap_or_default();
        let ways = ways(row)
            .into_iter()
            .map(|(value, to)| (value.map(|value| format!("{stratum} {value}")).unwrap_or_default(), to));
        let default = row.default.map(|to| (format!("no {stratum}: default"), Some(to)));
        let line = |(i, (place, to)): (usize, (String, Option<ClassCode>))| {
            let once = |text: String| if i == 0 { text } else { String::new() };
            vec![
                once(row.from.to_string()),
                once(self.name_from(row.from).unwrap_or("(no class)").to_string()),
                place,
                to.map_or("nodata".into(), |code| code.to_string()),
                to.map_or("", |code| self.name_to(code).unwrap_or("(no class)")).to_string(),
                once(status_word(row.status).to_string()),
                once(code_list(&row.alternatives)),
                once(row.note.clone().unwrap_or_default()),
            ]
        };
        ways.chain(default).enumerate().map(line).collect()
    }

    fn row_json(&self, row: &CrosswalkRow) -> Value {
        let way = |(value, to): (Option<&str>, Option<ClassCode>)| json!({ "stratum_value": value, "code": to, "name": to.and_then(|code| self.name_to(code)) });
        json!({
            "from": row.from, "from_name": self.name_from(row.from), "stratum": row.layer_words(), "strata": row.layers(), "to": row.to,
            "targets": ways(row).into_iter().map(way).collect::<Vec<_>>(), "default": row.default,
            "status": row.status, "alternatives": row.alternatives, "note": row.note, "source": row.source,
        })
    }

    /// Everything that makes the crosswalk unusable: what the model finds, and legends that are not its own.
    fn violations(&self, findings: &CrosswalkFindings) -> Vec<String> {
        let crosswalk = &self.crosswalk;
        let other = |key: &str, named: &str, legend: &Legend| {
            (named != legend.id).then(|| format!("its {key} is `{named}`, but the legend is `{}`", legend.id))
        };
        let mut violations: Vec<String> =
            [other("from", &crosswalk.from, &self.from), other("to", &crosswalk.to, &self.to)]
                .into_iter()
                .flatten()
                .collect();
        violations.extend(findings.violations.iter().cloned());
        violations
    }

    /// What does not make it unusable, but is likely an oversight.
    fn remarks(&self) -> Vec<String> {
        let rows = || self.crosswalk.rows.iter();
        let mut remarks = Vec::new();
        for row in rows() {
            let unknown: Vec<ClassCode> =
                row.alternatives.iter().copied().filter(|code| self.to.class(*code).is_none()).collect();
            if !unknown.is_empty() {
                let list = code_list(&unknown);
                remarks.push(format!(
                    "code {}: alternatives that are no class of {}: {list}",
                    row.from, self.to.id
                ));
            }
        }
        let no_default = rows().filter(|row| !row.layers().is_empty() && row.default.is_none());
        let no_default: Vec<ClassCode> = no_default.map(|row| row.from).collect();
        if !no_default.is_empty() {
            let list = code_list(&no_default);
            remarks.push(format!(
                "conditional rows without a default, an error where their layer is missing: {list}"
            ));
        }
        let named = stratum_values(&self.crosswalk);
        for row in rows() {
            remarks.extend(without_key(row, &named));
        }
        remarks
    }

    fn named(&self, codes: &[ClassCode], legend: &Legend) -> Vec<Value> {
        let entry = |code: &ClassCode| json!({ "code": code, "name": legend.name(*code, self.language) });
        codes.iter().map(entry).collect()
    }
}

/// The values of each stratum that any row names.
fn stratum_values(crosswalk: &Crosswalk) -> BTreeMap<&str, BTreeSet<String>> {
    let mut strata: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for row in &crosswalk.rows {
        let Some(keys) = row.keys() else { continue };
        for (position, stratum) in row.layers().iter().enumerate() {
            strata.entry(stratum).or_default().extend(keys.named(position).map(String::from));
        }
    }
    strata
}

/// What values that other rows know a row has no key for, in words.
fn without_key(row: &CrosswalkRow, named: &BTreeMap<&str, BTreeSet<String>>) -> Option<String> {
    let keys = row.keys()?;
    let lists: Vec<Vec<String>> = row
        .layers()
        .iter()
        .map(|stratum| named.get(stratum.as_str()).into_iter().flatten().cloned().collect())
        .collect();
    let lists: Vec<&[String]> = lists.iter().map(Vec::as_slice).collect();
    if lists.iter().map(|list| list.len()).fold(1, usize::saturating_mul) > MOST_CONDITIONAL_RULES {
        return None;
    }
    let missing: Vec<String> = combinations(&lists)
        .iter()
        .filter(|values| keys.class_of(values).is_none())
        .map(|values| joined(values))
        .collect();
    let (list, layers) = (missing.join(", "), row.layer_words()?);
    let told = match row.layers() {
        [stratum] => format!("code {}: other rows know {stratum} {list}, this one does not", row.from),
        _ => format!("code {}: no key for {layers} {list}", row.from),
    };
    (!missing.is_empty()).then_some(told)
}

fn check(args: &CheckArgs) -> Result<Answer> {
    let joined = args.of.open()?;
    let Joined { crosswalk, from, to, language } = &joined;
    let findings = crosswalk.findings(from, to);
    let (violations, remarks) = (joined.violations(&findings), joined.remarks());
    let sound = violations.is_empty() && findings.is_total();
    let total = if findings.is_total() {
        format!("total: every class of {} has a row", from.id)
    } else {
        format!(
            "not total: {} of {} classes of {} have no row",
            findings.orphans.len(),
            from.classes.len(),
            from.id
        )
    };
    let wrong = match violations.len() {
        0 => "no row is wrong".to_string(),
        1 => "1 violation".to_string(),
        n => format!("{n} violations"),
    };
    let mut text = format!("{}: {total}; {wrong}\n", crosswalk.id);
    for violation in &violations {
        text += &format!("violation: {violation}\n");
    }
    let names = |codes: &[ClassCode], legend: &Legend| -> String {
        codes.iter().map(|code| format!("  {code} {}\n", legend.name(*code, *language))).collect()
    };
    if !findings.orphans.is_empty() {
        text +=
            &format!("orphans, classes of {} without a row:\n{}", from.id, names(&findings.orphans, from));
    }
    if !findings.unreached.is_empty() {
        text += &format!("classes of {} that no row leads to:\n{}", to.id, names(&findings.unreached, to));
    }
    let mut strata = Vec::new();
    for (stratum, values) in stratum_values(crosswalk) {
        let rows = findings.conditional.iter().filter(|(_, name)| name == stratum);
        let codes: Vec<ClassCode> = rows.map(|(code, _)| *code).collect();
        let list = values.iter().cloned().collect::<Vec<_>>().join(", ");
        text += &format!("depend on the stratum {stratum} ({list}): {}\n", code_list(&codes));
        strata.push(json!({ "stratum": stratum, "values": values, "rows": codes }));
    }
    let share = percent(findings.proposed.len(), crosswalk.rows.len());
    text += &format!(
        "{} of {} rows are proposed, not published ({share:.0} %)\n",
        findings.proposed.len(),
        crosswalk.rows.len()
    );
    for remark in &remarks {
        text += &format!("remark: {remark}\n");
    }
    let against = args.against.look((crosswalk, from, to), *language, &args.talk)?;
    text += against.as_ref().map_or("", |against| against.text.as_str());
    let has_gaps = against.as_ref().is_some_and(|against| against.has_gaps);
    let json = json!({
        "crosswalk": summary(crosswalk), "sound": sound, "total": findings.is_total(), "violations": violations,
        "orphans": joined.named(&findings.orphans, from), "unreached": joined.named(&findings.unreached, to),
        "conditional": strata, "proposed": findings.proposed, "proposed_percent": share, "remarks": remarks,
        "against": against.map(|against| against.json),
    });
    Ok(Answer { text, json, finding: !sound || has_gaps })
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
