//! The layer of a source whose cells vote: the scenes on one lattice of smaller cells are laid together there, and the
//! cells with their centre in a cell of the target decide what it becomes.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayViewMut2, Axis, s};

use super::files::OpenFiles;
use super::fraction::Teller;
use super::locate::Locator;
use super::scene::{Cells, TaskScene};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::ClassValue;
use crate::kernel::align::{MOST_SLOTS, NO_RULE, Slot, Votes};
use crate::kernel::lookup::map_bytes;
use crate::model::legend::Absence;
use crate::model::rule::{NOT_COVERED, Outcome, Rule, RuleIndex};
use crate::model::window::Window;
use crate::plan::Plan;
use crate::plan::alignment::{Alignment, SourceLattice};
use crate::plan::scene::Scene;

/// Side of the windows of the target whose votes are counted at once: their counts stay in a processor's cache.
const TARGET_SIDE: usize = 64;

/// Side of the windows of the lattice that are read at once.
const LATTICE_SIDE: usize = 1024;

/// Cells of a lattice that are carried to the target at once, at most.
const MOST_SHARED: u64 = 1 << 26;

/// What stands for a slot that is not known yet.
const NO_SLOT: Slot = Slot::MAX;

/// The rules that are voted on, in order of first sight, from slot 1 on.
///
/// Rules that say the same are one, whatever their scene; those that explain nothing are told apart by scene.
#[derive(Default)]
struct Slots {
    rules: Vec<(Rule, Option<usize>)>,
    /// Votes for rules that explain nothing.
    unexplained: Vec<u64>,
}

impl Slots {
    fn slot_of(&mut self, rule: &Rule, position: usize) -> Result<Slot> {
        if rule.outcome == Outcome::Absent(Absence::Outside) {
            return Ok(NO_RULE);
        }
        let whose = explains_nothing(rule).then_some(position);
        let known = self.rules.iter().position(|(known, of)| known == rule && *of == whose);
        let place = known.unwrap_or_else(|| {
            self.rules.push((rule.clone(), whose));
            self.rules.len() - 1
        });
        Slot::try_from(place + 1).ok().filter(|&slot| usize::from(slot) < MOST_SLOTS).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "cells of too many values cannot vote")
                .expected(format!("at most {} values that a rule tells apart", MOST_SLOTS - 1))
                .help("declare resampling = \"nearest\" for this source")
        })
    }
}

fn explains_nothing(rule: &Rule) -> bool {
    matches!(rule.outcome, Outcome::Unmapped | Outcome::NoStratum)
}

/// The vote of some scenes on one lattice, in order of precedence.
pub struct Poll<'p, 'a, T> {
    scenes: &'p mut [TaskScene<'a, T>],
    positions: &'p [usize],
    files: &'p mut OpenFiles,
    plan: &'a Plan,
    nodata: T,
    slots: Slots,
    /// The slot of each byte, by table.
    by_value: BTreeMap<(usize, usize), [Slot; 256]>,
    votes: &'p mut Votes,
    /// What the cells of a window of the lattice vote for, row by row: memory that is used again.
    ballots: Vec<Slot>,
}

