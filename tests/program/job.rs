//! The main job on maps small enough to check by eye, and the promises that hold for any map.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{Drawing, LAEA, Scratch, cells, patchy};

/// A grid of 4 x 3 cells of 30 m and two sources, one over the other.
const SMALL_JOB: &str = r#"
name = "small"
output = "out"
language = ["es", "en"]
[grid]
crs = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
origin = [0, 0]
cell_size_m = 30
shape = [3, 4]
extent = "full"
[[source]]
id = "north"
country = "CA"
legend = "nrcan"
priority = 5
[source.epochs]
2010 = "north_2010.tif"
2015 = "north_2015.tif"
[[source]]
id = "south"
country = "US"
legend = "nalcms"
[source.epochs]
2010 = "south_2010.tif"
2015 = { files = "south_2015.tif", date = "2016" }
"#;

fn small() -> Scratch {
    let scratch = Scratch::new();
    let north = Drawing::default();
    let south = Drawing { origin: (0.0, -30.0), ..Drawing::default() };
    north.draw::<u8>(&scratch.path("north_2010.tif"), &[&[1, 1, 2, 0], &[1, 5, 5, 0]]);
    north.draw::<u8>(&scratch.path("north_2015.tif"), &[&[1, 17, 2, 0], &[1, 5, 0, 0]]);
    south.draw::<u8>(&scratch.path("south_2010.tif"), &[&[1, 3, 9, 9], &[15, 15, 0, 18]]);
    south.draw::<u8>(&scratch.path("south_2015.tif"), &[&[1, 3, 9, 9], &[17, 15, 15, 18]]);
    scratch.write("job.toml", SMALL_JOB);
    scratch
}

#[test]
fn twelve_cells_by_hand() {
    let scratch = small();
    scratch.ok(&["run", "job.toml"]);
    // The north decides where it maps anything; 0 lets the south through.
    assert_eq!(
        cells(&scratch.path("out/landcover/small_landcover_2010_30m.tif")),
        [1, 1, 2, 0, 1, 5, 5, 9, 15, 15, 0, 18]
    );
    assert_eq!(
        cells(&scratch.path("out/landcover/small_landcover_2015_30m.tif")),
        [1, 17, 2, 0, 1, 5, 9, 9, 17, 15, 15, 18]
    );
    let n = 65535;
    assert_eq!(
        cells(&scratch.path("out/change/small_change_2010_2015_30m.tif")),
        [0, 117, 0, n, 0, 0, 509, 0, 1517, 0, n, 0]
    );
    let matrix = scratch.csv("out/tables/change_matrix.csv");
    let all = [("zone_layer", "all"), ("zone_id", "all")];
    assert_eq!(matrix.select(&all).len(), 19 * 19);
    assert_eq!(matrix.sum("pixels", &all), 10);
    let entry = |from, to| matrix.value("pixels", &[all[0], all[1], ("from_code", from), ("to_code", to)]);
    assert_eq!(
        (entry("1", "1"), entry("1", "17"), entry("5", "9"), entry("15", "17")),
        ("2".into(), "1".into(), "1".into(), "1".into())
    );
    let row = &matrix.select(&[all[0], ("from_code", "1"), ("to_code", "17")])[0];
    assert_eq!(
        (row["area_m2"].as_str(), row["area_ha"].as_str(), row["area_km2"].as_str()),
        ("900", "0.09", "0.0009")
    );
    assert_eq!((row["to_name"].as_str(), row["pct_of_total"].as_str()), ("Asentamiento humano", "10"));
    assert_eq!((row["date_from"].as_str(), row["date_to"].as_str()), ("2010", "2015/2016"));
    // 5 to 9 changed hands: it belongs to neither section.
    let mixed = matrix.select(&[("zone_layer", "section"), ("zone_id", "mixed")]);
    assert_eq!((mixed.len(), mixed[0]["from_code"].as_str(), mixed[0]["to_code"].as_str()), (1, "5", "9"));
    assert_eq!(matrix.sum("pixels", &[("zone_layer", "country"), ("zone_id", "CA")]), 5);
    // Cell (2, 2) is nodata in 2010 and cropland in 2015.
    let excluded = scratch.csv("out/tables/excluded.csv").select(&all);
    assert_eq!(excluded.len(), 1);
    assert_eq!(
        (
            excluded[0]["code"].as_str(),
            excluded[0]["side"].as_str(),
            excluded[0]["reason"].as_str(),
            excluded[0]["pixels"].as_str()
        ),
        ("15", "to", "nodata_from", "1")
    );
    let area = scratch.csv("out/tables/class_area.csv");
    assert_eq!(area.sum("pixels", &[all[0], ("year", "2010")]), 10);
    assert_eq!(area.sum("pixels", &[all[0], ("year", "2015")]), 11);
    // South gives 3 where north says 5 (both years), and 9 where north says 5 in 2010; 1 and 1 agree.
    let overlap = scratch.csv("out/tables/overlap_disagreement.csv");
    let lost = |year, loser_code| {
        overlap.value("pixels", &[("year", year), ("winner", "north"), ("loser_code", loser_code)])
    };
    assert_eq!(
        (lost("2010", "3"), lost("2010", "9"), lost("2015", "3")),
        ("1".into(), "1".into(), "1".into())
    );
    assert_eq!(overlap.value("overlap_pixels", &[("year", "2010"), ("loser_code", "3")]), "3");
}

