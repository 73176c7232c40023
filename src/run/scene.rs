//! One scene of a task at work: its cells, read and understood.

use std::path::Path;
use std::rc::Rc;

use ndarray::{Array2, s};

use super::files::OpenFiles;
use super::locate::Locator;
use super::strata::StratumPlane;
use crate::error::{Error, Result};
use crate::io::gdal::{CellKeys, Pixels, SampleKind};
use crate::kernel::ClassValue;
use crate::kernel::align::{Located, nearest, nearest_in};
use crate::kernel::mosaic::ByteLookup;
use crate::kernel::reclass::{UnknownValues, reclass};
use crate::model::byte_rules::ByteRules;
use crate::model::grid::Grid;
use crate::model::provenance::Origin;
use crate::model::rule::{NOT_COVERED, Rule, RuleIndex};
use crate::model::window::Window;
use crate::plan::WARP_CELLS;
use crate::plan::scene::Scene;
use crate::plan::strata::{StratumCells, StratumLayer};

/// What becomes of the bytes of a scene, where its strata say the same of all cells.
#[derive(Debug, Clone)]
pub struct ByteTable<T> {
    /// Position of the scene in its epoch, and which of its tables this is.
    pub place: (usize, usize),
    /// The scene's file.
    pub file: Rc<Path>,
    /// Rule of each value.
    pub rules: Rc<ByteRules>,
    /// Class and decider of each value.
    pub lookup: Rc<ByteLookup<T>>,
}

/// One scene of a task at work.
pub struct TaskScene<'a, T> {
    /// The scene.
    pub scene: &'a Scene,
    /// Its position among the task's scenes of the epoch.
    position: usize,
    /// The code of provenance of its source.
    origin: Origin,
    /// Values met that no rule explains, where cells are reclassified one by one.
    unknown: UnknownValues,
    /// Its tables so far, by what the strata say.
    tables: Vec<(Vec<u8>, ByteTable<T>)>,
}

/// Which cells of a scene lie under a window of the target.
pub enum Cells {
    /// Those of a window of the scene.
    Window(Window),
    /// Those located, one by one.
    Located(Rc<Located>),
    /// Those that vote there with those of other scenes.
    Voters,
}

impl<'a, T: ClassValue> TaskScene<'a, T> {
    /// A scene of which nothing was read yet.
    pub fn new(scene: &'a Scene, position: usize, origin: Origin) -> Self {
        Self { scene, position, origin, unknown: UnknownValues::default(), tables: Vec::new() }
    }

    /// What becomes of its bytes; `None` if it is no file of bytes, a stratum's border runs through the cells, or some
    /// lie in none of the scene and no byte says that.
    ///
    /// # Errors
    /// Unreadable, Input: cells of a stratum that cannot be read. Bug: a stratum's polygon cannot be read.
    pub fn table(&mut self, files: &mut OpenFiles, cells: &Cells, nodata: T) -> Result<Option<ByteTable<T>>> {
        let (inside, whole) = match cells {
            Cells::Window(window) => (*window, true),
            Cells::Located(located) => (located.bounds, located.whole),
            Cells::Voters => return Ok(None),
        };
        if self.scene.header.sample != SampleKind::U8 || inside.is_empty() || inside.cells() > WARP_CELLS {
            return Ok(None);
        }
        let mut strata = Vec::with_capacity(self.scene.strata.len());
        for layer in &self.scene.strata {
            match one_value(layer, files, &self.scene.header.grid, &inside)? {
                Some(value) => strata.push(value),
                None => return Ok(None),
            }
        }
        let table = match self.tables.iter().find(|(known, _)| *known == strata) {
            Some((_, table)) => table.clone(),
            None => self.add_table(strata, nodata),
        };
        Ok((whole || table.rules.outside().is_some()).then_some(table))
    }

    fn add_table(&mut self, strata: Vec<u8>, nodata: T) -> ByteTable<T> {
        let rules = ByteRules::of(&self.scene.rules, self.scene.source, &strata);
        let class = |value: usize| rules.class(value as u8).and_then(T::from_code).unwrap_or(nodata);
        let classes = std::array::from_fn(class);
        let winners = std::array::from_fn(|value| rules.decider(value as u8));
        let origins = std::array::from_fn(|value| rules.rule(value as u8).outcome.origin(self.origin));
        let table = ByteTable {
            place: (self.position, self.tables.len()),
            file: self.scene.header.path.as_path().into(),
            rules: Rc::new(rules),
            lookup: Rc::new(ByteLookup { classes, winners, origins }),
        };
        self.tables.push((strata, table.clone()));
        table
    }

    /// Its bytes under each cell of a window of the target, for which it gave a table.
    ///
    /// # Errors
    /// As [`OpenFiles::bytes`].
    pub fn bytes(
        &self,
        files: &mut OpenFiles,
        cells: &Cells,
        table: &ByteTable<T>,
    ) -> Result<Rc<Array2<u8>>> {
        match cells {
            Cells::Window(window) => files.bytes(self.scene, window),
            Cells::Located(located) => {
                let read = files.bytes(self.scene, &located.bounds)?;
                // Where a cell lies in none of the scene, there is such a byte, or there would be no table.
                let outside = table.rules.outside().unwrap_or_default();
                Ok(files.lend(|memory| nearest_in(read.view(), located, outside, memory)))
            }
            Cells::Voters => Err(Error::bug("bytes that vote have no place yet")),
        }
    }

