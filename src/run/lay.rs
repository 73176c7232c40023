//! Lays the scenes that come near a block one under the other.
//!
//! Where the job knows which section each place belongs to, a section's maps decide in its own domain alone. What they
//! hold elsewhere is compared with those that decide there, and stands in where nobody maps a strip between two sections.

use ndarray::Array2;

use super::compose::Composer;
use super::fraction::Teller;
use super::scene::Cells;
use super::tally::Tally;
use super::update::Labelled;
use super::vote::Poll;
use crate::error::Result;
use crate::kernel::ClassValue;
use crate::kernel::mosaic::{ByteCounts, Decider, Mosaic};
use crate::kernel::sliver::{nearest_class, slivers};
use crate::kernel::weigh::CellSizes;
use crate::model::provenance::{GAP, MASKED};
use crate::model::rule::{NOT_COVERED, Outcome, Rule, RuleIndex};
use crate::model::source::{NO_SOURCE, Role, SourceIndex};
use crate::model::window::Window;
use crate::plan::Scene;
use crate::plan::alignment::Alignment;
use crate::plan::domain::{NOBODY, Owner, Owners};

/// Scenes laid over a window.
pub(super) struct Laid<T> {
    /// The map.
    pub mosaic: Mosaic<T>,
    /// The source of all scenes, if it is one.
    pub only_source: Option<SourceIndex>,
    /// Who owns its cells, where the job says so.
    owners: Option<Owners>,
    /// Class and source of the first map of another section, where the owner's maps hold nothing.
    others: Option<Array2<Option<(T, SourceIndex)>>>,
}

/// A sliver's cell: whose it is, who gave it which class, and whether that was mapped there or is the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sliver {
    /// The section that should have mapped it.
    pub owner: Owner,
    /// Source of the class.
    pub source: SourceIndex,
    /// The class.
    pub code: i32,
    /// Whether that source maps the cell itself.
    pub is_mapped: bool,
}

/// A layer of rules over a part of a block.
struct Layer<'s> {
    scene: &'s Scene,
    window: Window,
    cells: Array2<RuleIndex>,
    rules: Vec<Rule>,
}

impl Layer<'_> {
    fn outcomes(&self) -> Vec<Outcome> {
        self.rules.iter().map(|rule| rule.outcome).collect()
    }
}

/// Row and column of a window's first cell in a block.
fn place(window: &Window, block: &Window) -> (usize, usize) {
    ((window.row - block.row) as usize, (window.col - block.col) as usize)
}

