//! `nalcms verify`: an output that is as it was made passes, and nothing that is altered in it stays unseen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nalcms::io::digest::sha256_file;
use nalcms::io::gdal::{crs_from_wkt, write_tiled};
use nalcms::model::grid::{Affine, Grid};
use ndarray::Array2;
use tempfile::TempDir;
use tiff::decoder::Decoder;
use tiff::tags::Tag;

const ROWS: usize = 600;
const COLS: usize = 700;
const MAP_2010: &str = "landcover/small_landcover_2010_30m.tif";
const MAP_2015: &str = "landcover/small_landcover_2015_30m.tif";
const CHANGE: &str = "change/small_change_2010_2015_30m.tif";

/// Runs the program; its exit code and everything that it says.
fn nalcms(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_nalcms")).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

fn verify(out: &Path) -> (i32, String) {
    nalcms(&["verify", out.to_str().unwrap()])
}

fn assert_passes(out: &Path) -> String {
    let (code, said) = verify(out);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("everything agrees"), "{said}");
    said
}

/// The check fails, and one line of what it says holds all the words.
fn assert_tells(out: &Path, words: &[&str]) {
    let (code, said) = verify(out);
    assert_eq!(code, 1, "{words:?}: {said}");
    assert!(said.lines().any(|line| words.iter().all(|word| line.contains(word))), "{words:?}: {said}");
}

/// As [`assert_tells`], without the cost of a process: for checks by the hundred.
fn assert_finds(out: &Path, words: &[&str]) {
    static GDAL: OnceLock<()> = OnceLock::new();
    GDAL.get_or_init(|| nalcms::io::gdal::init().unwrap());
    let report = nalcms::verify::verify(out).unwrap();
    assert!(!report.agrees(), "{words:?}");
    let said = report.text();
    assert!(said.lines().any(|line| words.iter().all(|word| line.contains(word))), "{words:?}: {said}");
}

/// Writes a map of the columns from `first` to `end` of the test area, at 30 m times `scale`.
fn write_map(
    path: &Path,
    crs: Option<&str>,
    scale: usize,
    (first, end): (usize, usize),
    class: impl Fn(usize, usize) -> u8,
) {
    let crs = crs.map(|crs| crs_from_wkt(crs).unwrap());
    let cell = 30.0 * scale as f64;
    let affine = Affine::north_up(101_200.0 + 30.0 * first as f64, 1_998_500.0, cell, cell);
    let grid = Grid { crs, affine, rows: ROWS / scale, cols: (end - first) / scale, lattice: (0, 0) };
    let rows_of = |window: &nalcms::model::window::Window| {
        Ok(Array2::from_shape_fn((window.rows, window.cols), |(row, col)| {
            class((row + window.row as usize) * scale, first + col * scale)
        }))
    };
    write_tiled(path, &grid, Some(0.0), &[], rows_of).unwrap();
}

/// Classes with ties at every level, patches, and scattered cells without data.
fn class(year: usize, row: usize, col: usize) -> u8 {
    if row < 40 && col < 60 || (row * 31 + col * 17 + year).is_multiple_of(29) {
        return 0;
    }
    if (100..300).contains(&row) {
        return 1 + ((row + col) % 2) as u8;
    }
    let changed = (row / 13 + col / 17 + year / 5).is_multiple_of(4);
    if changed { 15 } else { 3 + ((row / 7 + col / 11) % 5) as u8 }
}

/// A finished output of `run` with overviews, made once.
fn job() -> &'static TempDir {
    static JOB: OnceLock<TempDir> = OnceLock::new();
    JOB.get_or_init(|| run_job(1))
}

/// The same of a hundredth of the cells, for checks of tables by the hundred.
fn small_job() -> &'static TempDir {
    static JOB: OnceLock<TempDir> = OnceLock::new();
    JOB.get_or_init(|| run_job(10))
}

