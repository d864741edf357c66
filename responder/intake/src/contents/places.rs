//! The places of the parts of a body.

use responder_core::alert::Position;

/// Finds the places of parts from the beginning of a body to its end, in one pass over it.
#[derive(Debug)]
pub(super) struct Places<'a> {
    body: &'a [u8],
    offset: usize,
    at: Position,
}

impl<'a> Places<'a> {
    pub(super) const fn new(body: &'a [u8]) -> Self {
        Self {
            body,
            offset: 0,
            at: Position::START,
        }
    }

    /// The place of a slice of the body that begins behind those before it, and the bytes before it.
    pub(super) fn of(&mut self, part: &[u8]) -> (Position, usize) {
        let offset = part.as_ptr().addr().saturating_sub(self.body.as_ptr().addr());
        let passed = self.body.get(self.offset..offset).unwrap_or_default();
        for byte in passed {
            if *byte == b'\n' {
                self.at.line += 1;
                self.at.column = 1;
            } else {
                self.at.column += 1;
            }
        }
        self.offset += passed.len();
        (self.at, self.offset)
    }
}
