//! Mosaic: several sources, one map. The first source in order of precedence that covers a cell decides it.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, s};

use super::ClassValue;
use super::histogram::CodeCounts;
use super::lookup::{look_up, map_bytes};
use super::weigh::CellSizes;
use crate::model::area::Amount;
use crate::model::legend::{Absence, ClassCode};
use crate::model::provenance::{NO_OBSERVATION, OUTSIDE, Origin};
use crate::model::rule::{NOT_COVERED, Outcome, RuleIndex};
use crate::model::source::{NO_SOURCE, SourceIndex};
use crate::model::window::Window;

/// One cell of disagreement: who won, who lost, with which classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Overlap {
    /// Source that decided the cell.
    pub winner: SourceIndex,
    /// Source that covers it too.
    pub loser: SourceIndex,
    /// Class of the winner.
    pub winner_code: ClassCode,
    /// Class of the loser; the same where they agree.
    pub loser_code: ClassCode,
}

/// A mosaic in the making.
#[derive(Debug, Clone)]
pub struct Mosaic<T> {
    /// Class of each cell, `nodata` where it has none.
    pub classes: Array2<T>,
    /// Source that decided each cell, [`NO_SOURCE`] where none covers it.
    pub winners: Array2<SourceIndex>,
    /// Where each cell comes from; only in a mosaic that keeps track of it.
    pub origins: Option<Array2<Origin>>,
    nodata: T,
    /// Where layers were laid so far.
    laid: Vec<Window>,
}

/// Whose cells a layer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decider {
    /// The source.
    pub source: SourceIndex,
    /// Its code in a mosaic that keeps track of origins.
    pub origin: Origin,
}

/// What becomes of each value of a byte layer.
#[derive(Debug, Clone)]
pub struct ByteLookup<T> {
    /// Class of each value, nodata where it has none.
    pub classes: [T; 256],
    /// Who decides a cell with this value; [`NO_SOURCE`] lets it through to the next layer.
    pub winners: [SourceIndex; 256],
    /// Where a cell with this value comes from.
    pub origins: [Origin; 256],
}

/// Counts of one layer laid into the mosaic, by rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerCounts {
    /// Cells that the layer decided, by rule.
    pub decided: Vec<Amount>,
    /// Cells that the layer covers, decided or not, by rule.
    pub covered: Vec<u64>,
}

impl<T: ClassValue> Mosaic<T> {
    /// An empty mosaic.
    pub fn new(rows: usize, cols: usize, nodata: T) -> Self {
        Self {
            classes: Array2::from_elem((rows, cols), nodata),
            winners: Array2::from_elem((rows, cols), NO_SOURCE),
            origins: None,
            nodata,
            laid: Vec::new(),
        }
    }

    /// The same, keeping track of where each cell comes from.
    #[must_use]
    pub fn tracking_origins(mut self) -> Self {
        self.origins = Some(Array2::from_elem(self.classes.dim(), OUTSIDE));
        self
    }

    /// The value of cells without a class.
    pub fn nodata(&self) -> T {
        self.nodata
    }

