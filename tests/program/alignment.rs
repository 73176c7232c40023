//! Maps on other grids: taken for the sphere's, voting in larger cells, refused with the reason.

use crate::support::{Drawing, LAEA, Scratch, cells};

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

#[test]
fn a_raster_of_zones_is_taken_for_the_spheres_too() {
    let scratch = Scratch::new();
    at_mexico_city("+proj=laea +lat_0=45 +lon_0=-100 +R=6370997 +units=m")
        .draw::<u8>(&scratch.path("a.tif"), &[&[1, 17], &[18, 5]]);
    at_mexico_city("EPSG:9311").draw::<u8>(&scratch.path("zones.tif"), &[&[7, 7], &[8, 8]]);
    let zones = "epochs = { 2010 = \"a.tif\" }\n[[zones]]\nid = \"z\"\npath = \"zones.tif\"";
    scratch.write("job.toml", &job("preset = \"nalcms-250m\"", zones));
    let run = scratch.ok(&["run", "job.toml"]);
    assert!((run.stdout + &run.stderr).contains("zones.tif: its CRS is"));
    let areas = scratch.csv("out/tables/class_area.csv");
    let pixels = |zone: &str, code: &str| {
        areas.sum("pixels", &[("zone_layer", "z"), ("zone_id", zone), ("code", code)])
    };
    assert_eq!([pixels("7", "1"), pixels("7", "17"), pixels("8", "18"), pixels("8", "5")], [1; 4]);
    at_mexico_city(LAEA).draw::<u8>(&scratch.path("zones.tif"), &[&[7, 7], &[8, 8]]);
    scratch.nalcms(&["plan", "job.toml"]).refused(3, &["zones.tif", "has the cells of the 250 m grid"]);
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
fn tiles_in_degrees_vote_on_both_sides_of_the_first() {
    let scratch = Scratch::new();
    let class = |row: usize, col: usize| crate::support::patchy(row, col, 5, &[1, 5, 8, 14]);
    let at = |west: f64| Drawing {
        srs: Some("EPSG:4326"),
        origin: (west, 46.0),
        cell: 0.001,
        ..Drawing::default()
    };
    at(-101.0).plot(&scratch.path("whole.tif"), 300, 600, class);
    at(-100.7).plot(&scratch.path("east.tif"), 300, 300, |row, col| class(row, col + 300));
    at(-101.0).plot(&scratch.path("west.tif"), 300, 300, class);
    let run = |name: &str, files: &str| {
        let grid = format!(
            "crs = \"{LAEA}\"\norigin = [-90000, 130000]\ncell_size_m = 1000\nshape = [60, 80]\noutside_grid = \"drop\""
        );
        let text = job(&grid, &format!("resampling = \"mode\"\nepochs = {{ 2010 = {files} }}"));
        scratch.write(&format!("{name}.toml"), &text.replace("\"out\"", &format!("\"{name}\"")));
        scratch.ok(&["run", &format!("{name}.toml")]);
        cells(&scratch.path(&format!("{name}/landcover/job_landcover_2010_1000m.tif")))
    };
    let whole = run("whole", "\"whole.tif\"");
    // 0.3 x 0.6 degrees at 46 N are some 33 x 46 km.
    assert!((1300..1800).contains(&whole.iter().filter(|class| **class != 0).count()));
    assert_eq!(run("tiles", "[\"east.tif\", \"west.tif\"]"), whole);
}

#[test]
fn sources_of_one_lattice_keep_their_own_datum() {
    let scratch = Scratch::new();
    let map = Drawing {
        srs: Some("EPSG:26714"),
        origin: (494_000.0, 4_434_000.0),
        cell: 30.0,
        ..Drawing::default()
    };
    map.plot(&scratch.path("a.tif"), 200, 200, |row, col| {
        crate::support::patchy(row, col, 9, &[1, 5, 8, 14])
    });
    // On WGS 84: to the sphere's grid no datum is shifted in either way.
    let grid = format!(
        "crs = \"{LAEA}\"\norigin = [0, 0]\ncell_size_m = 240\nshape = [5000, 5000]\nextent = [72000, -576000, 96000, -528000]"
    );
    let run = |name: &str, sources: &str| {
        let text = format!("name = \"job\"\noutput = \"{name}\"\n[grid]\n{grid}\n{sources}");
        scratch.write(&format!("{name}.toml"), &text);
        scratch.ok(&["run", &format!("{name}.toml")]);
        let year =
            |year: u32| cells(&scratch.path(&format!("{name}/landcover/job_landcover_{year}_240m.tif")));
        (year(2010), year(2015))
    };
    let source = |id: &str, datum: &str, year: u32| {
        format!(
            "[[source]]\nid = \"{id}\"\nlegend = \"nalcms\"\nresampling = \"mode\"\ndatum = \"{datum}\"\nepochs = {{ {year} = \"a.tif\" }}\n"
        )
    };
    let (best, null) = run("both", &(source("a", "best", 2010) + &source("b", "null", 2015)));
    let (again, same) = run("same", &(source("a", "best", 2010) + &source("b", "best", 2015)));
    assert_eq!(again, same);
    assert_eq!(best, again);
    assert_ne!(null, best);
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
    // NAD27 and WGS 84 lie some tens of metres apart in the middle of the United States.
    let moved = f64::hypot((row - null_row) as f64, (col - null_col) as f64);
    assert!((15.0..70.0).contains(&moved), "{moved} m");
    assert!(null_told.contains("no change of datum"), "{null_told}");
    // Either a grid does it, or the run says which grid would.
    assert!(told.contains("gridshift") || told.contains("needs "), "{told}");
    assert!(!null_told.contains("needs "), "{null_told}");
}

#[test]
fn votes_nearest_cells_crossed_zones_and_areas_of_a_utm_grid_go_together() {
    let scratch = Scratch::new();
    // Around 99 W 45 N: UTM 14N at its central meridian, the continent's LAEA 79 km east of its centre.
    let fine =
        |srs: &'static str, origin, cell| Drawing { srs: Some(srs), origin, cell, ..Drawing::default() };
    for (year, seed) in [(2010, 3), (2015, 4)] {
        let class = |row, col| crate::support::patchy(row, col, seed, &[1, 5, 8, 14, 18, 0]);
        fine(LAEA, (60_000.0, 30_000.0), 30.0).plot(
            &scratch.path(&format!("vote_{year}.tif")),
            1500,
            900,
            class,
        );
        fine("EPSG:4326", (-99.1, 45.3), 0.0007).plot(
            &scratch.path(&format!("near_{year}.tif")),
            900,
            900,
            class,
        );
    }
    fine("EPSG:5070", (-260_000.0, 2_470_000.0), 2_000.0).plot(
        &scratch.path("basins.tif"),
        40,
        60,
        |r, c| (1 + r / 9 + c / 11 * 5) as u8,
    );
    let square = |key: &str, west: f64, east: f64| {
        format!(
            r#"{{"type": "Feature", "properties": {{"code": "{key}"}}, "geometry": {{"type": "Polygon", "coordinates":
               [[[{west}, 44.8], [{east}, 44.8], [{east}, 45.15], [{west}, 45.15], [{west}, 44.8]]]}}}}"#
        )
    };
    let features = [square("0402", -99.2, -98.9), square("09", -98.9, -98.6)].join(",");
    scratch.write("parks.geojson", &format!(r#"{{"type": "FeatureCollection", "features": [{features}]}}"#));
    let run = |name: &str, compute: &str| {
        let source = |id: &str, resampling: &str| {
            format!(
                "[[source]]\nid = \"{id}\"\nlegend = \"nalcms\"\nresampling = \"{resampling}\"\n\
                 epochs = {{ 2010 = \"{id}_2010.tif\", 2015 = \"{id}_2015.tif\" }}\n"
            )
        };
        let text = format!(
            "name = \"job\"\noutput = \"{name}\"\n[grid]\ncrs = \"EPSG:32614\"\norigin = [470000, 5020000]\n\
             cell_size_m = 100\nshape = [900, 900]\nextent = \"full\"\noutside_grid = \"drop\"\n{}{}\
             [[zones]]\nid = \"parks\"\npath = \"parks.geojson\"\nkey = \"code\"\n\
             [[zones]]\nid = \"basins\"\npath = \"basins.tif\"\n\
             [[zones]]\nid = \"both\"\nby = [\"parks\", \"basins\", \"section\"]\n[compute]\n{compute}\n",
            source("vote", "mode"),
            source("near", "nearest")
        );
        scratch.write(&format!("{name}.toml"), &text);
        scratch.ok(&["run", &format!("{name}.toml"), "--quiet"]);
        scratch.ok(&["verify", name, "--quiet"]);
        std::fs::read_to_string(scratch.path(&format!("{name}/SHA256SUMS"))).unwrap()
    };
    let expected = run("one", "task_cells = 512\nthreads = 1");
    assert_eq!(run("two", "task_cells = 1024\nthreads = 2"), expected);
    let table = scratch.csv("one/tables/class_area.csv");
    for year in ["2010", "2015"] {
        for code in ["1", "5", "8", "14", "18"] {
            let of = |layer: &str| {
                let rows = table.select(&[("zone_layer", layer), ("year", year), ("code", code)]);
                let area: f64 = rows.iter().map(|row| row["area_m2"].parse::<f64>().unwrap()).sum();
                (
                    table.sum("pixels", &[("zone_layer", layer), ("year", year), ("code", code)]),
                    area,
                    rows.len(),
                )
            };
            let (pixels, area, _) = of("all");
            // UTM makes cells near its central meridian larger by 0.08 %: 1 / 0.9996^2.
            assert!(
                pixels > 10_000 && (area / pixels as f64 / 10_000.0 - 1.0008).abs() < 2e-4,
                "{pixels} {area}"
            );
            for layer in ["parks", "basins", "both"] {
                let (in_zones, area_in_zones, rows) = of(layer);
                assert!(in_zones == pixels && rows > 2, "{layer}");
                assert!((area_in_zones / area - 1.0).abs() < 1e-12, "{layer}: {area_in_zones} {area}");
            }
        }
    }
}
