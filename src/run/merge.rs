//! Merge: parts become mosaics and tables. Blocks are copied; only overview blocks larger than a task are encoded.
//!
//! Everything is made in a staging folder and put in place when all of it is there. SHA256SUMS goes last: a folder
//! without it is not finished.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView1, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::encode::{CellStore, new_encoder};
use super::ledger::{Ledger, TaskState};
use super::parts::{GridParts, added_up};
use super::{stand_in, task_words, work_folder};
use crate::config::job::SourceMap;
use crate::config::zones::ZoneLayer;
use crate::error::{Error, Result};
use crate::io::atomic::{
    AtomicFile, io_error, make_folder, publish, sync_folder, temporary_folder, write_bytes,
};
use crate::io::cog::{BlockDecoder, BlockEncoder, BlockStore, CogSpec, LevelShape, SampleType, assemble};
use crate::io::digest::{CHECKSUMS, sha256, sha256_file};
use crate::io::gdal::{ProductTags, template_tags};
use crate::io::pam::pam_xml;
use crate::io::part::{Part, PartReader};
use crate::io::quicklook::write_quicklook;
use crate::io::stop;
use crate::io::table::write_table;
use crate::kernel::pyramid::{BLOCK_LEVELS, mean, mode};
use crate::model::fraction::{FRACTION_SCALE, Fraction};
use crate::model::legend::Language;
use crate::model::window::{BLOCK, Window};
use crate::plan::comparability::refuse_nothing_left;
use crate::plan::{JobPlan, Plan, Product};
use crate::report::attributes::{attributes, palette};
use crate::report::officials;
use crate::report::release::refuse_unaccepted;
use crate::report::table;
use crate::report::totals::Totals;
use crate::report::{comparability, overlays};

/// Overview blocks that are encoded at a time, a bound on memory.
const SPOOL_CHUNK: usize = 64;

/// What merge has put in place.
#[derive(Debug)]
pub struct Merged {
    /// Files below the output folder, sorted, with their SHA-256.
    pub files: BTreeMap<String, String>,
    /// Sums over all tasks.
    pub totals: Totals,
    /// Whether everything was in place already.
    pub unchanged: bool,
    /// Valid source cells that fall outside the grid, by file; only those dropped on purpose.
    pub outside: BTreeMap<PathBuf, u64>,
}

/// Assembles all parts of a plan into its outputs.
///
/// `outside` holds the cells outside the grid, where the caller has counted them; `provenance` writes run.json, before
/// SHA256SUMS says that all is there, and mends it where everything is in place already.
///
/// # Errors
/// Input: parts are missing or stale, or a release rests on rows that nobody accepted; they are named. Io: the disk refuses; then outputs are as they were.
pub fn merge(
    plan: &JobPlan,
    ledger: &Ledger,
    output: &Path,
    outside: Option<BTreeMap<PathBuf, u64>>,
    provenance: impl FnOnce(&Merged) -> Result<()>,
) -> Result<Merged> {
    refuse_nothing_left(&plan.job, &plan.comparability)?;
    refuse_gaps(plan, ledger)?;
    let grids: Vec<GridParts> =
        plan.grids.iter().map(|grid| GridParts::open(plan, grid, ledger)).collect::<Result<_>>()?;
    refuse_unaccepted(plan, grids.iter().map(|grid| &grid.totals))?;
    let record_path = record_path(output);
    let identity = identity(plan, ledger);
    if let Some(record) = in_place(&identity, output).filter(|record| record.is_intact(output)) {
        let outside = record.outside.into_iter().map(|(path, cells)| (PathBuf::from(path), cells)).collect();
        let totals = added_up(grids)?;
        let merged = Merged { files: record.files, totals, unchanged: true, outside };
        provenance(&merged)?;
        return Ok(merged);
    }
    let outside = outside.map_or_else(|| super::outside::count(plan), Ok)?;
    // A name of its own: where a file system has no locks, two merges may be at work, and leave the same bytes.
    let staging_folder = temporary_folder(&work_folder(output))?;
    let staging = staging_folder.path();
    let mut names = Vec::new();
    for GridParts { plan, parts, totals } in &grids {
        for (position, &product) in plan.products.iter().enumerate() {
            stop::check()?;
            names.extend(write_raster(plan, parts, totals, position, product, staging)?);
        }
    }
    let totals = added_up(grids)?;
    if plan.job.products.tables {
        let context = table::Context::new(plan, &totals);
        for mut table in table::all(&context) {
            if !totals.missing.is_empty() {
                table.notes.push((
                    "incomplete".into(),
                    format!("missing, and nodata here: {}", totals.missing.join("; ")),
                ));
            }
            let written = write_table(&staging.join("tables"), &table)?;
            names.extend(written.into_iter().map(|name| format!("tables/{name}")));
        }
    }
    let files = put_in_place(&names, staging, output, &record_path)?;
    let merged = Merged { files, totals, unchanged: false, outside };
    provenance(&merged)?;
    write_bytes(&output.join(CHECKSUMS), checksums(&merged.files).as_bytes())?;
    let outside = merged.outside.iter().map(|(path, cells)| (path.display().to_string(), *cells)).collect();
    Record { identity: Some(identity), files: merged.files.clone(), outside }.write(&record_path)?;
    stand_in::forget(output);
    Ok(merged)
}

