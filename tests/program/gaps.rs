//! Gaps: holes between the sources of a map, exact however the work is cut.

use std::collections::BTreeMap;

use crate::support::between::{COLS, continent, gaps, mosaic, run};
use crate::support::{Drawing, LAEA, Scratch};

fn decided(year: i32) -> Vec<bool> {
    mosaic(year).into_iter().map(|cell| cell.is_some()).collect()
}

#[test]
fn gaps_are_those_of_a_flood_over_the_whole_map() {
    let scratch = Scratch::new();
    let job = continent(&scratch, &[2010, 2015]);
    run(&scratch, &job, "gaps = true", "out", "512", &[]);
    let table = scratch.csv("out/tables/gaps.csv");
    for year in [2010, 2015] {
        let expected = gaps(&decided(year), COLS);
        // More than have a row, some large, one of them across blocks.
        assert!(expected.len() > 1100 && expected[0].cells.len() > 4000, "{}", expected.len());
        assert!(
            expected
                .iter()
                .any(|gap| gap.rows.0 < 512 && gap.rows.1 > 512 && gap.cols.0 < 1024 && gap.cols.1 > 1024)
        );
        let rows = table.select(&[("year", &year.to_string())]);
        assert_eq!(rows.len(), 1001);
        for (number, (row, gap)) in rows.iter().zip(&expected).enumerate().take(1000) {
            let of = |column: &str| row[column].parse::<f64>().unwrap();
            assert_eq!((of("gap"), of("gaps")), (number as f64 + 1.0, 1.0));
            let pixels = gap.cells.len() as f64;
            assert_eq!(
                [of("pixels"), of("area_m2"), of("area_ha")],
                [pixels, pixels * 900.0, pixels * 900.0 / 1e4]
            );
            let places = [gap.rows.0, gap.rows.1, gap.cols.0, gap.cols.1].map(|place| place as f64);
            assert_eq!(["first_row", "last_row", "first_col", "last_col"].map(of), places, "gap {number}");
            let edges =
                [places[2] * 30.0, -(places[1] + 1.0) * 30.0, (places[3] + 1.0) * 30.0, -places[0] * 30.0];
            assert_eq!(["xmin", "ymin", "xmax", "ymax"].map(of), edges);
        }
        let rest = &expected[1000..];
        let others = &rows[1000];
        assert_eq!((others["gap"].as_str(), others["gaps"].parse().unwrap()), ("others", rest.len()));
        assert_eq!(others["pixels"].parse(), Ok(rest.iter().map(|gap| gap.cells.len()).sum::<usize>()));
        assert_eq!(others["first_row"], "");
    }
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(scratch.path("out/run.json")).unwrap()).unwrap();
    let first = &manifest["gaps"][0];
    let expected = gaps(&decided(2010), COLS);
    assert_eq!((&first["year"], &first["gaps"]), (&2010.into(), &expected.len().into()));
    assert_eq!(first["pixels"], expected.iter().map(|gap| gap.cells.len()).sum::<usize>());
}

#[test]
fn nothing_depends_on_the_cut_and_a_job_without_the_key_writes_what_it_wrote() {
    let scratch = Scratch::new();
    let job = continent(&scratch, &[2010]);
    let plain = run(&scratch, &job, "", "plain", "4096", &[]);
    assert!(!plain.contains_key("tables/gaps.csv"));
    let reference = run(&scratch, &job, "gaps = true", "one", "512", &["--threads", "1"]);
    for (output, task, threads) in [("two", "512", "2"), ("three", "1024", "1"), ("four", "4096", "2")] {
        assert_eq!(
            run(&scratch, &job, "gaps = true", output, task, &["--threads", threads]),
            reference,
            "{output}"
        );
    }
    let mut others = reference;
    others.retain(|name, _| !name.starts_with("tables/gaps"));
    assert_eq!(others, plain);
    let text = std::fs::read_to_string(scratch.path("plain.toml")).unwrap();
    scratch.write("plain.toml", &text.replace("name = \"continent\"", "gaps = true\nname = \"continent\""));
    assert!(scratch.ok(&["status", "plain.toml"]).stdout.contains("1 stale"));
}

/// A map of `legend` whose cells are 1 but where `other` says otherwise.
fn draw(
    scratch: &Scratch,
    name: &str,
    drawing: &Drawing,
    size: (usize, usize),
    other: impl Fn(usize, usize) -> Option<u8>,
) {
    drawing.plot(&scratch.path(name), size.0, size.1, |row, col| other(row, col).unwrap_or(1));
}

