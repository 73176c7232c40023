//! Sections that meet: domains, slivers, maps that stand in, updates, and where every cell comes from.

use std::collections::BTreeMap;

use crate::support::{Drawing, LAEA, Scratch, cells, patchy};

/// Rows and columns of the maps: more than a block of 512 cells both ways.
const ROWS: usize = 560;
const COLS: usize = 620;

/// Polygons in the plane of the grid: name, corners.
fn polygons(layer: &[(&str, &[[f64; 2]])]) -> String {
    let feature = |(name, corners): &(&str, &[[f64; 2]])| {
        let ring: Vec<String> =
            corners.iter().chain(&corners[..1]).map(|[x, y]| format!("[{x}, {y}]")).collect();
        format!(
            r#"{{"type": "Feature", "properties": {{"name": "{name}"}}, "geometry": {{"type": "Polygon", "coordinates": [[{}]]}}}}"#,
            ring.join(", ")
        )
    };
    let features: Vec<String> = layer.iter().map(feature).collect();
    // A layer without a CRS of its own would be in longitudes and latitudes.
    let crs = r#"{"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::5070"}}"#;
    format!(r#"{{"type": "FeatureCollection", "crs": {crs}, "features": [{}]}}"#, features.join(","))
}

const NORTH: [u8; 4] = [1, 5, 14, 18];
const SOUTH: [u8; 4] = [4, 9, 15, 17];

/// A cell that nothing maps.
const OUTSIDE: u8 = 0;

/// The border between the two domains runs down to the right: the north owns what lies above it.
fn is_north(row: usize, col: usize) -> bool {
    // Centres of cells, in cells: y = 200 + x / 2, downwards.
    (row as f64 + 0.5) < 200.0 + (col as f64 + 0.5) / 2.0
}

/// Beyond this column lies nobody's domain.
const EAST: usize = 600;

/// Who owns a cell: 1 the north, 2 the south, 0 nobody.
fn owner(row: usize, col: usize) -> u8 {
    match (col < EAST, is_north(row, col)) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => 2,
    }
}

/// What the maps of the two sections hold; 0 is outside. The north's ends short of its border here and there, leaving
/// strips and a wide gap; it also reaches beyond it.
fn north(row: usize, col: usize, seed: u64) -> u8 {
    let border = 200.0 + (col as f64 + 0.5) / 2.0;
    let short_of = match col {
        100..200 => 3.0,
        300..340 => 30.0,
        _ => -25.0,
    };
    if (row as f64 + 0.5) < border - short_of { patchy(row, col, seed, &NORTH) } else { OUTSIDE }
}

/// The south's reaches a little beyond the border for some columns, and not to it for others.
fn south(row: usize, col: usize, seed: u64) -> u8 {
    let border = 200.0 + (col as f64 + 0.5) / 2.0;
    let begins = match col {
        150..330 => -20.0,
        400..450 => 2.0,
        _ => 0.0,
    };
    if (row as f64 + 0.5) > border + begins { patchy(row, col, seed, &SOUTH) } else { OUTSIDE }
}

const JOB: &str = "name = \"two\"\noutput = \"out\"\nprovenance = true\n[grid]\ncrs = \"EPSG:5070\"\norigin = [0, 0]\ncell_size_m = 30\n\
    shape = [560, 620]\nextent = \"full\"\n[domain]\npath = \"domain.geojson\"\nkey = \"name\"\nsliver_cells = 4\n\
    [[source]]\nid = \"n\"\nsection = \"north\"\ncountry = \"CA\"\nlegend = \"nalcms\"\n\
    epochs = { 2010 = \"n_2010.tif\", 2015 = \"n_2015.tif\" }\n\
    [[source]]\nid = \"s\"\nsection = \"south\"\ncountry = \"US\"\nlegend = \"nalcms\"\npriority = 9\n\
    epochs = { 2010 = \"s_2010.tif\", 2015 = \"s_2015.tif\" }\n";

