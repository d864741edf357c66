//! Colours on a terminal, unless NO_COLOR is set or the terminal is a dumb one.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    color: bool,
}

impl Paint {
    /// No colours.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { color: false };

    /// Colours if the stream is a terminal and the environment allows them.
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let variable = |name| env::var_os(name);
        Self::fitting(
            stream.is_terminal(),
            variable("NO_COLOR").as_deref(),
            variable("TERM").as_deref(),
        )
    }

    /// NO_COLOR counts if it is set and not empty (<https://no-color.org>).
    fn fitting(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> Self {
        let unwanted = no_color.is_some_and(|value| !value.is_empty());
        let dumb = term.is_some_and(|term| term == "dumb");
        Self {
            color: is_terminal && !unwanted && !dumb,
        }
    }

    /// Whether text is coloured.
    pub(crate) const fn color(self) -> bool {
        self.color
    }

    /// The style of success.
    pub(crate) fn good<T: fmt::Display>(self, text: T) -> Painted<T> {
        self.painted(text, AnsiColor::Green.on_default().bold())
    }

    /// The style of refusals and errors.
    pub(crate) fn bad<T: fmt::Display>(self, text: T) -> Painted<T> {
        self.painted(text, AnsiColor::Red.on_default().bold())
    }

    /// The style of titles.
    pub(crate) fn title<T: fmt::Display>(self, text: T) -> Painted<T> {
        self.painted(text, Style::new().bold())
    }

    /// The style of secondary text.
    pub(crate) fn quiet<T: fmt::Display>(self, text: T) -> Painted<T> {
        self.painted(text, Style::new().dimmed())
    }

    const fn painted<T>(self, text: T, style: Style) -> Painted<T> {
        Painted {
            text,
            style: if self.color { style } else { Style::new() },
        }
    }
}

/// A value with its style.
pub(crate) struct Painted<T> {
    text: T,
    style: Style,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.style.render(), self.text, self.style.render_reset())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::terminal(true, None, Some("xterm"), true)]
    #[case::terminal_of_unknown_kind(true, None, None, true)]
    #[case::pipe(false, None, Some("xterm"), false)]
    #[case::no_color(true, Some("1"), Some("xterm"), false)]
    #[case::no_color_of_any_value(true, Some("false"), Some("xterm"), false)]
    #[case::no_color_but_empty(true, Some(""), Some("xterm"), true)]
    #[case::dumb(true, None, Some("dumb"), false)]
    fn colours_are_for_terminals_without_no_color(
        #[case] is_terminal: bool,
        #[case] no_color: Option<&str>,
        #[case] term: Option<&str>,
        #[case] color: bool,
    ) {
        let paint = Paint::fitting(is_terminal, no_color.map(OsStr::new), term.map(OsStr::new));
        assert_eq!(paint.color(), color);
        let painted = paint.bad("refuse").to_string();
        assert_eq!(painted.contains('\u{1b}'), color);
        assert!(painted.contains("refuse"));
    }

    #[test]
    fn plain_text_has_no_escapes() {
        assert_eq!(Paint::PLAIN.good("act").to_string(), "act");
    }
}
