//! The files a worker reads from, and cells of bytes that several years share.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;

use ndarray::Array2;

use super::strata::StratumPlanes;
use crate::error::{Error, Result};
use crate::io::gdal::{RasterFile, RasterHeader, reopen_raster};
use crate::io::tiff::BlockCoding;
use crate::kernel::runs::constant;
use crate::model::window::Window;
use crate::plan::{OPEN_FILES, Scene};

/// The files a worker read last. A task may meet thousands of tiles; few are open at a time.
#[derive(Default)]
pub struct OpenFiles {
    files: VecDeque<(PathBuf, usize, RasterFile)>,
    /// What strata say of cells read last.
    pub(super) strata: StratumPlanes,
    /// Blocks of this place that other years hold, as they stand in their files.
    here: Vec<StoredBlock>,
    /// Stored blocks whose cells are all alike: most of an ocean is one block over and over.
    alike: VecDeque<StoredBlock>,
    /// Cells handed out at this place.
    lent: Vec<Rc<Array2<u8>>>,
    /// Memory of cells and of stored blocks that nobody uses any more: warm, and not cleared again.
    spare_cells: Vec<Vec<u8>>,
    spare_stored: Vec<Vec<u8>>,
}

/// A block as it stands in a file, and its cells.
struct StoredBlock {
    coding: BlockCoding,
    bytes: Vec<u8>,
    cells: Rc<Array2<u8>>,
}

impl OpenFiles {
    /// Stored blocks of one value that are remembered.
    const MOST_ALIKE: usize = 8;

    /// Cells and stored blocks whose memory is kept: those of two years, where four tiles meet.
    const MOST_SPARE: usize = 8;

    /// The open file of a scene.
    ///
    /// # Errors
    /// Transient: it is not the file that was planned with. Input, Io: it cannot be opened.
    pub fn of(&mut self, scene: &Scene) -> Result<&RasterFile> {
        self.open(&scene.header)
    }

    /// The open file of a header.
    ///
    /// # Errors
    /// As [`OpenFiles::of`].
    pub fn open(&mut self, header: &RasterHeader) -> Result<&RasterFile> {
        let known =
            self.files.iter().position(|(path, band, _)| *path == header.path && *band == header.band);
        let entry = match known.and_then(|position| self.files.remove(position)) {
            Some(entry) => entry,
            None => (header.path.clone(), header.band, reopen_raster(header)?),
        };
        self.files.truncate(OPEN_FILES - 1);
        self.files.push_front(entry);
        Ok(&self.files[0].2)
    }

    /// Forgets the blocks of the place before; only blocks of one place are compared with each other.
    pub fn next_place(&mut self) {
        for block in self.here.drain(..) {
            if self.spare_stored.len() < Self::MOST_SPARE {
                self.spare_stored.push(block.bytes);
            }
        }
        for cells in self.lent.drain(..) {
            if let Ok(unused) = Rc::try_unwrap(cells)
                && self.spare_cells.len() < Self::MOST_SPARE
            {
                self.spare_cells.push(unused.into_raw_vec_and_offset().0);
            }
        }
    }

    /// The cells of a window of a scene of bytes. Where a file's block is the window and stands in another year's file
    /// byte for byte, both years get the same cells, and the block is decoded once.
    ///
    /// # Errors
    /// As [`OpenFiles::of`] and [`RasterFile::read`].
    pub fn bytes(&mut self, scene: &Scene, window: &Window) -> Result<Rc<Array2<u8>>> {
        let cells = match whole_block(scene, window) {
            Some(place) => self.block(scene, window, place)?,
            None => Rc::new(self.read(scene, window)?),
        };
        self.lent.push(cells.clone());
        Ok(cells)
    }

    /// Cells that `make` makes in memory that nobody uses any more, and that is used again at the next place.
    pub fn lend(&mut self, make: impl FnOnce(Vec<u8>) -> Array2<u8>) -> Rc<Array2<u8>> {
        let cells = Rc::new(make(self.spare_cells.pop().unwrap_or_default()));
        self.lent.push(cells.clone());
        cells
    }

    /// Hands out the cells of a window of a scene of bytes, as [`RasterFile::visit_bytes`] does: nothing is copied, and
    /// nothing is kept for other years.
    ///
    /// # Errors
    /// As [`OpenFiles::of`] and [`RasterFile::visit_bytes`].
    pub fn visit_bytes(
        &mut self,
        scene: &Scene,
        window: &Window,
        line: impl FnMut(usize, usize, &[u8]),
    ) -> Result<()> {
        self.of(scene)?.visit_bytes(window, line)
    }

    fn block(&mut self, scene: &Scene, window: &Window, place: (usize, usize)) -> Result<Rc<Array2<u8>>> {
        let mut stored = self.spare_stored.pop().unwrap_or_default();
        let Some(coding) = self.of(scene)?.compressed_block(place.0, place.1, &mut stored) else {
            self.spare_stored.push(stored);
            return Ok(Rc::new(self.read(scene, window)?));
        };
        let same = |known: &&StoredBlock| known.coding == coding && known.bytes == stored;
        if let Some(known) = self.here.iter().chain(&self.alike).find(same) {
            let cells = known.cells.clone();
            self.spare_stored.push(stored);
            return Ok(cells);
        }
        let cells = Rc::new(self.decoded(scene, window, place, &stored)?);
        self.remember(coding, stored, cells.clone());
        Ok(cells)
    }

    fn remember(&mut self, coding: BlockCoding, bytes: Vec<u8>, cells: Rc<Array2<u8>>) {
        let alike = cells.as_slice().is_some_and(|cells| constant(cells).is_some());
        let block = StoredBlock { coding, bytes, cells };
        if alike {
            self.alike.truncate(Self::MOST_ALIKE - 1);
            self.alike.push_front(block);
        } else {
            self.here.push(block);
        }
    }

    fn decoded(
        &mut self,
        scene: &Scene,
        window: &Window,
        (row, col): (usize, usize),
        stored: &[u8],
    ) -> Result<Array2<u8>> {
        let mut cells = self.spare_cells.pop().unwrap_or_default();
        self.of(scene)?.decode_block(row, col, stored, &mut cells)?;
        Array2::from_shape_vec((window.rows, window.cols), cells)
            .map_err(|_| Error::bug("a block of another shape was read"))
    }

    fn read(&mut self, scene: &Scene, window: &Window) -> Result<Array2<u8>> {
        let cells = self.spare_cells.pop().unwrap_or_default();
        self.of(scene)?.read_bytes(window, cells)
    }
}

/// Row and column among the blocks of a file of the block that a window is, if it is one.
fn whole_block(scene: &Scene, window: &Window) -> Option<(usize, usize)> {
    let (rows, cols) = scene.header.block;
    if (window.rows, window.cols) != (rows, cols) {
        return None;
    }
    let (row, col) = (usize::try_from(window.row).ok()?, usize::try_from(window.col).ok()?);
    (row.is_multiple_of(rows) && col.is_multiple_of(cols)).then(|| (row / rows, col / cols))
}
