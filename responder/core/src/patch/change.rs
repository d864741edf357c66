//! The list of the kinds of change.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::entry::Entry;
use super::field_change::{FieldChange, Occupied};
use super::spec::SpecChange;
use super::taint::TaintChange;

/// A change of one field, with the value from before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Change {
    /// Sets or removes a label or an annotation.
    Entry(Entry),
    /// Sets a plain value of `spec`.
    Spec(SpecChange),
    /// Adds or removes a taint of a node.
    Taint(TaintChange),
}

impl Change {
    /// The change by its interface.
    pub fn field(&self) -> &dyn FieldChange {
        match self {
            Self::Entry(change) => change,
            Self::Spec(change) => change,
            Self::Taint(change) => change,
        }
    }

    /// The change that restores the value from before.
    #[must_use]
    pub fn reversed(&self) -> Self {
        match self {
            Self::Entry(change) => Self::Entry(change.reversed()),
            Self::Spec(change) => Self::Spec(change.reversed()),
            Self::Taint(change) => Self::Taint(change.reversed()),
        }
    }

    pub(super) fn compute(&mut self, live: &Value) -> Result<(), Occupied> {
        match self {
            Self::Entry(_) | Self::Spec(_) => Ok(()),
            Self::Taint(change) => change.compute(live),
        }
    }
}

impl From<Entry> for Change {
    fn from(change: Entry) -> Self {
        Self::Entry(change)
    }
}

impl From<SpecChange> for Change {
    fn from(change: SpecChange) -> Self {
        Self::Spec(change)
    }
}

impl From<TaintChange> for Change {
    fn from(change: TaintChange) -> Self {
        Self::Taint(change)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.field().fmt(f)
    }
}
