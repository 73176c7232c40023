//! Seams: where the maps of two sections meet, how often neighbours differ, and how often they differ behind the boundary.

use std::collections::BTreeMap;

use crate::support::between::{COLS, Cell, Pair, SECTIONS, continent, mosaic, run, seams};
use crate::support::{Csv, Drawing, LAEA, Scratch, cells, patchy};

/// The rows of a year.
fn pairs_of(table: &Csv, year: &str) -> BTreeMap<Pair, u64> {
    let section = |name: &String| SECTIONS.iter().position(|section| section == name).unwrap();
    let rows = table.select(&[("year", year)]);
    let pair = |row: &BTreeMap<String, String>| {
        let code = |column: &str| row[column].parse::<u8>().unwrap();
        let line = ["seam", "control_a", "control_b"].into_iter().find(|line| *line == row["line"]).unwrap();
        let key =
            (section(&row["section_a"]), section(&row["section_b"]), line, code("code_a"), code("code_b"));
        (key, row["pairs"].parse().unwrap())
    };
    let counts: BTreeMap<Pair, u64> = rows.iter().map(pair).collect();
    assert_eq!(counts.len(), rows.len(), "a pair has two rows");
    counts
}

#[test]
fn pairs_along_every_boundary_are_those_of_the_whole_mosaic() {
    let scratch = Scratch::new();
    let job = continent(&scratch, &[2010, 2015]);
    run(&scratch, &job, "seams = true", "out", "512", &[]);
    let (table, summary) = (scratch.csv("out/tables/seam.csv"), scratch.csv("out/tables/seam_summary.csv"));
    for year in [2010, 2015] {
        let expected = seams(&mosaic(year), COLS, 8);
        let year = year.to_string();
        assert_eq!(pairs_of(&table, &year), expected);
        // All three boundaries have all three lines.
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            let of = |line: &str| {
                let of_line = expected.iter().filter(|((x, y, l, ..), _)| (*x, *y, *l) == (a, b, line));
                of_line.fold((0, 0), |(all, differ), ((.., c, d), n)| {
                    (all + n, differ + if c == d { 0 } else { *n })
                })
            };
            let row =
                summary.select(&[("year", &year), ("section_a", SECTIONS[a]), ("section_b", SECTIONS[b])]);
            let number = |column: &str| row[0][column].parse::<f64>().unwrap();
            let mut control = (0, 0);
            for line in ["seam", "control_a", "control_b"] {
                let (pairs, differ) = of(line);
                assert!(differ > 0 && pairs > differ, "{a} {b} {line}");
                assert_eq!(number(&format!("{line}_pairs")), pairs as f64);
                assert_eq!(number(&format!("{line}_disagreeing")), differ as f64);
                let share = differ as f64 / pairs as f64 * 100.0;
                assert!((number(&format!("{line}_pct")) - share).abs() < 1e-12 * share);
                if line != "seam" {
                    control = (control.0 + pairs, control.1 + differ);
                }
            }
            let seam = of("seam");
            let excess = 100.0 * (seam.1 as f64 / seam.0 as f64 - control.1 as f64 / control.0 as f64);
            assert!((number("excess") - excess).abs() < 1e-10, "{excess}");
            assert_eq!(number("boundary_m"), seam.0 as f64 * 30.0);
        }
        assert_eq!(summary.select(&[("year", &year)]).len(), 3);
    }
    let names = table.select(&[("code_a", "15")]);
    assert!(names.iter().all(|row| row["name_a"] == "Cropland"));
}

#[test]
fn the_distance_of_control_lines_is_the_jobs_and_nothing_depends_on_the_cut() {
    let scratch = Scratch::new();
    let job = continent(&scratch, &[2010]);
    let plain = run(&scratch, &job, "", "plain", "4096", &[]);
    assert!(!plain.contains_key("tables/seam.csv"));
    let keys = "seams = { control_cells = 64 }";
    let reference = run(&scratch, &job, keys, "one", "512", &["--threads", "1"]);
    assert_eq!(pairs_of(&scratch.csv("one/tables/seam.csv"), "2010"), seams(&mosaic(2010), COLS, 64));
    for (output, task, threads) in [("two", "512", "2"), ("three", "1024", "1"), ("four", "4096", "2")] {
        assert_eq!(run(&scratch, &job, keys, output, task, &["--threads", threads]), reference, "{output}");
    }
    // But for its own tables the job writes what it wrote without.
    let mut others = reference;
    others.retain(|name, _| !name.starts_with("tables/seam"));
    assert_eq!(others, plain);
    let planned = scratch.ok(&["plan", "four.toml"]).stdout;
    assert!(planned.contains("seams: between west, east, north; control pairs 64 cells behind"), "{planned}");
    // Another distance is other work.
    let text = std::fs::read_to_string(scratch.path("four.toml")).unwrap();
    assert!(scratch.ok(&["status", "four.toml"]).stdout.contains("1 done"));
    scratch.write("four.toml", &text.replace("control_cells = 64", "control_cells = 63"));
    assert!(scratch.ok(&["status", "four.toml"]).stdout.contains("1 stale"));
}

