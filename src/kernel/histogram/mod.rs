//! Histograms of byte maps: how many cells have a code, how many pairs of cells have a pair of codes.
//!
//! Adding one to a counter per cell waits, for each cell of a patch, until the last addition to the same counter is
//! stored. Here no counter is touched twice in a row. A few rows of a map hold few codes, so the cells of each code
//! are counted by comparing, a vector of cells at a time, with sums that never leave the processor (`compare.rs`).
//! Of a pair of maps, the first is counted so; then only the cells that differ are looked at, and what did not change is
//! the rest. Where the cells of a grid differ in size, their areas are added up with them (`areas.rs`).

mod areas;
mod compare;

pub use areas::PairAreas;
use compare::{STEP, count_of, differing};

/// Cells that share a list of codes: few enough for the fastest cache, many enough to forget what a list costs.
const SEGMENT: usize = 126 * STEP;

/// Most codes of a segment that are counted by comparing; beyond, counting cell by cell is faster.
const MOST_COMPARED: usize = 32;

/// How many cells of each code one or several maps have.
///
/// # Unit
/// Cells, 64-bit.
/// # Cost
/// One pass per code that a segment of 8064 cells has, each a vector of cells at a time; more than 32 codes are
/// counted cell by cell.
#[derive(Debug, Clone)]
pub struct CodeCounts {
    counts: Box<[u64; 256]>,
    /// Codes met last, the most frequent first; empty if they were too many.
    expected: Vec<u8>,
}

impl Default for CodeCounts {
    fn default() -> Self {
        Self { counts: Box::new([0; 256]), expected: Vec::new() }
    }
}

impl CodeCounts {
    /// No cells.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the cells of a map.
    pub fn add(&mut self, cells: &[u8]) {
        for segment in cells.chunks(SEGMENT) {
            self.add_segment(segment);
        }
    }

    /// Counts cells of one code.
    pub fn count(&mut self, code: u8, cells: u64) {
        self.counts[usize::from(code)] += cells;
    }

    /// Cells of one code.
    pub fn get(&self, code: u8) -> u64 {
        self.counts[usize::from(code)]
    }

    /// Calls `f` with each code that has cells, ascending, and their number; then no cells are left.
    pub fn drain(&mut self, mut f: impl FnMut(u8, u64)) {
        for (code, count) in (0..=255).zip(self.counts.iter_mut()) {
            if *count > 0 {
                f(code, *count);
                *count = 0;
            }
        }
    }

    fn add_segment(&mut self, segment: &[u8]) {
        let mut counted = [0; MOST_COMPARED];
        let mut rest = segment.len();
        for (position, &code) in self.expected.iter().enumerate() {
            let n = count_of(segment, code);
            counted[position] = n;
            rest -= n;
            if rest == 0 {
                for (&code, &n) in self.expected[..=position].iter().zip(&counted[..=position]) {
                    self.counts[usize::from(code)] += n as u64;
                }
                return;
            }
        }
        // Codes that were not expected.
        let counts = count_each(segment);
        let mut met = Vec::with_capacity(MOST_COMPARED);
        for (code, &n) in (0..=255).zip(&counts) {
            self.counts[usize::from(code)] += u64::from(n);
            if n > 0 {
                met.push(code);
            }
        }
        met.sort_by_key(|&code| std::cmp::Reverse(counts[usize::from(code)]));
        if met.len() > MOST_COMPARED {
            met.clear();
        } else {
            // What was expected before may come again, and looking for it costs little beside counting each cell.
            met.extend(self.expected.iter().filter(|&&code| counts[usize::from(code)] == 0));
            met.truncate(MOST_COMPARED);
        }
        self.expected = met;
    }
}

/// Cells of every code, cell by cell: four counters of each, so that neighbours do not wait for each other.
fn count_each(cells: &[u8]) -> [u32; 256] {
    let mut counts = [[0u32; 256]; 4];
    let (fours, rest) = cells.as_chunks::<4>();
    for four in fours {
        for (counts, &code) in counts.iter_mut().zip(four) {
            counts[usize::from(code)] += 1;
        }
    }
    rest.iter().for_each(|&code| counts[0][usize::from(code)] += 1);
    let [mut sum, others @ ..] = counts;
    for counts in others {
        sum.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
    }
    sum
}

