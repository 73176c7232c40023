//! What DEFLATE writes: literal bytes, and matches that copy bytes written before.

/// Longest match. Source: RFC 1951, section 3.2.5.
pub const MAX_MATCH: usize = 258;

/// Shortest match. Source: RFC 1951, section 3.2.5.
pub const MIN_MATCH: usize = 3;

/// Furthest distance of a match, in bytes. Source: RFC 1951, section 2.
pub const WINDOW: usize = 32_768;

/// A literal byte, or a match of [`MIN_MATCH`] to [`MAX_MATCH`] bytes at a distance of 1 to [`WINDOW`] bytes.
///
/// Length above 16 bits of distance; length 0 says literal, and the distance is then the byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token(u32);

impl Token {
    #[inline(always)]
    pub fn literal(byte: u8) -> Self {
        Self(byte.into())
    }

    #[inline(always)]
    pub fn matching(length: usize, distance: usize) -> Self {
        debug_assert!((MIN_MATCH..=MAX_MATCH).contains(&length) && (1..=WINDOW).contains(&distance));
        Self((length as u32) << 16 | distance as u32)
    }

    /// Length of the match, 0 for a literal.
    #[inline(always)]
    pub fn length(self) -> usize {
        (self.0 >> 16) as usize
    }

    /// Distance of the match, or the literal byte.
    #[inline(always)]
    pub fn distance_or_byte(self) -> usize {
        (self.0 & 0xffff) as usize
    }
}
