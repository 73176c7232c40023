//! What rasters of strata say of the cells of scenes.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use ndarray::Array2;

use super::files::OpenFiles;
use super::values::values_under;
use crate::error::Result;
use crate::kernel::runs::constant;
use crate::model::grid::Grid;
use crate::model::window::Window;
use crate::plan::WARP_CELLS;
use crate::plan::strata::StratumRaster;

/// What a stratum says of the cells of a window: position of the value + 1, 0 for none.
#[derive(Debug, Clone)]
pub enum StratumPlane {
    /// The same of all.
    One(u8),
    /// Row by row.
    Each(Array2<u8>),
}

/// Planes read last. Maps of several years on the same cells ask for the same one after the other.
#[derive(Default)]
pub struct StratumPlanes(VecDeque<(Arc<StratumRaster>, Window, Rc<StratumPlane>)>);

impl StratumPlanes {
    /// Planes that are remembered: those of a few strata, where four tiles meet.
    const MOST: usize = 16;

    fn find(&self, raster: &Arc<StratumRaster>, window: &Window) -> Option<Rc<StratumPlane>> {
        let same =
            |(known, at, _): &&(Arc<StratumRaster>, Window, _)| Arc::ptr_eq(known, raster) && at == window;
        self.0.iter().find(same).map(|(.., plane)| plane.clone())
    }

    /// Remembers a plane, and forgets the oldest where all together would hold more than [`WARP_CELLS`].
    fn remember(&mut self, raster: &Arc<StratumRaster>, window: &Window, plane: Rc<StratumPlane>) {
        self.0.push_front((raster.clone(), *window, plane));
        let held = |(_, window, plane): &(_, Window, Rc<StratumPlane>)| match **plane {
            StratumPlane::One(_) => 0,
            StratumPlane::Each(_) => window.cells(),
        };
        while self.0.len() > Self::MOST
            || (self.0.len() > 1 && self.0.iter().map(held).sum::<u64>() > WARP_CELLS)
        {
            self.0.pop_back();
        }
    }
}

impl OpenFiles {
    /// What a raster of a stratum says of the cells of a window of the scene's grid that it was placed on.
    ///
    /// # Errors
    /// As [`OpenFiles::open`]. Unreadable, Input: cells of the raster that cannot be read. Bug: PROJ lost an operation.
    pub fn stratum(
        &mut self,
        stratum: &Arc<StratumRaster>,
        grid: &Grid,
        window: &Window,
    ) -> Result<Rc<StratumPlane>> {
        if let Some(plane) = self.strata.find(stratum, window) {
            return Ok(plane);
        }
        let raster = &stratum.raster;
        let tell = |read| stratum.plane_value(read);
        let plane = match values_under(raster, || self.open(&raster.header), (grid, window), 0, tell)? {
            None => StratumPlane::One(0),
            Some(plane) => match plane.as_slice().and_then(constant) {
                Some(value) => StratumPlane::One(value),
                None => StratumPlane::Each(plane),
            },
        };
        let plane = Rc::new(plane);
        self.strata.remember(stratum, window, plane.clone());
        Ok(plane)
    }
}
