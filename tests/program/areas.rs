//! Areas of cells: those of polygons on the ellipsoid, on any grid, and the same however the work is cut.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{Drawing, Scratch, patchy};
use nalcms::config::shipped;
use nalcms::io::gdal::{crs_from_wkt, init};
use nalcms::model::area::CellArea;
use nalcms::model::grid::{Affine, Grid};
use nalcms::model::window::Window;
use nalcms::plan::area::Areas;

const WRF: &str = "+proj=lcc +lat_1=30 +lat_2=60 +lat_0=40 +lon_0=-97 +R=6370000 +units=m";
const AEQD: &str = "+proj=aeqd +lat_0=90 +lon_0=-100 +datum=WGS84 +units=m";

/// CRS, x of the left and y of the upper edge of a cell, its side in units of the CRS, its area in m².
///
/// Areas of polygons whose edges are straight on the plane: 50 and 100 points an edge taken to longitude and latitude by
/// pyproj 3.7.2 (PROJ 9.5.1), areas by geographiclib 2.1 (`Geodesic(a, f).Polygon()`), extrapolated to no distance
/// between the points, `(4 A(100) - A(50)) / 3`. That of EPSG:3995 has the pole in its middle; a side of EPSG:2263 is in
/// feet.
const POLYGONS: [(&str, f64, f64, f64, f64); 11] = [
    ("EPSG:3979", -500_000.0, 500_000.0, 1000.0, 1_029_246.269_2),
    ("EPSG:3979", 2_300_000.0, 3_100_000.0, 900.0, 860_814.884_0),
    ("EPSG:3979", -1_000_000.0, -400_000.0, 25_000.0, 600_711_853.749_1),
    ("EPSG:3978", 1_400_000.0, -300_000.0, 1000.0, 962_230.797_9),
    ("EPSG:32618", 400_000.0, 5_000_000.0, 1000.0, 1_000_556.768_5),
    ("EPSG:32618", 820_000.0, 4_500_000.0, 1000.0, 998_273.047_8),
    ("EPSG:3857", -8_000_000.0, 8_400_000.0, 1000.0, 250_855.049_3),
    ("EPSG:3413", -1_000_000.0, -2_000_000.0, 1000.0, 997_309.741_0),
    ("EPSG:3995", -500.0, 500.0, 1000.0, 1_056_770.156_2),
    ("EPSG:2263", 1_000_000.0, 200_000.0, 3000.0, 836_134.361_2),
    (WRF, 900_000.0, -700_000.0, 1000.0, 1_024_358.710_0),
];

fn one_cell(crs: &str, x: f64, y: f64, cell: f64) -> Grid {
    init().unwrap();
    let crs = Some(crs_from_wkt(crs).unwrap());
    Grid { crs, affine: Affine::north_up(x, y, cell, cell), rows: 1, cols: 1, lattice: (0, 0) }
}

/// The area of the cells of a grid, in m².
fn area_m2(grid: &Grid, ellipsoidal: bool) -> f64 {
    let areas = Areas::of(grid, ellipsoidal).unwrap();
    let sizes = areas.sizes.unwrap().of_block(grid, &grid.window()).unwrap();
    (0..grid.rows).map(|row| sizes.row(row).between(0, grid.cols)).sum::<u128>() as f64 / 1e6
}

#[test]
fn cells_of_projections_are_as_large_as_their_polygons() {
    // A polygon around a pole is a difference from half the earth: its 2.6e14 m2 leave a double 0.06 m2.
    let agrees = |found: f64, expected: f64, crs: &str| {
        (found - expected).abs() < 5e-9 * expected + if crs == "EPSG:3995" { 0.06 } else { 0.0 }
    };
    for (crs, x, y, cell, expected) in POLYGONS {
        let found = area_m2(&one_cell(crs, x, y, cell), false);
        assert!(agrees(found, expected, crs), "{crs} {x} {y}: {found}, {expected}");
        // The same square in a hundred cells of a tenth of the side, interpolated where that holds.
        let grid = Grid { rows: 10, cols: 10, ..one_cell(crs, x, y, cell / 10.0) };
        let found = area_m2(&grid, false);
        assert!(agrees(found, expected, crs), "{crs} {x} {y}, tenths: {found}, {expected}");
    }
}

