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
    /// A pod that the alert does not name: it has the id of a container, and its host's name.
    Container {
        /// The container's id, which Falco takes from the kernel.
        container: ContainerId,
        /// The uid of its pod, which a few configurations add without the pod's name.
        uid: Option<Uid>,
        /// `hostname`, as of a host.
        hostname: String,
    },
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

/// The pod of a container of which an alert has the id alone, as looked up on its node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LocatedPod {
    /// Not looked up: the alert names its pod, or a host.
    #[default]
    NotAsked,
    /// The only pod on the node with that container.
    Found {
        /// The pod, as if the alert had named it.
        claim: PodClaim,
        /// The node whose pods were looked through.
        node: Name,
    },
    /// No such pod was found; what was tried, as a clause.
    Missing(String),
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
        "the alert names no pod: k8s.ns.name and k8s.pod.name are missing or null, and without container.id and hostname it can't be looked up"
    )]
    NoPod,
    /// A host alert without a hostname.
    #[error(
        "the alert is about a host process and has no hostname: set FALCO_HOSTNAME to spec.nodeName in Falco's pods"
    )]
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
        let first = |fields: &[&str]| fields.iter().find_map(|field| text(alert, field));
        let shim = first(&["container.name"]).and_then(ShimName::of);
        let shim = shim.as_ref();
        let namespace = first(&["k8s.ns.name", "k8smeta.ns.name"]).or(shim.map(|shim| shim.namespace));
        let name = first(&["k8s.pod.name", "k8smeta.pod.name"]).or(shim.map(|shim| shim.pod));
        let uid = first(&["k8s.pod.uid", "k8smeta.pod.uid", "k8s.pod.id"]).or(shim.map(|shim| shim.uid));
        for field in ["k8s.ns.name", "k8s.pod.name"] {
            if !matches!(alert.field(field), None | Some(Value::Null | Value::String(_))) {
                return Err(NoSubject::BadName(field));
            }
        }
        let (namespace, name) = match (namespace, name) {
            (Some(namespace), Some(name)) => (namespace, name),
            (None, None) => {
                return match (container.and_then(ContainerId::new), alert.hostname()) {
                    (Some(container), Some(hostname)) => Ok(Self::Container {
                        container,
                        uid: uid
                            .map(|uid| Uid::new(uid).ok_or(NoSubject::BadName("k8s.pod.uid")))
                            .transpose()?,
                        hostname: hostname.to_owned(),
                    }),
                    _ => Err(NoSubject::NoPod),
                };
            }
            // Half of a name is none, and the pod of the container may have another.
            (Some(_), None) | (None, Some(_)) => return Err(NoSubject::NoPod),
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
            Self::Container {
                container, hostname, ..
            } => {
                write!(f, "container {container} on {}", hostname.escape_debug())
            }
            Self::Host { hostname } => write!(f, "host {}", hostname.escape_debug()),
        }
    }
}

/// A container's name as the kubelet gives it to Docker: `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`. No part but
/// the first has an underscore, since Kubernetes' names have none.
/// Source: <https://github.com/kubernetes/kubernetes/blob/v1.23.0/pkg/kubelet/dockershim/naming.go>
struct ShimName<'a> {
    pod: &'a str,
    namespace: &'a str,
    uid: &'a str,
}

impl<'a> ShimName<'a> {
    fn of(container: &'a str) -> Option<Self> {
        let mut parts = container.trim_start_matches('/').split('_');
        let ("k8s", Some(_), Some(pod), Some(namespace), Some(uid), Some(attempt), None) = (
            parts.next()?,
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return None;
        };
        attempt.parse::<u32>().ok()?;
        Some(Self { pod, namespace, uid })
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

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::alert::Bounds;

    /// Source: falcosecurity/falco #629, falcosecurity/falco-exporter #44.
    #[rstest]
    #[case::of_a_container("k8s_api_web-0_shop_d0000000-0000-4000-8000-000000000001_0", true)]
    #[case::of_the_sandbox("k8s_POD_web-0_shop_d0000000-0000-4000-8000-000000000001_2", true)]
    #[case::as_docker_lists_it("/k8s_api_web-0_shop_d0000000-0000-4000-8000-000000000001_11", true)]
    #[case::without_an_attempt("k8s_api_web-0_shop_d0000000-0000-4000-8000-000000000001", false)]
    #[case::with_a_part_too_many("k8s_api_web-0_shop_d0000000-0000-4000-8000-000000000001_0_x", false)]
    #[case::of_no_kubelet("k8s_", false)]
    #[case::plain("web-0", false)]
    fn the_name_of_a_container_names_its_pod(#[case] container: &str, #[case] names: bool) {
        let fields = json!({"container.id": "0123456789ab", "container.name": container, "k8s.pod.name": null, "k8s.ns.name": null});
        let body = json!({
            "hostname": "worker-1", "priority": "Notice", "rule": "Terminal shell in container", "source": "syscall",
            "time": "2026-05-01T10:00:00Z", "output_fields": fields,
        });
        let alert = Alert::decode(body.to_string().as_bytes(), &Bounds::default()).unwrap();
        match Subject::of(&alert) {
            Ok(Subject::Pod(claim)) => {
                assert!(names);
                assert_eq!((claim.namespace.as_str(), claim.name.as_str()), ("shop", "web-0"));
                assert_eq!(claim.uid, Uid::new("d0000000-0000-4000-8000-000000000001"));
            }
            Ok(Subject::Container { container, .. }) => {
                assert_eq!((names, container.as_str()), (false, "0123456789ab"));
            }
            other => panic!("{other:?}"),
        }
    }
}
