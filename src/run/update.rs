//! Updates: labels where something changed, the base map where nothing did.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;

use ndarray::Array2;

use super::values::values_under;
use crate::error::{Error, Result};
use crate::io::gdal::{RasterFile, reopen_raster};
use crate::model::grid::Grid;
use crate::model::legend::Absence;
use crate::model::rule::{NOT_COVERED, Outcome, RuleIndex};
use crate::model::source::SourceIndex;
use crate::model::window::Window;
use crate::plan::Scene;
use crate::plan::value_raster::ValueRaster;

/// The open masks of a worker.
#[derive(Default)]
pub struct Masks {
    files: BTreeMap<PathBuf, RasterFile>,
}

impl Masks {
    /// Where one of some rasters is not 0, over a window of the target grid.
    ///
    /// # Errors
    /// Unreadable, Input: cells cannot be read.
    fn changed(&mut self, masks: &[Arc<ValueRaster>], grid: &Grid, window: &Window) -> Result<Array2<bool>> {
        let mut changed = Array2::from_elem((window.rows, window.cols), false);
        for mask in masks {
            let entry = self.files.entry(mask.header.path.clone());
            let file = || match entry {
                Entry::Occupied(open) => Ok(&*open.into_mut()),
                Entry::Vacant(closed) => Ok(&*closed.insert(reopen_raster(&mask.header)?)),
            };
            let says = |read: i32| u8::from(mask.value(read).is_some_and(|value| value != 0));
            if let Some(said) = values_under(mask, file, (grid, window), 0, says)? {
                changed.zip_mut_with(&said, |changed, &said| *changed |= said != 0);
            }
        }
        Ok(changed)
    }
}

/// What the labels of the updates of a block hold so far, by source.
#[derive(Default)]
pub struct Labelled(BTreeMap<SourceIndex, Array2<bool>>);

impl Labelled {
    /// Takes from a layer what does not count: of labels, where nothing changed; of a base, where something did.
    ///
    /// # Shape
    /// `layer` lies over `window`, which lies in `block`.
    /// # Errors
    /// Unreadable, Input: a mask cannot be read, or says that something changed where no label is.
    pub fn cut(
        &mut self,
        layer: &mut Array2<RuleIndex>,
        (window, block): (&Window, &Window),
        scene: &Scene,
        outcomes: &[Outcome],
        masks: &mut Masks,
        grid: &Grid,
    ) -> Result<()> {
        let labelled =
            self.0.entry(scene.source).or_insert_with(|| Array2::from_elem((block.rows, block.cols), false));
        let at = ((window.row - block.row) as usize, (window.col - block.col) as usize);
        let holds = |rule: RuleIndex| {
            rule != NOT_COVERED && outcomes[usize::from(rule)] != Outcome::Absent(Absence::Outside)
        };
        if scene.depth > 0 {
            let above = if scene.mask_above.is_empty() {
                None
            } else {
                Some(masks.changed(&scene.mask_above, grid, window)?)
            };
            let mut unlabelled = 0u64;
            for ((row, col), rule) in layer.indexed_iter_mut() {
                let is_labelled = labelled[(at.0 + row, at.1 + col)];
                let changed = above.as_ref().is_some_and(|above| above[(row, col)]);
                unlabelled += u64::from(changed && !is_labelled && holds(*rule));
                if is_labelled {
                    *rule = NOT_COVERED;
                }
            }
            if unlabelled > 0 {
                let named = scene.mask_above.iter().map(|mask| mask.header.path.display().to_string());
                return Err(Error::input(
                    "an update says that cells changed, and its labels hold nothing there",
                )
                .at(named.collect::<Vec<_>>().join(", "))
                .found(format!("{unlabelled} such cells of the product in its {window}"))
                .expected("a label, or a value for no observation, wherever the mask is not 0")
                .help("mend the mask or the labels; a cell that did not change is 0 in the mask"));
            }
        }
        if !scene.mask.is_empty() {
            let changed = masks.changed(&scene.mask, grid, window)?;
            layer.zip_mut_with(&changed, |rule, &changed| {
                if !changed {
                    *rule = NOT_COVERED;
                }
            });
        }
        for ((row, col), &rule) in layer.indexed_iter() {
            labelled[(at.0 + row, at.1 + col)] |= holds(rule);
        }
        Ok(())
    }
}
