//! `nalcms legend list | show | check | export`: the legends that ship, and a linter for one's own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, FromArgMatches, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use super::columns::columns;
use super::options::TalkOptions;
use super::single::{here, word};
use super::{Answer, Verb};
use crate::config::shipped;
use crate::error::{Error, Result};
use crate::io::atomic::write_bytes;
use crate::model::legend::{Absence, ClassCode, Colour, Language, Legend, LegendClass, RAW, RollUp, Status};

pub static VERB: Verb = Verb {
    name: "legend",
    arguments: |command| {
        LegendCommand::augment_subcommands(command)
            .about("List, show, check and export legends: classes, names, colours, nodata values")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .after_help(
                "Examples:\n  \
                 nalcms legend list\n  \
                 nalcms legend show nalcms --language es\n  \
                 nalcms legend export nlcd -o ./mine.toml\n  \
                 nalcms legend check ./mine.toml",
            )
    },
    run: |matches| match LegendCommand::from_arg_matches(matches).map_err(|e| Error::usage(e.to_string()))? {
        LegendCommand::List(_) => list(),
        LegendCommand::Show(args) => show(&args),
        LegendCommand::Check(args) => check(&args),
        LegendCommand::Export(args) => export(&args),
    },
};

#[derive(Debug, Subcommand)]
enum LegendCommand {
    /// List the legends that ship
    #[command(after_help = "Examples:\n  nalcms legend list\n  nalcms legend list --json")]
    List(ListArgs),
    /// Show the classes, nodata values and roll-ups of a legend
    #[command(
        after_help = "Examples:\n  nalcms legend show nalcms\n  nalcms legend show nlcd --language fr\n  \
                            nalcms legend show ./mine.toml --json"
    )]
    Show(ShowArgs),
    /// Check a legend: contradictions (exit 2) and remarks
    #[command(after_help = "Examples:\n  nalcms legend check ./mine.toml\n  nalcms legend check madmex")]
    Check(CheckArgs),
    /// Export a legend, to start one of your own or to read it elsewhere
    #[command(after_help = "Examples:\n  nalcms legend export nlcd > mine.toml\n  \
                            nalcms legend export nalcms -o classes.csv\n  \
                            nalcms legend export ./mine.toml --format csv")]
    Export(ExportArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    talk: TalkOptions,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Identifier, or a file such as ./mine.toml
    #[arg(value_name = "ID")]
    legend: String,
    /// Language of the names: en, es, fr
    #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = word::<Language>)]
    language: Language,
    #[command(flatten)]
    talk: TalkOptions,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// A file such as ./mine.toml, or an identifier
    #[arg(value_name = "FILE or ID")]
    legend: String,
    #[command(flatten)]
    talk: TalkOptions,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// Identifier, or a file such as ./mine.toml
    #[arg(value_name = "ID")]
    legend: String,
    /// Write to a file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Form; default: by the extension of FILE, else toml
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Replace a file that is there already
    #[arg(long, requires = "output")]
    overwrite: bool,
    #[command(flatten)]
    talk: TalkOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The legend file, to be edited and named in a job
    Toml,
    /// A table: code, key, en, es, fr, colour, status, source
    Csv,
}

impl Format {
    fn word(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Csv => "csv",
        }
    }
}

fn list() -> Result<Answer> {
    let ids = shipped::LEGENDS.iter().map(|(id, _)| *id).chain([RAW]);
    let legends = ids.map(|id| shipped::legend(id, here())).collect::<Result<Vec<_>>>()?;
    let row = |legend: &Legend| {
        let (published, proposed) = by_status(legend.classes.iter().map(|class| class.status));
        vec![
            legend.id.clone(),
            legend.classes.len().to_string(),
            published.to_string(),
            proposed.to_string(),
            spaced(nodata_values(legend)),
            legend.title.clone(),
        ]
    };
    let header = ["id", "classes", "published", "proposed", "nodata", "title"];
    let text = columns(0, &header, &legends.iter().map(row).collect::<Vec<_>>());
    let json = json!({ "legends": legends.iter().map(summary).collect::<Vec<_>>() });
    Ok(Answer { text, json, finding: false })
}

