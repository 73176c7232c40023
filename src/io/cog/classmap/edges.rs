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
const LITERAL_COST: [u32; 5] = [0, 13, 16, 0, 13];

/// The same of a match inside a run.
const RUN_COST: u32 = 24;

/// Bits, about and in quarters, of so many equal bytes; `inside` a run the value before them is, too.
///
/// It is looked up: which case it is would be guessed wrongly too often.
#[inline(always)]
pub fn run_cost<const UNIT: usize>(bytes: u32, inside: bool) -> u32 {
    let costs: &[[u32; 8]; 2] = &const { run_costs(UNIT) };
    costs[usize::from(inside)][(bytes as usize).min(UNIT + MIN_MATCH)]
}

/// What [`run_cost`] gives of 0, 1, 2, … bytes, outside a run and inside; from `unit` and [`MIN_MATCH`] bytes on it is the
/// same.
const fn run_costs(unit: usize) -> [[u32; 8]; 2] {
    let mut costs = [[0; 8]; 2];
    let mut bytes = 1;
    while bytes <= unit + MIN_MATCH {
        let first = if bytes < unit { bytes } else { unit };
        costs[0][bytes] = LITERAL_COST[unit] * first as u32 + repeated_cost(unit, bytes - first);
        costs[1][bytes] = repeated_cost(unit, bytes);
        bytes += 1;
    }
    costs
}

/// The same of bytes that repeat the value before them.
const fn repeated_cost(unit: usize, bytes: usize) -> u32 {
    if bytes < MIN_MATCH { LITERAL_COST[unit] * bytes as u32 } else { RUN_COST }
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
