//! Fractions of a block: which shares of each cell the classes take, from the votes of smaller cells.
//!
//! # Rule
//! The shares of a cell are those among all centres in it, with or without data, of the source that decided it. Of a cell
//! that no vote decided, because less than half of it is mapped, they are those of the first source that maps some of it.
//! A cell that a map on the lattice decided, or an edit, is all of its class. Where nothing is mapped there is no share.

use ndarray::Array2;

use super::ClassValue;
use super::pyramid::tie_rank;
use crate::model::fraction::{FRACTION_NODATA, Fraction, WHOLE};
use crate::model::legend::{Absence, ClassCode};
use crate::model::rule::Outcome;
use crate::model::source::{NO_SOURCE, SourceIndex};

/// The level that ties among remainders are broken as: overviews begin with 1, votes have 0.
const LEVEL: u32 = u32::MAX;

/// Splits the whole among counts: each gets its share in ten-thousandths, rounded down, and what is left goes one each to
/// the largest remainders. So the shares add up to [`WHOLE`], and none is a whole ten-thousandth off.
///
/// Of equal remainders a hash of the place on the lattice picks, so that no class is favoured. Without any count all shares
/// are 0.
///
/// # Source
/// The method of largest remainders (Hamilton), as seats are apportioned.
pub fn apportion(counts: &[u32], (row, col): (i64, i64), shares: &mut [u16]) {
    let all: u64 = counts.iter().map(|&n| u64::from(n)).sum();
    shares.fill(0);
    if all == 0 {
        return;
    }
    let scaled = |n: u32| u64::from(n) * u64::from(WHOLE);
    let mut left = u64::from(WHOLE);
    for (share, &n) in shares.iter_mut().zip(counts) {
        *share = (scaled(n) / all) as u16;
        left -= u64::from(*share);
    }
    let remainder = |n: u32| scaled(n) % all;
    // What is left is the sum of the remainders, so at least as many have one.
    let mut bound = u64::MAX;
    while left > 0 {
        let below = counts.iter().map(|&n| remainder(n)).filter(|&r| r < bound).max().unwrap_or(0);
        let tied: Vec<usize> = (0..counts.len()).filter(|&at| remainder(counts[at]) == below).collect();
        let first = if tied.len() as u64 > left { tie_rank(LEVEL, row, col, tied.len()) } else { 0 };
        let lucky = tied.iter().cycle().skip(first).take(tied.len().min(left as usize));
        lucky.for_each(|&at| shares[at] += 1);
        left -= left.min(tied.len() as u64);
        bound = below;
    }
}

/// What is known of the shares of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    /// A vote left it open.
    Open,
    /// A vote decided it.
    Decided,
}

/// The shares of each cell of a block, in the making.
#[derive(Debug, Clone)]
pub struct Fractions {
    classes: Vec<ClassCode>,
    /// One for each of [`Fraction::parts`].
    planes: Vec<Array2<u16>>,
    told: Array2<Told>,
    counts: Vec<u32>,
    shares: Vec<u16>,
}

impl Fractions {
    /// Fractions of these classes, of no block yet.
    pub fn new(classes: &[ClassCode]) -> Self {
        let parts = Fraction::parts(classes).count();
        Self {
            classes: classes.to_vec(),
            planes: vec![Array2::default((0, 0)); parts],
            told: Array2::from_elem((0, 0), Told::Nothing),
            counts: vec![0; parts],
            shares: vec![0; parts],
        }
    }

    /// Begins a block of rows and columns.
    pub fn begin(&mut self, shape: (usize, usize)) {
        if self.told.dim() == shape {
            self.planes.iter_mut().for_each(|plane| plane.fill(FRACTION_NODATA));
            self.told.fill(Told::Nothing);
        } else {
            self.planes.fill(Array2::from_elem(shape, FRACTION_NODATA));
            self.told = Array2::from_elem(shape, Told::Nothing);
        }
    }

    /// The part that cells of an outcome belong to, by position among [`Fraction::parts`].
    pub fn part_of(&self, outcome: Outcome) -> usize {
        let nodata = self.classes.len();
        match outcome {
            Outcome::Class(code) => self.classes.iter().position(|&class| class == code).unwrap_or(nodata),
            Outcome::Absent(Absence::Outside) => nodata + 1,
            Outcome::Absent(Absence::NoObservation)
            | Outcome::Withheld
            | Outcome::Unmapped
            | Outcome::NoStratum => nodata,
        }
    }

    /// Tells the votes in a cell, pairs of part and number; `decided` says whether the vote decided the cell.
    ///
    /// Sources tell in order of precedence, and none of cells that one before it decided.
    pub fn tell(
        &mut self,
        cell: (usize, usize),
        votes: impl Iterator<Item = (usize, u32)>,
        lattice: (i64, i64),
        decided: bool,
    ) {
        if !decided && self.told[cell] != Told::Nothing {
            return;
        }
        self.counts.fill(0);
        votes.for_each(|(part, n)| self.counts[part] += n);
        let Some((_, mapped)) = self.counts.split_last() else { return };
        if mapped.iter().all(|&n| n == 0) {
            return;
        }
        apportion(&self.counts, lattice, &mut self.shares);
        for (plane, &share) in self.planes.iter_mut().zip(&self.shares) {
            plane[cell] = share;
        }
        self.told[cell] = if decided { Told::Decided } else { Told::Open };
    }

    /// Forgets what was told of cells that something else than a source decides.
    pub fn overrule(&mut self, cells: &[(usize, usize)]) {
        for &cell in cells {
            self.planes.iter_mut().for_each(|plane| plane[cell] = FRACTION_NODATA);
            self.told[cell] = Told::Nothing;
        }
    }

