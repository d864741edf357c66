//! What one decoding carries along, because serde can't carry it in its error.

use serde::de;

use crate::alert::{Bounds, DecodeError, Excerpt, Position};

/// What one decoding carries along.
pub(super) struct Walk<'b> {
    pub(super) bounds: &'b Bounds,
    /// Why the alert was refused, where it was not for its syntax.
    pub(super) refusal: Option<DecodeError>,
    /// The key in whose value the parser stopped.
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

/// Where the parser stopped.
pub(super) fn position(error: &serde_json::Error) -> Position {
    Position {
        line: error.line(),
        column: error.column(),
    }
}
