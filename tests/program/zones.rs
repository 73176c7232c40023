//! Zones: several layers in one job, from polygons and rasters, crossed with each other and with countries.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{Csv, Drawing, Scratch, cells, patchy};
use gdal::DriverManager;
use gdal::spatial_ref::SpatialRef;
use gdal::vector::{Defn, Feature, FieldDefn, Geometry, LayerOptions, OGRFieldType};
use nalcms::io::gdal::{CellKeys, crs_from_wkt, open_features};
use nalcms::model::grid::{Affine, Grid};
use nalcms::model::window::Window;

/// Polygons of EPSG:5070: code, label, west, south, east, north.
type Square<'a> = (&'a str, &'a str, [f64; 4]);

/// A GeoJSON layer of squares; codes stand in it as they are given, with quotes or without.
fn squares(squares: &[Square]) -> String {
    let feature = |(code, label, [west, south, east, north]): &Square| {
        format!(
            r#"{{"type": "Feature", "properties": {{"code": {code}, "label": "{label}"}}, "geometry": {{"type": "Polygon",
               "coordinates": [[[{west}, {south}], [{east}, {south}], [{east}, {north}], [{west}, {north}], [{west}, {south}]]]}}}}"#
        )
    };
    let features: Vec<String> = squares.iter().map(feature).collect();
    let crs = r#"{"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::5070"}}"#;
    format!(r#"{{"type": "FeatureCollection", "crs": {crs}, "features": [{}]}}"#, features.join(","))
}

/// From, to, cells.
type Transition = (i32, i32, u64);

/// The zones of a layer with their transitions.
fn transitions(matrix: &Csv, layer: &str) -> BTreeMap<String, Vec<Transition>> {
    let mut zones: BTreeMap<String, Vec<Transition>> = BTreeMap::new();
    for row in matrix.select(&[("zone_layer", layer)]) {
        let number = |column: &str| row[column].parse::<i32>().unwrap();
        let entry = (number("from_code"), number("to_code"), row["pixels"].parse().unwrap());
        zones.entry(row["zone_id"].clone()).or_default().push(entry);
    }
    zones
}

/// Three rows of four cells of two countries, as in the job that is checked by hand elsewhere.
const SMALL_JOB: &str = r#"
name = "small"
output = "out"
[grid]
crs = "EPSG:5070"
origin = [0, 90]
cell_size_m = 30
shape = [3, 4]
extent = "full"
[[source]]
id = "north"
country = "CA"
legend = "nrcan"
priority = 5
epochs = { 2010 = "north_2010.tif", 2015 = "north_2015.tif" }
[[source]]
id = "south"
country = "US"
legend = "nalcms"
epochs = { 2010 = "south_2010.tif", 2015 = "south_2015.tif" }
"#;

const SMALL_ZONES: &str = r#"
[[zones]]
id = "country-x-parks"
by = ["country", "parks"]
[[zones]]
id = "parks"
path = "parks.geojson"
key = "code"
name = "label"
[[zones]]
id = "basins"
path = "basins.tif"
[[zones]]
id = "parks-x-basins"
by = ["parks", "basins"]
"#;

fn small() -> Scratch {
    let scratch = Scratch::new();
    let at = |x, y| Drawing { srs: Some("EPSG:5070"), origin: (x, y), ..Drawing::default() };
    let (north, south) = (at(0.0, 90.0), at(0.0, 60.0));
    north.draw::<u8>(&scratch.path("north_2010.tif"), &[&[1, 1, 2, 0], &[1, 5, 5, 0]]);
    north.draw::<u8>(&scratch.path("north_2015.tif"), &[&[1, 17, 2, 0], &[1, 5, 0, 0]]);
    south.draw::<u8>(&scratch.path("south_2010.tif"), &[&[1, 3, 9, 9], &[15, 15, 0, 18]]);
    south.draw::<u8>(&scratch.path("south_2015.tif"), &[&[1, 3, 9, 9], &[17, 15, 15, 18]]);
    // 0402 0402    .    .
    // 0402 0402 8.10    .      8.10 reaches over 0402 in the middle; 0402 is two polygons that overlap.
    // 0402 8.10 8.10    .
    let parks = squares(&[
        ("\"0402\"", "West", [0.0, 30.0, 60.0, 90.0]),
        ("\"8.10\"", "Mid|east", [30.0, 0.0, 90.0, 60.0]),
        ("\"0402\"", "ignored", [0.0, 0.0, 30.0, 90.0]),
        ("\"sliver\"", "", [95.0, 5.0, 99.0, 9.0]),
        ("\"far\"", "", [9000.0, 0.0, 9100.0, 60.0]),
    ]);
    scratch.write("parks.geojson", &parks);
    // .  7  7  .
    // .  7 -3  .
    // .  .  .  .
    let basins = Drawing { nodata: Some(-1.0), ..at(30.0, 90.0) };
    basins.draw::<i16>(&scratch.path("basins.tif"), &[&[7, 7, -1], &[7, -3, -1]]);
    scratch.write("job.toml", &format!("{SMALL_JOB}{SMALL_ZONES}"));
    scratch
}

