//! Maps that must not be compared: left out section by section, told with their area and reason, refused where nothing
//! is left, and stamped where the user compares them all the same.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{Csv, Drawing, LAEA, Scratch, cells, patchy};
use serde_json::Value;

/// The grid of the maps drawn by hand.
const HEAD: &str = r#"
name = "guard"
output = "out"
[grid]
crs = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
origin = [0, 0]
cell_size_m = 30
shape = [3, 4]
extent = "full"
"#;

const US: &str = r#"
[[source]]
id = "us"
country = "US"
legend = "nalcms"
priority = 1
epochs = { 2010 = "us_2010.tif", 2015 = "us_2015.tif" }
"#;

const MX: &str = r#"
[[source]]
id = "mx"
section = "mexico"
country = "MX"
legend = "nalcms"
[source.epochs]
2010 = "mx_2010.tif"
2015 = "mx_2015.tif"
"#;

const CHANGE: &str = "out/change/guard_change_2010_2015_30m.tif";
const N: i32 = 65_535;

/// Twelve cells: the US in the first row, Mexico below; in 2015 one cell of Mexico has become the US's.
fn two_nations() -> Scratch {
    let scratch = Scratch::new();
    let south = Drawing { origin: (0.0, -30.0), ..Drawing::default() };
    let north = Drawing::default();
    north.draw::<u8>(&scratch.path("us_2010.tif"), &[&[1, 1, 10, 15], &[0, 0, 0, 0]]);
    north.draw::<u8>(&scratch.path("us_2015.tif"), &[&[1, 17, 10, 0], &[0, 0, 0, 17]]);
    south.draw::<u8>(&scratch.path("mx_2010.tif"), &[&[1, 5, 0, 9], &[14, 14, 15, 0]]);
    south.draw::<u8>(&scratch.path("mx_2015.tif"), &[&[1, 14, 15, 9], &[14, 17, 0, 0]]);
    scratch.write("job.toml", &format!("{HEAD}{US}{MX}"));
    scratch
}

fn run_json(scratch: &Scratch) -> Value {
    serde_json::from_slice(&std::fs::read(scratch.path("out/run.json")).unwrap()).unwrap()
}

/// Classes and cells of the rows of excluded.csv that are selected.
fn excluded(table: &Csv, wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    table.select(wanted).iter().map(|row| (row["code"].clone(), row["pixels"].clone())).collect()
}

fn pairs_of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_string(), (*b).to_string())).collect()
}

/// The entries of the matrix of the whole area that are not zero.
fn matrix(scratch: &Scratch) -> Vec<(String, String, String)> {
    let rows = scratch.csv("out/tables/change_matrix.csv").select(&[("zone_layer", "all")]);
    let entry = |row: &BTreeMap<String, String>| {
        (row["from_code"].clone(), row["to_code"].clone(), row["pixels"].clone())
    };
    rows.iter().filter(|row| row["pixels"] != "0").map(entry).collect()
}

fn entries(entries: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    entries.iter().map(|(a, b, n)| ((*a).to_string(), (*b).to_string(), (*n).to_string())).collect()
}

/// What change_matrix.csv says of a zone, the same in every row.
fn comparable(scratch: &Scratch, layer: &str, id: &str) -> Vec<String> {
    let rows = scratch.csv("out/tables/change_matrix.csv").select(&[("zone_layer", layer), ("zone_id", id)]);
    let mut words: Vec<String> = rows.iter().map(|row| row["comparable"].clone()).collect();
    words.dedup();
    words
}

fn stamp(path: &Path) -> Option<String> {
    use gdal::Metadata;
    gdal::Dataset::open(path).unwrap().metadata_item("NALCMS_COMPARABLE", "")
}

