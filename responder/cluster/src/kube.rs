//! The cluster ports on a real Kubernetes API server, for the steps *snapshot*, *act* and *verify*.
//!
//! This adapter never retries. kube's own retry is off (with it, an eviction that a PodDisruptionBudget blocks got no
//! answer within 240 s), and only the caller knows which request may be repeated.

mod answer;
mod classify;
mod connect;
mod engine_cache;
mod read;
mod wire;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::kube::Client;

pub use self::connect::{ConnectError, ConnectOptions};
use self::engine_cache::EngineCache;

/// Deadline of one read: the connection and the answer together.
const READ_DEADLINE: Duration = Duration::from_secs(10);

/// A Kubernetes API server. Clones share its connections.
#[derive(Clone)]
pub struct KubeCluster {
    client: Client,
    server: Arc<str>,
    engine: Arc<EngineCache>,
}

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