/// Whether an earlier merge of just this left its outputs, and all are there; whether they are still intact is not looked at.
pub fn is_in_place(plan: &JobPlan, ledger: &Ledger, output: &Path) -> bool {
    let record = in_place(&identity(plan, ledger), output);
    record.is_some_and(|record| record.files.keys().all(|name| output.join(name).is_file()))
}

/// What a merge notes of itself.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Record {
    /// Of the plan; none before all files are in place.
    identity: Option<String>,
    /// Which files are ours, with their checksums.
    files: BTreeMap<String, String>,
    /// Valid source cells outside the grid, by file.
    outside: BTreeMap<String, u64>,
}

impl Record {
    fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    fn write(&self, path: &Path) -> Result<()> {
        let bytes = serde_json::to_vec(self).map_err(|e| Error::bug(e.to_string()))?;
        write_bytes(path, &bytes)
    }

    fn is_intact(&self, output: &Path) -> bool {
        self.files.iter().all(|(name, hash)| sha256_file(&output.join(name)).is_ok_and(|h| h == *hash))
    }
}

fn record_path(output: &Path) -> PathBuf {
    work_folder(output).join("merged.json")
}

fn checksums(files: &BTreeMap<String, String>) -> String {
    files.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect()
}

fn refuse_gaps(plan: &JobPlan, ledger: &Ledger) -> Result<()> {
    let gaps: Vec<String> = plan
        .tasks()
        .filter(|(_, task)| ledger.state(task) != TaskState::Done)
        .map(|(grid, task)| format!("{}: {}", task_words(grid, task), ledger.state(task).reason()))
        .collect();
    if gaps.is_empty() {
        return Ok(());
    }
    Err(Error::input(format!("{} of {} tasks are not done", gaps.len(), plan.task_count()))
        .found_all(gaps)
        .help("run them first; nalcms status PLAN names the shards. Nothing was published; --allow-incomplete publishes without them"))
}

