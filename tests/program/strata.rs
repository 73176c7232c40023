//! Conditional rows on one stratum and on several, in polygons and rasters, on maps small enough to work out by hand; and
//! the promise that no way of working changes a byte.

use crate::support::{Drawing, LAEA, Run, Scratch, cells, patchy};

/// Rows on two strata, on either of them, and on none.
const CROSSWALK: &str = r#"
id = "test-nalcms"
from = "nlcd"
to = "nalcms"
source = "this test"
[[row]]
from = 41
strata = ["climate", "treeline"]
to = { "polar+*" = 2, "*+below" = 4, "polar+below" = 3, "tropical+above" = 5 }
default = 1
status = "proposed"
source = "this test"
[[row]]
from = 52
stratum = "treeline"
to = { above = 12, "*" = 8 }
default = 7
status = "proposed"
source = "this test"
[[row]]
from = 71
stratum = "climate"
to = { polar = 12, tropical = 9 }
status = "published"
source = "this test"
[[row]]
from = 11
to = 18
status = "published"
source = "this test"
"#;

const CLIMATE: &str = "[strata.climate]\npath = \"climate.geojson\"\nkey = \"zone\"\n";
const TREELINE: &str =
    "[strata.treeline]\npath = \"treeline.tif\"\nvalues = { 1 = \"above\", 2 = \"below\" }\n";
const TAKE_DEFAULT: &str = "missing_stratum = \"default\"\n";

/// A job on a grid of so many cells a side, with more keys of its source and more tables.
fn job(side: usize, source: &str, tables: &str) -> String {
    format!(
        "name = \"strata\"\noutput = \"out\"\n[grid]\ncrs = \"{LAEA}\"\norigin = [0, 0]\ncell_size_m = 30\n\
         shape = [{side}, {side}]\nextent = \"full\"\noutside_grid = \"drop\"\n[[source]]\nid = \"us\"\nlegend = \"nlcd\"\n\
         crosswalk = \"./test.toml\"\n{source}epochs = {{ 2010 = \"map.tif\" }}\n{tables}"
    )
}

/// Two climates, parted at a longitude.
fn halves(border: f64) -> String {
    let half = |west: f64, east: f64, zone: &str| {
        format!(
            r#"{{"type": "Feature", "properties": {{"zone": "{zone}"}}, "geometry": {{"type": "Polygon", "coordinates":
               [[[{west}, 40], [{east}, 40], [{east}, 50], [{west}, 50], [{west}, 40]]]}}}}"#
        )
    };
    let halves = [half(-110.0, border, "polar"), half(border, -90.0, "tropical")].join(",");
    format!(r#"{{"type": "FeatureCollection", "features": [{halves}]}}"#)
}

/// A map of 4 x 4 cells of 30 m; the west is polar, the east tropical; cells of 60 m lie above the treeline, below it, and
/// nowhere in the south-west.
fn small() -> Scratch {
    let scratch = Scratch::new();
    let map: [&[u8]; 4] = [&[41, 41, 41, 71], &[41, 52, 52, 41], &[41, 11, 41, 41], &[71, 41, 52, 41]];
    Drawing::default().draw(&scratch.path("map.tif"), &map);
    let treeline = Drawing { cell: 60.0, nodata: Some(0.0), ..Drawing::default() };
    treeline.draw::<i16>(&scratch.path("treeline.tif"), &[&[1, 2], &[0, 2]]);
    // 60 m east of the centre, 78.8 km to the degree.
    scratch.write("climate.geojson", &halves(-100.0 + 0.06 / 78.8));
    scratch.write("test.toml", CROSSWALK);
    scratch.write("job.toml", &job(4, TAKE_DEFAULT, &format!("{CLIMATE}{TREELINE}")));
    scratch
}

fn mosaic(scratch: &Scratch) -> Vec<i32> {
    cells(&scratch.path("out/landcover/strata_landcover_2010_30m.tif"))
}

const BY_HAND: [i32; 16] = [2, 2, 4, 9, 2, 12, 8, 4, 1, 18, 4, 4, 12, 1, 8, 4];

