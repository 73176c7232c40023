//! Cuts a class map into literals and matches, looking only where the class changes.
//!
//! A general parser looks for a match at every byte. In a class map most bytes lie inside a run of one class,
//! where every place looks like every other; what tells places apart are the boundaries. So only boundaries
//! are indexed, each with the length of the run that ends there, and a match from inside a run of which `r`
//! bytes remain is a boundary before which at least `r` bytes of the same class stand: that part needs no comparison.

use super::lanes::{LANES, Lanes};
use super::token::{MAX_MATCH, MIN_MATCH, Token, WINDOW};

/// Earlier boundaries that are remembered under a key.
const WAYS: usize = 4;
const LONG_BITS: u32 = 13;
const SHORT_BITS: u32 = 12;

/// Lengths of runs are remembered up to this.
const RUN_BITS: u32 = 9;
const RUN_MASK: u32 = (1 << RUN_BITS) - 1;

/// Longest input in bytes: a place and a length of a run share 32 bits.
pub const MAX_INPUT: usize = 1 << (32 - RUN_BITS);

/// The latest places under a key, newest first: place << [`RUN_BITS`] | length of the run that ends there. 0: none.
type Bucket = [u32; WAYS];

/// Boundaries by what stands around them.
pub struct Tables {
    long: Box<[Bucket]>,
    short: Box<[Bucket]>,
}

impl Tables {
    pub fn new() -> Self {
        let table = |bits: u32| vec![Bucket::default(); 1 << bits].into_boxed_slice();
        Self { long: table(LONG_BITS), short: table(SHORT_BITS) }
    }
}

/// Bits that a match takes, about and in quarters: what it must save to be taken.
#[derive(Debug, Clone, Copy)]
pub struct MatchCost {
    /// The codes of length and distance...
    pub codes: u32,
    /// ...and this for each power of two of the distance.
    pub power: u32,
}

/// Bits that a literal takes, about and in quarters, by width of the values: the classes at boundaries are few,
/// the pairs of them in a change raster more.
const LITERAL_COST: [u32; 5] = [0, 13, 16, 0, 13];

/// The same of a match inside a run.
const RUN_COST: u32 = 24;

/// Fills `tokens` with literals and matches that give `raw`.
///
/// `boundaries` are those of [`super::boundaries::find_boundaries`]; `row` is the length of a row in bytes.
#[inline(always)]
pub fn parse<const UNIT: usize>(
    lanes: impl Lanes,
    raw: &[u8],
    row: usize,
    boundaries: &[u32],
    cost: MatchCost,
    tables: &mut Tables,
    tokens: &mut Vec<Token>,
) {
    tokens.clear();
    tables.long.fill(Bucket::default());
    tables.short.fill(Bucket::default());
    let row = if row.is_multiple_of(UNIT) && (1..=WINDOW).contains(&row) { row } else { 0 };
    let (Some(long), Some(short)) = (tables.long.first_chunk_mut(), tables.short.first_chunk_mut()) else {
        return;
    };
    let mut search = Search::<_, UNIT> { lanes, raw, row, long, short };
    let boundary = |index: usize| boundaries.get(index).map_or(raw.len(), |place| *place as usize);
    // The first boundary after `at`, and the first that is not in the tables yet.
    let (mut at, mut next, mut unknown) = (0, 1, 1);
    while at < raw.len() {
        let end = boundary(next);
        let inside = boundary(next - 1) != at;
        if end - at < MAX_MATCH {
            while boundary(unknown) <= at {
                search.insert(boundary(unknown - 1), boundary(unknown));
                unknown += 1;
            }
            let found = search.find(at, end);
            if found.length > end - at
                && found.length >= MIN_MATCH
                && saves::<UNIT>(found, cost, at, inside, &boundaries[next..])
            {
                tokens.push(Token::matching(found.length, found.distance));
                at += found.length;
                while boundary(next) <= at && next < boundaries.len() {
                    next += 1;
                }
                continue;
            }
        }
        push_run::<UNIT>(&raw[at..end], inside, tokens);
        at = end;
        next += 1;
    }
}

/// Whether a match takes fewer bits than the runs it covers would.
///
/// `boundaries` are those after `at`; the first run began before `at` if `inside`.
#[inline(always)]
fn saves<const UNIT: usize>(
    found: Match,
    cost: MatchCost,
    at: usize,
    inside: bool,
    boundaries: &[u32],
) -> bool {
    let mut left = cost.codes + cost.power * (found.distance as u32).ilog2();
    let end = at + found.length;
    let (mut from, mut first) = (at, if inside { 0 } else { UNIT });
    for boundary in boundaries {
        let to = end.min(*boundary as usize);
        let repeated = to - from - first;
        let bits = if repeated < MIN_MATCH {
            LITERAL_COST[UNIT] * (first + repeated) as u32
        } else {
            LITERAL_COST[UNIT] * first as u32 + RUN_COST
        };
        if bits >= left {
            return true;
        }
        left -= bits;
        if to == end {
            break;
        }
        (from, first) = (to, UNIT);
    }
    false
}