/// Both sections in two years, and their domains.
fn two_sections() -> Scratch {
    let scratch = Scratch::new();
    let map = Drawing { srs: Some("EPSG:5070"), nodata: Some(0.0), ..Drawing::default() };
    for (year, seed) in [(2010, 3), (2015, 8)] {
        map.plot(&scratch.path(&format!("n_{year}.tif")), ROWS, COLS, |r, c| north(r, c, seed));
        map.plot(&scratch.path(&format!("s_{year}.tif")), ROWS, COLS, |r, c| south(r, c, seed + 1));
    }
    let (east, bottom) = (EAST as f64 * 30.0, ROWS as f64 * -30.0);
    let at = |col: f64| -30.0 * (200.0 + col / 2.0);
    // The line goes on beyond the edges of the grid, so that no centre lies near a corner.
    let border = [[-300.0, at(-10.0)], [east, at(EAST as f64)]];
    let north = [[-300.0, 300.0], [east, 300.0], border[1], border[0]];
    let south = [border[0], border[1], [east, bottom - 300.0], [-300.0, bottom - 300.0]];
    scratch.write("domain.geojson", &polygons(&[("north", &north), ("south", &south)]));
    scratch.write("job.toml", JOB);
    scratch
}

/// Class, source (0 north, 1 south) and whether it was filled as a sliver, by a plain reading of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Cell {
    class: u8,
    source: Option<u8>,
    sliver: Option<&'static str>,
}

/// The mosaic as the rules have it, cell by cell.
fn by_hand(seed: u64, width: usize) -> Vec<Vec<Cell>> {
    let maps = |source: u8, r: usize, c: usize| {
        if source == 0 { north(r, c, seed) } else { south(r, c, seed + 1) }
    };
    let mut cells = vec![vec![Cell::default(); COLS]; ROWS];
    for (r, row) in cells.iter_mut().enumerate() {
        for (c, cell) in row.iter_mut().enumerate() {
            if let Some(own) = owner(r, c).checked_sub(1)
                && maps(own, r, c) != OUTSIDE
            {
                *cell = Cell { class: maps(own, r, c), source: Some(own), sliver: None };
            }
        }
    }
    let before = cells.clone();
    let open = |r: usize, c: usize| owner(r, c) != 0 && before[r][c].source.is_none();
    let mut wide = vec![vec![false; COLS]; ROWS];
    for r in 0..ROWS - width {
        for c in 0..COLS - width {
            let square = || (r..=r + width).flat_map(|r| (c..=c + width).map(move |c| (r, c)));
            if square().all(|(r, c)| open(r, c)) {
                square().for_each(|(r, c)| wide[r][c] = true);
            }
        }
    }
    for r in 0..ROWS {
        for c in 0..COLS {
            if !open(r, c) || wide[r][c] {
                continue;
            }
            // The other section's own word first, then the nearest class.
            let other = 2 - owner(r, c);
            if maps(other, r, c) != OUTSIDE {
                cells[r][c] = Cell { class: maps(other, r, c), source: Some(other), sliver: Some("mapped") };
                continue;
            }
            let span = |at: usize, size: usize| at.saturating_sub(width)..(at + width + 1).min(size);
            let near = span(r, ROWS).flat_map(|rr| span(c, COLS).map(move |cc| (rr, cc)));
            let far = near.map(|(rr, cc)| (rr.abs_diff(r).pow(2) + cc.abs_diff(c).pow(2), rr, cc));
            let best =
                far.filter(|&(far, rr, cc)| before[rr][cc].source.is_some() && far <= width * width).min();
            if let Some((_, rr, cc)) = best {
                cells[r][c] = Cell { sliver: Some("nearest"), ..before[rr][cc] };
            }
        }
    }
    cells
}

