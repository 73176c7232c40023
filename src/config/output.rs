//! Where a product goes: a folder on disk, or a place in a store, with the folder on disk in which it is made.

use std::path::Path;

use super::environment::temporary_folder;
use super::job::Job;
use crate::error::{Error, Result};
use crate::io::digest::sha256;

impl Job {
    /// Where the product goes, as users name it.
    pub fn destination(&self) -> &Path {
        self.store.as_deref().unwrap_or(&self.output)
    }

    /// Chooses the folder on disk in which the product of a store is made: what the job says, else a temporary one whose name
    /// is the same whenever this job runs.
    ///
    /// # Errors
    /// Usage: a folder is named, and the product does not go to a store.
    pub fn choose_work_folder(&mut self) -> Result<()> {
        match (&self.store, &self.compute.work) {
            (None, None) => {}
            (None, Some(work)) => {
                return Err(Error::usage("a work folder is named, and the output lies on disk")
                    .found(work.display())
                    .help("leave out compute.work or --work: parts lie in the output folder, and outputs are made there"));
            }
            (Some(_), Some(work)) => self.output = work.clone(),
            (Some(store), None) => {
                let hash = sha256(format!("{}\n{}", store.display(), self.name));
                self.output = temporary_folder().join(format!("nalcms-{}", &hash[..32]));
            }
        }
        Ok(())
    }
}
