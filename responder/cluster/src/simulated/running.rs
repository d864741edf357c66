//! What a scheduler and a kubelet would say of a pod: its node, and a status that runs and is ready.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::identity;
use super::object::{NODE, child, phase, rfc3339, text, uid};
use super::store::Store;

/// A node for a pod: one that takes it, each in turn. `None` where there is none.
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

/// Whether a pod tolerates every taint of a node that keeps new pods away.
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

/// Puts a pod without a node on one, where the cluster has nodes at all, and lets a pod without a status run since
/// then. One that fits nowhere stays `Pending`.
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

/// Whether a deletion of the pod has nobody to wait for: it never got a node, or it has run to its end.
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
    fn a_pod_stays_away_from_what_it_does_not_tolerate(#[case] tolerations: Value, #[case] takes: bool) {
        let node = json!({"spec": {"taints": [
            {"key": "k", "value": "v", "effect": "NoSchedule"},
            {"key": "avoided", "effect": "PreferNoSchedule"},
        ]}});
        assert_eq!(tolerates(&json!({"spec": {"tolerations": tolerations}}), &node), takes);
    }
}