#[test]
fn every_published_file_is_listed_with_its_checksum_and_names_no_place_or_time() {
    let scratch = small();
    scratch.ok(&["run", "job.toml"]);
    let sums = std::fs::read_to_string(scratch.path("out/SHA256SUMS")).unwrap();
    let listed: Vec<&str> = sums.lines().map(|line| &line[66..]).collect();
    for folder in ["landcover", "change", "tables", "quicklook"] {
        for entry in std::fs::read_dir(scratch.path("out").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
            assert!(listed.contains(&name.as_str()), "{name} is not listed");
            let bytes = std::fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(&*scratch.path("").to_string_lossy()), "{name} holds a path");
        }
    }
    assert_eq!(listed.len(), 2 * 2 + 2 + 2 + 2 * (11 + 2));
}

/// A bigger job: unaligned source in another CRS, zones, three years. Everything listed in SHA256SUMS.
fn sums_of(scratch: &Scratch, name: &str, job: &str, flags: &[&str]) -> BTreeMap<String, String> {
    let path = scratch.write(&format!("{name}.toml"), &job.replace("OUTPUT", name));
    let mut arguments = vec!["run", path.to_str().unwrap()];
    arguments.extend(flags);
    scratch.ok(&arguments);
    checksums(&scratch.path(name))
}

fn checksums(output: &Path) -> BTreeMap<String, String> {
    let sums = std::fs::read_to_string(output.join("SHA256SUMS")).unwrap();
    sums.lines().map(|line| (line[66..].to_string(), line[..64].to_string())).collect()
}

const BIG_JOB: &str = r#"
name = "big"
output = "OUTPUT"
[grid]
crs = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
origin = [-30000, 30000]
cell_size_m = 30
shape = [1300, 1500]
outside_grid = "drop"
[[source]]
id = "copied"
legend = "nalcms"
priority = 1
epochs = { 2000 = "copied_2000.tif", 2005 = "copied_2005.tif", 2010 = "copied_2010.tif" }
[[source]]
id = "warped"
legend = "nlcd"
missing_stratum = "default"
epochs = { 2000 = "warped_2000.tif", 2005 = "warped_2005.tif", 2010 = "warped_2010.tif" }
[change]
pairs = "all"
[[zones]]
id = "parks"
path = "parks.geojson"
key = "code"
[compute]
task_cells = TASK
"#;

const PARKS: &str = r#"{"type": "FeatureCollection", "features": [
{"type": "Feature", "properties": {"code": "09"}, "geometry": {"type": "Polygon", "coordinates": [[[-100.2, 45.1], [-99.9, 45.12], [-100.0, 44.9], [-100.2, 45.1]]]}},
{"type": "Feature", "properties": {"code": "8.10"}, "geometry": {"type": "Polygon", "coordinates": [[[-100.1, 45.15], [-99.8, 45.15], [-99.8, 44.95], [-100.1, 44.98], [-100.1, 45.15]]]}},
{"type": "Feature", "properties": {"code": "09"}, "geometry": {"type": "Polygon", "coordinates": [[[-99.9, 44.9], [-99.7, 44.9], [-99.7, 44.85], [-99.9, 44.9]]]}}
]}"#;

fn big() -> Scratch {
    let scratch = Scratch::new();
    let copied = Drawing { origin: (-30000.0, 30000.0), ..Drawing::default() };
    let warped = Drawing {
        srs: Some("EPSG:5070"),
        origin: (-345_000.0, 2_482_000.0),
        cell: 37.3,
        ..Drawing::default()
    };
    for (seed, year) in [(1, 2000), (2, 2005), (3, 2010)] {
        // The first two thirds of the columns; a diagonal band is unmapped.
        copied.plot(&scratch.path(&format!("copied_{year}.tif")), 1200, 1000, |r, c| {
            if (r + c) % 701 < 90 {
                0
            } else {
                patchy(r, c, if (r / 64 + c / 64) % 5 == 0 { seed } else { 9 }, &[1, 2, 5, 8, 10, 14, 18])
            }
        });
        warped.plot(&scratch.path(&format!("warped_{year}.tif")), 1200, 1300, |r, c| {
            patchy(r, c, if r % 200 < 20 { seed } else { 77 }, &[11, 21, 41, 42, 43, 52, 71, 82, 90])
        });
    }
    scratch.write("parks.geojson", PARKS);
    scratch
}

