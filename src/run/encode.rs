//! A task's share of the rasters: compressed blocks, overviews, and the cells that merge will join.
//!
//! Nothing is encoded twice: blocks whose cells are all alike are encoded once per value, and a map that is the same as
//! an earlier year's shares its block and its overviews.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Zip, s};

use super::official::Compared;
use crate::error::{Error, Result};
use crate::io::cog::{BlockEncoder, Compression, SampleType};
use crate::io::part::{PartCells, PartProduct, PartWriter};
use crate::kernel::ClassValue;
use crate::kernel::change::{CHANGE_NODATA, CodeBeyond99, LARGEST_CODE, Unchanged, change, change_bytes};
use crate::kernel::pyramid::{BLOCK_LEVELS, Means, Overviews, Pyramid, Tie};
use crate::kernel::runs::constant;
use crate::model::fraction::FRACTION_NODATA;
use crate::model::provenance::{OUTSIDE, Origin};
use crate::model::source::{NO_SOURCE, SourceIndex};
use crate::model::window::{BLOCK, Window};
use crate::plan::comparability::PairComparability;
use crate::plan::task::Task;
use crate::plan::{Plan, Product};

/// Where a block stands in a part, and how long it is.
type Place = (u64, u32);

/// Where encoded blocks go.
struct BlockSink<'a> {
    part: &'a mut PartWriter,
    encoder: &'a mut BlockEncoder,
    /// Blocks of one value that stand in the part already, by data type and value.
    alike: &'a mut BTreeMap<(u16, i64), Place>,
}

/// How the cells of a raster are stored.
#[derive(Debug, Clone, Copy)]
pub struct CellStore<T> {
    /// Nodata while classes are worked on.
    pub nodata: T,
    /// Data type on disk.
    pub sample: SampleType,
    /// Nodata on disk.
    pub stored_nodata: Option<i64>,
}

impl<T: ClassValue> CellStore<T> {
    /// The bytes of one block, padded with nodata to 512 x 512.
    ///
    /// # Errors
    /// Input: a cell has no data and the raster has no value for that.
    pub fn block_bytes<'c>(&self, cells: ArrayView2<'c, T>) -> Result<Cow<'c, [u8]>> {
        let as_stored = size_of::<T>() * 8 == usize::from(self.sample.bits())
            && self.stored_nodata == Some(self.nodata.code().into());
        let whole = as_stored && cells.dim() == (BLOCK, BLOCK);
        if let Some(bytes) = cells.to_slice().filter(|_| whole).and_then(T::bytes) {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut bytes = Vec::with_capacity(self.sample.block_bytes());
        let padding = self.stored_nodata.unwrap_or(0);
        for row in cells.outer_iter() {
            match row.as_slice().filter(|_| as_stored) {
                Some(row) => T::extend_le(row, &mut bytes),
                None => {
                    for &cell in row {
                        let stored = if cell == self.nodata {
                            self.stored_nodata.ok_or_else(no_nodata)?
                        } else {
                            cell.code().into()
                        };
                        self.sample.push_le(stored, &mut bytes);
                    }
                }
            }
            (row.len()..BLOCK).for_each(|_| self.sample.push_le(padding, &mut bytes));
        }
        let missing = (BLOCK - cells.nrows()) * BLOCK;
        (0..missing).for_each(|_| self.sample.push_le(padding, &mut bytes));
        Ok(Cow::Owned(bytes))
    }

    /// Compresses one block into a part; blocks of one value stand there once.
    fn write_block(&self, cells: ArrayView2<T>, sink: &mut BlockSink) -> Result<Place> {
        let whole = cells.dim() == (BLOCK, BLOCK);
        let value = cells.as_slice().filter(|_| whole).and_then(constant).map(|cell| i64::from(cell.code()));
        let key = value.map(|value| (self.sample.bits(), value));
        if let Some(place) = key.and_then(|key| sink.alike.get(&key)) {
            return Ok(*place);
        }
        let mut encoded = Vec::new();
        let bytes = self.block_bytes(cells)?;
        sink.encoder
            .encode(self.sample, &bytes, &mut encoded)
            .map_err(|e| Error::bug(format!("a block cannot be encoded: {e}")))?;
        let place = (sink.part.append(&encoded)?, encoded.len() as u32);
        if let Some(key) = key {
            sink.alike.insert(key, place);
        }
        Ok(place)
    }
}

