//! Counts the failed reads of the cluster, for every step that reads and for the readiness probe.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Node, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use responder_cluster::AnyCluster;
use responder_core::custom_kind::CustomLocator;
use responder_core::network::EnginePolicies;
use responder_core::node::NodeFacts;
use responder_core::object::{Locator, Name, Namespace};
use responder_core::pod::PodOnNode;
use responder_core::port::{
    ClusterReader, ClusterWriter, CustomOwnerAnswer, OwnerObject, ReadError, ReadErrorKind, Reply, SendError,
};
use responder_core::request::Armed;
use responder_core::serving::ServingNamespaces;
use serde_json::Value;

/// A cluster with a count of its failed reads.
#[derive(Debug)]
pub(crate) struct CountedCluster {
    cluster: AnyCluster,
    errors: Arc<ReadErrors>,
}

/// Failed reads, by kind.
#[derive(Debug, Default)]
pub(crate) struct ReadErrors([AtomicU64; KINDS.len()]);

const KINDS: [ReadErrorKind; 4] = [
    ReadErrorKind::Forbidden,
    ReadErrorKind::Unavailable,
    ReadErrorKind::Timeout,
    ReadErrorKind::Malformed,
];

impl ReadErrors {
    /// The count of each kind.
    pub(crate) fn counts(&self) -> [(&'static str, u64); KINDS.len()] {
        std::array::from_fn(|place| (KINDS[place].as_str(), self.0[place].load(Ordering::Relaxed)))
    }

    fn count(&self, kind: ReadErrorKind) {
        let place = match kind {
            ReadErrorKind::Forbidden => 0,
            ReadErrorKind::Unavailable => 1,
            ReadErrorKind::Timeout => 2,
            ReadErrorKind::Malformed => 3,
        };
        self.0[place].fetch_add(1, Ordering::Relaxed);
    }
}

impl CountedCluster {
    /// Counts the failed reads of this cluster.
    pub(crate) fn new(cluster: AnyCluster, errors: Arc<ReadErrors>) -> Self {
        Self { cluster, errors }
    }

    fn counted<T>(&self, answer: Result<T, ReadError>) -> Result<T, ReadError> {
        answer.inspect_err(|error| self.errors.count(error.kind))
    }
}

impl ClusterReader for CountedCluster {
    async fn object(&self, at: &Locator) -> Result<Option<Arc<Value>>, ReadError> {
        self.counted(self.cluster.object(at).await)
    }

    async fn pod(&self, namespace: &Namespace, name: &Name) -> Result<Option<Arc<Pod>>, ReadError> {
        self.counted(self.cluster.pod(namespace, name).await)
    }

    async fn pods_named(&self, name: &Name) -> Result<Vec<Pod>, ReadError> {
        self.counted(self.cluster.pods_named(name).await)
    }

    async fn pods_on(&self, node: &Name) -> Result<Vec<PodOnNode>, ReadError> {
        self.counted(self.cluster.pods_on(node).await)
    }

    async fn node(&self, name: &Name) -> Result<Option<Arc<Node>>, ReadError> {
        self.counted(self.cluster.node(name).await)
    }

    async fn namespace(&self, name: &Namespace) -> Result<Option<Arc<NamespaceObject>>, ReadError> {
        self.counted(self.cluster.namespace(name).await)
    }

    async fn custom_owner(&self, at: &CustomLocator) -> Result<CustomOwnerAnswer, ReadError> {
        self.counted(self.cluster.custom_owner(at).await)
    }

    async fn owner(&self, at: &Locator) -> Result<Option<OwnerObject>, ReadError> {
        self.counted(self.cluster.owner(at).await)
    }

    async fn network_policies(&self, namespace: &Namespace) -> Result<Vec<NetworkPolicy>, ReadError> {
        self.counted(self.cluster.network_policies(namespace).await)
    }

    async fn network_policies_labelled(&self, label: &str) -> Result<Vec<NetworkPolicy>, ReadError> {
        self.counted(self.cluster.network_policies_labelled(label).await)
    }

    async fn services(&self, namespace: &Namespace) -> Result<Vec<Service>, ReadError> {
        self.counted(self.cluster.services(namespace).await)
    }

    async fn nodes(&self) -> Result<Arc<[NodeFacts]>, ReadError> {
        self.counted(self.cluster.nodes().await)
    }

    async fn engine_policies(&self, namespace: &Namespace) -> EnginePolicies {
        self.cluster.engine_policies(namespace).await
    }

    async fn serving_namespaces(&self) -> Result<Arc<ServingNamespaces>, ReadError> {
        self.counted(self.cluster.serving_namespaces().await)
    }
}

impl ClusterWriter for CountedCluster {
    async fn send(&self, request: Armed<'_>, deadline: Duration) -> Result<Reply, SendError> {
        self.cluster.send(request, deadline).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_count_of_its_own() {
        for kind in KINDS {
            let errors = ReadErrors::default();
            errors.count(kind);
            let counted: Vec<_> = errors.counts().into_iter().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(kind.as_str(), 1)]);
        }
    }
}
