//! The coast: what is kept, what becomes water, what is left out, and how the tables tell it.

use std::collections::BTreeMap;

use crate::support::{Drawing, Scratch, cells, patchy};
use nalcms::config::job::Job;
use nalcms::kernel::mosaic::Mosaic;
use nalcms::model::window::Window;
use nalcms::plan::JobPlan;
use nalcms::run::overlay::Overlay;
use ndarray::s;

const ROWS: i64 = 1100;
const COLS: i64 = 1300;
const YEARS: [i32; 2] = [2010, 2015];
const WATER: i32 = 18;

/// A rectangle of cells: first row and column, last + 1; it may lie beyond the grid.
type Cells = (i64, i64, i64, i64);

/// The mainland reaches over the left edge; an island lies on the corner of two blocks; another beyond the upper edge, so
/// near that its fringe reaches the grid.
const LAND: [Cells; 3] = [(60, -50, 1000, 900), (505, 1018, 520, 1030), (-40, 1100, -2, 1200)];
const LAKE: Cells = (300, 200, 420, 330);

fn lies_in((row, col, row_end, col_end): Cells, r: i64, c: i64) -> bool {
    (row..row_end).contains(&r) && (col..col_end).contains(&c)
}

fn is_land(row: i64, col: i64) -> bool {
    LAND.iter().any(|cells| lies_in(*cells, row, col))
}

/// Steps of a king from a cell to the nearest land.
fn steps(row: i64, col: i64) -> i64 {
    let to = |(first_row, first_col, row_end, col_end): Cells| {
        let down = (first_row - row).max(row - (row_end - 1)).max(0);
        down.max((first_col - col).max(col - (col_end - 1)).max(0))
    };
    LAND.iter().map(|cells| to(*cells)).min().unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Land,
    Fringe,
    Sea,
}

fn place(row: i64, col: i64, width: i64) -> Place {
    match steps(row, col) {
        0 => Place::Land,
        n if n <= width => Place::Fringe,
        _ => Place::Sea,
    }
}

