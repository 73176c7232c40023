//! Overlays: what is laid over the mosaic of a block, or of any window, before it is counted: the coast, then edits by
//! interpreters.
//!
//! What they change in a cell depends on the cell and on polygons around it alone, so that any window shows the same.

use std::collections::BTreeMap;
use std::rc::Rc;

use ndarray::Array2;

use super::compose::{BlockMap, Counted};
use super::mask::{Held, MaskReader};
use crate::error::{Error, Result};
use crate::io::part::{CoastCount, EditCount, PartTables};
use crate::kernel::ClassValue;
use crate::kernel::edit::edit;
use crate::kernel::fringe::{Shore, lay_coast, shores};
use crate::kernel::mosaic::{Decider, Mosaic};
use crate::kernel::weigh::{BlockAreas, CellSizes};
use crate::model::area::Amount;
use crate::model::legend::ClassCode;
use crate::model::window::Window;
use crate::plan::Plan;
use crate::plan::overlay::{CoastLayer, EditLayer};
use crate::plan::task::Task;

/// Class before and after, with cells.
type BeforeAfter = BTreeMap<(Option<ClassCode>, Option<ClassCode>), Amount>;

/// What overlays did in a task.
#[derive(Debug, Default)]
pub struct OverlayCounts {
    /// By epoch and position of the edit in the job.
    edits: BTreeMap<(usize, usize), BeforeAfter>,
    /// By epoch.
    coast: BTreeMap<(usize, CoastCount), Amount>,
}

impl OverlayCounts {
    /// The same as tables of a part.
    pub fn into_tables(self, plan: &Plan, tables: PartTables) -> PartTables {
        let epochs = |is_empty: bool| if is_empty { 0 } else { plan.epochs.len() };
        let mut edits = vec![Vec::new(); epochs(self.edits.is_empty())];
        for ((epoch, edit), counts) in self.edits {
            let id = &plan.job.edits[edit].id;
            let count = |((before, after), amount)| (EditCount { edit: id.clone(), before, after }, amount);
            edits[epoch].extend(counts.into_iter().map(count));
        }
        let mut coast = vec![Vec::new(); epochs(self.coast.is_empty())];
        for ((epoch, count), amount) in self.coast {
            coast[epoch].push((count, amount));
        }
        PartTables { edits, coast, ..tables }
    }
}

/// How large the cells of a window are, where they differ.
type Sizes<'s> = Option<&'s BlockAreas>;

/// The value of a class.
fn class<T: ClassValue>(code: ClassCode) -> Result<T> {
    T::from_code(code).ok_or_else(|| Error::bug("a class does not fit the cells"))
}

fn size(sizes: Sizes, (row, col): (usize, usize)) -> Amount {
    sizes.map_or(Amount::from(1), |sizes| sizes.cell(row, col))
}

/// Where the cells of a window lie.
enum Shores {
    /// All on land.
    Land,
    /// All beyond the fringe.
    Sea,
    /// Here and there.
    Each(Array2<Shore>),
}

/// The coast, window after window.
struct CoastReader<'a> {
    layer: &'a CoastLayer,
    land: MaskReader<'a>,
    /// What was asked for last: every year asks for the same block, and may ask for what lies around it.
    known: [Option<(Window, Rc<Shores>)>; 2],
}

impl CoastReader<'_> {
    fn shores(&mut self, window: &Window) -> Result<Rc<Shores>> {
        if let Some((_, shores)) = self.known.iter().flatten().find(|(of, _)| of == window) {
            return Ok(shores.clone());
        }
        let shores = Rc::new(self.look(window)?);
        self.known = [Some((*window, shores.clone())), self.known[0].take()];
        Ok(shores)
    }

    fn look(&mut self, window: &Window) -> Result<Shores> {
        if self.land.alike(window)? == Some(true) {
            return Ok(Shores::Land);
        }
        let width = self.layer.cells;
        let around = window.grown(width);
        if self.land.alike(&around)? == Some(false) {
            return Ok(Shores::Sea);
        }
        let shores = match &*self.land.held(&around)? {
            Held::All => return Ok(Shores::Land),
            Held::None => return Ok(Shores::Sea),
            Held::Each(land) => shores(land.view(), width),
        };
        let all = |wanted: Shore| shores.iter().all(|shore| *shore == wanted);
        Ok(match (all(Shore::Land), all(Shore::Sea)) {
            (true, _) => Shores::Land,
            (_, true) => Shores::Sea,
            _ => Shores::Each(shores),
        })
    }
}

/// Lays the overlays of a grid over mosaics, for one task.
pub struct Overlay<'a> {
    plan: &'a Plan,
    coast: Option<CoastReader<'a>>,
    /// Those that come near the task.
    edits: Vec<(&'a EditLayer, MaskReader<'a>)>,
    /// Cells of the block laid over last that are no longer what the sources made them, where somebody asks for them.
    overruled: Vec<(usize, usize)>,
    counts: OverlayCounts,
}

