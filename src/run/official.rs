//! Published change maps at work: over blocks where they decide, two maps of their own take the place of those of a pair.

use std::collections::BTreeMap;

use ndarray::Array2;

use super::compose::BlockMap;
use super::tally::{Tally, Unexplained};
use super::values::values_under;
use crate::error::{Error, ErrorKind, Result};
use crate::io::gdal::{RasterFile, reopen_raster};
use crate::kernel::ClassValue;
use crate::kernel::combine::BlockZones;
use crate::kernel::mosaic::Mosaic;
use crate::kernel::official::{Codebook, SAYS_NOTHING, Sides, lay_change, meets};
use crate::kernel::weigh::{Alike, BlockAreas, CellSizes};
use crate::model::epoch::{Epoch, Interval};
use crate::model::window::Window;
use crate::plan::official::OfficialPlan;
use crate::plan::task::Task;
use crate::plan::value_raster::ValueRaster;
use crate::plan::{OPEN_FILES, Plan};

/// The maps of a block that pairs are made of.
pub struct Compared<'m, T> {
    /// Those of the epochs.
    maps: &'m BTreeMap<Epoch, BlockMap<T>>,
    /// Those of pairs, by position, of which published change maps decide cells.
    amended: BTreeMap<usize, [BlockMap<T>; 2]>,
}

impl<T> Compared<'_, T> {
    /// The map of each year.
    pub fn maps(&self) -> &BTreeMap<Epoch, BlockMap<T>> {
        self.maps
    }

    /// The two maps of a pair.
    pub fn pair(&self, position: usize, pair: &Interval) -> (&BlockMap<T>, &BlockMap<T>) {
        match self.amended.get(&position) {
            Some([from, to]) => (from, to),
            None => (&self.maps[&pair.from], &self.maps[&pair.to]),
        }
    }
}

/// Lays published change maps over the blocks of a task.
pub struct OfficialLayer<'a> {
    plan: &'a Plan,
    task: &'a Task,
    /// Words of each change map.
    books: Vec<Codebook>,
    /// Files opened last, by change map and position in it; the latest at the end.
    open: Vec<((usize, usize), RasterFile)>,
}

impl<'a> OfficialLayer<'a> {
    /// Nothing opened yet.
    pub fn new(plan: &'a Plan, task: &'a Task) -> Self {
        let book = |map: &OfficialPlan| {
            Codebook::new(plan.job.official[map.official].coding, plan.job.target.codes())
        };
        Self { plan, task, books: plan.officials.iter().map(book).collect(), open: Vec::new() }
    }

    /// Whether a change map may decide cells of a block: it comes near, and sources of its section do at both years.
    pub fn comes_near(&self, block: &Window) -> bool {
        self.plan.officials.iter().any(|map| self.is_near(map, block))
    }

    fn is_near(&self, map: &OfficialPlan, block: &Window) -> bool {
        let meets_block = |footprint: &Window| !footprint.intersect(block).is_empty();
        let twins = &self.plan.job.official[map.official].twins;
        let is_mapped = |year: Epoch| {
            self.plan.epoch(year).is_some_and(|epoch| {
                let scenes = self.task.scenes[epoch].iter().map(|p| &self.plan.epochs[epoch].scenes[*p]);
                scenes
                    .into_iter()
                    .any(|scene| twins.contains_key(&scene.source) && meets_block(&scene.footprint))
            })
        };
        let pair = self.plan.pairs[map.pair];
        map.rasters.iter().any(|raster| meets_block(&raster.footprint))
            && is_mapped(pair.from)
            && is_mapped(pair.to)
    }

