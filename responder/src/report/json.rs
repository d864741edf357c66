//! JSON that is safe on a terminal: the same value, with `\uXXXX` for characters that act on a terminal. (serde_json escapes
//! only what JSON forbids, and leaves U+009B and direction marks.)

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::text::acts;

/// On one line, with a line feed at the end.
pub(crate) fn to_json_line<T: Serialize>(value: &T) -> serde_json::Result<String> {
    write(value, CompactFormatter)
}

/// Indented, with a line feed at the end.
pub(crate) fn to_json_pretty<T: Serialize>(value: &T) -> serde_json::Result<String> {
    write(value, PrettyFormatter::new())
}

fn write<T: Serialize>(value: &T, formatter: impl Formatter) -> serde_json::Result<String> {
    let mut bytes = Vec::with_capacity(1024);
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Visible(formatter)))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// Another formatter, with the acting characters of strings escaped.
struct Visible<F>(F);

impl<F: Formatter> Formatter for Visible<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|&(_, c)| acts(c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{to_json_line, to_json_pretty};

    #[test]
    fn characters_that_act_on_a_terminal_are_escaped() {
        let value = json!({"command": "a\u{9b}31m\u{202e}b\u{1b}[0m \"q\" \u{e0041}"});
        assert_eq!(
            to_json_line(&value).unwrap(),
            "{\"command\":\"a\\u009b31m\\u202eb\\u001b[0m \\\"q\\\" \\udb40\\udc41\"}\n"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_the_same_after_a_round_trip(text in any::<String>()) {
            let value = json!({ &text: [&text, 1, {}], "b": {"c": &text} });
            prop_assert_eq!(&serde_json::from_str::<Value>(&to_json_line(&value).unwrap()).unwrap(), &value);
            prop_assert_eq!(&serde_json::from_str::<Value>(&to_json_pretty(&value).unwrap()).unwrap(), &value);
        }
    }
}
