//! Simulates the scheduler and the kubelet: gives a pod a node and a status that is running and ready.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::identity;
use super::object::{NODE, child, phase, rfc3339, text, uid};
use super::store::Store;

/// A schedulable node, in turn. `None` if there is none.
pub(super) fn schedule(store: &mut Store) -> Option<String> {
    let cordoned = |node: &Value| {
        node.pointer("/spec/unschedulable")
            .and_then(Value::as_bool)
            .unwrap_or(false)
    };
    let nodes: Vec<String> = store
        .of_kind(&NODE)
        .filter(|(_, node)| !cordoned(node))
        .map(|(key, _)| key.name.clone())
        .collect();
    let turn = usize::try_from(store.next_number()).unwrap_or_default();
    nodes.get(turn.checked_rem(nodes.len())?).cloned()
}

/// Schedules and starts a pod that has no status, as of `since`. Without nodes in the manifests the pod runs without
/// one; if all nodes are cordoned it stays `Pending`.
pub(super) fn start(store: &mut Store, pod: &mut Value, since: Timestamp) {
    let without_status = pod
        .get("status")
        .is_none_or(|status| status.as_object().is_none_or(serde_json::Map::is_empty));
    if !without_status {
        return;
    }
    if text(pod, "/spec/nodeName").is_empty() && store.of_kind(&NODE).next().is_some() {
        let Some(node) = schedule(store) else {
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
