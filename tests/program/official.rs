//! Published change maps in place of the difference of two maps: which cells they decide, how these are told, stamped and
//! added up, and what is refused. Expected values are worked out here from what is drawn.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{Csv, Drawing, Scratch, cells, patchy};
use nalcms::io::digest::sha256_file;
use serde_json::Value;

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

const SOURCES: &str = r#"
[[source]]
id = "us"
country = "US"
legend = "nalcms"
priority = 1
epochs = { 2010 = "us_2010.tif", 2015 = "us_2015.tif" }

[[source]]
id = "mx"
section = "mexico"
country = "MX"
legend = "nalcms"
[source.epochs]
2010 = { files = "mx_2010.tif", date = "2011" }
2015 = "mx_2015.tif"
"#;

const OFFICIAL: &str = r#"
[[change.official]]
section = "mexico"
pair = [2010, 2015]
path = "mx_change.tif"
coding = "from100to"
"#;

const CHANGE: &str = "out/change/guard_change_2010_2015_30m.tif";
const N: i32 = 65_535;
const NO: u16 = 65_535;

/// Twelve cells: the US in the first row, Mexico below; in 2015 one cell of Mexico has become the US's.
fn two_nations(change: &[&[u16]]) -> Scratch {
    let scratch = Scratch::new();
    let south = Drawing { origin: (0.0, -30.0), ..Drawing::default() };
    let north = Drawing::default();
    north.draw::<u8>(&scratch.path("us_2010.tif"), &[&[1, 1, 10, 15], &[0, 0, 0, 0]]);
    north.draw::<u8>(&scratch.path("us_2015.tif"), &[&[1, 17, 10, 0], &[0, 0, 0, 17]]);
    south.draw::<u8>(&scratch.path("mx_2010.tif"), &[&[1, 5, 0, 9], &[14, 14, 15, 0]]);
    south.draw::<u8>(&scratch.path("mx_2015.tif"), &[&[3, 14, 15, 9], &[14, 17, 0, 0]]);
    south.draw::<u16>(&scratch.path("mx_change.tif"), change);
    scratch.write("job.toml", &format!("{HEAD}{SOURCES}{OFFICIAL}"));
    scratch
}

/// Unchanged; as the maps say; where one map has no class; where the cell becomes the US's; another change than that of the
/// maps; nothing; where the other map has no class; where nobody maps.
const SOME: [&[u16]; 2] = [&[0, 514, 105, 917], &[1417, NO, 0, 501]];

/// The same, and it says something of all that both maps of Mexico have.
const ALL: [&[u16]; 2] = [&[0, 514, 105, 917], &[1417, 1714, 0, 501]];

fn run_json(scratch: &Scratch) -> Value {
    serde_json::from_slice(&std::fs::read(scratch.path("out/run.json")).unwrap()).unwrap()
}

fn stamp(path: &Path, item: &str) -> Option<String> {
    use gdal::Metadata;
    gdal::Dataset::open(path).unwrap().metadata_item(item, "")
}

/// The entries of the matrix of a zone that are not zero.
fn matrix(scratch: &Scratch, id: &str) -> Vec<(i32, i32, u64)> {
    let rows = scratch.csv("out/tables/change_matrix.csv").select(&[("zone_id", id)]);
    let number = |row: &BTreeMap<String, String>, column: &str| row[column].parse().unwrap();
    let entry = |row: &BTreeMap<String, String>| {
        (number(row, "from_code"), number(row, "to_code"), number(row, "pixels") as u64)
    };
    let mut entries: Vec<_> = rows.iter().map(entry).filter(|(.., n)| *n > 0).collect();
    entries.sort_unstable();
    entries
}

/// What a zone's row of coverage.csv says: cells valid in both years, compared, left out, and the word.
fn coverage(scratch: &Scratch, id: &str) -> [String; 4] {
    let row = scratch.csv("out/tables/coverage.csv").select(&[("zone_id", id)]).remove(0);
    ["pixels", "compared_pixels", "not_comparable_pixels", "comparable"].map(|column| row[column].clone())
}