#[test]
fn a_section_decides_in_its_domain_and_slivers_take_the_nearest() {
    let scratch = two_sections();
    scratch.ok(&["run", "job.toml"]);
    for (year, seed) in [(2010, 3), (2015, 8)] {
        let expected = by_hand(seed, 4);
        let classes = cells(&scratch.path(&format!("out/landcover/two_landcover_{year}_30m.tif")));
        let origins = cells(&scratch.path(&format!("out/provenance/two_source_{year}_30m.tif")));
        let mut slivers: BTreeMap<(&str, &str, &str, u8), u64> = BTreeMap::new();
        let mut gaps = 0;
        for (at, (class, origin)) in classes.iter().zip(&origins).enumerate() {
            let (r, c) = (at / COLS, at % COLS);
            let cell = expected[r][c];
            assert_eq!(*class, i32::from(cell.class), "{year}: row {r}, column {c}");
            let code = match (cell.source, owner(r, c)) {
                (Some(source), _) => i32::from(source) + 1,
                (None, 0) => 254,
                (None, _) => 253,
            };
            assert_eq!(*origin, code, "{year}: origin of row {r}, column {c}");
            gaps += u64::from(code == 253);
            if let Some(taken) = cell.sliver {
                let names = ["n", "s"];
                let owner = ["north", "south"][usize::from(owner(r, c)) - 1];
                *slivers
                    .entry((owner, names[usize::from(cell.source.unwrap())], taken, cell.class))
                    .or_default() += 1;
            }
        }
        let kinds: std::collections::BTreeSet<&str> = slivers.keys().map(|key| key.2).collect();
        assert!(gaps > 500 && kinds.len() == 2, "the maps have all that is tested: {gaps}, {kinds:?}");
        let table = scratch.csv("out/tables/slivers.csv");
        assert_eq!(table.select(&[("year", &year.to_string())]).len(), slivers.len());
        for ((owner, source, taken, code), cells) in slivers {
            let row = [
                ("year", year.to_string()),
                ("domain", owner.into()),
                ("source", source.into()),
                ("taken", taken.into()),
                ("code", code.to_string()),
            ];
            let row: Vec<(&str, &str)> = row.iter().map(|(k, v)| (*k, v.as_str())).collect();
            assert_eq!(table.value("pixels", &row), cells.to_string(), "{row:?}");
        }
        let account = scratch.csv("out/tables/nodata_account.csv");
        let year_text = year.to_string();
        let told = |status: &str| {
            account.sum("pixels", &[("zone_layer", "all"), ("year", &year_text), ("status", status)])
        };
        assert_eq!([told("gap"), told("masked")], [gaps, (ROWS * (COLS - EAST)) as u64]);
        assert_eq!(told("mapped") + told("gap") + told("masked"), (ROWS * COLS) as u64);
    }
    // Where both map a cell and disagree, the domain decides; the south has the larger priority.
    let overlaps = scratch.csv("out/tables/overlap_disagreement.csv");
    let mut expected: BTreeMap<(u8, u8, u8), u64> = BTreeMap::new();
    for r in 0..ROWS {
        for c in 0..COLS {
            let maps = [north(r, c, 3), south(r, c, 4)];
            let own = usize::from(owner(r, c));
            if own > 0 && maps[0] != OUTSIDE && maps[1] != OUTSIDE {
                *expected.entry((own as u8 - 1, maps[own - 1], maps[2 - own])).or_default() += 1;
            }
        }
    }
    let ids = ["n", "s"];
    assert!(!expected.is_empty());
    for ((winner, mine, other), cells) in expected {
        let (winner, loser) = (ids[usize::from(winner)], ids[1 - usize::from(winner)]);
        let (mine, other) = (mine.to_string(), other.to_string());
        let row = [
            ("year", "2010"),
            ("winner", winner),
            ("loser", loser),
            ("winner_code", &mine),
            ("loser_code", &other),
        ];
        assert_eq!(overlaps.sum("pixels", &row), cells, "{row:?}");
    }
    let verified = scratch.ok(&["verify", "out"]);
    assert!(verified.stdout.contains("provenance of"), "{}", verified.stdout);
}

#[test]
fn the_same_bytes_however_the_work_is_cut() {
    let scratch = two_sections();
    scratch.ok(&["run", "job.toml"]);
    let sums = |out: &str| std::fs::read_to_string(scratch.path(&format!("{out}/SHA256SUMS"))).unwrap();
    for (out, compute) in [("b", "threads = 1\ntask_cells = 512"), ("c", "threads = 2\ntask_cells = 1024")] {
        let job = JOB.replace("\"out\"", &format!("\"{out}\""));
        scratch.write(&format!("{out}.toml"), &format!("{job}[compute]\n{compute}\n"));
        scratch.ok(&["run", &format!("{out}.toml")]);
        assert_eq!(sums("out"), sums(out), "{compute}");
    }
}

#[test]
fn a_section_without_a_domain_and_a_sliver_too_wide_are_refused() {
    let scratch = two_sections();
    scratch.write("job.toml", &JOB.replace("section = \"south\"", "section = \"mexico\""));
    scratch
        .nalcms(&["plan", "job.toml"])
        .refused(3, &["a section has no domain", "north, south", "polygons of mexico"]);
    scratch.write("job.toml", &JOB.replace("sliver_cells = 4", "sliver_cells = 65"));
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["sliver_cells is 65", "a gap, no sliver"]);
}

const ESRI: &str = include_str!("../../configs/crosswalks/esri-nalcms.toml");

