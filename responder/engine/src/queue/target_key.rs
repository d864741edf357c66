//! The key of a target: only one response at a time may be about it.

use std::sync::Arc;

use responder_core::object::{Name, Namespace, Uid};
use responder_core::target::Subject;

/// A target that only one response at a time may be about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TargetKey {
    /// A subject: the pod that an alert names.
    Pod(Namespace, Name),
    /// A subject: the host that an alert names, by the node's name or by that of the Falco pod on it.
    Host(Arc<str>),
    /// A resolved target.
    Node(Name),
    /// A resolved target.
    Owner(Uid),
}

impl TargetKey {
    pub(crate) fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Pod(claim) => Self::Pod(claim.namespace.clone(), claim.name.clone()),
            Subject::Host { hostname } => Self::Host(hostname.as_str().into()),
        }
    }
}