    /// Makes the cells that something else than a vote decided wholly what they are in the map.
    pub fn settle<T: ClassValue>(&mut self, classes: &Array2<T>, winners: &Array2<SourceIndex>, nodata: T) {
        for ((cell, &class), &winner) in classes.indexed_iter().zip(winners) {
            if winner == NO_SOURCE || self.told[cell] == Told::Decided {
                continue;
            }
            let outcome = if class == nodata {
                Outcome::Absent(Absence::NoObservation)
            } else {
                Outcome::Class(class.code())
            };
            let whole = self.part_of(outcome);
            for (part, plane) in self.planes.iter_mut().enumerate() {
                plane[cell] = if part == whole { WHOLE } else { 0 };
            }
            self.told[cell] = Told::Decided;
        }
    }

    /// The shares of each of [`Fraction::parts`].
    pub fn planes(&self) -> &[Array2<u16>] {
        &self.planes
    }

    /// The share of each cell's own class in the map.
    pub fn purity<T: ClassValue>(&self, classes: &Array2<T>, nodata: T) -> Array2<u16> {
        let share = |(cell, &class): ((usize, usize), &T)| {
            if class == nodata {
                return FRACTION_NODATA;
            }
            self.planes[self.part_of(Outcome::Class(class.code()))][cell]
        };
        Array2::from_shape_fn(classes.dim(), |cell| share((cell, &classes[cell])))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    fn shares_of(counts: &[u32], place: (i64, i64)) -> Vec<u16> {
        let mut shares = vec![7; counts.len()];
        apportion(counts, place, &mut shares);
        shares
    }

    #[test]
    fn what_is_left_goes_to_the_largest_remainders() {
        // 1/9 = 1111.1, 5/9 = 5555.6, 3/9 = 3333.3: one is left and 5/9 lacks least.
        assert_eq!(shares_of(&[3, 5, 1, 0], (0, 0)), [3333, 5556, 1111, 0]);
        assert_eq!(shares_of(&[0, 0], (0, 0)), [0, 0]);
        assert_eq!(shares_of(&[0, 4], (0, 0)), [0, 10_000]);
    }

    #[test]
    fn of_three_equal_thirds_each_gets_the_last_one_somewhere() {
        let mut times = [0; 3];
        for col in 0..300 {
            let shares = shares_of(&[1, 1, 1], (5, col));
            assert_eq!(shares.iter().sum::<u16>(), WHOLE);
            times[shares.iter().position(|&share| share == 3334).unwrap()] += 1;
        }
        assert!(times.iter().all(|&n| n > 60), "{times:?}");
    }

    proptest! {
        /// The law of the module: shares add up to the whole, and each is the count's own within one ten-thousandth.
        #[test]
        fn shares_add_up_to_the_whole(
            counts in proptest::collection::vec(prop_oneof![Just(0u32), 0u32..80, 0u32..2_000_000_000], 1..24),
            place in (any::<i32>(), any::<i32>()),
        ) {
            let all: u64 = counts.iter().map(|&n| u64::from(n)).sum();
            prop_assume!(all > 0);
            let shares = shares_of(&counts, (place.0.into(), place.1.into()));
            prop_assert_eq!(shares.iter().map(|&share| u32::from(share)).sum::<u32>(), u32::from(WHOLE));
            for (&n, &share) in counts.iter().zip(&shares) {
                let exact = f64::from(n) / all as f64 * f64::from(WHOLE);
                prop_assert!((exact - f64::from(share)).abs() < 1.0, "{} of {}: {}", n, all, share);
                prop_assert!(n > 0 || share == 0);
            }
            // More votes never make a smaller share.
            for (a, x) in counts.iter().zip(&shares) {
                prop_assert!(counts.iter().zip(&shares).all(|(b, y)| a <= b || x >= y));
            }
        }
    }

    #[test]
    fn a_vote_that_decides_replaces_one_that_did_not_and_the_lattice_fills_the_rest() {
        let mut fractions = Fractions::new(&[5, 9]);
        fractions.begin((1, 5));
        // Parts: class 5, class 9, no data, outside.
        fractions.tell((0, 0), [(0, 1), (3, 3)].into_iter(), (0, 0), false);
        fractions.tell((0, 0), [(1, 4)].into_iter(), (0, 0), true);
        fractions.tell((0, 1), [(0, 1), (3, 3)].into_iter(), (0, 1), false);
        fractions.tell((0, 1), [(1, 1), (3, 3)].into_iter(), (0, 1), false);
        fractions.tell((0, 2), [(3, 9)].into_iter(), (0, 2), false);
        fractions.tell((0, 4), [(2, 3), (3, 1)].into_iter(), (0, 4), true);
        let classes = array![[9u8, 0, 0, 5, 0]];
        fractions.settle(&classes, &array![[1, NO_SOURCE, NO_SOURCE, 0, 1]], 0);
        let none = FRACTION_NODATA;
        let planes = fractions.planes();
        assert_eq!(planes[0], array![[0, 2500, none, 10_000, 0]]);
        assert_eq!(planes[1], array![[10_000, 0, none, 0, 0]]);
        assert_eq!(planes[2], array![[0, 0, none, 0, 7500]]);
        assert_eq!(planes[3], array![[0, 7500, none, 0, 2500]]);
        assert_eq!(fractions.purity(&classes, 0), array![[10_000, none, none, 10_000, none]]);
        fractions.begin((1, 5));
        assert!(fractions.planes().iter().all(|plane| plane.iter().all(|&share| share == none)));
    }
}
