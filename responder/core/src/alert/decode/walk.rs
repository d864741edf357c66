//! The state of one decoding: what serde can't carry in its error.

use serde::de;

use crate::alert::{Bounds, DecodeError, Excerpt, Position};

/// The state of one decoding.
pub(super) struct Walk<'b> {
    pub(super) bounds: &'b Bounds,
    /// The reason for the refusal, unless it is a syntax error.
    pub(super) refusal: Option<DecodeError>,
    /// The key whose value the parser was reading when it stopped.
    pub(super) key: Option<Excerpt>,
}

impl Walk<'_> {
    pub(super) fn refuse<E: de::Error>(&mut self, refusal: DecodeError) -> E {
        self.refusal.get_or_insert(refusal);
        E::custom("refused")
    }

    pub(super) fn check_length<E: de::Error>(&mut self, key: &str, text: &str) -> Result<(), E> {
        if text.len() > self.bounds.string {
            let bound = self.bounds.string;
            return Err(self.refuse(DecodeError::Bound {
                key: Excerpt::of(key),
                what: "bytes",
                bound,
            }));
        }
        Ok(())
    }

    pub(super) fn explain(&mut self, error: &serde_json::Error) -> DecodeError {
        if let Some(refusal) = self.refusal.take() {
            return refusal;
        }
        let (at, key) = (position(error), self.key.take());
        if error.is_eof() {
            return DecodeError::Truncated { at, key };
        }
        let message = error.to_string();
        // serde_json puts the position at the end of each message.
        let what = message.split(" at line ").next().unwrap_or_default();
        match key {
            Some(key) if what == "number out of range" => DecodeError::NumberRange { key },
            key => DecodeError::Syntax {
                at,
                key,
                what: what.into(),
            },
        }
    }
}

/// The place where the parser stopped.
pub(super) fn position(error: &serde_json::Error) -> Position {
    Position {
        line: error.line(),
        column: error.column(),
    }
}