#[test]
fn mexico_from_2010_to_2015_is_left_out_and_the_rest_is_compared() {
    let scratch = two_nations();
    let run = scratch.ok(&["run", "job.toml"]);
    assert!(run.stderr.contains("section `mexico` (source `mx`): left out: The 2015 map"), "{}", run.stderr);
    // The mosaics have all that is mapped.
    assert_eq!(
        cells(&scratch.path("out/landcover/guard_landcover_2015_30m.tif")),
        [1, 17, 10, 0, 1, 14, 15, 17, 14, 17, 0, 0]
    );
    // Four cells of Mexico have a class in both years; the one that became the US's is compared.
    assert_eq!(cells(&scratch.path(CHANGE)), [0, 117, 0, N, N, N, N, 917, N, N, N, N]);
    assert_eq!(stamp(&scratch.path(CHANGE)).as_deref(), Some("partial"));
    let four = entries(&[("1", "1", "1"), ("1", "17", "1"), ("9", "17", "1"), ("10", "10", "1")]);
    assert_eq!(matrix(&scratch), four);
    let table = scratch.csv("out/tables/excluded.csv");
    let (from, to) = (("side", "from"), ("side", "to"));
    let left_out = ("reason", "not_comparable");
    for zone in [("zone_id", "all"), ("zone_id", "MX"), ("zone_id", "mexico")] {
        let of_side = |side| excluded(&table, &[zone, side, left_out]);
        assert_eq!(of_side(from), pairs_of(&[("1", "1"), ("5", "1"), ("14", "2")]), "{zone:?}");
        assert_eq!(of_side(to), pairs_of(&[("1", "1"), ("14", "2"), ("17", "1")]), "{zone:?}");
    }
    assert_eq!(table.select(&[left_out]).len(), 3 * 6);
    // What has no class in one of the years is told as it was before.
    let all = ("zone_id", "all");
    assert_eq!(excluded(&table, &[all, ("reason", "nodata_to")]), pairs_of(&[("15", "2")]));
    assert_eq!(excluded(&table, &[all, ("reason", "nodata_from")]), pairs_of(&[("15", "1")]));
    assert_eq!(table.value("area_m2", &[all, from, left_out, ("code", "14")]), "1800");
    // Coverage: cells with a class in both years, of those compared, left out, and the share.
    let coverage = scratch.csv("out/tables/coverage.csv");
    let told = |layer, id| {
        let row = coverage.select(&[("zone_layer", layer), ("zone_id", id)]).remove(0);
        ["pixels", "compared_pixels", "not_comparable_pixels", "pct_compared", "comparable"]
            .map(|column| row[column].clone())
    };
    assert_eq!(told("all", "all"), ["8", "4", "4", "50", "partial"]);
    assert_eq!(told("country", "US"), ["3", "3", "0", "100", "unknown"]);
    assert_eq!(told("section", "mexico"), ["4", "0", "4", "0", "partial"]);
    assert_eq!(told("country", "mixed"), ["1", "1", "0", "100", "unknown"]);
    let row = &coverage.select(&[("zone_layer", "all")])[0];
    assert_eq!(
        (row["area_m2"].as_str(), row["compared_area_m2"].as_str(), row["not_comparable_area_m2"].as_str()),
        ("7200", "3600", "3600")
    );
    assert!(row["reasons"].contains("shall not be compared") && row["reasons"].contains("https://cec.org"));
    assert_eq!(coverage.value("reasons", &[("zone_id", "US")]), "");
    assert_eq!(comparable(&scratch, "all", "all"), ["partial"]);
    assert_eq!(comparable(&scratch, "country", "US"), ["unknown"]);
    assert_eq!(comparable(&scratch, "country", "MX"), [""; 0]);
    // Figures that follow from the matrix follow from what was compared.
    let figures = scratch.csv("out/tables/net_change.csv");
    let total = [("zone_layer", "all"), ("code", "total"), ("statistic", "from_total")];
    assert_eq!(figures.value("pixels", &total), "4");
    let wide = Csv::read(&scratch.path("out/tables/change_matrix_2010_2015_px.csv"));
    assert_eq!(wide.value("total", &[("from", "total")]), "4");
    let rollups = scratch.csv("out/tables/rollup_matrix.csv");
    assert_eq!(rollups.sum("pixels", &[("zone_layer", "all"), ("rollup", "level1")]), 4);
    let attributes = std::fs::read_to_string(scratch.path(&format!("{CHANGE}.aux.xml"))).unwrap();
    assert!(attributes.contains("917") && !attributes.contains("1417"), "{attributes}");
    let told = run_json(&scratch);
    let of_mx = told["comparability"].as_array().unwrap().iter().find(|c| c["from_source"] == "mx").unwrap();
    assert_eq!(of_mx["comparable"], "no");
    assert_eq!(of_mx["left_out"], true);
    assert_eq!(of_mx["rule"]["status"], "published");
    assert_eq!(told["allowed_incomparable"], Value::Array(Vec::new()));
    scratch.ok(&["verify", "out"]);
}

