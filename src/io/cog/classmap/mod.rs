//! DEFLATE made for class maps: mostly smaller than libdeflate's level 7 makes them, at three to six times its speed; or
//! some 8 % smaller, at about its speed.
//!
//! A class map is runs: most values equal the one before. The parse looks for matches only where the value changes
//! (`boundaries.rs`, `edges.rs`), among earlier places that look the same (`bucket.rs`, `search.rs`), and weighs each
//! against the literals it would replace (`parse.rs`); the rest is DEFLATE as everyone writes it (`token.rs`,
//! `tokens.rs`, `huffman.rs`, `deflate.rs`), and every reader of zlib streams reads it. The innermost steps come with
//! and without SIMD (`lanes.rs`, `avx2.rs`).
//!
//! The smallest files take a second parse: the matches of all boundaries are found first (`offers.rs`), and of the ways
//! through the block the cheapest is taken (`prices.rs`, `cheapest.rs`).
//!
//! Data that change at every third value or more often are no class map: there a general encoder is faster.
//!
//! Rejected, all measured on land cover of 30 m: looking one boundary further before a match is taken (slower and
//! larger than weighing matches); two tables of four earlier boundaries under a longer and a shorter key (as
//! large, and slower than eight under one); a shortest useful length before candidates are compared, prefetched
//! buckets, boundaries described a few hundred at a time, one question instead of two whether a match is taken (all
//! slower or no faster); remembering only the first boundaries in a match (a thirtieth faster, a quarter percent
//! larger); two or four earlier boundaries under a key in place of eight (2 and 1 % larger, a thirtieth faster); both halves of a
//! block in turn, so that neither waits (slower).

#[cfg(target_arch = "x86_64")]
mod avx2;
mod boundaries;
mod bucket;
mod cheapest;
mod deflate;
mod edges;
mod huffman;
mod lanes;
mod offers;
mod parse;
mod prices;
mod search;
mod token;
mod tokens;

#[cfg(test)]
mod tests;

use boundaries::Boundaries;
use edges::Edges;
use lanes::{Lanes, Native};
use parse::{MatchCost, parse};
use search::{MAX_INPUT, Tables};
use tokens::Tokens;

/// How choosy the encoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Takes nearly every match: fewer places to look at.
    Fast,
    /// Takes a match only where it surely saves bits, and looks on otherwise: up to 6 % smaller, a quarter slower.
    Balanced,
    /// Plans the whole block, too, and keeps what is smaller: another 6 %, at a quarter to a third of the speed.
    Small,
}

impl Effort {
    const fn match_cost(self) -> MatchCost {
        match self {
            Self::Fast => MatchCost { codes: 8, power: 4 },
            Self::Balanced | Self::Small => MatchCost { codes: 32, power: 5 },
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
    boundaries: Boundaries,
    edges: Edges,
    tokens: Tokens,
    room: cheapest::Room,
    planned: Tokens,
    /// The stream that is not given.
    other: Vec<u8>,
}

/// Values of a block.
#[derive(Clone, Copy)]
struct Block<'a> {
    raw: &'a [u8],
    /// Bytes of a row.
    row: usize,
    /// Bytes of a value: 1, 2 or 4.
    unit: usize,
}

impl ClassMapEncoder {
    /// Allocates the tables: 128 KiB.
    pub fn new(effort: Effort) -> Self {
        let (boundaries, edges, tokens, room, planned, other) = Default::default();
        Self { effort, tables: Tables::new(), boundaries, edges, tokens, room, planned, other }
    }

    /// Replaces the content of `out` by a zlib stream of `raw`; false, with `out` undefined, if a general encoder
    /// should take the block: it is no class map, or does not shrink.
    ///
    /// `raw` is rows of `row_bytes` bytes, values of `unit` bytes (1, 2 or 4).
    ///
    /// # Cost
    /// Memory: about 26 bytes a value at worst, 50 with [`Effort::Small`], kept from block to block.
    pub fn encode(&mut self, raw: &[u8], row_bytes: usize, unit: usize, out: &mut Vec<u8>) -> bool {
        if raw.len() >= MAX_INPUT || !matches!(unit, 1 | 2 | 4) || !raw.len().is_multiple_of(unit) {
            return false;
        }
        // Two are the ends.
        let limit = raw.len() / unit / MIN_RUN + 2;
        self.write(Block { raw, row: row_bytes, unit }, limit, out) && out.len() < raw.len()
    }

    /// Writes a stream, however long; false if there are more than `limit` boundaries.
    fn write(&mut self, block: Block, limit: usize, out: &mut Vec<u8>) -> bool {
        #[cfg(target_arch = "x86_64")]
        if let Some(lanes) = avx2::Avx2::detect() {
            #[expect(
                unsafe_code,
                reason = "the same code by more instructions: a quarter less time with those of `lanes`"
            )]
            // SAFETY: `lanes` proves that the processor has the instructions.
            return unsafe { self.write_avx2(lanes, block, limit, out) };
        }
        self.write_with(Native::default(), block, limit, out)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn write_avx2(&mut self, lanes: avx2::Avx2, block: Block, limit: usize, out: &mut Vec<u8>) -> bool {
        self.write_with(lanes, block, limit, out)
    }

    /// Inlined with all that takes time, so that it is compiled for the instructions of the caller.
    #[inline(always)]
    fn write_with(&mut self, lanes: impl Lanes, block: Block, limit: usize, out: &mut Vec<u8>) -> bool {
        let tokenized = match block.unit {
            1 => self.tokenize::<1>(lanes, block, limit),
            2 => self.tokenize::<2>(lanes, block, limit),
            _ => self.tokenize::<4>(lanes, block, limit),
        };
        if !tokenized || !deflate::write_zlib(block.raw, self.tokens.all(), out) {
            return false;
        }
        if self.effort == Effort::Small {
            let written = deflate::write_zlib(block.raw, self.planned.all(), &mut self.other);
            if written && self.other.len() < out.len() {
                std::mem::swap(out, &mut self.other);
            }
        }
        true
    }

    #[inline(always)]
    fn tokenize<const UNIT: usize>(&mut self, lanes: impl Lanes, block: Block, limit: usize) -> bool {
        let Self { effort, tables, boundaries, edges, room, tokens, planned, .. } = self;
        let Block { raw, row, .. } = block;
        if !boundaries.find::<UNIT>(lanes, raw, limit) {
            return false;
        }
        let boundaries = boundaries.places();
        let base = tables.start(raw.len());
        let edges = edges.describe::<UNIT>(raw, boundaries, base);
        let Some(search) = tables.search::<_, UNIT>(lanes, raw, row, base, edges) else { return false };
        parse(&search, boundaries, edges.costs, effort.match_cost(), tokens);
        if *effort == Effort::Small {
            cheapest::parse(&search, boundaries, tokens, room, planned);
        }
        true
    }
}
