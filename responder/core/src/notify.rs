//! Who is told, and at which moments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One entry of `notify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// The receivers.
    pub to: Vec<String>,
    /// The moments.
    pub on: Vec<NotifyMoment>,
}

/// The moments at which somebody can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum NotifyMoment {
    /// All steps were done (or rehearsed, or observed).
    Acted,
    /// The decision was to do nothing.
    Refused,
    /// A step failed.
    Failed,
    /// The time of a quarantine ran out.
    Expired,
}
