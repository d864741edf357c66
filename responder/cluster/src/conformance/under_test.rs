//! What a scenario needs of the cluster that it runs against, and how it fails.

use std::collections::BTreeMap;
use std::future::Future;

use responder_core::object::{Locator, Name, Namespace, Uid};
use responder_core::port::{ClusterReader, ClusterWriter};
use serde_json::Value;

/// A cluster under test: the adapter, and a way to change the cluster without it.
pub trait ClusterUnderTest: Sync {
    /// The adapter under test.
    type Adapter: ClusterReader + ClusterWriter;

    /// The adapter under test.
    fn adapter(&self) -> &Self::Adapter;

    /// Creates objects, in order, and waits until the cluster is at rest: pods are ready, ReplicaSets and StatefulSets
    /// are complete, PodDisruptionBudgets are counted.
    fn create(&self, manifests: &[Value]) -> impl Future<Output = Result<(), String>> + Send;

    /// Deletes a pod without grace and creates it again from the same manifest. Waits until the new pod is ready and
    /// the cluster is at rest, and returns the new uid.
    fn replace_pod(&self, namespace: &Namespace, name: &Name) -> impl Future<Output = Result<Uid, String>> + Send;

    /// Deletes an object without grace and waits until it is gone.
    fn delete(&self, at: &Locator) -> impl Future<Output = Result<(), String>> + Send;

    /// The pods, ReplicaSets, Services, PodDisruptionBudgets and NetworkPolicies of this namespace, and all nodes and
    /// namespaces, each under a unique key such as `Pod/web/web-0`.
    fn objects(&self, namespace: &Namespace) -> impl Future<Output = Result<BTreeMap<String, Value>, String>> + Send;
}

/// A cluster did not behave as the port requires.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(String);

impl From<String> for Violation {
    fn from(what: String) -> Self {
        Self(what)
    }
}
