//! The simulated cluster with a hook before each read and each send.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, Node, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use responder_cluster::SimulatedCluster;
use responder_cluster::simulated::SendFault;
use responder_core::custom_kind::CustomLocator;
use responder_core::network::EnginePolicies;
use responder_core::node::NodeFacts;
use responder_core::object::{Locator, Name, Namespace};
use responder_core::pod::PodOnNode;
use responder_core::port::{ClusterReader, ClusterWriter, CustomOwnerAnswer, OwnerObject, ReadError, Reply, SendError};
use responder_core::request::{Armed, Request};
use responder_core::serving::ServingNamespaces;
use serde_json::Value;

/// The next call, with the number of its kind before it.
#[derive(Debug)]
pub(crate) enum Before<'a> {
    /// A read, by the name of the port's method.
    Read(&'static str, usize),
    /// A request, dry runs included.
    Send(&'a Request, usize),
}

/// The fate of the next call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Then {
    /// It is carried out.
    Go,
    /// It fails so (sends only).
    Fail(SendFault),
    /// It is never answered.
    Never,
    /// It is carried out after this length.
    After(Duration),
}

type Hook = Box<dyn FnMut(&SimulatedCluster, Before<'_>) -> Then + Send>;

/// The simulated cluster as the engine under test sees it. A clone is the same cluster.
#[derive(Clone)]
pub(crate) struct ScriptedCluster {
    pub(crate) inner: SimulatedCluster,
    hook: Arc<Mutex<Hook>>,
    reads: Arc<AtomicUsize>,
    sweeps: Arc<AtomicUsize>,
    sends: Arc<AtomicUsize>,
}

impl ScriptedCluster {
    pub(crate) fn new(inner: SimulatedCluster) -> Self {
        Self {
            inner,
            hook: Arc::new(Mutex::new(Box::new(|_, _| Then::Go))),
            reads: Arc::default(),
            sweeps: Arc::default(),
            sends: Arc::default(),
        }
    }

    /// Sets the hook before each read and each send, and counts both anew.
    pub(crate) fn before(&self, hook: impl FnMut(&SimulatedCluster, Before<'_>) -> Then + Send + 'static) {
        *self.hook.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(hook);
        self.reads.store(0, Ordering::Relaxed);
        self.sweeps.store(0, Ordering::Relaxed);
        self.sends.store(0, Ordering::Relaxed);
    }

    /// Scripts the next sends, in turn; those after the last are carried out.
    pub(crate) fn script(&self, sends: impl IntoIterator<Item = Then>) {
        let sends: Vec<Then> = sends.into_iter().collect();
        self.before(move |_, before| match before {
            Before::Send(_, place) => sends.get(place).cloned().unwrap_or(Then::Go),
            Before::Read(..) => Then::Go,
        });
    }

    /// Reads since the hook was set, without the looks for quarantines.
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// The requests that were received, without the dry runs.
    pub(crate) fn mutations(&self) -> Vec<Request> {
        let received = self.inner.requests().into_iter();
        received
            .filter(|received| !received.dry_run)
            .map(|received| received.request)
            .collect()
    }

    async fn pass(&self, before: Before<'_>) -> Option<SendFault> {
        let then = (self.hook.lock().unwrap_or_else(PoisonError::into_inner))(&self.inner, before);
        match then {
            Then::Go => None,
            Then::Fail(fault) => Some(fault),
            Then::Never => std::future::pending().await,
            Then::After(length) => {
                tokio::time::sleep(length).await;
                None
            }
        }
    }

    async fn read(&self, method: &'static str) {
        // An engine that enforces looks for quarantines in turn; a test counts its own reads.
        let counted = match method {
            "network_policies_labelled" => &self.sweeps,
            _ => &self.reads,
        };
        let place = counted.fetch_add(1, Ordering::Relaxed);
        self.pass(Before::Read(method, place)).await;
    }
}

impl ClusterWriter for ScriptedCluster {
    async fn send(&self, armed: Armed<'_>, deadline: Duration) -> Result<Reply, SendError> {
        let place = self.sends.fetch_add(1, Ordering::Relaxed);
        if let Some(fault) = self.pass(Before::Send(armed.request(), place)).await {
            self.inner.fail_sends([fault]);
        }
        self.inner.send(armed, deadline).await
    }
}

impl ClusterReader for ScriptedCluster {
    async fn object(&self, at: &Locator) -> Result<Option<Arc<Value>>, ReadError> {
        self.read("object").await;
        self.inner.object(at).await
    }

    async fn pod(&self, namespace: &Namespace, name: &Name) -> Result<Option<Arc<Pod>>, ReadError> {
        self.read("pod").await;
        self.inner.pod(namespace, name).await
    }

    async fn pods_named(&self, name: &Name) -> Result<Vec<Pod>, ReadError> {
        self.read("pods_named").await;
        self.inner.pods_named(name).await
    }

    async fn pods_on(&self, node: &Name) -> Result<Vec<PodOnNode>, ReadError> {
        self.read("pods_on").await;
        self.inner.pods_on(node).await
    }

    async fn node(&self, name: &Name) -> Result<Option<Arc<Node>>, ReadError> {
        self.read("node").await;
        self.inner.node(name).await
    }

    async fn namespace(&self, name: &Namespace) -> Result<Option<Arc<NamespaceObject>>, ReadError> {
        self.read("namespace").await;
        self.inner.namespace(name).await
    }

    async fn custom_owner(&self, at: &CustomLocator) -> Result<CustomOwnerAnswer, ReadError> {
        self.read("custom_owner").await;
        self.inner.custom_owner(at).await
    }

    async fn owner(&self, at: &Locator) -> Result<Option<OwnerObject>, ReadError> {
        self.read("owner").await;
        self.inner.owner(at).await
    }

    async fn network_policies(&self, namespace: &Namespace) -> Result<Vec<NetworkPolicy>, ReadError> {
        self.read("network_policies").await;
        self.inner.network_policies(namespace).await
    }

    async fn network_policies_labelled(&self, label: &str) -> Result<Vec<NetworkPolicy>, ReadError> {
        self.read("network_policies_labelled").await;
        self.inner.network_policies_labelled(label).await
    }

    async fn services(&self, namespace: &Namespace) -> Result<Vec<Service>, ReadError> {
        self.read("services").await;
        self.inner.services(namespace).await
    }

    async fn nodes(&self) -> Result<Arc<[NodeFacts]>, ReadError> {
        self.read("nodes").await;
        self.inner.nodes().await
    }

    async fn engine_policies(&self, namespace: &Namespace) -> EnginePolicies {
        self.read("engine_policies").await;
        self.inner.engine_policies(namespace).await
    }

    async fn serving_namespaces(&self) -> Result<Arc<ServingNamespaces>, ReadError> {
        self.read("serving_namespaces").await;
        self.inner.serving_namespaces().await
    }
}