    /// The rules of its cells under a window of the target.
    ///
    /// # Errors
    /// As [`Self::rules`].
    pub fn rules_under(
        &mut self,
        files: &mut OpenFiles,
        locator: &mut Locator,
        cells: &Cells,
        window: &Window,
    ) -> Result<Array2<RuleIndex>> {
        if let Cells::Window(inside) = cells {
            return self.rules(files, inside);
        }
        let mut layer = Array2::from_elem((window.rows, window.cols), NOT_COVERED);
        self.warp(files, locator, window, window, &mut layer)?;
        Ok(layer)
    }

    /// Fills a part of a layer over `window` by nearest neighbour; a part over too many source cells is quartered.
    fn warp(
        &mut self,
        files: &mut OpenFiles,
        locator: &mut Locator,
        part: &Window,
        window: &Window,
        layer: &mut Array2<RuleIndex>,
    ) -> Result<()> {
        let located = locator.locate(self.scene, part)?;
        if located.bounds.is_empty() {
            return Ok(());
        }
        let side = part.rows.max(part.cols);
        if located.bounds.cells() > WARP_CELLS && side > 1 {
            for quarter in part.squares(side.div_ceil(2)) {
                self.warp(files, locator, &quarter, window, layer)?;
            }
            return Ok(());
        }
        let rules = self.rules(files, &located.bounds)?;
        let (row, col) = ((part.row - window.row) as usize, (part.col - window.col) as usize);
        let cells = nearest(rules.view(), &located, NOT_COVERED);
        layer.slice_mut(s![row..row + part.rows, col..col + part.cols]).assign(&cells);
        Ok(())
    }

    /// The rules of the cells of one of its own windows.
    ///
    /// # Errors
    /// As [`OpenFiles::of`] and its file's `read`. Input: it holds more values than a class map can have.
    pub fn rules(&mut self, files: &mut OpenFiles, window: &Window) -> Result<Array2<RuleIndex>> {
        let scene = self.scene;
        let mut strata = Vec::with_capacity(scene.strata.len());
        for layer in &scene.strata {
            strata.push(plane(layer, files, &scene.header.grid, window)?);
        }
        let rules = match files.of(scene)?.read(window)? {
            Pixels::Bytes(cells) => reclass(cells.view(), &strata, &scene.rules, &mut self.unknown),
            Pixels::Codes(cells) => reclass(cells.view(), &strata, &scene.rules, &mut self.unknown),
        };
        rules.map_err(|_| {
            Error::input("a raster holds more distinct values than a class map can have")
                .at(scene.header.path.display())
                .expected("at most 65534 distinct values")
        })
    }

    /// All rules met so far, by their index.
    pub fn all_rules(&self) -> Vec<Rule> {
        let rules = self.unknown.rule_count(&self.scene.rules);
        (0..rules).map(|index| self.unknown.rule(&self.scene.rules, index as RuleIndex)).collect()
    }
}

/// What a stratum says of all cells of a window of a scene's grid, where that is the same and can be told.
fn one_value(
    layer: &StratumLayer,
    files: &mut OpenFiles,
    grid: &Grid,
    window: &Window,
) -> Result<Option<u8>> {
    match &layer.cells {
        StratumCells::Polygons { polygons, plane_values } => {
            Ok(polygons.one_key(grid, window)?.map(|key| value_of(plane_values, key)))
        }
        StratumCells::Raster(raster) => match *files.stratum(raster, grid, window)? {
            StratumPlane::One(value) => Ok(Some(value)),
            StratumPlane::Each(_) => Ok(None),
        },
    }
}

/// What a stratum says of each cell of a window of a scene's grid.
fn plane(layer: &StratumLayer, files: &mut OpenFiles, grid: &Grid, window: &Window) -> Result<Array2<u8>> {
    let shape = (window.rows, window.cols);
    Ok(match &layer.cells {
        StratumCells::Polygons { polygons, plane_values } => match polygons.burn(grid, window)?.cells {
            CellKeys::One(key) => Array2::from_elem(shape, value_of(plane_values, key)),
            CellKeys::Each(keys) => keys.mapv(|key| value_of(plane_values, key)),
        },
        StratumCells::Raster(raster) => match &*files.stratum(raster, grid, window)? {
            StratumPlane::One(value) => Array2::from_elem(shape, *value),
            StratumPlane::Each(values) => values.clone(),
        },
    })
}

/// What a layer of polygons says at a cell, from the key of the polygon there: position of the value + 1, 0 for none.
fn value_of(plane_values: &[u8], key: u32) -> u8 {
    key.checked_sub(1).map_or(0, |key| plane_values[key as usize])
}
