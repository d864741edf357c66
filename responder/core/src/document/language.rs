//! What a language says of the keys and words that it does not take. Step of the flow: reading what people write, before
//! the first.

use super::diagnose::Problem;

/// What is planned under a name, or what its writer meant by it: refused by name, never ignored.
#[derive(Debug, Clone, Copy)]
pub struct Language {
    /// The problem of a key that a type does not have, by the names of both; `None` leaves it to the general words. A
    /// problem without help gets the key that was probably meant.
    pub unknown_key: fn(type_name: &str, key: &str) -> Option<Problem>,
    /// Whether a word will be one of an enumeration.
    pub planned_word: fn(type_name: &str, word: &str) -> bool,
}

impl Language {
    /// Nothing is planned.
    pub const PLAIN: Self = Self {
        unknown_key: |_, _| None,
        planned_word: |_, _| false,
    };
}
