//! The cluster ports on a real Kubernetes API server, for the steps *snapshot*, *act* and *verify*.
//!
//! This adapter never retries. kube's own retry is off (with it, an eviction that a PodDisruptionBudget blocks got no
//! answer within 240 s), and only the caller knows which request may be repeated.

mod answer;
mod classify;
mod connect;
mod custom;
mod installed_network;
mod policies;
mod read;
mod served_kinds;
mod serving;
mod shared_read;
mod wire;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::kube::Client;
use responder_core::node::NodeFacts;
use responder_core::serving::ServingNamespaces;

pub use self::connect::{ConnectError, ConnectOptions};
use self::installed_network::InstalledNetwork;
use self::served_kinds::ServedKinds;
use self::shared_read::SharedRead;

/// Deadline of one read: the connection and the answer together.
const READ_DEADLINE: Duration = Duration::from_secs(10);

/// Deadline of the reads of one controller of a custom kind. An author of pods chooses the kind, and can choose one of an API
/// group whose server is slow.
const CUSTOM_DEADLINE: Duration = Duration::from_secs(5);

/// Deadline of all pages of the nodes: 5,000 nodes of 20 KB are 100 MB.
const NODES_DEADLINE: Duration = Duration::from_secs(30);

/// How long the engine of policies and the kinds that are served are kept: they change with a cluster's installation.
const NETWORK_KEPT: Duration = Duration::from_mins(1);

/// How long the namespaces that the API server calls are kept.
const SERVING_KEPT: Duration = Duration::from_mins(1);

/// A Kubernetes API server. Clones share its connections.
#[derive(Clone)]
pub struct KubeCluster {
    client: Client,
    server: Arc<str>,
    network: Arc<SharedRead<InstalledNetwork>>,
    nodes: Arc<SharedRead<Arc<[NodeFacts]>>>,
    served_kinds: Arc<ServedKinds>,
    serving: Arc<SharedRead<Arc<ServingNamespaces>>>,
}

impl KubeCluster {
    fn on(client: Client, server: &str) -> Self {
        Self {
            client,
            server: server.into(),
            network: Arc::new(SharedRead::new(NETWORK_KEPT)),
            nodes: Arc::new(SharedRead::new(Duration::ZERO)),
            served_kinds: Arc::default(),
            serving: Arc::new(SharedRead::new(SERVING_KEPT)),
        }
    }

    /// The API server's address, for logs and reports.
    pub fn server(&self) -> &str {
        &self.server
    }
}

impl fmt::Debug for KubeCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeCluster")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