#[test]
fn a_plan_says_what_will_be_left_out_and_why() {
    let scratch = two_nations();
    let text = scratch.ok(&["plan", "job.toml"]).stdout;
    for words in [
        "comparable 2010 to 2015, section `mexico` (source `mx`): no, left out: The 2015 map",
        "comparable 2010 to 2015: unknown for 1 more",
    ] {
        assert!(text.contains(words), "`{words}` is missing in:\n{text}");
    }
    let json: Value = serde_json::from_str(&scratch.ok(&["plan", "job.toml", "--json"]).stdout).unwrap();
    let told: Vec<(&str, &str)> = json["comparability"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["from_source"].as_str().unwrap(), c["comparable"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("us", "unknown"), ("mx", "no")]);
}

#[test]
fn mexico_alone_is_refused_unless_it_is_allowed_and_then_it_is_stamped() {
    let scratch = two_nations();
    scratch.write("job.toml", &format!("{HEAD}{MX}"));
    let words = ["nothing is left to compare from 2010 to 2015", "shall not be compared", "https://cec.org"];
    scratch.nalcms(&["run", "job.toml"]).refused(3, &words);
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["--allow-incomparable computes and stamps it"]);
    scratch.nalcms(&["merge", "job.toml"]).refused(3, &words[..1]);
    assert!(!scratch.path("out").exists());
    let plan = scratch.nalcms(&["plan", "job.toml"]);
    assert_eq!(plan.code, 1, "{}", plan.stdout);
    assert!(plan.stdout.contains("run will refuse this: nothing is left to compare"), "{}", plan.stdout);
    scratch.ok(&["plan", "job.toml", "--allow-incomparable"]);
    let run = scratch.ok(&["run", "job.toml", "--allow-incomparable"]);
    assert!(run.stderr.contains("compared all the same, and stamped"), "{}", run.stderr);
    assert_eq!(cells(&scratch.path(CHANGE)), [N, N, N, N, 0, 514, N, 0, 0, 1417, N, N]);
    assert_eq!(stamp(&scratch.path(CHANGE)).as_deref(), Some("no"));
    assert_eq!(comparable(&scratch, "all", "all"), ["no"]);
    assert_eq!(comparable(&scratch, "country", "MX"), ["no"]);
    assert!(scratch.csv("out/tables/excluded.csv").select(&[("reason", "not_comparable")]).is_empty());
    let coverage = scratch.csv("out/tables/coverage.csv");
    assert_eq!(coverage.value("pct_compared", &[("zone_layer", "all")]), "100");
    assert!(coverage.value("reasons", &[("zone_layer", "all")]).contains("shall not be compared"));
    let told = run_json(&scratch);
    assert_eq!(told["allowed_incomparable"][0]["from_source"], "mx");
    assert_eq!(told["comparability"][0]["left_out"], false);
    scratch.ok(&["verify", "out"]);
    // The flag is part of what was made.
    let status = scratch.ok(&["status", "job.toml", "--allow-incomparable"]).stdout;
    assert!(status.contains("outputs are in place"), "{status}");
    let status = scratch.ok(&["status", "job.toml"]).stdout;
    assert!(status.contains("outputs of an earlier state"), "{status}");
}

#[test]
fn what_the_flag_changes_is_made_anew_both_ways() {
    let scratch = two_nations();
    scratch.ok(&["run", "job.toml", "--allow-incomparable"]);
    assert_eq!(cells(&scratch.path(CHANGE)), [0, 117, 0, N, 0, 514, N, 917, 0, 1417, N, N]);
    // The US's rows are not tainted by Mexico's.
    assert_eq!(comparable(&scratch, "country", "US"), ["unknown"]);
    assert_eq!(comparable(&scratch, "all", "all"), ["no"]);
    scratch.ok(&["verify", "out"]);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(cells(&scratch.path(CHANGE)), [0, 117, 0, N, N, N, N, 917, N, N, N, N]);
    scratch.ok(&["verify", "out"]);
}

