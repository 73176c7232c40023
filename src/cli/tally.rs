//! Counts every cell of a raster by value, by windows of bounded size.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::config::file::ComputeFile;
use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::{Pixels, RasterHeader, reopen_raster};
use crate::io::progress::Progress;
use crate::io::stop;
use crate::model::legend::ClassCode;
use crate::model::window::Window;

/// Cells that one thread holds at once: 32 MiB of the widest type.
const WINDOW_CELLS: usize = 4 << 20;

/// Values outside the range of 16-bit types that are told apart; a classified raster has a few dozen.
const MANY_VALUES: usize = 1 << 16;

/// Number of cells per value.
pub type Tally = BTreeMap<ClassCode, u64>;

/// Counts every cell of a raster.
///
/// # Determinism
/// Sums of integers: the same on any number of threads.
/// # Errors
/// Io, Input: cells that cannot be read, or are no whole numbers. Limit: more values than a class raster has.
/// Terminated, Interrupted: stopped.
pub fn tally(header: &RasterHeader, compute: &ComputeFile, progress: &Progress) -> Result<Tally> {
    let windows = reading_windows(header);
    let cells = header.grid.window().cells();
    progress.start(windows.len(), cells);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let outcome: Mutex<Vec<Result<Counter>>> = Mutex::new(Vec::new());
    let work = || {
        let result = (|| {
            let (file, mut counter) = (reopen_raster(header)?, Counter::new());
            while let Some(window) = windows.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Some(kind) = stop::requested() {
                    return Err(Error::new(kind, "stopped while cells were counted; nothing is kept"));
                }
                if failed.load(Ordering::Relaxed) {
                    break;
                }
                counter.add(&file.read(window)?).map_err(|e| e.at(header.path.display()))?;
                progress.done(window.cells());
            }
            Ok(counter)
        })();
        failed.fetch_or(result.is_err(), Ordering::Relaxed);
        outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(result);
    };
    std::thread::scope(|scope| {
        for _ in 0..readers(header, compute).min(windows.len()) {
            scope.spawn(work);
        }
    });
    progress.finish();
    let mut sum = Tally::new();
    for counter in outcome.into_inner().unwrap_or_default() {
        for (value, pixels) in counter?.into_tally() {
            *sum.entry(value).or_default() += pixels;
        }
    }
    if sum.values().sum::<u64>() != cells {
        return Err(Error::bug("cells were counted twice or not at all").at(header.path.display()));
    }
    Ok(sum)
}

/// Threads that read at once: those asked for, less where the memory setting does not hold so many windows. Blocks
/// that are cut by windows would be decoded once by each thread, so one reads them all.
fn readers(header: &RasterHeader, compute: &ComputeFile) -> usize {
    let block = header.block.0.saturating_mul(header.block.1);
    if block > WINDOW_CELLS {
        return 1;
    }
    let asked = match compute.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    // A window as GDAL gives it (at most 8 bytes a cell), and as codes of 4 bytes.
    let memory = (compute.memory_mib << 20) / (WINDOW_CELLS * 12);
    asked.min(memory.max(1))
}

/// Windows that cover a raster: whole blocks, as many as [`WINDOW_CELLS`] hold; parts of a block that is larger.
fn reading_windows(header: &RasterHeader) -> Vec<Window> {
    let (rows, cols) = (header.grid.rows.max(1), header.grid.cols.max(1));
    let (block_rows, block_cols) = (header.block.0.clamp(1, rows), header.block.1.clamp(1, cols));
    let blocks = |cells: usize| (WINDOW_CELLS / cells).max(1);
    let width = blocks(block_rows * block_cols).saturating_mul(block_cols).min(cols);
    let height = blocks(block_rows * width).saturating_mul(block_rows).min(rows);
    let slice = (WINDOW_CELLS / width).clamp(1, height);
    let whole = header.grid.window();
    let starts = |n: usize, step: usize| (0..n).step_by(step).map(|at| at as i64);
    starts(rows, height)
        .flat_map(|row| starts(cols, width).map(move |col| (row, col)))
        .map(|(row, col)| Window { row, col, rows: height, cols: width }.intersect(&whole))
        .flat_map(|band| {
            starts(band.rows, slice).map(move |at| {
                Window { row: band.row + at, col: band.col, rows: slice, cols: band.cols }.intersect(&band)
            })
        })
        .collect()
}

