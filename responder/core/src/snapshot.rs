//! What the cluster says about a target at the moment of the decision. Filled by the engine from the
//! [`ClusterReader`](crate::port::ClusterReader); read by decide.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Node, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::object::ObjectRef;

/// The parts of a snapshot that a decision asks for. A delete asks for nothing but the pod: one GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a set of independent parts, each asked for by name"
)]
pub struct Needs {
    /// The chain of controllers above the pod, each hop checked by uid.
    pub owners: bool,
    /// The node that the pod runs on.
    pub node: bool,
    /// The namespace object, for its labels.
    pub namespace: bool,
    /// All NetworkPolicies of the namespace, and which policy engine the cluster runs.
    pub policies: bool,
    /// All Services of the namespace.
    pub services: bool,
    /// All nodes, for what stays schedulable.
    pub nodes: bool,
}

impl Needs {
    /// What either asks for.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            owners: self.owners || other.owners,
            node: self.node || other.node,
            namespace: self.namespace || other.namespace,
            policies: self.policies || other.policies,
            services: self.services || other.services,
            nodes: self.nodes || other.nodes,
        }
    }
}

/// One part of a snapshot.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Part<T> {
    /// Nobody asked for it.
    #[default]
    NotAsked,
    /// It is not there.
    Missing,
    /// It is there.
    Found(T),
}

impl<T> Part<T> {
    /// The part, where it was asked for and is there.
    pub const fn found(&self) -> Option<&T> {
        match self {
            Self::Found(part) => Some(part),
            Self::NotAsked | Self::Missing => None,
        }
    }
}

impl<T> From<Option<T>> for Part<T> {
    fn from(part: Option<T>) -> Self {
        part.map_or(Self::Missing, Self::Found)
    }
}

/// A controller above a pod, as far as decisions need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Owner {
    /// Which object.
    pub object: ObjectRef,
    /// `spec.replicas`, where its kind has that.
    pub replicas: Option<u32>,
    /// `spec.selector`, where its kind has that.
    pub selector: Option<LabelSelector>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
}

/// The controllers above a pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnerChain {
    /// From the pod's own controller upwards.
    pub owners: Vec<Owner>,
    /// Why the chain could not be followed to its top: a hop that is gone, replaced, or of a kind that is not known.
    pub broken: Option<String>,
}

impl OwnerChain {
    /// The topmost controller, if the chain could be followed to its top.
    pub fn topmost(&self) -> Option<&Owner> {
        if self.broken.is_some() {
            None
        } else {
            self.owners.last()
        }
    }
}

/// A NetworkPolicy engine that was recognised in the cluster, such as `cilium`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyEngine(pub String);

/// All NetworkPolicies of a namespace, and who enforces them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policies {
    /// The policies.
    pub policies: Vec<NetworkPolicy>,
    /// The engine; `None` when none was recognised, and then isolation is `Unverified`.
    pub engine: Option<PolicyEngine>,
}

/// What the cluster says.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// When the reading began.
    pub taken_at: Timestamp,
    /// The pod that the alert names.
    pub pod: Part<Arc<Pod>>,
    /// Its controllers.
    pub owners: Part<OwnerChain>,
    /// For host alerts whose `hostname` is no node: the Falco pod of that name, in a namespace of Falco's.
    pub falco_pod: Part<Arc<Pod>>,
    /// The node: the pod's, or the host's that the alert names.
    pub node: Part<Arc<Node>>,
    /// The pod's namespace.
    pub namespace: Part<Arc<NamespaceObject>>,
    /// The NetworkPolicies of the namespace.
    pub policies: Part<Policies>,
    /// The Services of the namespace.
    pub services: Part<Vec<Service>>,
    /// All nodes.
    pub nodes: Part<Vec<Node>>,
}

impl Snapshot {
    /// A snapshot that says nothing yet.
    pub const fn empty(taken_at: Timestamp) -> Self {
        Self {
            taken_at,
            pod: Part::NotAsked,
            owners: Part::NotAsked,
            falco_pod: Part::NotAsked,
            node: Part::NotAsked,
            namespace: Part::NotAsked,
            policies: Part::NotAsked,
            services: Part::NotAsked,
            nodes: Part::NotAsked,
        }
    }
}
