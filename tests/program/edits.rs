//! Edits by interpreters: what they change, what they leave alone, what is redone for them, and what contradicts itself.

use std::collections::BTreeMap;

use crate::support::{Csv, Drawing, Run, Scratch, cells, patchy};

const ROWS: usize = 1100;
const COLS: usize = 1300;
const YEARS: [i32; 2] = [2010, 2015];

/// A GeoJSON layer of rings on the cells' own lattice: row and column of each corner; EPSG:5070, 30 m from (0, 0) on.
fn rings(rings: &[&[(f64, f64)]]) -> String {
    let ring = |ring: &&[(f64, f64)]| {
        let points = ring.iter().chain(&ring[..1]);
        let points: Vec<String> =
            points.map(|(row, col)| format!("[{}, {}]", col * 30.0, row * -30.0)).collect();
        format!(
            r#"{{"type": "Feature", "properties": {{}}, "geometry": {{"type": "Polygon", "coordinates": [[{}]]}}}}"#,
            points.join(", ")
        )
    };
    let features: Vec<String> = rings.iter().map(ring).collect();
    let crs = r#"{"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::5070"}}"#;
    format!(r#"{{"type": "FeatureCollection", "crs": {crs}, "features": [{}]}}"#, features.join(","))
}

/// A rectangle of cells: first row and column, last + 1.
type Cells = (usize, usize, usize, usize);

fn ring((row, col, row_end, col_end): Cells) -> [(f64, f64); 4] {
    let (r, c, r_end, c_end) = (row as f64, col as f64, row_end as f64, col_end as f64);
    [(r, c), (r, c_end), (r_end, c_end), (r_end, c)]
}

fn rectangles(wanted: &[Cells]) -> String {
    let corners: Vec<_> = wanted.iter().map(|cells| ring(*cells)).collect();
    rings(&corners.iter().map(<[(f64, f64); 4]>::as_slice).collect::<Vec<_>>())
}

fn lies_in((row, col, row_end, col_end): Cells, r: usize, c: usize) -> bool {
    (row..row_end).contains(&r) && (col..col_end).contains(&c)
}

/// North: codes of the product, 0 where nothing is mapped; columns 0 to 699.
fn north(year: i32, row: usize, col: usize) -> u8 {
    match (row * 13 + col * 7 + year as usize) % 23 {
        0 => 0,
        _ if (row / 40 + col / 40 + year as usize / 5).is_multiple_of(5) => 15,
        _ => patchy(row, col, 3, &[1, 5, 8, 10, 15]),
    }
}

/// South: codes of MAD-Mex; 98 is shadow, mapped but not seen; columns 600 to 1299, under the north.
fn south(year: i32, row: usize, col: usize) -> u8 {
    match (row * 5 + col * 3 + year as usize) % 19 {
        0 => 98,
        1 if row < 300 => 0,
        _ => patchy(row, col, 4 + year as u64, &[1, 2, 6, 28]),
    }
}

/// What becomes of MAD-Mex by the crosswalk that ships; `None` is no class.
fn translated(code: u8) -> Option<i32> {
    match code {
        1 => Some(1),
        2 => Some(5),
        6 => Some(8),
        28 => Some(15),
        _ => None,
    }
}

/// The mosaic before edits: outer `None` where no source decides, inner where one decides without a class.
fn mosaic(year: i32, row: usize, col: usize) -> Option<Option<i32>> {
    if col < 700 && north(year, row, col) != 0 {
        return Some(Some(north(year, row, col).into()));
    }
    (col >= 600 && south(year, row, col) != 0).then(|| translated(south(year, row, col)))
}

const JOB: &str = r#"
name = "m"
output = "out"
[grid]
crs = "EPSG:5070"
origin = [0, 0]
cell_size_m = 30
shape = [1100, 1300]
extent = "full"
[[source]]
id = "north"
country = "CA"
legend = "nalcms"
priority = 5
epochs = { 2010 = "north_2010.tif", 2015 = "north_2015.tif" }
[[source]]
id = "south"
legend = "madmex"
epochs = { 2010 = "south_2010.tif", 2015 = "south_2015.tif" }
[[zones]]
id = "halves"
path = "halves.geojson"
key = "half"
[compute]
task_cells = 512
"#;

const ICE: [Cells; 2] = [(90, 480, 140, 700), (120, 600, 200, 650)];
/// Corners of a triangle; its edges miss the centres of cells.
const CLOUDS: [(f64, f64); 3] = [(250.2, 560.3), (250.2, 1000.3), (690.2, 560.3)];
/// Upper left cell of the raster, and its shape.
const CROPS: Cells = (700, 100, 900, 1250);

fn crop(row: usize, col: usize) -> i16 {
    match (row / 3 + col / 5) % 4 {
        0 => 0,
        1 => -1,
        n => n as i16,
    }
}

const EDITS: &str = r#"
[[edits]]
id = "ice"
path = "ice.geojson"
from_code = "*"
to_code = 19
epochs = [2015]
author = "A. Interpreter"
date = "2026-05-01"
reason = "ice, mapped as \"forest\""
[[edits]]
id = "clouds"
path = "clouds.geojson"
from_code = "nodata"
to_code = 15
epochs = "all"
author = "B. Interpreter"
date = "2026-05-02"
reason = "cropland under clouds"
[[edits]]
id = "crops"
path = "crops.tif"
from_code = 15
to_code = 17
epochs = [2010]
author = "B. Interpreter"
date = "2026-05-03"
reason = "sealed"
"#;

/// The name of an edit, whether it means a cell of a class, and the class that it gives.
type EditOfCell = (&'static str, fn(Option<i32>) -> bool, i32);

/// Which edit holds a cell in a year.
fn edit_of(year: i32, row: usize, col: usize) -> Option<EditOfCell> {
    let in_triangle = {
        // Right of the left edge, below the upper one, and on the near side of the slope at 45 degrees.
        let (r, c) = (row as f64 + 0.5, col as f64 + 0.5);
        r > CLOUDS[0].0 && c > CLOUDS[0].1 && (r - CLOUDS[0].0) + (c - CLOUDS[0].1) < 440.0
    };
    if year == 2015 && ICE.iter().any(|cells| lies_in(*cells, row, col)) {
        return Some(("ice", |class| class.is_some(), 19));
    }
    if in_triangle {
        return Some(("clouds", |class| class.is_none(), 15));
    }
    if year == 2010 && lies_in(CROPS, row, col) && crop(row - CROPS.0, col - CROPS.1) > 0 {
        return Some(("crops", |class| class == Some(15), 17));
    }
    None
}

fn edited(year: i32, row: usize, col: usize) -> Option<i32> {
    match (mosaic(year, row, col), edit_of(year, row, col)) {
        (Some(class), Some((_, means, to))) if means(class) => Some(to),
        (class, _) => class.flatten(),
    }
}

fn places() -> impl Iterator<Item = (usize, usize)> {
    (0..ROWS).flat_map(|row| (0..COLS).map(move |col| (row, col)))
}

/// The maps, and the layers of edits.
fn maps() -> Scratch {
    let scratch = Scratch::new();
    let at = |col: usize| Drawing {
        srs: Some("EPSG:5070"),
        origin: (col as f64 * 30.0, 0.0),
        options: &["TILED=YES", "COMPRESS=DEFLATE"],
        ..Drawing::default()
    };
    for year in YEARS {
        let path = |name: &str| scratch.path(&format!("{name}_{year}.tif"));
        at(0).plot(&path("north"), ROWS, 700, |r, c| north(year, r, c));
        at(600).plot(&path("south"), ROWS, 700, |r, c| south(year, r, c + 600));
    }
    let half = |name: &str, cells: Cells| {
        rectangles(&[cells])
            .replace("\"properties\": {}", &format!("\"properties\": {{\"half\": \"{name}\"}}"))
    };
    scratch.write("halves.geojson", &half("upper", (0, 0, 550, COLS)));
    scratch.write("ice.geojson", &rectangles(&ICE));
    scratch.write("clouds.geojson", &rings(&[&CLOUDS]));
    draw_crops(&scratch, crop);
    scratch.write("job.toml", &format!("{JOB}{EDITS}"));
    scratch
}

fn draw_crops(scratch: &Scratch, value: fn(usize, usize) -> i16) {
    let origin = (CROPS.1 as f64 * 30.0, CROPS.0 as f64 * -30.0);
    let drawing = Drawing { srs: Some("EPSG:5070"), origin, nodata: Some(-1.0), ..Drawing::default() };
    let (rows, cols) = (CROPS.2 - CROPS.0, CROPS.3 - CROPS.1);
    let values: Vec<i16> = (0..rows).flat_map(|r| (0..cols).map(move |c| value(r, c))).collect();
    drawing.draw::<i16>(&scratch.path("crops.tif"), &values.chunks(cols).collect::<Vec<_>>());
}

fn sums(scratch: &Scratch, output: &str) -> String {
    std::fs::read_to_string(scratch.path(&format!("{output}/SHA256SUMS"))).unwrap()
}

fn write_job(scratch: &Scratch, name: &str, text: &str) {
    let text = text.replace("output = \"out\"", &format!("output = \"{name}\""));
    scratch.write(&format!("{name}.toml"), &text);
}

/// Tasks that are not done: how many, and the edits that come near each.
fn open_tasks(scratch: &Scratch, job: &str) -> (u64, Vec<Vec<String>>) {
    let run: Run = scratch.ok(&["status", job, "--json"]);
    let status: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let names = |task: &serde_json::Value| {
        let edits = task["edits"].as_array().cloned().unwrap_or_default();
        edits.iter().map(|id| id.as_str().unwrap().to_string()).collect()
    };
    let open = status["open"].as_array().unwrap();
    assert_eq!(status["stale"].as_u64().unwrap(), open.len() as u64);
    (open.len() as u64, open.iter().map(names).collect())
}

#[test]
fn maps_and_tables_are_those_worked_out_from_the_polygons() {
    let scratch = maps();
    scratch.ok(&["run", "job.toml"]);
    type Row = (String, i32, Option<i32>, Option<i32>);
    let mut expected: BTreeMap<Row, u64> = BTreeMap::new();
    let mut areas: BTreeMap<(i32, &str, i32), u64> = BTreeMap::new();
    for year in YEARS {
        let map = cells(&scratch.path(&format!("out/landcover/m_landcover_{year}_30m.tif")));
        for ((row, col), found) in places().zip(map) {
            let after = edited(year, row, col);
            assert_eq!(found, after.unwrap_or(0), "{year}, row {row}, column {col}");
            let before = mosaic(year, row, col);
            if let Some((edit, ..)) = edit_of(year, row, col) {
                *expected.entry((edit.into(), year, before.flatten(), after)).or_default() += 1;
            }
            // The deciding source stays, and with it the section.
            let section = if col < 700 && north(year, row, col) != 0 { "north" } else { "south" };
            if let Some(class) = after {
                *areas.entry((year, section, class)).or_default() += 1;
            }
        }
    }
    let table = scratch.csv("out/tables/edits.csv");
    let code = |text: &str| (!text.is_empty()).then(|| text.parse::<i32>().unwrap());
    let mut found: BTreeMap<Row, u64> = BTreeMap::new();
    for row in table.select(&[]) {
        let (before, after) = (code(&row["before_code"]), code(&row["after_code"]));
        assert_eq!(row["edited"], if before == after { "no" } else { "yes" });
        let pixels: u64 = row["pixels"].parse().unwrap();
        assert_eq!(row["area_m2"].parse::<f64>().unwrap(), 900.0 * pixels as f64);
        let key = (row["edit"].clone(), row["year"].parse().unwrap(), before, after);
        assert!(found.insert(key, pixels).is_none());
    }
    assert_eq!(found, expected);
    // Every kind of cell was met: edited, meant by none, decided by nobody.
    assert!(found.contains_key(&("clouds".into(), 2010, None, Some(15))));
    assert!(found.contains_key(&("clouds".into(), 2010, None, None)));
    assert!(found.contains_key(&("ice".into(), 2015, None, None)));
    assert!(!found.keys().any(|(edit, year, ..)| edit == "ice" && *year == 2010));
    assert_eq!(
        table.value("before_name", &[("edit", "crops"), ("before_code", "15"), ("after_code", "17")]),
        "Cropland"
    );
    let area = scratch.csv("out/tables/class_area.csv");
    for ((year, section, class), cells) in areas {
        let wanted = [
            ("zone_layer", "section"),
            ("zone_id", section),
            ("year", &year.to_string()),
            ("code", &class.to_string()),
        ];
        assert_eq!(area.value("pixels", &wanted), cells.to_string());
    }
    // Changes are between the maps as edited.
    let change = cells(&scratch.path("out/change/m_change_2010_2015_30m.tif"));
    for ((row, col), found) in places().zip(change) {
        let code = match YEARS.map(|year| edited(year, row, col)) {
            [Some(from), Some(to)] if from == to => 0,
            [Some(from), Some(to)] => from * 100 + to,
            _ => 65_535,
        };
        assert_eq!(found, code, "row {row}, column {col}");
    }
    let layers = scratch.csv("out/tables/edit_layers.csv");
    assert_eq!(
        layers.rows[0],
        [
            "ice",
            "*",
            "",
            "19",
            "Snow and ice",
            "2015",
            "A. Interpreter",
            "2026-05-01",
            "ice, mapped as \"forest\""
        ]
    );
    assert_eq!(layers.rows[1][..6], ["clouds", "nodata", "", "15", "Cropland", "2010 2015"]);
    let run: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(scratch.path("out/run.json")).unwrap()).unwrap();
    let layer = run["layers"].as_array().unwrap().iter().find(|layer| layer["id"] == "crops").unwrap();
    assert_eq!((&layer["kind"], layer["sha256"].as_str().unwrap().len()), (&"edit".into(), 64));
    scratch.ok(&["verify", "out"]);
    let plan = scratch.ok(&["plan", "job.toml"]).stdout;
    assert!(plan.contains("edit `ice`: * to 19 in 2015, by A. Interpreter on 2026-05-01"), "{plan}");
}

#[test]
fn rules_and_overlaps_tell_what_the_sources_said() {
    let scratch = maps();
    scratch.ok(&["run", "job.toml"]);
    write_job(&scratch, "plain", JOB);
    scratch.ok(&["run", "plain.toml"]);
    for name in ["rule_coverage", "overlap_disagreement"] {
        let read =
            |out: &str| std::fs::read_to_string(scratch.path(&format!("{out}/tables/{name}.csv"))).unwrap();
        assert_eq!(read("out"), read("plain"), "{name}");
    }
    assert!(!scratch.path("plain/tables/edits.csv").exists());
}

#[test]
fn bytes_do_not_depend_on_tasks_or_threads() {
    let scratch = maps();
    scratch.ok(&["run", "job.toml"]);
    for (name, cells, threads) in [("b", 1024, "2"), ("c", 4096, "1")] {
        let text = format!("{JOB}{EDITS}").replace("task_cells = 512", &format!("task_cells = {cells}"));
        write_job(&scratch, name, &text);
        scratch.ok(&["run", &format!("{name}.toml"), "--threads", threads]);
        assert_eq!(sums(&scratch, "out"), sums(&scratch, name), "task_cells {cells}");
    }
}

#[test]
fn an_edit_redoes_the_tasks_that_it_touches_and_undoing_it_gives_back_the_bytes() {
    let scratch = maps();
    scratch.write("job.toml", JOB);
    scratch.ok(&["run", "job.toml"]);
    let plain = sums(&scratch, "out");
    // Three rows of three tasks: the ice lies in the first two of the first row.
    let ice = EDITS.split("[[edits]]").nth(1).map(|text| format!("[[edits]]{text}")).unwrap();
    scratch.write("job.toml", &format!("{JOB}{ice}"));
    let ice_near = vec![vec!["ice".to_string()]; 2];
    assert_eq!(open_tasks(&scratch, "job.toml"), (2, ice_near));
    let said = scratch.ok(&["status", "job.toml"]).stdout;
    assert!(said.contains("2 stale") && said.contains("the edit `ice` is new (2 tasks)"), "{said}");
    scratch.ok(&["run", "job.toml"]);
    let with_ice = sums(&scratch, "out");
    assert_ne!(plain, with_ice);

    // Another entry, before the first: the clouds touch the tasks in columns 2 of rows 1 and 2.
    let clouds = EDITS.split("[[edits]]").nth(2).map(|text| format!("[[edits]]{text}")).unwrap();
    scratch.write("job.toml", &format!("{JOB}{clouds}{ice}"));
    let both = open_tasks(&scratch, "job.toml");
    assert_eq!(both, (2, vec![vec!["clouds".to_string(), "ice".to_string()], vec!["clouds".to_string()]]));
    scratch.ok(&["run", "job.toml"]);
    let with_both = sums(&scratch, "out");

    // One polygon more in one file: the task under it, and no other.
    scratch.write("ice.geojson", &rectangles(&[ICE[0], ICE[1], (1050, 1100, 1060, 1110)]));
    assert_eq!(open_tasks(&scratch, "job.toml"), (1, vec![vec!["ice".to_string()]]));
    scratch.ok(&["run", "job.toml"]);
    assert_ne!(with_both, sums(&scratch, "out"));
    scratch.write("ice.geojson", &rectangles(&ICE));
    assert_eq!(open_tasks(&scratch, "job.toml").0, 1);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(with_both, sums(&scratch, "out"));

    // Who edited why redoes no task, and is told all the same.
    scratch.write("job.toml", &format!("{JOB}{clouds}{ice}").replace("A. Interpreter", "C. Interpreter"));
    assert_eq!(open_tasks(&scratch, "job.toml").0, 0);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(scratch.csv("out/tables/edit_layers.csv").rows[1][6], "C. Interpreter");

    scratch.write("job.toml", &format!("{JOB}{ice}"));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(with_ice, sums(&scratch, "out"));
    scratch.write("job.toml", JOB);
    assert_eq!(open_tasks(&scratch, "job.toml").0, 2);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(plain, sums(&scratch, "out"));
}

#[test]
fn a_raster_of_edits_redoes_the_tasks_that_it_covers() {
    let scratch = maps();
    scratch.ok(&["run", "job.toml"]);
    let before = sums(&scratch, "out");
    // Rows 700 to 899 lie in the second row of tasks, columns 100 to 1249 in all three.
    draw_crops(&scratch, |row, col| i16::from(row == 0 && col == 0));
    assert_eq!(open_tasks(&scratch, "job.toml").0, 3);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(scratch.csv("out/tables/edits.csv").sum("pixels", &[("edit", "crops")]), 1);
    draw_crops(&scratch, crop);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(before, sums(&scratch, "out"));
}

#[test]
fn two_edits_of_one_cell_in_one_year_are_refused_with_the_place() {
    let scratch = maps();
    // 10 x 20 cells of the ice, 30 x 5 of a second rectangle that lies under nothing else, in two tasks.
    scratch.write("more.geojson", &rectangles(&[(130, 680, 300, 720), (100, 495, 110, 515)]));
    let more = |from: &str, epochs: &str| {
        format!(
            "{JOB}{EDITS}[[edits]]\nid = \"more\"\npath = \"more.geojson\"\nfrom_code = {from}\nto_code = 1\n\
             epochs = {epochs}\nauthor = \"C\"\ndate = \"2026-05-04\"\nreason = \"r\"\n"
        )
    };
    scratch.write("job.toml", &more("\"nodata\"", "[2010, 2015]"));
    let run = scratch.nalcms(&["run", "job.toml"]);
    // Rows 130 to 139, columns 680 to 699, and rows 100 to 109, columns 495 to 514; the triangle holds more of it.
    run.refused(
        3,
        &[
            "edits contradict each other",
            "`ice`",
            "`more`",
            "ice.geojson",
            "more.geojson",
            "400 cells in 2015, the first at row 100, column 495 (x 14865, y -3015)",
            "`clouds`",
        ],
    );
    let in_triangle = places()
        .filter(|(row, col)| lies_in((130, 680, 300, 720), *row, *col))
        .filter(|(row, col)| edit_of(2010, *row, *col).is_some_and(|(name, ..)| name == "clouds"))
        .count();
    assert!(in_triangle > 0);
    assert!(run.stderr.contains(&format!("{in_triangle} cells in 2010, 2015")), "{}", run.stderr);
    let plan = scratch.nalcms(&["plan", "job.toml"]);
    assert!(
        plan.code == 1 && plan.stdout.contains("run will refuse this: edits contradict"),
        "{}",
        plan.stdout
    );
    assert!(!scratch.path("out/landcover").exists());
    // In another year they do not meet, and polygons of one layer may overlap: the ice does.
    scratch.write("more.geojson", &rectangles(&[(100, 495, 110, 515)]));
    scratch.write("job.toml", &more("\"*\"", "[2010]"));
    scratch.ok(&["run", "job.toml"]);
}

#[test]
fn edits_that_find_nothing_to_edit_are_told() {
    let scratch = maps();
    scratch.write("ice.geojson", &rectangles(&[(5000, 5000, 5100, 5100)]));
    scratch.write("job.toml", &format!("{JOB}{EDITS}").replace("from_code = 15", "from_code = 19"));
    let said = scratch.ok(&["run", "job.toml"]).stderr;
    assert!(said.contains("edit `ice`: holds no cell of the grid"), "{said}");
    assert!(said.contains("edit `crops`: edited nothing"), "{said}");
    assert!(!said.contains("edit `clouds`"), "{said}");
    scratch.ok(&["verify", "out"]);
}

#[test]
fn what_an_edit_cannot_say_is_refused() {
    let scratch = maps();
    let refused = |from: &str, to: &str, code: i32, words: &[&str]| {
        let text = format!("{JOB}{EDITS}").replacen(from, to, 1);
        assert!(!text.contains(from) || to.contains(from), "{from}");
        scratch.write("bad.toml", &text);
        scratch.nalcms(&["run", "bad.toml"]).refused(code, words);
    };
    refused("to_code = 19", "to_code = 20", 2, &["edits `ice`: to_code 20 is no class of legend `nalcms`"]);
    refused("from_code = 15", "from_code = \"any\"", 2, &["`any` is no class code"]);
    refused("\"2026-05-01\"", "\"2026-13-01\"", 2, &["edits `ice`: date `2026-13-01` is no day"]);
    refused("\"ice.geojson\"", "\"gone.geojson\"", 3, &["gone.geojson"]);
    refused("reason = \"sealed\"", "reazon = \"sealed\"", 2, &["did you mean `reason`?"]);
}

#[test]
fn any_number_that_is_altered_in_the_tables_of_edits_is_found() {
    let scratch = maps();
    // With a tenth of the rows and columns, as every number is altered in turn.
    let cell = Drawing { srs: Some("EPSG:5070"), cell: 300.0, ..Drawing::default() };
    let east = Drawing { origin: (18_000.0, 0.0), ..cell };
    for year in YEARS {
        let path = |name: &str| scratch.path(&format!("{name}_{year}.tif"));
        cell.plot(&path("north"), 110, 70, |r, c| north(year, r, c));
        east.plot(&path("south"), 110, 70, |r, c| south(year, r, c + 60));
    }
    let job = format!("{JOB}{EDITS}").replace("cell_size_m = 30", "cell_size_m = 300");
    scratch.write("job.toml", &job.replace("[1100, 1300]", "[110, 130]"));
    scratch.ok(&["run", "job.toml"]);
    for name in ["tables/edits.csv", "tables/edit_layers.csv"] {
        crate::support::assert_altered_is_found(&scratch.path("out"), name);
    }
}

#[test]
fn areas_are_added_up_where_cells_differ() {
    let scratch = Scratch::new();
    let degrees =
        Drawing { srs: Some("EPSG:4326"), origin: (-100.0, 50.0), cell: 0.01, ..Drawing::default() };
    for year in YEARS {
        degrees.plot(&scratch.path(&format!("a_{year}.tif")), 600, 700, |r, c| {
            patchy(r, c, year as u64, &[1, 5, 15])
        });
    }
    let square = r#"{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry":
        {"type": "Polygon", "coordinates": [[[-99.5, 49.5], [-94.0, 49.5], [-94.0, 44.5], [-99.5, 49.5]]]}}]}"#;
    scratch.write("ice.geojson", square);
    scratch.write(
        "job.toml",
        r#"
name = "m"
output = "out"
[grid]
crs = "+proj=eqc +datum=WGS84 +units=m"
origin = [-11200000, 5600000]
cell_size_m = 1000
shape = [800, 900]
[[source]]
id = "a"
legend = "nalcms"
epochs = { 2010 = "a_2010.tif", 2015 = "a_2015.tif" }
[[edits]]
id = "ice"
path = "ice.geojson"
from_code = "*"
to_code = 19
epochs = [2015]
author = "A"
date = "2026-05-01"
reason = "r"
"#,
    );
    scratch.ok(&["run", "job.toml"]);
    let (edits, area): (Csv, Csv) =
        (scratch.csv("out/tables/edits.csv"), scratch.csv("out/tables/class_area.csv"));
    // Nothing else makes ice: cells and areas after the edit are those of the class.
    let rows = edits.select(&[("after_code", "19")]);
    assert_eq!(rows.len(), 3);
    let m2: f64 = rows.iter().map(|row| row["area_m2"].parse::<f64>().unwrap()).sum();
    let ice = [("zone_layer", "all"), ("year", "2015"), ("code", "19")];
    let whole: f64 = area.value("area_m2", &ice).parse().unwrap();
    assert!((m2 / whole - 1.0).abs() < 1e-12 && m2 > 1e9, "{m2} {whole}");
    assert_eq!(edits.sum("pixels", &[("after_code", "19")]).to_string(), area.value("pixels", &ice));
    scratch.ok(&["verify", "out"]);
}