impl<'a> Overlay<'a> {
    /// Opens what comes near a task and what it looks at around itself.
    pub fn new(task: &Task, plan: &'a Plan) -> Self {
        let coast = |layer: &'a CoastLayer| CoastReader {
            layer,
            land: MaskReader::new(&plan.grid, &layer.land),
            known: [None, None],
        };
        let reader = |layer: &'a EditLayer| (layer, MaskReader::new(&plan.grid, &layer.mask));
        let near = plan.overlays.edits_near(&plan.grid, task.window.grown(plan.reach));
        Self {
            plan,
            coast: plan.overlays.coast.as_ref().map(coast),
            edits: near.map(reader).collect(),
            overruled: Vec::new(),
            counts: OverlayCounts::default(),
        }
    }

    /// Whether an overlay may change or count a cell of a window: cheap, and asked of every block. `has_maps` says whether a
    /// source comes near; it is asked for the sea alone: where none does, there is nothing to take from it.
    ///
    /// # Errors
    /// Unreadable, Input: cells of a raster that cannot be read. Bug: a polygon cannot be read.
    pub fn touches(&mut self, window: &Window, has_maps: impl FnOnce() -> bool) -> Result<bool> {
        if let Some(coast) = &mut self.coast {
            let touches = match *coast.shores(window)? {
                Shores::Land => false,
                Shores::Sea => has_maps(),
                Shores::Each(_) => true,
            };
            if touches {
                return Ok(true);
            }
        }
        for (_, reader) in &self.edits {
            if reader.alike(window)? != Some(false) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lays the overlays over the map of a block and counts what they do; the map must be one that knows each cell's
    /// class and source.
    ///
    /// # Errors
    /// As [`Overlay::apply`]. Bug: the map is counted otherwise.
    pub fn lay<T: ClassValue>(
        &mut self,
        epoch: usize,
        block: &Window,
        map: &mut BlockMap<T>,
        sizes: Option<&BlockAreas>,
    ) -> Result<()> {
        let Counted::Sources(mosaic) = &mut map.counted else {
            return Err(Error::bug("overlays are laid over maps that know each cell's class and source"));
        };
        let mut counts = std::mem::take(&mut self.counts);
        let laid = self.apply(epoch, block, mosaic, Some((&mut counts, sizes)));
        self.counts = counts;
        laid
    }

    /// Lays the overlays over the mosaic of an epoch over any window of the grid; counted only where `counts` are given,
    /// with the sizes of the cells where they differ.
    ///
    /// # Shape
    /// The mosaic, and the sizes, are those of the window.
    /// # Errors
    /// Unreadable, Input: cells of a raster that cannot be read. Bug: GDAL cannot burn in memory.
    pub fn apply<T: ClassValue>(
        &mut self,
        epoch: usize,
        window: &Window,
        mosaic: &mut Mosaic<T>,
        mut counts: Option<(&mut OverlayCounts, Sizes)>,
    ) -> Result<()> {
        self.overruled.clear();
        let notes = counts.is_some() && self.plan.job.products.fractions;
        if let Some(coast) = self.coast.as_mut().filter(|coast| coast.layer.epochs[epoch]) {
            let shores = coast.shores(window)?;
            let water = match coast.layer.water {
                Some((code, source)) => {
                    let decider = Decider { source, origin: self.plan.origins.code(source) };
                    Some((class::<T>(code)?, decider))
                }
                None => None,
            };
            let shores = match &*shores {
                Shores::Land => None,
                Shores::Sea => Some(None),
                Shores::Each(shores) => Some(Some(shores.view())),
            };
            let overruled = &mut self.overruled;
            let mut note = |cell, shore, before: Option<ClassCode>| {
                let fringe = shore == Shore::Fringe;
                // The sea that nobody mapped is not counted: it has no end.
                let tells = before.is_some() || (fringe && water.is_some());
                if let Some((counts, sizes)) = counts.as_mut().filter(|_| tells) {
                    let key = (epoch, CoastCount { fringe, before });
                    *counts.coast.entry(key).or_default() += size(*sizes, cell);
                }
                if notes {
                    overruled.push(cell);
                }
            };
            if let Some(shores) = shores {
                lay_coast(mosaic, shores, water, &mut note);
            }
        }
        for (layer, reader) in self.edits.iter_mut().filter(|(layer, _)| layer.epochs[epoch]) {
            if reader.alike(window)? == Some(false) {
                continue;
            }
            let described = layer.of(&self.plan.job);
            let to =
                T::from_code(described.to).ok_or_else(|| Error::bug("a class does not fit the cells"))?;
            let held = reader.held(window)?;
            let held = match &*held {
                Held::None => continue,
                Held::All => None,
                Held::Each(cells) => Some(cells.view()),
            };
            let mut counted = counts
                .as_mut()
                .map(|(counts, sizes)| (counts.edits.entry((epoch, layer.edit)).or_default(), *sizes));
            let overruled = &mut self.overruled;
            let origin_of = |source| self.plan.origins.code(source);
            edit(mosaic, held, described.from, to, origin_of, |cell, before, after| {
                if let Some((counts, sizes)) = &mut counted {
                    *counts.entry((before, after)).or_default() += size(*sizes, cell);
                }
                if notes && before != after {
                    overruled.push(cell);
                }
            });
        }
        Ok(())
    }

    /// The cells (row, column) of the block laid over last that are no longer what the sources made them; told only where
    /// the job wants fractions.
    pub fn overruled(&self) -> &[(usize, usize)] {
        &self.overruled
    }

    /// What was counted.
    pub fn finish(self) -> OverlayCounts {
        self.counts
    }
}