/// Runs a job of two sections that overlap, three years and a zone layer.
fn run_job(scale: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for year in [2010, 2015, 2020] {
        let write = |name: &str, columns: (usize, usize), class: &dyn Fn(usize, usize) -> u8| {
            write_map(&at(name), Some("EPSG:5070"), scale, columns, class);
        };
        write(&format!("a_{year}.tif"), (0, 450), &|row, col| class(year, row, col));
        // In 2010 the second section reaches further, so that cells change hands.
        let first = if year == 2010 { 350 } else { 400 };
        write(&format!("b_{year}.tif"), (first, COLS), &|row, col| match class(year, row, col) {
            3 => 4,
            other => other,
        });
    }
    let square = |id: &str, x: f64| {
        let (left, right, top, bottom) = (x, x + 6_000.0, 1_997_000.0, 1_990_000.0);
        format!(
            r#"{{"type": "Feature", "properties": {{"id": "{id}", "name": "Park, the {id}"}}, "geometry":
                {{"type": "Polygon", "coordinates": [[[{left}, {top}], [{right}, {top}], [{right}, {bottom}],
                [{left}, {bottom}], [{left}, {top}]]]}}}}"#
        )
    };
    let zones = format!(
        r#"{{"type": "FeatureCollection", "crs": {{"type": "name", "properties": {{"name": "urn:ogc:def:crs:EPSG::5070"}}}},
            "features": [{}, {}]}}"#,
        square("first", 103_000.0),
        square("second", 111_000.0)
    );
    std::fs::write(at("zones.geojson"), zones).unwrap();
    let source = |id: &str, section: &str, country: &str, priority: u8| {
        format!(
            "[[source]]\nid = \"{id}\"\nsection = \"{section}\"\ncountry = \"{country}\"\nlegend = \"nalcms\"\n\
                 priority = {priority}\n[source.epochs]\n2010 = \"{id}_2010.tif\"\n2015 = \"{id}_2015.tif\"\n\
                 2020 = {{ files = \"{id}_2020.tif\", date = \"2021\" }}\n"
        )
    };
    let text = format!(
        "name = \"small\"\noutput = \"out\"\nlanguage = [\"fr\", \"en\"]\nseams = true\ngaps = true\n\
             [grid]\ncrs = \"EPSG:5070\"\norigin = [100000.0, 2000000.0]\ncell_size_m = {}\nshape = [3000, 3000]\n\
             [change]\npairs = \"all\"\n\
             {}{}[[zones]]\nid = \"parks\"\npath = \"zones.geojson\"\nkey = \"id\"\nname = \"name\"\n\
             [[zones]]\nid = \"crossed\"\nby = [\"parks\", \"country\"]\n\
             [compute]\ntask_cells = 512\ncompression = \"{}\"\n",
        30 * scale,
        source("a", "north", "CA", 1),
        source("b", "south", "US", 2),
        // Raw blocks can be altered cell by cell; packed ones are read faster.
        if scale == 1 { "none" } else { "fast" }
    );
    std::fs::write(at("job.toml"), text).unwrap();
    let (code, said) = nalcms(&["run", at("job.toml").to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    folder
}

/// A copy of the output of a job, without its parts: nobody needs them.
fn copy_of(job: &TempDir) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    copy(&job.path().join("out"), &out);
    (folder, out)
}

fn finished() -> (TempDir, PathBuf) {
    copy_of(job())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == ".nalcms" => {}
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Makes checksums fit the files as they are now, so that only a deeper look finds what was altered.
fn reseal(out: &Path) {
    let sums = std::fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    let names = sums.lines().filter_map(|line| line.split_once("  ")).map(|(_, name)| name);
    let there = names.filter(|name| out.join(name).exists());
    let files: BTreeMap<&str, String> =
        there.map(|name| (name, sha256_file(&out.join(name)).unwrap())).collect();
    let sums: String = files.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect();
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(out.join("run.json")).unwrap()).unwrap();
    manifest["outputs"] = serde_json::to_value(&files).unwrap();
    std::fs::write(out.join("run.json"), manifest.to_string()).unwrap();
    std::fs::write(out.join("SHA256SUMS"), sums).unwrap();
}

