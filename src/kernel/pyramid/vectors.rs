//! The fast way with what vectors the processor has: one code, compiled for each.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::block::{Place, Tiles};
use super::lists::LevelCounts;
use crate::kernel::ClassValue;

/// Instructions that the fast way is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vectors {
    /// What every processor of the kind has.
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Vectors {
    /// All that this processor has, the best last.
    pub(super) fn able() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_mut, reason = "there is but one"))]
        let mut able = vec![Self::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            let bits = is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt");
            if bits && is_x86_feature_detected!("avx2") {
                able.push(Self::Avx2);
            }
            if bits
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vbmi")
            {
                able.push(Self::Avx512);
            }
        }
        able
    }

    /// The best that this processor has.
    pub(super) fn best() -> Self {
        Self::able().last().copied().unwrap_or(Self::Plain)
    }

    /// [`Tiles::make`].
    pub(super) fn make<T: ClassValue>(
        self,
        tiles: &mut Tiles<T>,
        block: ArrayView2<T>,
        place: &Place<T>,
        levels: &mut [ArrayViewMut2<T>],
    ) -> Option<LevelCounts<T>> {
        match self {
            Self::Plain => tiles.make(block, place, levels),
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the processor has the instructions")]
            Self::Avx2 => unsafe { avx2(tiles, block, place, levels) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the processor has the instructions")]
            Self::Avx512 => unsafe { avx512(tiles, block, place, levels) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn avx2<T: ClassValue>(
    tiles: &mut Tiles<T>,
    block: ArrayView2<T>,
    place: &Place<T>,
    levels: &mut [ArrayViewMut2<T>],
) -> Option<LevelCounts<T>> {
    tiles.make(block, place, levels)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2,lzcnt")]
fn avx512<T: ClassValue>(
    tiles: &mut Tiles<T>,
    block: ArrayView2<T>,
    place: &Place<T>,
    levels: &mut [ArrayViewMut2<T>],
) -> Option<LevelCounts<T>> {
    tiles.make(block, place, levels)
}