#[test]
fn sources_of_other_lattices_and_crss_meet_as_they_are_written() {
    // Each section has classes of its own, so that the mosaic tells whose a cell is.
    let scratch = Scratch::new();
    let (rows, cols) = (700usize, 1100usize);
    let own: [&[u8]; 3] = [&[1, 2, 3], &[5, 6, 7], &[9, 10, 11]];
    let west = Drawing { origin: (0.0, 0.0), options: &["TILED=YES"], ..Drawing::default() };
    west.plot(&scratch.path("west.tif"), rows, 520, |r, c| {
        if c > 480 + r % 40 { 0 } else { patchy(r, c, 1, own[0]) }
    });
    // Two tiles of smaller cells that vote, and meet at row 350 of the grid.
    for (name, top) in [("east_1", 0), ("east_2", 350)] {
        let east = Drawing {
            origin: (15_000.0, -30.0 * top as f64),
            cell: 15.0,
            options: &["TILED=YES"],
            ..Drawing::default()
        };
        east.plot(&scratch.path(&format!("{name}.tif")), 700, 1000, |r, c| {
            patchy((r + 2 * top) / 2, c / 2, 2, own[1])
        });
    }
    // Another central meridian: a map turned against the grid's, under both.
    let north = "+proj=laea +lat_0=45 +lon_0=-92 +datum=WGS84 +units=m";
    let turned = Drawing {
        srs: Some(north),
        origin: (-660_000.0, 40_000.0),
        options: &["TILED=YES"],
        ..Drawing::default()
    };
    turned.plot(&scratch.path("north.tif"), 3000, 3000, |r, c| patchy(r, c, 3, own[2]));
    let source = |id: &str, priority: u8, more: &str| {
        format!(
            "[[source]]\nid = \"{id}\"\nlegend = \"nalcms\"\npriority = {priority}\n{more}epochs = {{ 2010 = \"{id}*.tif\" }}\n"
        )
    };
    let job = format!(
        "name = \"j\"\noutput = \"OUTPUT\"\nKEYS\n[grid]\ncrs = \"{LAEA}\"\norigin = [0, 0]\ncell_size_m = 30\n\
         shape = [{rows}, {cols}]\nextent = \"full\"\noutside_grid = \"drop\"\n{}{}{}[compute]\ntask_cells = TASK\n",
        source("west", 3, ""),
        source("east", 2, "resampling = \"mode\"\n"),
        source("north", 1, "")
    );
    let keys = "seams = { control_cells = 3 }";
    let reference = run(&scratch, &job, keys, "one", "512", &["--threads", "2"]);
    assert_eq!(run(&scratch, &job, keys, "two", "2048", &["--threads", "1"]), reference);
    let mosaic: Vec<Cell> = cells(&scratch.path("one/landcover/j_landcover_2010_30m.tif"))
        .into_iter()
        .map(|class| {
            own.iter().position(|own| own.contains(&(class as u8))).map(|section| (section, class as u8))
        })
        .collect();
    let expected = seams(&mosaic, cols, 3);
    let table = scratch.csv("one/tables/seam.csv");
    let names = ["west", "east", "north"];
    let mut found = BTreeMap::new();
    for row in table.select(&[]) {
        let section = |column: &str| names.iter().position(|name| *name == row[column]).unwrap();
        let line = ["seam", "control_a", "control_b"].into_iter().find(|line| *line == row["line"]).unwrap();
        let code = |column: &str| row[column].parse::<u8>().unwrap();
        let key = (section("section_a"), section("section_b"), line, code("code_a"), code("code_b"));
        found.insert(key, row["pairs"].parse::<u64>().unwrap());
    }
    let boundaries: std::collections::BTreeSet<_> = expected.keys().map(|key| (key.0, key.1)).collect();
    assert!(boundaries.len() >= 2, "{boundaries:?}");
    assert_eq!(found, expected);
    scratch.ok(&["verify", "one"]);
}

