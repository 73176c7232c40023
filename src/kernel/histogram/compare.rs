//! Compares many cells at once: the innermost steps of the histograms, with vectors of 64 bytes and without.

/// Cells that are compared in one step of [`differing`].
pub const STEP: usize = 64;

/// Cells of one code.
pub fn count_of(cells: &[u8], code: u8) -> usize {
    #[cfg(target_arch = "x86_64")]
    if let Some(count) = vectors::count_of(cells, code) {
        return count;
    }
    count_in_lines(cells, code)
}

/// Sets bit `i` of mask `k` where cell `64 k + i` is not the same in both maps; the other bits become 0.
///
/// # Shape
/// The maps are equally long, with one mask for every 64 cells begun.
pub fn differing(from: &[u8], to: &[u8], masks: &mut [u64]) {
    let (from_steps, from_rest) = from.as_chunks::<STEP>();
    let (to_steps, to_rest) = to.as_chunks::<STEP>();
    let (masks, last) = masks.split_at_mut(from_steps.len().min(masks.len()));
    #[cfg(target_arch = "x86_64")]
    let done = vectors::differing(from_steps, to_steps, masks);
    #[cfg(not(target_arch = "x86_64"))]
    let done = false;
    if !done {
        differing_steps(from_steps, to_steps, masks);
    }
    if let Some(mask) = last.first_mut() {
        let cells = from_rest.iter().zip(to_rest).enumerate();
        *mask = cells.fold(0, |mask, (i, (from, to))| mask | u64::from(from != to) << i);
    }
}

/// Cells that are counted in one byte: a multiple of what vectors hold, and no more than a byte counts.
const LINE: usize = 192;

fn count_in_lines(cells: &[u8], code: u8) -> usize {
    let (lines, rest) = cells.as_chunks::<LINE>();
    let mut count = 0;
    for line in lines {
        // One byte for the sum is what makes the compiler count in vectors of bytes.
        let n = line.iter().fold(0u8, |n, &cell| n + u8::from(cell == code));
        count += usize::from(n);
    }
    count + rest.iter().filter(|&&cell| cell == code).count()
}

fn differing_steps(from: &[[u8; STEP]], to: &[[u8; STEP]], masks: &mut [u64]) {
    for ((from, to), mask) in from.iter().zip(to).zip(masks) {
        *mask = 0;
        // Most cells of a map stay what they are: whole steps are told first.
        if from != to {
            let words = from.as_chunks::<8>().0.iter().zip(to.as_chunks::<8>().0).enumerate();
            *mask = words.fold(0, |mask, (i, (from, to))| mask | differing_in_word(*from, *to) << (8 * i));
        }
    }
}

/// One bit for each of eight bytes, set where they differ.
fn differing_in_word(from: [u8; 8], to: [u8; 8]) -> u64 {
    const LOW: u64 = u64::MAX / 255 * 0x7F;
    let difference = u64::from_le_bytes(from) ^ u64::from_le_bytes(to);
    // The highest bit of each byte that differs...
    let differing = (((difference & LOW) + LOW) | difference) & !LOW;
    // ...gathered in the top byte of a product, each in its place and none on another.
    (differing >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{
        __m512i, _mm512_cmpeq_epi8_mask, _mm512_cmpneq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8,
    };

    use super::STEP;

    fn able() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("popcnt")
    }

    /// None if the processor cannot do it.
    pub(super) fn count_of(cells: &[u8], code: u8) -> Option<usize> {
        #[expect(unsafe_code, reason = "the processor has the instructions")]
        able().then(|| unsafe { count_in_steps(cells, code) })
    }

    /// Whether the processor can do it; then it is done.
    pub(super) fn differing(from: &[[u8; STEP]], to: &[[u8; STEP]], masks: &mut [u64]) -> bool {
        let able = able();
        if able {
            #[expect(unsafe_code, reason = "the processor has the instructions")]
            unsafe {
                differing_steps(from, to, masks);
            }
        }
        able
    }

    #[target_feature(enable = "avx512f,avx512bw,popcnt")]
    fn count_in_steps(cells: &[u8], code: u8) -> usize {
        let (steps, rest) = cells.as_chunks::<STEP>();
        let wanted = _mm512_set1_epi8(code.cast_signed());
        let count = |step| _mm512_cmpeq_epi8_mask(load(step), wanted).count_ones() as usize;
        steps.iter().map(count).sum::<usize>() + rest.iter().filter(|&&cell| cell == code).count()
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    fn differing_steps(from: &[[u8; STEP]], to: &[[u8; STEP]], masks: &mut [u64]) {
        for ((from, to), mask) in from.iter().zip(to).zip(masks) {
            *mask = _mm512_cmpneq_epi8_mask(load(from), load(to));
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(bytes: &[u8; STEP]) -> __m512i {
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

    #[test]
    fn a_counter_is_never_full() {
        for n in [0, 1, 31, 32, 63, 64, 191, 255, 256, 8064, 8065] {
            assert_eq!([count_of(&vec![3; n], 3), count_of(&vec![3; n], 4)], [n, 0]);
            assert_eq!([count_in_lines(&vec![3; n], 3), count_in_lines(&vec![3; n], 4)], [n, 0]);
        }
    }

    proptest! {
        #[test]
        fn every_way_agrees_with_one_cell_at_a_time(
            cells in proptest::collection::vec((0u8..5, 250u8..=255, any::<bool>()), 0..700),
            at in 0usize..70,
        ) {
            let from: Vec<u8> = cells.iter().map(|cell| cell.0).collect();
            let to: Vec<u8> = cells.iter().map(|cell| if cell.2 { cell.0 } else { cell.1 }).collect();
            let (from, to) = (&from[at.min(from.len())..], &to[at.min(to.len())..]);
            for code in [0, 3, 254] {
                let expected = to.iter().filter(|&&cell| cell == code).count();
                prop_assert_eq!([count_of(to, code), count_in_lines(to, code)], [expected; 2]);
            }
            let bit = |cell: usize| from.get(cell).zip(to.get(cell)).is_some_and(|(from, to)| from != to);
            let mask = |k: usize| (0..STEP).fold(0, |mask, i| mask | u64::from(bit(STEP * k + i)) << i);
            let expected: Vec<u64> = (0..from.len().div_ceil(STEP)).map(mask).collect();
            let mut masks = vec![7; expected.len()];
            differing(from, to, &mut masks);
            prop_assert_eq!(&masks, &expected);
            let (from, to) = (from.as_chunks().0, to.as_chunks().0);
            differing_steps(from, to, &mut masks[..from.len()]);
            prop_assert_eq!(&masks, &expected);
        }
    }
}
