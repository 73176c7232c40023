//! Bad input: a clear error (what, where, found, expected, what to do), the right exit code, nothing published.

use crate::support::{Drawing, Scratch, cells};

const JOB: &str = r#"
name = "job"
output = "out"
[grid]
preset = "nalcms-30m"
[[source]]
id = "us"
legend = "nlcd"
missing_stratum = "default"
[source.epochs]
2010 = "a.tif"
2015 = "b.tif"
"#;

/// The job over an extent of its grid, with tasks for which it allows too little memory if the extent fills them.
fn larger_than_its_memory(extent: &str) -> String {
    let grid = format!("preset = \"nalcms-30m\"\nextent = \"{extent}\"");
    JOB.replace("preset = \"nalcms-30m\"", &grid) + "[compute]\nmemory_mib = 64\ntask_cells = 8192\n"
}

/// A drawing on the lattice of the 30 m grid, whose rows end at 20 m over multiples of 30 m.
fn on_lattice() -> Drawing<'static> {
    Drawing { origin: (0.0, 20.0), ..Drawing::default() }
}

/// Two sound NLCD maps on the 30 m lattice, and a job.
fn sound() -> Scratch {
    let scratch = Scratch::new();
    for name in ["a.tif", "b.tif"] {
        on_lattice().draw::<u8>(&scratch.path(name), &[&[11, 21], &[41, 0]]);
    }
    scratch.write("job.toml", JOB);
    scratch
}

fn nothing_published(scratch: &Scratch) {
    for name in ["landcover", "change", "tables", "SHA256SUMS", "run.json"] {
        assert!(!scratch.path("out").join(name).exists(), "{name} was published");
    }
}

#[test]
fn the_sound_job_runs() {
    let scratch = sound();
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(cells(&scratch.path("out/landcover/job_landcover_2010_30m.tif")), [18, 17, 5, 0]);
}

#[test]
fn unmapped_codes_are_all_told_with_their_pixels_and_file() {
    let scratch = sound();
    on_lattice().draw::<u8>(&scratch.path("a.tif"), &[&[11, 136], &[147, 136]]);
    on_lattice().draw::<u8>(&scratch.path("b.tif"), &[&[11, 99], &[41, 0]]);
    let run = scratch.nalcms(&["run", "job.toml"]);
    run.refused(3, &["3 class codes", "a.tif: 136 (2 px)", "a.tif: 147 (1 px)", "b.tif: 99 (1 px)", "help:"]);
    nothing_published(&scratch);
}

#[test]
fn a_missing_file_is_named() {
    let scratch = sound();
    std::fs::remove_file(scratch.path("b.tif")).unwrap();
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["no such file", "b.tif"]);
    assert!(!scratch.path("out").exists());
}

#[test]
fn all_missing_files_are_named_at_once() {
    let scratch = sound();
    std::fs::remove_file(scratch.path("a.tif")).unwrap();
    std::fs::remove_file(scratch.path("b.tif")).unwrap();
    scratch.nalcms(&["plan", "job.toml"]).refused(3, &["2 inputs cannot be used", "a.tif", "b.tif"]);
}

#[test]
fn a_pattern_that_matches_nothing_is_named() {
    let scratch = sound();
    scratch.write("job.toml", &JOB.replace("\"b.tif\"", "\"tiles/*_2015.tif\""));
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["patterns match nothing", "tiles/*_2015.tif"]);
}

#[test]
fn a_file_that_is_no_raster_is_refused() {
    let scratch = sound();
    scratch.write("b.tif", "this is a letter, not a map");
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["is no raster", "b.tif", "expected: GeoTIFF"]);
    assert!(!scratch.path("out").exists());
}

#[test]
fn a_vrt_with_a_tif_name_is_not_opened_as_a_vrt() {
    let scratch = sound();
    let vrt = r#"<VRTDataset rasterXSize="2" rasterYSize="2"><GeoTransform>0,30,0,0,0,-30</GeoTransform>
        <VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">
        <SourceFilename relativetoVRT="0">/etc/passwd</SourceFilename></VRTRasterBand></VRTDataset>"#;
    scratch.write("b.tif", vrt);
    let run = scratch.nalcms(&["run", "job.toml"]);
    run.refused(3, &["is no raster", "b.tif"]);
    assert!(!run.stderr.contains("root:"));
    scratch.nalcms(&["info", "b.tif"]).refused(3, &["is no raster"]);
}