#[test]
fn polygons_a_raster_and_two_crossed_layers_by_hand() {
    let scratch = small();
    scratch.ok(&["run", "job.toml"]);
    // 2010:  1  1  2  0     2015:  1 17  2  0     (2, 2) is nodata in 2010; (1, 2) goes from north to south.
    //        1  5  5  9            1  5  9  9
    //       15 15  0 18           17 15 15 18
    let matrix = scratch.csv("out/tables/change_matrix.csv");
    let expected = |zones: &[(&str, &[Transition])]| -> BTreeMap<String, Vec<Transition>> {
        zones.iter().map(|(id, entries)| (id.to_string(), entries.to_vec())).collect()
    };
    assert_eq!(
        transitions(&matrix, "parks"),
        expected(&[
            ("0402", &[(1, 1, 2), (1, 17, 1), (5, 5, 1), (15, 17, 1)]),
            ("8.10", &[(5, 9, 1), (15, 15, 1)]),
            ("outside", &[(2, 2, 1), (9, 9, 1), (18, 18, 1)]),
        ])
    );
    assert_eq!(
        transitions(&matrix, "basins"),
        expected(&[
            ("7", &[(1, 17, 1), (2, 2, 1), (5, 5, 1)]),
            ("-3", &[(5, 9, 1)]),
            ("outside", &[(1, 1, 2), (9, 9, 1), (15, 15, 1), (15, 17, 1), (18, 18, 1)]),
        ])
    );
    assert_eq!(
        transitions(&matrix, "country-x-parks"),
        expected(&[
            ("CA|0402", &[(1, 1, 2), (1, 17, 1), (5, 5, 1)]),
            ("US|0402", &[(15, 17, 1)]),
            ("US|8.10", &[(15, 15, 1)]),
            ("mixed|8.10", &[(5, 9, 1)]),
            ("outside", &[(2, 2, 1), (9, 9, 1), (18, 18, 1)]),
        ])
    );
    assert_eq!(
        transitions(&matrix, "parks-x-basins"),
        expected(&[
            ("0402|7", &[(1, 17, 1), (5, 5, 1)]),
            ("8.10|-3", &[(5, 9, 1)]),
            ("outside", &[(1, 1, 2), (2, 2, 1), (9, 9, 1), (15, 15, 1), (15, 17, 1), (18, 18, 1)]),
        ])
    );
    // Layers in the order of the job, zones in the order of their file, values and sources; the rest at the end.
    let mut order: Vec<(String, String)> = matrix.rows.iter().map(|r| (r[0].clone(), r[1].clone())).collect();
    order.dedup();
    let order: Vec<String> = order.iter().map(|(layer, id)| format!("{layer} {id}")).collect();
    assert_eq!(
        order[order.iter().position(|zone| zone == "country-x-parks CA|0402").unwrap()..],
        [
            "country-x-parks CA|0402",
            "country-x-parks US|0402",
            "country-x-parks US|8.10",
            "country-x-parks mixed|8.10",
            "country-x-parks outside",
            "parks 0402",
            "parks 8.10",
            "parks outside",
            "basins -3",
            "basins 7",
            "basins outside",
            "parks-x-basins 0402|7",
            "parks-x-basins 8.10|-3",
            "parks-x-basins outside",
        ]
    );
    let area = scratch.csv("out/tables/class_area.csv");
    let name = |layer: &str, id: &str| {
        area.select(&[("zone_layer", layer), ("zone_id", id)])[0]["zone_name"].clone()
    };
    assert_eq!((name("parks", "0402"), name("parks", "8.10")), ("West".into(), "Mid|east".into()));
    assert_eq!(name("country-x-parks", "US|8.10"), r"US|Mid\|east");
    assert_eq!((name("parks-x-basins", "0402|7"), name("basins", "7")), ("West|7".into(), String::new()));
    // In 2010 the cell that changes hands is Canada's.
    let five = [("zone_layer", "country-x-parks"), ("year", "2010"), ("code", "5")];
    assert_eq!(area.value("pixels", &[&five[..], &[("zone_id", "CA|8.10")]].concat()), "1");
    let excluded = scratch.csv("out/tables/excluded.csv");
    assert_eq!(excluded.value("code", &[("zone_layer", "parks")]), "15");
    assert_eq!(excluded.value("zone_id", &[("zone_layer", "country-x-parks")]), "US|8.10");
    scratch.ok(&["verify", "out"]);
}

