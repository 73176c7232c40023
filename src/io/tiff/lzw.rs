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
