//! Facts about a live node on which decisions depend.

use k8s_openapi::api::core::v1::Node;
use serde::Deserialize;

use crate::object::{Locator, Name, ObjectRef, Uid};

mod hostname;

pub use hostname::{Naming, NodeNames, by_hostname};

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

/// The labels by whose presence a node runs a part of the control plane, in every spelling that a distribution sets. None of
/// them can be set by a kubelet on its own node, so root on a node can't protect it from a cordon; that excludes MicroK8s'
/// `node.kubernetes.io/microk8s-controlplane` and k0s' `node.k0sproject.io/role` (k0s sets the first of these too).
/// Sources: <https://kubernetes.io/docs/reference/labels-annotations-taints/#node-role-kubernetes-io-control-plane> and
/// `master`, <https://pkg.go.dev/k8s.io/kops/pkg/nodelabels> for `api-server`,
/// <https://github.com/rancher/dashboard/blob/master/shell/config/labels-annotations.js> for `controlplane` and `etcd`,
/// <https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction> for the kubelet's rights.
pub const CONTROL_PLANE_LABELS: [&str; 5] = [
    "node-role.kubernetes.io/api-server",
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/controlplane",
    "node-role.kubernetes.io/etcd",
    "node-role.kubernetes.io/master",
];

/// The label of the role in clusters of kOps before 1.16 and of other tools of that time, with its values for the control
/// plane. Source: <https://pkg.go.dev/k8s.io/kops@v1.26.4/pkg/nodelabels>
pub const CONTROL_PLANE_ROLES: (&str, [&str; 2]) = ("kubernetes.io/role", ["api-server", "master"]);

/// Whether the node runs a part of the control plane, by its labels.
pub fn is_control_plane(node: &Node) -> bool {
    let (role, roles) = CONTROL_PLANE_ROLES;
    node.metadata.labels.as_ref().is_some_and(|labels| {
        CONTROL_PLANE_LABELS.iter().any(|label| labels.contains_key(*label))
            || labels.get(role).is_some_and(|value| roles.contains(&value.as_str()))
    })
}

/// Whether a pod without tolerations could be scheduled on the node: it is ready, not cordoned, no part of the control
/// plane, and no taint keeps pods off. A node that is reserved for some pods does not make up for one that took any.
pub fn takes_ordinary_pods(node: &Node) -> bool {
    let mut taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    takes_pods(node)
        && !is_control_plane(node)
        && !taints.any(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"))
}

/// The facts about a node that decide whether enough others stay, and which hostnames mean it. A node has 20 KB and more, mostly images and annotations;
/// a cluster has thousands of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Node")]
pub struct NodeFacts {
    /// Its names.
    pub names: NodeNames,
    /// Its uid; `None` where none is valid.
    pub uid: Option<Uid>,
    /// As [`is_control_plane`].
    pub is_control_plane: bool,
    /// As [`takes_ordinary_pods`].
    pub takes_ordinary_pods: bool,
}

impl From<Node> for NodeFacts {
    fn from(node: Node) -> Self {
        Self {
            names: NodeNames::of(&node),
            uid: node.metadata.uid.as_deref().and_then(Uid::new),
            is_control_plane: is_control_plane(&node),
            takes_ordinary_pods: takes_ordinary_pods(&node),
        }
    }
}

/// The value of an annotation; `None` when absent.
pub fn annotation<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::a_worker(json!({}), true)]
    #[case::preferred_elsewhere(json!({"spec": {"taints": [{"key": "spot", "effect": "PreferNoSchedule"}]}}), true)]
    #[case::cordoned(json!({"spec": {"unschedulable": true}}), false)]
    #[case::not_ready(json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}), false)]
    #[case::reserved(json!({"spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}}), false)]
    #[case::evicting(json!({"spec": {"taints": [{"key": "maintenance", "effect": "NoExecute"}]}}), false)]
    #[case::control_plane(json!({"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}), false)]
    #[case::an_older_spelling(json!({"metadata": {"labels": {"node-role.kubernetes.io/master": ""}}}), false)]
    #[case::another_spelling(json!({"metadata": {"labels": {"node-role.kubernetes.io/controlplane": "true"}}}), false)]
    #[case::etcd(json!({"metadata": {"labels": {"node-role.kubernetes.io/etcd": "true"}}}), false)]
    #[case::an_api_server_of_kops(json!({"metadata": {"labels": {"node-role.kubernetes.io/api-server": ""}}}), false)]
    #[case::a_master_of_old(json!({"metadata": {"labels": {"kubernetes.io/role": "master"}}}), false)]
    #[case::a_node_of_old(json!({"metadata": {"labels": {"kubernetes.io/role": "node"}}}), true)]
    #[case::marked_by_its_own_kubelet(json!({"metadata": {"labels": {"node.kubernetes.io/microk8s-controlplane": "x"}}}), true)]
    fn a_node_takes_ordinary_pods(#[case] over: Value, #[case] takes: bool) {
        let mut live = json!({
            "metadata": {"name": "worker-1"}, "spec": {},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        });
        for (part, value) in over.as_object().unwrap() {
            live[part] = value.clone();
        }
        assert_eq!(takes_ordinary_pods(&serde_json::from_value(live).unwrap()), takes);
    }
}