#[test]
fn clouds_are_no_gap_and_a_bay_is_none() {
    let scratch = Scratch::new();
    // 10 is clouds, 0 is nothing mapped: a hole around a cloud, one beside it, and a bay that reaches the edge of the grid.
    draw(&scratch, "a.tif", &Drawing::default(), (9, 9), |row, col| match (row, col) {
        (2, 2) | (6, 6) => Some(10),
        (1..=3, 1..=3) | (6, 7) => Some(0),
        (8 | 7, 4) => Some(0),
        _ => None,
    });
    scratch.write(
        "job.toml",
        &format!(
            "name = \"j\"\noutput = \"out\"\ngaps = true\n[grid]\ncrs = \"{LAEA}\"\norigin = [0, 0]\ncell_size_m = 30\nshape = [9, 9]\n\
             extent = \"full\"\n[[source]]\nid = \"a\"\nlegend = \"esri\"\nepochs = {{ 2020 = \"a.tif\" }}\n"
        ),
    );
    scratch.ok(&["run", "job.toml"]);
    let table = scratch.csv("out/tables/gaps.csv");
    let rows: Vec<[String; 5]> = table
        .select(&[])
        .iter()
        .map(|row| {
            ["pixels", "first_row", "last_row", "first_col", "last_col"].map(|column| row[column].clone())
        })
        .collect();
    assert_eq!(rows, [["8", "1", "3", "1", "3"], ["1", "6", "6", "7", "7"]].map(|row| row.map(String::from)));
    scratch.ok(&["verify", "out"]);
}

/// m² between two parallels of WGS 84 over so many degrees of longitude: Snyder 1987, eq. 3-12.
fn between_parallels(south: f64, north: f64, degrees: f64) -> f64 {
    let (a, f) = (6_378_137.0f64, 1.0f64 / 298.257_223_563);
    let e2 = f * (2.0 - f);
    let e = e2.sqrt();
    let q = |latitude: f64| {
        let sine = latitude.to_radians().sin();
        (1.0 - e2)
            * (sine / (1.0 - e2 * sine * sine) - ((1.0 - e * sine) / (1.0 + e * sine)).ln() / (2.0 * e))
    };
    a * a / 2.0 * (q(north) - q(south)) * degrees.to_radians()
}

#[test]
fn areas_of_gaps_are_those_of_their_cells() {
    let scratch = Scratch::new();
    let drawing = Drawing {
        srs: Some("EPSG:4326"),
        origin: (-100.0, 50.0),
        cell: 0.01,
        options: &["TILED=YES"],
        ..Drawing::default()
    };
    // A ring of land around a lake of 600 x 560 cells without any source near its middle, with a tail.
    let hole = |row: usize, col: usize| {
        ((20..620).contains(&row) && (20..580).contains(&col)) || ((620..700).contains(&row) && col == 30)
    };
    for (name, rows, cols) in [
        ("north", 0..100usize, 0..640usize),
        ("west", 0..720, 0..100),
        ("south", 600..720, 0..640),
        ("east", 0..720, 540..640),
    ] {
        let part = Drawing {
            origin: (-100.0 + cols.start as f64 * 0.01, 50.0 - rows.start as f64 * 0.01),
            ..Drawing { options: drawing.options, ..drawing }
        };
        draw(&scratch, &format!("{name}.tif"), &part, (rows.len(), cols.len()), |row, col| {
            hole(row + rows.start, col + cols.start).then_some(0)
        });
    }
    let job = "name = \"j\"\noutput = \"OUTPUT\"\nKEYS\n[grid]\ncrs = \"EPSG:4326\"\norigin = [-100.0, 50.0]\ncell_size_m = 0.01\n\
        shape = [720, 640]\nextent = \"full\"\n[[source]]\nid = \"land\"\nlegend = \"nalcms\"\n\
        epochs = { 2010 = [\"north.tif\", \"west.tif\", \"south.tif\", \"east.tif\"] }\n[compute]\ntask_cells = TASK\n";
    let reference = run(&scratch, job, "gaps = true", "one", "512", &[]);
    assert_eq!(run(&scratch, job, "gaps = true", "two", "4096", &[]), reference);
    let rows = scratch.csv("one/tables/gaps.csv").select(&[]);
    assert_eq!(rows.len(), 1);
    let of = |column: &str| rows[0][column].parse::<f64>().unwrap();
    assert_eq!(of("pixels"), 600.0 * 560.0 + 80.0);
    let expected = between_parallels(50.0 - 6.2, 49.8, 5.6) + between_parallels(43.0, 50.0 - 6.2, 0.01);
    assert!((of("area_m2") / expected - 1.0).abs() < 1e-9, "{} {expected}", of("area_m2"));
    scratch.ok(&["verify", "one"]);
}

