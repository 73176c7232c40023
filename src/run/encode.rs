//! A task's share of one raster: compressed blocks, overviews, and the cells that merge will join.

use ndarray::{Array2, ArrayView2, s};

use crate::error::{Error, Result};
use crate::io::cog::{BlockEncoder, SampleType};
use crate::io::part::{PartCells, PartProduct, PartWriter};
use crate::kernel::ClassValue;
use crate::kernel::pyramid::{BLOCK_LEVELS, Pyramid, Tie};
use crate::model::window::{BLOCK, Window};
use crate::plan::task::Task;
use crate::plan::{Plan, Product};

/// Where encoded blocks go.
pub struct BlockSink<'a> {
    /// The part that is being written.
    pub part: &'a mut PartWriter,
    /// The worker's encoder.
    pub encoder: &'a mut BlockEncoder,
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
    pub fn block_bytes(&self, cells: ArrayView2<T>) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.sample.block_bytes());
        let padding = self.stored_nodata.unwrap_or(0);
        for row in 0..BLOCK {
            let line = (row < cells.nrows()).then(|| cells.row(row));
            for col in 0..BLOCK {
                let value = match line.as_ref().filter(|_| col < cells.ncols()).map(|line| line[col]) {
                    None => padding,
                    Some(cell) if cell == self.nodata => self.stored_nodata.ok_or_else(no_nodata)?,
                    Some(cell) => i64::from(cell.code()),
                };
                self.sample.push_le(value, &mut bytes);
            }
        }
        Ok(bytes)
    }

    /// Compresses one block into a part; where it stands and how long it is.
    ///
    /// # Errors
    /// Input: as [`CellStore::block_bytes`]. Io: the part cannot be written.
    pub fn write_block(&self, cells: ArrayView2<T>, sink: &mut BlockSink) -> Result<(u64, u32)> {
        let mut encoded = Vec::new();
        let bytes = self.block_bytes(cells)?;
        sink.encoder
            .encode(self.sample, &bytes, &mut encoded)
            .map_err(|e| Error::bug(format!("a block cannot be encoded: {e}")))?;
        Ok((sink.part.append(&encoded)?, encoded.len() as u32))
    }
}

fn no_nodata() -> Error {
    Error::input("a cell has no data and the raster has no value for that")
        .help("give one that no class uses: --nodata VALUE")
}

/// One raster's share of a part in the making.
pub struct RasterPart<T> {
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
    /// An empty share.
    pub fn new(task: &Task, plan: &Plan, product: Product, nodata: T) -> Self {
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

    /// Adds the cells of the next strip; `pyramid` makes its overviews.
    ///
    /// # Errors
    /// Input: a cell without data where the raster has no nodata. Io: the part cannot be written.
    pub fn add_strip(
        &mut self,
        strip: &Window,
        cells: ArrayView2<T>,
        pyramid: &mut Pyramid<T>,
        sink: &mut BlockSink,
    ) -> Result<()> {
        for block in strip.squares(BLOCK) {
            let (row, col) = ((block.row - strip.row) as usize, (block.col - strip.col) as usize);
            let view = cells.slice(s![row..row + block.rows, col..col + block.cols]);
            self.product.blocks[0].push(self.store.write_block(view, sink)?);
            if self.planes.is_empty() {
                continue;
            }
            let place = (self.lattice.0 + block.row, self.lattice.1 + block.col);
            let (top, left) = ((block.row - self.task.row) as usize, (block.col - self.task.col) as usize);
            let mut levels = Vec::with_capacity(self.planes.len());
            for (level, plane) in (1u32..).zip(&mut self.planes) {
                let (row, col) = (top >> level, left >> level);
                let (rows, cols) = (block.rows.div_ceil(1 << level), block.cols.div_ceil(1 << level));
                levels.push(plane.slice_mut(s![row..row + rows, col..col + cols]));
            }
            pyramid.make(view, self.store.nodata, place, self.tie, &mut levels);
            if self.levels > BLOCK_LEVELS {
                let counts = pyramid.counts().iter().map(|&(class, n)| (class.code(), n)).collect();
                self.product.block_counts.push(counts);
            }
        }
        Ok(())
    }

    /// Writes the overviews: blocks of the levels that fit in the task, cells of those above.
    ///
    /// # Errors
    /// As [`RasterPart::add_strip`].
    pub fn finish(mut self, sink: &mut BlockSink) -> Result<PartProduct> {
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
                let bytes: Vec<u8> = plane.iter().flat_map(|cell| cell.code().to_le_bytes()).collect();
                let offset = sink.part.append(&bytes)?;
                self.product.cells.push(PartCells {
                    level,
                    rows: plane.nrows(),
                    cols: plane.ncols(),
                    offset,
                });
            }
        }
        Ok(self.product)
    }
}
