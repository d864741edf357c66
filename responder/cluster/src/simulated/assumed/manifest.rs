//! Manifests of assumed objects.

use jiff::{SignedDuration, Timestamp};
use responder_core::object::{Name, Namespace};
use serde_json::{Value, json};

/// The age of an assumed object at the first alert about it.
const AGE: SignedDuration = SignedDuration::from_hours(1);

/// Characters of a uid.
const LONGEST_UID: usize = 250;

pub(super) fn node(name: &Name, first_alert: Timestamp) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": uid(&["node", name.as_str()]),
            "creationTimestamp": created(first_alert),
            "labels": {"kubernetes.io/hostname": name},
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    })
}

pub(super) fn namespace(name: &Namespace, first_alert: Timestamp) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "uid": uid(&["namespace", name.as_str()]),
            "creationTimestamp": created(first_alert),
            "labels": {"kubernetes.io/metadata.name": name},
        },
    })
}

pub(super) fn deployment(namespace: &Namespace, name: &str, pods: usize, first_alert: Timestamp) -> Value {
    let mut manifest = workload("Deployment", namespace, name, first_alert);
    // The name of a pod does not tell the labels that its Deployment selects, and decisions need the number of replicas only.
    manifest["spec"] = json!({
        "replicas": pods,
        "selector": {},
        "template": {"metadata": {}, "spec": {"containers": []}},
    });
    manifest
}

/// The manifest of an object of `apps/v1`, without a spec.
pub(super) fn workload(kind: &str, namespace: &Namespace, name: &str, first_alert: Timestamp) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid(&[kind, namespace.as_str(), name]),
            "creationTimestamp": created(first_alert),
        },
    })
}

/// An owner reference to the controller of `apps/v1`.
pub(super) fn controller(kind: &str, namespace: &Namespace, name: &str) -> Value {
    let uid = uid(&[kind, namespace.as_str(), name]);
    json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true})
}

/// A uid that shows that its object is assumed: `assumed.pod.web.storefront-0`. Cut to the length that a uid can have.
pub(super) fn uid(parts: &[&str]) -> String {
    let mut uid = format!("assumed.{}", parts.join(".")).to_ascii_lowercase();
    uid.truncate(LONGEST_UID);
    uid.trim_end_matches(['.', '-']).to_owned()
}

/// The creation time of an object, to the second like the API server's.
pub(super) fn created(first_alert: Timestamp) -> String {
    let created = first_alert.checked_sub(AGE).unwrap_or(Timestamp::UNIX_EPOCH);
    created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
