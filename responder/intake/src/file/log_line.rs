//! A line of a log, as a container runtime or a syslog daemon writes it around what Falco has written.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes::Regex;
use serde::Deserialize;

/// The stream of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContainerStream {
    Stdout,
    Stderr,
}

/// What a line of a log holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogLine<'a> {
    /// A whole line of Falco, taken out of what was around it.
    Whole(Cow<'a, [u8]>),
    /// A piece of a long line, which the runtime has cut.
    Piece {
        /// The pieces of the two streams may alternate.
        stream: ContainerStream,
        text: Cow<'a, [u8]>,
        /// Whether the line ends with it.
        is_last: bool,
    },
}

/// CRI: `2026-01-01T00:00:00.000000000Z stdout F text`, with P for a piece that is not the last one of its line.
static CRI: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?s-u)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S* (stdout|stderr) ([PF])(?::\S*)?(?: (.*))?$").ok()
});

/// RFC 5424: `<134>1 2026-01-01T00:00:00Z host falco 1 - - text`, with structured data or `-`, and a mark of UTF-8 or none.
static RFC_5424: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?s-u)^<\d{1,3}>\d{1,2} \S+ \S+ \S+ \S+ \S+ (?:-|(?:\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\])+) (?:\xEF\xBB\xBF)?(.*)$"#,
    )
    .ok()
});

/// RFC 3164: `<134>Jan  1 00:00:00 host falco[1]: text`. In a file the priority is left out, and the time may be in ISO 8601.
static RFC_3164: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?s-u)^(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) (?:\S+ )?[^\s:\[]+(?:\[\d+\])?: *(.*)$",
    )
    .ok()
});

/// A line of docker's json-file driver. Long lines are cut; the last piece ends with the line's end.
#[derive(Deserialize)]
struct DockerLine<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
}

impl<'a> LogLine<'a> {
    /// Takes a line out of what a runtime or a daemon has put around it. A line of none of them is whole as it is.
    pub(super) fn parse(line: &'a [u8]) -> Self {
        if line.trim_ascii_start().first() == Some(&b'{') {
            return Self::docker(line).unwrap_or(Self::Whole(line.into()));
        }
        Self::cri(line)
            .or_else(|| Self::syslog(line))
            .unwrap_or(Self::Whole(line.into()))
    }

    fn docker(line: &'a [u8]) -> Option<Self> {
        let DockerLine { log, stream } = serde_json::from_slice(line).ok()?;
        let text = match log {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Some(Self::Piece {
            stream: ContainerStream::named(stream.as_bytes())?,
            is_last: text.ends_with(b"\n"),
            text,
        })
    }

    fn cri(line: &'a [u8]) -> Option<Self> {
        // White space at the end of a piece is a part of the text.
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let found = CRI.as_ref()?.captures(line)?;
        let part = |index| found.get(index).map_or(&b""[..], |part| part.as_bytes());
        Some(Self::Piece {
            stream: ContainerStream::named(part(1))?,
            text: part(3).into(),
            is_last: part(2) == b"F",
        })
    }

    fn syslog(line: &'a [u8]) -> Option<Self> {
        let line = line.trim_ascii();
        let found = [&RFC_5424, &RFC_3164]
            .into_iter()
            .find_map(|format| format.as_ref()?.captures(line))?;
        let text = found.get(1)?.as_bytes();
        text.starts_with(b"{").then_some(Self::Whole(text.into()))
    }
}

impl ContainerStream {
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"stdout" => Some(Self::Stdout),
            b"stderr" => Some(Self::Stderr),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn piece(stream: ContainerStream, text: &str, is_last: bool) -> LogLine<'_> {
        LogLine::Piece {
            stream,
            text: text.as_bytes().into(),
            is_last,
        }
    }

    #[rstest]
    #[case::cri("2026-01-01T00:00:00.0Z stdout F {}", piece(ContainerStream::Stdout, "{}", true))]
    #[case::cri_of_another_zone(
        "2026-01-01T00:00:00.123456789+02:00 stderr F {}",
        piece(ContainerStream::Stderr, "{}", true)
    )]
    #[case::cri_piece(
        "2026-01-01T00:00:00.0Z stdout P {\"a\": ",
        piece(ContainerStream::Stdout, "{\"a\": ", false)
    )]
    #[case::cri_with_its_line_end("2026-01-01T00:00:00.0Z stdout F {}\r", piece(ContainerStream::Stdout, "{}", true))]
    #[case::cri_with_tags("2026-01-01T00:00:00.0Z stdout P:x:y {", piece(ContainerStream::Stdout, "{", false))]
    #[case::cri_without_text("2026-01-01T00:00:00.0Z stdout F ", piece(ContainerStream::Stdout, "", true))]
    #[case::docker(
        r#"{"log":"{\"a\":1}\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}"#,
        piece(ContainerStream::Stdout, "{\"a\":1}\n", true)
    )]
    #[case::docker_piece(
        r#"{"log":"{\"a\":","stream":"stderr","attrs":{"k":"v"}}"#,
        piece(ContainerStream::Stderr, "{\"a\":", false)
    )]
    fn a_line_of_a_container_is_a_piece_of_its_stream(#[case] line: &str, #[case] expected: LogLine<'_>) {
        assert_eq!(LogLine::parse(line.as_bytes()), expected);
    }

    #[rstest]
    #[case::rfc_3164("<134>Jul  6 23:05:05 worker-1 falco[4242]: {}")]
    #[case::rfc_3164_in_a_file("Jul  6 23:05:05 worker-1 falco: {}")]
    #[case::rfc_3164_of_rsyslog("2026-07-06T23:05:05.771201+00:00 worker-1 falco[1]: {}")]
    #[case::rfc_3164_without_a_host("<134>Jul 16 23:05:05 falco: {}")]
    #[case::rfc_5424("<134>1 2026-07-06T23:05:05.771201Z worker-1 falco 4242 - - {}")]
    #[case::rfc_5424_with_data(r#"<134>1 - worker-1 falco - ID47 [a@1 b="c \"]\" d"][e@1] {}"#)]
    #[case::rfc_5424_with_a_mark("<134>1 - - falco - - - \u{feff}{}")]
    fn a_message_of_syslog_is_taken_out_of_its_header(#[case] line: &str) {
        assert_eq!(LogLine::parse(line.as_bytes()), LogLine::Whole(b"{}".into()));
    }

    #[rstest]
    #[case(r#"{"rule":"r","log":"x"}"#)]
    #[case(r#"{"log":"{}\n","stream":"stdin"}"#)]
    #[case("2026-01-01T00:00:00.0Z stdout X {}")]
    #[case("13:44:05.478445995: Notice x {}")]
    #[case("<134>Jul  6 23:05:05 worker-1 sshd: no alert {}")]
    #[case("no alert")]
    fn any_other_line_is_whole(#[case] line: &str) {
        assert_eq!(LogLine::parse(line.as_bytes()), LogLine::Whole(line.as_bytes().into()));
    }
}