#[test]
fn several_grids_have_gaps_and_seams_of_their_own() {
    let scratch = Scratch::new();
    for (name, origin, cell) in [("x", (0.0, 0.0), 30.0), ("y", (90_000.0, 0.0), 60.0)] {
        for (half, side) in [("left", 0usize), ("right", 1)] {
            let drawing = Drawing {
                origin: (origin.0 + side as f64 * 8.0 * cell, origin.1),
                cell,
                ..Drawing::default()
            };
            draw(&scratch, &format!("{name}_{half}.tif"), &drawing, (8, 8), |row, col| {
                let hole = name == "y" && half == "left" && row == 4 && (2..5).contains(&col);
                Some(if hole { 0 } else { 1 + 4 * side as u8 })
            });
        }
    }
    let source = |name: &str, half: &str| {
        format!(
            "[[source]]\nid = \"{name}-{half}\"\nsection = \"{half}\"\ngrid = \"{name}\"\nlegend = \"nalcms\"\nepochs = {{ 2010 = \"{name}_{half}.tif\" }}\n"
        )
    };
    let grid = |name: &str, x: f64, cell: f64| {
        format!(
            "[[grid]]\nid = \"{name}\"\ncrs = \"{LAEA}\"\norigin = [{x}, 0]\ncell_size_m = {cell}\nshape = [8, 16]\nextent = \"full\"\n"
        )
    };
    let text = format!(
        "name = \"j\"\noutput = \"out\"\nseams = {{ control_cells = 1 }}\ngaps = true\n{}{}{}{}{}{}",
        grid("x", 0.0, 30.0),
        grid("y", 90_000.0, 60.0),
        source("x", "left"),
        source("x", "right"),
        source("y", "left"),
        source("y", "right")
    );
    scratch.write("job.toml", &text);
    scratch.ok(&["run", "job.toml"]);
    // A straight boundary of eight cells on each grid, all of which differ; nothing differs behind it.
    let summary = scratch.csv("out/tables/seam_summary.csv");
    for (name, metres) in [("x", "240"), ("y", "480")] {
        let row = &summary.select(&[("grid", name)])[0];
        let of = |column: &str| row[column].as_str();
        assert_eq!(
            [of("section_a"), of("section_b"), of("seam_pairs"), of("seam_disagreeing")],
            ["left", "right", "8", "8"]
        );
        assert_eq!(
            [of("control_a_pairs"), of("control_b_pairs"), of("control_pct"), of("excess")],
            ["8", "8", "0", "100"]
        );
        assert_eq!(of("boundary_m"), metres);
    }
    let gaps = scratch.csv("out/tables/gaps.csv");
    let rows: Vec<BTreeMap<String, String>> = gaps.select(&[]);
    assert_eq!(rows.len(), 1);
    let of = |column: &str| rows[0][column].as_str();
    assert_eq!(
        [of("grid"), of("pixels"), of("area_m2"), of("xmin"), of("ymax")],
        ["y", "3", "10800", "90120", "-240"]
    );
    scratch.ok(&["verify", "out"]);
}

#[test]
fn in_a_domain_a_bay_is_a_gap_and_what_lies_outside_is_none() {
    let scratch = Scratch::new();
    let drawing = Drawing { srs: Some("EPSG:5070"), origin: (0.0, 270.0), ..Drawing::default() };
    draw(&scratch, "a.tif", &drawing, (9, 9), |row, col| match (row, col) {
        // A bay of two cells, a hole of one, and a hole that the domain's edge at column 7 cuts: two cells are left of it.
        (0 | 1, 3) | (4, 4) | (6, 5..=8) | (0, 8) => Some(0),
        _ => None,
    });
    scratch.write(
        "domain.geojson",
        r#"{"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::5070"}},
            "features": [{"type": "Feature", "properties": {"section": "a"}, "geometry": {"type": "Polygon",
            "coordinates": [[[0, 0], [210, 0], [210, 270], [0, 270], [0, 0]]]}}]}"#,
    );
    scratch.write(
        "job.toml",
        "name = \"j\"\noutput = \"out\"\ngaps = true\nprovenance = true\n[grid]\ncrs = \"EPSG:5070\"\norigin = [0, 270]\n\
         cell_size_m = 30\nshape = [9, 9]\nextent = \"full\"\n[domain]\npath = \"domain.geojson\"\nkey = \"section\"\n\
         [[source]]\nid = \"a\"\nlegend = \"nalcms\"\nepochs = { 2020 = \"a.tif\" }\n",
    );
    scratch.ok(&["run", "job.toml"]);
    let rows: Vec<[String; 5]> = scratch
        .csv("out/tables/gaps.csv")
        .select(&[])
        .iter()
        .map(|row| {
            ["pixels", "first_row", "last_row", "first_col", "last_col"].map(|column| row[column].clone())
        })
        .collect();
    let expected = [["2", "0", "1", "3", "3"], ["2", "6", "6", "5", "6"], ["1", "4", "4", "4", "4"]];
    assert_eq!(rows, expected.map(|row| row.map(String::from)));
    assert!(scratch.ok(&["verify", "out"]).stdout.contains("3 gaps listed, 3 found anew"));
}