#[test]
fn a_grid_without_crs_is_refused() {
    let scratch = sound();
    Drawing { srs: None, ..on_lattice() }.draw::<u8>(&scratch.path("b.tif"), &[&[11, 21], &[41, 0]]);
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["has no CRS", "b.tif", "gdal_edit.py -a_srs"]);
    assert!(!scratch.path("out").exists());
}

#[test]
fn a_fractional_class_value_is_refused_with_its_place() {
    let scratch = sound();
    on_lattice().draw::<f32>(&scratch.path("b.tif"), &[&[11.0, f32::NAN], &[41.5, 0.0]]);
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["no whole number", "b.tif", "41.5 at row 1, column 0"]);
    nothing_published(&scratch);
}

#[test]
fn two_maps_of_one_year_with_different_legends_are_refused() {
    let scratch = sound();
    let second = "[[source]]\nid = \"mine\"\nlegend = \"other.toml\"\nepochs = { 2010 = \"a.tif\" }\n";
    scratch.write("job.toml", &format!("{JOB}{second}"));
    let class = "[[class]]\ncode = 11\nname = { en = \"x\" }\nstatus = \"proposed\"\nsource = \"t\"\n";
    scratch.write("other.toml", &format!("id = \"other\"\ntitle = \"t\"\nsource = \"t\"\nfill = 0\n{class}"));
    scratch
        .nalcms(&["run", "job.toml"])
        .refused(2, &["source `mine`, 2010", "`other`", "`nalcms`", "maps of one year must share a legend"]);
    assert!(!scratch.path("out").exists());
}

#[test]
fn a_typo_in_the_job_file_is_met_with_the_right_word_and_its_line() {
    let scratch = sound();
    scratch.write("job.toml", &JOB.replace("preset", "presett"));
    scratch.nalcms(&["run", "job.toml"]).refused(2, &["presett", "line 5", "did you mean `preset`?"]);
    scratch.write("job.toml", &JOB.replace("missing_stratum", "mising_stratum"));
    scratch.nalcms(&["run", "job.toml"]).refused(2, &["did you mean `missing_stratum`?"]);
    scratch.write("job.toml", &JOB.replace("\"nlcd\"", "\"nlcdd\""));
    scratch.nalcms(&["run", "job.toml"]).refused(2, &["there is no legend `nlcdd`", "did you mean `nlcd`?"]);
}

#[test]
fn contradictions_of_a_job_are_told_all_at_once() {
    let scratch = sound();
    let job = format!(
        "{}\n[change]\npairs = [[2010, 2012], [2010, 2010]]\n[compute]\ntask_cells = 1000\n",
        JOB.replace("\"job\"", "\"a job/..\"")
    );
    scratch.write("job.toml", &job);
    scratch.nalcms(&["run", "job.toml"]).refused(
        2,
        &[
            "name `a job/..`",
            "names 2012, which no source maps",
            "compares 2010 with itself",
            "task_cells is 1000",
        ],
    );
}

#[test]
fn a_conditional_row_without_its_layer_is_refused_unless_the_job_takes_defaults() {
    let scratch = sound();
    scratch.write("job.toml", &JOB.replace("missing_stratum = \"default\"", ""));
    scratch.nalcms(&["run", "job.toml"]).refused(
        3,
        &[
            "conditional crosswalk rows lack their layer",
            "41, 42, 52, 71",
            "climate",
            "missing_stratum = \"default\"",
        ],
    );
}

