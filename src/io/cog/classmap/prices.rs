//! What tokens cost, as those of another parse of the same block say.

use super::deflate::{DISTANCE_EXTRA, FIRST_LENGTH, Frequencies, LENGTH_EXTRA, count, length_symbol};
use super::token::{DISTANCES, MAX_MATCH, MIN_MATCH, Token, distance_symbol};

/// Prices in quarters of a bit.
pub struct Prices {
    literals: [u32; 256],
    /// By length; with the further bits.
    lengths: [u32; MAX_MATCH + 1],
    /// By symbol; with the further bits.
    distances: [u32; DISTANCES],
}

/// More than any way through a block costs; two of them can be added.
pub const TOO_MUCH: u32 = u32::MAX / 4;

impl Prices {
    /// What symbols cost that are as frequent as in these tokens.
    pub fn of(tokens: &[Token]) -> Self {
        let (Frequencies { literals, distances }, _) = count(tokens);
        let contents = prices(&literals);
        let mut lengths = [TOO_MUCH; MAX_MATCH + 1];
        for (length, price) in lengths.iter_mut().enumerate().skip(MIN_MATCH) {
            let (symbol, _) = length_symbol(length);
            *price = contents[FIRST_LENGTH + symbol] + 4 * u32::from(LENGTH_EXTRA[symbol]);
        }
        let mut distances = prices(&distances);
        for (price, extra) in distances.iter_mut().zip(DISTANCE_EXTRA) {
            *price += 4 * u32::from(extra);
        }
        Self { literals: std::array::from_fn(|byte| contents[byte]), lengths, distances }
    }

    /// A match, by its length and the symbol of its distance; [`TOO_MUCH`] where there is none of this length.
    #[inline(always)]
    pub fn matching(&self, length: usize, symbol: u32) -> u32 {
        match self.lengths.get(length) {
            Some(price) if length >= MIN_MATCH => price + self.distances[symbol as usize % DISTANCES],
            _ => TOO_MUCH,
        }
    }

    /// A run or the rest of one, about; `inside` a run the value before it is the same.
    #[inline(always)]
    pub fn run<const UNIT: usize>(&self, run: &[u8], inside: bool) -> u32 {
        let value = |bytes: &[u8]| bytes.iter().map(|byte| self.literals[usize::from(*byte)]).sum::<u32>();
        let literal = run.get(..UNIT).map_or(0, value);
        let (first, rest) = if inside { (0, run.len()) } else { (literal, run.len().saturating_sub(UNIT)) };
        let (symbol, _) = distance_symbol(UNIT);
        let repeated = if rest < MIN_MATCH {
            literal * (rest / UNIT) as u32
        } else if rest <= MAX_MATCH {
            self.lengths[rest] + self.distances[symbol as usize]
        } else {
            (self.lengths[MAX_MATCH] + self.distances[symbol as usize]) * rest.div_ceil(MAX_MATCH) as u32
        };
        first + repeated
    }
}

/// What each symbol costs among so many of all: no code is shorter than a bit; one that does not occur as if it did once.
fn prices<const SYMBOLS: usize>(frequencies: &[u32; SYMBOLS]) -> [u32; SYMBOLS] {
    let all: u32 = frequencies.iter().sum();
    // Four times the logarithm is that of the fourth power, which whole numbers have exactly on every processor.
    let fourth = |count: u32| u128::from(count.max(1)).pow(4);
    frequencies.map(|frequency| (fourth(all) / fourth(frequency)).max(16).ilog2())
}