/// Alters text in a file and makes the checksums fit.
fn alter(out: &Path, name: &str, edit: impl FnOnce(String) -> String) {
    let path = out.join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let altered = edit(text.clone());
    assert_ne!(text, altered, "{name}: nothing was altered");
    std::fs::write(path, altered).unwrap();
    reseal(out);
}

/// Where the bytes of a cell of a level stand in an uncompressed raster of `side` bytes a cell.
fn place_of_cell(path: &Path, level: usize, row: usize, col: usize, bytes: usize) -> usize {
    let mut decoder = Decoder::new(std::fs::File::open(path).unwrap()).unwrap();
    decoder.seek_to_image(level).unwrap();
    let offsets = decoder.get_tag_u64_vec(Tag::TileOffsets).unwrap();
    let across = COLS.div_ceil(1 << level).div_ceil(512);
    let tile = offsets[(row / 512) * across + col / 512] as usize;
    tile + ((row % 512) * 512 + col % 512) * bytes
}

/// Gives a cell of a map another class by `edit`, and makes the checksums fit.
fn alter_cell(out: &Path, name: &str, level: usize, (row, col): (usize, usize), edit: impl Fn(u16) -> u16) {
    let path = out.join(name);
    let width = if name.starts_with("change") { 2 } else { 1 };
    let at = place_of_cell(&path, level, row, col, width);
    let mut bytes = std::fs::read(&path).unwrap();
    let old = if width == 2 { u16::from_le_bytes([bytes[at], bytes[at + 1]]) } else { bytes[at].into() };
    let new = edit(old);
    assert_ne!(old, new);
    bytes[at..at + width].copy_from_slice(&new.to_le_bytes()[..width]);
    std::fs::write(path, bytes).unwrap();
    reseal(out);
}

fn table(out: &Path, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(out.join(name)).unwrap();
    let strings = |record: &csv::StringRecord| record.iter().map(String::from).collect::<Vec<_>>();
    let header = strings(reader.headers().unwrap());
    (header, reader.records().map(|record| strings(&record.unwrap())).collect())
}

fn write_table(out: &Path, name: &str, header: &[String], rows: &[Vec<String>]) {
    let mut writer = csv::Writer::from_path(out.join(name)).unwrap();
    writer.write_record(header).unwrap();
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    writer.flush().unwrap();
    let sidecar = out.join(name.replace(".csv", ".json"));
    let mut told: serde_json::Value = serde_json::from_slice(&std::fs::read(&sidecar).unwrap()).unwrap();
    told["rows"] = rows.len().into();
    std::fs::write(sidecar, told.to_string()).unwrap();
    reseal(out);
}

fn tables_of(out: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(out.join("tables")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| format!("tables/{}", entry.unwrap().file_name().to_str().unwrap())).collect();
    // The wide matrices of the other pairs are made and looked at in the same way.
    names.retain(|name| name.ends_with(".csv") && !name.contains("_2020_"));
    names.sort();
    names
}

#[test]
fn an_output_of_run_passes_and_tells_what_was_compared() {
    let (_folder, out) = finished();
    let said = assert_passes(&out);
    let cells = 6 * ROWS * COLS;
    assert!(said.contains(&format!("{cells} cells of 6 rasters counted, 3 pairs of maps")), "{said}");
    assert!(said.contains(&format!("{} overview cells compared", 6 * 300 * 350)), "{said}");
    assert!(said.contains("(all, country, crossed, parks, section)"), "{said}");
    let (code, json) = nalcms(&["verify", out.to_str().unwrap(), "--json", "--threads", "1"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["agrees"], &json["differences"]), (0, &true.into(), &0.into()));
}

