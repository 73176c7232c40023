//! What earlier places offer at every boundary, whatever way leads there.
//!
//! A match that goes beyond a boundary ends where it ends, wherever in the run before the boundary it began, unless it becomes
//! too long. So the longest can be known before any way through the block is, for all boundaries one after the other.

use super::bucket::{Query, RUN_MASK, UNABLE, WAYS};
use super::lanes::{LANES, Lanes};
use super::parse::passed;
use super::search::Search;
use super::token::{MAX_MATCH, WINDOW, distance_symbol};

/// An earlier place that looks like what is around a boundary.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offer {
    /// Bytes from the boundary on that are the same; 0 where nothing is offered.
    pub beyond: u32,
    /// Bytes at the end of the run before the boundary that are the same, if it has so many.
    pub before: u32,
    /// How far the earlier place is...
    pub distance: u32,
    /// ...and the symbol of that.
    pub symbol: u32,
    /// The first boundary after the end of the match.
    pub next: u32,
}

/// What is offered at a boundary: the longest match for the whole run before it, and the longest for any part of that.
pub type AtBoundary = [Offer; 2];

/// What is offered at the boundaries of a block, in room that is kept from block to block.
#[derive(Debug, Default)]
pub struct Offers(Vec<AtBoundary>);

impl Offers {
    /// Looks at all boundaries of a block; one of each for every boundary, nothing for the first.
    #[inline(always)]
    pub fn find<L: Lanes, const UNIT: usize>(
        &mut self,
        search: &Search<L, UNIT>,
        boundaries: &[u32],
    ) -> &[AtBoundary] {
        if self.0.len() < boundaries.len() {
            self.0.resize(boundaries.len(), AtBoundary::default());
        }
        let found = &mut self.0[..boundaries.len()];
        let runs = boundaries.iter().zip(&boundaries[1..]).zip(&mut found[1..]);
        for (number, ((start, end), found)) in (1..).zip(runs) {
            *found = search.offers(*end, end - start, number);
            for offer in found {
                offer.next = (number + passed(&boundaries[number..], end + offer.beyond)) as u32;
            }
        }
        found
    }
}

/// The order of offers in numbers, for the whole run and for part of it: longer ones above shorter ones, then nearer ones
/// above further ones. From bit 23 the bytes beyond the boundary, from bit 8 how near it is, then which it is.
#[inline(always)]
fn ranks<const UNIT: usize>(
    alike: u32,
    serves_whole: bool,
    most: [u32; 2],
    distance: u32,
    which: u32,
) -> [u32; 2] {
    let beyond = alike.saturating_sub(UNIT as u32);
    // What is out of reach has no distance, and nothing beyond.
    let low = ((WINDOW as u32 - distance) % WINDOW as u32) << 8 | which;
    let (whole, part) = (beyond.min(most[0]) << 23 | low, beyond.min(most[1]) << 23 | low);
    [if serves_whole { whole } else { 0 }, part]
}

/// What stands in a rank for the row above.
const ABOVE: u32 = WAYS as u32;

impl<L: Lanes, const UNIT: usize> Search<'_, L, UNIT> {
    /// The longest matches beyond the boundary `number` at `end`: for all of the `run` bytes before it, and for some of them.
    #[inline(always)]
    fn offers(&self, end: u32, run: u32, number: usize) -> AtBoundary {
        let unit = UNIT as u32;
        let place = end - unit;
        let Some(now) = self.chunk_at(place) else { return AtBoundary::default() };
        let left = self.raw.len() as u32 - end;
        // From the beginning of the run the match must not become too long; from its end it may be longer.
        let most_after = |run: u32| (MAX_MATCH as u32).saturating_sub(run).min(left) / unit * unit;
        let most = [most_after(run), most_after(unit)];

        let bucket = &self.earlier[number];
        let query = Query { entry_place: self.base + place, place, run: 1, score: 0 };
        let rated = self.lanes.rate(bucket, query);
        let mut best = [0; 2];
        for way in 0..WAYS {
            // One that is out of reach is compared with itself, and taken for one without anything alike.
            let Some(then) = self.chunk_at(rated.places[way]) else { break };
            let alike = if rated.scores[way] > UNABLE { self.values_alike(then, now) } else { 0 };
            let before = bucket.entries()[way] & RUN_MASK;
            let ranks = ranks::<UNIT>(alike, before >= run, most, place - rated.places[way], way as u32);
            best[0] = best[0].max(ranks[0]);
            best[1] = best[1].max(ranks[1]);
        }
        // The row above: what is before the boundary must be looked at, too.
        let (row, mut before_above) = (self.row as u32, 0);
        if self.row <= place as usize
            && let Some(then) = self.chunk_at(place - row)
        {
            let mut alike = self.values_alike(then, now);
            if alike == LANES as u32 {
                alike += self.further_alike(place, row, most[1]);
            }
            before_above = if alike > 0 { self.alike_before(end, row, run) } else { 0 };
            let ranks = ranks::<UNIT>(alike, before_above >= run, most, row, ABOVE);
            best[0] = best[0].max(ranks[0]);
            best[1] = best[1].max(ranks[1]);
        }
        // Only what is chosen is compared further: to ask it of all would take a third more time for a thousandth of the
        // bytes.
        let mut offers = AtBoundary::default();
        for (which, (offer, best)) in offers.iter_mut().zip(best).enumerate() {
            let mut beyond = best >> 23;
            if beyond > 0 {
                let distance = WINDOW as u32 - (best >> 8 & 0x7fff);
                if beyond == LANES as u32 - unit {
                    beyond = (beyond + self.further_alike(place, distance, most[which])).min(most[which]);
                }
                let entry = bucket.entries().get((best & 0xff) as usize);
                let before = entry.map_or(before_above, |entry| entry & RUN_MASK);
                let (symbol, _) = distance_symbol(distance as usize);
                *offer = Offer { beyond, before, distance, symbol, next: 0 };
            }
        }
        offers
    }

    /// Bytes before `end` that are the same as those before the place so far before it, in whole values: `run`, if all of them.
    #[inline(always)]
    fn alike_before(&self, end: u32, distance: u32, run: u32) -> u32 {
        let mut before = 0;
        while before < run {
            let (Some(then), Some(now)) =
                (self.chunk_before(end - before - distance), self.chunk_before(end - before))
            else {
                break;
            };
            let alike = self.lanes.equal(then, now).leading_ones();
            before += alike / UNIT as u32 * UNIT as u32;
            if alike < LANES as u32 {
                break;
            }
        }
        before
    }

    /// Bytes at the beginning that are the same, in whole values.
    #[inline(always)]
    fn values_alike(&self, then: &[u8; LANES], now: &[u8; LANES]) -> u32 {
        self.lanes.equal(then, now).trailing_ones() / UNIT as u32 * UNIT as u32
    }

    /// Bytes that are the same beyond those that are compared at once.
    #[inline(always)]
    fn further_alike(&self, place: u32, distance: u32, most: u32) -> u32 {
        let further = place as usize + LANES;
        self.common(further - distance as usize, further, most as usize) as u32
    }

    #[inline(always)]
    fn chunk_before(&self, end: u32) -> Option<&[u8; LANES]> {
        self.chunk_at(end.checked_sub(LANES as u32)?)
    }
}
