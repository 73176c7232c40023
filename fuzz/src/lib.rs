//! What several targets need: a file for readers that take a path, a store of blocks for writers.

use std::os::unix::fs::FileExt;
use std::path::Path;

use nalcms::io::cog::BlockStore;
use tempfile::NamedTempFile;

/// A file whose content is replaced for every input; in memory where the system has such a folder.
pub struct Scratch(NamedTempFile);

impl Scratch {
    /// An empty one.
    pub fn new() -> Self {
        let shared = Path::new("/dev/shm");
        Self(if shared.is_dir() { NamedTempFile::new_in(shared) } else { NamedTempFile::new() }.unwrap())
    }

    /// Its path, with other bytes in it.
    pub fn holding(&self, bytes: &[u8]) -> &Path {
        self.0.as_file().set_len(0).unwrap();
        self.0.as_file().write_all_at(bytes, 0).unwrap();
        self.0.path()
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

thread_local! {
    /// The fuzzer runs one input after the other on one thread.
    pub static SCRATCH: Scratch = Scratch::new();
}

/// A number from the first bytes of an input, and the rest.
pub fn split_u16(data: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = data.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_le_bytes(*head)), rest))
}

/// The same block wherever one is asked for.
pub struct Same(pub Vec<u8>);

impl BlockStore for Same {
    fn block_len(&self, _: u32, _: u64) -> std::io::Result<u32> {
        Ok(self.0.len() as u32)
    }

    fn copy_block(&mut self, _: u32, _: u64, out: &mut Vec<u8>) -> std::io::Result<()> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
}
