//! The values of a YAML file, each with its place.

use std::ops::Range;

/// A value at its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// The bytes of the file; of the alias, where it stands for an anchor.
    pub(crate) at: Range<usize>,
    /// What it says.
    pub(crate) value: Content,
    /// Set by the check: a problem lies in it or below it.
    pub(crate) flawed: bool,
    /// Set by the check: left out of the list that it is in, because it could not be used.
    pub(crate) dropped: bool,
}

/// What a node says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i128),
    /// Another number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order as written, each key once.
    Map(Vec<MappingEntry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MappingEntry {
    /// The key.
    pub(crate) key: String,
    /// Its place.
    pub(crate) key_at: Range<usize>,
    /// The value.
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

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of a key.
    pub(crate) fn entry(&self, key: &str) -> Option<&MappingEntry> {
        match &self.value {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for a person.
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