const DECIDED: [&str; 6] = ["section", "map_from", "map_to", "official_from", "official_to", "pixels"];

fn decided(scratch: &Scratch, id: &str) -> Vec<[String; 6]> {
    let rows = scratch.csv("out/tables/official_disagreement.csv").select(&[("zone_id", id)]);
    rows.iter().map(|row| DECIDED.map(|column| row[column].clone())).collect()
}

#[test]
fn a_change_map_decides_what_the_maps_of_its_section_decide_and_the_rest_stays_with_the_rules() {
    let scratch = two_nations(&SOME);
    scratch.ok(&["run", "job.toml"]);
    // The maps are as they were.
    assert_eq!(
        cells(&scratch.path("out/landcover/guard_landcover_2015_30m.tif")),
        [1, 17, 10, 0, 3, 14, 15, 17, 14, 17, 0, 0]
    );
    // An unchanged cell has no change; where nothing is said what the rules forbid is left out.
    assert_eq!(cells(&scratch.path(CHANGE)), [0, 117, 0, N, 0, 514, N, 917, 1417, N, N, N]);
    assert_eq!(stamp(&scratch.path(CHANGE), "NALCMS_COMPARABLE").as_deref(), Some("partial"));
    assert_eq!(stamp(&scratch.path(CHANGE), "NALCMS_OFFICIAL").as_deref(), Some("mexico"));
    // Unchanged by the change map is the class of the later map: 3, though the map of 2010 had 1.
    let whole = [(1, 1, 1), (1, 17, 1), (3, 3, 1), (5, 14, 1), (9, 17, 1), (10, 10, 1), (14, 17, 1)];
    assert_eq!(matrix(&scratch, "all"), whole);
    assert_eq!(matrix(&scratch, "mexico"), [(3, 3, 1), (5, 14, 1), (14, 17, 1)]);
    assert_eq!(matrix(&scratch, "MX"), matrix(&scratch, "mexico"));
    assert_eq!(matrix(&scratch, "US"), [(1, 1, 1), (1, 17, 1), (10, 10, 1)]);
    assert_eq!(coverage(&scratch, "mexico"), ["4", "3", "1", "partial"]);
    assert_eq!(coverage(&scratch, "US"), ["3", "3", "0", "unknown"]);
    let all = |rows: [[&str; 6]; 3]| rows.map(|row| row.map(String::from)).to_vec();
    let rows = all([
        ["mexico", "1", "3", "3", "3", "1"],
        ["mexico", "5", "14", "5", "14", "1"],
        ["mexico", "14", "14", "14", "17", "1"],
    ]);
    for zone in ["all", "mexico", "MX"] {
        assert_eq!(decided(&scratch, zone), rows, "{zone}");
    }
    let table = scratch.csv("out/tables/official_disagreement.csv");
    assert!(table.select(&[("zone_id", "US")]).is_empty());
    assert_eq!(table.value("area_m2", &[("zone_id", "all"), ("official_from", "3")]), "900");
    // Left out: the one cell of which nothing was said.
    let excluded = scratch.csv("out/tables/excluded.csv");
    let left_out = [("zone_id", "mexico"), ("reason", "not_comparable"), ("side", "to")];
    assert_eq!(excluded.value("code", &left_out), "17");
    // Change maps have the dates of the section: 2011 to 2015, in matrix and rates.
    let dates = scratch.csv("out/tables/change_matrix.csv").select(&[("zone_id", "mexico")]).remove(0);
    assert_eq!((dates["date_from"].as_str(), dates["date_to"].as_str()), ("2011", "2015"));
    let rates = scratch.csv("out/tables/annual_change.csv");
    assert_eq!(rates.value("loss_px_per_year", &[("zone_id", "mexico"), ("code", "total")]), "0.5");
    // The attribute table is that of the raster.
    let attributes = std::fs::read_to_string(scratch.path(&format!("{CHANGE}.aux.xml"))).unwrap();
    assert!(attributes.contains("1417") && !attributes.contains(">103<"), "{attributes}");
    scratch.ok(&["verify", "out"]);
}

