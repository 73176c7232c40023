//! Several grids in one job: each is mapped on its own lattice, and one set of tables holds them all.

use std::collections::BTreeMap;
use std::path::Path;

use tiff::decoder::Decoder;
use tiff::tags::Tag;

use crate::support::{Csv, Drawing, LAEA, Scratch, cells, patchy};

/// An Albers plane for islands, as their own maps have.
const ISLANDS: &str = "+proj=aea +lat_0=13 +lat_1=8 +lat_2=18 +lon_0=-157 +datum=WGS84 +units=m";

/// x and y of the upper left corner, side of a cell, rows and columns.
type Place = ((f64, f64), f64, usize, usize);

/// Left of column 500 it lies west of 100 degrees, which is x = 0 on this plane.
const MAINLAND: Place = ((-15_000.0, 9_000.0), 30.0, 600, 900);
const ARCHIPELAGO: Place = ((0.0, 900_000.0), 60.0, 550, 520);

const CLASSES: [u8; 6] = [1, 5, 8, 10, 15, 17];
const YEARS: [i32; 3] = [2010, 2015, 2020];

/// Cells from class to class; 0 is nodata.
type Counts = BTreeMap<(u8, u8), u64>;

/// The class of a cell of the mainland.
fn mainland(year: i32, row: usize, col: usize) -> u8 {
    match (row * 7 + col * 3 + year as usize) % 97 {
        0 => 0,
        _ if (row / 32 + col / 32 + year as usize / 5).is_multiple_of(6) => 15,
        _ => patchy(row, col, 1, &CLASSES),
    }
}

/// The same of the islands, which nobody mapped in 2020.
fn archipelago(year: i32, row: usize, col: usize) -> u8 {
    match (year, (row * 5 + col + year as usize) % 11) {
        (2020, _) | (_, 0) => 0,
        _ if (row / 50 + year as usize / 5).is_multiple_of(4) => 17,
        _ => patchy(row, col, 2, &CLASSES[..4]),
    }
}

type Class = fn(i32, usize, usize) -> u8;

/// What the cells of a place do from year to year, counted from how they are drawn.
fn counted(
    (_, _, rows, cols): Place,
    class: Class,
    (from, to): (i32, i32),
    keep: fn(usize) -> bool,
) -> Counts {
    let mut counts = Counts::new();
    for (row, col) in (0..rows).flat_map(|r| (0..cols).map(move |c| (r, c))).filter(|(_, col)| keep(*col)) {
        *counts.entry((class(from, row, col), class(to, row, col))).or_default() += 1;
    }
    counts
}

fn draw(scratch: &Scratch, name: &str, srs: &str, place: Place, year: i32, class: Class) {
    let (origin, cell, rows, cols) = place;
    // In strips, tasks would not be squares.
    let drawing = Drawing { srs: Some(srs), origin, cell, options: &["TILED=YES"], ..Drawing::default() };
    drawing.plot(&scratch.path(&format!("{name}_{year}.tif")), rows, cols, |r, c| class(year, r, c));
}

const MAINLAND_GRID: &str = r#"id = "mainland"
crs = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
origin = [-30000.0, 30000.0]
cell_size_m = 30
shape = [2000, 2000]
"#;

const ISLANDS_GRID: &str = r#"id = "islands"
crs = "+proj=aea +lat_0=13 +lat_1=8 +lat_2=18 +lon_0=-157 +datum=WGS84 +units=m"
origin = [-6000.0, 930000.0]
cell_size_m = 60
shape = [1500, 1500]
"#;

const MAINLAND_SOURCE: &str = r#"[[source]]
id = "us"
country = "US"
grid = "mainland"
legend = "nalcms"
epochs = { 2010 = "us_2010.tif", 2015 = "us_2015.tif", 2020 = "us_2020.tif" }
"#;

const ISLANDS_SOURCE: &str = r#"[[source]]
id = "hawaii"
country = "US"
grid = "islands"
legend = "nalcms"
epochs = { 2010 = "hi_2010.tif", 2015 = { files = "hi_2015.tif", date = "2014" } }
"#;

const ZONES: &str = "[[zones]]\nid = \"parts\"\npath = \"zones.geojson\"\nkey = \"id\"\n\
                     [[zones]]\nid = \"crossed\"\nby = [\"section\", \"parts\"]\n\
                     [[zones]]\nid = \"halves\"\npath = \"halves.tif\"\n";

