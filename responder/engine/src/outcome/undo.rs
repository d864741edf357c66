//! What became of the undo of one request.

use serde::Serialize;

/// What became of one undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoReport {
    /// The request that is undone, as a person reads it.
    pub request: String,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: UndoOutcome,
}

/// What became of one undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum UndoOutcome {
    /// As before.
    Undone,
    /// As before, but for what somebody else has changed since.
    PartlyUndone {
        /// What was left alone.
        left: Vec<String>,
    },
    /// There was nothing to undo.
    Nothing {
        /// Why.
        because: String,
    },
    /// There is no way back.
    Irreversible {
        /// Why.
        because: &'static str,
    },
    /// It could not be undone; it stays as it is.
    Failed {
        /// Why.
        because: String,
    },
}

impl UndoOutcome {
    /// Whether nothing of ours remains.
    pub const fn is_clean(&self) -> bool {
        matches!(self, Self::Undone | Self::PartlyUndone { .. } | Self::Nothing { .. })
    }
}
