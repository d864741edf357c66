//! Protections: the built-in floor, which can't be switched off, and the guard's additions.

use k8s_openapi::api::core::v1::Namespace as NamespaceObject;

use super::Guard;
use super::floor::{FloorPart, in_floor};
use crate::object::Namespace;
use crate::owner::{Controller, OwnerChain};

/// Whether the namespace is one of sensors, by the floor or by the guard: a host alert's `hostname` may name a pod in it.
/// Elsewhere a tenant's pod of that name must not point at another node.
pub fn is_of_sensors(guard: &Guard, namespace: &Namespace) -> bool {
    let of_the_floor = in_floor(namespace.as_str()).is_some_and(|entry| entry.part == FloorPart::Sensor);
    of_the_floor || guard.sensors.contains(namespace)
}

/// Why the namespace's name makes it protected; `None` when it does not.
pub fn protected_by_name(guard: &Guard, own: Option<&Namespace>, namespace: &Namespace) -> Option<String> {
    let name = namespace.as_str();
    if own == Some(namespace) {
        return Some(format!("{name} is the controller's own namespace (built-in floor)"));
    }
    if let Some(entry) = in_floor(name) {
        return Some(format!("{name} is a namespace of {} (built-in floor)", entry.owner));
    }
    if guard.sensors.contains(namespace) {
        return Some(format!("{name} is one of the guard's namespaces of sensors"));
    }
    guard
        .protect
        .namespaces
        .contains(namespace)
        .then(|| format!("the guard protects the namespace {name}"))
}

/// Why the namespace's labels make it protected; `None` when they do not.
pub fn protected_by_labels(guard: &Guard, namespace: &NamespaceObject) -> Option<String> {
    let labels = namespace.metadata.labels.clone().unwrap_or_default();
    let selector = guard
        .protect
        .selectors
        .iter()
        .find(|selector| selector.matches(&labels))?;
    let name = namespace.metadata.name.as_deref().unwrap_or_default();
    Some(format!(
        "the guard protects namespaces with {selector}, and {name} has that"
    ))
}

/// Why a believed controller makes the pod protected; `None` when none does. A reference that is not believed protects
/// nothing, since the pod's tenant writes it.
pub fn protected_by_owner(guard: &Guard, chain: &OwnerChain) -> Option<String> {
    let owners = &guard.protect.owners;
    let is_protected = |controller: &&Controller| {
        owners.iter().any(|owner| {
            controller.group_and_kind() == (owner.group.as_str(), owner.kind.as_str())
                && controller.namespace() == Some(&owner.namespace)
                && *controller.name() == owner.name
        })
    };
    let protected = chain.believed().iter().find(is_protected)?;
    Some(format!("the guard protects {protected}"))
}

/// Why it is not known whether a protected controller stands above the pod: a read of that very controller failed. `None`
/// when it is known.
pub fn unread_owner(guard: &Guard, chain: &OwnerChain) -> Option<String> {
    let broken = chain.broken.as_ref()?;
    let unread = broken.unread.as_ref()?;
    let is_protected = guard.protect.owners.iter().any(|owner| {
        owner.group == unread.kind.group()
            && owner.kind == unread.kind.kind()
            && owner.namespace == unread.namespace
            && owner.name == unread.name
    });
    is_protected.then(|| format!("the guard protects {unread}, and {}", broken.why))
}