#[test]
fn overlaps_and_zones_without_cells_are_told_by_layer() {
    let scratch = small();
    let run = scratch.ok(&["run", "job.toml"]);
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(scratch.path("out/run.json")).unwrap()).unwrap();
    let layer =
        |id: &str| manifest["layers"].as_array().unwrap().iter().find(|l| l["id"] == id).unwrap().clone();
    let parks = layer("parks");
    assert_eq!(
        (&parks["features"], &parks["zones"], &parks["overlap_pixels"]),
        (&5.into(), &4.into(), &1.into())
    );
    assert_eq!(parks["zones_without_cells"], 1);
    assert_eq!(parks["first_without_cells"], serde_json::json!(["sliver"]));
    assert_eq!(parks["zones_off_the_grid"], 1);
    assert_eq!(layer("basins")["kind"], "raster");
    assert_eq!(layer("parks-x-basins")["by"], serde_json::json!(["parks", "basins"]));
    let warnings = manifest["warnings"].to_string();
    for words in [
        "zone layer `parks`: cells that lie in more than one zone: 1;",
        "zone layer `parks`: zones on the grid that hold no cell's centre and so are in no table: 1 (sliver)",
    ] {
        assert!(
            warnings.contains(words) && run.stderr.contains(words),
            "{words}: {warnings}\n{}",
            run.stderr
        );
    }
    let plan = scratch.ok(&["plan", "job.toml"]).stdout;
    for words in [
        "zones `parks`: 5 polygons, 4 zones, from NAD83 / Conus Albers",
        "zones `basins`: a raster of 2 x 3 int16, NAD83 / Conus Albers; -1 is outside; copied",
        "zones `country-x-parks`: country and parks crossed",
    ] {
        assert!(plan.contains(words), "{words} is missing in {plan}");
    }
}

#[test]
fn a_crossed_layer_costs_no_task_and_another_raster_all_that_it_can_change() {
    let scratch = small();
    let without = SMALL_ZONES.split("[[zones]]\nid = \"parks-x-basins\"").next().unwrap();
    scratch.write("job.toml", &format!("{SMALL_JOB}{without}"));
    scratch.ok(&["run", "job.toml"]);
    assert!(transitions(&scratch.csv("out/tables/change_matrix.csv"), "parks-x-basins").is_empty());
    scratch.write("job.toml", &format!("{SMALL_JOB}{SMALL_ZONES}"));
    assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("0 of 1 tasks computed, 1 kept"));
    assert!(
        transitions(&scratch.csv("out/tables/change_matrix.csv"), "parks-x-basins").contains_key("8.10|-3")
    );
    // The same values elsewhere, another value, another nodata value: each redoes the task.
    for (nodata, rows) in [
        (-1.0, [[7i16, -3, -1], [7, 7, -1]]),
        (-1.0, [[7, 8, -1], [7, 7, -1]]),
        (7.0, [[7, 8, -1], [7, 7, -1]]),
    ] {
        let drawing = Drawing {
            srs: Some("EPSG:5070"),
            origin: (30.0, 90.0),
            nodata: Some(nodata),
            ..Drawing::default()
        };
        drawing.draw::<i16>(&scratch.path("basins.tif"), &[&rows[0], &rows[1]]);
        assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("1 of 1 tasks computed"), "{rows:?}");
    }
    // With 7 for nodata, -1 is a zone: the cell at the right end of the second row.
    let zones = transitions(&scratch.csv("out/tables/change_matrix.csv"), "basins");
    assert_eq!(zones.keys().collect::<Vec<_>>(), ["-1", "8", "outside"]);
    assert_eq!(zones["-1"], [(9, 9, 1)]);
}