/// Rows of four cells in the legend `esri`: 0 is outside, 1 water (18), 2 trees (6), 4 wetland (14), 8 bare (16, and here
/// without a class), 10 cloud.
fn clouded() -> Scratch {
    let scratch = Scratch::new();
    let map = Drawing { srs: Some(LAEA), origin: (0.0, 80.0), nodata: Some(0.0), ..Drawing::default() };
    map.draw::<u8>(&scratch.path("a_2010.tif"), &[&[2, 2, 1, 0], &[2, 10, 1, 8]]);
    map.draw::<u8>(&scratch.path("a_2015.tif"), &[&[2, 10, 10, 0], &[10, 10, 1, 8]]);
    map.draw::<u8>(&scratch.path("b_2014.tif"), &[&[18, 18, 0, 18], &[17, 14, 17, 17]]);
    assert_eq!(ESRI.matches("to = 16\n").count(), 1);
    scratch.write("mine.toml", &ESRI.replace("to = 16\n", "to = \"nodata\"\n"));
    scratch.write(
        "job.toml",
        "name = \"f\"\noutput = \"out\"\nprovenance = true\n[grid]\npreset = \"nalcms-30m\"\n\
         [[source]]\nid = \"a\"\ncountry = \"MX\"\nlegend = \"esri\"\ncrosswalk = \"./mine.toml\"\n[source.epochs]\n\
         2010 = { files = \"a_2010.tif\", date = \"2009\" }\n\
         2015 = { files = \"a_2015.tif\", fill_from = [\"a@2010\", \"b@2014\"] }\n\
         [[source]]\nid = \"b\"\ncountry = \"US\"\nlegend = \"nalcms\"\npriority = -1\n\
         epochs = { 2014 = \"b_2014.tif\" }\n[change]\npairs = [[2010, 2015]]\n",
    );
    scratch
}

#[test]
fn a_cell_that_was_not_seen_is_filled_in_the_order_of_the_job_and_keeps_its_true_date() {
    let scratch = clouded();
    scratch.ok(&["run", "job.toml"]);
    // Trees, cloud filled by trees of 2010, by water of 2010, outside; trees of 2010, cloud in 2010 too and so wetland of b,
    // water, and bare ground, which the crosswalk leaves without a class: nothing stands in for that.
    let classes = cells(&scratch.path("out/landcover/f_landcover_2015_30m.tif"));
    assert_eq!(classes, [6, 6, 18, 0, 6, 14, 18, 0]);
    // Sections a and b, a of 2010 for a, b of 2014 for a.
    let origins = cells(&scratch.path("out/provenance/f_source_2015_30m.tif"));
    assert_eq!(origins, [1, 3, 3, 0, 3, 4, 1, 252]);
    assert_eq!(cells(&scratch.path("out/provenance/f_source_2010_30m.tif")), [1, 1, 1, 0, 1, 251, 1, 252]);
    let account = scratch.csv("out/tables/nodata_account.csv");
    let row = |code: &str, column: &str| {
        account.value(column, &[("zone_layer", "all"), ("year", "2015"), ("code", code)])
    };
    assert_eq!(
        ["status", "section", "source", "date", "pixels"].map(|c| row("3", c)),
        ["filled", "a", "a@2010", "2009", "3"]
    );
    assert_eq!(
        ["section", "source", "date", "pixels"].map(|c| row("4", c)),
        ["b", "b@2014 for a", "2014", "1"]
    );
    assert_eq!(row("252", "status"), "nodata_by_crosswalk");
    // A country's cells are those of the map that stands in.
    let areas = scratch.csv("out/tables/class_area.csv");
    let us = [("zone_layer", "country"), ("zone_id", "US"), ("year", "2015")];
    assert_eq!(areas.sum("pixels", &us), 1);
    let matrix = scratch.csv("out/tables/change_matrix.csv");
    assert_eq!(
        matrix.value("date_to", &[("zone_layer", "all"), ("from_code", "6"), ("to_code", "6")]),
        "2009/2015"
    );
    scratch.ok(&["verify", "out"]);
}

#[test]
fn a_change_map_has_no_part_in_the_dates_of_where_cells_come_from() {
    // The change map stands for the map that stands in too, which has another date than the section's own.
    let scratch = clouded();
    let map = Drawing { srs: Some(LAEA), origin: (0.0, 80.0), nodata: Some(65_535.0), ..Drawing::default() };
    map.draw::<u16>(&scratch.path("change.tif"), &[&[0, 618, 0, 0], &[0, 0, 0, 0]]);
    let job = std::fs::read_to_string(scratch.path("job.toml")).unwrap();
    let official = "[[change.official]]\nsection = \"a\"\npair = [2010, 2015]\npath = \"change.tif\"\ncoding = \"from100to\"\n";
    scratch.write("job.toml", &(job + official));
    scratch.ok(&["run", "job.toml"]);
    let account = scratch.csv("out/tables/nodata_account.csv");
    let dates = ["1", "3"].map(|code| {
        account.value("date", &[("zone_layer", "all"), ("year", "2015"), ("code", code)]).to_string()
    });
    assert_eq!(dates, ["2015", "2009"]);
    scratch.ok(&["verify", "out"]);
}

