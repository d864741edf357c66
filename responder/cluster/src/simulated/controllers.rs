//! The controllers that own pods, as far as a response affects them: they release a pod whose labels changed, adopt one
//! that matches, replace a deleted one and delete a surplus one.
//!
//! They act immediately and only after a change: manifests that ask for more pods than they list stay as they are until
//! one of those pods changes.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::identity;
use super::object::{
    KindName, ObjectKey, POD, controller, is_finished, is_terminating, metadata, owner_key, rfc3339, text, uid,
};
use super::running;
use super::select::selects;
use super::store::Store;
use crate::owner::label_selector;

/// Longer names are cut before the random suffix, so that the pod's name fits a DNS label (63 characters).
const MAX_BASE_LENGTH: usize = 57;

/// How the controllers of a kind replace a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replacement {
    /// A new pod with another name, as soon as the old one is terminating.
    AtOnce,
    /// A new pod with the same name, once the old one is gone.
    SameName,
    /// A new pod on the same node, once the old one is gone.
    SameNode,
}

/// The kinds that own pods, how they replace them, and whether they select them by labels.
const KINDS: [(&str, Replacement, bool); 5] = [
    ("ReplicaSet.apps", Replacement::AtOnce, true),
    ("ReplicationController", Replacement::AtOnce, true),
    ("StatefulSet.apps", Replacement::SameName, true),
    ("DaemonSet.apps", Replacement::SameNode, true),
    ("Job.batch", Replacement::AtOnce, false),
];

fn replacement(kind: &str) -> Option<Replacement> {
    KINDS
        .iter()
        .find(|(known, _, _)| *known == kind)
        .map(|(_, replacement, _)| *replacement)
}

/// A pod beyond the number that its controller wants.
pub(super) struct Surplus(pub(super) ObjectKey);

/// Lets the controllers react to one changed pod. `before` is the pod before the change, `None` for a new one. Returns
/// the pods to delete.
pub(super) fn react(store: &mut Store, pod: &ObjectKey, before: Option<&Value>, now: Timestamp) -> Vec<Surplus> {
    release(store, pod);
    adopt(store, pod);
    let after = store.get(pod).cloned();
    let mut owners: Vec<ObjectKey> = Vec::new();
    for object in [before, after.as_deref()].into_iter().flatten() {
        let owner = controller(object).map(|reference| (owner_key(&pod.namespace, reference), text(reference, "/uid")));
        if let Some((owner, of)) = owner
            && store.same(&owner, of).is_some()
            && !owners.contains(&owner)
        {
            owners.push(owner);
        }
    }
    owners
        .into_iter()
        .flat_map(|owner| balance(store, &owner, before, now))
        .collect()
}

/// Brings a newly applied controller to the number of pods that it wants.
pub(super) fn begin(store: &mut Store, controller: &ObjectKey, now: Timestamp) -> Vec<Surplus> {
    balance(store, controller, None, now)
}

/// Releases a pod from a controller whose selector no longer matches.
fn release(store: &mut Store, key: &ObjectKey) {
    let Some(pod) = store.get(key).cloned() else { return };
    let Some(reference) = controller(&pod) else { return };
    let owner = owner_key(&key.namespace, reference);
    let Some(object) = store.same(&owner, text(reference, "/uid")) else {
        return;
    };
    if is_terminating(&pod) || !selects_by_labels(&owner.kind) || wants(object, &pod) {
        return;
    }
    let released = uid(object).to_owned();
    let mut pod = Arc::unwrap_or_clone(pod);
    if let Some(references) = pod
        .pointer_mut("/metadata/ownerReferences")
        .and_then(Value::as_array_mut)
    {
        references.retain(|reference| text(reference, "/uid") != released);
        if references.is_empty() {
            metadata(&mut pod).remove("ownerReferences");
        }
    }
    store.put(key.clone(), pod);
}

/// Adds a matching controller to a pod that has none.
pub(super) fn adopt(store: &mut Store, key: &ObjectKey) {
    let Some(pod) = store.get(key).cloned() else { return };
    if controller(&pod).is_some() || is_terminating(&pod) || is_finished(&pod) {
        return;
    }
    let fits = |owner: &ObjectKey, object: &Value| {
        let named = replacement(&owner.kind) != Some(Replacement::SameName)
            || key.name.starts_with(&format!("{}-", owner.name));
        named && !is_terminating(object) && wants(object, &pod)
    };
    let kinds = KINDS
        .iter()
        .filter(|(_, _, by_labels)| *by_labels)
        .map(|(kind, _, _)| KindName::Borrowed(*kind));
    let adopter = kinds
        .flat_map(|kind| store.in_namespace(&kind, &key.namespace))
        .find(|(owner, object)| fits(owner, object))
        .map(|(_, object)| reference(object));
    if let Some(reference) = adopter {
        let mut pod = Arc::unwrap_or_clone(pod);
        let references = metadata(&mut pod).entry("ownerReferences").or_insert_with(|| json!([]));
        if let Some(references) = references.as_array_mut() {
            references.push(reference);
        }
        store.put(key.clone(), pod);
    }
}

fn selects_by_labels(kind: &str) -> bool {
    KINDS.iter().any(|(known, _, by_labels)| *known == kind && *by_labels)
}

fn wants(owner: &Value, pod: &Value) -> bool {
    owner
        .pointer("/spec/selector")
        .and_then(label_selector)
        .is_some_and(|selector| selects(&selector, pod))
}