#[test]
fn a_grid_without_equal_areas_says_how_they_are_added_up() {
    for (crs, words) in [
        ("EPSG:4326", "between the parallels of its row"),
        ("EPSG:4267", "a = 6378206.4 m"),
        ("EPSG:3979", "areal scale of the projection"),
        (AEQD, "areal scale of the projection"),
        (WRF, "a sphere of R = 6370000 m"),
    ] {
        let areas = Areas::of(&one_cell(crs, 10.0, 10.0, 0.5), false).unwrap();
        assert!(areas.told.is_summed() && areas.told.method().contains(words), "{crs}: {:?}", areas.told);
    }
    let equal_area = Areas::of(&one_cell("EPSG:5070", 0.0, 0.0, 30.0), false).unwrap();
    assert!(equal_area.told == CellArea::Constant(900.0) && equal_area.sizes.is_none());
    for too_large in [one_cell("EPSG:4326", 0.0, 0.0, 3.0), one_cell("EPSG:3979", 0.0, 0.0, 200_000.0)] {
        assert!(matches!(Areas::of(&too_large, false).unwrap().told, CellArea::Unknown(_)));
    }
}

#[test]
fn cells_of_the_sphere_are_smaller_in_the_south_and_larger_in_the_north_on_the_ellipsoid() {
    init().unwrap();
    let full = shipped::grid("nalcms-250m", Path::new(".")).unwrap().grid().unwrap();
    // Compiled with the facts of the field, independently of this program, to two decimals: at 20, 40, 60 and 70 degrees
    // north. On the central meridian y = 2 R sin((φ - 45°) / 2) (Snyder 1987, eq. 24-2 to 24-4).
    for (latitude, percent) in [(20f64, -0.29), (40.0, 0.10), (60.0, 0.56), (70.0, 0.74)] {
        let y = 2.0 * 6_370_997.0 * ((latitude - 45.0).to_radians() / 2.0).sin();
        let (row, col) = (((4_876_500.0 - y) / 250.0) as i64, 4_418_000 / 250);
        let cell = full.part(&Window { row, col, rows: 1, cols: 1 });
        let found = (area_m2(&cell, true) / 62_500.0 - 1.0) * 100.0;
        assert!((found - percent).abs() < 0.01, "{latitude}: {found} %");
    }
}

