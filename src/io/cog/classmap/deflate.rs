//! Writes tokens as a zlib stream.
//!
//! # Source
//! RFC 1950 (zlib), RFC 1951 (DEFLATE).

use super::huffman::{MAX_SYMBOLS, canonical_codes, code_lengths};
use super::token::{CONTENTS, DISTANCES, MAX_MATCH, MIN_MATCH, Token};

/// Tokens that share a code, at most. Between 6000 and 18 000 the size of class maps hardly differs.
const TOKENS_PER_BLOCK: usize = 12_000;

/// Symbols of the two alphabets, and those that stand for the end and for the shortest match.
const LITERALS: usize = 286;
const USED_DISTANCES: usize = 30;
const END: usize = 256;
pub const FIRST_LENGTH: usize = 257;

/// Longest codes of symbols, and of the lengths of their codes.
const MAX_CODE: usize = 15;
const MAX_LENGTH_CODE: usize = 7;

/// Order in which the header lists the codes of code lengths. Source: RFC 1951, section 3.2.7.
const LENGTH_ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Deflate with a window of 32 KiB, no dictionary, default effort. Source: RFC 1950, section 2.2.
const ZLIB_HEADER: [u8; 2] = [0x78, 0x9c];

/// Replaces the content of `out` by a zlib stream of `tokens`, which give `raw`.
///
/// False, with `out` undefined, if the tokens do not cover `raw` exactly.
#[inline(always)]
pub fn write_zlib(raw: &[u8], tokens: &[Token], out: &mut Vec<u8>) -> bool {
    out.clear();
    out.extend(ZLIB_HEADER);
    let mut bits = BitWriter { at: out.len(), out, held: 0, count: 0 };
    let blocks = tokens.len().div_ceil(TOKENS_PER_BLOCK).max(1);
    let mut rest = tokens;
    let mut covered = 0;
    for left in (1..=blocks).rev() {
        let (block, after) = rest.split_at(rest.len().div_ceil(left));
        covered += write_block(&mut bits, block, left == 1);
        rest = after;
    }
    bits.finish();
    out.extend(libdeflater::adler32(raw).to_be_bytes());
    covered == raw.len()
}

/// How often each symbol occurs in a block.
pub struct Frequencies {
    pub literals: [u32; MAX_SYMBOLS],
    pub distances: [u32; DISTANCES],
}

/// A code: how many bits each symbol has, and which.
struct Code<const SYMBOLS: usize> {
    lengths: [u8; SYMBOLS],
    codes: [u16; SYMBOLS],
}

impl<const SYMBOLS: usize> Code<SYMBOLS> {
    fn of_lengths(lengths: [u8; SYMBOLS]) -> Self {
        let mut codes = [0; SYMBOLS];
        canonical_codes(&lengths, &mut codes);
        Self { lengths, codes }
    }

    fn of_frequencies(frequencies: &[u32; SYMBOLS], limit: usize) -> Self {
        let mut lengths = [0; SYMBOLS];
        code_lengths(frequencies, limit, &mut lengths);
        Self::of_lengths(lengths)
    }

    /// Bits of all symbols together.
    fn cost(&self, frequencies: &[u32; SYMBOLS]) -> usize {
        self.lengths.iter().zip(frequencies).map(|(bits, count)| usize::from(*bits) * *count as usize).sum()
    }
}

/// Writes one block and gives the number of bytes its tokens stand for.
#[inline(always)]
fn write_block(bits: &mut BitWriter, tokens: &[Token], last: bool) -> usize {
    let (frequencies, covered) = count(tokens);
    let extra: usize = (frequencies.literals.iter().skip(FIRST_LENGTH).zip(&LENGTH_EXTRA))
        .chain(frequencies.distances.iter().zip(&DISTANCE_EXTRA))
        .map(|(count, extra)| *count as usize * usize::from(*extra))
        .sum();

    let literals = Code::of_frequencies(&frequencies.literals, MAX_CODE);
    let distances = Code::of_frequencies(&frequencies.distances, MAX_CODE);
    let header = Header::new(&literals.lengths, &distances.lengths);
    let dynamic =
        header.cost() + literals.cost(&frequencies.literals) + distances.cost(&frequencies.distances);

    let (fixed_literals, fixed_distances) = fixed_codes();
    let fixed = fixed_literals.cost(&frequencies.literals) + fixed_distances.cost(&frequencies.distances);

    // Three bits say what block it is.
    bits.reserve(3 + fixed.min(dynamic) + extra);
    bits.put(u64::from(last), 1);
    if fixed <= dynamic {
        bits.put(1, 2);
        write_tokens(bits, tokens, &fixed_literals, &fixed_distances);
    } else {
        bits.put(2, 2);
        header.write(bits);
        write_tokens(bits, tokens, &literals, &distances);
    }
    covered
}

