//! Maps on other grids: taken for the sphere's, voting in larger cells, refused with the reason.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests fail loudly")]

mod support;

use support::{Drawing, LAEA, Scratch, cells};

/// A job of one nalcms map onto a grid.
fn job(grid: &str, source: &str) -> String {
    format!(
        "name = \"job\"\noutput = \"out\"\n[grid]\n{grid}\n[[source]]\nid = \"a\"\nlegend = \"nalcms\"\n{source}\n"
    )
}

/// Four cells of the 250 m grid at Mexico City.
const MEXICO_CITY: (f64, f64) = (94_000.0, -2_822_000.0);

fn at_mexico_city(srs: &str) -> Drawing<'_> {
    Drawing { srs: Some(srs), origin: MEXICO_CITY, cell: 250.0, ..Drawing::default() }
}

/// The number of metres in a text that ends with ` m away` or ` m from`.
fn metres(text: &str) -> f64 {
    let end = text.find(" m away").or(text.find(" m from")).unwrap_or_else(|| panic!("no metres in {text}"));
    text[..end].rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_map_of_the_sphere_tagged_as_the_national_atlas_is_read_as_the_sphere() {
    for tag in ["EPSG:9311", "EPSG:2163"] {
        let scratch = Scratch::new();
        at_mexico_city(tag).draw::<u8>(&scratch.path("a.tif"), &[&[1, 17], &[18, 5]]);
        scratch.write("job.toml", &job("preset = \"nalcms-250m\"", "epochs = { 2010 = \"a.tif\" }"));
        let plan = scratch.ok(&["plan", "job.toml"]);
        let said = plan.stdout + &plan.stderr;
        assert!(said.contains("read as sphere, R = 6370997 m"), "{said}");
        // Published: 6.8 km at Mexico City between the sphere and WGS 84; the Atlas is on Clarke's ellipsoid of 1866.
        assert!((6_400.0..7_200.0).contains(&metres(&said)), "{said}");
        scratch.ok(&["run", "job.toml"]);
        assert_eq!(cells(&scratch.path("out/landcover/job_landcover_2010_250m.tif")), [1, 17, 18, 5]);
    }
}

#[test]
fn a_map_of_the_sphere_declared_as_wgs_84_is_refused_and_explained() {
    let scratch = Scratch::new();
    at_mexico_city(LAEA).draw::<u8>(&scratch.path("a.tif"), &[&[1, 17], &[18, 5]]);
    scratch.write("job.toml", &job("preset = \"nalcms-250m\"", "epochs = { 2010 = \"a.tif\" }"));
    let refusal = scratch.nalcms(&["plan", "job.toml"]);
    refusal.refused(3, &["has the cells of the 250 m grid", "sphere, R = 6370997 m", "a.tif", "+R=6370997"]);
    // Published: 6782 m at Mexico City.
    assert!((metres(&refusal.stderr) - 6782.0).abs() < 60.0, "{}", refusal.stderr);
    // Whoever says how to resample it means what the file says.
    let meant = "resampling = \"nearest\"\nepochs = { 2010 = \"a.tif\" }";
    scratch.write("job.toml", &job("preset = \"nalcms-250m\"", meant));
    let run = scratch.ok(&["run", "job.toml"]);
    assert!((run.stdout + &run.stderr).contains("taken at its word"));
    // On a grid of its own CRS nothing is moved.
    let own = format!("crs = \"{LAEA}\"\norigin = [94000, -2822000]\ncell_size_m = 250\nshape = [2, 2]");
    scratch.write("own.toml", &job(&own, "epochs = { 2010 = \"a.tif\" }").replace("\"out\"", "\"own\""));
    scratch.ok(&["run", "own.toml"]);
    assert_eq!(cells(&scratch.path("own/landcover/job_landcover_2010_250m.tif")), [1, 17, 18, 5]);
}

/// A grid of 90 m over maps of 30 m.
const COARSE: &str = "origin = [0, 180]\ncell_size_m = 90\nshape = [2, 2]\noutside_grid = \"drop\"";

fn coarse(source: &str) -> String {
    job(&format!("crs = \"{LAEA}\"\n{COARSE}"), &format!("resampling = \"mode\"\n{source}"))
}

#[test]
fn the_class_of_most_cells_wins_and_half_without_data_is_none() {
    let scratch = Scratch::new();
    let map = Drawing {
        srs: Some(LAEA),
        origin: (0.0, 180.0),
        cell: 30.0,
        nodata: Some(0.0),
        ..Drawing::default()
    };
    map.draw::<u8>(
        &scratch.path("a.tif"),
        &[
            &[1, 1, 5, 18, 18, 18],
            &[5, 5, 1, 0, 0, 0],
            &[5, 14, 5, 17, 17, 0],
            &[0, 0, 0, 8, 8, 8],
            &[0, 0, 3, 8, 8, 8],
            &[3, 3, 3, 8, 8, 8],
        ],
    );
    scratch.write("job.toml", &coarse("epochs = { 2010 = \"a.tif\" }"));
    scratch.ok(&["run", "job.toml"]);
    // 4 of 9 are class 5, against 3 of class 1; 5 of 9 have a class, 3 of them 18; 4 of 9 have one: less than half.
    assert_eq!(cells(&scratch.path("out/landcover/job_landcover_2010_90m.tif")), [5, 18, 0, 8]);
    scratch.ok(&["verify", "out"]);
}

#[test]
fn tiles_vote_together_in_a_cell_that_they_share() {
    let scratch = Scratch::new();
    let at = |x: f64| Drawing { srs: Some(LAEA), origin: (x, 180.0), cell: 30.0, ..Drawing::default() };
    // Four columns to the left, two to the right: the cell on the right holds one of the left tile's columns.
    let (left, right): (&[u8], &[u8]) = (&[1, 1, 1, 7], &[9, 9]);
    at(0.0).draw::<u8>(&scratch.path("l.tif"), &[left; 6]);
    at(120.0).draw::<u8>(&scratch.path("r.tif"), &[right; 6]);
    scratch.write("job.toml", &coarse("epochs = { 2010 = [\"l.tif\", \"r.tif\"] }"));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(cells(&scratch.path("out/landcover/job_landcover_2010_90m.tif")), [1, 9, 1, 9]);
}

#[test]
fn an_unmapped_code_among_the_voters_is_told_with_its_own_cells() {
    let scratch = Scratch::new();
    let map = Drawing { srs: Some(LAEA), origin: (0.0, 180.0), cell: 30.0, ..Drawing::default() };
    let row: &[u8] = &[1, 1, 77, 1, 1, 1];
    map.draw::<u8>(&scratch.path("a.tif"), &[row; 6]);
    scratch.write("job.toml", &coarse("epochs = { 2010 = \"a.tif\" }"));
    // It loses every vote and is an error all the same: six cells of the map, not cells of the grid.
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["77", "6 px", "a.tif"]);
}

