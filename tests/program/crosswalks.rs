//! Crosswalks held against maps, and against each other.

use crate::support::{Drawing, LAEA, Scratch};
use serde_json::Value;

const LEGEND: &str = "id = \"mine\"\ntitle = \"mine\"\nsource = \"this test\"\nfill = 0\n";

fn class(code: i32) -> String {
    format!(
        "[[class]]\ncode = {code}\nname = {{ en = \"Class {code}\" }}\nstatus = \"published\"\nsource = \"this test\"\n"
    )
}

fn row(from: i32, to: &str, status: &str) -> String {
    format!("[[row]]\nfrom = {from}\nto = {to}\nstatus = \"{status}\"\nsource = \"this test\"\n")
}

fn crosswalk(id: &str, rows: &[String]) -> String {
    format!("id = \"{id}\"\nfrom = \"mine\"\nto = \"nalcms\"\nsource = \"this test\"\n{}", rows.concat())
}

/// A map of 2 x 4 cells of 30 m in classes 1 to 3; 0 is outside.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    let map = Drawing { srs: Some(LAEA), origin: (0.0, 80.0), cell: 30.0, ..Drawing::default() };
    map.draw::<u8>(&scratch.path("map.tif"), &[&[1, 1, 2, 2], &[1, 3, 3, 0]]);
    map.draw::<u8>(&scratch.path("zones.tif"), &[&[7, 7, 7, 8], &[7, 7, 8, 8]]);
    scratch.write("mine.toml", &(LEGEND.to_string() + &[1, 2, 3].map(class).concat()));
    scratch
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_moves_is_told_by_class_and_zone() {
    let scratch = scratch();
    let stays = row(1, "10", "published");
    scratch.write(
        "a.toml",
        &crosswalk("a", &[stays.clone(), row(2, "5", "proposed"), row(3, "18", "published")]),
    );
    scratch.write(
        "b.toml",
        &crosswalk("b", &[stays, row(2, "6", "proposed"), row(3, "\"nodata\"", "proposed")]),
    );
    let arguments =
        ["crosswalk", "diff", "./a.toml", "./b.toml", "--against", "map.tif", "--legend", "./mine.toml"];
    let told = json(&scratch.ok(&[&arguments[..], &["--zones", "zones.tif", "--json"]].concat()).stdout);
    let zone =
        |id: &str| told["zones"].as_array().unwrap().iter().find(|zone| zone["zone"] == id).unwrap().clone();
    let moves = |id: &str| -> Vec<(Value, Value, u64)> {
        let moves = zone(id)["moves"].as_array().unwrap().clone();
        moves
            .into_iter()
            .map(|m| (m["from"].clone(), m["to"].clone(), m["pixels"].as_u64().unwrap()))
            .collect()
    };
    // All: two cells 5 to 6, two cells 18 to nodata. Zone 7 has one of each: (0,2) is 2 and (1,1) is 3.
    let (five, six, water) = (Value::from(5), Value::from(6), Value::from(18));
    assert_eq!(moves("all"), [(five.clone(), six.clone(), 2), (water.clone(), Value::Null, 2)]);
    assert_eq!(moves("7"), [(five.clone(), six.clone(), 1), (water.clone(), Value::Null, 1)]);
    assert_eq!(moves("8"), [(five, six, 1), (water, Value::Null, 1)]);
    assert_eq!(zone("all")["cells"]["pixels"], 7);
    assert_eq!(zone("all")["moved"]["km2"], 4.0 * 900.0 / 1e6);
    let of_class = |class: i32| {
        let zone = zone("all");
        let class = zone["classes"].as_array().unwrap().iter().find(|c| c["class"] == class).unwrap();
        [class["a"]["pixels"].as_u64().unwrap(), class["b"]["pixels"].as_u64().unwrap()]
    };
    assert_eq!([of_class(10), of_class(5), of_class(6), of_class(18)], [[3, 3], [2, 0], [0, 2], [2, 0]]);
    let text = scratch.ok(&arguments).stdout;
    assert!(text.contains("all: 4 of 7 cells move (57.143 %), 0.004 km2"), "{text}");
    // Nothing is left behind.
    let mut left: Vec<_> =
        std::fs::read_dir(scratch.path(".")).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.toml", "b.toml", "map.tif", "mine.toml", "zones.tif"]);
}

#[test]
fn crosswalks_between_other_legends_cannot_be_compared() {
    let scratch = scratch();
    let refused = scratch.nalcms(&["crosswalk", "diff", "nlcd-nalcms", "cci-nalcms", "--against", "map.tif"]);
    refused.refused(2, &["do not join the same legends", "nlcd to nalcms; cci-nalcms: cci to nalcms"]);
}

