//! Reads from the simulated cluster, for the steps *snapshot* and *verify*.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Node, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use responder_core::custom_kind::CustomLocator;
use responder_core::node::NodeFacts;
use responder_core::object::{Locator, Name, Namespace};
use responder_core::pod::PodOnNode;
use responder_core::port::{ClusterReader, CustomOwnerAnswer, OwnerObject, ReadError, ReadErrorKind};
use responder_core::snapshot::PolicyEngine;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use super::SimulatedCluster;
use super::custom::{self, StoredController};
use super::object::{
    CUSTOM_RESOURCE, DAEMON_SET, NAMESPACE, NETWORK_POLICY, NODE, ObjectKey, POD, SERVICE, group, label, text,
};
use super::store::Store;
use crate::owner::{CustomOwnerDoc, OwnerDoc};
use crate::policy_engine;

/// The same deadline as a read from the real cluster.
const READ_DEADLINE: Duration = Duration::from_secs(10);

impl ClusterReader for SimulatedCluster {
    async fn object(&self, at: &Locator) -> Result<Option<Arc<Value>>, ReadError> {
        let key = ObjectKey::at(at);
        self.inspect(&key.to_string(), |store| store.get(&key).cloned()).await
    }

    async fn pod(&self, namespace: &Namespace, name: &Name) -> Result<Option<Arc<Pod>>, ReadError> {
        self.one(&ObjectKey::pod(namespace.as_str(), name.as_str())).await
    }

    async fn pods_named(&self, name: &Name) -> Result<Vec<Pod>, ReadError> {
        self.list("pods", |store| {
            of(store.of_kind(&POD).filter(|(key, _)| key.name == name.as_str()))
        })
        .await
    }

    async fn pods_on(&self, node: &Name) -> Result<Vec<PodOnNode>, ReadError> {
        self.list("pods", |store| {
            of(store
                .of_kind(&POD)
                .filter(|(_, pod)| text(pod, "/spec/nodeName") == node.as_str()))
        })
        .await
    }

    async fn node(&self, name: &Name) -> Result<Option<Arc<Node>>, ReadError> {
        self.one(&ObjectKey::new(NODE, "", name.as_str())).await
    }

    async fn namespace(&self, name: &Namespace) -> Result<Option<Arc<NamespaceObject>>, ReadError> {
        self.one(&ObjectKey::new(NAMESPACE, "", name.as_str())).await
    }

    async fn owner(&self, at: &Locator) -> Result<Option<OwnerObject>, ReadError> {
        let Some(doc) = self
            .one::<OwnerDoc>(&ObjectKey::at(at))
            .await?
            .and_then(Arc::into_inner)
        else {
            return Ok(None);
        };
        let what = || at.to_string();
        doc.into_owner(at)
            .map(Some)
            .ok_or_else(|| failed(what(), ReadErrorKind::Malformed, "its uid is missing or invalid"))
    }

    async fn custom_owner(&self, at: &CustomLocator) -> Result<CustomOwnerAnswer, ReadError> {
        let what = at.to_string();
        let found = self.inspect(&what, |store| custom::controller(store, at)).await?;
        let (object, is_namespaced, replicas) = match found {
            StoredController::Found {
                object,
                is_namespaced,
                replicas,
            } => (object, is_namespaced, replicas),
            StoredController::Missing => return Ok(CustomOwnerAnswer::Missing),
            StoredController::NotServed => return Ok(CustomOwnerAnswer::NotServed),
        };
        let doc: CustomOwnerDoc = decode(&what, &object)?;
        let namespace = is_namespaced.then(|| at.namespace.clone());
        doc.into_owner(at, namespace, replicas)
            .map(|found| CustomOwnerAnswer::Found(Box::new(found)))
            .ok_or_else(|| failed(what, ReadErrorKind::Malformed, "its uid is missing or invalid"))
    }

