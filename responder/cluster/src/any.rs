//! The cluster that an operator has chosen: the program is compiled once for both adapters, not once for each.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Node, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use responder_core::custom_kind::CustomLocator;
use responder_core::network::EnginePolicies;
use responder_core::node::NodeFacts;
use responder_core::object::{Locator, Name, Namespace};
use responder_core::pod::PodOnNode;
use responder_core::port::{ClusterReader, ClusterWriter, CustomOwnerAnswer, OwnerObject, ReadError, Reply, SendError};
use responder_core::request::Armed;
use responder_core::serving::ServingNamespaces;
use serde_json::Value;

use crate::kube::KubeCluster;
use crate::simulated::SimulatedCluster;

/// Either adapter. The size of the engine's generic code hangs on this: with a type parameter for each adapter the program
/// held two engines, and its crate took twice as long to compile.
#[derive(Debug, Clone)]
pub enum AnyCluster {
    /// A real API server.
    Kube(KubeCluster),
    /// Manifests in memory.
    Simulated(SimulatedCluster),
}

impl From<KubeCluster> for AnyCluster {
    fn from(cluster: KubeCluster) -> Self {
        Self::Kube(cluster)
    }
}

impl From<SimulatedCluster> for AnyCluster {
    fn from(cluster: SimulatedCluster) -> Self {
        Self::Simulated(cluster)
    }
}

macro_rules! either {
    ($any:expr, $cluster:ident => $answer:expr) => {
        match $any {
            Self::Kube($cluster) => $answer,
            Self::Simulated($cluster) => $answer,
        }
    };
}

impl ClusterReader for AnyCluster {
    async fn object(&self, at: &Locator) -> Result<Option<Arc<Value>>, ReadError> {
        either!(self, cluster => cluster.object(at).await)
    }

    async fn pod(&self, namespace: &Namespace, name: &Name) -> Result<Option<Arc<Pod>>, ReadError> {
        either!(self, cluster => cluster.pod(namespace, name).await)
    }

    async fn pods_named(&self, name: &Name) -> Result<Vec<Pod>, ReadError> {
        either!(self, cluster => cluster.pods_named(name).await)
    }

    async fn pods_on(&self, node: &Name) -> Result<Vec<PodOnNode>, ReadError> {
        either!(self, cluster => cluster.pods_on(node).await)
    }

    async fn node(&self, name: &Name) -> Result<Option<Arc<Node>>, ReadError> {
        either!(self, cluster => cluster.node(name).await)
    }

    async fn namespace(&self, name: &Namespace) -> Result<Option<Arc<NamespaceObject>>, ReadError> {
        either!(self, cluster => cluster.namespace(name).await)
    }

    async fn custom_owner(&self, at: &CustomLocator) -> Result<CustomOwnerAnswer, ReadError> {
        either!(self, cluster => cluster.custom_owner(at).await)
    }

    async fn owner(&self, at: &Locator) -> Result<Option<OwnerObject>, ReadError> {
        either!(self, cluster => cluster.owner(at).await)
    }

    async fn network_policies(&self, namespace: &Namespace) -> Result<Vec<NetworkPolicy>, ReadError> {
        either!(self, cluster => cluster.network_policies(namespace).await)
    }

    async fn network_policies_labelled(&self, label: &str) -> Result<Vec<NetworkPolicy>, ReadError> {
        either!(self, cluster => cluster.network_policies_labelled(label).await)
    }

    async fn services(&self, namespace: &Namespace) -> Result<Vec<Service>, ReadError> {
        either!(self, cluster => cluster.services(namespace).await)
    }

    async fn nodes(&self) -> Result<Arc<[NodeFacts]>, ReadError> {
        either!(self, cluster => cluster.nodes().await)
    }

    async fn engine_policies(&self, namespace: &Namespace) -> EnginePolicies {
        either!(self, cluster => cluster.engine_policies(namespace).await)
    }

    async fn serving_namespaces(&self) -> Result<Arc<ServingNamespaces>, ReadError> {
        either!(self, cluster => cluster.serving_namespaces().await)
    }
}

impl ClusterWriter for AnyCluster {
    async fn send(&self, request: Armed<'_>, deadline: Duration) -> Result<Reply, SendError> {
        either!(self, cluster => cluster.send(request, deadline).await)
    }
}
