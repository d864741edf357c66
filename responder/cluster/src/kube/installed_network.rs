//! The cluster's network, as far as it changes with the cluster's installation and not with its pods.

use responder_core::network::{PolicyEngine, PolicyKind};

/// The engine that runs, and the kinds of policy that the API server serves.
#[derive(Debug, Clone, Default)]
pub(super) struct InstalledNetwork {
    pub(super) engine: Option<PolicyEngine>,
    pub(super) served: Vec<ServedPolicyKind>,
    /// Why the engine could not be looked for, each a clause.
    pub(super) unread: Vec<String>,
}

/// A kind of policy, and where it is served.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServedPolicyKind {
    pub(super) kind: PolicyKind,
    pub(super) group: &'static str,
    pub(super) version: &'static str,
}
