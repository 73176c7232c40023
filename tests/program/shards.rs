//! Many runs of one job: shards in any number and order, at once, again, killed, with files that fail. However it went, the
//! outputs are the same bytes, or there are none.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Drawing, Run, Scratch, cells, patchy};
use serde_json::Value;

/// Four tiles of two years, each under a task of its own.
const JOB: &str = r#"
name = "tiles"
output = "OUTPUT"
[grid]
crs = "+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84"
origin = [0, 0]
cell_size_m = 30
shape = [1024, 1024]
[compute]
task_cells = 512
[[source]]
id = "s"
legend = "nrcan"
[source.epochs]
2010 = "tiles/2010_*.tif"
2015 = "tiles/2015_*.tif"
"#;

const CLASSES: [u8; 4] = [1, 6, 10, 18];

fn draw_tile(scratch: &Scratch, year: u32, tile: usize) {
    let (row, col) = (tile / 2 * 512, tile % 2 * 512);
    let origin = (30.0 * col as f64, -30.0 * row as f64);
    let drawing = Drawing { origin, options: &["TILED=YES", "COMPRESS=DEFLATE"], ..Drawing::default() };
    drawing.plot(&scratch.path(&format!("tiles/{year}_{tile}.tif")), 512, 512, |r, c| {
        patchy(row + r, col + c, u64::from(year), &CLASSES)
    });
}

/// The tiles, a job that writes to `out`, and the checksums of an undisturbed run.
fn tiles() -> (Scratch, String) {
    let scratch = Scratch::new();
    for (year, tile) in [2010, 2015].into_iter().flat_map(|year| (0..4).map(move |tile| (year, tile))) {
        draw_tile(&scratch, year, tile);
    }
    scratch.write("reference.toml", &JOB.replace("OUTPUT", "reference"));
    scratch.write("job.toml", &JOB.replace("OUTPUT", "out"));
    scratch.ok(&["run", "reference.toml"]);
    let sums = sums(&scratch, "reference");
    (scratch, sums)
}

fn sums(scratch: &Scratch, output: &str) -> String {
    std::fs::read_to_string(scratch.path(&format!("{output}/SHA256SUMS"))).unwrap()
}