/// Two sources that overlap, two years, zones; whatever the CRS. Classes are patches with speckle, with gaps.
fn scene(crs: &str, origin: (f64, f64), cell: f64) -> Scratch {
    let scratch = Scratch::new();
    let at = |row: usize, col: usize| (origin.0 + col as f64 * cell, origin.1 - row as f64 * cell);
    for (year, seed) in [(2010, 1), (2015, 2)] {
        let class = |r: usize, c: usize| match (r + c + 30 * seed as usize) % 701 {
            0..90 => 0,
            _ => patchy(
                r,
                c,
                if (r / 64 + c / 64).is_multiple_of(5) { seed } else { 9 },
                &[1, 2, 5, 8, 10, 14, 18],
            ),
        };
        let drawing = |row, col| Drawing { srs: Some(crs), origin: at(row, col), cell, ..Drawing::default() };
        drawing(0, 0).plot(&scratch.path(&format!("north_{year}_a.tif")), 700, 640, class);
        drawing(0, 600).plot(&scratch.path(&format!("north_{year}_b.tif")), 700, 500, class);
        drawing(600, 200).plot_as::<i16>(&scratch.path(&format!("south_{year}.tif")), 560, 800, |r, c| {
            patchy(r, c, seed + 40, &[1, 3, 9, 15, 17])
        });
    }
    let ring = |corners: [(usize, usize); 3]| {
        let points: Vec<String> = corners
            .iter()
            .chain([&corners[0]])
            .map(|&(row, col)| at(row, col))
            .map(|(x, y)| format!("[{x}, {y}]"))
            .collect();
        points.join(", ")
    };
    let feature = |code: &str, corners| {
        let ring = ring(corners);
        format!(
            r#"{{"type": "Feature", "properties": {{"code": "{code}"}}, "geometry": {{"type": "Polygon", "coordinates": [[{ring}]]}}}}"#
        )
    };
    let features = [
        feature("a", [(0, 0), (500, 1090), (1100, 300)]),
        feature("b", [(20, 700), (20, 1090), (480, 1090)]),
    ];
    // The name of the CRS is read as it stands.
    let name = crs.replace("EPSG:", "urn:ogc:def:crs:EPSG::");
    scratch.write(
        "zones.geojson",
        &format!(
            r#"{{"type": "FeatureCollection", "crs": {{"type": "name", "properties": {{"name": "{name}"}}}}, "features": [{}]}}"#,
            features.join(", ")
        ),
    );
    scratch.write(
        "job.toml",
        &format!(
            r#"
name = "areas"
output = "OUTPUT"
[grid]
crs = "{crs}"
origin = [{}, {}]
cell_size_m = {cell}
shape = [1160, 1100]
extent = "full"
[[source]]
id = "north"
country = "CA"
legend = "nalcms"
priority = 1
epochs = {{ 2010 = "north_2010_*.tif", 2015 = "north_2015_*.tif" }}
[[source]]
id = "south"
country = "US"
legend = "nalcms"
epochs = {{ 2010 = "south_2010.tif", 2015 = "south_2015.tif" }}
[[zones]]
id = "parks"
path = "zones.geojson"
key = "code"
[compute]
task_cells = TASK
"#,
            origin.0, origin.1
        ),
    );
    scratch
}

fn run(scratch: &Scratch, output: &str, task: &str, threads: &str) -> BTreeMap<String, String> {
    let job = std::fs::read_to_string(scratch.path("job.toml")).unwrap();
    let job = scratch.write(&format!("{output}.toml"), &job.replace("OUTPUT", output).replace("TASK", task));
    scratch.ok(&["run", job.to_str().unwrap(), "--threads", threads, "--quiet"]);
    let sums = std::fs::read_to_string(scratch.path(output).join("SHA256SUMS")).unwrap();
    sums.lines().map(|line| (line[66..].to_string(), line[..64].to_string())).collect()
}

const SCENES: [(&str, (f64, f64), f64); 3] = [
    ("EPSG:4326", (-100.0, 50.0), 0.01),
    ("EPSG:3979", (-300_000.0, 400_000.0), 30.0),
    ("EPSG:32614", (300_000.0, 5_600_000.0), 250.0),
];

#[test]
fn areas_do_not_depend_on_threads_or_task_size_and_agree_with_what_verify_measures() {
    for (crs, origin, cell) in SCENES {
        let scratch = scene(crs, origin, cell);
        let reference = run(&scratch, "one", "512", "1");
        for (output, task, threads) in [("two", "512", "2"), ("three", "1024", "1"), ("four", "1024", "2")] {
            assert_eq!(run(&scratch, output, task, threads), reference, "{crs}, {output}");
        }
        let said = scratch.ok(&["verify", "one"]).stdout;
        assert!(said.contains("areas measured anew") && said.contains("sums of areas"), "{said}");
    }
}