#[test]
fn what_is_edited_is_wholly_its_class_in_fractions() {
    let scratch = Scratch::new();
    let fine = Drawing { srs: Some("EPSG:5070"), cell: 10.0, ..Drawing::default() };
    fine.plot(&scratch.path("a.tif"), 900, 900, |r, c| patchy(r, c, 1, &[1, 5, 15, 0]));
    scratch.write("ice.geojson", &rectangles(&[(10, 20, 60, 80)]));
    scratch.write(
        "job.toml",
        r#"
name = "m"
output = "out"
fractions = true
[grid]
crs = "EPSG:5070"
origin = [0, 0]
cell_size_m = 30
shape = [300, 300]
[[source]]
id = "a"
legend = "nalcms"
resampling = "mode"
epochs = { 2010 = "a.tif" }
[[edits]]
id = "ice"
path = "ice.geojson"
from_code = 15
to_code = 19
epochs = "all"
author = "A"
date = "2026-05-01"
reason = "r"
"#,
    );
    scratch.ok(&["run", "job.toml"]);
    let map = cells(&scratch.path("out/landcover/m_landcover_2010_30m.tif"));
    let share = cells(&scratch.path("out/fraction/m_fraction_19_2010_30m.tif"));
    let ice: Vec<usize> = (0..map.len()).filter(|at| map[*at] == 19).collect();
    assert!(ice.len() > 300 && ice.iter().all(|at| lies_in((10, 20, 60, 80), at / 300, at % 300)));
    assert!(share.iter().enumerate().all(|(at, share)| (*share == 10_000) == (map[at] == 19)));
    scratch.ok(&["verify", "out"]);
}
