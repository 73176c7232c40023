//! Counts of many classes side by side in the bytes of machine words.

/// Counts of `8 * W` classes, at most 255 each: the first in the lowest byte of the first word.
pub(super) type Counts<const W: usize> = [u64; W];

/// One class counted `n` times.
pub(super) fn only<const W: usize>(lane: usize, n: u8) -> Counts<W> {
    let mut counts = [0; W];
    counts[lane / 8] = u64::from(n) << (8 * (lane % 8));
    counts
}

/// Adds counts; no class may pass 255.
#[inline]
pub(super) fn add<const W: usize>(sum: &mut Counts<W>, counts: &Counts<W>) {
    for (sum, counts) in sum.iter_mut().zip(counts) {
        *sum = sum.wrapping_add(*counts);
    }
}

/// The count of a class.
#[inline]
pub(super) fn count<const W: usize>(counts: &Counts<W>, lane: usize) -> u8 {
    (counts[lane / 8] >> (8 * (lane % 8))) as u8
}

/// The largest count, how many classes have it, and the first of them. `W` is even.
#[inline]
pub(super) fn largest<const W: usize>(counts: &Counts<W>) -> (u8, usize, usize) {
    let (pairs, _) = counts.as_chunks::<2>();
    let most = sixteen::largest(pairs);
    let (mut tied, mut first) = (0, 0);
    for (position, pair) in pairs.iter().enumerate() {
        let equal = sixteen::equal(pair, most);
        if tied == 0 {
            first = 16 * position + equal.trailing_zeros() as usize;
        }
        tied += equal.count_ones() as usize;
    }
    (most, tied, first)
}

/// Every x86-64 processor has these instructions.
#[cfg(target_arch = "x86_64")]
mod sixteen {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_cvtsi128_si32, _mm_max_epu8, _mm_movemask_epi8, _mm_set_epi64x,
        _mm_set1_epi8, _mm_setzero_si128, _mm_srli_si128,
    };

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(pair: &[u64; 2]) -> __m128i {
        _mm_set_epi64x(pair[1] as i64, pair[0] as i64)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn largest_here(pairs: &[[u64; 2]]) -> u8 {
        let mut most = _mm_setzero_si128();
        for pair in pairs {
            most = _mm_max_epu8(most, load(pair));
        }
        let most = _mm_max_epu8(most, _mm_srli_si128::<8>(most));
        let most = _mm_max_epu8(most, _mm_srli_si128::<4>(most));
        let most = _mm_max_epu8(most, _mm_srli_si128::<2>(most));
        let most = _mm_max_epu8(most, _mm_srli_si128::<1>(most));
        _mm_cvtsi128_si32(most) as u8
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn equal_here(pair: &[u64; 2], most: u8) -> u32 {
        _mm_movemask_epi8(_mm_cmpeq_epi8(load(pair), _mm_set1_epi8(most as i8))) as u32
    }

    #[inline]
    pub(super) fn largest(pairs: &[[u64; 2]]) -> u8 {
        #[expect(unsafe_code, reason = "SSE2 is part of x86-64")]
        unsafe {
            largest_here(pairs)
        }
    }

    /// Bit i is set where byte i is `most`.
    #[inline]
    pub(super) fn equal(pair: &[u64; 2], most: u8) -> u32 {
        #[expect(unsafe_code, reason = "SSE2 is part of x86-64")]
        unsafe {
            equal_here(pair, most)
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
use plain as sixteen;

/// The same for every other processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod plain {
    pub(super) fn largest(pairs: &[[u64; 2]]) -> u8 {
        pairs.iter().flatten().flat_map(|word| word.to_le_bytes()).max().unwrap_or(0)
    }

    pub(super) fn equal(pair: &[u64; 2], most: u8) -> u32 {
        let bytes = pair.iter().flat_map(|word| word.to_le_bytes());
        bytes.enumerate().fold(0, |mask, (lane, n)| mask | u32::from(n == most) << lane)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_of_words_are_counts(counts in proptest::collection::vec(0u8..100, 32), lane in 0usize..32) {
            let mut sum = [0; 4];
            counts.iter().enumerate().for_each(|(lane, &n)| add(&mut sum, &only(lane, n)));
            add(&mut sum, &only(lane, 100));
            let expected = counts[lane] + 100;
            prop_assert_eq!(count(&sum, lane), expected);
            prop_assert_eq!(largest(&sum), (expected, 1, lane));
        }

        #[test]
        fn the_processors_instructions_agree_with_plain_code(
            words in proptest::collection::vec(prop_oneof![any::<u64>(), Just(0x0101_0101_0101_0101), Just(0)], 6),
        ) {
            let (pairs, _) = words.as_chunks::<2>();
            prop_assert_eq!(sixteen::largest(pairs), plain::largest(pairs));
            for pair in pairs {
                let most = plain::largest(pairs);
                prop_assert_eq!(sixteen::equal(pair, most), plain::equal(pair, most));
            }
        }
    }
}