const BIG_JOB: &str = r#"
name = "big"
output = "OUTPUT"
[grid]
crs = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
origin = [-30000, 30000]
cell_size_m = 30
shape = [1100, 1300]
extent = "full"
[[source]]
id = "north"
country = "CA"
legend = "nalcms"
priority = 1
epochs = { 2000 = "north_2000.tif", 2010 = "north_2010.tif" }
[[source]]
id = "south"
country = "US"
legend = "nalcms"
epochs = { 2000 = "south_2000.tif", 2010 = "south_2010.tif" }
[[zones]]
id = "parks"
path = "parks.geojson"
key = "code"
[[zones]]
id = "basins"
path = "basins.tif"
[[zones]]
id = "soils"
path = "soils.tif"
[[zones]]
id = "all-three"
by = ["country", "parks", "basins"]
[[zones]]
id = "soils-by-section"
by = ["section", "soils"]
[compute]
task_cells = TASK
"#;

const PARKS: &str = r#"{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"code": "09"}, "geometry": {"type": "Polygon", "coordinates": [[[-100.2, 45.1], [-99.9, 45.12], [-100.0, 44.9], [-100.2, 45.1]]]}},
{"type": "Feature", "properties": {"code": "8.10"}, "geometry": {"type": "Polygon", "coordinates": [[[-100.1, 45.15], [-99.8, 45.15], [-99.8, 44.95], [-100.1, 44.98], [-100.1, 45.15]]]}},
{"type": "Feature", "properties": {"code": "09"}, "geometry": {"type": "Polygon", "coordinates": [[[-99.9, 45.1], [-99.7, 45.1], [-99.7, 45.0], [-99.9, 45.1]]]}}
]}"#;

const ROWS: usize = 1100;
const COLS: usize = 1300;

/// The basin at a row and column of its own raster: patches, some of them in no basin.
fn basin(row: usize, col: usize) -> u8 {
    patchy(row / 20, col / 20, 5, &[0, 11, 12, 13, 200])
}

/// Two sources that overlap, polygons in longitude and latitude, a raster whose cells of 47 m lie across those of the
/// grid, and one in another CRS.
fn big() -> Scratch {
    let scratch = Scratch::new();
    let drawing = Drawing { origin: (-30_000.0, 30_000.0), ..Drawing::default() };
    for (seed, year) in [(1, 2000), (2, 2010)] {
        drawing.plot(&scratch.path(&format!("north_{year}.tif")), 700, COLS, |r, c| {
            if (r + c) % 701 < 90 {
                0
            } else {
                patchy(r, c, if r % 200 < 40 { seed } else { 9 }, &[0, 1, 2, 5, 8])
            }
        });
        let south = Drawing { origin: (-30_000.0, 30_000.0 - 600.0 * 30.0), ..Drawing::default() };
        south.plot(&scratch.path(&format!("south_{year}.tif")), 500, COLS, |r, c| {
            patchy(r, c, seed, &[10, 14, 18])
        });
    }
    scratch.write("parks.geojson", PARKS);
    let basins =
        Drawing { origin: (-28_990.0, 30_100.0), cell: 47.0, nodata: Some(0.0), ..Drawing::default() };
    basins.plot(&scratch.path("basins.tif"), 650, 760, basin);
    let soils = Drawing {
        srs: Some("EPSG:5070"),
        origin: (-345_000.0, 2_482_000.0),
        cell: 210.0,
        ..Drawing::default()
    };
    soils.plot_as::<i32>(&scratch.path("soils.tif"), 200, 220, |r, c| patchy(r, c, 3, &[1, 2, 3, 4, 5, 6]));
    scratch
}

fn checksums(output: &Path) -> BTreeMap<String, String> {
    let sums = std::fs::read_to_string(output.join("SHA256SUMS")).unwrap();
    sums.lines().map(|line| (line[66..].to_string(), line[..64].to_string())).collect()
}

