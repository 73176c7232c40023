//! Synthetic maps: same arguments, same bytes; one world in every legend and tiling; fixtures as the script makes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nalcms::config::shipped;
use nalcms::io::gdal::{Pixels, open_raster};
use nalcms::kernel::landscape::{Climate, Landscape, Profile};
use nalcms::model::crosswalk::Target;
use nalcms::synth::codes::climate_word;
use ndarray::{Array2, s};

const LAEA: &str = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84 +units=m";
/// GDAL with which the fixtures were made; others may compress to other bytes.
const FIXTURE_GDAL: &str = "3.6";

fn nalcms(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nalcms")).args(arguments).current_dir(folder).output().unwrap()
}

fn ok(folder: &Path, arguments: &[&str]) -> String {
    let output = nalcms(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "nalcms {}\n{said}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = nalcms(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "nalcms {}", arguments.join(" "));
    String::from_utf8(output.stderr).unwrap()
}

fn cells(path: &Path) -> Array2<u8> {
    let file = open_raster(path, Some(1)).unwrap_or_else(|e| panic!("{e}"));
    match file.read(&file.header.grid.window()).unwrap_or_else(|e| panic!("{e}")) {
        Pixels::Bytes(cells) => cells,
        Pixels::Codes(_) => panic!("{} is no uint8 raster", path.display()),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn share(cells: &Array2<u8>, wanted: impl Fn(u8) -> bool) -> f64 {
    cells.iter().filter(|c| wanted(**c)).count() as f64 / cells.len() as f64
}

#[test]
fn the_same_arguments_give_the_same_bytes_on_any_number_of_threads() {
    let scratch = tempfile::tempdir().unwrap();
    let make = |folder: &str, threads: &str| {
        let vectors =
            ["--climate", &format!("{folder}/c.geojson"), "--zones", &format!("{folder}/z.geojson")];
        let mut arguments = vec!["synth", "-o", folder, "--legend", "madmex", "--size", "700x650"];
        arguments.extend(["--no-observation", "0.1", "--tile", "512", "--threads", threads]);
        arguments.extend(vectors);
        let said = ok(scratch.path(), &arguments);
        assert_eq!(said.lines().count(), 3 * 4 + 2, "{said}");
        files(&scratch.path().join(folder)).iter().map(|f| std::fs::read(f).unwrap()).collect::<Vec<_>>()
    };
    let first = make("a", "1");
    assert_eq!(first.len(), 14);
    assert!(first == make("b", "3"));
}

#[test]
fn a_tile_is_a_window_of_the_whole_and_reaches_into_its_neighbours() {
    let scratch = tempfile::tempdir().unwrap();
    let common =
        ["--crs", "EPSG:3978", "--cell-size", "9000", "--detail", "3000", "--origin", "-900000,1800000"];
    let with = |more: &[&str]| {
        let arguments: Vec<&str> = ["synth", "--legend", "nlcd", "--years", "2015"]
            .iter()
            .chain(&common)
            .chain(more)
            .copied()
            .collect();
        ok(scratch.path(), &arguments)
    };
    with(&["-o", "whole", "--size", "210x300"]);
    with(&["-o", "tiles", "--size", "210x300", "--tile", "128", "--overlap", "8", "--prefix", "t"]);
    let whole = cells(&scratch.path().join("whole/nlcd_2015.tif"));
    let origin = open_raster(&scratch.path().join("whole/nlcd_2015.tif"), Some(1)).unwrap().header.grid;
    for (row, col) in (0..2).flat_map(|row| (0..3).map(move |col| (row, col))) {
        let path = scratch.path().join(format!("tiles/t_2015_r{row:02}_c{col:02}.tif"));
        let (top, left) = (row * 128, col * 128);
        let part = whole.slice(s![top..(top + 136).min(210), left..(left + 136).min(300)]);
        assert_eq!(cells(&path), part);
        let grid = open_raster(&path, Some(1)).unwrap().header.grid;
        assert_eq!(grid.affine.0[0], origin.affine.0[0] + left as f64 * 9000.0);
        assert_eq!(grid.affine.0[3], origin.affine.0[3] - top as f64 * 9000.0);
    }
    assert!(share(&whole, |c| c != 0) > 0.3);
}

#[test]
fn the_grid_is_snapped_to_its_lattice_and_may_not_be_left() {
    let scratch = tempfile::tempdir().unwrap();
    ok(scratch.path(), &["synth", "-o", "a", "--size", "20x30", "--years", "2020", "--origin", "11,-17"]);
    let grid = open_raster(&scratch.path().join("a/nalcms_2020.tif"), Some(1)).unwrap().header.grid;
    assert_eq!((grid.affine.0[0], grid.affine.0[3], grid.rows, grid.cols), (0.0, -10.0, 20, 30));
    let far = refused(scratch.path(), &["synth", "-o", "b", "--origin", "-4410000,4310030", "--size", "9x9"]);
    assert!(far.contains("beyond the grid `nalcms-30m`"), "{far}");
    let again = refused(scratch.path(), &["synth", "-o", "a", "--size", "20x30", "--years", "2020"]);
    assert!(again.contains("--overwrite"), "{again}");
    let cloudless =
        refused(scratch.path(), &["synth", "-o", "b", "--legend", "nlcd", "--no-observation", "0.1"]);
    assert!(cloudless.contains("madmex"), "{cloudless}");
    assert!(!scratch.path().join("b").exists());
}

#[test]
fn the_nodata_tag_is_the_fill_or_what_was_asked_for() {
    let scratch = tempfile::tempdir().unwrap();
    let tag = |folder: &str, more: &[&str]| {
        let common = ["synth", "-o", folder, "--size", "20x20", "--years", "2010", "--prefix", "m"];
        ok(scratch.path(), &common.iter().chain(more).copied().collect::<Vec<_>>());
        open_raster(&scratch.path().join(folder).join("m_2010.tif"), Some(1)).unwrap().header.nodata_tag
    };
    assert_eq!(tag("a", &[]), Some(0.0));
    assert_eq!(tag("b", &["--legend", "dynamic-world"]), Some(255.0));
    assert_eq!(tag("c", &["--nodata-tag", "none"]), None);
    assert_eq!(tag("d", &["--nodata-tag", "-128"]), Some(-128.0));
}

/// Reclass of a national map with the climate layer gives the NALCMS map back wherever the legend can say it.
///
/// The climate layer's border is straight between points 5 km apart, so a cell right at it may fall on the other side.
#[test]
fn the_shipped_crosswalk_leads_back_to_the_same_world() {
    let scratch = tempfile::tempdir().unwrap();
    let grid =
        ["--crs", LAEA, "--cell-size", "9000", "--detail", "3000", "--seed", "11", "--profile", "interior"];
    // From the tropics to the tundra.
    let strip = ["--origin", "-900000,2700000", "--size", "650x200", "--years", "2015"];
    let synth = |more: &[&str]| {
        let arguments: Vec<&str> = ["synth"].iter().chain(&grid).chain(&strip).chain(more).copied().collect();
        ok(scratch.path(), &arguments)
    };
    synth(&["-o", ".", "--climate", "climate.geojson"]);
    let truth = cells(&scratch.path().join("nalcms_2015.tif"));
    let world = Landscape::new(11, 3000.0, Profile::Interior);
    let climate = Array2::from_shape_fn(truth.dim(), |(row, col)| {
        world.climate_at(-900e3 + (col as f64 + 0.5) * 9e3, 2700e3 - (row as f64 + 0.5) * 9e3)
    });
    for zone in [Climate::Tropical, Climate::Temperate, Climate::Polar] {
        assert!(climate.iter().filter(|z| **z == zone).count() > 5000, "{zone:?}");
    }
    for legend in ["nlcd", "nrcan", "madmex"] {
        synth(&["-o", ".", "--legend", legend]);
        let national = scratch.path().join(format!("{legend}_2015.tif"));
        let id = format!("{legend}-nalcms");
        let (map, out) = (format!("{legend}_2015.tif"), format!("{legend}_back.tif"));
        let mut reclass = vec!["reclass", &map, "-o", &out, "--crosswalk", &id, "--quiet"];
        reclass.extend(["--stratum", "climate=climate.geojson,zone"]);
        ok(scratch.path(), &reclass);
        let back = cells(&scratch.path().join(&out));
        let crosswalk = shipped::crosswalk(&id, Path::new("")).unwrap();
        let sayable = |class: u8, zone: Climate| {
            crosswalk.rows.iter().any(|row| match &row.to {
                Target::Class(to) => *to == i32::from(class),
                Target::ByStratum(by) => by.get(climate_word(zone)) == Some(&class.into()),
                Target::Word(_) => false,
            })
        };
        let mut codes: BTreeMap<u8, usize> = BTreeMap::new();
        let (mut checked, mut wrong, mut inexact) = (0usize, 0usize, 0usize);
        for (((was, is), zone), code) in truth.iter().zip(&back).zip(&climate).zip(&cells(&national)) {
            *codes.entry(*code).or_default() += 1;
            assert_eq!(*was == 0, *is == 0);
            if *was == 0 || sayable(*was, *zone) {
                checked += 1;
                wrong += usize::from(was != is);
            } else {
                inexact += 1;
            }
        }
        let classes = crosswalk.rows.iter().filter(|row| codes.contains_key(&(row.from as u8))).count();
        assert!(wrong * 1000 <= checked, "{legend}: {wrong} of {checked} cells");
        assert!(legend == "nlcd" || wrong == 0, "{legend} has no conditional row, yet {wrong} cells differ");
        assert!(checked > 60_000, "{legend}: {checked} exact, {inexact} not");
        assert!(classes * 10 >= crosswalk.rows.len() * 8, "{legend}: {classes} codes occur: {codes:?}");
    }
}

#[test]
fn the_demo_continent_has_plausible_shares() {
    let scratch = tempfile::tempdir().unwrap();
    let mut arguments = vec!["synth", "-o", ".", "--crs", LAEA, "--cell-size", "9000", "--detail", "3000"];
    arguments.extend(["--origin", "-2700000,2700000", "--size", "650x600"]);
    ok(scratch.path(), &arguments);
    let years = [2010, 2015, 2020].map(|year| cells(&scratch.path().join(format!("nalcms_{year}.tif"))));
    let outside = share(&years[0], |class| class == 0);
    assert!((0.35..0.47).contains(&outside), "{outside}");
    for pair in years.windows(2) {
        let changed = pair[0].iter().zip(&pair[1]).filter(|(from, to)| from != to).count() as f64;
        let changed = changed / (pair[0].len() as f64 * (1.0 - outside));
        assert!((0.02..0.04).contains(&changed), "{changed}");
    }
    let seen: Vec<u8> = (1..=19).filter(|class| share(&years[0], |c| c == *class) > 0.0).collect();
    assert_eq!(seen.len(), 19, "{seen:?}");
}

/// One test for both, because making the fixtures takes longer than either check.
#[test]
fn fixtures_are_what_their_script_makes_and_the_demo_runs_on_them() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tempfile::tempdir().unwrap();
    let made = scratch.path().join("fixtures");
    let output = Command::new(repository.join("scripts/fixtures"))
        .arg(&made)
        .env("NALCMS", env!("CARGO_BIN_EXE_nalcms"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let version = gdal::version::version_info("RELEASE_NAME");
    let same_gdal = version.starts_with(FIXTURE_GDAL);
    let mut bytes = 0;
    for path in files(&made) {
        let name = path.strip_prefix(&made).unwrap();
        let committed = repository.join("fixtures").join(name);
        bytes += std::fs::metadata(&path).unwrap().len();
        if same_gdal || name.extension().is_some_and(|e| e == "geojson") {
            let same = std::fs::read(&path).unwrap() == std::fs::read(&committed).unwrap_or_default();
            assert!(same, "{} differs: run scripts/fixtures and commit the outcome", name.display());
        } else if name.extension().is_some_and(|e| e == "tif") {
            assert_eq!(cells(&path), cells(&committed), "{}", name.display());
        }
    }
    assert!(bytes < 1_000_000, "the fixtures take {bytes} bytes");

    let job = scratch.path().join("configs/jobs/demo.toml");
    std::fs::create_dir_all(job.parent().unwrap()).unwrap();
    std::fs::copy(repository.join("configs/jobs/demo.toml"), &job).unwrap();
    ok(scratch.path(), &["run", "configs/jobs/demo.toml", "--quiet"]);
    let table = |name: &str| {
        let mut reader = csv::Reader::from_path(scratch.path().join("out/demo/tables").join(name)).unwrap();
        reader.deserialize().map(Result::unwrap).collect::<Vec<BTreeMap<String, String>>>()
    };
    let pixels = |row: &BTreeMap<String, String>| row["pixels"].parse::<u64>().unwrap();
    let disagreement = table("overlap_disagreement.csv");
    for (winner, loser) in [("us-nlcd", "ca-nrcan"), ("us-nlcd", "mx-madmex")] {
        assert!(disagreement.iter().any(|row| row["winner"] == winner && row["loser"] == loser));
    }
    let clouds = table("excluded.csv");
    let clouds = clouds.iter().filter(|r| r["zone_layer"] == "country" && r["zone_id"] == "MX");
    assert!(clouds.map(pixels).sum::<u64>() > 1000);
    let zones = table("class_area.csv");
    for key in ["0402", "09", "8.1", "8.10", "15", "M-2", "outside"] {
        let of_zone = zones.iter().filter(|r| r["zone_layer"] == "ecoregions" && r["zone_id"] == key);
        assert!(of_zone.map(pixels).sum::<u64>() > 0, "{key}");
    }
}

#[test]
fn a_disk_that_takes_no_more_ends_with_exit_4_and_no_half_file() {
    let folder = tempfile::tempdir().unwrap();
    // No file may grow beyond 8 blocks of 512 bytes, as on a disk with no more room; the signal that goes with it is
    // ignored so that the write itself fails.
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" synth -o maps --size 1500x1500 --years 2010";
    let output = std::process::Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_nalcms")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("cannot be written"), "{stderr}");
    assert!(files(&folder.path().join("maps")).is_empty(), "{:?}", files(&folder.path().join("maps")));
}
