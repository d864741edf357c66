//! The sensor of an alert: the node on which Falco saw the event.

use crate::object::Name;

/// The node from which a syscall alert comes, by its `hostname`, which is the name of the node or of the Falco pod on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SensorNode {
    /// Not looked up: the alert names the pod's own node, or none.
    #[default]
    NotAsked,
    /// The node of that name, or of the Falco pod of that name.
    Known(Name),
    /// The hostname leads to no node; the reason, as a sentence without a full stop.
    Unknown(String),
}