#[test]
fn what_is_wholly_told_by_the_makers_is_official_and_says_so_everywhere() {
    let scratch = two_nations(&ALL);
    let run = scratch.ok(&["run", "job.toml"]);
    assert_eq!(run.code, 0);
    assert_eq!(cells(&scratch.path(CHANGE)), [0, 117, 0, N, 0, 514, N, 917, 1417, 1714, N, N]);
    assert_eq!(stamp(&scratch.path(CHANGE), "NALCMS_COMPARABLE").as_deref(), Some("official"));
    assert_eq!(coverage(&scratch, "mexico"), ["4", "4", "0", "official"]);
    let words = scratch.csv("out/tables/change_matrix.csv").select(&[("zone_id", "mexico")]);
    assert!(words.iter().all(|row| row["comparable"] == "official"));
    // Nobody knows of the US: the whole promises no more than that.
    assert_eq!(coverage(&scratch, "all"), ["8", "8", "0", "unknown"]);
    assert_eq!(scratch.csv("out/tables/coverage.csv").value("reasons", &[("zone_id", "mexico")]), "");
    let told = run_json(&scratch);
    let comparisons = told["comparability"].as_array().unwrap();
    let word = |id: &str| comparisons.iter().find(|c| c["from_source"] == id).unwrap()["comparable"].clone();
    assert_eq!((word("mx"), word("official:mx")), ("no".into(), "official".into()));
    let layer = told["layers"].as_array().unwrap().iter().find(|layer| layer["kind"] == "official").unwrap();
    assert_eq!(layer["sha256"], sha256_file(&scratch.path("mx_change.tif")).unwrap());
    assert_eq!((layer["section"].as_str(), layer["coding"].as_str()), (Some("mexico"), Some("from100to")));
    let plan = scratch.ok(&["plan", "job.toml"]).stdout;
    for words in [
        "official change 2010 to 2015, section `mexico`: ./mx_change.tif of 2 x 4 uint16",
        "section `mexico` (source `official:mx`): official",
    ] {
        assert!(plan.contains(words), "`{words}` is missing in:\n{plan}");
    }
    scratch.ok(&["verify", "out"]);
    // Mexico alone is no longer refused.
    scratch.write(
        "job.toml",
        &format!("{HEAD}{}{OFFICIAL}", &SOURCES[SOURCES.find("[[source]]\nid = \"mx\"").unwrap()..]),
    );
    scratch.ok(&["run", "job.toml", "--overwrite"]);
    assert_eq!(coverage(&scratch, "all"), ["5", "5", "0", "official"]);
    assert_eq!(cells(&scratch.path(CHANGE)), [N, N, N, N, 0, 514, N, 917, 1417, 1714, N, N]);
    scratch.ok(&["verify", "out"]);
}

#[test]
fn what_is_allowed_all_the_same_is_stamped_where_no_change_map_tells() {
    for (change, word) in [(&SOME, "no"), (&ALL, "official")] {
        let scratch = two_nations(change);
        scratch.ok(&["run", "job.toml", "--allow-incomparable"]);
        assert_eq!(stamp(&scratch.path(CHANGE), "NALCMS_COMPARABLE").as_deref(), Some(word));
        assert_eq!(coverage(&scratch, "mexico"), ["4", "4", "0", word]);
        scratch.ok(&["verify", "out"]);
    }
}

