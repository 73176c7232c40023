//! The verbs that look things up: legend, crosswalk, info. Each is run as users run it.
use std::path::Path;
use std::process::Command;

use gdal::DriverManager;
use gdal::raster::{Buffer, GdalType, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;
use serde_json::Value;
use tempfile::TempDir;

/// What a command printed, and its exit code.
struct Outcome {
    stdout: String,
    stderr: String,
    code: i32,
}

impl Outcome {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The answer of a command that succeeded.
    #[track_caller]
    fn fine(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// Runs `nalcms` in a folder.
fn nalcms_in(folder: &Path, arguments: &[&str]) -> Outcome {
    let output =
        Command::new(env!("CARGO_BIN_EXE_nalcms")).current_dir(folder).args(arguments).output().unwrap();
    Outcome {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

fn nalcms(arguments: &[&str]) -> Outcome {
    nalcms_in(Path::new("."), arguments)
}

fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Whether some line holds all of these words, in order.
#[track_caller]
fn assert_line(text: &str, words: &[&str]) {
    let holds = |line: &str| {
        let mut rest = line;
        words.iter().all(|word| match rest.split_once(word) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    };
    assert!(text.lines().any(holds), "no line with {words:?} in\n{text}");
}

// --- legend ---

#[test]
fn legend_list_names_every_shipped_legend_and_raw() {
    let text = nalcms(&["legend", "list"]).fine().stdout;
    assert_line(&text, &["id", "classes", "published", "proposed", "nodata", "title"]);
    assert_line(&text, &["nalcms", "19", "19", "0", "0 127 128 -128 65535", "NALCMS land cover, Level II"]);
    assert_line(&text, &["raw", "0", "codes as they are"]);
    let json = nalcms(&["legend", "list", "--json"]).fine().json();
    let legends = json["legends"].as_array().unwrap();
    assert_eq!(legends.len(), 14);
    let nlcd = legends.iter().find(|legend| legend["id"] == "nlcd").unwrap();
    assert_eq!((&nlcd["classes"], &nlcd["published"]), (&20.into(), &20.into()));
    assert_eq!(nlcd["nodata"], serde_json::json!([0, 127, 250]));
}

#[test]
fn legend_show_speaks_the_language_asked_for_and_tells_nodata_and_rollups() {
    let text = nalcms(&["legend", "show", "nalcms", "--language", "es"]).fine().stdout;
    assert_line(&text, &["17", "Asentamiento humano", "dc2126", "published"]);
    assert_line(&text, &["-128", "outside", "published"]);
    assert_line(&text, &["shrubland", "7, 8, 11", "published, proposed members 11"]);
    // MAD-Mex has Spanish names only: they are shown, and the gap is told.
    let text = nalcms(&["legend", "show", "madmex"]).fine().stdout;
    assert_line(&text, &["98", "no-observation"]);
    assert_line(&text, &["Bosque de ayarin; cedro", "published, no name in en"]);
    let json = nalcms(&["legend", "show", "nalcms", "--json"]).fine().json();
    assert_eq!(json["class"].as_array().unwrap().len(), 19);
    assert_eq!(json["class"][17]["name"]["fr"], "Eau");
}

#[test]
fn a_mistyped_legend_or_subcommand_is_met_with_a_suggestion() {
    let outcome = nalcms(&["legend", "show", "nlcdd"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("did you mean `nlcd`?"), "{}", outcome.stderr);
    let outcome = nalcms(&["legend", "shwo"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("'show'"), "{}", outcome.stderr);
}

#[test]
fn legend_check_tells_remarks_of_a_sound_legend() {
    let text = nalcms(&["legend", "check", "nalcms"]).fine().stdout;
    assert_line(&text, &["nalcms: sound; 19 classes, 19 published, 0 proposed"]);
    assert_line(&text, &["remark: roll-up change-groups, group shrubland: membership is proposed: 11"]);
    let json = nalcms(&["legend", "check", "madmex", "--json"]).fine().json();
    assert_eq!(json["sound"], true);
    let remarks = json["remarks"].as_array().unwrap();
    let missing: Vec<&str> = remarks.iter().filter_map(|r| r["language"].as_str()).collect();
    assert_eq!(missing, ["en", "fr"]);
}

const OWN_LEGEND: &str = r#"
id = "own"
title = "three classes"
source = "this test"
fill = 0
[[class]]
code = 1
name = { en = "Wood" }
colour = "00ff00"
status = "published"
source = "this test"
[[class]]
code = 2
name = { en = "Field, wet", es = "Campo" }
status = "proposed"
source = "this test"
[[class]]
code = 3
name = { en = "Town" }
status = "proposed"
source = "this test"
"#;

#[test]
fn legend_check_remarks_on_missing_names_colours_and_proposed_rows_of_a_file() {
    let folder = scratch();
    std::fs::write(folder.path().join("own.toml"), OWN_LEGEND).unwrap();
    let text = nalcms_in(folder.path(), &["legend", "check", "own.toml"]).fine().stdout;
    assert_eq!(
        text,
        "own: sound; 3 classes, 1 published, 2 proposed\n\
         remark: no name in es: 1, 3\n\
         remark: no name in fr: 1 to 3\n\
         remark: proposed, not published: 2, 3\n\
         remark: no colour: 2, 3\n"
    );
}

#[test]
fn every_contradiction_of_a_broken_legend_is_told_at_once() {
    let folder = scratch();
    let broken = OWN_LEGEND
        .replace("code = 3", "code = 2")
        .replace("name = { en = \"Wood\" }", "name = {}")
        .replace("fill = 0", "fill = 300");
    std::fs::write(folder.path().join("broken.toml"), broken).unwrap();
    let outcome = nalcms_in(folder.path(), &["legend", "check", "./broken.toml"]);
    assert_eq!(outcome.code, 2);
    for violation in ["code 2 stands twice", "code 1 has no name", "fill 300 is a class, or not in 0..=255"] {
        assert!(outcome.stderr.contains(violation), "{violation} is not in {}", outcome.stderr);
    }
    let json = nalcms_in(folder.path(), &["legend", "check", "broken.toml", "--json"]).json();
    assert_eq!(json["found"].as_array().unwrap().len(), 3);
}

#[test]
fn an_exported_legend_reads_back_as_the_same_legend() {
    let folder = scratch();
    let exported = nalcms_in(folder.path(), &["legend", "export", "nlcd", "-o", "mine.toml"]).fine();
    assert_eq!(exported.stdout, "mine.toml\n");
    let show = |id: &str| nalcms_in(folder.path(), &["legend", "show", id, "--json"]).fine().stdout;
    assert_eq!(show("mine.toml"), show("nlcd"));
    // To stdout it is the same text.
    let text = nalcms(&["legend", "export", "nlcd"]).fine().stdout;
    assert_eq!(text, std::fs::read_to_string(folder.path().join("mine.toml")).unwrap());
}

#[test]
fn legend_export_replaces_a_file_only_on_request() {
    let folder = scratch();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, "precious").unwrap();
    let outcome = nalcms_in(folder.path(), &["legend", "export", "nlcd", "-o", "mine.toml"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("--overwrite"), "{}", outcome.stderr);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    nalcms_in(folder.path(), &["legend", "export", "nlcd", "-o", "mine.toml", "--overwrite"]).fine();
    assert!(std::fs::read_to_string(&path).unwrap().contains("id = \"nlcd\""));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn legend_export_as_csv_has_a_row_per_class() {
    let folder = scratch();
    std::fs::write(folder.path().join("own.toml"), OWN_LEGEND).unwrap();
    let expected = "code,key,en,es,fr,colour,status,source\n\
                    1,,Wood,,,00ff00,published,this test\n\
                    2,,\"Field, wet\",Campo,,,proposed,this test\n\
                    3,,Town,,,,proposed,this test\n";
    let text = nalcms_in(folder.path(), &["legend", "export", "own.toml", "--format", "csv"]).fine().stdout;
    assert_eq!(text, expected);
    nalcms_in(folder.path(), &["legend", "export", "own.toml", "-o", "own.csv"]).fine();
    assert_eq!(std::fs::read_to_string(folder.path().join("own.csv")).unwrap(), expected);
    let outcome = nalcms(&["legend", "export", "raw"]);
    assert_eq!(outcome.code, 2);
}

// --- crosswalk ---

#[test]
fn crosswalk_list_tells_rows_status_and_strata() {
    let text = nalcms(&["crosswalk", "list"]).fine().stdout;
    assert_line(&text, &["nlcd-nalcms", "nlcd", "nalcms", "20", "0", "20", "4", "climate"]);
    let json = nalcms(&["crosswalk", "list", "--json"]).fine().json();
    assert_eq!(json["crosswalks"].as_array().unwrap().len(), 12);
}

#[test]
fn crosswalk_show_tells_every_way_of_a_conditional_row() {
    let text = nalcms(&["crosswalk", "show", "nlcd-nalcms"]).fine().stdout;
    assert_line(&text, &["11", "Open Water", "18", "Water", "proposed"]);
    assert_line(
        &text,
        &["42", "Evergreen Forest", "climate polar", "2", "Sub-polar taiga needleleaf forest"],
    );
    assert_line(&text, &["climate tropical", "3"]);
    assert_line(&text, &["no climate: default", "1", "Temperate or sub-polar needleleaf forest"]);
    let json = nalcms(&["crosswalk", "show", "nlcd-nalcms", "--json"]).fine().json();
    let row = json["rows"].as_array().unwrap().iter().find(|row| row["from"] == 42).unwrap();
    assert_eq!(row["to"], serde_json::json!({"polar": 2, "temperate": 1, "tropical": 3}));
    assert_eq!((&row["default"], &row["stratum"]), (&1.into(), &"climate".into()));
    assert_eq!(row["targets"].as_array().unwrap().len(), 3);
}

#[test]
fn crosswalk_show_toml_is_the_file_itself() {
    let folder = scratch();
    let text = nalcms(&["crosswalk", "show", "nlcd-nalcms", "--toml"]).fine().stdout;
    std::fs::write(folder.path().join("mine.toml"), &text).unwrap();
    let again = nalcms_in(folder.path(), &["crosswalk", "show", "./mine.toml", "--toml"]).fine().stdout;
    assert_eq!(text, again);
    let text = nalcms_in(folder.path(), &["crosswalk", "check", "mine.toml"]).fine().stdout;
    assert_line(&text, &["nlcd-nalcms: total: every class of nlcd has a row; no row is wrong"]);
}

#[test]
fn every_shipped_crosswalk_checks_without_a_finding() {
    let json = nalcms(&["crosswalk", "list", "--json"]).fine().json();
    for crosswalk in json["crosswalks"].as_array().unwrap() {
        let json = nalcms(&["crosswalk", "check", crosswalk["id"].as_str().unwrap(), "--json"]).fine().json();
        assert_eq!((&json["total"], &json["sound"]), (&true.into(), &true.into()));
    }
}

const PARTIAL: &str = r#"
id = "own-nalcms"
from = "own"
to = "nalcms"
source = "this test"
[[row]]
from = 1
to = 5
status = "published"
source = "this test"
[[row]]
from = 1
to = 99
status = "proposed"
source = "this test"
[[row]]
from = 3
stratum = "coast"
to = { near = 17, far = 16 }
status = "proposed"
source = "this test"
"#;

#[test]
fn orphans_double_parents_and_unknown_targets_are_findings() {
    let folder = scratch();
    std::fs::write(folder.path().join("own.toml"), OWN_LEGEND).unwrap();
    std::fs::write(folder.path().join("partial.toml"), PARTIAL).unwrap();
    let check = ["crosswalk", "check", "partial.toml", "--legend", "own.toml"];
    let outcome = nalcms_in(folder.path(), &check);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    let text = &outcome.stdout;
    assert_line(text, &["own-nalcms: not total: 1 of 3 classes of own have no row; 2 violations"]);
    assert_line(text, &["violation: code 1 has two parents"]);
    assert_line(text, &["violation: code 1: target 99 is no class of nalcms"]);
    assert!(text.contains("orphans, classes of own without a row:\n  2 Field, wet\n"), "{text}");
    assert_line(text, &["  18 Water"]);
    assert_line(text, &["depend on the stratum coast (far, near): 3"]);
    assert_line(text, &["2 of 3 rows are proposed, not published (67 %)"]);
    assert_line(text, &["remark: conditional rows without a default", "3"]);
    let outcome = nalcms_in(folder.path(), &[&check[..], &["--json"]].concat());
    assert_eq!(outcome.code, 1);
    let json = outcome.json();
    assert_eq!(json["orphans"], serde_json::json!([{"code": 2, "name": "Field, wet"}]));
    assert_eq!(json["violations"].as_array().unwrap().len(), 2);
    assert_eq!(json["conditional"][0]["rows"], serde_json::json!([3]));
    assert_eq!(json["unreached"].as_array().unwrap().len(), 16);
}

#[test]
fn a_crosswalk_whose_legend_is_nowhere_is_refused_with_the_flag_that_helps() {
    let folder = scratch();
    std::fs::write(folder.path().join("partial.toml"), PARTIAL).unwrap();
    let outcome = nalcms_in(folder.path(), &["crosswalk", "check", "partial.toml"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("there is no legend `own`"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--legend FILE"), "{}", outcome.stderr);
    // The wrong legend is a finding, not a silent pass.
    let outcome = nalcms_in(folder.path(), &["crosswalk", "check", "partial.toml", "--legend", "nlcd"]);
    assert_eq!(outcome.code, 1);
    assert_line(&outcome.stdout, &["violation: its from is `own`, but the legend is `nlcd`"]);
}

// --- info ---

/// A raster to be: where its cells lie and what else its header says.
#[derive(Clone, Copy)]
struct Recipe<'a> {
    options: &'a [&'a str],
    crs: Option<&'a str>,
    transform: [f64; 6],
    nodata: Option<f64>,
    size: (usize, usize),
    bands: usize,
}

/// The CRS of the 30 m grid, as GDAL writes it for files of the CEC.
const LAEA_WGS84: &str = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m";

/// The CRS of the 250 m grid under other names, as files from ArcInfo have it.
const ARC_SPHERE: &str = r#"PROJCS["Sphere_ARC_INFO_Lambert_Azimuthal_Equal_Area",GEOGCS["GCS_Sphere_ARC_INFO",
    DATUM["D_Sphere_ARC_INFO",SPHEROID["Sphere_ARC_INFO",6370997,0]],PRIMEM["Greenwich",0],
    UNIT["Degree",0.0174532925199433]],PROJECTION["Lambert_Azimuthal_Equal_Area"],PARAMETER["False_Easting",0],
    PARAMETER["False_Northing",0],PARAMETER["Central_Meridian",-100],PARAMETER["Latitude_Of_Origin",45],
    UNIT["Meter",1]]"#;

impl Recipe<'_> {
    /// Cells of 30 m, 10 rows below and 20 columns right of the grid's origin.
    fn on_30m(rows: usize, cols: usize) -> Self {
        Self {
            options: &[],
            crs: Some(LAEA_WGS84),
            transform: [-4_410_000.0 + 600.0, 30.0, 0.0, 4_310_000.0 - 300.0, 0.0, -30.0],
            nodata: None,
            size: (cols, rows),
            bands: 1,
        }
    }

    /// Writes it; `cells` row by row, none at all for a sparse file.
    fn write<T: GdalType + Copy>(&self, path: &Path, cells: &[T]) {
        let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
        let mut options = RasterCreationOptions::new();
        for option in self.options {
            options.add_string(option).unwrap();
        }
        let (cols, rows) = self.size;
        let mut dataset = driver
            .create_with_band_type_with_options::<T, _>(path, cols, rows, self.bands, &options)
            .unwrap();
        if let Some(crs) = self.crs {
            dataset.set_spatial_ref(&SpatialRef::from_definition(crs).unwrap()).unwrap();
        }
        dataset.set_geo_transform(&self.transform).unwrap();
        for number in 1..=self.bands {
            let mut band = dataset.rasterband(number).unwrap();
            band.set_no_data_value(self.nodata).unwrap();
            if !cells.is_empty() {
                band.write((0, 0), self.size, &mut Buffer::new(self.size, cells.to_vec())).unwrap();
            }
        }
        dataset.close().unwrap();
    }
}

/// Value (none for NaN), pixels and mark of each count.
fn counted(raster: &Value) -> Vec<(Option<i64>, u64, String)> {
    let counts = raster["counts"].as_array().unwrap();
    let count = |c: &Value| {
        (c["value"].as_i64(), c["pixels"].as_u64().unwrap(), c["mark"].as_str().unwrap().to_string())
    };
    counts.iter().map(count).collect()
}

#[test]
fn a_signed_byte_tagged_128_is_understood_counted_and_warned_of() {
    let folder = scratch();
    // 128 as an unsigned byte is -128 as a signed one.
    let cells: [u8; 12] = [1, 1, 1, 1, 17, 17, 17, 128, 128, 99, 0, 18];
    let recipe = Recipe { options: &["PIXELTYPE=SIGNEDBYTE"], nodata: Some(128.0), ..Recipe::on_30m(3, 4) };
    recipe.write(&folder.path().join("map.tif"), &cells);
    let arguments = ["info", "map.tif", "--legend", "nalcms", "--counts"];
    let text = nalcms_in(folder.path(), &arguments).fine().stdout;
    assert_line(&text, &["format", "GTiff, int8, band 1 of 1"]);
    assert_line(&text, &["size", "3 rows x 4 columns"]);
    assert_line(&text, &["CRS", "(ellipsoid WGS 84); equal-area"]);
    assert_line(&text, &["cells", "30 x 30 m"]);
    assert_line(&text, &["bounds", "x -4409400 to -4409280, y 4309610 to 4309700"]);
    assert_line(&text, &["declared: tag 128"]);
    assert_line(
        &text,
        &["understood: 0 127 128 -128 65535 by the legend; tag 128 is impossible; taken as -128"],
    );
    assert_line(&text, &["warning", "the nodata tag 128 is impossible in int8"]);
    assert_line(&text, &["grid", "on the lattice of nalcms-30m at row 10, column 20"]);
    assert_line(&text, &["12: 8 of a class, 3 nodata, 1 not in the legend nalcms"]);
    assert_line(&text, &["-128", "2", "16.6667", "nodata: outside"]);
    assert_line(&text, &["99", "1", "8.3333", "not in the legend"]);
    let json = nalcms_in(folder.path(), &[&arguments[..], &["--json"]].concat()).fine().json();
    let raster = &json["rasters"][0];
    let expected = [
        (-128, 2, "nodata"),
        (0, 1, "nodata"),
        (1, 4, "class"),
        (17, 3, "class"),
        (18, 1, "class"),
        (99, 1, "not in the legend"),
    ];
    assert_eq!(counted(raster), expected.map(|(value, n, mark)| (Some(value), n, mark.to_string())));
    assert_eq!(raster["counts"][3]["name"], "Urban and built-up");
    assert_eq!(
        raster["totals"],
        serde_json::json!({"cells": 12, "class": 8, "nodata": 3, "not_in_legend": 1})
    );
    assert_eq!(raster["nodata"]["declared"], 128.0);
    assert_eq!(raster["grids"][0]["row"], 10);
}

#[test]
fn nan_in_a_float_raster_is_nodata_and_the_codes_are_counted() {
    let folder = scratch();
    let cells: [f32; 6] = [f32::NAN, 1.0, 1.0, 300.0, -70_000.0, f32::NAN];
    let recipe = Recipe { nodata: Some(f64::NAN), ..Recipe::on_30m(2, 3) };
    recipe.write(&folder.path().join("map.tif"), &cells);
    let text = nalcms_in(folder.path(), &["info", "map.tif", "--counts"]).fine().stdout;
    assert_line(&text, &["float32"]);
    assert_line(&text, &["declared: tag NaN"]);
    assert_line(&text, &["NaN", "2", "33.3333", "nodata: outside"]);
    let json = nalcms_in(folder.path(), &["info", "map.tif", "--counts", "--json"]).fine().json();
    let raster = &json["rasters"][0];
    let expected =
        [(None, 2, "nodata"), (Some(-70_000), 1, "class"), (Some(1), 2, "class"), (Some(300), 1, "class")];
    assert_eq!(counted(raster), expected.map(|(value, n, mark)| (value, n, mark.to_string())));
    assert_eq!(raster["nodata"]["declared"], "NaN");
}

#[test]
fn a_continuous_raster_is_refused_with_the_place_of_the_first_fraction() {
    let folder = scratch();
    Recipe::on_30m(2, 2).write(&folder.path().join("ndvi.tif"), &[1.0f32, 2.0, 0.25, 3.0]);
    nalcms_in(folder.path(), &["info", "ndvi.tif"]).fine();
    let outcome = nalcms_in(folder.path(), &["info", "ndvi.tif", "--counts"]);
    assert_eq!(outcome.code, 3);
    assert!(outcome.stderr.contains("0.25 at row 1, column 0"), "{}", outcome.stderr);
}

#[test]
fn several_bands_need_a_choice() {
    let folder = scratch();
    let recipe = Recipe { bands: 2, ..Recipe::on_30m(1, 2) };
    recipe.write(&folder.path().join("stack.tif"), &[4u8, 5]);
    let outcome = nalcms_in(folder.path(), &["info", "stack.tif"]);
    assert_eq!(outcome.code, 3);
    assert!(outcome.stderr.contains("--band N"), "{}", outcome.stderr);
    let text = nalcms_in(folder.path(), &["info", "stack.tif", "--band", "2", "--counts"]).fine().stdout;
    assert_line(&text, &["band 2 of 2"]);
    assert_line(&text, &["4", "1", "50.0000"]);
}

#[test]
fn every_raster_that_is_refused_is_named() {
    let folder = scratch();
    Recipe::on_30m(1, 1).write(&folder.path().join("good.tif"), &[1u8]);
    std::fs::write(folder.path().join("bad.tif"), "no raster").unwrap();
    let outcome = nalcms_in(folder.path(), &["info", "good.tif", "bad.tif", "none.tif"]);
    assert_eq!(outcome.code, 3);
    for name in ["2 rasters are refused", "bad.tif", "none.tif"] {
        assert!(outcome.stderr.contains(name), "{}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("good.tif"), "{}", outcome.stderr);
}

#[test]
fn several_rasters_are_told_one_after_the_other() {
    let folder = scratch();
    for name in ["a.tif", "b.tif"] {
        Recipe::on_30m(1, 1).write(&folder.path().join(name), &[1u8]);
    }
    let json = nalcms_in(folder.path(), &["info", "b.tif", "a.tif", "--json"]).fine().json();
    let paths: Vec<&str> =
        json["rasters"].as_array().unwrap().iter().map(|r| r["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["b.tif", "a.tif"]);
    assert!(json["rasters"][0]["counts"].is_null());
}

#[test]
fn a_fraction_of_a_cell_and_another_cell_size_are_told() {
    let folder = scratch();
    let mut shifted = Recipe::on_30m(2, 2);
    shifted.transform[0] += 7.5;
    shifted.write(&folder.path().join("shifted.tif"), &[1u8; 4]);
    let mut wider = Recipe::on_30m(2, 2);
    wider.transform[1] = 60.0;
    wider.write(&folder.path().join("wider.tif"), &[1u8; 4]);
    let text = nalcms_in(folder.path(), &["info", "shifted.tif", "wider.tif"]).fine().stdout;
    assert_line(&text, &["in the CRS of nalcms-30m", "shifted by 0.0000 rows and 0.2500 columns"]);
    assert_line(&text, &["in the CRS of nalcms-30m", "cells are 60 x 30 instead of 30 x 30"]);
}

#[test]
fn the_sphere_is_told_from_the_ellipsoid_on_the_cells_of_the_250_m_grid() {
    let folder = scratch();
    let shipped = nalcms::config::shipped::grid("nalcms-250m", Path::new("")).unwrap().crs;
    let whole = Recipe {
        options: &["SPARSE_OK=TRUE", "TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "COMPRESS=DEFLATE"],
        crs: Some(&shipped),
        transform: [-4_418_000.0, 250.0, 0.0, 4_876_500.0, 0.0, -250.0],
        nodata: None,
        size: (37_000, 35_000),
        bands: 1,
    };
    whole.write::<u8>(&folder.path().join("sphere.tif"), &[]);
    let text = nalcms_in(folder.path(), &["info", "sphere.tif"]).fine().stdout;
    assert_line(&text, &["CRS", "(sphere, R = 6370997 m); equal-area"]);
    assert_line(&text, &["layout", "blocks of 512 x 512, DEFLATE, not cloud-optimised"]);
    assert_line(&text, &["grid", "on the lattice of nalcms-250m at row 0, column 0"]);
    assert!(!text.contains("warning"), "{text}");
    let ellipsoid = Recipe { crs: Some(LAEA_WGS84), ..whole };
    ellipsoid.write::<u8>(&folder.path().join("ellipsoid.tif"), &[]);
    let text = nalcms_in(folder.path(), &["info", "ellipsoid.tif"]).fine().stdout;
    assert_line(
        &text,
        &["warning", "its cells are those of nalcms-250m, but its CRS is not", "ellipsoid WGS 84"],
    );
    // A cut-out in the projection that EPSG calls by the same name.
    let atlas = Recipe { crs: Some("EPSG:9311"), size: (2, 1), ..whole };
    atlas.write(&folder.path().join("atlas.tif"), &[1u8, 2]);
    let text = nalcms_in(folder.path(), &["info", "atlas.tif"]).fine().stdout;
    assert_line(&text, &["warning", "its cells are those of nalcms-250m, but its CRS is not"]);
    // The sphere by another name raises no alarm about places.
    let arc = Recipe { crs: Some(ARC_SPHERE), ..whole };
    arc.write::<u8>(&folder.path().join("arc.tif"), &[]);
    let text = nalcms_in(folder.path(), &["info", "arc.tif"]).fine().stdout;
    assert_line(&text, &["CRS", "(sphere, R = 6370997 m); equal-area"]);
    assert!(!text.contains("off by kilometres"), "{text}");
    // Round coordinates elsewhere are no sign of anything.
    let utm = Recipe { crs: Some("EPSG:32613"), size: (2, 1), ..whole };
    utm.write(&folder.path().join("utm.tif"), &[1u8, 2]);
    let text = nalcms_in(folder.path(), &["info", "utm.tif"]).fine().stdout;
    assert!(!text.contains("warning") && !text.contains("grid "), "{text}");
}

#[test]
fn counts_are_the_same_on_any_number_of_threads_and_any_layout() {
    let folder = scratch();
    // 3000 x 2000 cells: more than one window. Row r holds class r % 7, but the last 5 rows hold 255.
    let (rows, cols) = (3000, 2000);
    let cells: Vec<u16> =
        (0..rows * cols).map(|i| if i / cols >= rows - 5 { 255 } else { (i / cols % 7) as u16 }).collect();
    let layouts: [&[&str]; 3] = [
        &["COMPRESS=LZW"],
        &["TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=256", "COMPRESS=DEFLATE"],
        &["BLOCKYSIZE=3000", "COMPRESS=DEFLATE"],
    ];
    for options in layouts {
        let recipe = Recipe { options, nodata: Some(255.0), ..Recipe::on_30m(rows, cols) };
        recipe.write(&folder.path().join("map.tif"), &cells);
        for threads in ["1", "3"] {
            let arguments = ["info", "map.tif", "--counts", "--json", "--threads", threads];
            let json = nalcms_in(folder.path(), &arguments).fine().json();
            // 2995 rows are 427 rounds of seven and 6 rows more: classes 0 to 5 have 428 rows, class 6 has 427.
            let mut expected: Vec<(Option<i64>, u64, String)> =
                (0..6).map(|class| (Some(class), 428 * 2000, "class".to_string())).collect();
            expected.push((Some(6), 427 * 2000, "class".into()));
            expected.push((Some(255), 5 * 2000, "nodata".into()));
            assert_eq!(counted(&json["rasters"][0]), expected);
        }
    }
}

#[test]
fn help_shows_examples() {
    for verb in [
        &["legend"][..],
        &["legend", "list"],
        &["legend", "show"],
        &["legend", "check"],
        &["legend", "export"],
        &["crosswalk"],
        &["crosswalk", "list"],
        &["crosswalk", "show"],
        &["crosswalk", "check"],
        &["info"],
    ] {
        let text = nalcms(&[verb, &["--help"]].concat()).fine().stdout;
        assert!(text.contains(&format!("Examples:\n  nalcms {}", verb[0])), "{text}");
    }
}