/// Counts the symbols of tokens, and the bytes they stand for.
#[inline(always)]
pub fn count(tokens: &[Token]) -> (Frequencies, usize) {
    let mut contents = [0; CONTENTS];
    let mut frequencies = Frequencies { literals: [0; MAX_SYMBOLS], distances: [0; DISTANCES] };
    for token in tokens {
        contents[token.content()] += 1;
        frequencies.distances[token.distance_symbol()] += 1;
    }
    frequencies.distances[Token::NO_DISTANCE] = 0;
    let (bytes, lengths) = contents.split_at(256);
    frequencies.literals[..256].copy_from_slice(bytes);
    let mut covered = bytes.iter().sum::<u32>() as usize;
    for (count, length) in lengths.iter().zip(MIN_MATCH..) {
        frequencies.literals[FIRST_LENGTH + length_symbol(length).0] += count;
        covered += *count as usize * length;
    }
    frequencies.literals[END] += 1;
    (frequencies, covered)
}

#[inline(always)]
fn write_tokens(
    bits: &mut BitWriter,
    tokens: &[Token],
    literals: &Code<MAX_SYMBOLS>,
    distances: &Code<DISTANCES>,
) {
    // Code and further bits of every content, joined: 20 bits at most, and how many they are.
    let mut contents = [(0_u32, 0_u32); CONTENTS];
    let codes = literals.codes.iter().zip(&literals.lengths);
    for (joined, (code, bits)) in contents[..256].iter_mut().zip(codes) {
        *joined = (u32::from(*code), u32::from(*bits));
    }
    for (joined, length) in contents[256..].iter_mut().zip(MIN_MATCH..) {
        let (symbol, further) = length_symbol(length);
        let code_bits = u32::from(literals.lengths[FIRST_LENGTH + symbol]);
        let code = u32::from(literals.codes[FIRST_LENGTH + symbol]);
        *joined = (code | further << code_bits, code_bits + u32::from(LENGTH_EXTRA[symbol]));
    }
    // Code, its bits, and those bits with the further ones. `NO_DISTANCE` keeps zeros.
    let mut symbols = [(0_u32, 0_u32, 0_u32); DISTANCES];
    for (symbol, joined) in symbols.iter_mut().enumerate().take(USED_DISTANCES) {
        let code_bits = u32::from(distances.lengths[symbol]);
        let extra = u32::from(DISTANCE_EXTRA[symbol]);
        *joined = (u32::from(distances.codes[symbol]), code_bits, code_bits + extra);
    }
    for token in tokens {
        let (low, low_bits) = contents[token.content()];
        let (code, code_bits, high_bits) = symbols[token.distance_symbol()];
        let high = u64::from(code | token.further() << code_bits);
        // 20 + 28 bits at most.
        bits.put(u64::from(low) | high << low_bits, low_bits + high_bits);
    }
    bits.put(literals.codes[END].into(), literals.lengths[END].into());
}

/// The codes that every reader knows. Source: RFC 1951, section 3.2.6.
fn fixed_codes() -> (Code<MAX_SYMBOLS>, Code<DISTANCES>) {
    let length = |symbol: usize| match symbol {
        0..144 => 8,
        144..256 => 9,
        256..280 => 7,
        _ => 8,
    };
    (Code::of_lengths(std::array::from_fn(length)), Code::of_lengths([5; DISTANCES]))
}

/// The lengths of both codes as a dynamic block gives them. Source: RFC 1951, section 3.2.7.
struct Header {
    literals: usize,
    distances: usize,
    /// Symbol 0 to 18, further bits, number of further bits.
    runs: Vec<(u8, u8, u8)>,
    code: Code<19>,
    /// How many entries of [`LENGTH_ORDER`] are listed.
    listed: usize,
    bits: usize,
}

impl Header {
    fn new(literals: &[u8; MAX_SYMBOLS], distances: &[u8; DISTANCES]) -> Self {
        let used = |lengths: &[u8], least: usize| {
            lengths.iter().rposition(|length| *length > 0).map_or(least, |last| least.max(last + 1))
        };
        let (literals_used, distances_used) =
            (used(&literals[..LITERALS], 257), used(&distances[..USED_DISTANCES], 1));
        let lengths: Vec<u8> = [&literals[..literals_used], &distances[..distances_used]].concat();
        let runs: Vec<_> = lengths.chunk_by(|a, b| a == b).flat_map(run_symbols).collect();
        let mut frequencies = [0; 19];
        for (symbol, ..) in &runs {
            frequencies[usize::from(*symbol)] += 1;
        }
        let code = Code::of_frequencies(&frequencies, MAX_LENGTH_CODE);
        let has_code = |symbol: &u8| code.lengths[usize::from(*symbol)] > 0;
        let listed = LENGTH_ORDER.iter().rposition(has_code).map_or(4, |last| 4.max(last + 1));
        let further: usize = runs.iter().map(|(_, _, bits)| usize::from(*bits)).sum();
        let bits = 14 + 3 * listed + code.cost(&frequencies) + further;
        Self { literals: literals_used, distances: distances_used, runs, code, listed, bits }
    }

