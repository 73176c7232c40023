//! The innermost steps of the encoder, with and without SIMD: comparing many bytes or many earlier places at once.
//!
//! What is not overridden here is plain Rust; property tests hold the others to it, so that a file does not depend
//! on the processor it was written on. Comparisons are of bytes, not values: they serve every sample width.

use super::bucket::{Bucket, Query, Rated};

/// Number of bytes that are compared in one step.
pub const LANES: usize = 32;

/// Compares blocks of [`LANES`] bytes, and works on the entries of a bucket.
pub trait Lanes: Copy {
    /// Gives a mask whose bit `i` is set where `left[i]` and `right[i]` are equal.
    fn equal(self, left: &[u8; LANES], right: &[u8; LANES]) -> u32;

    /// [`Bucket::push`]
    #[inline(always)]
    fn push(self, bucket: &mut Bucket, entry: u32) {
        bucket.push(entry);
    }

    /// [`Bucket::rate`]
    #[inline(always)]
    fn rate(self, bucket: &Bucket, query: Query) -> Rated {
        bucket.rate(query)
    }
}

/// Plain Rust, for every processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[derive(Debug, Clone, Copy, Default)]
pub struct Portable;

#[cfg(any(test, not(target_arch = "x86_64")))]
impl Lanes for Portable {
    #[inline(always)]
    fn equal(self, left: &[u8; LANES], right: &[u8; LANES]) -> u32 {
        let (left, right) = (words(left), words(right));
        (0..4).fold(0, |mask, word| mask | equal_in_word(left[word], right[word]) << (8 * word))
    }
}

/// The mask of [`Lanes::equal`] for 8 bytes.
#[cfg(any(test, not(target_arch = "x86_64")))]
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

/// The fastest lanes every processor of this architecture has.
#[cfg(target_arch = "x86_64")]
pub type Native = sse2::Sse2;

/// The fastest lanes every processor of this architecture has.
#[cfg(not(target_arch = "x86_64"))]
pub type Native = Portable;

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x};

    use super::{LANES, Lanes, words};

    /// Twice 16 lanes.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct Sse2;

    impl Lanes for Sse2 {
        #[inline(always)]
        #[expect(unsafe_code, reason = "intrinsics; a tenth to a fifth faster than plain Rust")]
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
}