fn reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Creates missing pods and returns surplus ones.
fn balance(store: &mut Store, key: &ObjectKey, before: Option<&Value>, now: Timestamp) -> Vec<Surplus> {
    let (Some(replacement), Some(owner)) = (replacement(&key.kind), store.get(key).cloned()) else {
        return Vec::new();
    };
    if is_terminating(&owner) || is_complete(&owner) {
        return Vec::new();
    }
    let pods: Vec<(ObjectKey, Arc<Value>)> = store
        .in_namespace(&POD, &key.namespace)
        .filter(|(_, pod)| controller(pod).is_some_and(|reference| text(reference, "/uid") == uid(&owner)))
        .map(|(key, pod)| (key.clone(), pod.clone()))
        .collect();
    match replacement {
        Replacement::AtOnce => {
            let counted = if &*key.kind == "Job.batch" {
                "/spec/parallelism"
            } else {
                "/spec/replicas"
            };
            let suspended = owner.pointer("/spec/suspend") == Some(&Value::Bool(true));
            let wanted = if suspended {
                0
            } else {
                owner.pointer(counted).and_then(Value::as_u64).unwrap_or(1)
            };
            let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
            let mut active: Vec<_> = pods
                .iter()
                .filter(|(_, pod)| !is_terminating(pod) && !is_finished(pod))
                .collect();
            for _ in active.len()..wanted {
                create_pod(store, key, &owner, before, None, None, now);
            }
            // The youngest pod goes first, as in the ReplicaSet controller's ranking of equally ready pods.
            active.sort_by_key(|(key, pod)| (text(pod, "/metadata/creationTimestamp").to_owned(), key.name.clone()));
            active
                .into_iter()
                .skip(wanted)
                .map(|(key, _)| Surplus(key.clone()))
                .collect()
        }
        Replacement::SameName => {
            let wanted = owner.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
            let first = owner
                .pointer("/spec/ordinals/start")
                .and_then(Value::as_u64)
                .unwrap_or(0);
            for ordinal in first..first + wanted {
                let name = format!("{}-{ordinal}", key.name);
                if store.get(&ObjectKey::pod(&key.namespace, &name)).is_none() {
                    create_pod(store, key, &owner, before, Some(name), None, now);
                }
            }
            Vec::new()
        }
        Replacement::SameNode => {
            let node = before.map(|pod| text(pod, "/spec/nodeName")).unwrap_or_default();
            if !node.is_empty() && !pods.iter().any(|(_, pod)| text(pod, "/spec/nodeName") == node) {
                create_pod(store, key, &owner, before, None, Some(node), now);
            }
            Vec::new()
        }
    }
}

fn is_complete(owner: &Value) -> bool {
    let conditions = owner.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| {
        matches!(text(condition, "/type"), "Complete" | "Failed") && text(condition, "/status") == "True"
    })
}

/// Creates a pod from the controller's template. A handwritten controller may have none; then the replaced pod is the
/// template.
fn create_pod(
    store: &mut Store,
    key: &ObjectKey,
    owner: &Value,
    before: Option<&Value>,
    name: Option<String>,
    node: Option<&str>,
    now: Timestamp,
) {
    let template = owner.pointer("/spec/template").or(before).cloned().unwrap_or_default();
    let mut labels = template
        .pointer("/metadata/labels")
        .cloned()
        .unwrap_or_else(|| json!({}));
    let name = name.unwrap_or_else(|| {
        let base: String = key.name.chars().take(MAX_BASE_LENGTH).collect();
        format!("{base}-{}", identity::suffix(&key.to_string(), store.next_number()))
    });
    if &*key.kind == "StatefulSet.apps" {
        labels["statefulset.kubernetes.io/pod-name"] = name.as_str().into();
    }
    // The new pod must match the selector, also where its template has other labels.
    let selector = owner.pointer("/spec/selector").and_then(label_selector);
    for (label, value) in selector
        .and_then(|selector| selector.match_labels)
        .into_iter()
        .flatten()
    {
        labels[label] = value.into();
    }
    let mut spec = template
        .get("spec")
        .cloned()
        .unwrap_or_else(|| json!({"containers": []}));
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("nodeName");
        if let Some(node) = node {
            fields.insert("nodeName".to_owned(), node.into());
        }
    }
    let pod_key = ObjectKey::pod(&key.namespace, &name);
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": key.namespace,
            "labels": labels,
            "ownerReferences": [reference(owner)],
            "uid": store.new_uid(&pod_key),
            "creationTimestamp": rfc3339(now),
        },
        "spec": spec,
    });
    if let Some(annotations) = owner.pointer("/spec/template/metadata/annotations") {
        metadata(&mut pod).insert("annotations".to_owned(), annotations.clone());
    }
    running::start(store, &mut pod, now);
    store.put(pod_key, pod);
}

/// The objects that a deleted owner leaves to the garbage collector.
pub(super) fn dependents(store: &Store, namespace: &str, owner: &str) -> Vec<ObjectKey> {
    let depends = |object: &Value| {
        let references = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        references.is_some_and(|references| {
            !references.is_empty() && references.iter().all(|reference| text(reference, "/uid") == owner)
        })
    };
    store
        .iter()
        .filter(|(key, object)| key.namespace == namespace && depends(object))
        .map(|(key, _)| key.clone())
        .collect()
}