#[test]
fn what_stands_in_must_be_a_map_of_the_job() {
    let scratch = clouded();
    let job = std::fs::read_to_string(scratch.path("job.toml")).unwrap();
    for (names, words) in [
        ("\"a@2011\"", "there is no such map"),
        ("\"c@2010\"", "there is no such map"),
        ("\"a\"", "write <source>@<year>"),
        ("\"a@2015\"", "names the map itself"),
        ("\"a@2010\", \"a@2010\"", "twice"),
    ] {
        scratch.write("job.toml", &job.replace("\"a@2010\", \"b@2014\"", names));
        scratch.nalcms(&["plan", "job.toml"]).refused(2, &[words]);
    }
    scratch.write("job.toml", &job.replace("provenance = true", "fractions = true"));
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["shares are not told of maps with"]);
}

/// A base map of 2015, labels of what changed until 2020 and a mask; labels of 2010 without one.
fn updated(mask: &[&[u8]], labels: &[&[u8]]) -> Scratch {
    let scratch = Scratch::new();
    let map = Drawing { srs: Some(LAEA), origin: (0.0, 80.0), nodata: Some(0.0), ..Drawing::default() };
    map.draw::<u8>(&scratch.path("base.tif"), &[&[1, 1, 18, 0], &[15, 15, 17, 17]]);
    map.draw::<u8>(&scratch.path("labels.tif"), labels);
    map.draw::<u8>(&scratch.path("back.tif"), &[&[0, 14, 0, 5], &[0, 0, 0, 0]]);
    // The mask has no nodata value: 0 says that nothing changed.
    Drawing { nodata: None, ..map }.draw::<u8>(&scratch.path("mask.tif"), mask);
    scratch.write(
        "job.toml",
        "name = \"u\"\noutput = \"out\"\n[grid]\npreset = \"nalcms-30m\"\n[[source]]\nid = \"mx\"\nlegend = \"nalcms\"\n\
         [source.epochs]\n2010 = { method = \"update\", base = 2015, files = \"back.tif\" }\n2015 = \"base.tif\"\n\
         2020 = { method = \"update\", base = 2015, files = \"labels.tif\", mask = \"mask.tif\" }\n",
    );
    scratch
}

#[test]
fn an_update_is_its_base_where_nothing_changed_forward_and_back() {
    // Where the mask is 0 a label does not count; 9 stands there to show it.
    let scratch = updated(&[&[0, 1, 0, 7], &[1, 0, 0, 0]], &[&[9, 15, 9, 17], &[15, 9, 0, 9]]);
    let plan = scratch.ok(&["plan", "job.toml"]).stdout;
    assert!(
        plan.contains("labels of an update, where ./mask.tif is not 0")
            && plan.contains("; base of an update"),
        "{plan}"
    );
    scratch.ok(&["run", "job.toml"]);
    let map = |year: i32| cells(&scratch.path(&format!("out/landcover/u_landcover_{year}_30m.tif")));
    assert_eq!(map(2015), [1, 1, 18, 0, 15, 15, 17, 17]);
    assert_eq!(map(2020), [1, 15, 18, 17, 15, 15, 17, 17]);
    assert_eq!(map(2010), [1, 14, 18, 5, 15, 15, 17, 17]);
    // The base under a label is no disagreement.
    assert!(scratch.csv("out/tables/overlap_disagreement.csv").rows.is_empty());
    scratch.ok(&["verify", "out"]);
    // Twice as many bits a cell, the same cells.
    let before = std::fs::read_to_string(scratch.path("out/SHA256SUMS")).unwrap();
    let map = Drawing { srs: Some(LAEA), origin: (0.0, 80.0), nodata: Some(0.0), ..Drawing::default() };
    map.draw::<u16>(&scratch.path("base.tif"), &[&[1, 1, 18, 0], &[15, 15, 17, 17]]);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(std::fs::read_to_string(scratch.path("out/SHA256SUMS")).unwrap(), before);
}

