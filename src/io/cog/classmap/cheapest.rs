//! Cuts a class map into the literals and matches that cost least of all that the boundaries offer.
//!
//! From each boundary on, and from the end of each match, the cheapest way to the end of the block is known once it is
//! for all later places: a match or the run, and from there. So the block is planned from its end, once at guessed prices
//! and once at those that the tokens of the first plan really have.

use super::edges::Edges;
use super::lanes::Lanes;
use super::offers::{AtBoundary, Offers};
use super::prices::{Prices, TOO_MUCH};
use super::search::Tables;
use super::token::Token;
use super::tokens::Tokens;

/// Plans of a block. A third gains a thousandth.
const PLANS: usize = 2;

/// What is kept from block to block.
#[derive(Debug, Default)]
pub struct Room {
    offers: Offers,
    costs: Vec<Costs>,
}

/// What is cheapest from somewhere to the end of the block, in quarters of a bit.
#[derive(Debug, Clone, Copy, Default)]
struct Costs {
    /// From the boundary.
    here: u32,
    /// From the end of the match for the whole run before the boundary, and from that of the match for a part of it.
    beyond: [u32; 2],
}

/// Fills `tokens` with literals and matches that give `raw`; arguments as those of [`super::parse::parse`].
#[inline(always)]
pub fn parse<L: Lanes, const UNIT: usize>(
    lanes: L,
    raw: &[u8],
    row: usize,
    boundaries: &[u32],
    tables: &mut Tables,
    edges: &mut Edges,
    room: &mut Room,
    tokens: &mut Tokens,
) {
    let base = tables.start(raw.len());
    let edges = edges.describe::<UNIT>(raw, boundaries, base);
    let Some(search) = tables.search::<L, UNIT>(lanes, raw, row, base, edges) else { return };
    let offers = room.offers.find(&search, boundaries);
    let mut prices = Prices::guess::<UNIT>();
    for plan in 1..=PLANS {
        let costs = &mut room.costs;
        costs.clear();
        costs.resize(boundaries.len(), Costs::default());
        let mut ways = Ways::<UNIT> { raw, boundaries, offers, prices: &prices, costs };
        ways.plan();
        tokens.start::<UNIT>(raw.len(), boundaries.len());
        ways.follow(tokens);
        if plan < PLANS {
            prices = Prices::of(tokens.all());
        }
    }
}

/// What the cheapest way through a block costs.
#[cfg(test)]
pub fn cost<const UNIT: usize>(
    raw: &[u8],
    boundaries: &[u32],
    offers: &[AtBoundary],
    prices: &Prices,
) -> u32 {
    let mut costs = vec![Costs::default(); boundaries.len()];
    Ways::<UNIT> { raw, boundaries, offers, prices, costs: &mut costs }.plan();
    costs[0].here
}

/// The ways through a block.
struct Ways<'a, const UNIT: usize> {
    raw: &'a [u8],
    boundaries: &'a [u32],
    offers: &'a [AtBoundary],
    prices: &'a Prices,
    /// By boundary.
    costs: &'a mut [Costs],
}

impl<const UNIT: usize> Ways<'_, UNIT> {
    /// Fills the costs, from the end of the block.
    #[inline(always)]
    fn plan(&mut self) {
        for next in (1..self.boundaries.len()).rev() {
            for which in 0..2 {
                let offer = &self.offers[next][which];
                self.costs[next].beyond[which] = if offer.beyond == 0 {
                    TOO_MUCH
                } else {
                    self.cost_from((self.boundaries[next] + offer.beyond) as usize, offer.next as usize)
                };
            }
            self.costs[next - 1].here = self.best(self.boundaries[next - 1] as usize, next).0;
        }
    }

    /// What is cheapest from `to`, which is the last boundary before `after` or in the run before that.
    #[inline(always)]
    fn cost_from(&self, to: usize, after: usize) -> u32 {
        if to == self.boundaries[after - 1] as usize {
            self.costs[after - 1].here
        } else {
            self.best(to, after).0
        }
    }

    /// The cheapest way from `at`, in the run before the boundary `next`: its cost, and the match that it begins with, if it
    /// does, as its place among the offers.
    #[inline(always)]
    fn best(&self, at: usize, next: usize) -> (u32, Option<usize>) {
        let end = self.boundaries[next] as usize;
        let (costs, inside) = (&self.costs[next], at > self.boundaries[next - 1] as usize);
        // The longest of all may be of no use to the whole run.
        let which = usize::from(inside && self.offers[next][1].before as usize >= end - at);
        let offer = &self.offers[next][which];
        let matching =
            self.prices.matching(end - at + offer.beyond as usize, offer.symbol) + costs.beyond[which];
        let running = self.prices.run::<UNIT>(&self.raw[at..end], inside) + costs.here;
        if matching < running { (matching, Some(which)) } else { (running, None) }
    }

    /// Writes the cheapest way.
    #[inline(always)]
    fn follow(&self, tokens: &mut Tokens) {
        let (mut at, mut next) = (0, 1);
        while let Some(end) = self.boundaries.get(next) {
            let end = *end as usize;
            match self.best(at, next).1 {
                Some(which) => {
                    let offer = &self.offers[next][which];
                    let beyond = offer.beyond as usize;
                    tokens.push(Token::matching(end - at + beyond, offer.distance as usize));
                    (at, next) = (end + beyond, offer.next as usize);
                }
                None => {
                    tokens.push_run::<UNIT>(&self.raw[at..end], at > self.boundaries[next - 1] as usize);
                    (at, next) = (end, next + 1);
                }
            }
        }
    }
}