#[test]
fn outputs_of_change_pass_with_and_without_rasters_names_and_crs() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    for (crs, word) in [(Some("EPSG:5070"), "5070"), (Some("EPSG:32618"), "32618"), (None, "none")] {
        for year in [2010, 2015] {
            write_map(Path::new(&at(&format!("{word}_{year}.tif"))), crs, 1, (0, COLS), |r, c| {
                class(year, r, c)
            });
        }
    }
    let zones = job().path().join("zones.geojson").to_str().unwrap().to_string();
    let cases: [(&str, &[&str]); 8] = [
        ("5070", &["--legend", "nalcms"]),
        ("5070", &["--legend", "nalcms", "--tables-only"]),
        ("5070", &["--legend", "nalcms", "--unchanged", "identity", "--zones", &zones, "--zone-key", "id"]),
        ("5070", &["--legend", "nalcms", "--unchanged", "class", "--language", "es"]),
        ("32618", &["--legend", "nalcms", "--unchanged", "nodata"]),
        ("5070", &["--legend", "raw", "--tables-only"]),
        ("32618", &["--legend", "raw", "--tables-only"]),
        ("none", &["--legend", "nalcms"]),
    ];
    for (number, (word, flags)) in cases.into_iter().enumerate() {
        let (from, to) = (at(&format!("{word}_2010.tif")), at(&format!("{word}_2015.tif")));
        let out = at(&format!("out{number}"));
        let fixed = ["change", &from, &to, "--years", "2010", "2015", "-o", &out];
        let (code, said) = nalcms(&[&fixed[..], flags].concat());
        assert_eq!(code, 0, "{flags:?}: {said}");
        assert_passes(Path::new(&out));
    }
}

#[test]
fn a_folder_without_checksums_is_no_finished_output() {
    let (folder, out) = finished();
    std::fs::remove_file(out.join("SHA256SUMS")).unwrap();
    for path in [out.as_path(), folder.path(), Path::new("/nonexistent")] {
        let (code, said) = verify(path);
        assert_eq!(code, 3, "{said}");
        assert!(said.contains("SHA256SUMS"), "{said}");
    }
}

#[test]
fn files_that_differ_lack_or_lie_there_unlisted_are_told() {
    let (_folder, out) = finished();
    let mut bytes = std::fs::read(out.join(MAP_2010)).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    std::fs::write(out.join(MAP_2010), bytes).unwrap();
    std::fs::remove_file(out.join("tables/excluded.json")).unwrap();
    std::fs::write(out.join("quicklook/extra.png"), "x").unwrap();
    std::fs::create_dir_all(out.join("tables/more")).unwrap();
    std::fs::write(out.join("tables/more/extra.csv"), "x").unwrap();
    assert_tells(&out, &[MAP_2010, "its SHA-256 is"]);
    assert_tells(&out, &["tables/excluded.json", "is missing"]);
    assert_tells(&out, &["quicklook/extra.png", "does not list it"]);
    assert_tells(&out, &["tables/more/extra.csv", "does not list it"]);
}

#[test]
fn the_list_and_run_json_must_agree() {
    let (_folder, out) = finished();
    let sums = std::fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    let outside = format!("{}  ../x\n{}", "0".repeat(64), sums);
    std::fs::write(out.join("SHA256SUMS"), outside).unwrap();
    assert_tells(&out, &["SHA256SUMS", "../x"]);
    std::fs::write(
        out.join("SHA256SUMS"),
        sums.lines().skip(1).map(|l| format!("{l}\n")).collect::<String>(),
    )
    .unwrap();
    assert_tells(&out, &["run.json", "SHA256SUMS does not list"]);
    std::fs::write(out.join("SHA256SUMS"), sums).unwrap();
    for (edit, words) in [("\"complete\":false", "incomplete"), ("\"complete\":7", "cannot be understood")] {
        let manifest = std::fs::read_to_string(out.join("run.json")).unwrap();
        let value: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        std::fs::write(out.join("run.json"), value.to_string().replace("\"complete\":true", edit)).unwrap();
        assert_tells(&out, &["run.json", words]);
        std::fs::write(out.join("run.json"), manifest).unwrap();
    }
    assert_passes(&out);
    std::fs::remove_file(out.join("run.json")).unwrap();
    assert_tells(&out, &["run.json", "is missing"]);
}