#[test]
fn a_distance_that_cannot_be_is_refused() {
    let scratch = Scratch::new();
    let job = continent(&scratch, &[2010]).replace("OUTPUT", "out").replace("TASK", "512");
    for cells in ["0", "65"] {
        let keys = format!("seams = {{ control_cells = {cells} }}");
        scratch.write("job.toml", &job.replace("KEYS", &keys));
        let words = format!("seams.control_cells is {cells}; it must be from 1 to 64");
        scratch.nalcms(&["run", "job.toml"]).refused(2, &[&words]);
    }
    scratch.write("job.toml", &job.replace("KEYS", "seams = { control_cell = 8 }"));
    scratch.nalcms(&["run", "job.toml"]).refused(2, &["control_cell", "did you mean `control_cells`?"]);
}

/// Polygons of longitudes and latitudes with a section each: west, south, east, north.
fn domain(scratch: &Scratch, sections: &[(&str, [f64; 4])]) {
    let feature = |(key, [w, s, e, n]): &(&str, [f64; 4])| {
        format!(
            r#"{{"type": "Feature", "properties": {{"section": "{key}"}}, "geometry": {{"type": "Polygon",
                "coordinates": [[[{w}, {s}], [{e}, {s}], [{e}, {n}], [{w}, {n}], [{w}, {s}]]]}}}}"#
        )
    };
    let features: Vec<String> = sections.iter().map(feature).collect();
    let text = format!(r#"{{"type": "FeatureCollection", "features": [{}]}}"#, features.join(", "));
    scratch.write("domain.geojson", &text);
}

#[test]
fn what_provenance_tells_is_counted_anew_and_domains_and_slivers_are_seen() {
    let scratch = Scratch::new();
    // Narrow strips between the domains belong to nobody.
    domain(
        &scratch,
        &[
            ("west", [-101.0, 44.5, -99.77, 44.985]),
            ("east", [-99.7698, 44.5, -99.0, 44.985]),
            ("north", [-99.85, 44.985, -99.7, 45.1]),
        ],
    );
    let job = continent(&scratch, &[2010, 2015]);
    let cut = format!("{job}[domain]\npath = \"domain.geojson\"\nkey = \"section\"\nsliver_cells = 2\n");
    let keys = "seams = true\ngaps = true\nprovenance = true";
    run(&scratch, &job, keys, "whole", "512", &[]);
    let reference = run(&scratch, &cut, keys, "one", "512", &["--threads", "1"]);
    assert_eq!(run(&scratch, &cut, keys, "two", "4096", &["--threads", "2"]), reference);
    for output in ["whole", "one"] {
        let said = scratch.ok(&["verify", output]).stdout;
        assert!(said.contains("those of 2 maps counted anew"), "{said}");
        let sections = scratch.csv(&format!("{output}/tables/seam_summary.csv"));
        assert!(sections.select(&[("section_a", "west"), ("section_b", "east")]).len() == 2, "{output}");
        assert!(scratch.csv(&format!("{output}/tables/gaps.csv")).rows.len() >= 4);
    }
    // A pair less of one kind and one more of another, so that the summary still fits.
    let path = scratch.path("whole/tables/seam.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let shift = |line: &str, by: i64| {
        let (kind, pairs) = line.rsplit_once(',').unwrap();
        format!("{kind},{}", pairs.parse::<i64>().unwrap() + by)
    };
    let of = |classes: &str| text.lines().find(|line| line.contains(classes)).unwrap();
    let start = "2010,west,east,seam,";
    let lines = [of(&format!("{start}1,")), of(&format!("{start}15,"))];
    let altered = text.replace(lines[0], &shift(lines[0], 1)).replace(lines[1], &shift(lines[1], -1));
    std::fs::write(&path, altered).unwrap();
    let run = scratch.nalcms(&["verify", "whole"]);
    assert_eq!(run.code, 1);
    assert!(run.stdout.contains("against the map"), "{}", run.stdout);
    assert!(!run.stdout.contains("seam_summary.csv: row"), "{}", run.stdout);
}
