//! DEFLATE made for class maps: as small as a thorough general encoder, at two to three times its speed.
//!
//! A class map is runs: most values equal the one before. The parse (`parse.rs`) looks for matches only where
//! the value changes (`boundaries.rs`); the rest is DEFLATE as everyone writes it (`token.rs`, `huffman.rs`,
//! `deflate.rs`), and every reader of zlib streams reads it. `lanes.rs` compares bytes, with SIMD where there is any.
//!
//! Data with a change at nearly every value is no class map and is left to a general encoder.

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

/// How hard the encoder looks for matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Takes nearly every match: sooner done.
    Greedy,
    /// Takes a match only where it saves bits, and looks on otherwise: smaller.
    Lazy,
}

impl Effort {
    const fn match_cost(self) -> MatchCost {
        match self {
            Self::Greedy => MatchCost { codes: 8, power: 4 },
            Self::Lazy => MatchCost { codes: 32, power: 5 },
        }
    }
}

/// Values from one change to the next, at least, on average; data with shorter runs is no class map.
const MIN_RUN: usize = 2;

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
        match unit {
            1 => self.encode_values::<1>(lanes, raw, row_bytes, out),
            2 => self.encode_values::<2>(lanes, raw, row_bytes, out),
            4 => self.encode_values::<4>(lanes, raw, row_bytes, out),
            _ => false,
        }
    }

    fn encode_values<const UNIT: usize>(
        &mut self,
        lanes: impl Lanes,
        raw: &[u8],
        row_bytes: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        if raw.len() % UNIT != 0 || raw.len() >= MAX_INPUT {
            return false;
        }
        // Two are the ends.
        let limit = raw.len() / UNIT / MIN_RUN + 2;
        if !find_boundaries::<UNIT>(lanes, raw, limit, &mut self.boundaries) {
            return false;
        }
        parse::<UNIT>(
            lanes,
            raw,
            row_bytes,
            &self.boundaries,
            self.effort.match_cost(),
            &mut self.tables,
            &mut self.tokens,
        );
        deflate::write_zlib(raw, &self.tokens, out) && out.len() < raw.len()
    }
}