/// Maps of both grids and zones over both: `nowhere` holds no cell, `plains` the mainland west of 100 degrees, `sea` all
/// the islands. `halves` is a raster of degrees: 7 west of 120 degrees, 9 east of it.
fn maps() -> Scratch {
    let scratch = Scratch::new();
    for year in YEARS {
        draw(&scratch, "us", LAEA, MAINLAND, year, mainland);
        if year != 2020 {
            draw(&scratch, "hi", ISLANDS, ARCHIPELAGO, year, archipelago);
        }
    }
    let degrees = Drawing { srs: Some("EPSG:4326"), origin: (-170.0, 50.0), cell: 1.0, ..Drawing::default() };
    degrees.plot_as::<i16>(&scratch.path("halves.tif"), 40, 80, |_, col| if col < 50 { 7 } else { 9 });
    let zone = |id: &str, [west, south, east, north]: [f64; 4]| {
        format!(
            r#"{{"type": "Feature", "properties": {{"id": "{id}"}}, "geometry": {{"type": "Polygon", "coordinates":
            [[[{west}, {south}], [{east}, {south}], [{east}, {north}], [{west}, {north}], [{west}, {south}]]]}}}}"#
        )
    };
    let zones = [
        zone("nowhere", [-90.0, 10.0, -80.0, 12.0]),
        zone("plains", [-110.0, 40.0, -100.0, 50.0]),
        zone("sea", [-165.0, 15.0, -150.0, 25.0]),
    ];
    let text = format!(r#"{{"type": "FeatureCollection", "features": [{}]}}"#, zones.join(","));
    scratch.write("zones.geojson", &text);
    scratch
}

fn job_text(output: &str, body: &str, task_cells: usize) -> String {
    format!("name = \"nation\"\noutput = \"{output}\"\n{body}[compute]\ntask_cells = {task_cells}\n")
}

/// Runs a job of this body.
fn run(scratch: &Scratch, output: &str, body: &str, task_cells: usize, threads: &str) -> crate::support::Run {
    let job = scratch.write(&format!("{output}.toml"), &job_text(output, body, task_cells));
    scratch.ok(&["run", job.to_str().unwrap(), "--threads", threads])
}

fn both() -> String {
    format!("[[grid]]\n{MAINLAND_GRID}[[grid]]\n{ISLANDS_GRID}{MAINLAND_SOURCE}{ISLANDS_SOURCE}{ZONES}")
}

fn sums(scratch: &Scratch, output: &str) -> String {
    std::fs::read_to_string(scratch.path(output).join("SHA256SUMS")).unwrap()
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Cells and m² in the one row that is selected, or nothing.
fn told(table: &Csv, wanted: &[(&str, &str)]) -> (u64, f64) {
    let rows = table.select(wanted);
    assert!(rows.len() <= 1, "{wanted:?}");
    rows.first().map_or((0, 0.0), |row| (row["pixels"].parse().unwrap(), row["area_m2"].parse().unwrap()))
}

/// Cells and m² of what a map of counts holds, on grids of 900 and 3600 m² a cell.
fn expected<'a>(grids: [&'a Counts; 2], holds: impl Fn((u8, u8)) -> bool + 'a) -> (u64, f64) {
    let cells = grids.map(|grid| grid.iter().filter(|(key, _)| holds(**key)).map(|(_, n)| n).sum::<u64>());
    (cells[0] + cells[1], (cells[0] * 900 + cells[1] * 3600) as f64)
}

/// Compares all long tables of a zone with counts, class by class.
fn assert_tables(
    scratch: &Scratch,
    output: &str,
    (layer, zone): (&str, &str),
    counts: &dyn Fn((i32, i32)) -> [Counts; 2],
) {
    let [matrix, area, excluded] =
        ["change_matrix", "class_area", "excluded"].map(|t| scratch.csv(&format!("{output}/tables/{t}.csv")));
    let place = [("zone_layer", layer), ("zone_id", zone)];
    for (from, to) in [(2010, 2015), (2015, 2020)] {
        let [a, b] = counts((from, to));
        let (year_from, year_to) = (from.to_string(), to.to_string());
        let years = [("year_from", year_from.as_str()), ("year_to", year_to.as_str())];
        for class in CLASSES {
            let code = class.to_string();
            for other in CLASSES {
                let to_code = other.to_string();
                let found = [&place[..], &years, &[("from_code", &code), ("to_code", &to_code)]].concat();
                assert_eq!(
                    told(&matrix, &found),
                    expected([&a, &b], |key| key == (class, other)),
                    "{found:?}"
                );
            }
            for (side, lost) in [("from", (class, 0)), ("to", (0, class))] {
                let found = [&place[..], &years, &[("code", &code), ("side", side)]].concat();
                assert_eq!(told(&excluded, &found), expected([&a, &b], |key| key == lost), "{found:?}");
            }
            let of_year = |year| [&place[..], &[("year", year), ("code", &code)]].concat();
            assert_eq!(
                told(&area, &of_year(&year_from)),
                expected([&a, &b], |key| key.0 == class),
                "{from} {code}"
            );
            assert_eq!(
                told(&area, &of_year(&year_to)),
                expected([&a, &b], |key| key.1 == class),
                "{to} {code}"
            );
        }
    }
}

