//! Tabulate: joint counts of two maps, by zone and by the sources that decided the cells.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::ArrayView2;

use super::ClassValue;
use super::weigh::CellSizes;
use crate::model::area::Amount;
use crate::model::legend::ClassCode;
use crate::model::source::SourceIndex;

/// What cells are told apart by: a number for each combination of zones of all layers.
pub type ZoneIndex = u32;

/// What a joint count is for: the zone, the deciding sources and the classes of both maps.
///
/// `None` stands for nodata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Joint {
    /// Combination of zones that the cell lies in.
    pub zone: ZoneIndex,
    /// Source of the first map.
    pub from_source: SourceIndex,
    /// Source of the second map.
    pub to_source: SourceIndex,
    /// Class in the first map.
    pub from: Option<ClassCode>,
    /// Class in the second map.
    pub to: Option<ClassCode>,
}

/// Joint counts; cells without a class in either map are left out only when they have none in both.
pub type JointCounts = BTreeMap<Joint, Amount>;

/// One map of a pair: classes and deciding sources, one shape.
#[derive(Debug, Clone, Copy)]
pub struct Map<'a, T> {
    /// Class of each cell.
    pub classes: ArrayView2<'a, T>,
    /// Deciding source of each cell.
    pub winners: ArrayView2<'a, SourceIndex>,
}

/// The largest dense table per zone; beyond it a block holds no class map and counts go through the tree.
const DENSE_CLASSES: usize = 600;

/// Bytes that the dense tables of a block have together at most: a block may hold more zones than there is room.
const DENSE_BYTES: usize = 32 << 20;

/// Adds the joint counts of two maps.
///
/// # Shape
/// All planes share one shape `(rows, cols)`; `zones` and `sizes` too.
/// # Unit
/// Cells, 64-bit; where these differ in size, their area too, in mm².
/// # Nodata
/// `nodata` becomes `None`; a cell with nodata on both sides is not counted.
/// # Cost
/// One pass over the cells; a table of `classes²` for each of the first combinations of zone and sources met in the
/// block, up to 32 MiB; beyond, a look-up per cell.
pub fn tabulate<T: ClassValue, S: CellSizes>(
    from: Map<T>,
    to: Map<T>,
    zones: ArrayView2<ZoneIndex>,
    sizes: S,
    nodata: T,
    counts: &mut JointCounts,
) {
    let dictionary = Dictionary::of([from.classes, to.classes], nodata);
    let n = dictionary.codes.len();
    let most_sums = DENSE_BYTES / size_of::<S::Sum>();
    let mut tables: BTreeMap<(ZoneIndex, SourceIndex, SourceIndex), Vec<S::Sum>> = BTreeMap::new();
    let rows = from.classes.outer_iter().zip(to.classes.outer_iter());
    let sides = from.winners.outer_iter().zip(to.winners.outer_iter()).zip(zones.outer_iter());
    for (row, ((from_classes, to_classes), ((from_winners, to_winners), zones))) in
        rows.zip(sides).enumerate()
    {
        let mut col = 0;
        while col < zones.len() {
            // A run of cells in one zone, decided by one pair of sources, shares a table.
            let key = (zones[col], from_winners[col], to_winners[col]);
            let same = |c: &usize| (zones[*c], from_winners[*c], to_winners[*c]) == key;
            let end = (col + 1..zones.len()).find(|c| !same(c)).unwrap_or(zones.len());
            let has_room = n <= DENSE_CLASSES && (tables.len() + 1) * n * n <= most_sums;
            if has_room || tables.contains_key(&key) {
                let table = tables.entry(key).or_insert_with(|| vec![S::Sum::default(); n * n]);
                for c in col..end {
                    let place = dictionary.index(from_classes[c]) * n + dictionary.index(to_classes[c]);
                    table[place] += sizes.cell(row, c);
                }
            } else {
                for c in col..end {
                    let code = |value: T| (value != nodata).then(|| value.code());
                    add(counts, key, code(from_classes[c]), code(to_classes[c]), sizes.cell(row, c).into());
                }
            }
            col = end;
        }
    }
    for (key, table) in tables {
        let amounts = table.into_iter().map(Into::<Amount>::into).enumerate();
        for (position, amount) in amounts.filter(|(_, amount)| amount.pixels > 0) {
            add(counts, key, dictionary.codes[position / n], dictionary.codes[position % n], amount);
        }
    }
}

fn add(
    counts: &mut JointCounts,
    (zone, from_source, to_source): (ZoneIndex, SourceIndex, SourceIndex),
    from: Option<ClassCode>,
    to: Option<ClassCode>,
    amount: Amount,
) {
    if from.is_some() || to.is_some() {
        *counts.entry(Joint { zone, from_source, to_source, from, to }).or_default() += amount;
    }
}

/// The classes of a block, numbered densely.
struct Dictionary<T> {
    codes: Vec<Option<ClassCode>>,
    first: i64,
    numbers: Vec<u16>,
    tree: BTreeMap<T, u16>,
}

