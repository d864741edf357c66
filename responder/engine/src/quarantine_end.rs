//! The end of a quarantine, as the audit trail and the messages name it.

use std::fmt;

use serde::Serialize;

/// How a quarantine ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum QuarantineEnd {
    /// It stays, as the playbook asks, or because the end that the playbook asks for is not allowed.
    Held {
        /// The reason.
        because: String,
    },
    /// The pod has its labels again, and the policies are gone.
    Released {
        /// The labels that another client had changed and that were left alone.
        left: Vec<String>,
    },
    /// The pod was deleted. The policies hold while it ends, and go when it is gone.
    Deleted,
    /// The pod was gone already, and the policies were removed.
    PodGone,
    /// It could not be ended; it is tried again.
    Failed {
        /// The reason.
        because: String,
    },
}

impl QuarantineEnd {
    /// Every name, for metrics.
    pub const NAMES: [&'static str; 5] = ["held", "released", "deleted", "pod gone", "failed"];

    /// A bounded name for metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Held { .. } => "held",
            Self::Released { .. } => "released",
            Self::Deleted => "deleted",
            Self::PodGone => "pod gone",
            Self::Failed { .. } => "failed",
        }
    }
}

impl fmt::Display for QuarantineEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { because } => write!(f, "it stays in quarantine: {because}"),
            Self::Released { left } if left.is_empty() => f.write_str("it was released"),
            Self::Released { left } => write!(
                f,
                "it was released; changed by others and left alone: {}",
                left.join(", ")
            ),
            Self::Deleted => f.write_str("it was deleted"),
            Self::PodGone => f.write_str("it was gone already"),
            Self::Failed { because } => write!(f, "it could not be ended: {because}"),
        }
    }
}