fn everywhere(years: (i32, i32)) -> [Counts; 2] {
    [counted(MAINLAND, mainland, years, |_| true), counted(ARCHIPELAGO, archipelago, years, |_| true)]
}

#[test]
fn tables_add_up_cells_and_areas_of_grids_whose_cells_differ() {
    let scratch = maps();
    let said = run(&scratch, "out", &both(), 512, "2");
    assert!(said.stderr.contains("cells of the grids differ in size"), "{}", said.stderr);
    assert_tables(&scratch, "out", ("all", "all"), &everywhere);
    // Each grid has rasters of its own, a map of nothing for a year without a source included.
    for (grid, resolution, place, class) in
        [("mainland", "30m", MAINLAND, mainland as Class), ("islands", "60m", ARCHIPELAGO, archipelago)]
    {
        let (_, _, rows, cols) = place;
        for year in YEARS {
            let path =
                scratch.path(&format!("out/landcover/nation_{grid}_landcover_{year}_{resolution}.tif"));
            let drawn: Vec<i32> = (0..rows * cols).map(|i| class(year, i / cols, i % cols).into()).collect();
            assert_eq!(cells(&path), drawn, "{}", path.display());
            let rat = std::fs::read_to_string(format!("{}.aux.xml", path.display())).unwrap();
            let of_class_1 = drawn.iter().filter(|&&code| code == 1).count();
            let rat: String = rat.split_whitespace().collect();
            assert!(rat.contains(&format!("<F>1</F><F>{of_class_1}</F>")), "{rat}");
        }
        assert!(
            scratch.path(&format!("out/change/nation_{grid}_change_2010_2015_{resolution}.tif")).exists()
        );
        assert!(
            scratch.path(&format!("out/quicklook/nation_{grid}_landcover_2010_{resolution}.png")).exists()
        );
    }
    let wide = scratch.csv("out/tables/change_matrix_2010_2015_ha.csv");
    let [a, b] = everywhere((2010, 2015));
    let whole = expected([&a, &b], |(from, to)| from > 0 && to > 0).1;
    assert_eq!(wide.value("total", &[("from", "total")]), (whole / 1e4).to_string());
    let net = scratch.csv("out/tables/net_change.csv");
    let persistence =
        [("zone_layer", "all"), ("code", "total"), ("statistic", "persistence"), ("year_to", "2015")];
    let kept = expected([&a, &b], |(from, to)| from > 0 && from == to);
    assert_eq!(net.value("pixels", &persistence), kept.0.to_string());
    assert_eq!(net.value("area_ha", &persistence), (kept.1 / 1e4).to_string());
    // Where sections meet in a total, so do their dates.
    let matrix = scratch.csv("out/tables/change_matrix.csv");
    let row = &matrix.select(&[("zone_layer", "all"), ("year_to", "2015")])[0];
    assert_eq!((row["date_from"].as_str(), row["date_to"].as_str()), ("2010", "2014/2015"));
    for file in ["run.json", "tables/class_area.json"] {
        let text = std::fs::read_to_string(scratch.path("out").join(file)).unwrap();
        for words in
            ["grid `mainland`: number of cells x 900 m2", "grid `islands`: number of cells x 3600 m2"]
        {
            assert!(text.contains(words), "{file}: {text}");
        }
    }
    let manifest = json(&scratch.path("out/run.json"));
    assert!(manifest.get("grid").is_none());
    assert_eq!(manifest["grids"][1]["id"], "islands");
    assert_eq!((&manifest["grids"][0]["rows"], &manifest["grids"][1]["rows"]), (&600.into(), &550.into()));
    assert_eq!(manifest["job"]["source"][1]["grid"], "islands");
    scratch.ok(&["verify", "out"]);
}