#[test]
fn several_layers_give_the_same_bytes_whatever_the_threads_and_tasks_and_the_counts_of_plain_code() {
    let scratch = big();
    let run = |name: &str, task: &str, threads: &str| {
        let job = BIG_JOB.replace("OUTPUT", name).replace("TASK", task);
        scratch.write(&format!("{name}.toml"), &job);
        scratch.ok(&["run", &format!("{name}.toml"), "--threads", threads, "--quiet"]);
        checksums(&scratch.path(name))
    };
    let reference = run("one", "4096", "1");
    for (name, task, threads) in
        [("a", "512", "1"), ("b", "512", "2"), ("c", "1024", "1"), ("d", "1024", "2")]
    {
        assert_eq!(run(name, task, threads), reference, "{name}");
    }
    scratch.ok(&["verify", "one", "--quiet"]);

    // Cell by cell: the class in the published maps, the basin by the place of the cell's centre.
    let map = |year: i32| cells(&scratch.path(&format!("one/landcover/big_landcover_{year}_30m.tif")));
    let (from, to) = (map(2000), map(2010));
    let basin_at = |cell: usize| {
        let x = -30_000.0 + ((cell % COLS) as f64 + 0.5) * 30.0;
        let y = 30_000.0 - ((cell / COLS) as f64 + 0.5) * 30.0;
        let (row, col) = (((30_100.0 - y) / 47.0).floor(), ((x + 28_990.0) / 47.0).floor());
        if row < 0.0 || col < 0.0 || row >= 650.0 || col >= 760.0 {
            0
        } else {
            basin(row as usize, col as usize)
        }
    };
    let mut expected: BTreeMap<String, BTreeMap<(i32, i32), u64>> = BTreeMap::new();
    for cell in (0..ROWS * COLS).filter(|&cell| from[cell] != 0 && to[cell] != 0) {
        let zone = match basin_at(cell) {
            0 => "outside".to_string(),
            value => value.to_string(),
        };
        *expected.entry(zone).or_default().entry((from[cell], to[cell])).or_default() += 1;
    }
    assert!(expected.len() == 5 && expected["outside"].values().sum::<u64>() > 100_000);
    let matrix = scratch.csv("one/tables/change_matrix.csv");
    let found: BTreeMap<String, BTreeMap<(i32, i32), u64>> = transitions(&matrix, "basins")
        .into_iter()
        .map(|(zone, entries)| (zone, entries.into_iter().map(|(from, to, n)| ((from, to), n)).collect()))
        .collect();
    assert_eq!(found, expected);
    // A crossed layer splits the zones of its members, but for what another member does not cover.
    let crossed = transitions(&matrix, "all-three");
    let sum = |zones: &BTreeMap<String, Vec<Transition>>, holds: &dyn Fn(&str) -> bool| -> u64 {
        let entries = zones.iter().filter(|(id, _)| holds(id)).flat_map(|(_, entries)| entries);
        entries.map(|(_, _, n)| n).sum()
    };
    let basins = transitions(&matrix, "basins");
    let whole = matrix.sum("pixels", &[("zone_layer", "all")]);
    assert_eq!(sum(&crossed, &|_| true), whole);
    assert!(crossed.keys().any(|id| id.starts_with("mixed|")) && crossed.contains_key("US|8.10|200"));
    let in_twelve = sum(&crossed, &|id| id.ends_with("|12"));
    assert!(in_twelve > 1000 && in_twelve < sum(&basins, &|id| id == "12"));
    // Nothing but sections and soils: every cell has a section, so the sums by soil are those of the soils.
    let (soils, by_section) = (transitions(&matrix, "soils"), transitions(&matrix, "soils-by-section"));
    for soil in ["1", "2", "3", "4", "5", "6"] {
        let of_section = sum(&by_section, &|id| id.ends_with(&format!("|{soil}")));
        assert_eq!(of_section, sum(&soils, &|id| id == soil), "{soil}");
        assert!(of_section > 1000, "{soil}");
    }
}