#[test]
fn unchanged_cells_are_written_as_the_job_says_and_both_codings_are_read() {
    let scratch = two_nations(&ALL);
    let identity: [&[u16]; 2] = [&[303, 514, 105, 917], &[1417, 1714, 1515, 501]];
    let south = Drawing { origin: (0.0, -30.0), ..Drawing::default() };
    south.draw::<u16>(&scratch.path("identity.tif"), &identity);
    for (word, kept) in
        [("zero", [0; 3]), ("identity", [101, 1010, 303]), ("class", [1, 10, 3]), ("nodata", [N; 3])]
    {
        let expected = [kept[0], 117, kept[1], N, kept[2], 514, N, 917, 1417, 1714, N, N];
        for (path, coding) in [("mx_change.tif", "from100to"), ("identity.tif", "from100to-identity")] {
            let official =
                OFFICIAL.replace("mx_change.tif", path).replace("\"from100to\"", &format!("\"{coding}\""));
            scratch
                .write("job.toml", &format!("{HEAD}{SOURCES}[change]\nunchanged = \"{word}\"\n{official}"));
            scratch.ok(&["run", "job.toml", "--overwrite"]);
            assert_eq!(cells(&scratch.path(CHANGE)), expected, "{word} {coding}");
            scratch.ok(&["verify", "out"]);
        }
    }
}

#[test]
fn values_that_are_no_pair_of_classes_end_the_job_with_all_of_them() {
    let odd: [&[u16]; 2] = [&[7, 7, 105, 9917], &[2099, 514, 0, 501]];
    let scratch = two_nations(&odd);
    // 9917 lies where a cell becomes the US's: nobody asks what it means.
    let run = scratch.nalcms(&["run", "job.toml"]);
    run.refused(3, &["mx_change.tif: 7 (2 px)", "mx_change.tif: 2099 (1 px)", "no pair of classes"]);
    assert!(!run.stderr.contains("9917"), "{}", run.stderr);
    assert!(!scratch.path("out/tables").exists());
    // A value is no pair of classes where unchanged cells name their class, if it is 0.
    let scratch = two_nations(&ALL);
    let identity = OFFICIAL.replace("\"from100to\"", "\"from100to-identity\"");
    scratch.write("job.toml", &format!("{HEAD}{SOURCES}{identity}"));
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["mx_change.tif: 0 (1 px)"]);
}

#[test]
fn a_job_file_that_contradicts_itself_is_told_all_at_once() {
    let scratch = two_nations(&ALL);
    let official =
        |section: &str, pair: &str| OFFICIAL.replace("mexico", section).replace("[2010, 2015]", pair);
    let twice = format!("{OFFICIAL}{OFFICIAL}");
    for (text, words) in [
        (official("mexico", "[2015, 2010]"), "the job compares 2010 to 2015"),
        (official("mexico", "[2010, 2020]"), "no source of the section maps 2020"),
        (official("canada", "[2010, 2015]"), "no source of the section maps 2010"),
        (twice, "stands twice"),
    ] {
        scratch.write("job.toml", &format!("{HEAD}{SOURCES}{text}"));
        scratch.nalcms(&["plan", "job.toml"]).refused(2, &[words]);
    }
    scratch.write("job.toml", &format!("{HEAD}{SOURCES}{}", OFFICIAL.replace("from100to", "to100from")));
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["to100from", "from100to-identity"]);
    scratch.write("job.toml", &format!("{HEAD}{SOURCES}{}", OFFICIAL.replace("mx_change.tif", "none_*.tif")));
    scratch.nalcms(&["plan", "job.toml"]).refused(3, &["none_*.tif"]);
    let real = Drawing { origin: (0.0, -30.0), ..Drawing::default() };
    real.draw::<f32>(&scratch.path("mx_change.tif"), &[&[0.5, 1.0]]);
    scratch.write("job.toml", &format!("{HEAD}{SOURCES}{OFFICIAL}"));
    scratch.nalcms(&["plan", "job.toml"]).refused(3, &["published change map must hold whole numbers"]);
}

#[test]
fn a_tag_of_0_is_told_and_silences_what_is_unchanged() {
    let scratch = two_nations(&ALL);
    let south = Drawing { origin: (0.0, -30.0), nodata: Some(0.0), ..Drawing::default() };
    south.draw::<u16>(&scratch.path("mx_change.tif"), &ALL);
    let run = scratch.ok(&["run", "job.toml"]);
    assert!(run.stderr.contains("says nothing of cells that did not change"), "{}", run.stderr);
    assert_eq!(cells(&scratch.path(CHANGE)), [0, 117, 0, N, N, 514, N, 917, 1417, 1714, N, N]);
    scratch.ok(&["verify", "out"]);
}

