//! The count of heaps of ballots, each at once, by vectors of 64 bytes.

use super::vote::{KEPT, MOST_SLOTS, NO_PARTY, Slot};

/// Stands for the winner of a cell that must be counted plainly; it is no slot's number.
pub(super) const UNCLEAR: Slot = Slot::MAX;

/// Writes the slot that decides each cell where that is clear: no tie, no majority without a class. [`UNCLEAR`] elsewhere, and
/// on processors without the vectors for it.
///
/// # Shape
/// A heap, its height and its winner for each cell.
pub(super) fn clear_winners(
    heaps: &[[Slot; KEPT]],
    heights: &[u8],
    parties: &[u8; 256],
    winners: &mut [Slot],
) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("bmi1")
    {
        #[expect(unsafe_code, reason = "the processor has the instructions")]
        unsafe {
            vectors::clear_winners(heaps, heights, parties, winners);
        }
        return;
    }
    let _ = (heaps, heights, parties);
    winners.fill(UNCLEAR);
}

/// Adds the first ballots of a heap to the votes for each slot.
pub(super) fn count(ballots: usize, heap: &[Slot; KEPT], counts: &mut [u32; MOST_SLOTS]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("bmi1")
    {
        #[expect(unsafe_code, reason = "the processor has the instructions")]
        unsafe {
            vectors::count(ballots, heap, counts);
        }
        return;
    }
    count_one_by_one(ballots, heap, counts);
}

fn count_one_by_one(ballots: usize, heap: &[Slot; KEPT], counts: &mut [u32; MOST_SLOTS]) {
    for &ballot in &heap[..ballots] {
        counts[usize::from(ballot)] += 1;
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{__m512i, _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8};

    use super::{KEPT, MOST_SLOTS, NO_PARTY, Slot, UNCLEAR};

    /// One bit for each ballot.
    type Bits = u128;

    /// A heap, to be asked which of its ballots are the same.
    struct Heap(__m512i, __m512i);

    impl Heap {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn load(heap: &[Slot; KEPT]) -> Self {
            let (halves, _) = heap.as_chunks::<64>();
            Self(load(&halves[0]), load(&halves[1]))
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn same(&self, slot: Slot) -> Bits {
            let slot = _mm512_set1_epi8(slot as i8);
            let low = _mm512_cmpeq_epi8_mask(self.0, slot);
            let high = _mm512_cmpeq_epi8_mask(self.1, slot);
            Bits::from(low) | Bits::from(high) << 64
        }
    }

    /// The votes for a class.
    #[derive(Clone, Copy)]
    struct Party {
        number: u8,
        votes: u32,
        /// Its slot with most votes.
        leader: Slot,
        of_leader: u32,
        /// Whether another slot of it has as many.
        leaders_tied: bool,
    }

    impl Party {
        const NONE: Self = Self { number: NO_PARTY, votes: 0, leader: 0, of_leader: 0, leaders_tied: false };

        fn add(&mut self, slot: Slot, votes: u32) {
            self.votes += votes;
            self.leaders_tied = votes == self.of_leader || (self.leaders_tied && votes < self.of_leader);
            if votes > self.of_leader {
                (self.leader, self.of_leader) = (slot, votes);
            }
        }
    }

    /// Parties that are told apart; where there are more, counting is left to others.
    const MOST_PARTIES: usize = 8;

    #[target_feature(enable = "avx512f,avx512bw,popcnt,bmi1")]
    pub(super) fn clear_winners(
        heaps: &[[Slot; KEPT]],
        heights: &[u8],
        parties: &[u8; 256],
        winners: &mut [Slot],
    ) {
        for ((heap, &height), winner) in heaps.iter().zip(heights).zip(winners) {
            *winner = clear_winner(usize::from(height), heap, parties).unwrap_or(UNCLEAR);
        }
    }

    /// Counts slot after slot, the frequent ones soon, and adds them up by party.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,popcnt,bmi1")]
    fn clear_winner(ballots: usize, heap: &[Slot; KEPT], parties: &[u8; 256]) -> Option<Slot> {
        let bytes = Heap::load(heap);
        let mut rest = first(ballots);
        // One in the middle of many most often speaks for more than half of them.
        let slot = heap[ballots / 2 % KEPT];
        let votes = (bytes.same(slot) & rest).count_ones();
        if 2 * votes > ballots as u32 && parties[usize::from(slot)] != NO_PARTY {
            return Some(slot);
        }
        let mut met = [Party::NONE; MOST_PARTIES];
        let (mut parties_met, mut valid) = (0, 0);
        while rest != 0 {
            let slot = heap[rest.trailing_zeros() as usize % KEPT];
            let same = bytes.same(slot) & rest;
            rest &= !same;
            let (number, votes) = (parties[usize::from(slot)], same.count_ones());
            if number == NO_PARTY {
                continue;
            }
            valid += votes;
            let known = met[..parties_met].iter().position(|party| party.number == number);
            let at = known.unwrap_or(parties_met);
            let party = met.get_mut(at)?;
            parties_met = parties_met.max(at + 1);
            party.number = number;
            party.add(slot, votes);
        }
        if valid == 0 || 2 * valid < ballots as u32 {
            return None;
        }
        let met = &met[..parties_met];
        let best = met.iter().max_by_key(|party| party.votes)?;
        let tied = best.leaders_tied || met.iter().filter(|party| party.votes == best.votes).count() > 1;
        (!tied).then_some(best.leader)
    }

    /// Slot after slot, as many as there are.
    #[target_feature(enable = "avx512f,avx512bw,popcnt,bmi1")]
    pub(super) fn count(ballots: usize, heap: &[Slot; KEPT], counts: &mut [u32; MOST_SLOTS]) {
        let bytes = Heap::load(heap);
        let mut rest = first(ballots);
        while rest != 0 {
            let slot = heap[rest.trailing_zeros() as usize % KEPT];
            let same = bytes.same(slot) & rest;
            rest &= !same;
            counts[usize::from(slot)] += same.count_ones();
        }
    }

    /// The bits of the first ballots.
    fn first(ballots: usize) -> Bits {
        if ballots < KEPT { (1 << ballots) - 1 } else { Bits::MAX }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(bytes: &[u8; 64]) -> __m512i {
        #[expect(unsafe_code, reason = "64 bytes are read from 64 bytes, wherever they lie")]
        unsafe {
            _mm512_loadu_si512(bytes.as_ptr().cast())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_way_counts_the_same(
            heap in proptest::collection::vec(prop_oneof![3 => 0u8..5, 1 => 0u8..255], KEPT),
            ballots in 0usize..=KEPT,
            before in 0u32..100,
        ) {
            let heap: [Slot; KEPT] = heap.try_into().unwrap();
            let (mut found, mut expected) = ([before; MOST_SLOTS], [before; MOST_SLOTS]);
            count(ballots, &heap, &mut found);
            count_one_by_one(ballots, &heap, &mut expected);
            prop_assert_eq!(found, expected);
        }
    }
}