/// Draws three years of two sources on the lattice in a data type: tiles that overlap by 40 cells, some of which begin
/// with a block of the grid and some do not; clouds; a source that reaches over the edge of another.
fn tiles<T: gdal::raster::GdalType + Copy + From<u8>>(scratch: &Scratch, folder: &str, options: &[&str]) {
    for (year, seed) in [(2000, 1), (2005, 2), (2010, 1)] {
        for (tile, (row, col)) in [(0, 0), (0, 1024), (1024, 0), (1024, 1024)].into_iter().enumerate() {
            let origin = (f64::from(col) * 30.0 - 30_000.0, 30_000.0 - f64::from(row) * 30.0);
            let drawing = Drawing { origin, options, ..Drawing::default() };
            let path = scratch.path(&format!("{folder}/north_{year}_{tile}.tif"));
            // The upper left tile is the same in all years, the lower right one is all one class in the last.
            drawing.plot_as::<T>(&path, 1064, 1064, |r, c| match (tile, year) {
                (3, 2010) => 3,
                (0, _) => patchy(r, c, 5, &[0, 1, 2, 5, 8, 14]),
                _ if (r + c) % 500 < 60 => 0,
                _ => patchy(r, c, if (r / 64 + c / 64) % 5 == 0 { seed } else { 9 }, &[1, 2, 5, 8, 14, 18]),
            });
        }
        let south = Drawing {
            origin: (-30_000.0 + 30.0 * 700.0, -10_000.0 - 10.0 * 8.0),
            options,
            ..Drawing::default()
        };
        let path = scratch.path(&format!("{folder}/south_{year}.tif"));
        // MAD-Mex codes; 98 is under clouds.
        south.plot_as::<T>(&path, 900, 900, |r, c| patchy(r, c, seed + 40, &[1, 2, 6, 98, 27, 29]));
    }
}

const TILES_JOB: &str = r#"
name = "tiles"
output = "FOLDER_out"
[grid]
crs = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m"
origin = [-30000, 30000]
cell_size_m = 30
shape = [2236, 2088]
extent = "full"
[[source]]
id = "north"
country = "CA"
legend = "nalcms"
priority = 1
epochs = { 2000 = "FOLDER/north_2000_*.tif", 2005 = "FOLDER/north_2005_*.tif", 2010 = "FOLDER/north_2010_*.tif" }
[[source]]
id = "south"
country = "MX"
legend = "madmex"
epochs = { 2000 = "FOLDER/south_2000.tif", 2005 = "FOLDER/south_2005.tif", 2010 = "FOLDER/south_2010.tif" }
[change]
pairs = "all"
[[zones]]
id = "parks"
path = "parks.geojson"
key = "code"
[compute]
task_cells = 1024
"#;

#[test]
fn counting_bytes_as_they_stand_gives_what_counting_cell_by_cell_gives() {
    let scratch = Scratch::new();
    scratch.write("parks.geojson", PARKS);
    let run = |folder: &str| {
        let job = scratch.write(&format!("{folder}.toml"), &TILES_JOB.replace("FOLDER", folder));
        scratch.ok(&["run", job.to_str().unwrap(), "--quiet"]);
        scratch.ok(&["verify", &format!("{folder}_out"), "--quiet"]);
        checksums(&scratch.path(&format!("{folder}_out")))
    };
    // Maps of 16 bits are reclassified and mosaicked cell by cell.
    tiles::<i16>(&scratch, "cells", &[]);
    let expected = run("cells");
    let tiled = ["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512"];
    for (folder, options) in [
        ("strips", vec![]),
        ("deflate", [&tiled[..], &["COMPRESS=DEFLATE"]].concat()),
        ("lzw", [&tiled[..], &["COMPRESS=LZW"]].concat()),
        ("small_blocks", vec!["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=128", "COMPRESS=ZSTD"]),
    ] {
        tiles::<u8>(&scratch, folder, &options);
        assert_eq!(run(folder), expected, "{folder}");
    }
    // Strips of 1064 columns are wider than a task: tasks reach over the last of them. Tiles leave tasks square.
    for (folder, tasks) in
        [("strips", "3 tasks of 1024 x 4096 cells"), ("deflate", "9 tasks of 1024 x 1024 cells")]
    {
        let plan = scratch.ok(&["plan", &format!("{folder}.toml")]);
        assert!(plan.stdout.contains(tasks), "{folder}: {}", plan.stdout);
    }
}

