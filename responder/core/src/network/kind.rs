//! The kinds of policy beside NetworkPolicies, and the engines that enforce them.

use std::fmt;

use serde_json::Value;

use crate::own::{DenyingKind, DenyingPolicy};
use crate::permission::Permission;

/// A recognised engine of network policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyEngine {
    /// Calico, also under Tigera's operator, in Canal and in GKE's first data plane.
    Calico,
    /// Cilium, also as GKE's Dataplane V2.
    Cilium,
    /// Antrea.
    Antrea,
    /// OVN-Kubernetes.
    OvnKubernetes,
    /// Kube-OVN.
    KubeOvn,
    /// An engine that enforces NetworkPolicies and knows no kinds of its own, such as kube-router.
    Plain(&'static str),
}

impl PolicyEngine {
    /// The name in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calico => "calico",
            Self::Cilium => "cilium",
            Self::Antrea => "antrea",
            Self::OvnKubernetes => "ovn-kubernetes",
            Self::KubeOvn => "kube-ovn",
            Self::Plain(name) => name,
        }
    }
}

impl fmt::Display for PolicyEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A kind of policy that can allow what a NetworkPolicy does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// `policy.networking.k8s.io` ClusterNetworkPolicy.
    ClusterNetworkPolicy,
    /// `policy.networking.k8s.io` AdminNetworkPolicy.
    AdminNetworkPolicy,
    /// Calico's GlobalNetworkPolicy.
    CalicoGlobalNetworkPolicy,
    /// Calico's NetworkPolicy.
    CalicoNetworkPolicy,
    /// Calico's Tier.
    CalicoTier,
    /// Cilium's CiliumClusterwideNetworkPolicy.
    CiliumClusterwideNetworkPolicy,
    /// Cilium's CiliumNetworkPolicy.
    CiliumNetworkPolicy,
    /// Antrea's ClusterNetworkPolicy. Not understood: one of these makes isolation unverified.
    AntreaClusterNetworkPolicy,
    /// Antrea's NetworkPolicy. Not understood.
    AntreaNetworkPolicy,
}

/// Where a kind is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedAt {
    /// The API group.
    pub group: &'static str,
    /// The versions that are understood, the preferred first.
    pub versions: &'static [&'static str],
}

impl PolicyKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::ClusterNetworkPolicy,
        Self::AdminNetworkPolicy,
        Self::CalicoGlobalNetworkPolicy,
        Self::CalicoNetworkPolicy,
        Self::CalicoTier,
        Self::CiliumClusterwideNetworkPolicy,
        Self::CiliumNetworkPolicy,
        Self::AntreaClusterNetworkPolicy,
        Self::AntreaNetworkPolicy,
    ];

    /// The kind of this group and name; `None` for another.
    pub fn of(group: &str, kind: &str) -> Option<Self> {
        let is_served = |known: &Self| known.served_at().iter().any(|place| place.group == group);
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == kind && is_served(known))
    }

    /// The kind, as in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterNetworkPolicy | Self::AntreaClusterNetworkPolicy => "ClusterNetworkPolicy",
            Self::AdminNetworkPolicy => "AdminNetworkPolicy",
            Self::CalicoGlobalNetworkPolicy => "GlobalNetworkPolicy",
            Self::CalicoNetworkPolicy | Self::AntreaNetworkPolicy => "NetworkPolicy",
            Self::CalicoTier => "Tier",
            Self::CiliumClusterwideNetworkPolicy => "CiliumClusterwideNetworkPolicy",
            Self::CiliumNetworkPolicy => "CiliumNetworkPolicy",
        }
    }

    /// The plural, as in URLs and RBAC rules.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ClusterNetworkPolicy | Self::AntreaClusterNetworkPolicy => "clusternetworkpolicies",
            Self::AdminNetworkPolicy => "adminnetworkpolicies",
            Self::CalicoGlobalNetworkPolicy => "globalnetworkpolicies",
            Self::CalicoNetworkPolicy | Self::AntreaNetworkPolicy => "networkpolicies",
            Self::CalicoTier => "tiers",
            Self::CiliumClusterwideNetworkPolicy => "ciliumclusterwidenetworkpolicies",
            Self::CiliumNetworkPolicy => "ciliumnetworkpolicies",
        }
    }

    /// Where the kind is served, the preferred place first. Calico's own API server and newer versions without one serve
    /// the same objects as `projectcalico.org/v3`.
    /// Source: <https://docs.tigera.io/calico/latest/operations/install-apiserver>
    pub const fn served_at(self) -> &'static [ServedAt] {
        match self {
            Self::ClusterNetworkPolicy => &[ServedAt {
                group: "policy.networking.k8s.io",
                versions: &["v1alpha2"],
            }],
            Self::AdminNetworkPolicy => &[ServedAt {
                group: "policy.networking.k8s.io",
                versions: &["v1alpha1"],
            }],
            Self::CalicoGlobalNetworkPolicy | Self::CalicoNetworkPolicy | Self::CalicoTier => &[
                ServedAt {
                    group: "crd.projectcalico.org",
                    versions: &["v1"],
                },
                ServedAt {
                    group: "projectcalico.org",
                    versions: &["v3"],
                },
            ],
            Self::CiliumClusterwideNetworkPolicy | Self::CiliumNetworkPolicy => &[ServedAt {
                group: "cilium.io",
                versions: &["v2"],
            }],
            Self::AntreaClusterNetworkPolicy | Self::AntreaNetworkPolicy => &[ServedAt {
                group: "crd.antrea.io",
                versions: &["v1beta1", "v1alpha1"],
            }],
        }
    }

    /// The kind with which a quarantine denies, where this one is served in the group; `None` if it is none.
    pub fn denying(self, group: &str) -> Option<DenyingKind> {
        DenyingKind::ALL
            .into_iter()
            .find(|denying| Self::of_denying(*denying) == self && denying.kind().group() == group)
    }

    /// The kind of the policies with which a quarantine denies.
    pub const fn of_denying(denying: DenyingKind) -> Self {
        match denying {
            DenyingKind::Cilium => Self::CiliumNetworkPolicy,
            DenyingKind::Calico | DenyingKind::CalicoV3 => Self::CalicoNetworkPolicy,
        }
    }

    /// Whether objects of this kind belong to a namespace.
    pub const fn is_namespaced(self) -> bool {
        matches!(
            self,
            Self::CalicoNetworkPolicy | Self::CiliumNetworkPolicy | Self::AntreaNetworkPolicy
        )
    }

    /// The permissions to list the kind.
    pub fn permissions(self) -> impl Iterator<Item = Permission> {
        self.served_at().iter().map(move |place| Permission {
            group: place.group,
            resource: self.plural(),
            subresource: "",
            verb: "list",
        })
    }
}