fn no_nodata() -> Error {
    Error::input("a cell has no data and the raster has no value for that")
        .help("give one that no class uses: --nodata VALUE")
}

/// One raster's share of a part in the making.
struct RasterPart<T> {
    store: CellStore<T>,
    tie: Tie,
    task: Window,
    lattice: (i64, i64),
    levels_in_task: u32,
    levels: u32,
    /// Cells of the levels 1, 2, … over the whole task.
    planes: Vec<Array2<T>>,
    product: PartProduct,
}

impl<T: ClassValue> RasterPart<T> {
    fn new(task: &Task, plan: &Plan, product: Product, nodata: T) -> Self {
        let (sample, stored_nodata) = plan.sample_of(product);
        let window = task.window;
        let plane = |level: u32| {
            let size = |n: usize| n.div_ceil(1 << level);
            Array2::from_elem((size(window.rows), size(window.cols)), nodata)
        };
        Self {
            store: CellStore { nodata, sample, stored_nodata },
            tie: plan.job.tie,
            task: window,
            lattice: plan.grid.lattice,
            levels_in_task: plan.levels_in_task(),
            levels: plan.levels,
            planes: (1..=plan.levels.min(BLOCK_LEVELS)).map(plane).collect(),
            product: PartProduct { blocks: vec![Vec::new()], ..PartProduct::default() },
        }
    }

    /// First and last + 1 row and column of a block in the overviews of a level.
    fn in_plane(&self, block: &Window, level: usize) -> [usize; 4] {
        let (row, col) =
            ((block.row - self.task.row) as usize >> level, (block.col - self.task.col) as usize >> level);
        let (rows, cols) = (block.rows.div_ceil(1 << level), block.cols.div_ceil(1 << level));
        [row, row + rows, col, col + cols]
    }

    /// Adds the next block, row by row of blocks; `overviews` makes those.
    fn add(
        &mut self,
        block: &Window,
        cells: ArrayView2<T>,
        overviews: &mut impl Overviews<T>,
        sink: &mut BlockSink,
    ) -> Result<()> {
        self.product.blocks[0].push(self.store.write_block(cells, sink)?);
        if self.planes.is_empty() {
            return Ok(());
        }
        let places: Vec<_> = (1..=self.planes.len()).map(|level| self.in_plane(block, level)).collect();
        let views = self.planes.iter_mut().zip(places);
        let mut levels: Vec<_> =
            views.map(|(plane, [r, r_end, c, c_end])| plane.slice_mut(s![r..r_end, c..c_end])).collect();
        let place = (self.lattice.0 + block.row, self.lattice.1 + block.col);
        overviews.make(cells, self.store.nodata, place, self.tie, &mut levels);
        if self.levels > BLOCK_LEVELS {
            self.product.block_counts.push(overviews.counts(cells, self.store.nodata));
        }
        Ok(())
    }

    /// Adds the block that another raster of the same kind has added last: the same cells at the same place.
    fn add_same(&mut self, block: &Window, other: &Self) {
        self.product.blocks[0].extend(other.product.blocks[0].last());
        for level in 1..=self.planes.len() {
            let [r, r_end, c, c_end] = self.in_plane(block, level);
            let place = s![r..r_end, c..c_end];
            self.planes[level - 1].slice_mut(place).assign(&other.planes[level - 1].slice(place));
        }
        self.product.block_counts.extend(other.product.block_counts.last().cloned());
    }

    /// Writes the overviews: blocks of the levels that fit in the task, cells of those above.
    fn finish(mut self, sink: &mut BlockSink) -> Result<PartProduct> {
        for (level, plane) in (1u32..).zip(&self.planes) {
            if level <= self.levels_in_task {
                let whole = Window::whole(plane.nrows(), plane.ncols());
                let blocks = whole.squares(BLOCK).map(|block| {
                    let (row, col) = (block.row as usize, block.col as usize);
                    let view = plane.slice(s![row..row + block.rows, col..col + block.cols]);
                    self.store.write_block(view, sink)
                });
                self.product.blocks.push(blocks.collect::<Result<_>>()?);
            } else {
                let mut bytes = Vec::new();
                T::extend_le(plane.as_slice().unwrap_or_default(), &mut bytes);
                let offset = sink.part.append(&bytes)?;
                self.product.cells.push(PartCells {
                    level,
                    rows: plane.nrows(),
                    cols: plane.ncols(),
                    cell_bytes: size_of::<T>(),
                    offset,
                });
            }
        }
        Ok(self.product)
    }
}

