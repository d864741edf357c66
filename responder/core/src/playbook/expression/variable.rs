//! The names that an expression can read.

/// The variables of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::playbook) enum Variable {
    /// `pod`: the live pod.
    Pod,
    /// `node`: the live node.
    Node,
    /// `namespaceObject`: the namespace of the live pod.
    Namespace,
    /// `owner`: the topmost controller of the pod.
    Owner,
    /// `alert`: the alert as Falco writes it.
    Alert,
}

impl Variable {
    pub(in crate::playbook) const ALL: [Self; 5] = [Self::Pod, Self::Node, Self::Namespace, Self::Owner, Self::Alert];

    pub(in crate::playbook) const fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Node => "node",
            Self::Namespace => NAMESPACE,
            Self::Owner => "owner",
            Self::Alert => "alert",
        }
    }
}

/// `namespace` is a reserved word in CEL; Kubernetes' admission policies use the same name.
pub(super) const NAMESPACE: &str = "namespaceObject";
