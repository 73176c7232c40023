//! The fast way with what vectors the processor has: one code, compiled for each.

use super::tile::{Cells, Place, Tile};
use crate::kernel::ClassValue;

/// Instructions that code is compiled for.
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
    /// All this processor can run, the best one last.
    pub(super) fn able() -> Vec<Self> {
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

    /// The best this processor can run.
    pub(super) fn best() -> Self {
        Self::able().last().copied().unwrap_or(Self::Plain)
    }

    /// [`Tile::make`].
    pub(super) fn make<T: ClassValue>(
        self,
        tile: &mut Tile<T>,
        cells: &Cells<T>,
        nodata: T,
        place: &Place,
    ) -> bool {
        match self {
            Self::Plain => tile.make(cells, nodata, place),
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the processor has the instructions")]
            Self::Avx2 => unsafe { avx2(tile, cells, nodata, place) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the processor has the instructions")]
            Self::Avx512 => unsafe { avx512(tile, cells, nodata, place) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
fn avx2<T: ClassValue>(tile: &mut Tile<T>, cells: &Cells<T>, nodata: T, place: &Place) -> bool {
    tile.make(cells, nodata, place)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,bmi1,bmi2,lzcnt")]
fn avx512<T: ClassValue>(tile: &mut Tile<T>, cells: &Cells<T>, nodata: T, place: &Place) -> bool {
    tile.make(cells, nodata, place)
}