#[test]
fn counting_warped_bytes_gives_what_counting_warped_cells_gives_for_any_task_size() {
    let scratch = Scratch::new();
    scratch.write("parks.geojson", PARKS);
    tiles::<i16>(&scratch, "cells", &[]);
    tiles::<u8>(&scratch, "bytes", &["TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256", "COMPRESS=DEFLATE"]);
    let run = |name: &str, folder: &str, job: &str| {
        let job = job.replace("FOLDER_out", name).replace("FOLDER", folder);
        let job = scratch.write(&format!("{name}.toml"), &job);
        scratch.ok(&["run", job.to_str().unwrap(), "--quiet"]);
        scratch.ok(&["verify", name, "--quiet"]);
        checksums(&scratch.path(name))
    };
    // A grid turned by a hundredth of a degree, some 800 m beside the maps.
    let turned = TILES_JOB
        .replace("lon_0=-100 ", "lon_0=-99.99 ")
        .replace("extent = \"full\"", "extent = \"full\"\noutside_grid = \"drop\"");
    let voting = turned
        .replace("cell_size_m = 30\nshape = [2236, 2088]", "cell_size_m = 100\nshape = [660, 620]")
        .replace("id = \"north\"", "id = \"north\"\nresampling = \"mode\"")
        .replace("id = \"south\"", "id = \"south\"\nresampling = \"mode\"");
    for (way, job) in [("near", turned), ("mode", voting)] {
        let expected = run(&format!("{way}_cells"), "cells", &job);
        assert_eq!(run(&format!("{way}_bytes"), "bytes", &job), expected, "{way}");
        let small = job.replace("task_cells = 1024", "task_cells = 512\nthreads = 1");
        assert_eq!(run(&format!("{way}_small"), "bytes", &small), expected, "{way}");
    }
}

#[test]
fn more_zones_than_histograms_in_one_block_are_counted_one_by_one() {
    // 12 x 12 zones of 8 x 8 cells, from the upper left corner on.
    let scratch = Scratch::new();
    let drawing = Drawing { srs: Some("EPSG:5070"), origin: (0.0, 3000.0), ..Drawing::default() };
    let class = |year: u64| move |r: usize, c: usize| patchy(r, c, year, &[1, 2, 5, 8]);
    drawing.plot(&scratch.path("a.tif"), 100, 100, class(1));
    drawing.plot(&scratch.path("b.tif"), 100, 100, class(2));
    let zone = |i: usize| {
        let (west, north) = ((i % 12 * 240) as i64, 3000 - (i / 12 * 240) as i64);
        let (east, south) = (west + 240, north - 240);
        format!(
            r#"{{"type": "Feature", "properties": {{"code": "z{i}"}}, "geometry": {{"type": "Polygon", "coordinates":
               [[[{west}, {north}], [{east}, {north}], [{east}, {south}], [{west}, {south}], [{west}, {north}]]]}}}}"#
        )
    };
    let features: Vec<String> = (0..144).map(zone).collect();
    let crs = r#"{"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::5070"}}"#;
    let layer =
        format!(r#"{{"type": "FeatureCollection", "crs": {crs}, "features": [{}]}}"#, features.join(","));
    scratch.write("zones.geojson", &layer);
    let zones = [
        "--zones",
        "zones.geojson",
        "--zone-key",
        "code",
        "--legend",
        "nalcms",
        "-o",
        "out",
        "--tables-only",
    ];
    scratch.ok(&[&["change", "a.tif", "b.tif", "--years", "1", "2"][..], &zones].concat());
    let matrix = scratch.csv("out/tables/change_matrix.csv");
    for i in [0, 13, 77, 143] {
        let mut expected = BTreeMap::new();
        for (r, c) in (0..64).map(|cell| (i / 12 * 8 + cell / 8, i % 12 * 8 + cell % 8)) {
            *expected.entry((class(1)(r, c).to_string(), class(2)(r, c).to_string())).or_insert(0u64) += 1;
        }
        let rows = matrix.select(&[("zone_layer", "zones"), ("zone_id", &format!("z{i}"))]);
        let found: BTreeMap<_, u64> = rows
            .iter()
            .map(|row| ((row["from_code"].clone(), row["to_code"].clone()), row["pixels"].parse().unwrap()))
            .filter(|(_, pixels)| *pixels > 0)
            .collect();
        assert_eq!(found, expected, "z{i}");
    }
    assert_eq!(
        matrix.sum("pixels", &[("zone_layer", "zones"), ("zone_id", "outside")]),
        100 * 100 - 144 * 64
    );
}