fn polygons(wanted: &[Cells], properties: &str) -> String {
    let feature = |(row, col, row_end, col_end): &Cells| {
        let corners = [(row, col), (row, col_end), (row_end, col_end), (row_end, col), (row, col)];
        let points = corners.map(|(row, col)| format!("[{}, {}]", col * 30, row * -30)).join(", ");
        format!(
            r#"{{"type": "Feature", "properties": {{{properties}}}, "geometry": {{"type": "Polygon", "coordinates": [[{points}]]}}}}"#
        )
    };
    let features: Vec<String> = wanted.iter().map(feature).collect();
    let crs = r#"{"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::5070"}}"#;
    format!(r#"{{"type": "FeatureCollection", "crs": {crs}, "features": [{}]}}"#, features.join(","))
}

/// North: codes of the product, 0 where nothing is mapped; columns 0 to 699.
fn north(year: i32, row: i64, col: i64) -> u8 {
    match (row * 13 + col * 7 + i64::from(year)) % 23 {
        0 => 0,
        _ => patchy(row as usize, col as usize, 3 + (year as u64 % 7), &[1, 5, 8, 10, 18]),
    }
}

/// South: codes of MAD-Mex, 98 is shadow, 29 water; columns 600 to 1199, under the north.
fn south(year: i32, row: i64, col: i64) -> u8 {
    match (row * 5 + col * 3 + i64::from(year)) % 19 {
        0 => 98,
        _ => patchy(row as usize, col as usize, 4 + year as u64, &[1, 2, 29, 28]),
    }
}

/// The class that the sources give, and the section that decides.
fn mosaic(year: i32, row: i64, col: i64) -> (Option<i32>, &'static str) {
    if col < 700 && north(year, row, col) != 0 {
        return (Some(north(year, row, col).into()), "north");
    }
    if !(600..1200).contains(&col) {
        return (None, "");
    }
    match south(year, row, col) {
        1 => (Some(1), "south"),
        2 => (Some(5), "south"),
        29 => (Some(18), "south"),
        28 => (Some(15), "south"),
        _ => (None, "south"),
    }
}

fn places() -> impl Iterator<Item = (i64, i64)> {
    (0..ROWS).flat_map(|row| (0..COLS).map(move |col| (row, col)))
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
epochs = { 2010 = { files = "north_2010.tif", date = "2011" }, 2015 = "north_2015.tif" }
[[source]]
id = "south"
country = "US"
legend = "madmex"
epochs = { 2010 = { files = "south_2010.tif", date = "2011" }, 2015 = "south_2015.tif" }
[[zones]]
id = "halves"
path = "halves.geojson"
key = "half"
[compute]
task_cells = 512
"#;

const COAST: &str = "[coast]\nland = \"land.geojson\"\nfringe_cells = 5\ngreat_lakes = \"lakes.geojson\"\n";

/// The maps with a tenth of the rows and columns, for checks by the hundred.
fn small_maps() -> Scratch {
    let scratch = maps();
    let cell = Drawing { srs: Some("EPSG:5070"), cell: 300.0, ..Drawing::default() };
    let east = Drawing { origin: (18_000.0, 0.0), ..cell };
    for year in YEARS {
        let path = |name: &str| scratch.path(&format!("{name}_{year}.tif"));
        cell.plot(&path("north"), 110, 70, |r, c| north(year, r as i64, c as i64));
        east.plot(&path("south"), 110, 60, |r, c| south(year, r as i64, c as i64 + 60));
    }
    scratch
}

/// Makes a job one of a tenth of the rows and columns.
fn shrink(scratch: &Scratch, file: &str) {
    let job = std::fs::read_to_string(scratch.path(file)).unwrap();
    let job = job.replace("cell_size_m = 30", "cell_size_m = 300").replace("[1100, 1300]", "[110, 130]");
    scratch.write(file, &job);
}

fn maps() -> Scratch {
    let scratch = Scratch::new();
    let at = |row: i64, col: i64| Drawing {
        srs: Some("EPSG:5070"),
        origin: (col as f64 * 30.0, row as f64 * -30.0),
        options: &["TILED=YES", "COMPRESS=DEFLATE"],
        ..Drawing::default()
    };
    for year in YEARS {
        let path = |name: &str| scratch.path(&format!("{name}_{year}.tif"));
        at(0, 0).plot(&path("north"), ROWS as usize, 700, |r, c| north(year, r as i64, c as i64));
        at(0, 600).plot(&path("south"), ROWS as usize, 600, |r, c| south(year, r as i64, c as i64 + 600));
    }
    scratch.write("halves.geojson", &polygons(&[(0, 0, 550, COLS)], "\"half\": \"upper\""));
    scratch.write("land.geojson", &polygons(&LAND, ""));
    scratch.write("lakes.geojson", &polygons(&[LAKE], ""));
    // The same as rasters, the land from further up and left than the grid.
    at(-60, -60).plot(&scratch.path("land.tif"), 1200, 1400, |r, c| {
        u8::from(is_land(r as i64 - 60, c as i64 - 60)) * 7
    });
    at(300, 200).plot(&scratch.path("lakes.tif"), 130, 140, |r, c| {
        3 * u8::from(lies_in(LAKE, r as i64 + 300, c as i64 + 200))
    });
    write_job(&scratch, "out", COAST);
    scratch
}

fn write_job(scratch: &Scratch, name: &str, coast: &str) {
    let job = JOB.replace("output = \"out\"", &format!("output = \"{name}\""));
    let file = if name == "out" { "job" } else { name };
    scratch.write(&format!("{file}.toml"), &format!("{job}{coast}"));
}

fn sums(scratch: &Scratch, output: &str) -> String {
    std::fs::read_to_string(scratch.path(&format!("{output}/SHA256SUMS"))).unwrap()
}

/// Insists on the maps of an output.
fn assert_maps(scratch: &Scratch, output: &str, width: i64, fringe: i32) {
    for year in YEARS {
        let map = cells(&scratch.path(&format!("{output}/landcover/m_landcover_{year}_30m.tif")));
        for ((row, col), found) in places().zip(map) {
            let expected = match place(row, col, width) {
                Place::Land => mosaic(year, row, col).0.unwrap_or(0),
                Place::Fringe => fringe,
                Place::Sea => 0,
            };
            assert_eq!(found, expected, "{year}, row {row}, column {col}");
        }
    }
}

#[test]
fn maps_and_tables_are_those_worked_out_from_the_land() {
    let scratch = maps();
    scratch.ok(&["run", "job.toml"]);
    assert_maps(&scratch, "out", 5, WATER);
    type Overruled = BTreeMap<(i32, String, Option<i32>), u64>;
    let (mut coast, mut water) = (Overruled::new(), BTreeMap::<(i32, [&str; 2], &str), u64>::new());
    for year in YEARS {
        for (row, col) in places() {
            let (class, section) = mosaic(year, row, col);
            let here = place(row, col, 5);
            match (here, class) {
                (Place::Fringe, before) => *coast.entry((year, "fringe".into(), before)).or_default() += 1,
                (Place::Sea, Some(_)) => *coast.entry((year, "masked".into(), class)).or_default() += 1,
                _ => {}
            }
            let part = match here {
                Place::Land if class != Some(WATER) => continue,
                Place::Land if lies_in(LAKE, row, col) => "great_lakes",
                Place::Land => "inland",
                Place::Fringe => "fringe",
                Place::Sea => continue,
            };
            let country = match (part, section) {
                ("fringe", _) => "none",
                (_, "north") => "CA",
                _ => "US",
            };
            let zones = [
                ["all", "all"],
                ["section", if part == "fringe" { "fringe" } else { section }],
                ["country", country],
                ["halves", if row < 550 { "upper" } else { "outside" }],
            ];
            for zone in zones {
                *water.entry((year, zone, part)).or_default() += 1;
            }
        }
    }
    let table = scratch.csv("out/tables/coast.csv");
    let found: Overruled = table
        .select(&[])
        .into_iter()
        .map(|row| {
            let fringe = row["part"] == "fringe";
            assert_eq!(row["after_code"], if fringe { "18" } else { "" });
            let before = (!row["before_code"].is_empty()).then(|| row["before_code"].parse().unwrap());
            let key = (row["year"].parse().unwrap(), row["part"].clone(), before);
            (key, row["pixels"].parse().unwrap())
        })
        .collect();
    assert_eq!(found, coast);
    assert!(
        found.contains_key(&(2010, "fringe".into(), None))
            && found.contains_key(&(2015, "fringe".into(), Some(18)))
    );
    let table = scratch.csv("out/tables/water.csv");
    for ((year, [layer, id], part), n) in &water {
        let wanted = [("zone_layer", *layer), ("zone_id", *id), ("year", &year.to_string()), ("part", *part)];
        assert_eq!(table.value("pixels", &wanted), n.to_string(), "{wanted:?}");
    }
    assert_eq!(table.rows.len(), water.len());
    assert!(water.contains_key(&(2010, ["all", "all"], "great_lakes")));
    // The fringe has a section of its own and no country; nothing of it changes, and it has no date.
    let matrix = scratch.csv("out/tables/change_matrix.csv");
    let fringe = matrix.select(&[("zone_layer", "section"), ("zone_id", "fringe")]);
    let wide: u64 =
        coast.iter().filter(|((year, part, _), _)| *year == 2010 && part == "fringe").map(|(_, n)| n).sum();
    assert_eq!(fringe.len(), 1);
    assert_eq!((&*fringe[0]["from_code"], &*fringe[0]["to_code"]), ("18", "18"));
    assert_eq!(fringe[0]["pixels"], wide.to_string());
    assert!(matrix.select(&[("zone_layer", "all")]).iter().all(|row| row["date_from"] == "2011"));
    let run: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(scratch.path("out/run.json")).unwrap()).unwrap();
    let sources = run["job"]["source"].as_array().unwrap();
    assert_eq!(
        (sources.len(), &sources[2]["role"], &sources[0]["role"]),
        (3, &"fringe".into(), &serde_json::Value::Null)
    );
    scratch.ok(&["verify", "out"]);
    let plan = scratch.ok(&["plan", "job.toml"]).stdout;
    assert!(plan.contains("coast: a fringe of 5 cells gets class 18; land is 3 polygons"), "{plan}");
}

#[test]
fn bytes_do_not_depend_on_tasks_threads_or_the_form_of_the_land() {
    let scratch = maps();
    scratch.ok(&["run", "job.toml"]);
    for (name, cells, threads) in [("b", 1024, "2"), ("c", 4096, "1")] {
        let job = JOB.replace("output = \"out\"", &format!("output = \"{name}\""));
        let job = job.replace("task_cells = 512", &format!("task_cells = {cells}"));
        scratch.write(&format!("{name}.toml"), &format!("{job}{COAST}"));
        scratch.ok(&["run", &format!("{name}.toml"), "--threads", threads]);
        assert_eq!(sums(&scratch, "out"), sums(&scratch, name), "task_cells {cells}");
    }
    write_job(&scratch, "rasters", &COAST.replace(".geojson", ".tif"));
    scratch.ok(&["run", "rasters.toml"]);
    assert_eq!(sums(&scratch, "out"), sums(&scratch, "rasters"));
}

#[test]
fn a_fringe_may_be_nodata_narrow_wide_or_none() {
    let scratch = maps();
    for (name, keys, width, class) in [
        ("none", "fringe_cells = 0", 0, WATER),
        ("wide", "fringe_cells = 64", 64, WATER),
        ("nodata", "fringe_cells = 3\nfringe = \"nodata\"", 3, 0),
        ("other", "fringe_cells = 1\nfringe_code = 14", 1, 14),
    ] {
        write_job(&scratch, name, &format!("[coast]\nland = \"land.tif\"\n{keys}\n"));
        scratch.ok(&["run", &format!("{name}.toml")]);
        assert_maps(&scratch, name, width, class);
        scratch.ok(&["verify", name]);
        let area = scratch.csv(&format!("{name}/tables/class_area.csv"));
        let fringe = area.select(&[("zone_layer", "section"), ("zone_id", "fringe")]);
        assert_eq!(fringe.is_empty(), width == 0 || class == 0, "{name}");
    }
    // The sea beyond every island is nodata, and nobody's.
    let area = scratch.csv("none/tables/class_area.csv");
    let on_land = places().filter(|(r, c)| is_land(*r, *c) && mosaic(2010, *r, *c).0.is_some()).count();
    assert_eq!(area.sum("pixels", &[("zone_layer", "all"), ("year", "2010")]), on_land as u64);
}

#[test]
fn a_coast_that_changes_redoes_tasks_and_one_that_goes_gives_back_the_bytes() {
    let scratch = maps();
    write_job(&scratch, "out", "");
    scratch.ok(&["run", "job.toml"]);
    let plain = sums(&scratch, "out");
    assert!(!scratch.path("out/tables/coast.csv").exists());
    write_job(&scratch, "out", COAST);
    scratch.ok(&["run", "job.toml"]);
    let with_coast = sums(&scratch, "out");
    assert_ne!(plain, with_coast);
    write_job(&scratch, "out", &COAST.replace("fringe_cells = 5", "fringe_cells = 6"));
    scratch.ok(&["run", "job.toml"]);
    assert_maps(&scratch, "out", 6, WATER);
    write_job(&scratch, "out", COAST);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(with_coast, sums(&scratch, "out"));
    write_job(&scratch, "out", "");
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(plain, sums(&scratch, "out"));
}

#[test]
fn edits_come_after_the_coast_and_do_not_reach_the_sea() {
    let scratch = maps();
    // From land over the fringe of five cells into the sea.
    scratch.write("marsh.geojson", &polygons(&[(200, 890, 260, 920)], ""));
    let edit = "[[edits]]\nid = \"marsh\"\npath = \"marsh.geojson\"\nfrom_code = \"*\"\nto_code = 14\nepochs = [2015]\n\
                author = \"A\"\ndate = \"2026-05-01\"\nreason = \"r\"\n";
    write_job(&scratch, "out", &format!("{COAST}{edit}"));
    scratch.ok(&["run", "job.toml"]);
    let map = cells(&scratch.path("out/landcover/m_landcover_2015_30m.tif"));
    let at = |row: i64, col: i64| map[(row * COLS + col) as usize];
    for (row, col) in places().filter(|(row, col)| lies_in((200, 890, 260, 920), *row, *col)) {
        let expected = match place(row, col, 5) {
            Place::Land => mosaic(2015, row, col).0.map_or(0, |_| 14),
            Place::Fringe => 14,
            Place::Sea => 0,
        };
        assert_eq!(at(row, col), expected, "row {row}, column {col}");
    }
    let edits = scratch.csv("out/tables/edits.csv");
    // Sixty rows of fifteen columns of sea, and what the sources left open on land.
    let open = (200..260).flat_map(|r| (890..900).map(move |c| (r, c)));
    let open = open.filter(|(r, c)| mosaic(2015, *r, *c).0.is_none()).count() as u64;
    assert_eq!(edits.sum("pixels", &[("before_code", ""), ("edited", "no")]), 60 * 15 + open);
    assert!(edits.sum("pixels", &[("before_code", "18"), ("edited", "yes")]) >= 60 * 5);
    // The fringe still decides its cells.
    let area = scratch.csv("out/tables/class_area.csv");
    let marsh = [("zone_layer", "section"), ("zone_id", "fringe"), ("year", "2015"), ("code", "14")];
    assert_eq!(area.value("pixels", &marsh), (60 * 5).to_string());
    scratch.ok(&["verify", "out"]);
}

#[test]
fn any_number_that_is_altered_in_the_tables_of_coast_and_edits_is_found() {
    let scratch = small_maps();
    scratch.write("marsh.geojson", &polygons(&[(200, 850, 400, 990)], ""));
    let edit = "[[edits]]\nid = \"marsh\"\npath = \"marsh.geojson\"\nfrom_code = \"*\"\nto_code = 14\nepochs = [2015]\n\
                author = \"A\"\ndate = \"2026-05-01\"\nreason = \"r\"\n";
    let dry = COAST.replace("fringe_cells = 5", "fringe_cells = 5\nfringe = \"nodata\"");
    for (output, keys) in [("wet", COAST.to_string()), ("dry", dry), ("edited", format!("{COAST}{edit}"))] {
        write_job(&scratch, output, &keys);
        let file = format!("{output}.toml");
        shrink(&scratch, &file);
        scratch.ok(&["run", &file]);
        for name in ["tables/coast.csv", "tables/water.csv"] {
            crate::support::assert_altered_is_found(&scratch.path(output), name);
        }
    }
    let fringe = [("zone_layer", "section"), ("zone_id", "fringe"), ("year", "2015"), ("code", "14")];
    assert_ne!(scratch.csv("edited/tables/class_area.csv").sum("pixels", &fringe), 0);
    for name in ["tables/edits.csv", "tables/edit_layers.csv"] {
        crate::support::assert_altered_is_found(&scratch.path("edited"), name);
    }
}

#[test]
fn any_window_shows_what_the_whole_shows() {
    let scratch = maps();
    scratch.write("marsh.geojson", &polygons(&[(480, 850, 540, 1040), (0, 0, 70, 30)], ""));
    let edit = "[[edits]]\nid = \"marsh\"\npath = \"marsh.geojson\"\nfrom_code = \"*\"\nto_code = 14\nepochs = \"all\"\n\
                author = \"A\"\ndate = \"2026-05-01\"\nreason = \"r\"\n";
    let job = JOB.replace("task_cells = 512", "task_cells = 4096");
    for (name, coast) in
        [("polygons", COAST.to_string()), ("raster", COAST.replace("land.geojson", "land.tif"))]
    {
        scratch.write("whole.toml", &format!("{job}{coast}{edit}"));
        nalcms::io::gdal::init().unwrap();
        let plan = JobPlan::of(Job::read(&scratch.path("whole.toml")).unwrap()).unwrap();
        let grid = plan.first();
        let laid = |window: &Window| {
            let mut mosaic = Mosaic::<u8>::new(window.rows, window.cols, 0);
            mosaic.classes.fill(5);
            mosaic.winners.fill(0);
            Overlay::new(&grid.tasks[0], grid).apply(0, window, &mut mosaic, None).unwrap();
            mosaic
        };
        let whole = laid(&grid.grid.window());
        for (row, col) in places() {
            let at = (row as usize, col as usize);
            let in_edit = lies_in((480, 850, 540, 1040), row, col) || lies_in((0, 0, 70, 30), row, col);
            let expected = match (place(row, col, 5), in_edit) {
                (Place::Sea, _) => 0,
                (_, true) => 14,
                (Place::Land, false) => 5,
                (Place::Fringe, false) => 18,
            };
            assert_eq!(whole.classes[at], expected, "{name}: row {row}, column {col}");
        }
        for (row, col, rows, cols) in [
            (0, 0, 512, 512),
            (500, 880, 30, 160),
            (505, 1020, 10, 10),
            (0, 1090, 3, 120),
            (3, 700, 1000, 600),
            (1099, 0, 1, 1300),
        ] {
            let window = Window { row, col, rows, cols };
            let (row, col) = (row as usize, col as usize);
            let part = s![row..row + rows, col..col + cols];
            let found = laid(&window);
            assert_eq!(found.classes, whole.classes.slice(part), "{name}: {window}");
            assert_eq!(found.winners, whole.winners.slice(part), "{name}: {window}");
        }
    }
}

#[test]
fn rules_that_say_yes_of_all_maps_say_yes_of_maps_with_a_fringe() {
    let scratch = maps();
    let rule = |id: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\nsection = \"{id}\"\nverdict = \"comparable\"\nreason = \"r\"\nsource = \"s\"\n\
             status = \"proposed\"\n"
        )
    };
    scratch.write("rules.toml", &(rule("north") + &rule("south")));
    let job = JOB.replace("output = \"out\"", "output = \"out\"\ncomparability = \"./rules.toml\"");
    scratch.write("job.toml", &format!("{job}{COAST}"));
    scratch.ok(&["run", "job.toml"]);
    let matrix = scratch.csv("out/tables/change_matrix.csv");
    for section in ["north", "fringe"] {
        let rows = matrix.select(&[("zone_layer", "section"), ("zone_id", section)]);
        assert!(!rows.is_empty() && rows.iter().all(|row| row["comparable"] == "yes"), "{section}");
    }
}