    fn cost(&self) -> usize {
        self.bits
    }

    fn write(&self, bits: &mut BitWriter) {
        bits.put((self.literals - 257) as u64, 5);
        bits.put((self.distances - 1) as u64, 5);
        bits.put((self.listed - 4) as u64, 4);
        for symbol in &LENGTH_ORDER[..self.listed] {
            bits.put(self.code.lengths[usize::from(*symbol)].into(), 3);
        }
        for (symbol, further, further_bits) in &self.runs {
            let symbol = usize::from(*symbol);
            bits.put(self.code.codes[symbol].into(), self.code.lengths[symbol].into());
            bits.put((*further).into(), (*further_bits).into());
        }
    }
}

/// A run of equal code lengths, in symbols.
fn run_symbols(run: &[u8]) -> Vec<(u8, u8, u8)> {
    let Some(length) = run.first() else { return Vec::new() };
    let mut symbols = Vec::new();
    let mut left = run.len();
    if *length == 0 {
        while left >= 11 {
            let some = left.min(138);
            symbols.push((18, (some - 11) as u8, 7));
            left -= some;
        }
        if left >= 3 {
            symbols.push((17, (left - 3) as u8, 3));
            left = 0;
        }
    } else {
        symbols.push((*length, 0, 0));
        left -= 1;
        while left >= 3 {
            let some = left.min(6);
            symbols.push((16, (some - 3) as u8, 2));
            left -= some;
        }
    }
    symbols.extend(std::iter::repeat_n((*length, 0, 0), left));
    symbols
}

/// Further bits of the lengths 3 to 258, by symbol from 257. Source: RFC 1951, section 3.2.5.
pub const LENGTH_EXTRA: [u8; 29] = {
    let mut extra = [0; 29];
    let mut symbol = 8;
    while symbol < 28 {
        extra[symbol] = symbol as u8 / 4 - 1;
        symbol += 1;
    }
    extra
};

/// The shortest length of each symbol from 257.
const LENGTH_BASE: [u16; 29] = {
    let mut bases = [0; 29];
    let (mut symbol, mut base) = (0, MIN_MATCH as u16);
    while symbol < 28 {
        bases[symbol] = base;
        base += 1 << LENGTH_EXTRA[symbol];
        symbol += 1;
    }
    bases[28] = MAX_MATCH as u16;
    bases
};

/// Further bits of the distances 1 to 32 768, by symbol: two symbols for each power of two. Source: RFC 1951, section
/// 3.2.5.
pub const DISTANCE_EXTRA: [u8; DISTANCES] = {
    let mut extra = [0; DISTANCES];
    let mut symbol = 4;
    while symbol < USED_DISTANCES {
        extra[symbol] = symbol as u8 / 2 - 1;
        symbol += 1;
    }
    extra
};

/// The symbol of each length, less 257.
const LENGTH_SYMBOLS: [u8; 256] = {
    let mut symbols = [0; 256];
    let (mut length, mut symbol) = (0, 0);
    while length < 256 {
        while symbol < 28 && LENGTH_BASE[symbol + 1] as usize <= length + MIN_MATCH {
            symbol += 1;
        }
        symbols[length] = symbol as u8;
        length += 1;
    }
    symbols
};

/// The symbol of a length, less 257, and the further bits.
pub fn length_symbol(length: usize) -> (usize, u32) {
    let symbol = usize::from(LENGTH_SYMBOLS[(length - MIN_MATCH) & 0xff]).min(28);
    (symbol, (length - usize::from(LENGTH_BASE[symbol])) as u32)
}

/// Writes bits, lowest first.
struct BitWriter<'a> {
    /// The bytes so far, and room after them.
    out: &'a mut Vec<u8>,
    /// Number of whole bytes written.
    at: usize,
    /// Bits not written yet, fewer than 8 between calls.
    held: u64,
    count: u32,
}

impl BitWriter<'_> {
    /// Makes room for that many bits.
    fn reserve(&mut self, bits: usize) {
        self.out.resize(self.at + bits / 8 + 16, 0);
    }

    /// Appends the low `count` bits, 56 at most; the others are 0.
    #[inline(always)]
    fn put(&mut self, bits: u64, count: u32) {
        self.held |= bits << self.count;
        self.count += count;
        // All eight bytes are written and the unfinished ones again: cheaper than asking how many there are.
        if let Some(word) = self.out.get_mut(self.at..).and_then(|room| room.first_chunk_mut()) {
            *word = self.held.to_le_bytes();
        }
        self.at += (self.count / 8) as usize;
        self.held >>= self.count & !7;
        self.count %= 8;
    }

    /// Fills the last byte with zeros and takes back what room is left.
    fn finish(mut self) {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
        self.out.truncate(self.at);
    }
}
