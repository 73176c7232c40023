//! Shares of classes in cells that are larger than those of the maps.

use std::collections::BTreeMap;

use crate::support::{Drawing, LAEA, Scratch, cells, patchy};

const NONE: i32 = 65_535;

/// A job onto a grid of cells of 90 m, 2 rows and columns.
fn job(output: &str, sources: &str) -> String {
    format!(
        "name = \"job\"\noutput = \"{output}\"\nfractions = true\n[grid]\ncrs = \"{LAEA}\"\norigin = [0, 180]\n\
         cell_size_m = 90\nshape = [2, 2]\noutside_grid = \"drop\"\n{sources}"
    )
}

fn source(id: &str, keys: &str) -> String {
    format!("[[source]]\nid = \"{id}\"\nlegend = \"nalcms\"\n{keys}\n")
}

fn at_30_m<'a>() -> Drawing<'a> {
    Drawing { srs: Some(LAEA), origin: (0.0, 180.0), cell: 30.0, nodata: Some(0.0), ..Drawing::default() }
}

fn fraction(scratch: &Scratch, of: &str) -> Vec<i32> {
    cells(&scratch.path(&format!("out/fraction/job_{of}_2010_90m.tif")))
}

#[test]
fn shares_are_counted_in_ninths() {
    let scratch = Scratch::new();
    at_30_m().draw::<u8>(
        &scratch.path("a.tif"),
        &[
            &[1, 1, 5, 18, 18, 18],
            &[5, 5, 1, 0, 0, 0],
            &[5, 14, 5, 17, 17, 0],
            &[0, 0, 0, 0, 0, 0],
            &[0, 0, 3, 0, 0, 0],
            &[3, 3, 3, 0, 0, 0],
        ],
    );
    scratch
        .write("job.toml", &job("out", &source("a", "resampling = \"mode\"\nepochs = { 2010 = \"a.tif\" }")));
    scratch.ok(&["run", "job.toml"]);
    // Upper left: 3 of 9 are class 1, 5 class 5, 1 class 14. Upper right: 3 are 18, 2 are 17, 4 nothing. Lower left: 4 are
    // class 3, which is less than half: no class, but shares. Lower right: nothing mapped. 5/9 is 5555.6 and 4/9 is 4444.4:
    // these lack most to the next ten-thousandth and get what is left.
    assert_eq!(cells(&scratch.path("out/landcover/job_landcover_2010_90m.tif")), [5, 18, 0, 0]);
    let expected = BTreeMap::from([
        ("fraction_1", [3333, 0, 0, NONE]),
        ("fraction_5", [5556, 0, 0, NONE]),
        ("fraction_14", [1111, 0, 0, NONE]),
        ("fraction_17", [0, 2222, 0, NONE]),
        ("fraction_18", [0, 3333, 0, NONE]),
        ("fraction_3", [0, 0, 4444, NONE]),
        ("fraction_19", [0, 0, 0, NONE]),
        ("fraction_nodata", [0, 0, 0, NONE]),
        ("fraction_outside", [0, 4445, 5556, NONE]),
        ("purity", [5556, 3333, NONE, NONE]),
    ]);
    for (of, shares) in expected {
        assert_eq!(fraction(&scratch, of), shares, "{of}");
    }
    let rasters = std::fs::read_dir(scratch.path("out/fraction")).unwrap().count();
    assert_eq!(rasters, 19 + 3);
    scratch.ok(&["verify", "out"]);
}