#[test]
fn outputs_do_not_depend_on_threads_or_task_size() {
    let scratch = big();
    let job = |task: &str| BIG_JOB.replace("TASK", task);
    let reference = sums_of(&scratch, "one", &job("4096"), &["--threads", "1"]);
    assert_eq!(reference.len(), 3 * 3 + 3 * 2 + 2 * (11 + 3 * 2));
    for (name, task, threads) in [("two", "512", "1"), ("three", "512", "2"), ("four", "1024", "2")] {
        let sums = sums_of(&scratch, name, &job(task), &["--threads", threads]);
        let differing: Vec<_> = reference.iter().filter(|(file, sum)| sums.get(*file) != Some(sum)).collect();
        assert!(differing.is_empty() && sums.len() == reference.len(), "{name}: {differing:?}");
    }
}

#[test]
fn a_job_runs_once_and_again_after_any_change_of_its_inputs() {
    let scratch = small();
    assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("1 of 1 tasks computed"));
    let before = checksums(&scratch.path("out"));
    assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("0 of 1 tasks computed, 1 kept"));
    let south = Drawing { origin: (0.0, -30.0), ..Drawing::default() };
    south.draw::<u8>(&scratch.path("south_2015.tif"), &[&[1, 3, 9, 9], &[17, 17, 15, 18]]);
    assert!(scratch.ok(&["status", "job.toml"]).stdout.contains("stale"));
    assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("1 of 1 tasks computed"));
    let after = checksums(&scratch.path("out"));
    assert_ne!(before["tables/change_matrix.csv"], after["tables/change_matrix.csv"]);
    assert_eq!(
        before["landcover/small_landcover_2010_30m.tif"],
        after["landcover/small_landcover_2010_30m.tif"]
    );
}

