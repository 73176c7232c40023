//! The earlier boundaries that are remembered under one key.

use super::token::WINDOW;

/// Boundaries in a bucket: as many as one vector holds.
pub const WAYS: usize = 8;

/// One number for each boundary of a bucket.
pub type Eight = [u32; WAYS];

/// Lengths of runs are remembered up to this.
pub const RUN_BITS: u32 = 9;
pub const RUN_MASK: u32 = (1 << RUN_BITS) - 1;

/// Bits that remain for a place.
pub const PLACE_BITS: u32 = 32 - RUN_BITS;

/// The score of a boundary that is of no use: below 0 whatever length is added.
pub const UNABLE: i32 = i32::MIN / 2;

/// The latest boundaries under a key, newest first.
///
/// An entry is the place of the value before the boundary << [`RUN_BITS`] | the length of the run that ends there. 0
/// is none: there, a run has no length, and so is of no use to any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(align(32))]
pub struct Bucket(Eight);

/// What is asked of a bucket.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// Place of the value before the boundary at hand, as entries count places...
    pub entry_place: u32,
    /// ... and in the block.
    pub place: u32,
    /// Length that the run before an earlier boundary must have.
    pub run: u32,
    /// What scores begin with.
    pub score: i32,
}

/// What a bucket answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Rated {
    /// The place in the block of the value before each boundary; for one that is of no use, the place at hand.
    pub places: Eight,
    /// The score less the distance; or [`UNABLE`].
    pub scores: [i32; WAYS],
}

impl Bucket {
    /// What is remembered of the boundary after the value at `place`, where a run of this length ends.
    #[inline(always)]
    pub fn entry(place: u32, run: u32) -> u32 {
        place << RUN_BITS | run.min(RUN_MASK)
    }

    #[inline(always)]
    pub fn entries(&self) -> &Eight {
        &self.0
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub fn entries_mut(&mut self) -> &mut Eight {
        &mut self.0
    }

    /// Puts an entry before the others, of which the oldest is lost.
    #[inline(always)]
    pub fn push(&mut self, entry: u32) {
        let [a, b, c, d, e, f, g, _] = self.0;
        self.0 = [entry, a, b, c, d, e, f, g];
    }

    /// Says which boundaries are within reach after a run that is long enough, and how near they are.
    #[inline(always)]
    pub fn rate(&self, query: Query) -> Rated {
        let mut rated = Rated { places: [query.place; WAYS], scores: [UNABLE; WAYS] };
        for (way, entry) in self.0.iter().enumerate() {
            let distance = query.entry_place - (entry >> RUN_BITS);
            if distance <= WINDOW as u32 && entry & RUN_MASK >= query.run {
                rated.places[way] = query.place - distance;
                rated.scores[way] = query.score - distance as i32;
            }
        }
        rated
    }
}
