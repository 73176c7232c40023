//! Combine: several layers of zones become one plane, whose zones are the combinations that occur.
//!
//! What is counted is counted once, by combination, however many layers a job has; the counts of a layer, or of layers
//! that are crossed, are read off the counts of the combinations.

use std::collections::BTreeMap;

use ndarray::Array2;

use super::runs::constant;
use super::tabulate::ZoneIndex;

/// A zone of one layer; [`NO_ZONE`] is outside every zone of the layer.
pub type ZoneNumber = u32;

/// Outside every zone.
pub const NO_ZONE: ZoneNumber = 0;

/// The zone of each cell of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockZones {
    /// All cells lie in one.
    One(ZoneIndex),
    /// Several, row-major.
    Many(Array2<ZoneIndex>),
}

impl BlockZones {
    /// The zones of cells, which may all be alike.
    pub fn of(cells: Array2<ZoneIndex>) -> Self {
        match cells.as_slice().and_then(constant) {
            Some(zone) => Self::One(zone),
            None => Self::Many(cells),
        }
    }

    /// The zone of each cell.
    pub fn plane(&self, shape: (usize, usize)) -> Array2<ZoneIndex> {
        match self {
            Self::One(zone) => Array2::from_elem(shape, *zone),
            Self::Many(zones) => zones.clone(),
        }
    }

    /// Every stretch of cells of one zone in a row-major block of so many cells: the zone, its first and last + 1 cell.
    /// Those of one zone follow each other, so that what is kept for a zone is looked for once a block.
    pub fn stretches(&self, cells: usize) -> Vec<(ZoneIndex, usize, usize)> {
        let zones = match self {
            Self::One(zone) => return vec![(*zone, 0, cells)],
            Self::Many(zones) => zones.as_slice().unwrap_or_default(),
        };
        let mut stretches = Vec::new();
        let mut from = 0;
        for stretch in zones.chunk_by(|a, b| a == b) {
            stretches.push((stretch[0], from, from + stretch.len()));
            from += stretch.len();
        }
        stretches.sort_unstable();
        stretches
    }
}

/// Combinations of one zone of each layer, numbered in the order in which they are met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Combinations {
    layers: usize,
    numbers: BTreeMap<Box<[ZoneNumber]>, ZoneIndex>,
    /// One after the other.
    met: Vec<ZoneNumber>,
}

impl Combinations {
    /// None yet, of so many layers.
    pub fn new(layers: usize) -> Self {
        Self { layers, ..Self::default() }
    }

    /// The number of a combination, a new one if it was not met before.
    pub fn number(&mut self, combination: &[ZoneNumber]) -> ZoneIndex {
        if let Some(number) = self.numbers.get(combination) {
            return *number;
        }
        let number = self.numbers.len() as ZoneIndex;
        self.numbers.insert(combination.into(), number);
        self.met.extend(combination);
        number
    }

    /// The combination of a number; empty where there are no layers.
    pub fn get(&self, number: ZoneIndex) -> &[ZoneNumber] {
        let first = number as usize * self.layers;
        self.met.get(first..first + self.layers).unwrap_or_default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether none was met.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// All of them in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &[ZoneNumber]> {
        (0..self.len() as ZoneIndex).map(|number| self.get(number))
    }
}