/// What `list` and `check` say of a legend.
fn summary(legend: &Legend) -> Value {
    let (published, proposed) = by_status(legend.classes.iter().map(|class| class.status));
    json!({
        "id": legend.id, "title": legend.title, "source": legend.source, "classes": legend.classes.len(),
        "published": published, "proposed": proposed, "fill": legend.fill,
        "nodata": nodata_values(legend).collect::<Vec<_>>(),
        "rollups": legend.rollups.iter().map(|rollup| &rollup.id).collect::<Vec<_>>(),
    })
}

fn show(args: &ShowArgs) -> Result<Answer> {
    let legend = shipped::legend(&args.legend, here())?;
    let mut text = format!("{}: {}\nsource: {}\n\n", legend.id, legend.title, legend.source);
    text += &classes_text(&legend, args.language);
    text += &nodata_text(&legend);
    for rollup in &legend.rollups {
        text += &rollup_text(rollup, args.language);
    }
    let json = serde_json::to_value(&legend).map_err(|e| Error::bug(e.to_string()))?;
    Ok(Answer { text, json, finding: false })
}

fn classes_text(legend: &Legend, language: Language) -> String {
    if legend.classes.is_empty() {
        return "no class: every code stands for itself\n".into();
    }
    let keyed = legend.classes.iter().any(|class| class.key.is_some());
    let header: Vec<&str> =
        ["code", "key", "name", "colour", "status"].into_iter().filter(|h| keyed || *h != "key").collect();
    let row = |class: &LegendClass| {
        let mut row = vec![class.code.to_string()];
        if keyed {
            row.push(class.key.clone().unwrap_or_default());
        }
        let note = if class.name.exactly(language).is_none() {
            format!(", no name in {}", language.code())
        } else if class.proposed_names.contains(&language) {
            ", name proposed".into()
        } else {
            String::new()
        };
        row.extend([
            class.name.get(language).to_string(),
            class.colour.map(String::from).unwrap_or_default(),
            format!("{}{note}", status_word(class.status)),
        ]);
        row
    };
    columns(0, &header, &legend.classes.iter().map(row).collect::<Vec<_>>())
}

fn nodata_text(legend: &Legend) -> String {
    let listed = legend.nodata.iter().map(|row| {
        let note = row.note.clone().unwrap_or_default();
        let (meaning, status) = (absence_word(row.meaning), status_word(row.status));
        vec![row.value.to_string(), meaning.into(), status.into(), note]
    });
    let mut rows: Vec<Vec<String>> = listed.collect();
    if fill_is_unlisted(legend) {
        let note = "the fill that this program writes";
        rows.push(vec![
            legend.fill.to_string(),
            absence_word(Absence::Outside).into(),
            "".into(),
            note.into(),
        ]);
    }
    if rows.is_empty() {
        return "\nno nodata value: the file's own tag counts\n".into();
    }
    format!(
        "\nnodata values (outside: nothing mapped there; no-observation: mapped but not seen)\n{}",
        columns(0, &["value", "meaning", "status", "note"], &rows)
    )
}

fn rollup_text(rollup: &RollUp, language: Language) -> String {
    let groups = rollup.groups.iter().map(|group| {
        let mut status = status_word(group.status).to_string();
        if !group.proposed_members.is_empty() {
            status += &format!(", proposed members {}", code_list(&group.proposed_members));
        }
        vec![group.id.clone(), group.name.get(language).into(), code_list(&group.members), status]
    });
    format!(
        "\nroll-up {}: {}\n{}",
        rollup.id,
        rollup.title,
        columns(0, &["group", "name", "members", "status"], &groups.collect::<Vec<_>>())
    )
}

/// Something to know about a sound legend.
#[derive(Debug, Serialize)]
struct Remark {
    /// A stable word.
    kind: &'static str,
    /// Language of the names in question.
    language: Option<&'static str>,
    /// Codes or nodata values in question.
    codes: Vec<ClassCode>,
    /// The whole remark for people.
    text: String,
}

