//! Facts about a live pod that decisions rest on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::object::{ContainerId, Kind, Locator, Name, Namespace, ObjectRef, Uid};

/// The reference to a live pod: its place and its uid. `None` for an object without one, which no API server sends.
pub fn reference(pod: &Pod) -> Option<ObjectRef> {
    let namespace = Namespace::new(pod.metadata.namespace.as_deref()?)?;
    let name = Name::new(pod.metadata.name.as_deref()?)?;
    Some(ObjectRef {
        at: Locator::pod(namespace, name),
        uid: Uid::new(pod.metadata.uid.as_deref()?)?,
    })
}

/// `metadata.labels`; empty where there are none.
pub fn labels(pod: &Pod) -> BTreeMap<String, String> {
    pod.metadata.labels.clone().unwrap_or_default()
}

/// Whether it is the mirror of a static pod. The kubelet makes mirrors, and nothing that is done to one reaches the
/// containers. Source: <https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/>
pub fn is_mirror(pod: &Pod) -> bool {
    let annotated = pod
        .metadata
        .annotations
        .as_ref()
        .is_some_and(|map| map.contains_key("kubernetes.io/config.mirror"));
    let owned_by_node = pod
        .metadata
        .owner_references
        .iter()
        .flatten()
        .any(|owner| owner.kind == "Node" && owner.api_version == "v1");
    annotated || owned_by_node
}

/// Whether it is being deleted.
pub fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether it has ended: `Succeeded` or `Failed`.
pub fn is_completed(pod: &Pod) -> bool {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .is_some_and(|phase| phase == "Succeeded" || phase == "Failed")
}

/// Whether it shares the node's network, where NetworkPolicies don't reach.
pub fn is_host_network(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false)
}

/// The node it runs on.
pub fn node_name(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// When the object was made, cut to the second by the API server.
pub fn created_at(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// The controller that owns it.
pub fn controller(pod: &Pod) -> Option<&OwnerReference> {
    pod.metadata
        .owner_references
        .iter()
        .flatten()
        .find(|owner| owner.controller == Some(true))
}

/// The kind of a controller, if it is one that we know.
pub fn controller_kind(controller: &OwnerReference) -> Option<Kind> {
    Kind::of(&controller.api_version, &controller.kind)
}

/// All container statuses: containers, init containers and ephemeral ones.
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

/// A container of a pod that an alert's container id names.
#[derive(Debug, Clone, Copy)]
pub struct NamedContainer<'a> {
    /// Its status.
    pub status: &'a ContainerStatus,
    /// Whether the id is that of the run before: the container has restarted since.
    pub has_restarted: bool,
    /// When that run began.
    pub started_at: Option<Timestamp>,
}

/// The container with this id: running now, or ended and kept in its last state.
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

/// Whether a container id may be missing only because the status lags: some container has no id yet, or is waiting.
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
