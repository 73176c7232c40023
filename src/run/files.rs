//! The files a worker reads from, and cells of bytes that several years share.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;

use ndarray::Array2;

use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::{Pixels, RasterFile, open_raster};
use crate::io::tiff::BlockCoding;
use crate::kernel::runs::constant;
use crate::model::window::Window;
use crate::plan::{OPEN_FILES, Scene};

/// The files a worker read last. A task may meet thousands of tiles; few are open at a time.
#[derive(Default)]
pub struct OpenFiles {
    files: VecDeque<(PathBuf, usize, RasterFile)>,
    /// Blocks of this place that other years hold, as they stand in their files.
    here: Vec<StoredBlock>,
    /// Stored blocks whose cells are all alike: most of an ocean is one block over and over.
    alike: VecDeque<StoredBlock>,
    stored: Vec<u8>,
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

    /// The open file of a scene.
    ///
    /// # Errors
    /// Unreadable: it is not the file that was planned with. Input, Io: it cannot be opened.
    pub fn of(&mut self, scene: &Scene) -> Result<&RasterFile> {
        let header = &scene.header;
        let known =
            self.files.iter().position(|(path, band, _)| *path == header.path && *band == header.band);
        let entry = match known.and_then(|position| self.files.remove(position)) {
            Some(entry) => entry,
            None => {
                let file = open_raster(&header.path, Some(header.band))?;
                // How a CRS is worded may differ from one opening to the next; where the cells lie may not.
                let (now, then) = (&file.header.grid, &header.grid);
                let same = (now.affine, now.rows, now.cols) == (then.affine, then.rows, then.cols);
                if !same || file.header.sample != header.sample {
                    return Err(Error::new(
                        ErrorKind::Unreadable,
                        "an input changed since the plan was made",
                    )
                    .at(header.path.display())
                    .help("run again"));
                }
                (header.path.clone(), header.band, file)
            }
        };
        self.files.truncate(OPEN_FILES - 1);
        self.files.push_front(entry);
        Ok(&self.files[0].2)
    }

    /// Forgets the blocks of the place before; only blocks of one place are compared with each other.
    pub fn next_place(&mut self) {
        self.here.clear();
    }

    /// The cells of a window of a scene of bytes. Where a file's block is the window and stands in another year's file
    /// byte for byte, both years get the same cells, and the block is decoded once.
    ///
    /// # Errors
    /// As [`OpenFiles::of`] and [`RasterFile::read`].
    pub fn bytes(&mut self, scene: &Scene, window: &Window) -> Result<Rc<Array2<u8>>> {
        let Some((row, col)) = whole_block(scene, window) else {
            return Ok(Rc::new(self.read(scene, window)?));
        };
        let mut stored = std::mem::take(&mut self.stored);
        let coding = self.of(scene)?.compressed_block(row, col, &mut stored);
        let cells = match coding {
            None => Rc::new(self.read(scene, window)?),
            Some(coding) => {
                let same = |known: &&StoredBlock| known.coding == coding && known.bytes == stored;
                let known = self.here.iter().chain(&self.alike).find(same).map(|known| known.cells.clone());
                match known {
                    Some(cells) => cells,
                    None => {
                        let cells = Rc::new(self.decoded(scene, window, (row, col), &stored)?);
                        self.remember(coding, stored.clone(), cells.clone());
                        cells
                    }
                }
            }
        };
        self.stored = stored;
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
        let mut cells = Vec::new();
        self.of(scene)?.decode_block(row, col, stored, &mut cells)?;
        Array2::from_shape_vec((window.rows, window.cols), cells)
            .map_err(|_| Error::bug("a block of another shape was read"))
    }

    fn read(&mut self, scene: &Scene, window: &Window) -> Result<Array2<u8>> {
        match self.of(scene)?.read(window)? {
            Pixels::Bytes(cells) => Ok(cells),
            Pixels::Codes(_) => Err(Error::bug("a raster of bytes was read as numbers")),
        }
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