impl<'a, T: ClassValue> Composer<'a, T> {
    /// Lays the scenes near the block.
    pub(super) fn lay<S: CellSizes>(&mut self, epoch: usize, sizes: S, tally: &mut Tally) -> Result<Laid<T>> {
        let block = self.block;
        let mut map = Mosaic::new(block.rows, block.cols, self.nodata);
        if self.plan.tracks_origins(epoch) {
            map = map.tracking_origins();
        }
        let owners = self.owners.clone();
        let mut labelled = Labelled::default();
        let mut of_others: Vec<Layer<'a>> = Vec::new();
        let mut sources = Vec::new();
        let nears = std::mem::take(&mut self.near[epoch]);
        let mut rest = nears.as_slice();
        while let Some(near) = rest.first() {
            let scene = self.scenes[epoch][near.position].scene;
            let decider = Decider { source: scene.source, origin: self.plan.origins.code(scene.source) };
            let fills = match self.plan.role(scene) {
                Role::Fill(receiver, _) => Some(receiver),
                Role::Maps | Role::Fringe | Role::Official => None,
            };
            if fills.is_some() && !map.lacks_observation(&near.window.shift(-block.row, -block.col)) {
                rest = &rest[1..];
                continue;
            }
            sources.push(scene.source);
            let by_bytes = fills.is_none() && owners.is_none();
            if let (true, Cells::Window(_) | Cells::Located(_), Some(table)) =
                (by_bytes, &near.cells, &near.table)
            {
                rest = &rest[1..];
                let layer = self.scenes[epoch][near.position].bytes(&mut self.files, &near.cells, table)?;
                let mut counts = ByteCounts::default();
                let (cells, at) = (layer.view(), place(&near.window, &block));
                let overlaps = tally.overlaps(epoch);
                map.lay_bytes_under(cells, at, &table.lookup, scene.source, sizes, overlaps, &mut counts);
                tally.add_byte_layer(epoch, scene, &table.rules, counts);
                continue;
            }
            let mut layer;
            if let Alignment::Mode { lattice, .. } = &scene.alignment {
                let votes_along = |near: &&super::compose::Near<T>| {
                    scene.votes_with(self.scenes[epoch][near.position].scene)
                };
                let (voters, others) = rest.split_at(rest.iter().take_while(votes_along).count());
                rest = others;
                let window = voters.iter().fold(near.window, |all, voter| all.union(&voter.window));
                let positions: Vec<usize> = voters.iter().map(|voter| voter.position).collect();
                let scenes = &mut self.scenes[epoch];
                let mut poll =
                    Poll::new(scenes, &positions, &mut self.files, &mut self.votes, self.plan, self.nodata);
                let teller = self.fractions.as_mut().map(|fractions| Teller {
                    fractions,
                    decided: map.winners.view(),
                    block,
                    lattice: self.plan.grid.lattice,
                });
                let cells = poll.hold(&self.locator, lattice, &window, teller)?;
                let rules = poll.close(|scene, rule, cells| tally.add_unexplained(scene, rule, cells));
                layer = Layer { scene, window, cells, rules };
            } else {
                rest = &rest[1..];
                let open = &mut self.scenes[epoch][near.position];
                let cells =
                    open.rules_under(&mut self.files, &mut self.locator, &near.cells, &near.window)?;
                layer = Layer { scene, window: near.window, cells, rules: open.all_rules() };
            }
            let (outcomes, at) = (layer.outcomes(), place(&layer.window, &block));
            if scene.is_of_an_update {
                let windows = (&layer.window, &block);
                labelled.cut(
                    &mut layer.cells,
                    windows,
                    scene,
                    &outcomes,
                    &mut self.masks,
                    &self.plan.grid,
                )?;
            }
            if let Some(receiver) = fills {
                let receives = |source: SourceIndex| source == receiver;
                let counts = map.fill(layer.cells.view(), at, &outcomes, decider, receives, sizes);
                tally.add_layer(epoch, scene, &layer.rules, &counts);
                continue;
            }
            let own = owners.as_ref().map(|owners| self.own_cells(&layer, owners));
            let cells = own.as_ref().unwrap_or(&layer.cells);
            let counts = map.lay_under(cells.view(), at, &outcomes, decider, sizes, tally.overlaps(epoch));
            tally.add_layer(epoch, scene, &layer.rules, &counts);
            if owners.is_some() {
                of_others.push(layer);
            }
        }
        self.near[epoch] = nears;
        let others = owners.as_ref().map(|owners| {
            for layer in &of_others {
                self.dispute(layer, owners, &mut map, sizes, epoch, tally);
            }
            mark_unmapped(&mut map, owners);
            self.others(&of_others, owners, &map)
        });
        let only_source =
            sources.first().copied().filter(|first| sources.iter().all(|source| source == first));
        Ok(Laid { mosaic: map, only_source, owners, others })
    }

    /// The cells of a layer that lie in the domain of its section.
    fn own_cells(&self, layer: &Layer, owners: &Owners) -> Array2<RuleIndex> {
        self.kept(layer, |cell, own| owners.at(cell) == own)
    }

    /// The cells of a layer that are to be kept, of those told by their place in the block and the owner of the layer.
    fn kept(&self, layer: &Layer, keeps: impl Fn((usize, usize), Owner) -> bool) -> Array2<RuleIndex> {
        let own = self.plan.domain.as_ref().map_or(NOBODY, |domain| domain.owner(layer.scene.source));
        let at = place(&layer.window, &self.block);
        let mut cells = layer.cells.clone();
        for ((row, col), rule) in cells.indexed_iter_mut() {
            if !keeps((at.0 + row, at.1 + col), own) {
                *rule = NOT_COVERED;
            }
        }
        cells
    }