/// How many cells of two maps have each pair of codes.
///
/// # Unit
/// Cells, 64-bit.
/// # Cost
/// [`CodeCounts`] of the first map, and a look at each word of eight cells that is not the same in both.
#[derive(Debug, Clone)]
pub struct PairCounts {
    from: CodeCounts,
    /// Cells that differ, by code of the first and of the second map.
    differing: Box<[[u32; 256]]>,
    /// Codes of the first map that have such cells.
    rows: [bool; 256],
    /// Cells that may still be added before a counter can be full.
    room: u32,
    /// What full counters were emptied into: 256 times the code of the first map, plus the code of the second.
    earlier: Vec<u64>,
}

impl Default for PairCounts {
    fn default() -> Self {
        Self {
            from: CodeCounts::new(),
            differing: vec![[0; 256]; 256].into_boxed_slice(),
            rows: [false; 256],
            room: u32::MAX,
            earlier: Vec::new(),
        }
    }
}

impl PairCounts {
    /// No cells.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the pairs of cells at the same place.
    ///
    /// # Shape
    /// The maps are equally long; what one has beyond the other is not counted.
    pub fn add(&mut self, from: &[u8], to: &[u8]) {
        for (from, to) in from.chunks(SEGMENT).zip(to.chunks(SEGMENT)) {
            let n = from.len().min(to.len());
            self.from.add_segment(&from[..n]);
            if self.room < n as u32 {
                self.set_aside();
            }
            self.room -= n as u32;
            self.add_differing(&from[..n], &to[..n]);
        }
    }

    /// Calls `f` with each pair of codes that has cells, ascending, and their number; then no cells are left.
    pub fn drain(&mut self, mut f: impl FnMut(u8, u8, u64)) {
        for from in 0..=255u8 {
            let mut same = std::mem::take(&mut self.from.counts[usize::from(from)]);
            if same == 0 {
                continue;
            }
            if !self.rows[usize::from(from)] {
                f(from, from, same);
                continue;
            }
            self.rows[usize::from(from)] = false;
            let earlier = self.earlier.get(usize::from(from) * 256..).unwrap_or_default();
            let row = &mut self.differing[usize::from(from)];
            let mut counts = row.map(u64::from);
            row.fill(0);
            counts.iter_mut().zip(earlier).for_each(|(n, earlier)| *n += earlier);
            same -= counts.iter().sum::<u64>();
            counts[usize::from(from)] = same;
            for (to, &n) in (0..=255).zip(&counts).filter(|(_, n)| **n > 0) {
                f(from, to, n);
            }
        }
        self.earlier.clear();
        self.room = u32::MAX;
    }

    /// Empties the counters of differing cells before one can be full.
    fn set_aside(&mut self) {
        self.earlier.resize(256 * 256, 0);
        for (row, earlier) in self.differing.iter_mut().zip(self.earlier.chunks_exact_mut(256)) {
            row.iter().zip(earlier).for_each(|(&n, earlier)| *earlier += u64::from(n));
            row.fill(0);
        }
        self.room = u32::MAX;
    }

    fn add_differing(&mut self, from: &[u8], to: &[u8]) {
        let mut masks = [0; SEGMENT.div_ceil(STEP)];
        let masks = &mut masks[..from.len().div_ceil(STEP)];
        differing(from, to, masks);
        let lines = from.chunks(STEP).zip(to.chunks(STEP)).zip(masks);
        for ((from, to), mask) in lines.filter(|(_, mask)| **mask != 0) {
            self.add_line(from, to, *mask);
        }
    }