#[test]
fn a_raster_in_longitude_and_latitude_tells_the_zone_under_each_centre() {
    // Meridians are straight to north on a cylinder: the zone of a column follows from its longitude alone.
    let scratch = Scratch::new();
    let plane = Drawing { srs: Some("+proj=eqc +datum=WGS84 +units=m"), ..Drawing::default() };
    plane.plot(&scratch.path("a.tif"), 40, 60, |r, c| patchy(r, c, 1, &[1, 2, 5]));
    // Ten columns of the map to a column of the zones, from the left edge of column 15 on.
    let metre = 1.0 / 111_319.490_793_273_57;
    let zones = Drawing {
        srs: Some("EPSG:4326"),
        origin: (15.0 * 30.0 * metre, 1.0),
        cell: 300.0 * metre,
        nodata: None,
        ..Drawing::default()
    };
    zones.plot(&scratch.path("z.tif"), 500, 4, |_, c| [30, 31, 32, 31][c]);
    let arguments =
        ["--years", "1", "2", "--legend", "nalcms", "-o", "out", "--zones", "z.tif", "--tables-only"];
    scratch.ok(&[&["change", "a.tif", "a.tif"][..], &arguments].concat());
    let area = scratch.csv("out/tables/class_area.csv");
    let of_zone = |id: &str| area.sum("pixels", &[("zone_layer", "zones"), ("zone_id", id), ("year", "1")]);
    // 40 rows; columns 0 to 14 and 55 to 59 lie in no zone.
    let found = ["30", "31", "32", "outside"].map(of_zone);
    assert_eq!(found, [400, 800, 400, 800]);
}

#[test]
fn zones_of_one_key_are_united_and_only_different_keys_overlap() {
    let scratch = Scratch::new();
    let whole = [0.0, 0.0, 30_000.0, 30_000.0];
    let layers = squares(&[("\"a\"", "", whole), ("\"b\"", "", whole), ("\"a\"", "", whole)]);
    let twice = squares(&[("\"a\"", "", whole), ("\"a\"", "", whole)]);
    let edge = squares(&[
        ("\"b\"", "", [0.0, 29_700.0, 300.0, 30_000.0]),
        ("\"a\"", "", [0.0, 29_850.0, 600.0, 30_000.0]),
        ("\"b\"", "", [150.0, 29_700.0, 600.0, 30_000.0]),
    ]);
    let crs = crs_from_wkt("EPSG:5070").unwrap();
    let grid = Grid {
        crs: Some(crs.clone()),
        affine: Affine::north_up(0.0, 30_000.0, 30.0, 30.0),
        rows: 1000,
        cols: 1000,
        lattice: (0, 0),
    };
    let burn = |text: &str, window: Window| {
        let path = scratch.write("layer.geojson", text);
        open_features(&path, "code", None, &crs, 30.0).unwrap().burn(&grid, &window).unwrap()
    };
    // Far from all edges, where nothing is burned, and at the corner, where polygons are.
    for (window, burned) in
        [(Window { row: 400, col: 400, rows: 20, cols: 30 }, false), (Window::whole(20, 30), true)]
    {
        let (several, one) = (burn(&layers, window), burn(&twice, window));
        assert_eq!((several.overlaps, one.overlaps), (600, 0), "{window}");
        assert_eq!(matches!(one.cells, CellKeys::Each(_)), burned, "{window}");
        assert_eq!(several.cells, one.cells, "{window}");
    }
    // The first two zones in file order are b and a; 20 x 5 cells lie in both.
    let zones = burn(&edge, Window::whole(10, 20));
    assert_eq!(zones.overlaps, 100);
    let CellKeys::Each(keys) = zones.cells else { panic!("edges come near") };
    assert_eq!((keys[(0, 9)], keys[(0, 10)], keys[(0, 19)], keys[(9, 19)]), (1, 2, 2, 1));
}