    /// What the pairs of an epoch that was composed last are made of: its maps, or what change maps make of them.
    ///
    /// # Errors
    /// Unreadable, Input: cells of a change map that cannot be read.
    pub fn amend<'m, T: ClassValue>(
        &mut self,
        epoch: usize,
        maps: &'m BTreeMap<Epoch, BlockMap<T>>,
        block: &Window,
        (zones, sizes): (&BlockZones, Option<&BlockAreas>),
        tally: &mut Tally,
    ) -> Result<Compared<'m, T>> {
        let mut compared = Compared { maps, amended: BTreeMap::new() };
        let (plan, year) = (self.plan, self.plan.epochs[epoch].year);
        for (position, map) in plan.officials.iter().enumerate() {
            let pair = plan.pairs[map.pair];
            if pair.from.max(pair.to) != year || !self.is_near(map, block) {
                continue;
            }
            let (from, to) = compared.pair(map.pair, &pair);
            let twins = &plan.job.official[map.official].twins;
            if !meets(twins, from.winners().view(), to.winners().view()) {
                continue;
            }
            let mut sides = [self.copy(from)?, self.copy(to)?];
            for at in 0..map.rasters.len() {
                let Some(values) = self.values(position, at, block)? else { continue };
                let unknown = match sizes {
                    Some(sizes) => self.lay(position, &values, &mut sides, (zones, sizes), tally)?,
                    None => self.lay(position, &values, &mut sides, (zones, Alike), tally)?,
                };
                tally.add_unknown_changes(&map.rasters[at].header.path, unknown);
            }
            compared.amended.insert(map.pair, sides.map(BlockMap::of));
        }
        Ok(compared)
    }

    fn lay<T: ClassValue>(
        &self,
        position: usize,
        values: &Array2<i32>,
        [from, to]: &mut [Mosaic<T>; 2],
        (zones, sizes): (&BlockZones, impl CellSizes),
        tally: &mut Tally,
    ) -> Result<BTreeMap<i32, u64>> {
        let map = &self.plan.officials[position];
        let pair = self.plan.pairs[map.pair];
        let sides = Sides { from, to, to_is_later: pair.to > pair.from, nodata: self.nodata()? };
        let zones = zones.plane(values.dim());
        let twins = &self.plan.job.official[map.official].twins;
        let (book, counts) = (&self.books[position], tally.official(map.pair));
        Ok(lay_change(values.view(), book, twins, sides, (zones.view(), sizes), counts))
    }

    fn nodata<T: ClassValue>(&self) -> Result<T> {
        T::from_code(self.plan.storage.nodata).ok_or_else(|| Error::bug("nodata does not fit the cells"))
    }

    /// A map that can be changed.
    fn copy<T: ClassValue>(&self, map: &BlockMap<T>) -> Result<Mosaic<T>> {
        let (rows, cols) = map.classes().dim();
        let mut copy = Mosaic::new(rows, cols, self.nodata()?);
        copy.classes.assign(map.classes());
        copy.winners.assign(&map.winners());
        Ok(copy)
    }

    /// What a file of a change map says of each cell of a block; `None` where it says nothing.
    fn values(&mut self, position: usize, at: usize, block: &Window) -> Result<Option<Array2<i32>>> {
        let plan = self.plan;
        let raster = &plan.officials[position].rasters[at];
        let tell = |read| OfficialPlan::value(raster, read);
        values_under(raster, || self.file((position, at), raster), (&plan.grid, block), SAYS_NOTHING, tell)
    }

    fn file(&mut self, key: (usize, usize), raster: &ValueRaster) -> Result<&RasterFile> {
        let known = self.open.iter().position(|(known, _)| *known == key);
        let entry = match known {
            Some(place) => self.open.remove(place),
            None => (key, reopen_raster(&raster.header)?),
        };
        if self.open.len() >= OPEN_FILES {
            self.open.remove(0);
        }
        self.open.push(entry);
        self.open.last().map(|(_, file)| file).ok_or_else(|| Error::bug("a file that was opened is gone"))
    }
}

/// Refuses values of change maps that are no pair of classes, all of them.
///
/// # Errors
/// Unmapped: there are some.
pub fn refuse_unknown(legend: &str, found: &[Unexplained]) -> Result<()> {
    let mut sums: BTreeMap<(String, i32), u64> = BTreeMap::new();
    for entry in found.iter().filter(|entry| entry.in_change_map) {
        *sums.entry((entry.file.display().to_string(), entry.value)).or_default() += entry.pixels;
    }
    if sums.is_empty() {
        return Ok(());
    }
    let lines = sums.iter().map(|((file, value), pixels)| format!("{file}: {value} ({pixels} px)"));
    Err(Error::new(ErrorKind::Unmapped, "values of a published change map are no pair of classes")
        .found_all(lines)
        .expected(format!("from*100 + to of legend `{legend}`, 65535 or the nodata tag; 0 where coding = \"from100to\""))
        .help("look at `coding` and at the legend that the change map is in; codes of another legend have to be translated first"))
}
