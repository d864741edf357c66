//! Hints for keys and words that a type does not accept.

use super::diagnose::Problem;

/// Known names that are not accepted: planned ones, and those of other tools. Each is refused with a hint of its own,
/// never ignored.
#[derive(Debug, Clone, Copy)]
pub struct Language {
    /// The problem for a key that the type lacks; `None` for the general message. A problem without help gets the
    /// closest accepted key as its suggestion.
    pub unknown_key: fn(type_name: &str, key: &str) -> Option<Problem>,
    /// Whether a later version adds the word to the enumeration.
    pub planned_word: fn(type_name: &str, word: &str) -> bool,
}

impl Language {
    /// No hints.
    pub const PLAIN: Self = Self {
        unknown_key: |_, _| None,
        planned_word: |_, _| false,
    };
}
