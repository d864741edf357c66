//! The pod of a container of which an alert has the id alone. Step of the flow: snapshot. Reads only.
//!
//! Falco names no pod before its metadata arrives, and without it never does; the id comes from the kernel. The pods of the
//! alert's node are listed at most once a second, for all who ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use responder_core::object::{ContainerId, Name};
use responder_core::pod::PodOnNode;
use responder_core::port::{ClusterReader, ReadError};
use responder_core::target::{LocatedPod, PodClaim};
use tokio::time::Instant;

use crate::kept::Kept;
use crate::wait::Wait;

/// How long a list of pods is kept, and the pause before the next one.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a container is known to be on no pod: its next alert is answered without patience.
const MISSING: Duration = Duration::from_mins(1);
/// The most nodes whose pods are kept.
const MOST_NODES: usize = 256;
/// The most containers that are known to be on no pod.
const MOST_MISSING: usize = 4096;

type Listed = Arc<tokio::sync::Mutex<Option<(Instant, Arc<[PodOnNode]>)>>>;

/// The pods of nodes, and the containers that were not found, for a while.
#[derive(Debug)]
pub(super) struct Containers {
    nodes: Mutex<HashMap<Name, Listed>>,
    missing: Kept<ContainerId, ()>,
}

impl Default for Containers {
    fn default() -> Self {
        Self {
            nodes: Mutex::default(),
            missing: Kept::new(MISSING, MOST_MISSING),
        }
    }
}

impl Containers {
    /// The pod of a container on a node. Looks again until the patience is used up: the kubelet reports an id within a second
    /// or two of the container's start.
    pub(super) async fn locate<C: ClusterReader, R: Wait>(
        &self,
        cluster: &C,
        wait: &R,
        container: &ContainerId,
        node: Name,
        patience: Duration,
    ) -> Result<LocatedPod, ReadError> {
        let is_known_to_be_missing = self.missing.get(container).is_some();
        let mut left = if is_known_to_be_missing {
            Duration::ZERO
        } else {
            patience
        };
        loop {
            let pods = self.pods_on(cluster, &node).await?;
            let mut having = pods.iter().filter(|pod| pod.has(container));
            match (having.next(), having.next()) {
                (Some(pod), None) => {
                    let Some((namespace, name)) = pod.names.clone() else {
                        return Ok(LocatedPod::Missing(format!("its pod on {node} has no valid name")));
                    };
                    let claim = PodClaim {
                        namespace,
                        name,
                        container: Some(container.clone()),
                        uid: None,
                        from_audit: false,
                    };
                    return Ok(LocatedPod::Found { claim, node });
                }
                (Some(_), Some(_)) => {
                    return Ok(LocatedPod::Missing(format!(
                        "two pods on {node} have a container with this id"
                    )));
                }
                (None, _) if left.is_zero() => {
                    self.missing.keep(container.clone(), ());
                    let detail = format!("none of the {} pods on {node} has or had it", pods.len());
                    return Ok(LocatedPod::Missing(detail));
                }
                (None, _) => {
                    let pause = PAUSE.min(left);
                    wait.wait(pause).await;
                    left -= pause;
                }
            }
        }
    }

    async fn pods_on<C: ClusterReader>(&self, cluster: &C, node: &Name) -> Result<Arc<[PodOnNode]>, ReadError> {
        let listed = self.listed(node);
        // Held over the read: those who wait for it share its result.
        let mut listed = listed.lock().await;
        if let Some((at, pods)) = &*listed
            && at.elapsed() < PAUSE
        {
            return Ok(Arc::clone(pods));
        }
        let pods: Arc<[PodOnNode]> = cluster.pods_on(node).await?.into();
        *listed = Some((Instant::now(), Arc::clone(&pods)));
        Ok(pods)
    }

    fn listed(&self, node: &Name) -> Listed {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if nodes.len() >= MOST_NODES && !nodes.contains_key(node) {
            // Lists that no task reads or waits for.
            nodes.retain(|_, listed| Arc::strong_count(listed) > 1);
        }
        Arc::clone(nodes.entry(node.clone()).or_default())
    }
}
