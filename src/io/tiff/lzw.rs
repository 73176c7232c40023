//! Decodes LZW blocks of TIFF files.
//!
//! A string of the table is a piece of what has been decoded already: code `n` stands for the string of the code before
//! it, and one byte more, and both stand in the output, one after the other. So the table holds where strings begin and
//! no strings, and a code is decoded by copying from the output. Since neighbouring codes were made by neighbouring
//! strings, where the next one begins gives the length too.
//!
//! Rejected: streams of the first LZW writers, whose bits run the other way (GDAL reads them).

/// Codes that are no strings. Source: TIFF 6.0, section 13.
const CLEAR: usize = 256;
const END: usize = 257;

/// First code of a string of several bytes.
const FIRST: usize = 258;

/// Codes there can be: 12 bits.
const CODES: usize = 4096;

/// Widths of codes, in bits.
const NARROWEST: u32 = 9;
const WIDEST: u32 = 12;

/// Bytes that are copied at once; most strings of a class map are shorter.
const PIECE: usize = 32;

/// What an output buffer must have beyond the bytes that are wanted: whole pieces are copied, and what is too much is
/// written over by the next string.
pub(super) const SLACK: usize = PIECE;

/// A code that no writer can have written at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ImpossibleCode;

/// Decodes one block after the other.
pub(super) struct LzwDecoder {
    /// Where in the output the string of a code begins; where the next one begins says how long it is.
    starts: Box<[u32; CODES + 2]>,
}

impl LzwDecoder {
    pub(super) fn new() -> Self {
        Self { starts: Box::new([0; CODES + 2]) }
    }

    /// Decodes until the stream ends or `out` is full but for its last [`SLACK`] bytes, which are scratch, and gives
    /// the number of bytes decoded.
    ///
    /// # Errors
    /// A stream that does not begin by clearing the table, as all must, or holds a code that cannot be there.
    /// # Source
    /// TIFF 6.0, section 13: most significant bits first, codes widen one code early.
    pub(super) fn decode(&mut self, bytes: &[u8], out: &mut [u8]) -> Result<usize, ImpossibleCode> {
        let limit = out.len().saturating_sub(SLACK).min(u32::MAX as usize);
        let starts = &mut *self.starts;
        let (mut bit, mut at) = (0, 0);
        match code_at(bytes, &mut bit, NARROWEST) {
            None => return Ok(0),
            Some(CLEAR) => {}
            Some(_) => return Err(ImpossibleCode),
        }
        'cleared: loop {
            match code_at(bytes, &mut bit, NARROWEST) {
                None | Some(END) => return Ok(at),
                Some(CLEAR) => continue,
                Some(code @ 0..CLEAR) if at < limit => out[at] = code as u8,
                Some(0..CLEAR) => return Ok(at),
                Some(_) => return Err(ImpossibleCode),
            }
            starts[FIRST] = at as u32;
            at += 1;
            let (mut next, mut width, mut widen_at) = (FIRST, NARROWEST, (1 << NARROWEST) - 1);
            while let Some(code) = code_at(bytes, &mut bit, width) {
                // The string of `next` is the last one and the first byte of this one, which may be `next` itself.
                starts[next + 1] = at as u32;
                if code < CLEAR {
                    if at == limit {
                        return Ok(at);
                    }
                    out[at] = code as u8;
                    at += 1;
                } else if code >= FIRST {
                    if code > next {
                        return Err(ImpossibleCode);
                    }
                    let from = starts[code] as usize;
                    let len = starts[code + 1] as usize - from + 1;
                    if len > limit - at {
                        copy_bytewise(out, from, at, limit);
                        return Ok(limit);
                    }
                    copy(out, from, at, len);
                    at += len;
                    if code == next {
                        // Its last byte is its own first one, which did not stand there yet.
                        out[at - 1] = out[from];
                    }
                } else if code == CLEAR {
                    continue 'cleared;
                } else {
                    return Ok(at);
                }
                if next < CODES {
                    next += 1;
                }
                if next == widen_at {
                    width += 1;
                    widen_at = if width < WIDEST { (1 << width) - 1 } else { usize::MAX };
                }
            }
            return Ok(at);
        }
    }
}

/// Takes the next code; none if there are not so many bits.
#[inline(always)]
fn code_at(bytes: &[u8], bit: &mut usize, width: u32) -> Option<usize> {
    let byte = *bit >> 3;
    let word = match bytes.get(byte..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(word) => u64::from_be_bytes(*word),
        None => last_word(bytes, *bit, width)?,
    };
    let code = word << (*bit & 7) >> (64 - width);
    *bit += width as usize;
    Some(code as usize & (CODES - 1))
}