/// A job of several blocks, two sections with change maps, one of them in several files, and zones across sections.
fn large(scratch: &Scratch, name: &str, compute: &str) {
    let text = format!(
        "name = \"large\"\noutput = \"{name}\"\n[grid]\ncrs = \"{}\"\norigin = [0, 0]\ncell_size_m = 30\nshape = [1100, 1300]\n\
         extent = \"full\"\n{}{}[change]\npairs = \"all\"\n\
         [[change.official]]\nsection = \"south\"\npair = [2010, 2015]\npath = [\"first.tif\", \"second_*.tif\"]\n\
         coding = \"from100to\"\n\
         [[change.official]]\nsection = \"north\"\npair = [2010, 2015]\npath = \"north.tif\"\n\
         coding = \"from100to-identity\"\n\
         [[zones]]\nid = \"bands\"\npath = \"bands.tif\"\n[[zones]]\nid = \"crossed\"\nby = [\"bands\", \"section\"]\n\
         [compute]\n{compute}\n",
        crate::support::LAEA,
        series("n", "north", "CA"),
        series("s", "south", "MX"),
    );
    scratch.write("job.toml", &text);
    scratch.ok(&["run", "job.toml"]);
}

fn series(id: &str, section: &str, country: &str) -> String {
    format!(
        "[[source]]\nid = \"{id}\"\nsection = \"{section}\"\ncountry = \"{country}\"\nlegend = \"nalcms\"\n[source.epochs]\n\
         2005 = \"{id}_2005.tif\"\n2010 = \"{id}_2010.tif\"\n2015 = \"{id}_2015.tif\"\n"
    )
}

const CLASSES: [u8; 6] = [1, 5, 5, 10, 14, 0];

fn class(year: u64) -> impl Fn(usize, usize) -> u8 + Copy {
    move |r, c| patchy(r, c, year, &CLASSES)
}

/// The southern section begins here.
const BORDER: usize = 620;

/// What the change map of the south says, in two tiles and a third file that comes first.
fn south_says(r: usize, c: usize) -> u16 {
    match patchy(r, c, 77, &[0, 0, 0, 1, 2, 3, 4]) {
        0 => 0,
        1 => 105,
        2 => 1410,
        3 => u16::from(class(2010)(r, c)) * 100 + u16::from(class(2015)(r, c)),
        _ => NO,
    }
}

fn draw_large(scratch: &Scratch) {
    let at = |row: usize, col: usize| Drawing {
        origin: (30.0 * col as f64, -30.0 * row as f64),
        ..Drawing::default()
    };
    for year in [2005, 2010, 2015] {
        at(0, 0).plot(&scratch.path(&format!("n_{year}.tif")), BORDER, 1300, class(year));
        at(BORDER, 0).plot(&scratch.path(&format!("s_{year}.tif")), 1100 - BORDER, 1300, |r, c| {
            class(year)(r + BORDER, c)
        });
    }
    let values = |name: &str,
                  (row, col): (usize, usize),
                  (rows, cols): (usize, usize),
                  value: &dyn Fn(usize, usize) -> u16| {
        let cells: Vec<Vec<u16>> =
            (row..row + rows).map(|r| (col..col + cols).map(|c| value(r, c)).collect()).collect();
        let lines: Vec<&[u16]> = cells.iter().map(Vec::as_slice).collect();
        at(row, col).draw::<u16>(&scratch.path(name), &lines);
    };
    let sound = |r: usize, c: usize| match south_says(r, c) {
        // Where a map has no class the pair of both is no pair of classes.
        value if value != 0 && (value / 100 == 0 || value % 100 == 0) => NO,
        value => value,
    };
    values("first.tif", (700, 100), (60, 900), &|_, _| 1005);
    values("second_a.tif", (600, 0), (500, 700), &sound);
    values("second_b.tif", (600, 600), (500, 600), &sound);
    values("north.tif", (0, 200), (400, 300), &|r, c| if (r + c).is_multiple_of(3) { 505 } else { 501 });
    at(0, 0).plot_as::<i32>(&scratch.path("bands.tif"), 1100, 1300, |r, c| (r / 200 + c / 300 * 10) as u8);
}