#[test]
fn a_change_without_a_label_and_updates_in_a_circle_are_refused() {
    let scratch = updated(&[&[0, 1, 1, 0], &[0, 0, 0, 0]], &[&[0, 15, 0, 0], &[0, 0, 0, 0]]);
    scratch
        .nalcms(&["run", "job.toml"])
        .refused(3, &["its labels hold nothing there", "mask.tif", "1 such cells"]);
    assert!(!scratch.path("out/landcover").exists());
    let job = std::fs::read_to_string(scratch.path("job.toml")).unwrap();
    let circle = job
        .replace("2015 = \"base.tif\"", "2015 = { method = \"update\", base = 2010, files = \"base.tif\" }");
    scratch.write("job.toml", &circle);
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["rest on each other"]);
    scratch.write("job.toml", &job.replace("base = 2015, files = \"back.tif\"", "files = \"back.tif\""));
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["needs `base`"]);
    scratch.write(
        "job.toml",
        &job.replace(
            "method = \"update\", base = 2015, files = \"back.tif\"",
            "base = 2015, files = \"back.tif\"",
        ),
    );
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["belong to a map with method"]);
}

/// The labels reach over the upper of two tasks alone, the mask over both.
#[test]
fn a_mask_that_changes_where_no_label_reaches_is_looked_at_again() {
    let scratch = Scratch::new();
    let map = Drawing::default();
    map.plot(&scratch.path("base.tif"), 1024, 512, |row, col| patchy(row, col, 3, &[1, 5, 15]));
    map.plot(&scratch.path("labels.tif"), 512, 512, |_, _| 17);
    let mask = |below: u8| {
        map.plot(&scratch.path("mask.tif"), 1024, 512, |row, col| match (row, col) {
            (..512, _) => 1,
            (700, 300) => below,
            _ => 0,
        });
    };
    let job = format!(
        "name = \"u\"\noutput = \"out\"\n[grid]\ncrs = \"{LAEA}\"\norigin = [0, 0]\ncell_size_m = 30\nshape = [1024, 512]\n\
         [compute]\ntask_cells = 512\n[[source]]\nid = \"mx\"\nlegend = \"nalcms\"\n[source.epochs]\n2015 = \"base.tif\"\n\
         2020 = {{ method = \"update\", base = 2015, files = \"labels.tif\", mask = \"mask.tif\" }}\n"
    );
    scratch.write("job.toml", &job);
    mask(0);
    assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("2 of 2 tasks computed"));
    let sums = std::fs::read_to_string(scratch.path("out/SHA256SUMS")).unwrap();
    mask(1);
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["its labels hold nothing there", "1 such cells"]);
    mask(0);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(std::fs::read_to_string(scratch.path("out/SHA256SUMS")).unwrap(), sums);
}

#[test]
fn verify_finds_any_number_of_the_two_tables_altered_and_any_row_lost_or_doubled() {
    let scratch = two_sections();
    scratch.ok(&["run", "job.toml"]);
    for table in ["nodata_account", "slivers"] {
        let path = scratch.path(&format!("out/tables/{table}.csv"));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let columns: Vec<&str> = lines[0].split(',').collect();
        let found = |lines: &[String]| {
            std::fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
            let verified = scratch.nalcms(&["verify", "out"]);
            assert_eq!(verified.code, 1, "{}", verified.stdout);
            // Not by the checksum alone.
            let told = verified.stdout.lines().filter(|line| line.contains(&format!("tables/{table}.csv")));
            told.filter(|line| !line.contains("SHA-256") && !line.contains("checksum")).count() > 0
                || verified.stdout.contains("cells by rule")
        };
        let whole: Vec<String> = lines.iter().map(ToString::to_string).collect();
        // Every tenth row, and every number in it.
        for at in (1..lines.len()).step_by(10) {
            for (place, column) in columns.iter().enumerate() {
                let mut fields: Vec<String> = lines[at].split(',').map(String::from).collect();
                let Ok(number) = fields[place].parse::<f64>() else { continue };
                fields[place] = format!("{}", number + 1.0);
                let mut altered = whole.clone();
                altered[at] = fields.join(",");
                assert!(found(&altered), "{table}: {column} of {}", lines[at]);
            }
            let mut lost = whole.clone();
            lost.remove(at);
            assert!(found(&lost), "{table}: lost {}", lines[at]);
            let mut doubled = whole.clone();
            doubled.insert(at, whole[at].clone());
            assert!(found(&doubled), "{table}: doubled {}", lines[at]);
        }
        std::fs::write(&path, text).unwrap();
    }
    scratch.ok(&["verify", "out"]);
}
