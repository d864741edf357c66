//! The receivers of notifications, and the moments at which they are notified.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An entry of `notify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// The receivers' names, as configured.
    pub to: Vec<String>,
    /// The moments at which they are notified.
    pub on: Vec<NotifyMoment>,
}

/// The moments at which receivers are notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum NotifyMoment {
    /// All steps were completed (or rehearsed, or observed).
    Acted,
    /// The decision was not to act.
    Refused,
    /// A step failed.
    Failed,
    /// The `ttl` of a quarantine ended.
    Expired,
}