#[test]
fn another_field_of_a_layer_or_another_name_is_seen() {
    let scratch = Scratch::new();
    let drawing = Drawing { origin: (-30_000.0, 30_000.0), ..Drawing::default() };
    for year in [2010, 2015] {
        drawing.plot(&scratch.path(&format!("m_{year}.tif")), 600, 600, |r, c| {
            patchy(r, c, 3, &[41, 42, 71, 11])
        });
    }
    let half = |west: i32, first: &str, second: &str| {
        let (a, b) = (west, west + 2);
        format!(
            r#"{{"type": "Feature", "properties": {{"k1": "{first}", "k2": "{second}"}}, "geometry": {{"type": "Polygon",
               "coordinates": [[[{a}, 40], [{b}, 40], [{b}, 50], [{a}, 50], [{a}, 40]]]}}}}"#
        )
    };
    let halves = [half(-102, "temperate", "polar"), half(-100, "polar", "temperate")].join(",");
    scratch.write("c.geojson", &format!(r#"{{"type": "FeatureCollection", "features": [{halves}]}}"#));
    let job = |key: &str, zone: &str, output: &str| {
        scratch.write(
            "job.toml",
            &format!(
                "name = \"keys\"\noutput = \"{output}\"\n[grid]\ncrs = \"{}\"\norigin = [-30000, 30000]\n\
                 cell_size_m = 30\nshape = [600, 600]\nextent = \"full\"\n[[source]]\nid = \"s\"\nlegend = \"nlcd\"\n\
                 epochs = {{ 2010 = \"m_2010.tif\", 2015 = \"m_2015.tif\" }}\n[strata.climate]\npath = \"c.geojson\"\n\
                 key = \"{key}\"\n[[zones]]\nid = \"{zone}\"\npath = \"c.geojson\"\nkey = \"k1\"\n",
                crate::support::LAEA
            ),
        );
        scratch.ok(&["run", "job.toml", "--quiet"]);
        checksums(&scratch.path(output))
    };
    let (first, other_key) = (job("k1", "halves", "out"), job("k2", "halves", "out"));
    assert_ne!(first, other_key);
    assert_eq!(other_key, job("k2", "halves", "fresh"));
    let renamed = job("k2", "sides", "out");
    assert_eq!(renamed, job("k2", "sides", "fresh2"));
    assert!(scratch.csv("out/tables/class_area.csv").select(&[("zone_layer", "sides")]).len() > 1);
    // The first language names the classes: outputs of another one are not those of the job.
    assert!(scratch.ok(&["status", "job.toml"]).stdout.contains("outputs are in place"));
    let text = std::fs::read_to_string(scratch.path("job.toml")).unwrap();
    scratch.write("job.toml", &format!("language = [\"fr\"]\n{text}"));
    assert!(scratch.ok(&["status", "job.toml"]).stdout.contains("outputs of an earlier state"));
}

#[test]
fn a_damaged_part_is_recognised_and_redone() {
    let scratch = small();
    scratch.ok(&["run", "job.toml"]);
    let before = checksums(&scratch.path("out"));
    let part = scratch.path("out/.nalcms/parts/000000_000000.part");
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[10] ^= 4;
    std::fs::write(&part, bytes).unwrap();
    assert!(scratch.ok(&["status", "job.toml"]).stdout.contains("torn"));
    scratch.nalcms(&["merge", "job.toml"]).refused(3, &["1 of 1 tasks are not done", "torn"]);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(checksums(&scratch.path("out")), before);
}

#[test]
fn a_vanished_output_is_put_back() {
    let scratch = small();
    scratch.ok(&["run", "job.toml"]);
    let before = checksums(&scratch.path("out"));
    std::fs::remove_file(scratch.path("out/tables/excluded.csv")).unwrap();
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(checksums(&scratch.path("out")), before);
    assert!(scratch.path("out/tables/excluded.csv").exists());
}

#[test]
fn a_folder_of_another_job_is_not_taken_unasked() {
    let scratch = small();
    scratch.ok(&["run", "job.toml"]);
    scratch.write("other.toml", &SMALL_JOB.replace("name = \"small\"", "name = \"other\""));
    scratch.nalcms(&["run", "other.toml"]).refused(2, &["belongs to another job", "`small`", "--overwrite"]);
    scratch.ok(&["run", "other.toml", "--overwrite"]);
    assert!(!scratch.path("out/landcover/small_landcover_2010_30m.tif").exists());
    scratch.write("full/mine.txt", "precious");
    scratch.write("third.toml", &SMALL_JOB.replace("\"out\"", "\"full\""));
    scratch.nalcms(&["run", "third.toml"]).refused(2, &["holds files that are not of this program"]);
}

#[test]
fn killed_at_any_moment_a_run_ends_in_the_same_bytes() {
    let scratch = big();
    let job = BIG_JOB.replace("TASK", "512");
    let reference = sums_of(&scratch, "whole", &job, &[]);
    let path = scratch.write("killed.toml", &job.replace("OUTPUT", "killed"));
    for milliseconds in [5, 60, 150, 300, 500, 800] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_nalcms"))
            .args(["run", path.to_str().unwrap(), "--quiet"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        let _ = child.kill();
        child.wait().unwrap();
    }
    scratch.ok(&["run", path.to_str().unwrap()]);
    assert_eq!(checksums(&scratch.path("killed")), reference);
    for folder in ["killed", "killed/.nalcms", "killed/.nalcms/parts", "killed/landcover", "killed/tables"] {
        for entry in std::fs::read_dir(scratch.path(folder)).unwrap() {
            let name = entry.unwrap().file_name().to_string_lossy().into_owned();
            assert!(!name.ends_with(".tmp") && !name.starts_with(".nalcms-"), "{folder}/{name} is left over");
        }
    }
}

#[test]
fn a_damaged_input_fails_its_own_tasks_and_the_rest_is_kept() {
    let scratch = Scratch::new();
    let tiles = [("a", 0.0), ("b", 15_360.0)];
    for (name, x) in tiles {
        let tile =
            Drawing { origin: (x, 0.0), options: &["TILED=YES", "COMPRESS=DEFLATE"], ..Drawing::default() };
        tile.plot(&scratch.path(&format!("{name}.tif")), 512, 512, |r, c| patchy(r, c, 4, &[1, 5, 6]));
    }
    let whole = std::fs::read(scratch.path("b.tif")).unwrap();
    std::fs::write(scratch.path("b.tif"), [&whole[..600], &vec![0xAA; whole.len() - 600]].concat()).unwrap();
    scratch.write(
        "job.toml",
        "name = \"tiles\"\noutput = \"out\"\n[grid]\ncrs = \"+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84\"\n\
         origin = [0, 0]\ncell_size_m = 30\nshape = [512, 1024]\n[compute]\ntask_cells = 512\n\
         [[source]]\nid = \"s\"\nlegend = \"nalcms\"\nepochs = { 2010 = [\"a.tif\", \"b.tif\"] }\n",
    );
    scratch
        .nalcms(&["run", "job.toml"])
        .refused(1, &["1 of 2 tasks failed", "columns 512..1024", "cells cannot be read", "b.tif"]);
    assert!(!scratch.path("out/landcover").exists() && !scratch.path("out/SHA256SUMS").exists());
    std::fs::write(scratch.path("b.tif"), whole).unwrap();
    assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("1 of 2 tasks computed, 1 kept"));
}

#[test]
fn sigterm_ends_a_run_resumably_with_exit_75() {
    let scratch = big();
    let path = scratch.write("job.toml", &BIG_JOB.replace("TASK", "512").replace("OUTPUT", "out"));
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_nalcms"))
        .args(["run", path.to_str().unwrap(), "--threads", "1"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The journal is there once tasks have begun; the job then takes seconds.
    while !scratch.path("out/.nalcms/attempts").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let killed = terminate(&child).unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(75));
    scratch.ok(&["run", path.to_str().unwrap()]);
}

/// Sends SIGTERM by the shell's own `kill`: the program of that name is not everywhere.
fn terminate(child: &std::process::Child) -> std::io::Result<std::process::ExitStatus> {
    std::process::Command::new("sh").args(["-c", "kill -TERM \"$0\"", &child.id().to_string()]).status()
}

/// Whether a merge is making outputs, or was killed while it did.
fn is_staging(output: &Path) -> bool {
    let entries = std::fs::read_dir(output.join(".nalcms")).into_iter().flatten().flatten();
    let names = entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name());
    names.into_iter().any(|name| name.to_string_lossy().starts_with(".nalcms-"))
}

/// Runs a job in a process of its own and sends SIGTERM as soon as a moment is there; the exit code.
fn terminated_at(job: &Path, moment: impl Fn() -> bool) -> Option<i32> {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_nalcms"))
        .args(["run", job.to_str().unwrap(), "--threads", "1", "--quiet"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !moment() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    // The process may be gone already; then kill fails and the exit code tells.
    let _ = terminate(&child);
    child.wait().unwrap().code()
}

#[test]
fn sigterm_during_merge_publishes_nothing_and_the_next_run_completes_it() {
    let scratch = big();
    let whole = sums_of(&scratch, "whole", &BIG_JOB.replace("TASK", "512"), &[]);
    let job = scratch.write("job.toml", &BIG_JOB.replace("TASK", "512").replace("OUTPUT", "out"));
    let output = scratch.path("out");
    let mut stopped = 0;
    for _ in 0..20 {
        // All parts are there after the first round; only merge is stopped again and again.
        let code = terminated_at(&job, || is_staging(&output));
        assert!(!is_staging(&output), "what was begun is left over");
        let published = output.join("SHA256SUMS").exists();
        assert!(
            matches!((code, published), (Some(75), false) | (Some(0), true)),
            "{code:?}, published {published}"
        );
        stopped += usize::from(code == Some(75));
        if published {
            break;
        }
    }
    assert!(stopped > 0, "SIGTERM never met the merge");
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(checksums(&output), whole);
}

#[test]
fn maps_in_longitude_and_latitude_join_maps_on_the_plane_run_after_run() {
    let scratch = Scratch::new();
    let plane = Drawing { origin: (0.0, 20.0), ..Drawing::default() };
    plane.plot(&scratch.path("plane.tif"), 40, 40, |r, c| patchy(r, c, 1, &[1, 5, 6]));
    let globe =
        Drawing { srs: Some("EPSG:4326"), origin: (-100.001, 45.001), cell: 0.0004, ..Drawing::default() };
    globe.plot(&scratch.path("globe.tif"), 30, 30, |r, c| patchy(r, c, 2, &[10, 14, 18]));
    scratch.write(
        "job.toml",
        "name = \"two\"\noutput = \"out\"\n[grid]\npreset = \"nalcms-30m\"\n\
         [[source]]\nid = \"a\"\nlegend = \"nalcms\"\nepochs = { 2010 = \"plane.tif\" }\n\
         [[source]]\nid = \"b\"\nlegend = \"nalcms\"\nepochs = { 2010 = \"globe.tif\" }\n",
    );
    scratch.ok(&["run", "job.toml"]);
    let first = checksums(&scratch.path("out"));
    for _ in 0..4 {
        assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("0 of 1 tasks computed"));
    }
    std::fs::remove_dir_all(scratch.path("out")).unwrap();
    scratch.ok(&["run", "job.toml", "--threads", "1"]);
    assert_eq!(checksums(&scratch.path("out")), first);
}

#[test]
fn what_a_job_writes_is_not_what_it_reads() {
    let scratch = small();
    let glob = SMALL_JOB.replace("\"south_2010.tif\"", "\"**/s*_2010*.tif\"");
    scratch.write("job.toml", &glob);
    let run = scratch.nalcms(&["run", "job.toml"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    scratch.nalcms(&["run", "job.toml"]).refused(2, &["lies in the output folder", "small_landcover_2010"]);
    let own = ["mosaic", "north_2010.tif", "-o", "north_2010.tif", "--legend", "nrcan", "--overwrite"];
    scratch.nalcms(&own).refused(2, &["the output is one of the inputs"]);
}

#[test]
fn counts_beyond_32_bits_stay_exact() {
    // 4.9e9 cells a map, all but one block never written: they hold 0, a class of rasters without a legend.
    const SIDE: usize = 70_000;
    let scratch = Scratch::new();
    let driver = gdal::DriverManager::get_driver_by_name("GTiff").unwrap();
    for (name, class) in [("a.tif", 3u8), ("b.tif", 4)] {
        let mut options = gdal::raster::RasterCreationOptions::new();
        for option in ["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE", "SPARSE_OK=TRUE"]
        {
            options.add_string(option).unwrap();
        }
        let path = scratch.path(name);
        let mut map =
            driver.create_with_band_type_with_options::<u8, _>(&path, SIDE, SIDE, 1, &options).unwrap();
        map.set_spatial_ref(&gdal::spatial_ref::SpatialRef::from_definition(crate::support::LAEA).unwrap())
            .unwrap();
        map.set_geo_transform(&[-1_000_000.0, 30.0, 0.0, 1_000_000.0, 0.0, -30.0]).unwrap();
        let mut cells = gdal::raster::Buffer::new((100, 70), vec![class; 7000]);
        map.rasterband(1).unwrap().write((512 * 60 + 7, 512 * 50 + 3), (100, 70), &mut cells).unwrap();
        map.close().unwrap();
    }
    let years = ["--years", "2010", "2015", "--legend", "raw", "--tables-only", "-o", "out", "--quiet"];
    scratch.ok(&[&["change", "a.tif", "b.tif"][..], &years].concat());
    let matrix = scratch.csv("out/tables/change_matrix.csv");
    let pixels = |from: &str, to: &str| {
        matrix.value("pixels", &[("zone_layer", "all"), ("from_code", from), ("to_code", to)])
    };
    let unchanged = SIDE as u64 * SIDE as u64 - 7000;
    assert!(unchanged > u64::from(u32::MAX));
    assert_eq!((pixels("0", "0"), pixels("3", "4")), (unchanged.to_string(), "7000".into()));
    let area = matrix.value("area_m2", &[("zone_layer", "all"), ("from_code", "0"), ("to_code", "0")]);
    assert_eq!(area.parse::<f64>().unwrap(), unchanged as f64 * 900.0);
}

#[test]
fn every_rule_of_a_crosswalk_is_told_with_the_cells_that_it_decided() {
    let scratch = Scratch::new();
    let map = Drawing { srs: Some(LAEA), origin: (0.0, 80.0), cell: 30.0, ..Drawing::default() };
    // MAD-Mex: 1 and 3 become class 1, 2 class 5, 99 are clouds, 0 is outside. Under it lies a map of NALCMS.
    map.draw::<u8>(&scratch.path("a.tif"), &[&[1, 3, 2, 99], &[1, 1, 0, 0]]);
    map.draw::<u8>(&scratch.path("b.tif"), &[&[7, 7, 7, 7], &[7, 7, 7, 0]]);
    scratch.write(
        "job.toml",
        "name = \"job\"\noutput = \"out\"\n[grid]\npreset = \"nalcms-30m\"\n\
         [[source]]\nid = \"mx\"\nlegend = \"madmex\"\npriority = 1\nepochs = { 2010 = \"a.tif\" }\n\
         [[source]]\nid = \"na\"\nlegend = \"nalcms\"\nepochs = { 2010 = \"b.tif\" }\n",
    );
    scratch.ok(&["run", "job.toml"]);
    let rules = scratch.csv("out/tables/rule_coverage.csv");
    let pixels = |source: &str, from: &str, to: &str| {
        rules.value("pixels", &[("source", source), ("from_code", from), ("to_code", to)])
    };
    assert_eq!(["1", "3"].map(|from| pixels("mx", from, "1")), ["3", "1"]);
    assert_eq!(pixels("mx", "2", "5"), "1");
    // A cloud is nodata, and decided; what lies outside falls to the other source: one cell, of the eight that it maps.
    assert_eq!([pixels("mx", "99", ""), pixels("mx", "98", ""), pixels("na", "7", "7")], ["1", "0", "1"]);
    assert_eq!(rules.value("status", &[("source", "na"), ("from_code", "7")]), "kept");
    assert_eq!(rules.value("area_m2", &[("source", "mx"), ("from_code", "1")]), "2700");
    assert_eq!(rules.value("pct_of_source", &[("source", "mx"), ("from_code", "1")]), "50");
    // 19 classes kept; of MAD-Mex every class and two values without an observation.
    assert_eq!(rules.select(&[("source", "na")]).len(), 19);
    let legend = scratch.ok(&["legend", "show", "madmex", "--json"]);
    let legend: serde_json::Value = serde_json::from_str(&legend.stdout).unwrap();
    let classes = legend["class"].as_array().or(legend["classes"].as_array()).unwrap().len();
    assert_eq!(rules.select(&[("source", "mx")]).len(), classes + 2);
    scratch.ok(&["verify", "out"]);
    let path = scratch.path("out/tables/rule_coverage.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen(",3,2700,", ",2,1800,", 1)).unwrap();
    assert!(scratch.nalcms(&["verify", "out"]).stdout.contains("rule_coverage.csv: row"));
}
