//! Whether a pod that was removed has really ended. Step of the flow: verify. Reads only.
//!
//! The object alone does not tell: with a grace of zero it is gone at once, and on a node that does not answer the
//! containers run on. So the node has the last word.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use responder_core::node;
use responder_core::object::{Name, ObjectRef};
use responder_core::pod;
use responder_core::port::{ClusterReader, ReadError};
use serde::Deserialize as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::finding::{Effectiveness, Finding};
use super::reading::reading;
use crate::lookup::{LiveObject, Lookup, lookup};

/// A removal that the API server has accepted.
pub(super) struct RemovalCheck<'a> {
    pub(super) target: &'a ObjectRef,
    /// The pod's node; `None` before it was scheduled.
    pub(super) node: Option<&'a Name>,
    /// Whether the API server said that the object is gone already.
    pub(super) is_gone: bool,
    /// The time until the last look: the grace, and the slack of [`VerifyLimits`](super::VerifyLimits).
    pub(super) lasts: Duration,
}

impl RemovalCheck<'_> {
    pub(super) async fn verify<C: ClusterReader>(&self, cluster: &C, readers: &Semaphore) -> Finding {
        let end = Instant::now() + self.lasts;
        let mut pause = Duration::from_secs(1);
        if self.is_gone {
            return self.gone(cluster, readers).await;
        }
        loop {
            tokio::time::sleep(pause).await;
            let seen = reading(readers, lookup(cluster, self.target)).await;
            let is_last = Instant::now() >= end;
            match seen {
                Ok(Lookup::Gone | Lookup::Replaced(_)) => return self.gone(cluster, readers).await,
                Ok(Lookup::Same(seen)) if is_last => return self.still_there(&seen, cluster, readers).await,
                Err(error) if is_last => return Finding::unread(&error),
                Ok(Lookup::Same(_)) | Err(_) => {}
            }
            // The last look is at the end of its time and not after it.
            let left = end.saturating_duration_since(Instant::now());
            pause = (pause * 2)
                .min(Duration::from_secs(10))
                .min(left.max(Duration::from_millis(1)));
        }
    }

    async fn gone<C: ClusterReader>(&self, cluster: &C, readers: &Semaphore) -> Finding {
        let at = &self.target.at;
        match self.silent_node(cluster, readers).await {
            Ok(None) => Finding::new(Effectiveness::Effective, format!("{at} is gone")),
            Ok(Some(silence)) => Finding::new(
                Effectiveness::Inconclusive,
                format!("{at} is gone, but {silence}: its containers may still run"),
            ),
            Err(error) => Finding::unread(&error),
        }
    }

    async fn still_there<C: ClusterReader>(&self, seen: &LiveObject, cluster: &C, readers: &Semaphore) -> Finding {
        let at = &self.target.at;
        let runs = Pod::deserialize(&*seen.fields).map_or(true, |live| runs(&live));
        if seen.is_ending() && !runs {
            let detail = format!("the containers of {at} have ended; a finalizer keeps the object");
            return Finding::new(Effectiveness::Effective, detail);
        }
        match self.silent_node(cluster, readers).await {
            Ok(None) if seen.is_ending() => Finding::new(
                Effectiveness::Ineffective,
                format!("{at} still runs after its end should have come"),
            ),
            Ok(None) => Finding::new(Effectiveness::Ineffective, format!("{at} is still there")),
            Ok(Some(silence)) => Finding::new(
                Effectiveness::Inconclusive,
                format!("{at} is still there, and {silence}: its containers may still run"),
            ),
            Err(error) => Finding::unread(&error),
        }
    }

    /// Why the node can't tell that its containers have ended; `None` if it can.
    async fn silent_node<C: ClusterReader>(
        &self,
        cluster: &C,
        readers: &Semaphore,
    ) -> Result<Option<String>, ReadError> {
        let Some(name) = self.node else { return Ok(None) };
        let live = reading(readers, cluster.node(name)).await?;
        Ok(match live {
            Some(live) if node::is_ready(&live) => None,
            Some(_) => Some(format!("its node {name} does not answer")),
            // A node that is gone was drained or shut down; whether its machine still runs can't be seen.
            None => Some(format!("its node {name} is gone")),
        })
    }
}

/// Whether a container of the pod runs, as far as its status tells. A pod without statuses of its containers may.
fn runs(live: &Pod) -> bool {
    if pod::is_completed(live) {
        return false;
    }
    let mut statuses = pod::container_statuses(live).peekable();
    statuses.peek().is_none()
        || statuses.any(|status| {
            let state = status.state.as_ref();
            state.is_none_or(|state| state.terminated.is_none() && state.waiting.is_none())
        })
}
