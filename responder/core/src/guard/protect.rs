//! Protections: the built-in floor, which nothing can switch off, and what the guard adds to it.

use k8s_openapi::api::core::v1::Namespace as NamespaceObject;

use super::Guard;
use crate::object::Namespace;

/// Where Falco and its companions usually run. A host alert's `hostname` may name a Falco pod in one of these, and
/// nowhere else: a pod of a tenant that took such a name must not point at another node.
pub const FALCO_NAMESPACES: &[&str] = &["falco", "falco-system", "falco-talon", "falcosidekick"];

/// Namespaces of the cluster's own parts: network plugins, admission webhooks, and what they depend on. A response
/// there can take the whole cluster down, and an alert there can be forged like any other.
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
    // Clouds' own.
    "amazon-guardduty",
    "azure-arc",
    "gatekeeper",
    "gmp-system",
];

/// Prefixes that Kubernetes and its distributions keep for themselves: `kube-` is reserved by Kubernetes
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/>).
const SYSTEM_PREFIXES: &[&str] = &["kube-", "openshift-", "gke-", "aks-"];

/// Why a namespace is protected, judged by its name alone; `None` where the name says nothing.
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

/// Why a namespace is protected, judged by its labels.
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
