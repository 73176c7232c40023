//! Gaps: connected pieces of cells that no source decides, exact however a map is cut.
//!
//! Cells are neighbours where they share an edge. A block is labelled by runs of open cells ([`label`]); pieces of a
//! rectangle are joined row by row ([`Joiner`]), blocks to tasks and tasks to a map alike. Of what was joined only the gaps
//! that reach a side, and the runs along the sides, are kept: memory goes by these.

use std::borrow::Cow;

use ndarray::{ArrayView1, ArrayView2};

use super::weigh::BlockAreas;
use crate::model::gap::{Gap, GapPiece, Gaps, SideRun};
use crate::model::source::{NO_SOURCE, SourceIndex};
use crate::model::window::Window;

/// Whether a cell is undecided where something could be: in the domain, if there is one.
#[inline]
pub fn is_open(winner: SourceIndex, in_domain: bool) -> bool {
    winner == NO_SOURCE && in_domain
}

/// Cells that are looked at together.
const STRIDE: usize = 64;

/// Finds the gaps of a block.
///
/// # Shape
/// `winners`, `domain` and `areas` are those of the cells of `window`; `domain` is true inside, and absent where there is
/// none.
/// # Cost
/// Reads every cell once, 64 at a time where they are alike; else by the number of runs.
pub fn label(
    window: &Window,
    winners: ArrayView2<SourceIndex>,
    domain: Option<ArrayView2<bool>>,
    areas: Option<&BlockAreas>,
    most: usize,
) -> GapPiece {
    let mut forest = Forest::default();
    let mut piece = GapPiece::none(*window);
    let (mut above, mut here): (Vec<SideRun>, Vec<SideRun>) = (Vec::new(), Vec::new());
    let mut runs = Vec::new();
    for (row, cells) in winners.outer_iter().enumerate() {
        runs.clear();
        open_runs(&line(cells), domain.as_ref().map(|domain| line(domain.row(row))).as_deref(), &mut runs);
        let at = window.row + row as i64;
        here.clear();
        for &(first, end) in &runs {
            let area_mm2 = areas.map_or(0, |areas| areas.row(row).between(first, end));
            let col = window.col + first as i64;
            let gap = forest.plant(Gap::run(at, col, end - first, area_mm2));
            here.push(SideRun { first: col, end: window.col + end as i64, gap });
        }
        forest.join(&above, &here);
        let beside = |run: Option<&SideRun>, touches: bool| run.filter(|_| touches).map(|run| run.gap);
        let left = beside(here.first(), here.first().is_some_and(|run| run.first == window.col));
        let right = beside(here.last(), here.last().is_some_and(|run| run.end == window.col_end()));
        for (side, gap) in [(&mut piece.left, left), (&mut piece.right, right)] {
            side.extend(gap.map(|gap| SideRun { first: at, end: at + 1, gap }));
        }
        if row == 0 {
            piece.top.clone_from(&here);
        }
        if row + 1 == winners.nrows() {
            piece.bottom.clone_from(&here);
        }
        std::mem::swap(&mut above, &mut here);
    }
    let GapPiece { closed, top, bottom, left, right, .. } = &mut piece;
    forest.settle([top, bottom, left, right], closed, most);
    piece.closed.settle(most);
    piece.open = forest.gaps;
    piece
}

