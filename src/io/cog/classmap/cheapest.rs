//! Cuts a class map into the literals and matches that cost least together.
//!
//! From each boundary on, and from the end of each match, the cheapest way to the end of the block is known once it is for all
//! later places: the longest match that is offered or the run, and from there. So the block is planned from its end, at the prices
//! that the tokens of the quick parse (`parse.rs`) have. To plan it again at those of the plan would gain a thousandth.

use super::lanes::Lanes;
use super::offers::{AtBoundary, Offer, Offers};
use super::parse::passed;
use super::prices::{Prices, TOO_MUCH};
use super::search::Search;
use super::token::{MAX_MATCH, Token};
use super::tokens::Tokens;

/// What is kept from block to block.
#[derive(Debug, Default)]
pub struct Room {
    offers: Offers,
    costs: Vec<Costs>,
}

/// What is cheapest from somewhere to the end of the block, in quarters of a bit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Costs {
    /// From the boundary.
    here: u32,
    /// From the end of the match for the whole run before the boundary, and from that of the match for a part of it.
    beyond: [u32; 2],
}

/// Fills `tokens` with literals and matches that give the block, and cost least when they cost what those of `quick` do.
#[inline(always)]
pub fn parse<L: Lanes, const UNIT: usize>(
    search: &Search<L, UNIT>,
    boundaries: &[u32],
    quick: &Tokens,
    room: &mut Room,
    tokens: &mut Tokens,
) {
    if room.costs.len() < boundaries.len() {
        room.costs.resize(boundaries.len(), Costs::default());
    }
    let (offers, prices) = (room.offers.find(search, boundaries), Prices::of(quick.all()));
    let mut ways =
        Ways::<UNIT> { raw: search.raw, boundaries, offers, prices: &prices, costs: &mut room.costs };
    ways.plan();
    tokens.start::<UNIT>(search.raw.len(), boundaries.len());
    ways.follow(tokens);
}

/// The ways through a block.
pub struct Ways<'a, const UNIT: usize> {
    pub raw: &'a [u8],
    pub boundaries: &'a [u32],
    pub offers: &'a [AtBoundary],
    pub prices: &'a Prices,
    /// By boundary.
    pub costs: &'a mut [Costs],
}

impl<const UNIT: usize> Ways<'_, UNIT> {
    /// Fills the costs, from the end of the block, and gives that of the whole.
    #[inline(always)]
    pub fn plan(&mut self) -> u32 {
        let last = self.boundaries.len() - 1;
        self.costs[last].here = 0;
        for next in (1..=last).rev() {
            for which in 0..2 {
                let offer = &self.offers[next][which];
                self.costs[next].beyond[which] = if offer.beyond == 0 {
                    TOO_MUCH
                } else {
                    self.cost_from((self.boundaries[next] + offer.beyond) as usize, offer.next as usize)
                };
            }
            self.costs[next - 1].here = self.best(self.boundaries[next - 1] as usize, next).cost;
        }
        self.costs[0].here
    }

    /// The first step of the cheapest way from `at`, in the run before the boundary `next`.
    #[inline(always)]
    fn best(&self, at: usize, next: usize) -> Step {
        let end = self.boundaries[next] as usize;
        let (costs, offers) = (&self.costs[next], &self.offers[next]);
        let inside = at > self.boundaries[next - 1] as usize;
        let run = Step {
            cost: self.prices.run::<UNIT>(&self.raw[at..end], inside) + costs.here,
            distance: None,
            to: end,
            next: next + 1,
        };
        // The longest of all may be of no use to the whole run.
        let which = usize::from(inside && offers[1].before as usize >= end - at);
        let offer = &offers[which];
        let length = end - at + offer.beyond as usize;
        if length > MAX_MATCH && end - at < MAX_MATCH {
            return run.or(self.cut_match(at, next, offer));
        }
        let cost = self.prices.matching(length, offer.symbol) + costs.beyond[which];
        run.or(Step { cost, distance: Some(offer.distance), to: at + length, next: offer.next as usize })
    }

    /// As much of an offer as a match can be; it begins before the boundary `next` and ends beyond it.
    ///
    /// What follows is taken to cost what it does from the boundary before its end: to know better would take as long as
    /// everything else, for mostly it is another such match.
    #[inline(never)]
    fn cut_match(&self, at: usize, next: usize, offer: &Offer) -> Step {
        let to = at + MAX_MATCH / UNIT * UNIT;
        let next = next + passed(&self.boundaries[next..], to as u32);
        let cost = self.prices.matching(to - at, offer.symbol) + self.costs[next - 1].here;
        Step { cost, distance: Some(offer.distance), to, next }
    }

    /// What is cheapest from `to`, which is the last boundary before `next` or in the run before that.
    #[inline(always)]
    fn cost_from(&self, to: usize, next: usize) -> u32 {
        let last = next - 1;
        if to == self.boundaries[last] as usize { self.costs[last].here } else { self.best(to, next).cost }
    }

    /// Writes the cheapest way.
    #[inline(always)]
    pub fn follow(&self, tokens: &mut Tokens) {
        let (mut at, mut next) = (0, 1);
        while next < self.boundaries.len() {
            let step = self.best(at, next);
            match step.distance {
                Some(distance) => tokens.push(Token::matching(step.to - at, distance as usize)),
                None => {
                    let inside = at > self.boundaries[next - 1] as usize;
                    tokens.push_run::<UNIT>(&self.raw[at..step.to], inside);
                }
            }
            (at, next) = (step.to, step.next);
        }
    }
}

/// A match or a run, and all that follows.
#[derive(Debug, Clone, Copy)]
struct Step {
    cost: u32,
    /// Of a match; a run has none.
    distance: Option<u32>,
    to: usize,
    /// The first boundary after that.
    next: usize,
}

impl Step {
    /// The other one where that costs less.
    #[inline(always)]
    fn or(self, other: Self) -> Self {
        if other.cost < self.cost { other } else { self }
    }
}
