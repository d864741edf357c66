//! Changes of labels and annotations.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::field_change::{FieldChange, Standing, fields};

/// An entry that is set, or removed (`None`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    field: EntryMap,
    key: String,
    value: Option<String>,
    before: Option<String>,
}

/// The maps of `metadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EntryMap {
    /// `metadata.labels`.
    Label,
    /// `metadata.annotations`.
    Annotation,
}

impl EntryMap {
    /// The noun for one entry.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Annotation => "annotation",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Label => "labels",
            Self::Annotation => "annotations",
        }
    }
}

impl Entry {
    /// An entry with the new value and the value from before; `None` for a missing entry.
    pub fn new(field: EntryMap, key: impl Into<String>, value: Option<String>, before: Option<String>) -> Self {
        Self {
            field,
            key: key.into(),
            value,
            before,
        }
    }

    /// A label, as [`Entry::new`].
    pub fn label(key: impl Into<String>, value: Option<String>, before: Option<String>) -> Self {
        Self::new(EntryMap::Label, key, value, before)
    }

    /// An annotation, as [`Entry::new`].
    pub fn annotation(key: impl Into<String>, value: Option<String>, before: Option<String>) -> Self {
        Self::new(EntryMap::Annotation, key, value, before)
    }

    /// The change that restores the value from before.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            value: self.before.clone(),
            before: self.value.clone(),
            ..self.clone()
        }
    }
}

impl FieldChange for Entry {
    fn path(&self) -> String {
        format!("{} {}", self.field.noun(), self.key)
    }

    fn standing(&self, live: &Value) -> Standing {
        // A key can contain `/`, so a JSON pointer would not find it.
        let entries = live
            .get("metadata")
            .and_then(|metadata| metadata.get(self.field.name()));
        let now = entries
            .and_then(|entries| entries.get(&self.key))
            .and_then(Value::as_str);
        if now == self.value.as_deref() {
            Standing::AsLeft
        } else if now == self.before.as_deref() {
            Standing::AsBefore
        } else {
            Standing::Other
        }
    }

    fn is_attributable(&self) -> bool {
        true
    }

    fn write(&self, body: &mut Map<String, Value>) {
        let entries = fields(body, &["metadata", self.field.name()]);
        entries.insert(self.key.clone(), self.value.clone().map_or(Value::Null, Value::String));
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            // The value can be alert text: escaped, so that it can't control a terminal.
            Some(value) => write!(f, "{}={}", self.path(), value.escape_debug()),
            None => write!(f, "{} removed", self.path()),
        }
    }
}