#[test]
fn the_source_that_decides_a_cell_tells_its_shares() {
    let scratch = Scratch::new();
    let first: &[&[u8]] = &[&[1, 1, 1, 0, 0, 0], &[1, 1, 1, 0, 0, 1], &[1, 1, 8, 0, 1, 1]];
    at_30_m().draw::<u8>(&scratch.path("first.tif"), first);
    let second: &[&[u8]] = &[&[2, 2, 2, 2, 2, 2], &[2, 2, 2, 2, 2, 9], &[2, 2, 2, 2, 9, 9]];
    at_30_m().draw::<u8>(&scratch.path("second.tif"), second);
    // A map on the lattice, under both: all of its cells are what they are, where nobody else decides.
    let lattice = Drawing { cell: 90.0, ..at_30_m() };
    lattice.draw::<u8>(&scratch.path("lattice.tif"), &[&[4, 4], &[4, 0]]);
    let sources = source("first", "priority = 3\nresampling = \"mode\"\nepochs = { 2010 = \"first.tif\" }")
        + &source("second", "priority = 2\nresampling = \"mode\"\nepochs = { 2010 = \"second.tif\" }")
        + &source("third", "priority = 1\nepochs = { 2010 = \"lattice.tif\" }");
    scratch.write("job.toml", &job("out", &sources));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(cells(&scratch.path("out/landcover/job_landcover_2010_90m.tif")), [1, 2, 4, 0]);
    let of = |word: &str| fraction(&scratch, word);
    assert_eq!(of("fraction_1"), [8889, 0, 0, NONE]);
    assert_eq!(of("fraction_8"), [1111, 0, 0, NONE]);
    assert_eq!(of("fraction_2"), [0, 6667, 0, NONE]);
    assert_eq!(of("fraction_9"), [0, 3333, 0, NONE]);
    assert_eq!(of("fraction_4"), [0, 0, 10_000, NONE]);
    assert_eq!(of("purity"), [8889, 6667, 10_000, NONE]);
    scratch.ok(&["verify", "out"]);
    // The map on the lattice first: it decides where it maps anything.
    let upside_down = sources.replace("priority = 1", "priority = 9");
    scratch.write("job.toml", &job("out", &upside_down));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(of("fraction_4"), [10_000, 10_000, 10_000, NONE]);
    assert_eq!(of("fraction_1"), [0, 0, 0, NONE]);
    scratch.ok(&["verify", "out"]);
}

#[test]
fn cells_without_an_observation_are_told_apart_from_cells_outside() {
    let scratch = Scratch::new();
    // MAD-Mex: 98 are shadows, 99 clouds, 0 is outside; 1 becomes class 1, 3 class 1, 2 class 5.
    at_30_m().draw::<u8>(
        &scratch.path("a.tif"),
        &[&[1, 3, 2, 98, 98, 99], &[1, 2, 98, 99, 99, 1], &[99, 0, 0, 0, 0, 2]],
    );
    let madmex =
        source("a", "resampling = \"mode\"\nepochs = { 2010 = \"a.tif\" }").replace("nalcms", "madmex");
    scratch.write("job.toml", &job("out", &madmex));
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(cells(&scratch.path("out/landcover/job_landcover_2010_90m.tif"))[..2], [1, 0]);
    let of = |word: &str| fraction(&scratch, word)[..2].to_vec();
    // 3, 2, 2 and 2 ninths: 3333.3 lacks most. 1, 1, 5 and 2 ninths: 5555.6 does.
    assert_eq!(of("fraction_1"), [3334, 1111]);
    assert_eq!(of("fraction_5"), [2222, 1111]);
    assert_eq!(of("fraction_nodata"), [2222, 5556]);
    assert_eq!(of("fraction_outside"), [2222, 2222]);
    scratch.ok(&["verify", "out"]);
}