    async fn network_policies(&self, namespace: &Namespace) -> Result<Vec<NetworkPolicy>, ReadError> {
        self.list("networkpolicies", |store| {
            of(store.in_namespace(&NETWORK_POLICY, namespace.as_str()))
        })
        .await
    }

    async fn network_policies_labelled(&self, wanted: &str) -> Result<Vec<NetworkPolicy>, ReadError> {
        let labelled = |(_, policy): &(&ObjectKey, &Arc<Value>)| label(policy, wanted).is_some();
        self.list("networkpolicies", |store| {
            of(store.of_kind(&NETWORK_POLICY).filter(labelled))
        })
        .await
    }

    async fn services(&self, namespace: &Namespace) -> Result<Vec<Service>, ReadError> {
        self.list("services", |store| of(store.in_namespace(&SERVICE, namespace.as_str())))
            .await
    }

    async fn nodes(&self) -> Result<Arc<[NodeFacts]>, ReadError> {
        let nodes: Vec<NodeFacts> = self.list("nodes", |store| of(store.of_kind(&NODE))).await?;
        Ok(nodes.into())
    }

    async fn policy_engine(&self) -> Result<Option<PolicyEngine>, ReadError> {
        self.inspect("the API groups", |store| {
            let defined = store
                .of_kind(&CUSTOM_RESOURCE)
                .map(|(_, definition)| text(definition, "/spec/group"));
            // An object of an API group proves that the group was served where the dump was taken.
            let used = store.iter().map(|(_, object)| group(text(object, "/apiVersion")));
            let daemon_sets = store.of_kind(&DAEMON_SET).map(|(key, _)| key.name.as_str());
            let groups: Vec<&str> = defined.chain(used).collect();
            let daemon_sets: Vec<&str> = daemon_sets.collect();
            policy_engine::by_groups(&groups).or_else(|| policy_engine::by_daemon_sets(&daemon_sets))
        })
        .await
    }
}

impl SimulatedCluster {
    async fn one<T: DeserializeOwned>(&self, key: &ObjectKey) -> Result<Option<Arc<T>>, ReadError> {
        let object = self.inspect(&key.to_string(), |store| store.get(key).cloned()).await?;
        object
            .map(|object| decode(&key.to_string(), &object).map(Arc::new))
            .transpose()
    }

    async fn list<T: DeserializeOwned>(
        &self,
        what: &str,
        select: impl FnOnce(&Store) -> Vec<Arc<Value>>,
    ) -> Result<Vec<T>, ReadError> {
        // Decode outside the lock: a long list must not block other requests.
        self.inspect(what, select)
            .await?
            .iter()
            .map(|object| decode(what, object))
            .collect()
    }

    async fn inspect<T>(&self, what: &str, inspect: impl FnOnce(&Store) -> T) -> Result<T, ReadError> {
        if timeout(READ_DEADLINE, self.released()).await.is_err() {
            return Err(failed(
                what.to_owned(),
                ReadErrorKind::Timeout,
                "the simulated cluster is held",
            ));
        }
        let mut state = self.lock();
        if let Some(kind) = state.faults.next_read() {
            return Err(failed(what.to_owned(), kind, "a fault that the test injected"));
        }
        Ok(inspect(&state.store))
    }
}

fn of<'a>(found: impl Iterator<Item = (&'a ObjectKey, &'a Arc<Value>)>) -> Vec<Arc<Value>> {
    found.map(|(_, object)| object.clone()).collect()
}

fn decode<T: DeserializeOwned>(what: &str, object: &Value) -> Result<T, ReadError> {
    serde_path_to_error::deserialize(object)
        .map_err(|error| failed(what.to_owned(), ReadErrorKind::Malformed, &error.to_string()))
}

fn failed(what: String, kind: ReadErrorKind, detail: &str) -> ReadError {
    ReadError {
        what,
        kind,
        detail: detail.to_owned(),
    }
}
