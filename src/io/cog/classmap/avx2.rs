//! The innermost steps with AVX2: 32 bytes or eight earlier places in one instruction.

use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_andnot_si256, _mm256_blend_epi32, _mm256_blendv_epi8,
    _mm256_cmpeq_epi8, _mm256_cmpgt_epi32, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
    _mm256_permutevar8x32_epi32, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_srli_epi32,
    _mm256_storeu_si256, _mm256_sub_epi32,
};

use super::bucket::{Bucket, Eight, Query, RUN_BITS, RUN_MASK, Rated, UNABLE};
use super::lanes::{LANES, Lanes};
use super::token::WINDOW;

/// 32 lanes at once. A value of this type proves that the processor has the instructions.
#[derive(Debug, Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    /// None if the processor lacks AVX2 or one of the small extensions that came with it or before.
    pub fn detect() -> Option<Self> {
        let able = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        able.then_some(Self(()))
    }
}

impl Lanes for Avx2 {
    #[inline(always)]
    #[expect(unsafe_code, reason = "intrinsics")]
    fn equal(self, left: &[u8; LANES], right: &[u8; LANES]) -> u32 {
        // SAFETY: only `detect` makes a value of this type.
        unsafe { equal(left, right) }
    }

    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "intrinsics; eight entries written in parts would stall the next that reads them"
    )]
    fn push(self, bucket: &mut Bucket, entry: u32) {
        // SAFETY: only `detect` makes a value of this type.
        unsafe { push(bucket, entry) }
    }

    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "intrinsics; the compiler makes four times as many instructions of plain Rust"
    )]
    fn rate(self, bucket: &Bucket, query: Query) -> Rated {
        // SAFETY: only `detect` makes a value of this type.
        unsafe { rate(bucket, query) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal(left: &[u8; LANES], right: &[u8; LANES]) -> u32 {
    _mm256_movemask_epi8(_mm256_cmpeq_epi8(load_bytes(left), load_bytes(right))) as u32
}

#[inline]
#[target_feature(enable = "avx2")]
fn push(bucket: &mut Bucket, entry: u32) {
    let moved =
        _mm256_permutevar8x32_epi32(load(bucket.entries()), _mm256_setr_epi32(0, 0, 1, 2, 3, 4, 5, 6));
    *bucket.entries_mut() = store(_mm256_blend_epi32::<1>(moved, all(entry as i32)));
}

#[inline]
#[target_feature(enable = "avx2")]
fn rate(bucket: &Bucket, query: Query) -> Rated {
    let entries = load(bucket.entries());
    // All numbers are below 2^23, so that comparisons with a sign do.
    let distances =
        _mm256_sub_epi32(all(query.entry_place as i32), _mm256_srli_epi32::<{ RUN_BITS as i32 }>(entries));
    let short = _mm256_cmpgt_epi32(all(query.run as i32), _mm256_and_si256(entries, all(RUN_MASK as i32)));
    let far = _mm256_cmpgt_epi32(distances, all(WINDOW as i32));
    let unable = _mm256_or_si256(short, far);
    let scores = _mm256_sub_epi32(all(query.score), distances);
    Rated {
        places: store(_mm256_sub_epi32(all(query.place as i32), _mm256_andnot_si256(unable, distances))),
        scores: store(_mm256_blendv_epi8(scores, all(UNABLE), unable)).map(|score| score as i32),
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn all(value: i32) -> __m256i {
    _mm256_set1_epi32(value)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_bytes(bytes: &[u8; LANES]) -> __m256i {
    #[expect(unsafe_code, reason = "32 bytes are read from 32 bytes, wherever they lie")]
    unsafe {
        _mm256_loadu_si256(bytes.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(words: &Eight) -> __m256i {
    #[expect(unsafe_code, reason = "32 bytes are read from 32 bytes, wherever they lie")]
    unsafe {
        _mm256_loadu_si256(words.as_ptr().cast())
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(vector: __m256i) -> Eight {
    let mut words = [0; 8];
    #[expect(unsafe_code, reason = "32 bytes are written to 32 bytes, wherever they lie")]
    unsafe {
        _mm256_storeu_si256(words.as_mut_ptr().cast(), vector);
    }
    words
}
