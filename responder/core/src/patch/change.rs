//! The kinds of change. The only place where they are enumerated.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::entry::Entry;
use super::field_change::{FieldChange, NotOurs};
use super::spec::SpecChange;
use super::taint::TaintChange;

/// A change of one field: what is written, and what was there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Change {
    /// A label or an annotation is set, or taken away.
    Entry(Entry),
    /// A plain value of `spec` is set.
    Spec(SpecChange),
    /// A taint of a node is added, or taken away.
    Taint(TaintChange),
}

impl Change {
    /// The change itself.
    pub fn field(&self) -> &dyn FieldChange {
        match self {
            Self::Entry(change) => change,
            Self::Spec(change) => change,
            Self::Taint(change) => change,
        }
    }

    /// The change that gives back what was before.
    pub fn reversed(&self) -> Self {
        match self {
            Self::Entry(change) => Self::Entry(change.reversed()),
            Self::Spec(change) => Self::Spec(change.reversed()),
            Self::Taint(change) => Self::Taint(change.reversed()),
        }
    }

    pub(super) fn work_out(&mut self, live: &Value) -> Result<(), NotOurs> {
        match self {
            Self::Entry(_) | Self::Spec(_) => Ok(()),
            Self::Taint(change) => change.work_out(live),
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
