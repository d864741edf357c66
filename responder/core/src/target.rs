//! Targets: the object that an alert claims to be about, and the object that a response acts on.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Value};
use crate::object::{ContainerId, Locator, Name, Namespace, ObjectRef, Uid};

/// The kind of object that a playbook acts on, in relation to the alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum TargetKind {
    /// The pod that the alert names.
    #[default]
    Pod,
    /// The topmost controller of that pod.
    Owner,
    /// The node of that pod, or the host of a host alert.
    Node,
}

impl TargetKind {
    /// The kind as written in a playbook.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Owner => "Owner",
            Self::Node => "Node",
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The object that an alert claims to be about. No response acts on it before the cluster confirms the claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// A pod.
    Pod(PodClaim),
    /// A process on the host itself (`container.id: host`).
    Host {
        /// `hostname`: the name of the node, or of the Falco pod on it.
        hostname: String,
    },
}

/// The claims of an alert about its pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodClaim {
    /// The pod's namespace.
    pub namespace: Namespace,
    /// The pod's name.
    pub name: Name,
    /// The container's id, which Falco takes from the kernel.
    pub container: Option<ContainerId>,
    /// The pod's uid, if Falco's configuration adds it.
    pub uid: Option<Uid>,
    /// Whether the claim comes from the API server's audit log, which has names only.
    pub from_audit: bool,
}

/// Why an alert has no subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSubject {
    /// A message from Falco about itself.
    #[error("the alert is Falco's own (source internal) and never has a target")]
    Internal,
    /// A source whose alerts name no Kubernetes objects.
    #[error("alerts of the source {0} never name a Kubernetes object")]
    ForeignSource(String),
    /// An audit event about another kind of object.
    #[error("the audit event is about {0}, not about a pod")]
    NotAPod(String),
    /// No field names a pod.
    #[error(
        "the alert names no pod: k8s.ns.name and k8s.pod.name are missing or null (Falco's container plugin had not seen the pod yet, or the container belongs to no pod)"
    )]
    NoPod,
    /// A host alert without a hostname.
    #[error("the alert is about a host process and has no hostname")]
    NoHostname,
    /// A name that Kubernetes does not allow.
    #[error("the alert's {0} is not a name that Kubernetes could have given")]
    BadName(&'static str),
}

impl Subject {
    /// The subject of an alert, read from the fields of its source: `k8s.*` and `k8smeta.*` for syscalls, `ka.target.*`
    /// for the audit log.
    pub fn of(alert: &Alert) -> Result<Self, NoSubject> {
        let source = alert.source();
        if source.is_internal() {
            Err(NoSubject::Internal)
        } else if source.is_syscall() {
            Self::of_syscall(alert)
        } else if source.is_k8s_audit() {
            Self::of_audit(alert)
        } else {
            Err(NoSubject::ForeignSource(source.to_string()))
        }
    }

    fn of_syscall(alert: &Alert) -> Result<Self, NoSubject> {
        let container = text(alert, "container.id");
        if container == Some("host") {
            let hostname = alert.hostname().ok_or(NoSubject::NoHostname)?;
            return Ok(Self::Host {
                hostname: hostname.to_owned(),
            });
        }
        let namespace = text(alert, "k8s.ns.name").or_else(|| text(alert, "k8smeta.ns.name"));
        let name = text(alert, "k8s.pod.name").or_else(|| text(alert, "k8smeta.pod.name"));
        let uid = text(alert, "k8s.pod.uid")
            .or_else(|| text(alert, "k8smeta.pod.uid"))
            .or_else(|| text(alert, "k8s.pod.id"));
        let (Some(namespace), Some(name)) = (namespace, name) else {
            return Err(NoSubject::NoPod);
        };
        Ok(Self::Pod(PodClaim {
            namespace: Namespace::new(namespace).ok_or(NoSubject::BadName("k8s.ns.name"))?,
            name: Name::new(name).ok_or(NoSubject::BadName("k8s.pod.name"))?,
            container: container
                .map(|id| ContainerId::new(id).ok_or(NoSubject::BadName("container.id")))
                .transpose()?,
            uid: uid
                .map(|uid| Uid::new(uid).ok_or(NoSubject::BadName("k8s.pod.uid")))
                .transpose()?,
            from_audit: false,
        }))
    }

    fn of_audit(alert: &Alert) -> Result<Self, NoSubject> {
        let resource = text(alert, "ka.target.resource").unwrap_or("an unnamed resource");
        if resource != "pods" {
            return Err(NoSubject::NotAPod(
                resource.chars().take(64).flat_map(char::escape_debug).collect(),
            ));
        }
        // `ka.resp.name` is the actual name of a pod created with `generateName`.
        let name = text(alert, "ka.target.pod.name")
            .or_else(|| text(alert, "ka.target.name"))
            .or_else(|| text(alert, "ka.resp.name"));
        let (Some(namespace), Some(name)) = (text(alert, "ka.target.namespace"), name) else {
            return Err(NoSubject::NoPod);
        };
        Ok(Self::Pod(PodClaim {
            namespace: Namespace::new(namespace).ok_or(NoSubject::BadName("ka.target.namespace"))?,
            name: Name::new(name).ok_or(NoSubject::BadName("ka.target.name"))?,
            container: None,
            uid: None,
            from_audit: true,
        }))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(claim) => write!(f, "pod/{}/{}", claim.namespace, claim.name),
            Self::Host { hostname } => write!(f, "host {}", hostname.escape_debug()),
        }
    }
}

/// The text of a field; `None` when it is absent, null, not a string, empty, or Falco's `<NA>`.
fn text<'a>(alert: &'a Alert, field: &str) -> Option<&'a str> {
    match alert.field(field) {
        Some(Value::String(text)) if !text.is_empty() && text != "<NA>" => Some(text),
        _ => None,
    }
}

/// The object that a response acts on, with its uid; for an owner also the pod that led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A pod.
    Pod {
        /// The pod that the alert names.
        pod: ObjectRef,
    },
    /// The topmost controller of a pod.
    Owner {
        /// The topmost controller of the pod.
        owner: ObjectRef,
        /// The pod that led to the controller.
        pod: ObjectRef,
    },
    /// A node.
    Node {
        /// The pod's node, or the host of the alert.
        node: ObjectRef,
    },
}

impl Target {
    /// The object on which the steps act.
    pub const fn object(&self) -> &ObjectRef {
        match self {
            Self::Pod { pod } => pod,
            Self::Owner { owner, .. } => owner,
            Self::Node { node } => node,
        }
    }

    /// The kind of target, as in a playbook.
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Pod { .. } => TargetKind::Pod,
            Self::Owner { .. } => TargetKind::Owner,
            Self::Node { .. } => TargetKind::Node,
        }
    }

    /// The locator of the object on which the steps act.
    pub const fn at(&self) -> &Locator {
        &self.object().at
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.at(), f)
    }
}
