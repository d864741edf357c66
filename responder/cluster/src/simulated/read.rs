//! Reads from the simulated cluster, for the steps *snapshot* and *verify*.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Node, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use responder_core::custom_kind::CustomLocator;
use responder_core::network::{EnginePolicies, EnginePolicy, PolicyKind};
use responder_core::node::NodeFacts;
use responder_core::object::{Locator, Name, Namespace};
use responder_core::pod::PodOnNode;
use responder_core::port::{ClusterReader, CustomOwnerAnswer, OwnerObject, ReadError, ReadErrorKind};
use responder_core::serving::{ServingKind, ServingNamespaces};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use super::SimulatedCluster;
use super::custom::{self, StoredController};
use super::object::{DAEMON_SET, NAMESPACE, NETWORK_POLICY, NODE, ObjectKey, POD, SERVICE, group, label, text};
use super::state::State;
use super::store::Store;
use crate::owner::{CustomOwnerDoc, OwnerDoc};
use crate::policy_engine::{DaemonSetDoc, recognised};
use crate::serving::ServingDoc;

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

    async fn engine_policies(&self, namespace: &Namespace) -> EnginePolicies {
        let kind_of = |key: &ObjectKey, object: &Value| {
            let kind = PolicyKind::of(group(text(object, "/apiVersion")), text(object, "/kind"))?;
            (!kind.is_namespaced() || key.namespace == namespace.as_str()).then_some(kind)
        };
        let read = self.inspect_listed("the policies of the engine", |store| {
            let policies: Vec<(PolicyKind, Arc<Value>)> = store
                .iter()
                .filter_map(|(key, object)| Some((kind_of(key, object)?, object.clone())))
                .collect();
            let sets = store.of_kind(&DAEMON_SET);
            let sets: Vec<DaemonSetDoc> = sets
                .filter_map(|(_, set)| DaemonSetDoc::deserialize(&**set).ok())
                .collect();
            (recognised(&sets), custom::denying_kinds(store), policies)
        });
        match read.await {
            Ok((engine, can_deny, policies)) => EnginePolicies {
                engine,
                can_deny,
                policies: policies
                    .into_iter()
                    .flat_map(|(kind, object)| EnginePolicy::of(kind, Arc::unwrap_or_clone(object)))
                    .collect(),
                unread: Vec::new(),
            },
            Err(error) => EnginePolicies {
                unread: vec![error.to_string()],
                ..EnginePolicies::default()
            },
        }
    }
    async fn serving_namespaces(&self) -> Result<Arc<ServingNamespaces>, ReadError> {
        let what = "the webhook configurations and APIServices";
        let mut namespaces = ServingNamespaces::default();
        for (kind, object) in self.inspect_listed(what, serving).await? {
            decode::<ServingDoc>(what, &object)?.add_to(&mut namespaces, kind);
        }
        Ok(Arc::new(namespaces))
    }
}

/// The objects that name Services that the API server calls.
fn serving(store: &Store) -> Vec<(ServingKind, Arc<Value>)> {
    let kinds = ServingKind::ALL.into_iter();
    kinds
        .flat_map(|kind| {
            let objects = store.of_kind(&Cow::Owned(format!("{}.{}", kind.as_str(), kind.group())));
            objects.map(move |(_, object)| (kind, object.clone()))
        })
        .collect()
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
        self.inspect_listed(what, select)
            .await?
            .iter()
            .map(|object| decode(what, object))
            .collect()
    }

    async fn inspect<T>(&self, what: &str, inspect: impl FnOnce(&Store) -> T) -> Result<T, ReadError> {
        self.answered(what, |state| inspect(&state.store)).await
    }

    /// Inspects the objects as lists show them.
    async fn inspect_listed<T>(&self, what: &str, inspect: impl FnOnce(&Store) -> T) -> Result<T, ReadError> {
        self.answered(what, |state| inspect(state.lagging.as_ref().unwrap_or(&state.store)))
            .await
    }

    async fn answered<T>(&self, what: &str, answer: impl FnOnce(&State) -> T) -> Result<T, ReadError> {
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
        Ok(answer(&state))
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