/// The cells of a row, side by side.
fn line<T: Clone>(row: ArrayView1<'_, T>) -> Cow<'_, [T]> {
    match row.to_slice() {
        Some(cells) => Cow::Borrowed(cells),
        None => Cow::Owned(row.to_vec()),
    }
}

/// First and last + 1 of every run of open cells of a row.
fn open_runs(winners: &[SourceIndex], domain: Option<&[bool]>, runs: &mut Vec<(usize, usize)>) {
    let mut extend = |first: usize, end: usize| match runs.last_mut() {
        Some(last) if last.1 == first => last.1 = end,
        _ => runs.push((first, end)),
    };
    for first in (0..winners.len()).step_by(STRIDE) {
        let end = (first + STRIDE).min(winners.len());
        let open = |cell: usize| is_open(winners[cell], domain.is_none_or(|domain| domain[cell]));
        // Counted without a branch, as most stretches are alike.
        match (first..end).map(|cell| usize::from(open(cell))).sum::<usize>() {
            0 => {}
            all if all == end - first => extend(first, end),
            _ => (first..end).filter(|cell| open(*cell)).for_each(|cell| extend(cell, cell + 1)),
        }
    }
}

/// Pieces of gaps and which of them are one.
#[derive(Debug, Clone, Default)]
struct Forest {
    /// Of each piece another of the same gap, or itself.
    parents: Vec<u32>,
    /// What is known of each; all of it at the piece that is its own parent.
    gaps: Vec<Gap>,
}

impl Forest {
    /// Adds a piece and gives its number.
    fn plant(&mut self, gap: Gap) -> u32 {
        let number = self.parents.len() as u32;
        self.parents.push(number);
        self.gaps.push(gap);
        number
    }

    fn root(&mut self, mut piece: u32) -> u32 {
        while self.parents[piece as usize] != piece {
            let up = self.parents[self.parents[piece as usize] as usize];
            self.parents[piece as usize] = up;
            piece = up;
        }
        piece
    }

    fn unite(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return;
        }
        let (root, leaf) = (one.min(other), one.max(other));
        self.parents[leaf as usize] = root;
        let gap = self.gaps[leaf as usize].clone();
        self.gaps[root as usize].add(&gap);
    }

    /// Unites what lies side by side along two sides that face each other; both are in order.
    fn join(&mut self, one: &[SideRun], other: &[SideRun]) {
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
            if a.first < b.end && b.first < a.end {
                self.unite(a.gap, b.gap);
            }
            if a.end <= b.end {
                i += 1;
            } else {
                j += 1;
            }
        }
    }

    /// Keeps the gaps that sides name, numbered as these name them; the others are whole. Runs that touch become one.
    fn settle<const N: usize>(&mut self, sides: [&mut Vec<SideRun>; N], closed: &mut Gaps, most: usize) {
        let mut numbers: Vec<Option<u32>> = vec![None; self.parents.len()];
        let mut kept: Vec<u32> = Vec::new();
        for side in sides {
            for run in &mut *side {
                let root = self.root(run.gap);
                let number = numbers[root as usize].get_or_insert_with(|| {
                    kept.push(root);
                    kept.len() as u32 - 1
                });
                run.gap = *number;
            }
            side.dedup_by(|run, before| {
                let touches = before.end == run.first && before.gap == run.gap;
                if touches {
                    before.end = run.end;
                }
                touches
            });
        }
        let mut gaps: Vec<Option<Gap>> = std::mem::take(&mut self.gaps).into_iter().map(Some).collect();
        for (piece, &parent) in self.parents.iter().enumerate() {
            if piece as u32 == parent && numbers[piece].is_none() {
                gaps[piece].take().into_iter().for_each(|gap| closed.add(gap, most));
            }
        }
        self.gaps = kept.iter().filter_map(|&root| gaps[root as usize].take()).collect();
        self.parents = (0..self.gaps.len() as u32).collect();
    }
}

/// Joins the pieces of a rectangle, which come row by row.
#[derive(Debug)]
pub struct Joiner {
    bounds: Window,
    most: usize,
    forest: Forest,
    closed: Gaps,
    /// The lower side of the pieces above.
    above: Vec<SideRun>,
    /// The lower side of the pieces of this row so far.
    below: Vec<SideRun>,
    /// The right side of the piece before.
    before: Vec<SideRun>,
    /// Row of the pieces that come.
    row: i64,
    top: Vec<SideRun>,
    left: Vec<SideRun>,
    right: Vec<SideRun>,
}

impl Joiner {
    /// Nothing joined yet.
    pub fn new(bounds: Window, most: usize) -> Self {
        Self {
            bounds,
            most,
            forest: Forest::default(),
            closed: Gaps::default(),
            above: Vec::new(),
            below: Vec::new(),
            before: Vec::new(),
            row: bounds.row,
            top: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
        }
    }

    /// Adds the next piece.
    ///
    /// # Shape
    /// Pieces are those of [`Window::pieces`] of the bounds, in their order.
    pub fn add(&mut self, piece: GapPiece) {
        let window = piece.window;
        if window.row != self.row {
            self.row = window.row;
            self.above = std::mem::take(&mut self.below);
            let Self { forest, closed, above, top, left, right, .. } = self;
            forest.settle([above, top, left, right], closed, self.most);
        }
        if window.col == self.bounds.col {
            self.before.clear();
        }
        self.closed.merge(piece.closed, self.most);
        let first = self.forest.parents.len() as u32;
        for gap in piece.open {
            self.forest.plant(gap);
        }
        let own = |mut side: Vec<SideRun>| {
            side.iter_mut().for_each(|run| run.gap += first);
            side
        };
        let [top, bottom, left, right] = [piece.top, piece.bottom, piece.left, piece.right].map(own);
        let from = self.above.partition_point(|run| run.end <= window.col);
        let end = self.above.partition_point(|run| run.first < window.col_end());
        self.forest.join(self.above.get(from..end).unwrap_or_default(), &top);
        self.forest.join(&self.before, &left);
        if window.row == self.bounds.row {
            self.top.extend(&top);
        }
        if window.col == self.bounds.col {
            self.left.extend(&left);
        }
        if window.col_end() == self.bounds.col_end() {
            self.right.extend(&right);
        }
        self.below.extend(bottom);
        self.before = right;
    }

