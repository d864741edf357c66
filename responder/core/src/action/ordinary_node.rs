//! The nodes that an ordinary pod could go to.

use k8s_openapi::api::core::v1::Node;

use crate::node;

/// Whether a pod without tolerations could be scheduled on the node: it is ready, not cordoned, no part of the control
/// plane, and no taint keeps pods off. A node that is reserved for some pods does not make up for one that took any.
pub(super) fn takes_ordinary_pods(live: &Node) -> bool {
    let mut taints = live.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    node::takes_pods(live)
        && !node::is_control_plane(live)
        && !taints.any(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"))
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
