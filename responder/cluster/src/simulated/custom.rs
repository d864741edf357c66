//! Custom kinds in the simulated cluster: whether they are served, and their controllers, read from their manifests.
//!
//! A kind is served if a CustomResourceDefinition defines it, or an object of it is there. Without a definition the number
//! of replicas is `spec.replicas`, where most `scale` subresources have it; with one it is where the definition says.

use responder_core::custom_kind::{CustomKind, CustomLocator};
use responder_core::network::PolicyKind;
use responder_core::object::Kind;
use responder_core::own::DenyingKind;
use responder_core::owner::Uncounted;
use serde_json::Value;

use super::object::{CUSTOM_RESOURCE, KindName, ObjectKey, kind_name, text};
use super::store::Store;

/// A controller as it is stored.
pub(super) enum StoredController {
    Found {
        object: Value,
        is_namespaced: bool,
        replicas: Result<u32, Uncounted>,
    },
    Missing,
    NotServed,
}

/// Finds a controller of a custom kind.
pub(super) fn controller(store: &Store, at: &CustomLocator) -> StoredController {
    let kind = kind_name(&at.kind.api_version(), at.kind.kind());
    let definition = definition(store, &at.kind);
    let places = [at.namespace.as_str(), ""];
    let found = places.into_iter().find_map(|namespace| {
        let object = store.get(&ObjectKey::new(kind.clone(), namespace, at.name.as_str()))?;
        Some((object, !namespace.is_empty()))
    });
    match found {
        Some((object, is_namespaced)) => StoredController::Found {
            object: Value::clone(object),
            is_namespaced,
            replicas: replicas(object, definition, &at.kind),
        },
        None if definition.is_some() || is_used(store, &kind) => StoredController::Missing,
        None => StoredController::NotServed,
    }
}

fn is_used(store: &Store, kind: &KindName) -> bool {
    store.of_kind(kind).next().is_some()
}

/// Whether a kind is served.
pub(super) fn is_served(store: &Store, kind: Kind) -> bool {
    let defines = |definition: &Value| {
        text(definition, "/spec/group") == kind.group() && text(definition, "/spec/names/kind") == kind.as_str()
    };
    let mut definitions = store.of_kind(&CUSTOM_RESOURCE).map(|(_, definition)| definition);
    kind.is_built_in()
        || is_used(store, &kind_name(&kind.api_version(), kind.as_str()))
        || definitions.any(|definition| defines(definition))
}

/// The kinds with which a quarantine can deny, of each engine's the first that is served, as the real adapter reads them.
pub(super) fn denying_kinds(store: &Store) -> Vec<DenyingKind> {
    let served: Vec<DenyingKind> = DenyingKind::ALL
        .into_iter()
        .filter(|denying| is_served(store, denying.kind()))
        .collect();
    let is_first = |denying: &DenyingKind| {
        let mut before = served.iter().take_while(|other| *other != denying);
        !before.any(|other| PolicyKind::of_denying(*other) == PolicyKind::of_denying(*denying))
    };
    served.iter().copied().filter(is_first).collect()
}

/// The version of the kind, in the definition of it.
fn definition<'a>(store: &'a Store, kind: &CustomKind) -> Option<&'a Value> {
    let mut definitions = store.of_kind(&CUSTOM_RESOURCE).map(|(_, definition)| definition);
    let definition = definitions.find(|definition| {
        text(definition, "/spec/group") == kind.group() && text(definition, "/spec/names/kind") == kind.kind()
    })?;
    let versions = definition.pointer("/spec/versions")?.as_array()?;
    let wanted = kind.api_version();
    let version = |version: &&Value| format!("{}/{}", kind.group(), text(version, "/name")) == wanted;
    versions.iter().find(version)
}

fn replicas(object: &Value, definition: Option<&Value>, kind: &CustomKind) -> Result<u32, Uncounted> {
    let path = match definition {
        None => ".spec.replicas",
        Some(definition) => text(definition, "/subresources/scale/specReplicasPath"),
    };
    if path.is_empty() {
        return Err(Uncounted(format!("a {kind} has no scale")));
    }
    let replicas = object.pointer(&path.replace('.', "/")).and_then(Value::as_u64);
    replicas
        .and_then(|replicas| u32::try_from(replicas).ok())
        .ok_or_else(|| Uncounted(format!("the {kind} has no number at {path}")))
}
