//! What stands in for tasks that could not be done, where an incomplete product is allowed: parts without any map.
//!
//! They are made like all parts, so that every sum still holds: their cells are nodata in every raster and counted as such. They
//! never lie among the parts, where they could be mistaken for work that is done.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::ledger::Ledger;
use super::{task, to_do, work_folder};
use crate::error::Result;
use crate::plan::fingerprint::TaskIdentity;
use crate::plan::{JobPlan, Plan, Task};

fn folder(output: &Path) -> PathBuf {
    work_folder(output).join("stand-ins")
}

/// Removes them: they are as quickly made again.
pub fn forget(output: &Path) {
    let _ = std::fs::remove_dir_all(folder(output));
}

/// Makes a part without any map for each task that is not done; the ledger then knows the task as missing.
///
/// # Errors
/// As [`task::process`].
pub fn stand_in_for_open_tasks(plan: &JobPlan, ledger: &mut Ledger, output: &Path) -> Result<()> {
    let folder = folder(output);
    let open = to_do(plan, ledger);
    let path_of = |grid: &Plan, task: &Task| {
        let folder = grid.grid_id.as_ref().map_or(folder.clone(), |id| folder.join(id));
        folder.join(task.part_name())
    };
    open.par_iter().try_for_each(|&(grid, task)| {
        let empty = Task { scenes: vec![Vec::new(); task.scenes.len()], ..task.clone() };
        let id = format!("without maps: {}", ledger.ids[task.index]);
        let identity = TaskIdentity { id, reasons: Default::default() };
        let path = path_of(grid, task);
        let unexplained = if grid.storage.bytes {
            task::process::<u8>(&empty, grid, identity, &path, &|| Ok(()))
        } else {
            task::process::<i32>(&empty, grid, identity, &path, &|| Ok(()))
        };
        unexplained.map(drop)
    })?;
    for (grid, task) in open {
        ledger.stand_in(task, path_of(grid, task));
    }
    Ok(())
}
