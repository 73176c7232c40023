//! What one task counts: joint counts of pairs, areas, overlaps, rules, and values that nothing explains.
//!
//! Maps of bytes are counted by their bytes: one histogram per combination of pair, zone and map, asked for its classes
//! and rules when the task ends. The areas of a map are then read off the histogram of a pair it belongs to. All other
//! maps are counted by class and source, cell by cell. Both ways end in the same rows. On grids whose cells differ in size
//! their areas are added up in the same way, by other histograms (`tally/weighed.rs`).

mod weighed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ndarray::ArrayView2;

use super::compose::{BlockMap, Counted};
use super::lay::Sliver;
use crate::io::part::{JointRow, PartTables, RuleCount};
use crate::kernel::ClassValue;
use crate::kernel::combine::BlockZones;
use crate::kernel::histogram::{CodeCounts, PairAreas, PairCounts};
use crate::kernel::mosaic::{ByteCounts, LayerCounts, Overlap};
use crate::kernel::official::{OfficialCounts, OfficialJoint};
use crate::kernel::tabulate::{Joint, JointCounts, Map, ZoneIndex, tabulate};
use crate::kernel::weigh::{Alike, BlockAreas, CellSizes};
use crate::model::area::Amount;
use crate::model::byte_rules::ByteRules;
use crate::model::legend::{Absence, ClassCode};
use crate::model::provenance::Origin;
use crate::model::rule::{Outcome, Rule};
use crate::model::source::{NO_SOURCE, SourceIndex};
use crate::plan::{Plan, Scene};

/// A value that no rule explains, and how often it was met.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unexplained {
    /// The file.
    pub file: PathBuf,
    /// Whether a conditional row lacked its stratum's value (else the value has no row at all).
    pub no_stratum: bool,
    /// Value in the file.
    pub value: ClassCode,
    /// Cells of the target grid.
    pub pixels: u64,
    /// Whether the file is a published change map, whose value is no pair of classes.
    pub in_change_map: bool,
}

/// Which bytes a map has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bytes {
    /// Codes of a scene, by its position in the epoch, read by one of its tables.
    Scene((usize, usize)),
    /// Classes of one source, nodata and the spare code.
    Source(SourceIndex),
}

/// What the bytes of a map mean.
#[derive(Debug, Clone)]
enum Meaning {
    /// The rules of a scene, and its file.
    Scene(Rc<ByteRules>, Rc<Path>),
    /// Classes of a source; nodata and the spare code are none.
    Source { source: SourceIndex, nodata: ClassCode, spare: Option<u8> },
}

impl Meaning {
    /// The class of a byte and who decided the cell.
    fn of(&self, value: u8) -> (Option<ClassCode>, SourceIndex) {
        match self {
            Self::Scene(rules, _) => (rules.class(value), rules.decider(value)),
            Self::Source { spare, .. } if Some(value) == *spare => (None, NO_SOURCE),
            Self::Source { source, nodata, .. } => {
                let class = ClassCode::from(value);
                ((class != *nodata).then_some(class), *source)
            }
        }
    }
}

/// What a histogram of pairs counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PairKey {
    pair: usize,
    zone: ZoneIndex,
    from: Bytes,
    to: Bytes,
    areas: ReadOff,
}

/// Which areas are read off a histogram of pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadOff {
    /// Those of the first map.
    pub from: bool,
    /// Those of the second map.
    pub to: bool,
}

/// What a histogram of codes counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CodeKey {
    epoch: usize,
    zone: ZoneIndex,
    bytes: Bytes,
}

/// Histograms of pairs that are held at a time, a bound on memory: a quarter of a MiB each.
const MOST_HISTOGRAMS: usize = 48;

/// No cell has this code of provenance.
const UNUSED_ORIGIN: Origin = Origin::MAX;

/// Histograms of codes that are held at a time: 2 KiB each.
const MOST_CODE_COUNTS: usize = 2048;

