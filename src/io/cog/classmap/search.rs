//! Finds the longest match: in the row above, or at earlier boundaries that look the same.

use super::bucket::{Bucket, PLACE_BITS, Query};
use super::edges::Described;
use super::lanes::{LANES, Lanes};
use super::token::{MAX_MATCH, WINDOW};

/// Keys of buckets: 128 KiB of them stay in a processor's second cache beside the block.
pub const KEY_BITS: u32 = 12;

/// Longest input in bytes, and one: entries count places of more than one block.
pub const MAX_INPUT: usize = (1 << PLACE_BITS) - WINDOW;

/// Boundaries by what stands around them, those of earlier blocks included.
pub struct Tables {
    buckets: Box<[Bucket]>,
    /// What the bucket of each boundary of the block held before it.
    earlier: Vec<Bucket>,
    /// What entries of the next block add to places: they are too far from those of the last to find them.
    base: usize,
}

impl Tables {
    pub fn new() -> Self {
        let buckets = vec![Bucket::default(); 1 << KEY_BITS].into_boxed_slice();
        Self { buckets, earlier: Vec::new(), base: 0 }
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
    ///
    /// All boundaries are remembered at once, and with each what was known before it: how many a match passes is as good as
    /// random, and a loop over them would be guessed wrongly.
    #[inline(always)]
    pub fn search<'a, L: Lanes, const UNIT: usize>(
        &'a mut self,
        lanes: L,
        raw: &'a [u8],
        row: usize,
        base: u32,
        edges: Described,
    ) -> Option<Search<'a, L, UNIT>> {
        let buckets: &mut [Bucket; 1 << KEY_BITS] = self.buckets.first_chunk_mut()?;
        if self.earlier.len() < edges.keys.len() {
            self.earlier.resize(edges.keys.len(), Bucket::default());
        }
        for ((key, entry), earlier) in edges.keys.iter().zip(edges.entries).zip(&mut self.earlier).skip(1) {
            let bucket = &mut buckets[*key as usize % (1 << KEY_BITS)];
            *earlier = *bucket;
            lanes.push(bucket, *entry);
        }
        let reached = row.is_multiple_of(UNIT) && (1..=WINDOW).contains(&row);
        let row = if reached { row } else { usize::MAX };
        Some(Search { lanes, raw, row, base, earlier: &self.earlier })
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
    /// By boundary: the latest boundaries before it under the same key.
    pub earlier: &'a [Bucket],
}

impl<L: Lanes, const UNIT: usize> Search<'_, L, UNIT> {
    /// The longest match at `at`, in or before a run that ends at `end`, the place of the boundary `number`; the nearest of
    /// those that are equally long, as far as [`LANES`] bytes tell.
    ///
    /// The run is shorter than [`MAX_MATCH`], and [`LANES`] bytes follow the value before `end`.
    #[inline(always)]
    pub fn find(&self, at: usize, end: usize, number: usize) -> Match {
        let (run, place) = (end - at, end - UNIT);
        let max = (self.raw.len() - at).min(MAX_MATCH) / UNIT * UNIT;
        let mut above = 0;
        if at >= self.row
            && let (Some(then), Some(now)) = (self.chunk(at - self.row), self.chunk(at))
        {
            above = self.lanes.equal(then, now).trailing_ones() as usize / UNIT * UNIT;
        }
        let mut best = score(0, 1);
        let compared = run - UNIT + LANES;
        if let Some(now) = self.chunk(place) {
            let query = Query {
                entry_place: self.base + place as u32,
                place: place as u32,
                run: run as u32,
                score: score(run - UNIT, 0),
            };
            let mut rated = self.lanes.rate(&self.earlier[number], query);
            // All are compared, of use or not: that costs less than a wrong guess which are. The value before the
            // boundary is compared again, because a key does not stand for one value only.
            for (place, score) in rated.places.iter().zip(&mut rated.scores) {
                if let Some(then) = self.chunk_at(*place) {
                    *score += (self.lanes.equal(then, now).trailing_ones() as i32 / UNIT as i32
                        * UNIT as i32)
                        << 16;
                }
            }
            best = rated.scores.into_iter().fold(best, i32::max);
        }
        // One question for both: mostly the answers are the same.
        if (best >= score(compared, WINDOW)) | (above == LANES) {
            if above == LANES {
                above += self.common(at - self.row + LANES, at + LANES, max - LANES);
            }
            if best >= score(compared, WINDOW) {
                let (distance, further) = (scored(best, max).distance, place + LANES);
                let common = self.common(further - distance, further, max.saturating_sub(compared));
                best = score((compared + common).min(max), distance);
            }
        }
        let row = if above > 0 { self.row } else { 1 };
        scored(best.max(score(above, row)), max)
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