fn check(args: &CheckArgs) -> Result<Answer> {
    let legend = shipped::legend(&args.legend, here())?;
    let remarks = remarks(&legend);
    let (published, proposed) = by_status(legend.classes.iter().map(|class| class.status));
    let mut text = format!(
        "{}: sound; {} classes, {published} published, {proposed} proposed\n",
        legend.id,
        legend.classes.len()
    );
    for remark in &remarks {
        text += &format!("remark: {}\n", remark.text);
    }
    let json = json!({ "legend": summary(&legend), "sound": true, "remarks": remarks });
    Ok(Answer { text, json, finding: false })
}

/// What does not make a legend unusable, but should be known before it is published.
fn remarks(legend: &Legend) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut add = |kind, language: Option<Language>, codes: Vec<ClassCode>, what: String| {
        if !codes.is_empty() {
            let text = format!("{what}: {}", code_list(&codes));
            remarks.push(Remark { kind, language: language.map(Language::code), codes, text });
        }
    };
    let classes = |wanted: &dyn Fn(&LegendClass) -> bool| -> Vec<ClassCode> {
        legend.classes.iter().filter(|class| wanted(class)).map(|class| class.code).collect()
    };
    for language in Language::ALL {
        let missing = classes(&|class| class.name.exactly(language).is_none());
        add("missing-name", Some(language), missing, format!("no name in {}", language.code()));
    }
    for language in Language::ALL {
        let proposed = classes(&|class| class.proposed_names.contains(&language));
        add("proposed-name", Some(language), proposed, format!("name in {} is proposed", language.code()));
    }
    let proposed = classes(&|class| class.status == Status::Proposed);
    add("proposed-class", None, proposed, "proposed, not published".into());
    add("missing-colour", None, classes(&|class| class.colour.is_none()), "no colour".into());
    let mut by_colour: BTreeMap<String, Vec<ClassCode>> = BTreeMap::new();
    for (code, colour) in legend.classes.iter().filter_map(|class| Some((class.code, class.colour?))) {
        by_colour.entry(Colour::into(colour)).or_default().push(code);
    }
    for (colour, codes) in by_colour.into_iter().filter(|(_, codes)| codes.len() > 1) {
        add("shared-colour", None, codes, format!("one colour, {colour}, for several classes"));
    }
    let proposed = legend.nodata.iter().filter(|row| row.status == Status::Proposed);
    let values = proposed.map(|row| row.value).collect();
    add("proposed-nodata", None, values, "nodata value is proposed, not published".into());
    let values: Vec<ClassCode> = legend.nodata.iter().map(|row| row.value).collect();
    let repeated = values.iter().enumerate().filter(|(i, value)| values[..*i].contains(value));
    let repeated = repeated.map(|(_, value)| *value).collect();
    add("repeated-nodata", None, repeated, "nodata value stands twice; the first row counts".into());
    for rollup in &legend.rollups {
        let proposed = || rollup.groups.iter().filter(|group| group.status == Status::Proposed);
        let ids: Vec<&str> = proposed().map(|group| group.id.as_str()).collect();
        let members = proposed().flat_map(|group| group.members.iter().copied()).collect();
        let what = format!("roll-up {}: proposed groups {}; their members", rollup.id, ids.join(", "));
        add("proposed-group", None, members, what);
        for group in &rollup.groups {
            let place = format!("roll-up {}, group {}", rollup.id, group.id);
            let members = group.proposed_members.clone();
            add("proposed-member", None, members, format!("{place}: membership is proposed"));
            let strangers =
                group.proposed_members.iter().filter(|code| !group.members.contains(code)).copied();
            let what = format!("{place}: listed as proposed members, but no members");
            add("stray-member", None, strangers.collect(), what);
        }
    }
    remarks
}

