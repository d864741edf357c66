//! The objects of the simulated cluster as JSON, and their keys in the store.

use std::borrow::Cow;

use jiff::Timestamp;
use responder_core::object::{Kind, Locator};
use serde_json::{Map, Value, json};

/// A kind with its group, as `kubectl` writes it: `Pod`, `Deployment.apps`.
pub(super) type KindName = Cow<'static, str>;

pub(super) const POD: KindName = Cow::Borrowed("Pod");
pub(super) const NODE: KindName = Cow::Borrowed("Node");
pub(super) const NAMESPACE: KindName = Cow::Borrowed("Namespace");
pub(super) const SERVICE: KindName = Cow::Borrowed("Service");
pub(super) const NETWORK_POLICY: KindName = Cow::Borrowed("NetworkPolicy.networking.k8s.io");
pub(super) const BUDGET: KindName = Cow::Borrowed("PodDisruptionBudget.policy");
pub(super) const CUSTOM_RESOURCE: KindName = Cow::Borrowed("CustomResourceDefinition.apiextensions.k8s.io");
pub(super) const DAEMON_SET: KindName = Cow::Borrowed("DaemonSet.apps");

/// The kind of a manifest, from its `apiVersion` and `kind`.
pub(super) fn kind_name(api_version: &str, kind: &str) -> KindName {
    match group(api_version) {
        "" => kind.to_owned().into(),
        group => format!("{kind}.{group}").into(),
    }
}

/// The group of an `apiVersion`; empty for the core group.
pub(super) fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The key of an object in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectKey {
    pub(super) kind: KindName,
    /// Empty for cluster-scoped kinds.
    pub(super) namespace: String,
    pub(super) name: String,
}

impl ObjectKey {
    pub(super) fn new(kind: KindName, namespace: &str, name: &str) -> Self {
        Self {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(super) fn pod(namespace: &str, name: &str) -> Self {
        Self::new(POD, namespace, name)
    }

    pub(super) fn at(at: &Locator) -> Self {
        let namespace = at.namespace().map_or("", |namespace| namespace.as_str());
        Self::new(
            kind_name(&at.kind().api_version(), at.kind().as_str()),
            namespace,
            at.name().as_str(),
        )
    }

    /// The resource name in the API server's messages, such as `deployments.apps`.
    pub(super) fn resource(&self) -> String {
        let (kind, group) = self.kind.split_once('.').unwrap_or((&self.kind, ""));
        let known = Kind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind && known.group() == group);
        let plural = known.map_or_else(|| format!("{}s", kind.to_lowercase()), |kind| kind.plural().to_owned());
        if group.is_empty() {
            plural
        } else {
            format!("{plural}.{group}")
        }
    }
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }
}

pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

pub(super) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// `metadata`, created if missing.
pub(super) fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    child(object, "metadata")
}

/// A field as an object, created or replaced if it isn't one.
pub(super) fn child<'a>(object: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    let fields = map(object);
    map(fields.entry(field).or_insert_with(|| json!({})))
}

fn map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(fields) => fields,
        _ => unreachable!("the value was just made an object"),
    }
}

/// The owner reference with `controller: true`.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    let references = object.pointer("/metadata/ownerReferences")?.as_array()?;
    references
        .iter()
        .find(|reference| reference.get("controller").and_then(Value::as_bool) == Some(true))
}

/// The key of the owner that a reference names.
pub(super) fn owner_key(namespace: &str, reference: &Value) -> ObjectKey {
    let kind = kind_name(text(reference, "/apiVersion"), text(reference, "/kind"));
    let namespace = if kind == NODE { "" } else { namespace };
    ObjectKey::new(kind, namespace, text(reference, "/name"))
}

pub(super) fn is_terminating(object: &Value) -> bool {
    object
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|at| !at.is_null())
}

pub(super) fn has_finalizers(object: &Value) -> bool {
    object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array)
        .is_some_and(|finalizers| !finalizers.is_empty())
}

pub(super) fn phase(pod: &Value) -> &str {
    text(pod, "/status/phase")
}

/// Whether the pod has run to its end.
pub(super) fn is_finished(pod: &Value) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") == "True")
}

/// A timestamp as Kubernetes writes it: whole seconds, UTC, `Z`.
pub(super) fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
