//! The verbs: pure functions on blocks of cells. They open no file, know no path and no configuration.
//!
//! The verbs of the line are [`reclass`], [`align`], [`mosaic`], [`fringe`], [`edit`], [`combine`] (layers of zones), [`tabulate`],
//! [`official`] (published change), [`change`], [`fraction`] and [`pyramid`]; [`weigh`] tells them how large cells are, on grids whose cells differ. Most class maps are
//! bytes, and what takes time on bytes stands alone: [`histogram`] counts codes and pairs of codes, [`lookup`] maps codes,
//! [`runs`] tells whether cells are alike, [`change::change_bytes`] codes changes. Fast ways give the very results of the
//! plain ones they are tested against.

pub mod align;
pub mod change;
pub mod combine;
pub mod edit;
pub mod fraction;
pub mod fringe;
pub mod gaps;
pub mod histogram;
pub mod landscape;
pub mod lookup;
pub mod mosaic;
pub mod official;
pub mod pyramid;
pub mod reclass;
pub mod runs;
pub mod seam;
pub mod sliver;
pub mod tabulate;
pub mod weigh;

/// A value that stands for a class in a block.
pub trait ClassValue: Copy + Ord + Send + Sync + std::fmt::Debug + 'static {
    /// The class code.
    fn code(self) -> i32;
    /// The value of a class code; `None` where it does not fit.
    fn from_code(code: i32) -> Option<Self>;
    /// The cells as bytes, if that is what they are.
    fn bytes(_cells: &[Self]) -> Option<&[u8]> {
        None
    }
    /// The cells as bytes to write, if that is what they are.
    fn bytes_mut(_cells: &mut [Self]) -> Option<&mut [u8]> {
        None
    }
    /// Appends the cells in little-endian order.
    fn extend_le(cells: &[Self], out: &mut Vec<u8>);
}

macro_rules! class_value {
    ($($type:ty $({ $($own:item)* })?),*) => {$(
        impl ClassValue for $type {
            $($($own)*)?
            #[inline]
            fn code(self) -> i32 {
                i32::from(self)
            }
            #[inline]
            fn from_code(code: i32) -> Option<Self> {
                Self::try_from(code).ok()
            }
            #[inline]
            fn extend_le(cells: &[Self], out: &mut Vec<u8>) {
                let first = out.len();
                out.resize(first + size_of_val(cells), 0);
                for (bytes, cell) in out[first..].as_chunks_mut().0.iter_mut().zip(cells) {
                    *bytes = cell.to_le_bytes();
                }
            }
        }
    )*};
}
class_value!(
    u8 {
        fn bytes(cells: &[u8]) -> Option<&[u8]> {
            Some(cells)
        }
        fn bytes_mut(cells: &mut [u8]) -> Option<&mut [u8]> {
            Some(cells)
        }
    },
    u16,
    i32
);
