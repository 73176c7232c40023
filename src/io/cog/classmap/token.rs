//! What DEFLATE writes: literal bytes, and matches that copy bytes written before.

/// Longest match. Source: RFC 1951, section 3.2.5.
pub const MAX_MATCH: usize = 258;

/// Shortest match. Source: RFC 1951, section 3.2.5.
pub const MIN_MATCH: usize = 3;

/// Furthest distance of a match, in bytes. Source: RFC 1951, section 2.
pub const WINDOW: usize = 32_768;

/// Number of different contents: a literal byte, or the length of a match.
pub const CONTENTS: usize = 512;

/// Number of distance symbols, [`Token::NO_DISTANCE`] included.
pub const DISTANCES: usize = 32;

/// A literal byte, or a match of [`MIN_MATCH`] to [`MAX_MATCH`] bytes at a distance of 1 to [`WINDOW`] bytes.
///
/// From the lowest bit: nine bits for a literal byte, or 256 and the length less [`MIN_MATCH`]; five for the symbol
/// of the distance; the further bits of the distance. Both kinds have all parts, so that nobody need ask which it is:
/// in a class map the answer is as good as random, and costs more than what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token(u32);

impl Token {
    /// Stands in a literal for the symbol of a distance.
    pub const NO_DISTANCE: usize = 30;

    #[inline(always)]
    pub fn literal(byte: u8) -> Self {
        Self((Self::NO_DISTANCE as u32) << 9 | u32::from(byte))
    }

    #[inline(always)]
    pub fn matching(length: usize, distance: usize) -> Self {
        debug_assert!((MIN_MATCH..=MAX_MATCH).contains(&length) && (1..=WINDOW).contains(&distance));
        let (symbol, further) = distance_symbol(distance);
        Self((length - MIN_MATCH + 256) as u32 | symbol << 9 | further << 14)
    }

    /// The byte of a literal, or 256 and the length of the match less [`MIN_MATCH`].
    #[inline(always)]
    pub fn content(self) -> usize {
        self.0 as usize % CONTENTS
    }

    /// The symbol of the distance, or [`Self::NO_DISTANCE`].
    #[inline(always)]
    pub fn distance_symbol(self) -> usize {
        (self.0 >> 9) as usize % DISTANCES
    }

    /// What the symbol of the distance leaves open.
    #[inline(always)]
    pub fn further(self) -> u32 {
        self.0 >> 14
    }
}

/// The symbol of a distance and the further bits: two symbols for each power of two. Source: RFC 1951, section 3.2.5.
#[inline(always)]
pub fn distance_symbol(distance: usize) -> (u32, u32) {
    let below = (distance - 1) as u32;
    if below < 2 {
        return (below, 0);
    }
    let extra = below.ilog2() - 1;
    (2 * extra + (below >> extra), below & ((1 << extra) - 1))
}