/// Hash of everything that can change a byte of the outputs.
fn identity(plan: &JobPlan, ledger: &Ledger) -> String {
    let job = &plan.job;
    let crossed = |layer: &'_ ZoneLayer| -> Vec<String> {
        layer.members().iter().map(|member| member.id(&job.zones).to_string()).collect()
    };
    let layers: Vec<_> = job.zones.iter().map(|layer| (&layer.id, crossed(layer))).collect();
    let keys: Vec<_> = plan.zones().iter().map(|layer| layer.polygons().map(|p| &p.keys)).collect();
    let sources: Vec<_> = job
        .sources
        .iter()
        .map(|s| {
            // The tables name the rules and the classes of the sources too.
            let words = |map: &SourceMap| {
                json!([map.crosswalk.as_ref().map(|crosswalk| &crosswalk.id), &*map.legend])
            };
            let maps = s.maps.iter().map(|(year, map)| (year, &map.date, words(map)));
            (&s.id, &s.section, &s.country, maps.collect::<Vec<_>>())
        })
        .collect();
    let grids: Vec<_> = plan
        .grids
        .iter()
        .map(|grid| (&grid.grid_id, grid.tasks.len(), grid.outside_grid, &grid.area, &grid.ellipsoidal))
        .collect();
    let stamp = crate::config::environment::source_date_epoch();
    let overlays = overlays::settings(plan);
    sha256(
        json!([
            ledger.ids,
            job.name,
            job.languages,
            sources,
            layers,
            keys,
            grids,
            stamp,
            &*job.target,
            comparability::facts(plan),
            overlays,
            ledger.missing()
        ])
        .to_string(),
    )
}

/// What an earlier merge of just this noted, if SHA256SUMS still says the same.
fn in_place(identity: &str, output: &Path) -> Option<Record> {
    let record = Record::read(&record_path(output))?;
    let listed = std::fs::read_to_string(output.join(CHECKSUMS)).ok()?;
    let same = record.identity.as_deref() == Some(identity) && listed == checksums(&record.files);
    same.then_some(record)
}

fn put_in_place(
    names: &[String],
    staging: &Path,
    output: &Path,
    record: &Path,
) -> Result<BTreeMap<String, String>> {
    let hash = |name: &String| Ok((name.clone(), sha256_file(&staging.join(name))?));
    let files: BTreeMap<String, String> = names.par_iter().map(hash).collect::<Result<_>>()?;
    let earlier = Record::read(record).unwrap_or_default().files;
    // A merge that is killed from here on must not orphan what it put in place: all names are noted first.
    let mut ours: BTreeMap<String, String> =
        earlier.keys().map(|name| (name.clone(), String::new())).collect();
    ours.extend(files.clone());
    Record { files: ours, ..Record::default() }.write(record)?;
    // From here until SHA256SUMS is back the folder is visibly unfinished.
    for stale in
        [CHECKSUMS].into_iter().chain(earlier.keys().map(String::as_str).filter(|k| !files.contains_key(*k)))
    {
        remove_file(&output.join(stale))?;
    }
    // Before anything new is seen, whatever happens to the machine.
    sync_folder(&output.join(CHECKSUMS));
    for name in files.keys() {
        publish(&staging.join(name), &output.join(name))?;
    }
    Ok(files)
}

fn remove_file(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(io_error("an old file cannot be removed", path, &e))
        }
        _ => Ok(()),
    }
}

/// Writes one raster with its sidecars into the staging folder; their names.
fn write_raster(
    plan: &Plan,
    parts: &[Part],
    totals: &Totals,
    position: usize,
    product: Product,
    staging: &Path,
) -> Result<Vec<String>> {
    let name = plan.path_of(product);
    let path = staging.join(&name);
    let colours = palette(plan, product);
    let (sample, stored_nodata) = plan.sample_of(product);
    let tags = ProductTags {
        sample,
        nodata: stored_nodata,
        scale: matches!(product, Product::Fraction(..)).then_some(FRACTION_SCALE),
        palette: colours.clone(),
        band_name: band_name(plan, product),
        metadata: metadata(plan, totals, product),
    };
    let tags = template_tags(&plan.grid, &tags)?;
    let spec = CogSpec::new(
        plan.grid.rows as u64,
        plan.grid.cols as u64,
        sample,
        plan.job.compute.compression,
        tags,
    );
    let spool = Spool::build(plan, parts, position, product, &spec, &staging.join(".spool"))?;
    let mut store = PartBlocks { plan, parts, position, shapes: spec.levels.clone(), spool, open: None };
    let mut file = AtomicFile::create(&path)?;
    assemble(&mut file, &spec, &mut store).map_err(|e| match stop::check() {
        Ok(()) => io_error("a raster cannot be written", &path, &e),
        Err(stopped) => stopped,
    })?;
    file.commit()?;
    let mut names = vec![name.clone()];
    if let Some(rat) = attributes(plan, totals, product) {
        write_bytes(&staging.join(format!("{name}.aux.xml")), pam_xml(&rat).as_bytes())?;
        names.push(format!("{name}.aux.xml"));
    }
    if !colours.is_empty() && sample == SampleType::U8 {
        let picture = name.replace("landcover/", "quicklook/").replace(".tif", ".png");
        quicklook(&mut store, &spec, &staging.join(&picture), &colours, stored_nodata)?;
        names.push(picture);
    }
    Ok(names)
}

