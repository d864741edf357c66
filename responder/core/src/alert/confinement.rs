//! The part of the cluster that a sender may report on.

use std::collections::BTreeSet;

use crate::object::{Name, Namespace};

/// The nodes and the namespaces that the alerts of a sender may be about. A stolen credential of one node's Falco then
/// forges alerts about that node only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Confinement {
    /// The nodes of the pods and hosts; `None` for all nodes.
    pub nodes: Option<BTreeSet<Name>>,
    /// The namespaces of the pods; `None` for all namespaces and for hosts.
    pub namespaces: Option<BTreeSet<Namespace>>,
}

impl Confinement {
    /// Whether the sender may report on a pod or a host on this node.
    pub fn allows_node(&self, node: &str) -> bool {
        let nodes = self.nodes.as_ref();
        nodes.is_none_or(|nodes| nodes.iter().any(|allowed| allowed.as_str() == node))
    }

    /// Whether the sender may report on a pod in this namespace.
    pub fn allows_namespace(&self, namespace: &Namespace) -> bool {
        let namespaces = self.namespaces.as_ref();
        namespaces.is_none_or(|namespaces| namespaces.contains(namespace))
    }
}