/// Classes of a cell from 2010 to 2015 as the product has them; `None` where one is lacking.
fn expected(r: usize, c: usize) -> (Option<(u8, u8)>, bool) {
    let (from, to) = (class(2010)(r, c), class(2015)(r, c));
    let both = from != 0 && to != 0;
    let maps = both.then_some((from, to));
    let pair = |value: u16| ((value / 100) as u8, (value % 100) as u8);
    if !both {
        // A cell without a class lies outside its source: no section decides it at both years.
        return (maps, false);
    }
    if r < BORDER {
        let says = r < 400 && (200..500).contains(&c);
        return if says {
            (Some(if (r + c).is_multiple_of(3) { (5, 5) } else { (5, 1) }), true)
        } else {
            (maps, false)
        };
    }
    if (700..760).contains(&r) && (100..1000).contains(&c) {
        return (Some((10, 5)), true);
    }
    // Mexico's maps of the two years must not be compared: where nothing is said they are left out.
    match south_says(r, c) {
        _ if c >= 1200 => (None, false),
        NO => (None, false),
        0 => (Some((to, to)), true),
        value => (Some(pair(value)), true),
    }
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let sums = std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    sums.lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(hash, name)| (name.into(), hash.into()))
        .collect()
}

#[test]
fn many_files_and_sections_give_the_cells_that_they_say_whatever_the_tasks() {
    let scratch = Scratch::new();
    draw_large(&scratch);
    large(&scratch, "small", "task_cells = 512\nthreads = 2");
    large(&scratch, "big", "task_cells = 2048\nthreads = 1");
    assert!(files(&scratch.path("small")) == files(&scratch.path("big")));
    scratch.ok(&["verify", "small"]);
    let found = cells(&scratch.path("small/change/large_change_2010_2015_30m.tif"));
    let mut matrix: BTreeMap<(usize, u8, u8), u64> = BTreeMap::new();
    let mut official = 0;
    for (at, &code) in found.iter().enumerate() {
        let (r, c) = (at / 1300, at % 1300);
        let (classes, is_official) = expected(r, c);
        official += u64::from(is_official);
        let value = match classes {
            None => N,
            Some((from, to)) if from == to => 0,
            Some((from, to)) => i32::from(from) * 100 + i32::from(to),
        };
        assert_eq!(code, value, "row {r}, column {c}");
        if let Some((from, to)) = classes {
            *matrix.entry((r / 200 + c / 300 * 10, from, to)).or_default() += 1;
        }
    }
    let table = Csv::read(&scratch.path("small/tables/change_matrix.csv"));
    let years = [("year_from", "2010"), ("year_to", "2015")];
    let bands = table.select(&[("zone_layer", "bands"), years[0], years[1]]);
    let stated: BTreeMap<(usize, u8, u8), u64> = bands
        .iter()
        .map(|row| {
            let key = (
                row["zone_id"].parse().unwrap(),
                row["from_code"].parse().unwrap(),
                row["to_code"].parse().unwrap(),
            );
            (key, row["pixels"].parse().unwrap())
        })
        .collect();
    assert!(stated == matrix);
    let told = Csv::read(&scratch.path("small/tables/official_disagreement.csv"));
    assert_eq!(told.sum("pixels", &[("zone_layer", "all")]), official);
    assert_eq!(told.sum("pixels", &[("zone_layer", "crossed")]), official);
    // Other pairs of the job are those of the maps.
    assert!(told.select(&[("year_from", "2005")]).is_empty());
    let other = cells(&scratch.path("small/change/large_change_2005_2010_30m.tif"));
    for (at, &code) in other.iter().enumerate() {
        let (from, to) = (class(2005)(at / 1300, at % 1300), class(2010)(at / 1300, at % 1300));
        let value = if from == 0 || to == 0 {
            N
        } else if from == to {
            0
        } else {
            i32::from(from) * 100 + i32::from(to)
        };
        assert_eq!(code, value);
    }
}