/// The rasters of a task in the making.
pub struct Rasters<'a, T> {
    plan: &'a Plan,
    nodata: T,
    encoder: BlockEncoder,
    alike: BTreeMap<(u16, i64), Place>,
    landcover_pyramid: Pyramid<T>,
    change_pyramid: Pyramid<u16>,
    /// The codes of the last block, to be written over by those of the next.
    codes: Vec<u16>,
    /// By epoch; empty where the job writes none.
    landcover: Vec<RasterPart<T>>,
    /// By pair; empty where the job writes none.
    change: Vec<RasterPart<u16>>,
    /// By epoch, in the order of [`crate::model::fraction::Fraction::all`]; empty where the job writes none.
    fractions: Vec<RasterPart<u16>>,
    origin_pyramid: Pyramid<Origin>,
    /// By epoch; empty where the job writes none.
    origins: Vec<RasterPart<Origin>>,
}

impl<'a, T: ClassValue> Rasters<'a, T> {
    /// No block yet.
    ///
    /// # Errors
    /// Bug: a codec cannot be set up.
    pub fn new(task: &Task, plan: &'a Plan, nodata: T) -> Result<Self> {
        let (mut landcover, mut change) = (Vec::new(), Vec::new());
        let (mut fractions, mut origins) = (Vec::new(), Vec::new());
        for &product in &plan.products {
            match product {
                Product::Landcover(_) => landcover.push(RasterPart::new(task, plan, product, nodata)),
                Product::Change(_) => change.push(RasterPart::new(task, plan, product, CHANGE_NODATA)),
                Product::Fraction(..) => {
                    fractions.push(RasterPart::new(task, plan, product, FRACTION_NODATA));
                }
                Product::Provenance(_) => origins.push(RasterPart::new(task, plan, product, OUTSIDE)),
            }
        }
        Ok(Self {
            plan,
            nodata,
            encoder: new_encoder(plan.job.compute.compression)?,
            alike: BTreeMap::new(),
            landcover_pyramid: Pyramid::default(),
            change_pyramid: Pyramid::default(),
            codes: Vec::new(),
            origin_pyramid: Pyramid::default(),
            landcover,
            change,
            fractions,
            origins,
        })
    }

    /// Adds what has become possible with the map of one more epoch over a block.
    ///
    /// # Errors
    /// Input: a cell without data where the raster has no nodata; a class that a change code cannot carry. Io: the
    /// part cannot be written.
    pub fn add(
        &mut self,
        epoch: usize,
        compared: &Compared<T>,
        block: &Window,
        part: &mut PartWriter,
    ) -> Result<()> {
        let maps = compared.maps();
        let mut sink = BlockSink { part, encoder: &mut self.encoder, alike: &mut self.alike };
        let year = self.plan.epochs[epoch].year;
        let latest = &maps[&year];
        if !self.landcover.is_empty() {
            let same = maps.iter().find(|(other, map)| **other < year && map.is_same(latest));
            match same.and_then(|(other, _)| self.plan.epoch(*other)) {
                Some(other) => {
                    let (before, rest) = self.landcover.split_at_mut(epoch);
                    rest[0].add_same(block, &before[other]);
                }
                None => {
                    let cells = latest.classes().view();
                    self.landcover[epoch].add(block, cells, &mut self.landcover_pyramid, &mut sink)?;
                }
            }
        }
        let pairs = self.plan.pairs.iter().zip(&self.plan.comparability);
        for (position, (raster, (pair, comparability))) in self.change.iter_mut().zip(pairs).enumerate() {
            if pair.from.max(pair.to) == year {
                let (from, to) = compared.pair(position, pair);
                let unchanged = self.plan.job.unchanged;
                let room = std::mem::take(&mut self.codes);
                let mut codes = change_codes(from.classes(), to.classes(), self.nodata, unchanged, room)?;
                if comparability.leaves_anything_out() {
                    leave_out(comparability, &from.winners(), &to.winners(), &mut codes);
                }
                raster.add(block, codes.view(), &mut self.change_pyramid, &mut sink)?;
                self.codes = codes.into_raw_vec_and_offset().0;
            }
        }
        Ok(())
    }

