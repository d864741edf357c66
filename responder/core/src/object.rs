//! Identities of Kubernetes objects: names, uids, kinds, and references that carry a uid.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name, if Kubernetes could have given it; `None` for an empty or impossible one.
            pub fn new(text: &str) -> Option<Self> {
                is_object_name(text).then(|| Self(text.into()))
            }

            /// The name as Kubernetes writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` can't be the name of a Kubernetes object")))
            }
        }
    };
}

name_newtype!(
    /// The name of a namespace.
    Namespace
);
name_newtype!(
    /// The name of an object, unique within its kind and namespace.
    Name
);
name_newtype!(
    /// The uid that the API server gave an object. A new object of the same name has another uid.
    Uid
);

/// Whether the text is a DNS subdomain, as Kubernetes requires of object names: lower-case letters, digits, `-` and
/// `.`, at most 253 bytes.
///
/// Other text never reaches a URL's path, so alert text can't escape its segment there.
/// Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>
fn is_object_name(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    bytes.len() <= 253
        && alphanumeric(first)
        && alphanumeric(last)
        && bytes
            .iter()
            .all(|&byte| alphanumeric(byte) || byte == b'-' || byte == b'.')
}

/// The kinds of object that responder reads or changes by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// `v1` Pod.
    Pod,
    /// `v1` Node.
    Node,
    /// `v1` Namespace.
    Namespace,
    /// `v1` ReplicationController.
    ReplicationController,
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `batch/v1` Job.
    Job,
    /// `batch/v1` CronJob.
    CronJob,
    /// `networking.k8s.io/v1` NetworkPolicy.
    NetworkPolicy,
    /// `cilium.io/v2` CiliumNetworkPolicy.
    CiliumNetworkPolicy,
    /// `crd.projectcalico.org/v1` NetworkPolicy: Calico's policies as they are stored.
    CalicoNetworkPolicy,
    /// `projectcalico.org/v3` NetworkPolicy: Calico's policies where they are not stored as those of
    /// `crd.projectcalico.org`.
    CalicoNetworkPolicyV3,
}

impl Kind {
    /// The kinds that can stand above a pod.
    pub const OWNERS: [Self; 7] = [
        Self::ReplicationController,
        Self::ReplicaSet,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
    ];

    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Pod,
        Self::Node,
        Self::Namespace,
        Self::ReplicationController,
        Self::ReplicaSet,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
        Self::NetworkPolicy,
        Self::CiliumNetworkPolicy,
        Self::CalicoNetworkPolicy,
        Self::CalicoNetworkPolicyV3,
    ];

    /// The kind, as in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Node => "Node",
            Self::Namespace => "Namespace",
            Self::ReplicationController => "ReplicationController",
            Self::ReplicaSet => "ReplicaSet",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::NetworkPolicy | Self::CalicoNetworkPolicy | Self::CalicoNetworkPolicyV3 => "NetworkPolicy",
            Self::CiliumNetworkPolicy => "CiliumNetworkPolicy",
        }
    }

    /// The API group; empty for the core group.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Pod | Self::Node | Self::Namespace | Self::ReplicationController => "",
            Self::ReplicaSet | Self::Deployment | Self::StatefulSet | Self::DaemonSet => "apps",
            Self::Job | Self::CronJob => "batch",
            Self::NetworkPolicy => "networking.k8s.io",
            Self::CiliumNetworkPolicy => "cilium.io",
            Self::CalicoNetworkPolicy => "crd.projectcalico.org",
            Self::CalicoNetworkPolicyV3 => "projectcalico.org",
        }
    }

    /// The version of the group in which responder reads and writes the kind.
    pub const fn version(self) -> &'static str {
        match self {
            Self::CiliumNetworkPolicy => "v2",
            Self::CalicoNetworkPolicyV3 => "v3",
            _ => "v1",
        }
    }

    /// The `apiVersion`, as in a manifest.
    pub fn api_version(self) -> String {
        if self.group().is_empty() {
            self.version().to_owned()
        } else {
            format!("{}/{}", self.group(), self.version())
        }
    }

    /// Whether Kubernetes itself serves the kind; others are served only where they are installed.
    pub const fn is_built_in(self) -> bool {
        !matches!(
            self,
            Self::CiliumNetworkPolicy | Self::CalicoNetworkPolicy | Self::CalicoNetworkPolicyV3
        )
    }

    /// The plural, as in URLs and RBAC rules.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Pod => "pods",
            Self::Node => "nodes",
            Self::Namespace => "namespaces",
            Self::ReplicationController => "replicationcontrollers",
            Self::ReplicaSet => "replicasets",
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::Job => "jobs",
            Self::CronJob => "cronjobs",
            Self::NetworkPolicy | Self::CalicoNetworkPolicy | Self::CalicoNetworkPolicyV3 => "networkpolicies",
            Self::CiliumNetworkPolicy => "ciliumnetworkpolicies",
        }
    }

    /// Whether objects of this kind belong to a namespace.
    pub const fn is_namespaced(self) -> bool {
        !matches!(self, Self::Node | Self::Namespace)
    }

    /// The kind with this `apiVersion` (of any version) and `kind`; `None` for a kind that responder does not handle.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == kind && known.group() == group)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An object by kind, namespace and name. Over time, different objects may have one locator; [`ObjectRef`] names one of
