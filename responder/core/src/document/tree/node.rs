//! The values of a YAML file, each with its place.

use std::ops::Range;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// The byte range in the file; the alias's where the value comes from an anchor.
    pub(crate) at: Range<usize>,
    /// The parsed value.
    pub(crate) value: Content,
    /// Set by the check: this value, or one below it, has a problem.
    pub(crate) flawed: bool,
    /// Set by the check: left out of its list as unusable.
    pub(crate) dropped: bool,
}

/// A parsed value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Null, or no value at all.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number: `i64::MIN` to `u64::MAX`.
    Integer(i128),
    /// A finite number that is not whole.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in written order, each key once.
    Map(Vec<MappingEntry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MappingEntry {
    /// The key's text.
    pub(crate) key: String,
    /// The byte range of the key.
    pub(crate) key_at: Range<usize>,
    /// The value with its own range.
    pub(crate) value: Node,
}

impl Node {
    pub(super) fn new(at: Range<usize>, value: Content) -> Self {
        Self {
            at,
            value,
            flawed: false,
            dropped: false,
        }
    }

    /// The value of a key; `None` when absent or when this is not a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a key, with its place.
    pub(crate) fn entry(&self, key: &str) -> Option<&MappingEntry> {
        match &self.value {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The value of a text; `None` for other kinds.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The kind of value with its article, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.value {
            Content::Null => "empty",
            Content::Boolean(_) => "a boolean",
            Content::Integer(_) => "a whole number",
            Content::Float(_) => "a number",
            Content::Text(_) => "text",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    pub(super) fn size(&self) -> usize {
        1 + match &self.value {
            Content::List(nodes) => nodes.iter().map(Self::size).sum(),
            Content::Map(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
            _ => 0,
        }
    }

    pub(super) fn height(&self) -> usize {
        1 + match &self.value {
            Content::List(nodes) => nodes.iter().map(Self::height).max().unwrap_or(0),
            Content::Map(entries) => entries.iter().map(|entry| entry.value.height()).max().unwrap_or(0),
            _ => 0,
        }
    }
}
