//! The tokens of a block, in a room that is kept from block to block.

use super::token::{MAX_MATCH, MIN_MATCH, Token};

/// Tokens, as many as were pushed.
#[derive(Debug, Default)]
pub struct Tokens {
    room: Vec<Token>,
    count: usize,
}

impl Tokens {
    /// Forgets all tokens and makes room for those of `bytes` bytes of which `boundaries` are boundaries.
    pub fn start<const UNIT: usize>(&mut self, bytes: usize, boundaries: usize) {
        self.count = 0;
        // At each boundary a match; then `UNIT` literals, and two or a run. Beyond that, matches inside long runs.
        let room = (UNIT + 3) * boundaries + bytes / (MAX_MATCH - MIN_MATCH) + 8;
        if self.room.len() < room {
            self.room.resize(room, Token::literal(0));
        }
    }

    /// The tokens; none if there was no room for some.
    pub fn all(&self) -> &[Token] {
        self.room.get(..self.count).unwrap_or_default()
    }

    #[inline(always)]
    pub fn push(&mut self, token: Token) {
        if let Some(place) = self.room.get_mut(self.count) {
            *place = token;
        }
        self.count += 1;
    }

    /// Writes values that are all the same; `inside` a run the value before them is, too.
    #[inline(always)]
    pub fn push_run<const UNIT: usize>(&mut self, run: &[u8], inside: bool) {
        let first = if inside { 0 } else { UNIT.min(run.len()) };
        let mut left = run.len() - first;
        if UNIT == 1
            && left <= MAX_MATCH
            && let Some(byte) = run.first()
            && let Some(room) = self.room.get_mut(self.count..).and_then(|room| room.first_chunk_mut())
        {
            // All tokens it could be are written, and those counted that it is: how many is as good as random.
            let literal = Token::literal(*byte);
            let matches = left >= MIN_MATCH;
            let repeated = if matches { Token::matching(left, UNIT) } else { literal };
            *room = if inside { [repeated, literal, literal] } else { [literal, repeated, literal] };
            self.count += first + if matches { 1 } else { left };
            return;
        }
        for byte in &run[..first] {
            self.push(Token::literal(*byte));
        }
        while left >= MIN_MATCH {
            // What remains must not be too short for a match of its own.
            let length = if left > MAX_MATCH { MAX_MATCH.min(left - MIN_MATCH) } else { left };
            self.push(Token::matching(length, UNIT));
            left -= length;
        }
        for byte in &run[run.len() - left..] {
            self.push(Token::literal(*byte));
        }
    }
}
