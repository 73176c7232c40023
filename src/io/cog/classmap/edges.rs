//! What is known of boundaries before matches are searched: made for all of them in one go, nothing waits for anything.

use super::bucket::Bucket;
use super::search::KEY_BITS;
use super::token::MIN_MATCH;

/// What is known of boundaries, in room that is kept from block to block.
#[derive(Debug, Default)]
pub struct Edges {
    keys: Vec<u32>,
    entries: Vec<u32>,
    costs: Vec<u32>,
}

/// [`Edges`] of a block, one of each for every boundary.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    /// The buckets they belong into...
    pub keys: &'a [u32],
    /// ... and as what.
    pub entries: &'a [u32],
    /// Bits, about and in quarters, of everything before them without matches.
    pub costs: &'a [u32],
}

impl Edges {
    /// Describes the boundaries of a block. Entries count places from `base`.
    #[inline(always)]
    pub fn describe<const UNIT: usize>(
        &mut self,
        raw: &[u8],
        boundaries: &[u32],
        base: u32,
    ) -> Described<'_> {
        let count = boundaries.len();
        let [keys, entries, costs] = [&mut self.keys, &mut self.entries, &mut self.costs].map(|room| {
            if room.len() < count {
                room.resize(count, 0);
            }
            &mut room[..count]
        });
        let base = base.wrapping_sub(UNIT as u32);
        for ((entry, cost), (start, place)) in
            entries[1..].iter_mut().zip(&mut costs[1..]).zip(boundaries.iter().zip(&boundaries[1..]))
        {
            let run = place - start;
            *entry = Bucket::entry(base.wrapping_add(*place), run);
            *cost = run_cost::<UNIT>(run, false);
        }
        let mut sum = 0;
        for cost in &mut *costs {
            sum += *cost;
            *cost = sum;
        }
        for (key, place) in keys[1..].iter_mut().zip(&boundaries[1..]) {
            *key = key_of::<UNIT>(raw, *place);
        }
        Described { keys, entries, costs }
    }
}

/// Bits that a literal takes, about and in quarters, by width of the values: the classes at boundaries are few,
/// the pairs of them in a change raster more.
pub const LITERAL_COST: [u32; 5] = [0, 13, 16, 0, 13];

/// The same of a match inside a run.
const RUN_COST: u32 = 24;

/// Bits, about and in quarters, of so many equal bytes; `inside` a run the value before them is, too.
#[inline(always)]
pub fn run_cost<const UNIT: usize>(bytes: u32, inside: bool) -> u32 {
    let first = if inside { 0 } else { UNIT as u32 };
    let repeated = bytes - first;
    let rest = if repeated < MIN_MATCH as u32 { LITERAL_COST[UNIT] * repeated } else { RUN_COST };
    LITERAL_COST[UNIT] * first + rest
}

/// Bytes that a key covers: one value before the boundary, the others after it.
///
/// Longer keys find longer matches, shorter ones more of them; measured on land cover and change rasters.
const KEY_BYTES: [u32; 5] = [0, 6, 6, 0, 8];

/// Bucket of the boundary at `place`; any if fewer than eight bytes follow.
#[inline(always)]
fn key_of<const UNIT: usize>(raw: &[u8], place: u32) -> u32 {
    // 2^64 by the golden ratio: neighbouring keys end up far from each other.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let start = place as usize - UNIT;
    let bytes = raw.get(start..start + 8).and_then(|bytes| bytes.first_chunk());
    let word = bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes)) << (64 - 8 * KEY_BYTES[UNIT]);
    (word.wrapping_mul(SPREAD) >> (64 - KEY_BITS)) as u32
}
