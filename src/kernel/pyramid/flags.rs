//! Flags of a byte each: finding the few that are set.

/// Calls `act` with the position of every flag that is 1, in ascending order; the others are 0.
#[inline(always)]
pub(super) fn each_set(flags: &[u8], mut act: impl FnMut(usize)) {
    let (words, rest) = flags.as_chunks::<8>();
    let (lines, words_rest) = words.as_chunks::<8>();
    for (line, words) in lines.iter().enumerate() {
        let mut bits = 0;
        for (position, word) in words.iter().enumerate() {
            bits |= bits_of(*word) << (8 * position);
        }
        while bits != 0 {
            act(64 * line + bits.trailing_zeros() as usize);
            bits &= bits - 1;
        }
    }
    let start = 64 * lines.len();
    for (position, &flag) in words_rest.as_flattened().iter().chain(rest).enumerate() {
        if flag != 0 {
            act(start + position);
        }
    }
}

/// Bit i is set where byte i is 1.
#[inline(always)]
fn bits_of(flags: [u8; 8]) -> u64 {
    // Byte i is moved to bit 56 + i by the bit 56 - 7i of the factor; no two products meet in one bit.
    u64::from_le_bytes(flags).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_set_flag_is_found_once(flags in proptest::collection::vec(0u8..2, 0..300)) {
            let mut found = Vec::new();
            each_set(&flags, |position| found.push(position));
            let expected: Vec<_> = (0..flags.len()).filter(|&position| flags[position] == 1).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
