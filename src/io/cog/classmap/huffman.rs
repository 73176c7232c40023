//! Codes of a known greatest length for symbols of known frequency.

/// Number of symbols of the largest alphabet. Source: RFC 1951, section 3.2.5.
pub const MAX_SYMBOLS: usize = 288;

/// Bits of a frequency's rank that name the symbol.
const SYMBOL_BITS: u32 = 9;

/// Fills `lengths` with the bits of each symbol's code: 0 where a symbol does not occur, `limit` at most.
///
/// The code is complete, as every reader wants it: at least two symbols get a code even if fewer occur. It is
/// the shortest there is where `limit` does not bind, and close to it elsewhere.
///
/// `frequencies` has 2 to [`MAX_SYMBOLS`] symbols, each below 2²³, at most 2^`limit` of them above 0.
pub fn code_lengths(frequencies: &[u32], limit: usize, lengths: &mut [u8]) {
    lengths.fill(0);
    // Rarest first; of equally frequent ones the lower symbol first.
    let mut ranked = [0_u32; MAX_SYMBOLS];
    let mut used = 0;
    for (symbol, frequency) in (0_u32..).zip(frequencies).filter(|(_, frequency)| **frequency > 0) {
        ranked[used] = frequency << SYMBOL_BITS | symbol;
        used += 1;
    }
    if used < 2 {
        let only = ranked[0] & ((1 << SYMBOL_BITS) - 1);
        lengths[only as usize] = 1;
        lengths[usize::from(only == 0)] = 1;
        return;
    }
    let ranked = &mut ranked[..used];
    ranked.sort_unstable();
    let mut counts = depths(ranked);
    limit_depths(&mut counts, limit);
    // The rarest symbols get the longest codes.
    let mut symbols = ranked.iter().map(|ranked| ranked & ((1 << SYMBOL_BITS) - 1));
    for length in (1..=limit).rev() {
        for symbol in symbols.by_ref().take(counts[length] as usize) {
            lengths[symbol as usize] = length as u8;
        }
    }
}

/// Longest code Huffman's algorithm could give.
const DEEPEST: usize = 32;

/// Number of leaves at each depth of Huffman's tree over leaves from rarest to most frequent.
fn depths(ranked: &[u32]) -> [u32; DEEPEST] {
    // Nodes are made in the order of their weight, so the lightest is the first of one of two queues.
    let mut weights = [0_u32; MAX_SYMBOLS];
    let mut parents = [0_u16; 2 * MAX_SYMBOLS];
    let (mut leaf, mut node) = (0, 0);
    let nodes = ranked.len() - 1;
    for made in 0..nodes {
        for _ in 0..2 {
            let weight = ranked.get(leaf).map(|ranked| ranked >> SYMBOL_BITS);
            let lightest = match weight {
                Some(weight) if node >= made || weight <= weights[node] => {
                    leaf += 1;
                    weights[made] += weight;
                    leaf - 1
                }
                _ => {
                    node += 1;
                    weights[made] += weights[node - 1];
                    ranked.len() + node - 1
                }
            };
            parents[lightest] = made as u16;
        }
    }
    let mut node_depths = [0_u8; MAX_SYMBOLS];
    for node in (0..nodes - 1).rev() {
        node_depths[node] = node_depths[usize::from(parents[ranked.len() + node])] + 1;
    }
    let mut counts = [0; DEEPEST];
    for parent in &parents[..ranked.len()] {
        counts[(usize::from(node_depths[usize::from(*parent)]) + 1).min(DEEPEST - 1)] += 1;
    }
    counts
}

/// Lifts leaves below `limit` and lowers others until the tree is complete again.
fn limit_depths(counts: &mut [u32; DEEPEST], limit: usize) {
    let below: u32 = counts[limit + 1..].iter().sum();
    counts[limit + 1..].fill(0);
    counts[limit] += below;
    // Kraft's sum in units of the longest code; a complete code has 2^limit.
    let mut sum: u32 = (1..=limit).map(|depth| counts[depth] << (limit - depth)).sum();
    while sum > 1 << limit {
        // A leaf of the lowest level goes beside another leaf, which sinks by one.
        let Some(depth) = (1..limit).rev().find(|depth| counts[*depth] > 0) else { return };
        counts[limit] -= 1;
        counts[depth] -= 1;
        counts[depth + 1] += 2;
        sum -= 1;
    }
}

/// Fills `codes` with the canonical codes of these lengths, first bit lowest as DEFLATE writes them.
///
/// # Source
/// RFC 1951, section 3.2.2.
pub fn canonical_codes(lengths: &[u8], codes: &mut [u16]) {
    let mut first = [0_u16; 17];
    for length in lengths.iter().filter(|length| **length > 0) {
        first[usize::from(*length) + 1] += 1;
    }
    let mut code = 0;
    for count in &mut first[1..] {
        code = (code + *count) << 1;
        *count = code;
    }
    for (length, code) in lengths.iter().zip(codes) {
        if *length > 0 {
            let next = &mut first[usize::from(*length)];
            *code = next.reverse_bits() >> (16 - length);
            *next += 1;
        }
    }
}