#[test]
fn cells_outside_every_polygon_of_a_stratum_are_told() {
    let scratch = sound();
    let far = r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"zone":"polar"},
        "geometry":{"type":"Polygon","coordinates":[[[0,80],[1,80],[1,81],[0,80]]]}}]}"#;
    scratch.write("climate.geojson", far);
    let job = JOB.replace("missing_stratum = \"default\"", "");
    scratch
        .write("job.toml", &format!("{job}[strata.climate]\npath = \"climate.geojson\"\nkey = \"zone\"\n"));
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["41 (1 px)", "finds no stratum there"]);
    nothing_published(&scratch);
    let unknown = far.replace("polar", "boreal");
    scratch.write("climate.geojson", &unknown);
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["`boreal`", "polar, temperate, tropical"]);
}

#[test]
fn several_bands_are_refused_unless_one_is_chosen() {
    let scratch = sound();
    let driver = gdal::DriverManager::get_driver_by_name("GTiff").unwrap();
    let mut two = driver.create_with_band_type::<u8, _>(scratch.path("b.tif"), 2, 2, 2).unwrap();
    two.set_spatial_ref(&gdal::spatial_ref::SpatialRef::from_definition(crate::support::LAEA).unwrap())
        .unwrap();
    two.set_geo_transform(&[0.0, 30.0, 0.0, 20.0, 0.0, -30.0]).unwrap();
    two.rasterband(2).unwrap().fill(11.0, None).unwrap();
    two.close().unwrap();
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["several bands", "2 bands", "band = N"]);
    scratch.write("job.toml", &JOB.replace("\"b.tif\"", "{ files = \"b.tif\", band = 2 }"));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(cells(&scratch.path("out/landcover/job_landcover_2015_30m.tif")), [18; 4]);
}

#[test]
fn cells_off_the_lattice_are_refused_with_their_offset_unless_resampling_is_declared() {
    let scratch = sound();
    Drawing { origin: (7.5, 20.0), ..on_lattice() }
        .draw::<u8>(&scratch.path("b.tif"), &[&[11, 21], &[41, 0]]);
    scratch
        .nalcms(&["run", "job.toml"])
        .refused(3, &["b.tif", "0.0000 rows and 0.2500 columns", "resampling"]);
    Drawing { cell: 60.0, ..on_lattice() }.draw::<u8>(&scratch.path("b.tif"), &[&[11, 21], &[41, 0]]);
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["60 x 60 instead of 30 x 30"]);
    scratch.write("job.toml", &JOB.replace("\"b.tif\"", "{ files = \"b.tif\", resampling = \"nearest\" }"));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(
        cells(&scratch.path("out/landcover/job_landcover_2015_30m.tif")),
        [18, 18, 17, 17, 18, 18, 17, 17, 5, 5, 0, 0, 5, 5, 0, 0]
    );
}

#[test]
fn valid_cells_outside_the_grid_are_counted_and_refused() {
    let scratch = sound();
    scratch.write(
        "job.toml",
        &JOB.replace("preset = \"nalcms-30m\"", "preset = \"nalcms-30m\"\nextent = [0, -10, 60, 20]"),
    );
    // The lower row holds 41 and nodata: one valid cell in each map.
    scratch
        .nalcms(&["run", "job.toml"])
        .refused(3, &["outside the target grid", "a.tif: 1 px", "b.tif: 1 px", "outside_grid = \"drop\""]);
    let drop = "preset = \"nalcms-30m\"\nextent = [0, -10, 60, 20]\noutside_grid = \"drop\"";
    scratch.write("job.toml", &JOB.replace("preset = \"nalcms-30m\"", drop));
    scratch.ok(&["run", "job.toml"]);
    let run: serde_json::Value =
        serde_json::from_slice(&std::fs::read(scratch.path("out/run.json")).unwrap()).unwrap();
    assert_eq!(
        run["outside_grid_pixels"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum::<u64>(),
        2
    );
    // What was dropped stays told when only run.json is written anew, and is refused again when the job says so.
    let edition = "2015 = { files = \"b.tif\", edition = \"2\" }";
    scratch.write(
        "job.toml",
        &JOB.replace("preset = \"nalcms-30m\"", drop).replace("2015 = \"b.tif\"", edition),
    );
    scratch.ok(&["merge", "job.toml"]);
    let told = std::fs::read_to_string(scratch.path("out/run.json")).unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["outside_grid_pixels"], run["outside_grid_pixels"]);
    assert_eq!(told["job"]["source"][0]["epochs"]["2015"]["edition"], "2");
    let error = drop.replace("drop", "error");
    scratch.write("job.toml", &JOB.replace("preset = \"nalcms-30m\"", &error));
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["outside the target grid"]);
}