#[test]
fn zones_reach_over_all_grids() {
    let scratch = maps();
    run(&scratch, "out", &both(), 1024, "1");
    let none = |_| [Counts::new(), Counts::new()];
    let all = [("all", "all"), ("country", "US")];
    let sections: [(&str, &str); 2] = [("section", "us"), ("section", "hawaii")];
    for zone in all {
        assert_tables(&scratch, "out", zone, &everywhere);
    }
    assert_tables(&scratch, "out", sections[0], &|years| [everywhere(years)[0].clone(), Counts::new()]);
    assert_tables(&scratch, "out", sections[1], &|years| [Counts::new(), everywhere(years)[1].clone()]);
    assert_tables(&scratch, "out", ("parts", "sea"), &|years| [Counts::new(), everywhere(years)[1].clone()]);
    assert_tables(&scratch, "out", ("crossed", "hawaii|sea"), &|years| {
        [Counts::new(), everywhere(years)[1].clone()]
    });
    for (zone, grid) in [("7", 1), ("9", 0)] {
        assert_tables(&scratch, "out", ("halves", zone), &|years| {
            let mut counts = everywhere(years);
            counts[1 - grid].clear();
            counts
        });
    }
    for zone in [("parts", "plains"), ("crossed", "us|plains")] {
        assert_tables(&scratch, "out", zone, &|years| {
            [counted(MAINLAND, mainland, years, |col| col < 500), Counts::new()]
        });
    }
    for zone in [("parts", "outside"), ("crossed", "outside")] {
        assert_tables(&scratch, "out", zone, &|years| {
            [counted(MAINLAND, mainland, years, |col| col >= 500), Counts::new()]
        });
    }
    assert_tables(&scratch, "out", ("parts", "nowhere"), &none);
    // What is on one grid is not missed on the other.
    let manifest = json(&scratch.path("out/run.json"));
    let layer = &manifest["layers"][0];
    assert_eq!((&layer["zones_without_cells"], &layer["zones_off_the_grid"]), (&0.into(), &1.into()));
    assert_eq!(layer["proj"].as_array().unwrap().len(), 2, "{layer}");
}

#[test]
fn threads_and_task_sizes_change_no_byte() {
    let scratch = maps();
    run(&scratch, "one", &both(), 512, "1");
    for (output, task_cells, threads) in [("two", 512, "2"), ("three", 1024, "1"), ("four", 1024, "2")] {
        run(&scratch, output, &both(), task_cells, threads);
        assert_eq!(sums(&scratch, output), sums(&scratch, "one"), "{output}");
    }
}

#[test]
fn grids_of_equal_cells_have_areas_as_one_grid_has() {
    let scratch = maps();
    let islands =
        ISLANDS_GRID.replace("cell_size_m = 60", "cell_size_m = 30").replace("1500, 1500", "3000, 3000");
    for year in [2010, 2015] {
        let (origin, _, rows, cols) = ARCHIPELAGO;
        draw(&scratch, "hi", ISLANDS, (origin, 30.0, rows, cols), year, archipelago);
    }
    let body = format!("[[grid]]\n{MAINLAND_GRID}[[grid]]\n{islands}{MAINLAND_SOURCE}{ISLANDS_SOURCE}");
    let said = run(&scratch, "out", &body, 4096, "2");
    assert!(!said.stderr.contains("differ in size"), "{}", said.stderr);
    for row in scratch.csv("out/tables/class_area.csv").select(&[("zone_layer", "all")]) {
        let pixels: u64 = row["pixels"].parse().unwrap();
        assert_eq!(row["area_m2"], (pixels * 900).to_string());
    }
    scratch.ok(&["verify", "out"]);
}

