//! The names that an expression can read.

/// What an expression can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::playbook) enum Variable {
    /// The live pod.
    Pod,
    /// The live node.
    Node,
    /// The live pod's namespace object.
    Namespace,
    /// The topmost controller of the pod.
    Owner,
    /// The alert, as Falco writes it.
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

/// `namespace` is a reserved word of CEL; Kubernetes' admission policies have the same name for it.
pub(super) const NAMESPACE: &str = "namespaceObject";
