//! Which cells the polygons of a layer hold.

use std::collections::BTreeSet;

use gdal::DriverManager;
use gdal::raster::rasterize;
use gdal::vector::Geometry;
use ndarray::{Array2, Zip, s};

use super::raster::gdal_text;
use super::vector::{Feature, FeatureLayer};
use super::wkb;
use crate::error::{Error, Result};
use crate::model::grid::Grid;
use crate::model::window::{BLOCK, Window};

/// Keys of the cells of a window: position of the key + 1; 0 where no polygon holds the cell's centre.
#[derive(Debug, Clone, PartialEq)]
pub enum CellKeys {
    /// One for all cells.
    One(u32),
    /// One for each.
    Each(Array2<u32>),
}

/// Cells of a window by polygon.
#[derive(Debug, Clone)]
pub struct BurnedZones {
    /// Key of each cell; where polygons of several keys hold it, that of the first polygon in file order.
    pub cells: CellKeys,
    /// Cells whose centre lies in polygons of more than one key.
    pub overlaps: u64,
}

impl Feature {
    /// The polygon as well-known binary, in the CRS of the grid.
    pub fn shape(&self) -> &[u8] {
        &self.wkb
    }

    fn comes_near(&self, [xmin, ymin, xmax, ymax]: [f64; 4]) -> bool {
        let [west, south, east, north] = self.envelope;
        west <= xmax && east >= xmin && south <= ymax && north >= ymin
    }
}

impl FeatureLayer {
    /// Which key each cell of a window has: that of the first polygon in file order that holds its centre.
    ///
    /// Cells are burned in blocks that sit at fixed places of the grid, so that a centre that falls on an edge to
    /// the last bit goes the same way however the work is cut.
    ///
    /// # Errors
    /// Bug: GDAL cannot burn in memory.
    pub fn burn(&self, grid: &Grid, window: &Window) -> Result<BurnedZones> {
        if let Some(keys) = self.alone(grid, window)? {
            let overlaps = if keys.iter().any(|key| *key != keys[0]) { window.cells() } else { 0 };
            return Ok(BurnedZones { cells: CellKeys::One(keys.first().copied().unwrap_or(0)), overlaps });
        }
        let mut cells = Array2::zeros((window.rows, window.cols));
        let mut overlaps = 0;
        let side = BLOCK as i64;
        let aligned = Window::between(
            window.row.div_euclid(side) * side,
            window.col.div_euclid(side) * side,
            window.row_end(),
            window.col_end(),
        );
        for square in aligned.squares(BLOCK) {
            let block = Window { rows: BLOCK, cols: BLOCK, ..square };
            let wanted = block.intersect(window);
            let Some(burned) = self.burn_block(grid, &block)? else { continue };
            let within = |w: &Window, origin: &Window| {
                let (row, col) = ((w.row - origin.row) as usize, (w.col - origin.col) as usize);
                s![row..row + w.rows, col..col + w.cols]
            };
            let inside = within(&wanted, &block);
            cells.slice_mut(within(&wanted, window)).assign(&burned.first.slice(inside));
            if let Some((least, most)) = burned.range {
                let mut differing = 0;
                Zip::from(least.slice(inside))
                    .and(most.slice(inside))
                    .for_each(|least, most| differing += u64::from(least != most));
                overlaps += differing;
            }
        }
        Ok(BurnedZones { cells: CellKeys::Each(cells), overlaps })
    }

    /// The key that all cells of a window share (position + 1, 0 for none), where that can be told without burning.
    ///
    /// # Errors
    /// Bug: a polygon cannot be read.
    pub fn one_key(&self, grid: &Grid, window: &Window) -> Result<Option<u32>> {
        Ok(self.alone(grid, window)?.map(|keys| keys.first().copied().unwrap_or(0)))
    }

    /// Positions of the polygons that may come into a box (xmin, ymin, xmax, ymax), in file order.
    pub fn near(&self, bounds: [f64; 4]) -> impl Iterator<Item = usize> {
        self.features.iter().enumerate().filter(move |(_, f)| f.comes_near(bounds)).map(|(at, _)| at)
    }

