//! Official change: what a published change map says takes the place of the difference of two maps.
//!
//! Makers of maps who forbid to compare two of them publish a map of what changed instead. It is laid over the two maps of a
//! block, cell by cell; a cell that it decides is decided by a source of its own at both years.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{ArrayView2, Zip};
use serde::{Deserialize, Serialize};

use super::ClassValue;
use super::mosaic::Mosaic;
use super::tabulate::{Joint, ZoneIndex};
use super::weigh::CellSizes;
use crate::model::area::Amount;
use crate::model::legend::ClassCode;
use crate::model::source::SourceIndex;

/// The value for cells of which a change map says nothing: readers let it stand for "no data" alone.
pub const SAYS_NOTHING: i32 = i32::MIN;

/// How a change map writes what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Coding {
    /// from*100 + to; 0 where nothing changed.
    #[serde(rename = "from100to")]
    From100To,
    /// from*100 + to, where nothing changed too.
    #[serde(rename = "from100to-identity")]
    From100ToIdentity,
}

/// What a value of a change map says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Nothing.
    Nothing,
    /// The class is that of the later map, and was it before.
    Unchanged,
    /// The class at the first and at the second year.
    Classes(ClassCode, ClassCode),
    /// What no pair of classes is written as.
    Unknown,
}

/// The words of a change map.
#[derive(Debug, Clone)]
pub struct Codebook {
    coding: Coding,
    classes: BTreeSet<ClassCode>,
}

impl Codebook {
    /// That of a coding over the classes of a legend.
    pub fn new(coding: Coding, classes: impl IntoIterator<Item = ClassCode>) -> Self {
        Self { coding, classes: classes.into_iter().collect() }
    }

    /// What a value says.
    pub fn say(&self, value: i32) -> Said {
        if value == SAYS_NOTHING {
            return Said::Nothing;
        }
        if value == 0 && self.coding == Coding::From100To {
            return Said::Unchanged;
        }
        let (from, to) = (value.div_euclid(100), value.rem_euclid(100));
        if self.classes.contains(&from) && self.classes.contains(&to) {
            Said::Classes(from, to)
        } else {
            Said::Unknown
        }
    }
}

/// Cells that a change map decided: where they lie, what it says of them and what the maps say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfficialJoint {
    /// Zone, sources and the classes of the change map.
    pub joint: Joint,
    /// Class of the first map; `None` is nodata.
    pub map_from: Option<ClassCode>,
    /// Class of the second map.
    pub map_to: Option<ClassCode>,
}

/// Counts of cells that change maps decided.
pub type OfficialCounts = BTreeMap<OfficialJoint, Amount>;

/// The maps of a pair over one block.
#[derive(Debug)]
pub struct Sides<'a, T> {
    /// At the first year.
    pub from: &'a mut Mosaic<T>,
    /// At the second.
    pub to: &'a mut Mosaic<T>,
    /// Whether the second is the later one, by whose class an unchanged cell goes.
    pub to_is_later: bool,
    /// Nodata of both.
    pub nodata: T,
}