#[test]
fn rules_of_ones_own_come_before_those_that_ship() {
    let scratch = two_nations();
    let rules = "[[rule]]\nid = \"reworked\"\ncountry = \"MX\"\nyears = [2010, 2015]\nverdict = \"comparable\"\n\
                 reason = \"The map of 2010 was made anew on the base of 2015.\"\nsource = \"partner\"\n\
                 status = \"proposed\"\n";
    scratch.write("rules/mine.toml", rules);
    let head = HEAD.replace("output = \"out\"", "output = \"out\"\ncomparability = \"rules/mine.toml\"");
    scratch.write("job.toml", &format!("{head}{US}{MX}"));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(cells(&scratch.path(CHANGE)), [0, 117, 0, N, 0, 514, N, 917, 0, 1417, N, N]);
    assert_eq!(stamp(&scratch.path(CHANGE)), None);
    assert_eq!(comparable(&scratch, "country", "MX"), ["yes"]);
    assert_eq!(comparable(&scratch, "all", "all"), ["unknown"]);
    assert_eq!(scratch.csv("out/tables/coverage.csv").value("pct_compared", &[("zone_layer", "all")]), "100");
    scratch.ok(&["verify", "out"]);
    // Another sentence is another table.
    scratch.write("rules/mine.toml", &rules.replace("\"comparable\"", "\"not-comparable\""));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(cells(&scratch.path(CHANGE)), [0, 117, 0, N, N, N, N, 917, N, N, N, N]);
    assert!(
        scratch
            .csv("out/tables/coverage.csv")
            .value("reasons", &[("zone_layer", "all")])
            .contains("made anew on the base of 2015. [partner]")
    );
    scratch.ok(&["verify", "out"]);
    scratch.write("rules/mine.toml", &rules.replace("years = [2010, 2015]", "yeers = [2010, 2015]"));
    scratch.nalcms(&["run", "job.toml"]).refused(2, &["comparability rules", "yeers", "mine.toml"]);
    scratch.write("rules/mine.toml", "[[rule]]\n");
    scratch.nalcms(&["run", "job.toml"]).refused(2, &["comparability rules", "mine.toml"]);
    std::fs::remove_file(scratch.path("rules/mine.toml")).unwrap();
    scratch.nalcms(&["run", "job.toml"]).refused(2, &["mine.toml"]);
}

#[test]
fn different_editions_and_different_sensors_are_left_out_where_both_years_declare_them() {
    // (keys of 2010, keys of 2015, whether the US is left out)
    for (from, to, left_out) in [
        ("edition = \"2019\"", "edition = \"2019\"", false),
        ("edition = \"2019\"", "date = \"2016\"", false),
        ("edition = \"2019\"", "edition = 2021", true),
        ("sensor = \"Landsat\", method = \"a\"", "sensor = \"Landsat\", method = \"b\"", false),
        ("sensor = \"Landsat\"", "sensor = \"RapidEye\"", true),
    ] {
        let scratch = two_nations();
        let epochs = format!(
            "[source.epochs]\n2010 = {{ files = \"us_2010.tif\", {from} }}\n2015 = {{ files = \"us_2015.tif\", {to} }}\n"
        );
        let us = US.replace("epochs = { 2010 = \"us_2010.tif\", 2015 = \"us_2015.tif\" }\n", &epochs);
        // Another country's maps are nobody's ban.
        let mx = MX.replace("MX", "GT").replace("mexico", "south");
        scratch.write("job.toml", &format!("{HEAD}{us}{mx}"));
        scratch.ok(&["run", "job.toml"]);
        let us = if left_out { [N, N, N, N] } else { [0, 117, 0, N] };
        let expected = [&us[..], &[0, 514, N, 917, 0, 1417, N, N]].concat();
        assert_eq!(cells(&scratch.path(CHANGE)), expected, "{from}, {to}");
        let coverage = scratch.csv("out/tables/coverage.csv");
        let us = [("zone_layer", "country"), ("zone_id", "US")];
        assert_eq!(coverage.value("not_comparable_pixels", &us), if left_out { "3" } else { "0" });
        scratch.ok(&["verify", "out"]);
        let told = run_json(&scratch);
        let map = &told["job"]["source"][0]["epochs"]["2015"];
        if to.contains("sensor") {
            assert!(map["sensor"].is_string(), "{map}");
        }
    }
}