    /// Counts the cells of a line that a mask tells.
    #[inline]
    fn add_line(&mut self, from: &[u8], to: &[u8], mut mask: u64) {
        while mask != 0 {
            let cell = mask.trailing_zeros() as usize;
            let mut n = 1;
            // A patch that changed is runs of one pair: a word of it is counted at once.
            if mask >> cell & 0xFF == 0xFF && is_alike(from, cell) && is_alike(to, cell) {
                n = 8;
            }
            let (from, to) = (usize::from(from[cell]), usize::from(to[cell]));
            self.rows[from] = true;
            self.differing[from][to] += n;
            mask &= !0 << n << cell;
        }
    }
}

/// Whether eight cells from one on have one code.
fn is_alike(cells: &[u8], first: usize) -> bool {
    cells[first..].first_chunk::<8>().is_some_and(|word| *word == [word[0]; 8])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// One cell at a time.
    fn plain(from: &[u8], to: &[u8]) -> Vec<(u8, u8, u64)> {
        let mut counts = BTreeMap::new();
        from.iter().zip(to).for_each(|(&from, &to)| *counts.entry((from, to)).or_default() += 1);
        counts.into_iter().map(|((from, to), n)| (from, to, n)).collect()
    }

    fn pairs(counts: &mut PairCounts) -> Vec<(u8, u8, u64)> {
        let mut found = Vec::new();
        counts.drain(|from, to, n| found.push((from, to, n)));
        found
    }

    fn codes(counts: &mut CodeCounts) -> Vec<(u8, u64)> {
        let mut found = Vec::new();
        counts.drain(|code, n| found.push((code, n)));
        found
    }

    /// Two maps: patches of up to 40 cells, some of which differ from the first map to the second.
    fn maps() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let code = prop_oneof![3 => 0u8..6, 1 => any::<u8>(), 1 => 250u8..=255];
        let patch = (code.clone(), code, 1usize..40, prop::bool::weighted(0.8));
        proptest::collection::vec(patch, 0..1500).prop_map(|patches| {
            let mut maps = (Vec::new(), Vec::new());
            for (from, to, n, same) in patches {
                maps.0.extend(std::iter::repeat_n(from, n));
                maps.1.extend(std::iter::repeat_n(if same { from } else { to }, n));
            }
            maps
        })
    }

    #[test]
    fn counts_pass_the_32_bits_of_a_counter() {
        let mut counts = PairCounts::new();
        counts.add(&[7; 100], &[9; 100]);
        // As if four thousand million cells had been counted since.
        counts.differing[7][9] += u32::MAX - 150;
        counts.from.counts[7] += u64::from(u32::MAX - 150);
        counts.room = 50;
        counts.add(&[7; 100], &[9; 100]);
        counts.add(&[7; 100], &[7; 100]);
        assert_eq!(pairs(&mut counts), [(7, 7, 100), (7, 9, u64::from(u32::MAX) + 50)]);
        assert_eq!(pairs(&mut counts), []);
        counts.add(&[7], &[9]);
        assert_eq!(pairs(&mut counts), [(7, 9, 1)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn histograms_agree_with_one_cell_at_a_time(several in proptest::collection::vec(maps(), 1..4), at in 0usize..50) {
            let (mut joint, mut single) = (PairCounts::new(), CodeCounts::new());
            let (mut all_from, mut all_to) = (Vec::new(), Vec::new());
            for (from, to) in &several {
                // Not all maps start where a word starts.
                let at = at.min(from.len());
                joint.add(&from[at..], &to[at..]);
                single.add(&from[at..]);
                all_from.extend_from_slice(&from[at..]);
                all_to.extend_from_slice(&to[at..]);
            }
            prop_assert_eq!(pairs(&mut joint), plain(&all_from, &all_to));
            let expected: Vec<_> = plain(&all_from, &all_from).into_iter().map(|(code, _, n)| (code, n)).collect();
            prop_assert_eq!(codes(&mut single), expected);
            // Both can be used again.
            joint.add(&all_to, &all_from);
            prop_assert_eq!(pairs(&mut joint), plain(&all_to, &all_from));
        }
    }
}
