//! Overlays: what is laid over the mosaics after the maps are put together, on one grid.

use super::all_or_none;
use super::mask::Mask;
use crate::config::edits::Edit;
use crate::config::job::Job;
use crate::error::Result;
use crate::model::grid::Grid;
use crate::model::window::Window;

/// All overlays of a grid, in the order in which they are laid.
#[derive(Debug, Default)]
pub struct Overlays {
    /// Edits by interpreters, in the order of the job.
    pub edits: Vec<EditLayer>,
}

/// A layer of edits on one grid.
#[derive(Debug)]
pub struct EditLayer {
    /// Position among the edits of the job.
    pub edit: usize,
    /// The cells that it holds.
    pub mask: Mask,
    /// By position of the epoch: whether its map is edited.
    pub epochs: Vec<bool>,
}

impl EditLayer {
    /// What the job says of it.
    pub fn of<'a>(&self, job: &'a Job) -> &'a Edit {
        &job.edits[self.edit]
    }
}

impl Overlays {
    /// Opens the layers of a job and takes them to a grid.
    ///
    /// # Errors
    /// Input, Unsupported: every layer that cannot be used, with the reason.
    pub fn of(job: &Job, grid: &Grid, warnings: &mut Vec<String>) -> Result<Self> {
        let (mut edits, mut refused) = (Vec::new(), Vec::new());
        for (position, edit) in job.edits.iter().enumerate() {
            match Mask::open(&edit.path, edit.band, grid, 0, "layer of edits", warnings) {
                Ok(mask) => edits.push(EditLayer {
                    edit: position,
                    mask,
                    epochs: job.epochs.iter().map(|year| edit.epochs.contains(year)).collect(),
                }),
                Err(error) => refused.push(error),
            }
        }
        all_or_none(refused)?;
        Ok(Self { edits })
    }

    /// Whether the job has none.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Every mask in use.
    pub fn masks(&self) -> impl Iterator<Item = &Mask> {
        self.edits.iter().map(|layer| &layer.mask)
    }

    /// The edits that may hold cells of a window.
    pub fn edits_near<'a>(&'a self, grid: &'a Grid, window: Window) -> impl Iterator<Item = &'a EditLayer> {
        self.edits.iter().filter(move |layer| layer.mask.comes_near(grid, &window))
    }
}
