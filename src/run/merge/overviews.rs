//! Overview blocks that are larger than a task: joined from the cells and counts that tasks worked out, encoded, kept in a spool file.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use ndarray::{Array2, ArrayView1, s};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::io::atomic::{io_error, make_folder};
use crate::io::cog::{BlockEncoder, BlockStore, CogSpec, LevelShape};
use crate::io::part::Part;
use crate::io::stop;
use crate::kernel::pyramid::{BLOCK_LEVELS, mean, mode};
use crate::model::window::{BLOCK, Window};
use crate::plan::{Plan, Product};
use crate::run::encode::{CellStore, new_encoder};

/// Blocks that are encoded at a time, a bound on memory.
const CHUNK: usize = 64;

/// Encoded blocks of the levels above a task's top.
pub(super) struct Spool {
    file: std::fs::File,
    first_level: u32,
    /// Offset and length by level and place.
    blocks: Vec<Vec<(u64, u32)>>,
}

impl Spool {
    pub(super) fn build(
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
            for chunk in indices.chunks(CHUNK) {
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