#[test]
fn what_a_coast_cannot_say_is_refused() {
    let scratch = maps();
    let refused = |coast: &str, code: i32, words: &[&str]| {
        write_job(&scratch, "bad", coast);
        scratch.nalcms(&["run", "bad.toml"]).refused(code, words);
    };
    refused("[coast]\nland = \"gone.gpkg\"\nfringe_cells = 1\n", 3, &["gone.gpkg"]);
    refused("[coast]\nland = \"land.tif\"\nfringe_cells = 65\n", 2, &["fringe_cells is 65", "0 to 64"]);
    refused("[coast]\nland = \"land.tif\"\nfringe_cell = 5\n", 2, &["did you mean `fringe_cells`?"]);
    refused("[coast]\nland = \"land.tif\"\nfringe_cells = 5\nfringe = \"ice\"\n", 2, &["ice"]);
    let job = JOB.replace("id = \"south\"", "id = \"south\"\nsection = \"fringe\"");
    scratch.write("bad.toml", &format!("{job}{COAST}"));
    scratch.nalcms(&["run", "bad.toml"]).refused(2, &["source `south`: `fringe` names what [coast] decides"]);
    Drawing { srs: Some("EPSG:5070"), ..Drawing::default() }
        .draw::<f32>(&scratch.path("real.tif"), &[&[1.0, 2.5]]);
    refused(
        "[coast]\nland = \"real.tif\"\nfringe_cells = 5\n",
        3,
        &["a layer of land must hold whole numbers", "real.tif"],
    );
}