#[test]
fn cells_by_rule_that_are_not_the_areas_are_told() {
    let (_folder, out) = finished();
    let text = std::fs::read_to_string(out.join("run.json")).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rule =
        manifest["rules"].as_array_mut().unwrap().iter_mut().find(|rule| !rule["to"].is_null()).unwrap();
    rule["pixels"] = (rule["pixels"].as_u64().unwrap() + 1).into();
    std::fs::write(out.join("run.json"), manifest.to_string()).unwrap();
    assert_tells(&out, &["run.json", "cells by rule are not those of tables/class_area.csv"]);
}

#[test]
fn a_broken_layout_is_told() {
    let (_folder, out) = finished();
    let path = out.join(CHANGE);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&bytes[..], b"more"].concat()).unwrap();
    reseal(&out);
    assert_tells(&out, &[CHANGE, "the last block ends at byte"]);
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    reseal(&out);
    assert_tells(&out, &[CHANGE, "block"]);
}

#[test]
fn one_cell_of_a_map_is_told_by_counts_change_raster_and_tables() {
    let (_folder, out) = finished();
    alter_cell(&out, MAP_2015, 0, (450, 333), |_| 19);
    assert_tells(&out, &[MAP_2015, "cells of class 19", "class_area.csv"]);
    assert_tells(&out, &[CHANGE, "row 450, column 333"]);
    assert_tells(&out, &["tables/change_matrix.csv", "against the maps"]);
    assert_tells(&out, &[&format!("{MAP_2015}.aux.xml"), "count of value 19: 0; expected 1"]);
    let (_folder, out) = finished();
    let (row, col) = (320, 80);
    assert_ne!(class(2010, row, col), 0);
    alter_cell(&out, MAP_2010, 0, (row, col), |_| 0);
    assert_tells(&out, &["tables/excluded.csv", "against the maps"]);
}

#[test]
fn one_cell_of_a_change_raster_is_told() {
    let (_folder, out) = finished();
    alter_cell(&out, CHANGE, 0, (599, 10), |code| if code == 1513 { 1512 } else { 1513 });
    assert_tells(&out, &[CHANGE, "row 599, column 10 is 1513"]);
    assert_tells(&out, &[CHANGE, "change code 1513", "change_matrix.csv"]);
}

#[test]
fn overview_cells_that_break_a_rule_are_told_with_the_rule() {
    let (_folder, out) = finished();
    // Rows 100 to 300 are a checkerboard: where nothing is missing, two cells stand against two.
    let full = |row: usize, col: usize| (0..4).all(|i| class(2015, 2 * row + i / 2, 2 * col + i % 2) != 0);
    let tied = (60..140).map(|row| (row, 100)).find(|(row, col)| full(*row, *col)).unwrap();
    alter_cell(&out, MAP_2015, 1, tied, |class| 3 - class);
    assert_tells(&out, &[MAP_2015, "by the rule for ties among [1, 2]"]);

    let (_folder, out) = finished();
    alter_cell(&out, MAP_2015, 1, tied, |_| 7);
    assert_tells(&out, &[MAP_2015, "overview level 1", "column 100 is 7"]);

    let (_folder, out) = finished();
    alter_cell(&out, MAP_2015, 1, (2, 2), |_| 7);
    assert_tells(&out, &[MAP_2015, "overview level 1, row 2, column 2 is 7; expected nodata"]);

    let (_folder, out) = finished();
    alter_cell(&out, CHANGE, 1, (250, 250), |_| 1919);
    assert_tells(&out, &[CHANGE, "overview level 1, row 250, column 250 is 1919"]);
}