/// A policy of one of these kinds, as read.
#[derive(Debug, Clone, PartialEq)]
pub struct EnginePolicy {
    /// Its kind.
    pub kind: PolicyKind,
    /// Its name.
    pub name: String,
    /// Its `spec`; one of them where Cilium's `specs` has several.
    pub spec: Value,
}

impl EnginePolicy {
    /// The policies that a live object is: one for each of its specs.
    pub fn of(kind: PolicyKind, mut object: Value) -> Vec<Self> {
        let name = object
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let mut take = |part: &str| object.get_mut(part).map(Value::take);
        let several = match take("specs") {
            Some(Value::Array(specs)) => specs,
            _ => Vec::new(),
        };
        let specs = take("spec").into_iter().chain(several);
        specs
            .map(|spec| Self {
                kind,
                name: name.clone(),
                spec,
            })
            .collect()
    }

    /// The policy with which a quarantine denies; `None` for an object of another kind.
    pub fn of_quarantine(policy: &DenyingPolicy) -> Option<Self> {
        let denying = DenyingKind::of(policy.at().kind())?;
        let object = policy.manifest().clone();
        Self::of(PolicyKind::of_denying(denying), object).pop()
    }

    /// This policy as it counts for the isolation of a quarantine. One with which a quarantine denies denies everything: the
    /// playbook asks for the traffic that it allows, so that is no leak. A changed one, or a forged one, stays as it is.
    pub(super) fn without_allowances_of_ours(&self) -> Self {
        let ours = DenyingKind::ALL
            .into_iter()
            .filter(|denying| PolicyKind::of_denying(*denying) == self.kind)
            .filter(|denying| DenyingPolicy::is_untouched(*denying, &self.name, &self.spec))
            .find_map(|denying| DenyingPolicy::whole_spec(denying, DenyingPolicy::incident_of(denying, &self.name)?));
        Self {
            spec: ours.unwrap_or_else(|| self.spec.clone()),
            ..self.clone()
        }
    }
}

impl fmt::Display for EnginePolicy {
    /// Such as `GlobalNetworkPolicy allow-all`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.kind {
            PolicyKind::AntreaClusterNetworkPolicy | PolicyKind::AntreaNetworkPolicy => "Antrea ",
            PolicyKind::CalicoNetworkPolicy => "Calico ",
            _ => "",
        };
        write!(f, "{of}{} {}", self.kind.as_str(), self.name.escape_debug())
    }
}
