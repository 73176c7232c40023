//! Everything that happens to one task: read → reclass → align → mosaic → lay over → tabulate → write.
//!
//! A task is worked on block by block, epoch by epoch, so that its memory grows neither with its side nor with the
//! number of epochs. Reclass stands before align because a majority vote must count classes of the target legend; for
//! nearest neighbour the two commute.
//!
//! Between `compose` and `account` the map of a block exists and nothing of it has been counted as the product's yet:
//! overlays are laid there, and published change maps take the place of what two maps say. A filter that looks across task
//! borders would make its second pass there; whoever looks around a block composes its surroundings (`Composer::around`).

use std::collections::BTreeMap;
use std::path::Path;

use super::compose::{BlockMap, Composer};
use super::encode::Rasters;
use super::gaps::GapFinder;
use super::official::{Compared, OfficialLayer};
use super::overlay::Overlay;
use super::seams::Seams;
use super::tally::{ReadOff, Tally, Unexplained};
use super::zones::ZoneReader;
use crate::error::{Error, Result};
use crate::io::part::{PartFooter, PartTables, PartWriter};
use crate::io::stop;
use crate::kernel::ClassValue;
use crate::kernel::combine::BlockZones;
use crate::kernel::weigh::BlockAreas;
use crate::model::epoch::Epoch;
use crate::model::window::BLOCK;
use crate::plan::Plan;
use crate::plan::fingerprint::TaskIdentity;
use crate::plan::task::Task;

/// Works on one task and writes its part.
///
/// Values that no rule explains are returned, all of them; then no part is written. `inputs_hold` says whether the inputs are
/// still those that the identity was made of.
///
/// # Errors
/// Io: the part cannot be written. Unreadable: cells cannot be read. Input: a value that is no class code. Conflict: another run
/// of the task left other content. Whatever `inputs_hold` says.
pub fn process<T: ClassValue>(
    task: &Task,
    plan: &Plan,
    identity: TaskIdentity,
    path: &Path,
    inputs_hold: &dyn Fn() -> Result<()>,
) -> Result<Vec<Unexplained>> {
    let nodata =
        T::from_code(plan.storage.nodata).ok_or_else(|| Error::bug("nodata does not fit the cells"))?;
    let mut composer = Composer::<T>::new(task, plan, nodata);
    let mut tally = Tally::new(plan, composer.spare());
    let mut overlay = Overlay::new(task, plan);
    let mut zone_reader = ZoneReader::new(plan);
    let mut official = OfficialLayer::new(plan, task);
    let mut seams = Seams::new(task, plan, nodata);
    let mut gaps = GapFinder::new(task, plan);
    let mut part = PartWriter::create(path)?;
    let mut rasters = Rasters::<T>::new(task, plan, nodata)?;
    for block in task.window.squares(BLOCK) {
        stop::check()?;
        let tells_all = plan.tells_of_every_cell();
        let laid_over = overlay.touches(&block, || tells_all || composer.comes_near(&block))?;
        composer.next_block(&block, laid_over || official.comes_near(&block))?;
        // Where no scene comes near and nothing is laid over there is nothing to measure, but for where cells come from:
        // that is told of those that nothing maps too.
        let counts_all = plan.job.products.provenance;
        let has_maps = counts_all || composer.is_near() || laid_over;
        let zones = zone_reader.block(&block, has_maps)?;
        let sizes = plan.sizes.as_ref().filter(|_| has_maps);
        let sizes = sizes.map(|sizes| sizes.of_block(&plan.grid, &block)).transpose()?;
        let areas = AreaSource::of(plan, |epoch| composer.counts_bytes(epoch));
        let mut maps: BTreeMap<Epoch, BlockMap<T>> = BTreeMap::new();
        for (position, epoch) in plan.epochs.iter().enumerate() {
            let mut map = composer.compose(position, maps.values(), sizes.as_ref(), &mut tally)?;
            if laid_over {
                overlay.lay(position, &block, &mut map, sizes.as_ref())?;
                composer.overrule(overlay.overruled());
            }
            maps.insert(epoch.year, map);
            let sized_zones = (&zones, sizes.as_ref());
            let compared = official.amend(position, &maps, &block, sized_zones, &mut tally)?;
            account(plan, position, &compared, &areas, sized_zones, &mut tally);
            rasters.add(position, &compared, &block, &mut part)?;
            if counts_all && let Some(origins) = maps[&epoch.year].origins() {
                tally.add_origins(position, &maps[&epoch.year], origins.view(), &zones, sizes.as_ref());
                rasters.add_origins(position, &origins, &block, &mut part)?;
            }
            if let Some(planes) = composer.fractions(&maps[&epoch.year]) {
                rasters.add_fractions(position, &planes, &block, &mut part)?;
            }
            seams.add(position, &maps[&epoch.year], &block, (&mut composer, &mut overlay))?;
            gaps.add(position, &maps[&epoch.year], &block, sizes.as_ref())?;
            maps.retain(|year, _| is_still_needed(plan, *year, position));
        }
    }
    match tally.finish() {
        Err(unexplained) => {
            inputs_hold()?;
            Ok(unexplained)
        }
        Ok(tables) => {
            let products = rasters.finish(&mut part)?;
            let (zones, zone_overlaps) = zone_reader.finish();
            let (seams, gaps) = (seams.finish(), gaps.finish());
            let tables = PartTables { zones, zone_overlaps, seams, gaps, ..tables };
            let tables = overlay.finish().into_tables(plan, tables);
            // Cells of a file that was replaced meanwhile must not go by the hash of the old one.
            inputs_hold()?;
            let TaskIdentity { id: task_id, reasons } = identity;
            let content = String::new();
            part.commit(PartFooter { task_id, window: task.window, products, tables, reasons, content })?;
            Ok(Vec::new())
        }
    }
}