impl<'p, 'a, T: ClassValue> Poll<'p, 'a, T> {
    /// A vote among the scenes at these positions.
    pub fn new(
        scenes: &'p mut [TaskScene<'a, T>],
        positions: &'p [usize],
        files: &'p mut OpenFiles,
        votes: &'p mut Votes,
        plan: &'a Plan,
        nodata: T,
    ) -> Self {
        let (slots, by_value) = Default::default();
        Self { scenes, positions, files, plan, nodata, slots, by_value, votes, ballots: Vec::new() }
    }

    /// The rule that decides each cell of a window of the target; the votes are told to `teller`.
    ///
    /// # Errors
    /// Those of reading. Input: more distinct values than a class map can have.
    pub fn hold(
        &mut self,
        locator: &Locator,
        lattice: &SourceLattice,
        window: &Window,
        mut teller: Option<Teller>,
    ) -> Result<Array2<RuleIndex>> {
        let reach = self.positions.iter().map(|&position| on_lattice(self.scenes[position].scene));
        let reach = reach.fold(Window::whole(0, 0), |all, scene| all.union(&scene));
        let mut layer = Array2::from_elem((window.rows, window.cols), NOT_COVERED);
        // Neighbouring parts share patches of the lattice.
        let under = locator.under(lattice, window, &reach)?;
        let shared = (under.cells() <= MOST_SHARED).then(|| locator.mesh(lattice, &under)).transpose()?;
        for part in downwards(window) {
            self.votes.begin(part);
            for piece in locator.under(lattice, &part, &reach)?.squares(LATTICE_SIDE) {
                self.fill_in(&piece)?;
                let Self { votes, ballots, .. } = self;
                let own;
                let mesh = match shared.as_ref().filter(|mesh| mesh.holds(&piece)) {
                    Some(mesh) => mesh,
                    None => {
                        own = locator.mesh(lattice, &piece)?;
                        &own
                    }
                };
                locator.runs(lattice, mesh, &piece, &part, |runs| votes.cast_runs(ballots, runs))?;
            }
            self.note_unexplained();
            let rules: Vec<&Rule> = self.slots.rules.iter().map(|(rule, _)| rule).collect();
            let place = part.shift(self.plan.grid.lattice.0, self.plan.grid.lattice.1);
            let winners = self.votes.winners(&rules, (place.row, place.col), self.plan.job.tie);
            if let Some(teller) = &mut teller {
                teller.tell(&part, self.votes, &rules, &winners);
            }
            let (row, col) = ((part.row - window.row) as usize, (part.col - window.col) as usize);
            let rule = |slot: Slot| slot.checked_sub(1).map_or(NOT_COVERED, RuleIndex::from);
            layer.slice_mut(s![row..row + part.rows, col..col + part.cols]).assign(&winners.mapv(rule));
        }
        Ok(layer)
    }

    fn note_unexplained(&mut self) {
        let Slots { rules, unexplained } = &mut self.slots;
        unexplained.resize(rules.len(), 0);
        if rules.iter().any(|(_, whose)| whose.is_some()) {
            let totals = self.votes.totals();
            let each = rules.iter().zip(unexplained).zip(totals.into_iter().skip(1));
            each.filter(|(((_, whose), _), _)| whose.is_some()).for_each(|((_, all), n)| *all += n);
        }
    }

    /// Fills in what each cell of a window of the lattice votes for.
    fn fill_in(&mut self, piece: &Window) -> Result<()> {
        let mut ballots = std::mem::take(&mut self.ballots);
        ballots.resize(piece.rows * piece.cols, NO_RULE);
        let mut laid = Window::whole(0, 0);
        for &position in self.positions {
            let scene = self.scenes[position].scene;
            let place = on_lattice(scene);
            let part = place.intersect(piece);
            if part.is_empty() {
                continue;
            }
            let is_first = laid.is_empty();
            // Where one scene has all of the window, nothing shows through it.
            if is_first && part != *piece {
                ballots.fill(NO_RULE);
            }
            let free = laid.intersect(&part).is_empty();
            laid = laid.union(&part);
            let inside = part.shift(-place.row, -place.col);
            let (row, col) = ((part.row - piece.row) as usize, (part.col - piece.col) as usize);
            let mut out = ArrayViewMut2::from_shape((piece.rows, piece.cols), &mut ballots)
                .map_err(|_| Error::bug("ballots are of another shape than their cells"))?;
            let out = out.slice_mut(s![row..row + part.rows, col..col + part.cols]);
            self.lay_under(position, &inside, free, out).map_err(|e| e.at(scene.header.path.display()))?;
        }
        if laid.is_empty() {
            ballots.fill(NO_RULE);
        }
        self.ballots = ballots;
        Ok(())
    }

    /// Fills in what the cells of a window of a scene vote for, where nothing was mapped before; `free` says that no other
    /// scene lies there, and then what stands in `out` does not matter.
    fn lay_under(
        &mut self,
        position: usize,
        inside: &Window,
        free: bool,
        mut out: ArrayViewMut2<Slot>,
    ) -> Result<()> {
        let Self { scenes, files, slots, by_value, nodata, .. } = self;
        let scene = &mut scenes[position];
        let cells = Cells::Window(*inside);
        let Some(table) = scene.table(files, &cells, *nodata)? else {
            let read = scene.rules(files, inside)?;
            let rules = scene.all_rules();
            let mut by_rule = vec![None; rules.len()];
            for (out, &rule) in out.iter_mut().zip(read.iter()).filter(|(out, _)| free || **out == NO_RULE) {
                let rule = usize::from(rule);
                *out = match by_rule[rule] {
                    Some(slot) => slot,
                    None => *by_rule[rule].insert(slots.slot_of(&rules[rule], position)?),
                };
            }
            return Ok(());
        };
        let known = by_value.entry(table.place).or_insert([NO_SLOT; 256]);
        let mut line = vec![NO_RULE; inside.cols];
        let mut refused = None;
        files.visit_bytes(scene.scene, inside, |row, col, read| {
            let mut out = out.index_axis_mut(Axis(0), row);
            let Some(out) = out.as_slice_mut().and_then(|out| out.get_mut(col..col + read.len())) else {
                return;
            };
            let mapped = if free { &mut *out } else { &mut line[..read.len()] };
            map_bytes(read, known, mapped);
            if mapped.contains(&NO_SLOT) {
                for &value in read {
                    if known[usize::from(value)] == NO_SLOT {
                        match slots.slot_of(table.rules.rule(value), position) {
                            Ok(slot) => known[usize::from(value)] = slot,
                            Err(error) => refused = refused.take().or(Some(error)),
                        }
                    }
                }
                map_bytes(read, known, mapped);
            }
            if !free {
                for (out, &slot) in out.iter_mut().zip(&line) {
                    *out = if *out == NO_RULE { slot } else { *out };
                }
            }
        })?;
        refused.map_or(Ok(()), Err)
    }

    /// The rules by their index in the layers; cells whose value nothing explains are handed out.
    pub fn close(self, mut unexplained: impl FnMut(&Scene, &Rule, u64)) -> Vec<Rule> {
        let mut rules = Vec::with_capacity(self.slots.rules.len());
        for ((mut rule, whose), votes) in self.slots.rules.into_iter().zip(self.slots.unexplained) {
            if let Some(position) = whose.filter(|_| votes > 0) {
                unexplained(self.scenes[position].scene, &rule, votes);
                // It is told; the layer must not tell it again, of another scene.
                rule.outcome = Outcome::Absent(Absence::NoObservation);
            }
            rules.push(rule);
        }
        rules
    }
}

/// The parts of a window of the target, column by column of parts: what the last ones read is at hand where the next
/// window begins, to the right.
fn downwards(window: &Window) -> impl Iterator<Item = Window> + use<> {
    window.pieces(window.rows, TARGET_SIDE).flat_map(|column| column.squares(TARGET_SIDE))
}

/// Where the cells of a scene lie on its lattice.
fn on_lattice(scene: &Scene) -> Window {
    let (rows, cols) = (scene.header.grid.rows, scene.header.grid.cols);
    match scene.alignment {
        Alignment::Mode { row, col, .. } => Window { row, col, rows, cols },
        Alignment::Copy { .. } | Alignment::Nearest { .. } => Window::whole(0, 0),
    }
}