fn start(scratch: &Scratch, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_nalcms"))
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(scratch.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn end(child: Child) -> Run {
    Run::of(child.wait_with_output().unwrap())
}

fn json_of(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap()
}

fn parts(scratch: &Scratch) -> Vec<String> {
    let entries = std::fs::read_dir(scratch.path("out/.nalcms/parts")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".part")).collect();
    names.sort();
    names
}

/// The lines of the journals of `out`; one that is being written is none yet.
fn events(scratch: &Scratch) -> Vec<Value> {
    let journals = std::fs::read_dir(scratch.path("out/.nalcms/attempts")).unwrap();
    let text: String =
        journals.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits for something that a running process does.
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn shards_in_any_number_and_order_end_in_the_same_bytes() {
    let (scratch, reference) = tiles();
    scratch.ok(&["plan", "job.toml", "-o", "plan.json", "--shards", "3"]);
    scratch.ok(&["run", "plan.json", "--shard", "2"]);
    let status = json_of(&scratch.ok(&["status", "plan.json", "--json"]));
    assert_eq!((&status["done"], &status["todo_shards"]), (&1.into(), &serde_json::json!([0, 1])));
    assert_eq!(scratch.ok(&["status", "plan.json", "--array"]).stdout, "0-1\n");
    scratch.nalcms(&["merge", "plan.json"]).refused(3, &["3 of 4 tasks are not done", "rows 0..512"]);
    assert!(!scratch.path("out/SHA256SUMS").exists() && !scratch.path("out/landcover").exists());
    // Another number of shards goes on where this one stopped; most of seven shards have nothing to do.
    for shard in (0..7).rev() {
        scratch.ok(&["run", "job.toml", "--shard", &format!("{shard}/7")]);
    }
    assert_eq!(scratch.ok(&["status", "plan.json", "--array"]).stdout, "");
    for _ in 0..2 {
        scratch.ok(&["merge", "plan.json"]);
        assert_eq!(sums(&scratch, "out"), reference);
    }
    assert!(scratch.ok(&["run", "plan.json"]).stdout.contains("0 of 4 tasks computed, 4 kept"));
}

#[test]
fn an_element_of_an_array_that_is_submitted_again_does_what_it_did_the_first_time() {
    let (scratch, _) = tiles();
    scratch.ok(&["plan", "job.toml", "-o", "plan.json", "--shards", "4"]);
    let of_element = |variables: &[(&str, &str)]| {
        let _ = std::fs::remove_dir_all(scratch.path("out"));
        let run = end(start(&scratch, &["run", "plan.json", "--shard", "auto"], variables));
        assert_eq!(run.code, 0, "{}", run.stderr);
        parts(&scratch)
    };
    let counts = |count, least| [("SLURM_ARRAY_TASK_COUNT", count), ("SLURM_ARRAY_TASK_MIN", least)];
    let first = of_element(&[&[("SLURM_ARRAY_TASK_ID", "3")][..], &counts("4", "0")].concat());
    let again = of_element(&[&[("SLURM_ARRAY_TASK_ID", "3")][..], &counts("2", "3")].concat());
    assert_eq!((first.len(), &first), (1, &again));
    assert_eq!(first, of_element(&[("SGE_TASK_ID", "4")]));
    assert_eq!(first, of_element(&[("JOB_COMPLETION_INDEX", "3")]));
    let beyond =
        end(start(&scratch, &["run", "plan.json", "--shard", "auto"], &[("SLURM_ARRAY_TASK_ID", "4")]));
    beyond.refused(2, &["there is no such shard", "shard 4 of 4"]);
    let doubtful = [("SLURM_ARRAY_TASK_ID", "1"), ("AWS_BATCH_JOB_ARRAY_INDEX", "1")];
    end(start(&scratch, &["run", "plan.json", "--shard", "auto"], &doubtful))
        .refused(2, &["several schedulers"]);
    // How many elements were submitted this time is not how many shards there are.
    let job = end(start(&scratch, &["run", "job.toml", "--shard", "auto"], &[("SLURM_ARRAY_TASK_ID", "1")]));
    job.refused(2, &["how many shards there are is not known", "--shards N"]);
}

#[test]
fn many_runs_of_everything_at_once_end_in_the_same_bytes() {
    let (scratch, reference) = tiles();
    scratch.ok(&["plan", "job.toml", "-o", "plan.json", "--shards", "1"]);
    let runs: Vec<Child> = (0..16)
        .map(|_| start(&scratch, &["run", "plan.json", "--shard", "0", "--threads", "1"], &[]))
        .collect();
    for run in runs.into_iter().map(end) {
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    assert_eq!(parts(&scratch).len(), 4);
    // Of merges at once one may find the folder taken; that is said, and none of them leaves anything else.
    let merges: Vec<Child> = (0..4).map(|_| start(&scratch, &["merge", "plan.json"], &[])).collect();
    let merges: Vec<Run> = merges.into_iter().map(end).collect();
    assert!(merges.iter().any(|merge| merge.code == 0));
    for merge in merges.iter().filter(|merge| merge.code != 0) {
        merge.refused(4, &["another process is working in the output folder"]);
    }
    assert_eq!(sums(&scratch, "out"), reference);
    scratch.ok(&["verify", "out"]);
    let left = |folder: &str| {
        let entries = std::fs::read_dir(scratch.path(folder)).unwrap();
        entries
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|n| n.starts_with(".nalcms-"))
            .count()
    };
    assert_eq!(left("out/.nalcms") + left("out/.nalcms/parts") + left("out"), 0);
}

#[test]
fn a_plan_that_no_longer_holds_is_refused_and_says_why() {
    let (scratch, reference) = tiles();
    scratch.write("own.toml", &scratch.ok(&["crosswalk", "show", "nrcan-nalcms", "--toml"]).stdout);
    let job = JOB
        .replace("OUTPUT", "out")
        .replace("legend = \"nrcan\"", "legend = \"nrcan\"\ncrosswalk = \"own.toml\"");
    scratch.write("job.toml", &job);
    scratch.ok(&["plan", "job.toml", "-o", "plan.json", "--shards", "2"]);
    let plan = std::fs::read_to_string(scratch.path("plan.json")).unwrap();
    scratch.ok(&["plan", "job.toml", "-o", "plan.json", "--shards", "2"]);
    assert_eq!(plan, std::fs::read_to_string(scratch.path("plan.json")).unwrap(), "a plan has no clock");
    assert!(
        !plan.contains(&scratch.path("").display().to_string()),
        "a plan names no folder of this machine"
    );
    // Edited by hand.
    scratch.write("plan.json", &plan.replace("\"shards\": 2", "\"shards\": 4"));
    scratch.nalcms(&["run", "plan.json", "--shard", "0"]).refused(3, &["edited or damaged"]);
    // Another job's folder is not taken, which is told before it is tried.
    scratch.write("other.toml", &job.replace("name = \"tiles\"", "name = \"other\""));
    let told = scratch.ok(&["status", "other.toml"]).stdout;
    assert!(!told.contains("run will refuse"), "{told}");
    scratch.ok(&["run", "job.toml", "--shard", "0/9"]);
    let told = scratch.ok(&["status", "other.toml"]).stdout;
    assert!(told.contains("run will refuse: the output folder belongs to another job"), "{told}");
    // Made by another version: its checksum fits.
    let mut other: Value = serde_json::from_str(&plan).unwrap();
    (other["program"][0], other["plan_id"]) = ("0.0.9".into(), "".into());
    other["plan_id"] = nalcms::io::digest::sha256(other.to_string()).into();
    scratch.write("plan.json", &other.to_string());
    scratch.nalcms(&["run", "plan.json", "--shard", "0"]).refused(3, &["another version", "nalcms 0.0.9"]);
    scratch.write("plan.json", &plan);
    // A rule that changed.
    let own = std::fs::read_to_string(scratch.path("own.toml")).unwrap();
    let altered = own.replacen("to = 18", "to = 17", 1);
    assert_ne!(own, altered);
    scratch.write("own.toml", &altered);
    scratch.nalcms(&["run", "plan.json", "--shard", "0"]).refused(
        3,
        &["not what was planned", "what the codes of 2010_0.tif (source `s`, 2010) become changed"],
    );
    // A word of the outputs, and no cell.
    scratch.write("own.toml", &own.replacen("id = \"nrcan-nalcms\"", "id = \"renamed\"", 1));
    scratch
        .nalcms(&["merge", "plan.json"])
        .refused(3, &["not what was planned", "names, dates or what tables say of rules"]);
    scratch.write("own.toml", &own);
    // An input that changed: only the shards that read it are refused, and the merge.
    let tile = scratch.path("tiles/2010_3.tif");
    let bytes = std::fs::read(&tile).unwrap();
    std::fs::write(&tile, [&bytes[..], b"x"].concat()).unwrap();
    let shards = ["0", "1"].map(|shard| scratch.nalcms(&["run", "plan.json", "--shard", shard]));
    assert_eq!(shards.iter().filter(|run| run.code == 0).count(), 1);
    let refused = shards.iter().find(|run| run.code != 0).unwrap();
    refused.refused(3, &["inputs are not those of the plan", "2010_3.tif"]);
    scratch.nalcms(&["merge", "plan.json"]).refused(3, &["inputs are not those of the plan", "2010_3.tif"]);
    // The same bytes at another time are the same input.
    std::fs::write(&tile, bytes).unwrap();
    scratch.ok(&["run", "plan.json"]);
    assert_eq!(sums(&scratch, "out"), reference);
}

#[test]
fn status_names_what_made_tasks_stale() {
    let (scratch, _) = tiles();
    scratch.ok(&["run", "job.toml"]);
    let because = |job: &str| {
        scratch.write("job.toml", job);
        let status = json_of(&scratch.ok(&["status", "job.toml", "--json"]));
        let open = status["open"].as_array().unwrap();
        let causes = |task: &Value| -> Vec<String> {
            task["because"]
                .as_array()
                .unwrap()
                .iter()
                .map(|cause| cause.as_str().unwrap().to_string())
                .collect()
        };
        open.iter().map(|task| (task["index"].as_u64().unwrap(), causes(task))).collect::<BTreeMap<_, _>>()
    };
    let job = JOB.replace("OUTPUT", "out");
    assert_eq!(because(&job), BTreeMap::new());
    let all = |cause: &str| (0..4).map(|task| (task, vec![cause.to_string()])).collect::<BTreeMap<_, _>>();
    assert_eq!(because(&format!("tie = \"lowest\"{job}")), all("who wins a tie changed"));
    assert_eq!(
        because(&job.replace("task_cells = 512", "task_cells = 512\ncompression = \"zstd\"")),
        all("compute.compression changed")
    );
    std::fs::rename(scratch.path("tiles/2010_2.tif"), scratch.path("2010_2.tif")).unwrap();
    let gone = "2010_2.tif (source `s`, 2010) is no longer part of it".to_string();
    let named = because(&job);
    assert_eq!(named.keys().collect::<Vec<_>>(), [&2]);
    assert!(named[&2].contains(&gone), "{named:?}");
    std::fs::rename(scratch.path("2010_2.tif"), scratch.path("tiles/2010_2.tif")).unwrap();
    draw_tile(&scratch, 2015, 1);
    assert_eq!(because(&job), BTreeMap::new(), "the same bytes again");
    std::fs::copy(scratch.path("tiles/2010_1.tif"), scratch.path("tiles/2015_1.tif")).unwrap();
    assert_eq!(because(&job), [(1, vec!["2015_1.tif (source `s`, 2015) changed".to_string()])].into());
    assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("1 of 4 tasks computed, 3 kept"));
}

#[test]
fn a_changed_file_of_the_same_size_and_time_is_found_when_hashed_again() {
    let (scratch, _) = tiles();
    scratch.ok(&["run", "job.toml"]);
    let tile = scratch.path("tiles/2010_0.tif");
    let modified = std::fs::metadata(&tile).unwrap().modified().unwrap();
    let mut bytes = std::fs::read(&tile).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    std::fs::File::options().write(true).open(&tile).unwrap().set_modified(modified).unwrap();
    let status = json_of(&scratch.ok(&["status", "job.toml", "--rehash", "--json"]));
    assert_eq!(status["stale"], 1);
}

#[test]
fn what_a_plan_says_of_a_file_is_not_kept_as_if_it_had_been_read() {
    let (scratch, _) = tiles();
    let tile = scratch.path("tiles/2010_0.tif");
    let past = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    // Two editions of one size and time: nothing is compressed.
    let edition = |seed: u64| {
        std::fs::remove_file(&tile).unwrap();
        let drawing = Drawing { origin: (0.0, 0.0), options: &["TILED=YES"], ..Drawing::default() };
        drawing.plot(&tile, 512, 512, |row, col| patchy(row, col, seed, &CLASSES));
        std::fs::File::options().write(true).open(&tile).unwrap().set_modified(past).unwrap();
        std::fs::metadata(&tile).unwrap().len()
    };
    let bytes = edition(2010);
    scratch.ok(&["plan", "job.toml", "-o", "plan.json"]);
    assert_eq!(edition(77), bytes);
    scratch.ok(&["run", "plan.json"]);
    assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("1 of 4 tasks computed, 3 kept"));
    scratch.ok(&["run", "reference.toml"]);
    assert_eq!(sums(&scratch, "out"), sums(&scratch, "reference"));
}

