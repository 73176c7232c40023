//! Finds where the value changes along a block.

use super::lanes::{LANES, Lanes};

/// The places where the value changes, and room for more that is kept from block to block.
#[derive(Debug, Default)]
pub struct Boundaries {
    places: Vec<u32>,
    count: usize,
}

/// Places that are written at once, however many there are.
const GROUP: usize = 8;

/// Bytes that are looked at in one step.
const STEP: usize = 2 * LANES;

impl Boundaries {
    pub fn places(&self) -> &[u32] {
        self.places.get(..self.count).unwrap_or_default()
    }

    /// Replaces the content by 0, the place of each value that differs from the one before it, and the length of
    /// `raw`, in bytes and ascending; false if there are more than `limit`.
    ///
    /// `raw` holds values of `UNIT` bytes. Rows do not matter: the last value of a row comes before the first of the
    /// next.
    #[inline(always)]
    pub fn find<const UNIT: usize>(&mut self, lanes: impl Lanes, raw: &[u8], limit: usize) -> bool {
        let room = limit.min(raw.len() / UNIT + 2) + STEP + GROUP;
        if self.places.len() < room {
            self.places.resize(room, 0);
        }
        let places = self.places.as_mut_slice();
        places[0] = 0;
        let (mut count, mut at) = (1, UNIT);
        while let (Some(before), Some(now)) = (step(raw, at.wrapping_sub(UNIT)), step(raw, at)) {
            let equal =
                u64::from(lanes.equal(before.0, now.0)) | u64::from(lanes.equal(before.1, now.1)) << LANES;
            let mut changes = !equal_values::<UNIT>(equal) & FIRST_BYTES[UNIT];
            if changes != 0 {
                let found = changes.count_ones() as usize;
                // How many they are is as good as random, and a wrong guess costs more than a few places too many.
                for first in (0..found).step_by(GROUP) {
                    let Some(group) = places.get_mut(count + first..).and_then(|room| room.first_chunk_mut())
                    else {
                        return false;
                    };
                    let group: &mut [u32; GROUP] = group;
                    for place in group {
                        *place = at as u32 + changes.trailing_zeros();
                        changes &= changes.wrapping_sub(1);
                    }
                }
                count += found;
                if count > limit {
                    return false;
                }
            }
            at += STEP;
        }
        let changes = (at..raw.len()).step_by(UNIT).filter(|at| raw[at - UNIT..*at] != raw[*at..at + UNIT]);
        let end = (!raw.is_empty()).then_some(raw.len());
        for (place, at) in places[count..].iter_mut().zip(changes.chain(end)) {
            *place = at as u32;
            count += 1;
        }
        self.count = count;
        count <= limit
    }
}

/// Bits of a mask over bytes that stand for the first byte of a value, by width.
const FIRST_BYTES: [u64; 5] = [0, u64::MAX, 0x5555_5555_5555_5555, 0, 0x1111_1111_1111_1111];

/// Makes the bit of a value's first byte say whether all its bytes are equal.
#[inline(always)]
fn equal_values<const UNIT: usize>(bytes: u64) -> u64 {
    let pairs = if UNIT >= 2 { bytes & bytes >> 1 } else { bytes };
    if UNIT == 4 { pairs & pairs >> 2 } else { pairs }
}

#[inline(always)]
fn step(raw: &[u8], at: usize) -> Option<(&[u8; LANES], &[u8; LANES])> {
    let step: &[u8; STEP] = raw.get(at..)?.first_chunk()?;
    Some((step.first_chunk()?, step.last_chunk()?))
}