/// The last bytes of a stream, and zeros after them.
#[cold]
fn last_word(bytes: &[u8], bit: usize, width: u32) -> Option<u64> {
    if bit + width as usize > bytes.len() * 8 {
        return None;
    }
    let rest = bytes.get(bit >> 3..)?;
    let mut word = [0; 8];
    word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    Some(u64::from_be_bytes(word))
}

/// Copies a string that stands before `at` to `at`, and maybe some bytes more.
#[inline(always)]
fn copy(out: &mut [u8], from: usize, at: usize, len: usize) {
    let mut done = 0;
    while done < len {
        let (from, at) = (from + done, at + done);
        let mut piece = [0; PIECE];
        piece.copy_from_slice(&out[from..from + PIECE]);
        out[at..at + PIECE].copy_from_slice(&piece);
        done += PIECE;
    }
}

/// Copies from one place to a later one, as far as there is room.
#[cold]
fn copy_bytewise(out: &mut [u8], from: usize, at: usize, limit: usize) {
    for (from, to) in (from..).zip(at..limit) {
        out[to] = out[from];
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use proptest::prelude::*;
    use weezl::{BitOrder, LzwStatus};

    use super::*;

    fn encode(raw: &[u8]) -> Vec<u8> {
        weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8).encode(raw).unwrap()
    }

    /// Decodes up to `room` bytes.
    fn decode(bytes: &[u8], room: usize) -> Result<Vec<u8>, ImpossibleCode> {
        let mut out = vec![0xa5; room + SLACK];
        let found = LzwDecoder::new().decode(bytes, &mut out)?;
        out.truncate(found);
        Ok(out)
    }

    /// The same by weezl.
    fn oracle(bytes: &[u8], room: usize) -> Option<Vec<u8>> {
        let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
        let mut out = vec![0; room];
        let (mut rest, mut filled) = (bytes, 0);
        while filled < room {
            let step = decoder.decode_bytes(rest, &mut out[filled..]);
            filled += step.consumed_out;
            rest = &rest[step.consumed_in..];
            match step.status {
                Ok(LzwStatus::Ok) => {}
                Ok(LzwStatus::NoProgress | LzwStatus::Done) => break,
                Err(_) => return None,
            }
        }
        out.truncate(filled);
        Some(out)
    }

    /// Packs codes as a writer does that never clears the table but where it is told to.
    fn pack(codes: &[usize]) -> Vec<u8> {
        let (mut bits, mut next, mut fresh) = (Vec::new(), FIRST, true);
        for &code in codes {
            let width = match next {
                0..511 => 9,
                511..1023 => 10,
                1023..2047 => 11,
                _ => 12,
            };
            bits.extend((0..width).rev().map(|bit| (code >> bit & 1) as u8));
            match (code, fresh) {
                (CLEAR, _) => (next, fresh) = (FIRST, true),
                (_, true) => fresh = false,
                (_, false) => next = (next + 1).min(CODES),
            }
        }
        bits.chunks(8).map(|byte| byte.iter().zip((0..8).rev()).map(|(bit, at)| bit << at).sum()).collect()
    }

    /// A block as maps have them: patches, of few classes.
    fn class_map() -> impl Strategy<Value = Vec<u8>> {
        let patch = (0_u8..20, 1_usize..60);
        prop::collection::vec(patch, 0..2000)
            .prop_map(|patches| patches.into_iter().flat_map(|(class, n)| vec![class; n]).collect())
    }

    fn any_block() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            class_map(),
            prop::collection::vec(any::<u8>(), 0..30_000),
            (any::<u8>(), 0_usize..200_000).prop_map(|(byte, n)| vec![byte; n]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_another_writer_encoded_comes_back(raw in any_block()) {
            prop_assert!(decode(&encode(&raw), raw.len() + 1).unwrap() == raw);
        }

        #[test]
        fn a_stream_stops_where_the_room_ends(raw in class_map(), part in 0.0..1.0) {
            let room = (raw.len() as f64 * part) as usize;
            prop_assert!(decode(&encode(&raw), room).unwrap() == raw[..room]);
        }

        #[test]
        fn a_damaged_stream_is_refused_or_read_as_weezl_reads_it(
            raw in any_block(), cut in any::<prop::sample::Index>(), flips in prop::collection::vec(any::<prop::sample::Index>(), 0..4)
        ) {
            let mut bytes = encode(&raw);
            for flip in flips {
                let bit = flip.index(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            bytes.truncate(cut.index(bytes.len() * 2).max(1));
            if let Ok(found) = decode(&bytes, raw.len() + 1) {
                prop_assert_eq!(Some(found), oracle(&bytes, raw.len() + 1));
            }
        }

        #[test]
        fn noise_is_refused_or_read_as_weezl_reads_it(noise in prop::collection::vec(any::<u8>(), 0..3000)) {
            let bytes = [&[0x80][..], &noise].concat();
            if let Ok(found) = decode(&bytes, 100_000) {
                prop_assert_eq!(Some(found), oracle(&bytes, 100_000));
            }
        }

        #[test]
        fn codes_in_any_order_are_read_as_weezl_reads_them(
            choices in prop::collection::vec(any::<prop::sample::Index>(), 0..9000), clears in any::<bool>()
        ) {
            // Any code that can be there: widths change, tables fill up and go on, codes are their own last string.
            let (mut codes, mut next, mut fresh) = (vec![CLEAR], FIRST, true);
            for choice in choices {
                let code = if fresh { choice.index(256) } else { choice.index((next + 1).min(CODES)) };
                if code == END || (code == CLEAR && !clears) {
                    continue;
                }
                codes.push(code);
                match (code, fresh) {
                    (CLEAR, _) => (next, fresh) = (FIRST, true),
                    (_, true) => fresh = false,
                    (_, false) => next = (next + 1).min(CODES),
                }
            }
            codes.push(END);
            let bytes = pack(&codes);
            let found = decode(&bytes, 2_000_000).unwrap();
            prop_assert!(Some(found) == oracle(&bytes, 2_000_000));
        }
    }

    #[test]
    fn the_example_of_the_specification_is_read() {
        // TIFF 6.0, section 13: 7 7 7 8 8 7 7 6 6 becomes Clear 7 258 8 8 258 6 6 End.
        let bytes = pack(&[CLEAR, 7, 258, 8, 8, 258, 6, 6, END]);
        assert_eq!(bytes, [0x80, 0x01, 0xe0, 0x40, 0x80, 0x44, 0x08, 0x0c, 0x06, 0x80, 0x80]);
        assert_eq!(decode(&bytes, 100), Ok(vec![7, 7, 7, 8, 8, 7, 7, 6, 6]));
    }

    #[test]
    fn a_string_that_contains_itself_is_read_at_every_length() {
        // Codes that each are the string just made: 1, 11, 111, ... beyond the bytes that are copied at once.
        let codes: Vec<usize> = [CLEAR, 1].into_iter().chain(FIRST..FIRST + 100).chain([2, END]).collect();
        let found = decode(&pack(&codes), 10_000).unwrap();
        assert_eq!(found, [vec![1; 101 * 102 / 2], vec![2]].concat());
        let pair: Vec<usize> = [CLEAR, 1, 2].into_iter().chain(FIRST..FIRST + 90).chain([END]).collect();
        assert_eq!(Some(decode(&pack(&pair), 10_000).unwrap()), oracle(&pack(&pair), 10_000));
    }

    #[test]
    fn a_table_that_is_full_goes_on_to_be_used() {
        let codes: Vec<usize> =
            [CLEAR].into_iter().chain((0..6000).map(|i| i * 7 % 256)).chain([4095, 4000, END]).collect();
        let bytes = pack(&codes);
        assert_eq!(Some(decode(&bytes, 10_000).unwrap()), oracle(&bytes, 10_000));
    }

    #[test]
    fn a_stream_that_does_not_clear_first_or_runs_the_other_way_is_refused() {
        assert_eq!(decode(&pack(&[7, 7, END]), 10), Err(ImpossibleCode));
        assert_eq!(decode(&[0x00, 0x01, 0x0e], 10), Err(ImpossibleCode));
        assert_eq!(decode(&pack(&[CLEAR, 258]), 10), Err(ImpossibleCode));
        assert_eq!(decode(&pack(&[CLEAR, 1, 260]), 10), Err(ImpossibleCode));
        assert_eq!(decode(&[], 10), Ok(vec![]));
    }

    #[test]
    fn a_decoder_remembers_nothing_of_the_block_before() {
        let mut decoder = LzwDecoder::new();
        let (first, second) = (encode(&[1, 2, 1, 2, 1, 2, 1, 2]), pack(&[CLEAR, 1, 259]));
        let mut out = vec![0; 100];
        assert_eq!(decoder.decode(&first, &mut out), Ok(8));
        assert_eq!(decoder.decode(&second, &mut out), Err(ImpossibleCode));
    }
}