/// Counts of a task in the making.
pub struct Tally<'a> {
    plan: &'a Plan,
    /// The code for cells that no source covers, where classes are bytes.
    spare: Option<u8>,
    tables: Tables,
    pairs: BTreeMap<PairKey, (PairCounts, Meaning, Meaning)>,
    codes: BTreeMap<CodeKey, (CodeCounts, Meaning)>,
    /// Histograms that wait to be used again.
    idle: Vec<PairCounts>,
    /// In place of `pairs`, where cells differ.
    pair_areas: BTreeMap<PairKey, (PairAreas, Meaning, Meaning)>,
    /// In place of `codes`, where cells differ: each map against itself.
    code_areas: BTreeMap<CodeKey, (PairAreas, Meaning)>,
}

impl<'a> Tally<'a> {
    /// Nothing counted yet; `spare` is the code for cells that no source covers.
    pub fn new(plan: &'a Plan, spare: Option<u8>) -> Self {
        let (epochs, pairs) = (plan.epochs.len(), plan.pairs.len());
        let tables = Tables {
            areas: vec![JointCounts::new(); epochs],
            pairs: vec![JointCounts::new(); pairs],
            overlaps: vec![BTreeMap::new(); epochs],
            rules: vec![BTreeMap::new(); epochs],
            slivers: vec![BTreeMap::new(); epochs],
            origins: vec![JointCounts::new(); epochs],
            unexplained: BTreeMap::new(),
            official: vec![OfficialCounts::new(); if plan.officials.is_empty() { 0 } else { pairs }],
            unknown_changes: BTreeMap::new(),
        };
        Self {
            plan,
            spare,
            tables,
            pairs: BTreeMap::new(),
            codes: BTreeMap::new(),
            idle: Vec::new(),
            pair_areas: BTreeMap::new(),
            code_areas: BTreeMap::new(),
        }
    }

    /// The overlaps of an epoch.
    pub fn overlaps(&mut self, epoch: usize) -> &mut BTreeMap<Overlap, Amount> {
        &mut self.tables.overlaps[epoch]
    }

    /// The cells of slivers of an epoch.
    pub fn slivers(&mut self, epoch: usize) -> &mut BTreeMap<Sliver, Amount> {
        &mut self.tables.slivers[epoch]
    }

    /// Counts where the cells of a map of one block come from.
    pub fn add_origins<T: ClassValue>(
        &mut self,
        epoch: usize,
        map: &BlockMap<T>,
        origins: ArrayView2<Origin>,
        zones: &BlockZones,
        sizes: Option<&BlockAreas>,
    ) {
        let winners = map.winners();
        let zones = zones.plane(origins.dim());
        // Each origin counts as a class of its own; there is no nodata among them.
        let map = Map { classes: origins, winners: winners.view() };
        let counts = &mut self.tables.origins[epoch];
        match sizes {
            Some(sizes) => tabulate(map, map, zones.view(), sizes, UNUSED_ORIGIN, counts),
            None => tabulate(map, map, zones.view(), Alike, UNUSED_ORIGIN, counts),
        }
    }

    /// Counts the rules of a layer of bytes that was laid into a mosaic.
    pub fn add_byte_layer(&mut self, epoch: usize, scene: &Scene, rules: &ByteRules, mut counts: ByteCounts) {
        let raw = self.plan.job.target.is_raw();
        let (tables, file, source) = (&mut self.tables, &scene.header.path, scene.source);
        counts.alone.drain(|value, n| {
            tables.note_unexplained(file, rules.rule(value), n);
            tables.note_decided(epoch, source, rules.rule(value), n.into(), raw);
        });
        counts.covered.drain(|value, n| tables.note_unexplained(file, rules.rule(value), n));
        counts.decided.drain(|value, n| tables.note_decided(epoch, source, rules.rule(value), n.into(), raw));
        for (value, area_mm2) in (0..=u8::MAX).zip(counts.areas_mm2).filter(|(_, area)| *area > 0) {
            tables.note_decided(epoch, source, rules.rule(value), Amount { pixels: 0, area_mm2 }, raw);
        }
    }