#[test]
fn the_verbs_refuse_what_cannot_be() {
    let scratch = sound();
    scratch.nalcms(&["verfy", "job.toml"]).refused(2, &["'verify'"]);
    scratch
        .nalcms(&["change", "a.tif", "b.tif", "--years", "2010", "2010", "--legend", "nlcd", "-o", "out"])
        .refused(2, &["with itself"]);
    let mcd = ["change", "a.tif", "b.tif", "--years", "2010", "2015", "--legend", "worldcover", "-o", "out"];
    scratch.nalcms(&mcd).refused(2, &["codes above 99", "--tables-only"]);
    scratch.write("there.tif", "mine");
    let mosaic = ["mosaic", "a.tif", "-o", "there.tif", "--legend", "nlcd"];
    scratch.nalcms(&mosaic).refused(2, &["exists already", "--overwrite"]);
    assert_eq!(std::fs::read_to_string(scratch.path("there.tif")).unwrap(), "mine");
}

#[test]
fn an_error_is_one_json_document_when_json_was_asked_for() {
    let scratch = sound();
    std::fs::remove_file(scratch.path("b.tif")).unwrap();
    let run = scratch.nalcms(&["run", "job.toml", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((error["kind"].as_str(), error["exit_code"].as_i64()), (Some("input"), Some(3)));
}

#[test]
fn a_mistyped_flag_is_one_json_document_too() {
    let run = sound().nalcms(&["run", "job.toml", "--json", "--thread", "2"]);
    let error: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, error["kind"].as_str()), (2, Some("usage")));
    assert!(error["error"].as_str().unwrap().contains("--thread"), "{error}");
    assert!(error["help"].as_str().unwrap().contains("--threads"), "{error}");
}

#[test]
fn the_least_32_bit_number_is_no_class_unless_it_is_the_nodata_tag() {
    let scratch = sound();
    let least = i32::MIN;
    on_lattice().draw::<i32>(&scratch.path("b.tif"), &[&[11, 21], &[least, 11]]);
    scratch
        .nalcms(&["run", "job.toml"])
        .refused(3, &["-2147483648 is no class code", "b.tif", "row 1, column 0"]);
    let raw = ["mosaic", "b.tif", "-o", "m.tif", "--legend", "raw"];
    scratch.nalcms(&raw).refused(3, &["-2147483648 is no class code"]);
    Drawing { nodata: Some(least.into()), ..on_lattice() }
        .draw::<i32>(&scratch.path("b.tif"), &[&[11, 21], &[least, 11]]);
    scratch.ok(&raw);
    assert_eq!(crate::support::cells(&scratch.path("m.tif")), [11, 21, least, 11]);
}

#[test]
fn a_value_beyond_32_bits_is_told_apart_from_a_fraction() {
    let scratch = sound();
    on_lattice().draw::<f32>(&scratch.path("b.tif"), &[&[11.0, 21.0], &[3e9, 11.0]]);
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["too large", "3000000000 at row 1, column 0"]);
}

#[test]
fn plan_foretells_what_run_refuses_and_the_room_it_needs() {
    let scratch = sound();
    let plan = |code: i32| -> serde_json::Value {
        let run = scratch.nalcms(&["plan", "job.toml", "--json"]);
        assert_eq!(run.code, code, "{}", run.stderr);
        serde_json::from_str(&run.stdout).unwrap()
    };
    let sizes = ["a.tif", "b.tif"].map(|name| std::fs::metadata(scratch.path(name)).unwrap().len());
    let calm = plan(0);
    assert_eq!(calm["bytes"]["inputs"].as_u64(), Some(sizes.iter().sum()));
    assert!(
        calm["bytes"]["outputs_about"].as_u64().unwrap() > 0 && calm["bytes"]["free"].as_u64().unwrap() > 0
    );
    assert_eq!(calm["obstacles"].as_array().unwrap().len(), 0);

    scratch.write("out/notes.txt", "mine");
    scratch.write("job.toml", &larger_than_its_memory("full"));
    let obstacles = plan(1)["obstacles"].to_string();
    assert!(obstacles.contains("more memory than the job allows"), "{obstacles}");
    assert!(obstacles.contains("files that are not of this program"), "{obstacles}");
}