/// A picture of the coarsest level, which is always one block.
fn quicklook(
    store: &mut PartBlocks,
    spec: &CogSpec,
    path: &Path,
    colours: &[[u8; 3]],
    nodata: Option<i64>,
) -> Result<()> {
    let level = spec.levels.len() as u32 - 1;
    let shape = spec.levels[level as usize];
    let (mut bytes, mut cells) = (Vec::new(), Vec::new());
    let bug = |e: io::Error| Error::bug(format!("our own block cannot be read back: {e}"));
    store.copy_block(level, 0, &mut bytes).map_err(bug)?;
    let mut decoder = BlockDecoder::new(spec.compression.tiff_code()).map_err(bug)?;
    decoder.decode(&bytes, spec.sample.block_bytes(), &mut cells).map_err(bug)?;
    let nodata = nodata.and_then(|n| u8::try_from(n).ok());
    write_quicklook(path, &cells, BLOCK, (shape.rows as u32, shape.cols as u32), colours, nodata)
}

fn band_name(plan: &Plan, product: Product) -> String {
    match product {
        Product::Landcover(epoch) if plan.epochs[epoch].year == 0 => "land_cover".into(),
        Product::Landcover(epoch) => format!("land_cover_{}", plan.epochs[epoch].year),
        Product::Change(pair) => {
            format!("land_cover_change_{}_{}", plan.pairs[pair].from, plan.pairs[pair].to)
        }
        Product::Fraction(epoch, fraction) => format!("{}_{}", fraction.word(), plan.epochs[epoch].year),
        Product::Provenance(epoch) => format!("source_{}", plan.epochs[epoch].year),
    }
}

fn metadata(plan: &Plan, totals: &Totals, product: Product) -> Vec<(String, String)> {
    let what = match product {
        Product::Landcover(epoch) => band_name(plan, Product::Landcover(epoch)).replace('_', " "),
        Product::Change(pair) => format!("land cover change {}, from*100+to", plan.pairs[pair]),
        Product::Fraction(epoch, fraction) => {
            format!("{} {}", fraction_words(plan, fraction), plan.epochs[epoch].year)
        }
        Product::Provenance(epoch) => format!("where each cell of {} comes from", plan.epochs[epoch].year),
    };
    let overviews = if matches!(product, Product::Fraction(..)) { "AVERAGE" } else { "MODE" };
    let comparable = match product {
        // Where change maps decide, what rules forbid may be nowhere: the counts tell.
        Product::Change(pair)
            if plan.comparability[pair].is_told_officially()
                && !totals.hold_forbidden(pair, &plan.comparability[pair]) =>
        {
            Some("official")
        }
        Product::Change(pair) if plan.comparability[pair].compares_forbidden() => Some("no"),
        Product::Change(pair) if plan.comparability[pair].leaves_anything_out() => Some("partial"),
        _ => None,
    };
    let mut items = vec![
        ("TIFFTAG_SOFTWARE".to_string(), format!("nalcms {}", env!("CARGO_PKG_VERSION"))),
        ("TIFFTAG_IMAGEDESCRIPTION".to_string(), format!("{}: {what}", plan.job.name)),
        ("NALCMS_LEGEND".to_string(), plan.job.target.id.clone()),
        ("OVERVIEW_RESAMPLING".to_string(), overviews.to_string()),
    ];
    items.extend(comparable.map(|word| ("NALCMS_COMPARABLE".to_string(), word.to_string())));
    if !totals.missing.is_empty() {
        items.push(("NALCMS_INCOMPLETE".to_string(), format!("{} tasks are missing", totals.missing.len())));
    }
    let sections = officials::sections(plan, product);
    if !sections.is_empty() {
        items.push(("NALCMS_OFFICIAL".to_string(), sections.join(", ")));
    }
    if let Some(seconds) = crate::config::environment::source_date_epoch()
        && let Some(date) = chrono::DateTime::from_timestamp(seconds, 0)
    {
        items.push(("TIFFTAG_DATETIME".into(), date.format("%Y:%m:%d %H:%M:%S").to_string()));
    }
    items
}

