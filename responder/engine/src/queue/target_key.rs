//! The key of a target: only one response at a time may be about it. And the tenant that a subject belongs to.

use std::sync::Arc;

use responder_core::object::{ContainerId, Name, Namespace, Uid};
use responder_core::target::{Subject, Target};

/// A target that only one response at a time may be about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TargetKey {
    /// A subject: the pod that an alert names.
    Pod(Namespace, Name),
    /// A subject: the host that an alert names, by the node's name or by that of the Falco pod on it.
    Host(Arc<str>),
    /// A subject: the container that an alert names, and its host.
    Container(ContainerId, Arc<str>),
    /// The subject of all alerts that name none: they are refused without a read.
    Nothing,
    /// A resolved target.
    Node(Name),
    /// A resolved target.
    Owner(Uid),
}

/// Those who share one turn of a round and one bound of a lane. Their number is bounded by that of the alerts in the
/// queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Tenant {
    /// The pods of one namespace.
    Namespace(Namespace),
    /// One host: its alerts are about no namespace, or about one that is not known yet.
    Host(Arc<str>),
    /// The alerts that name nothing.
    Nothing,
}

impl TargetKey {
    pub(crate) fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Pod(claim) => Self::Pod(claim.namespace.clone(), claim.name.clone()),
            Subject::Container {
                container, hostname, ..
            } => Self::Container(container.clone(), hostname.as_str().into()),
            Subject::Host { hostname } => Self::Host(hostname.as_str().into()),
        }
    }

    /// The key of a resolved target. Where the alert names the pod, it is that of the subject.
    pub(crate) fn of_target(target: &Target) -> Self {
        match target {
            Target::Pod { pod } => {
                let namespace = pod.at.namespace().cloned();
                namespace.map_or(Self::Nothing, |namespace| Self::Pod(namespace, pod.at.name().clone()))
            }
            Target::Owner { owner, .. } => Self::Owner(owner.uid.clone()),
            Target::Node { node } => Self::Node(node.at.name().clone()),
        }
    }

    /// The tenant of a subject.
    pub(super) fn tenant(&self) -> Tenant {
        match self {
            Self::Pod(namespace, _) => Tenant::Namespace(namespace.clone()),
            Self::Host(hostname) | Self::Container(_, hostname) => Tenant::Host(Arc::clone(hostname)),
            Self::Nothing | Self::Node(_) | Self::Owner(_) => Tenant::Nothing,
        }
    }
}
