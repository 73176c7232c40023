//! Cuts a class map into literals and matches, looking only where the class changes.
//!
//! A general parser looks for a match at every byte. In a class map most bytes lie inside a run of one class,
//! where every place looks like every other; what tells places apart are the boundaries. So only boundaries
//! are indexed, each with the length of the run that ends there, and a match from inside a run of which `r`
//! bytes remain is a boundary before which at least `r` bytes of the same class stand: that part needs no comparison.
//!
//! In most of the code that works on one boundary after the other, a wrong guess of the processor costs more than
//! the work. So all boundaries are described first (`edges.rs`), and a search compares everything it might
//! have to (`search.rs`).

use super::edges::run_cost;
use super::lanes::{LANES, Lanes};
use super::search::{Match, Search};
use super::token::{MAX_MATCH, MIN_MATCH, Token};
use super::tokens::Tokens;

/// Bits that a match takes, about and in quarters: what it must save to be taken.
#[derive(Debug, Clone, Copy)]
pub struct MatchCost {
    /// The codes of length and distance...
    pub codes: u32,
    /// ...and this for each power of two of the distance.
    pub power: u32,
}

/// Fills `tokens` with literals and matches that give the block.
///
/// `boundaries` are those of [`super::boundaries::Boundaries`], `costs` what [`super::edges::Edges`] says of them.
#[inline(always)]
pub fn parse<L: Lanes, const UNIT: usize>(
    search: &Search<L, UNIT>,
    boundaries: &[u32],
    costs: &[u32],
    cost: MatchCost,
    tokens: &mut Tokens,
) {
    let raw = search.raw;
    tokens.start::<UNIT>(raw.len(), boundaries.len());
    // Too few bytes for a comparison follow the last boundaries.
    let last = raw.len() as u32 + UNIT as u32;
    let far = |place: &u32| place + LANES as u32 > last;
    let searched = boundaries.len() - boundaries.iter().rev().take_while(|place| far(place)).count();
    // The first boundary after `at`.
    let (mut at, mut next, mut inside) = (0, 1, false);
    while let Some(end) = boundaries.get(next) {
        let end = *end as usize;
        if end - at < MAX_MATCH && next < searched {
            let found = search.find(at, end, next);
            if (found.length > end - at) & (found.length >= MIN_MATCH) {
                let to = at + found.length;
                let passed = next + passed(&boundaries[next..], to as u32);
                let rest = (to - boundaries[passed - 1] as usize) as u32;
                // What it covers without it: the run, those between boundaries, and what it has of the last.
                let between = costs[passed - 1] - costs[next];
                let bits =
                    run_cost::<UNIT>((end - at) as u32, inside) + between + run_cost::<UNIT>(rest, false);
                if bits >= bits_of(found, cost) {
                    tokens.push(Token::matching(found.length, found.distance));
                    (at, next, inside) = (to, passed, rest != 0);
                    continue;
                }
            }
        }
        tokens.push_run::<UNIT>(&raw[at..end], inside);
        (at, next, inside) = (end, next + 1, false);
    }
}

/// Bits that a match takes, about and in quarters.
#[inline(always)]
fn bits_of(found: Match, cost: MatchCost) -> u32 {
    cost.codes + cost.power * (found.distance as u32).ilog2()
}

/// How many of these boundaries are not beyond `to`.
#[inline(always)]
pub fn passed(boundaries: &[u32], to: u32) -> usize {
    let mut passed = 0;
    // Eight at once without asking which is the first beyond it.
    while let Some(eight) = boundaries.get(passed..).and_then(|rest| rest.first_chunk::<8>()) {
        let count = eight.iter().map(|place| u32::from(*place <= to)).sum::<u32>() as usize;
        passed += count;
        if count < 8 {
            return passed;
        }
    }
    passed + boundaries[passed..].iter().take_while(|place| **place <= to).count()
}
