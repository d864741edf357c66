//! Text of a sender in an error.

use std::fmt;

/// The beginning of a text that came from outside, safe to log: at most 64 characters, quoted, with control characters
/// escaped.
#[derive(Clone, PartialEq, Eq)]
pub struct Excerpt(Box<str>);

const EXCERPT_CHARS: usize = 64;

impl Excerpt {
    /// Takes the beginning of the text.
    pub fn of(text: &str) -> Self {
        Self(match text.char_indices().nth(EXCERPT_CHARS) {
            Some((end, _)) => format!("{}…", &text[..end]).into(),
            None => text.into(),
        })
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