/// them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Locator {
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<Namespace>,
    name: Name,
}

impl Locator {
    /// Locates a pod.
    pub fn pod(namespace: Namespace, name: Name) -> Self {
        Self {
            kind: Kind::Pod,
            namespace: Some(namespace),
            name,
        }
    }

    /// Locates a node.
    pub fn node(name: Name) -> Self {
        Self {
            kind: Kind::Node,
            namespace: None,
            name,
        }
    }

    /// Locates an object of a namespaced kind; `None` when the kind is not namespaced.
    pub fn namespaced(kind: Kind, namespace: Namespace, name: Name) -> Option<Self> {
        kind.is_namespaced().then_some(Self {
            kind,
            namespace: Some(namespace),
            name,
        })
    }

    /// Locates an object by kind, namespace and name; `None` when a namespace is missing, or the kind has none.
    pub fn new(kind: Kind, namespace: Option<Namespace>, name: Name) -> Option<Self> {
        (kind.is_namespaced() == namespace.is_some()).then_some(Self { kind, namespace, name })
    }

    /// The object's kind.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The namespace; `None` for cluster-scoped kinds.
    pub const fn namespace(&self) -> Option<&Namespace> {
        self.namespace.as_ref()
    }

    /// The object's name.
    pub const fn name(&self) -> &Name {
        &self.name
    }
}

impl fmt::Display for Locator {
    /// Such as `pod/web/web-0`, `node/worker-1` or `ciliumnetworkpolicy.cilium.io/web/isolate`: with the group where it is
    /// not one of Kubernetes' own, because Calico's kind has the name of one of those.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kind = self.kind.as_str().to_ascii_lowercase();
        if !self.kind.is_built_in() {
            kind = format!("{kind}.{}", self.kind.group());
        }
        match &self.namespace {
            Some(namespace) => write!(f, "{kind}/{namespace}/{}", self.name),
            None => write!(f, "{kind}/{}", self.name),
        }
    }
}

/// One particular object: its locator and its uid. Nothing is changed or deleted by less.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// The object's kind, namespace and name.
    #[serde(flatten)]
    pub at: Locator,
    /// The object's uid, which the API server checks.
    pub uid: Uid,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (uid {})", self.at, self.uid)
    }
}

/// A container's id without the runtime's scheme: 12 to 64 lower-case hexadecimal digits.
///
/// Falco writes the first 12 (`container.id`), Kubernetes all 64 after `containerd://`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ContainerId(Arc<str>);

impl ContainerId {
    /// The id as written by Falco or in a container status; `None` for `host` and for an empty or malformed text.
    pub fn new(text: &str) -> Option<Self> {
        let id = text.rsplit_once("://").map_or(text, |(_, id)| id);
        let hexadecimal = id
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (id.len() >= 12 && id.len() <= 64 && hexadecimal).then(|| Self(id.into()))
    }

    /// Whether both name the same container: one is the beginning of the other.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.0.starts_with(&*other.0) || other.0.starts_with(&*self.0)
    }

    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("web-0", true)]
    #[case("ip-10-0-0-1.eu-west-1.compute.internal", true)]
    #[case("", false)]
    #[case("..", false)]
    #[case("web/../../nodes", false)]
    #[case("web?x", false)]
    #[case("Web", false)]
    #[case("-web", false)]
    #[case("web\n", false)]
    fn only_a_text_that_kubernetes_accepts_is_a_name(#[case] text: &str, #[case] valid: bool) {
        assert_eq!(Name::new(text).is_some(), valid);
    }

    #[rstest]
    #[case("ee97d9c4186f", Some("ee97d9c4186f"))]
    #[case(
        "containerd://ee97d9c4186fee97d9c4186fee97d9c4186fee97d9c4186fee97d9c4186fee97",
        Some("ee97d9c4186fee97d9c4186fee97d9c4186fee97d9c4186fee97d9c4186fee97")
    )]
    #[case("host", None)]
    #[case("", None)]
    #[case("ee97", None)]
    #[case("docker://", None)]
    fn a_container_id_is_twelve_or_more_hexadecimal_digits(#[case] text: &str, #[case] id: Option<&str>) {
        assert_eq!(ContainerId::new(text).as_ref().map(ContainerId::as_str), id);
    }

    #[test]
    fn kinds_are_told_apart_by_group() {
        assert_eq!(Kind::of("apps/v1", "Deployment"), Some(Kind::Deployment));
        assert_eq!(Kind::of("example.org/v1", "Deployment"), None);
        assert_eq!(Kind::of("v1", "Pod"), Some(Kind::Pod));
    }

    #[test]
    fn no_two_kinds_have_the_same_manifest_or_the_same_place_in_messages() {
        let place = |kind: Kind| {
            let namespace = kind.is_namespaced().then(|| Namespace::new("web").unwrap());
            Locator::new(kind, namespace, Name::new("x").unwrap())
                .unwrap()
                .to_string()
        };
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(Kind::of(&kind.api_version(), kind.as_str()), Some(kind));
            for other in &Kind::ALL[index + 1..] {
                assert_ne!(place(kind), place(*other));
            }
        }
    }
}
