//! Probes whether the cluster answers, for readiness and the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use responder_core::object::Namespace;
use responder_core::port::{ClusterReader as _, ReadErrorKind};
use tokio_util::sync::CancellationToken;

use crate::telemetry::CountedCluster;

/// Between two probes.
const INTERVAL: Duration = Duration::from_secs(2);

/// Sets `reachable` by whether the cluster answers, and logs changes, until `stop`.
pub(super) async fn probe(cluster: Arc<CountedCluster>, reachable: Arc<AtomicBool>, stop: CancellationToken) {
    let Some(namespace) = Namespace::new("default") else {
        return;
    };
    let mut first = true;
    while !stop.is_cancelled() {
        let answer = cluster.namespace(&namespace).await;
        // A refusal is an answer too.
        let answers = answer.as_ref().is_ok()
            || answer
                .as_ref()
                .is_err_and(|error| error.kind == ReadErrorKind::Forbidden);
        let before = reachable.swap(answers, Ordering::Relaxed);
        match answer {
            Err(error) if !answers && (before || first) => {
                tracing::warn!(
                    "the cluster does not answer; alerts are taken, and decided once it does, or refused as too old: {error}"
                );
            }
            _ if answers && !before => tracing::info!("the cluster answers; ready"),
            _ => {}
        }
        first = false;
        tokio::time::sleep(INTERVAL).await;
    }
}