/// Lays a change map over the two maps of a pair; gives the values that are no pair of classes, with their cells.
///
/// A cell is decided by it where the sources that decided it at both years have a twin in `twins`, and the change map says
/// which classes it had: an unchanged cell without a class in the later map is left as it is. Its classes are then those, and
/// its sources the twins, so that another change map laid after leaves it alone.
///
/// # Shape
/// `values`, `zones`, `sizes` and both maps share one shape.
/// # Nodata
/// [`SAYS_NOTHING`] in `values`.
/// # Cost
/// One pass; a look-up for each run of cells that share everything.
pub fn lay_change<T: ClassValue, S: CellSizes>(
    values: ArrayView2<i32>,
    book: &Codebook,
    twins: &BTreeMap<SourceIndex, SourceIndex>,
    Sides { from, to, to_is_later, nodata }: Sides<T>,
    (zones, sizes): (ArrayView2<ZoneIndex>, S),
    counts: &mut OfficialCounts,
) -> BTreeMap<i32, u64> {
    let mut unknown: BTreeMap<i32, u64> = BTreeMap::new();
    let class = |value: T| (value != nodata).then(|| value.code());
    let (mut last_value, mut said) = (SAYS_NOTHING, Said::Nothing);
    let (mut last_sources, mut twin) = (None, None);
    let mut run: Option<(OfficialJoint, Amount)> = None;
    let mut flush = |run: &mut Option<(OfficialJoint, Amount)>| {
        if let Some((key, amount)) = run.take() {
            *counts.entry(key).or_default() += amount;
        }
    };
    for ((row, col), &value) in values.indexed_iter() {
        if value != last_value {
            (last_value, said) = (value, book.say(value));
        }
        if said == Said::Nothing {
            continue;
        }
        let sources = (from.winners[(row, col)], to.winners[(row, col)]);
        if last_sources != Some(sources) {
            let both = twins.get(&sources.0).zip(twins.get(&sources.1));
            (last_sources, twin) = (Some(sources), both.map(|(from, to)| (*from, *to)));
        }
        let Some((from_source, to_source)) = twin else { continue };
        let (map_from, map_to) = (class(from.classes[(row, col)]), class(to.classes[(row, col)]));
        let classes = match said {
            Said::Nothing => None,
            Said::Unchanged => (if to_is_later { map_to } else { map_from }).map(|class| (class, class)),
            Said::Classes(from, to) => Some((from, to)),
            Said::Unknown => {
                *unknown.entry(value).or_default() += 1;
                None
            }
        };
        let Some((from_code, to_code)) = classes else { continue };
        let (Some(from_class), Some(to_class)) = (T::from_code(from_code), T::from_code(to_code)) else {
            continue;
        };
        from.classes[(row, col)] = from_class;
        to.classes[(row, col)] = to_class;
        from.winners[(row, col)] = from_source;
        to.winners[(row, col)] = to_source;
        let zone = zones[(row, col)];
        let joint = Joint { zone, from_source, to_source, from: Some(from_code), to: Some(to_code) };
        let key = OfficialJoint { joint, map_from, map_to };
        let cell: Amount = sizes.cell(row, col).into();
        match &mut run {
            Some((last, amount)) if *last == key => *amount += cell,
            _ => {
                flush(&mut run);
                run = Some((key, cell));
            }
        }
    }
    flush(&mut run);
    unknown
}

