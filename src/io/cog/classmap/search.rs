//! Finds the longest match: in the row above, or at earlier boundaries that look the same.

use super::bucket::{Bucket, PLACE_BITS, Query, WAYS};
use super::lanes::{LANES, Lanes};
use super::token::{MAX_MATCH, WINDOW};

/// Keys of buckets: 128 KiB of them stay in a processor's second cache beside the block.
pub const KEY_BITS: u32 = 12;

/// Longest input in bytes, and one: entries count places of more than one block.
pub const MAX_INPUT: usize = (1 << PLACE_BITS) - WINDOW;

/// Values a match in the row above must go beyond the run: then nothing else is looked for. The others would be
/// longer now and then, for 0.1 % of the bytes and a twentieth of the time.
const ENOUGH: usize = 16;

/// Boundaries by what stands around them, those of earlier blocks included.
pub struct Tables {
    buckets: Box<[Bucket]>,
    /// What entries of the next block add to places: they are too far from those of the last to find them.
    base: usize,
}

impl Tables {
    pub fn new() -> Self {
        Self { buckets: vec![Bucket::default(); 1 << KEY_BITS].into_boxed_slice(), base: 0 }
    }

    /// Puts all boundaries so far out of reach of a block of so many bytes, and says what its entries add to places.
    pub fn start(&mut self, bytes: usize) -> u32 {
        let room = bytes + WINDOW + 1;
        // Emptying the buckets for each block would cost as much as a block in which little changes.
        if self.base + room > 1 << PLACE_BITS {
            self.buckets.fill(Bucket::default());
            self.base = 0;
        }
        let base = self.base as u32;
        self.base += room;
        base
    }

    /// Searches a block for which [`Self::start`] gave `base`; `row` is the length of a row in bytes.
    #[inline(always)]
    pub fn search<'a, L: Lanes, const UNIT: usize>(
        &'a mut self,
        lanes: L,
        raw: &'a [u8],
        row: usize,
        base: u32,
    ) -> Option<Search<'a, L, UNIT>> {
        let reached = row.is_multiple_of(UNIT) && (1..=WINDOW).contains(&row);
        let row = if reached { row } else { usize::MAX };
        Some(Search { lanes, raw, row, base, buckets: self.buckets.first_chunk_mut()? })
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Match {
    pub length: usize,
    pub distance: usize,
}

/// Orders matches: longer ones above shorter ones, then nearer ones above further ones.
#[inline(always)]
fn score(length: usize, distance: usize) -> i32 {
    ((length << 16) + WINDOW + 1 - distance) as i32
}

/// The match that has this score.
#[inline(always)]
fn scored(score: i32, max: usize) -> Match {
    Match { length: ((score >> 16) as usize).min(max), distance: WINDOW + 1 - (score & 0xffff) as usize }
}

pub struct Search<'a, L, const UNIT: usize> {
    pub lanes: L,
    pub raw: &'a [u8],
    /// Bytes of a row; more than there are if the row above cannot be reached.
    pub row: usize,
    /// What entries add to places.
    pub base: u32,
    buckets: &'a mut [Bucket; 1 << KEY_BITS],
}

