//! The outcome of the undo of one request.

use serde::Serialize;

/// One undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoReport {
    /// The request that is undone, as a person reads it.
    pub request: String,
    /// Its outcome.
    #[serde(flatten)]
    pub outcome: UndoOutcome,
}

/// The outcome of one undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum UndoOutcome {
    /// The object is as before.
    Undone,
    /// The object is as before, but for what another client has changed since.
    PartlyUndone {
        /// The labels, annotations and fields that were left alone.
        left: Vec<String>,
    },
    /// There was nothing to undo.
    Nothing {
        /// The reason.
        because: String,
    },
    /// The request can't be undone.
    Irreversible {
        /// The reason.
        because: String,
    },
    /// The undo failed; the object stays as it is.
    Failed {
        /// The reason.
        because: String,
    },
}

impl UndoOutcome {
    /// Whether nothing that the response changed remains.
    pub const fn is_clean(&self) -> bool {
        matches!(self, Self::Undone | Self::PartlyUndone { .. } | Self::Nothing { .. })
    }
}
