//! What the bytes of the inputs are: SHA-256 of each file, read again only where path, size, times or inode changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;

use super::shard::Share;
use super::strata::StratumLayer;
use super::zones::CountedLayer;
use super::{JobPlan, Plan, Scene};
use crate::error::{Error, ErrorKind, Result};
use crate::io::atomic::{io_error, write_bytes};
use crate::io::digest::sha256_file;
use crate::io::gdal::remote;
use crate::io::place::is_remote;
use crate::io::seen::{self, FileState};

/// A file that changed so shortly before it was hashed may change again without a sign: its hash is not kept.
const UNSETTLED_SECONDS: i64 = 2;

/// Which hashes are wanted, and what is known of them already.
#[derive(Debug, Clone, Copy)]
pub struct HashRequest<'a> {
    /// Where hashes are kept from run to run.
    pub cache: &'a Path,
    /// Whether every file is read again, whatever is known.
    pub rehash: bool,
    /// The tasks whose inputs are asked for; layers that all tasks share are always hashed.
    pub share: &'a Share,
    /// What a plan file says of each file, by its [`plain`] path.
    pub planned: Option<&'a BTreeMap<PathBuf, PlannedInput>>,
}

/// A path without the `./` that says nothing: some ways to a file have it and some have not.
pub fn plain(path: &Path) -> PathBuf {
    if is_remote(path) {
        return path.to_path_buf();
    }
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// What a plan file says of an input.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedInput {
    /// Size, in bytes.
    pub bytes: u64,
    /// When it was modified: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// A file as it was when its bytes were read.
#[derive(Debug, Clone)]
struct Input {
    /// Under which its hash is kept.
    stamp: String,
    state: FileState,
    sha256: String,
    /// Whether this program read these bytes, now or before. A plan made elsewhere knows a file by size and time of modification alone,
    /// which another edition may share.
    is_read: bool,
}

/// SHA-256 of the input files of a plan.
#[derive(Debug, Clone, Default)]
pub struct InputHashes(BTreeMap<PathBuf, Input>);

impl InputHashes {
    /// Hashes the inputs that are asked for.
    ///
    /// # Errors
    /// Io: an input cannot be read. Input: one is not what the plan file says; all such are named. Terminated, Interrupted:
    /// stopped.
    pub fn of(plan: &JobPlan, request: &HashRequest) -> Result<Self> {
        let begun = chrono::Utc::now().timestamp();
        let known = cached(request.cache);
        let hashed: BTreeMap<PathBuf, Input> = input_files(plan, request.share)
            .into_par_iter()
            .map(|path| {
                let input = read(&path, &known, request)?;
                Ok((path, input))
            })
            .collect::<Result<_>>()?;
        refuse_unplanned(&hashed, request.planned)?;
        let settled = |input: &&Input| input.is_read && input.state.modified.0 + UNSETTLED_SECONDS < begun;
        let local = hashed.iter().filter(|(path, _)| !is_remote(path)).map(|(_, input)| input);
        keep(request.cache, known, local.filter(settled));
        Ok(Self(hashed))
    }

    /// The hash of a file; nothing of a file that was not asked for.
    pub fn get(&self, path: &Path) -> &str {
        self.0.get(path).map_or("", |input| &input.sha256)
    }

    /// The hashes of several files.
    pub fn all<'a>(&'a self, paths: &'a [PathBuf]) -> Vec<&'a str> {
        paths.iter().map(|path| self.get(path)).collect()
    }

    /// Whether files still are what was hashed, as far as size, times and inode tell.
    ///
    /// # Errors
    /// Transient: one is gone or was written to.
    pub fn refuse_changed<'a>(&self, paths: impl Iterator<Item = &'a PathBuf>) -> Result<()> {
        let (remote, local): (Vec<_>, Vec<_>) = paths.partition(|path| is_remote(path));
        remote.into_iter().try_for_each(|path| remote::refuse_changed(path).map(drop))?;
        let is_changed = |path: &&PathBuf| {
            let now = std::fs::metadata(path).ok().as_ref().map(FileState::of);
            let known = self.0.get(*path).map(|input| input.state);
            known.is_some() && now != known
        };
        let changed: Vec<String> =
            local.into_iter().filter(is_changed).map(|path| path.display().to_string()).collect();
        if changed.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Transient, "an input was removed or changed while the job ran")
            .found_all(changed)
            .expected("the file as it was when the run began")
            .help("put the right file in its place and run again"))
    }

    /// What a plan file is to say of each file.
    pub fn planned(&self) -> BTreeMap<PathBuf, PlannedInput> {
        let planned = |(path, input): (&PathBuf, &Input)| {
            let FileState { bytes, modified, .. } = input.state;
            (path.clone(), PlannedInput { bytes, modified, sha256: input.sha256.clone() })
        };
        self.0.iter().map(planned).collect()
    }
}

fn read(path: &Path, known: &BTreeMap<String, String>, request: &HashRequest) -> Result<Input> {
    if is_remote(path) {
        return read_remote(path);
    }
    let metadata = std::fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::input("no such file")
            .at(path.display())
            .help("it was there a moment ago: put it back and run again"),
        _ => io_error("an input cannot be read", path, &e),
    })?;
    let (stamp, state) = (stamp(path, &metadata), FileState::of(&metadata));
    if seen::has_changed(path, state) {
        return Err(Error::new(ErrorKind::Transient, "an input changed while the job was planned")
            .at(path.display())
            .help("run again when nobody writes to it"));
    }
    let planned = request.planned.and_then(|planned| planned.get(&plain(path)));
    let planned =
        planned.filter(|planned| (planned.bytes, planned.modified) == (state.bytes, state.modified));
    let of_plan = planned.map(|planned| &planned.sha256);
    let told = known.get(&stamp).or(of_plan).filter(|_| !request.rehash);
    let sha256 = match told {
        Some(hash) => hash.clone(),
        None => sha256_file(path)?,
    };
    let is_read = told.is_none() || known.contains_key(&stamp);
    Ok(Input { stamp, state, sha256, is_read })
}

