//! The cluster ports on a real Kubernetes API server, for the steps *snapshot*, *act* and *verify*.
//!
//! This adapter never retries. kube's own retry is off (with it, an eviction that a PodDisruptionBudget blocks got no
//! answer within 240 s), and only the caller knows which request may be repeated.

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

/// Deadline of one read: the connection and the answer together.
const READ_DEADLINE: Duration = Duration::from_secs(10);

/// How long the detected policy engine is cached. It changes with a cluster's installation, not with its pods.
const ENGINE_CACHE_TTL: Duration = Duration::from_secs(60);

/// A Kubernetes API server. Clones share its connections.
#[derive(Clone)]
pub struct KubeCluster {
    client: Client,
    server: Arc<str>,
    engine: Arc<Mutex<Option<CachedEngine>>>,
}

/// When the policy engine was detected, and the result.
type CachedEngine = (Instant, Option<PolicyEngine>);

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
