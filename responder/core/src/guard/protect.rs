//! Protections: the built-in floor, which can't be switched off, and the guard's additions.

use k8s_openapi::api::core::v1::Namespace as NamespaceObject;

use super::Guard;
use crate::object::Namespace;

/// The usual namespaces of Falco and its companions. Only here may a host alert's `hostname` name a Falco pod: a
/// tenant's pod of that name must not point at another node.
pub const FALCO_NAMESPACES: &[&str] = &["falco", "falco-system", "falco-talon", "falcosidekick"];

/// Namespaces of cluster components: network plugins, admission webhooks, and their dependencies. A response there can
/// take the whole cluster down, and an alert there can be forged like any other.
const SYSTEM_NAMESPACES: &[&str] = &[
    // Network plugins.
    "calico-apiserver",
    "calico-system",
    "cilium",
    "cilium-secrets",
    "tigera-operator",
    // Admission webhooks.
    "cert-manager",
    "gatekeeper-system",
    "istio-system",
    "kyverno",
    "linkerd",
    "opa",
    // Cloud providers' components.
    "amazon-guardduty",
    "azure-arc",
    "gatekeeper",
    "gmp-system",
];

/// Prefixes of Kubernetes and its distributions. Kubernetes reserves `kube-`
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/>).
const SYSTEM_PREFIXES: &[&str] = &["kube-", "openshift-", "gke-", "aks-"];

/// Why the namespace's name makes it protected; `None` when it does not.
pub fn protected_by_name(guard: &Guard, own: Option<&Namespace>, namespace: &Namespace) -> Option<String> {
    let name = namespace.as_str();
    if own == Some(namespace) {
        return Some(format!("{name} is the controller's own namespace (built-in floor)"));
    }
    if FALCO_NAMESPACES.contains(&name) {
        return Some(format!("{name} is a namespace of Falco's (built-in floor)"));
    }
    if SYSTEM_NAMESPACES.contains(&name) || SYSTEM_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Some(format!(
            "{name} is a namespace of the cluster's own parts (built-in floor)"
        ));
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