#[test]
fn areas_of_grids_whose_cells_vary_are_added_to_those_of_others() {
    let scratch = maps();
    // Rows of a tenth of a degree from 46 degrees south, class 3 in both years.
    let (origin, cell, rows, cols) = ((-160.0, 46.0), 0.1, 20, 30);
    for year in [2010, 2015] {
        draw(&scratch, "hi", "EPSG:4326", (origin, cell, rows, cols), year, |_, _, _| 3);
    }
    let degrees = "id = \"islands\"\ncrs = \"EPSG:4326\"\norigin = [-170.0, 50.0]\ncell_size_m = 0.1\nshape = [200, 200]\n";
    let body = format!("[[grid]]\n{MAINLAND_GRID}[[grid]]\n{degrees}{MAINLAND_SOURCE}{ISLANDS_SOURCE}");
    run(&scratch, "out", &body, 512, "2");
    // Snyder (1987), USGS Professional Paper 1395, eq. 3-12: the area between a parallel and the equator is a² q Δλ / 2.
    let (a, f) = (6_378_137.0f64, 1.0 / 298.257_223_563f64);
    let e2 = f * (2.0 - f);
    let q = |latitude: f64| {
        let (e, sin) = (e2.sqrt(), latitude.to_radians().sin());
        (1.0 - e2) * (sin / (1.0 - e2 * sin * sin) - ((1.0 - e * sin) / (1.0 + e * sin)).ln() / (2.0 * e))
    };
    let area = a * a * 3f64.to_radians() * (q(46.0) - q(44.0)) / 2.0;
    let table = scratch.csv("out/tables/class_area.csv");
    let of_class = |code| told(&table, &[("zone_layer", "all"), ("year", "2015"), ("code", code)]);
    let (pixels, m2) = of_class("3");
    assert_eq!(pixels, 600);
    assert!((m2 / area - 1.0).abs() < 1e-9, "{m2}, {area}");
    let counts = counted(MAINLAND, mainland, (2010, 2015), |_| true);
    assert_eq!(of_class("5"), expected([&counts, &Counts::new()], |(_, to)| to == 5));
    let said = scratch.ok(&["verify", "out"]).stdout;
    assert!(said.contains("areas measured anew"), "{said}");
}

#[test]
fn a_map_on_two_grids_of_a_sphere_adds_up_to_the_map_on_one() {
    let scratch = maps();
    let grid = |id: &str, extent: &str| {
        format!("id = \"{id}\"\npreset = \"nalcms-250m\"\nextent = {extent}\noutside_grid = \"drop\"\n")
    };
    let source = |id: &str| {
        let source = MAINLAND_SOURCE.replace("id = \"us\"", &format!("id = \"{id}\"\nsection = \"us\""));
        source.replace("\"mainland\"", &format!("\"{id}\""))
    };
    let areas = "[areas]\nellipsoidal = true\n";
    let (west, east) =
        (grid("west", "[-40000, -40000, 1000, 40000]"), grid("east", "[1000, -40000, 40000, 40000]"));
    let two = format!("[[grid]]\n{west}[[grid]]\n{east}{}{}{areas}", source("west"), source("east"));
    let one = format!("[grid]\n{}{}{areas}", grid("one", "[-40000, -40000, 40000, 40000]"), source("one"));
    run(&scratch, "two", &two, 512, "2");
    run(&scratch, "one", &one, 512, "1");
    for table in ["change_matrix", "class_area"] {
        let rows = ["two", "one"].map(|output| scratch.csv(&format!("{output}/tables/{table}.csv")).rows);
        assert_eq!(rows[0], rows[1], "{table}");
    }
    let mapped =
        scratch.csv("two/tables/class_area.csv").sum("pixels", &[("zone_layer", "all"), ("year", "2010")]);
    // 27 km by 18 km in cells of 250 m, but for what has no class.
    assert!((7_400..7_800).contains(&mapped), "{mapped}");
    scratch.ok(&["verify", "two"]);
}

#[test]
fn areas_stay_empty_where_those_of_one_grid_are_unknown() {
    let scratch = maps();
    for year in [2010, 2015] {
        draw(&scratch, "hi", "EPSG:4326", ((-160.0, 40.0), 4.0, 2, 2), year, |_, _, _| 3);
    }
    let degrees =
        "id = \"islands\"\ncrs = \"EPSG:4326\"\norigin = [-160.0, 40.0]\ncell_size_m = 4.0\nshape = [2, 2]\n";
    let body = format!("[[grid]]\n{MAINLAND_GRID}[[grid]]\n{degrees}{MAINLAND_SOURCE}{ISLANDS_SOURCE}");
    let said = run(&scratch, "out", &body, 512, "2");
    assert!(said.stderr.contains("areas stay empty: grid `islands`"), "{}", said.stderr);
    let table = scratch.csv("out/tables/class_area.csv");
    assert!(table.select(&[]).iter().all(|row| row["area_m2"].is_empty() && row["area_km2"].is_empty()));
    scratch.ok(&["verify", "out"]);
}