impl<L: Lanes, const UNIT: usize> Search<'_, L, UNIT> {
    /// Remembers a boundary.
    #[inline(always)]
    pub fn insert(&mut self, key: u32, entry: u32) {
        self.lanes.push(&mut self.buckets[key as usize % (1 << KEY_BITS)], entry);
    }

    /// The earlier boundaries under a key.
    #[inline(always)]
    pub fn bucket(&self, key: u32) -> &Bucket {
        &self.buckets[key as usize % (1 << KEY_BITS)]
    }

    /// The longest match at `at`, in or before a run that ends at `end`; the nearest of equally long ones.
    ///
    /// The run is shorter than [`MAX_MATCH`], and [`LANES`] bytes follow the value before `end`.
    #[inline(always)]
    pub fn find(&self, at: usize, end: usize, key: u32) -> Match {
        let (run, place) = (end - at, end - UNIT);
        let max = (self.raw.len() - at).min(MAX_MATCH) / UNIT * UNIT;
        let mut best = score(0, 1);
        if at >= self.row
            && let (Some(then), Some(now)) = (self.chunk(at - self.row), self.chunk(at))
        {
            let mut above = self.lanes.equal(then, now).trailing_ones() as usize / UNIT * UNIT;
            let enough = run + ENOUGH * UNIT;
            // One question for both: mostly the answers are the same.
            if above >= enough.min(LANES) {
                if above == LANES {
                    above += self.common(at - self.row + LANES, at + LANES, max - LANES);
                }
                if above >= enough {
                    return Match { length: above, distance: self.row };
                }
            }
            best = score(above, self.row);
        }
        let Some(now) = self.chunk(place) else { return scored(best, max) };
        let query = Query {
            entry_place: self.base + place as u32,
            place: place as u32,
            run: run as u32,
            score: score(run - UNIT, 0),
        };
        let mut rated = self.lanes.rate(self.bucket(key), query);
        // All are compared, of use or not: that costs less than a wrong guess which are. The value before the
        // boundary is compared again, because a key does not stand for one value only.
        for (place, score) in rated.places.iter().zip(&mut rated.scores) {
            if let Some(then) = self.chunk_at(*place) {
                *score +=
                    (self.lanes.equal(then, now).trailing_ones() as i32 / UNIT as i32 * UNIT as i32) << 16;
            }
        }
        best = rated.scores.into_iter().fold(best, i32::max);
        let long = score(run - UNIT + LANES, WINDOW);
        if best >= long {
            for way in 0..WAYS {
                if rated.scores[way] >= long {
                    best = self.longer(best, rated.scores[way], rated.places[way] as usize, end, run, max);
                }
            }
        }
        scored(best, max)
    }

    /// The better of the best score and that of a match which is longer than what was compared of it.
    #[inline(always)]
    fn longer(&self, best: i32, score: i32, place: usize, end: usize, run: usize, max: usize) -> i32 {
        let length = (best >> 16) as usize;
        let (then, now) = (place + UNIT - run, end - run);
        if length >= max {
            return best;
        }
        // If the first byte beyond the best match differs, it is not longer.
        if self.raw[then + length] != self.raw[now + length] {
            return best.max(score);
        }
        let compared = LANES - UNIT;
        let common = self.common(place + LANES, end + compared, max.saturating_sub(run + compared));
        best.max(score + ((common as i32) << 16))
    }

    /// How many bytes from `earlier` and from `later` are the same, in whole values, `max` at most.
    #[inline(always)]
    pub fn common(&self, earlier: usize, later: usize, max: usize) -> usize {
        let mut length = 0;
        while length < max {
            let (Some(left), Some(right)) = (self.chunk(earlier + length), self.chunk(later + length)) else {
                length += self.common_at_end(earlier + length, later + length);
                break;
            };
            let equal = self.lanes.equal(left, right);
            length += equal.trailing_ones() as usize;
            if equal != u32::MAX {
                break;
            }
        }
        length.min(max) / UNIT * UNIT
    }

    /// [`Self::common`] where fewer bytes remain than are compared at once.
    #[cold]
    #[inline(never)]
    fn common_at_end(&self, earlier: usize, later: usize) -> usize {
        let pairs = self.raw[earlier..].iter().zip(&self.raw[later..]);
        pairs.take_while(|(left, right)| left == right).count()
    }

    #[inline(always)]
    fn chunk(&self, at: usize) -> Option<&[u8; LANES]> {
        self.raw.get(at..)?.first_chunk()
    }

    /// [`Self::chunk`] of a short place: one comparison says that it is inside.
    #[inline(always)]
    pub fn chunk_at(&self, at: u32) -> Option<&[u8; LANES]> {
        let at = at as usize;
        self.raw.get(at..at + LANES)?.first_chunk()
    }
}