    /// Lays the next source in order of precedence under those laid before.
    ///
    /// Cells *outside* a source let it through; cells it mapped without an observation are decided as nodata.
    ///
    /// # Shape
    /// `layer` fits into the mosaic from the cell `at` (row, column) on; `outcomes` has an entry for every rule
    /// index in it; `sizes` are those of the mosaic's cells.
    pub fn lay_under<S: CellSizes>(
        &mut self,
        layer: ArrayView2<RuleIndex>,
        at: (usize, usize),
        outcomes: &[Outcome],
        decider: Decider,
        sizes: S,
        overlaps: &mut BTreeMap<Overlap, Amount>,
    ) -> LayerCounts {
        let mut covered = vec![0; outcomes.len()];
        let mut decided = vec![S::Sum::default(); outcomes.len()];
        let codes: Vec<Option<T>> = outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Class(code) => T::from_code(*code),
                _ => None,
            })
            .collect();
        self.laid.push(Window {
            row: at.0 as i64,
            col: at.1 as i64,
            rows: layer.nrows(),
            cols: layer.ncols(),
        });
        let mut pending: Option<(Overlap, S::Sum)> = None;
        let place = s![at.0..at.0 + layer.nrows(), at.1..at.1 + layer.ncols()];
        let (mut classes, mut winners) = (self.classes.slice_mut(place), self.winners.slice_mut(place));
        let rows = classes.outer_iter_mut().zip(winners.outer_iter_mut()).zip(layer.outer_iter());
        for (row, ((mut classes, mut winners), rules)) in rows.enumerate() {
            let cells = classes.iter_mut().zip(winners.iter_mut()).zip(rules);
            for (col, ((class, winner), &rule)) in cells.enumerate() {
                if rule == NOT_COVERED {
                    continue;
                }
                let rule = usize::from(rule);
                covered[rule] += 1;
                if outcomes[rule] == Outcome::Absent(Absence::Outside) {
                    continue;
                }
                let size = || sizes.cell(at.0 + row, at.1 + col);
                if *winner == NO_SOURCE {
                    *winner = decider.source;
                    *class = codes[rule].unwrap_or(self.nodata);
                    decided[rule] += size();
                    if let Some(origins) = &mut self.origins {
                        origins[(at.0 + row, at.1 + col)] = outcomes[rule].origin(decider.origin);
                    }
                } else if let (Some(loser_code), true) = (codes[rule], *class != self.nodata) {
                    let overlap = Overlap {
                        winner: *winner,
                        loser: decider.source,
                        winner_code: class.code(),
                        loser_code: loser_code.code(),
                    };
                    match &mut pending {
                        Some((run, n)) if *run == overlap => *n += size(),
                        _ => {
                            if let Some((run, n)) = pending.replace((overlap, size())) {
                                *overlaps.entry(run).or_default() += n.into();
                            }
                        }
                    }
                }
            }
        }
        if let Some((run, n)) = pending {
            *overlaps.entry(run).or_default() += n.into();
        }
        LayerCounts { decided: decided.into_iter().map(Into::into).collect(), covered }
    }

    /// Does what [`Mosaic::lay_under`] does with a layer of bytes, and counts its cells by their value.
    ///
    /// # Shape
    /// `layer` fits into the mosaic from the cell `at` (row, column) on; its rows are contiguous. `sizes` are those of
    /// the mosaic's cells.
    /// # Cost
    /// A lookup where no other layer was laid before; a look at every cell where one was.
    pub fn lay_bytes_under<S: CellSizes>(
        &mut self,
        layer: ArrayView2<u8>,
        at: (usize, usize),
        lookup: &ByteLookup<T>,
        source: SourceIndex,
        sizes: S,
        overlaps: &mut BTreeMap<Overlap, Amount>,
        counts: &mut ByteCounts,
    ) {
        let mut spans = Vec::new();
        if S::DIFFER {
            counts.areas_mm2.resize(256, 0);
        }
        for (row, values) in layer.outer_iter().enumerate() {
            let Some(values) = values.to_slice() else { continue };
            let at_row = at.0 + row;
            self.spans(at_row, at.1, at.1 + values.len(), &mut spans);
            for &(from, to, free) in &spans {
                let place = s![at_row, from..to];
                let (mut classes, mut winners) =
                    (self.classes.slice_mut(place), self.winners.slice_mut(place));
                let (Some(classes), Some(winners)) = (classes.as_slice_mut(), winners.as_slice_mut()) else {
                    continue;
                };
                let values = &values[from - at.1..to - at.1];
                if free {
                    counts.alone.add(values);
                    look_up(values, &lookup.classes, classes);
                    map_bytes(values, &lookup.winners, winners);
                    let origins = self.origins.as_mut().map(|origins| origins.slice_mut(place));
                    if let Some(origins) = origins.and_then(|origins| origins.into_slice()) {
                        map_bytes(values, &lookup.origins, origins);
                    }
                    if S::DIFFER {
                        for (col, &value) in (from..to).zip(values) {
                            counts.areas_mm2[usize::from(value)] += u128::from(sizes.area_mm2(at_row, col));
                        }
                    }
                    continue;
                }
                let cells = classes.iter_mut().zip(winners).zip(values);
                for (col, ((class, winner), &value)) in (from..to).zip(cells) {
                    let index = usize::from(value);
                    counts.covered.count(value, 1);
                    if lookup.winners[index] == NO_SOURCE {
                        continue;
                    }
                    if *winner == NO_SOURCE {
                        (*class, *winner) = (lookup.classes[index], source);
                        if let Some(origins) = &mut self.origins {
                            origins[(at_row, col)] = lookup.origins[index];
                        }
                        counts.decided.count(value, 1);
                        if S::DIFFER {
                            counts.areas_mm2[index] += u128::from(sizes.area_mm2(at_row, col));
                        }
                    } else if lookup.classes[index] != self.nodata && *class != self.nodata {
                        let (winner_code, loser_code) = (class.code(), lookup.classes[index].code());
                        let overlap = Overlap { winner: *winner, loser: source, winner_code, loser_code };
                        *overlaps.entry(overlap).or_default() += sizes.cell(at_row, col).into();
                    }
                }
            }
        }
        self.laid.push(Window {
            row: at.0 as i64,
            col: at.1 as i64,
            rows: layer.nrows(),
            cols: layer.ncols(),
        });
    }

    /// Fills cells that a source saw nothing in with the classes of a map that stands in for it: those of the sources that
    /// `receives` says yes to. Counts tell the cells filled.
    ///
    /// # Shape
    /// As [`Mosaic::lay_under`]. A mosaic that keeps no track of origins is not filled.
    pub fn fill<S: CellSizes>(
        &mut self,
        layer: ArrayView2<RuleIndex>,
        at: (usize, usize),
        outcomes: &[Outcome],
        decider: Decider,
        receives: impl Fn(SourceIndex) -> bool,
        sizes: S,
    ) -> LayerCounts {
        let mut covered = vec![0; outcomes.len()];
        let mut decided = vec![Amount::default(); outcomes.len()];
        for ((row, col), &rule) in layer.indexed_iter().filter(|(_, rule)| **rule != NOT_COVERED) {
            let (place, rule) = ((at.0 + row, at.1 + col), usize::from(rule));
            let Some(origin) = self.origins.as_mut().map(|origins| &mut origins[place]) else { break };
            if *origin != NO_OBSERVATION || !receives(self.winners[place]) {
                continue;
            }
            covered[rule] += 1;
            let Outcome::Class(code) = outcomes[rule] else { continue };
            if let Some(class) = T::from_code(code) {
                self.classes[place] = class;
                self.winners[place] = decider.source;
                *origin = decider.origin;
                decided[rule] += sizes.cell(place.0, place.1).into();
            }
        }
        LayerCounts { decided, covered }
    }

    /// Whether a part of it has cells that [`Mosaic::fill`] could fill.
    pub fn lacks_observation(&self, part: &Window) -> bool {
        let (row, col) = (part.row as usize, part.col as usize);
        let place = s![row..row + part.rows, col..col + part.cols];
        self.origins.as_ref().is_some_and(|o| o.slice(place).iter().any(|&origin| origin == NO_OBSERVATION))
    }

    /// Cuts a stretch of a row where earlier layers begin and end: first and last + 1 column, whether no layer is there.
    fn spans(&self, row: usize, from: usize, to: usize, spans: &mut Vec<(usize, usize, bool)>) {
        spans.clear();
        let row = row as i64;
        let here = |laid: &&Window| laid.row <= row && row < laid.row_end();
        let mut edges: Vec<usize> = vec![from, to];
        for laid in self.laid.iter().filter(here) {
            edges.extend([laid.col, laid.col_end()].map(|edge| (edge.max(0) as usize).clamp(from, to)));
        }
        edges.sort_unstable();
        edges.dedup();
        for pair in edges.windows(2) {
            let column = pair[0] as i64;
            let taken =
                self.laid.iter().filter(here).any(|laid| laid.col <= column && column < laid.col_end());
            spans.push((pair[0], pair[1], !taken));
        }
    }
}

