//! Characters that are shown, and those that act instead: on a terminal, on the direction of a line, or on where it ends.

/// Whether a character is shown as itself. Control characters (C1 too, which some terminals obey like ESC), marks of
/// direction, separators of lines and paragraphs, and Unicode's other format characters are not.
pub fn is_printable(c: char) -> bool {
    // `escape_debug` escapes what Unicode calls unprintable, and also quotes and backslashes, which are harmless here.
    c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.escape_debug().len() == 1)
}

/// The text with everything that is not printable escaped. Quotes stay as they are.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_printable(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_debug());
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::direction('\u{61c}')]
    #[case::direction_override('\u{202e}')]
    #[case::direction_isolate('\u{2066}')]
    #[case::line('\u{2028}')]
    #[case::paragraph('\u{2029}')]
    #[case::zero_width('\u{200b}')]
    #[case::byte_order('\u{feff}')]
    #[case::tag('\u{e0041}')]
    #[case::escape('\u{1b}')]
    #[case::c1('\u{9b}')]
    #[case::delete('\u{7f}')]
    #[case::new_line('\n')]
    fn what_acts_is_not_printable(#[case] c: char) {
        assert!(!is_printable(c));
    }

    #[test]
    fn quotes_stay_and_what_acts_is_escaped() {
        assert_eq!(escaped("a == 'b'\u{202e}\n"), "a == 'b'\\u{202e}\\n");
    }

    proptest! {
        #[test]
        fn no_control_character_is_printable(c in any::<char>()) {
            prop_assert!(!(c.is_control() && is_printable(c)));
        }

        #[test]
        fn letters_of_every_script_are_printable(c in proptest::char::ranges(vec!['!'..='~', 'À'..='ʯ', 'А'..='я', 'א'..='ת', '一'..='龥', '😀'..='😿'].into())) {
            prop_assert!(is_printable(c));
        }
    }
}