/// Counts what has become possible with the map of one more epoch.
fn account<T: ClassValue>(
    plan: &Plan,
    epoch: usize,
    compared: &Compared<T>,
    areas: &AreaSource,
    (zones, sizes): (&BlockZones, Option<&BlockAreas>),
    tally: &mut Tally,
) {
    let year = plan.epochs[epoch].year;
    for (position, pair) in plan.pairs.iter().enumerate().filter(|(_, pair)| pair.from.max(pair.to) == year) {
        let (from, to) = compared.pair(position, pair);
        tally.add_pair(position, from, to, zones, sizes, areas.read_off(plan, position));
    }
    if areas.pair_of_epoch[epoch].is_none() {
        tally.add_areas(epoch, &compared.maps()[&year], zones, sizes);
    }
}

/// Where the areas of each epoch come from, in one block: a pair whose maps are both counted by bytes, or a count of
/// their own.
struct AreaSource {
    /// The pair that gives the areas of each epoch.
    pair_of_epoch: Vec<Option<usize>>,
}

impl AreaSource {
    fn of(plan: &Plan, counts_bytes: impl Fn(usize) -> bool) -> Self {
        let bytes: Vec<bool> = (0..plan.epochs.len()).map(counts_bytes).collect();
        let in_bytes = |year: Epoch| plan.epoch(year).is_some_and(|epoch| bytes[epoch]);
        let gives = |year: Epoch| {
            let holds = |pair: &crate::model::epoch::Interval| pair.from == year || pair.to == year;
            plan.pairs.iter().position(|pair| holds(pair) && in_bytes(pair.from) && in_bytes(pair.to))
        };
        Self { pair_of_epoch: plan.epochs.iter().map(|epoch| gives(epoch.year)).collect() }
    }

    fn read_off(&self, plan: &Plan, pair: usize) -> ReadOff {
        let gives =
            |year: Epoch| plan.epoch(year).is_some_and(|epoch| self.pair_of_epoch[epoch] == Some(pair));
        ReadOff { from: gives(plan.pairs[pair].from), to: gives(plan.pairs[pair].to) }
    }
}

/// Whether a map is compared with one of an epoch that is still to come.
fn is_still_needed(plan: &Plan, year: Epoch, done: usize) -> bool {
    let later = &plan.epochs[done + 1..];
    plan.pairs
        .iter()
        .filter(|pair| pair.from == year || pair.to == year)
        .any(|pair| later.iter().any(|e| e.year == pair.from || e.year == pair.to))
}