#[test]
fn a_changed_change_map_redoes_the_tasks_and_a_job_without_one_keeps_its_own() {
    let scratch = two_nations(&ALL);
    scratch.write("job.toml", &format!("{HEAD}{SOURCES}"));
    scratch.ok(&["run", "job.toml"]);
    let without = files(&scratch.path("out"));
    assert!(!without.keys().any(|name| name.contains("official")));
    scratch.write("job.toml", &format!("{HEAD}{SOURCES}{OFFICIAL}"));
    scratch.ok(&["run", "job.toml"]);
    let first = files(&scratch.path("out"));
    assert_ne!(
        first["change/guard_change_2010_2015_30m.tif"],
        without["change/guard_change_2010_2015_30m.tif"]
    );
    assert_eq!(
        first["landcover/guard_landcover_2015_30m.tif"],
        without["landcover/guard_landcover_2015_30m.tif"]
    );
    assert_eq!(first["tables/class_area.csv"], without["tables/class_area.csv"]);
    let status = scratch.ok(&["status", "job.toml"]).stdout;
    assert!(status.contains("outputs are in place"), "{status}");
    let south = Drawing { origin: (0.0, -30.0), ..Drawing::default() };
    south.draw::<u16>(&scratch.path("mx_change.tif"), &SOME);
    let status = scratch.ok(&["status", "job.toml"]).stdout;
    assert!(!status.contains("outputs are in place"), "{status}");
    scratch.ok(&["run", "job.toml"]);
    assert_ne!(files(&scratch.path("out")), first);
    scratch.write("job.toml", &format!("{HEAD}{SOURCES}"));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(files(&scratch.path("out")), without);
}

/// Makes checksums fit the files as they are now, so that only a deeper look finds what was altered.
fn reseal(out: &Path) {
    let sums: BTreeMap<String, String> =
        files(out).into_keys().map(|name| (name.clone(), sha256_file(&out.join(name)).unwrap())).collect();
    let lines: String = sums.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect();
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    manifest["outputs"] = serde_json::to_value(&sums).unwrap();
    std::fs::write(out.join("run.json"), manifest.to_string()).unwrap();
    std::fs::write(out.join("SHA256SUMS"), lines).unwrap();
}

fn write_table(path: &Path, header: &[&str], rows: &[Vec<String>]) {
    let mut writer = csv::Writer::from_path(path).unwrap();
    writer.write_record(header).unwrap();
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    writer.flush().unwrap();
}

/// Alters every number and every row of the tables that tell of change maps and rates; each must be found.
fn nothing_altered_passes(scratch: &Scratch) {
    static GDAL: std::sync::Once = std::sync::Once::new();
    GDAL.call_once(|| nalcms::io::gdal::init().unwrap());
    let out = scratch.path("out");
    let finds = |name: &str, what: &str| {
        reseal(&out);
        let report = nalcms::verify::verify(&out).unwrap();
        assert!(!report.agrees(), "{name}: {what}");
        assert!(report.text().contains(name), "{name}: {what}: {}", report.text());
    };
    for name in ["tables/official_disagreement.csv", "tables/annual_change.csv"] {
        let path = out.join(name);
        let table = Csv::read(&path);
        let (header, rows) = (table.columns(), &table.rows);
        for (column, title) in header.iter().enumerate() {
            let numeric = |row: &&Vec<String>| row[column].parse::<f64>().is_ok();
            let picks =
                [0, 1, 2].map(|nth| rows.iter().enumerate().filter(|(_, row)| numeric(row)).nth(nth * 3));
            for (pick, _) in picks.into_iter().flatten() {
                let mut altered = rows.clone();
                let cell = &mut altered[pick][column];
                *cell = match cell.parse::<i64>() {
                    Ok(n) => (n + 1).to_string(),
                    Err(_) => (cell.parse::<f64>().unwrap() * (1.0 + 1e-10)).to_string(),
                };
                write_table(&path, &header, &altered);
                finds(name, &format!("{title} of {:?}", altered[pick]));
            }
        }
        for at in [0, rows.len() / 2, rows.len() - 1] {
            let (mut fewer, mut more) = (rows.clone(), rows.clone());
            fewer.remove(at);
            more.insert(at, rows[at].clone());
            for altered in [fewer, more] {
                write_table(&path, &header, &altered);
                finds(name, &format!("row {at}"));
            }
        }
        write_table(&path, &header, rows);
    }
    reseal(&out);
    assert!(nalcms::verify::verify(&out).unwrap().agrees());
}