    /// Counts the rules of a layer that was reclassified cell by cell.
    pub fn add_layer(&mut self, epoch: usize, scene: &Scene, rules: &[Rule], counts: &LayerCounts) {
        let raw = self.plan.job.target.is_raw();
        for (rule, &n) in rules.iter().zip(&counts.covered).filter(|(_, n)| **n > 0) {
            self.tables.note_unexplained(&scene.header.path, rule, n);
        }
        for (rule, &amount) in rules.iter().zip(&counts.decided).filter(|(_, amount)| amount.pixels > 0) {
            self.tables.note_decided(epoch, scene.source, rule, amount, raw);
        }
    }

    /// Notes cells of a scene whose value no rule explains.
    pub fn add_unexplained(&mut self, scene: &Scene, rule: &Rule, cells: u64) {
        self.tables.note_unexplained(&scene.header.path, rule, cells);
    }

    /// Cells that published change maps decided of a pair.
    pub fn official(&mut self, pair: usize) -> &mut OfficialCounts {
        &mut self.tables.official[pair]
    }

    /// Notes values of a published change map that are no pair of classes.
    pub fn add_unknown_changes(&mut self, file: &Path, values: BTreeMap<i32, u64>) {
        for (value, cells) in values {
            *self.tables.unknown_changes.entry((file.to_path_buf(), value)).or_default() += cells;
        }
    }

    /// Counts a pair of maps of one block; `areas` says whose areas are read off where both are maps of bytes, `sizes`
    /// how large the cells are where they differ.
    pub fn add_pair<T: ClassValue>(
        &mut self,
        pair: usize,
        from: &BlockMap<T>,
        to: &BlockMap<T>,
        zones: &BlockZones,
        sizes: Option<&BlockAreas>,
        areas: ReadOff,
    ) {
        if let Some(sizes) = sizes {
            return self.weigh_pair(pair, from, to, zones, sizes, areas);
        }
        if let (Some((from_bytes, from_cells)), Some((to_bytes, to_cells))) = (bytes_of(from), bytes_of(to)) {
            for (zone, first, end) in zones.stretches(from_cells.len()) {
                let key = PairKey { pair, zone, from: from_bytes, to: to_bytes, areas };
                if !self.pairs.contains_key(&key) {
                    // Asked for each stretch: a block may hold more zones than there is room for histograms.
                    if self.pairs.len() >= MOST_HISTOGRAMS {
                        self.empty_pairs();
                    }
                    let counts = self.idle.pop().unwrap_or_default();
                    self.pairs.insert(key, (counts, self.meaning(from), self.meaning(to)));
                }
                if let Some((counts, ..)) = self.pairs.get_mut(&key) {
                    counts.add(&from_cells[first..end], &to_cells[first..end]);
                }
            }
            return;
        }
        if let (Counted::Nothing(..), Counted::Nothing(..)) = (&from.counted, &to.counted) {
            return;
        }
        self.add_cells(from, to, zones, Alike, |tables| &mut tables.pairs[pair]);
    }

    /// Counts the areas of a map of one block; `sizes` says how large the cells are where they differ.
    pub fn add_areas<T: ClassValue>(
        &mut self,
        epoch: usize,
        map: &BlockMap<T>,
        zones: &BlockZones,
        sizes: Option<&BlockAreas>,
    ) {
        if let Some(sizes) = sizes {
            return self.weigh_areas(epoch, map, zones, sizes);
        }
        if let Some((bytes, cells)) = bytes_of(map) {
            for (zone, first, end) in zones.stretches(cells.len()) {
                let meaning = self.meaning(map);
                let counts = self.codes.entry(CodeKey { epoch, zone, bytes });
                counts.or_insert_with(|| (CodeCounts::new(), meaning)).0.add(&cells[first..end]);
                if self.codes.len() > MOST_CODE_COUNTS {
                    self.empty_codes();
                }
            }
        } else if !matches!(map.counted, Counted::Nothing(..)) {
            // The areas of one map are the diagonal of the map against itself.
            self.add_cells(map, map, zones, Alike, |tables| &mut tables.areas[epoch]);
        }
    }