impl<T: ClassValue> Dictionary<T> {
    fn of<const N: usize>(planes: [ArrayView2<T>; N], nodata: T) -> Self {
        let mut values = BTreeSet::new();
        for plane in planes {
            let mut last = None;
            for &value in plane {
                if last != Some(value) {
                    values.insert(value);
                    last = Some(value);
                }
            }
        }
        let codes = values.iter().map(|&value| (value != nodata).then(|| value.code())).collect();
        let first = values.first().map_or(0, |v| i64::from(v.code()));
        let last = values.last().map_or(0, |v| i64::from(v.code()));
        let mut numbers = Vec::new();
        let mut tree = BTreeMap::new();
        if last - first < 1 << 16 {
            numbers = vec![0; (last - first + 1) as usize];
            for (number, value) in values.iter().enumerate() {
                numbers[(i64::from(value.code()) - first) as usize] = number as u16;
            }
        } else if values.len() <= DENSE_CLASSES {
            tree = values.iter().enumerate().map(|(number, value)| (*value, number as u16)).collect();
        }
        Self { codes, first, numbers, tree }
    }

    #[inline]
    fn index(&self, value: T) -> usize {
        if self.tree.is_empty() {
            usize::from(self.numbers[(i64::from(value.code()) - self.first) as usize])
        } else {
            self.tree.get(&value).map_or(0, |number| usize::from(*number))
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::weigh::{Alike, BlockAreas};

    fn tally<T: ClassValue>(from: &Array2<T>, to: &Array2<T>, zones: &Array2<u32>, nodata: T) -> JointCounts {
        let winners = Array2::from_elem(from.dim(), 0u8);
        let map = |classes: &'_ Array2<T>| classes.clone();
        let (a, b) = (map(from), map(to));
        let mut counts = JointCounts::new();
        tabulate(
            Map { classes: a.view(), winners: winners.view() },
            Map { classes: b.view(), winners: winners.view() },
            zones.view(),
            Alike,
            nodata,
            &mut counts,
        );
        counts
    }

    fn amounts(sizes: &BlockAreas, from: &Array2<i32>, to: &Array2<i32>, zones: &Array2<u32>) -> JointCounts {
        let winners = Array2::from_elem(from.dim(), 0u8);
        let mut counts = JointCounts::new();
        tabulate(
            Map { classes: from.view(), winners: winners.view() },
            Map { classes: to.view(), winners: winners.view() },
            zones.view(),
            sizes,
            0,
            &mut counts,
        );
        counts
    }

    #[test]
    fn four_cells_by_hand() {
        // (1,1) persists in zone 1; (1,2) changes outside; (0,2) is excluded; (0,0) is nowhere.
        let counts = tally(&array![[1u8, 1], [0, 0]], &array![[1u8, 2], [2, 0]], &array![[1, 0], [1, 1]], 0);
        let joint = |zone, from, to| Joint { zone, from_source: 0, to_source: 0, from, to };
        assert_eq!(
            counts,
            BTreeMap::from([
                (joint(1, Some(1), Some(1)), 1.into()),
                (joint(0, Some(1), Some(2)), 1.into()),
                (joint(1, None, Some(2)), 1.into())
            ])
        );
    }

    #[test]
    fn beyond_the_room_for_dense_tables_nothing_is_lost() {
        // 600 classes take 360 000 counters a zone: eleven of thirteen zones have room.
        let (n, zones) = (600 * 13, 13);
        let from = Array2::from_shape_fn((2, n), |(_, c)| (c % 600) as i32);
        let to = Array2::from_shape_fn((2, n), |(r, c)| ((c + r) % 600) as i32);
        let zone = Array2::from_shape_fn((2, n), |(_, c)| (c / 600) as u32);
        let counts = tally(&from, &to, &zone, -1);
        assert_eq!(counts.len(), 2 * 600 * zones);
        for z in 0..zones as u32 {
            let joint =
                |from, to| Joint { zone: z, from_source: 0, to_source: 0, from: Some(from), to: Some(to) };
            assert_eq!(
                [counts[&joint(5, 5)], counts[&joint(5, 6)], counts[&joint(599, 0)]],
                [1.into(); 3],
                "zone {z}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_way_of_counting_agrees_with_one_cell_at_a_time(
            cells in proptest::collection::vec((0u8..6, 0u8..6, 0u32..3), 1..400),
            spread in prop_oneof![Just(1i32), Just(1000), Just(20_000_000)],
        ) {
            let n = cells.len();
            let plane = |f: &dyn Fn(&(u8, u8, u32)) -> i32| {
                Array2::from_shape_fn((1, n), |(_, c)| f(&cells[c]) * spread)
            };
            let (from, to) = (plane(&|c| c.0.into()), plane(&|c| c.1.into()));
            let zones = Array2::from_shape_fn((1, n), |(_, c)| cells[c].2);
            let area = |cell: usize| 1000 + cell as u64 * cell as u64;
            let (mut counted, mut weighed) = (JointCounts::new(), JointCounts::new());
            for (cell, (f, t, zone)) in cells.iter().enumerate() {
                let code = |v: u8| (v != 0).then_some(i32::from(v) * spread);
                if *f != 0 || *t != 0 {
                    let key = Joint { zone: *zone, from_source: 0, to_source: 0, from: code(*f), to: code(*t) };
                    *counted.entry(key).or_default() += 1.into();
                    *weighed.entry(key).or_default() += Amount { pixels: 1, area_mm2: area(cell).into() };
                }
            }
            prop_assert_eq!(tally(&from, &to, &zones, 0), counted);
            let sums = (0..=n).map(|cells| (0..cells).map(area).sum()).collect();
            let sizes = BlockAreas::Cells(Array2::from_shape_vec((1, n + 1), sums).unwrap());
            prop_assert_eq!(amounts(&sizes, &from, &to, &zones), weighed);
        }
    }
}
