//! Overlays: what is laid over the mosaics after the maps are put together, on one grid.

use super::all_or_none;
use super::mask::Mask;
use crate::config::coast::Coast;
use crate::config::edits::Edit;
use crate::config::job::Job;
use crate::error::Result;
use crate::model::epoch::Epoch;
use crate::model::grid::Grid;
use crate::model::legend::ClassCode;
use crate::model::source::{Role, SourceIndex};
use crate::model::window::Window;

/// All overlays of a grid, in the order in which they are laid.
#[derive(Debug, Default)]
pub struct Overlays {
    /// Where land ends, and what becomes of the rest.
    pub coast: Option<CoastLayer>,
    /// Edits by interpreters, in the order of the job.
    pub edits: Vec<EditLayer>,
}

/// The coast of one grid.
#[derive(Debug)]
pub struct CoastLayer {
    /// The land, on the grid and as far around it as the fringe is wide.
    pub land: Mask,
    /// Width of the fringe, in cells.
    pub cells: usize,
    /// The class of the fringe and the source that decides it; `None` where it has no class and nobody does.
    pub water: Option<(ClassCode, SourceIndex)>,
    /// By position of the epoch: whether the grid has a map of it.
    pub epochs: Vec<bool>,
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

impl CoastLayer {
    fn open(
        job: &Job,
        coast: &Coast,
        (position, grid): (usize, &Grid),
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let here = || job.sources.iter().enumerate().filter(|(_, source)| source.grid == position);
        let is_mapped = |year: &Epoch| here().any(|(_, source)| source.maps.contains_key(year));
        let fringe = here().find(|(_, source)| source.role == Role::Fringe);
        Ok(Self {
            land: Mask::open(&coast.land, coast.land_band, grid, coast.cells, "layer of land", warnings)?,
            cells: coast.cells,
            water: coast.water.zip(fringe.map(|(at, _)| at as SourceIndex)),
            epochs: job.epochs.iter().map(is_mapped).collect(),
        })
    }
}

impl Overlays {
    /// Opens the layers of a job and takes them to a grid, which has a position among those of the job.
    ///
    /// # Errors
    /// Input, Unsupported: every layer that cannot be used, with the reason.
    pub fn of(job: &Job, (position, grid): (usize, &Grid), warnings: &mut Vec<String>) -> Result<Self> {
        let (mut edits, mut refused) = (Vec::new(), Vec::new());
        let coast = job.coast.as_ref().map(|coast| CoastLayer::open(job, coast, (position, grid), warnings));
        let coast = coast.transpose().unwrap_or_else(|error| {
            refused.push(error);
            None
        });
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
        Ok(Self { coast, edits })
    }

    /// Whether the job has none.
    pub fn is_empty(&self) -> bool {
        self.coast.is_none() && self.edits.is_empty()
    }

    /// Every mask in use.
    pub fn masks(&self) -> impl Iterator<Item = &Mask> {
        self.coast.iter().map(|coast| &coast.land).chain(self.edits.iter().map(|layer| &layer.mask))
    }

    /// The edits that may hold cells of a window.
    pub fn edits_near<'a>(&'a self, grid: &'a Grid, window: Window) -> impl Iterator<Item = &'a EditLayer> {
        self.edits.iter().filter(move |layer| layer.mask.comes_near(grid, &window))
    }
}