#[test]
fn a_plan_replaces_no_file_but_a_plan() {
    let scratch = sound();
    for name in ["job.toml", "a.tif", "-"] {
        scratch.nalcms(&["plan", "job.toml", "-o", name]).refused(2, &["a file of its own"]);
    }
    for _ in 0..2 {
        scratch.ok(&["plan", "job.toml", "-o", "plan.json"]);
    }
    scratch.ok(&["run", "job.toml"]);
}

#[test]
fn a_raster_with_a_crs_but_no_place_is_refused() {
    let scratch = sound();
    let driver = gdal::DriverManager::get_driver_by_name("GTiff").unwrap();
    let mut nowhere = driver.create_with_band_type::<u8, _>(scratch.path("b.tif"), 2, 2, 1).unwrap();
    nowhere
        .set_spatial_ref(&gdal::spatial_ref::SpatialRef::from_definition(crate::support::LAEA).unwrap())
        .unwrap();
    nowhere.close().unwrap();
    scratch.nalcms(&["run", "job.toml"]).refused(3, &["b.tif", "no geotransform", "-a_ullr"]);
}

#[test]
fn an_origin_beyond_the_world_is_refused() {
    let scratch = sound();
    Drawing { origin: (3e20, 20.0), ..Drawing::default() }.draw::<u8>(&scratch.path("b.tif"), &[&[11, 21]]);
    let run = scratch.nalcms(&["run", "job.toml"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let like =
        ["mosaic", "b.tif", "-o", "o.tif", "--legend", "nlcd", "--grid", "nalcms-30m", "--extent", "full"];
    assert_eq!(scratch.nalcms(&like).code, 3);
}

#[test]
fn a_task_larger_than_the_memory_is_refused_with_the_remedy() {
    let scratch = sound();
    scratch.write("job.toml", &larger_than_its_memory("full"));
    scratch
        .nalcms(&["run", "job.toml"])
        .refused(4, &["more memory than the job allows", "halve compute.task_cells"]);
    // A small map needs little, whatever the largest task might.
    scratch.write("job.toml", &larger_than_its_memory("inputs"));
    scratch.ok(&["run", "job.toml"]);
}

#[test]
fn years_files_and_extents_that_cannot_be_meant_are_refused() {
    let scratch = sound();
    let with = |from: &str, to: &str| scratch.write("job.toml", &JOB.replace(from, to));
    with("2015 = \"b.tif\"", "02010 = \"b.tif\"");
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["write the epoch `02010` as a year"]);
    with("2015 = \"b.tif\"", "2015 = []");
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["`files` is empty"]);
    with("2015 = \"b.tif\"", "2015 = [\"b.tif\", \"./b.tif\"]");
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["named twice"]);
    with("preset = \"nalcms-30m\"", "preset = \"nalcms-30m\"\nextent = [nan, 0, 100, 100]");
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["grid.extent must be finite"]);
    with(
        "preset = \"nalcms-30m\"",
        "crs = \"EPSG:5070\"\norigin = [0, 0]\ncell_size_m = 30\nshape = [2147483648, 2]",
    );
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["grid.shape within"]);
    with("legend = \"nlcd\"", "legend = \"nlcd\"\nsection = \"mixed\"");
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["`mixed` is no name for a section"]);
    let odd = ["mosaic", "a.tif", "-o", "o.tif", "--legend", "nlcd", "--nodata", "300"];
    scratch.nalcms(&odd).refused(2, &["nodata value 300 is impossible in uint8"]);
}
