//! Tables by coarser legends, from the same counts.

use crate::support::{Drawing, LAEA, Scratch};

const MINE: &str = "id = \"forest\"\ntitle = \"forest and the rest\"\nsource = \"this test\"\n\
    [[group]]\nid = \"forest\"\nname = { en = \"Forest\", fr = \"Forêt\" }\nmembers = [1, 2, 3, 4, 5, 6]\nstatus = \"proposed\"\n\
    [[group]]\nid = \"other\"\nname = { en = \"Other\" }\nmembers = [7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]\n\
    status = \"proposed\"\n";

/// Two years of 2 x 4 cells of 30 m; 5 to 1 and 9 to 10 stay within a group of level I or of the change groups.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    let map = Drawing { srs: Some(LAEA), origin: (0.0, 80.0), cell: 30.0, ..Drawing::default() };
    map.draw::<u8>(&scratch.path("a.tif"), &[&[1, 5, 5, 9], &[17, 15, 18, 0]]);
    map.draw::<u8>(&scratch.path("b.tif"), &[&[1, 1, 17, 10], &[17, 17, 18, 18]]);
    scratch.write("mine.toml", MINE);
    scratch.write(
        "job.toml",
        "name = \"job\"\noutput = \"out\"\nlanguage = \"fr\"\nrollups = [\"./mine.toml\"]\n[grid]\npreset = \"nalcms-30m\"\n\
         [[source]]\nid = \"a\"\nlegend = \"nalcms\"\nepochs = { 2010 = \"a.tif\", 2015 = \"b.tif\" }\n",
    );
    scratch
}

#[test]
fn groups_are_added_up_and_changes_within_one_are_none() {
    let scratch = scratch();
    scratch.ok(&["run", "job.toml"]);
    let areas = scratch.csv("out/tables/rollup_area.csv");
    let area = |rollup: &str, year: &str, code: &str| {
        areas.sum("pixels", &[("rollup", rollup), ("zone_layer", "all"), ("year", year), ("code", code)])
    };
    assert_eq!([area("forest", "2010", "forest"), area("forest", "2010", "other")], [3, 4]);
    assert_eq!([area("forest", "2015", "forest"), area("forest", "2015", "other")], [2, 6]);
    assert_eq!(area("level1", "2010", "herbaceous-grassland"), 1);
    assert_eq!(
        areas.value(
            "name",
            &[("rollup", "forest"), ("zone_layer", "all"), ("year", "2010"), ("code", "forest")]
        ),
        "Forêt"
    );
    assert_eq!(
        areas.value(
            "area_m2",
            &[("rollup", "forest"), ("zone_layer", "all"), ("year", "2010"), ("code", "forest")]
        ),
        "2700"
    );
    let matrix = scratch.csv("out/tables/rollup_matrix.csv");
    let moved = |rollup: &str, from: &str, to: &str| {
        matrix
            .sum("pixels", &[("rollup", rollup), ("zone_layer", "all"), ("from_code", from), ("to_code", to)])
    };
    // Valid in both years are seven cells: 1-1, 5-1, 5-17, 9-10, 17-17, 15-17, 18-18.
    assert_eq!([moved("forest", "forest", "forest"), moved("forest", "forest", "other")], [2, 1]);
    assert_eq!([moved("forest", "other", "forest"), moved("forest", "other", "other")], [0, 4]);
    assert_eq!(moved("level1", "herbaceous-grassland", "herbaceous-grassland"), 1);
    assert_eq!(moved("level1", "broadleaf-forest", "needleleaf-forest"), 1);
    // Both are one forest among the nine groups, and every roll-up holds the same cells.
    let all = |rollup: &str| matrix.sum("pixels", &[("rollup", rollup), ("zone_layer", "all")]);
    assert_eq!(["level1", "change-groups", "forest"].map(all), [7; 3]);
    // Every combination of groups has a row: 12 x 12, 9 x 9, 2 x 2.
    let rows = |rollup: &str| matrix.select(&[("rollup", rollup), ("zone_layer", "all")]).len();
    assert_eq!(["level1", "change-groups", "forest"].map(rows), [144, 81, 4]);
    let verified = scratch.ok(&["verify", "out"]);
    assert!(verified.stdout.contains("rows of 3 roll-ups compared"), "{}", verified.stdout);
    // The legend's table tells the groups of the job's own roll-up too.
    assert_eq!(scratch.csv("out/tables/classes.csv").value("forest", &[("code", "6")]), "Forêt");
}

#[test]
fn verify_finds_a_group_that_was_changed_or_left_out() {
    let scratch = scratch();
    scratch.ok(&["run", "job.toml"]);
    let path = scratch.path("out/tables/rollup_matrix.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("forest,all,all,,2010,2015,") && line.contains(",forest,Forêt,other,"))
        .unwrap();
    std::fs::write(&path, text.replace(line, &line.replacen(",1,900,", ",2,1800,", 1))).unwrap();
    let found = scratch.nalcms(&["verify", "out"]);
    assert_eq!(found.code, 1);
    assert!(found.stdout.contains("forest to other: 2 cells; expected 1"), "{}", found.stdout);
    std::fs::write(&path, text.replace(&format!("{line}\n"), "")).unwrap();
    assert!(scratch.nalcms(&["verify", "out"]).stdout.contains("forest to other: no row; expected 1 cells"));
    // All rows of a zone.
    let cut: String = text
        .lines()
        .filter(|line| !line.starts_with("level1,section"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(&path, cut).unwrap();
    assert!(scratch.nalcms(&["verify", "out"]).stdout.contains("level1, section `a`, [2010, 2015]: no row"));
}

#[test]
fn a_roll_up_that_does_not_fit_the_legend_is_refused_with_all_that_is_wrong() {
    let scratch = scratch();
    scratch.write("mine.toml", &MINE.replace("[1, 2, 3, 4, 5, 6]", "[1, 2, 3, 4, 5, 7, 77]"));
    scratch.nalcms(&["plan", "job.toml"]).refused(
        2,
        &[
            "roll-up forest: code 7 has 2 parents",
            "roll-up forest: member 77 is no class",
            "roll-up forest: code 6 is in no group",
        ],
    );
    scratch.write("mine.toml", &MINE.replacen("id = \"forest\"", "id = \"level1\"", 1));
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["two roll-ups have the id level1"]);
    std::fs::remove_file(scratch.path("mine.toml")).unwrap();
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["a roll-up file cannot be read", "mine.toml"]);
}