fn fraction_words(plan: &Plan, fraction: Fraction) -> String {
    let of = match fraction {
        Fraction::Class(code) => {
            let language = plan.job.languages.first().copied().unwrap_or(Language::En);
            format!("class {code} ({})", plan.job.target.name(code, language))
        }
        Fraction::NoData => "what has no class".into(),
        Fraction::Outside => "where nothing is mapped".into(),
        Fraction::Purity => "the cell's own class".into(),
    };
    format!("share of {of}, in ten-thousandths,")
}

/// Blocks of one raster: those of tasks from their parts, those above from a spool file.
struct PartBlocks<'a> {
    plan: &'a Plan,
    parts: &'a [Part],
    position: usize,
    shapes: Vec<LevelShape>,
    spool: Spool,
    open: Option<(usize, PartReader)>,
}

impl PartBlocks<'_> {
    /// The part that holds a block, and the block's place in it.
    fn locate(&self, level: u32, index: u64) -> (usize, usize) {
        let columns = self.shapes[level as usize].block_cols();
        let (row, col) = ((index / columns) as usize, (index % columns) as usize);
        let shape = self.plan.task_shape;
        let native = |block: usize| (block * BLOCK) << level;
        let task = shape.task_at(&self.plan.grid, native(row), native(col));
        // Blocks of this level along the sides of a task.
        let (down, across) = ((shape.rows / BLOCK) >> level, (shape.cols / BLOCK) >> level);
        let width = self.parts[task].footer.window.cols.div_ceil(1 << level).div_ceil(BLOCK);
        (task, (row % down) * width + col % across)
    }

    fn place(&self, level: u32, index: u64) -> io::Result<(usize, u64, u32)> {
        let (task, block) = self.locate(level, index);
        let product = &self.parts[task].footer.products[self.position];
        let found = product.blocks.get(level as usize).and_then(|blocks| blocks.get(block));
        let (offset, length) =
            found.ok_or_else(|| io::Error::other(format!("block {index} of level {level} is missing")))?;
        Ok((task, *offset, *length))
    }
}

impl BlockStore for PartBlocks<'_> {
    fn block_len(&self, level: u32, index: u64) -> io::Result<u32> {
        if level > self.plan.levels_in_task() {
            return self.spool.block_len(level, index);
        }
        Ok(self.place(level, index)?.2)
    }

    fn copy_block(&mut self, level: u32, index: u64, out: &mut Vec<u8>) -> io::Result<()> {
        if level > self.plan.levels_in_task() {
            return self.spool.copy_block(level, index, out);
        }
        stop::check().map_err(|e| io::Error::other(e.what().to_string()))?;
        let (task, offset, length) = self.place(level, index)?;
        let other = |e: Error| io::Error::other(e.to_string());
        let reader = match self.open.take() {
            Some((open, reader)) if open == task => reader,
            _ => self.parts[task].reader().map_err(other)?,
        };
        out.extend(reader.read(offset, length as usize).map_err(other)?);
        self.open = Some((task, reader));
        Ok(())
    }
}