#[test]
fn every_contradiction_of_grids_and_sources_is_told_at_once() {
    let scratch = maps();
    let refuse = |body: &str, words: &[&str]| {
        let job = scratch.write("wrong.toml", &job_text("wrong", body, 512));
        for verb in ["plan", "run"] {
            scratch.nalcms(&[verb, job.to_str().unwrap()]).refused(2, words);
        }
        assert!(!scratch.path("wrong").exists());
    };
    let without = |text: &str, line: &str| text.replace(&format!("{line}\n"), "");
    refuse(
        &format!(
            "[[grid]]\n{}[[grid]]\n{ISLANDS_GRID}[[grid]]\n{}{}{}",
            without(MAINLAND_GRID, "id = \"mainland\""),
            ISLANDS_GRID.replace("islands", "Islands"),
            MAINLAND_SOURCE.replace("mainland", "moon"),
            without(ISLANDS_SOURCE, "grid = \"islands\""),
        ),
        &[
            "grid 1: `id` is missing",
            "two grids have the id `Islands`",
            "source `us`: no grid has the id `moon`; those of the job are islands, Islands",
            "source `hawaii`: `grid` is missing",
            "no source lies on the grid `islands`",
            "no source lies on the grid `Islands`",
        ],
    );
    let one = |keys: &str| format!("[grid]\n{keys}{MAINLAND_SOURCE}");
    refuse(
        &one(&without(MAINLAND_GRID, "id = \"mainland\"")),
        &["no grid has the id `mainland`", "give [grid] an `id`"],
    );
    refuse(&one(&MAINLAND_GRID.replace("mainland", "conus")), &["no grid has the id `mainland`", "conus"]);
    refuse(&one(&MAINLAND_GRID.replace("mainland", "../up")), &["grid.id `../up` may hold only letters"]);
    refuse(
        &format!(
            "[[grid]]\n{MAINLAND_GRID}[[grid]]\n{}{MAINLAND_SOURCE}",
            ISLANDS_GRID.replace("origin", "orgin")
        ),
        &["unknown field `orgin`", "did you mean `origin`?"],
    );
    refuse(&format!("grid = []\n{MAINLAND_SOURCE}"), &["there is no [grid]"]);
    refuse(
        &format!(
            "[[grid]]\n{MAINLAND_GRID}[[grid]]\npreset = \"nalcms-250m\"\nid = \"islands\"\nextent = [0, 0, 250000, 250000]\n{MAINLAND_SOURCE}{ISLANDS_SOURCE}[areas]\nellipsoidal = true\n"
        ),
        &["areas.ellipsoidal", "grid `mainland`"],
    );
}

#[test]
fn a_grid_without_others_keeps_its_names_and_what_was_done_on_it() {
    let scratch = maps();
    let source = MAINLAND_SOURCE.replace(", 2020 = \"us_2020.tif\"", "");
    let alone = format!("[grid]\n{MAINLAND_GRID}{source}");
    run(&scratch, "out", &alone, 512, "2");
    assert!(scratch.path("out/landcover/nation_landcover_2010_30m.tif").exists());
    let (first, matrix) = (sums(&scratch, "out"), scratch.csv("out/tables/change_matrix.csv").rows);
    // A second grid joins: only its tasks are new, and all outputs have new names.
    let joined = format!("[[grid]]\n{MAINLAND_GRID}[[grid]]\n{ISLANDS_GRID}{source}{ISLANDS_SOURCE}");
    let job = scratch.write("out.toml", &job_text("out", &joined, 512));
    let status = scratch.ok(&["status", job.to_str().unwrap()]).stdout;
    assert!(
        status.contains("grid `mainland`: 4 of 4 done") && status.contains("grid `islands`: 0 of 4 done"),
        "{status}"
    );
    let said = run(&scratch, "out", &joined, 512, "2").stdout;
    assert!(said.contains("4 of 8 tasks computed, 4 kept"), "{said}");
    assert!(!scratch.path("out/landcover/nation_landcover_2010_30m.tif").exists());
    assert_ne!(scratch.csv("out/tables/change_matrix.csv").rows, matrix);
    scratch.ok(&["verify", "out"]);
    // A job that never was without the second grid leaves the same.
    run(&scratch, "fresh", &joined, 512, "1");
    assert_eq!(sums(&scratch, "out"), sums(&scratch, "fresh"));
    // Run again it does nothing; without the second grid it is what it was.
    let said = run(&scratch, "out", &joined, 512, "2").stdout;
    assert!(said.contains("0 of 8 tasks computed, 8 kept"), "{said}");
    let said = run(&scratch, "out", &alone, 512, "2").stdout;
    assert!(said.contains("0 of 4 tasks computed, 4 kept"), "{said}");
    assert_eq!(sums(&scratch, "out"), first);
}

