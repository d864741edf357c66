//! Facts about a live pod on which decisions depend.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::object::{ContainerId, Kind, Locator, Name, Namespace, ObjectRef, Uid};

mod on_node;

pub use on_node::PodOnNode;

/// The reference to a live pod: its namespace, name and uid; `None` if one of them is missing, which no API server
/// returns.
pub fn reference(pod: &Pod) -> Option<ObjectRef> {
    let namespace = Namespace::new(pod.metadata.namespace.as_deref()?)?;
    let name = Name::new(pod.metadata.name.as_deref()?)?;
    Some(ObjectRef {
        at: Locator::pod(namespace, name),
        uid: Uid::new(pod.metadata.uid.as_deref()?)?,
    })
}

/// `metadata.labels`; empty when absent.
pub fn labels(pod: &Pod) -> BTreeMap<String, String> {
    pod.metadata.labels.clone().unwrap_or_default()
}

/// Whether the pod is the mirror of a static pod, by its annotation alone: the API server lets no update add it, and a
/// kubelet runs no pod that carries it without a static pod behind it. An owner reference to a node proves nothing, since
/// any author of a pod can write one. Changes to a mirror do not reach the containers.
/// Source: <https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/>
pub fn is_mirror(pod: &Pod) -> bool {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.is_some_and(|map| map.contains_key("kubernetes.io/config.mirror"))
}

/// Whether the pod is being deleted.
pub fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether the pod has ended: `Succeeded` or `Failed`.
pub fn is_completed(pod: &Pod) -> bool {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .is_some_and(|phase| phase == "Succeeded" || phase == "Failed")
}

/// Whether the pod uses the node's network, where NetworkPolicies don't apply.
pub fn is_host_network(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false)
}

/// Whether the kubelet restarts a container of the pod when its probe gets no answer over the network.
/// Source: <https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/>
pub fn is_restarted_by_network_probes(pod: &Pod) -> bool {
    let containers = pod.spec.iter().flat_map(|spec| {
        let init = spec.init_containers.iter().flatten();
        spec.containers.iter().chain(init)
    });
    let mut probes = containers.flat_map(|container| [&container.liveness_probe, &container.startup_probe]);
    probes.any(|probe| {
        let probe = probe.as_ref();
        probe.is_some_and(|probe| probe.http_get.is_some() || probe.tcp_socket.is_some() || probe.grpc.is_some())
    })
}

/// The node that the pod runs on; `None` before it is scheduled.
pub fn node_name(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// The creation time, which the API server cuts to the second.
pub fn created_at(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// The owner reference with `controller: true`.
pub fn controller(pod: &Pod) -> Option<&OwnerReference> {
    pod.metadata
        .owner_references
        .iter()
        .flatten()
        .find(|owner| owner.controller == Some(true))
}

/// The kind of a controller; `None` for a kind that responder does not handle.
pub fn controller_kind(controller: &OwnerReference) -> Option<Kind> {
    Kind::of(&controller.api_version, &controller.kind)
}

/// All container statuses, init and ephemeral containers included.
pub fn container_statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| {
        [
            &status.container_statuses,
            &status.init_container_statuses,
            &status.ephemeral_container_statuses,
        ]
        .into_iter()
        .flatten()
        .flatten()
    })
}

/// The container of a pod that an alert names by its id.
#[derive(Debug, Clone, Copy)]
pub struct NamedContainer<'a> {
    /// The container's present status.
    pub status: &'a ContainerStatus,
    /// Whether the id is that of an earlier run: the container has restarted since.
    pub has_restarted: bool,
    /// The start of the run with this id.
    pub started_at: Option<Timestamp>,
}

/// The container with this id: running, or ended and kept in `lastState`.
pub fn container<'a>(pod: &'a Pod, id: &ContainerId) -> Option<NamedContainer<'a>> {
    container_statuses(pod).find_map(|status| {
        let is_id = |text: &Option<String>| {
            text.as_deref()
                .and_then(ContainerId::new)
                .is_some_and(|candidate| candidate.is_same_as(id))
        };
        if is_id(&status.container_id) {
            let state = status.state.as_ref();
            let running = state
                .and_then(|state| state.running.as_ref())
                .and_then(|running| running.started_at.as_ref());
            let ended = state
                .and_then(|state| state.terminated.as_ref())
                .and_then(|ended| ended.started_at.as_ref());
            return Some(NamedContainer {
                status,
                has_restarted: false,
                started_at: running.or(ended).map(|time| time.0),
            });
        }
        let last = status.last_state.as_ref()?.terminated.as_ref()?;
        is_id(&last.container_id).then(|| NamedContainer {
            status,
            has_restarted: true,
            started_at: last.started_at.as_ref().map(|time| time.0),
        })
    })
}

/// Whether the status may lag behind the containers: some container has no id yet, or is waiting. Only then may a
/// missing id appear later.
pub fn has_unreported_container(pod: &Pod) -> bool {
    let declared = pod.spec.as_ref().map_or(0, |spec| spec.containers.len());
    let reported = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref())
        .map_or(0, Vec::len);
    reported < declared
        || container_statuses(pod).any(|status| {
            status.container_id.as_deref().is_none_or(str::is_empty)
                || status.state.as_ref().is_some_and(|state| state.waiting.is_some())
        })
}