#[test]
fn keys_stay_the_text_that_they_are_in_the_file() {
    let scratch = Scratch::new();
    let crs = crs_from_wkt("EPSG:5070").unwrap();
    let keys = |name: &str| -> Vec<String> {
        let layer = open_features(&scratch.path(name), "code", None, &crs, 30.0).unwrap();
        layer.keys.into_iter().map(|(key, _)| key).collect()
    };
    let place = [0.0, 0.0, 90.0, 90.0];
    let layer = |codes: &[&str]| squares(&codes.iter().map(|code| (*code, "", place)).collect::<Vec<_>>());
    scratch.write("text.geojson", &layer(&["\"0402\"", "\"09\"", "\"8.10\"", "\"09 \"", "\"Ñ|é\""]));
    assert_eq!(keys("text.geojson"), ["0402", "09", "8.10", "09 ", "Ñ|é"]);
    scratch.write("whole.geojson", &layer(&["402", "-7", "9007199254740993"]));
    assert_eq!(keys("whole.geojson"), ["402", "-7", "9007199254740993"]);
    // Fifteen digits would make one key of the first two.
    scratch.write("real.geojson", &layer(&["0.30000000000000004", "0.3", "8.1", "12.5"]));
    assert_eq!(keys("real.geojson"), ["0.30000000000000004", "0.3", "8.1", "12.5"]);
    // A column of two decimals holds 8.10, not 8.1.
    let driver = DriverManager::get_driver_by_name("ESRI Shapefile").unwrap();
    let mut dataset = driver.create_vector_only(scratch.path("fixed.shp")).unwrap();
    let srs = SpatialRef::from_epsg(5070).unwrap();
    let options = LayerOptions {
        name: "fixed",
        srs: Some(&srs),
        ty: gdal::vector::OGRwkbGeometryType::wkbPolygon,
        ..Default::default()
    };
    let layer = dataset.create_layer(options).unwrap();
    let field = FieldDefn::new("code", OGRFieldType::OFTReal).unwrap();
    field.set_width(8);
    field.set_precision(2);
    field.add_to_layer(&layer).unwrap();
    for code in [8.1, 12.0] {
        let square = Geometry::from_wkt("POLYGON ((0 0, 90 0, 90 90, 0 90, 0 0))").unwrap();
        let defn = Defn::from_layer(&layer);
        let mut feature = Feature::new(&defn).unwrap();
        feature.set_geometry(square).unwrap();
        feature.set_field_double(0, code).unwrap();
        feature.create(&layer).unwrap();
    }
    dataset.close().unwrap();
    assert_eq!(keys("fixed.shp"), ["8.10", "12.00"]);
}

#[test]
fn zones_that_cannot_be_are_refused_with_what_to_do() {
    let scratch = small();
    let refused = |zones: &str, code: i32, words: &[&str]| {
        scratch.write("bad.toml", &format!("{}{zones}", SMALL_JOB.replace("\"out\"", "\"bad\"")));
        scratch.nalcms(&["run", "bad.toml"]).refused(code, words);
        assert!(!scratch.path("bad").exists(), "{zones}");
    };
    let layer = |id: &str, rest: &str| format!("[[zones]]\nid = \"{id}\"\n{rest}\n");
    let parks = layer("parks", "path = \"parks.geojson\"\nkey = \"code\"");
    refused(
        &format!(
            "{parks}{}{}",
            layer("x", "by = [\"country\", \"parkz\"]"),
            layer("parks", "path = \"basins.tif\"")
        ),
        2,
        &[
            "`by` names `parkz`",
            "section, country, parks",
            "did you mean `parks`?",
            "two zone layers have the id `parks`",
        ],
    );
    refused(
        &layer("country", "path = \"basins.tif\""),
        2,
        &["`country` is taken by this program's own layers"],
    );
    refused(
        &format!("{parks}{}", layer("x", "by = [\"country\", \"parks\"]\npath = \"basins.tif\"")),
        2,
        &["zones `x`: `by` crosses other layers"],
    );
    refused(&layer("p", "path = \"parks.geojson\""), 2, &["`key` is missing", "one of code, label"]);
    refused(
        &layer("p", "path = \"parks.geojson\"\nkey = \"cod\""),
        3,
        &["no field `cod`", "fields: code, label"],
    );
    refused(
        &layer("b", "path = \"basins.tif\"\nkey = \"code\""),
        2,
        &["is a raster and has no field `code`"],
    );
    refused(&layer("b", "path = \"gone.tif\""), 3, &["no such file", "gone.tif"]);
    let at = Drawing { srs: Some("EPSG:5070"), origin: (0.0, 90.0), ..Drawing::default() };
    at.draw::<f32>(&scratch.path("real.tif"), &[&[1.0, 2.5]]);
    refused(
        &layer("b", "path = \"real.tif\""),
        3,
        &["a zone raster must hold whole numbers", "real.tif", "float32", "gdal_translate -ot Int32"],
    );
    Drawing { srs: None, ..at }.draw::<u8>(&scratch.path("nowhere.tif"), &[&[1, 2]]);
    refused(&layer("b", "path = \"nowhere.tif\""), 3, &["has no CRS", "nowhere.tif", "gdal_edit.py -a_srs"]);
    let outside = squares(&[("\"outside\"", "", [0.0, 0.0, 90.0, 90.0])]);
    scratch.write("outside.geojson", &outside);
    refused(&layer("p", "path = \"outside.geojson\"\nkey = \"code\""), 3, &["a zone has the key `outside`"]);
}