/// Whether any cell is decided at both years by a source that has a twin.
pub fn meets(
    twins: &BTreeMap<SourceIndex, SourceIndex>,
    from: ArrayView2<SourceIndex>,
    to: ArrayView2<SourceIndex>,
) -> bool {
    let (mut last, mut both) = (None, false);
    let mut any = false;
    Zip::from(from).and(to).for_each(|&from, &to| {
        if last != Some((from, to)) {
            (last, both) = (Some((from, to)), twins.contains_key(&from) && twins.contains_key(&to));
        }
        any |= both;
    });
    any
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::weigh::Alike;
    use crate::model::source::NO_SOURCE;

    fn map(classes: Array2<u8>, winners: Array2<SourceIndex>) -> Mosaic<u8> {
        let mut map = Mosaic::new(classes.nrows(), classes.ncols(), 0);
        (map.classes, map.winners) = (classes, winners);
        map
    }

    fn lay(
        values: &Array2<i32>,
        coding: Coding,
        (from, to): (&mut Mosaic<u8>, &mut Mosaic<u8>),
        to_is_later: bool,
    ) -> (OfficialCounts, BTreeMap<i32, u64>) {
        let (mut counts, zones) = (OfficialCounts::new(), Array2::from_elem(values.dim(), 7));
        let twins = BTreeMap::from([(1, 11), (2, 12)]);
        let book = Codebook::new(coding, [1, 5, 14]);
        let sides = Sides { from, to, to_is_later, nodata: 0 };
        let unknown = lay_change(values.view(), &book, &twins, sides, (zones.view(), Alike), &mut counts);
        (counts, unknown)
    }

    #[test]
    fn values_are_pairs_of_classes_unchanged_nothing_or_unknown() {
        let book = |coding| Codebook::new(coding, [1, 5, 14]);
        let (zero, identity) = (book(Coding::From100To), book(Coding::From100ToIdentity));
        assert_eq!(zero.say(0), Said::Unchanged);
        assert_eq!(identity.say(0), Said::Unknown);
        for book in [&zero, &identity] {
            assert_eq!(book.say(1405), Said::Classes(14, 5));
            assert_eq!(book.say(505), Said::Classes(5, 5));
            assert_eq!(book.say(SAYS_NOTHING), Said::Nothing);
            for value in [1, 100, 102, 215, -95, 65_534, 10_501] {
                assert_eq!(book.say(value), Said::Unknown, "{value}");
            }
        }
    }

    #[test]
    fn ten_cells_by_hand() {
        // By column: changed; unchanged; unchanged without a later class; says nothing; a neighbour at the second year;
        // nobody at the first; changed though both maps have no class; unknown; of the other source; agreeing.
        let values = array![[105, 0, 0, SAYS_NOTHING, 105, 105, 1405, 777, 501, 514]];
        let mut from =
            map(array![[5u8, 5, 5, 1, 1, 0, 0, 1, 5, 5]], array![[1u8, 1, 1, 1, 1, NO_SOURCE, 1, 1, 2, 1]]);
        let mut to =
            map(array![[5u8, 14, 0, 5, 5, 5, 0, 1, 5, 14]], array![[1u8, 1, 1, 1, 3, 1, 1, 1, 2, 2]]);
        let (counts, unknown) = lay(&values, Coding::From100To, (&mut from, &mut to), true);
        assert_eq!(from.classes, array![[1, 14, 5, 1, 1, 0, 14, 1, 5, 5]]);
        assert_eq!(to.classes, array![[5, 14, 0, 5, 5, 5, 5, 1, 1, 14]]);
        assert_eq!(from.winners, array![[11, 11, 1, 1, 1, NO_SOURCE, 11, 1, 12, 11]]);
        assert_eq!(to.winners, array![[11, 11, 1, 1, 3, 1, 11, 1, 12, 12]]);
        assert_eq!(unknown, BTreeMap::from([(777, 1)]));
        let key = |sources: (u8, u8), official: (i32, i32), maps: (Option<i32>, Option<i32>)| OfficialJoint {
            joint: Joint {
                zone: 7,
                from_source: sources.0,
                to_source: sources.1,
                from: Some(official.0),
                to: Some(official.1),
            },
            map_from: maps.0,
            map_to: maps.1,
        };
        let expected = [
            key((11, 11), (1, 5), (Some(5), Some(5))),
            key((11, 11), (14, 14), (Some(5), Some(14))),
            key((11, 11), (14, 5), (None, None)),
            key((12, 12), (5, 1), (Some(5), Some(5))),
            key((11, 12), (5, 14), (Some(5), Some(14))),
        ];
        assert_eq!(counts, expected.into_iter().map(|key| (key, Amount::from(1))).collect());
        // Laid once more, it finds nothing that is the maps' own.
        let (again, _) = lay(&values, Coding::From100To, (&mut from, &mut to), true);
        assert!(again.is_empty());
    }

    #[test]
    fn an_unchanged_cell_has_the_class_of_the_later_map_whichever_side_that_is() {
        let mut from = map(array![[5u8]], array![[1u8]]);
        let mut to = map(array![[14u8]], array![[1u8]]);
        lay(&array![[0]], Coding::From100To, (&mut from, &mut to), false);
        assert_eq!((from.classes[(0, 0)], to.classes[(0, 0)]), (5, 5));
    }

    proptest! {
        #[test]
        fn runs_are_counted_as_their_cells_one_by_one(
            cells in proptest::collection::vec(
                (prop_oneof![Just(0), Just(105), Just(501), Just(SAYS_NOTHING), Just(999)], 0usize..3, 0usize..3, 1u8..4),
                1..200,
            ),
        ) {
            let n = cells.len();
            let classes = [0u8, 1, 5];
            let values = Array2::from_shape_fn((1, n), |(_, c)| cells[c].0);
            let winners = Array2::from_shape_fn((1, n), |(_, c)| cells[c].3);
            let side = |f: &dyn Fn(usize) -> usize| {
                map(Array2::from_shape_fn((1, n), |(_, c)| classes[f(c)]), winners.clone())
            };
            let (mut from, mut to) = (side(&|c| cells[c].1), side(&|c| cells[c].2));
            let (counts, unknown) = lay(&values, Coding::From100To, (&mut from, &mut to), true);
            let (mut total, mut odd) = (0u64, 0u64);
            let mut singly = OfficialCounts::new();
            for c in 0..n {
                let one = |class: u8| map(array![[class]], array![[cells[c].3]]);
                let (mut a, mut b) = (one(classes[cells[c].1]), one(classes[cells[c].2]));
                let (of_cell, unknown) = lay(&array![[cells[c].0]], Coding::From100To, (&mut a, &mut b), true);
                for (key, amount) in of_cell {
                    *singly.entry(key).or_default() += amount;
                    total += amount.pixels;
                }
                odd += unknown.values().sum::<u64>();
                prop_assert_eq!((a.classes[(0, 0)], b.classes[(0, 0)]), (from.classes[(0, c)], to.classes[(0, c)]));
                prop_assert_eq!((a.winners[(0, 0)], b.winners[(0, 0)]), (from.winners[(0, c)], to.winners[(0, c)]));
            }
            prop_assert_eq!(&counts, &singly);
            prop_assert_eq!(total, counts.values().map(|amount| amount.pixels).sum::<u64>());
            prop_assert_eq!(odd, unknown.values().sum::<u64>());
        }
    }
}
