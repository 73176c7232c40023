//! Fifth group: the tables, read row by row; what a row says must agree with itself, the legend and the area of a cell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::str::FromStr;

use csv::StringRecord;

use super::findings::Findings;
use super::manifest::Manifest;
use super::tables::{
    ANNUAL_CHANGE, Areas, CHANGE_MATRIX, CLASS_AREA, CLASSES, Cells, Class, EXCLUDED, Figure, NET_CHANGE,
    OFFICIAL, OfficialCell, RULE_COVERAGE, Rate, Side, Tables, Zone, percent, same, told,
};
use crate::model::epoch::{Epoch, Interval};
use crate::model::legend::{ClassCode, Language};

/// The largest table that is read, in bytes.
const LARGEST: u64 = 16 << 30;

const OVERLAPS: &str = "tables/overlap_disagreement.csv";

const ZONE: [&str; 2] = ["zone_layer", "zone_id"];
const AREAS: [&str; 3] = ["area_m2", "area_ha", "area_km2"];
const ELLIPSOIDAL_KM2: &str = "ellipsoidal_area_km2";

/// Reads the tables; each row must be well-formed, stand once, and state areas and names that follow from the rest.
pub fn read(output: &Path, manifest: &Manifest, findings: &mut Findings) -> Tables {
    let mut reader = Reader { output, manifest, findings, tables: Tables::default() };
    if !manifest.is_raw() {
        reader.classes();
    }
    reader.class_area();
    reader.change_matrix();
    reader.excluded();
    reader.net_change();
    if !manifest.job.pairs.is_empty() {
        reader.annual_change();
    }
    if !manifest.job.official.is_empty() {
        reader.official();
    }
    reader.overlaps();
    if !manifest.is_raw() {
        reader.rule_coverage();
    }
    reader.tables
}

/// Opens a table.
pub fn open_csv(path: &Path) -> Result<csv::Reader<File>, String> {
    let unreadable = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => "is missing".to_string(),
        _ => format!("cannot be read: {e}"),
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(format!("is no file of at most {LARGEST} bytes"));
    }
    Ok(csv::Reader::from_reader(File::open(path).map_err(unreadable)?))
}

/// A row of a table.
struct Row<'a> {
    table: &'static str,
    number: u64,
    record: &'a StringRecord,
    columns: &'a BTreeMap<String, usize>,
}

impl<'a> Row<'a> {
    /// The text of a cell; empty where there is no such column.
    fn text(&self, column: &str) -> &'a str {
        self.columns.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default()
    }

    fn told(&self, findings: &mut Findings, kind: &'static str, problem: impl FnOnce() -> String) {
        findings.add(self.table, kind, || format!("row {}: {}", self.number, problem()));
    }

    /// A whole number.
    fn whole<T: FromStr>(&self, column: &str, findings: &mut Findings) -> Option<T> {
        let text = self.text(column);
        let number = text.parse().ok();
        if number.is_none() {
            self.told(findings, "numbers", || format!("{column} is `{text}`; expected a whole number"));
        }
        number
    }

    /// A decimal number or nothing.
    fn real(&self, column: &str, findings: &mut Findings) -> Option<f64> {
        let text = self.text(column);
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        if number.is_none() && !text.is_empty() {
            self.told(findings, "numbers", || format!("{column} is `{text}`; expected a number"));
        }
        number
    }

    fn zone(&self) -> Zone {
        Zone { layer: self.text(ZONE[0]).into(), id: self.text(ZONE[1]).into() }
    }

    fn dates(&self) -> [String; 2] {
        ["date_from", "date_to"].map(|column| self.text(column).to_string())
    }
}

/// Reads tables one after the other.
struct Reader<'a> {
    output: &'a Path,
    manifest: &'a Manifest,
    findings: &'a mut Findings,
    tables: Tables,
}

