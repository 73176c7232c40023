//! TIFF files, read past GDAL where they are plain: directories, codecs, blocks.
//!
//! Why: the compressed bytes of a block say without decoding that nothing changed from one year to the next, and the
//! decoders here are faster than those of GDAL. Everything out of the ordinary is GDAL's.

mod blocks;
pub(in crate::io) mod decode;
pub(in crate::io) mod directory;
mod header;
mod lzw;

pub use blocks::{BlockCoding, BlockPlace, ExpectedShape, PlainBlocks, index_bytes};
pub use decode::BlockDecoder;
pub use header::{
    HeaderFault, LARGEST_BLOCK_BYTES, LARGEST_SIDE, MOST_BLOCKS, TiffSides, judge_bytes, judge_file,
};