#[test]
fn verify_finds_any_number_and_any_row_that_is_altered() {
    let scratch = two_nations(&SOME);
    scratch.ok(&["run", "job.toml"]);
    nothing_altered_passes(&scratch);
}

#[test]
fn areas_of_cells_that_differ_are_added_up_and_verified() {
    let scratch = Scratch::new();
    let plane = "+proj=tmerc +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m";
    let drawing = Drawing { srs: Some(plane), cell: 1000.0, ..Drawing::default() };
    for year in [2010, 2015] {
        for (id, first, end) in [("n", 0, 20), ("s", 20, 45)] {
            let cell = |r: usize, c: usize| if (first..end).contains(&r) { class(year)(r, c) } else { 0 };
            drawing.plot(&scratch.path(&format!("{id}_{year}.tif")), 45, 60, cell);
        }
    }
    drawing.plot(
        &scratch.path("change.tif"),
        45,
        60,
        |r, c| if c < 40 { 105 } else { ((r + c) % 2) as u8 * 105 },
    );
    drawing.plot_as::<i32>(&scratch.path("bands.tif"), 45, 60, |r, c| ((r + c) / 30) as u8);
    let source = |id: &str, section: &str, date: &str| {
        format!(
            "[[source]]\nid = \"{id}\"\nsection = \"{section}\"\nlegend = \"nalcms\"\n[source.epochs]\n\
             2010 = {{ files = \"{id}_2010.tif\", date = \"{date}\" }}\n2015 = \"{id}_2015.tif\"\n"
        )
    };
    let text = format!(
        "name = \"guard\"\noutput = \"out\"\n[grid]\ncrs = \"{plane}\"\norigin = [0, 0]\ncell_size_m = 1000\nshape = [45, 60]\n\
         extent = \"full\"\n{}{}[[change.official]]\nsection = \"south\"\npair = [2010, 2015]\npath = \"change.tif\"\n\
         coding = \"from100to\"\n[[zones]]\nid = \"bands\"\npath = \"bands.tif\"\n",
        source("n", "north", "2009-06"),
        source("s", "south", "2011"),
    );
    scratch.write("job.toml", &text);
    scratch.ok(&["run", "job.toml"]);
    let table = scratch.csv("out/tables/official_disagreement.csv");
    let both = |r: usize, c: usize| class(2010)(r, c) != 0 && class(2015)(r, c) != 0;
    let south =
        (20..45).flat_map(|r| (0..60).map(move |c| (r, c))).filter(|(r, c)| both(*r, *c)).count() as u64;
    assert_eq!(table.sum("pixels", &[("zone_layer", "all")]), south);
    assert_eq!(table.sum("pixels", &[("zone_id", "south")]), south);
    let areas: f64 =
        table.select(&[("zone_layer", "all")]).iter().map(|row| row["area_m2"].parse::<f64>().unwrap()).sum();
    // A transverse Mercator projection is true to scale along its middle, and stretches to 1.00002 within 60 km.
    assert!((areas / (south as f64 * 1e6) - 1.0).abs() < 1e-4, "{areas}");
    scratch.ok(&["verify", "out"]);
    nothing_altered_passes(&scratch);
}
