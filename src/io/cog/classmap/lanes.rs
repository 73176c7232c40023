//! Compares bytes 32 at a time: the innermost step of the encoder, with and without SIMD.
//!
//! [`Portable`] is the reference in plain Rust; a property test holds the others to it, so that a file does not
//! depend on the processor it was written on. The step compares bytes, not values: it serves every sample width.

/// Number of bytes that are compared in one step.
pub const LANES: usize = 32;

/// Compares blocks of [`LANES`] bytes.
pub trait Lanes: Copy {
    /// Gives a mask whose bit `i` is set where `left[i]` and `right[i]` are equal.
    fn equal(self, left: &[u8; LANES], right: &[u8; LANES]) -> u32;
}

/// Plain Rust, for every processor.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl Lanes for Portable {
    #[inline(always)]
    fn equal(self, left: &[u8; LANES], right: &[u8; LANES]) -> u32 {
        let (left, right) = (words(left), words(right));
        (0..4).fold(0, |mask, word| mask | equal_in_word(left[word], right[word]) << (8 * word))
    }
}

/// The mask of [`Lanes::equal`] for 8 bytes.
#[inline(always)]
fn equal_in_word(left: u64, right: u64) -> u32 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let different = left ^ right;
    // The top bit of a byte says whether the two bytes are equal.
    let equal = !(((different & LOW) + LOW) | different | LOW);
    // The product gathers the eight bits in its top byte, each in its place and none on another.
    ((equal >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
}

/// Bytes as four little-endian words.
#[inline(always)]
fn words(bytes: &[u8; LANES]) -> [u64; 4] {
    let (words, _) = bytes.as_chunks::<8>();
    let word = |at: usize| u64::from_le_bytes(words[at]);
    [word(0), word(1), word(2), word(3)]
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Sse2};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm256_cmpeq_epi8,
        _mm256_movemask_epi8, _mm256_set_epi64x,
    };

    use super::{LANES, Lanes, words};

    /// Twice 16 lanes; every x86-64 processor has them.
    #[derive(Debug, Clone, Copy)]
    pub struct Sse2;

    impl Lanes for Sse2 {
        #[inline(always)]
        #[expect(unsafe_code, reason = "intrinsics of a feature that every x86-64 processor has")]
        fn equal(self, left: &[u8; LANES], right: &[u8; LANES]) -> u32 {
            // SAFETY: SSE2 belongs to x86-64.
            unsafe { equal_sse2(left, right) }
        }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn equal_sse2(left: &[u8; LANES], right: &[u8; LANES]) -> u32 {
        let (left, right) = (words(left), words(right));
        let half =
            |words: [u64; 4], first: usize| _mm_set_epi64x(words[first + 1] as i64, words[first] as i64);
        let mask =
            |first: usize| _mm_movemask_epi8(_mm_cmpeq_epi8(half(left, first), half(right, first))) as u32;
        mask(0) | mask(2) << 16
    }

    /// 32 lanes of a processor with AVX2.
    #[derive(Debug, Clone, Copy)]
    pub struct Avx2(());

    impl Avx2 {
        /// Asks the processor.
        pub fn detect() -> Option<Self> {
            is_x86_feature_detected!("avx2").then_some(Self(()))
        }
    }

    impl Lanes for Avx2 {
        #[inline(always)]
        #[expect(unsafe_code, reason = "AVX2 is known at run time only; twice the lanes make the parse faster")]
        fn equal(self, left: &[u8; LANES], right: &[u8; LANES]) -> u32 {
            // SAFETY: an `Avx2` exists only where `detect` found the feature.
            unsafe { equal_avx2(left, right) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal_avx2(left: &[u8; LANES], right: &[u8; LANES]) -> u32 {
        let whole = |bytes: &[u8; LANES]| -> __m256i {
            let words = words(bytes);
            _mm256_set_epi64x(words[3] as i64, words[2] as i64, words[1] as i64, words[0] as i64)
        };
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(whole(left), whole(right))) as u32
    }
}
