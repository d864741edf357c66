//! Obstacles: why a step can't be done on its target, while the rest of the response goes on.
//!
//! A tenant can bring each of them about (`hostNetwork`, policies, owners), so none refuses a response: the step fails by
//! the obstacle's name, its `otherwise` runs, and without one the response has failed.

use std::fmt;

use serde::Serialize;

/// Why a step can't be done. A closed set, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ObstacleKind {
    /// The pod uses the host's network, where NetworkPolicies don't apply.
    HostNetwork,
    /// The pod belongs to a DaemonSet, which recreates a removed pod on the same node.
    DaemonSetPod,
    /// The playbook acts on controllers, and the pod names none.
    NoOwner,
    /// The playbook acts on controllers, and the chain that the pod names is not believed, or ends in a controller of a
    /// custom kind.
    OwnerUnknown,
    /// Other policies allow so much that a quarantine would isolate nothing.
    WouldNotIsolate,
}

impl ObstacleKind {
    /// The name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostNetwork => "HostNetwork",
            Self::DaemonSetPod => "DaemonSetPod",
            Self::NoOwner => "NoOwner",
            Self::OwnerUnknown => "OwnerUnknown",
            Self::WouldNotIsolate => "WouldNotIsolate",
        }
    }

    /// Advice to the operator, as an imperative phrase.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::HostNetwork => "delete the pod (`otherwise: {delete: {}}`), or cordon its node",
            Self::DaemonSetPod => {
                "write `daemonSetPods: true` to remove it all the same, quarantine the pod, or cordon its node"
            }
            Self::NoOwner => "write a playbook with `target: Pod` for pods without a controller",
            Self::OwnerUnknown => {
                "write a playbook with `target: Pod` for such pods: only controllers of Kubernetes' own kinds are changed"
            }
            Self::WouldNotIsolate => {
                "delete the pod (`otherwise: {delete: {}}`), or narrow the policies that are named"
            }
        }
    }
}

impl fmt::Display for ObstacleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An obstacle, with the observation behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// The kind.
    pub kind: ObstacleKind,
    /// The observation, in one sentence without a full stop. Text of tenants in it is escaped.
    pub detail: String,
}

impl Obstacle {
    /// An obstacle with its observation.
    pub fn new(kind: ObstacleKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}