#[test]
fn cells_too_large_to_vote_are_refused() {
    let scratch = Scratch::new();
    let map = Drawing { srs: Some(LAEA), origin: (0.0, 180.0), cell: 70.0, ..Drawing::default() };
    map.draw::<u8>(&scratch.path("a.tif"), &[&[1, 1], &[1, 1]]);
    scratch.write("job.toml", &coarse("epochs = { 2010 = \"a.tif\" }"));
    scratch.nalcms(&["plan", "job.toml"]).refused(3, &["too large for a vote", "1.29 cells", "nearest"]);
}

/// Where a cell of a UTM map of zone 14 lands whose datum is NAD27, by each way to treat that.
fn landed(datum: &str) -> (i64, i64, String) {
    let scratch = Scratch::new();
    // 400 x 400 cells of 30 m around 99 W 40 N; one of class 5 in the middle of class 1.
    let map = Drawing {
        srs: Some("EPSG:26714"),
        origin: (494_000.0, 4_434_000.0),
        cell: 30.0,
        ..Drawing::default()
    };
    map.plot(&scratch.path("a.tif"), 400, 400, |row, col| {
        if (150..250).contains(&row) && (150..250).contains(&col) { 5 } else { 1 }
    });
    let source = format!("datum = \"{datum}\"\nepochs = {{ 2010 = \"a.tif\" }}");
    scratch.write(
        "job.toml",
        &job(
            "preset = \"nalcms-30m\"\nextent = [80000, -560000, 90000, -550000]\noutside_grid = \"drop\"",
            &source,
        ),
    );
    let run = scratch.ok(&["run", "job.toml"]);
    let path = scratch.path("out/landcover/job_landcover_2010_30m.tif");
    let (cells, cols) = (cells(&path), gdal::Dataset::open(&path).unwrap().raster_size().0 as i64);
    let mine: Vec<i64> = (0..).zip(&cells).filter(|(_, class)| **class == 5).map(|(at, _)| at).collect();
    assert!(mine.len() > 9_000, "{} cells of the square are on the grid", mine.len());
    let n = mine.len() as i64;
    let mean = |of: fn(i64, i64) -> i64| mine.iter().map(|&at| of(at, cols)).sum::<i64>() * 30 / n;
    (
        mean(|at, cols| at / cols),
        mean(|at, cols| at % cols),
        std::fs::read_to_string(scratch.path("out/run.json")).unwrap() + &run.stderr,
    )
}

#[test]
fn a_datum_is_shifted_or_left_alone_as_the_job_says() {
    let (row, col, told) = landed("best");
    let (null_row, null_col, null_told) = landed("null");
    // NAD27 and NAD83 lie some 30 to 40 m apart in longitude at 99 W and a few in latitude at 40 N; the northing of UTM on
    // Clarke's ellipsoid differs by some 200 m from that of the same latitude on WGS 84, which both ways take into account.
    let moved = f64::hypot((row - null_row) as f64, (col - null_col) as f64);
    assert!((15.0..70.0).contains(&moved), "{moved} m");
    assert!(null_told.contains("no change of datum"), "{null_told}");
    // Either a grid does it, or the run says which grid would.
    assert!(told.contains("gridshift") || told.contains("needs "), "{told}");
    assert!(!null_told.contains("needs "), "{null_told}");
}