#[test]
fn one_section_in_two_sources_is_one_section_all_the_same() {
    let scratch = two_nations();
    let halves = "[[source]]\nid = \"mx-old\"\nsection = \"mexico\"\nlegend = \"nalcms\"\nepochs = { 2010 = \"mx_2010.tif\" }\n\
                  [[source]]\nid = \"mx-new\"\nsection = \"mexico\"\nlegend = \"nalcms\"\nepochs = { 2015 = \"mx_2015.tif\" }\n";
    scratch.write("job.toml", &format!("{HEAD}{US}{halves}"));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(cells(&scratch.path(CHANGE)), [0, 117, 0, N, N, N, N, 917, N, N, N, N]);
    scratch.ok(&["verify", "out"]);
    scratch.write("job.toml", &format!("{HEAD}{halves}"));
    scratch.nalcms(&["run", "job.toml", "--overwrite"]).refused(3, &["nothing is left to compare"]);
}

#[test]
fn a_map_of_no_named_country_is_compared_with_a_warning() {
    let scratch = two_nations();
    let mx = MX.replace("country = \"MX\"\n", "").replace("mexico", "south");
    scratch.write("job.toml", &format!("{HEAD}{US}{mx}"));
    let run = scratch.ok(&["run", "job.toml"]);
    assert!(run.stderr.contains("(source `mx`): names no country; where it maps MX"), "{}", run.stderr);
    assert_eq!(cells(&scratch.path(CHANGE))[9], 1417);
}

#[test]
fn unchanged_cells_written_as_nodata_are_told_from_those_left_out_by_the_tables() {
    let scratch = two_nations();
    scratch.write("job.toml", &format!("{HEAD}{US}{MX}[change]\nunchanged = \"nodata\"\n"));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(cells(&scratch.path(CHANGE)), [N, 117, N, N, N, N, N, 917, N, N, N, N]);
    assert_eq!(scratch.csv("out/tables/coverage.csv").value("pct_compared", &[("zone_layer", "all")]), "50");
    scratch.ok(&["verify", "out"]);
}

/// Maps of several tasks and many blocks, of two sources that overlap, on a grid whose cells may differ in size.
fn larger(crs: &str, task_cells: usize) -> Scratch {
    let scratch = Scratch::new();
    let classes = [1, 5, 10, 14, 15, 17];
    for (year, seed) in [(2010, 1), (2015, 2)] {
        let drawing = |col: usize| Drawing {
            srs: Some(crs),
            origin: (30.0 * col as f64, 0.0),
            options: &["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE"],
            ..Drawing::default()
        };
        // Gaps let the other source through, so that cells change hands in both directions.
        drawing(0).plot(&scratch.path(&format!("us_{year}.tif")), 1100, 700, |r, c| {
            if (r + 3 * c + seed as usize).is_multiple_of(13) { 0 } else { patchy(r, c, seed, &classes) }
        });
        drawing(400).plot(&scratch.path(&format!("mx_{year}.tif")), 1100, 900, |r, c| {
            if (2 * r + c).is_multiple_of(17) { 0 } else { patchy(r, c, seed + 7, &classes) }
        });
    }
    let grid = format!(
        "crs = \"{crs}\"\norigin = [0, 0]\ncell_size_m = 30\nshape = [1100, 1300]\nextent = \"full\""
    );
    scratch.write(
        "job.toml",
        &format!(
            "name = \"guard\"\noutput = \"out\"\n[grid]\n{grid}\n{US}{MX}[[zones]]\nid = \"by\"\nby = [\"country\", \"section\"]\n\
             [compute]\ntask_cells = {task_cells}\n"
        ),
    );
    scratch
}

