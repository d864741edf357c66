//! Why a body is not an alert: the text of the response to the sender and of the log line.

use std::fmt;

use super::{Excerpt, UnknownPriority};

/// Why a body was refused. Each message says what is wrong, where (line and column, or the key) and what to do.
///
/// Text from the body appears as [`Excerpt`] only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message above each variant says what its fields are")]
pub enum DecodeError {
    /// The body is empty or white space.
    #[error("the body is empty; send one Falco alert as JSON")]
    Empty,
    /// More bytes than [`super::Bounds::body`].
    #[error(
        "the body has {size} bytes, more than the {bound} that are allowed; take whole objects (jevt.obj, ka.req.configmap.obj) out of the rule's output, or raise the bound"
    )]
    TooLarge { size: usize, bound: usize },
    /// Falco's text output: `json_output` is `false` by default.
    #[error(
        "this is Falco's text output, not JSON; set `json_output: true` in falco.yaml (the Helm chart's `falco.json_output`) and restart Falco"
    )]
    TextOutput,
    /// The body is not UTF-8.
    #[error("the body is not UTF-8 from byte {offset} on; send JSON as UTF-8")]
    NotUtf8 { offset: usize },
    /// JSON, but not an object.
    #[error("expected an alert, a JSON object, found {found}; send Falco's JSON unchanged")]
    NotAnObject { found: &'static str },
    /// The body ends inside the alert.
    #[error("the body ends inside the alert at {at}{}; the sender or a proxy cut it", InKey(key.as_ref()))]
    Truncated { at: Position, key: Option<Excerpt> },
    /// Not JSON.
    #[error("the body is not valid JSON at {at}{}: {what}; send Falco's JSON unchanged", InKey(key.as_ref()))]
    Syntax {
        at: Position,
        key: Option<Excerpt>,
        what: Box<str>,
    },
    /// Something follows the alert.
    #[error("something follows the alert at {at}; send one alert on a line, with nothing behind it")]
    TrailingData { at: Position },
    /// A key that appears twice: JSON readers disagree on which value counts, so the alert is refused.
    #[error("the key {key} is there twice in {within}, and readers differ in which one counts; send each key once")]
    DuplicateKey { key: Excerpt, within: &'static str },
    /// A required key is missing: `rule`, `priority` or `time`.
    #[error("the alert has no `{key}`; Falco always writes one, so send its JSON unchanged")]
    MissingKey { key: &'static str },
    /// A value whose type differs from Falco's.
    #[error("{key} is {found}, but Falco writes {expected}; send Falco's JSON unchanged")]
    WrongType {
        key: Excerpt,
        expected: &'static str,
        found: &'static str,
    },
    /// An object or a list inside an output field's value.
    #[error(
        "the output field {key} holds {found} {within}; Falco's fields are scalars or flat lists, so have the sender write it as a string"
    )]
    Nested {
        key: Excerpt,
        found: &'static str,
        within: &'static str,
    },
    /// A number that does not fit into 64 bits exactly.
    #[error(
        "the output field {key} has a number that does not fit into 64 bits; Falco writes none, so have the sender write it as a string"
    )]
    NumberRange { key: Excerpt },
    /// `rule` is empty, so no playbook could match the alert.
    #[error("`rule` is empty; an alert names the rule that fired")]
    EmptyRule,
    /// `priority` is not one of Falco's eight.
    #[error("`priority` is {0}")]
    Priority(UnknownPriority),
    /// `time` is not a time, or not after 1970.
    #[error("`time` is {written}, which {problem}")]
    Time { written: Excerpt, problem: &'static str },
    /// Past one of the [`super::Bounds`].
    #[error(
        "{key} is past a bound: more than {bound} {what}; shorten the rule's output, or raise the bound if this is a real alert"
    )]
    Bound {
        key: Excerpt,
        what: &'static str,
        bound: usize,
    },
}

impl DecodeError {
    /// Every [`DecodeError::kind`].
    pub const KINDS: [&'static str; 17] = [
        "empty",
        "too_large",
        "text_output",
        "not_utf8",
        "not_an_object",
        "truncated",
        "syntax",
        "trailing_data",
        "duplicate_key",
        "missing_key",
        "wrong_type",
        "nested",
        "number_range",
        "empty_rule",
        "priority",
        "time",
        "bound",
    ];

    /// The kind of error as a metric label: one of [`DecodeError::KINDS`], never text from the body.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge { .. } => "too_large",
            Self::TextOutput => "text_output",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::NotAnObject { .. } => "not_an_object",
            Self::Truncated { .. } => "truncated",
            Self::Syntax { .. } => "syntax",
            Self::TrailingData { .. } => "trailing_data",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::MissingKey { .. } => "missing_key",
            Self::WrongType { .. } => "wrong_type",
            Self::Nested { .. } => "nested",
            Self::NumberRange { .. } => "number_range",
            Self::EmptyRule => "empty_rule",
            Self::Priority(_) => "priority",
            Self::Time { .. } => "time",
            Self::Bound { .. } => "bound",
        }
    }

    /// The place in the body at which the parser stopped, where there is one.
    pub const fn position(&self) -> Option<Position> {
        match self {
            Self::Truncated { at, .. } | Self::Syntax { at, .. } | Self::TrailingData { at } => Some(*at),
            _ => None,
        }
    }

    /// The same error about an alert that is a part of a body: its places are those in the body. The part begins at `start`,
    /// which has `offset` bytes of the body before it.
    #[must_use]
    pub const fn in_part(mut self, start: Position, offset: usize) -> Self {
        match &mut self {
            Self::Truncated { at, .. } | Self::Syntax { at, .. } | Self::TrailingData { at } => *at = start.plus(*at),
            Self::NotUtf8 { offset: at } => *at = at.saturating_add(offset),
            _ => {}
        }
        self
    }
}

/// A place in the body. Line and column count from 1, the column in bytes. Falco sends an alert as one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the type's doc gives their units")]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    /// The beginning of a body.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The place in the body of a place in a part of it that begins here.
    #[must_use]
    pub const fn plus(self, within: Self) -> Self {
        let column = if within.line <= 1 {
            // A part that ends before its first byte has column 0.
            (self.column + within.column).saturating_sub(1)
        } else {
            within.column
        };
        Self {
            line: (self.line + within.line).saturating_sub(1),
            column,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

struct InKey<'a>(Option<&'a Excerpt>);

impl fmt::Display for InKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |key| write!(f, ", in {key}"))
    }
}