/// Overwrites the cells of a tile; its header stays.
fn poison(scratch: &Scratch, tile: &str) -> Vec<u8> {
    let path = scratch.path(tile);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..600], &vec![0xAA; whole.len() - 600]].concat()).unwrap();
    whole
}

#[test]
fn a_poisoned_tile_fails_its_own_task_and_what_there_is_may_be_published() {
    let (scratch, reference) = tiles();
    let whole = poison(&scratch, "tiles/2015_1.tif");
    let run = scratch.nalcms(&["run", "job.toml", "--shard", "0/1", "--retries", "1"]);
    run.refused(
        1,
        &["INCOMPLETE: 1 of 4 tasks failed; the others are done", "columns 512..1024", "2015_1.tif"],
    );
    let status = scratch.ok(&["status", "job.toml"]).stdout;
    assert!(
        status.contains("3 done") && status.contains("1 failed") && status.contains("2015_1.tif"),
        "{status}"
    );
    let events = events(&scratch);
    let failed: Vec<&Value> = events.iter().filter(|event| event["outcome"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{events:?}");
    assert_eq!(
        (&failed[0]["tries"], &failed[0]["task"], &failed[0]["sources"]),
        (&2.into(), &1.into(), &serde_json::json!(["s"]))
    );
    // Only on demand, and stamped.
    scratch
        .nalcms(&["merge", "job.toml"])
        .refused(3, &["1 of 4 tasks are not done", "failed when last tried"]);
    let run = scratch.nalcms(&["run", "job.toml", "--retries", "0", "--allow-incomplete"]);
    run.refused(1, &["INCOMPLETE", "2015_1.tif"]);
    assert!(run.stdout.contains("INCOMPLETE: 1 tasks are missing"), "{}", run.stdout);
    assert!(scratch.ok(&["status", "job.toml"]).stdout.contains("in place, stamped as incomplete"));
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(scratch.path("out/run.json")).unwrap()).unwrap();
    assert_eq!(manifest["complete"], false);
    assert_eq!(manifest["missing"], serde_json::json!(["task at rows 0..512, columns 512..1024"]));
    let raster = "landcover/tiles_landcover_2010_30m.tif";
    let (found, right) = (
        cells(&scratch.path(&format!("out/{raster}"))),
        cells(&scratch.path(&format!("reference/{raster}"))),
    );
    for (at, (found, right)) in found.iter().zip(&right).enumerate() {
        let is_missing = at / 1024 < 512 && at % 1024 >= 512;
        assert_eq!(*found, if is_missing { 0 } else { *right }, "cell {at}");
    }
    let tags = std::fs::read(scratch.path(&format!("out/{raster}"))).unwrap();
    assert!(tags.windows(17).any(|bytes| bytes == b"NALCMS_INCOMPLETE"));
    let excluded = scratch.csv("out/tables/excluded.csv");
    assert_eq!(excluded.sum("pixels", &[("zone_layer", "all"), ("side", "to")]), 0);
    let area = scratch.csv("out/tables/class_area.csv");
    assert_eq!(area.sum("pixels", &[("zone_layer", "all"), ("year", "2010")]), 3 * 512 * 512);
    let verify = scratch.nalcms(&["verify", "out"]);
    assert_eq!(verify.code, 1, "{}", verify.stdout);
    let findings: Vec<&str> = verify.stdout.lines().filter(|line| line.starts_with("  ")).collect();
    assert!(findings.len() == 1 && findings[0].contains("incomplete"), "{}", verify.stdout);
    // Mended, only that task is done, and the stamp is gone.
    std::fs::write(scratch.path("tiles/2015_1.tif"), whole).unwrap();
    assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("1 of 4 tasks computed, 3 kept"));
    assert_eq!(sums(&scratch, "out"), reference);
    scratch.ok(&["verify", "out"]);
}

