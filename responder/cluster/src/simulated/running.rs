//! Simulates the scheduler and the kubelet: gives a pod a node and a status that is running and ready.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::identity;
use super::object::{NODE, child, phase, rfc3339, text, uid};
use super::store::Store;

/// A node that takes the pod, in turn. `None` if there is none.
pub(super) fn schedule(store: &mut Store, pod: &Value) -> Option<String> {
    let cordoned = |node: &Value| {
        node.pointer("/spec/unschedulable")
            .and_then(Value::as_bool)
            .unwrap_or(false)
    };
    let nodes: Vec<String> = store
        .of_kind(&NODE)
        .filter(|(_, node)| !cordoned(node) && tolerates(pod, node))
        .map(|(key, _)| key.name.clone())
        .collect();
    let turn = usize::try_from(store.next_number()).unwrap_or_default();
    nodes.get(turn.checked_rem(nodes.len())?).cloned()
}

/// Whether a pod tolerates every taint with `NoSchedule` or `NoExecute` of a node.
/// Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>
fn tolerates(pod: &Value, node: &Value) -> bool {
    let list = |object: &'_ Value, pointer: &str| object.pointer(pointer).and_then(Value::as_array).cloned();
    let tolerations = list(pod, "/spec/tolerations").unwrap_or_default();
    let taints = list(node, "/spec/taints").unwrap_or_default();
    let is_tolerated = |taint: &Value, toleration: &Value| {
        let (key, effect) = (text(toleration, "/key"), text(toleration, "/effect"));
        let any_value = text(toleration, "/operator") == "Exists";
        (key == text(taint, "/key") || key.is_empty() && any_value)
            && (effect == text(taint, "/effect") || effect.is_empty())
            && (any_value || text(toleration, "/value") == text(taint, "/value"))
    };
    let keeps_away = |taint: &&Value| matches!(text(taint, "/effect"), "NoSchedule" | "NoExecute");
    let mut taints = taints.iter().filter(keeps_away);
    taints.all(|taint| tolerations.iter().any(|toleration| is_tolerated(taint, toleration)))
}

/// Schedules and starts a pod that has no status, as of `since`. Without nodes in the manifests the pod runs without
/// one; if no node takes it, it stays `Pending`.
pub(super) fn start(store: &mut Store, pod: &mut Value, since: Timestamp) {
    let without_status = pod
        .get("status")
        .is_none_or(|status| status.as_object().is_none_or(serde_json::Map::is_empty));
    if !without_status {
        return;
    }
    if text(pod, "/spec/nodeName").is_empty() && store.of_kind(&NODE).next().is_some() {
        let Some(node) = schedule(store, pod) else {
            pod["status"] = json!({
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
            });
            return;
        };
        child(pod, "spec").insert("nodeName".to_owned(), node.into());
    }
    pod["status"] = running(pod, since);
}

fn running(pod: &Value, since: Timestamp) -> Value {
    let since = rfc3339(since);
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let statuses: Vec<_> = containers
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(position, container)| {
            let name = text(container, "/name");
            json!({
                "name": name,
                "image": text(container, "/image"),
                "imageID": "",
                "containerID": identity::container(uid(pod), position, name),
                "ready": true,
                "started": true,
                "restartCount": 0,
                "state": {"running": {"startedAt": since}},
            })
        })
        .collect();
    let conditions: Vec<_> = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
        .into_iter()
        .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": since}))
        .collect();
    json!({"phase": "Running", "startTime": since, "conditions": conditions, "containerStatuses": statuses})
}

/// Whether a deletion ends the pod without grace: it was never scheduled, or it has finished.
/// Source: `podStrategy.CheckGracefulDelete` in Kubernetes' `pkg/registry/core/pod/strategy.go`.
pub(super) fn ends_at_once(pod: &Value) -> bool {
    let unscheduled = text(pod, "/spec/nodeName").is_empty() && phase(pod) != "Running";
    unscheduled || super::object::is_finished(pod)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(json!([]), false)]
    #[case::the_same(json!([{"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}]), true)]
    #[case::equal_by_default(json!([{"key": "k", "value": "v"}]), true)]
    #[case::another_value(json!([{"key": "k", "value": "w"}]), false)]
    #[case::any_value(json!([{"key": "k", "operator": "Exists"}]), true)]
    #[case::another_key(json!([{"key": "l", "operator": "Exists"}]), false)]
    #[case::another_effect(json!([{"key": "k", "operator": "Exists", "effect": "NoExecute"}]), false)]
    #[case::everything(json!([{"operator": "Exists"}]), true)]
    fn a_node_takes_pods_that_tolerate_its_taints(#[case] tolerations: Value, #[case] takes: bool) {
        let node = json!({"spec": {"taints": [
            {"key": "k", "value": "v", "effect": "NoSchedule"},
            {"key": "avoided", "effect": "PreferNoSchedule"},
        ]}});
        assert_eq!(tolerates(&json!({"spec": {"tolerations": tolerations}}), &node), takes);
    }
}