/// Bytes of every raster of an output, by name.
fn rasters(scratch: &Scratch, output: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = scratch.path(output).join("fraction");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.file_name().unwrap().to_string_lossy().into(), std::fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn the_same_bytes_for_every_task_size_and_thread_count_and_overviews_that_verify() {
    let scratch = Scratch::new();
    let map = Drawing { srs: Some("EPSG:3979"), origin: (-100_000.0, 500_000.0), ..at_30_m() };
    map.plot(&scratch.path("a.tif"), 2300, 3100, |row, col| {
        if (row / 300 + col / 200) % 7 == 0 { 0 } else { patchy(row, col, 3, &[1, 5, 8, 10, 14, 17]) }
    });
    let grid = format!("crs = \"{LAEA}\"\norigin = [230000, 960000]\ncell_size_m = 45\nshape = [2000, 2400]");
    let write = |name: &str, compute: &str| {
        let sources = source("a", "resampling = \"mode\"\nepochs = { 2010 = \"a.tif\" }");
        let text = format!(
            "name = \"job\"\noutput = \"{name}\"\nfractions = true\n[grid]\n{grid}\n{sources}[compute]\n{compute}\n"
        );
        scratch.write("job.toml", &text);
        scratch.ok(&["run", "job.toml"]);
        rasters(&scratch, name)
    };
    let small = write("small", "task_cells = 512\nthreads = 2");
    let large = write("large", "task_cells = 2048\nthreads = 1");
    assert_eq!(small.len(), 22);
    assert!(small == large);
    scratch.ok(&["verify", "small"]);
    // The law: shares of every cell add up to the whole, read by another reader than the program's own.
    let value = |word: &str| cells(&scratch.path(&format!("small/fraction/job_{word}_2010_45m.tif")));
    let mut sums = value("fraction_nodata");
    sums.iter_mut().zip(value("fraction_outside")).for_each(|(sum, share)| *sum += share);
    for class in 1..=19 {
        sums.iter_mut().zip(value(&format!("fraction_{class}"))).for_each(|(sum, share)| *sum += share);
    }
    assert!(sums.iter().all(|&sum| sum == 10_000 || sum == 21 * NONE));
    assert!(sums.iter().filter(|&&sum| sum == 10_000).count() > 1_000_000);
}

#[test]
fn verify_finds_a_share_that_was_changed() {
    let scratch = Scratch::new();
    let rows: &[&[u8]] = &[&[1, 1, 5, 18, 18, 18], &[5, 5, 1, 8, 8, 8], &[5, 14, 5, 17, 17, 8]];
    at_30_m().draw::<u8>(&scratch.path("a.tif"), rows);
    scratch
        .write("job.toml", &job("out", &source("a", "resampling = \"mode\"\nepochs = { 2010 = \"a.tif\" }")));
    scratch.ok(&["run", "job.toml"]);
    scratch.ok(&["verify", "out"]);
    // The raster of another class in place of class 14's.
    let path = |of: &str| scratch.path(&format!("out/fraction/job_{of}_2010_90m.tif"));
    std::fs::copy(path("fraction_1"), path("fraction_14")).unwrap();
    let found = scratch.nalcms(&["verify", "out"]);
    assert_eq!(found.code, 1);
    assert!(found.stdout.contains("the shares add up to 12222"), "{}", found.stdout);
    std::fs::remove_file(path("purity")).unwrap();
    assert!(scratch.nalcms(&["verify", "out"]).stdout.contains("there is no sound purity of 2010"));
}

#[test]
fn shares_need_votes_or_the_lattice_and_classes() {
    let scratch = Scratch::new();
    at_30_m().draw::<u8>(&scratch.path("a.tif"), &[&[1, 1], &[5, 5]]);
    let nearest = source("near", "resampling = \"nearest\"\nepochs = { 2010 = \"a.tif\" }");
    scratch.write("job.toml", &job("out", &nearest));
    let refusal = scratch.nalcms(&["plan", "job.toml"]);
    refusal.refused(3, &["fractions cannot be told", "source `near`, 2010", "resampling = \"mode\""]);
    let raw = source("a", "resampling = \"mode\"\nepochs = { 2010 = \"a.tif\" }").replace("nalcms", "raw");
    scratch.write("job.toml", &job("out", &raw).replace("name =", "legend = \"raw\"\nname ="));
    scratch.nalcms(&["plan", "job.toml"]).refused(2, &["fractions = true", "`raw` has none"]);
}
