//! The types of cells that are written.

use super::shape::BLOCK;

/// Names the type of a cell's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SampleType {
    /// 8-bit unsigned.
    U8,
    /// 8-bit signed.
    I8,
    /// 16-bit unsigned.
    U16,
    /// 16-bit signed.
    I16,
    /// 32-bit unsigned.
    U32,
    /// 32-bit signed.
    I32,
}

impl SampleType {
    /// Lists every type.
    pub const ALL: [Self; 6] = [Self::U8, Self::I8, Self::U16, Self::I16, Self::U32, Self::I32];

    /// Gives the width of a value, in bits.
    pub const fn bits(self) -> u16 {
        match self {
            Self::U8 | Self::I8 => 8,
            Self::U16 | Self::I16 => 16,
            Self::U32 | Self::I32 => 32,
        }
    }

    /// Gives the value of TIFF tag 339: 1 for unsigned, 2 for signed.
    ///
    /// # Source
    /// TIFF 6.0, section 19.
    pub const fn sample_format(self) -> u16 {
        match self {
            Self::U8 | Self::U16 | Self::U32 => 1,
            Self::I8 | Self::I16 | Self::I32 => 2,
        }
    }

    /// Gives the length of a raw block, in bytes.
    pub const fn block_bytes(self) -> usize {
        (BLOCK * BLOCK) as usize * self.bits() as usize / 8
    }

    /// Appends a value in this type, little endian. A value out of range keeps its low bytes.
    #[inline]
    pub fn push_le(self, value: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(&value.to_le_bytes()[..usize::from(self.bits() / 8)]);
    }

    /// Finds the type that TIFF tags 258 and 339 name.
    pub fn from_tiff(bits: u64, sample_format: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|sample| {
            u64::from(sample.bits()) == bits && u64::from(sample.sample_format()) == sample_format
        })
    }
}
