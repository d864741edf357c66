//! Text of a sender in an error.

use std::fmt;

/// The beginning of an untrusted text, safe to log: at most 64 characters, quoted, control characters escaped.
#[derive(Clone, PartialEq, Eq)]
pub struct Excerpt(Box<str>);

const EXCERPT_CHARS: usize = 64;

impl Excerpt {
    /// The first 64 characters of `text`, with `…` where it is longer.
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