/// A map that reaches beyond the grid is read there, too, to count what is dropped.
#[test]
fn a_poisoned_map_that_reaches_beyond_the_grid_fails_the_tasks_under_it_alone() {
    let scratch = Scratch::new();
    let options: &[&str] = &["TILED=YES", "COMPRESS=DEFLATE"];
    for year in [2010, 2015] {
        for (name, col, cols) in [("a", 0, 512), ("b", 512, 1024)] {
            let drawing = Drawing { origin: (30.0 * f64::from(col), 0.0), options, ..Drawing::default() };
            let seed = (year % 7 + col) as u64;
            drawing.plot(&scratch.path(&format!("{name}_{year}.tif")), 512, cols, |row, col| {
                patchy(row, col, seed, &CLASSES)
            });
        }
    }
    let job = JOB
        .replace("shape = [1024, 1024]", "shape = [512, 1024]\noutside_grid = \"drop\"")
        .replace("tiles/2010_*.tif", "?_2010.tif")
        .replace("tiles/2015_*.tif", "?_2015.tif");
    scratch.write("job.toml", &job.replace("OUTPUT", "out"));
    scratch.write("whole.toml", &job.replace("OUTPUT", "whole"));
    let told = scratch.ok(&["run", "whole.toml"]).stderr;
    assert!(told.contains("b_2015.tif: 262144 valid cells lie outside the grid"), "{told}");
    let sound = poison(&scratch, "b_2015.tif");
    scratch
        .nalcms(&["run", "job.toml", "--retries", "0"])
        .refused(1, &["INCOMPLETE: 1 of 2 tasks failed; the others are done", "b_2015.tif"]);
    let status = scratch.ok(&["status", "job.toml"]).stdout;
    assert!(status.contains("1 done") && status.contains("1 failed"), "{status}");
    for verb in [&["run", "job.toml", "--retries", "0"][..], &["merge", "job.toml"]] {
        let run = scratch.nalcms(&[verb, &["--allow-incomplete"]].concat());
        assert_eq!(run.code, 1, "{}", run.stderr);
        assert!(run.stdout.contains("INCOMPLETE: 1 tasks are missing"), "{}", run.stdout);
        assert!(
            verb[0] == "merge" || run.stderr.contains("what lies outside the grid was not counted"),
            "{}",
            run.stderr
        );
    }
    std::fs::write(scratch.path("b_2015.tif"), sound).unwrap();
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(sums(&scratch, "out"), sums(&scratch, "whole"));
}