/// What stands for the bytes of a remote file: what its server says of it, where that tells versions apart.
fn read_remote(path: &Path) -> Result<Input> {
    let sha256 = remote::identity_of(path)?;
    Ok(Input {
        stamp: String::new(),
        state: FileState { bytes: remote::first_stamp(path)?.bytes, modified: (0, 0), inode: 0 },
        sha256,
        is_read: false,
    })
}

fn refuse_unplanned(
    hashed: &BTreeMap<PathBuf, Input>,
    planned: Option<&BTreeMap<PathBuf, PlannedInput>>,
) -> Result<()> {
    let Some(planned) = planned else { return Ok(()) };
    let fault = |(path, input): (&PathBuf, &Input)| match planned.get(&plain(path)) {
        None => Some(format!("{}: the plan does not know it", path.display())),
        Some(known) if known.sha256 != input.sha256 => Some(format!(
            "{}: {} bytes, planned were {} others",
            path.display(),
            input.state.bytes,
            known.bytes
        )),
        Some(_) => None,
    };
    let faults: Vec<String> = hashed.iter().filter_map(fault).collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::input("inputs are not those of the plan")
        .found_all(faults)
        .expected("the files as they were when the plan was made")
        .help("put them back, or make a new plan: nalcms plan JOB.toml -o PLAN.json"))
}

/// The files whose bytes can change a byte of the parts of some tasks.
fn input_files(plan: &JobPlan, share: &Share) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for grid in &plan.grids {
        files.extend(shared_files(grid));
        for task in grid.tasks.iter().filter(|task| share.holds(task.index)) {
            let scenes = grid.scenes_of(task);
            scenes.for_each(|scene| files.extend(scene_files(scene).cloned()));
        }
        // Maps that meet no task have cells outside the grid, which whoever works on all of the job counts.
        if matches!(share, Share::All) {
            let scenes = grid.epochs.iter().flat_map(|epoch| &epoch.scenes);
            scenes.for_each(|scene| files.extend(scene_files(scene).cloned()));
        }
    }
    files
}

/// The files of layers that may meet any task of a grid.
pub fn shared_files(grid: &Plan) -> impl Iterator<Item = PathBuf> {
    let zones = grid.zones.iter().filter_map(CountedLayer::raster).map(|raster| &raster.header);
    let officials = grid.officials.iter().flat_map(|map| &map.rasters).map(|raster| &raster.header);
    let rasters = zones.chain(officials).flat_map(|header| header.files.clone());
    let layers = grid.polygon_layers().flat_map(|polygons| polygons.files.clone());
    let masks = grid.overlays.masks().flat_map(|mask| mask.files().to_vec());
    rasters.chain(layers).chain(masks)
}

/// The files of a scene: the map, the masks of an update, strata in rasters.
pub fn scene_files(scene: &Scene) -> impl Iterator<Item = &PathBuf> {
    let strata = scene.strata.iter().filter_map(StratumLayer::raster).map(|stratum| &stratum.raster.header);
    let masks = scene.mask.iter().chain(&scene.mask_above).map(|mask| &mask.header);
    std::iter::once(&scene.header).chain(masks).chain(strata).flat_map(|header| &header.files)
}

/// A change of the file changes this: the time of its last change too, which nobody can set back as they can that of its
/// modification.
fn stamp(path: &Path, metadata: &Metadata) -> String {
    let modified = (metadata.mtime(), metadata.mtime_nsec());
    let changed = (metadata.ctime(), metadata.ctime_nsec());
    format!(
        "{} {} {}.{} {}.{} {}",
        path.display(),
        metadata.len(),
        modified.0,
        modified.1,
        changed.0,
        changed.1,
        metadata.ino()
    )
}

fn cached(path: &Path) -> BTreeMap<String, String> {
    let bytes = std::fs::read(path).ok();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Keeps hashes for the next run. Shards of one job keep theirs in one file: what others kept stays, unless the file they
/// are about has another hash now.
fn keep<'a>(cache: &Path, known: BTreeMap<String, String>, inputs: impl Iterator<Item = &'a Input>) {
    let fresh: BTreeMap<String, String> =
        inputs.map(|input| (input.stamp.clone(), input.sha256.clone())).collect();
    if fresh.iter().all(|(stamp, hash)| known.get(stamp) == Some(hash)) {
        return;
    }
    let path_of = |stamp: &str| stamp.rsplitn(5, ' ').last().map(str::to_string);
    let replaced: BTreeSet<Option<String>> = fresh.keys().map(|stamp| path_of(stamp)).collect();
    let mut all = known;
    all.retain(|stamp, _| !replaced.contains(&path_of(stamp)));
    all.extend(fresh);
    if let Ok(bytes) = serde_json::to_vec_pretty(&all)
        && cache.parent().is_some_and(Path::is_dir)
    {
        // A cache that cannot be kept costs time, no more: `status` may look at the folder of somebody else.
        let _ = write_bytes(cache, &bytes);
    }
}
