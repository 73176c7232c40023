//! Tasks: squares of the target grid, each worked on by itself.

use super::EpochPlan;
use crate::model::grid::Grid;
use crate::model::window::{BLOCK, Window};

/// One square of the target grid, all epochs.
#[derive(Debug, Clone)]
pub struct Task {
    /// Position in the plan.
    pub index: usize,
    /// Its cells.
    pub window: Window,
    /// For each epoch the scenes that may cover it, by position, in order of precedence.
    pub scenes: Vec<Vec<usize>>,
}

impl Task {
    /// File name of its part: the place of its upper left block.
    pub fn part_name(&self) -> String {
        let block = BLOCK as i64;
        format!("{:06}_{:06}.part", self.window.row / block, self.window.col / block)
    }
}

/// Cuts a grid into tasks, row by row.
pub fn tasks(grid: &Grid, side: usize, epochs: &[EpochPlan]) -> Vec<Task> {
    let covering = |epoch: &EpochPlan, window: &Window| {
        let meets = |(_, scene): &(usize, &super::Scene)| !scene.footprint.intersect(window).is_empty();
        epoch.scenes.iter().enumerate().filter(meets).map(|(position, _)| position).collect()
    };
    grid.window()
        .squares(side)
        .enumerate()
        .map(|(index, window)| {
            let scenes = epochs.iter().map(|epoch| covering(epoch, &window)).collect();
            Task { index, window, scenes }
        })
        .collect()
}
