//! The live state of a target and its surroundings when the decision is taken. The engine fills it from the
//! [`ClusterReader`](crate::port::ClusterReader); decide reads it.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Node, Pod, Service};

use crate::network::Policies;
use crate::node::NodeFacts;
use crate::owner::OwnerChain;
use crate::sensor::SensorNode;
use crate::serving::ServingNamespaces;
use crate::target::LocatedPod;

/// The parts of a snapshot that a decision reads. A delete reads only the pod: one GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a set of independent parts, each asked for by name"
)]
pub struct Needs {
    /// The chain of controllers above the pod, each link checked by uid.
    pub owners: bool,
    /// The node that the pod runs on.
    pub node: bool,
    /// The namespace object, for its labels.
    pub namespace: bool,
    /// All policies that can decide about the pod's traffic, and which engine enforces them.
    pub policies: bool,
    /// All Services of the namespace.
    pub services: bool,
    /// All nodes, to count those that stay schedulable.
    pub nodes: bool,
    /// The namespaces that the API server itself calls.
    pub serving: bool,
    /// For the removal of a pod: the DaemonSet that it names as its controller, if it does, and for its verification the
    /// node.
    pub removal: bool,
}

impl Needs {
    /// The parts that either set includes.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            owners: self.owners || other.owners,
            node: self.node || other.node,
            namespace: self.namespace || other.namespace,
            policies: self.policies || other.policies,
            services: self.services || other.services,
            nodes: self.nodes || other.nodes,
            serving: self.serving || other.serving,
            removal: self.removal || other.removal,
        }
    }
}

/// One part of a snapshot. An object that does not exist differs from one that was not read.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Part<T> {
    /// No decision needs it, so it was not read.
    #[default]
    NotAsked,
    /// The object does not exist.
    Missing,
    /// The object as read.
    Found(T),
}

impl<T> Part<T> {
    /// The object, if it was read and exists.
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

/// The live state of a target and its surroundings.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The time before the first read.
    pub taken_at: Timestamp,
    /// The pod that the alert names.
    pub pod: Part<Arc<Pod>>,
    /// The controllers above the pod.
    pub owners: Part<OwnerChain>,
    /// The Falco pod of a host alert whose `hostname` is not a node's name: in a namespace of sensors, or recognised by its
    /// DaemonSet.
    pub falco_pod: Part<Arc<Pod>>,
    /// Whether this process has recognised a Falco by its DaemonSet in the pod's namespace, which is none of sensors.
    pub has_sensor: bool,
    /// The pod's node, or the host that the alert names.
    pub node: Part<Arc<Node>>,
    /// The node that the alert comes from.
    pub sensor: SensorNode,
    /// The pod of the container that the alert names.
    pub located: LocatedPod,
    /// The pod's namespace.
    pub namespace: Part<Arc<NamespaceObject>>,
    /// The policies that can decide about the pod's traffic.
    pub policies: Part<Policies>,
    /// The Services of the namespace.
    pub services: Part<Vec<Service>>,
    /// All nodes of the cluster.
    pub nodes: Part<Arc<[NodeFacts]>>,
    /// The namespaces that the API server itself calls.
    pub serving: Part<Arc<ServingNamespaces>>,
}

impl Snapshot {
    /// A snapshot without any part read.
    pub const fn empty(taken_at: Timestamp) -> Self {
        Self {
            taken_at,
            pod: Part::NotAsked,
            owners: Part::NotAsked,
            falco_pod: Part::NotAsked,
            has_sensor: false,
            node: Part::NotAsked,
            sensor: SensorNode::NotAsked,
            located: LocatedPod::NotAsked,
            namespace: Part::NotAsked,
            policies: Part::NotAsked,
            services: Part::NotAsked,
            nodes: Part::NotAsked,
            serving: Part::NotAsked,
        }
    }
}
