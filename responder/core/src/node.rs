//! Facts about a live node on which decisions depend.

use k8s_openapi::api::core::v1::Node;

use crate::object::{Locator, Name, ObjectRef, Uid};

/// The reference to a live node: its name and uid; `None` without a valid name and uid.
pub fn reference(node: &Node) -> Option<ObjectRef> {
    let name = Name::new(node.metadata.name.as_deref()?)?;
    Some(ObjectRef {
        at: Locator::node(name),
        uid: Uid::new(node.metadata.uid.as_deref()?)?,
    })
}

/// Whether the node is marked unschedulable, by responder or otherwise.
pub fn is_cordoned(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false)
}

/// Whether the node's kubelet reports it as ready. A node without a `Ready` condition counts as not ready: its state is
/// unknown.
pub fn is_ready(node: &Node) -> bool {
    let mut conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether the node is ready and not cordoned.
pub fn takes_pods(node: &Node) -> bool {
    is_ready(node) && !is_cordoned(node)
}

/// Whether the node runs the control plane, by the labels that kubeadm and the distributions set.
/// Source: <https://kubernetes.io/docs/reference/labels-annotations-taints/#node-role-kubernetes-io-control-plane>
pub fn is_control_plane(node: &Node) -> bool {
    const ROLES: [&str; 4] = [
        "node-role.kubernetes.io/control-plane",
        "node-role.kubernetes.io/controlplane",
        "node-role.kubernetes.io/master",
        "node-role.kubernetes.io/etcd",
    ];
    node.metadata
        .labels
        .as_ref()
        .is_some_and(|labels| ROLES.iter().any(|role| labels.contains_key(*role)))
}

/// The value of an annotation; `None` when absent.
pub fn annotation<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}