    /// Counts where a layer disagrees with what others decided in their domain.
    fn dispute(
        &self,
        layer: &Layer,
        owners: &Owners,
        map: &mut Mosaic<T>,
        sizes: impl CellSizes,
        epoch: usize,
        tally: &mut Tally,
    ) {
        let cells = self.kept(layer, |cell, own| owners.at(cell) != own && map.winners[cell] != NO_SOURCE);
        // All these cells are decided: the layer decides none of them.
        let decider =
            Decider { source: layer.scene.source, origin: self.plan.origins.code(layer.scene.source) };
        let (at, overlaps) = (place(&layer.window, &self.block), tally.overlaps(epoch));
        map.lay_under(cells.view(), at, &layer.outcomes(), decider, sizes, overlaps);
    }

    /// What the first of some layers says of each cell that its owner's maps do not hold.
    fn others(&self, layers: &[Layer], owners: &Owners, map: &Mosaic<T>) -> Array2<Option<(T, SourceIndex)>> {
        let mut others = Array2::from_elem(map.classes.dim(), None);
        for layer in layers {
            let (outcomes, at) = (layer.outcomes(), place(&layer.window, &self.block));
            for ((row, col), &rule) in layer.cells.indexed_iter().filter(|(_, rule)| **rule != NOT_COVERED) {
                let cell = (at.0 + row, at.1 + col);
                if map.winners[cell] == NO_SOURCE && owners.at(cell) != NOBODY && others[cell].is_none() {
                    others[cell] = match outcomes[usize::from(rule)] {
                        Outcome::Class(code) => T::from_code(code).map(|class| (class, layer.scene.source)),
                        _ => None,
                    };
                }
            }
        }
        others
    }

    /// Gives the cells of slivers the class that another section's map has there, else the nearest one.
    ///
    /// # Errors
    /// As [`Composer::compose`].
    pub(super) fn fill_slivers<S: CellSizes>(
        &mut self,
        epoch: usize,
        laid: &mut Laid<T>,
        sizes: S,
        mut tally: Option<&mut Tally>,
    ) -> Result<()> {
        let width = self.plan.domain.as_ref().map_or(0, |domain| domain.sliver_cells);
        let block = self.block;
        let Some(owners) = laid.owners.as_ref().filter(|_| width > 0) else { return Ok(()) };
        let open = |owners: &Owners, map: &Mosaic<T>, cell: (usize, usize)| {
            owners.at(cell) != NOBODY && map.winners[cell] == NO_SOURCE
        };
        if !laid.mosaic.winners.indexed_iter().any(|(cell, _)| open(owners, &laid.mosaic, cell)) {
            return Ok(());
        }
        let wide = block.grown(width).intersect(&self.plan.grid.window());
        let around = self.laid_around(epoch, &wide)?;
        let Some(around_owners) = &around.owners else { return Ok(()) };
        let shape = around.mosaic.classes.dim();
        let cells = Array2::from_shape_fn(shape, |cell| open(around_owners, &around.mosaic, cell));
        let slivers = slivers(&cells, width);
        let (top, left) = place(&block, &wide);
        for row in 0..block.rows {
            for col in 0..block.cols {
                let there = (top + row, left + col);
                if !slivers[there] {
                    continue;
                }
                let has_class = |r: usize, c: usize| around.mosaic.classes[(r, c)] != self.nodata;
                let other = around.others.as_ref().and_then(|others| others[there]);
                let nearest = || nearest_class(there, width, shape, has_class);
                let found = other
                    .or_else(|| nearest().map(|at| (around.mosaic.classes[at], around.mosaic.winners[at])));
                let Some((class, source)) = found else { continue };
                laid.mosaic.classes[(row, col)] = class;
                laid.mosaic.winners[(row, col)] = source;
                if let Some(origins) = &mut laid.mosaic.origins {
                    origins[(row, col)] = self.plan.origins.code(source);
                }
                if let Some(tally) = &mut tally {
                    let owner = owners.at((row, col));
                    let sliver = Sliver { owner, source, code: class.code(), is_mapped: other.is_some() };
                    *tally.slivers(epoch).entry(sliver).or_default() += sizes.cell(row, col).into();
                }
            }
        }
        Ok(())
    }
}

/// Tells cells apart that nobody mapped: those that somebody should have, and those of nobody.
fn mark_unmapped<T: ClassValue>(map: &mut Mosaic<T>, owners: &Owners) {
    let Some(origins) = &mut map.origins else { return };
    for (cell, _) in map.winners.indexed_iter().filter(|(_, winner)| **winner == NO_SOURCE) {
        origins[cell] = if owners.at(cell) == NOBODY { MASKED } else { GAP };
    }
}