#[test]
fn another_tie_rule_or_lattice_than_run_json_says_is_told() {
    for (from, to) in
        [("\"tie\":\"hash\"", "\"tie\":\"lowest\""), ("\"lattice_offset\":[50,", "\"lattice_offset\":[51,")]
    {
        let (_folder, out) = finished();
        reseal(&out);
        let manifest = std::fs::read_to_string(out.join("run.json")).unwrap();
        assert!(manifest.contains(from), "{manifest}");
        std::fs::write(out.join("run.json"), manifest.replace(from, to)).unwrap();
        assert_tells(&out, &[MAP_2010, "by the rule for ties"]);
    }
}

#[test]
fn any_number_that_is_altered_in_a_table_is_told_with_the_table() {
    let (_folder, out) = copy_of(small_job());
    for name in tables_of(&out) {
        let (header, rows) = table(&out, &name);
        assert!(!rows.is_empty(), "{name}");
        for (column, title) in header.iter().enumerate() {
            // Names and dates are no numbers; that the makers let maps be compared nobody can work out.
            let numeric = |row: &&Vec<String>| row[column].parse::<f64>().is_ok();
            let picks =
                [rows.iter().position(|row| numeric(&row)), rows.iter().rposition(|row| numeric(&row))];
            for pick in picks.into_iter().flatten().filter(|_| title != "zone_name") {
                let mut altered = rows.clone();
                let cell = &mut altered[pick][column];
                *cell = match cell.parse::<i64>() {
                    Ok(n) => (n + 1).to_string(),
                    Err(_) => (cell.parse::<f64>().unwrap() * (1.0 + 1e-12)).to_string(),
                };
                write_table(&out, &name, &header, &altered);
                assert_finds(&out, &[&name]);
            }
        }
        write_table(&out, &name, &header, &rows);
    }
    assert_passes(&out);
}

#[test]
fn any_row_that_is_deleted_or_doubled_is_told_with_the_table() {
    let (_folder, out) = copy_of(small_job());
    for name in tables_of(&out) {
        let (header, rows) = table(&out, &name);
        // A row less of overlaps is a disagreement that nobody counted: only its doubling contradicts the rest.
        let overlaps = name.contains("overlap");
        for at in [0, rows.len() / 2, rows.len() - 1] {
            let mut fewer = rows.clone();
            fewer.remove(at);
            let mut more = rows.clone();
            more.insert(at, rows[at].clone());
            for altered in [fewer, more].into_iter().skip(usize::from(overlaps)) {
                write_table(&out, &name, &header, &altered);
                assert_finds(&out, &[&name]);
            }
        }
        write_table(&out, &name, &header, &rows);
    }
    assert_passes(&out);
}

#[test]
fn a_layer_of_zones_that_is_left_out_of_a_table_is_told() {
    for name in ["tables/class_area.csv", "tables/change_matrix.csv", "tables/excluded.csv"] {
        for layer in ["parks", "crossed", "section", "country"] {
            let (_folder, out) = copy_of(small_job());
            let (header, mut rows) = table(&out, name);
            rows.retain(|row| row[0] != layer);
            write_table(&out, name, &header, &rows);
            assert_finds(&out, &[name, &format!("all zones of layer {layer} together")]);
        }
    }
}

#[test]
fn words_that_are_altered_in_a_table_are_told() {
    let cases = [
        ("tables/class_area.csv", "parks", "x"),
        ("tables/class_area.csv", "Terre cultivée", "Terre"),
        ("tables/change_matrix.csv", ",2021,", ",2020,"),
        ("tables/change_matrix.csv", ",unknown", ",perhaps"),
        ("tables/excluded.csv", ",from,nodata_to,", ",to,nodata_to,"),
        ("tables/excluded.csv", "parks,first", "parks,third"),
        ("tables/net_change.csv", "persistence", "persistance"),
        ("tables/net_change.csv", "section,mixed", "section,nixed"),
        ("tables/overlap_disagreement.csv", ",b,a,", ",c,a,"),
        ("tables/classes.csv", "Terre cultivée", "Terre"),
    ];
    for (name, from, to) in cases {
        let (_folder, out) = copy_of(small_job());
        alter(&out, name, |text| text.replacen(from, to, 1));
        assert_finds(&out, &["tables/"]);
    }
}