#[test]
fn areas_are_added_up_and_every_grid_has_its_fringe() {
    let scratch = Scratch::new();
    let at = |cell: f64, srs: &'static str| Drawing { srs: Some(srs), cell, ..Drawing::default() };
    for year in YEARS {
        let path = |name: &str| scratch.path(&format!("{name}_{year}.tif"));
        at(30.0, "EPSG:5070").plot(&path("a"), 300, 300, |r, c| patchy(r, c, year as u64, &[1, 5, 18]));
    }
    at(100.0, "EPSG:32615").plot(&scratch.path("b_2010.tif"), 200, 200, |r, c| patchy(r, c, 9, &[1, 5, 18]));
    let square = |crs: u32, side: i64, cell: i64| {
        let (near, far) = (50 * cell, (50 + side) * cell);
        format!(
            r#"{{"type": "FeatureCollection", "crs": {{"type": "name", "properties": {{"name": "urn:ogc:def:crs:EPSG::{crs}"}}}},
            "features": [{{"type": "Feature", "properties": {{}}, "geometry": {{"type": "Polygon", "coordinates":
            [[[{near}, -{near}], [{far}, -{near}], [{far}, -{far}], [{near}, -{far}], [{near}, -{near}]]]}}}}]}}"#
        )
    };
    scratch.write("land.geojson", &square(5070, 200, 30));
    let job = r#"