/// A code that nothing explains leaves a gap that may be published; a disk that refuses does not, and is told.
#[test]
fn a_disk_that_refuses_is_not_hidden_by_a_wrong_input() {
    let (scratch, _) = tiles();
    let drawing = Drawing { options: &["TILED=YES", "COMPRESS=DEFLATE"], ..Drawing::default() };
    drawing.plot(&scratch.path("tiles/2015_0.tif"), 512, 512, |_, _| 99);
    // Where the part of another task would go.
    std::fs::create_dir_all(scratch.path("out/.nalcms/parts/000000_000001.part/x")).unwrap();
    let run = scratch.nalcms(&["run", "job.toml", "--allow-incomplete"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(!scratch.path("out/landcover").exists());
    std::fs::remove_dir_all(scratch.path("out/.nalcms/parts/000000_000001.part")).unwrap();
    let run = scratch.nalcms(&["run", "job.toml", "--allow-incomplete"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.contains("INCOMPLETE: 1 tasks are missing"), "{}", run.stdout);
}

/// A map in wide strips makes tasks wide and low: of the same place, a part of another shape is another part.
#[test]
fn parts_of_tasks_of_another_shape_are_done_again() {
    let scratch = Scratch::new();
    let draw = |name: &str, col: usize, cols: usize, options: &[&str]| {
        let drawing = Drawing { origin: (30.0 * col as f64, 0.0), options, ..Drawing::default() };
        drawing.plot(&scratch.path(name), 400, cols, |row, at| patchy(row, col + at, 3, &CLASSES));
    };
    let tiled: &[&str] = &["TILED=YES", "COMPRESS=DEFLATE"];
    draw("a_2010.tif", 0, 8100, &["COMPRESS=DEFLATE"]);
    draw("b_2010.tif", 8100, 392, tiled);
    let job = JOB
        .replace("shape = [1024, 1024]", "shape = [400, 8492]")
        .replace("task_cells = 512", "task_cells = 1024")
        .replace("tiles/2010_*.tif", "?_2010.tif")
        .replace("2015 = \"tiles/2015_*.tif\"\n", "");
    scratch.write("job.toml", &job.replace("OUTPUT", "out"));
    scratch.write("fresh.toml", &job.replace("OUTPUT", "fresh"));
    scratch.ok(&["run", "job.toml"]);
    let strips = sums(&scratch, "out");
    draw("a_2010.tif", 0, 8100, tiled);
    scratch.ok(&["run", "job.toml"]);
    scratch.ok(&["run", "fresh.toml"]);
    assert_eq!(sums(&scratch, "out"), sums(&scratch, "fresh"));
    assert_eq!(sums(&scratch, "out"), strips, "the same cells are the same bytes");
    draw("a_2010.tif", 0, 8100, &["COMPRESS=DEFLATE"]);
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(sums(&scratch, "out"), strips);
}

/// A map that meets no task decides nothing, but what of it lies outside is judged, in a finished job too.
#[test]
fn a_map_that_comes_and_lies_off_the_grid_is_judged_though_no_task_meets_it() {
    let (scratch, reference) = tiles();
    scratch.ok(&["run", "job.toml"]);
    let far = Drawing { origin: (3e6, 0.0), ..Drawing::default() };
    far.plot(&scratch.path("tiles/2010_9.tif"), 100, 100, |_, _| 1);
    for verb in ["run", "merge"] {
        scratch.nalcms(&[verb, "job.toml"]).refused(3, &["valid cells fall outside", "2010_9.tif: 10000 px"]);
    }
    assert_eq!(sums(&scratch, "out"), reference);
    far.plot(&scratch.path("tiles/2010_9.tif"), 100, 100, |_, _| 0);
    assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("0 of 4 tasks computed"));
    std::fs::remove_file(scratch.path("tiles/2010_9.tif")).unwrap();
    scratch.ok(&["run", "job.toml"]);
    assert_eq!(sums(&scratch, "out"), reference);
}

/// Two spellings of one CRS place cells alike; what GeoTIFFs say of it differs.
#[test]
fn another_wording_of_the_grids_crs_writes_the_rasters_anew_and_no_part() {
    let scratch = Scratch::new();
    let wkt = gdal::spatial_ref::SpatialRef::from_definition("EPSG:5070").unwrap().to_wkt().unwrap();
    let without_id = wkt.replace(",AUTHORITY[\"EPSG\",\"5070\"]", "");
    assert_ne!(wkt, without_id);
    let albers = Drawing { srs: Some("EPSG:5070"), ..Drawing::default() };
    for year in [2010, 2015] {
        albers.plot(&scratch.path(&format!("tiles/{year}_0.tif")), 512, 512, |row, col| {
            patchy(row, col, year, &CLASSES)
        });
    }
    let job = |crs: &str, output: &str| {
        let line = "crs = \"+proj=laea +lat_0=45 +lon_0=-100 +datum=WGS84\"";
        let quotes = "'".repeat(3);
        JOB.replace(line, &format!("crs = {quotes}{crs}{quotes}"))
            .replace("[1024, 1024]", "[512, 512]")
            .replace("OUTPUT", output)
    };
    scratch.write("job.toml", &job("EPSG:5070", "out"));
    scratch.ok(&["run", "job.toml"]);
    let named = sums(&scratch, "out");
    scratch.write("job.toml", &job(&without_id, "out"));
    let told = scratch.ok(&["run", "job.toml"]).stdout;
    assert!(told.contains("0 of 1 tasks computed"), "{told}");
    scratch.write("fresh.toml", &job(&without_id, "fresh"));
    scratch.ok(&["run", "fresh.toml"]);
    assert_eq!(sums(&scratch, "out"), sums(&scratch, "fresh"));
    assert_ne!(sums(&scratch, "out"), named);
}

#[test]
fn the_first_failure_ends_a_run_that_is_told_so() {
    let (scratch, _) = tiles();
    poison(&scratch, "tiles/2010_0.tif");
    let run = scratch.nalcms(&["run", "job.toml", "--threads", "1", "--retries", "0", "--fail-fast"]);
    run.refused(1, &["1 of 4 tasks failed; 3 were not tried"]);
    assert_eq!(parts(&scratch).len(), 0);
}

#[test]
fn codes_that_nothing_explains_are_told_in_status_too() {
    let (scratch, _) = tiles();
    let drawing = Drawing::default();
    drawing.plot(&scratch.path("tiles/2010_0.tif"), 512, 512, |_, _| 77);
    scratch.nalcms(&["run", "job.toml", "--shard", "0/1"]).refused(3, &["77 (262144 px)", "2010_0.tif"]);
    let status = scratch.ok(&["status", "job.toml"]).stdout;
    assert!(
        status.contains("3 done") && status.contains("1 failed") && status.contains("77 (262144 px)"),
        "{status}"
    );
}

#[test]
fn a_file_that_comes_back_is_read_and_one_that_changes_is_not_mixed() {
    let (scratch, reference) = tiles();
    // Gone while tasks are tried, and back before they give up.
    let away = |from: &str, to: &str| std::fs::rename(scratch.path(from), scratch.path(to)).unwrap();
    let is_begun = || {
        std::fs::read_dir(scratch.path("out/.nalcms/attempts"))
            .is_ok_and(|mut entries| entries.next().is_some())
    };
    // The last task: with one thread it is begun after three others.
    let run = start(&scratch, &["run", "job.toml", "--threads", "1", "--retries", "4"], &[]);
    wait_for("the first task", is_begun);
    away("tiles/2015_3.tif", "2015_3.tif");
    wait_for("the last task", || events(&scratch).iter().any(|e| e["event"] == "begin" && e["task"] == 3));
    std::thread::sleep(Duration::from_millis(300));
    away("2015_3.tif", "tiles/2015_3.tif");
    let run = end(run);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let tried = events(&scratch).into_iter().find(|e| e["event"] == "task" && e["task"] == 3).unwrap();
    assert!(tried["tries"].as_u64().unwrap() > 1, "{tried}");
    assert_eq!(sums(&scratch, "out"), reference);
    // Another file in its place: the task fails rather than mixing the two, and the next run goes by the new one.
    std::fs::remove_dir_all(scratch.path("out")).unwrap();
    let run = start(&scratch, &["run", "job.toml", "--threads", "1", "--retries", "0"], &[]);
    wait_for("the first task", is_begun);
    std::fs::copy(scratch.path("tiles/2010_3.tif"), scratch.path("new.tif")).unwrap();
    away("new.tif", "tiles/2015_3.tif");
    end(run).refused(1, &["an input was removed or changed while the job ran", "2015_3.tif"]);
    scratch.ok(&["run", "job.toml"]);
    scratch.write("fresh.toml", &JOB.replace("OUTPUT", "fresh"));
    scratch.ok(&["run", "fresh.toml"]);
    assert_eq!(sums(&scratch, "out"), sums(&scratch, "fresh"));
    assert_ne!(sums(&scratch, "out"), reference);
}

#[test]
fn a_part_of_another_job_or_of_another_place_is_done_again() {
    let (scratch, reference) = tiles();
    scratch.ok(&["run", "job.toml"]);
    let part = |output: &str, name: &str| scratch.path(&format!("{output}/.nalcms/parts/{name}.part"));
    std::fs::copy(part("out", "000000_000001"), part("out", "000001_000000")).unwrap();
    scratch.write("other.toml", &format!("tie = \"lowest\"{}", JOB.replace("OUTPUT", "other")));
    scratch.ok(&["run", "other.toml"]);
    std::fs::copy(part("other", "000000_000000"), part("out", "000000_000000")).unwrap();
    let status = scratch.ok(&["status", "job.toml"]).stdout;
    assert!(status.contains("2 done") && status.contains("2 stale"), "{status}");
    assert!(
        status.contains("the cells of the task changed") && status.contains("who wins a tie changed"),
        "{status}"
    );
    // Clocks that are wrong have no say.
    let past = std::time::UNIX_EPOCH + Duration::from_secs(1);
    for name in ["000000_000001", "000001_000001"] {
        std::fs::File::options().write(true).open(part("out", name)).unwrap().set_modified(past).unwrap();
    }
    assert!(scratch.ok(&["run", "job.toml"]).stdout.contains("2 of 4 tasks computed, 2 kept"));
    assert_eq!(sums(&scratch, "out"), reference);
}

#[test]
fn a_shard_ends_with_the_process_that_started_it() {
    let (scratch, reference) = tiles();
    // A shell that starts a shard and is killed.
    let program = Path::new(env!("CARGO_BIN_EXE_nalcms")).display();
    let script =
        format!("'{program}' run job.toml --shard 0/1 --threads 1 --die-with-parent & echo $! > pid; wait");
    let mut shell = Command::new("sh").args(["-c", &script]).current_dir(scratch.path("")).spawn().unwrap();
    wait_for("the shard", || scratch.path("pid").exists() && scratch.path("out/.nalcms/attempts").exists());
    let pid = std::fs::read_to_string(scratch.path("pid")).unwrap().trim().to_string();
    let signal =
        |name: &str| Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap();
    // Held, so that it is at work when the shell ends; a shard that is not told would go on to its end.
    signal("STOP");
    shell.kill().unwrap();
    shell.wait().unwrap();
    signal("CONT");
    let stat = format!("/proc/{pid}/stat");
    wait_for("its end", || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z ")));
    assert!(parts(&scratch).len() < 4);
    assert!(!scratch.path("out/SHA256SUMS").exists());
    scratch.ok(&["run", "job.toml", "--metrics", "metrics.prom", "--quiet"]);
    assert_eq!(sums(&scratch, "out"), reference);
    let metrics = std::fs::read_to_string(scratch.path("metrics.prom")).unwrap();
    assert!(metrics.contains("nalcms_run_complete{job=\"tiles\"} 1\n"), "{metrics}");
    let figure = |state: &str| -> usize {
        let start = format!("nalcms_tasks{{job=\"tiles\",state=\"{state}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
    };
    assert_eq!((figure("kept") + figure("done"), figure("failed"), figure("to_do")), (4, 0, 0));
}

#[test]
fn a_log_of_json_objects_is_nothing_but_that() {
    let (scratch, _) = tiles();
    poison(&scratch, "tiles/2010_0.tif");
    let run = scratch.nalcms(&["run", "job.toml", "--log-format", "json", "--retries", "0"]);
    assert_eq!(run.code, 1);
    let lines: Vec<Value> = run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let tasks: Vec<&Value> = lines.iter().filter(|line| line["event"] == "task").collect();
    assert_eq!(tasks.len(), 4);
    assert!(
        tasks.iter().all(|task| task["cells"] == 2 * 512 * 512 && task["seconds"].as_f64().unwrap() > 0.0)
    );
    let error = lines.iter().find(|line| line["level"] == "error").unwrap();
    assert_eq!((&error["kind"], &error["exit_code"]), (&"incomplete".into(), &1.into()));
}