    fn add_cells<T: ClassValue, S: CellSizes>(
        &mut self,
        from: &BlockMap<T>,
        to: &BlockMap<T>,
        zones: &BlockZones,
        sizes: S,
        counts: impl FnOnce(&mut Tables) -> &mut JointCounts,
    ) {
        let Some(nodata) = T::from_code(self.plan.storage.nodata) else { return };
        let (from_winners, to_winners) = (from.winners(), to.winners());
        tabulate(
            Map { classes: from.classes().view(), winners: from_winners.view() },
            Map { classes: to.classes().view(), winners: to_winners.view() },
            zones.plane(from.classes().dim()).view(),
            sizes,
            nodata,
            counts(&mut self.tables),
        );
    }

    fn meaning<T>(&self, map: &BlockMap<T>) -> Meaning {
        let (nodata, spare) = (self.plan.storage.nodata, self.spare);
        match &map.counted {
            Counted::Codes { table, .. } => Meaning::Scene(table.rules.clone(), table.file.clone()),
            Counted::States { source, .. } => Meaning::Source { source: *source, nodata, spare },
            Counted::Nothing(..) | Counted::Sources(_) => {
                Meaning::Source { source: NO_SOURCE, nodata, spare }
            }
        }
    }

    /// Turns the histograms of pairs into rows.
    fn empty_pairs(&mut self) {
        let Self { plan, tables, pairs, idle, .. } = self;
        for (key, (mut counts, from_meaning, to_meaning)) in std::mem::take(pairs) {
            let meanings = (&from_meaning, &to_meaning);
            counts.drain(|from, to, n| tables.note_pair(plan, &key, meanings, (from, to), n.into()));
            idle.push(counts);
        }
    }

    /// Turns all that was counted into the rows of a part, which know zones by number alone, or into the values that nothing explains.
    pub fn finish(mut self) -> Result<PartTables, Vec<Unexplained>> {
        self.empty_pairs();
        self.empty_codes();
        self.empty_weighed();
        self.tables.into_part()
    }

    /// Turns the histograms of codes into rows.
    fn empty_codes(&mut self) {
        let raw = self.plan.job.target.is_raw();
        for (key, (mut counts, meaning)) in std::mem::take(&mut self.codes) {
            counts
                .drain(|value, n| self.tables.note_byte(key.epoch, key.zone, &meaning, value, n.into(), raw));
        }
    }
}

/// The bytes by which a map is counted, if it is.
fn bytes_of<T>(map: &BlockMap<T>) -> Option<(Bytes, &[u8])> {
    let (bytes, cells) = match &map.counted {
        Counted::Codes { cells, table } => (Bytes::Scene(table.place), &**cells),
        Counted::States { source, cells, .. } => (Bytes::Source(*source), cells),
        Counted::Nothing(..) | Counted::Sources(_) => return None,
    };
    Some((bytes, cells.as_slice()?))
}

/// Rows in the making.
struct Tables {
    areas: Vec<JointCounts>,
    pairs: Vec<JointCounts>,
    overlaps: Vec<BTreeMap<Overlap, Amount>>,
    rules: Vec<BTreeMap<RuleCount, Amount>>,
    slivers: Vec<BTreeMap<Sliver, Amount>>,
    origins: Vec<JointCounts>,
    unexplained: BTreeMap<(PathBuf, bool, ClassCode), u64>,
    official: Vec<OfficialCounts>,
    unknown_changes: BTreeMap<(PathBuf, ClassCode), u64>,
}

impl Tables {
    /// Notes a pair of bytes, and the areas that are read off it.
    fn note_pair(
        &mut self,
        plan: &Plan,
        key: &PairKey,
        (from_meaning, to_meaning): (&Meaning, &Meaning),
        (from, to): (u8, u8),
        n: Amount,
    ) {
        let (raw, interval) = (plan.job.target.is_raw(), plan.pairs[key.pair]);
        let place = |year: i32| plan.epoch(year).unwrap_or_default();
        if key.areas.from {
            self.note_byte(place(interval.from), key.zone, from_meaning, from, n, raw);
        }
        if key.areas.to {
            self.note_byte(place(interval.to), key.zone, to_meaning, to, n, raw);
        }
        let ((from, from_source), (to, to_source)) = (from_meaning.of(from), to_meaning.of(to));
        if from.is_some() || to.is_some() {
            let joint = Joint { zone: key.zone, from_source, to_source, from, to };
            *self.pairs[key.pair].entry(joint).or_default() += n;
        }
    }