#[test]
fn a_code_without_a_row_is_a_gap_and_a_row_without_a_code_is_told() {
    let scratch = scratch();
    let rows = [row(1, "10", "published"), row(2, "5", "proposed")];
    scratch.write("gap.toml", &crosswalk("gap", &rows));
    let check = |name: &str| {
        scratch.nalcms(&[
            "crosswalk",
            "check",
            name,
            "--legend",
            "./mine.toml",
            "--against",
            "map.tif",
            "--json",
        ])
    };
    let gap = check("./gap.toml");
    assert_eq!(gap.code, 1, "{}", gap.stderr);
    let told = &json(&gap.stdout)["against"];
    assert_eq!((told["cells"].as_u64(), told["cells_without_row"].as_u64()), (Some(8), Some(2)));
    let meets =
        |code: i32| told["codes"].as_array().unwrap().iter().find(|c| c["code"] == code).unwrap().clone();
    assert_eq!([0, 1, 2, 3].map(|code| meets(code)["meets"].clone()), ["nodata", "row", "row", "no row"]);
    assert_eq!([0, 1, 2, 3].map(|code| meets(code)["pixels"].as_u64().unwrap()), [1, 3, 2, 2]);
    // Two of seven cells with a class rest on a proposed row.
    assert!((told["proposed_percent"].as_f64().unwrap() - 200.0 / 7.0).abs() < 1e-9);
    // A legend with a class more, and a row for it that is never hit; all others are there.
    scratch.write("mine.toml", &(LEGEND.to_string() + &[1, 2, 3, 4].map(class).concat()));
    let all = [&rows[..], &[row(3, "18", "published"), row(4, "17", "published")]].concat();
    scratch.write("whole.toml", &crosswalk("whole", &all));
    let whole = check("./whole.toml");
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    assert_eq!(json(&whole.stdout)["against"]["never_hit"], serde_json::json!([4]));
    // A value that is neither a class nor nodata is a gap, too.
    scratch.write("mine.toml", &(LEGEND.to_string() + &[1, 2].map(class).concat()));
    let unknown = check("./gap.toml");
    assert_eq!(unknown.code, 1);
    let told = &json(&unknown.stdout)["against"];
    assert_eq!(
        told["codes"].as_array().unwrap().iter().find(|c| c["code"] == 3).unwrap()["meets"],
        "not in the legend"
    );
}

#[test]
fn a_release_rests_on_no_proposed_row_that_nobody_accepted() {
    let scratch = scratch();
    let rows = [row(1, "10", "published"), row(2, "5", "proposed"), row(3, "18", "proposed")];
    scratch.write("a.toml", &crosswalk("a", &rows));
    let job = |keys: &str| {
        let text = format!(
            "name = \"job\"\noutput = \"out\"\n{keys}\n[grid]\npreset = \"nalcms-30m\"\n[[source]]\nid = \"s\"\n\
             legend = \"./mine.toml\"\ncrosswalk = \"./a.toml\"\nepochs = {{ 2010 = \"map.tif\" }}\n"
        );
        scratch.write("job.toml", &text);
    };
    job("");
    let refused = scratch.nalcms(&["run", "job.toml", "--release"]);
    refused.refused(
        3,
        &["2 proposed rows", "a:2 (Class 2): 2 cells", "a:3 (Class 3): 2 cells", "accept_proposed"],
    );
    assert!(!scratch.path("out/landcover").exists() && !scratch.path("out/SHA256SUMS").exists());
    // One of them accepted is not enough; merge says the same, and a run that is no release takes all.
    job("accept_proposed = [\"a:3\"]");
    scratch.nalcms(&["merge", "job.toml", "--release"]).refused(3, &["1 proposed rows", "a:2"]);
    scratch.ok(&["run", "job.toml"]);
    // What lies there already is no release either.
    scratch.nalcms(&["run", "job.toml", "--release"]).refused(3, &["a:2"]);
    for accepted in ["[\"a:2\", \"a:3\"]", "[\"a\"]"] {
        job(&format!("accept_proposed = {accepted}"));
        scratch.ok(&["run", "job.toml", "--release"]);
        let run = json(&std::fs::read_to_string(scratch.path("out/run.json")).unwrap());
        assert_eq!(run["job"]["release"], true);
    }
    scratch.ok(&["verify", "out"]);
    // A row that is proposed but never hit asks for nothing; a name that is none is refused.
    let map = Drawing { srs: Some(LAEA), origin: (0.0, 80.0), cell: 30.0, ..Drawing::default() };
    map.draw::<u8>(&scratch.path("map.tif"), &[&[1, 1, 1, 1], &[1, 1, 1, 0]]);
    job("");
    scratch.ok(&["run", "job.toml", "--release"]);
    job("accept_proposed = [\"b\", \"a:1\", \"a:x\"]");
    scratch.nalcms(&["plan", "job.toml"]).refused(
        2,
        &[
            "`b` is no crosswalk of the job, which has a",
            "`a:1` names no proposed row",
            "`a:x` names no proposed row",
        ],
    );
}

/// What classes and rules are called changes tables, and no cell.
#[test]
fn other_words_redo_the_tables_and_no_task() {
    let scratch = scratch();
    let rows = [(1, "10"), (2, "5"), (3, "18")].map(|(from, to)| row(from, to, "published"));
    scratch.write("a.toml", &crosswalk("a", &rows));
    scratch.write(
        "job.toml",
        "name = \"w\"\noutput = \"out\"\n[grid]\npreset = \"nalcms-30m\"\n[[source]]\nid = \"s\"\nlegend = \"./mine.toml\"\n\
         crosswalk = \"./a.toml\"\n[source.epochs]\n2010 = \"map.tif\"\n",
    );
    let run = |done: &str| {
        let told = scratch.ok(&["run", "job.toml"]).stdout;
        assert!(told.contains(done), "{told}");
        scratch.ok(&["verify", "out"]);
    };
    let called = |column: &str| {
        scratch.csv("out/tables/rule_coverage.csv").value(column, &[("year", "2010"), ("from_code", "2")])
    };
    run("1 of 1 tasks computed");
    assert_eq!((called("from_name"), called("crosswalk")), ("Class 2".into(), "a".into()));
    let renamed = std::fs::read_to_string(scratch.path("mine.toml")).unwrap().replace("Class 2", "Bog");
    scratch.write("mine.toml", &renamed);
    run("0 of 1 tasks computed");
    assert_eq!(called("from_name"), "Bog");
    scratch.write("a.toml", &crosswalk("b", &rows));
    run("0 of 1 tasks computed");
    assert_eq!(called("crosswalk"), "b");
}
