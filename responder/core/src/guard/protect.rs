//! Protections: the built-in floor, which can't be switched off, and the guard's additions.

use k8s_openapi::api::core::v1::Namespace as NamespaceObject;

use super::Guard;
use crate::object::Namespace;
use crate::owner::{Controller, OwnerChain};

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
    "aks-command",
    "amazon-guardduty",
    "azure-arc",
    "gatekeeper",
    "gke-managed-cim",
    "gke-managed-system",
    "gmp-public",
    "gmp-system",
    // Kubernetes itself, and what its distributions put beside it. No prefix: the author of a namespace could call it
    // `kube-evil`, and would be protected.
    "kube-flannel",
    "kube-node-lease",
    "kube-public",
    "kube-router",
    "kube-system",
    // OpenShift.
    "openshift",
    "openshift-apiserver",
    "openshift-apiserver-operator",
    "openshift-authentication",
    "openshift-authentication-operator",
    "openshift-cloud-controller-manager",
    "openshift-cloud-credential-operator",
    "openshift-cloud-network-config-controller",
    "openshift-cluster-csi-drivers",
    "openshift-cluster-machine-approver",
    "openshift-cluster-node-tuning-operator",
    "openshift-cluster-storage-operator",
    "openshift-cluster-version",
    "openshift-config",
    "openshift-config-managed",
    "openshift-config-operator",
    "openshift-console",
    "openshift-console-operator",
    "openshift-controller-manager",
    "openshift-controller-manager-operator",
    "openshift-dns",
    "openshift-dns-operator",
    "openshift-etcd",
    "openshift-etcd-operator",
    "openshift-image-registry",
    "openshift-infra",
    "openshift-ingress",
    "openshift-ingress-canary",
    "openshift-ingress-operator",
    "openshift-insights",
    "openshift-kni-infra",
    "openshift-kube-apiserver",
    "openshift-kube-apiserver-operator",
    "openshift-kube-controller-manager",
    "openshift-kube-controller-manager-operator",
    "openshift-kube-scheduler",
    "openshift-kube-scheduler-operator",
    "openshift-kube-storage-version-migrator",
    "openshift-kube-storage-version-migrator-operator",
    "openshift-machine-api",
    "openshift-machine-config-operator",
    "openshift-marketplace",
    "openshift-monitoring",
    "openshift-multus",
    "openshift-network-diagnostics",
    "openshift-network-node-identity",
    "openshift-network-operator",
    "openshift-node",
    "openshift-oauth-apiserver",
    "openshift-openstack-infra",
    "openshift-operator-lifecycle-manager",
    "openshift-operators",
    "openshift-ovn-kubernetes",
    "openshift-ovirt-infra",
    "openshift-route-controller-manager",
    "openshift-sdn",
    "openshift-service-ca",
    "openshift-service-ca-operator",
    "openshift-user-workload-monitoring",
    "openshift-vsphere-infra",
];

/// The namespaces of the floor, by name, without the controller's own.
pub fn floor_namespaces() -> impl Iterator<Item = &'static str> {
    FALCO_NAMESPACES.iter().chain(SYSTEM_NAMESPACES).copied()
}

/// Why the namespace's name makes it protected; `None` when it does not.
pub fn protected_by_name(guard: &Guard, own: Option<&Namespace>, namespace: &Namespace) -> Option<String> {
    let name = namespace.as_str();
    if own == Some(namespace) {
        return Some(format!("{name} is the controller's own namespace (built-in floor)"));
    }
    if FALCO_NAMESPACES.contains(&name) {
        return Some(format!("{name} is a namespace of Falco's (built-in floor)"));
    }
    if SYSTEM_NAMESPACES.contains(&name) {
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