    /// Notes the area of a byte, and its rule where the bytes are a scene's own.
    fn note_byte(
        &mut self,
        epoch: usize,
        zone: ZoneIndex,
        meaning: &Meaning,
        value: u8,
        n: Amount,
        raw: bool,
    ) {
        let (class, source) = meaning.of(value);
        if class.is_some() {
            let joint = Joint { zone, from_source: source, to_source: source, from: class, to: class };
            *self.areas[epoch].entry(joint).or_default() += n;
        }
        if let Meaning::Scene(rules, file) = meaning {
            self.note_unexplained(file, rules.rule(value), n.pixels);
            self.note_decided(epoch, rules.source(), rules.rule(value), n, raw);
        }
    }

    fn note_unexplained(&mut self, file: &Path, rule: &Rule, n: u64) {
        if matches!(rule.outcome, Outcome::Unmapped | Outcome::NoStratum) {
            let key = (file.to_path_buf(), rule.outcome == Outcome::NoStratum, rule.from);
            *self.unexplained.entry(key).or_default() += n;
        }
    }

    /// Cells outside a source are decided by nobody; rasters without a legend have no rules worth telling.
    fn note_decided(&mut self, epoch: usize, source: SourceIndex, rule: &Rule, n: Amount, raw: bool) {
        if raw || rule.outcome == Outcome::Absent(Absence::Outside) {
            return;
        }
        *self.rules[epoch].entry(RuleCount::of(source, rule)).or_default() += n;
    }

    fn into_part(self) -> Result<PartTables, Vec<Unexplained>> {
        if !self.unexplained.is_empty() || !self.unknown_changes.is_empty() {
            let in_maps = self.unexplained.into_iter().map(|((file, no_stratum, value), pixels)| {
                Unexplained { file, no_stratum, value, pixels, in_change_map: false }
            });
            let in_change_maps = self.unknown_changes.into_iter().map(|((file, value), pixels)| {
                Unexplained { file, no_stratum: false, value, pixels, in_change_map: true }
            });
            return Err(in_maps.chain(in_change_maps).collect());
        }
        let official = |counts: OfficialCounts| {
            let row = |(counted, n): (OfficialJoint, Amount)| {
                let Joint { zone, from_source, to_source, from, to } = counted.joint;
                ((zone, from_source, to_source, from, to, n), counted.map_from, counted.map_to)
            };
            counts.into_iter().map(row).collect()
        };
        let rows = |counts: JointCounts| -> Vec<JointRow> {
            counts.into_iter().map(|(j, n)| (j.zone, j.from_source, j.to_source, j.from, j.to, n)).collect()
        };
        let overlaps = |counts: BTreeMap<Overlap, Amount>| {
            counts.into_iter().map(|(o, n)| (o.winner, o.loser, o.winner_code, o.loser_code, n)).collect()
        };
        let rules = |counts: BTreeMap<RuleCount, Amount>| {
            counts.into_iter().map(|(rule, amount)| RuleCount { amount, ..rule }).collect()
        };
        let slivers = |counts: BTreeMap<Sliver, Amount>| {
            counts.into_iter().map(|(s, n)| (s.owner, s.source, s.code, s.is_mapped, n)).collect()
        };
        Ok(PartTables {
            slivers: self.slivers.into_iter().map(slivers).collect(),
            origins: self.origins.into_iter().map(rows).collect(),
            areas: self.areas.into_iter().map(rows).collect(),
            pairs: self.pairs.into_iter().map(rows).collect(),
            overlaps: self.overlaps.into_iter().map(overlaps).collect(),
            rules: self.rules.into_iter().map(rules).collect(),
            official: self.official.into_iter().map(official).collect(),
            ..PartTables::default()
        })
    }
}