/// Encoded overview blocks of the levels above a task's top.
struct Spool {
    file: std::fs::File,
    first_level: u32,
    /// Offset and length by level and place.
    blocks: Vec<Vec<(u64, u32)>>,
}

impl Spool {
    fn build(
        plan: &Plan,
        parts: &[Part],
        position: usize,
        product: Product,
        spec: &CogSpec,
        path: &Path,
    ) -> Result<Self> {
        let failed = |e: &io::Error| io_error("overviews cannot be written", path, e);
        make_folder(path.parent().unwrap_or(Path::new(".")))?;
        // A scratch file of this process alone; nobody takes it for an output.
        let options = std::fs::File::options().create(true).truncate(true).read(true).write(true).open(path);
        let mut file = options.map_err(|e| failed(&e))?;
        let first_level = plan.levels_in_task() + 1;
        let (mut blocks, mut end) = (Vec::new(), 0u64);
        let joiner = Joiner { plan, parts, position, product };
        for level in first_level..=plan.levels {
            let shape = spec.levels[level as usize];
            let mut places = Vec::with_capacity(shape.blocks() as usize);
            let indices: Vec<u64> = (0..shape.blocks()).collect();
            for chunk in indices.chunks(SPOOL_CHUNK) {
                stop::check()?;
                let encode = |encoder: &mut Result<BlockEncoder>, index: &u64| {
                    let encoder = encoder.as_mut().map_err(|e| e.clone())?;
                    joiner.encoded_block(level, shape, *index, encoder)
                };
                let encoder = || new_encoder(spec.compression);
                let encoded: Vec<Vec<u8>> =
                    chunk.par_iter().map_init(encoder, encode).collect::<Result<_>>()?;
                for bytes in encoded {
                    file.write_all(&bytes).map_err(|e| failed(&e))?;
                    places.push((end, bytes.len() as u32));
                    end += bytes.len() as u64;
                }
            }
            blocks.push(places);
        }
        Ok(Self { file, first_level, blocks })
    }

    fn place(&self, level: u32, index: u64) -> io::Result<(u64, u32)> {
        let level = level.checked_sub(self.first_level).and_then(|l| self.blocks.get(l as usize));
        let place = level.and_then(|blocks| blocks.get(index as usize));
        place.copied().ok_or_else(|| io::Error::other("an overview block is missing"))
    }
}

impl BlockStore for Spool {
    fn block_len(&self, level: u32, index: u64) -> io::Result<u32> {
        Ok(self.place(level, index)?.1)
    }

    fn copy_block(&mut self, level: u32, index: u64, out: &mut Vec<u8>) -> io::Result<()> {
        use std::os::unix::fs::FileExt;
        let (offset, length) = self.place(level, index)?;
        out.resize(length as usize, 0);
        self.file.read_exact_at(out, offset)
    }
}

/// Joins the overview cells of many tasks.
struct Joiner<'a> {
    plan: &'a Plan,
    parts: &'a [Part],
    position: usize,
    product: Product,
}

