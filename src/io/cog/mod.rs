//! Assembles cloud-optimised GeoTIFFs from blocks that are already compressed.
//!
//! Where it stands: tasks compute blocks and compress them (`encode.rs`, `classmap/`); GDAL writes a tiny GeoTIFF from
//! which the CRS, palette and metadata are taken (`template.rs`); [`assemble`] puts both together in the
//! order a reader on the network wants (`layout.rs`); `verify` reads the result back (`check.rs`).
//!
//! It does not compute overviews, name files or make writes atomic.
//!
//! Rejected: GDAL's COG driver, which cannot take compressed blocks, decodes and encodes everything on one
//! machine at the end of a run, and builds its own overviews (mode of modes, or cubic for change codes).
//! Merging is now copying: a continent takes as long as the disk needs.

mod check;
mod classmap;
mod encode;
mod layout;
mod sample;
mod shape;
mod template;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

pub use super::tiff::BlockDecoder;
pub use check::{LayoutReport, LayoutVerdict, check_layout};
pub use encode::{BlockEncoder, Compression};
pub use layout::CogSpec;
pub use sample::SampleType;
pub use shape::{BLOCK, LevelShape, overview_levels};
pub use template::{Tag, TemplateTags};

use layout::Layout;

/// Hands out compressed blocks by level and place.
///
/// # Shape
/// Level 0 is native; `index` counts the 512 × 512 blocks of a level row-major from the upper left.
pub trait BlockStore {
    /// Gives the length of a compressed block, in bytes.
    ///
    /// # Errors
    /// Whatever keeps the store from knowing the block; every block of every level must be there.
    fn block_len(&self, level: u32, index: u64) -> io::Result<u32>;

    /// Appends the compressed bytes of a block to `out`, which is empty.
    ///
    /// # Errors
    /// Whatever keeps the store from reading the block.
    fn copy_block(&mut self, level: u32, index: u64, out: &mut Vec<u8>) -> io::Result<()>;
}

/// Writes a cloud-optimised GeoTIFF to `out`, from its first byte to its last, and gives its length in bytes.
///
/// Classic TIFF up to 4.2 GB, BigTIFF above. Blocks are asked for in the order of the file: smallest level
/// first, row-major within a level.
///
/// # Determinism
/// The file depends on the spec and the blocks only.
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if the spec contradicts itself; [`io::ErrorKind::InvalidData`] if a block
/// has fewer than 4 bytes or another length than the store said; else those of the store and of `out`.
/// # Cost
/// Memory: under 60 bytes a block (15 MB for a continent at 30 m), and one block. `out` gets small writes: hand in a buffered one.
/// # Source
/// TIFF 6.0; BigTIFF; GDAL COG driver documentation, "File format details".
pub fn assemble(out: &mut impl Write, spec: &CogSpec, blocks: &mut dyn BlockStore) -> io::Result<u64> {
    assemble_within(layout::CLASSIC_LIMIT, out, spec, blocks)
}

/// Does what [`assemble`] does, with a limit of classic TIFF that tests can set.
fn assemble_within(
    classic_limit: u64,
    out: &mut impl Write,
    spec: &CogSpec,
    blocks: &mut dyn BlockStore,
) -> io::Result<u64> {
    spec.check()?;
    let lengths = block_lengths(spec, blocks)?;
    let layout = Layout::plan(spec, &lengths, classic_limit)?;
    out.write_all(&layout.head)?;
    let mut block = Vec::new();
    for (level, lengths) in (0_u32..).zip(&lengths).collect::<Vec<_>>().into_iter().rev() {
        for (index, length) in (0_u64..).zip(lengths) {
            block.clear();
            blocks.copy_block(level, index, &mut block)?;
            match block.last_chunk::<4>() {
                Some(trailer) if block.len() as u64 == u64::from(*length) => {
                    out.write_all(&length.to_le_bytes())?;
                    out.write_all(&block)?;
                    out.write_all(trailer)?;
                }
                _ => {
                    let found = block.len();
                    return Err(wrong_block(level, index, &format!("{found} bytes; expected {length}")));
                }
            }
        }
    }
    Ok(layout.file_len)
}

/// Asks for the lengths of all blocks, by level and place.
fn block_lengths(spec: &CogSpec, blocks: &dyn BlockStore) -> io::Result<Vec<Vec<u32>>> {
    let length = |level, index| match blocks.block_len(level, index)? {
        // The trailer repeats the last four bytes, so there must be four. No codec makes fewer of 512 x 512 cells.
        length @ 0..4 => Err(wrong_block(level, index, &format!("{length} bytes; expected 4 or more"))),
        length => Ok(length),
    };
    let level_lengths =
        |(level, shape): (u32, &LevelShape)| (0..shape.blocks()).map(|index| length(level, index)).collect();
    (0..).zip(&spec.levels).map(level_lengths).collect()
}

fn wrong_block(level: u32, index: u64, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("block {index} of level {level} has {what}"))
}
