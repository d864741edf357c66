//! A pod as far as an alert that names only a container needs it.

use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;

use super::container_statuses;
use crate::object::{ContainerId, Name, Namespace};

/// A pod with the ids of its containers, running or kept in `lastState`. A node has a few hundred of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Pod")]
pub struct PodOnNode {
    /// Its namespace and name; `None` where they are not valid.
    pub names: Option<(Namespace, Name)>,
    containers: Box<[ContainerId]>,
}

impl PodOnNode {
    /// Whether a container of the pod has or had this id.
    pub fn has(&self, id: &ContainerId) -> bool {
        self.containers.iter().any(|own| own.is_same_as(id))
    }
}

impl From<Pod> for PodOnNode {
    fn from(pod: Pod) -> Self {
        let ids = container_statuses(&pod).flat_map(|status| {
            let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
            let last = last.and_then(|ended| ended.container_id.as_deref());
            [status.container_id.as_deref(), last]
        });
        let containers = ids.flatten().filter_map(ContainerId::new).collect();
        let name = pod.metadata.name.as_deref().and_then(Name::new);
        Self {
            names: pod.metadata.namespace.as_deref().and_then(Namespace::new).zip(name),
            containers,
        }
    }
}