impl Joiner<'_> {
    fn nodata(&self) -> i32 {
        self.plan.nodata_of(self.product)
    }

    fn encoded_block(
        &self,
        level: u32,
        shape: LevelShape,
        index: u64,
        encoder: &mut BlockEncoder,
    ) -> Result<Vec<u8>> {
        let (row, col) = (index / shape.block_cols(), index % shape.block_cols());
        let block = Window {
            row: row as i64 * BLOCK as i64,
            col: col as i64 * BLOCK as i64,
            rows: BLOCK,
            cols: BLOCK,
        }
        .intersect(&Window::whole(shape.rows as usize, shape.cols as usize));
        let cells =
            if level <= BLOCK_LEVELS { self.joined(level, &block)? } else { self.counted(level, &block) };
        let (sample, stored_nodata) = self.plan.sample_of(self.product);
        let store = CellStore { nodata: self.nodata(), sample, stored_nodata };
        let mut encoded = Vec::new();
        encoder
            .encode(sample, &store.block_bytes(cells.view())?, &mut encoded)
            .map_err(|e| Error::bug(format!("a block cannot be encoded: {e}")))?;
        Ok(encoded)
    }

    /// Cells that tasks have worked out.
    fn joined(&self, level: u32, block: &Window) -> Result<Array2<i32>> {
        let mut joined = Array2::from_elem((block.rows, block.cols), self.nodata());
        let (shape, grid) = (self.plan.task_shape, &self.plan.grid);
        let native = |cell: i64| (cell << level) as usize;
        let rows =
            native(block.row) / shape.rows..native(block.row_end()).min(grid.rows).div_ceil(shape.rows);
        let cols =
            native(block.col) / shape.cols..native(block.col_end()).min(grid.cols).div_ceil(shape.cols);
        let places = rows.flat_map(|row| cols.clone().map(move |col| (row * shape.rows, col * shape.cols)));
        for (row, col) in places {
            let part = &self.parts[shape.task_at(grid, row, col)];
            let window = part.footer.window;
            let place = Window {
                row: window.row >> level,
                col: window.col >> level,
                rows: window.rows.div_ceil(1 << level),
                cols: window.cols.div_ceil(1 << level),
            };
            let shared = place.intersect(block);
            if shared.is_empty() {
                continue;
            }
            let product = &part.footer.products[self.position];
            let Some(cells) = product.cells.iter().find(|c| c.level == level) else {
                return Err(Error::bug(format!("a part lacks its cells of level {level}")));
            };
            let reader = part.reader()?;
            let (from, to) = (corner(&shared, &place), corner(&shared, block));
            for row in 0..shared.rows {
                let codes = cells.read_row(&reader, from.0 + row, from.1, shared.cols)?;
                joined.slice_mut(s![to.0 + row, to.1..to.1 + shared.cols]).assign(&ArrayView1::from(&codes));
            }
        }
        Ok(joined)
    }

    /// Cells larger than a block, from the counts of the native blocks under them.
    fn counted(&self, level: u32, block: &Window) -> Array2<i32> {
        let grid = &self.plan.grid;
        let native = grid.window();
        Array2::from_shape_fn((block.rows, block.cols), |(row, col)| {
            let (row, col) = ((block.row + row as i64) << level, (block.col + col as i64) << level);
            let cell = Window { row, col, rows: 1 << level, cols: 1 << level }.intersect(&native);
            let mut counts: BTreeMap<i32, u64> = BTreeMap::new();
            for square in cell.squares(BLOCK) {
                let task = self.plan.task_shape.task_at(grid, square.row as usize, square.col as usize);
                let part = &self.parts[task].footer;
                let (r, c) =
                    ((square.row - part.window.row) as usize, (square.col - part.window.col) as usize);
                let block = (r / BLOCK) * part.window.cols.div_ceil(BLOCK) + c / BLOCK;
                for &(code, n) in part.products[self.position].block_counts.get(block).into_iter().flatten() {
                    *counts.entry(code).or_default() += n;
                }
            }
            let counts: Vec<(i32, u64)> = counts.into_iter().collect();
            if matches!(self.product, Product::Fraction(..)) {
                return mean(&counts, cell.cells()).map_or(self.nodata(), |mean| mean as i32);
            }
            let place = (level, grid.lattice.0 + row, grid.lattice.1 + col);
            mode(&counts, cell.cells(), self.nodata(), place, self.plan.job.tie)
        })
    }
}

/// Row and column of a window's first cell in another.
fn corner(window: &Window, within: &Window) -> (usize, usize) {
    ((window.row - within.row) as usize, (window.col - within.col) as usize)
}