/// Writes values that are all the same; `inside` a run the value before them is, too.
#[inline(always)]
fn push_run<const UNIT: usize>(run: &[u8], inside: bool, tokens: &mut Vec<Token>) {
    let first = if inside { 0 } else { UNIT.min(run.len()) };
    tokens.extend(run[..first].iter().map(|byte| Token::literal(*byte)));
    let mut left = run.len() - first;
    while left >= MIN_MATCH {
        // What remains must not be too short for a match of its own.
        let length = if left > MAX_MATCH { MAX_MATCH.min(left - MIN_MATCH) } else { left };
        tokens.push(Token::matching(length, UNIT));
        left -= length;
    }
    tokens.extend(run[run.len() - left..].iter().map(|byte| Token::literal(*byte)));
}

#[derive(Clone, Copy)]
struct Match {
    length: usize,
    distance: usize,
}

struct Search<'a, L, const UNIT: usize> {
    lanes: L,
    raw: &'a [u8],
    /// Bytes of a row; 0 if the row above cannot be reached.
    row: usize,
    long: &'a mut [Bucket; 1 << LONG_BITS],
    short: &'a mut [Bucket; 1 << SHORT_BITS],
}

impl<L: Lanes, const UNIT: usize> Search<'_, L, UNIT> {
    /// Remembers the boundary at `place`, where the run from `start` ends.
    #[inline(always)]
    fn insert(&mut self, start: usize, place: usize) {
        if let Some((long, short)) = self.keys(place) {
            let run = (place - start).min(RUN_MASK as usize);
            let entry = (place << RUN_BITS | run) as u32;
            for bucket in [&mut self.long[long], &mut self.short[short]] {
                *bucket = [entry, bucket[0], bucket[1], bucket[2]];
            }
        }
    }

    /// Bytes that a key of each table covers: one value before the boundary, the others after it.
    ///
    /// Longer keys find longer matches, shorter ones more of them; measured on land cover and change rasters.
    const KEY_BYTES: (usize, usize) = match UNIT {
        1 => (8, 6),
        2 => (12, 4),
        _ => (24, 8),
    };

    /// Buckets of the boundary at `place`; none if fewer bytes follow than a long key covers.
    #[inline(always)]
    fn keys(&self, place: usize) -> Option<(usize, usize)> {
        // 2^64 by the golden ratio: neighbouring keys end up far from each other.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let (long_bytes, short_bytes) = Self::KEY_BYTES;
        let bytes = self.raw.get(place - UNIT..)?.get(..long_bytes)?;
        let word = |at: usize| bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let first = word(0);
        let mut long = first.wrapping_mul(SPREAD);
        for at in (8..long_bytes).step_by(8) {
            // The last word overlaps the one before where the key is no multiple of eight bytes.
            long = (long.rotate_left(29) ^ word(at.min(long_bytes - 8))).wrapping_mul(SPREAD);
        }
        let short = (first << (64 - 8 * short_bytes)).wrapping_mul(SPREAD);
        Some(((long >> (64 - LONG_BITS)) as usize, (short >> (64 - SHORT_BITS)) as usize))
    }

    /// The longest match at `at`, in or before a run that ends at `end`; the nearest of equally long ones.
    #[inline(always)]
    fn find(&self, at: usize, end: usize) -> Match {
        let mut best = Match { length: 0, distance: 0 };
        let (run, max) = (end - at, (self.raw.len() - at).min(MAX_MATCH) / UNIT * UNIT);
        if self.row != 0 && at >= self.row {
            best = Match { length: self.common(at - self.row, at, max), distance: self.row };
        }
        if best.length < max
            && run < max
            && let Some((long, short)) = self.keys(end)
        {
            self.improve(&self.long[long], at, end, max, &mut best);
            if best.length < run + 8 {
                self.improve(&self.short[short], at, end, max, &mut best);
            }
        }
        best
    }

    /// Tries the boundaries of a bucket, newest first.
    #[inline(always)]
    fn improve(&self, bucket: &Bucket, at: usize, end: usize, max: usize, best: &mut Match) {
        let run = end - at;
        for entry in bucket {
            let place = (entry >> RUN_BITS) as usize;
            let distance = end - place;
            if *entry == 0 || distance > WINDOW || best.length >= max {
                break;
            }
            if ((entry & RUN_MASK) as usize) < run
                || self.raw[at + best.length] != self.raw[at + best.length - distance]
                || self.raw[place - UNIT..place] != self.raw[end - UNIT..end]
            {
                continue;
            }
            let length = run + self.common(place, end, max - run);
            if length > best.length {
                *best = Match { length, distance };
            }
        }
    }

    /// How many bytes from `earlier` and from `later` are the same, in whole values, `max` at most.
    #[inline(always)]
    fn common(&self, earlier: usize, later: usize, max: usize) -> usize {
        let mut length = 0;
        while length < max {
            let (Some(left), Some(right)) = (self.chunk(earlier + length), self.chunk(later + length)) else {
                let (left, right) = (&self.raw[earlier + length..], &self.raw[later + length..]);
                length += left.iter().zip(right).take_while(|(left, right)| left == right).count();
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

    #[inline(always)]
    fn chunk(&self, at: usize) -> Option<&[u8; LANES]> {
        self.raw.get(at..)?.first_chunk()
    }
}
