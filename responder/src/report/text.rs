//! Untrusted text, made safe for a terminal.

use std::borrow::Cow;

use responder_core::printable::is_printable;
use unicode_width::UnicodeWidthStr as _;

/// The text with every character escaped that acts instead of being shown: control characters (C1 too, which some terminals
/// obey like ESC), direction marks, and Unicode's other format characters. Visible characters stay as they are.
///
/// It is idempotent: text that is escaped already is not escaped again.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| !acts(c)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            safe.extend(c.escape_debug());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Whether a character acts on a terminal.
pub(super) fn acts(c: char) -> bool {
    !is_printable(c)
}

/// The columns that the text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text cut to this many columns, with `…` for the rest.
pub(super) fn shortened(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut short = String::new();
    for c in text.chars() {
        if width(&short) + width(c.encode_utf8(&mut [0; 4])) >= columns {
            break;
        }
        short.push(c);
    }
    short.push('…');
    Cow::Owned(short)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::{printable, shortened, width};

    #[rstest]
    #[case("sh -c \"cat 'a\\b'\"", "sh -c \"cat 'a\\b'\"")]
    #[case("größe 漢字 🦀", "größe 漢字 🦀")]
    #[case("\u{1b}[31mred", "\\u{1b}[31mred")]
    #[case("one\ntwo\tthree", "one\\ntwo\\tthree")]
    #[case("c1 \u{9b}31m", "c1 \\u{9b}31m")]
    #[case("user \u{202e}txt.exe", "user \\u{202e}txt.exe")]
    #[case("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}")]
    #[case("\u{2066}isolated\u{2069}", "\\u{2066}isolated\\u{2069}")]
    fn acting_characters_are_escaped_and_visible_ones_stay(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(printable(text), shown);
    }

    #[rstest]
    #[case("short", "short")]
    #[case("exactly ten", "exactly t…")]
    #[case("漢字漢字漢字", "漢字漢字…")]
    fn a_long_text_is_cut_by_columns(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(shortened(text, 10), shown);
        assert!(width(shown) <= 10);
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_control_or_direction_character(text in any::<String>()) {
            let shown = printable(&text);
            let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            prop_assert!(!shown.chars().any(|c| c.is_control() || turns(c)));
            prop_assert_eq!(printable(&shown), shown.clone());
        }
    }
}