#[test]
fn a_raster_of_measurements_is_no_raster_of_zones() {
    let scratch = Scratch::new();
    Drawing::default().plot(&scratch.path("a.tif"), 600, 600, |r, c| patchy(r, c, 1, &[1, 2, 5]));
    let heights: Vec<i32> = (0..360_000).collect();
    let rows: Vec<&[i32]> = heights.chunks(600).collect();
    Drawing::default().draw::<i32>(&scratch.path("heights.tif"), &rows);
    let arguments =
        ["--years", "1", "2", "--legend", "nalcms", "-o", "out", "--zones", "heights.tif", "--tables-only"];
    let run = scratch.nalcms(&[&["change", "a.tif", "a.tif"][..], &arguments].concat());
    run.refused(
        4,
        &["more zones, and combinations of them, than are counted", "layers zones", "classify it first"],
    );
}

/// One polygon of EPSG:5070 with the code `a`, in a GeoPackage.
fn geopackage(path: &Path, wkt: &str) {
    let driver = DriverManager::get_driver_by_name("GPKG").unwrap();
    let mut dataset = driver.create_vector_only(path).unwrap();
    let srs = SpatialRef::from_epsg(5070).unwrap();
    let options = LayerOptions {
        name: "one",
        srs: Some(&srs),
        ty: gdal::vector::OGRwkbGeometryType::wkbUnknown,
        ..Default::default()
    };
    let layer = dataset.create_layer(options).unwrap();
    FieldDefn::new("code", OGRFieldType::OFTString).unwrap().add_to_layer(&layer).unwrap();
    let defn = Defn::from_layer(&layer);
    let mut feature = Feature::new(&defn).unwrap();
    feature.set_geometry(Geometry::from_wkt(wkt).unwrap()).unwrap();
    feature.set_field_string(0, "a").unwrap();
    feature.create(&layer).unwrap();
    dataset.close().unwrap();
}

#[test]
fn polygons_with_arcs_are_burned_as_the_straight_edges_that_the_arcs_are_nearly() {
    let scratch = Scratch::new();
    let crs = crs_from_wkt("EPSG:5070").unwrap();
    let grid = Grid {
        crs: Some(crs.clone()),
        affine: Affine::north_up(0.0, 3_000.0, 30.0, 30.0),
        rows: 100,
        cols: 100,
        lattice: (0, 0),
    };
    let burned = |name: &str, wkt: &str| {
        let path = scratch.path(name);
        geopackage(&path, wkt);
        let layer = open_features(&path, "code", None, &crs, 30.0).unwrap();
        let CellKeys::Each(keys) = layer.burn(&grid, &Window::whole(100, 100)).unwrap().cells else {
            panic!("edges come near")
        };
        keys
    };
    let square = "(300 300, 2700 300, 2700 2700, 300 2700, 300 300)";
    let straight = burned("straight.gpkg", &format!("POLYGON ({square})"));
    assert_eq!(burned("multi.gpkg", &format!("MULTISURFACE (({square}))")), straight);
    assert_eq!(burned("curve.gpkg", &format!("CURVEPOLYGON ({square})")), straight);
    // A circle of 40 cells across, of two arcs: its area, within the length of its edge.
    let circle = "CIRCULARSTRING (900 1500, 2100 1500, 900 1500)";
    let cells = burned("circle.gpkg", &format!("MULTISURFACE (CURVEPOLYGON ({circle}))"));
    let held = cells.iter().filter(|key| **key == 1).count() as f64;
    assert!((held - std::f64::consts::PI * 400.0).abs() < 40.0, "{held}");
}
