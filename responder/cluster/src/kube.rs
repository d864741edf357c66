//! The real cluster: the ports on the Kubernetes API. The steps *snapshot*, *act* and *verify* reach it through this.
//!
//! Nothing is retried here: kube's own retry is off (with it, an eviction that a PodDisruptionBudget blocks did not
//! answer within 240 s), and whoever sends knows what may be repeated.

mod answer;
mod classify;
mod connect;
mod read;
mod wire;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::kube::Client;
use responder_core::snapshot::PolicyEngine;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub use self::connect::{ConnectError, ConnectOptions};

/// How long one read may take, connection and answer together.
const READ_DEADLINE: Duration = Duration::from_secs(10);

/// How long the answer to "which policy engine" is kept. Engines come and go with a cluster's installation, not with
/// its pods.
const ENGINE_KEPT: Duration = Duration::from_secs(60);

/// A Kubernetes API server. A clone shares its connections.
#[derive(Clone)]
pub struct KubeCluster {
    client: Client,
    server: Arc<str>,
    engine: Arc<Mutex<Option<SeenEngine>>>,
}

/// Which policy engine there was, and when that was asked.
type SeenEngine = (Instant, Option<PolicyEngine>);

impl KubeCluster {
    fn on(client: Client, server: &str) -> Self {
        Self {
            client,
            server: server.into(),
            engine: Arc::default(),
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