#[test]
fn fractions_of_each_grid_have_its_name_and_agree_with_its_map() {
    let scratch = Scratch::new();
    for (name, srs, (origin, cell, ..), class) in
        [("us", LAEA, MAINLAND, mainland as Class), ("hi", ISLANDS, ARCHIPELAGO, archipelago)]
    {
        draw(&scratch, name, srs, (origin, cell, 40, 40), 2010, class);
    }
    let only = |source: &str| {
        let head = source.split("epochs").next().unwrap();
        format!(
            "{head}epochs = {{ 2010 = \"{}_2010.tif\" }}\n",
            if head.contains("\"us\"") { "us" } else { "hi" }
        )
    };
    let (us, hawaii) = (only(MAINLAND_SOURCE), only(ISLANDS_SOURCE));
    run(
        &scratch,
        "out",
        &format!("fractions = true\n[[grid]]\n{MAINLAND_GRID}[[grid]]\n{ISLANDS_GRID}{us}{hawaii}"),
        512,
        "1",
    );
    let share = cells(&scratch.path("out/fraction/nation_islands_fraction_17_2010_60m.tif"));
    let is_17 = |i: usize| archipelago(2010, i / 40, i % 40) == 17;
    assert!((0..1600).all(|i| (share[i] == 10_000) == is_17(i)));
    assert!(scratch.path("out/fraction/nation_mainland_purity_2010_30m.tif").exists());
    let said = scratch.ok(&["verify", "out"]).stdout;
    assert!(said.contains("shares in 3200 cells added up"), "{said}");
}

#[test]
fn what_lies_outside_is_judged_by_each_grid() {
    let scratch = maps();
    let small = ISLANDS_GRID.replace("[1500, 1500]", "[600, 1500]");
    let body = |islands: &str| {
        format!("[[grid]]\n{MAINLAND_GRID}[[grid]]\n{islands}{MAINLAND_SOURCE}{ISLANDS_SOURCE}")
    };
    let job = scratch.write("strict.toml", &job_text("strict", &body(&small), 512));
    scratch.nalcms(&["run", job.to_str().unwrap()]).refused(3, &["hi_2010.tif", "outside grid `islands`"]);
    let said = run(&scratch, "out", &body(&format!("{small}outside_grid = \"drop\"\n")), 512, "2");
    assert!(said.stderr.contains("hi_2010.tif") && !said.stderr.contains("us_2010.tif"), "{}", said.stderr);
    // The grid begins 500 rows above the map and has 600: its first 100 rows are left.
    let kept = counted((ARCHIPELAGO.0, 60.0, 100, ARCHIPELAGO.3), archipelago, (2010, 2015), |_| true);
    let mainland = counted(MAINLAND, mainland, (2010, 2015), |_| true);
    let table = scratch.csv("out/tables/class_area.csv");
    assert_eq!(
        told(&table, &[("zone_layer", "all"), ("year", "2010"), ("code", "17")]),
        expected([&mainland, &kept], |(from, _)| from == 17)
    );
    scratch.ok(&["verify", "out"]);
}