#[test]
fn the_bytes_do_not_depend_on_the_task_size_and_every_check_of_verify_holds() {
    for crs in [LAEA, "EPSG:3979"] {
        let sums = [512, 1024].map(|task_cells| {
            let scratch = larger(crs, task_cells);
            scratch.ok(&["run", "job.toml"]);
            scratch.ok(&["verify", "out"]);
            let coverage = scratch.csv("out/tables/coverage.csv");
            let all = [("zone_layer", "all")];
            let [whole, compared, left_out] = ["pixels", "compared_pixels", "not_comparable_pixels"]
                .map(|column| coverage.value(column, &all).parse::<u64>().unwrap());
            assert!(left_out > 100_000 && compared > 100_000 && whole == compared + left_out);
            // Counted cell by cell in the rasters: without a change code though both maps have a class.
            let read = |name: &str| cells(&scratch.path(&format!("out/{name}")));
            let (from, to, change) = (
                read("landcover/guard_landcover_2010_30m.tif"),
                read("landcover/guard_landcover_2015_30m.tif"),
                read("change/guard_change_2010_2015_30m.tif"),
            );
            let both = from.iter().zip(&to).zip(&change).filter(|((f, t), _)| **f != 0 && **t != 0);
            assert_eq!(both.filter(|(_, change)| **change == N).count() as u64, left_out);
            std::fs::read_to_string(scratch.path("out/SHA256SUMS")).unwrap()
        });
        assert_eq!(sums[0], sums[1], "{crs}");
    }
}

#[test]
fn verify_notices_what_is_altered() {
    let tells = |alter: &dyn Fn(&Scratch), words: &[&str]| {
        let scratch = two_nations();
        scratch.ok(&["run", "job.toml"]);
        alter(&scratch);
        let run = scratch.nalcms(&["verify", "out"]);
        assert_eq!(run.code, 1, "{words:?}: {}", run.stdout);
        assert!(
            run.stdout.lines().any(|line| words.iter().all(|word| line.contains(word))),
            "{words:?}:\n{}",
            run.stdout
        );
    };
    let replace = |name: &'static str, old: &'static str, new: &'static str| {
        move |scratch: &Scratch| {
            let path = scratch.path(name);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(old), "{name}: {old}");
            std::fs::write(path, text.replacen(old, new, 1)).unwrap();
        }
    };
    let excluded = "out/tables/excluded.csv";
    let all = "all,all,,2010,2015,";
    let one = "14,from,not_comparable,2,1800,0.18,0.0018";
    let two = "14,from,not_comparable,1,900,0.09,0.0009";
    let altered = |old: &str, new: &str| {
        let (old, new) = (format!("{all}{old}"), format!("{all}{new}"));
        move |scratch: &Scratch| {
            let path = scratch.path(excluded);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(&old), "{old} in {text}");
            std::fs::write(path, text.replacen(&old, &new, 1)).unwrap();
        }
    };
    tells(&altered(one, two), &["tables/excluded.csv", "class 14, side From", "against the maps"]);
    tells(&altered(one, two), &["tables/excluded.csv", "are not comparable on side from"]);
    tells(&altered(one, two), &["tables/coverage.csv", "not_comparable_pixels"]);
    tells(
        &replace("out/tables/coverage.csv", "8,4,4,50,", "8,5,3,50,"),
        &["tables/coverage.csv", "compared_pixels is `5`; expected 4"],
    );
    tells(
        &replace("out/tables/coverage.csv", "8,4,4,50,", "8,4,4,60,"),
        &["tables/coverage.csv", "pct_compared is 60"],
    );
    tells(&replace("out/tables/coverage.csv", ",7200,", ",7300,"), &["tables/coverage.csv", "areas"]);
    tells(
        &replace("out/tables/coverage.csv", ",partial,", ",unknown,"),
        &["tables/coverage.csv", "comparable"],
    );
    tells(
        &replace("out/tables/change_matrix.csv", ",partial", ",yes"),
        &["tables/change_matrix.csv", "comparable is"],
    );
    // Nothing may be left out of which run.json does not say so.
    let forgotten = replace("out/run.json", "\"left_out\": true", "\"left_out\": false");
    tells(&forgotten, &[CHANGE.strip_prefix("out/").unwrap(), "expected 1417"]);
    tells(&forgotten, &["tables/excluded.csv", "run.json forbids nothing"]);
    // A change where there was none, in the raster alone.
    tells(
        &|scratch| {
            let path = scratch.path(CHANGE);
            let options = gdal::DatasetOptions {
                open_flags: gdal::GdalOpenFlags::GDAL_OF_UPDATE,
                ..Default::default()
            };
            let mut raster = gdal::Dataset::open_ex(&path, options).unwrap();
            let mut cell = gdal::raster::Buffer::new((1, 1), vec![1417u16]);
            raster.rasterband(1).unwrap().write((1, 2), (1, 1), &mut cell).unwrap();
            raster.flush_cache().unwrap();
        },
        &["against the maps"],
    );
}