#[test]
fn sixteen_cells_by_hand() {
    let scratch = small();
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(mosaic(&scratch), BY_HAND);
    let rules = scratch.csv("out/tables/rule_coverage.csv");
    let pixels = |code: &str, stratum: &str, to: &str, default: &str| {
        let wanted = [("from_code", code), ("stratum", stratum), ("to_code", to), ("default_taken", default)];
        rules.value("pixels", &wanted)
    };
    assert_eq!(pixels("41", "polar+above", "2", "no"), "3");
    assert_eq!(pixels("41", "polar+below", "3", "no"), "0");
    assert_eq!(pixels("41", "tropical+above", "5", "no"), "0");
    assert_eq!(pixels("41", "tropical+below", "4", "no"), "5");
    assert_eq!(pixels("41", "", "1", "yes"), "2");
    assert_eq!(pixels("52", "above", "12", "no"), "1");
    assert_eq!(pixels("52", "below", "8", "no"), "2");
    assert_eq!(pixels("52", "", "7", "yes"), "0");
    assert_eq!(pixels("71", "polar", "12", "no"), "1");
    assert_eq!(pixels("71", "tropical", "9", "no"), "1");
    scratch.ok(&["verify", "out"]);
}

#[test]
fn plan_and_run_json_describe_the_layers() {
    let scratch = small();
    let plan = scratch.ok(&["plan", "job.toml"]).stdout;
    let line = |name: &str| plan.lines().find(|line| line.starts_with(&format!("stratum `{name}`"))).unwrap();
    assert!(line("climate").contains("2 polygons by `zone`"), "{plan}");
    for words in ["a raster of 2 x 2 int16", "0 is none", "nearest neighbour in the same CRS"] {
        assert!(line("treeline").contains(words), "{plan}");
    }
    scratch.ok(&["run", "job.toml"]);
    let text = std::fs::read_to_string(scratch.path("out/run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_str(&text).unwrap();
    let layer = |id: &str| run["layers"].as_array().unwrap().iter().find(|l| l["id"] == id).unwrap().clone();
    let treeline = layer("treeline");
    assert_eq!(treeline["values"], serde_json::json!({ "1": "above", "2": "below" }));
    assert_eq!((&treeline["kind"], &treeline["nodata"]), (&"stratum".into(), &0.0.into()));
    for id in ["climate", "treeline"] {
        assert_eq!(layer(id)["sha256"].as_str().unwrap().len(), 64, "{id}");
    }
}

#[test]
fn cells_without_a_value_of_one_stratum_are_told_unless_defaults_are_taken() {
    let scratch = small();
    scratch.write("job.toml", &job(4, "", &format!("{CLIMATE}{TREELINE}")));
    let run = scratch.nalcms(&["run", "job.toml"]);
    run.refused(3, &["41 (2 px): its conditional row finds no stratum there"]);
    // Its unconditional row and that on the climate need no treeline.
    for fine in ["11 (", "71 (", "52 ("] {
        assert!(!run.stderr.contains(fine), "{}", run.stderr);
    }
}

#[test]
fn rows_without_their_layer_are_refused_or_take_each_its_default() {
    let scratch = small();
    scratch.write("job.toml", &job(4, "", CLIMATE));
    scratch
        .nalcms(&["run", "job.toml"])
        .refused(3, &["codes 41, 52 depend on treeline", "[strata.treeline]"]);
    scratch.write("job.toml", &job(4, TAKE_DEFAULT, CLIMATE));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(mosaic(&scratch), [1, 1, 1, 9, 1, 7, 7, 1, 1, 18, 1, 1, 12, 1, 7, 1]);
}

#[test]
fn a_number_that_is_not_listed_is_told_with_its_cells_and_takes_no_default() {
    let scratch = small();
    let treeline = Drawing { cell: 60.0, ..Drawing::default() };
    treeline.draw::<i16>(&scratch.path("treeline.tif"), &[&[1, 2], &[7, 2]]);
    scratch.nalcms(&["run", "job.toml"]).refused(
        3,
        &["41 (2 px)", "treeline.tif: numbers that strata.treeline.values does not list: 7 (1 cells)"],
    );
    // Where no row asks for it, it does no harm.
    Drawing::default().draw::<u8>(&scratch.path("map.tif"), &[&[41, 41], &[41, 41], &[11, 71]]);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(mosaic(&scratch), [2, 2, 0, 0, 2, 2, 0, 0, 18, 12, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_combination_without_a_key_is_refused_before_the_run() {
    let scratch = small();
    scratch.write("test.toml", &CROSSWALK.replace(", \"tropical+above\" = 5", ""));
    let refused = |run: Run| {
        run.refused(
            3,
            &["strata.climate+treeline may hold `tropical+above`", "code 41", "`*` stands for any"],
        );
    };
    refused(scratch.nalcms(&["plan", "job.toml"]));
    refused(scratch.nalcms(&["run", "job.toml"]));
}

#[test]
fn keys_that_collide_are_refused_and_found_by_check() {
    let scratch = small();
    scratch.write("test.toml", &CROSSWALK.replace("\"polar+below\" = 3, ", ""));
    let words = "code 41: keys `*+below` and `polar+*` are as specific as each other and lead to different classes: add \
                 a key for `polar+below`";
    scratch.nalcms(&["run", "job.toml"]).refused(2, &[words]);
    let check = scratch.nalcms(&["crosswalk", "check", "./test.toml"]);
    assert_eq!(check.code, 1);
    assert!(check.stdout.contains(&format!("violation: {words}")), "{}", check.stdout);
    for (from, to, words) in [
        ("\"polar+*\" = 2", "\"polar\" = 2", "key `polar` is not of the form climate+treeline"),
        ("\"treeline\"]", "\"treeline\"]\nstratum = \"climate\"", "not both"),
        ("\"climate\", \"treeline\"]", "\"climate\", \"climate\"]", "names a stratum twice"),
        ("strata = [\"climate\", \"treeline\"]\n", "", "a row needs `stratum` exactly when"),
    ] {
        scratch.write("test.toml", &CROSSWALK.replace(from, to));
        scratch.nalcms(&["run", "job.toml"]).refused(2, &[words]);
    }
}

#[test]
fn what_a_layer_cannot_be_is_refused() {
    let scratch = small();
    let refused = |treeline: &str, code: i32, words: &str| {
        let text = format!("{CLIMATE}[strata.treeline]\npath = \"treeline.tif\"\n{treeline}\n");
        scratch.write("job.toml", &job(4, TAKE_DEFAULT, &text));
        scratch.nalcms(&["run", "job.toml"]).refused(code, &[words]);
    };
    refused("key = \"zone\"", 2, "strata.treeline: ");
    refused("", 2, "`values` is missing");
    refused("values = { high = \"above\" }", 2, "`high`, which is no whole number");
    refused("values = { 1 = \"above\", 2 = \"below\", 0 = \"below\" }", 3, "declares as nodata");
    refused("values = { 1 = \"above\", 2 = \"below\" }\nband = 2", 3, "there is no band 2");
    let real = Drawing { cell: 60.0, ..Drawing::default() };
    real.draw::<f32>(&scratch.path("treeline.tif"), &[&[1.0]]);
    refused("values = { 1 = \"above\", 2 = \"below\" }", 3, "must hold whole numbers");
    Drawing { srs: None, ..real }.draw::<u8>(&scratch.path("treeline.tif"), &[&[1]]);
    refused("values = { 1 = \"above\", 2 = \"below\" }", 3, "no CRS");
}

#[test]
fn a_changed_raster_and_changed_values_are_seen() {
    let scratch = small();
    scratch.ok(&["run", "job.toml"]);
    let done = |words: &str| {
        let status = scratch.nalcms(&["status", "job.toml"]);
        assert!(status.stdout.contains(words), "{}", status.stdout);
    };
    done("outputs are in place");
    let swapped = TREELINE.replace("1 = \"above\", 2 = \"below\"", "1 = \"below\", 2 = \"above\"");
    scratch.write("job.toml", &job(4, TAKE_DEFAULT, &format!("{CLIMATE}{swapped}")));
    done("stale");
    scratch.ok(&["run", "job.toml"]);
    // Above and below have changed places; nothing else has.
    assert_eq!(mosaic(&scratch), [3, 3, 5, 9, 3, 8, 12, 5, 1, 18, 5, 5, 12, 1, 12, 5]);
    let treeline = Drawing { cell: 60.0, nodata: Some(0.0), ..Drawing::default() };
    treeline.draw::<i16>(&scratch.path("treeline.tif"), &[&[2, 1], &[0, 1]]);
    done("stale");
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(mosaic(&scratch), BY_HAND);
}

#[test]
fn verbs_take_rasters_of_strata() {
    let scratch = small();
    let strata =
        ["--stratum", "climate=climate.geojson,zone", "--stratum", "treeline=treeline.tif,1=above,2=below"];
    let reclass =
        ["reclass", "map.tif", "-o", "new.tif", "--crosswalk", "./test.toml", "--missing-stratum", "default"];
    scratch.ok(&[&reclass[..], &strata].concat());
    assert_eq!(cells(&scratch.path("new.tif")), BY_HAND);
    let swapped = CROSSWALK.replace("\"*+below\" = 4", "\"*+below\" = 5");
    scratch.write("other.toml", &swapped.replace("\"test-nalcms\"", "\"other-nalcms\""));
    let diff = [
        "crosswalk",
        "diff",
        "./test.toml",
        "./other.toml",
        "--against",
        "map.tif",
        "--missing-stratum",
        "default",
    ];
    let text = scratch.ok(&[&diff[..], &strata].concat()).stdout;
    assert!(text.contains("all: 5 of 16 cells move"), "{text}");
    scratch
        .nalcms(&["reclass", "map.tif", "-o", "b.tif", "--crosswalk", "./test.toml", "--stratum", "x=t.tif"])
        .refused(2, &["1=VALUE"]);
}

#[test]
fn crosswalk_verbs_tell_of_rows_on_several_strata() {
    let scratch = small();
    let show = scratch.ok(&["crosswalk", "show", "./test.toml"]).stdout;
    for words in
        ["climate+treeline polar+*", "climate+treeline tropical+above", "no climate+treeline: default"]
    {
        assert!(show.contains(words), "{show}");
    }
    let json = scratch.ok(&["crosswalk", "show", "./test.toml", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rows"][0]["strata"], serde_json::json!(["climate", "treeline"]));
    assert_eq!(json["rows"][1]["strata"], serde_json::json!(["treeline"]));
    let unkeyed = CROSSWALK.replace("\"*\" = 8", "below = 8").replace(", \"tropical+above\" = 5", "");
    scratch.write("test.toml", &unkeyed);
    let check = scratch.nalcms(&["crosswalk", "check", "./test.toml", "--against", "map.tif"]).stdout;
    for words in [
        "depend on the stratum climate (polar, tropical): 41, 71",
        "depend on the stratum treeline (above, below): 41, 52",
        "remark: code 41: no key for climate+treeline tropical+above",
        "by climate+treeline",
    ] {
        assert!(check.contains(words), "`{words}` is missing in:\n{check}");
    }
}

/// Maps, treeline and climates in three CRSs. Of the grid's 3 x 3 blocks the north-western and the south-western lie in one
/// value of each stratum; borders run through the others.
fn three_crss<T: gdal::raster::GdalType + Copy + From<u8>>(cell: f64) -> Scratch {
    let scratch = Scratch::new();
    // UTM zone 14: the grid's corner, 45° N 100° W, lies at 421 km E, 4983 km N.
    let map =
        Drawing { srs: Some("EPSG:32614"), origin: (419_500.0, 4_984_500.0), cell, ..Drawing::default() };
    let side = (39_000.0 / cell) as usize;
    map.plot_as::<T>(&scratch.path("map.tif"), side, side, |r, c| {
        patchy(r * cell as usize / 30, c * cell as usize / 30, 5, &[41, 52, 71, 11, 41])
    });
    let degrees =
        Drawing { srs: Some("EPSG:4326"), origin: (-100.2, 45.1), cell: 0.001, ..Drawing::default() };
    let treeline = Drawing { nodata: Some(255.0), ..degrees };
    treeline.plot(&scratch.path("treeline.tif"), 600, 900, |r, c| match (r < 245, c < 420) {
        (true, true) => 1,
        (true, false) => 1 + u8::from((r ^ c) & 8 == 0),
        (false, true) => 2,
        (false, false) if r % 97 == 0 => 255,
        (false, false) => 2,
    });
    scratch.write("climate.geojson", &halves(-99.75));
    scratch.write("test.toml", CROSSWALK);
    scratch
}

fn sums(scratch: &Scratch, source: &str, compute: &str) -> String {
    let tables = format!("{CLIMATE}{TREELINE}[compute]\n{compute}\n");
    scratch.write("job.toml", &job(1200, &format!("{TAKE_DEFAULT}{source}"), &tables));
    scratch.ok(&["run", "job.toml", "--overwrite", "--quiet"]);
    // What no row decides proves nothing.
    let rules = scratch.csv("out/tables/rule_coverage.csv");
    for row in rules.select(&[]) {
        assert!(row["pixels"].parse::<u64>().unwrap() > 100, "{row:?}");
    }
    // Two defaults; four combinations, two values of each other stratum, and the row that is on none.
    assert_eq!(rules.rows.len(), 2 + 4 + 2 + 2 + 1);
    let sums = std::fs::read_to_string(scratch.path("out/SHA256SUMS")).unwrap();
    std::fs::remove_dir_all(scratch.path("out")).unwrap();
    sums
}

#[test]
fn no_way_of_working_changes_a_byte() {
    for (cell, source) in [(30.0, ""), (15.0, "resampling = \"mode\"\n")] {
        let bytes = three_crss::<u8>(cell);
        let first = sums(&bytes, source, "task_cells = 4096\nthreads = 1");
        assert_eq!(first, sums(&bytes, source, "task_cells = 512\nthreads = 2"));
        let codes = three_crss::<u16>(cell);
        assert_eq!(first, sums(&codes, source, "task_cells = 4096"));
        assert_eq!(first, sums(&codes, source, "task_cells = 512"));
    }
}

#[test]
fn a_stratum_in_a_raster_is_that_in_polygons_where_their_borders_are_the_same() {
    let scratch = Scratch::new();
    let map = Drawing { origin: (3_000.0, -3_000.0), ..Drawing::default() };
    map.plot(&scratch.path("map.tif"), 900, 900, |r, c| patchy(r, c, 9, &[41, 52, 71, 11]));
    // The west of -99.8 is polar, in a raster of longitudes and latitudes as in the polygons.
    let climate = Drawing { srs: Some("EPSG:4326"), origin: (-101.0, 46.0), cell: 0.1, ..Drawing::default() };
    climate.plot(&scratch.path("climate.tif"), 20, 30, |_, c| if c < 12 { 4 } else { 9 });
    scratch.write("climate.geojson", &halves(-99.8));
    let only_climate = CROSSWALK
        .replace("strata = [\"climate\", \"treeline\"]", "stratum = \"climate\"")
        .replace(
            "\"polar+*\" = 2, \"*+below\" = 4, \"polar+below\" = 3, \"tropical+above\" = 5",
            "polar = 2, \"*\" = 4",
        )
        .replace(
            "stratum = \"treeline\"\nto = { above = 12, \"*\" = 8 }",
            "stratum = \"climate\"\nto = { polar = 12, \"*\" = 8 }",
        );
    scratch.write("test.toml", &only_climate);
    let classes = |tables: &str| {
        scratch.write("job.toml", &job(1024, "", tables));
        scratch.ok(&["run", "job.toml", "--overwrite", "--quiet"]);
        mosaic(&scratch)
    };
    let polygons = classes(CLIMATE);
    let raster =
        classes("[strata.climate]\npath = \"climate.tif\"\nvalues = { 4 = \"polar\", 9 = \"tropical\" }\n");
    assert!(polygons.iter().filter(|class| **class == 2).count() > 10_000);
    assert!(polygons.iter().filter(|class| **class == 4).count() > 10_000);
    assert_eq!(polygons, raster);
}

#[test]
fn smaller_cells_vote_for_the_class_of_their_own_stratum() {
    let scratch = Scratch::new();
    scratch.write("test.toml", CROSSWALK);
    scratch.write("job.toml", &job(1, "missing_stratum = \"default\"\nresampling = \"mode\"\n", TREELINE));
    let vote = |map: [&[u8]; 3], treeline: [&[u8]; 3]| {
        // One cell of the grid, nine of the map.
        let ninth = Drawing { cell: 10.0, ..Drawing::default() };
        ninth.draw(&scratch.path("map.tif"), &map);
        ninth.draw(&scratch.path("treeline.tif"), &treeline);
        scratch.ok(&["run", "job.toml"]);
        mosaic(&scratch)
    };
    // Four for 12, two for 8, three for 18.
    let map: [&[u8]; 3] = [&[52, 52, 52], &[52, 52, 52], &[11, 11, 11]];
    assert_eq!(vote(map, [&[1, 1, 2], &[1, 1, 2], &[2, 2, 2]]), [12]);
    // Three for 12, two for 8, four for 18: of shrub there are more cells than of water.
    let map: [&[u8]; 3] = [&[52, 52, 11], &[52, 52, 52], &[11, 11, 11]];
    assert_eq!(vote(map, [&[1, 1, 2], &[1, 2, 2], &[2, 2, 2]]), [18]);
}