name = "m"
output = "out"
[[grid]]
id = "main"
crs = "EPSG:5070"
origin = [0, 0]
cell_size_m = 30
shape = [300, 300]
[[grid]]
id = "utm"
crs = "EPSG:32615"
origin = [0, 0]
cell_size_m = 100
shape = [200, 200]
[[source]]
id = "a"
grid = "main"
legend = "nalcms"
epochs = { 2010 = "a_2010.tif", 2015 = "a_2015.tif" }
[[source]]
id = "b"
grid = "utm"
legend = "nalcms"
epochs = { 2010 = "b_2010.tif" }
[coast]
land = "land.geojson"
fringe_cells = 2
"#;
    scratch.write("job.toml", job);
    scratch.ok(&["run", "job.toml"]);
    // 200 x 200 cells of land have a fringe of 204 x 204 - 200 x 200 cells; the other grid lies elsewhere on earth.
    let water = scratch.csv("out/tables/water.csv");
    for year in ["2010", "2015"] {
        let fringe = [("zone_layer", "all"), ("year", year), ("part", "fringe")];
        assert_eq!(water.value("pixels", &fringe), (204 * 204 - 200 * 200).to_string());
        let m2: f64 = water.value("area_m2", &fringe).parse().unwrap();
        assert!((m2 / (900.0 * 1616.0) - 1.0).abs() < 1e-9, "{m2}");
    }
    scratch.ok(&["verify", "out"]);
    // A grid of one projection whose cells differ.
    scratch.write("utm.geojson", &square(32615, 100, 100));
    let first = job.find("[[grid]]").unwrap();
    let second = job.find("[[grid]]\nid = \"utm\"").unwrap();
    let alone = format!("{}{}", &job[..first], &job[second..]).replace("[[grid]]\nid = \"utm\"", "[grid]");
    let (a, b) = (alone.find("[[source]]").unwrap(), alone.find("[[source]]\nid = \"b\"").unwrap());
    let alone = format!("{}{}", &alone[..a], &alone[b..])
        .replace("grid = \"utm\"\n", "")
        .replace("land.geojson", "utm.geojson");
    scratch.write("alone.toml", &alone.replace("\"out\"", "\"alone\""));
    scratch.ok(&["run", "alone.toml"]);
    let fringe = [("zone_layer", "all"), ("year", "2010"), ("part", "fringe")];
    let water = scratch.csv("alone/tables/water.csv");
    assert_eq!(water.value("pixels", &fringe), (104 * 104 - 100 * 100).to_string());
    scratch.ok(&["verify", "alone"]);
}

#[test]
fn the_sea_has_no_fractions_and_the_fringe_is_wholly_water() {
    let scratch = Scratch::new();
    let fine = Drawing { srs: Some("EPSG:5070"), cell: 10.0, ..Drawing::default() };
    fine.plot(&scratch.path("a.tif"), 900, 900, |r, c| patchy(r, c, 1, &[1, 5, 18, 0]));
    let land = (20, 30, 200, 180);
    scratch.write("land.geojson", &polygons(&[land], ""));
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
[coast]
land = "land.geojson"
fringe_cells = 4
"#,
    );
    scratch.ok(&["run", "job.toml"]);
    let share = cells(&scratch.path("out/fraction/m_fraction_18_2010_30m.tif"));
    let grown = (16, 26, 204, 184);
    for (at, share) in share.iter().enumerate() {
        let (row, col) = (at as i64 / 300, at as i64 % 300);
        if !lies_in(land, row, col) {
            assert_eq!(
                *share,
                if lies_in(grown, row, col) { 10_000 } else { 65_535 },
                "row {row}, column {col}"
            );
        }
    }
    scratch.ok(&["verify", "out"]);
}
