//! The values of output fields, without loss.

use compact_str::CompactString;
use std::fmt;

use serde::{Serialize, Serializer};

/// The value of an output field, as Falco types it in JSON (libs `sinsp_filtercheck.cpp`, `rawval_to_json`).
///
/// Falco never nests: a list holds scalars, and there are no objects.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Falco had no value for the field; `<NA>` in its text.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer, exact: times are nanoseconds past 2^53.
    Integer(Integer),
    /// A float; Falco writes them for rates and percentages only.
    Float(f64),
    /// Text: all values without a more specific type, addresses included.
    String(CompactString),
    /// The values of a list field (`ka.req.pod.containers.image`); never lists themselves.
    List(Vec<Value>),
}

/// falcosidekick cuts strings of more than 512 bytes to their first 507 and `[...]` when the whole alert has more than
/// 4096 bytes (`handlers.go`). A cut string therefore has 512 bytes, or more if the cut broke a character in two.
const CUT_MARK: &str = "[...]";
const CUT_LENGTH: usize = 512;

impl Value {
    /// Whether falcosidekick cut this text: it ends in `[...]` *and* has at least the 512 bytes that a cut leaves.
    ///
    /// The lost part is unknown, so a cut value equals nothing. The length matters: if every text that ends in `[...]`
    /// counted as cut, a process named `x[...]` would slip through each `notIn`. False for other types.
    pub fn is_cut(&self) -> bool {
        self.as_str()
            .is_some_and(|text| text.len() >= CUT_LENGTH && text.ends_with(CUT_MARK))
    }

    /// Whether Falco had no value for the field.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a string, cut or not.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of an integer; `None` for other types, floats included.
    pub fn as_integer(&self) -> Option<Integer> {
        match self {
            Self::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The value of a float; `None` for an integer.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(float) => Some(*float),
            _ => None,
        }
    }

    /// The elements of a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }

    /// The JSON type with its article, for messages: `a string`, `an integer`, `null`, …
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Integer(integer) => integer.serialize(serializer),
            Self::Float(float) => serializer.serialize_f64(*float),
            Self::String(text) => serializer.serialize_str(text),
            Self::List(values) => serializer.collect_seq(values),
        }
    }
}

/// Written as JSON: control characters in an attacker's text stay visible and harmless.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Integer(integer.into())
    }
}

impl From<u64> for Value {
    fn from(integer: u64) -> Self {
        Self::Integer(integer.into())
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Self::Float(float)
    }
}

/// An integer from Falco, exact: `i64::MIN` to `u64::MAX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Integer(i128);

impl Integer {
    /// The number, widened to hold both signs.
    pub const fn get(self) -> i128 {
        self.0
    }
}

impl From<i64> for Integer {
    fn from(integer: i64) -> Self {
        Self(integer.into())
    }
}

impl From<u64> for Integer {
    fn from(integer: u64) -> Self {
        Self(integer.into())
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match u64::try_from(self.0) {
            Ok(unsigned) => serializer.serialize_u64(unsigned),
            // Not a `u64`, so negative and, by construction, not below `i64::MIN`.
            Err(_) => serializer.serialize_i64(i64::try_from(self.0).unwrap_or(i64::MIN)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Integer, Value};

    #[rstest]
    #[case("a".repeat(507) + "[...]", true)]
    #[case("a".repeat(506) + "\u{fffd}[...]", true)]
    #[case("a".repeat(512), false)]
    #[case("nginx[...]".to_owned(), false)]
    #[case(String::new(), false)]
    fn a_text_is_cut_by_its_mark_and_its_length(#[case] text: String, #[case] cut: bool) {
        assert_eq!(Value::from(&*text).is_cut(), cut);
    }

    #[rstest]
    #[case(Integer::from(i64::MIN), "-9223372036854775808")]
    #[case(Integer::from(-1_i64), "-1")]
    #[case(Integer::from(u64::MAX), "18446744073709551615")]
    fn integers_are_written_exactly(#[case] integer: Integer, #[case] written: &str) {
        assert_eq!(serde_json::to_string(&integer).unwrap(), written);
        assert_eq!(Value::Integer(integer).to_string(), written);
    }

    #[test]
    fn control_characters_are_shown_escaped() {
        assert_eq!(Value::from("a\u{1b}[2J\n").to_string(), r#""a\u001b[2J\n""#);
    }
}
