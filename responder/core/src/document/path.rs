//! Paths into a document, by which problems find their places.

use std::fmt;
use std::ops::Range;

use super::tree::{Content, Node};

/// The keys and indices from a document's root to a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
}

impl Path {
    /// The path of a key below this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    /// The path of a list element below this one; indices count from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    fn with(&self, segment: Segment) -> Self {
        let mut path = self.clone();
        path.0.push(segment);
        path
    }

    /// The path of a dotted name, such as `labels.app.kubernetes.io/name` or `values.0`. Keys may contain dots, so at
    /// each mapping the longest matching key is taken.
    pub(crate) fn dotted(&self, root: &Node, dotted: &str) -> Self {
        let mut path = self.clone();
        let mut rest = dotted;
        while !rest.is_empty() {
            let part = rest.split('.').next().unwrap_or(rest);
            let key = match path.locate(root).node.map(|node| &node.value) {
                Some(Content::List(_)) => part,
                Some(Content::Map(entries)) => entries
                    .iter()
                    .map(|entry| entry.key.as_str())
                    .filter(|key| {
                        rest.strip_prefix(key)
                            .is_some_and(|after| after.is_empty() || after.starts_with('.'))
                    })
                    .max_by_key(|key| key.len())
                    .unwrap_or(rest),
                _ => rest,
            };
            path = match (path.locate(root).node.map(|node| &node.value), key.parse()) {
                (Some(Content::List(_)), Ok(index)) => path.index(index),
                _ => path.key(key),
            };
            rest = rest.get(key.len()..).unwrap_or_default().trim_start_matches('.');
        }
        path
    }

    /// Locates the path in a document, or its nearest existing ancestor. Indices skip list elements that the check has
    /// dropped.
    pub(crate) fn locate<'n>(&self, root: &'n Node) -> Located<'n> {
        let mut located = Located {
            node: Some(root),
            at: head(root),
            display: Self::default(),
        };
        for segment in &self.0 {
            let Some(node) = located.node else { break };
            match (segment, &node.value) {
                (Segment::Key(key), _) => {
                    located.display = located.display.key(key);
                    located.node = node.entry(key).map(|entry| {
                        located.at = if is_scalar(&entry.value) {
                            entry.value.at.clone()
                        } else {
                            entry.key_at.clone()
                        };
                        if located.at.is_empty() {
                            located.at = entry.key_at.clone();
                        }
                        &entry.value
                    });
                }
                (Segment::Index(index), Content::List(nodes)) => {
                    let found = nodes.iter().enumerate().filter(|(_, node)| !node.dropped).nth(*index);
                    located.display = located.display.index(found.map_or(*index, |(written, _)| written));
                    located.node = found.map(|(_, node)| {
                        located.at = head(node);
                        node
                    });
                }
                (Segment::Index(index), _) => {
                    located.display = located.display.index(*index);
                    located.node = None;
                }
            }
        }
        located
    }
}

/// A path's place in a document.
#[derive(Debug, Clone)]
pub(crate) struct Located<'n> {
    /// The value; `None` when the path does not exist in the document.
    pub(crate) node: Option<&'n Node>,
    /// The range to mark: a scalar itself, otherwise its key or its beginning.
    pub(crate) at: Range<usize>,
    /// The path with indices as in the file, dropped elements included.
    pub(crate) display: Path,
}

fn is_scalar(node: &Node) -> bool {
    !matches!(node.value, Content::List(_) | Content::Map(_))
}

/// The range of a node's first key, or of the node itself.
fn head(node: &Node) -> Range<usize> {
    match &node.value {
        Content::Map(entries) => entries
            .first()
            .map_or_else(|| node.at.clone(), |entry| entry.key_at.clone()),
        Content::List(nodes) => nodes.first().map_or_else(|| node.at.clone(), head),
        _ => node.at.clone(),
    }
}

impl fmt::Display for Path {
    /// Such as `spec.match.fields[2].field`; keys that are not plain words are quoted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |key: &str| {
            key.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        };
        for (place, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if !plain(key) || key.is_empty() => write!(f, "[\"{}\"]", key.escape_debug())?,
                Segment::Key(key) if place == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}