impl Reader<'_> {
    /// Hands out the rows of a table, if it has the columns.
    fn rows(&mut self, table: &'static str, columns: &[&str], mut each: impl FnMut(&mut Self, &Row)) {
        let outcome = self.try_rows(table, columns, &mut each);
        if let Err(problem) = outcome {
            self.findings.add(table, "reading", || problem);
            self.tables.unread.insert(table);
        }
    }

    fn try_rows(
        &mut self,
        table: &'static str,
        columns: &[&str],
        each: &mut impl FnMut(&mut Self, &Row),
    ) -> Result<(), String> {
        let unreadable = |e: csv::Error| format!("cannot be read: {e}");
        let mut csv = open_csv(&self.output.join(table))?;
        let header = csv.headers().map_err(unreadable)?;
        let places: BTreeMap<String, usize> =
            header.iter().enumerate().map(|(at, name)| (name.to_string(), at)).collect();
        let lacking: Vec<&str> = columns.iter().copied().filter(|c| !places.contains_key(*c)).collect();
        if !lacking.is_empty() {
            return Err(format!("lacks the columns {}", lacking.join(", ")));
        }
        let (mut record, mut number) = (StringRecord::new(), 0);
        while csv.read_record(&mut record).map_err(unreadable)? {
            number += 1;
            each(self, &Row { table, number, record: &record, columns: &places });
        }
        self.tables.rows += number;
        self.tables.tables += 1;
        Ok(())
    }

    fn twice(&mut self, row: &Row, what: &dyn fmt::Display) {
        row.told(self.findings, "rows", || format!("{what} stands twice"));
    }

    fn classes(&mut self) {
        let mut classes = BTreeMap::new();
        let language = self.manifest.job.language.first().copied().unwrap_or(Language::En);
        let names = [language, Language::En, Language::Es, Language::Fr].map(Language::code);
        self.rows(CLASSES, &["code", "en", "es", "fr", "colour"], |reader, row| {
            let Some(code) = row.whole::<ClassCode>("code", reader.findings) else { return };
            let name = names.iter().map(|column| row.text(column)).find(|name| !name.is_empty());
            let text = row.text("colour");
            let colour = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 6);
            if colour.is_none() && !text.is_empty() {
                row.told(reader.findings, "colours", || format!("colour is `{text}`; expected RRGGBB"));
            }
            let colour = colour.map(|rgb| [(rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8]);
            let class = Class { name: name.unwrap_or_default().to_string(), colour };
            if classes.insert(code, class).is_some() {
                reader.twice(row, &format!("class {code}"));
            }
        });
        if self.tables.has(CLASSES) {
            self.tables.classes = Some(classes);
        }
    }

    fn class_area(&mut self) {
        let years = self.manifest.epochs();
        let columns = ["year", "code", "name", "pixels", "pct"];
        self.rows(CLASS_AREA, &[&ZONE[..], &columns, &AREAS, self.ellipsoidal()].concat(), |reader, row| {
            let Some(year) = row.whole::<Epoch>("year", reader.findings) else { return };
            if !years.contains(&year) {
                row.told(reader.findings, "years", || format!("{year} is no year of the job"));
            }
            let (Some(code), Some((pixels, areas))) = (reader.class(row, "code", "name"), reader.pixels(row))
            else {
                return;
            };
            let zone = reader.zone(row);
            let percent = [row.real("pct", reader.findings)];
            let classes = reader.tables.areas.entry((zone, year)).or_default();
            if classes.insert(code, Cells { pixels, areas, percent }).is_some() {
                reader.twice(row, &format!("{}, {year}, class {code}", row.zone()));
            }
        });
    }

    fn change_matrix(&mut self) {
        let columns =
            ["year_from", "year_to", "date_from", "date_to", "from_code", "from_name", "to_code", "to_name"];
        let shares = ["pixels", "pct_of_from", "pct_of_to", "pct_of_total", "comparable"];
        let areas = [&AREAS[..], self.ellipsoidal()].concat();
        self.rows(CHANGE_MATRIX, &[&ZONE[..], &columns, &shares, &areas].concat(), |reader, row| {
            let Some(pair) = reader.pair(row) else { return };
            let from = reader.class(row, "from_code", "from_name");
            let to = reader.class(row, "to_code", "to_name");
            let (Some(from), Some(to), Some((pixels, areas))) = (from, to, reader.pixels(row)) else {
                return;
            };
            let percent =
                ["pct_of_from", "pct_of_to", "pct_of_total"].map(|column| row.real(column, reader.findings));
            let comparable = row.text("comparable");
            if !["yes", "official", "partial", "no", "unknown"].contains(&comparable) {
                row.told(reader.findings, "words", || {
                    format!("comparable is `{comparable}`; expected yes, official, partial, no or unknown")
                });
            }
            let zone = reader.zone(row);
            let matrix = reader.tables.matrices.entry((zone, pair)).or_default();
            let dates = row.dates();
            if matrix.cells.is_empty() {
                matrix.comparable = comparable.to_string();
            } else if matrix.comparable != comparable {
                row.told(reader.findings, "words", || {
                    format!("comparable is `{comparable}`; the zone's first row has `{}`", matrix.comparable)
                });
            }
            if matrix.cells.is_empty() {
                matrix.dates = dates;
            } else if matrix.dates != dates {
                row.told(reader.findings, "dates", || {
                    format!("dates are {dates:?}; the zone's first row has {:?}", matrix.dates)
                });
            }
            if matrix.cells.insert((from, to), Cells { pixels, areas, percent }).is_some() {
                reader.twice(row, &format!("{}, {pair}, {from} to {to}", row.zone()));
            }
        });
    }

    fn excluded(&mut self) {
        let mut met = BTreeSet::new();
        let columns = ["year_from", "year_to", "code", "side", "reason", "pixels"];
        self.rows(EXCLUDED, &[&ZONE[..], &columns, &AREAS].concat(), |reader, row| {
            let Some(pair) = reader.pair(row) else { return };
            let (side, reason) = (row.text("side"), row.text("reason"));
            let side = match (side, reason) {
                ("from", "nodata_to" | "not_comparable") => Side::From,
                ("to", "nodata_from" | "not_comparable") => Side::To,
                _ => {
                    row.told(reader.findings, "words", || {
                        format!("side is `{side}` and reason `{reason}`, which do not go together")
                    });
                    return;
                }
            };
            let code = row.whole::<ClassCode>("code", reader.findings);
            let (Some(code), Some((pixels, areas))) = (code, reader.pixels(row)) else { return };
            reader.known(row, code);
            let zone = reader.zone(row);
            if !met.insert((zone.clone(), pair, code, side, reason.to_string())) {
                reader.twice(row, &format!("{zone}, {pair}, class {code}, {reason}"));
            }
            let cells =
                reader.tables.excluded.entry((zone, pair)).or_default().entry((code, side)).or_default();
            *cells = cells.saturating_add(pixels);
            if reason == "not_comparable" {
                if !reader.manifest.leaves_out(pair) {
                    row.told(reader.findings, "words", || {
                        format!(
                            "cells are left out as not_comparable, but run.json forbids nothing in {pair}"
                        )
                    });
                }
                let place = (row.zone(), pair);
                let cells = reader.tables.not_comparable.entry(place).or_default();
                let cells = cells.entry((code, side)).or_default();
                *cells = cells.saturating_add(pixels);
            }
            let m2 = reader.tables.excluded_m2.entry((row.zone(), pair)).or_default();
            *m2.entry((code, side)).or_default() += areas.m2.unwrap_or(0.0);
        });
    }

    fn net_change(&mut self) {
        let columns = ["year_from", "year_to", "date_from", "date_to", "code", "name", "statistic"];
        let values = ["pixels", "area_ha", "pct_per_year"];
        self.rows(NET_CHANGE, &[&ZONE[..], &columns, &values].concat(), |reader, row| {
            let Some(pair) = reader.pair(row) else { return };
            let code = match row.text("code") {
                "total" => None,
                _ => match reader.class(row, "code", "name") {
                    Some(code) => Some(code),
                    None => return,
                },
            };
            let pixels = match row.text("pixels") {
                "" => None,
                _ => row.whole("pixels", reader.findings),
            };
            let [area_ha, rate] = ["area_ha", "pct_per_year"].map(|column| row.real(column, reader.findings));
            let statistic = row.text("statistic").to_string();
            let zone = reader.zone(row);
            let figures = reader.tables.figures.entry((zone, pair)).or_default();
            let dates = row.dates();
            if figures.rows.is_empty() {
                figures.dates = dates;
            } else if figures.dates != dates {
                row.told(reader.findings, "dates", || {
                    format!("dates are {dates:?}; the zone's first row has {:?}", figures.dates)
                });
            }
            if figures.rows.insert((code, statistic.clone()), Figure { pixels, area_ha, rate }).is_some() {
                let class = code.map_or("total".to_string(), |code| format!("class {code}"));
                reader.twice(row, &format!("{}, {pair}, {class}, {statistic}", row.zone()));
            }
        });
    }

    fn official(&mut self) {
        let columns = ["year_from", "year_to", "section", "pixels"];
        let classes = ["map_from", "map_to", "official_from", "official_to"];
        self.rows(OFFICIAL, &[&ZONE[..], &columns, &classes, &AREAS].concat(), |reader, row| {
            let Some(pair) = reader.pair(row) else { return };
            let section = row.text("section").to_string();
            let zone = reader.zone(row);
            let misplaced = zone.layer == "section" && zone.id != section;
            if misplaced || !reader.manifest.is_official_of(&section, pair) {
                row.told(reader.findings, "sections", || {
                    format!("{zone}, {pair}: the job has no change map of section `{section}` here")
                });
            }
            let codes = classes.map(|column| match row.text(column) {
                "" if column.starts_with("map") => Some(None),
                _ => row.whole::<ClassCode>(column, reader.findings).map(Some),
            });
            let [Some(map_from), Some(map_to), Some(Some(from)), Some(Some(to))] = codes else { return };
            for code in [map_from, map_to, Some(from), Some(to)].into_iter().flatten() {
                reader.known(row, code);
            }
            let Some((pixels, areas)) = reader.pixels(row) else { return };
            let cell = OfficialCell { section, maps: [map_from, map_to], official: [from, to] };
            let cells = reader.tables.official.entry((zone, pair)).or_default();
            if cells.insert(cell.clone(), (pixels, areas.m2.unwrap_or(0.0))).is_some() {
                reader.twice(row, &format!("{}, {pair}, {cell:?}", row.zone()));
            }
        });
    }

    fn annual_change(&mut self) {
        let columns = ["year_from", "year_to", "code", "name"];
        let counts = ["pixels", "pixels_without_interval"];
        let values = [
            "interval_min",
            "interval_max",
            "gain_px_per_year",
            "loss_px_per_year",
            "net_px_per_year",
            "gain_ha_per_year",
            "loss_ha_per_year",
            "net_ha_per_year",
        ];
        self.rows(ANNUAL_CHANGE, &[&ZONE[..], &columns, &counts, &values].concat(), |reader, row| {
            let Some(pair) = reader.pair(row) else { return };
            let code = match row.text("code") {
                "total" => None,
                _ => match reader.class(row, "code", "name") {
                    Some(code) => Some(code),
                    None => return,
                },
            };
            let [pixels, without] = counts.map(|column| row.whole::<u64>(column, reader.findings));
            let (Some(pixels), Some(without)) = (pixels, without) else { return };
            let [least, most, a, b, c, d, e, f] = values.map(|column| row.real(column, reader.findings));
            let rate = Rate { interval: [least, most], pixels, without, px: [a, b, c], ha: [d, e, f] };
            let zone = reader.zone(row);
            if reader.tables.rates.entry((zone, pair)).or_default().insert(code, rate).is_some() {
                let class = code.map_or("total".to_string(), |code| format!("class {code}"));
                reader.twice(row, &format!("{}, {pair}, {class}", row.zone()));
            }
        });
    }

    fn overlaps(&mut self) {
        let mut met = BTreeSet::new();
        let mut wholes: BTreeMap<[String; 3], (u64, u64)> = BTreeMap::new();
        let years = self.manifest.epochs();
        let columns = ["year", "winner", "loser", "winner_code", "winner_name", "loser_code", "loser_name"];
        let shares = ["pixels", "overlap_pixels", "pct_of_overlap"];
        self.rows(OVERLAPS, &[&columns[..], &shares, &AREAS].concat(), |reader, row| {
            let sources = ["year", "winner", "loser"].map(|column| row.text(column).to_string());
            let known = row.whole("year", reader.findings).is_none_or(|year: Epoch| years.contains(&year))
                && sources[1..].iter().all(|id| reader.manifest.has_source(id));
            if !known {
                row.told(reader.findings, "sources", || {
                    format!("{sources:?} is no year and sources of the job")
                });
            }
            let winner = reader.class(row, "winner_code", "winner_name");
            let loser = reader.class(row, "loser_code", "loser_name");
            if winner == loser && winner.is_some() {
                row.told(reader.findings, "classes", || "winner and loser give the same class".into());
            }
            if !met.insert((sources.clone(), winner, loser)) {
                reader.twice(row, &format!("{sources:?}, {winner:?} over {loser:?}"));
            }
            let whole = row.whole::<u64>("overlap_pixels", reader.findings);
            let (Some((pixels, _)), Some(whole)) = (reader.pixels(row), whole) else { return };
            let share = row.real("pct_of_overlap", reader.findings);
            let expected = percent(pixels, whole);
            if !same(share, expected) {
                row.told(reader.findings, "shares", || {
                    format!("pct_of_overlap is {}; expected {}", told(share), told(expected))
                });
            }
            let (first, sum) = wholes.entry(sources).or_insert((whole, 0));
            *sum = sum.saturating_add(pixels);
            if *first != whole || *sum > whole {
                row.told(reader.findings, "sums", || {
                    format!("overlap_pixels is {whole}; the first row has {first}, and {sum} cells disagree")
                });
            }
        });
    }

    /// The rows are those of run.json, each once.
    fn rule_coverage(&mut self) {
        let told = self.manifest.rules.iter().map(|rule| {
            let to = rule.to.map(|to| to.to_string()).unwrap_or_default();
            let stratum = rule.stratum.clone().unwrap_or_default();
            let (proposed, default) = (rule.proposed.to_string(), rule.default.to_string());
            let key = [rule.year.to_string(), rule.source.clone(), rule.from.to_string(), stratum, to];
            ((key, proposed, default), rule.pixels)
        });
        let mut told: BTreeMap<_, u64> = told.collect();
        let mut decided: BTreeMap<(String, String), u64> = BTreeMap::new();
        for ((key, ..), pixels) in &told {
            let sum = decided.entry((key[0].clone(), key[1].clone())).or_default();
            *sum = sum.saturating_add(*pixels);
        }
        let columns = ["year", "source", "crosswalk", "from_code", "stratum", "to_code", "to_name"];
        let counts = ["status", "default_taken", "pixels", "pct_of_source"];
        self.rows(RULE_COVERAGE, &[&columns[..], &counts, &AREAS].concat(), |reader, row| {
            let key = ["year", "source", "from_code", "stratum", "to_code"].map(|c| row.text(c).to_string());
            let proposed = match row.text("status") {
                "proposed" => Some(true),
                "published" | "kept" => Some(false),
                _ => None,
            };
            let default = match row.text("default_taken") {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            };
            if !row.text("to_code").is_empty() {
                reader.class(row, "to_code", "to_name");
            }
            let whole = decided.get(&(key[0].clone(), key[1].clone())).copied().unwrap_or(0);
            let expected = proposed.zip(default).and_then(|(proposed, default)| {
                told.remove(&(key.clone(), proposed.to_string(), default.to_string()))
            });
            let Some((pixels, _)) = reader.pixels(row) else { return };
            if expected != Some(pixels) {
                row.told(reader.findings, "rules", || {
                    format!(
                        "{key:?} decided {pixels} cells; run.json has {expected:?}, or the row stands twice"
                    )
                });
            }
            let share = row.real("pct_of_source", reader.findings);
            let expected = percent(pixels, whole);
            if !same(share, expected) {
                row.told(reader.findings, "shares", || {
                    format!(
                        "pct_of_source is {}; expected {}",
                        super::tables::told(share),
                        super::tables::told(expected)
                    )
                });
            }
        });
        if self.tables.has(RULE_COVERAGE) {
            for ((key, ..), pixels) in told {
                self.findings.add(RULE_COVERAGE, "rows", || format!("{key:?} with {pixels} cells: no row"));
            }
        }
    }

    fn zone(&mut self, row: &Row) -> Zone {
        let zone = row.zone();
        if zone.is_all() && zone.id != "all" {
            row.told(self.findings, "zones", || format!("zone `{}` of layer all; expected `all`", zone.id));
        }
        zone
    }

    fn pair(&mut self, row: &Row) -> Option<Interval> {
        let from = row.whole("year_from", self.findings)?;
        let to = row.whole("year_to", self.findings)?;
        let pair = Interval { from, to };
        if !self.manifest.job.pairs.contains(&pair) {
            row.told(self.findings, "years", || format!("{pair} is no pair of the job"));
        }
        Some(pair)
    }

    /// A class code, with its name.
    fn class(&mut self, row: &Row, code: &str, name: &str) -> Option<ClassCode> {
        let code = row.whole::<ClassCode>(code, self.findings)?;
        if self.known(row, code) {
            let own = || code.to_string();
            let expected = match &self.tables.classes {
                Some(classes) => classes.get(&code).map_or_else(own, |class| class.name.clone()),
                None if self.manifest.is_raw() => own(),
                None => return Some(code),
            };
            let found = row.text(name);
            if found != expected {
                row.told(self.findings, "names", || {
                    format!("{name} of class {code} is `{found}`; expected `{expected}`")
                });
            }
        }
        Some(code)
    }

    /// Whether the legend has a class; raw codes are all known.
    fn known(&mut self, row: &Row, code: ClassCode) -> bool {
        let known = self.tables.classes.as_ref().is_none_or(|classes| classes.contains_key(&code));
        if !known {
            row.told(self.findings, "classes", || format!("class {code} is not in {CLASSES}"));
        }
        known
    }

    /// The column of ellipsoidal areas, where there must be one.
    fn ellipsoidal(&self) -> &'static [&'static str] {
        if self.manifest.job.ellipsoidal { &[ELLIPSOIDAL_KM2] } else { &[] }
    }

    /// The cells of a row and its areas, once these have been compared with them and with each other.
    fn pixels(&mut self, row: &Row) -> Option<(u64, Areas)> {
        let pixels: u64 = row.whole("pixels", self.findings)?;
        let [m2, ha, km2] = AREAS.map(|column| row.real(column, self.findings));
        let ellipsoidal_m2 = row.real(ELLIPSOIDAL_KM2, self.findings).map(|km2| km2 * 1e6);
        if self.manifest.adds_areas_up() && m2.is_none_or(|m2| m2 < 0.0 || (m2 > 0.0) != (pixels > 0)) {
            row.told(self.findings, "areas", || format!("area_m2 is {} for {pixels} cells", told(m2)));
        }
        // Where cells differ in size, the square metres are taken as they are; sums and rasters will tell.
        let expected = self.manifest.cell_area_m2.map(|area| pixels as f64 * area).or(m2);
        let expected = [expected, expected.map(|m2| m2 / 1e4), expected.map(|m2| m2 / 1e6)];
        for ((column, found), expected) in AREAS.iter().zip([m2, ha, km2]).zip(expected) {
            if !same(found, expected) {
                row.told(self.findings, "areas", || {
                    format!("{column} is {} for {pixels} cells; expected {}", told(found), told(expected))
                });
            }
        }
        self.tables.areas_checked += u64::from(m2.is_some());
        Some((pixels, Areas { m2, ellipsoidal_m2 }))
    }
}