/// Counts values: an array for those of 8 and 16 bits, a map for the rest.
struct Counter {
    near: Vec<u64>,
    far: Tally,
}

/// Lowest and highest value of the array.
const NEAR: (ClassCode, ClassCode) = (i16::MIN as ClassCode, u16::MAX as ClassCode);

impl Counter {
    fn new() -> Self {
        Self { near: vec![0; (NEAR.1 - NEAR.0 + 1) as usize], far: Tally::new() }
    }

    fn add(&mut self, pixels: &Pixels) -> Result<()> {
        match pixels {
            Pixels::Bytes(values) => {
                let mut bytes = [0u64; 256];
                for &value in values {
                    bytes[usize::from(value)] += 1;
                }
                for (value, pixels) in (0..).zip(bytes) {
                    self.near[(value - NEAR.0) as usize] += pixels;
                }
            }
            Pixels::Codes(values) => {
                for &value in values {
                    if (NEAR.0..=NEAR.1).contains(&value) {
                        self.near[(value - NEAR.0) as usize] += 1;
                    } else {
                        *self.far.entry(value).or_default() += 1;
                        if self.far.len() > MANY_VALUES {
                            return Err(Error::new(
                                ErrorKind::Limit,
                                "a raster holds more values than any legend has classes",
                            )
                            .found(format!("more than {MANY_VALUES} values beyond 16 bits"))
                            .help("this looks like a continuous raster; classify it first"));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn into_tally(self) -> Tally {
        let near = (NEAR.0..).zip(self.near).filter(|(_, pixels)| *pixels > 0);
        self.far.into_iter().chain(near).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::io::gdal::SampleKind;
    use crate::model::grid::{Affine, Grid};
    use crate::model::rule::NAN_VALUE;

    fn header(rows: usize, cols: usize, block: (usize, usize)) -> RasterHeader {
        RasterHeader {
            files: Vec::new(),
            path: PathBuf::from("a.tif"),
            format: "GTiff".into(),
            bands: 1,
            band: 1,
            sample: SampleKind::U8,
            grid: Grid {
                crs: None,
                affine: Affine::north_up(0.0, 0.0, 1.0, 1.0),
                rows,
                cols,
                lattice: (0, 0),
            },
            georeferenced: true,
            nodata_tag: None,
            block,
            compression: None,
            palette: false,
            overviews: 0,
            cog: false,
        }
    }

    #[test]
    fn windows_hold_whole_blocks_and_every_cell_once() {
        // The continental grid in tiles, in strips, and as one block larger than a window.
        for (rows, cols, block) in
            [(255_000, 259_000, (512, 512)), (35_000, 37_000, (1, 37_000)), (5000, 5000, (5000, 5000))]
        {
            let windows = reading_windows(&header(rows, cols, block));
            assert_eq!(windows.iter().map(Window::cells).sum::<u64>(), rows as u64 * cols as u64);
            assert!(windows.iter().all(|w| !w.is_empty() && w.cells() <= WINDOW_CELLS as u64));
            let cut = windows.iter().any(|w| w.col % block.1 as i64 != 0 || w.row % block.0 as i64 != 0);
            assert_eq!(cut, block.0 * block.1 > WINDOW_CELLS);
        }
    }

    #[test]
    fn values_of_every_width_are_counted() -> Result<()> {
        let mut counter = Counter::new();
        counter.add(&Pixels::Bytes(ndarray::arr2(&[[0, 255], [7, 7]])))?;
        counter.add(&Pixels::Codes(ndarray::arr2(&[[-32_769, 65_536], [7, NAN_VALUE]])))?;
        let tally: Vec<(ClassCode, u64)> = counter.into_tally().into_iter().collect();
        assert_eq!(tally, [(NAN_VALUE, 1), (-32_769, 1), (0, 1), (7, 3), (255, 1), (65_536, 1)]);
        Ok(())
    }
}