/// Counts of a byte layer by value.
#[derive(Debug, Clone, Default)]
pub struct ByteCounts {
    /// Cells where no layer was laid before: it covers and decides them, but for those that it lets through.
    pub alone: CodeCounts,
    /// Cells where one was.
    pub covered: CodeCounts,
    /// Those of them that none had decided.
    pub decided: CodeCounts,
    /// Area of the cells in `alone` and `decided` by value, in mm²; empty where cells do not differ.
    pub areas_mm2: Vec<u128>,
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::weigh::{Alike, BlockAreas};
    use crate::model::provenance::BY_CROSSWALK;

    /// A source whose code of provenance is ten more.
    fn decider(source: SourceIndex) -> Decider {
        Decider { source, origin: source + 10 }
    }

    #[test]
    fn outside_lets_through_and_no_observation_does_not() {
        // Rules: 0 outside, 1 no observation, 2 class 7, 3 class 9.
        let outcomes = [
            Outcome::Absent(Absence::Outside),
            Outcome::Absent(Absence::NoObservation),
            Outcome::Class(7),
            Outcome::Class(9),
        ];
        let mut mosaic = Mosaic::<u8>::new(1, 6, 0);
        let mut overlaps = BTreeMap::new();
        let n = NOT_COVERED;
        let first = mosaic.lay_under(
            array![[0, 1, 2, 2, n, n]].view(),
            (0, 0),
            &outcomes,
            decider(0),
            Alike,
            &mut overlaps,
        );
        let second = mosaic.lay_under(
            array![[3, 3, 3, 2, 3, 0]].view(),
            (0, 0),
            &outcomes,
            decider(1),
            Alike,
            &mut overlaps,
        );
        assert_eq!(mosaic.classes, array![[9, 0, 7, 7, 9, 0]]);
        assert_eq!(mosaic.winners, array![[1, 0, 0, 0, 1, NO_SOURCE]]);
        let cells = |counts: [u64; 4]| counts.map(Amount::from).to_vec();
        assert_eq!(first.decided, cells([0, 1, 2, 0]));
        assert_eq!((second.decided, second.covered), (cells([0, 0, 0, 2]), vec![1, 0, 1, 4]));
        let overlap = |winner_code, loser_code| Overlap { winner: 0, loser: 1, winner_code, loser_code };
        assert_eq!(overlaps, BTreeMap::from([(overlap(7, 9), 1.into()), (overlap(7, 7), 1.into())]));
    }

