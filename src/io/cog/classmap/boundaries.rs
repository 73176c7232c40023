//! Finds where the value changes along a block.

use super::lanes::{LANES, Lanes};

/// Fills `boundaries` with 0, the place of each value that differs from the one before it, and the length of
/// `raw`, in bytes and ascending; false if there are more than `limit`.
///
/// `raw` holds values of `UNIT` bytes. Rows do not matter: the last value of a row comes before the first of the next.
#[inline(always)]
pub fn find_boundaries<const UNIT: usize>(
    lanes: impl Lanes,
    raw: &[u8],
    limit: usize,
    boundaries: &mut Vec<u32>,
) -> bool {
    boundaries.clear();
    boundaries.push(0);
    let mut at = UNIT;
    while let (Some(before), Some(now)) = (chunk(raw, at.wrapping_sub(UNIT)), chunk(raw, at)) {
        let mut changes = !equal_values::<UNIT>(lanes.equal(before, now)) & FIRST_BYTES[UNIT];
        while changes != 0 {
            boundaries.push(at as u32 + changes.trailing_zeros());
            changes &= changes - 1;
        }
        if boundaries.len() > limit {
            return false;
        }
        at += LANES;
    }
    let changes = (at..raw.len()).step_by(UNIT).filter(|at| raw[at - UNIT..*at] != raw[*at..at + UNIT]);
    boundaries.extend(changes.map(|at| at as u32));
    if !raw.is_empty() {
        boundaries.push(raw.len() as u32);
    }
    boundaries.len() <= limit
}

/// Bits of a mask over bytes that stand for the first byte of a value, by width.
const FIRST_BYTES: [u32; 5] = [0, 0xffff_ffff, 0x5555_5555, 0, 0x1111_1111];

/// Makes the bit of a value's first byte say whether all its bytes are equal.
#[inline(always)]
fn equal_values<const UNIT: usize>(bytes: u32) -> u32 {
    let pairs = if UNIT >= 2 { bytes & bytes >> 1 } else { bytes };
    if UNIT == 4 { pairs & pairs >> 2 } else { pairs }
}

#[inline(always)]
fn chunk(raw: &[u8], at: usize) -> Option<&[u8; LANES]> {
    raw.get(at..)?.first_chunk()
}