#[test]
fn what_every_table_says_of_an_area_agrees() {
    let (crs, origin, cell) = SCENES[0];
    let scratch = scene(crs, origin, cell);
    run(&scratch, "out", "4096", "2");
    let matrix = scratch.csv("out/tables/change_matrix.csv");
    let sum = |rows: &[BTreeMap<String, String>], column: &str| -> f64 {
        rows.iter().map(|row| row[column].parse::<f64>().unwrap()).sum()
    };
    let all = [("zone_layer", "all")];
    let whole = sum(&matrix.select(&all), "area_m2");
    let close = |found: f64, expected: f64, what: &str| {
        assert!((found / expected - 1.0).abs() < 1e-12, "{what}: {found}, {expected}");
    };
    for layer in ["section", "country", "parks"] {
        close(sum(&matrix.select(&[("zone_layer", layer)]), "area_m2"), whole, layer);
    }
    let area = scratch.csv("out/tables/class_area.csv");
    let excluded = scratch.csv("out/tables/excluded.csv");
    let of_2010 = sum(&area.select(&[all[0], ("year", "2010")]), "area_m2");
    let out_of_2010 = sum(&excluded.select(&[all[0], ("side", "from")]), "area_m2");
    close(whole + out_of_2010, of_2010, "2010");
    // The wide matrix and the statistics tell the same hectares.
    let wide = scratch.csv("out/tables/change_matrix_2010_2015_ha.csv");
    close(wide.value("total", &[("from", "total")]).parse().unwrap(), whole / 1e4, "wide");
    let net = scratch.csv("out/tables/net_change.csv");
    let figure = |statistic| net.value("area_ha", &[all[0], ("code", "total"), ("statistic", statistic)]);
    close(figure("from_total").parse().unwrap(), whole / 1e4, "net change");
    let changed = sum(&matrix.select(&all), "area_m2")
        - matrix
            .select(&all)
            .iter()
            .filter(|row| row["from_code"] == row["to_code"])
            .map(|row| row["area_m2"].parse::<f64>().unwrap())
            .sum::<f64>();
    close(figure("gross_change").parse().unwrap(), changed / 1e4, "gross change");
    // Disagreement lies in the rows 600 to 700, whose cells are known: a tenth of a degree of latitude at 43.5 north.
    let overlap = scratch.csv("out/tables/overlap_disagreement.csv");
    for row in &overlap.select(&[("loser", "south")]) {
        let each = row["area_m2"].parse::<f64>().unwrap() / row["pixels"].parse::<f64>().unwrap();
        let parallels = |degrees: f64| degrees.to_radians().cos();
        let square = (0.01f64.to_radians() * 6_378_137.0).powi(2);
        assert!(
            (parallels(44.0) * square * 0.99..parallels(43.0) * square * 1.01).contains(&each),
            "{row:?}"
        );
    }
    let sidecar = std::fs::read_to_string(scratch.path("out/tables/class_area.json")).unwrap();
    assert!(
        sidecar.contains("Snyder 1987") && sidecar.contains("percentages and rates are of cells"),
        "{sidecar}"
    );
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(scratch.path("out/run.json")).unwrap()).unwrap();
    let mapped = &manifest["rests_on"][0];
    assert_eq!(mapped["proposed_area_m2"], 0.0, "{mapped}");
    assert!(scratch.ok(&["plan", "out.toml"]).stdout.contains("area between the parallels"));
}

#[test]
fn an_area_that_is_not_that_of_its_cells_is_told() {
    let (crs, origin, cell) = SCENES[0];
    let scratch = scene(crs, origin, cell);
    run(&scratch, "out", "4096", "2");
    let alter = |name: &str, wanted: &dyn Fn(&[String]) -> bool, factor: f64| {
        let path = scratch.path("out/tables").join(name);
        let before = std::fs::read(&path).unwrap();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let header = reader.headers().unwrap().clone();
        let mut rows: Vec<Vec<String>> =
            reader.records().map(|row| row.unwrap().iter().map(String::from).collect()).collect();
        let row = rows.iter_mut().find(|row| wanted(row)).unwrap();
        for (cell, _) in row.iter_mut().zip(&header).filter(|(_, name)| name.starts_with("area_")) {
            *cell = (cell.parse::<f64>().unwrap() * factor).to_string();
        }
        let mut writer = csv::Writer::from_path(&path).unwrap();
        writer.write_record(&header).unwrap();
        rows.iter().for_each(|row| writer.write_record(row).unwrap());
        drop(writer);
        let run = scratch.nalcms(&["verify", "out"]);
        assert_eq!(run.code, 1);
        std::fs::write(&path, before).unwrap();
        run.stdout
    };
    // One that the maps contradict; one that only the sum over zones does.
    let said = alter("class_area.csv", &|row| row[0] == "all" && row[6] != "0", 1.0 + 1e-6);
    assert!(said.contains("class_area.csv: class 1 in 2010, against the map"), "{said}");
    let said = alter("change_matrix.csv", &|row| row[0] == "parks" && row[1] == "a", 1.0 + 1e-10);
    assert!(said.contains("all zones of layer parks together"), "{said}");
    let said = alter("excluded.csv", &|row| row[0] == "all", 1.0 + 1e-10);
    assert!(said.contains("+ excluded.csv is not class_area.csv"), "{said}");
    let said = alter("net_change.csv", &|row| row[9] == "exchange" && row[10] != "0", 1.0 + 1e-6);
    assert!(said.contains("exchange: area_ha is"), "{said}");
    let said = alter("overlap_disagreement.csv", &|_| true, 0.0);
    assert!(said.contains("area_m2 is 0 for"), "{said}");
}

