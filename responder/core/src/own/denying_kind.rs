//! The kinds of policy with which a quarantine denies traffic, whatever other policies allow.

use crate::object::Kind;

/// A kind of policy that can deny. Each belongs to a namespace, so a policy of it goes with its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DenyingKind {
    /// CiliumNetworkPolicy: a denial comes before every permission of any kind.
    /// Source: <https://docs.cilium.io/en/stable/security/policy/deny/>
    Cilium,
    /// Calico's NetworkPolicy of `crd.projectcalico.org`, in the tier `default`: a denial comes before what is later in its
    /// tier, and after the tiers before it.
    Calico,
    /// The same as `projectcalico.org/v3`.
    CalicoV3,
}

impl DenyingKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Cilium, Self::Calico, Self::CalicoV3];

    /// The kind of its objects.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Cilium => Kind::CiliumNetworkPolicy,
            Self::Calico => Kind::CalicoNetworkPolicy,
            Self::CalicoV3 => Kind::CalicoNetworkPolicyV3,
        }
    }

    /// The kind with its group, as `kubectl` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cilium => "CiliumNetworkPolicy.cilium.io",
            Self::Calico => "NetworkPolicy.crd.projectcalico.org",
            Self::CalicoV3 => "NetworkPolicy.projectcalico.org",
        }
    }

    /// The kind with this name; `None` for another.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The kind of these objects; `None` for one that denies nothing.
    pub fn of(kind: Kind) -> Option<Self> {
        Self::ALL.into_iter().find(|denying| denying.kind() == kind)
    }

    /// Whether a policy of this kind can deny all but some traffic. Cilium's denials have no exceptions: what one denies, no
    /// permission lets through.
    pub const fn has_exceptions(self) -> bool {
        match self {
            Self::Cilium => false,
            Self::Calico | Self::CalicoV3 => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_kind_and_its_group() {
        for denying in DenyingKind::ALL {
            let kind = denying.kind();
            assert_eq!(denying.as_str(), format!("{kind}.{}", kind.group()));
            assert_eq!(DenyingKind::named(denying.as_str()), Some(denying));
            assert_eq!(DenyingKind::of(kind), Some(denying));
            assert!(kind.is_namespaced());
        }
    }
}