fn export(args: &ExportArgs) -> Result<Answer> {
    let legend = shipped::legend(&args.legend, here())?;
    let is_csv = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let by_name = if args.output.as_ref().is_some_and(is_csv) { Format::Csv } else { Format::Toml };
    let format = args.format.unwrap_or(by_name);
    let content = match format {
        Format::Toml if legend.is_raw() => {
            return Err(Error::usage(format!("the legend `{RAW}` has no file: it names no class"))
                .help("export one that names classes: nalcms legend list"));
        }
        Format::Toml => shipped::legend_text(&args.legend, here())?,
        Format::Csv => csv_text(&legend)?,
    };
    let Some(path) = &args.output else {
        let json = json!({ "legend": legend.id, "format": format.word(), "output": null, "text": content });
        return Ok(Answer { text: content, json, finding: false });
    };
    if path.exists() && !args.overwrite {
        return Err(Error::usage("the output exists already")
            .at(path.display())
            .help("say --overwrite to replace it"));
    }
    write_bytes(path, content.as_bytes())?;
    let json = json!({ "legend": legend.id, "format": format.word(), "output": path, "text": null });
    Ok(Answer { text: format!("{}\n", path.display()), json, finding: false })
}

fn csv_text(legend: &Legend) -> Result<String> {
    let bug = |e: &dyn std::fmt::Display| Error::bug(format!("a legend cannot be written as CSV: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["code", "key", "en", "es", "fr", "colour", "status", "source"];
    writer.write_record(header).map_err(|e| bug(&e))?;
    for class in &legend.classes {
        let mut row = vec![class.code.to_string(), class.key.clone().unwrap_or_default()];
        row.extend(Language::ALL.map(|language| class.name.exactly(language).unwrap_or_default().into()));
        row.push(class.colour.map(String::from).unwrap_or_default());
        row.extend([status_word(class.status).into(), class.source.clone()]);
        writer.write_record(&row).map_err(|e| bug(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| bug(&e))?;
    String::from_utf8(bytes).map_err(|e| bug(&e))
}

/// Every value that means nodata in a legend: those it lists, and its fill.
pub(super) fn nodata_values(legend: &Legend) -> impl Iterator<Item = ClassCode> {
    let fill = fill_is_unlisted(legend).then_some(legend.fill);
    legend.nodata.iter().map(|row| row.value).chain(fill)
}

fn fill_is_unlisted(legend: &Legend) -> bool {
    !legend.is_raw() && legend.nodata.iter().all(|row| row.value != legend.fill)
}

/// How many are published, and how many proposed.
pub(super) fn by_status(statuses: impl Iterator<Item = Status>) -> (usize, usize) {
    statuses.fold((0, 0), |(published, proposed), status| match status {
        Status::Published => (published + 1, proposed),
        Status::Proposed => (published, proposed + 1),
    })
}

/// A status as files spell it.
pub(super) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Published => "published",
        Status::Proposed => "proposed",
    }
}

/// The meaning of a nodata value as files spell it.
pub(super) fn absence_word(meaning: Absence) -> &'static str {
    match meaning {
        Absence::Outside => "outside",
        Absence::NoObservation => "no-observation",
    }
}

/// Codes in words, runs of three and more drawn together: `1, 2, 5 to 9`.
pub(super) fn code_list(codes: &[ClassCode]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let runs = codes.chunk_by(|a, b| a.checked_add(1) == Some(*b));
    for run in runs {
        match run {
            [first, _, .., last] => parts.push(format!("{first} to {last}")),
            few => parts.extend(few.iter().map(ToString::to_string)),
        }
    }
    parts.join(", ")
}

fn spaced(values: impl Iterator<Item = ClassCode>) -> String {
    values.map(|value| value.to_string()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_codes_are_drawn_together() {
        assert_eq!(code_list(&[1, 2, 5, 6, 7, 8, 20]), "1, 2, 5 to 8, 20");
        assert_eq!(code_list(&[]), "");
    }

    #[test]
    fn every_shipped_legend_lists_each_nodata_value_once() -> Result<()> {
        for (id, _) in shipped::LEGENDS {
            let found = remarks(&shipped::legend(id, here())?);
            assert!(
                !found.iter().any(|r| ["repeated-nodata", "stray-member"].contains(&r.kind)),
                "{found:?}"
            );
        }
        Ok(())
    }
}