const SPHERE_JOB: &str = r#"
name = "sphere"
output = "out"
[grid]
preset = "nalcms-250m"
outside_grid = "drop"
[[source]]
id = "a"
legend = "nalcms"
epochs = { 2005 = "a_2005.tif", 2010 = "a_2010.tif" }
"#;

#[test]
fn ellipsoidal_areas_stand_beside_those_of_the_sphere_on_request() {
    let scratch = Scratch::new();
    let sphere = "+proj=laea +lat_0=45 +lon_0=-100 +R=6370997 +units=m";
    // Around 20 degrees north on the central meridian, where the ellipsoid has less than the sphere.
    let drawing =
        Drawing { srs: Some(sphere), origin: (-25_000.0, -2_733_500.0), cell: 250.0, ..Drawing::default() };
    for year in [2005u16, 2010] {
        drawing.plot(&scratch.path(&format!("a_{year}.tif")), 200, 200, |r, c| {
            patchy(r, c, year.into(), &[1, 5, 8])
        });
    }
    scratch.write("job.toml", SPHERE_JOB);
    scratch.ok(&["run", "job.toml"]);
    let nominal = scratch.csv("out/tables/class_area.csv");
    assert!(!nominal.columns().contains(&"ellipsoidal_area_km2"));
    scratch.write("job.toml", &format!("{SPHERE_JOB}[areas]\nellipsoidal = true\n"));
    let plan = scratch.ok(&["plan", "job.toml"]).stdout;
    assert!(plan.contains("geodetic latitude of WGS 84"), "{plan}");
    scratch.ok(&["run", "job.toml"]);
    let said = scratch.ok(&["verify", "out"]).stdout;
    assert!(said.contains("areas measured anew"), "{said}");
    let both = scratch.csv("out/tables/class_area.csv");
    for row in
        both.select(&[("zone_layer", "all"), ("year", "2005")]).iter().filter(|row| row["pixels"] != "0")
    {
        let of = |column: &str| row[column].parse::<f64>().unwrap();
        let keys = [("zone_layer", "all"), ("year", "2005"), ("code", row["code"].as_str())];
        assert_eq!(nominal.value("area_m2", &keys), row["area_m2"]);
        let percent = (of("ellipsoidal_area_km2") / of("area_km2") - 1.0) * 100.0;
        assert!((percent + 0.29).abs() < 0.01, "{percent}");
    }
    assert!(scratch.csv("out/tables/change_matrix.csv").columns().contains(&"ellipsoidal_area_km2"));
    // On an ellipsoid's grid they make no sense.
    let job = std::fs::read_to_string(scratch.path("job.toml")).unwrap().replace("nalcms-250m", "nalcms-30m");
    scratch.write("job.toml", &job);
    let words =
        ["areas.ellipsoidal = true makes no sense on this grid", "WGS 84", "leave areas.ellipsoidal out"];
    scratch.nalcms(&["run", "job.toml"]).refused(2, &words);
}