#[test]
fn sidecars_of_tables_are_compared() {
    let (_folder, out) = copy_of(small_job());
    std::fs::remove_file(out.join("tables/class_area.json")).unwrap();
    reseal(&out);
    assert_finds(&out, &["tables/class_area.json", "is missing"]);
    let (_folder, out) = copy_of(small_job());
    std::fs::remove_file(out.join("tables/class_area.csv")).unwrap();
    reseal(&out);
    assert_finds(&out, &["tables/class_area.csv", "is missing"]);
    for (from, to, word) in [
        ("\"rows\": ", "\"rows\": 1", "rows; the table has"),
        ("\"pixels\"", "\"cells\"", "the table has"),
        ("class_area.csv", "area.csv", "tells of `area.csv`"),
        ("{", "", "cannot be understood"),
    ] {
        let (_folder, out) = copy_of(small_job());
        alter(&out, "tables/class_area.json", |text| text.replacen(from, to, 1));
        assert_finds(&out, &["tables/class_area.json", word]);
    }
}

#[test]
fn attribute_tables_are_compared() {
    for name in [MAP_2010, CHANGE] {
        let file = format!("{name}.aux.xml");
        for column in 0..2 {
            let (_folder, out) = finished();
            alter(&out, &file, |xml| {
                let row = xml.find("<Row index=\"2\">").unwrap();
                let cell = row + xml[row..].match_indices("<F>").nth(column).unwrap().0 + 3;
                let end = cell + xml[cell..].find('<').unwrap();
                let number: u64 = xml[cell..end].parse().unwrap();
                format!("{}{}{}", &xml[..cell], number + 1, &xml[end..])
            });
            assert_tells(&out, &[&file, "expected"]);
        }
        let (_folder, out) = finished();
        alter(&out, &file, |xml| {
            let (start, end) = (xml.find("<Row index=\"0\">").unwrap(), xml.find("</Row>").unwrap());
            format!("{}{}", &xml[..start], &xml[end + 6..])
        });
        assert_tells(&out, &[&file]);
        std::fs::remove_file(out.join(&file)).unwrap();
        reseal(&out);
        assert_tells(&out, &[&file, "is missing"]);
    }
}

#[test]
fn a_raster_that_is_left_out_is_told() {
    for name in [MAP_2010, CHANGE] {
        let (_folder, out) = finished();
        std::fs::remove_file(out.join(name)).unwrap();
        reseal(&out);
        assert_tells(&out, &["there is no sound", "2010"]);
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let (_folder, out) = copy_of(small_job());
    let sums = std::fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    let mut names: Vec<&str> =
        sums.lines().filter_map(|line| line.split_once("  ")).map(|(_, n)| n).collect();
    names.extend(["SHA256SUMS", "run.json"]);
    names.retain(|name| !name.contains("2020"));
    for name in names {
        let whole = std::fs::read(out.join(name)).unwrap();
        let half = whole[..whole.len() / 2].to_vec();
        let noise: Vec<u8> = (0..whole.len().min(5_000)).map(|i| (i * i * 31 + i * 7) as u8).collect();
        let big: Vec<u8> = whole
            .iter()
            .flat_map(|byte| if *byte == b'1' { b"99999999999999999999".to_vec() } else { vec![*byte] })
            .collect();
        let headless = [&noise[..64.min(noise.len())], &whole[64.min(whole.len())..]].concat();
        for bytes in [half, noise, big, headless, Vec::new()].into_iter().filter(|bytes| *bytes != whole) {
            std::fs::write(out.join(name), bytes).unwrap();
            assert_finds(&out, &[name]);
        }
        std::fs::write(out.join(name), whole).unwrap();
    }
    assert_passes(&out);
}
