//! One raster of a product: its tags, its blocks out of the parts, its sidecars and its picture.

use std::io;
use std::path::Path;

use super::overviews::Spool;
use crate::error::{Error, Result};
use crate::io::atomic::{AtomicFile, io_error, write_bytes};
use crate::io::cog::{BlockDecoder, BlockStore, CogSpec, LevelShape, SampleType, assemble};
use crate::io::gdal::{ProductTags, template_tags};
use crate::io::pam::pam_xml;
use crate::io::part::{Part, PartReader};
use crate::io::quicklook::write_quicklook;
use crate::io::stop;
use crate::model::fraction::{FRACTION_SCALE, Fraction};
use crate::model::legend::Language;
use crate::model::window::BLOCK;
use crate::plan::{Plan, Product};
use crate::report::attributes::{attributes, palette};
use crate::report::officials;
use crate::report::totals::Totals;

/// Writes one raster with its sidecars into the staging folder; their names.
pub(super) fn write(
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
