//! DEFLATE made for class maps: smaller than libdeflate's level 7 makes them, at two to five times its speed.
//!
//! A class map is runs: most values equal the one before. The parse looks for matches only where the value changes
//! (`boundaries.rs`) and weighs each against the literals it would replace (`parse.rs`); the rest is DEFLATE as
//! everyone writes it (`token.rs`, `huffman.rs`, `deflate.rs`), and every reader of zlib streams reads it.
//! `lanes.rs` compares many bytes at once.
//!
//! Data that change at every third value or more often are no class map: there a general encoder is faster.
//!
//! Rejected, all measured on land cover of 30 m: looking one boundary further before a match is taken (slower and
//! larger than weighing matches); eight earlier boundaries under a key (half a percent smaller, a sixth slower); a
//! shortest useful length before candidates are compared (slower); 32 lanes (no faster than 16).

mod boundaries;
mod deflate;
mod huffman;
mod lanes;
mod parse;
mod token;

#[cfg(test)]
mod tests;

use boundaries::find_boundaries;
use lanes::Lanes;
use parse::{MAX_INPUT, MatchCost, Tables, parse};
use token::Token;

/// How choosy the encoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Takes nearly every match: fewer places to look at.
    Fast,
    /// Takes a match only where it surely saves bits, and looks on otherwise: 2 to 6 % smaller, a fifth slower.
    Balanced,
}

impl Effort {
    const fn match_cost(self) -> MatchCost {
        match self {
            Self::Fast => MatchCost { codes: 8, power: 4 },
            Self::Balanced => MatchCost { codes: 32, power: 5 },
        }
    }
}

/// Values from one change to the next, at least, on average: data with shorter runs are no class map.
const MIN_RUN: usize = 3;

/// Encodes blocks of class maps, one after the other.
///
/// # Determinism
/// The bytes depend on the arguments alone: not on blocks encoded before, not on the processor.
pub struct ClassMapEncoder {
    effort: Effort,
    tables: Tables,
    boundaries: Vec<u32>,
    tokens: Vec<Token>,
}

impl ClassMapEncoder {
    /// Allocates the tables: 192 KiB.
    pub fn new(effort: Effort) -> Self {
        Self { effort, tables: Tables::new(), boundaries: Vec::new(), tokens: Vec::new() }
    }

    /// Replaces the content of `out` by a zlib stream of `raw`; false, with `out` undefined, if a general encoder
    /// should take the block: it is no class map, or does not shrink.
    ///
    /// `raw` is rows of `row_bytes` bytes, values of `unit` bytes (1, 2 or 4).
    ///
    /// # Cost
    /// Memory: 8 bytes a value at worst, kept from block to block.
    pub fn encode(&mut self, raw: &[u8], row_bytes: usize, unit: usize, out: &mut Vec<u8>) -> bool {
        self.encode_with(lanes::Native::default(), raw, row_bytes, unit, out)
    }

    fn encode_with(
        &mut self,
        lanes: impl Lanes,
        raw: &[u8],
        row_bytes: usize,
        unit: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        if raw.len() >= MAX_INPUT || !matches!(unit, 1 | 2 | 4) || !raw.len().is_multiple_of(unit) {
            return false;
        }
        // Two are the ends.
        let limit = raw.len() / unit / MIN_RUN + 2;
        let written = match unit {
            1 => self.write::<1>(lanes, raw, row_bytes, limit, out),
            2 => self.write::<2>(lanes, raw, row_bytes, limit, out),
            _ => self.write::<4>(lanes, raw, row_bytes, limit, out),
        };
        written && out.len() < raw.len()
    }

    /// Writes a stream, however long; false if there are more than `limit` boundaries.
    fn write<const UNIT: usize>(
        &mut self,
        lanes: impl Lanes,
        raw: &[u8],
        row_bytes: usize,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        if !find_boundaries::<UNIT>(lanes, raw, limit, &mut self.boundaries) {
            return false;
        }
        let cost = self.effort.match_cost();
        let Self { tables, boundaries, tokens, .. } = self;
        parse::<UNIT>(lanes, raw, row_bytes, boundaries, cost, tables, tokens);
        deflate::write_zlib(raw, tokens, out)
    }
}
