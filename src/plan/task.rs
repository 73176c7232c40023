//! Tasks: pieces of the target grid, each worked on by itself.

use super::EpochPlan;
use super::alignment::Alignment;
use super::scene::Scene;
use crate::model::grid::Grid;
use crate::model::window::{BLOCK, Window};

/// One piece of the target grid, all epochs.
#[derive(Debug, Clone)]
pub struct Task {
    /// Position among the tasks of all grids.
    pub index: usize,
    /// Its cells.
    pub window: Window,
    /// For each epoch the scenes that may cover it or what it looks at around itself, by position, in order of precedence.
    pub scenes: Vec<Vec<usize>>,
}

impl Task {
    /// File name of its part: the place of its upper left block.
    pub fn part_name(&self) -> String {
        let block = BLOCK as i64;
        format!("{:06}_{:06}.part", self.window.row / block, self.window.col / block)
    }
}

/// Rows and columns of the tasks of a plan, each 512 times a power of two; at the edges of the grid less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskShape {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
}

impl TaskShape {
    /// Tasks that are not square have at most so many times the cells of a square one, if they have more than 512 rows.
    const MOST_SQUARES: usize = 4;

    /// Squares; where files on the lattice are stored in strips that are wider, tasks as wide as these and lower, so
    /// that a strip is decoded by one task and not by each that it runs through.
    ///
    /// # Shape
    /// `side` is 512 times a power of two.
    pub fn of(side: usize, grid: &Grid, epochs: &[EpochPlan]) -> Self {
        let end = |scene: &Scene| match scene.alignment {
            Alignment::Copy { .. } if scene.header.block.1 > side => scene.footprint.col_end(),
            _ => 0,
        };
        let end = epochs.iter().flat_map(|epoch| &epoch.scenes).map(end).max().unwrap_or(0);
        let (mut rows, mut cols) = (side, side);
        while (cols as i64) < end {
            cols *= 2;
        }
        while rows > BLOCK && rows * cols.min(grid.cols) > Self::MOST_SQUARES * side * side {
            rows /= 2;
        }
        Self { rows, cols }
    }

    /// The task that a cell of the grid belongs to, by position among those of the grid.
    pub fn task_at(self, grid: &Grid, row: usize, col: usize) -> usize {
        row / self.rows * grid.cols.div_ceil(self.cols) + col / self.cols
    }

    /// Overview levels whose blocks lie wholly in one task: 512 x 2^n cells hold blocks up to level n.
    pub fn levels(self) -> u32 {
        (self.rows.min(self.cols) / BLOCK).ilog2()
    }
}

/// Cuts a grid into tasks, row by row, counted on from the first. `reach` is how many cells around itself a task looks at.
pub fn tasks(grid: &Grid, shape: TaskShape, epochs: &[EpochPlan], first: usize, reach: usize) -> Vec<Task> {
    let covering = |epoch: &EpochPlan, window: &Window| {
        let around = window.grown(reach);
        let meets = |(_, scene): &(usize, &super::Scene)| !scene.footprint.intersect(&around).is_empty();
        epoch.scenes.iter().enumerate().filter(meets).map(|(position, _)| position).collect()
    };
    grid.window()
        .pieces(shape.rows, shape.cols)
        .enumerate()
        .map(|(index, window)| {
            let scenes = epochs.iter().map(|epoch| covering(epoch, &window)).collect();
            Task { index: first + index, window, scenes }
        })
        .collect()
}