    /// Adds the fractions of an epoch over a block.
    ///
    /// # Shape
    /// `planes` has one for each of [`crate::model::fraction::Fraction::all`].
    /// # Errors
    /// Io: the part cannot be written.
    pub fn add_fractions(
        &mut self,
        epoch: usize,
        planes: &[Cow<'_, Array2<u16>>],
        block: &Window,
        part: &mut PartWriter,
    ) -> Result<()> {
        let mut sink = BlockSink { part, encoder: &mut self.encoder, alike: &mut self.alike };
        let of_epoch = self.fractions.iter_mut().skip(epoch * planes.len());
        for (raster, plane) in of_epoch.zip(planes) {
            raster.add(block, plane.view(), &mut Means, &mut sink)?;
        }
        Ok(())
    }

    /// Adds where the cells of an epoch come from, over a block.
    ///
    /// # Errors
    /// Io: the part cannot be written.
    pub fn add_origins(
        &mut self,
        epoch: usize,
        origins: &Array2<Origin>,
        block: &Window,
        part: &mut PartWriter,
    ) -> Result<()> {
        let mut sink = BlockSink { part, encoder: &mut self.encoder, alike: &mut self.alike };
        self.origins[epoch].add(block, origins.view(), &mut self.origin_pyramid, &mut sink)
    }

    /// Writes all overviews; the rasters in the plan's order.
    ///
    /// # Errors
    /// As [`Rasters::add`].
    pub fn finish(mut self, part: &mut PartWriter) -> Result<Vec<PartProduct>> {
        let mut sink = BlockSink { part, encoder: &mut self.encoder, alike: &mut self.alike };
        let mut finished = Vec::with_capacity(self.plan.products.len());
        for raster in self.landcover {
            finished.push(raster.finish(&mut sink)?);
        }
        for raster in self.change.into_iter().chain(self.fractions) {
            finished.push(raster.finish(&mut sink)?);
        }
        for raster in self.origins {
            finished.push(raster.finish(&mut sink)?);
        }
        Ok(finished)
    }
}

/// An encoder for the blocks of a job.
///
/// # Errors
/// Bug: the codec library cannot be set up.
pub fn new_encoder(compression: Compression) -> Result<BlockEncoder> {
    BlockEncoder::new(compression).map_err(|e| Error::bug(e.to_string()))
}

/// Cells that must not be compared have no change.
fn leave_out(
    comparability: &PairComparability,
    from: &Array2<SourceIndex>,
    to: &Array2<SourceIndex>,
    codes: &mut Array2<u16>,
) {
    // Neighbours are decided by the same sources, so that the rules are rarely asked.
    let (mut last, mut is_left_out) = ((NO_SOURCE, NO_SOURCE), false);
    Zip::from(from).and(to).and(codes).for_each(|&from, &to, code| {
        if (from, to) != last {
            (last, is_left_out) = ((from, to), comparability.leaves_out(from, to));
        }
        if is_left_out {
            *code = CHANGE_NODATA;
        }
    });
}

/// The codes of a block; what stands in `codes` is written over.
fn change_codes<T: ClassValue>(
    from: &Array2<T>,
    to: &Array2<T>,
    nodata: T,
    unchanged: Unchanged,
    mut codes: Vec<u16>,
) -> Result<Array2<u16>> {
    let coded = match (from.as_slice().and_then(T::bytes), to.as_slice().and_then(T::bytes)) {
        (Some(from_bytes), Some(to_bytes)) => {
            codes.resize(from_bytes.len(), 0);
            change_bytes(from_bytes, to_bytes, nodata.code() as u8, unchanged, &mut codes).map(|()| codes)
        }
        _ => change(from.view(), to.view(), nodata, unchanged).map(|codes| codes.into_raw_vec_and_offset().0),
    };
    let codes = coded.map_err(|CodeBeyond99(code)| {
        Error::input(format!("class code {code} does not fit a change raster"))
            .expected(format!("codes 0..={LARGEST_CODE}, which from*100+to can carry"))
            .help("say --tables-only: the tables hold every code")
    })?;
    Array2::from_shape_vec(from.dim(), codes)
        .map_err(|_| Error::bug("change codes of another shape were made"))
}