#[test]
fn a_plan_says_which_source_goes_on_which_grid() {
    let scratch = maps();
    let job = scratch.write("job.toml", &job_text("out", &both(), 512));
    let said = scratch.ok(&["plan", job.to_str().unwrap()]).stdout;
    for words in [
        "nation: 2 grids that share one set of tables",
        "grid `mainland`: 600 x 900 cells of 30m",
        "sources: hawaii",
        "grid `islands`: 4 tasks of 512 x 512 cells",
        "writes landcover/nation_islands_landcover_2020_60m.tif",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let said = scratch.ok(&["plan", job.to_str().unwrap(), "--json"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(plan["grids"][1]["sources"], serde_json::json!(["hawaii"]));
    assert_eq!(
        (&plan["tasks"][3]["grid"], &plan["tasks"][4]["grid"]),
        (&"mainland".into(), &"islands".into())
    );
    assert_eq!(plan["tasks"].as_array().unwrap().len(), 8);
}

/// Adds one to a number in the first row of a table that holds some words.
fn alter_table(path: &Path, words: &str, column: &str) {
    let mut csv = Csv::read(path);
    let columns: Vec<String> = csv.columns().iter().map(ToString::to_string).collect();
    let at = columns.iter().position(|c| c == column).unwrap();
    let row = csv.rows.iter_mut().find(|row| row.join(",").contains(words)).unwrap();
    row[at] = (row[at].parse::<f64>().unwrap() + 1.0).to_string();
    let mut writer = csv::Writer::from_path(path).unwrap();
    writer.write_record(&columns).unwrap();
    csv.rows.iter().for_each(|row| writer.write_record(row).unwrap());
    writer.flush().unwrap();
}

#[test]
fn verify_finds_what_is_altered_on_either_grid() {
    let scratch = maps();
    // Raw blocks can be altered cell by cell.
    let body = format!("{}[compute]\ntask_cells = 512\ncompression = \"none\"\n", both());
    let job = scratch.write("job.toml", &format!("name = \"nation\"\noutput = \"out\"\n{body}"));
    scratch.ok(&["run", job.to_str().unwrap(), "--quiet"]);
    let said = scratch.ok(&["verify", "out"]).stdout;
    assert!(said.contains("10 rasters counted") && said.contains("4 pairs of maps"), "{said}");
    let differs = |file: &str, words: &[&str], alter: &dyn Fn(&Path)| {
        let path = scratch.path("out").join(file);
        let before = std::fs::read(&path).unwrap();
        alter(&path);
        reseal(&scratch.path("out"));
        let found = scratch.nalcms(&["verify", "out"]);
        assert_eq!(found.code, 1, "{file}: {}", found.stdout);
        let told = found.stdout.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(told, "{words:?}: {}", found.stdout);
        std::fs::write(&path, before).unwrap();
        reseal(&scratch.path("out"));
    };
    let table = |name: &str| format!("tables/{name}.csv");
    differs(&table("class_area"), &["class_area.csv"], &|path| {
        alter_table(path, "all,all,,2010,5,", "pixels")
    });
    differs(&table("class_area"), &["class_area.csv", "area"], &|path| {
        alter_table(path, "all,all,,2010,5,", "area_m2")
    });
    differs(&table("change_matrix"), &["change_matrix.csv"], &|path| {
        alter_table(path, "parts,sea,,2010,2015,2010,2014,1,", "pixels");
    });
    for (grid, resolution) in [("mainland", "30m"), ("islands", "60m")] {
        let map = format!("landcover/nation_{grid}_landcover_2015_{resolution}.tif");
        let change = format!("change/nation_{grid}_change_2010_2015_{resolution}.tif");
        differs(&map, &["class_area.csv"], &|path| alter_cell(path, 1));
        differs(&change, &[change.as_str(), "expected"], &|path| alter_cell(path, 2));
        let rat = format!("{map}.aux.xml");
        differs(&rat, &[rat.as_str(), "count"], &|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let row = text.find("<Row index=\"4\">").unwrap();
            let at = row + text[row..].find("</F>").unwrap();
            let (head, rest) = text.split_at(at);
            std::fs::write(path, format!("{head}{}", rest.replacen("<F>", "<F>1", 1))).unwrap();
        });
    }
    // A raster that stands for another grid's, or is gone, is told.
    let map = "landcover/nation_islands_landcover_2010_60m.tif";
    differs(map, &[map, "rows"], &|path| {
        std::fs::copy(scratch.path("out/landcover/nation_mainland_landcover_2010_30m.tif"), path).unwrap();
    });
    let path = scratch.path("out").join(map);
    let before = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    reseal(&scratch.path("out"));
    let found = scratch.nalcms(&["verify", "out"]);
    assert_eq!(found.code, 1);
    assert!(found.stdout.contains("there is no sound map of 2010 on grid `islands`"), "{}", found.stdout);
    std::fs::write(&path, before).unwrap();
}

/// Gives the cell in row 9 and column 9 of an uncompressed raster another value, of so many bytes.
fn alter_cell(path: &Path, width: usize) {
    let mut decoder = Decoder::new(std::fs::File::open(path).unwrap()).unwrap();
    let tile = decoder.get_tag_u64_vec(Tag::TileOffsets).unwrap()[0] as usize;
    let mut bytes = std::fs::read(path).unwrap();
    let at = tile + (9 * 512 + 9) * width;
    bytes[at] = if bytes[at] == 5 { 8 } else { 5 };
    std::fs::write(path, bytes).unwrap();
}

/// Makes checksums fit the files as they are now, so that only a deeper look finds what was altered.
fn reseal(out: &Path) {
    let mut files = BTreeMap::new();
    for folder in ["landcover", "change", "quicklook", "tables"] {
        for entry in std::fs::read_dir(out.join(folder)).unwrap().map(Result::unwrap) {
            let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            files.insert(name, nalcms::io::digest::sha256_file(&entry.path()).unwrap());
        }
    }
    let mut manifest = json(&out.join("run.json"));
    manifest["outputs"] = serde_json::to_value(&files).unwrap();
    std::fs::write(out.join("run.json"), manifest.to_string()).unwrap();
    let sums: String = files.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect();
    std::fs::write(out.join("SHA256SUMS"), sums).unwrap();
}