    #[test]
    fn what_one_saw_nothing_in_is_filled_and_nothing_else_is() {
        let outcomes = [
            Outcome::Absent(Absence::Outside),
            Outcome::Absent(Absence::NoObservation),
            Outcome::Withheld,
            Outcome::Class(7),
        ];
        let mut mosaic = Mosaic::<u8>::new(1, 6, 0).tracking_origins();
        let mut overlaps = BTreeMap::new();
        mosaic.lay_under(
            array![[0, 1, 1, 2, 3, 1]].view(),
            (0, 0),
            &outcomes,
            decider(0),
            Alike,
            &mut overlaps,
        );
        assert!(
            mosaic.lacks_observation(&Window::whole(1, 2)) && !mosaic.lacks_observation(&Window::whole(1, 1))
        );
        let stands_in = [Outcome::Class(9), Outcome::Absent(Absence::NoObservation)];
        let layer = array![[0, 0, 1, 0, 0, NOT_COVERED]];
        let nobody = mosaic.clone().fill(layer.view(), (0, 0), &stands_in, decider(1), |_| false, Alike);
        assert_eq!(nobody.covered, [0, 0]);
        let counts = mosaic.fill(layer.view(), (0, 0), &stands_in, decider(1), |source| source == 0, Alike);
        assert_eq!(mosaic.classes, array![[0, 9, 0, 0, 7, 0]]);
        assert_eq!(mosaic.winners, array![[NO_SOURCE, 1, 0, 0, 0, 0]]);
        let origins = array![[OUTSIDE, 11, NO_OBSERVATION, BY_CROSSWALK, 10, NO_OBSERVATION]];
        assert_eq!(mosaic.origins, Some(origins));
        assert_eq!((counts.decided, counts.covered), (vec![1.into(), 0.into()], vec![1, 1]));
        assert!(overlaps.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn layers_of_bytes_are_laid_as_layers_of_rules_are(
            layers in proptest::collection::vec((0usize..9, 0usize..9, 1usize..12, 1usize..12, 0u8..3, any::<u64>()), 1..5),
        ) {
            // Value and rule are one here: 0 outside, 1 no observation, others classes.
            let outcome = |value: usize| match value {
                0 => Outcome::Absent(Absence::Outside),
                1 => Outcome::Absent(Absence::NoObservation),
                value => Outcome::Class(value as i32),
            };
            let outcomes: Vec<Outcome> = (0..6).map(outcome).collect();
            let empty = Mosaic::<u8>::new(12, 12, 0).tracking_origins();
            let (mut plain, mut by_bytes) = (empty.clone(), empty);
            let (mut overlaps, mut byte_overlaps) = (BTreeMap::new(), BTreeMap::new());
            // No two rows are alike.
            let sizes = BlockAreas::Rows((0..12).map(|row| 1000 + row * row).collect());
            for (row, col, rows, cols, source, seed) in layers {
                let (rows, cols) = (rows.min(12 - row), cols.min(12 - col));
                let value = |(r, c): (usize, usize)| (seed >> ((r * 7 + c * 3) % 60)) as u16 % 6;
                let layer = Array2::from_shape_fn((rows, cols), value);
                let classes = std::array::from_fn(|v| match outcome(v) { Outcome::Class(code) => code as u8, _ => 0 });
                let winners = std::array::from_fn(|v| if v == 0 { NO_SOURCE } else { source });
                let origins = std::array::from_fn(|v| outcome(v).origin(source + 10));
                let expected = plain.lay_under(layer.view(), (row, col), &outcomes, decider(source), &sizes, &mut overlaps);
                let mut counts = ByteCounts::default();
                by_bytes.lay_bytes_under(
                    layer.map(|&v| v as u8).view(),
                    (row, col),
                    &ByteLookup { classes, winners, origins },
                    source,
                    &sizes,
                    &mut byte_overlaps,
                    &mut counts,
                );
                for value in 0..6u8 {
                    let index = usize::from(value);
                    let alone = counts.alone.get(value);
                    prop_assert_eq!(alone + counts.covered.get(value), expected.covered[index]);
                    // Cells that a layer lets through are decided by nobody.
                    if value > 0 {
                        let pixels = alone + counts.decided.get(value);
                        let found = Amount { pixels, area_mm2: counts.areas_mm2[index] };
                        prop_assert_eq!(found, expected.decided[index]);
                    }
                }
            }
            prop_assert_eq!(plain.classes, by_bytes.classes);
            prop_assert_eq!(plain.winners, by_bytes.winners);
            prop_assert_eq!(plain.origins, by_bytes.origins);
            prop_assert_eq!(overlaps, byte_overlaps);
        }
    }
}