    /// Positions of the keys whose polygons may come into a box (xmin, ymin, xmax, ymax).
    pub fn keys_near(&self, bounds: [f64; 4]) -> BTreeSet<u32> {
        self.features.iter().filter(|f| f.comes_near(bounds)).map(|f| f.key).collect()
    }

    /// Position + 1 of the keys of the polygons that hold all cells of a window, in file order; `None` where an edge
    /// comes near, within a cell.
    fn alone(&self, grid: &Grid, window: &Window) -> Result<Option<Vec<u32>>> {
        let beside =
            Window { row: window.row - 1, col: window.col - 1, rows: window.rows + 2, cols: window.cols + 2 };
        let bounds = grid.part(&beside).bounds();
        if self.edges.come_into(bounds) {
            return Ok(None);
        }
        let (x, y) = grid.affine.apply(window.col as f64 + 0.5, window.row as f64 + 0.5);
        let mut keys = Vec::new();
        for feature in self.features.iter().filter(|f| f.comes_near(bounds)) {
            if wkb::holds(&feature.wkb, x, y)? {
                keys.push(feature.key + 1);
            }
        }
        Ok(Some(keys))
    }

    /// Burns the polygons that come near a block; `None` where there are none.
    fn burn_block(&self, grid: &Grid, block: &Window) -> Result<Option<Burned>> {
        let place = grid.part(block);
        let bounds = place.bounds();
        let near: Vec<&Feature> = self.features.iter().filter(|f| f.comes_near(bounds)).collect();
        if near.is_empty() {
            return Ok(None);
        }
        let burned = burn_near(&near, &place);
        burned.map(Some).map_err(|e| Error::bug(format!("GDAL cannot burn in memory: {}", gdal_text(&e))))
    }
}

/// Keys of the cells of a block, position + 1, 0 where no polygon holds a cell's centre.
struct Burned {
    /// That of the first polygon in file order.
    first: Array2<u32>,
    /// The least and the largest, where polygons of several keys come near: cells in which they differ lie in more
    /// than one zone.
    range: Option<(Array2<u32>, Array2<u32>)>,
}

fn burn_near(near: &[&Feature], place: &Grid) -> gdal::errors::Result<Burned> {
    // Later burns overwrite earlier ones.
    let first = burn_in_order(near.iter().rev(), place)?;
    if near.iter().all(|feature| feature.key == near[0].key) {
        return Ok(Burned { first, range: None });
    }
    let mut by_key = near.to_vec();
    by_key.sort_by_key(|feature| feature.key);
    let most = burn_in_order(by_key.iter(), place)?;
    // Keys are numbered as they are first seen: most often the polygons of a file stand in the order of their keys.
    let least = match near.is_sorted_by_key(|feature| feature.key) {
        true => first.clone(),
        false => burn_in_order(by_key.iter().rev(), place)?,
    };
    Ok(Burned { first, range: Some((least, most)) })
}

/// Burns the keys + 1 of polygons, one over the other.
fn burn_in_order<'a>(
    polygons: impl Iterator<Item = &'a &'a Feature> + Clone,
    place: &Grid,
) -> gdal::errors::Result<Array2<u32>> {
    let geometries =
        polygons.clone().map(|f| Geometry::from_wkb(&f.wkb)).collect::<gdal::errors::Result<Vec<_>>>()?;
    let values: Vec<f64> = polygons.map(|f| f64::from(f.key) + 1.0).collect();
    let driver = DriverManager::get_driver_by_name("MEM")?;
    let mut dataset = driver.create_with_band_type::<i32, _>("", BLOCK, BLOCK, 1)?;
    dataset.set_geo_transform(&place.affine.0)?;
    rasterize(&mut dataset, &[1], &geometries, &values, None)?;
    let (_, cells) = dataset.rasterband(1)?.read_band_as::<u32>()?.into_shape_and_vec();
    Ok(Array2::from_shape_vec((BLOCK, BLOCK), cells).unwrap_or_else(|_| Array2::zeros((BLOCK, BLOCK))))
}