    /// What all pieces come to.
    pub fn finish(mut self) -> GapPiece {
        let Self { forest, closed, most, below, top, left, right, .. } = &mut self;
        forest.settle([top, below, left, right], closed, *most);
        self.closed.settle(self.most);
        GapPiece {
            window: self.bounds,
            closed: self.closed,
            open: self.forest.gaps,
            top: self.top,
            bottom: self.below,
            left: self.left,
            right: self.right,
        }
    }
}

/// The area of all cells of a block, in mm².
pub fn area_of(areas: &BlockAreas, cols: usize) -> u128 {
    (0..areas.rows()).map(|row| areas.row(row).between(0, cols)).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};
    use proptest::prelude::*;

    use super::*;
    use crate::model::area::Amount;

    const O: u8 = NO_SOURCE;

    #[test]
    fn two_gaps_and_a_bay_by_hand() {
        let winners = array![
            [1u8, 1, 1, 1, O],
            [1, O, 1, 1, O],
            [1, O, O, 1, 1],
            [1, 1, 1, O, 1], // touches the other only by a corner
            [1, 1, 1, 1, 1],
        ];
        let window = Window { row: 10, col: 20, rows: 5, cols: 5 };
        // Rows of 100, 200, … mm².
        let areas = BlockAreas::Rows(vec![100, 200, 300, 400, 500]);
        let piece = label(&window, winners.view(), None, Some(&areas), 9);
        assert_eq!(
            (piece.open.len(), &piece.top, &piece.right),
            (1, &vec![SideRun { first: 24, end: 25, gap: 0 }], &vec![SideRun { first: 10, end: 12, gap: 0 }])
        );
        assert!(piece.bottom.is_empty() && piece.left.is_empty());
        let gaps = piece.clone().of_map(false, 9);
        let gap = |pixels, area_mm2, first, held: (i64, i64, usize, usize)| Gap {
            amount: Amount { pixels, area_mm2 },
            first,
            held: Window { row: held.0, col: held.1, rows: held.2, cols: held.3 },
        };
        let inside = [gap(3, 800, (11, 21), (11, 21, 2, 2)), gap(1, 400, (13, 23), (13, 23, 1, 1))];
        assert_eq!(gaps.largest, inside);
        // In a domain that leaves (2, 2) out, the bay is a gap too, and the larger one is smaller.
        let mut domain = Array2::from_elem((5, 5), true);
        domain[[2, 2]] = false;
        let gaps = label(&window, winners.view(), Some(domain.view()), None, 9).of_map(true, 9);
        let places: Vec<_> = gaps.largest.iter().map(|gap| (gap.amount.pixels, gap.first)).collect();
        assert_eq!(places, [(2, (10, 24)), (2, (11, 21)), (1, (13, 23))]);
    }

    #[test]
    fn smaller_gaps_than_are_wanted_are_added_up() {
        let winners = array![
            [1u8, 1, 1, 1, 1, 1, 1],
            [1, O, 1, O, 1, O, 1],
            [1, 1, 1, O, 1, 1, 1],
            [1, 1, 1, 1, 1, 1, 1]
        ];
        let gaps = label(&Window::whole(4, 7), winners.view(), None, None, 2).of_map(false, 2);
        let places: Vec<_> = gaps.largest.iter().map(|gap| (gap.amount.pixels, gap.first)).collect();
        assert_eq!(places, [(2, (1, 3)), (1, (1, 1))]);
        assert_eq!((gaps.others, gaps.rest, gaps.count(), gaps.sum()), (1, 1.into(), 3, 4.into()));
    }

    #[test]
    fn a_block_without_any_decided_cell_is_what_labelling_it_gives() {
        let window = Window { row: 3, col: 5, rows: 4, cols: 70 };
        let areas = BlockAreas::Rows(vec![1, 2, 3, 4]);
        let labelled = label(&window, Array2::from_elem((4, 70), O).view(), None, Some(&areas), 9);
        assert_eq!(labelled, GapPiece::all(window, area_of(&areas, 70)));
        assert_eq!(label(&window, Array2::zeros((4, 70)).view(), None, None, 9), GapPiece::none(window));
    }

    /// The number of gaps, those that reach a side included, and what they amount to.
    fn total(piece: &GapPiece) -> (u64, Amount) {
        let open = piece.open.iter().map(|gap| gap.amount).sum::<Amount>();
        (piece.closed.count() + piece.open.len() as u64, piece.closed.sum() + open)
    }

    /// The gaps of a whole mask by a flood from every cell.
    fn flooded(open: &Array2<bool>, at_edges: bool, area: impl Fn(usize, usize) -> u128) -> Vec<Gap> {
        let (rows, cols) = open.dim();
        let mut seen = Array2::from_elem(open.dim(), false);
        let mut gaps = Vec::new();
        for (row, col) in (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col))) {
            if !open[[row, col]] || seen[[row, col]] {
                continue;
            }
            let (mut todo, mut cells) = (vec![(row, col)], Vec::new());
            seen[[row, col]] = true;
            while let Some((r, c)) = todo.pop() {
                cells.push((r, c));
                let beside = [(r.wrapping_sub(1), c), (r + 1, c), (r, c.wrapping_sub(1)), (r, c + 1)];
                for (r, c) in beside.into_iter().filter(|(r, c)| *r < rows && *c < cols) {
                    if open[[r, c]] && !std::mem::replace(&mut seen[[r, c]], true) {
                        todo.push((r, c));
                    }
                }
            }
            let touches = cells.iter().any(|&(r, c)| r == 0 || c == 0 || r + 1 == rows || c + 1 == cols);
            if touches && !at_edges {
                continue;
            }
            let least = |of: fn(&(usize, usize)) -> usize| cells.iter().map(of).min().unwrap() as i64;
            let end = |of: fn(&(usize, usize)) -> usize| cells.iter().map(of).max().unwrap() as i64 + 1;
            let area_mm2 = cells.iter().map(|&(r, c)| area(r, c)).sum();
            gaps.push(Gap {
                amount: Amount { pixels: cells.len() as u64, area_mm2 },
                first: (row as i64, col as i64),
                held: Window::between(least(|c| c.0), least(|c| c.1), end(|c| c.0), end(|c| c.1)),
            });
        }
        gaps.sort_by_key(|gap| (std::cmp::Reverse(gap.amount.pixels), gap.first));
        gaps
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn pieces_of_pieces_are_joined_to_the_gaps_of_the_whole(
            rows in 1usize..40,
            cols in 1usize..90,
            task in (1usize..4, 1usize..4),
            block in (1usize..9, 1usize..40),
            share in 1u64..10,
            patch in 1usize..4,
            with_domain in any::<bool>(),
            most in 1usize..12,
            seed in any::<u64>(),
        ) {
            let hash = |row: usize, col: usize, salt: u64| {
                let mut z = (row as u64) << 32 ^ col as u64 ^ seed.wrapping_mul(salt);
                z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 40
            };
            let winners = Array2::from_shape_fn((rows, cols), |(r, c)| if hash(r / patch, c / patch, 3) % 10 < share { O } else { 2 });
            let domain = Array2::from_shape_fn((rows, cols), |(r, c)| hash(r, c, 7) % 12 > 0);
            let area = |row: usize, col: usize| (1 + row * 3 + col % 5) as u64;
            let grid = Window::whole(rows, cols);
            let mut whole = Joiner::new(grid, most);
            for window in grid.pieces(task.0 * block.0, task.1 * block.1) {
                let mut of_task = Joiner::new(window, most);
                for block in window.pieces(block.0, block.1) {
                    let (r, c) = (block.row as usize, block.col as usize);
                    let cut = s![r..r + block.rows, c..c + block.cols];
                    let sums = Array2::from_shape_fn((block.rows, block.cols + 1), |(row, col)| {
                        (0..col).map(|before| area(r + row, c + before)).sum()
                    });
                    let domain = with_domain.then(|| domain.slice(cut));
                    of_task.add(label(&block, winners.slice(cut), domain, Some(&BlockAreas::Cells(sums)), most));
                }
                whole.add(of_task.finish());
            }
            let piece = whole.finish();
            let open = Array2::from_shape_fn((rows, cols), |at| winners[at] == O && (!with_domain || domain[at]));
            let every = flooded(&open, true, |r, c| area(r, c).into());
            prop_assert_eq!(total(&piece), (every.len() as u64, every.iter().map(|gap| gap.amount).sum()));
            let expected = flooded(&open, with_domain, |r, c| area(r, c).into());
            let found = piece.of_map(with_domain, most);
            prop_assert_eq!(&found.largest[..], &expected[..most.min(expected.len())]);
            prop_assert_eq!((found.count(), found.sum()), (expected.len() as u64, expected.iter().map(|gap| gap.amount).sum()));
        }
    }
}