/// The combination that each cell of a block lies in.
///
/// # Shape
/// Planes of several zones share one shape.
/// # Cost
/// A look-up where all layers have one zone for the block; else a pass over the cells, with a look-up wherever one of
/// the layers goes from zone to zone.
pub fn combine(layers: &[BlockZones], combinations: &mut Combinations) -> BlockZones {
    let mut here = Vec::with_capacity(layers.len());
    let mut planes = Vec::new();
    let mut shape = (0, 0);
    for (position, layer) in layers.iter().enumerate() {
        match layer {
            BlockZones::One(zone) => here.push(*zone),
            BlockZones::Many(cells) => {
                shape = cells.dim();
                let cells = cells.as_slice().unwrap_or_default();
                here.push(cells.first().copied().unwrap_or(NO_ZONE));
                planes.push((position, cells));
            }
        }
    }
    let mut number = combinations.number(&here);
    if planes.is_empty() {
        return BlockZones::One(number);
    }
    let cells = (0..shape.0 * shape.1).map(|cell| {
        let mut goes_on = true;
        for (position, cells) in &planes {
            goes_on &= cells[cell] == here[*position];
        }
        if !goes_on {
            planes.iter().for_each(|(position, cells)| here[*position] = cells[cell]);
            number = combinations.number(&here);
        }
        number
    });
    let cells = cells.collect();
    Array2::from_shape_vec(shape, cells).map_or(BlockZones::One(number), BlockZones::of)
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn three_layers_of_four_cells_by_hand() {
        let mut combinations = Combinations::new(3);
        let layers = [
            BlockZones::Many(array![[1, 1], [0, 1]]),
            BlockZones::One(7),
            BlockZones::Many(array![[5, 9], [5, 5]]),
        ];
        let cells = combine(&layers, &mut combinations);
        assert_eq!(cells, BlockZones::Many(array![[0, 1], [2, 0]]));
        assert_eq!(combinations.iter().collect::<Vec<_>>(), [[1, 7, 5], [1, 7, 9], [0, 7, 5]]);
        // A block that lies in one zone of each layer, and one where planes hold one zone throughout.
        let one = [BlockZones::One(1), BlockZones::One(7), BlockZones::One(9)];
        assert_eq!(combine(&one, &mut combinations), BlockZones::One(1));
        let alike = [BlockZones::One(4), BlockZones::One(7), BlockZones::Many(Array2::from_elem((2, 2), 9))];
        assert_eq!(combine(&alike, &mut combinations), BlockZones::One(3));
        assert_eq!(combinations.len(), 4);
    }

    #[test]
    fn without_layers_all_cells_share_the_one_empty_combination() {
        let mut combinations = Combinations::new(0);
        assert_eq!(combine(&[], &mut combinations), BlockZones::One(0));
        assert_eq!(combine(&[], &mut combinations), BlockZones::One(0));
        assert_eq!((combinations.len(), combinations.get(0).len()), (1, 0));
    }

    proptest! {
        #[test]
        fn every_cell_gets_the_combination_of_its_own_zones(
            cells in proptest::collection::vec((0u32..3, 0u32..2, 0u32..4), 1..300),
        ) {
            let plane = |f: &dyn Fn(&(u32, u32, u32)) -> u32| {
                BlockZones::of(Array2::from_shape_fn((1, cells.len()), |(_, c)| f(&cells[c])))
            };
            let layers = [plane(&|c| c.0), plane(&|c| c.1), plane(&|c| c.2)];
            let mut combinations = Combinations::new(3);
            combinations.number(&[2, 1, 0]);
            let found = combine(&layers, &mut combinations).plane((1, cells.len()));
            for (number, cell) in found.iter().zip(&cells) {
                prop_assert_eq!(combinations.get(*number), [cell.0, cell.1, cell.2]);
            }
        }

        #[test]
        fn stretches_hold_every_cell_once_zone_by_zone(
            zones in proptest::collection::vec(0u32..4, 1..200),
        ) {
            let plane = Array2::from_shape_fn((1, zones.len()), |(_, c)| zones[c]);
            let stretches = BlockZones::of(plane).stretches(zones.len());
            prop_assert!(stretches.is_sorted_by_key(|(zone, ..)| *zone));
            let mut seen = vec![None; zones.len()];
            for (zone, first, end) in stretches {
                for slot in &mut seen[first..end] {
                    prop_assert_eq!(slot.replace(zone), None);
                }
            }
            prop_assert_eq!(seen, zones.into_iter().map(Some).collect::<Vec<_>>());
        }
    }
}
