//! The classes of accepted alerts, which wait apart from one another.

use std::fmt;

use responder_core::alert::Priority;
use serde::Serialize;

/// The class of an accepted alert: each has bounds and a share of the slots of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum QueueClass {
    /// Alerts of priority Critical and above.
    Critical,
    /// All others.
    Ordinary,
}

impl QueueClass {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Critical, Self::Ordinary];

    /// The class of a priority.
    pub fn of(priority: Priority) -> Self {
        if priority >= Priority::Critical {
            Self::Critical
        } else {
            Self::Ordinary
        }
    }

    /// A bounded name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Ordinary => "ordinary",
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Critical => 0,
            Self::Ordinary => 1,
        }
    }
}

impl fmt::Display for QueueClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
