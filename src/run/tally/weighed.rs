//! Counting on grids whose cells differ in size: every count of cells goes with their area.

use super::{BlockMap, BlockZones, CodeKey, Counted, MOST_HISTOGRAMS, PairKey, ReadOff, Tally, bytes_of};
use crate::kernel::ClassValue;
use crate::kernel::histogram::PairAreas;
use crate::kernel::tabulate::ZoneIndex;
use crate::kernel::weigh::BlockAreas;

/// Histograms of one map's codes that are held at a time: 8 KiB each up to 16 codes, 32 KiB up to 32.
const MOST_CODE_AREAS: usize = 256;

/// Bytes of histograms that a block may begin with, a bound on memory: those of a map of 256 codes take 2 MiB each.
const MOST_BYTES: usize = 8 << 20;

impl Tally<'_> {
    /// Does what [`Tally::add_pair`] does, with areas.
    pub(super) fn weigh_pair<T: ClassValue>(
        &mut self,
        pair: usize,
        from: &BlockMap<T>,
        to: &BlockMap<T>,
        zones: &BlockZones,
        sizes: &BlockAreas,
        areas: ReadOff,
    ) {
        let (Some((from_bytes, from_cells)), Some((to_bytes, to_cells))) = (bytes_of(from), bytes_of(to))
        else {
            if !matches!((&from.counted, &to.counted), (Counted::Nothing(..), Counted::Nothing(..))) {
                self.add_cells(from, to, zones, sizes, |tables| &mut tables.pairs[pair]);
            }
            return;
        };
        if self.pair_areas.values().map(|(sums, ..)| sums.bytes()).sum::<usize>() > MOST_BYTES {
            self.empty_pair_areas();
        }
        for stretch in row_stretches(zones, from_cells.len(), sizes.rows()) {
            let key = PairKey { pair, zone: stretch.zone, from: from_bytes, to: to_bytes, areas };
            if !self.pair_areas.contains_key(&key) {
                if self.pair_areas.len() >= MOST_HISTOGRAMS {
                    self.empty_pair_areas();
                }
                self.pair_areas.insert(key, (PairAreas::new(), self.meaning(from), self.meaning(to)));
            }
            if let Some((sums, ..)) = self.pair_areas.get_mut(&key) {
                let (from_cells, to_cells) = (&from_cells[stretch.cells()], &to_cells[stretch.cells()]);
                sums.add(from_cells, to_cells, sizes.row(stretch.row), stretch.col);
            }
        }
    }

    /// Does what [`Tally::add_areas`] does, with areas: those of one map are the diagonal of the map against itself.
    pub(super) fn weigh_areas<T: ClassValue>(
        &mut self,
        epoch: usize,
        map: &BlockMap<T>,
        zones: &BlockZones,
        sizes: &BlockAreas,
    ) {
        let Some((bytes, cells)) = bytes_of(map) else {
            if !matches!(map.counted, Counted::Nothing(..)) {
                self.add_cells(map, map, zones, sizes, |tables| &mut tables.areas[epoch]);
            }
            return;
        };
        if self.code_areas.values().map(|(sums, _)| sums.bytes()).sum::<usize>() > MOST_BYTES {
            self.empty_code_areas();
        }
        for stretch in row_stretches(zones, cells.len(), sizes.rows()) {
            let key = CodeKey { epoch, zone: stretch.zone, bytes };
            if !self.code_areas.contains_key(&key) {
                if self.code_areas.len() >= MOST_CODE_AREAS {
                    self.empty_code_areas();
                }
                self.code_areas.insert(key, (PairAreas::new(), self.meaning(map)));
            }
            if let Some((sums, _)) = self.code_areas.get_mut(&key) {
                let cells = &cells[stretch.cells()];
                sums.add(cells, cells, sizes.row(stretch.row), stretch.col);
            }
        }
    }

    /// Turns all weighed histograms into rows.
    pub(super) fn empty_weighed(&mut self) {
        self.empty_pair_areas();
        self.empty_code_areas();
    }

    fn empty_pair_areas(&mut self) {
        let (plan, tables) = (self.plan, &mut self.tables);
        for (key, (mut sums, from, to)) in std::mem::take(&mut self.pair_areas) {
            sums.drain(|a, b, amount| tables.note_pair(plan, &key, (&from, &to), (a, b), amount));
        }
    }

    fn empty_code_areas(&mut self) {
        let (raw, tables) = (self.plan.job.target.is_raw(), &mut self.tables);
        for (key, (mut sums, meaning)) in std::mem::take(&mut self.code_areas) {
            sums.drain(|code, _, amount| tables.note_byte(key.epoch, key.zone, &meaning, code, amount, raw));
        }
    }
}

/// Cells of one zone beside each other in one row.
struct RowStretch {
    zone: ZoneIndex,
    row: usize,
    /// The first of its columns.
    col: usize,
    /// The first of its cells, row-major.
    first: usize,
    length: usize,
}

impl RowStretch {
    /// Its cells, row-major.
    fn cells(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.length
    }
}

/// The stretches of a block of so many cells and rows, cut where rows end.
fn row_stretches(zones: &BlockZones, cells: usize, rows: usize) -> impl Iterator<Item = RowStretch> + use<> {
    let cols = cells.checked_div(rows).unwrap_or(0).max(1);
    let cut = move |(zone, first, end): (ZoneIndex, usize, usize)| {
        (first / cols..end.div_ceil(cols)).map(move |row| {
            let (first, end) = (first.max(row * cols), end.min((row + 1) * cols));
            RowStretch { zone, row, col: first - row * cols, first, length: end - first }
        })
    };
    zones.stretches(cells).into_iter().flat_map(cut)
}
